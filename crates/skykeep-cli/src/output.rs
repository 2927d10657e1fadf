//! Standard output and standard error, each in one place.

use std::error::Error;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

/// Exit code of wrong usage.
const USAGE: i32 = 2;

/// Prints one JSON document.
pub(crate) fn document(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => self::text(&text),
        Err(error) => note(&error.to_string()),
    }
}

/// Prints words for a person.
pub(crate) fn text(text: &str) {
    // A closed pipe is the reader's choice.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints to standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says that something failed before there was anything to show; false, for the exit code.
pub(crate) fn failed(json: bool, reason: &str) -> bool {
    if json {
        document(&json!({ "error": reason }));
    }
    note(reason);
    false
}

/// Ends the program because of what was typed.
pub(crate) fn wrong_usage(reason: &str) -> ! {
    note(reason);
    std::process::exit(USAGE)
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
