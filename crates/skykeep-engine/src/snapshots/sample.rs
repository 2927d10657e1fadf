//! Samples: after every tenth completed run of an account, a snapshot is read back from one of its places as a person would
//! get it, and thrown away.
//!
//! A check says that files are what they were. A sample says that they are enough: the repository is proved by the account's
//! own log, written as one CAR, and some of the media are copied and hashed; all of it from that place alone. Places take
//! turns. One that is not there is passed over, and what fails is tried twice, so that a cable is no damage.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use skykeep_atproto::Did;
use skykeep_vault::layout::AccountFolder;
use skykeep_vault::{Reach, Vault};
use tracing::{info, warn};

use super::Found;
use crate::api::Event;
use crate::catalogue::{Sample, Subject};
use crate::places::open;
use crate::rounds::due::is_held_back;
use crate::{Engine, Error, problem, settings};

/// Completed runs between two samples of an account.
const RUNS: u64 = 10;
/// Pictures and videos that a sample reads.
const MEDIA: usize = 20;

impl Engine {
    /// Takes the samples that are due at `now`, one an account. Answers those that were taken. Runs come first.
    ///
    /// Errors: those of the catalogue and the data folder.
    pub async fn take_samples(&self, now: Timestamp) -> Result<Vec<(Did, Sample)>, Error> {
        let mut taken = Vec::new();
        for account in self.inner.settings().accounts {
            let did = account.did;
            let of = did.clone();
            let due = self.inner.ask(move |catalogue| catalogue.completed_since_sample(&of));
            if due.await? < RUNS {
                continue;
            }
            if self.inner.runs.any() || self.inner.shutdown.is_cancelled() {
                break;
            }
            if let Some(sample) = self.take_sample(&did, now).await? {
                taken.push((did, sample));
            }
        }
        Ok(taken)
    }

    /// Reads an account's newest snapshot back from the place whose turn it is; `None` when no place is there.
    async fn take_sample(&self, did: &Did, now: Timestamp) -> Result<Option<Sample>, Error> {
        let inner = &self.inner;
        let of = did.clone();
        let (before, holding) = inner
            .ask(move |catalogue| Ok((catalogue.sample(&of)?, catalogue.places_of(&of)?)))
            .await?;
        let mut places = inner.settings().places;
        places.retain(|place| holding.iter().any(|id| id == place.vault.as_str()));
        let last = before.as_ref().map(|sample| sample.place.as_str());
        if let Some(at) = places.iter().position(|place| Some(place.vault.as_str()) == last) {
            places.rotate_left(at + 1);
        }
        let machine = inner.machine_facts(now).await?;
        for place in places {
            if is_held_back(&inner.reading_policy(&place, now), &machine) {
                continue;
            }
            let Ok(vault) = open(inner, &place).await else { continue };
            let Some(whole) = self.sample_is_whole(did, &vault, now).await? else {
                continue;
            };
            info!(%did, place = %place.name, whole, "a copy was read back");
            let sample = Sample {
                at: now,
                place: place.vault.to_string(),
                whole,
                last_whole: whole.then_some(now).or(before.and_then(|before| before.last_whole)),
            };
            self.remember_sample(did, &place, sample.clone()).await?;
            return Ok(Some(sample));
        }
        Ok(None)
    }

    /// Whether the newest snapshot in a place reads back whole; `None` when the place went away meanwhile.
    async fn sample_is_whole(&self, did: &Did, vault: &Vault, now: Timestamp) -> Result<Option<bool>, Error> {
        for _ in 0..2 {
            let path = self.inner.incoming("sample")?;
            let read = self.read_back(did, vault, now, &path).await;
            // Nothing of it stays, whole or not.
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::data(&path)(error)),
                _ => {}
            }
            let Err(error) = read else { return Ok(Some(true)) };
            warn!(%did, %error, "a copy does not read back");
            if self.inner.shutdown.is_cancelled() || matches!(error, Error::Data { .. }) {
                return Ok(None);
            }
            let account = AccountFolder::of(did).map_err(Error::Staging)?;
            if vault.snapshot_names(&account).await.is_err() {
                return Ok(None);
            }
        }
        Ok(Some(false))
    }

    /// Reads everything of the newest snapshot but some of the media back from one vault. Errors: `SnapshotBroken`, `Data`.
    async fn read_back(&self, did: &Did, vault: &Vault, now: Timestamp, path: &Path) -> Result<(), Error> {
        let account = AccountFolder::of(did).map_err(Error::Staging)?;
        let broken = |error: skykeep_vault::Error| super::broken(did.as_str(), error);
        let snapshot = vault.latest(&account, None).await.map_err(broken)?;
        let snapshot = snapshot.ok_or_else(|| super::broken(did.as_str(), "no snapshot can be read"))?;
        let contents = vault.contents(&snapshot).await.map_err(broken)?;
        let found = Found {
            reach: Reach::new(vault, []),
            snapshot,
            contents,
        };
        let (repo, files) = self.prove(&found).await?;
        let car = File::create(path).map_err(Error::data(path))?;
        Reach::write_car(Arc::clone(&repo), files, car).await.map_err(broken)?;
        // Others each time.
        let media: Vec<_> = repo
            .blobs()
            .iter()
            .filter_map(|blob| found.contents.blobs.get(&blob.cid))
            .collect();
        let step = media.len().div_ceil(MEDIA).max(1);
        let offset = usize::try_from(now.as_second().unsigned_abs()).unwrap_or(0) % step;
        for object in media.into_iter().skip(offset).step_by(step) {
            found.reach.copy_object(&account, object, path).await.map_err(broken)?;
        }
        Ok(())
    }

    async fn remember_sample(&self, did: &Did, place: &settings::Place, sample: Sample) -> Result<(), Error> {
        let failed = (!sample.whole).then(|| problem::sample_failed(&place.name));
        let (did, subject) = (did.clone(), Subject::Place(place.vault.to_string()));
        self.inner
            .ask(move |catalogue| {
                catalogue.set_sample(&did, &sample)?;
                match failed {
                    Some(problem) => catalogue.raise(&subject, &problem, sample.at).map(drop),
                    None => catalogue.clear(&subject, problem::SAMPLE_FAILED).map(drop),
                }
            })
            .await?;
        self.inner.wake.notify_one();
        let _ = self.inner.events.send(Event::Places);
        self.inner.listen_changed();
        Ok(())
    }
}
