//! Problems that stand until what caused them is over: each as its code and values, which are put into words when they
//! are shown. The words of the moment are in the row too, for a version that has none for them.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use rusqlite::{Row, params};
use skykeep_atproto::Did;

use super::{Catalogue, Error, from_json, millis, time, to_json};
use crate::api::{About, Problem};

/// What a problem is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Skykeep itself.
    App,
    /// An account.
    Account(Did),
    /// A place, by our own name for it.
    Place(String),
}

/// The form in which it is stored.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App => f.write_str("app"),
            Self::Account(did) => write!(f, "account {did}"),
            Self::Place(place) => write!(f, "place {place}"),
        }
    }
}

impl From<Subject> for About {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::App => Self::App,
            Subject::Account(did) => Self::Account { did: did.to_string() },
            Subject::Place(id) => Self::Place { id },
        }
    }
}

/// A problem that stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What it is about.
    pub subject: Subject,
    /// What it is.
    pub problem: Problem,
    /// When it was first raised.
    pub since: Timestamp,
}

impl Catalogue {
    /// Lets a problem stand. Returns whether it is new; one of the same code takes its values anew and keeps its time.
    pub fn raise(&self, subject: &Subject, problem: &Problem, at: Timestamp) -> Result<bool, Error> {
        self.write(|transaction| {
            let (subject, json) = (subject.to_string(), to_json("problems", problem)?);
            let known = transaction
                .prepare_cached("UPDATE problems SET json = ?3 WHERE subject = ?1 AND code = ?2")?
                .execute(params![subject, problem.code, json])?;
            if known == 0 {
                transaction
                    .prepare_cached("INSERT INTO problems (subject, code, json, since) VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![subject, problem.code, json, millis(at)])?;
            }
            Ok(known == 0)
        })
    }

    /// Ends a problem. Returns whether it stood.
    pub fn clear(&self, subject: &Subject, code: &str) -> Result<bool, Error> {
        self.write(|transaction| {
            let sql = "DELETE FROM problems WHERE subject = ?1 AND code = ?2";
            Ok(transaction
                .prepare_cached(sql)?
                .execute(params![subject.to_string(), code])?
                > 0)
        })
    }

    /// Ends all problems of a subject but those of these codes. Returns how many stood.
    pub fn clear_except(&self, subject: &Subject, codes: &[&str]) -> Result<usize, Error> {
        self.write(|transaction| {
            let sql = "DELETE FROM problems WHERE subject = ?1 AND code NOT IN (SELECT value FROM json_each(?2))";
            let codes = to_json("problems", &codes)?;
            Ok(transaction
                .prepare_cached(sql)?
                .execute(params![subject.to_string(), codes])?)
        })
    }

    /// All problems that stand, most severe first, then oldest first. Errors: `Unreadable`.
    pub fn problems(&self) -> Result<Vec<Standing>, Error> {
        self.standing(None)
    }

    /// The problems of one subject, most severe first, then oldest first. Errors: `Unreadable`.
    pub fn problems_of(&self, subject: &Subject) -> Result<Vec<Standing>, Error> {
        self.standing(Some(subject))
    }

    /// What a person was told unasked, and when: by subject and code.
    pub fn told(&self) -> Result<BTreeMap<(String, String), Timestamp>, Error> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT subject, code, at FROM told")?;
        let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), time(row.get(2)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Remembers that a person was told.
    pub fn set_told(&self, subject: &Subject, code: &str, at: Timestamp) -> Result<(), Error> {
        self.write(|transaction| {
            let sql = "INSERT OR REPLACE INTO told (subject, code, at) VALUES (?1, ?2, ?3)";
            transaction
                .prepare_cached(sql)?
                .execute(params![subject.to_string(), code, millis(at)])?;
            Ok(())
        })
    }

    /// Forgets that a person was told: it is over.
    pub fn forget_told(&self, subject: &str, code: &str) -> Result<(), Error> {
        self.write(|transaction| {
            let sql = "DELETE FROM told WHERE subject = ?1 AND code = ?2";
            transaction.prepare_cached(sql)?.execute(params![subject, code])?;
            Ok(())
        })
    }

    fn standing(&self, subject: Option<&Subject>) -> Result<Vec<Standing>, Error> {
        let connection = self.lock();
        let sql = "SELECT subject, since, json FROM problems WHERE ?1 IS NULL OR subject = ?1";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([subject.map(Subject::to_string)])?;
        let mut standing = Vec::new();
        while let Some(row) = rows.next()? {
            standing.push(read(row)?);
        }
        standing.sort_by(|a, b| b.problem.severity.cmp(&a.problem.severity).then(a.since.cmp(&b.since)));
        Ok(standing)
    }
}

fn read(row: &Row<'_>) -> Result<Standing, Error> {
    let subject: String = row.get(0)?;
    Ok(Standing {
        subject: match subject.split_once(' ') {
            Some(("account", did)) => Subject::Account(super::did("problems", did)?),
            Some((_, place)) => Subject::Place(place.to_owned()),
            None => Subject::App,
        },
        since: time(row.get(1)?),
        problem: from_json("problems", &row.get::<_, String>(2)?)?,
    })
}
