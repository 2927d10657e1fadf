//! Rounds: every place is read again, a little each day, without anybody asking.
//!
//! What is due is decided in [`due`]. A portion begins where the last one ended, also after a stop; it ends early when a
//! run begins, a check is asked for, or the program ends. A file that came after the round had passed its name was read back
//! when it was written, and is read again in the next one. When a round is whole, everything was read since it began: that
//! is the date that people see, never the date of the last portion.
//!
//! What a portion finds is mended as a check does it, and what was found before and could not be mended is read again with
//! every portion: the drive that has a good copy may be there by now. So is, before all else, what a delivery that did not
//! end cleanly may have touched ([`notes`]).

pub(crate) mod due;
pub(crate) mod notes;

use std::collections::BTreeSet;
use std::sync::PoisonError;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use skykeep_vault::layout::{AccountFolder, StorePath};
use skykeep_vault::{CheckReport, Portion, Reached, Reading, Vault};
use tracing::{info, warn};

use self::due::Policy;
use self::notes::{Note, Notes};
use crate::api::{Check, CheckHow};
use crate::catalogue::{PlaceFacts, Round};
use crate::engine::Inner;
use crate::machine::MachineFacts;
use crate::places::check::{Inspected, in_catalogue, to_check};
use crate::places::open;
use crate::{Engine, Error, schedule, settings};

impl Engine {
    /// Reads again what is due of every place at `now`, and mends what is damaged. Answers what was read.
    ///
    /// A place that is not there is read another time. Runs come first: nothing is read while one is under way. Errors:
    /// those of the catalogue and the data folder.
    pub async fn read_on(&self, now: Timestamp) -> Result<Vec<Check>, Error> {
        let mut checks = Vec::new();
        let machine = self.inner.machine_facts(now).await?;
        for place in self.inner.settings().places {
            if self.inner.runs.any() || self.inner.shutdown.is_cancelled() {
                break;
            }
            match self.read_portion(&place, &machine, now).await {
                Ok(check) => checks.extend(check),
                Err(error) if error.is_stop() => break,
                Err(error @ (Error::Catalogue(_) | Error::Data { .. })) => return Err(error),
                Err(error) => info!(place = %place.name, %error, "not read again now"),
            }
        }
        Ok(checks)
    }

    /// As [`Engine::read_on`] and, when it is time, [`Engine::take_samples`], beside everything else. One at a time.
    pub(crate) fn start_rounds(&self, now: Timestamp) {
        let Ok(turn) = std::sync::Arc::clone(&self.inner.round).try_lock_owned() else {
            return;
        };
        let engine = self.clone();
        tokio::spawn(async move {
            let _turn = turn;
            if let Err(error) = crate::on_heap(|| engine.read_on(now)).await {
                warn!(%error, "places are not read again");
            }
            if let Err(error) = crate::on_heap(|| engine.take_samples(now)).await {
                warn!(%error, "no sample is taken");
            }
        });
    }

    async fn read_portion(
        &self,
        place: &settings::Place,
        machine: &MachineFacts,
        now: Timestamp,
    ) -> Result<Option<Check>, Error> {
        let inner = &self.inner;
        let id = place.vault.to_string();
        let round = inner.ask(move |catalogue| catalogue.round(&id)).await?;
        let touched = inner.notes().touched(&place.vault)?;
        let policy = inner.reading_policy(place, now);
        let Some(bytes) = due::due(&policy, &round, !touched.is_empty(), machine, now) else {
            return Ok(None);
        };
        if inner.is_checking(place) {
            return Ok(None);
        }
        self.read_bytes(place, round, &touched, bytes, now).await.map(Some)
    }

