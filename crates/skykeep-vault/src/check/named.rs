//! Asking by name for what a listing left out.
//!
//! A server may list incompletely, a page of a large bucket or what was written last, and answers all the same to
//! whoever asks for a file by its name. So nothing is called missing before it was asked for. A place that was
//! emptied has a hundred thousand such names: when [`BELIEVED`] of them in a row are gone, the listing is believed for
//! the rest.

use futures_util::stream::{self, StreamExt as _};

use super::{Inspection, State, note, read};
use crate::Error;
use crate::check::Fault;
use crate::layout::VaultFile;

/// Files in a row that are gone indeed; after them no more are asked for.
const BELIEVED: usize = 100;
/// Files asked for at once.
const AT_ONCE: usize = 8;

/// What came of asking.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// What is there although it was not listed.
    pub(super) found: Count,
    /// What of it was read.
    pub(super) read: Count,
    gone_in_a_row: usize,
}

/// Files, and their bytes as far as they are known.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Count {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

impl Inspection<'_> {
    /// Asks for those of these files that were not listed; what is there is judged like any other, and read
    /// where it would have been had it been listed.
    ///
    /// Errors: those of the place as a whole.
    pub(super) async fn ask_for(&mut self, files: impl IntoIterator<Item = VaultFile>) -> Result<(), Error> {
        let (vault, reading) = (self.vault, self.reading);
        let files: Vec<VaultFile> = files
            .into_iter()
            .filter(|file| !self.states.contains_key(file))
            .collect();
        let mut answers = stream::iter(files)
            .map(|file| async move {
                let state = match reading.reads_unlisted(&file.path()) {
                    true => read(vault, &file).await,
                    false => look(vault, &file).await,
                };
                (file, state)
            })
            .buffered(AT_ONCE);
        while self.named.gone_in_a_row < BELIEVED
            && let Some((file, state)) = answers.next().await
        {
            let Some(state) = state? else {
                self.named.gone_in_a_row += 1;
                continue;
            };
            self.named.gone_in_a_row = 0;
            match state {
                State::Read(size, sum) => {
                    self.named.found.add(size);
                    self.named.read.add(size);
                    if !file.admits(&sum) {
                        note(&mut self.damages, &file, Fault::Damaged);
                    }
                }
                State::Listed(size) => self.named.found.add(size),
                State::Unreadable => {
                    self.named.found.add(0);
                    note(&mut self.damages, &file, Fault::Unreadable);
                }
            }
            self.states.insert(file, state);
        }
        Ok(())
    }
}

/// Whether a file is there, and how long it is. Errors: those of the place as a whole.
async fn look(vault: &crate::Vault, file: &VaultFile) -> Result<Option<State>, Error> {
    match vault.store().get(&file.path()).await {
        Ok(Some(content)) => Ok(Some(content.size().map_or(State::Unreadable, State::Listed))),
        Ok(None) => Ok(None),
        Err(error) if error.is_of_place() => Err(error),
        Err(_) => Ok(Some(State::Unreadable)),
    }
}
