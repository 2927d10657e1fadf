//! Everything that can go wrong between us and a stranger.
//!
//! The text is for the log: it names hosts, never whole addresses, because a query may hold what is nobody's business.

use std::io;
use std::time::Duration;

use skykeep_atproto::{Did, Handle};

/// What asking a stranger ends with when it does not end well. `host` is `name` or `name:port`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host does not know this account.
    #[error("{host} has no repository of {did}")]
    RepoNotFound {
        /// Who was asked.
        host: String,
        /// About whom.
        did: Did,
    },
    /// The host's operator took the account down.
    #[error("{host} has taken down {did}")]
    RepoTakendown {
        /// Who was asked.
        host: String,
        /// About whom.
        did: Did,
    },
    /// The host's operator suspended the account.
    #[error("{host} has suspended {did}")]
    RepoSuspended {
        /// Who was asked.
        host: String,
        /// About whom.
        did: Did,
    },
    /// The account's owner deactivated it.
    #[error("{did} is deactivated at {host}")]
    RepoDeactivated {
        /// Who was asked.
        host: String,
        /// About whom.
        did: Did,
    },
    /// The host lists the blob but has lost, hidden or never had its bytes.
    #[error("{host} does not have the blob")]
    BlobNotFound {
        /// Who was asked.
        host: String,
    },
    /// The host wants a sign-in where the protocol asks for none.
    #[error("{host} wants a sign-in")]
    AuthRequired {
        /// Who was asked.
        host: String,
    },
    /// An XRPC error with a name that has no variant of its own.
    #[error("{host} answered {status} {name}")]
    Xrpc {
        /// Who was asked.
        host: String,
        /// HTTP status.
        status: u16,
        /// The error's name, at most 64 letters and digits.
        name: String,
        /// The host's own words: at most 200 characters, nothing unprintable. Untrusted.
        message: String,
    },
    /// A failure without an XRPC error that could be read.
    #[error("{host} answered {status}")]
    Http {
        /// Who was asked.
        host: String,
        /// HTTP status.
        status: u16,
    },
    /// The host asked for a pause that is longer than the caller's [`crate::Patience`]. Nobody is asked before.
    #[error("{host} asks to be left alone for {} s", wait.as_secs())]
    RateLimited {
        /// Who asked for it.
        host: String,
        /// How long from now, at most an hour.
        wait: Duration,
    },
    /// No answer came, or the connection ended in the middle of one.
    #[error("{host} cannot be reached ({cause})")]
    Unreachable {
        /// Who was asked.
        host: String,
        /// What failed.
        cause: Cause,
    },
    /// The answer came too slowly to ever end: [`crate::Patience::idle`], [`crate::Patience::whole`].
    #[error("{host} stopped sending")]
    Stalled {
        /// Who was asked.
        host: String,
    },
    /// The answer is larger than it may be, sent or unpacked.
    #[error("{what} from {host} is larger than {limit} bytes")]
    TooLarge {
        /// Who was asked.
        host: String,
        /// What was asked for.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// The answer is not what was asked for.
    #[error("{what} from {host} is unusable: {reason}")]
    BadBody {
        /// Who was asked.
        host: String,
        /// What was asked for.
        what: &'static str,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The answer is JSON, and not what it claims to be.
    #[error("{what} from {host} cannot be read")]
    Malformed {
        /// Who was asked.
        host: String,
        /// What was asked for.
        what: &'static str,
        /// Which rule it breaks.
        source: skykeep_atproto::Error,
    },
    /// We do not go there.
    #[error("not asking {host}: {reason}")]
    Refused {
        /// Where it would have gone.
        host: String,
        /// Why not.
        reason: Refusal,
    },
    /// Not a handle, DID or address of a profile. `text` is cut to 128 characters.
    #[error("names no account: {text:?}")]
    Input {
        /// What was typed.
        text: String,
    },
    /// Nobody knows the handle, and those who should know were there to be asked.
    #[error("no account has the handle {handle}")]
    HandleNotFound {
        /// The handle.
        handle: Handle,
    },
    /// Nobody who was there knows the handle, and somebody who may know it could not be asked.
    #[error("who has the handle {handle} cannot be found out")]
    HandleUnreachable {
        /// The handle.
        handle: Handle,
        /// What kept the one who may know from answering.
        source: Box<Error>,
    },
    /// The handle names an account that does not name the handle.
    #[error("{handle} points to {did}, which does not point back")]
    HandleMismatch {
        /// The handle that was asked for.
        handle: Handle,
        /// The account that it points to.
        did: Did,
        /// The handle that the account names instead.
        says: Option<Handle>,
    },
    /// Nobody knows the DID.
    #[error("{did} does not exist")]
    DidNotFound {
        /// The DID.
        did: Did,
    },
    /// The identity was ended with a tombstone operation.
    #[error("{did} has been ended")]
    DidTombstoned {
        /// The DID.
        did: Did,
    },
    /// A DID method other than did:plc and did:web, or a did:web that AT Protocol does not allow.
    #[error("{did} cannot be resolved")]
    DidUnsupported {
        /// The DID.
        did: Did,
    },
    /// Settings or environment hold a value that cannot be used.
    #[error("{variable} {fault}")]
    Config {
        /// The environment variable, or the setting's name.
        variable: &'static str,
        /// What is wrong with it.
        fault: ConfigFault,
    },
    /// This computer gives no TLS: no trusted roots, most often.
    #[error("no secure connections on this computer: {reason}")]
    Setup {
        /// The library's words.
        reason: String,
    },
    /// The answer could not be written to the caller's file.
    #[error("writing what was received failed")]
    File(#[source] io::Error),
    /// The caller's token was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// What made a host unreachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its name has no address, or nobody would tell it.
    Name,
    /// Nobody listens, or the network does not reach it.
    Connect,
    /// Its certificate is not one that this computer trusts for the name.
    Certificate,
    /// It took longer than [`crate::Patience`] allows to connect or to begin an answer.
    Timeout,
    /// The connection ended before the answer did, or what came is not HTTP as it should be.
    Cut,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Name => "no address",
            Self::Connect => "no connection",
            Self::Certificate => "certificate not trusted",
            Self::Timeout => "no answer in time",
            Self::Cut => "connection cut",
        })
    }
}

