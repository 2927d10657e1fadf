//! Runs of the past: enough of them to answer "what happened", and what the schedule needs to know.

use jiff::Timestamp;
use rusqlite::params;
use skykeep_atproto::Did;

use super::history::{Outcome, STOPPED};
use super::{Catalogue, Error, from_json, time, to_json};
use crate::api::{Run, RunEnd};

/// How many runs of an account are kept: twelve weeks of hourly ones, so that a calendar of eight has room for those by
/// hand.
pub const RUNS_KEPT: u32 = 2_000;

/// What the schedule needs to know of an account's runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunHistory {
    /// When the newest run began that did not fail.
    pub last_done: Option<Timestamp>,
    /// When the newest failed run ended.
    pub last_failed: Option<Timestamp>,
    /// How many runs failed since the newest that did not.
    pub failures: u32,
}

impl Catalogue {
    /// Remembers a run as the newest of its account, and forgets what is more than [`RUNS_KEPT`] runs old.
    pub fn add_run(&self, run: &Run) -> Result<(), Error> {
        self.write(|transaction| {
            let failed = matches!(run.end, RunEnd::Failed { .. });
            transaction
                .prepare_cached(
                    "INSERT INTO runs (did, began, ended, failed, outcome, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    run.did,
                    run.began,
                    run.ended,
                    failed,
                    Outcome::of(&run.end).map_or(STOPPED, Outcome::number),
                    to_json("runs", run)?
                ])?;
            let prune = "DELETE FROM runs WHERE did = ?1 AND number <= \
                         (SELECT number FROM runs WHERE did = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)";
            transaction
                .prepare_cached(prune)?
                .execute(params![run.did, RUNS_KEPT])?;
            Ok(())
        })
    }

    /// The newest runs, newest first: of one account, or of all. Errors: `Unreadable`.
    pub fn runs(&self, did: Option<&Did>, limit: usize) -> Result<Vec<Run>, Error> {
        let connection = self.lock();
        let sql = "SELECT json FROM runs WHERE ?1 IS NULL OR did = ?1 ORDER BY number DESC LIMIT ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![did.map(Did::as_str), limit])?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next()? {
            runs.push(from_json("runs", &row.get::<_, String>(0)?)?);
        }
        Ok(runs)
    }

    /// When an account's runs last went well and last failed. Newest is what was added last, whatever the clock said.
    pub fn run_history(&self, did: &Did) -> Result<RunHistory, Error> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("SELECT began, ended, failed FROM runs WHERE did = ?1 ORDER BY number DESC")?;
        let mut rows = statement.query([did.as_str()])?;
        let mut history = RunHistory::default();
        while let Some(row) = rows.next()? {
            if row.get::<_, bool>(2)? {
                history.last_failed = history.last_failed.or(Some(time(row.get(1)?)));
                history.failures += 1;
            } else {
                history.last_done = Some(time(row.get(0)?));
                break;
            }
        }
        Ok(history)
    }
}
