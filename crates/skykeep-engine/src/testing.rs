//! What unit tests of several rooms share.

use std::fs::OpenOptions;
use std::io::Write;

/// Counts a test as skipped, with the reason: a line in the file that `SKYKEEP_SKIPPED` names, if it does.
pub(crate) fn skipped(name: &str, reason: &str) {
    println!("skipped: {name}: {reason}");
    if let Some(path) = std::env::var_os("SKYKEEP_SKIPPED") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{name}\t{reason}").unwrap();
    }
}
