//! The vault, tested at its door.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::print_stdout)] // helpers of tests count as tests

mod account;
mod damage;
mod deliver;
mod exfat;
mod hostile;
mod names;
mod recover;
mod snapshots;
mod stopped;
mod store_contract;
mod together;
