//! Which blobs a repository needs, and for which of its records.
//!
//! References are gathered from all records that have any, by several threads, and spread by the beginning of the blob's
//! digest; so each thread then sorts and joins those of its own blobs.

use std::sync::Arc;
use std::thread;

use super::batch::{Block, OwnedBlobRef};
use super::index::Index;
use super::set::BlockSet;
use crate::{Cid, record};

/// A blob that records of the repository need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobUse {
    /// Its name.
    pub cid: Cid,
    /// What its uploader said it is.
    pub mime_type: Arc<str>,
    /// Its length in bytes, as the records have it; absent in the legacy form.
    pub size: Option<u64>,
    /// Paths of the records that refer to it, in tree order; of several with the same bytes only the first.
    pub records: Vec<String>,
}

/// Fewer records with blobs than this are not worth a second thread.
const SHARED_FROM: usize = 2_000;

/// The uses of every blob, sorted by CID, of `records`: those that have blobs, by block and path, in tree order.
pub(super) fn uses(index: &Index, records: &[(Block, String)], threads: usize) -> Vec<BlobUse> {
    let shares = if records.len() < SHARED_FROM { 1 } else { threads };
    let mut seen = BlockSet::for_index(index);
    let first: Vec<(u32, Block)> = (0..)
        .zip(records)
        .filter_map(|(n, (block, _))| seen.insert(*block).then_some((n, *block)))
        .collect();
    let pieces = first.chunks(first.len().div_ceil(shares).max(1));
    let gathered = at_once(pieces, |records| gather(index, records, shares));
    let references = gathered.iter().map(Gathered::len).sum();
    let path = |record: u32| &*records[record as usize].1;
    let share = |number: usize| {
        let found = gathered
            .iter()
            .flat_map(|gathered| gathered.found[number].iter().copied());
        let odd = gathered.iter().flat_map(|gathered| &gathered.odd);
        let odd = odd
            .map(|(n, blob)| Found::new(*n, blob))
            .filter(|found| found.share(shares) == number);
        // The first share takes in the others.
        let room = if number == 0 { references } else { 0 };
        join(found.chain(odd).collect(), path, room)
    };
    in_one(at_once(0..shares, share))
}

/// A record that refers to blobs, and the references as they stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WithBlobs {
    pub(super) path: String,
    pub(super) blobs: Vec<OwnedBlobRef>,
}

/// The uses of every blob, sorted by CID, of `records` in tree order: of those with the same bytes the first.
pub(super) fn uses_of(records: &[WithBlobs], threads: usize) -> Vec<BlobUse> {
    let shares = if records.len() < SHARED_FROM { 1 } else { threads };
    let path = |record: u32| &*records[record as usize].path;
    let share = |number: usize| {
        let all = (0..).zip(records);
        let found = all.flat_map(|(n, record)| record.blobs.iter().map(move |blob| Found::new(n, blob)));
        let own = found.filter(|found| found.share(shares) == number);
        join(own.collect(), path, 0)
    };
    in_one(at_once(0..shares, share))
}

fn in_one(shares: Vec<Vec<BlobUse>>) -> Vec<BlobUse> {
    let mut shares = shares.into_iter();
    let mut all = shares.next().unwrap_or_default();
    shares.for_each(|more| all.extend(more));
    all
}

/// Does `work` with every item, each in a thread of its own; the answers are in the items' order.
fn at_once<T: Send, R: Send>(mut items: impl Iterator<Item = T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let Some(first) = items.next() else { return Vec::new() };
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> = items.map(|item| scope.spawn(move || work(item))).collect();
        let mut answers = vec![work(first)];
        for other in others {
            answers.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        answers
    })
}

/// A record's reference to a blob.
#[derive(Debug, Clone, Copy)]
struct Found<'a> {
    /// How the blob's digest begins: nearly always enough to tell it from others.
    head: u64,
    /// Which of the records it is.
    record: u32,
    blob: &'a OwnedBlobRef,
}

impl<'a> Found<'a> {
    fn new(record: u32, blob: &'a OwnedBlobRef) -> Self {
        let (head, _) = blob.cid.digest().split_first_chunk().expect("a digest has 32 bytes");
        Self {
            head: u64::from_be_bytes(*head),
            record,
            blob,
        }
    }

    /// Which of so many shares it belongs to: as the digests grow, so do these.
    #[allow(clippy::cast_possible_truncation)] // less than `shares`
    fn share(&self, shares: usize) -> usize {
        (((self.head >> 32) * shares as u64) >> 32) as usize
    }
}

/// What one thread found.
#[derive(Debug)]
struct Gathered<'a> {
    /// By share.
    found: Vec<Vec<Found<'a>>>,
    /// Of records that look like tree nodes: nothing was kept of these but their bytes.
    odd: Vec<(u32, OwnedBlobRef)>,
}

impl Gathered<'_> {
    fn len(&self) -> usize {
        self.found.iter().map(Vec::len).sum::<usize>() + self.odd.len()
    }
}

fn gather<'a>(index: &'a Index, records: &[(u32, Block)], shares: usize) -> Gathered<'a> {
    let mut gathered = Gathered {
        found: vec![Vec::new(); shares],
        odd: Vec::new(),
    };
    for (n, block) in records {
        for (_, blob) in index.blobs(*block) {
            let found = Found::new(*n, blob);
            gathered.found[found.share(shares)].push(found);
        }
        if let Some(bytes) = index.kept_bytes(*block) {
            // Proved by the walk already.
            let _ = record::check(bytes, &mut |blob| gathered.odd.push((*n, blob.into())));
        }
    }
    gathered
}

/// Sorts references, and joins those to the same blob; makes room for `room` uses at least.
fn join<'p>(mut found: Vec<Found<'_>>, path: impl Fn(u32) -> &'p str, room: usize) -> Vec<BlobUse> {
    // Of several references in one record the first one counts, as in the record.
    found.sort_by(|a, b| {
        let by_head = a.head.cmp(&b.head);
        by_head.then_with(|| (&a.blob.cid, a.record).cmp(&(&b.blob.cid, b.record)))
    });
    let mut uses = Vec::with_capacity(found.len().max(room));
    for same in found.chunk_by(|a, b| a.blob.cid == b.blob.cid) {
        let first = same[0].blob;
        let mut paths = Vec::with_capacity(same.len());
        for of_one in same.chunk_by(|a, b| a.record == b.record) {
            paths.push(path(of_one[0].record).to_owned());
        }
        uses.push(BlobUse {
            cid: first.cid,
            mime_type: Arc::clone(&first.mime_type),
            size: same.iter().find_map(|found| found.blob.size),
            records: paths,
        });
    }
    uses
}
