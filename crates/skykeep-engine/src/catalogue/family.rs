//! Who was on a place when it was last read, and how it filled up.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Catalogue, Error, from_json, millis, time, to_json};
use crate::api::Finding;

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Who was on a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFamily {
    /// When that was read, in milliseconds.
    pub read: i64,
    /// Bytes that were free.
    pub free: Option<u64>,
    /// Bytes that the place has in all.
    pub total: Option<u64>,
    /// Everyone.
    pub members: Vec<KnownMember>,
}

impl KnownFamily {
    /// Bytes that all backups use.
    pub fn used(&self) -> u64 {
        self.members.iter().map(|member| member.bytes).sum()
    }
}

/// One account on a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownMember {
    /// Its folder.
    pub folder: String,
    /// Whose, as its newest manifest says.
    pub did: Option<String>,
    /// The handle that it says.
    pub handle: Option<String>,
    /// When the newest manifest was made, in milliseconds.
    pub last: Option<i64>,
    /// Who writes, the latest first.
    pub computers: Vec<KnownComputer>,
    /// Manifests that were not believed.
    pub disbelieved: u32,
    /// Names of the newest manifests that this was read from.
    pub newest: String,
    /// How many manifests there are.
    pub snapshots: u64,
    /// Bytes in its folder.
    pub bytes: u64,
    /// When those were counted, in milliseconds.
    pub measured: i64,
}

/// A writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownComputer {
    /// Its id.
    pub writer: String,
    /// When its newest manifest was made, in milliseconds.
    pub last: Option<i64>,
}

/// How many bytes backups used on a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// When.
    pub at: Timestamp,
    /// How many.
    pub used: u64,
}

/// What is known of the identity of somebody who shares a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// When the directory was last asked.
    pub asked: Timestamp,
    /// The audit log that the next one has to continue, as served.
    pub log: Vec<u8>,
    /// What happened since it is watched, oldest first.
    pub findings: Vec<Finding>,
}

impl Catalogue {
    /// What is known of somebody's identity; `None` when nobody asked yet.
    pub fn watched(&self, did: &str) -> Result<Option<Watched>, Error> {
        let sql = "SELECT asked, log, findings FROM watched WHERE did = ?1";
        let row = self.lock().prepare_cached(sql)?.query_row([did], |row| {
            Ok((time(row.get(0)?), row.get(1)?, row.get::<_, String>(2)?))
        });
        let Some((asked, log, findings)) = row.optional()? else {
            return Ok(None);
        };
        let findings = from_json("watched", &findings)?;
        Ok(Some(Watched { asked, log, findings }))
    }

    /// Remembers that, in place of what was known.
    pub fn set_watched(&self, did: &str, watched: &Watched) -> Result<(), Error> {
        let findings = to_json("watched", &watched.findings)?;
        self.write(|transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO watched (did, asked, log, findings) VALUES (?1, ?2, ?3, ?4)",
                params![did, millis(watched.asked), watched.log, findings],
            )?;
            Ok(())
        })
    }

    /// Who was on a place when it was last read; `None` when it never was.
    pub fn family(&self, place: &str) -> Result<Option<KnownFamily>, Error> {
        let sql = "SELECT json FROM families WHERE place = ?1";
        let json: Option<String> = self
            .lock()
            .prepare_cached(sql)?
            .query_row([place], |row| row.get(0))
            .optional()?;
        json.map(|json| from_json("families", &json)).transpose()
    }

    /// Remembers who is on a place, and what of it is used that day.
    pub fn set_family(&self, place: &str, family: &KnownFamily) -> Result<(), Error> {
        let json = to_json("families", family)?;
        self.write(|transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO families (place, json) VALUES (?1, ?2)",
                params![place, json],
            )?;
            transaction.execute(
                "INSERT OR REPLACE INTO fills (place, day, at, used) VALUES (?1, ?2, ?3, ?4)",
                params![
                    place,
                    family.read.div_euclid(DAY),
                    family.read,
                    i64::try_from(family.used()).unwrap_or(i64::MAX)
                ],
            )?;
            Ok(())
        })
    }

    /// How a place filled up since then: one count a day, oldest first.
    pub fn fills(&self, place: &str, since: Timestamp) -> Result<Vec<Fill>, Error> {
        let connection = self.lock();
        let sql = "SELECT at, used FROM fills WHERE place = ?1 AND at >= ?2 ORDER BY day";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![place, millis(since)], |row| {
            Ok(Fill {
                at: time(row.get(0)?),
                used: row.get::<_, i64>(1)?.unsigned_abs(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
