//! Places where backups go, and what is found there.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Millis, Problem};

/// A place where backups go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Place {
    /// Skykeep's own name for it, stable.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether it is a folder or a bucket.
    pub kind: PlaceKind,
    /// Its folder; of a bucket `server/bucket/prefix`, for people.
    pub path: String,
    /// Whether it can be reached now.
    pub state: PlaceState,
    /// Whether it is on a disk of this computer that nobody unplugs.
    pub this_computer: bool,
    /// When it was last seen.
    pub last_seen: Option<Millis>,
    /// When every file in it was last hashed again.
    pub last_checked: Option<Millis>,
    /// Bytes free on its file system; a bucket does not say.
    pub free: Option<u64>,
    /// Bytes that all backups there use, whoever brought them, as last read; `None` when that was never read.
    pub used: Option<u64>,
    /// It is full soon: little is free, or at its pace not for long.
    pub filling: bool,
    /// Whether it is on a drive that can be unplugged.
    pub removable: bool,
    /// Whether something is being written to it or read from it now: not the moment to unplug it.
    pub busy: bool,
    /// Snapshots that are kept elsewhere and are still to be copied to it, over all accounts.
    pub behind: u64,
    /// When the first of them was taken: what is older is all there. `None` when it lacks nothing.
    pub behind_since: Option<Millis>,
    /// Accounts whose newest snapshot it holds.
    pub accounts: u64,
    /// When what it holds was last listed.
    pub last_listed: Option<Millis>,
    /// Snapshots that no other place is known to hold, over all accounts.
    pub only_here: u64,
    /// What backups do with it.
    pub role: PlaceRole,
    /// Between which times everything in it was last read again.
    pub read_whole: Option<ReadWhole>,
    /// How far it was read again since.
    pub reading: Option<ReadSoFar>,
    /// Files that are damaged or missing and could not be mended: the first [`NAMED`] of them.
    pub damaged: Vec<Damage>,
}

/// What backups do with a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum PlaceRole {
    /// They go there.
    Active,
    /// They go there no more; what it holds is read as ever.
    Retired,
    /// They go there until another place has all that it holds, which then stands in for it.
    Moves {
        /// What people call the other place; empty when it is a place no more.
        to: String,
    },
}

/// Damaged files that a place names.
pub const NAMED: usize = 100;

/// That everything in a place was read again and compared with what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct ReadWhole {
    /// When the first file was read.
    pub from: Millis,
    /// When the last one was.
    pub to: Millis,
}

/// How far a place was read again: a little every day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct ReadSoFar {
    /// When the first file was read.
    pub since: Millis,
    /// Bytes that were read.
    pub bytes: u64,
    /// Bytes of the whole place.
    pub of_bytes: u64,
}

/// What a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// A folder, on this computer or on a drive.
    Folder,
    /// A bucket of S3-compatible storage.
    Bucket,
}

/// Where a bucket is. Nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct BucketAddress {
    /// The server, as `https://s3.example.org`.
    pub endpoint: String,
    /// The bucket's name.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// What the names of Skykeep's objects begin with; may be empty.
    pub prefix: String,
    /// The bucket's name is a part of the server's: `https://bucket.s3.example.org`.
    pub in_host: bool,
}

/// Who keeps buckets, as a ready-made entry of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Provider {
    /// Our own name for it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The server's address: `{region}` or `{account}` stands for these in it; of a server of one's own, an example.
    pub address: String,
    /// What the address depends on.
    pub of: AddressOf,
    /// The usual region; empty: the person has to say.
    pub region: String,
    /// Regions to choose from; others may be typed.
    pub regions: Vec<String>,
    /// The bucket's name is a part of the server's there.
    pub in_host: bool,
}

/// What a provider's address depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum AddressOf {
    /// The region.
    Region,
    /// The number of the person's account.
    Account,
    /// Nothing: it is the person's own server.
    Own,
}

/// What a test of a place found. Nothing of it stays there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct PlaceTest {
    /// What is wrong; `None` when backups can go there.
    pub problem: Option<Problem>,
    /// What a bucket's server can.
    pub abilities: Option<BucketAbilities>,
}

/// What a bucket and its keys can, as far as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct BucketAbilities {
    /// What is deleted or replaced can still be read, as an earlier version.
    pub versioning: bool,
    /// For how many days nobody can delete what was written; 0: the bucket has no such rule; `None` where these keys may
    /// not ask.
    pub locked_days: Option<u32>,
    /// It refuses to replace what is there when it is asked to.
    pub conditions: bool,
    /// It keeps a checksum with each object.
    pub checksums: bool,
    /// These keys can delete: so can whoever steals them.
    pub deletes: bool,
    /// What is sent is encrypted on its way.
    pub encrypted: bool,
}

