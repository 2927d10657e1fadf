//! Places that are left: written to no more, or moved to another place. What they hold stays where it is.
//!
//! A move is a note in the settings, not a long verb: the other place gets what it lacks by the runs that it gets
//! everything by, whatever is stopped meanwhile. When it is known to hold all that the first one holds, every file in
//! it is read once more; only then the first is a place no more.

use std::sync::PoisonError;

use jiff::Timestamp;
use skykeep_vault::layout::VaultId;
use tracing::{info, warn};

use crate::api::{Event, Place};
use crate::catalogue::Subject;
use crate::engine::unknown;
use crate::error::What;
use crate::settings::Role;
use crate::{Engine, Error, on_heap, problem, settings};

impl Engine {
    /// Lets backups go to a place no more. What it holds is still read, checked and mended.
    ///
    /// Errors: `Unknown`, `Data`; `LastPlace` when they would go nowhere then.
    pub async fn retire_place(&self, id: &str) -> Result<Place, Error> {
        let place = self.find_place(id)?;
        let others = self.inner.settings().places;
        if !others
            .iter()
            .any(|other| other.vault != place.vault && other.is_written())
        {
            return Err(Error::LastPlace { name: place.name });
        }
        self.give_role(&place, Role::Retired).await
    }

    /// Lets backups go to a place again that was left, or calls its move off. Errors: `Unknown`, `Data`.
    pub async fn resume_place(&self, id: &str) -> Result<Place, Error> {
        let place = self.find_place(id)?;
        let resumed = self.give_role(&place, Role::Active).await?;
        self.inner.place_added(&place);
        Ok(resumed)
    }

    /// Moves what a place holds of the accounts that are kept here to another place, which then stands in for it.
    ///
    /// It begins at once and goes on by itself; until it is done backups go to both. Errors: `Unknown`, `Data`;
    /// `NoMove` when the other place takes no backups for good, or is the same.
    pub async fn move_place(&self, id: &str, other: &str) -> Result<Place, Error> {
        let (place, other) = (self.find_place(id)?, self.find_place(other)?);
        if other.vault == place.vault || other.role != Role::Active {
            return Err(Error::NoMove { name: other.name });
        }
        let role = Role::Moves {
            to: other.vault,
            since: Timestamp::now(),
        };
        let moving = self.give_role(&place, role).await?;
        self.inner.place_added(&other);
        Ok(moving)
    }

    async fn give_role(&self, place: &settings::Place, role: Role) -> Result<Place, Error> {
        let found = self.inner.change_settings(|settings| {
            let place = settings.places.iter_mut().find(|p| p.vault == place.vault)?;
            place.role = role;
            Some(place.clone())
        })?;
        let place = found.ok_or_else(|| unknown(What::Place, &place.name))?;
        info!(place = %place.name, role = ?place.role, "what backups do with a place has changed");
        let _ = self.inner.events.send(Event::Places);
        self.inner.listen_changed();
        self.inner.wake.notify_one();
        self.place_now(&place).await
    }

    /// Ends the moves whose other place has everything, and begins to read what it got where that is still to be done.
    pub(crate) async fn finish_moves(&self, now: Timestamp) -> Result<(), Error> {
        for place in self.inner.settings().places {
            let Role::Moves { to, since } = place.role else {
                continue;
            };
            let Some(other) = self.inner.settings().place(to.as_str()).cloned() else {
                // It is a place no more: then this one stays.
                self.give_role(&place, Role::Active).await?;
                continue;
            };
            match self.move_state(&place, &other, since).await? {
                Moving::Copying => {}
                Moving::Unread => self.read_in_background(&other.vault),
                Moving::Whole => self.end_move(&place, &other, now).await?,
            }
        }
        Ok(())
    }

    async fn move_state(
        &self,
        place: &settings::Place,
        other: &settings::Place,
        since: Timestamp,
    ) -> Result<Moving, Error> {
        let (from, to) = (place.vault.to_string(), other.vault.to_string());
        let (accounts, away) = (
            self.inner.settings().accounts,
            self.inner.settings().have_left(&other.vault),
        );
        if accounts.iter().any(|account| self.inner.runs.is_active(&account.did)) {
            return Ok(Moving::Copying);
        }
        let looked = move |catalogue: &crate::catalogue::Catalogue| {
            let left = catalogue.still_to_move(&from, &to)?;
            let lacks = catalogue.holds(&to, &away)?.lacks;
            let facts = catalogue.place(&to)?.unwrap_or_default();
            let problems = catalogue.problems_of(&Subject::Place(to.clone()))?;
            Ok((left + lacks, facts.last_checked, problems))
        };
        let (left, checked, problems) = self.inner.ask(looked).await?;
        let damaged = problems
            .iter()
            .any(|standing| standing.problem.code == problem::DAMAGE_FOUND);
        Ok(match checked {
            _ if left > 0 => Moving::Copying,
            // Somebody was told: what is damaged there is not what a person moves to.
            Some(checked) if checked > since && damaged => Moving::Copying,
            Some(checked) if checked > since => Moving::Whole,
            _ => Moving::Unread,
        })
    }

    fn read_in_background(&self, vault: &VaultId) {
        let reads = self.inner.checking.lock().unwrap_or_else(PoisonError::into_inner);
        if reads.contains(vault) {
            return;
        }
        drop(reads);
        let (engine, id, in_hand) = (self.clone(), vault.to_string(), self.inner.work.begin());
        tokio::spawn(async move {
            if let Err(error) = on_heap(|| engine.check(Some(&id))).await {
                warn!(%error, "the place that another moves to cannot be read");
            }
            drop(in_hand);
        });
    }

    async fn end_move(&self, place: &settings::Place, other: &settings::Place, now: Timestamp) -> Result<(), Error> {
        self.remove_place(place.vault.as_str()).await?;
        info!(from = %place.name, to = %other.name, "moved");
        let moved = problem::moved(&place.name, &place.address(), &other.name);
        let subject = Subject::Place(other.vault.to_string());
        self.inner.raise_problem(&subject, moved, now).await
    }
}

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moving {
    /// The other place lacks something, or something is on its way.
    Copying,
    /// It has everything, and not all of that was read again.
    Unread,
    /// It has everything, and all of that was read.
    Whole,
}
