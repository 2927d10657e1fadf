//! Who somebody is, before anything of theirs is kept.

use serde::{Deserialize, Serialize};
use specta::Type;

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

/// How much there is to keep of an account, judged from a few small questions to its host.
///
/// What could not be asked is `None`. All of it is about, none of it is a promise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Extent {
    /// About how many posts, likes, follows and other records there are.
    pub records: Option<u64>,
    /// Pictures and videos that the host lists.
    pub media: Option<u64>,
    /// Whether the host lists more media than were counted.
    pub media_more: bool,
    /// About how many bytes all of it takes.
    pub bytes: Option<u64>,
    /// About how many seconds a first backup takes.
    pub seconds: Option<u32>,
}
