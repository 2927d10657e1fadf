//! Places: folders and drives where backups are kept, and what they are found to hold.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use skykeep_vault::layout::{AccountFile, AccountFolder, VaultFile};
use skykeep_vault::{CheckReport, Fault, FolderStore, Vault};
use tracing::{info, warn};

use crate::api::{Account, Check, CheckStep, Damage, Event, HostingStatus, Person, Place, PlaceState};
use crate::catalogue::{PlaceFacts, Subject};
use crate::checks::UnderWay;
use crate::engine::unknown;
use crate::error::What;
use crate::machine::drive::{self, OnThisComputer};
use crate::{Engine, Error, backup, drives, problem, settings, spots};

impl Engine {
    /// All places, in the order they were added, as they are now.
    pub async fn places(&self) -> Result<Vec<Place>, Error> {
        let mut places = Vec::new();
        for place in self.inner.settings().places {
            places.push(self.place_now(&place).await?);
        }
        Ok(places)
    }

    /// Makes a folder a place. It is made if it is not there; it must be empty, or hold a vault already.
    ///
    /// Every account is delivered to it with its next run, which starts at once. Errors: `PlaceKnown`, `Place`, `Data`.
    pub async fn add_folder(&self, folder: &Path, name: Option<String>) -> Result<Place, Error> {
        let now = Timestamp::now();
        let folder = std::path::absolute(folder).map_err(Error::data(folder))?;
        let drive = drives::mount_of(&folder, &drive::comings_and_goings());
        let name = name
            .filter(|name| !name.trim().is_empty())
            .unwrap_or_else(|| spots::usual_name(&folder, drive.as_deref()));
        let at_place = |source| Error::Place {
            name: name.clone(),
            source,
        };
        let made = !folder.exists();
        if made {
            std::fs::create_dir_all(&folder).map_err(Error::data(&folder))?;
        }
        let opened = async {
            let store = FolderStore::open(&folder, self.inner.writer_key.id()).await?;
            Vault::create(Arc::new(store), &self.inner.writer_key, now).await
        };
        let vault = match opened.await {
            Ok(vault) => vault,
            Err(error) => {
                if made {
                    // Only if it is as empty as it was made.
                    let _ = std::fs::remove_dir(&folder);
                }
                return Err(at_place(error));
            }
        };
        let place = settings::Place {
            vault: *vault.id(),
            name,
            drive,
            folder: folder.clone(),
            added: now,
        };
        let known = self.inner.change_settings(|settings| {
            let known = settings.place(place.vault.as_str()).is_some();
            if !known {
                settings.places.push(place.clone());
            }
            known
        })?;
        if known {
            return Err(Error::PlaceKnown { path: folder });
        }
        info!(place = %place.name, "place added");
        let _ = self.inner.events.send(Event::Places);
        self.inner.wake.notify_one();
        self.place_now(&place).await
    }

    /// Forgets a place. What it holds stays. Errors: `Unknown`, `Data`.
    pub async fn remove_place(&self, id: &str) -> Result<(), Error> {
        let place = self.find_place(id)?;
        self.inner
            .change_settings(|settings| settings.places.retain(|p| p.vault != place.vault))?;
        let gone = place.vault.to_string();
        self.inner.ask(move |catalogue| catalogue.forget_place(&gone)).await?;
        info!(place = %place.name, "place removed; what it holds stays");
        let _ = self.inner.events.send(Event::Places);
        self.inner.listen_changed();
        Ok(())
    }

