//! The public test vectors, when the environment variable `SKYKEEP_VECTORS` names a folder that holds them.
//!
//! They are other people's files and not part of this repository; everything that they test is also tested without
//! them. Layout: `plc/log_*.json` (audit logs of the go-didplc test data), `interop/crypto`, `interop/syntax`, … (the
//! AT Protocol interop tests), `interop/mst-suite` (trees), `interop/cars-synthetic` (repositories of format 2) and
//! `interop/indigo/identity` (DID documents). A folder that is named and lacks a file
//! is a failure.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests count as tests

#[path = "vectors/identity.rs"]
mod identity;
#[path = "vectors/model.rs"]
mod model;
#[path = "vectors/plc.rs"]
mod plc;
#[path = "vectors/trees.rs"]
mod trees;

use std::path::PathBuf;

/// The folder with the vectors; `None`, and a line that says so, when there is none.
fn vectors() -> Option<PathBuf> {
    let folder = std::env::var_os("SKYKEEP_VECTORS").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: SKYKEEP_VECTORS does not name a folder of public test vectors");
    }
    folder
}

/// Reads a vector file, which must be there.
fn read(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads a vector file that is one JSON document.
fn json(path: PathBuf) -> serde_json::Value {
    serde_json::from_slice(&read(path)).unwrap()
}

/// The cases of a `*_valid.txt` or `*_invalid.txt`: a line each, not trimmed; comments and empty lines are none.
fn lines(path: PathBuf) -> Vec<String> {
    let text = String::from_utf8(read(path)).unwrap();
    let cases = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    cases.map(str::to_owned).collect()
}
