//! The engine itself: what it holds, how it opens, and the small questions that several rooms ask it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use skykeep_atproto::Did;
use skykeep_net::{CancellationToken, Client, NetConfig};
use skykeep_vault::layout::VaultId;
use skykeep_vault::{Staging, Vault, WriterKey};
use tokio::sync::{Notify, broadcast};
use tracing::warn;

use crate::api::{Event, Problem, Severity, Waiting};
use crate::catalogue::{Catalogue, Opened, Subject};
use crate::changes::Known;
use crate::data::DataFolder;
use crate::drives::Drives;
use crate::error::What;
use crate::family::Looked;
use crate::in_hand::Work;
use crate::keys::{self, KeyStore, Secret, SecretName};
use crate::machine::{Machine, MachineFacts};
use crate::places::Buckets;
use crate::runs::Runs;
use crate::schedule::{Due, History, Policy};
use crate::settings::Settings;
use crate::{Error, blocking, data, problem, settings, words};

/// Events that a slow listener may lag behind before it misses some.
const EVENTS: usize = 256;

/// How long the start waits for a keychain that may be asking its owner to unlock it.
const KEYCHAIN_PATIENCE: Duration = Duration::from_secs(20);

/// The whole product. Cheap to clone; all clones are one engine, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

/// What the engine holds.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) data: DataFolder,
    pub(crate) catalogue: Arc<Catalogue>,
    client: RwLock<Client>,
    pub(crate) writer_key: WriterKey,
    pub(crate) staging: Staging,
    pub(crate) runs: Arc<Runs>,
    /// What is not to be cut off.
    pub(crate) work: Work,
    pub(crate) events: broadcast::Sender<Event>,
    /// Wakes the scheduler: something is to be looked at now.
    pub(crate) wake: Notify,
    /// What snapshots changed, as lately asked for.
    pub(crate) changes: Mutex<Known>,
    /// Ends everything that is under way.
    pub(crate) shutdown: CancellationToken,
    settings: Mutex<Settings>,
    /// Places that were swept since the engine opened.
    swept: Mutex<BTreeSet<VaultId>>,
    machine: Arc<Mutex<Machine>>,
    /// Drives that come and go, as last seen.
    pub(crate) drives: Mutex<Drives>,
    /// Buckets that were opened lately.
    pub(crate) buckets: Buckets,
    /// Places that are being checked now.
    pub(crate) checking: Mutex<BTreeSet<VaultId>>,
    /// When it was last tried to read who is on the places.
    pub(crate) looked: Looked,
    /// Whose turn it is to read places again.
    pub(crate) round: Arc<tokio::sync::Mutex<()>>,
    incoming: AtomicU64,
    /// What accounts waited for at the last tick.
    waited: Mutex<Vec<Option<Waiting>>>,
}

impl Engine {
    /// Opens the engine of the usual data folder, as the environment says. Needs a tokio runtime.
    ///
    /// Errors as [`Engine::open_at`].
    pub async fn open() -> Result<Self, Error> {
        Self::open_at(data::location()?).await
    }

    /// Opens the engine of one data folder and takes its lock.
    ///
    /// A damaged catalogue is moved aside and rebuilt from staging. Errors: `EngineRunning`, `Settings`, `Data`,
    /// `Catalogue` (of a newer version), `Staging`, `Net` (a server's address that cannot be used).
    pub async fn open_at(folder: PathBuf) -> Result<Self, Error> {
        let now = Timestamp::now();
        let data = blocking(move || DataFolder::open(folder)).await?;
        let settings = Settings::load(&data.settings())?;
        let path = data.catalogue();
        let Opened { catalogue, moved_aside } = blocking(move || Ok(Catalogue::open(&path, now)?)).await?;
        let config = config(&settings)?;
        let loopback = config.loopback_http;
        let client = Client::new(config)?;
        words::speak(settings.window.language.as_deref());
        let (writer_key, no_keychain) = writer_key(&data, settings.keys.clone()).await?;
        let staging = open_staging(&data, &writer_key, now).await?;
        let inner = Inner {
            catalogue: Arc::new(catalogue),
            client: RwLock::new(client),
            writer_key,
            staging,
            runs: Arc::new(Runs::default()),
            work: Work::default(),
            events: broadcast::channel(EVENTS).0,
            wake: Notify::new(),
            changes: Mutex::default(),
            shutdown: CancellationToken::new(),
            settings: Mutex::new(settings),
            swept: Mutex::default(),
            drives: Mutex::default(),
            buckets: Buckets::default(),
            checking: Mutex::default(),
            round: Arc::default(),
            machine: Arc::new(Mutex::new(Machine::new(now, loopback))),
            looked: Looked::default(),
            incoming: AtomicU64::new(0),
            waited: Mutex::default(),
            data,
        };
        let engine = Self { inner: Arc::new(inner) };
        engine.inner.notes().take_over()?;
        engine.inner.find_places().await?;
        engine.take_stock(moved_aside.is_some()).await?;
        engine.tell_keychain(no_keychain, now).await?;
        Ok(engine)
    }