    async fn read_bytes(
        &self,
        place: &settings::Place,
        mut round: Round,
        touched: &[Note],
        bytes: u64,
        now: Timestamp,
    ) -> Result<Check, Error> {
        let inner = &self.inner;
        let vault = open(inner, place).await?;
        let mut first = inner.damaged_before(&round);
        for note in touched {
            first.extend(inner.touched(note).await?);
        }
        let portion = Portion {
            first,
            after: round.reached.as_deref().and_then(|path| path.parse().ok()),
            bytes,
            twin: Some(&inner.staging),
        };
        // Whatever a person or the clock asks for comes first.
        let stops = || inner.shutdown.is_cancelled() || inner.runs.any();
        let inspected = self
            .inspect(place, &vault, Reading::Portion(&portion), true, &stops)
            .await?;
        let check = to_check(place, CheckHow::Heal, &inspected);
        // What comes first was read, unless it was stopped before it got that far.
        if inspected.report.reached == Reached::Nowhere && stops() {
            return Ok(check);
        }
        let mut last_checked = None;
        if bytes > 0 {
            last_checked = go_on(&mut round, &inspected.report, now);
        }
        if let Some(began) = last_checked {
            info!(place = %place.name, %began, "everything was read again");
        }
        self.record_portion(place, round, &inspected, last_checked, now).await?;
        touched.iter().try_for_each(|note| inner.notes().read(note))?;
        Ok(check)
    }

    async fn record_portion(
        &self,
        place: &settings::Place,
        mut round: Round,
        inspected: &Inspected,
        last_checked: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let id = place.vault.to_string();
        round.damaged = inspected.standing();
        let (found, mended) = inspected.problems(place);
        self.inner
            .ask(move |catalogue| {
                catalogue.set_round(&id, &round)?;
                let facts = catalogue.place(&id)?.unwrap_or_default();
                let last_checked = facts.last_checked.max(last_checked);
                let facts = PlaceFacts {
                    last_checked,
                    last_seen: Some(now),
                    ..facts
                };
                catalogue.set_place(&id, &facts)?;
                in_catalogue(catalogue, id, found, mended, now)
            })
            .await
    }
}

/// Where the round stands after a portion; when it began, if it is whole now.
fn go_on(round: &mut Round, report: &CheckReport, now: Timestamp) -> Option<Timestamp> {
    let began = round.began.filter(|began| *began <= now).unwrap_or(now);
    (round.last, round.of_bytes) = (Some(now), report.of_bytes);
    match &report.reached {
        Reached::Path(path) => {
            round.began = Some(began);
            round.bytes += report.bytes;
            round.reached = Some(path.to_string());
            None
        }
        Reached::End => {
            (round.began, round.reached, round.bytes) = (None, None, 0);
            round.whole = Some((began, now));
            Some(began)
        }
        Reached::Nowhere => None,
    }
}

impl Inner {
    pub(crate) fn notes(&self) -> Notes {
        Notes::in_folder(self.data.delivering())
    }

    fn is_checking(&self, place: &settings::Place) -> bool {
        let checking = self.checking.lock().unwrap_or_else(PoisonError::into_inner);
        checking.contains(&place.vault)
    }

    /// What was damaged when it was last read.
    pub(crate) fn damaged_before(&self, round: &Round) -> BTreeSet<StorePath> {
        let paths = round.damaged.iter().filter_map(|damage| damage.name.parse().ok());
        paths.collect()
    }

    /// What a delivery that did not end cleanly may have touched.
    async fn touched(&self, note: &Note) -> Result<BTreeSet<StorePath>, Error> {
        let account = AccountFolder::of(&note.did).map_err(Error::Staging)?;
        let held = note.held.as_deref().and_then(|held| held.parse().ok());
        let staging: &Vault = &self.staging;
        staging
            .named_after(&account, held.as_ref())
            .await
            .map_err(Error::Staging)
    }

    pub(crate) fn reading_policy(&self, place: &settings::Place, now: Timestamp) -> Policy {
        let settings = self.settings();
        let quiet = settings.schedule.quiet;
        Policy {
            paused: !settings.schedule.paused.at(now).is_no(),
            quiet: quiet.is_some_and(|quiet| schedule::quiet_end(quiet, &TimeZone::system(), now).is_some()),
            battery_below: Some(settings.power.battery_below).filter(|level| *level > 0),
            metered: settings.power.metered,
            bucket: place.folder().is_none(),
            added: place.added,
        }
    }
}
