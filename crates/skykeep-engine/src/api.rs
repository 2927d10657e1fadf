//! What crosses to a face: the window, the command line, a notification.
//!
//! Plain data, serialised with serde and exported to TypeScript. Times are milliseconds since 1970 (UTC), sizes are
//! bytes. No secret has a place here. Rules stay behind [`crate::Engine`]: a face shows these and sends intentions.

use serde::{Deserialize, Serialize};
use specta::Type;

/// Milliseconds since 1970, UTC.
pub type Millis = i64;

/// Who is behind a handle, found and checked both ways, before anything is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Person {
    /// The account's permanent number.
    pub did: String,
    /// The handle, when it points to the DID and the DID back to it.
    pub handle: Option<String>,
    /// The name they gave themselves.
    pub display_name: Option<String>,
    /// Their picture as a `data:` address, when it could be fetched and is an image.
    pub avatar: Option<String>,
    /// Host name of the server where the account lives.
    pub host: String,
    /// What the host says of the account: active, deactivated, …
    pub status: HostingStatus,
    /// Whether Skykeep keeps this account already.
    pub known: bool,
}

/// What a host says of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum HostingStatus {
    /// In use.
    Active,
    /// Switched off by its owner.
    Deactivated,
    /// Taken down by the host.
    Takendown,
    /// Suspended by the host.
    Suspended,
    /// Deleted, as the host says.
    Deleted,
    /// The host does not know the account.
    Missing,
    /// Not known: the host has not answered.
    Unknown,
}

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
    /// Host name of its server as last seen.
    pub host: Option<String>,
    /// The one true line: what is kept, how fresh, where.
    pub kept: Kept,
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

/// Why a due run does not start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Waiting {
    /// The host did not answer; next try at the given time.
    Host {
        /// Since when it has not answered.
        since: Millis,
        /// When it is asked again.
        until: Millis,
    },
    /// No network.
    Network,
    /// No place can be reached.
    Place,
    /// The person paused it.
    Paused,
}

/// What a run is doing. Sent at most five times a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Progress {
    /// Whose run it is.
    pub did: String,
    /// Which part of it.
    pub phase: Phase,
    /// Items done in this phase (blobs, files).
    pub items: u64,
    /// Items in this phase, when known.
    pub items_total: Option<u64>,
    /// Bytes done in this phase.
    pub bytes: u64,
    /// Bytes in this phase, when known.
    pub bytes_total: Option<u64>,
    /// Seconds left in this phase, when there is an honest estimate.
    pub seconds_left: Option<u32>,
}

/// The parts of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Asking the directory and the host what is new.
    Asking,
    /// Fetching posts, likes and follows.
    Fetching,
    /// Proving every byte.
    Verifying,
    /// Writing what was proved.
    Keeping,
    /// Fetching pictures and videos.
    Media,
    /// Copying to the places.
    Delivering,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RunEnd {
    /// Everything there was to do is done.
    Completed {
        /// Whether there was anything new.
        changed: bool,
    },
    /// Not run, for a reason that is no fault: an unplugged drive, a deactivated account.
    Skipped {
        /// The reason as a Problem of severity `Note`.
        why: Problem,
    },
    /// Ended on request.
    Stopped,
    /// Failed; what was kept before is untouched.
    Failed {
        /// What happened, what it means, what to do.
        problem: Problem,
    },
}

/// One run of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Run {
    /// Whose run it was.
    pub did: String,
    /// When it began.
    pub began: Millis,
    /// When it ended.
    pub ended: Millis,
    /// How it ended.
    pub end: RunEnd,
}