    /// Everything that happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.events.subscribe()
    }

    /// The data folder.
    pub fn data_folder(&self) -> &std::path::Path {
        self.inner.data.root()
    }

    /// Ends all runs. What is under way stops between two files; nothing is lost.
    pub fn shut_down(&self) {
        self.inner.shutdown.cancel();
    }
}

/// Who asks strangers, as settings say and the environment over them. Errors: `Settings`, `Net`.
pub(crate) fn client(settings: &Settings) -> Result<Client, Error> {
    Ok(Client::new(config(settings)?)?)
}

/// Whom to ask: settings, and the environment over them. Errors: `Settings`, `Net`.
fn config(settings: &Settings) -> Result<NetConfig, Error> {
    let address = |field: &'static str, text: &str| {
        url::Url::parse(text).map_err(|error| Error::Settings {
            path: "settings.toml".into(),
            reason: format!("network.{field}: {error}"),
        })
    };
    let mut config = NetConfig::default();
    let network = &settings.network;
    if let Some(text) = &network.plc_url {
        config.plc_url = address("plc_url", text)?;
    }
    if let Some(text) = &network.handle_resolver {
        config.handle_resolver = Some(address("handle_resolver", text)?);
    }
    if let Some(text) = &network.appview_url {
        config.appview_url = Some(address("appview_url", text)?);
    }
    if let Some(text) = &network.relay_url {
        config.relay_url = address("relay_url", text)?;
    }
    config.dns = network.dns.or(config.dns);
    config.loopback_http |= network.loopback_http;
    Ok(config.with_env()?)
}

/// The key that signs this computer's manifests, from the keychain.
///
/// Without a keychain the engine still keeps posts: it signs as a writer of its own for as long as it runs, and says so.
async fn writer_key(data: &DataFolder, settings: settings::Keys) -> Result<(WriterKey, Option<keys::Error>), Error> {
    let root = data.root().to_owned();
    let fetch = move || -> Result<WriterKey, Error> {
        let store: Box<dyn KeyStore> = keys::open(&root, &settings)?;
        let name = SecretName::writer();
        if let Some(secret) = store.get(&name)? {
            if let Ok(bytes) = <[u8; 32]>::try_from(secret.expose().as_slice()) {
                return Ok(WriterKey::from_bytes(&bytes));
            }
            warn!("the writer key in the keychain has another length; a new one takes its place");
        }
        let key = WriterKey::generate().map_err(Error::Staging)?;
        store.set(&name, &Secret::new(key.to_bytes().to_vec()))?;
        Ok(key)
    };
    let answer = tokio::time::timeout(KEYCHAIN_PATIENCE, blocking(fetch)).await;
    match answer.unwrap_or(Err(Error::Keys(keys::Error::NoAnswer {
        waited: KEYCHAIN_PATIENCE,
    }))) {
        Err(Error::Keys(error)) if problem::is_about_setup(&error) => Err(error.into()),
        Err(Error::Keys(error)) => {
            warn!(%error, "no keychain; signing with a key for this session");
            let key = WriterKey::generate().map_err(Error::Staging)?;
            Ok((key, Some(error)))
        }
        other => other.map(|key| (key, None)),
    }
}

async fn open_staging(data: &DataFolder, key: &WriterKey, now: Timestamp) -> Result<Staging, Error> {
    let path = data.staging();
    std::fs::create_dir_all(&path).map_err(Error::data(&path))?;
    let staging = Staging::create(path, key, now).await.map_err(Error::Staging)?;
    // What a program that was killed left half written.
    staging.store().sweep(now).await.map_err(Error::Staging)?;
    Ok(staging)
}

impl Inner {
    /// A copy of the settings as they are now.
    pub(crate) fn settings(&self) -> Settings {
        self.settings_lock().clone()
    }

    /// Changes the settings and saves them; on an error they are as they were.
    pub(crate) fn change_settings<T>(&self, change: impl FnOnce(&mut Settings) -> T) -> Result<T, Error> {
        let mut settings = self.settings_lock();
        let mut changed = settings.clone();
        let answer = change(&mut changed);
        if changed != *settings {
            changed.save(&self.data.settings())?;
            *settings = changed;
        }
        Ok(answer)
    }

    /// Who asks strangers, as settings are now.
    pub(crate) fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs that begin from now on ask others.
    pub(crate) fn set_client(&self, client: Client) {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = client;
    }

