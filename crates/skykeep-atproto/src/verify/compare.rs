//! A tree that came in part beside the one that is kept, each walked as far as they differ.
//!
//! The new tree is walked from its root as far as its nodes came, by the rules of [`super::walk`]. A link that leads out of
//! what came names a subtree of the kept tree, or else nothing is known: the kept tree is walked from its own root, each
//! node hashed as it is read, until every subtree that the new one takes over has been met. Of those nothing is read,
//! since a name stands for all that hangs from it. What remains to be judged is where they hang now:
//! 1. on the layer on which they hung;
//! 2. each once, and between keys of the new tree that leave room for theirs. The keys beside it in the kept tree
//!    mostly say so; where they do not, its first or last key is looked up.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek};

use super::batch::Block;
use super::index::Index;
use super::outline::{self, Mark, Outline};
use super::section::SectionReader;
use super::set::BlockSet;
use crate::Cid;
use crate::mst::{self, Entry};

/// Nodes that are read of what is kept, or one in so many of all: past both it is better read whole.
const MOST_READ: usize = 1_000;
const PART_READ: usize = 4;

/// A piece of a tree, in the order of its keys.
#[derive(Debug)]
pub(super) enum Piece {
    Record {
        key: Vec<u8>,
        value: Cid,
    },
    /// A subtree that both trees have, by its name.
    Same {
        node: Cid,
        layer: u32,
    },
}

/// A block of what came that the new tree reaches.
#[derive(Debug, Clone, Copy)]
pub(super) enum Met {
    Node(Block),
    /// The record of a piece.
    Record(Block, usize),
}

/// Both trees, as far as they differ.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) old: Vec<Piece>,
    pub(super) new: Vec<Piece>,
    /// What the new tree reaches of what came, in canonical order.
    pub(super) met: Vec<Met>,
    /// Nodes of the kept tree outside the subtrees that both have.
    pub(super) old_nodes: HashSet<Cid>,
}

impl Compared {
    /// Number of different blocks that are reached, apart from the commit.
    pub(super) fn reached(&self, index: &Index) -> u64 {
        let mut seen = BlockSet::for_index(index);
        let blocks = self.met.iter().map(|met| match met {
            Met::Node(block) | Met::Record(block, _) => *block,
        });
        blocks.filter(|block| seen.insert(*block)).count() as u64
    }
}

/// Walks both trees as far as they differ; nothing unless the new one is whole and every rule of it holds.
pub(super) fn compare<S: Read + Seek>(index: &Index, kept: &mut KeptBlocks<'_, '_, S>, root: Cid) -> Option<Compared> {
    let (data, nodes) = (kept.outline.data, kept.outline.nodes.len());
    let mut new = NewTree::new(index);
    let mut old = KeptTree {
        blocks: kept,
        left: MOST_READ.max(nodes / PART_READ),
        pieces: Vec::new(),
        read: HashSet::new(),
    };
    if root != data {
        new.node(index.find(&root)?, None)?;
        old.node(data, None, &new.same)?;
    }
    let KeptTree { pieces, read, .. } = old;
    hang_well(&new.pieces, &pieces, kept)?;
    Some(Compared {
        old: pieces,
        new: new.pieces,
        met: new.met,
        old_nodes: read,
    })
}

/// The tree of the new commit, as far as it came.
struct NewTree<'a> {
    index: &'a Index,
    entered: BlockSet,
    pieces: Vec<Piece>,
    met: Vec<Met>,
    /// Subtrees that did not come.
    same: HashSet<Cid>,
}

impl<'a> NewTree<'a> {
    fn new(index: &'a Index) -> Self {
        Self {
            index,
            entered: BlockSet::for_index(index),
            pieces: Vec::new(),
            met: Vec::new(),
            same: HashSet::new(),
        }
    }

