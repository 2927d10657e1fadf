//! Rounds: how far each place was read again, and what of it is damaged.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Catalogue, Error, from_json, millis, time, to_json};
use crate::api::Damage;

/// How far the round through a place is, and what the last whole one said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Round {
    /// When the one under way began; `None` between two.
    pub began: Option<Timestamp>,
    /// The path that was read last.
    pub reached: Option<String>,
    /// Bytes that were read in it.
    pub bytes: u64,
    /// Bytes of the whole place, as last listed.
    pub of_bytes: u64,
    /// When something of the place was last read again.
    pub last: Option<Timestamp>,
    /// Between which times everything in it was last read.
    pub whole: Option<(Timestamp, Timestamp)>,
    /// What was found damaged and could not be mended.
    pub damaged: Vec<Damage>,
}

impl Catalogue {
    /// How far the round through a place is. Errors: `Unreadable`.
    pub fn round(&self, place: &str) -> Result<Round, Error> {
        let sql =
            "SELECT began, reached, bytes, of_bytes, last, whole_from, whole_to, damaged FROM rounds WHERE place = ?1";
        let connection = self.lock();
        let row = connection.prepare_cached(sql)?.query_row([place], |row| {
            let at = |n| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(n)?.map(time));
            let round = Round {
                began: at(0)?,
                reached: row.get(1)?,
                bytes: row.get::<_, i64>(2)?.unsigned_abs(),
                of_bytes: row.get::<_, i64>(3)?.unsigned_abs(),
                last: at(4)?,
                whole: at(5)?.zip(at(6)?),
                damaged: Vec::new(),
            };
            Ok((round, row.get::<_, String>(7)?))
        });
        let Some((mut round, damaged)) = row.optional()? else {
            return Ok(Round::default());
        };
        round.damaged = from_json("rounds", &damaged)?;
        Ok(round)
    }

    /// Remembers how far the round through a place is.
    pub fn set_round(&self, place: &str, round: &Round) -> Result<(), Error> {
        let number = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        let damaged = to_json("rounds", &round.damaged)?;
        self.write(|transaction| {
            let sql = "INSERT OR REPLACE INTO rounds
                       (place, began, reached, bytes, of_bytes, last, whole_from, whole_to, damaged)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            transaction.prepare_cached(sql)?.execute(params![
                place,
                round.began.map(millis),
                round.reached,
                number(round.bytes),
                number(round.of_bytes),
                round.last.map(millis),
                round.whole.map(|whole| millis(whole.0)),
                round.whole.map(|whole| millis(whole.1)),
                damaged,
            ])?;
            Ok(())
        })
    }
}
