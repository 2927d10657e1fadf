//! The fuzz targets, with everything that fuzzing ever kept, and with what becomes of it by a few random changes.
//!
//! `SKYKEEP_SEED` repeats a run; `SKYKEEP_EXHAUSTIVE` makes it a long one.

#![allow(unreachable_pub)] // the targets are another package's too

#[path = "../../../fuzz/src/targets.rs"]
mod targets;

use std::fs;
use std::path::PathBuf;

use skykeep_tests::repo_maker::seeded::{Seeded, exhaustive};

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 6] = [
    ("car", targets::car),
    ("node", targets::node),
    ("commit", targets::commit),
    ("record", targets::record),
    ("operation", targets::operation),
    ("log", targets::log),
];

/// The files of a target's corpus, by name.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus")).join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files
        .map(|file| {
            let path = file.expect("a folder lists its files").path();
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path, bytes)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn what_fuzzing_kept_is_still_handled() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(files.len() >= 4, "the corpus of {name} has {} files", files.len());
        for (path, bytes) in files {
            println!("{}", path.display());
            target(&bytes);
        }
    }
}

#[test]
fn so_is_what_a_few_changes_make_of_it() {
    let mut seeded = Seeded::of_run();
    let changes = if exhaustive() { 50_000 } else { 300 };
    for (name, target) in TARGETS {
        let files = corpus(name);
        for n in 0..changes {
            let bytes = &files[seeded.index(files.len())].1;
            let other = &files[seeded.index(files.len())].1;
            let changed = change(bytes, other, &mut seeded);
            println!("{name}, change {n}");
            target(&changed);
        }
    }
}

/// Some bytes changed, left out, repeated, or taken from another file.
fn change(bytes: &[u8], other: &[u8], seeded: &mut Seeded) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=seeded.index(4) {
        let (at, len) = (seeded.index(bytes.len() + 1), seeded.index(40));
        let end = bytes.len().min(at + len);
        match seeded.index(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << seeded.index(8),
            1 if at < bytes.len() => bytes[at] = *seeded.pick(&[&0, &1, &0x7f, &0x80, &0xff, &0xa0, &0x58, &0xf6]),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.extend_from_within(at..end),
            4 => {
                let new = seeded.bytes(len);
                bytes.splice(at..at, new);
            }
            _ => {
                let from = seeded.index(other.len() + 1);
                let to = other.len().min(from + len);
                bytes.splice(at..end, other[from..to].iter().copied());
            }
        }
    }
    bytes
}