    /// Walks the node in `block`, which its parent puts on `layer` (the root has none); nothing if a rule is broken.
    fn node(&mut self, block: Block, layer: Option<u32>) -> Option<()> {
        let index = self.index;
        let mut entries: Vec<Entry<'a>> = Vec::new();
        let left = index.read_node_in(block, &mut entries)?;
        // One that is sound by itself has keys; without keys it has a left subtree, or is the root of nothing.
        let own = match (index.node(block), layer) {
            (Some(node), _) => node.layer,
            (None, Some(layer)) if entries.is_empty() && left.is_some() => layer,
            (None, None) if entries.is_empty() && left.is_none() => 0,
            _ => return None,
        };
        if layer.is_some_and(|layer| layer != own) || !self.entered.insert(block) {
            return None;
        }
        self.met.push(Met::Node(block));
        self.subtree(left, own)?;
        let mut key = Vec::new();
        for entry in &entries {
            key.truncate(entry.prefix);
            key.extend_from_slice(entry.suffix);
            if let Some(record) = index.find(&entry.value) {
                self.met.push(Met::Record(record, self.pieces.len()));
            }
            self.pieces.push(Piece::Record {
                key: key.clone(),
                value: entry.value,
            });
            self.subtree(entry.right, own)?;
        }
        Some(())
    }

    fn subtree(&mut self, node: Option<Cid>, parent_layer: u32) -> Option<()> {
        let Some(node) = node else { return Some(()) };
        let layer = parent_layer.checked_sub(1)?;
        if let Some(block) = self.index.find(&node) {
            return self.node(block, Some(layer));
        }
        self.pieces.push(Piece::Same { node, layer });
        self.same.insert(node).then_some(())
    }
}

/// The tree of the kept commit, as far as the new one does not take it over.
struct KeptTree<'k, 'a, 's, S> {
    blocks: &'k mut KeptBlocks<'a, 's, S>,
    /// Nodes that may yet be read.
    left: usize,
    pieces: Vec<Piece>,
    read: HashSet<Cid>,
}

impl<S: Read + Seek> KeptTree<'_, '_, '_, S> {
    /// Walks the node of that name on that layer (the root's is that of its keys) down to the subtrees in `same`.
    fn node(&mut self, cid: Cid, layer: Option<u32>, same: &HashSet<Cid>) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        let bytes = self.blocks.node(&cid)?;
        let mut entries = Vec::new();
        let left = mst::decode(&bytes, &mut entries).ok()?;
        let layer = layer.unwrap_or_else(|| entries.first().map_or(0, |entry| mst::layer(entry.suffix)));
        self.read.insert(cid);
        self.subtree(left, layer, same)?;
        let mut key = Vec::new();
        for entry in &entries {
            key.truncate(entry.prefix);
            key.extend_from_slice(entry.suffix);
            self.pieces.push(Piece::Record {
                key: key.clone(),
                value: entry.value,
            });
            self.subtree(entry.right, layer, same)?;
        }
        Some(())
    }

    fn subtree(&mut self, node: Option<Cid>, parent_layer: u32, same: &HashSet<Cid>) -> Option<()> {
        let Some(node) = node else { return Some(()) };
        let layer = parent_layer.checked_sub(1)?;
        if same.contains(&node) {
            self.pieces.push(Piece::Same { node, layer });
            return Some(());
        }
        self.node(node, Some(layer), same)
    }
}

/// Which end of a subtree.
#[derive(Debug, Clone, Copy)]
enum End {
    First,
    Last,
}

/// The blocks of the kept tree, read where the outline says that they are.
pub(super) struct KeptBlocks<'a, 's, S> {
    outline: &'a Outline,
    readers: Vec<SectionReader<'s, S>>,
}

impl<'a, 's, S: Read + Seek> KeptBlocks<'a, 's, S> {
    pub(super) fn new(outline: &'a Outline, files: &'s mut [S]) -> Self {
        Self {
            outline,
            readers: files.iter_mut().map(SectionReader::new).collect(),
        }
    }

    /// A record of the kept tree: its bytes and its place. Nothing for one that is not there.
    pub(super) fn record(&mut self, cid: &Cid) -> Option<(Vec<u8>, u64)> {
        self.read(cid, outline::alike(&self.outline.records, cid))
    }

