//! Everyone whose backups are on a place, whoever's computer brought them there.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::Millis;

/// Who shares a place, and how much room they have there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Family {
    /// The place's id.
    pub place: String,
    /// What people call it.
    pub name: String,
    /// When this was read there.
    pub read: Millis,
    /// The place cannot be read now: this is how it was then.
    pub away: bool,
    /// Everyone, by name; those without one at the end.
    pub members: Vec<Member>,
    /// How much room there is, and for how long.
    pub room: Room,
}

/// One account on a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Member {
    /// The account's folder in the place: its name there, whoever it is.
    pub folder: String,
    /// Whose it is; `None` when no manifest can be read.
    pub did: Option<String>,
    /// The handle that the newest backup confirmed.
    pub handle: Option<String>,
    /// This computer keeps the account too.
    pub kept_here: bool,
    /// This computer keeps it, and brings it elsewhere only: somebody chose to leave.
    pub left: bool,
    /// When the account was last compared with its host, by any computer; `None` when that cannot be said.
    pub last_backup: Option<Millis>,
    /// Whether that is long ago.
    pub late: Late,
    /// How many backups there are.
    pub snapshots: u64,
    /// What they use, in bytes.
    pub bytes: u64,
    /// That is more than a fair share.
    pub over_share: bool,
    /// Whose backups these are, the newest first.
    pub computers: Vec<Computer>,
    /// Manifests among the newest that are damaged or not signed by who they say: nothing in them is believed.
    pub disbelieved: u32,
    /// When the account's identity log was last read for somebody else's sake; accounts of this computer are read with
    /// every run.
    pub watched: Option<Millis>,
    /// What happened to the identity since it is watched, oldest first; the last 90 days.
    pub findings: Vec<Finding>,
}

/// Something that happened to an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Finding {
    /// When, as the log says; of a rewritten log, when that was seen.
    pub at: Millis,
    /// What.
    pub what: FindingWhat,
    /// What the host or the handle is now.
    pub now: Option<String>,
}

/// What may happen to an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum FindingWhat {
    /// The account is at another host.
    Host,
    /// It has another handle.
    Handle,
    /// Its posts are signed with another key.
    Key,
    /// Other keys may change the identity.
    RecoveryKeys,
    /// The identity was ended.
    Ended,
    /// It was changed, and that was undone, between two looks.
    Undone,
    /// The log does not continue the one that was known, or breaks its own rules.
    Rewritten,
}

/// A computer that brings backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Computer {
    /// The writer's id.
    pub writer: String,
    /// It is this one.
    pub this: bool,
    /// When it last brought one.
    pub last: Option<Millis>,
}

/// How long ago somebody was last backed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// Less than 7 days.
    No,
    /// 7 days or more.
    Week,
    /// 30 days or more.
    Month,
    /// Nobody can say.
    Unknown,
}

/// How much room there is on a place, and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Room {
    /// What all backups use, in bytes.
    pub used: u64,
    /// What is free, in bytes; a bucket does not say.
    pub free: Option<u64>,
    /// What each account may use before that is said, in bytes; `None` where nobody set it and the place has no size.
    pub share: Option<u64>,
    /// Somebody set it; otherwise everyone has the same part of what there is.
    pub share_set: bool,
    /// In how many days it is full at the pace of the last months; `None` when it does not fill up, or is not known yet.
    pub full_in: Option<u32>,
    /// Whether something is to be done about it.
    pub state: RoomState,
}

/// Whether a place fills up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum RoomState {
    /// Nothing to be done.
    Enough,
    /// Less than a tenth is free.
    Little,
    /// At this pace it is full within 30 days.
    Soon,
}

/// An account's folder that was taken along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct TakenAlong {
    /// Where it is now: a vault of its own.
    pub folder: String,
    /// Backups in it, each of which reads back whole.
    pub snapshots: u64,
    /// Bytes in it.
    pub bytes: u64,
    /// Backups that could not be taken along: the place does not have them whole.
    pub left_behind: u64,
}
