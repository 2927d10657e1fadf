//! A tree that can be bent out of shape: built by the rules, changed at will, then hashed as it stands.

use sha2::{Digest, Sha256};
use skykeep_atproto::{Cid, Codec};

use super::value::{Value, head, map};

/// A node. Keys are whole; prefixes are worked out when it is written, unless an entry says otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    /// What lies left of the first entry.
    pub left: Subtree,
    /// The keys of this layer, with what lies right of each.
    pub entries: Vec<Entry>,
    /// Bytes to stand for the whole node, whatever the rest says; subtrees are still written.
    pub bytes: Option<Vec<u8>>,
}

/// A key of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The whole key: a record path.
    pub key: Vec<u8>,
    /// The record.
    pub value: Cid,
    /// What lies right of it.
    pub right: Subtree,
    /// How the key is written, when not by the rules: the shared length and the bytes after it.
    pub written: Option<(u64, Vec<u8>)>,
}

/// What a node may have between two keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Subtree {
    /// Nothing.
    #[default]
    None,
    /// A node, written before its parent's next record.
    Node(Box<Node>),
    /// A link to whatever has that name.
    Link(Cid),
}

/// A block of a tree, in the order of a canonical CAR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A node, its bytes, and how many pieces it and everything below it are.
    Node(Cid, Vec<u8>, usize),
    /// The place of a record.
    Record(Cid),
}

/// The layer of a key, counted bit by bit.
pub fn layer(key: &[u8]) -> u32 {
    let digest = Sha256::digest(key);
    let mut zeros = 0;
    while zeros < 256 && digest[zeros as usize / 8] >> (7 - zeros % 8) & 1 == 0 {
        zeros += 1;
    }
    zeros / 2
}

/// A record's key, its CID, and the layer that the key is put on.
pub type Leaf<'a> = (&'a [u8], Cid, u32);

/// The one tree of these records, which are in ascending order of their keys.
pub fn build<'a>(records: impl IntoIterator<Item = (&'a [u8], Cid)>) -> Node {
    let leaves: Vec<_> = records
        .into_iter()
        .map(|(key, value)| (key, value, layer(key)))
        .collect();
    build_of(&leaves)
}

