//! Everything that can go wrong in the engine. What people read about it is in [`crate::problem`].

use std::path::PathBuf;
use std::{fmt, io};

use skykeep_atproto::verify::Finding;
use skykeep_atproto::{Cid, Did, Tid};

use crate::{catalogue, keys};

/// An error of the engine: one of a room below, or one of its own.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A stranger did not answer as hoped.
    #[error(transparent)]
    Net(#[from] skykeep_net::Error),
    /// A place failed.
    #[error("place {name:?} failed")]
    Place {
        /// What its owner calls it.
        name: String,
        /// How.
        source: skykeep_vault::Error,
    },
    /// The staging vault on this computer failed.
    #[error("staging failed")]
    Staging(#[source] skykeep_vault::Error),
    /// Bytes are not what they claim to be.
    #[error(transparent)]
    Protocol(#[from] skykeep_atproto::Error),
    /// The catalogue failed.
    #[error(transparent)]
    Catalogue(#[from] catalogue::Error),
    /// The keychain, or the sealed file in its stead, failed.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// The settings file cannot be understood.
    #[error("settings file {path:?}: {reason}")]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer Skykeep wrote the settings file.
    #[error("settings file {path:?} was written by a newer version")]
    SettingsNewer {
        /// The file.
        path: PathBuf,
    },
    /// A setting cannot have this value.
    #[error("preference {field} cannot be {value:?}")]
    Preference {
        /// Its name in [`crate::api::Preferences`].
        field: &'static str,
        /// What was typed, where it was typed.
        value: String,
    },
    /// A file of the data folder failed.
    #[error("{path:?} failed")]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// How.
        source: io::Error,
    },
    /// Another Skykeep works with this data folder.
    #[error("another engine uses {folder:?}")]
    EngineRunning {
        /// The data folder.
        folder: PathBuf,
    },
    /// What was asked about is not kept here.
    #[error("no {what} named {name:?}")]
    Unknown {
        /// What was asked about.
        what: What,
        /// What it was called.
        name: String,
    },
    /// A calendar that nobody could draw.
    #[error("a calendar of {cells} cells: {reason}")]
    Calendar {
        /// How many cells were asked for.
        cells: usize,
        /// Why that cannot be.
        reason: &'static str,
    },
    /// No place to keep backups is set up.
    #[error("no place is set up")]
    NoPlace,
    /// The folder or bucket holds a place already.
    #[error("{path:?} is a place already")]
    PlaceKnown {
        /// The folder, or the bucket's address.
        path: PathBuf,
    },
    /// No other place is known to hold what the account would no longer be brought to.
    #[error("the newest backup is nowhere whole but in {name:?}")]
    OnlyThere {
        /// The place's name.
        name: String,
    },
    /// Backups would go nowhere.
    #[error("backups go to {name:?} alone")]
    LastPlace {
        /// The place that was to be left.
        name: String,
    },
    /// Nothing can move to a place.
    #[error("nothing can move to {name:?}")]
    NoMove {
        /// The place: the same one, or one that takes no backups itself.
        name: String,
    },
    /// The keychain has no keys to a place's bucket.
    #[error("the keychain has no keys for place {name:?}")]
    PlaceKeys {
        /// What its owner calls it.
        name: String,
    },
    /// A place that needs no keys was given some.
    #[error("place {name:?} is a folder, which needs no keys")]
    PlaceWithoutKeys {
        /// What its owner calls it.
        name: String,
    },
    /// What was typed about a bucket cannot be right.
    #[error("{field:?} cannot be right")]
    BucketSetting {
        /// Which part of it.
        field: BucketField,
    },
    /// The identity names no host.
    #[error("{did} names no host")]
    NoHost {
        /// Whose identity.
        did: Did,
    },
    /// The audit log breaks the directory's rules.
    #[error("the audit log of {did} does not hold: {reason}")]
    BadIdentityLog {
        /// Whose log.
        did: Did,
        /// The first rule that is broken.
        reason: String,
    },
    /// The repository failed its proof; what was kept before stands.
    #[error("the repository of {did} failed its proof: {}", .findings.first().map_or("", |f| f.code.as_str()))]
    Unproved {
        /// Whose repository.
        did: Did,
        /// What was found.
        findings: Vec<Finding>,
        /// How many earlier ones that failed were dropped, to bound what is set aside.
        dropped: u64,
    },
    /// The commit is dated further ahead than clocks differ.
    #[error("the repository of {did} is dated in the future: {rev}")]
    FutureRev {
        /// Whose repository.
        did: Did,
        /// Its revision.
        rev: Tid,
    },
    /// A new commit is signed by a key that the account has given up.
    #[error("a new commit of {did} is signed by a key that is no longer the account's")]
    StaleKey {
        /// Whose repository.
        did: Did,
        /// The operation that had set the key.
        operation: Option<Cid>,
    },
    /// A file to import is no backup that can be read.
    #[error("{path:?} cannot be imported: {reason}")]
    Import {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        reason: ImportFault,
    },
    /// No backup was found where somebody looked for one.
    #[error("no backup in {path:?}")]
    NoBackup {
        /// The file or folder.
        path: PathBuf,
    },
    /// There is no vault in a bucket where somebody looked for one.
    #[error("no vault at {address}")]
    NoVaultInBucket {
        /// `server/bucket/prefix`, for people.
        address: String,
    },
    /// A place keeps no earlier versions: how it was cannot be read any more.
    #[error("no earlier versions are kept in {name:?}")]
    NoPast {
        /// The place, or the bucket's address, for people.
        name: String,
    },
    /// There was no vault in a bucket at the time that somebody asked about.
    #[error("no vault at {address} at that time")]
    NothingThen {
        /// `server/bucket/prefix`, for people.
        address: String,
    },
    /// A repository to import failed its proof; nothing was kept.
    #[error("{path:?} failed its proof: {}", .findings.first().map_or("", |f| f.code.as_str()))]
    ImportUnproved {
        /// The file.
        path: PathBuf,
        /// Whose repository it should be.
        did: Did,
        /// Whose it says that it is.
        says: Option<Did>,
        /// Whether it is complete and undamaged, so that nothing but its signature is wrong.
        whole: bool,
        /// What was found.
        findings: Vec<Finding>,
    },
    /// The destination of an export is not empty.
    #[error("{path:?} is not an empty folder")]
    ExportNotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A snapshot cannot be read back whole.
    #[error("snapshot {id} is not whole: {reason}")]
    SnapshotBroken {
        /// The snapshot.
        id: String,
        /// What is missing or damaged.
        reason: String,
    },
    /// A snapshot cannot be read back whole while places that have it are away.
    #[error("snapshot {id} is not whole while {places} is away: {reason}")]
    SnapshotAway {
        /// The snapshot.
        id: String,
        /// The places' names, as a list.
        places: String,
        /// What is missing or damaged.
        reason: String,
    },
    /// The run was asked to stop.
    #[error("stopped")]
    Stopped,
}

/// What somebody asks about by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// An account.
    Account,
    /// A place.
    Place,
    /// A snapshot.
    Snapshot,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "account",
            Self::Place => "place",
            Self::Snapshot => "snapshot",
        })
    }
}

