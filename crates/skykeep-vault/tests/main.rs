//! The vault, tested at its door.

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
