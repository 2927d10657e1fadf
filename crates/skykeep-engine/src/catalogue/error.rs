//! What can go wrong with the catalogue.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// An error of the catalogue. Nothing that a vault holds is touched by any of them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A newer version of Skykeep has worked with it.
    #[error("catalogue is of version {found}, this program knows {known}")]
    Newer {
        /// The version in the file.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// It is not a database, not ours, or its pages contradict each other. Opening it again moves it aside.
    #[error("catalogue is damaged: {reason}")]
    Damaged {
        /// What SQLite, or our own look at the tables, said.
        reason: String,
    },
    /// A row was written by a version that knew it otherwise: rebuild it.
    #[error("a row of {table:?} cannot be read")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// No room left on its disk.
    #[error("no room left for the catalogue")]
    Full,
    /// Another program held it longer than it is waited for.
    #[error("catalogue is in use by another program")]
    Busy,
    /// Its file could not be moved.
    #[error("{path:?} failed")]
    Io {
        /// The file.
        path: PathBuf,
        /// How.
        source: io::Error,
    },
    /// Anything else SQLite says: no permission, a failing disk.
    #[error("SQLite failed")]
    Sqlite(#[source] rusqlite::Error),
}

impl Error {
    /// Whether the same call may work later with nothing done about it but room made.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full | Self::Busy | Self::Io { .. })
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged {
                reason: error.to_string(),
            },
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Sqlite(error),
        }
    }
}
