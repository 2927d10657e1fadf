//! Walking the tree: every key in order and on its layer, every node canonical, nothing missing.
//!
//! The rules, for a node on layer n (the layer of the root is that of its keys):
//! 1. its bytes are canonical (see [`crate::mst`]) and each key shares with the one before it exactly what it says;
//! 2. every key lies on layer n and is a valid record path; subtrees lie on layer n-1, and there are none below 0;
//! 3. over the whole walk, keys grow bytewise;
//! 4. a node without keys has a left subtree and is not the root, except for the one node of an empty repository;
//! 5. every node and every record is there, and every record is one canonical map.
//!
//! Together these leave one tree for a set of records. Subtrees a few layers below the root are walked in parallel.
//! No node is entered twice: keys that grow leave no place for that, and a few nodes that all name each other's
//! subtrees would otherwise be a walk without end. For the same reason keys beyond the longest path are not hashed.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::index::{Block, Index, SharedBlockSet};
use super::report::{FindingCode, Findings};
use crate::mst::{self, Entry, MAX_LAYER};
use crate::{Cid, path, record};

/// Layers below the root's that are walked in one thread before the rest is shared out.
const SHARED_BELOW: u32 = 4;

/// Repositories with fewer blocks are walked in one thread.
const SHARED_FROM: u64 = 20_000;

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Nodes and records in tree order: node, left subtree, then each record and the subtree right of it.
    pub(super) order: Vec<Block>,
    pub(super) nodes: u64,
    pub(super) records: u64,
    /// Records by collection.
    pub(super) collections: BTreeMap<String, u64>,
    /// Records with blobs, by path, in tree order. Of records with the same bytes not all need be there, but the first.
    pub(super) with_blobs: Vec<(Block, String)>,
    pub(super) findings: Findings,
}

/// Walks the tree below `root` with up to `threads` threads.
pub(super) fn walk(index: &Index, root: Cid, threads: usize) -> Walked {
    let entered = SharedBlockSet::for_index(index);
    let mut top = Walker::new(index, &entered);
    let Some(block) = index.find(&root, 0) else {
        top.part
            .findings
            .add(FindingCode::MissingNode, || format!("{root}, the root of the tree"));
        return join(vec![top.part]);
    };
    if threads > 1 && index.blocks >= SHARED_FROM {
        top.share = Some(Vec::new());
    }
    top.root(block);
    let shared = top.share.take().unwrap_or_default();
    top.close();
    let results: Vec<Mutex<Option<Part>>> = shared.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some((block, layer)) = shared.get(n) else { return };
            let mut walker = Walker::new(index, &entered);
            walker.node(*block, Some(*layer));
            let part = walker.finish();
            *results[n].lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(part);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(shared.len()) {
            scope.spawn(work);
        }
        work();
    });
    // The top was closed once before each shared subtree and once at its end.
    let mut subtrees = results
        .into_iter()
        .map(|r| r.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner));
    let mut parts = Vec::with_capacity(shared.len() * 2 + 1);
    for part in top.closed {
        parts.push(part);
        parts.extend(subtrees.next().flatten());
    }
    join(parts)
}

/// A stretch of the walk between two shared subtrees, or one such subtree.
#[derive(Debug, Default)]
struct Part {
    order: Vec<Block>,
    nodes: u64,
    records: u64,
    collections: Vec<(Vec<u8>, u64)>,
    with_blobs: Vec<(Block, String)>,
    findings: Findings,
    first: Option<Vec<u8>>,
    last: Vec<u8>,
}

fn join(parts: Vec<Part>) -> Walked {
    let mut walked = Walked::default();
    walked
        .order
        .reserve_exact(parts.iter().map(|part| part.order.len()).sum());
    let mut last: Option<Vec<u8>> = None;
    for part in parts {
        walked.order.extend(part.order);
        walked.nodes += part.nodes;
        walked.records += part.records;
        for (collection, count) in part.collections {
            *walked.collections.entry(text(&collection)).or_default() += count;
        }
        walked.with_blobs.extend(part.with_blobs);
        walked.findings.extend(part.findings);
        if let Some(first) = part.first {
            if last.is_some_and(|last| last >= first) {
                walked.findings.add(FindingCode::KeyOrder, || text(&first));
            }
            last = Some(part.last);
        }
    }
    walked
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(path::MAX_PATH)]).into_owned()
}

/// What a node on one depth of the walk needs; kept for the next node of that depth.
#[derive(Default)]
struct Scratch<'a> {
    entries: Vec<Entry<'a>>,
    key: Vec<u8>,
}

struct Walker<'a> {
    index: &'a Index,
    entered: &'a SharedBlockSet,
    part: Part,
    closed: Vec<Part>,
    /// Subtrees for others to walk, when this is the top of a shared walk.
    share: Option<Vec<(Block, u32)>>,
    root_layer: u32,
    /// The block that a file in tree order has next.
    guess: Block,
    /// The collection of the last key, and how many records it has so far.
    collection: Vec<u8>,
    count: u64,
    spare: Vec<Scratch<'a>>,
    /// Blocks of records with blobs that are listed already.
    listed: HashSet<Block>,
}

impl<'a> Walker<'a> {
    fn new(index: &'a Index, entered: &'a SharedBlockSet) -> Self {
        Self {
            index,
            entered,
            part: Part::default(),
            closed: Vec::new(),
            share: None,
            root_layer: 0,
            guess: 0,
            collection: Vec::new(),
            count: 0,
            spare: Vec::new(),
            listed: HashSet::new(),
        }
    }

