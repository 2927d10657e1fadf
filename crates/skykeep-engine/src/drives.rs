//! Drives that come and go, and the places on them.
//!
//! - A place remembers the mount point that it was found under. While nothing is mounted there, the folder is on another
//!   disk: the place is absent, whatever lies in that folder, and nothing is written into it.
//! - The vault's id says which drive it is. When its place is absent, it is looked for on the other drives: in the same
//!   folder as before, in their own folder, and in `Skykeep` there. Where it is found is where the place is from then on.
//! - The kernel says when something is mounted or unmounted; nothing is asked in between. Where it cannot say so, the
//!   mounts are read again with every tick.
//! - A drive that has come back gets what it lacks at once, unless its accounts are paused or spared. So does a place
//!   that was just added, wherever it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use jiff::Timestamp;
use skykeep_atproto::Did;
use skykeep_vault::{FolderStore, Vault};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::api::{Event, RunEnd, Waiting};
use crate::engine::Inner;
use crate::machine::drive::{self, OnThisComputer};
use crate::schedule::{self, Due};
use crate::settings::{At, Place};
use crate::{Engine, Error, blocking, places};

/// What was seen when the mounts last changed.
#[derive(Debug, Default)]
pub(crate) struct Drives {
    /// Mount points of drives that come and go.
    points: Option<Vec<PathBuf>>,
    /// Places, by id, and whether they were there.
    there: BTreeMap<String, bool>,
    /// Places that were added since somebody looked, by id.
    added: Vec<String>,
}

impl Engine {
    /// Looks at the drives if any has come or gone, and starts what one that came back lacks, or a place that was added.
    pub(crate) async fn look_at_drives(&self, now: Timestamp, going: &mut JoinSet<RunEnd>) -> Result<(), Error> {
        let inner = &self.inner;
        let arrived = inner.find_places().await?;
        let added = inner.take_added();
        if added.is_empty() && arrived.is_empty() {
            return Ok(());
        }
        let machine = inner.machine_facts(now).await?;
        for account in inner.settings().accounts {
            if arrived.is_empty() && !inner.lacks(&added, &account.did).await? {
                continue;
            }
            let history = inner.history(&account.did).await?;
            let due = schedule::due(&inner.policy(&account.did, now)?, &history, &machine, now);
            let waits = matches!(
                due,
                Due::Running
                    | Due::Waiting(
                        Waiting::Paused { .. } | Waiting::Quiet { .. } | Waiting::Battery { .. } | Waiting::Metered
                    )
            );
            if !waits
                && !machine.dozes
                && let Some(reporter) = inner.begin(&account.did, false)
            {
                info!(did = %account.did, "a place is there that was not");
                let engine = self.clone();
                going.spawn(async move { engine.run_scheduled(reporter, now).await });
            }
        }
        Ok(())
    }
}

impl Inner {
    /// A place was added: the scheduler brings it what it lacks.
    pub(crate) fn place_added(&self, place: &Place) {
        let mut drives = self.drives.lock().unwrap_or_else(PoisonError::into_inner);
        drives.added.push(place.vault.to_string());
        drop(drives);
        let _ = self.events.send(Event::Places);
        self.wake.notify_one();
    }

    /// The places that were added since this was asked last.
    fn take_added(&self) -> Vec<String> {
        std::mem::take(&mut self.drives.lock().unwrap_or_else(PoisonError::into_inner).added)
    }

    /// Whether any of these places lacks a snapshot of an account.
    async fn lacks(&self, places: &[String], did: &Did) -> Result<bool, Error> {
        let settings = self.settings();
        let goes = |id: &&String| settings.places_of(did).any(|place| place.vault.as_str() == id.as_str());
        for place in places.iter().filter(goes) {
            let (place, did) = (place.clone(), did.clone());
            if self.ask(move |catalogue| catalogue.lacks(&place, &did)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Compares what is mounted with what was; the places that have come back since.
    ///
    /// Paths of places that are found elsewhere are changed in settings.
    pub(crate) async fn find_places(&self) -> Result<Vec<String>, Error> {
        let points = blocking(|| Ok(drive::comings_and_goings())).await?;
        let first = {
            let mut drives = self.drives.lock().unwrap_or_else(PoisonError::into_inner);
            if drives.points.as_ref() == Some(&points) {
                return Ok(Vec::new());
            }
            drives.points.replace(points.clone()).is_none()
        };
        let (mut arrived, mut changed) = (Vec::new(), false);
        for place in self.settings().places {
            let there = self.find(&place, &points).await?;
            let id = place.vault.to_string();
            let before = {
                let mut drives = self.drives.lock().unwrap_or_else(PoisonError::into_inner);
                drives.there.insert(id.clone(), there)
            };
            changed |= before != Some(there);
            if there && before == Some(false) {
                arrived.push(id);
            }
        }
        if changed && !first {
            let _ = self.events.send(Event::Places);
            self.listen_changed();
        }
        Ok(arrived)
    }

    /// Whether a place is there, under its own path or another. Of a bucket nothing is asked: it is on no drive.
    async fn find(&self, place: &Place, points: &[PathBuf]) -> Result<bool, Error> {
        let At::Folder { folder, drive } = &place.at else {
            return Ok(true);
        };
        if places::open(self, place).await.is_ok() {
            let point = mount_of(folder, points);
            if point.is_some() && *drive != point {
                self.move_place(place, folder, point)?;
            }
            return Ok(true);
        }
        let Some(drive) = drive else { return Ok(false) };
        let inside = folder.strip_prefix(drive).unwrap_or(Path::new(""));
        for point in points {
            for folder in [point.join(inside), point.clone(), point.join("Skykeep")] {
                if self.holds(&folder, place).await {
                    info!(place = %place.name, folder = %folder.display(), "found under another path");
                    self.move_place(place, &folder, Some(point.clone()))?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn holds(&self, folder: &Path, place: &Place) -> bool {
        let Ok(store) = FolderStore::open(folder, self.writer_key.id()).await else {
            return false;
        };
        Vault::open(std::sync::Arc::new(store), Some(&place.vault))
            .await
            .is_ok()
    }

    fn move_place(&self, place: &Place, folder: &Path, drive: Option<PathBuf>) -> Result<(), Error> {
        let moved = self.change_settings(|settings| {
            if let Some(found) = settings.places.iter_mut().find(|p| p.vault == place.vault) {
                found.at = At::Folder {
                    folder: folder.to_owned(),
                    drive,
                };
            }
        });
        moved.inspect_err(|error| warn!(%error, "where a drive is now could not be remembered"))
    }
}

/// The drive's mount point that a folder is under.
pub(crate) fn mount_of(folder: &Path, points: &[PathBuf]) -> Option<PathBuf> {
    let above = points.iter().filter(|point| folder.starts_with(point));
    above.max_by_key(|point| point.components().count()).cloned()
}

/// Where a place is. A drive that is away is not on this computer, although its mount point is.
pub(crate) fn on_this_computer(place: &Place, home: &Path) -> OnThisComputer {
    match &place.at {
        _ if is_away(place) => OnThisComputer::No,
        At::Folder { folder, .. } => drive::on_this_computer(folder, home),
        At::S3(bucket) if places::is_here(bucket) => OnThisComputer::Yes,
        At::S3(_) => OnThisComputer::No,
    }
}

/// Whether a place's drive is away: nothing is mounted where it was.
pub(crate) fn is_away(place: &Place) -> bool {
    place.drive().is_some_and(|drive| !drive::is_mounted(drive))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
