//! What a person opened: a place of Skykeep's, or another tool's backup.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Millis, Problem};

/// What is in a folder or a file that a person opened. Looking changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Opened {
    /// What was opened.
    pub path: String,
    /// The time as of which it was looked at: it can be read and copied, and nothing be added to it. `None`: as it is now.
    #[serde(default)]
    pub as_of: Option<Millis>,
    /// What it is.
    pub kind: OpenedKind,
    /// Whether it is one of our places already.
    pub known: bool,
    /// Whose backups are in it.
    pub accounts: Vec<OpenedAccount>,
    /// What is wrong with it, if anything.
    pub problems: Vec<Problem>,
}

/// What was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum OpenedKind {
    /// A place of Skykeep's: it can be taken over.
    Vault,
    /// A backup that another tool made, or our own portable copy: it can be imported.
    Backup,
}

/// One account's backup in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct OpenedAccount {
    /// Whose.
    pub did: String,
    /// Their handle, when it says so.
    pub handle: Option<String>,
    /// The host it was taken from, when it says so.
    pub host: Option<String>,
    /// Number of snapshots.
    pub snapshots: u64,
    /// When the newest was taken; for another tool's backup, the time of its revision.
    pub newest: Option<Millis>,
    /// Records in the newest.
    pub records: u64,
    /// Pictures and videos in the newest.
    pub media: u64,
    /// Whether this computer keeps the account already.
    pub known: bool,
}
