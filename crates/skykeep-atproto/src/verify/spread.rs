//! How blocks are spread: over parts that are small enough for a core's cache, and in each over its table.
//!
//! Where blocks come in no order, every look-up among all of them waits for memory. So batches keep their blocks, and
//! the links that wait for others, sorted by part, and one part is worked on at a time.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

/// Parts that all blocks are spread over. Of a million records each has ten thousand blocks.
pub(super) const PARTS: usize = 128;

/// Where things of one batch that are sorted by part begin; one more at the end.
#[derive(Debug, Default)]
pub(super) struct Bounds(Vec<u32>);

impl Bounds {
    /// The things of a part.
    pub(super) fn range(&self, part: usize) -> Range<usize> {
        self.0[part] as usize..self.0[part + 1] as usize
    }
}

/// From digest to hash, by a number that nobody outside knows: so nobody can mine digests that all fall on one place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    seed: u64,
}

impl Spread {
    pub(super) fn new() -> Self {
        Self {
            seed: RandomState::new().hash_one(0u8),
        }
    }

    /// The hash of a digest.
    #[inline]
    pub(super) fn hash(&self, digest: &[u8; 32]) -> u64 {
        let head = u64::from_le_bytes([
            digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
        ]);
        (head ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Which part a digest belongs to.
    #[inline]
    pub(super) fn part(&self, digest: &[u8; 32]) -> usize {
        part_of(self.hash(digest))
    }
}

/// Which part a hash belongs to: its top bits say so.
#[inline]
pub(super) const fn part_of(hash: u64) -> usize {
    (hash >> 48) as usize % PARTS
}

/// Where each of some things goes when they are sorted by part, those of one part in the order in which they come.
#[derive(Debug, Default)]
pub(super) struct Sorting {
    /// The part of each, and then its place.
    places: Vec<u32>,
    /// The same the other way round: what goes to each place.
    order: Vec<u32>,
}

impl Sorting {
    /// Sorts things by the given parts, fewer of them than 2^32.
    #[allow(clippy::cast_possible_truncation)] // so is said above
    pub(super) fn by_part(&mut self, parts: impl Iterator<Item = usize>) -> Bounds {
        self.places.clear();
        self.places.extend(parts.map(|part| part as u32));
        let mut bounds = vec![0; PARTS + 1];
        for part in &self.places {
            bounds[*part as usize + 1] += 1;
        }
        for part in 0..PARTS {
            bounds[part + 1] += bounds[part];
        }
        let mut next = bounds.clone();
        self.order.resize(self.places.len(), 0);
        for (n, place) in self.places.iter_mut().enumerate() {
            let next = &mut next[*place as usize];
            *place = *next;
            self.order[*next as usize] = n as u32;
            *next += 1;
        }
        Bounds(bounds)
    }

    /// The new place of each.
    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    /// A copy of `things` in the new order.
    pub(super) fn sorted<T: Copy>(&self, things: &[T]) -> Vec<T> {
        self.order.iter().map(|from| things[*from as usize]).collect()
    }
}
