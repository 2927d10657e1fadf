//! A place in the settings file: its vault, and where that is.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use skykeep_vault::S3Settings;
use skykeep_vault::layout::VaultId;

/// A place to keep backups in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub(crate) struct Place {
    /// Our own name for it: the vault's id.
    pub vault: VaultId,
    /// What its owner calls it.
    pub name: String,
    /// Where it is.
    pub at: At,
    /// When it was added.
    pub added: Timestamp,
    /// Bytes that each account may use before that is said; without, everyone has the same part of what there is.
    pub share: Option<u64>,
    /// What backups do with it.
    pub role: Role,
}

/// What backups do with a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// They go there.
    #[default]
    Active,
    /// They go there no more; what it holds is read as ever.
    Retired,
    /// They go there until the other place has all of it, which then stands in for it.
    Moves {
        /// The other place.
        to: VaultId,
        /// When that was asked for.
        since: Timestamp,
    },
}

/// Where a place is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum At {
    /// In a folder.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Where its drive was last mounted, when it is on one that comes and goes.
        drive: Option<PathBuf>,
    },
    /// In a bucket. Its keys are in the keychain, under the vault's id.
    S3(S3Settings),
}

impl Place {
    /// Whether backups go there.
    pub(crate) fn is_written(&self) -> bool {
        self.role != Role::Retired
    }

    /// Its folder, if it is in one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match &self.at {
            At::Folder { folder, .. } => Some(folder),
            At::S3(_) => None,
        }
    }

    /// Where its drive was last mounted, when it is on one that comes and goes.
    pub(crate) fn drive(&self) -> Option<&Path> {
        match &self.at {
            At::Folder { drive, .. } => drive.as_deref(),
            At::S3(_) => None,
        }
    }

    /// Where it is, as a person reads and types it: a folder, or a bucket's address.
    pub(crate) fn address(&self) -> String {
        match &self.at {
            At::Folder { folder, .. } => folder.display().to_string(),
            At::S3(settings) => bucket_address(settings),
        }
    }
}

/// `server/bucket/prefix`, as a person reads it.
pub(crate) fn bucket_address(settings: &S3Settings) -> String {
    let endpoint = settings.endpoint.trim().trim_end_matches('/');
    let server = endpoint.split_once("://").map_or(endpoint, |(_, server)| server);
    let prefix = settings.prefix.trim().trim_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    format!("{server}/{}{slash}{prefix}", settings.bucket.trim())
}

/// As it is written: either a folder or a bucket.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    vault: VaultId,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drive: Option<PathBuf>,
    added: Timestamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    retired: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moves_to: Option<VaultId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moves_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s3: Option<S3Settings>,
}

impl TryFrom<Written> for Place {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let at = match (written.folder, written.drive, written.s3) {
            (Some(folder), drive, None) => At::Folder { folder, drive },
            (None, None, Some(settings)) => At::S3(settings),
            _ => return Err("a place has either a folder or s3"),
        };
        let role = match (written.retired, written.moves_to) {
            (true, _) => Role::Retired,
            (false, Some(to)) => Role::Moves {
                to,
                since: written.moves_since.unwrap_or(written.added),
            },
            (false, None) => Role::Active,
        };
        Ok(Self {
            vault: written.vault,
            name: written.name,
            at,
            added: written.added,
            share: written.share,
            role,
        })
    }
}

impl From<Place> for Written {
    fn from(place: Place) -> Self {
        let (folder, drive, s3) = match place.at {
            At::Folder { folder, drive } => (Some(folder), drive, None),
            At::S3(settings) => (None, None, Some(settings)),
        };
        let (moves_to, moves_since) = match place.role {
            Role::Moves { to, since } => (Some(to), Some(since)),
            Role::Active | Role::Retired => (None, None),
        };
        Self {
            vault: place.vault,
            name: place.name,
            folder,
            drive,
            added: place.added,
            share: place.share,
            retired: place.role == Role::Retired,
            moves_to,
            moves_since,
            s3,
        }
    }
}
