//! The three fields that every JSON file of a vault begins with, and what a reader does about them.
//!
//! Source: FORMAT.md, section 3, "Versions".

use serde::{Deserialize, Serialize};

use crate::Error;

/// The version that this crate reads and writes.
pub const FORMAT: u64 = 1;

/// `skykeep`, `format`, `requires`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Version {
    skykeep: String,
    format: u64,
    requires: Vec<String>,
}

impl Version {
    /// What we write: nothing beyond version 1 is required of a reader.
    pub(crate) fn ours(what: &str) -> Self {
        Self {
            skykeep: what.to_owned(),
            format: FORMAT,
            requires: Vec::new(),
        }
    }

    /// Judges a file before anything else in it is read.
    ///
    /// Errors: `NewerFormat`; `Invalid` when it is no such file at all.
    pub(crate) fn judge(name: impl ToString, what: &str, json: &[u8]) -> Result<(), Error> {
        let version: Self = serde_json::from_slice(json).map_err(|error| Error::invalid(name.to_string(), error))?;
        if version.skykeep != what {
            return Err(Error::invalid(name, format!("not a {what}")));
        }
        // Sealing is not built yet, so no word is known here.
        let requires = version.requires.into_iter().next();
        if version.format > FORMAT || requires.is_some() {
            return Err(Error::NewerFormat {
                name: name.to_string(),
                format: (version.format > FORMAT).then_some(version.format),
                requires: requires.map(|word| word.chars().take(64).collect()),
            });
        }
        if version.format == 0 {
            return Err(Error::invalid(name, "format 0 was never written"));
        }
        Ok(())
    }
}
