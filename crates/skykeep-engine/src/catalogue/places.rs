//! Places as last seen, and which of them holds which snapshot.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use skykeep_atproto::Did;

use super::{Catalogue, Error, Subject, millis, time, to_json};

/// What is known of a place, as last seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaceFacts {
    /// When it was last there.
    pub last_seen: Option<Timestamp>,
    /// When every file in it was last hashed again.
    pub last_checked: Option<Timestamp>,
    /// When its snapshots were last listed.
    pub last_listed: Option<Timestamp>,
    /// Bytes free on its file system.
    pub free: Option<u64>,
}

/// What a place holds of everything that is kept, as last confirmed, over all accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holds {
    /// Snapshots that it lacks.
    pub lacks: u64,
    /// When the first of them was taken.
    pub lacks_since: Option<Timestamp>,
    /// Accounts whose newest snapshot it has.
    pub newest: u64,
    /// Snapshots that no other place has.
    pub only_here: u64,
}

/// That a place held a snapshot, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The place.
    pub place: String,
    /// The snapshot: its manifest's name.
    pub snapshot: String,
    /// When that was verified or last listed.
    pub at: Timestamp,
}

impl Catalogue {
    /// What is known of a place; `None` when nothing is.
    pub fn place(&self, place: &str) -> Result<Option<PlaceFacts>, Error> {
        let sql = "SELECT last_seen, last_checked, last_listed, free FROM places WHERE place = ?1";
        let facts = self.lock().prepare_cached(sql)?.query_row([place], |row| {
            Ok(PlaceFacts {
                last_seen: row.get::<_, Option<i64>>(0)?.map(time),
                last_checked: row.get::<_, Option<i64>>(1)?.map(time),
                last_listed: row.get::<_, Option<i64>>(2)?.map(time),
                free: row.get::<_, Option<i64>>(3)?.and_then(|free| u64::try_from(free).ok()),
            })
        });
        Ok(facts.optional()?)
    }