    fn finish(mut self) -> Part {
        self.tally();
        self.part
    }

    /// Ends a part: the keys of a shared subtree come next.
    fn close(&mut self) {
        self.tally();
        self.closed.push(std::mem::take(&mut self.part));
    }

    fn tally(&mut self) {
        if self.count > 0 {
            self.part.collections.push((self.collection.clone(), self.count));
            self.count = 0;
        }
    }

    fn root(&mut self, block: Block) {
        self.node(block, None);
    }

    /// Walks the node in `block`, which its parent puts on `layer` (the root has none).
    fn node(&mut self, block: Block, layer: Option<u32>) {
        self.part.nodes += 1;
        self.part.order.push(block);
        self.guess = self.index.after(block);
        let mut scratch = self.spare.pop().unwrap_or_default();
        let decoded = match self.index.kept_bytes(block) {
            Some(bytes) => mst::decode(bytes, &mut scratch.entries).map_err(|error| error.to_string()),
            None => Err("not a tree node".to_owned()),
        };
        match decoded {
            Ok(left) => self.entries(block, layer, left, &mut scratch),
            Err(error) => self
                .part
                .findings
                .add(FindingCode::BadNode, || format!("{}: {error}", self.index.cid(block))),
        }
        self.spare.push(scratch);
    }

    fn entries(&mut self, block: Block, layer: Option<u32>, left: Option<Cid>, scratch: &mut Scratch<'a>) {
        let is_root = layer.is_none();
        if scratch.entries.is_empty() && is_root != left.is_none() {
            let cid = self.index.cid(block);
            self.part.findings.add(FindingCode::EmptyNode, || cid.to_string());
        }
        let layer = layer.unwrap_or_else(|| scratch.entries.first().map_or(MAX_LAYER, |e| mst::layer(e.suffix)));
        if is_root {
            self.root_layer = layer;
        }
        self.subtree(left, layer);
        let Scratch { entries, key } = scratch;
        key.clear();
        for entry in entries.iter() {
            // The longest shared beginning: no more than there is, and the next byte differs.
            let maximal = key
                .get(entry.prefix)
                .is_none_or(|next| entry.suffix.first() != Some(next));
            if entry.prefix > key.len() || !maximal {
                self.part.findings.add(FindingCode::KeyPrefix, || text(key));
            }
            key.truncate(entry.prefix);
            key.extend_from_slice(entry.suffix);
            if key.len() <= path::MAX_PATH && mst::layer(key) != layer {
                self.part.findings.add(FindingCode::KeyLayer, || text(key));
            }
            self.record(key, entry.value);
            self.subtree(entry.right, layer);
        }
    }

    fn subtree(&mut self, link: Option<Cid>, parent_layer: u32) {
        let Some(cid) = link else { return };
        let Some(layer) = parent_layer.checked_sub(1) else {
            self.part
                .findings
                .add(FindingCode::KeyLayer, || format!("{cid} lies below the lowest layer"));
            return;
        };
        let Some(block) = self.index.find(&cid, self.guess) else {
            self.part.findings.add(FindingCode::MissingNode, || cid.to_string());
            return;
        };
        if !self.entered.insert(block) {
            self.part
                .findings
                .add(FindingCode::KeyOrder, || format!("node {cid} comes twice"));
            return;
        }
        let shared = self.root_layer.saturating_sub(layer) >= SHARED_BELOW;
        match &mut self.share {
            Some(share) if shared => {
                share.push((block, layer));
                self.close();
            }
            _ => self.node(block, Some(layer)),
        }
    }

    fn record(&mut self, key: &[u8], value: Cid) {
        self.part.records += 1;
        self.path(key);
        let Some(block) = self.index.find(&value, self.guess) else {
            self.part
                .findings
                .add(FindingCode::MissingRecord, || format!("{} ({value})", text(key)));
            return;
        };
        self.guess = self.index.after(block);
        self.part.order.push(block);
        if let Some(fault) = self.index.fault(block) {
            self.part
                .findings
                .add(FindingCode::BadRecord, || format!("{}: {fault}", text(key)));
        }
        // A record that looks like a tree node was not proved when it was read.
        let unproved = self.index.kept_bytes(block);
        let has_blobs = match unproved {
            None => !self.index.blobs(block).is_empty(),
            Some(bytes) => {
                let mut any = false;
                if let Err(error) = record::check(bytes, &mut |_| any = true) {
                    self.part
                        .findings
                        .add(FindingCode::BadRecord, || format!("{}: {error}", text(key)));
                }
                any
            }
        };
        if has_blobs && self.listed.insert(block) {
            self.part.with_blobs.push((block, text(key)));
        }
    }

    /// Judges a key by itself and by the one before it.
    fn path(&mut self, key: &[u8]) {
        if key.len() > path::MAX_PATH {
            self.part.findings.add(FindingCode::BadPath, || text(key));
            return;
        }
        match &self.part.first {
            None => self.part.first = Some(key.to_vec()),
            Some(_) if self.part.last.as_slice() >= key => {
                self.part.findings.add(FindingCode::KeyOrder, || text(key));
            }
            Some(_) => {}
        }
        self.part.last.clear();
        self.part.last.extend_from_slice(key);
        match path::collection_len(key, &self.collection) {
            Some(len) if self.collection == key[..len] => self.count += 1,
            Some(len) => {
                self.tally();
                self.collection.clear();
                self.collection.extend_from_slice(&key[..len]);
                self.count = 1;
            }
            None => self.part.findings.add(FindingCode::BadPath, || text(key)),
        }
    }
}
