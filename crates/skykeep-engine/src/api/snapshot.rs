//! Snapshots of an account, and what they differ in.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::Millis;

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

/// What a snapshot changed, in numbers, with the records that are gone by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Changes {
    /// The snapshot it is compared with: the one before it, by revision; `None` when it is the first.
    pub before: Option<String>,
    /// What changed, by collection, those without a change left out.
    pub collections: Vec<CollectionChange>,
    /// Media that only this one needs.
    pub media_added: u64,
    /// Media that only the one before needed.
    pub media_removed: u64,
    /// Records that are gone, newest first: at most 100 of them.
    pub removed: Vec<RemovedRecord>,
}

/// What changed in one collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct CollectionChange {
    /// The collection's NSID.
    pub collection: String,
    /// Records that are new.
    pub added: u64,
    /// Records whose content differs.
    pub changed: u64,
    /// Records that are gone.
    pub removed: u64,
}

/// A record that is gone, as it was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct RemovedRecord {
    /// Its path: collection and record key.
    pub path: String,
    /// Its text, when it had one: at most 300 characters.
    pub text: Option<String>,
    /// When it says it was made.
    pub created: Option<Millis>,
}
