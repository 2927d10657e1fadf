//! Why the network did not do what it was asked for.

/// The result of a call to the network.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, in the servers' own words where they said any.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The reference servers are not installed.
    #[error("the test network is not installed; run: node tests/network/setup.mjs")]
    NotInstalled,
    /// A server, or a script of the network, ended instead of doing its work.
    #[error("the test network failed: {0}")]
    Start(String),
    /// A server refused a call.
    #[error("{method}: {status} {error} {message}")]
    Refused {
        /// The XRPC method or the control request.
        method: String,
        /// HTTP status.
        status: u16,
        /// The protocol's name of the error, e.g. `InvalidRequest`; empty if there was none.
        error: String,
        /// The server's explanation.
        message: String,
    },
    /// A server answered with something else than the lexicon says.
    #[error("{method} answered unexpectedly")]
    Answer {
        /// The XRPC method or the control request.
        method: String,
        /// What could not be read.
        #[source]
        error: serde_json::Error,
    },
    /// A server did not answer.
    #[error("a server did not answer")]
    Http(#[from] reqwest::Error),
    /// A process could not be run, or a folder not be made.
    #[error("could not run the test network")]
    Io(#[from] std::io::Error),
}

impl Error {
    /// The protocol's name of the error when a server refused, e.g. `RepoTakendown`.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Refused { error, .. } => Some(error),
            _ => None,
        }
    }

    /// The HTTP status when a server refused.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}
