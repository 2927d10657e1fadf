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
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::batch::Block;
use super::index::Index;
use super::node::{Link, Node};
use super::report::{FindingCode, Findings};
use super::set::SharedBlockSet;
use crate::mst::{self, Entry, MAX_LAYER};
use crate::{Cid, path, record};

/// Layers below the root's that are walked in one thread before the rest is shared out.
const SHARED_BELOW: u32 = 4;

/// Repositories with fewer blocks are walked in one thread.
const SHARED_FROM: u64 = 20_000;

/// Nodes that memory is asked for at once; more only a made-up tree has on two layers.
const MOST_AHEAD: usize = 128;

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
    let Some(block) = index.find(&root) else {
        top.part
            .findings
            .add(FindingCode::MissingNode, || format!("{root}, the root of the tree"));
        return join(vec![top.part]);
    };
    if threads > 1 && index.blocks >= SHARED_FROM {
        top.share = Some(Vec::new());
    }
    top.node(block, None);
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
    /// The collection of the last key, and how many records it has so far.
    collection: Vec<u8>,
    counted: u64,
    spare: Vec<Scratch<'a>>,
    /// Nodes that memory was asked for.
    ahead: Vec<Block>,
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
            collection: Vec::new(),
            counted: 0,
            spare: Vec::new(),
            ahead: Vec::new(),
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
        if self.counted > 0 {
            self.part.collections.push((self.collection.clone(), self.counted));
            self.counted = 0;
        }
    }

    /// Walks the node in `block`, which its parent puts on `layer` (the root has none).
    fn node(&mut self, block: Block, layer: Option<u32>) {
        self.part.nodes += 1;
        self.part.order.push(block);
        let mut scratch = self.spare.pop().unwrap_or_default();
        if let Some(node) = self.index.node(block) {
            self.sound(block, layer, node, &mut scratch.key);
        } else {
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
        }
        self.spare.push(scratch);
    }

    /// Walks a node that is sound by itself.
    fn sound(&mut self, block: Block, layer: Option<u32>, node: Node<'a>, key: &mut Vec<u8>) {
        let layer = self.layer(layer, node.layer);
        if layer > 0 && layer.is_multiple_of(2) {
            self.ask_ahead(node);
        }
        self.subtree(self.target(block, node.place(0), node.left()), layer);
        key.clear();
        // Keys of a sound node ascend: only those beside which another node was walked are judged by it.
        let mut parted = true;
        for (n, entry) in node.keys().enumerate() {
            key.truncate(entry.prefix);
            key.extend_from_slice(entry.suffix);
            if node.layer != layer {
                self.part.findings.add(FindingCode::KeyLayer, || text(key));
            }
            if parted {
                self.compare(key);
            }
            if !parted && entry.prefix > self.collection.len() {
                self.counted += 1;
            } else {
                self.count(key, path::collection_end(key, &self.collection));
            }
            if let Some(target) = self.target(block, node.place(1 + 2 * n), entry.value) {
                self.record(key, target, entry.value.is_plain());
            }
            let right = self.target(block, node.place(2 + 2 * n), entry.right);
            parted = right.is_some();
            if parted || n + 1 == node.len() {
                self.remember(key);
            }
            self.subtree(right, layer);
        }
    }

    /// Asks memory for the nodes on the two layers below a node before the first of them is needed: in a file in no order
    /// each of them would be waited for.
    fn ask_ahead(&mut self, node: Node<'a>) {
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.clear();
        ahead.extend(node.subtrees().take(MOST_AHEAD));
        let below = ahead.len();
        self.ask_for(&ahead);
        for n in 0..below {
            let nodes = self.index.node(ahead[n]).into_iter().flat_map(|node| node.subtrees());
            ahead.extend(nodes.take(MOST_AHEAD - ahead.len()));
        }
        self.ask_for(&ahead[below..]);
        self.ahead = ahead;
    }

    /// Asks for nodes in rounds: nothing in a round waits for something else of it.
    fn ask_for(&self, nodes: &[Block]) {
        let rows = nodes.iter().map(|block| self.index.row(*block).has_blobs());
        black_box(rows.fold(false, |all, row| all ^ row));
        let nodes = nodes.iter().filter_map(|block| self.index.node(*block));
        black_box(nodes.fold(0, |all, node| all ^ node.touch()));
    }

    /// The block that a link of the node in `block` leads to, or the name of one that is missing.
    #[inline]
    fn target(&self, block: Block, place: usize, link: Link) -> Option<Result<Block, Cid>> {
        match link.block() {
            Some(target) => Some(Ok(self.index.first(target))),
            None => self.index.lost(block, place).map(Err),
        }
    }

    /// Walks a node of which nothing is known but its bytes.
    fn entries(&mut self, block: Block, layer: Option<u32>, left: Option<Cid>, scratch: &mut Scratch<'a>) {
        if scratch.entries.is_empty() && layer.is_none() != left.is_none() {
            let cid = self.index.cid(block);
            self.part.findings.add(FindingCode::EmptyNode, || cid.to_string());
        }
        let own = scratch.entries.first().map_or(MAX_LAYER, |e| mst::layer(e.suffix));
        let layer = self.layer(layer, own);
        self.subtree(left.map(|cid| self.find(cid)), layer);
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
            self.path(key);
            self.record(key, self.find(entry.value), false);
            self.subtree(entry.right.map(|cid| self.find(cid)), layer);
        }
    }

    fn find(&self, cid: Cid) -> Result<Block, Cid> {
        self.index.find(&cid).ok_or(cid)
    }

    /// The layer of a node: the one its parent says, or for the root that of its keys.
    fn layer(&mut self, layer: Option<u32>, own: u32) -> u32 {
        layer.unwrap_or_else(|| {
            self.root_layer = own;
            own
        })
    }

    /// Walks the subtree that a link leads to, or says that its block is missing.
    fn subtree(&mut self, link: Option<Result<Block, Cid>>, parent_layer: u32) {
        let Some(found) = link else { return };
        let name = |index: &Index| found.map_or_else(|cid| cid, |block| index.cid(block));
        let Some(layer) = parent_layer.checked_sub(1) else {
            let cid = name(self.index);
            self.part
                .findings
                .add(FindingCode::KeyLayer, || format!("{cid} lies below the lowest layer"));
            return;
        };
        let block = match found {
            Ok(block) => block,
            Err(cid) => {
                self.part.findings.add(FindingCode::MissingNode, || cid.to_string());
                return;
            }
        };
        if !self.entered.insert(block) {
            let cid = name(self.index);
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

    /// Takes in the record that a link leads to, or says that its block is missing. `plain` means known to be plain.
    #[inline]
    fn record(&mut self, key: &[u8], link: Result<Block, Cid>, plain: bool) {
        self.part.records += 1;
        let block = match link {
            Ok(block) => block,
            Err(value) => {
                self.part
                    .findings
                    .add(FindingCode::MissingRecord, || format!("{} ({value})", text(key)));
                return;
            }
        };
        self.part.order.push(block);
        if !plain && !self.index.row(block).is_plain() {
            self.look_at(key, block);
        }
    }

    /// Takes in a record that has blobs or a fault, or was not proved when it was read because of how it begins.
    fn look_at(&mut self, key: &[u8], block: Block) {
        let mut bad = |what: &str| {
            self.part
                .findings
                .add(FindingCode::BadRecord, || format!("{}: {what}", text(key)));
        };
        let mut has_blobs = self.index.row(block).has_blobs();
        if let Some(fault) = self.index.fault(block) {
            bad(fault);
        }
        if let Some(bytes) = self.index.kept_bytes(block)
            && let Err(error) = record::check(bytes, &mut |_| has_blobs = true)
        {
            bad(&error.to_string());
        }
        if has_blobs && self.listed.insert(block) {
            self.part.with_blobs.push((block, text(key)));
        }
    }

    /// Judges a key of which nothing is known.
    fn path(&mut self, key: &[u8]) {
        if key.len() > path::MAX_PATH {
            self.part.findings.add(FindingCode::BadPath, || text(key));
            return;
        }
        self.compare(key);
        self.remember(key);
        match path::collection_len(key, &self.collection) {
            Some(len) => self.count(key, len),
            None => self.part.findings.add(FindingCode::BadPath, || text(key)),
        }
    }

    /// Judges a key by the one that was remembered before it.
    #[inline]
    fn compare(&mut self, key: &[u8]) {
        match &self.part.first {
            None => self.part.first = Some(key.to_vec()),
            Some(_) if self.part.last.as_slice() >= key => {
                self.part.findings.add(FindingCode::KeyOrder, || text(key));
            }
            Some(_) => {}
        }
    }

    #[inline]
    fn remember(&mut self, key: &[u8]) {
        self.part.last.clear();
        self.part.last.extend_from_slice(key);
    }

    /// Counts a record in its collection, whose name is the first `len` bytes of the key.
    #[inline]
    fn count(&mut self, key: &[u8], len: usize) {
        if self.collection != key[..len] {
            self.tally();
            self.collection.clear();
            self.collection.extend_from_slice(&key[..len]);
        }
        self.counted += 1;
    }
}
