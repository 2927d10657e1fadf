//! Blocks that were read together, and what is kept of them.
//!
//! Of every block its digest and its place in the file; of commits their bytes; of records what the walk will ask for:
//! blobs and faults. Of a tree node that is sound by itself (see [`super::node`]) its keys, and its links as block
//! numbers. A link to a block of the same batch is known when that block is met, as in a file in tree order nearly all
//! are; the others wait in `far` until all blocks are read.

mod maker;

use std::sync::Arc;

pub(super) use self::maker::BatchMaker;
use super::node::{Link, Node};
use super::spread::{Bounds, PARTS};
use crate::record::BlobRef;
use crate::{Cid, Codec};

/// A block's number: batch, then place in the batch.
pub(super) type Block = u32;

/// No block's number.
pub(super) const NO_BLOCK: Block = Block::MAX;

const PLACE_BITS: u32 = 13;

/// Most blocks that one batch may hold.
pub(super) const BATCH_BLOCKS: usize = 1 << PLACE_BITS;

/// Most batches that may be read, so that a number has a bit to spare.
pub(super) const MAX_BATCHES: usize = (1 << (31 - PLACE_BITS)) - 1;

pub(super) fn block(batch: usize, place: usize) -> Block {
    u32::try_from(batch << PLACE_BITS | place).unwrap_or(NO_BLOCK)
}

/// Batch and place.
#[inline]
pub(super) const fn parts(block: Block) -> (usize, usize) {
    (
        (block >> PLACE_BITS) as usize,
        (block & ((1 << PLACE_BITS) - 1)) as usize,
    )
}

/// One block, in 40 bytes: all of them are held at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) digest: [u8; 32],
    /// Where its section begins, in bytes after the batch's first.
    offset: u32,
    /// What it is, in the top bits, and in the others where its bytes are kept, or of a record which blob is its first.
    what: u32,
}

const RAW: u32 = 1 << 31;
const NODE: u32 = 1 << 30;
const BLOBS: u32 = 1 << 29;
const FAULT: u32 = 1 << 28;
const NOTHING_KEPT: u32 = FAULT - 1;

impl Row {
    /// The block's name.
    #[inline]
    pub(super) fn cid(&self) -> Cid {
        named(self.is_raw(), self.digest)
    }

    #[inline]
    pub(super) const fn is_raw(&self) -> bool {
        self.what & RAW != 0
    }

    /// Whether the walk has nothing to ask about it: a canonical record without blobs.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.what & (BLOBS | FAULT) == 0 && (self.what & NODE != 0 || self.what & NOTHING_KEPT == NOTHING_KEPT)
    }

    pub(super) const fn has_blobs(&self) -> bool {
        self.what & BLOBS != 0
    }

    /// What is kept of the block, if it is of this kind.
    #[inline]
    fn kept(&self, kind: u32) -> Option<usize> {
        let at = self.what & NOTHING_KEPT;
        (at != NOTHING_KEPT && self.what & (NODE | BLOBS) == kind).then_some(at as usize)
    }
}

/// A link to a block that was not yet met when its node was; 40 bytes too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Far {
    pub(super) digest: [u8; 32],
    /// Where the link is in the batch's bytes, and in the top bit whether to raw bytes.
    link: u32,
    /// Where it leads to, once that is known.
    pub(super) found: Link,
}

impl Far {
    #[allow(clippy::cast_possible_truncation)] // a link takes bytes of a batch of a few megabytes
    fn new(link: usize, cid: &Cid) -> Self {
        let raw = if cid.codec() == Codec::Raw { RAW } else { 0 };
        Self {
            digest: *cid.digest(),
            link: link as u32 | raw,
            found: Link::NONE,
        }
    }

    pub(super) const fn link(&self) -> usize {
        (self.link & !RAW) as usize
    }

    #[inline]
    pub(super) const fn is_raw(&self) -> bool {
        self.link & RAW != 0
    }

    fn cid(&self) -> Cid {
        named(self.is_raw(), self.digest)
    }
}

fn named(raw: bool, digest: [u8; 32]) -> Cid {
    Cid::from_digest(if raw { Codec::Raw } else { Codec::DagCbor }, digest)
}

/// A [`BlobRef`] that outlives the bytes it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnedBlobRef {
    pub(super) cid: Cid,
    pub(super) mime_type: Arc<str>,
    pub(super) size: Option<u64>,
}