    /// Remembers what was seen of a place, in place of what was known.
    pub fn set_place(&self, place: &str, facts: &PlaceFacts) -> Result<(), Error> {
        self.write(|transaction| {
            let sql = "INSERT OR REPLACE INTO places (place, last_seen, last_checked, last_listed, free)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            transaction.prepare_cached(sql)?.execute(params![
                place,
                facts.last_seen.map(millis),
                facts.last_checked.map(millis),
                facts.last_listed.map(millis),
                facts.free.map(|free| i64::try_from(free).unwrap_or(i64::MAX)),
            ])?;
            Ok(())
        })
    }

    /// Forgets a place with its confirmations and problems. The backups in it are not touched.
    pub fn forget_place(&self, place: &str) -> Result<(), Error> {
        self.write(|transaction| {
            transaction.execute("DELETE FROM places WHERE place = ?1", [place])?;
            transaction.execute("DELETE FROM confirmations WHERE place = ?1", [place])?;
            transaction.execute("DELETE FROM families WHERE place = ?1", [place])?;
            transaction.execute("DELETE FROM fills WHERE place = ?1", [place])?;
            transaction.execute("DELETE FROM rounds WHERE place = ?1", [place])?;
            transaction.execute(
                "DELETE FROM problems WHERE subject = ?1",
                [Subject::Place(place.to_owned()).to_string()],
            )?;
            Ok(())
        })
    }

    /// Remembers that a place holds these snapshots, verified.
    pub fn confirm(&self, place: &str, did: &Did, ids: &[&str], at: Timestamp) -> Result<(), Error> {
        self.write(|transaction| confirm(transaction, place, did, ids, at))
    }

    /// Remembers that a place holds exactly these snapshots of an account: others are no longer confirmed there.
    pub fn relist(&self, place: &str, did: &Did, ids: &[&str], at: Timestamp) -> Result<(), Error> {
        let listed = to_json("confirmations", &ids)?;
        self.write(|transaction| {
            transaction.execute(
                "DELETE FROM confirmations
                 WHERE place = ?1 AND did = ?2 AND id NOT IN (SELECT value FROM json_each(?3))",
                params![place, did.as_str(), listed],
            )?;
            confirm(transaction, place, did, ids, at)
        })
    }

    /// Remembers that all of these snapshots that was staged was read at a place once more.
    pub fn set_read_there(&self, place: &str, did: &Did, ids: &[&str]) -> Result<(), Error> {
        self.write(|transaction| {
            let sql = "UPDATE confirmations SET read_there = 1 WHERE did = ?1 AND id = ?2 AND place = ?3";
            let mut statement = transaction.prepare_cached(sql)?;
            for id in ids {
                statement.execute(params![did.as_str(), id, place])?;
            }
            Ok(())
        })
    }

    /// The snapshots of an account of which that is remembered.
    pub fn read_there(&self, place: &str, did: &Did) -> Result<Vec<String>, Error> {
        let connection = self.lock();
        let sql = "SELECT id FROM confirmations WHERE did = ?1 AND place = ?2 AND read_there ORDER BY id";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([did.as_str(), place], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Relies no more on what was read at a place: something in it is damaged.
    pub fn forget_read_there(&self, place: &str) -> Result<(), Error> {
        self.write(|transaction| {
            transaction.execute("UPDATE confirmations SET read_there = 0 WHERE place = ?1", [place])?;
            Ok(())
        })
    }

    /// All confirmations of an account, by snapshot and place.
    pub fn confirmed(&self, did: &Did) -> Result<Vec<Confirmation>, Error> {
        let connection = self.lock();
        let sql = "SELECT place, id, at FROM confirmations WHERE did = ?1 ORDER BY id, place";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([did.as_str()], |row| {
            Ok(Confirmation {
                place: row.get(0)?,
                snapshot: row.get(1)?,
                at: time(row.get(2)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The places that hold any snapshot of an account, verified.
    pub fn places_of(&self, did: &Did) -> Result<Vec<String>, Error> {
        let connection = self.lock();
        let sql = "SELECT DISTINCT place FROM confirmations WHERE did = ?1 ORDER BY place";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([did.as_str()], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Which places hold one snapshot, and since when that is known.
    pub fn confirmed_at(&self, did: &Did, id: &str) -> Result<HashMap<String, Timestamp>, Error> {
        let connection = self.lock();
        let sql = "SELECT place, at FROM confirmations WHERE did = ?1 AND id = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([did.as_str(), id], |row| Ok((row.get(0)?, time(row.get(1)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The places that hold one snapshot, verified.
    pub fn confirmed_places(&self, did: &Did, id: &str) -> Result<Vec<String>, Error> {
        let connection = self.lock();
        let sql = "SELECT place FROM confirmations WHERE did = ?1 AND id = ?2 ORDER BY place";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([did.as_str(), id], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every snapshot that was confirmed in a place.
    pub fn held_at(&self, place: &str) -> Result<HashSet<String>, Error> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT id FROM confirmations WHERE place = ?1")?;
        let rows = statement.query_map([place], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What a place holds of everything that is kept, and what it lacks. What it lacks of the accounts that have `left` is
    /// not counted.
    pub fn holds(&self, place: &str, left: &[Did]) -> Result<Holds, Error> {
        let sql = "SELECT count(*) FILTER (WHERE NOT held AND NOT gone), min(taken) FILTER (WHERE NOT held AND NOT gone),
                     count(*) FILTER (WHERE held AND newest), count(*) FILTER (WHERE held AND NOT elsewhere) FROM (
                     SELECT taken,
                       EXISTS (SELECT 1 FROM confirmations c WHERE c.did = s.did AND c.id = s.id AND c.place = ?1) held,
                       EXISTS (SELECT 1 FROM confirmations c WHERE c.did = s.did AND c.id = s.id AND c.place <> ?1) elsewhere,
                       position = (SELECT max(position) FROM snapshots n WHERE n.did = s.did) newest,
                       s.did IN (SELECT value FROM json_each(?2)) gone
                     FROM snapshots s)";
        let count = |row: &rusqlite::Row<'_>, at| Ok::<_, rusqlite::Error>(row.get::<_, i64>(at)?.unsigned_abs());
        let connection = self.lock();
        let mut statement = connection.prepare_cached(sql)?;
        let left: Vec<&str> = left.iter().map(Did::as_str).collect();
        let left = to_json("snapshots", &left)?;
        Ok(statement.query_row([place, &left], |row| {
            Ok(Holds {
                lacks: count(row, 0)?,
                lacks_since: row.get::<_, Option<i64>>(1)?.map(time),
                newest: count(row, 2)?,
                only_here: count(row, 3)?,
            })
        })?)
    }

    /// How many snapshots the first of two places is known to hold and the second is not.
    pub fn still_to_move(&self, from: &str, to: &str) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM confirmations a WHERE a.place = ?1 AND NOT EXISTS (
                     SELECT 1 FROM confirmations b WHERE b.did = a.did AND b.id = a.id AND b.place = ?2)";
        let connection = self.lock();
        let mut statement = connection.prepare_cached(sql)?;
        Ok(statement.query_row([from, to], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))?)
    }

    /// Whether a place lacks a snapshot of an account.
    pub fn lacks(&self, place: &str, did: &Did) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM snapshots s WHERE s.did = ?1 AND NOT EXISTS (
                     SELECT 1 FROM confirmations c WHERE c.did = s.did AND c.id = s.id AND c.place = ?2))";
        let connection = self.lock();
        let mut statement = connection.prepare_cached(sql)?;
        Ok(statement.query_row([did.as_str(), place], |row| row.get(0))?)
    }

    /// The newest snapshot of an account that a place holds, verified.
    pub fn newest_at(&self, place: &str, did: &Did) -> Result<Option<String>, Error> {
        let sql = "SELECT s.id FROM snapshots s JOIN confirmations c ON c.did = s.did AND c.id = s.id
                   WHERE s.did = ?1 AND c.place = ?2 ORDER BY s.position DESC LIMIT 1";
        let connection = self.lock();
        let mut statement = connection.prepare_cached(sql)?;
        let newest = statement.query_row([did.as_str(), place], |row| row.get(0));
        Ok(newest.optional()?)
    }

    pub(super) fn confirmed_by_snapshot(&self, did: &Did) -> Result<HashMap<String, Vec<String>>, Error> {
        let mut by_snapshot: HashMap<String, Vec<String>> = HashMap::new();
        for confirmation in self.confirmed(did)? {
            by_snapshot
                .entry(confirmation.snapshot)
                .or_default()
                .push(confirmation.place);
        }
        Ok(by_snapshot)
    }
}

fn confirm(transaction: &Transaction<'_>, place: &str, did: &Did, ids: &[&str], at: Timestamp) -> Result<(), Error> {
    let sql = "INSERT INTO confirmations (did, id, place, at) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET at = excluded.at";
    let mut statement = transaction.prepare_cached(sql)?;
    for id in ids {
        statement.execute(params![did.as_str(), id, place, millis(at)])?;
    }
    Ok(())
}
