//! How much of a vault a check reads.
//!
//! Whatever it reads, it judges in one way: what a manifest names must be there, at its length, and what was read must
//! be what its name and its list say. A check that reads less only knows less.

use std::collections::BTreeSet;

use crate::layout::{StorePath, VaultFile};
use crate::vault::Vault;

/// How much of a vault a check reads.
#[derive(Debug, Clone, Copy)]
pub enum Reading<'a> {
    /// Every file.
    All,
    /// Manifests and lists; of everything else the name and the length.
    Names,
    /// As `Names`, and some of the files.
    Portion(&'a Portion<'a>),
}

/// Some files of a vault. Portions that begin where the one before ended read all of it: paths have one order.
#[derive(Debug, Clone, Default)]
pub struct Portion<'a> {
    /// What is read first, wherever it lies.
    pub first: BTreeSet<StorePath>,
    /// What follows this path is read next; from the first file on without.
    pub after: Option<StorePath>,
    /// It ends with the file that makes this many bytes of what follows; 0: nothing of it is read.
    pub bytes: u64,
    /// A vault that may have the same manifests and lists nearer: one that is not known to be bad here is read there.
    /// Every file is still read here once a round.
    pub twin: Option<&'a Vault>,
}

/// Where a portion ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Reached {
    /// At this path: what follows it was not read.
    Path(StorePath),
    /// At the end of the vault.
    End,
    /// Where it began.
    #[default]
    Nowhere,
}

/// The files that are to be read, in their order.
pub(super) struct Selected {
    /// With their lengths in bytes.
    pub(super) files: Vec<(VaultFile, u64)>,
    /// How many of them are read out of their order.
    pub(super) first: usize,
    /// Whether they end with the last file of the vault.
    pub(super) to_end: bool,
}

impl Reading<'_> {
    /// Chooses from all files of a vault, which come in the order of their paths.
    pub(super) fn select(&self, files: Vec<(StorePath, VaultFile, u64)>) -> Selected {
        let portion = match self {
            Self::All => {
                return Selected {
                    files: files.into_iter().map(|(_, file, size)| (file, size)).collect(),
                    first: 0,
                    to_end: true,
                };
            }
            Self::Names => &Portion::default(),
            Self::Portion(portion) => *portion,
        };
        let mut selected = Vec::new();
        selected.extend(files.iter().filter(|(path, ..)| portion.first.contains(path)));
        let first = selected.len();
        let follows = |path: &StorePath| portion.after.as_ref().is_none_or(|after| path > after);
        let mut left = portion.bytes;
        let mut rest = files.iter().filter(|(path, ..)| follows(path)).peekable();
        while left > 0
            && let Some(next) = rest.next()
        {
            left = left.saturating_sub(next.2);
            selected.push(next);
        }
        Selected {
            first,
            to_end: portion.bytes > 0 && rest.peek().is_none(),
            files: selected
                .into_iter()
                .map(|(_, file, size)| (file.clone(), *size))
                .collect(),
        }
    }

    /// Whether a file that no listing had is read, once it is found by its name.
    pub(super) fn reads_unlisted(&self, path: &StorePath) -> bool {
        match self {
            Self::All => true,
            Self::Names => false,
            Self::Portion(portion) => portion.first.contains(path),
        }
    }

    /// Whether a stop in between ends the reading and not the check.
    pub(super) const fn ends_early(&self) -> bool {
        matches!(self, Self::Portion(_))
    }

    pub(super) const fn twin(&self) -> Option<&Vault> {
        match self {
            Self::Portion(portion) => portion.twin,
            Self::All | Self::Names => None,
        }
    }
}
