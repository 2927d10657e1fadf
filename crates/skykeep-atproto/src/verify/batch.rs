//! Blocks that were read together, and what is kept of them.
//!
//! Of every block its digest and its place in the file; of commits their bytes; of records what the walk will ask for:
//! blobs and faults. Of a tree node that is sound by itself (see [`super::node`]) its keys, and its links as block
//! numbers. A link to a block of the same batch is known when that block is met, as in a file in tree order nearly all
//! are; the others wait in `far` until all blocks are read.

use std::iter;
use std::sync::Arc;

use super::node::{self, Link, Node};
use super::spread::{Bounds, PARTS, Sorting, Spread};
use crate::mst::Entry;
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

/// Makes batches, each of some cuts of one source; its own room is kept from one to the next, so that only what stays is
/// allocated anew.
#[derive(Debug)]
pub(super) struct BatchMaker {
    spread: Spread,
    sorting: Sorting,
    /// The batch that is being made, once one was begun; its blocks still stand as in the file.
    batch: Batch,
    begun: bool,
    rows: Vec<Row>,
    bytes: Vec<u8>,
    /// Links of the batch's nodes in order; the ones whose block was met leave at the end of the cut.
    far: Vec<Far>,
    /// How many of them are of cuts that ended.
    far_of_ended: usize,
    /// Which of `far` the next blocks will be if the file is in tree order, the next one last.
    expected: Vec<usize>,
    judge: node::Judge,
    /// Media types seen so far.
    mime_types: Vec<Arc<str>>,
    /// Bytes that the texts of faults take.
    faults: usize,
}

/// Kept bytes from which on a batch takes no further cut.
const BATCH_BYTES: usize = 4 << 20;

/// Expected blocks that are passed over when another one comes: records that came before already.
const PASSED_OVER: usize = 4;

/// Different media types that are remembered.
const MIME_TYPES: usize = 64;

impl BatchMaker {
    pub(super) fn new(spread: Spread) -> Self {
        Self {
            spread,
            sorting: Sorting::default(),
            batch: Batch::default(),
            begun: false,
            rows: Vec::with_capacity(BATCH_BLOCKS),
            bytes: Vec::new(),
            far: Vec::new(),
            far_of_ended: 0,
            expected: Vec::new(),
            judge: node::Judge::default(),
            mime_types: Vec::new(),
            faults: 0,
        }
    }

    /// Whether a cut of so many blocks and bytes at `offset` of `source` fits into the batch that is being made.
    pub(super) fn has_room(&self, source: usize, offset: u64, blocks: usize, bytes: usize) -> bool {
        self.begun
            && self.batch.source == source
            && self.rows.len() + blocks <= BATCH_BLOCKS
            && self.bytes.len() < BATCH_BYTES
            && u32::try_from(offset + bytes as u64 - self.batch.offset).is_ok()
    }

    /// Begins batch `number`, of blocks from `offset` in `source` on.
    pub(super) fn begin(&mut self, number: usize, source: usize, offset: u64) {
        self.rows.clear();
        self.bytes.clear();
        self.far.clear();
        self.far_of_ended = 0;
        self.faults = 0;
        self.begun = true;
        self.batch = Batch {
            number,
            source,
            offset,
            ..Batch::default()
        };
    }

    /// The batch, if one was begun; it holds no more than it needs.
    pub(super) fn finish(&mut self) -> Option<Batch> {
        if !std::mem::take(&mut self.begun) {
            return None;
        }
        let mut batch = std::mem::take(&mut self.batch);
        let parts = self.far.iter().map(|far| self.spread.part(&far.digest));
        batch.far_bounds = self.sorting.by_part(parts);
        batch.far = self.sorting.sorted(&self.far);
        let parts = self.rows.iter().map(|row| self.spread.part(&row.digest));
        batch.row_bounds = self.sorting.by_part(parts);
        batch.rows = self.sorting.sorted(&self.rows);
        batch.blobs.shrink_to_fit();
        self.number_anew(&mut batch);
        batch.bytes = self.bytes.as_slice().into();
        Some(batch)
    }

    /// Gives blocks the numbers that they have after sorting, wherever they are named by the ones before.
    #[allow(clippy::cast_possible_truncation)] // a batch holds at most BATCH_BLOCKS blocks
    fn number_anew(&mut self, batch: &mut Batch) {
        let places = self.sorting.places();
        for at in self.rows.iter().filter_map(|row| row.kept(NODE)) {
            for link in node::places(&self.bytes, at) {
                if let Some(met) = Link::read(&self.bytes, link).block() {
                    let place = places[parts(met).1] as usize;
                    let met = Link::to(block(batch.number, place), batch.rows[place].is_plain());
                    met.write(&mut self.bytes, link);
                }
            }
        }
        for (place, _) in &mut batch.blobs {
            *place = places[usize::from(*place)] as u16;
        }
        for (place, _) in &mut batch.faults {
            *place = places[usize::from(*place)] as u16;
        }
        batch.blobs.sort_by_key(|(place, _)| *place);
        for (n, (place, _)) in batch.blobs.iter().enumerate().rev() {
            let what = &mut batch.rows[usize::from(*place)].what;
            *what = *what & !NOTHING_KEPT | n as u32;
        }
        batch.faults.sort_unstable_by_key(|(place, _)| *place);
    }