    /// Takes over what a vault holds: its accounts are kept from now on, its snapshots are known and continued, and it
    /// becomes a place if it was none. Nothing in it is changed but for what later runs add.
    ///
    /// Errors: `Place`, `Staging`, `Stopped`. Answers the accounts that it holds.
    pub async fn take_over(&self, folder: &Path) -> Result<Vec<Account>, Error> {
        let inner = &self.inner;
        let folder = std::path::absolute(folder).map_err(Error::data(folder))?;
        let name = folder.display().to_string();
        let at_place = |source| Error::Place {
            name: name.clone(),
            source,
        };
        let store = FolderStore::open(&folder, inner.writer_key.id())
            .await
            .map_err(at_place)?;
        let vault = Vault::open(Arc::new(store), None).await.map_err(at_place)?;
        let mut dids = Vec::new();
        for account in vault.accounts().await.map_err(at_place)? {
            let Some(latest) = vault.latest(&account, None).await.map_err(at_place)? else {
                continue;
            };
            let body = &latest.manifest.body;
            let cancel = inner.shutdown.clone();
            let mut watch = move |_| {
                if cancel.is_cancelled() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            inner
                .staging
                .adopt(&vault, &account, &mut watch)
                .await
                .map_err(at_place)?;
            let host = url::Url::parse(&body.host)
                .ok()
                .and_then(|url| url.host_str().map(str::to_owned));
            let person = Person {
                did: body.did.to_string(),
                handle: body.handle.as_ref().map(ToString::to_string),
                display_name: None,
                avatar: None,
                host: host.unwrap_or_default(),
                status: HostingStatus::Unknown,
                known: false,
            };
            let known = inner.settings().account(&body.did).map(|account| account.whose);
            self.add_account(&person, known.unwrap_or_default()).await?;
            dids.push(body.did.clone());
        }
        match self.add_folder(&folder, None).await {
            Ok(_) | Err(Error::PlaceKnown { .. }) => {}
            Err(error) => return Err(error),
        }
        let place = self.find_place(vault.id().as_str())?;
        let mut accounts = Vec::new();
        for did in dids {
            let account = AccountFolder::of(&did).map_err(Error::Staging)?;
            let (names, _) = vault.snapshot_names(&account).await.map_err(at_place)?;
            let names = names.iter().map(ToString::to_string).collect();
            inner.confirmed(&did, &place, names, &vault, Timestamp::now()).await?;
            self.face_from_backup(&did).await?;
            accounts.push(self.account(&did).await?);
        }
        Ok(accounts)
    }

    /// Hashes every file of a place (or of all) again and says what is not as its name says.
    ///
    /// What is damaged is written anew: from staging, from another place, or, what the newest snapshot needs, from the
    /// host. A place that is not there is skipped when all are checked. Errors: `Unknown`, `Place`, `Stopped`.
    pub async fn check(&self, place: Option<&str>) -> Result<Vec<Check>, Error> {
        let (places, all) = match place {
            Some(id) => (vec![self.find_place(id)?], false),
            None => (self.inner.settings().places, true),
        };
        let mut checks = Vec::new();
        for place in places {
            match self.check_place(&place).await {
                Ok(check) => checks.push(check),
                Err(Error::Place {
                    source: skykeep_vault::Error::Missing,
                    ..
                }) if all => {}
                Err(error) => return Err(error),
            }
        }
        Ok(checks)
    }

    async fn check_place(&self, place: &settings::Place) -> Result<Check, Error> {
        let inner = &self.inner;
        let vault = backup::open(inner, place).await?;
        let mut under_way = UnderWay::begin(inner, place.vault);
        let at_place = |source| Error::Place {
            name: place.name.clone(),
            source,
        };
        let mut report = skykeep_vault::check(&vault, &mut |progress| under_way.go_on(progress))
            .await
            .map_err(at_place)?;
        report.damages.retain(|damage| damage.fault != Fault::Abandoned);
        let found: Vec<VaultFile> = report.damages.iter().map(|damage| damage.file.clone()).collect();
        self.mend(place, &vault, &mut report, &mut under_way).await?;
        // What the host gives is delivered like anything new, and what no delivery put right comes from staging.
        if self.ask_hosts_again(&report, &mut under_way).await? {
            self.mend(place, &vault, &mut report, &mut under_way).await?;
        }
        if !found.is_empty() {
            under_way.step(CheckStep::Again);
            report = skykeep_vault::check(&vault, &mut |progress| under_way.go_on(progress))
                .await
                .map_err(at_place)?;
        }
        let still = |file: &VaultFile| report.damages.iter().any(|damage| damage.file == *file);
        let mended = found
            .iter()
            .filter(|file| !still(file))
            .map(|file| file.path().to_string());
        let mended: Vec<String> = mended.collect();
        let put_right = (!mended.is_empty()).then(|| problem::mended(&place.name, mended.len()));
        let check = Check {
            mended,
            ..to_check(place, &report)
        };
        let now = Timestamp::now();
        let id = place.vault.to_string();
        let found = (!check.damaged.is_empty())
            .then(|| problem::damage_found(&place.name, check.damaged.len(), check.touched_snapshots.len()));
        inner
            .ask(move |catalogue| {
                let facts = catalogue.place(&id)?.unwrap_or_default();
                catalogue.set_place(
                    &id,
                    &PlaceFacts {
                        last_checked: Some(now),
                        last_seen: Some(now),
                        ..facts
                    },
                )?;
                let subject = Subject::Place(id);
                if let Some(problem) = put_right {
                    catalogue.raise(&subject, &problem, now)?;
                }
                match found {
                    Some(problem) => catalogue.raise(&subject, &problem, now).map(drop),
                    None => catalogue.clear(&subject, problem::DAMAGE_FOUND).map(drop),
                }
            })
            .await?;
        inner.wake.notify_one();
        let _ = inner.events.send(Event::Places);
        Ok(check)
    }

    /// Writes what a check found damaged anew, from staging or from another place; that leaves the report.
    ///
    /// What cannot be mended stays as it is. Errors: `Stopped`.
    async fn mend(
        &self,
        place: &settings::Place,
        vault: &Vault,
        report: &mut CheckReport,
        under_way: &mut UnderWay<'_>,
    ) -> Result<(), Error> {
        if report.damages.is_empty() {
            return Ok(());
        }
        under_way.step(CheckStep::Mending);
        let reach = self.inner.reach().await;
        let sources: Vec<&Vault> = reach.vaults().iter().filter(|source| !source.is(vault.id())).collect();
        match skykeep_vault::heal(vault, report, &sources, &mut |progress| under_way.go_on(progress)).await {
            Ok(healed) => {
                info!(place = %place.name, healed = healed.healed.len(), remaining = healed.remaining.len(), "mended");
                report.damages.retain(|damage| healed.remaining.contains(&damage.file));
                Ok(())
            }
            Err(skykeep_vault::Error::Stopped) => Err(Error::Stopped),
            Err(error) => {
                warn!(place = %place.name, %error, "what is damaged cannot be written anew");
                Ok(())
            }
        }
    }

    /// Asks the hosts for what is damaged and nobody in reach has whole, as far as newest snapshots need it: staging has
    /// it then. Whether there was anything to ask for.
    ///
    /// What only older snapshots need is nowhere else: a host hands out the account as it is now. Errors: `Staging`.
    async fn ask_hosts_again(&self, report: &CheckReport, under_way: &mut UnderWay<'_>) -> Result<bool, Error> {
        let inner = &self.inner;
        let mut asked = false;
        for account in inner.settings().accounts {
            let folder = AccountFolder::of(&account.did).map_err(Error::Staging)?;
            let damaged = report.damages.iter().filter_map(|damage| match &damage.file {
                VaultFile::Account { account, file } if *account == folder => Some(file.clone()),
                _ => None,
            });
            let mut damaged: BTreeSet<AccountFile> = damaged.collect();
            let Some(latest) = inner.staging.latest(&folder, None).await.map_err(Error::Staging)? else {
                continue;
            };
            let contents = inner.staging.contents(&latest).await.map_err(Error::Staging)?;
            let needed: BTreeSet<&AccountFile> = contents.objects().map(|object| &object.name).collect();
            damaged.retain(|file| needed.contains(file));
            if damaged.is_empty() {
                continue;
            }
            if !asked {
                under_way.step(CheckStep::Asking);
            }
            info!(did = %account.did, files = damaged.len(), "the host is asked for what is damaged");
            asked |= self.fetch_again(&account.did, damaged).await.is_some();
        }
        Ok(asked)
    }

    /// A place by its id, its name or its folder. Errors: `Unknown`.
    pub(crate) fn find_place(&self, id: &str) -> Result<settings::Place, Error> {
        let settings = self.inner.settings();
        let named =
            |place: &&settings::Place| place.vault.as_str() == id || place.name == id || place.folder == Path::new(id);
        settings
            .places
            .iter()
            .find(named)
            .cloned()
            .ok_or_else(|| unknown(What::Place, id))
    }

    async fn place_now(&self, place: &settings::Place) -> Result<Place, Error> {
        let inner = &self.inner;
        let (state, free) = match backup::open(inner, place).await {
            Ok(vault) => match vault.store().probe().await {
                Ok(probe) => (PlaceState::Ready, probe.free),
                Err(_) => (PlaceState::Absent, None),
            },
            Err(Error::Place { source, .. }) => (state_of(&source), None),
            Err(_) => (PlaceState::Absent, None),
        };
        let id = place.vault.to_string();
        let (facts, (behind, accounts)) = inner
            .ask(move |catalogue| Ok((catalogue.place(&id)?.unwrap_or_default(), catalogue.holds(&id)?)))
            .await?;
        let checking = inner
            .checking
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&place.vault);
        let home = crate::default_place().unwrap_or_default();
        Ok(Place {
            id: place.vault.to_string(),
            name: place.name.clone(),
            path: place.folder.display().to_string(),
            state,
            this_computer: drives::on_this_computer(place, &home) == OnThisComputer::Yes,
            last_seen: facts.last_seen.map(Timestamp::as_millisecond),
            last_checked: facts.last_checked.map(Timestamp::as_millisecond),
            free: free.or(facts.free),
            removable: place.drive.is_some(),
            busy: state == PlaceState::Ready && (checking || inner.runs.any_writing()),
            behind,
            accounts,
        })
    }
}

