//! Places: folders, drives and buckets where backups are kept, and what they are found to hold.

mod away;
mod bucket;
pub(crate) mod check;
mod copy;
mod hurt;
mod keys;
mod leaving;
mod open;
mod past;
mod rekey;
mod take_over;
mod under_way;

use std::path::Path;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use skykeep_vault::{FolderStore, Vault};
use tracing::info;

pub(crate) use self::away::{Away, rather_away};
pub use self::bucket::providers;
pub(crate) use self::bucket::{Buckets, is_here, settings_of};
pub use self::keys::{BucketKeys, HandedIn};
pub(crate) use self::open::{LOOK_PATIENCE, READ_PATIENCE, open, open_lately};
use crate::api::{Event, NAMED, Place, PlaceKind, PlaceRole, PlaceState, ReadSoFar, ReadWhole};
use crate::catalogue::Subject;
use crate::engine::unknown;
use crate::error::What;
use crate::machine::drive::{self, OnThisComputer};
use crate::settings::{At, Role};
use crate::{Engine, Error, drives, problem, settings, spots};

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
            at: At::Folder {
                folder: folder.clone(),
                drive,
            },
            added: now,
            share: None,
            role: Role::Active,
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
        self.inner.place_added(&place);
        self.place_now(&place).await
    }

    /// Forgets a place. What it holds stays. Errors: `Unknown`, `Data`.
    pub async fn remove_place(&self, id: &str) -> Result<(), Error> {
        let place = self.find_place(id)?;
        self.inner.change_settings(|settings| {
            settings.places.retain(|p| p.vault != place.vault);
            // Whoever takes the place up again begins as everyone does.
            for account in &mut settings.accounts {
                account.left.retain(|id| *id != place.vault);
            }
        })?;
        self.drop_keys(&place).await?;
        let gone = place.vault.to_string();
        self.inner.ask(move |catalogue| catalogue.forget_place(&gone)).await?;
        info!(place = %place.name, "place removed; what it holds stays");
        let _ = self.inner.events.send(Event::Places);
        self.inner.listen_changed();
        Ok(())
    }

    /// A place by its id, its name, its folder or its address. Errors: `Unknown`.
    pub(crate) fn find_place(&self, id: &str) -> Result<settings::Place, Error> {
        let settings = self.inner.settings();
        let named = |place: &&settings::Place| {
            place.vault.as_str() == id
                || place.name == id
                || place.address() == id
                || place.folder() == Some(Path::new(id))
        };
        settings
            .places
            .iter()
            .find(named)
            .cloned()
            .ok_or_else(|| unknown(What::Place, id))
    }

    pub(super) async fn place_now(&self, place: &settings::Place) -> Result<Place, Error> {
        let inner = &self.inner;
        let (state, free) = match open_lately(inner, place, LOOK_PATIENCE).await {
            // A look at a list must not write into a bucket.
            Ok(_) if place.folder().is_none() => (PlaceState::Ready, None),
            Ok(vault) => match vault.store().probe().await {
                Ok(probe) => (PlaceState::Ready, probe.free),
                Err(source) => (state_of(&source), None),
            },
            Err(Error::Place { source, .. }) => (state_of(&source), None),
            Err(_) if place.folder().is_none() => (PlaceState::Refused, None),
            Err(_) => (PlaceState::Absent, None),
        };
        let id = place.vault.to_string();
        let left = inner.settings().have_left(&place.vault);
        let (facts, holds, mut round, used, filling) = inner
            .ask(move |catalogue| {
                let facts = catalogue.place(&id)?.unwrap_or_default();
                let used = catalogue.family(&id)?.map(|family| family.used());
                let standing = catalogue.problems_of(&Subject::Place(id.clone()))?;
                let filling = standing
                    .iter()
                    .any(|standing| standing.problem.code == problem::PLACE_FILLING);
                let holds = catalogue.holds(&id, &left)?;
                Ok((facts, holds, catalogue.round(&id)?, used, filling))
            })
            .await?;
        round.damaged.truncate(NAMED);
        let checking = inner
            .checking
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&place.vault);
        let home = crate::default_place().unwrap_or_default();
        Ok(Place {
            id: place.vault.to_string(),
            name: place.name.clone(),
            kind: match place.at {
                At::Folder { .. } => PlaceKind::Folder,
                At::S3(_) => PlaceKind::Bucket,
            },
            path: place.address(),
            state,
            this_computer: drives::on_this_computer(place, &home) == OnThisComputer::Yes,
            last_seen: facts.last_seen.map(Timestamp::as_millisecond),
            last_checked: facts.last_checked.map(Timestamp::as_millisecond),
            free: free.or(facts.free),
            used,
            filling,
            removable: place.drive().is_some(),
            busy: state == PlaceState::Ready && (checking || inner.runs.any_writing()),
            behind: holds.lacks,
            behind_since: holds.lacks_since.map(Timestamp::as_millisecond),
            accounts: holds.newest,
            last_listed: facts.last_listed.map(Timestamp::as_millisecond),
            only_here: holds.only_here,
            role: match place.role {
                Role::Active => PlaceRole::Active,
                Role::Retired => PlaceRole::Retired,
                Role::Moves { to, .. } => PlaceRole::Moves {
                    to: inner
                        .settings()
                        .place(to.as_str())
                        .map(|to| to.name.clone())
                        .unwrap_or_default(),
                },
            },
            read_whole: round.whole.map(|(from, to)| ReadWhole {
                from: from.as_millisecond(),
                to: to.as_millisecond(),
            }),
            reading: round.began.map(|began| ReadSoFar {
                since: began.as_millisecond(),
                bytes: round.bytes.min(round.of_bytes),
                of_bytes: round.of_bytes,
            }),
            damaged: round.damaged,
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
        Vault::Server { trouble, .. } if !trouble.is_transient() => PlaceState::Refused,
        _ => PlaceState::Absent,
    }
}
