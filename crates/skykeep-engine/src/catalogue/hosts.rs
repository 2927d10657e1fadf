//! Hosts that do not answer, and since when: what the back-off is reckoned from.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Catalogue, Error, millis, time};

/// A host that failed and has not answered since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// Since when it has not answered.
    pub failing_since: Timestamp,
    /// When it last failed.
    pub last_failed: Timestamp,
    /// How many times in a row.
    pub attempts: u32,
    /// How long it asked to be left alone, at its last failure.
    pub wait: Option<Duration>,
}

impl Catalogue {
    /// A host's failures in a row; `None` when it answered last time, or was never asked.
    pub fn host(&self, host: &str) -> Result<Option<HostFacts>, Error> {
        read(&self.lock(), host)
    }

    /// Counts a failure of a host. `wait` is how long it asked to be left alone.
    pub fn host_failed(&self, host: &str, at: Timestamp, wait: Option<Duration>) -> Result<HostFacts, Error> {
        self.write(|transaction| {
            let known = read(transaction, host)?;
            let facts = HostFacts {
                // A clock that was set back must not leave "failing since tomorrow".
                failing_since: known.as_ref().map_or(at, |known| known.failing_since.min(at)),
                last_failed: at,
                attempts: known.map_or(1, |known| known.attempts.saturating_add(1)),
                wait,
            };
            let sql = "INSERT OR REPLACE INTO hosts (host, failing_since, last_failed, attempts, wait)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            transaction.prepare_cached(sql)?.execute(params![
                host,
                millis(facts.failing_since),
                millis(at),
                facts.attempts,
                wait.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)),
            ])?;
            Ok(facts)
        })
    }

    /// Forgets a host's failures: it answered. Returns whether it had been failing.
    pub fn host_answered(&self, host: &str) -> Result<bool, Error> {
        // Nearly always there is nothing to forget: then nothing is written.
        if self.host(host)?.is_none() {
            return Ok(false);
        }
        self.write(|transaction| Ok(transaction.execute("DELETE FROM hosts WHERE host = ?1", [host])? > 0))
    }
}

fn read(connection: &Connection, host: &str) -> Result<Option<HostFacts>, Error> {
    let sql = "SELECT failing_since, last_failed, attempts, wait FROM hosts WHERE host = ?1";
    let facts = connection.prepare_cached(sql)?.query_row([host], |row| {
        Ok(HostFacts {
            failing_since: time(row.get(0)?),
            last_failed: time(row.get(1)?),
            attempts: row.get(2)?,
            wait: row
                .get::<_, Option<i64>>(3)?
                .and_then(|wait| u64::try_from(wait).ok())
                .map(Duration::from_millis),
        })
    });
    Ok(facts.optional()?)
}