    fn settings_lock(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the catalogue, where it keeps nobody waiting.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Catalogue) -> Result<T, crate::catalogue::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let catalogue = Arc::clone(&self.catalogue);
        blocking(move || Ok(question(&catalogue)?)).await
    }

    /// Removes what a program that was killed left half written in a place, once while the engine is open.
    pub(crate) async fn sweep(&self, vault: &Vault, now: Timestamp) {
        let first = self
            .swept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(*vault.id());
        if first && let Err(error) = vault.store().sweep(now).await {
            warn!(%error, "a place could not be swept");
        }
    }

    /// A name for a download that nothing else has.
    pub(crate) fn incoming(&self, kind: &str) -> Result<PathBuf, Error> {
        let folder = self.data.incoming();
        std::fs::create_dir_all(&folder).map_err(Error::data(&folder))?;
        Ok(folder.join(format!("{}.{kind}", self.incoming.fetch_add(1, Ordering::Relaxed))))
    }

    /// What the machine is like now. The system bus may take a second to say so.
    pub(crate) async fn machine_facts(&self, now: Timestamp) -> Result<MachineFacts, Error> {
        let machine = Arc::clone(&self.machine);
        blocking(move || Ok(machine.lock().unwrap_or_else(PoisonError::into_inner).read(now))).await
    }

    /// The machine is about to sleep, or awake again.
    pub(crate) async fn machine_sleeps(&self, soon: bool, now: Timestamp) -> Result<(), Error> {
        let machine = Arc::clone(&self.machine);
        let said = move || {
            let mut machine = machine.lock().unwrap_or_else(PoisonError::into_inner);
            machine.sleeps(soon, now);
            Ok(())
        };
        blocking(said).await
    }

    /// Whether accounts wait for something else than when this was last asked.
    pub(crate) fn waits_otherwise(&self, dues: &[Due]) -> bool {
        let waiting = dues.iter().map(|due| match due {
            Due::Waiting(waiting) => Some(waiting.clone()),
            Due::Now | Due::At(_) | Due::Running => None,
        });
        let waiting: Vec<_> = waiting.collect();
        let mut before = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *before, waiting.clone()) != waiting
    }

    /// What the scheduler is to do for an account.
    pub(crate) fn policy(&self, did: &Did, now: Timestamp) -> Result<Policy, Error> {
        let settings = self.settings();
        let account = settings.account(did).ok_or_else(|| unknown(What::Account, did))?;
        Ok(Policy {
            did: did.clone(),
            every: Duration::from_secs(u64::from(settings.schedule.every_minutes) * 60),
            pause: settings.pause_of(account, now),
            has_place: settings.places_of(did).next().is_some(),
            battery_below: Some(settings.power.battery_below).filter(|level| *level > 0),
            metered: settings.power.metered,
            quiet: settings.schedule.quiet,
            zone: TimeZone::system(),
        })
    }

    /// What the scheduler knows of an account.
    pub(crate) async fn history(&self, did: &Did) -> Result<History, Error> {
        let running = self.runs.is_active(did);
        let did = did.clone();
        self.ask(move |catalogue| {
            let facts = catalogue.account(&did)?.unwrap_or_default();
            let latest = catalogue.latest(&did)?;
            let host = facts
                .host
                .as_deref()
                .map(|host| catalogue.host(host))
                .transpose()?
                .flatten();
            let taken = latest
                .as_ref()
                .and_then(|snapshot| Timestamp::from_millisecond(snapshot.taken).ok());
            Ok(History {
                running,
                status: facts.status,
                runs: catalogue.run_history(&did)?,
                host,
                last_snapshot: taken,
                last_full: facts.last_full,
                last_media_try: facts.last_media_try,
                media_missing: latest
                    .as_ref()
                    .map_or(0, |snapshot| snapshot.media_missing.len() as u64),
                media_pending: latest.map_or(0, |snapshot| snapshot.media_pending),
            })
        })
        .await
    }
}

impl Engine {
    /// Lets it be known that the keychain did not answer, or is back.
    async fn tell_keychain(&self, failed: Option<keys::Error>, now: Timestamp) -> Result<(), Error> {
        let Some(error) = failed else {
            let clear = |catalogue: &Catalogue| catalogue.clear(&Subject::App, problem::KEYCHAIN_FAILED).map(drop);
            return self.inner.ask(clear).await;
        };
        // Nothing is lost and backups go on.
        let problem = Problem {
            severity: Severity::Note,
            ..problem::to_problem(&error.into())
        };
        self.inner.raise_problem(&Subject::App, problem, now).await
    }
}

pub(crate) fn unknown(what: What, name: impl ToString) -> Error {
    Error::Unknown {
        what,
        name: name.to_string(),
    }
}
