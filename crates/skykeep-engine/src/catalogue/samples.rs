//! Samples: that a snapshot was read back as a person would get it, and what came of it.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use skykeep_atproto::Did;

use super::history::Outcome;
use super::{Catalogue, Error, millis, time};

/// What the last sample of an account came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When it was taken.
    pub at: Timestamp,
    /// The place that it was read from.
    pub place: String,
    /// Whether all of it was whole.
    pub whole: bool,
    /// When the last one that was whole was taken.
    pub last_whole: Option<Timestamp>,
}

impl Catalogue {
    /// The last sample of an account.
    pub fn sample(&self, did: &Did) -> Result<Option<Sample>, Error> {
        let sql = "SELECT at, place, whole, last_whole FROM samples WHERE did = ?1";
        let sample = self.lock().prepare_cached(sql)?.query_row([did.as_str()], |row| {
            Ok(Sample {
                at: time(row.get(0)?),
                place: row.get(1)?,
                whole: row.get(2)?,
                last_whole: row.get::<_, Option<i64>>(3)?.map(time),
            })
        });
        Ok(sample.optional()?)
    }

    /// Remembers a sample in place of the one before.
    pub fn set_sample(&self, did: &Did, sample: &Sample) -> Result<(), Error> {
        self.write(|transaction| {
            let sql = "INSERT OR REPLACE INTO samples (did, at, place, whole, last_whole, runs)
                       VALUES (?1, ?2, ?3, ?4, ?5, (SELECT max(number) FROM runs WHERE did = ?1))";
            transaction.prepare_cached(sql)?.execute(params![
                did.as_str(),
                millis(sample.at),
                sample.place,
                sample.whole,
                sample.last_whole.map(millis),
            ])?;
            Ok(())
        })
    }

    /// How many runs of an account were completed since its last sample.
    pub fn completed_since_sample(&self, did: &Did) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM runs WHERE did = ?1 AND outcome IN (?2, ?3)
                   AND number > coalesce((SELECT runs FROM samples WHERE did = ?1), 0)";
        let connection = self.lock();
        let mut statement = connection.prepare_cached(sql)?;
        let completed = [Outcome::Kept, Outcome::Unchanged].map(Outcome::number);
        let count = statement.query_row(params![did.as_str(), completed[0], completed[1]], |row| {
            row.get::<_, i64>(0)
        });
        Ok(count?.unsigned_abs())
    }
}
