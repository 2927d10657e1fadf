//! What can go wrong with keeping secrets. No variant carries one.

use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use super::SecretName;

/// What the system said, kept for the log.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error of a key store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no keychain to talk to: no session bus, no keychain program, a system without one.
    #[error("no keychain")]
    NoKeychain(#[source] Source),
    /// The keychain is locked, or was never set up, and nobody unlocked it when asked.
    #[error("keychain is locked")]
    Locked(#[source] Source),
    /// The keychain, or the person it asks, did not answer.
    #[error("keychain did not answer within {} s", waited.as_secs())]
    NoAnswer {
        /// How long was waited.
        waited: Duration,
    },
    /// The keychain failed otherwise.
    #[error("keychain failed")]
    Keychain(#[source] Source),
    /// The keychain holds several secrets of one name.
    #[error("keychain holds several secrets named {name}")]
    Ambiguous {
        /// The name.
        name: SecretName,
    },
    /// Not a name for a secret.
    #[error("{name:?} is no name for a secret")]
    Name {
        /// What it is.
        name: String,
    },
    /// A secret is larger than [`super::LARGEST`].
    #[error("secret {name} is too large: {size} bytes")]
    TooLarge {
        /// Its name.
        name: SecretName,
        /// Its size in bytes.
        size: usize,
    },
    /// What was stored did not come back, or what was removed did.
    #[error("secret {name} was not kept as it was given")]
    NotKept {
        /// Its name.
        name: SecretName,
    },
    /// A variable of the environment cannot be followed.
    #[error("{variable} {fault}")]
    Setting {
        /// Which.
        variable: &'static str,
        /// Why.
        fault: SettingFault,
    },
    /// The passphrase file is not there.
    #[error("no passphrase file {path:?}")]
    PassphraseMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others than its owner may read or change the passphrase file.
    #[error("passphrase file {path:?} has mode {mode:04o}")]
    PassphraseExposed {
        /// The file.
        path: PathBuf,
        /// Its permissions; 0600 or fewer are taken.
        mode: u32,
    },
    /// The passphrase file belongs to someone else.
    #[error("passphrase file {path:?} belongs to someone else")]
    PassphraseForeign {
        /// The file.
        path: PathBuf,
    },
    /// There is no passphrase in the passphrase file.
    #[error("passphrase file {path:?} {reason}")]
    PassphraseUnusable {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: &'static str,
    },
    /// The passphrase does not open what is sealed.
    #[error("the passphrase does not open {path:?}")]
    WrongPassphrase {
        /// The sealed file.
        path: PathBuf,
    },
    /// A file of the key store is not what it should be.
    #[error("{path:?} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// A file of the key store failed.
    #[error("{path:?} failed")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// How.
        source: io::Error,
    },
}

/// Why a setting of the key store cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingFault {
    /// It names no file.
    NoFile,
    /// It names a store that there is not.
    NoStore,
}

impl fmt::Display for SettingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFile => "names no file",
            Self::NoStore => "is neither \"os\" nor \"file\"",
        })
    }
}

impl Error {
    /// Whether the same call may work later: the keychain is unlocked, or starts, meanwhile.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::NoKeychain(_) | Self::Locked(_) | Self::NoAnswer { .. } | Self::Io { .. }
        )
    }
}
