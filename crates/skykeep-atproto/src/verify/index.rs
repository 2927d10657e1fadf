//! Where every block is: a table from digest to block, and the links between nodes.
//!
//! The table comes in parts by digest, so that several threads can fill it without waiting for each other. Links that
//! were not known while a batch was read are looked up all together, many at once, because each is a walk through
//! memory that waits for nothing but memory.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::sync::Mutex;
use std::thread;

use super::batch::{Batch, Block, Far, NO_BLOCK, OwnedBlobRef, Row, block, parts};
use super::node::{Link, Node};
use crate::Cid;
use crate::mst::{self, Entry};

/// Blocks from which on the table is worth more than one thread.
const PARTED_FROM: usize = 20_000;

/// Look-ups that are begun before the first one's answer is needed.
const AT_ONCE: usize = 16;

/// All blocks that were read.
#[derive(Debug)]
pub(super) struct Index {
    batches: Vec<Batch>,
    table: Table,
    pub(super) blocks: u64,
}

impl Index {
    /// Gathers batches, which are numbered from 0 in this order, with up to `threads` threads.
    pub(super) fn new(mut batches: Vec<Batch>, threads: usize) -> Self {
        let mut rows = Vec::with_capacity(batches.len());
        let mut links = Vec::with_capacity(batches.len());
        for batch in &mut batches {
            rows.push(&*batch.rows);
            if !batch.far.is_empty() {
                links.push((&mut batch.links[..], &mut batch.far));
            }
        }
        let rows = Rows(rows);
        let blocks = rows.0.iter().map(|rows| rows.len()).sum();
        let threads = if blocks < PARTED_FROM { 1 } else { threads };
        let table = Table::new(&rows, blocks, threads);
        let links = Mutex::new(links.into_iter());
        let work = || {
            while let Some((links, far)) = next(&links) {
                table.resolve(&rows, links, far);
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        Self {
            batches,
            table,
            blocks: blocks as u64,
        }
    }

    /// Number of batches.
    pub(super) fn batches(&self) -> usize {
        self.batches.len()
    }

    /// Finds the first copy of a block.
    pub(super) fn find(&self, cid: &Cid) -> Option<Block> {
        self.table.find(cid, |block| self.row(block))
    }

    /// The first copy of the block that `block` is a copy of.
    #[inline]
    pub(super) fn first(&self, block: Block) -> Block {
        self.table.first(block)
    }

    /// Number of blocks that come again.
    pub(super) fn copies(&self) -> u64 {
        self.table.copies.len() as u64
    }

    #[inline]
    pub(super) fn row(&self, block: Block) -> &Row {
        let (batch, place) = parts(block);
        &self.batches[batch].rows[place]
    }

    /// The name of a block.
    pub(super) fn cid(&self, block: Block) -> Cid {
        self.row(block).cid()
    }

    /// Which source a block is in, and at which offset its section begins.
    pub(super) fn position(&self, block: Block) -> (usize, u64) {
        let (batch, place) = parts(block);
        self.batches[batch].position(place)
    }

    /// The bytes of a commit, or of a block that begins like a tree node and is not sound by itself.
    pub(super) fn kept_bytes(&self, block: Block) -> Option<&[u8]> {
        let (batch, place) = parts(block);
        self.batches[batch].kept_bytes(place)
    }

    /// A tree node that is sound by itself.
    #[inline]
    pub(super) fn node(&self, block: Block) -> Option<Node<'_>> {
        let (batch, place) = parts(block);
        self.batches[batch].node(place)
    }

    /// What a link of a node in `block` names when its block is not there.
    pub(super) fn lost(&self, block: Block, link: usize) -> Option<Cid> {
        self.batches[parts(block).0].lost(link)
    }

    /// Blobs of the record in a block, as found while it was read.
    pub(super) fn blobs(&self, block: Block) -> &[(u16, OwnedBlobRef)] {
        let (batch, place) = parts(block);
        self.batches[batch].blobs(place)
    }

    /// What is wrong with the record in a block.
    pub(super) fn fault(&self, block: Block) -> Option<&str> {
        let (batch, place) = parts(block);
        self.batches[batch].fault(place)
    }

    /// Reads the tree node named `cid` into `entries` and returns its left link, for a tree that is known to be whole.
    pub(super) fn read_node<'a>(&'a self, cid: &Cid, entries: &mut Vec<Entry<'a>>) -> Option<Option<Cid>> {
        let block = self.find(cid)?;
        let Some(node) = self.node(block) else {
            return mst::decode(self.kept_bytes(block)?, entries).ok();
        };
        entries.clear();
        let cid = |link: Link| link.block().map(|block| self.cid(block));
        let (left, links) = node.links().split_first()?;
        for (key, [value, right]) in node.keys().zip(links.as_chunks().0) {
            entries.push(Entry {
                prefix: key.prefix,
                suffix: key.suffix,
                value: cid(*value)?,
                right: cid(*right),
            });
        }
        Some(cid(*left))
    }
}

