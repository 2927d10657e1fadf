//! Where every block is: digests in file order, and a table from digest to block.
//!
//! Blocks come in batches as they were read; a block's number is its batch and its place there, so numbers grow in the
//! order of the bytes and nothing is moved when batches are gathered.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::record::BlobRef;
use crate::{Cid, Codec};

/// A block's number: batch, then place in the batch.
pub(super) type Block = u32;

const PLACE_BITS: u32 = 13;

/// Most blocks that one batch may hold.
pub(super) const BATCH_BLOCKS: usize = 1 << PLACE_BITS;

/// Most batches that an index may hold.
pub(super) const MAX_BATCHES: usize = 1 << (32 - PLACE_BITS);

const NO_BYTES: u32 = u32::MAX;

/// Blocks that were read together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Which source they are in.
    pub(super) source: usize,
    digests: Vec<[u8; 32]>,
    /// Offset of the section in its source, times two, plus one for codec raw.
    offsets: Vec<u64>,
    /// Where the bytes of a block that may be a tree node or a commit are kept, else `NO_BYTES`.
    kept: Vec<u32>,
    bytes: Vec<u8>,
    /// Blobs that records refer to, by the record's place.
    pub(super) blobs: Vec<(u16, OwnedBlobRef)>,
    /// Records that are not canonical, by place, with what is wrong.
    pub(super) faults: Vec<(u16, String)>,
}

/// A [`BlobRef`] that outlives the bytes it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnedBlobRef {
    pub(super) cid: Cid,
    pub(super) mime_type: Box<str>,
    pub(super) size: Option<u64>,
}

impl From<BlobRef<'_>> for OwnedBlobRef {
    fn from(blob: BlobRef<'_>) -> Self {
        Self {
            cid: blob.cid,
            mime_type: blob.mime_type.into(),
            size: blob.size,
        }
    }
}

impl Batch {
    pub(super) fn with_capacity(source: usize, blocks: usize) -> Self {
        Self {
            source,
            digests: Vec::with_capacity(blocks),
            offsets: Vec::with_capacity(blocks),
            kept: Vec::with_capacity(blocks),
            ..Self::default()
        }
    }

    /// The place that the next block will take.
    pub(super) fn next_place(&self) -> u16 {
        u16::try_from(self.digests.len()).expect("a batch holds at most BATCH_BLOCKS blocks")
    }

    /// Adds a block whose section begins at `offset`; `keep` are its bytes when the walk will want them.
    pub(super) fn push(&mut self, cid: Cid, offset: u64, keep: Option<&[u8]>) {
        self.digests.push(*cid.digest());
        self.offsets.push(offset << 1 | u64::from(cid.codec() == Codec::Raw));
        self.kept.push(match keep {
            None => NO_BYTES,
            Some(bytes) => {
                let at = u32::try_from(self.bytes.len()).expect("a batch is a few megabytes at most");
                self.bytes.extend(u32::try_from(bytes.len()).unwrap_or(0).to_le_bytes());
                self.bytes.extend(bytes);
                at
            }
        });
    }

    /// Lets go of spare memory.
    pub(super) fn finish(mut self) -> Self {
        self.bytes.shrink_to_fit();
        self
    }

    pub(super) fn len(&self) -> usize {
        self.digests.len()
    }

    /// Bytes of memory that the batch holds.
    pub(super) fn memory(&self) -> u64 {
        let blobs: usize = self
            .blobs
            .iter()
            .map(|(_, b)| size_of::<(u16, OwnedBlobRef)>() + b.mime_type.len())
            .sum();
        let faults: usize = self.faults.iter().map(|(_, f)| 32 + f.len()).sum();
        (self.digests.len() * (32 + 8 + 4) + self.bytes.len() + blobs + faults) as u64
    }
}

/// All blocks that were read.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) batches: Vec<Batch>,
    table: Vec<Block>,
    mask: usize,
    seed: u64,
    /// Later copies of a block, and the first.
    copies: HashMap<Block, Block>,
    pub(super) blocks: u64,
}

const EMPTY: Block = Block::MAX;

impl Index {
    pub(super) fn new(batches: Vec<Batch>) -> Self {
        let blocks: usize = batches.iter().map(Batch::len).sum();
        let size = (blocks * 3 / 2 + 1).next_power_of_two();
        // Seeded, so that nobody can mine digests that all fall on one slot.
        let seed = RandomState::new().hash_one(0u8);
        let mut index = Self {
            batches,
            table: vec![EMPTY; size],
            mask: size - 1,
            seed,
            copies: HashMap::new(),
            blocks: blocks as u64,
        };
        index.fill();
        index
    }

    fn fill(&mut self) {
        for batch in 0..self.batches.len() {
            for place in 0..self.batches[batch].digests.len() {
                let digest = self.batches[batch].digests[place];
                let block = block(batch, place);
                let mut slot = self.slot(&digest);
                loop {
                    match self.table[slot] {
                        EMPTY => {
                            self.table[slot] = block;
                            break;
                        }
                        first if *self.digest(first) == digest => {
                            self.copies.insert(block, first);
                            break;
                        }
                        _ => slot = (slot + 1) & self.mask,
                    }
                }
            }
        }
    }

