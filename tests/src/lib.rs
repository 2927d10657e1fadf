//! What the tests of all rooms stand on: made-up accounts, the network on loopback, and things that fail on purpose.
//!
//! Without its default features this crate is the repository maker alone, for rooms and benches that need no network.

#[cfg(feature = "network")]
pub mod cli;
#[cfg(all(feature = "exfat", target_os = "linux"))]
pub mod exfat;
#[cfg(feature = "frail")]
pub mod frail;
#[cfg(feature = "keep")]
pub mod keep;
#[cfg(feature = "network")]
pub mod network;
pub mod repo_maker;
#[cfg(all(feature = "s3", unix))]
pub mod s3;
mod skipped;

pub use skipped::skipped;
