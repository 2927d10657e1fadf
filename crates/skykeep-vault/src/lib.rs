//! What is kept: the only room that writes backups.
//!
//! Names are written once, a reader never sees half a snapshot, and only verified things get in. The format is
//! described in `FORMAT.md`, well enough to write another reader; what belongs where is in [`layout`]. Async is at
//! the stores; everything that touches a disk runs on the blocking pool.

mod check;
mod content;
mod deliver;
mod error;
mod folder;
mod heal;
mod id;
mod key;
pub mod layout;
mod list;
mod manifest;
mod part;
mod path;
mod reach;
mod read;
mod s3;
mod staging;
mod store;
mod trouble;
mod vault;
mod version;
mod write;

pub use check::{
    AccountHealth, CheckReport, Damage, Fault, Portion, Reached, Reading, SnapshotHealth, check, check_some,
};
pub use content::Content;
pub use deliver::{Delivered, Progress, deliver};
pub use error::Error;
pub use folder::FolderStore;
pub use heal::{Healed, heal};
pub use key::{WriterKey, WriterPublic};
pub use list::{IdentityKind, Kind, List, MAX_LIST, MAX_OBJECTS, MAX_RECORDS, MissingBlob, Object, Rows};
pub use manifest::{
    Body, CommitFacts, ListRef, MAX_MANIFEST, Manifest, Media, OTHER_COLLECTIONS, Origin, Part, Role, Signing, Verdict,
};
pub use reach::Reach;
pub use read::{Contents, Finding, MAX_CHAIN, Snapshot, Snapshots};
pub use s3::{Abilities, Addressing, Endpoint, PROVIDERS, Provider, S3Credentials, S3Past, S3Settings, S3Store};
pub use staging::{Released, Staging};
pub use store::{Answer, Depth, Listing, Probe, Store, Stored, Target};
pub use trouble::{Doing, Trouble};
pub use vault::Vault;
pub use version::FORMAT;
pub use write::{Facts, MAX_INCREMENTS, PutRepo, Writer, regenerate, should_rebase};

/// The format's times have no fractions.
fn whole_seconds(time: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(time.as_second()).unwrap_or(time)
}