    #[allow(clippy::cast_possible_truncation)] // masked to the table's size
    fn slot(&self, digest: &[u8; 32]) -> usize {
        let head = u64::from_le_bytes(digest[..8].try_into().expect("eight bytes"));
        let mixed = (head ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 20) as usize & self.mask
    }

    /// Finds the first copy of a block. `guess` is tried first: in a file in tree order it is right.
    #[inline]
    pub(super) fn find(&self, cid: &Cid, guess: Block) -> Option<Block> {
        let (batch, place) = parts(guess);
        if let Some(digest) = self.batches.get(batch).and_then(|b| b.digests.get(place))
            && digest == cid.digest()
        {
            let first = if self.copies.is_empty() {
                guess
            } else {
                *self.copies.get(&guess).unwrap_or(&guess)
            };
            return self.same_codec(first, cid);
        }
        let mut slot = self.slot(cid.digest());
        loop {
            match self.table[slot] {
                EMPTY => return None,
                block if self.digest(block) == cid.digest() => return self.same_codec(block, cid),
                _ => slot = (slot + 1) & self.mask,
            }
        }
    }

    fn same_codec(&self, block: Block, cid: &Cid) -> Option<Block> {
        (self.cid(block).codec() == cid.codec()).then_some(block)
    }

    /// The block after `block`, whether it exists or not.
    #[inline]
    pub(super) fn after(&self, block: Block) -> Block {
        let (batch, place) = parts(block);
        if place + 1 < self.batches.get(batch).map_or(0, Batch::len) {
            block + 1
        } else {
            self::block(batch + 1, 0)
        }
    }

    #[inline]
    fn digest(&self, block: Block) -> &[u8; 32] {
        let (batch, place) = parts(block);
        &self.batches[batch].digests[place]
    }

    /// The name of a block.
    pub(super) fn cid(&self, block: Block) -> Cid {
        let (batch, place) = parts(block);
        let batch = &self.batches[batch];
        let codec = if batch.offsets[place] & 1 == 1 {
            Codec::Raw
        } else {
            Codec::DagCbor
        };
        Cid::from_digest(codec, batch.digests[place])
    }

    /// Which source a block is in, and at which offset its section begins.
    pub(super) fn position(&self, block: Block) -> (usize, u64) {
        let (batch, place) = parts(block);
        let batch = &self.batches[batch];
        (batch.source, batch.offsets[place] >> 1)
    }

    /// The bytes of a block that looked like a tree node or a commit.
    #[inline]
    pub(super) fn kept_bytes(&self, block: Block) -> Option<&[u8]> {
        let (batch, place) = parts(block);
        let batch = &self.batches[batch];
        let at = batch.kept[place];
        if at == NO_BYTES {
            return None;
        }
        let (len, rest) = batch.bytes[at as usize..].split_first_chunk::<4>()?;
        rest.get(..u32::from_le_bytes(*len) as usize)
    }

    /// Blobs of the record in a block, as found while it was read.
    pub(super) fn blobs(&self, block: Block) -> &[(u16, OwnedBlobRef)] {
        let (batch, place) = parts(block);
        let blobs = &self.batches[batch].blobs;
        if blobs.is_empty() {
            return &[];
        }
        let from = blobs.partition_point(|(p, _)| usize::from(*p) < place);
        let to = blobs.partition_point(|(p, _)| usize::from(*p) <= place);
        &blobs[from..to]
    }

    /// What is wrong with the record in a block.
    pub(super) fn fault(&self, block: Block) -> Option<&str> {
        let (batch, place) = parts(block);
        let faults = &self.batches[batch].faults;
        let at = faults.binary_search_by_key(&place, |(p, _)| usize::from(*p)).ok()?;
        Some(&faults[at].1)
    }

    /// Number of blocks that come again.
    pub(super) fn copies(&self) -> u64 {
        self.copies.len() as u64
    }
}

fn block(batch: usize, place: usize) -> Block {
    u32::try_from(batch << PLACE_BITS | place).unwrap_or(EMPTY)
}

#[inline]
const fn parts(block: Block) -> (usize, usize) {
    (
        (block >> PLACE_BITS) as usize,
        (block & ((1 << PLACE_BITS) - 1)) as usize,
    )
}

/// A set of blocks that several threads add to.
#[derive(Debug)]
pub(super) struct SharedBlockSet {
    words: Vec<AtomicU64>,
}

impl SharedBlockSet {
    pub(super) fn for_index(index: &Index) -> Self {
        let words = index.batches.len() * BATCH_BLOCKS / 64;
        Self {
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
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
            words: vec![0; index.batches.len() * BATCH_BLOCKS / 64],
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