fn state_of(error: &skykeep_vault::Error) -> PlaceState {
    use skykeep_vault::Error as Vault;
    match error {
        Vault::ReadOnly => PlaceState::ReadOnly,
        Vault::Full { .. } => PlaceState::Full,
        Vault::OtherVault { .. } | Vault::NotAVault { .. } | Vault::NotEmpty | Vault::NewerFormat { .. } => {
            PlaceState::Other
        }
        _ => PlaceState::Absent,
    }
}

fn to_check(place: &settings::Place, report: &CheckReport) -> Check {
    let damaged: Vec<Damage> = report
        .damages
        .iter()
        // What a writer gave up itself is nobody's loss.
        .filter(|damage| damage.fault != Fault::Abandoned)
        .map(|damage| Damage {
            name: damage.file.path().to_string(),
            state: match damage.fault {
                Fault::Damaged | Fault::Refused | Fault::Abandoned => "damaged",
                Fault::Missing => "missing",
                Fault::Unreadable => "unreadable",
            }
            .to_owned(),
            snapshots: damage.snapshots.iter().map(ToString::to_string).collect(),
        })
        .collect();
    let snapshots = || report.accounts.iter().flat_map(|account| &account.snapshots);
    Check {
        place: place.vault.to_string(),
        sound: report.files - damaged.len().min(usize::try_from(report.files).unwrap_or(usize::MAX)) as u64,
        bytes: report.bytes,
        damaged,
        mended: Vec::new(),
        whole_snapshots: snapshots().filter(|snapshot| snapshot.is_whole()).count() as u64,
        touched_snapshots: snapshots()
            .filter(|s| !s.is_whole())
            .map(|s| s.name.to_string())
            .collect(),
    }
}
