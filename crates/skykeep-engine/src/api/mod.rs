//! What crosses to a face: the window, the command line, a notification.
//!
//! Plain data, serialised with serde and exported to TypeScript. Times are milliseconds since 1970 (UTC), sizes are
//! bytes. No secret has a place here. Rules stay behind [`crate::Engine`]: a face shows these and sends intentions.

mod account;
mod event;
mod family;
mod history;
mod opened;
mod person;
mod place;
mod preferences;
mod problem;
mod run;
mod snapshot;

pub use account::{Account, Kept, KeptState, Readiness, ReadyLine, ReadyWhat, Whose};
pub use event::{About, Event};
pub use family::{Computer, Family, Finding, FindingWhat, Late, Member, Room, RoomState, TakenAlong};
pub use history::{Cell, Growth, Storage, StoredAccount};
pub use opened::{Opened, OpenedAccount, OpenedKind};
pub use person::{Extent, HostingStatus, Person};
pub use place::{
    AddressOf, BucketAbilities, BucketAddress, Check, CheckHow, CheckStep, Checking, Damage, DamagedWhat, HurtRecord,
    NAMED, Place, PlaceKind, PlaceRole, PlaceState, PlaceTest, Provider, ReadSoFar, ReadWhole, Spot, SpotKind,
};
pub use preferences::{Appearance, NetworkRule, Preferences, QuietHours, Stored};
pub(crate) use problem::Said;
pub use problem::{Action, Problem, Severity, Standing};
pub use run::{Phase, Progress, Run, RunEnd, Waiting};
pub use snapshot::{
    Changes, CollectionChange, CollectionCount, Comparison, MissingMedia, RemovedRecord, SignatureVerdict, Snapshot,
};

/// Milliseconds since 1970, UTC.
pub type Millis = i64;