/// The tree of these leaves, on the layers that they say.
pub fn build_of(leaves: &[Leaf<'_>]) -> Node {
    node(leaves, leaves.iter().map(|leaf| leaf.2).max().unwrap_or(0))
}

fn node(leaves: &[Leaf<'_>], at: u32) -> Node {
    let subtree = |between: &[Leaf<'_>]| match between {
        [] => Subtree::None,
        _ => Subtree::Node(Box::new(node(between, at - 1))),
    };
    let mut between = leaves.split(|leaf| leaf.2 == at);
    let left = subtree(between.next().unwrap_or_default());
    let own = leaves.iter().filter(|leaf| leaf.2 == at).zip(between);
    let entries = own.map(|((key, value, _), right)| Entry {
        key: key.to_vec(),
        value: *value,
        right: subtree(right),
        written: None,
    });
    Node {
        entries: entries.collect(),
        left,
        bytes: None,
    }
}

impl Node {
    /// Hashes the tree, adds its blocks to `pieces` in canonical order, and says what its root is called.
    pub fn seal(&self, pieces: &mut Vec<Piece>) -> Cid {
        let place = pieces.len();
        pieces.push(Piece::Record(Cid::from_digest(Codec::DagCbor, [0; 32])));
        let left = self.left.seal(pieces);
        let rights: Vec<_> = self
            .entries
            .iter()
            .map(|entry| {
                pieces.push(Piece::Record(entry.value));
                entry.right.seal(pieces)
            })
            .collect();
        let bytes = self
            .bytes
            .clone()
            .unwrap_or_else(|| self.value(left, &rights).to_bytes());
        let cid = Cid::of(Codec::DagCbor, &bytes);
        pieces[place] = Piece::Node(cid, bytes, pieces.len() - place);
        cid
    }

    /// What is written for this node, when its subtrees have these names.
    fn value(&self, left: Option<Cid>, rights: &[Option<Cid>]) -> Value {
        let link = |cid: Option<Cid>| cid.map_or(Value::Null, Value::Link);
        let mut previous: &[u8] = &[];
        let entries = self.entries.iter().zip(rights).map(|(entry, right)| {
            let shared = previous.iter().zip(&entry.key).take_while(|(a, b)| a == b).count();
            previous = &entry.key;
            let (prefix, suffix) = match &entry.written {
                Some((prefix, suffix)) => (*prefix, &suffix[..]),
                None => (shared as u64, &entry.key[shared..]),
            };
            let mut number = Vec::new();
            head(&mut number, 0, prefix);
            map([
                ("k", Value::Bytes(suffix.to_vec())),
                ("p", Value::Raw(number)),
                ("t", link(*right)),
                ("v", Value::Link(entry.value)),
            ])
        });
        map([("e", Value::List(entries.collect())), ("l", link(left))])
    }

    /// What the rules would have written for this node, to be changed before it becomes its `bytes`.
    pub fn to_value(&self) -> Value {
        let mut pieces = Vec::new();
        let left = self.left.seal(&mut pieces);
        let rights: Vec<_> = self.entries.iter().map(|entry| entry.right.seal(&mut pieces)).collect();
        self.value(left, &rights)
    }

    /// The first node of the tree, from the root down and from the left, that is as wanted.
    pub fn find(&mut self, wanted: &impl Fn(&Self) -> bool) -> Option<&mut Self> {
        if wanted(self) {
            return Some(self);
        }
        let rights = self.entries.iter_mut().map(|entry| &mut entry.right);
        std::iter::once(&mut self.left)
            .chain(rights)
            .filter_map(Subtree::node_mut)
            .find_map(|node| node.find(wanted))
    }

    /// Whether it has keys and nothing below.
    pub fn is_leaf(&self) -> bool {
        !self.entries.is_empty()
            && self.left == Subtree::None
            && self
                .entries
                .iter()
                .all(|entry| entry.right == Subtree::None && layer(&entry.key) == 0)
    }

    /// The first key that has a leaf on either side.
    pub fn two_leaves(&self) -> Option<usize> {
        (0..self.entries.len()).find(|at| {
            let sides = [self.side(*at), self.entries[*at].right.node()];
            sides.iter().all(|side| side.is_some_and(Self::is_leaf))
        })
    }

    /// What lies left of a key.
    pub fn side(&self, at: usize) -> Option<&Self> {
        match at {
            0 => self.left.node(),
            _ => self.entries[at - 1].right.node(),
        }
    }

    /// The place left of a key.
    pub fn side_mut(&mut self, at: usize) -> &mut Subtree {
        match at {
            0 => &mut self.left,
            _ => &mut self.entries[at - 1].right,
        }
    }
}

impl Subtree {
    fn seal(&self, pieces: &mut Vec<Piece>) -> Option<Cid> {
        match self {
            Self::None => None,
            Self::Node(node) => Some(node.seal(pieces)),
            Self::Link(cid) => Some(*cid),
        }
    }

    /// The same, to change it.
    pub fn node_mut(&mut self) -> Option<&mut Node> {
        match self {
            Self::Node(node) => Some(node),
            Self::None | Self::Link(_) => None,
        }
    }

    /// The node that is there, when there is one.
    pub fn node(&self) -> Option<&Node> {
        match self {
            Self::Node(node) => Some(node),
            Self::None | Self::Link(_) => None,
        }
    }

    /// Whether it is a node without keys, which only bridges a layer.
    pub fn is_between(&self) -> bool {
        self.node()
            .is_some_and(|node| node.entries.is_empty() && node.left != Self::None)
    }

    /// Puts what lies left in such a node in its place.
    pub fn skip(&mut self) {
        if let Self::Node(node) = std::mem::take(self) {
            *self = node.left;
        }
    }
}
