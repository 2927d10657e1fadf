//! Sets of blocks, a bit for each.

use std::sync::atomic::{AtomicU64, Ordering};

use super::batch::{BATCH_BLOCKS, Block};
use super::index::Index;

fn words(index: &Index) -> usize {
    index.batches() * BATCH_BLOCKS / 64
}

/// A set of blocks that several threads add to.
#[derive(Debug)]
pub(super) struct SharedBlockSet {
    words: Vec<AtomicU64>,
}

impl SharedBlockSet {
    pub(super) fn for_index(index: &Index) -> Self {
        Self {
            words: (0..words(index)).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Adds a block; false when it was there.
    pub(super) fn insert(&self, block: Block) -> bool {
        let bit = 1 << (block % 64);
        self.words[block as usize / 64].fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}

/// A set of blocks.
#[derive(Debug, Clone, Default)]
pub(super) struct BlockSet {
    words: Vec<u64>,
}

impl BlockSet {
    pub(super) fn for_index(index: &Index) -> Self {
        Self {
            words: vec![0; words(index)],
        }
    }

    /// Adds a block; false when it was there.
    #[inline]
    pub(super) fn insert(&mut self, block: Block) -> bool {
        let word = &mut self.words[block as usize / 64];
        let bit = 1 << (block % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    pub(super) fn contains(&self, block: Block) -> bool {
        self.words
            .get(block as usize / 64)
            .is_some_and(|word| word & 1 << (block % 64) != 0)
    }
}
