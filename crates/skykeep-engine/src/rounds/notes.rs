//! Notes of what is on its way where, written before a delivery and gone after it: one that is there at the next start
//! says what a power cut, a kill or a pulled drive may have touched.
//!
//! They are files, because the catalogue may lose its last transactions to the same power cut. A note names the newest
//! snapshot that the place had before; what later ones name is what may be hurt. An older note is never replaced by a newer
//! one: it covers more.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use skykeep_atproto::Did;
use skykeep_vault::layout::VaultId;

use crate::Error;
use crate::data::{create_private, replace_file};

/// What is on its way to a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Whose snapshots.
    pub(crate) did: Did,
    /// The place.
    pub(crate) place: VaultId,
    /// The newest snapshot that the place had before.
    pub(crate) held: Option<String>,
}

/// The folder with the notes.
#[derive(Debug, Clone)]
pub(crate) struct Notes(PathBuf);

impl Notes {
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Writes a note, durably. Errors: `Data`.
    pub(crate) fn begin(&self, note: &Note) -> Result<(), Error> {
        create_private(&self.0).map_err(Error::data(&self.0))?;
        let bytes = serde_json::to_vec(note).map_err(|error| Error::data(&self.0)(error.into()))?;
        replace_file(&self.path(note, "now"), &bytes)
    }

    /// The delivery ended as it should. Errors: `Data`.
    pub(crate) fn end(&self, note: &Note) -> Result<(), Error> {
        remove(&self.path(note, "now"))
    }

    /// The delivery did not: what it may have touched is to be read. Errors: `Data`.
    pub(crate) fn unclean(&self, note: &Note) -> Result<(), Error> {
        self.keep(&self.path(note, "now"))
    }

    /// At the start: every delivery that a note is left of did not end cleanly. Errors: `Data`.
    pub(crate) fn take_over(&self) -> Result<(), Error> {
        for path in self.all("now")? {
            self.keep(&path)?;
        }
        Ok(())
    }

    /// What may have been touched in a place. A note that cannot be read is none: it was never finished.
    ///
    /// Errors: `Data`.
    pub(crate) fn touched(&self, place: &VaultId) -> Result<Vec<Note>, Error> {
        let notes = self.all("unclean")?.into_iter().filter_map(|path| note_in(&path));
        Ok(notes.filter(|note| note.place == *place).collect())
    }

    /// What may have been touched was read. Errors: `Data`.
    pub(crate) fn read(&self, note: &Note) -> Result<(), Error> {
        let all = self.all("unclean")?.into_iter();
        all.filter(|path| note_in(path).as_ref() == Some(note))
            .try_for_each(|path| remove(&path))
    }

    /// An older note stays in place of a newer one.
    fn keep(&self, path: &Path) -> Result<(), Error> {
        let kept = path.with_extension("unclean");
        if kept.exists() {
            return remove(path);
        }
        match fs::rename(path, &kept) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::data(path)(error)),
            _ => Ok(()),
        }
    }

    fn path(&self, note: &Note, ending: &str) -> PathBuf {
        // Unlike the DID itself, short and without a colon.
        let hash = skykeep_atproto::Cid::of(skykeep_atproto::Codec::Raw, note.did.as_str().as_bytes());
        let name = hash.to_string();
        self.0
            .join(format!("{}-{}.{ending}", note.place, &name[name.len() - 26..]))
    }

    fn all(&self, ending: &str) -> Result<Vec<PathBuf>, Error> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::data(&self.0))?,
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        Ok(paths
            .filter(|path| path.extension().is_some_and(|found| found == ending))
            .collect())
    }
}

fn note_in(path: &Path) -> Option<Note> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::data(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(place: &str, held: Option<&str>) -> Note {
        Note {
            did: "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap(),
            place: place.parse().unwrap(),
            held: held.map(str::to_owned),
        }
    }

    #[test]
    fn what_did_not_end_is_touched_until_it_was_read_and_the_older_note_counts() {
        let dir = tempfile::tempdir().unwrap();
        let notes = Notes::in_folder(dir.path().join("delivering"));
        let place = VaultId::random().unwrap().to_string();
        let id = place.parse().unwrap();
        let (first, second) = (note(&place, Some("a")), note(&place, Some("b")));
        notes.take_over().unwrap();
        assert_eq!(notes.touched(&id).unwrap(), []);
        notes.begin(&first).unwrap();
        notes.end(&first).unwrap();
        notes.take_over().unwrap();
        assert_eq!(notes.touched(&id).unwrap(), []);
        // A kill, and one more.
        notes.begin(&first).unwrap();
        notes.take_over().unwrap();
        notes.begin(&second).unwrap();
        assert_eq!(notes.touched(&id).unwrap(), std::slice::from_ref(&first));
        notes.take_over().unwrap();
        assert_eq!(notes.touched(&id).unwrap(), std::slice::from_ref(&first));
        assert_eq!(notes.touched(&VaultId::random().unwrap()).unwrap(), []);
        notes.read(&first).unwrap();
        notes.take_over().unwrap();
        assert_eq!(notes.touched(&id).unwrap(), []);
        // A drive that was pulled.
        notes.begin(&second).unwrap();
        notes.unclean(&second).unwrap();
        notes.end(&second).unwrap();
        assert_eq!(notes.touched(&id).unwrap(), [second]);
    }
}
