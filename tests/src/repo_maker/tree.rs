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

/// The one tree of these records, which are in ascending order of their keys.
pub fn build<'a>(records: impl IntoIterator<Item = (&'a str, Cid)>) -> Node {
    let leaves: Vec<_> = records
        .into_iter()
        .map(|(key, value)| (key.as_bytes(), value, layer(key.as_bytes())))
        .collect();
    let top = leaves.iter().map(|leaf| leaf.2).max().unwrap_or(0);
    node(&leaves, top)
}

fn node(leaves: &[(&[u8], Cid, u32)], at: u32) -> Node {
    let mut entries = Vec::new();
    let subtree = |between: &[(&[u8], Cid, u32)]| match between {
        [] => Subtree::None,
        _ => Subtree::Node(Box::new(node(between, at - 1))),
    };
    let mut parts = leaves.split(|leaf| leaf.2 == at);
    let left = subtree(parts.next().unwrap_or_default());
    let keys = leaves.iter().filter(|leaf| leaf.2 == at);
    for ((key, value, _), right) in keys.zip(parts) {
        entries.push(Entry {
            key: key.to_vec(),
            value: *value,
            right: subtree(right),
            written: None,
        });
    }
    Node {
        left,
        entries,
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
        let bytes = self.bytes.clone().unwrap_or_else(|| self.encode(left, &rights));
        let cid = Cid::of(Codec::DagCbor, &bytes);
        pieces[place] = Piece::Node(cid, bytes, pieces.len() - place);
        cid
    }

    fn encode(&self, left: Option<Cid>, rights: &[Option<Cid>]) -> Vec<u8> {
        let link = |cid: Option<Cid>| cid.map_or(Value::Null, Value::Link);
        let mut out = Vec::with_capacity(128 * (1 + self.entries.len()));
        head(&mut out, 5, 2);
        out.extend(b"\x61e");
        head(&mut out, 4, self.entries.len() as u64);
        let mut previous: &[u8] = &[];
        for (entry, right) in self.entries.iter().zip(rights) {
            let shared = previous.iter().zip(&entry.key).take_while(|(a, b)| a == b).count();
            let (prefix, suffix) = match &entry.written {
                Some((prefix, suffix)) => (*prefix, &suffix[..]),
                None => (shared as u64, &entry.key[shared..]),
            };
            let prefix = i64::try_from(prefix).expect("prefixes of tests are small");
            map([
                ("k", Value::Bytes(suffix.to_vec())),
                ("p", Value::Integer(prefix)),
                ("t", link(*right)),
                ("v", Value::Link(entry.value)),
            ])
            .write(&mut out);
            previous = &entry.key;
        }
        out.extend(b"\x61l");
        link(left).write(&mut out);
        out
    }

    /// The bytes of this node as the rules would write them.
    pub fn canonical(&self) -> Vec<u8> {
        let plain = Self {
            bytes: None,
            ..self.clone()
        };
        let mut pieces = Vec::new();
        plain.seal(&mut pieces);
        match pieces.swap_remove(0) {
            Piece::Node(_, bytes, _) => bytes,
            Piece::Record(_) => unreachable!("a node comes before its records"),
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

    /// The node that is there, when there is one.
    pub fn node_mut(&mut self) -> Option<&mut Node> {
        match self {
            Self::Node(node) => Some(node),
            Self::None | Self::Link(_) => None,
        }
    }
}
