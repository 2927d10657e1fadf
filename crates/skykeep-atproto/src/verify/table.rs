//! From digest to block: a table that all links which wait for their block are looked up in.
//!
//! It comes in parts by digest (see [`super::spread`]), filled and looked up one after another while their blocks are in
//! a core's cache, by several threads that need not wait for each other. Each is open addressing over buckets of a cache
//! line, so that hardly ever a digest is compared with another one than its own.

use std::collections::HashMap;
use std::iter;
use std::sync::Mutex;
use std::thread;

use super::batch::{Batch, Block, Far, Row, block, parts};
use super::node::Link;
use super::spread::{PARTS, Spread, part_of};
use crate::{Cid, Codec};

/// From digest to block.
#[derive(Debug)]
pub(super) struct Table {
    parts: Vec<Part>,
    spread: Spread,
    /// Later copies of a block, and the first.
    copies: HashMap<Block, Block>,
}

/// Buckets, a power of two of them.
#[derive(Debug)]
struct Part {
    buckets: Vec<Bucket>,
}

/// Blocks in a bucket.
const PLACES: usize = 8;

/// Blocks, each with its mark, in one cache line; the first places are taken first.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Bucket {
    marks: [u32; PLACES],
    links: [Link; PLACES],
}

const FREE: Bucket = Bucket {
    marks: [0; PLACES],
    links: [Link::NONE; PLACES],
};

/// The codec and 31 bits of the digest, so that hardly ever the digest of another block is looked at.
#[inline]
const fn mark(digest: &[u8; 32], raw: bool) -> u32 {
    u32::from_le_bytes([digest[8], digest[9], digest[10], digest[11]]) & !1 | raw as u32
}

impl Bucket {
    /// All blocks with a mark. All marks are compared at once, which processors do well, and then hardly any is left.
    #[inline]
    fn with(&self, mark: u32) -> impl Iterator<Item = Link> {
        let same = self.marks.map(|other| other == mark);
        let mut places = (0..)
            .zip(same)
            .fold(0u8, |places, (n, same)| places | u8::from(same) << n);
        iter::from_fn(move || {
            let place = places.trailing_zeros() as usize;
            places &= places.wrapping_sub(1);
            self.links.get(place).copied()
        })
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.links[PLACES - 1] != Link::NONE
    }

    fn put(&mut self, mark: u32, link: Link) -> bool {
        let free = self.links.iter().position(|link| *link == Link::NONE);
        if let Some(place) = free {
            self.marks[place] = mark;
            self.links[place] = link;
        }
        free.is_some()
    }
}

/// What all batches have of a part.
#[derive(Default)]
struct Share<'a> {
    blocks: Blocks<'a>,
    far: Vec<&'a mut [Far]>,
}

/// The blocks of a part: by batch the place of the first and the rows.
#[derive(Default)]
struct Blocks<'a>(Vec<(usize, &'a [Row])>);

impl<'a> Blocks<'a> {
    #[inline]
    fn row(&self, block: Block) -> &'a Row {
        let (batch, place) = parts(block);
        let (first, rows) = self.0[batch];
        &rows[place - first]
    }
}

impl Table {
    /// Fills a table with the blocks of all batches, and finds those that links of theirs wait for, with `threads`
    /// threads.
    pub(super) fn new(batches: &mut [Batch], spread: Spread, threads: usize) -> Self {
        let mut shares: Vec<Share<'_>> = (0..PARTS).map(|_| Share::default()).collect();
        for batch in batches {
            for (share, piece) in shares.iter_mut().zip(batch.pieces()) {
                share.blocks.0.push((piece.first, piece.rows));
                share.far.push(piece.far);
            }
        }
        let rest = Mutex::new(shares.into_iter().enumerate());
        let filled = Mutex::new(Vec::with_capacity(PARTS));
        let work = || {
            while let Some((number, share)) = next(&rest) {
                let (part, copies) = Part::fill(&share.blocks, spread);
                part.resolve(share, spread);
                let mut filled = filled.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                filled.push((number, part, copies));
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        let mut filled = filled.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        filled.sort_unstable_by_key(|(number, ..)| *number);
        let mut table = Self {
            parts: Vec::with_capacity(PARTS),
            spread,
            copies: HashMap::new(),
        };
        for (_, part, copies) in filled {
            table.parts.push(part);
            table.copies.extend(copies);
        }
        table
    }

    /// Number of blocks that come again.
    pub(super) fn copies(&self) -> u64 {
        self.copies.len() as u64
    }

    /// The first copy of the block that `block` is a copy of.
    #[inline]
    pub(super) fn first(&self, block: Block) -> Block {
        if self.copies.is_empty() {
            return block;
        }
        self.copies.get(&block).copied().unwrap_or(block)
    }

    /// Finds the first copy of a block.
    pub(super) fn find<'r>(&self, cid: &Cid, row: impl Fn(Block) -> &'r Row) -> Option<Block> {
        let hash = self.spread.hash(cid.digest());
        let mark = mark(cid.digest(), cid.codec() == Codec::Raw);
        self.parts[part_of(hash)].find(cid.digest(), mark, hash, row)?.block()
    }
}

/// The next of what several threads share.
pub(super) fn next<T>(rest: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    rest.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next()
}

impl Part {
    /// A table of all blocks of a part, and of those that come again the first copy.
    fn fill(blocks: &Blocks<'_>, spread: Spread) -> (Self, HashMap<Block, Block>) {
        let count: usize = blocks.0.iter().map(|(_, rows)| rows.len()).sum();
        let mut part = Self {
            // At most three quarters of the places are taken.
            buckets: vec![FREE; (count * 4 / 3 / PLACES + 1).next_power_of_two()],
        };
        let mut copies = HashMap::new();
        for (batch, (first, rows)) in blocks.0.iter().enumerate() {
            for (n, row) in rows.iter().enumerate() {
                let new = block(batch, first + n);
                if let Some(there) = part.insert(new, row, spread, blocks) {
                    copies.insert(new, there);
                }
            }
        }
        (part, copies)
    }

