//! An account that is kept, and the two statements about it.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Millis, Problem, Progress, Waiting};

/// One account that Skykeep keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Account {
    /// The account's permanent number.
    pub did: String,
    /// Its handle as last confirmed.
    pub handle: Option<String>,
    /// Its name as last seen.
    pub display_name: Option<String>,
    /// Its picture as a `data:` address.
    pub avatar: Option<String>,
    /// Whether handle, name and picture are what the backup itself says: its host has never answered here.
    pub from_backup: bool,
    /// Host name of its server as last seen.
    pub host: Option<String>,
    /// Whose it is.
    pub whose: Whose,
    /// When Skykeep began to keep it.
    pub added: Millis,
    /// The first statement: what is kept, how fresh, where.
    pub kept: Kept,
    /// The second statement: whether its owner could get the account back today.
    pub readiness: Readiness,
    /// What is happening now, when a run is under way.
    pub run: Option<Progress>,
    /// When the next run is due.
    pub next_due: Option<Millis>,
    /// Why no run starts, when one is due and cannot.
    pub waiting: Option<Waiting>,
    /// What needs a person, most severe first.
    pub problems: Vec<Problem>,
}

/// The first of the two statements: "your posts are kept".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Kept {
    /// How much of it is true.
    pub state: KeptState,
    /// When the newest snapshot was last confirmed against the host.
    pub last_checked: Option<Millis>,
    /// When the newest snapshot was taken.
    pub last_snapshot: Option<Millis>,
    /// In how many places the newest snapshot is verified.
    pub places: u32,
    /// Whether all of them are on this computer.
    pub this_computer_only: bool,
    /// Number of records in the newest snapshot.
    pub records: u64,
    /// Number of pictures and videos kept.
    pub media: u64,
    /// Pictures and videos that the host could not give.
    pub media_missing: u64,
    /// Pictures and videos still to be fetched.
    pub media_pending: u64,
    /// Bytes that the newest snapshot stands for (posts and media).
    pub bytes: u64,
}

/// How much of "your posts are kept" is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum KeptState {
    /// Nothing is kept yet.
    Nothing,
    /// Posts are kept, media are still being fetched.
    PostsOnly,
    /// Posts and all media the host has are kept.
    Complete,
    /// Kept, but older than it should be.
    Stale,
    /// Posts are kept on this computer; the places that held the media are not what they were.
    MediaUnseen,
    /// The places that held it are not what they were, and no copy is on this computer.
    Unseen,
}

/// Whose account it is that is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The person's own, of this computer.
    #[default]
    Mine,
    /// Somebody else's, who asked for it.
    Theirs,
}

/// The second of the two statements: "you could get your account back", line by line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Readiness {
    /// What it takes, in the order in which people would look.
    pub lines: Vec<ReadyLine>,
    /// When a copy was last read back from a place as its owner would get it, and was whole; `None` when the last one was
    /// not, or none was.
    pub read_back: Option<Millis>,
}

/// One thing that it takes to get an account back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct ReadyLine {
    /// What it is.
    pub what: ReadyWhat,
    /// Whether it is there, as far as was checked.
    pub ready: bool,
    /// When that was found out; `None` when it never was.
    pub since: Option<Millis>,
    /// How many of `total` are there, where it is a number: places, media.
    pub count: u64,
    /// Out of how many; 0 where it is no number.
    pub total: u64,
}

/// What it takes to get an account back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum ReadyWhat {
    /// The newest snapshot was confirmed against the host a short while ago.
    Fresh,
    /// It is in a place that does not die with this computer.
    Apart,
    /// All its media are kept: `count` of `total`.
    Media,
    /// Every file of every place was hashed again within the last 30 days.
    Checked,
    /// The public record of the identity was read and holds together.
    Identity,
    /// The owner holds a key to the identity above the host's. Without one only the host can move the account.
    RecoveryKey,
}
