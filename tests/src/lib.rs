//! What the tests of all rooms stand on: made-up accounts, the network on loopback, and things that fail on purpose.

pub mod network;
pub mod repo_maker;
