//! The did:plc identity: operations, audit logs, and which signing key was valid when.

pub mod history;

pub use history::{KeyHistory, KeyPeriod};