    /// Adds a block, or returns the one with the same name that is there.
    #[inline]
    fn insert(&mut self, new: Block, row: &Row, spread: Spread, blocks: &Blocks<'_>) -> Option<Block> {
        let mark = mark(&row.digest, row.is_raw());
        let mut at = self.bucket(spread.hash(&row.digest));
        loop {
            let alike = self.buckets[at].with(mark).filter_map(Link::block);
            let there = { alike }.find(|block| blocks.row(*block).digest == row.digest);
            if there.is_some() || self.buckets[at].put(mark, Link::to(new, row.is_plain())) {
                return there;
            }
            at = self.after(at);
        }
    }

    /// Finds the blocks that links wait for.
    fn resolve(&self, share: Share<'_>, spread: Spread) {
        for far in share.far.into_iter().flatten() {
            let hash = spread.hash(&far.digest);
            let mark = mark(&far.digest, far.is_raw());
            let found = self.find(&far.digest, mark, hash, |block| share.blocks.row(block));
            far.found = found.unwrap_or(Link::NONE);
        }
    }

    #[inline]
    fn find<'r>(&self, digest: &[u8; 32], mark: u32, hash: u64, row: impl Fn(Block) -> &'r Row) -> Option<Link> {
        let mut at = self.bucket(hash);
        loop {
            let bucket = &self.buckets[at];
            let is_right = |link: &Link| link.block().is_some_and(|block| row(block).digest == *digest);
            let found = bucket.with(mark).find(is_right);
            if found.is_some() || !bucket.is_full() {
                return found;
            }
            at = self.after(at);
        }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // masked to the number of buckets
    fn bucket(&self, hash: u64) -> usize {
        (hash >> 16) as usize & (self.buckets.len() - 1)
    }

    #[inline]
    fn after(&self, bucket: usize) -> usize {
        (bucket + 1) & (self.buckets.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::BatchMaker;
    use super::*;

    /// Names that fall on one bucket and have one mark: they differ in the last byte alone.
    fn names(codec: Codec) -> impl Iterator<Item = Cid> {
        (0..40).map(move |last| {
            let mut digest = [7; 32];
            digest[31] = last;
            Cid::from_digest(codec, digest)
        })
    }

    #[test]
    fn blocks_that_look_alike_are_told_apart() {
        let spread = Spread::new();
        let mut maker = BatchMaker::new(spread);
        maker.begin(0, 0, 0);
        // The last ten are never there; the first five come twice, and again as another codec's.
        let there: Vec<Cid> = names(Codec::DagCbor).take(30).collect();
        let raw: Vec<Cid> = names(Codec::Raw).take(5).collect();
        for (n, cid) in (0..).zip(there.iter().chain(&there[..5]).chain(&raw)) {
            maker.block(cid, n);
        }
        let mut batches = [maker.finish().unwrap()];
        let table = Table::new(&mut batches, spread, 2);
        let [batch] = &batches;
        let find = |cid: &Cid| table.find(cid, |block| &batch.rows[parts(block).1]);
        assert_eq!(table.copies(), 5);
        for (n, cid) in (0..).zip(there.iter()).chain((35..).zip(&raw)) {
            let block = find(cid).unwrap_or_else(|| panic!("{cid}"));
            assert_eq!(batch.position(parts(block).1), (0, n), "{cid}");
            assert_eq!(table.first(block), block);
        }
        for cid in names(Codec::DagCbor).skip(30).chain(names(Codec::Raw).skip(5)) {
            assert_eq!(find(&cid), None, "{cid}");
        }
    }
}
