//! The only room that talks to strangers.
//!
//! Everything from outside has a size limit and a time limit, and leaves this room as typed data or a typed error.
//! Nothing here is believed: repositories and blobs are proved elsewhere, identities are asked for both ways. Every
//! question ends when its [`CancellationToken`] is cancelled, waits its turn in its host's queue, and is asked again
//! only when that may help. What a stranger says never decides where we connect to: see [`Refusal`].
//!
//! Sources: AT Protocol "HTTP API", "Handle", "DID", "Sync"; did:plc; the published limits of the hosts.

pub mod appview;
mod body;
pub mod config;
mod dns;
pub mod error;
mod failure;
mod guard;
mod handle;
mod headers;
mod identifier;
pub mod pds;
pub mod plc;
mod question;
mod queue;
pub mod resolve;
mod xrpc;

pub use config::{NetConfig, Patience};
pub use error::{Cause, ConfigFault, Error, Refusal};
pub use tokio_util::sync::CancellationToken;
pub use xrpc::Client;
