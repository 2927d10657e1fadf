//! Everything that was read: where every block is, and what is known of it.
//!
//! Links that were not known while a batch was read are looked up when all batches are there (see [`super::table`]).

use std::sync::Mutex;
use std::thread;

use super::batch::{Batch, Block, OwnedBlobRef, Row, parts};
use super::node::{Link, Node};
use super::spread::Spread;
use super::table::{Table, next};
use crate::Cid;
use crate::mst::{self, Entry};

/// Blocks from which on the table is worth more than one thread.
const PARTED_FROM: usize = 20_000;

/// All blocks that were read.
#[derive(Debug)]
pub(super) struct Index {
    batches: Vec<Batch>,
    table: Table,
    pub(super) blocks: u64,
}

impl Index {
    /// Gathers batches, which are numbered from 0 in this order, with up to `threads` threads.
    pub(super) fn new(mut batches: Vec<Batch>, spread: Spread, threads: usize) -> Self {
        let blocks: usize = batches.iter().map(|batch| batch.rows.len()).sum();
        let threads = if blocks < PARTED_FROM { 1 } else { threads };
        let table = Table::new(&mut batches, spread, threads);
        let rest = Mutex::new(batches.iter_mut());
        let work = || {
            while let Some(batch) = next(&rest) {
                batch.settle();
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
        self.table.copies()
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
        self.read_node_in(self.find(cid)?, entries)
    }

    /// The same of the node in a block, whose links may name blocks that are not there.
    pub(super) fn read_node_in<'a>(&'a self, block: Block, entries: &mut Vec<Entry<'a>>) -> Option<Option<Cid>> {
        let Some(node) = self.node(block) else {
            return mst::decode(self.kept_bytes(block)?, entries).ok();
        };
        entries.clear();
        let cid = |place: usize, link: Link| match link.block() {
            Some(block) => Some(self.cid(block)),
            None => self.lost(block, node.place(place)),
        };
        for (n, key) in node.keys().enumerate() {
            entries.push(Entry {
                prefix: key.prefix,
                suffix: key.suffix,
                value: cid(1 + 2 * n, key.value)?,
                right: cid(2 + 2 * n, key.right),
            });
        }
        Some(cid(0, node.left()))
    }
}