/// Why an address was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It leads to this computer or into a private network.
    PrivateAddress,
    /// Plain http, which anybody on the way can read and change.
    PlainHttp,
    /// Neither https nor http.
    Scheme,
    /// It has a user name, no host, or a path where none may be.
    Address,
    /// A redirect too many, one without a target, or one where none may be.
    Redirect,
    /// A redirect from https to http.
    Downgrade,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PrivateAddress => "private address",
            Self::PlainHttp => "plain http",
            Self::Scheme => "not a web address",
            Self::Address => "malformed address",
            Self::Redirect => "bad redirect",
            Self::Downgrade => "redirect from https to http",
        })
    }
}

/// Why a setting cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigFault {
    /// Neither 0 nor 1.
    NoSwitch,
    /// Not an address that begins with https:// or http://.
    NoWebAddress,
    /// More than a host, a port and a path.
    MoreThanAddress,
    /// Not an IP address with or without a port.
    NoIp,
}

impl std::fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoSwitch => "is neither 0 nor 1",
            Self::NoWebAddress => "is not a web address",
            Self::MoreThanAddress => "may hold a host, a port and a path only",
            Self::NoIp => "is not an IP address with or without a port",
        })
    }
}

impl Error {
    /// Whether asking again later may help without anybody doing anything.
    ///
    /// Source: HTTP statuses 429, 500, 502, 503, 504 and what the network does by itself.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Stalled { .. } => true,
            Self::Unreachable { cause, .. } => *cause != Cause::Certificate,
            Self::Http { status, .. } => matches!(status, 500 | 502 | 503 | 504),
            Self::HandleUnreachable { source, .. } => source.is_transient(),
            _ => false,
        }
    }
}