    fn node(&mut self, cid: &Cid) -> Option<Vec<u8>> {
        let (bytes, _) = self.read(cid, outline::alike(&self.outline.nodes, cid))?;
        Some(bytes)
    }

    /// The bytes that the name stands for; nothing if they are not where they should be, or cannot be read.
    fn read(&mut self, cid: &Cid, marks: &[Mark]) -> Option<(Vec<u8>, u64)> {
        marks.iter().find_map(|(_, place)| {
            let (file, offset) = outline::position(*place);
            let bytes = self.readers.get_mut(file)?.section(offset, *cid).ok()?;
            cid.names(bytes).then(|| (bytes.to_vec(), *place))
        })
    }

    /// The first or the last key of a subtree.
    fn end_key(&mut self, mut node: Cid, end: End) -> Option<Vec<u8>> {
        for _ in 0..=mst::MAX_LAYER {
            let bytes = self.node(&node)?;
            let mut entries = Vec::new();
            let left = mst::decode(&bytes, &mut entries).ok()?;
            let below = match end {
                End::First => left,
                End::Last => entries.last().map_or(left, |last| last.right),
            };
            if let Some(below) = below {
                node = below;
                continue;
            }
            let keys = match end {
                End::First => &entries[..entries.len().min(1)],
                End::Last => &entries,
            };
            let mut key = Vec::new();
            for entry in keys {
                key.truncate(entry.prefix);
                key.extend_from_slice(entry.suffix);
            }
            return (!key.is_empty()).then_some(key);
        }
        None
    }
}

/// Where a subtree hangs: its layer, and the keys beside it, if there are any on that side.
#[derive(Debug, Clone, Copy)]
struct Hangs<'a> {
    layer: u32,
    before: Option<&'a [u8]>,
    after: Option<&'a [u8]>,
}

/// All subtrees among the pieces of a tree and where they hang; nothing if two stand side by side, or one twice.
fn hanging(pieces: &[Piece]) -> Option<HashMap<Cid, Hangs<'_>>> {
    let key = |n: usize| match pieces.get(n) {
        None => Some(None),
        Some(Piece::Record { key, .. }) => Some(Some(key.as_slice())),
        Some(Piece::Same { .. }) => None,
    };
    let mut all = HashMap::new();
    for (n, piece) in pieces.iter().enumerate() {
        if let Piece::Same { node, layer } = piece {
            let hangs = Hangs {
                layer: *layer,
                before: key(n.wrapping_sub(1))?,
                after: key(n + 1)?,
            };
            if all.insert(*node, hangs).is_some() {
                return None;
            }
        }
    }
    Some(all)
}

/// Whether the keys of the new tree ascend, those of the subtrees that both have included, and these hang on their layer.
fn hang_well<S: Read + Seek>(new: &[Piece], old: &[Piece], kept: &mut KeptBlocks<'_, '_, S>) -> Option<()> {
    let ascend = records(new).zip(records(new).skip(1)).all(|(a, b)| a.0 < b.0);
    if !ascend {
        return None;
    }
    let was = hanging(old)?;
    for (node, now) in hanging(new)? {
        let was = was.get(&node).filter(|was| was.layer == now.layer)?;
        if let Some(before) = now.before {
            let known = was.before.is_some_and(|key| key >= before);
            if !known && *kept.end_key(node, End::First)? <= *before {
                return None;
            }
        }
        if let Some(after) = now.after {
            let known = was.after.is_some_and(|key| key <= after);
            if !known && *kept.end_key(node, End::Last)? >= *after {
                return None;
            }
        }
    }
    Some(())
}

/// Key and value of the records among the pieces of a tree.
pub(super) fn records(pieces: &[Piece]) -> impl Iterator<Item = (&[u8], &Cid)> {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Record { key, value } => Some((key.as_slice(), value)),
        Piece::Same { .. } => None,
    })
}
