//! The catalogue: what this computer remembers so that it need not ask or list again. One SQLite file.
//!
//! Promise: deleting it loses nothing. Snapshots and confirmations are rebuilt by listing the vaults; what accounts look
//! like is asked again; past runs, standing problems and back-offs are expendable. So a damaged catalogue is moved aside
//! and a new one begins, and no decision about a backup rests on it alone.
//!
//! - **One transaction a method.** Methods are synchronous and short: call them on the blocking pool.
//! - **WAL with `synchronous = NORMAL`.** A power cut may take the last transactions and never the consistency of the
//!   file (SQLite, "Write-Ahead Logging"). `FULL` would buy the durability of things that can be had again, for a sync
//!   of the disk at each step of each run.
//! - **Order of snapshots is the order in which they were given**, which callers take from the vault (writer sequence
//!   and rev), never from a clock.
//! - Times are milliseconds since 1970, UTC.

mod accounts;
mod error;
mod family;
mod history;
mod hosts;
mod places;
mod problems;
mod rounds;
mod runs;
mod samples;
mod schema;
mod snapshots;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction};
use skykeep_atproto::Did;

pub use accounts::AccountFacts;
pub use error::Error;
pub use family::{Fill, KnownComputer, KnownFamily, KnownMember, Watched};
pub use history::{Happened, Held, Outcome, Size};
pub use hosts::HostFacts;
pub use places::{Confirmation, Holds, PlaceFacts};
pub use problems::{Standing, Subject};
pub use rounds::Round;
pub use runs::{RUNS_KEPT, RunHistory};
pub use samples::Sample;
pub use snapshots::SnapshotRow;

/// How long another program's transaction is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// An open catalogue. One per engine; methods may be called from any thread.
#[derive(Debug)]
pub struct Catalogue {
    connection: Mutex<Connection>,
}

/// What opening gave.
#[derive(Debug)]
pub struct Opened {
    /// The catalogue, sound and of this program's version.
    pub catalogue: Catalogue,
    /// Where a damaged one went; then `catalogue` is new and empty, and what can be rebuilt should be.
    pub moved_aside: Option<PathBuf>,
}

impl Catalogue {
    /// Opens the catalogue at `path`, makes it when it is not there, and brings an older one to this version.
    ///
    /// One that is damaged, or is not ours, is moved to `catalogue.damaged-<now>.db` beside it and a new one begins.
    /// Errors: `Newer` (the file is left as it is), `Busy`, `Full`, `Io`, `Sqlite`.
    pub fn open(path: &Path, now: Timestamp) -> Result<Opened, Error> {
        match Self::open_sound(path) {
            Ok(catalogue) => Ok(Opened {
                catalogue,
                moved_aside: None,
            }),
            Err(Error::Damaged { reason }) => {
                tracing::warn!(?path, reason, "catalogue is damaged: moved aside");
                let aside = move_aside(path, now)?;
                Ok(Opened {
                    catalogue: Self::open_sound(path)?,
                    moved_aside: Some(aside),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Opens it for reading only, beside an engine that works with it; `None` when there is none yet.
    ///
    /// Nothing is made, brought up to date or moved. Errors: `Newer`, `Damaged` (also when it is of an older version
    /// that only the engine may bring up to date), `Busy`, `Sqlite`.
    pub fn open_beside(path: &Path) -> Result<Option<Self>, Error> {
        if !path.exists() {
            return Ok(None);
        }
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OPEN)?;
        connection.busy_timeout(BUSY)?;
        if schema::version(&connection)? == 0 {
            return Ok(None);
        }
        schema::check_shape(&connection)?;
        Ok(Some(Self {
            connection: Mutex::new(connection),
        }))
    }

    fn open_sound(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OPEN;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        schema::version(&connection)?;
        schema::check_pages(&connection)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        schema::migrate(&mut connection)?;
        schema::check_shape(&connection)?;
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }

    /// For reading. A panic elsewhere cannot have left a transaction open: dropping one rolls it back.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For writing: all of `work` or nothing of it.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let answer = work(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }
}

/// The mutex around the connection makes SQLite's own needless.
const OPEN: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX;

/// Renames the catalogue and its log, and syncs the folder.
///
/// The log goes first: left behind, it would be replayed into the new file.
fn move_aside(path: &Path, now: Timestamp) -> Result<PathBuf, Error> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| Error::Io { path, source }
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let stamp = now.strftime("%Y%m%dt%H%M%Sz").to_string();
    let aside = (0..)
        .map(|n| match n {
            0 => folder.join(format!("catalogue.damaged-{stamp}.db")),
            n => folder.join(format!("catalogue.damaged-{stamp}-{n}.db")),
        })
        .find(|aside| !aside.exists())
        .expect("some number is free");
    for suffix in ["-wal", "-shm"] {
        let from = with_suffix(path, suffix);
        match fs::rename(&from, with_suffix(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(&from)(error)),
            _ => {}
        }
    }
    fs::rename(path, &aside).map_err(io(path))?;
    // Where a folder cannot be opened or synced, the rename is as durable as that system makes it.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A time as it is stored.
fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// A stored time; one beyond jiff's range is nearest to it.
fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// A stored DID. Errors: `Damaged`: only DIDs are ever put there.
fn did(table: &'static str, text: &str) -> Result<Did, Error> {
    text.parse().map_err(|_| Error::Damaged {
        reason: format!("{text:?} in {table} is no DID"),
    })
}

/// A value kept as JSON. Errors: `Unreadable` when it was written by a version that knew it otherwise.
fn from_json<T: serde::de::DeserializeOwned>(table: &'static str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|source| Error::Unreadable { table, source })
}

fn to_json<T: serde::Serialize>(table: &'static str, value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|source| Error::Unreadable { table, source })
}