/// Blocks that were read together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    number: usize,
    /// Which source they are in, and where in it the first section begins.
    source: usize,
    offset: u64,
    /// Sorted by part: a block's place is not where it stands in the file.
    pub(super) rows: Vec<Row>,
    row_bounds: Bounds,
    /// Sound nodes; commits, and nodes that are not sound, each after its length.
    bytes: Vec<u8>,
    /// Those whose blocks were not met, sorted by part; once all are looked up those that are missing, sorted by link.
    far: Vec<Far>,
    far_bounds: Bounds,
    /// Blobs that records refer to, by the record's place.
    blobs: Vec<(u16, OwnedBlobRef)>,
    /// Records that are not canonical, by place, with what is wrong.
    faults: Vec<(u16, String)>,
}

impl Batch {
    pub(super) const fn number(&self) -> usize {
        self.number
    }

    /// Which source a block is in, and at which offset its section begins.
    pub(super) fn position(&self, place: usize) -> (usize, u64) {
        (self.source, self.offset + u64::from(self.rows[place].offset))
    }

    /// The bytes of a commit, or of what begins like a tree node but is no sound one.
    pub(super) fn kept_bytes(&self, place: usize) -> Option<&[u8]> {
        let row = self.rows[place];
        let at = row.kept(0)?;
        let (len, rest) = self.bytes[at..].split_first_chunk::<4>()?;
        rest.get(..u32::from_le_bytes(*len) as usize)
    }

    /// The sound tree node in a block.
    #[inline]
    pub(super) fn node(&self, place: usize) -> Option<Node<'_>> {
        let row = self.rows[place];
        Node::open(&self.bytes, row.kept(NODE)?)
    }

    /// Its blocks, and the links of its nodes that wait for blocks, part by part.
    pub(super) fn pieces(&mut self) -> impl Iterator<Item = Piece<'_>> {
        let mut rows = &self.rows[..];
        let mut far = &mut self.far[..];
        let (row_bounds, far_bounds) = (&self.row_bounds, &self.far_bounds);
        (0..PARTS).map(move |part| {
            let range = row_bounds.range(part);
            Piece {
                first: range.start,
                rows: rows.split_off(..range.len()).unwrap_or_default(),
                far: far.split_off_mut(..far_bounds.range(part).len()).unwrap_or_default(),
            }
        })
    }

    /// Takes in what was found of the links that wait.
    pub(super) fn settle(&mut self) {
        for far in &self.far {
            far.found.write(&mut self.bytes, far.link());
        }
        self.far.retain(|far| far.found == Link::NONE);
        self.far.shrink_to_fit();
        self.far.sort_unstable_by_key(Far::link);
    }

    /// What a link names whose block is not there.
    pub(super) fn lost(&self, link: usize) -> Option<Cid> {
        let at = self.far.binary_search_by_key(&link, Far::link).ok()?;
        Some(self.far[at].cid())
    }

    /// Blobs of a record.
    pub(super) fn blobs(&self, place: usize) -> &[(u16, OwnedBlobRef)] {
        let Some(from) = self.rows[place].kept(BLOBS) else {
            return &[];
        };
        let blobs = &self.blobs[from..];
        let others = blobs.iter().position(|(p, _)| usize::from(*p) != place);
        &blobs[..others.unwrap_or(blobs.len())]
    }

    /// What is wrong with a record.
    pub(super) fn fault(&self, place: usize) -> Option<&str> {
        if self.rows[place].what & FAULT == 0 {
            return None;
        }
        let at = self
            .faults
            .binary_search_by_key(&place, |(p, _)| usize::from(*p))
            .ok()?;
        Some(&self.faults[at].1)
    }
}

/// What a batch has of a part.
pub(super) struct Piece<'a> {
    /// Place of the first row.
    pub(super) first: usize,
    pub(super) rows: &'a [Row],
    /// Links that wait for blocks of this part.
    pub(super) far: &'a mut [Far],
}

/// What a record refers to, with its media type of its own.
impl From<BlobRef<'_>> for OwnedBlobRef {
    fn from(blob: BlobRef<'_>) -> Self {
        Self {
            cid: blob.cid,
            mime_type: blob.mime_type.into(),
            size: blob.size,
        }
    }
}
