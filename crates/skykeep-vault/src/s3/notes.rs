//! Which uploads in parts are under way from this computer.
//!
//! Nobody sees an upload before its last part is acknowledged, and its parts are paid for all the same. Whoever lists
//! what is unfinished in a bucket is not told whose it is, so each upload is noted in the scratch folder while it is
//! under way: what a killed program was sending is let go of at the next sweep, and not only after a day.
//!
//! A note is a help and no promise: one that cannot be written or read is left out.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::layout::{Letters, WriterId};
use crate::part::active;

/// No note is longer, in bytes.
const LONGEST: u64 = 16 * 1024;

/// What there is to know about an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// The bucket, as its address.
    pub(super) base: String,
    pub(super) key: String,
    pub(super) upload: String,
}

/// A note that is kept as long as its upload is under way.
#[derive(Debug)]
pub(super) struct Kept {
    file: PathBuf,
    name: String,
}

impl Kept {
    /// Writes a note. Blocks. `None` when that is not possible.
    pub(super) fn write(scratch: &Path, writer: &WriterId, note: &Note) -> Option<Self> {
        let name = format!(".{writer}-{}.upload", Letters::<16>::random().ok()?);
        let file = scratch.join(&name);
        active().insert(name.clone());
        let kept = Self { file, name };
        let written = fs::write(&kept.file, serde_json::to_vec(note).ok()?);
        match written {
            Ok(()) => Some(kept),
            Err(error) => {
                tracing::debug!(%error, "an upload is not noted");
                None
            }
        }
    }

    /// The upload is over.
    pub(super) async fn forget(self) {
        forget(self.file.clone()).await;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        active().remove(&self.name);
    }
}

/// Removes a note. If this fails, the next sweep finds an upload that is gone, and tries again.
pub(super) async fn forget(file: PathBuf) {
    if let Err(error) = tokio::fs::remove_file(file).await {
        tracing::debug!(%error, "a note stays");
    }
}

/// The notes of this writer about this bucket that nobody in this process works on. Blocks.
pub(super) fn left(scratch: &Path, writer: &WriterId, base: &str) -> Vec<(PathBuf, Note)> {
    let ours = format!(".{writer}-");
    let Ok(entries) = fs::read_dir(scratch) else {
        return Vec::new();
    };
    let is_left = |name: &str| name.starts_with(&ours) && name.ends_with(".upload") && !active().contains(name);
    let files = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_left));
    files
        .filter(|entry| {
            entry
                .metadata()
                .is_ok_and(|meta| meta.is_file() && meta.len() <= LONGEST)
        })
        .filter_map(|entry| {
            Some((
                entry.path(),
                serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()?,
            ))
        })
        .filter(|(_, note): &(_, Note)| note.base == base)
        .collect()
}
