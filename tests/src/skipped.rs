//! How a test says that it could not run here.
//!
//! It calls [`skipped`] and returns. The test runner counts it as passed; `cargo xtask test` reads the file that
//! `SKYKEEP_SKIPPED` names, a line `name TAB reason` for each, and counts it as skipped. A crate that does not
//! depend on this one appends that line itself.

use std::fs::OpenOptions;
use std::io::Write;

/// Says on standard output, and in the file that `SKYKEEP_SKIPPED` names, that the test `name` did not run.
///
/// `reason` is what is missing, in a few words: "needs root", "needs loop devices". It is one line.
///
/// # Panics
/// When the file cannot be written: a test that was silently left out must not count as passed.
#[allow(clippy::print_stdout)]
pub fn skipped(name: &str, reason: &str) {
    println!("SKIPPED {name}: {reason}");
    let Some(path) = std::env::var_os("SKYKEEP_SKIPPED") else {
        return;
    };
    // One write of one line in append mode: test programs may write at the same time.
    let line = format!(
        "{}\t{}\n",
        name.replace(['\t', '\n'], " "),
        reason.replace(['\t', '\n'], " ")
    );
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    written.expect("the list of skipped tests can be written");
}
