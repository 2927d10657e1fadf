//! Making batches while blocks are read.

use std::iter;
use std::sync::Arc;

use super::{BATCH_BLOCKS, BLOBS, Batch, FAULT, Far, NODE, NOTHING_KEPT, OwnedBlobRef, RAW, Row, block, parts};
use crate::mst::Entry;
use crate::record::BlobRef;
use crate::verify::node::{self, Link};
use crate::verify::spread::{Sorting, Spread};
use crate::{Cid, Codec};

/// Makes batches, each of some cuts of one source; its own room is kept from one to the next, so that only what stays is
/// allocated anew.
#[derive(Debug)]
pub(in crate::verify) struct BatchMaker {
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
    pub(in crate::verify) fn new(spread: Spread) -> Self {
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
    pub(in crate::verify) fn has_room(&self, source: usize, offset: u64, blocks: usize, bytes: usize) -> bool {
        self.begun
            && self.batch.source == source
            && self.rows.len() + blocks <= BATCH_BLOCKS
            && self.bytes.len() < BATCH_BYTES
            && u32::try_from(offset + bytes as u64 - self.batch.offset).is_ok()
    }

    /// Begins batch `number`, of blocks from `offset` in `source` on.
    pub(in crate::verify) fn begin(&mut self, number: usize, source: usize, offset: u64) {
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
    pub(in crate::verify) fn finish(&mut self) -> Option<Batch> {
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
    pub(in crate::verify) fn memory(&self) -> u64 {
        let sized = size_of_val(&self.rows[..]) + size_of_val(&self.batch.blobs[..]);
        (sized + size_of_val(&self.far[..]) + self.bytes.len() + self.faults) as u64
    }

    /// Says that the blocks of a cut are all there: others come next than those that are expected.
    pub(in crate::verify) fn end_of_cut(&mut self) {
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
    pub(in crate::verify) fn block(&mut self, cid: &Cid, offset: u64) {
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
    pub(in crate::verify) fn node(&mut self, left: Option<Cid>, entries: &[Entry<'_>]) -> bool {
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
    pub(in crate::verify) fn keep(&mut self, data: &[u8]) {
        let at = self.bytes.len();
        self.bytes.extend(u32::try_from(data.len()).unwrap_or(0).to_le_bytes());
        self.bytes.extend(data);
        self.mark(0, at);
    }

    /// Adds a blob that the last block refers to.
    pub(in crate::verify) fn blob(&mut self, blob: &BlobRef<'_>) {
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
    pub(in crate::verify) fn fault(&mut self, what: String) {
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