    /// Bytes of memory that the batch holds so far.
    pub(super) fn memory(&self) -> u64 {
        let sized = size_of_val(&self.rows[..]) + size_of_val(&self.batch.blobs[..]);
        (sized + size_of_val(&self.far[..]) + self.bytes.len() + self.faults) as u64
    }

    /// Says that the blocks of a cut are all there: others come next than those that are expected.
    pub(super) fn end_of_cut(&mut self) {
        self.expected.clear();
        for n in self.far_of_ended..self.far.len() {
            let far = self.far[n];
            if Link::read(&self.bytes, far.link()) == Link::NONE {
                self.far[self.far_of_ended] = far;
                self.far_of_ended += 1;
            }
        }
        self.far.truncate(self.far_of_ended);
    }

    /// Adds a block whose section begins at `offset` in the source.
    pub(super) fn block(&mut self, cid: &Cid, offset: u64) {
        let raw = if cid.codec() == Codec::Raw { RAW } else { 0 };
        let row = Row {
            digest: *cid.digest(),
            offset: u32::try_from(offset - self.batch.offset).unwrap_or(u32::MAX),
            what: raw | NOTHING_KEPT,
        };
        self.meet(&row);
        self.rows.push(row);
    }

    /// Fits a new block to the link that waits for it, if it is one of the next.
    fn meet(&mut self, row: &Row) {
        let number = block(self.batch.number, self.rows.len());
        for _ in 0..PASSED_OVER {
            let Some(expected) = self.expected.pop() else { return };
            let far = &self.far[expected];
            if row.digest == far.digest && row.is_raw() == far.is_raw() {
                let link = far.link();
                Link::to(number, false).write(&mut self.bytes, link);
                return;
            }
        }
        self.expected.clear();
    }

    /// Keeps the node that the last block is, if it is sound.
    pub(super) fn node(&mut self, left: Option<Cid>, entries: &[Entry<'_>]) -> bool {
        let Some(layer) = self.judge.judge(entries) else {
            return false;
        };
        let at = self.bytes.len();
        let first = self.far.len();
        node::write(&mut self.bytes, layer, entries);
        let beside = entries.iter().flat_map(|entry| [Some(entry.value), entry.right]);
        let links = node::places(&self.bytes, at).zip(iter::once(left).chain(beside));
        self.far.extend(links.filter_map(|(at, cid)| Some(Far::new(at, &cid?))));
        self.expected.extend((first..self.far.len()).rev());
        self.mark(NODE, at);
        true
    }

    /// Keeps the bytes of the last block.
    pub(super) fn keep(&mut self, data: &[u8]) {
        let at = self.bytes.len();
        self.bytes.extend(u32::try_from(data.len()).unwrap_or(0).to_le_bytes());
        self.bytes.extend(data);
        self.mark(0, at);
    }

    /// Adds a blob that the last block refers to.
    pub(super) fn blob(&mut self, blob: &BlobRef<'_>) {
        let mime_type = self.mime_type(blob.mime_type);
        let (place, row) = self.last();
        row.what |= BLOBS;
        let blob = OwnedBlobRef {
            cid: blob.cid,
            mime_type,
            size: blob.size,
        };
        self.batch.blobs.push((place, blob));
    }

    /// Says what is wrong with the record that the last block is.
    pub(super) fn fault(&mut self, what: String) {
        let (place, row) = self.last();
        row.what |= FAULT;
        self.faults += size_of::<(u16, String)>() + what.len();
        self.batch.faults.push((place, what));
    }

    fn mime_type(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.mime_types.iter().find(|known| ***known == *text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        if self.mime_types.len() < MIME_TYPES {
            self.mime_types.push(Arc::clone(&new));
        }
        new
    }

    fn mark(&mut self, kind: u32, at: usize) {
        let at = u32::try_from(at).unwrap_or(NOTHING_KEPT).min(NOTHING_KEPT);
        let (_, row) = self.last();
        row.what = row.what & RAW | kind | at;
    }

    fn last(&mut self) -> (u16, &mut Row) {
        let place = self.rows.len() - 1;
        let number = u16::try_from(place).expect("a batch holds at most BATCH_BLOCKS blocks");
        (number, &mut self.rows[place])
    }
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