/// One snapshot of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Snapshot {
    /// Name of its manifest, which identifies it.
    pub id: String,
    /// When it was taken, by this computer's clock.
    pub taken: Millis,
    /// The repository's own revision.
    pub rev: String,
    /// The commit it holds.
    pub commit: String,
    /// Who signed it, judged by the identity's log.
    pub signature: SignatureVerdict,
    /// Number of records.
    pub records: u64,
    /// Number of records by collection.
    pub collections: Vec<CollectionCount>,
    /// Number of blobs kept.
    pub media: u64,
    /// Blobs that could not be had, with a record that needs each.
    pub media_missing: Vec<MissingMedia>,
    /// Blobs still to be fetched when the manifest was written.
    pub media_pending: u64,
    /// Bytes of all objects it names.
    pub bytes: u64,
    /// Whether it came from another tool's backup.
    pub imported: bool,
    /// Whether it only says "still the same, checked".
    pub unchanged: bool,
    /// Whether it is kept whatever happens, until someone says that a loss was meant.
    pub pinned: bool,
    /// Places that hold it, verified, as last listed.
    pub places: Vec<String>,
}

/// Records of one collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct CollectionCount {
    /// The collection's NSID.
    pub collection: String,
    /// Number of records.
    pub records: u64,
}

/// A picture or video that is not in the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct MissingMedia {
    /// Its CID.
    pub cid: String,
    /// A record that needs it.
    pub record: String,
    /// Why it is missing, in a word for the log.
    pub reason: String,
}

/// Who signed a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum SignatureVerdict {
    /// The account's key of that time.
    Current,
    /// An earlier key of the account's log.
    Earlier,
    /// No key of the account.
    Unknown,
}

/// What two snapshots differ in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Comparison {
    /// Record paths that only the later one has.
    pub added: Vec<String>,
    /// Record paths whose content differs.
    pub changed: Vec<String>,
    /// Record paths that only the earlier one has.
    pub removed: Vec<String>,
    /// Blobs that only the later one needs.
    pub media_added: Vec<String>,
    /// Blobs that only the earlier one needs.
    pub media_removed: Vec<String>,
}

/// A place where backups go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Place {
    /// Skykeep's own name for it, stable.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its folder.
    pub path: String,
    /// Whether it can be reached now.
    pub state: PlaceState,
    /// Whether it is on a disk of this computer that nobody unplugs.
    pub this_computer: bool,
    /// When it was last seen.
    pub last_seen: Option<Millis>,
    /// When every file in it was last hashed again.
    pub last_checked: Option<Millis>,
    /// Bytes free on its file system.
    pub free: Option<u64>,
}

/// Whether a place can be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum PlaceState {
    /// There and writable.
    Ready,
    /// The folder or drive is not there.
    Absent,
    /// There, but cannot be written.
    ReadOnly,
    /// Another vault, or none, where ours was.
    Other,
    /// No room left.
    Full,
}

/// What a check of a place found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Check {
    /// The place.
    pub place: String,
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
}

/// Something that a person should know, in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Problem {
    /// Stable name, for programs.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// What happened.
    pub happened: String,
    /// What it means for them.
    pub means: String,
    /// What to do, if anything.
    pub todo: String,
    /// What a face can offer.
    pub actions: Vec<Action>,
    /// What a server or the system said, for those who ask.
    pub detail: Option<String>,
}

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know; nothing to do.
    Note,
    /// A person is needed, nothing is lost.
    NeedsYou,
    /// Something may be lost.
    Danger,
}

/// What a face can offer beside a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Run the backup again.
    BackUpNow,
    /// Ask again who that is.
    TryAgain,
    /// Choose another folder.
    ChoosePlace,
    /// Open the folder.
    OpenPlace,
    /// Hash every file again.
    CheckNow,
    /// Show what a server said.
    ShowDetail,
    /// Say that a sudden loss was meant.
    ConfirmShrink,
    /// Type a DID or a profile address instead.
    EnterDid,
}

/// What changed, so that a face asks again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "topic", rename_all = "snake_case")]
pub enum Event {
    /// Accounts, or what is known of one.
    Accounts,
    /// Places, or what is known of one.
    Places,
    /// A run began, went on or ended.
    Run {
        /// Whose run it is.
        did: String,
        /// The state of the run; `None` when it has ended.
        progress: Option<Progress>,
    },
    /// Something that a person should be told about now.
    Notify {
        /// What to say.
        problem: Problem,
    },
}
