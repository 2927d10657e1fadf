//! The vault, tested at its door.

// Helpers of tests count as tests.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::print_stdout)]

mod account;
mod damage;
mod deliver;
mod exfat;
mod hostile;
#[cfg(target_os = "linux")]
mod limits;
mod names;
mod portions;
mod recover;
#[cfg(target_os = "linux")]
mod s3;
mod snapshots;
mod staging;
mod stopped;
mod store_contract;
mod together;
mod unlisted;