/// Why something cannot be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFault {
    /// There is no repository in it.
    NoRepository,
    /// A run of the account is under way.
    UnderWay,
    /// There are more files in it than are looked at.
    TooManyFiles,
}

impl fmt::Display for ImportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRepository => "no CAR file in it",
            Self::UnderWay => "a run is under way",
            Self::TooManyFiles => "too many files",
        })
    }
}

/// A part of what is typed about a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketField {
    /// The server's address.
    Endpoint,
    /// The bucket's name.
    Bucket,
    /// The region.
    Region,
    /// The folder in the bucket.
    Prefix,
}

impl BucketField {
    /// The part that a store calls so.
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "endpoint" => Some(Self::Endpoint),
            "bucket" => Some(Self::Bucket),
            "region" => Some(Self::Region),
            "prefix" => Some(Self::Prefix),
            _ => None,
        }
    }
}

impl Error {
    /// A [`Error::Data`] for `path`.
    pub(crate) fn data(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Data { path, source }
    }

    /// Whether the same attempt may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Net(error) => error.is_transient(),
            Self::Place { source, .. } | Self::Staging(source) => source.is_transient(),
            _ => false,
        }
    }

    /// Whether a place is simply not there now: unplugged, or its server does not answer.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Place { source, .. } => match source {
                skykeep_vault::Error::Missing => true,
                skykeep_vault::Error::Server { trouble, .. } => trouble.is_transient(),
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether it only says that someone asked to stop.
    pub fn is_stop(&self) -> bool {
        matches!(
            self,
            Self::Stopped | Self::Net(skykeep_net::Error::Cancelled) | Self::Staging(skykeep_vault::Error::Stopped)
        ) || matches!(
            self,
            Self::Place {
                source: skykeep_vault::Error::Stopped,
                ..
            }
        )
    }
}
