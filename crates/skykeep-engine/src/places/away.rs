//! Places that are away while something is read: what is only there is said by the place's name, not taken for lost.

use skykeep_atproto::Did;
use skykeep_vault::Reach;

use super::{READ_PATIENCE, open_lately};
use crate::api::{Check, Problem};
use crate::engine::Inner;
use crate::settings::Place;
use crate::{Error, list, problem};

/// A place that cannot be read now.
#[derive(Debug)]
pub(crate) struct Away {
    place: Place,
    error: Error,
}

impl Away {
    /// What it keeps from somebody: so many pictures and videos of an export.
    pub(crate) fn keeps_media(&self, count: u64) -> Problem {
        problem::media_away(&self.place.name, count, &self.error)
    }
}

impl Inner {
    /// Staging, and after it every place that is there: what has left staging is in them.
    pub(crate) async fn reach(&self) -> Reach {
        self.reach_and_away().await.0
    }

    /// The same, and the places that are not there.
    pub(crate) async fn reach_and_away(&self) -> (Reach, Vec<Away>) {
        let (mut there, mut away) = (Vec::new(), Vec::new());
        for place in self.settings().places {
            match open_lately(self, &place, READ_PATIENCE).await {
                Ok(vault) => there.push(vault),
                Err(error) => away.push(Away { place, error }),
            }
        }
        (Reach::new(&self.staging, there), away)
    }

    /// Those of them that were last seen to hold a snapshot. Errors: `Catalogue`.
    pub(crate) async fn that_hold(&self, away: Vec<Away>, did: &Did, id: &str) -> Result<Vec<Away>, Error> {
        let (did, id) = (did.clone(), id.to_owned());
        let holding = self.ask(move |catalogue| catalogue.confirmed_places(&did, &id)).await?;
        let holds = |away: &Away| holding.iter().any(|id| id == away.place.vault.as_str());
        Ok(away.into_iter().filter(holds).collect())
    }

    /// Says of what a check found damaged in a place how much of it the places that are away should have: nothing could
    /// be mended from there. Errors: `Catalogue`.
    pub(crate) async fn say_who_is_away(&self, check: &mut Check) -> Result<(), Error> {
        if check.damaged.is_empty() {
            return Ok(());
        }
        for away in self.reach_and_away().await.1 {
            let id = away.place.vault.to_string();
            if id == check.place {
                continue;
            }
            let held = self.ask(move |catalogue| catalogue.held_at(&id)).await?;
            let is_there = |snapshots: &[String]| snapshots.iter().any(|snapshot| held.contains(snapshot));
            let count = check
                .damaged
                .iter()
                .filter(|damage| is_there(&damage.snapshots))
                .count();
            if count > 0 {
                let said = problem::mend_away(&away.place.name, count, &away.error);
                check.problems.push(said);
            }
        }
        Ok(())
    }
}

/// Why a snapshot cannot be read: because files of it are in places that are away, if such are known to hold it.
pub(crate) fn rather_away(error: Error, away: &[Away]) -> Error {
    let Error::SnapshotBroken { id, reason } = error else {
        return error;
    };
    if away.is_empty() {
        return Error::SnapshotBroken { id, reason };
    }
    let names: Vec<String> = away.iter().map(|away| away.place.name.clone()).collect();
    Error::SnapshotAway {
        id,
        places: list(&names),
        reason,
    }
}