/// Whether a place can be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum PlaceState {
    /// There and writable.
    Ready,
    /// The folder or drive is not there, or the server does not answer.
    Absent,
    /// There, but cannot be written.
    ReadOnly,
    /// Another vault, or none, where ours was.
    Other,
    /// No room left.
    Full,
    /// The server answers and refuses: keys, bucket, clock.
    Refused,
}

/// How far a check of a place is. Sent at most five times a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Checking {
    /// Which part of it.
    pub step: CheckStep,
    /// Files done in this part.
    pub items: u64,
    /// Files in this part, when known.
    pub items_total: Option<u64>,
    /// Bytes done in this part.
    pub bytes: u64,
    /// Bytes in this part, when known.
    pub bytes_total: Option<u64>,
    /// Seconds left in this part, when there is an honest estimate.
    pub seconds_left: Option<u32>,
}

/// The parts of a check. After the first one they come only where something is damaged, and some of them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum CheckStep {
    /// Reading and hashing every file.
    Reading,
    /// Reading and hashing some of the files.
    Portion,
    /// Writing what is damaged anew, from staging or from another place.
    Mending,
    /// Asking hosts for what is damaged and nobody in reach has whole; the runs that do so tell how far they are.
    Asking,
    /// Reading and hashing once more what was damaged.
    Again,
}

/// What a check of a place found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Check {
    /// The place.
    pub place: String,
    /// What was looked at.
    pub how: CheckHow,
    /// Files that are there.
    pub files: u64,
    /// Files hashed and found as named.
    pub sound: u64,
    /// Bytes hashed.
    pub bytes: u64,
    /// Files that are not what their name says, or are gone, or cannot be read.
    pub damaged: Vec<Damage>,
    /// Names of files that were so, and were written anew from another copy and hashed again.
    pub mended: Vec<String>,
    /// Snapshots that can be read back whole.
    pub whole_snapshots: u64,
    /// Snapshots that damage touches.
    pub touched_snapshots: Vec<String>,
    /// Places that were away and should have some of what is damaged whole.
    #[serde(default)]
    pub problems: Vec<Problem>,
}

/// One damaged, missing or unreadable file of a vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Damage {
    /// Its name in the vault.
    pub name: String,
    /// "damaged", "missing" or "unreadable".
    pub state: String,
    /// Snapshots that need it.
    pub snapshots: Vec<String>,
    /// What it is to a person.
    pub what: DamagedWhat,
    /// A record that shows it, where it is a picture or a video: the record's path.
    pub record: Option<String>,
    /// What it hurts, where that can still be read: the record that shows it, or posts that lie in it, newest first.
    #[serde(default)]
    pub hurt: Vec<HurtRecord>,
    /// Posts that lie in it as well and are not named.
    #[serde(default)]
    pub hurt_more: u64,
}

/// A record that damage hurts, as a person knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct HurtRecord {
    /// Its first words, on one line.
    pub text: String,
    /// When it says it was made.
    pub created: Option<Millis>,
}

/// How thoroughly a place is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum CheckHow {
    /// Every file is read. What is damaged is mended.
    #[default]
    ReadAll,
    /// Manifests and lists are read; of everything else the name and the length are looked at. Nothing is changed.
    Names,
    /// As `Names`, and what was found damaged before is read again. What is damaged is mended.
    Heal,
}

/// What a damaged file is to a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum DamagedWhat {
    /// A picture, a video, or whatever else a record shows.
    Media,
    /// Posts and everything else that is written.
    Posts,
    /// What is known of the identity.
    Identity,
    /// What Skykeep keeps beside them: manifests, lists, guides.
    #[default]
    Other,
}

/// A spot where backups could go: the usual folder, or a drive that is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Spot {
    /// The folder that would become a place.
    pub path: String,
    /// What people call it: "Skykeep" in the home folder, or the drive's own name.
    pub name: String,
    /// What kind of spot it is.
    pub kind: SpotKind,
    /// Bytes free there.
    pub free: Option<u64>,
    /// Whether it is a place already.
    pub known: bool,
}

/// What kind of spot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum SpotKind {
    /// On this computer.
    ThisComputer,
    /// On a drive that can be unplugged.
    Drive,
}
