//! What has happened over time: the calendar strip, storage and growth.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::Millis;

/// What happened within one cell of the calendar: an hour or a day, as the face divides time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Cell {
    /// Runs that kept something new.
    pub kept: u32,
    /// Runs that found nothing new, checked against the host.
    pub unchanged: u32,
    /// Runs that were skipped for a reason that is no fault.
    pub skipped: u32,
    /// Runs that failed.
    pub failed: u32,
}

/// What is kept, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Storage {
    /// By account, largest first.
    pub accounts: Vec<StoredAccount>,
    /// All accounts together over time: one point a day on which it changed, oldest first.
    pub growth: Vec<Growth>,
}

/// What is kept of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct StoredAccount {
    /// Whose.
    pub did: String,
    /// Bytes of the newest snapshot: posts and media.
    pub bytes: u64,
    /// Bytes of them that are pictures and videos.
    pub media_bytes: u64,
}

/// How much was kept on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Growth {
    /// When, at the end of that day's last snapshot.
    pub at: Millis,
    /// Bytes of the newest snapshots of all accounts at that time.
    pub bytes: u64,
}
