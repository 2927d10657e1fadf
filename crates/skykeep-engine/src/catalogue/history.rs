//! What happened when, and how much was kept when: counted from narrow columns, never from whole rows.
//!
//! A snapshot bears the second in which its run began, so the two are one event and counted once, as the run ended. A
//! snapshot that no run accounts for was kept by another computer, imported, by a run that was stopped or cut off, or by
//! one that is forgotten: it counts by itself, at its time.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use skykeep_atproto::Did;

use super::{Catalogue, Error, millis};
use crate::api::RunEnd;

/// How a run ended, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Something new was kept.
    Kept,
    /// Nothing was new.
    Unchanged,
    /// It was skipped for a reason that is no fault.
    Skipped,
    /// It failed.
    Failed,
}

/// The number of a run that was stopped, which is no outcome.
pub(super) const STOPPED: i64 = 4;

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happened {
    /// When, in milliseconds: when the run began, or the snapshot was taken.
    pub at: i64,
    /// What.
    pub what: Outcome,
}

/// A snapshot by what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its manifest's name.
    pub id: String,
    /// The commit.
    pub commit: String,
}

/// How large the newest snapshot of an account was at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How many days had begun by then: 0 is before the first one.
    pub day: usize,
    /// When the day's last snapshot was taken, in milliseconds.
    pub at: i64,
    /// Its place in the order of snapshots.
    pub position: i64,
    /// Bytes of the newest one taken that day.
    pub bytes: u64,
}

impl Outcome {
    /// The outcome of a run; `None` when it was stopped.
    pub(super) const fn of(end: &RunEnd) -> Option<Self> {
        match end {
            RunEnd::Completed { changed: true } => Some(Self::Kept),
            RunEnd::Completed { changed: false } => Some(Self::Unchanged),
            RunEnd::Skipped { .. } => Some(Self::Skipped),
            RunEnd::Failed { .. } => Some(Self::Failed),
            RunEnd::Stopped => None,
        }
    }

    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Kept => 0,
            Self::Unchanged => 1,
            Self::Skipped => 2,
            Self::Failed => 3,
        }
    }

    const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Kept),
            1 => Some(Self::Unchanged),
            2 => Some(Self::Skipped),
            3 => Some(Self::Failed),
            _ => None,
        }
    }
}

impl Catalogue {
    /// What happened with an account from `from` on: its runs by their begin, and each snapshot that none of them
    /// accounts for. In no order.
    pub fn happened(&self, did: &Did, from: Timestamp) -> Result<Vec<Happened>, Error> {
        // The whole second, because snapshots know no parts of one.
        let from = millis(from);
        let second = from.div_euclid(1000) * 1000;
        let connection = self.lock();
        let sql = "SELECT began, outcome FROM runs WHERE did = ?1 AND began >= ?2 ORDER BY began";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![did.as_str(), second])?;
        let (mut all, mut seconds) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next()? {
            let at: i64 = row.get(0)?;
            if let Some(what) = Outcome::from_number(row.get(1)?) {
                seconds.push(at.div_euclid(1000));
                if at >= from {
                    all.push(Happened { at, what });
                }
            }
        }
        // Of those that one run made, the first has what is new.
        let sql = "SELECT taken, min(unchanged) FROM snapshots WHERE did = ?1 AND taken >= ?2 GROUP BY taken";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![did.as_str(), from])?;
        while let Some(row) = rows.next()? {
            let at: i64 = row.get(0)?;
            if seconds.binary_search(&at.div_euclid(1000)).is_err() {
                let what = if row.get(1)? { Outcome::Unchanged } else { Outcome::Kept };
                all.push(Happened { at, what });
            }
        }
        Ok(all)
    }

    /// All snapshots of an account in the order of their revisions; those of one revision in their own order.
    pub fn by_rev(&self, did: &Did) -> Result<Vec<Held>, Error> {
        let connection = self.lock();
        // Revisions are made to be ordered as text.
        let sql = "SELECT id, cid FROM snapshots WHERE did = ?1 ORDER BY rev, position";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([did.as_str()], |row| {
            Ok(Held {
                id: row.get(0)?,
                commit: row.get(1)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How large an account's snapshots were, one entry for each day that has any, oldest day first. Days begin at
    /// `starts`, milliseconds in order; what was before the first of them is a day of its own.
    pub fn sizes(&self, did: &Did, starts: &[i64]) -> Result<Vec<Size>, Error> {
        let connection = self.lock();
        let sql = "SELECT taken, position, bytes FROM snapshots WHERE did = ?1 ORDER BY taken";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([did.as_str()])?;
        let mut sizes: Vec<Size> = Vec::new();
        while let Some(row) = rows.next()? {
            let (at, position, bytes) = (row.get(0)?, row.get(1)?, unsigned(row.get(2)?));
            let day = starts.partition_point(|start| *start <= at);
            match sizes.last_mut().filter(|last| last.day == day) {
                None => sizes.push(Size {
                    day,
                    at,
                    position,
                    bytes,
                }),
                // A clock that was set back is no measure of what is newest.
                Some(last) if last.position > position => last.at = at,
                Some(last) => (last.at, last.position, last.bytes) = (at, position, bytes),
            }
        }
        Ok(sizes)
    }

    /// Bytes of an account's newest snapshot, and how many of them are media: `None` without a snapshot.
    pub fn newest_size(&self, did: &Did) -> Result<Option<(u64, u64)>, Error> {
        let sql = "SELECT bytes, coalesce(media_bytes, 0) FROM snapshots WHERE did = ?1 ORDER BY position DESC LIMIT 1";
        let connection = self.lock();
        let mut statement = connection.prepare_cached(sql)?;
        let size = statement.query_row([did.as_str()], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))));
        Ok(size.optional()?)
    }

    /// Whether there are snapshots of an account, and the newest was written by a version that measured its media.
    pub fn is_measured(&self, did: &Did) -> Result<bool, Error> {
        let sql = "SELECT media_bytes IS NOT NULL FROM snapshots WHERE did = ?1 ORDER BY position DESC LIMIT 1";
        let connection = self.lock();
        let measured = connection
            .prepare_cached(sql)?
            .query_row([did.as_str()], |row| row.get(0))
            .optional()?;
        Ok(measured.unwrap_or(false))
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
