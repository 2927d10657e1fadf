//! Everything that can go wrong between a program and a vault.

use std::io;

use skykeep_atproto::Cid;

use crate::layout::VaultId;
use crate::trouble::Trouble;

/// What a vault or a place answers when it cannot do what was asked.
///
/// Paths are relative to the vault. Damage that a check finds is data ([`crate::CheckReport`]), not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder is not there, or not any more: drive unplugged, mount gone, folder moved, another drive mounted.
    #[error("the place is not there")]
    Missing,
    /// The server behind the place did not do what it was asked for.
    #[error("{server}: {trouble} ({said})")]
    Server {
        /// Its host name.
        server: String,
        /// What is wrong, as far as its answer tells.
        trouble: Trouble,
        /// Its own words, or those of the connection. No secrets.
        said: String,
    },
    /// The place can be read and not written.
    #[error("the place is read-only")]
    ReadOnly,
    /// No space left.
    #[error("the place is full")]
    Full {
        /// Bytes of the file that did not fit, as far as they are known.
        needed: Option<u64>,
    },
    /// The file system cannot hold a file of this size (FAT: 4 GiB).
    #[error("{path} with {size} bytes is larger than the place's file system allows")]
    FileTooLarge {
        /// Where it should have gone.
        path: String,
        /// Bytes that were written when it refused.
        size: u64,
    },
    /// The folder holds no vault.
    #[error("no vault here (empty: {empty})")]
    NotAVault {
        /// Nothing at all is in it: a new folder, or the mount point of an absent drive.
        empty: bool,
    },
    /// A vault cannot be made where other files are.
    #[error("the folder is not empty")]
    NotEmpty,
    /// A vault, but not the one that was expected.
    #[error("vault {found} is here, {expected} was expected")]
    OtherVault {
        /// The one that was asked for.
        expected: VaultId,
        /// The one that is there.
        found: VaultId,
    },
    /// Written by a newer version, in a way that this one may not guess at.
    #[error("{name} needs a newer version (format {format:?}, requires {requires:?})")]
    NewerFormat {
        /// The file.
        name: String,
        /// Its format, if that is newer.
        format: Option<u64>,
        /// The first word that it requires and we do not know.
        requires: Option<String>,
    },
    /// A file of this name exists and holds something else: it is damaged, or the name is not ours.
    #[error("{path} exists and holds something else")]
    NameTaken {
        /// The name.
        path: String,
    },
    /// Bytes that are not what their name, their list or their signature says.
    #[error("{name} is damaged: {reason}")]
    Damaged {
        /// The file.
        name: String,
        /// What does not agree.
        reason: &'static str,
    },
    /// A file that is named and not there.
    #[error("{name} is missing")]
    Absent {
        /// The file.
        name: String,
    },
    /// Sound bytes that break the format's rules, or input that cannot be stored.
    #[error("{name} is not valid: {reason}")]
    Invalid {
        /// The file, or what was to be stored.
        name: String,
        /// The rule.
        reason: String,
    },
    /// More than the format allows, or the caller's limit.
    #[error("{name} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        name: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A folder, a link or a device where a file should be, or a link where a folder should be.
    #[error("{path} is not a plain file")]
    NotAFile {
        /// The name.
        path: String,
    },
    /// An increment against another commit than the one that is kept.
    #[error("increment from {found:?}, but {expected:?} is kept")]
    WrongFrom {
        /// The last commit of the chain.
        expected: Option<Cid>,
        /// The commit that the increment was proved against.
        found: Option<Cid>,
    },
    /// Bytes of another account.
    #[error("{found} was given to the writer of {expected}")]
    OtherAccount {
        /// The writer's account.
        expected: String,
        /// Whose the bytes are.
        found: String,
    },
    /// A DID whose method has no folder name.
    #[error("no folder name for {did}")]
    UnsupportedDid {
        /// The DID.
        did: String,
    },
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
    /// The bytes are not what the protocol says.
    #[error(transparent)]
    Protocol(#[from] skykeep_atproto::Error),
    /// The system's randomness failed.
    #[error("no randomness")]
    Random,
    /// Anything else that the operating system says.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// What it said.
        source: io::Error,
    },
}

impl Error {
    /// Whether the same call may succeed later without anyone changing anything in the vault.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Missing | Self::Full { .. } | Self::Io { .. } => true,
            Self::Server { trouble, .. } => trouble.is_transient(),
            _ => false,
        }
    }

    /// Whether it is about the place as a whole, so that it says nothing about the file that was asked for.
    ///
    /// What a place that is gone does not show is neither missing nor damaged.
    pub fn is_of_place(&self) -> bool {
        match self {
            Self::Missing | Self::Server { .. } => true,
            // The server of a file that was being read: see `Content::stream`.
            Self::Io { source, .. } => source
                .get_ref()
                .and_then(|held| held.downcast_ref::<Self>())
                .is_some_and(Self::is_of_place),
            _ => false,
        }
    }

    pub(crate) fn invalid(name: impl ToString, reason: impl ToString) -> Self {
        Self::Invalid {
            name: name.to_string(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn damaged(name: impl ToString, reason: &'static str) -> Self {
        Self::Damaged {
            name: name.to_string(),
            reason,
        }
    }

    /// What an error of the operating system about a file of the place means.
    pub(crate) fn from_io(path: impl ToString, written: u64, source: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let path = path.to_string();
        match source.kind() {
            Kind::ReadOnlyFilesystem | Kind::PermissionDenied => Self::ReadOnly,
            Kind::StorageFull | Kind::QuotaExceeded => Self::Full { needed: None },
            Kind::FileTooLarge => Self::FileTooLarge { path, size: written },
            Kind::NotConnected | Kind::ConnectionAborted | Kind::StaleNetworkFileHandle => Self::Missing,
            _ if is_gone(&source) => Self::Missing,
            _ => Self::Io { path, source },
        }
    }
}

/// The device behind the folder went away (a FUSE driver that died, a drive that was pulled).
#[cfg(unix)]
fn is_gone(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let gone = [Errno::NODEV, Errno::NXIO, Errno::SHUTDOWN];
    error
        .raw_os_error()
        .is_some_and(|code| gone.iter().any(|errno| errno.raw_os_error() == code))
}

#[cfg(not(unix))]
fn is_gone(_: &io::Error) -> bool {
    false
}