fn next<T>(rest: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    rest.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next()
}

/// The rows of all batches.
struct Rows<'a>(Vec<&'a [Row]>);

impl<'a> Rows<'a> {
    #[inline]
    fn row(&self, block: Block) -> &'a Row {
        let (batch, place) = parts(block);
        &self.0[batch][place]
    }
}

/// From digest to block.
#[derive(Debug)]
struct Table {
    parts: Vec<Part>,
    seed: u64,
    /// Later copies of a block, and the first.
    copies: HashMap<Block, Block>,
}

/// Open addressing over a power of two of slots, at most three quarters of them taken.
#[derive(Debug)]
struct Part {
    slots: Vec<Slot>,
    taken: usize,
}

/// A block and four bytes of its digest, so that hardly ever the digest of another block is looked at.
#[derive(Debug, Clone, Copy)]
struct Slot {
    block: Block,
    mark: u32,
}

const FREE: Slot = Slot {
    block: NO_BLOCK,
    mark: 0,
};

#[inline]
const fn mark(digest: &[u8; 32]) -> u32 {
    u32::from_le_bytes([digest[8], digest[9], digest[10], digest[11]])
}

impl Table {
    fn new(rows: &Rows<'_>, blocks: usize, threads: usize) -> Self {
        let parts = threads.next_power_of_two();
        let size = (blocks * 3 / 2 / parts + 1).next_power_of_two();
        let mut table = Self {
            parts: Vec::new(),
            // Seeded, so that nobody can mine digests that all fall on one slot.
            seed: RandomState::new().hash_one(0u8),
            copies: HashMap::new(),
        };
        let numbers = Mutex::new(0..parts);
        let filled = Mutex::new(Vec::new());
        let work = || {
            while let Some(number) = next(&numbers) {
                let part = table.fill(rows, number, parts, size);
                let mut filled = filled.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                filled.push((number, part));
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        let mut filled = filled.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        filled.sort_unstable_by_key(|(number, _)| *number);
        for (_, (part, copies)) in filled {
            table.parts.push(part);
            table.copies.extend(copies);
        }
        table
    }

    /// Fills part `number` of `parts`, which is expected to need `size` slots, with its share of all blocks.
    fn fill(&self, rows: &Rows<'_>, number: usize, parts: usize, size: usize) -> (Part, HashMap<Block, Block>) {
        let mut part = Part {
            slots: vec![FREE; size],
            taken: 0,
        };
        let mut copies = HashMap::new();
        for (batch, batch_rows) in rows.0.iter().enumerate() {
            for (n, some) in batch_rows.chunks(AT_ONCE).enumerate() {
                // All slots are asked for before the first is needed.
                let hashes = some.iter().map(|row| self.hash(&row.digest));
                let own = hashes.clone().filter(|hash| part_of(*hash, parts) == number);
                black_box(own.fold(0, |all, hash| all ^ part.slots[part.slot(hash)].block));
                for (m, hash) in hashes.enumerate() {
                    if part_of(hash, parts) == number {
                        let new = block(batch, n * AT_ONCE + m);
                        if let Some(first) = part.insert(new, hash, rows, |row| self.hash(&row.digest)) {
                            copies.insert(new, first);
                        }
                    }
                }
            }
        }
        (part, copies)
    }

    #[inline]
    fn hash(&self, digest: &[u8; 32]) -> u64 {
        let head = u64::from_le_bytes([
            digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
        ]);
        (head ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[inline]
    fn find<'r>(&self, cid: &Cid, row: impl Fn(Block) -> &'r Row) -> Option<Block> {
        let hash = self.hash(cid.digest());
        let (part, wanted) = (self.part(hash), mark(cid.digest()));
        let mut slot = part.slot(hash);
        loop {
            let Slot { block, mark } = part.slots[slot];
            if block == NO_BLOCK {
                return None;
            }
            if mark == wanted && row(block).names(cid) {
                return Some(block);
            }
            slot = part.after(slot);
        }
    }

    #[inline]
    fn first(&self, block: Block) -> Block {
        if self.copies.is_empty() {
            return block;
        }
        self.copies.get(&block).copied().unwrap_or(block)
    }

    fn part(&self, hash: u64) -> &Part {
        &self.parts[part_of(hash, self.parts.len())]
    }

    /// Finds the blocks of all links in `far` and leaves there those that have none.
    fn resolve(&self, rows: &Rows<'_>, links: &mut [Link], far: &mut Vec<Far>) {
        for some in far.chunks_mut(AT_ONCE) {
            // Two rounds in which no look-up waits for the one before; nearly all are right after them.
            let mut blocks = [NO_BLOCK; AT_ONCE];
            for (block, far) in blocks.iter_mut().zip(&*some) {
                let hash = self.hash(far.cid.digest());
                let part = self.part(hash);
                let slot = part.slots[part.slot(hash)];
                *block = if slot.mark == mark(far.cid.digest()) {
                    slot.block
                } else {
                    NO_BLOCK
                };
            }
            let mut right = [false; AT_ONCE];
            for ((right, block), far) in right.iter_mut().zip(blocks).zip(&*some) {
                if block != NO_BLOCK {
                    *right = rows.row(block).names(&far.cid);
                }
            }
            for ((right, block), far) in right.into_iter().zip(blocks).zip(some) {
                let found = if right {
                    Some(block)
                } else {
                    self.find(&far.cid, |block| rows.row(block))
                };
                if let Some(block) = found {
                    links[far.link as usize] = Link::to(block, rows.row(block).is_plain());
                }
            }
        }
        far.retain(|far| links[far.link as usize] == Link::NONE);
        far.shrink_to_fit();
    }
}

/// Which of `parts` (a power of two) a hash belongs to: its top bits say so.
#[inline]
#[allow(clippy::cast_possible_truncation)] // far fewer parts than that
const fn part_of(hash: u64, parts: usize) -> usize {
    (hash >> 48) as usize & (parts - 1)
}

impl Part {
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // masked to the number of slots
    fn slot(&self, hash: u64) -> usize {
        (hash >> 16) as usize & (self.slots.len() - 1)
    }

    #[inline]
    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    /// Adds a block, or returns the one with the same name that is there.
    fn insert(&mut self, new: Block, hash: u64, rows: &Rows<'_>, hash_of: impl Fn(&Row) -> u64) -> Option<Block> {
        if self.taken * 4 >= self.slots.len() * 3 {
            self.grow(rows, hash_of);
        }
        let cid = rows.row(new).cid();
        let mark = mark(cid.digest());
        let mut slot = self.slot(hash);
        loop {
            let there = self.slots[slot];
            if there.block == NO_BLOCK {
                self.slots[slot] = Slot { block: new, mark };
                self.taken += 1;
                return None;
            }
            if there.mark == mark && rows.row(there.block).cid() == cid {
                return Some(there.block);
            }
            slot = self.after(slot);
        }
    }

    fn grow(&mut self, rows: &Rows<'_>, hash_of: impl Fn(&Row) -> u64) {
        let larger = vec![FREE; self.slots.len() * 2];
        for old in std::mem::replace(&mut self.slots, larger) {
            if old.block == NO_BLOCK {
                continue;
            }
            let mut slot = self.slot(hash_of(rows.row(old.block)));
            while self.slots[slot].block != NO_BLOCK {
                slot = self.after(slot);
            }
            self.slots[slot] = old;
        }
    }
}
