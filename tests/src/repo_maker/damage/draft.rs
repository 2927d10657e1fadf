//! A small repository in parts that can be changed one by one and put together again.

use std::borrow::Cow;

use skykeep_atproto::{Cid, Codec, SigningKey};

use super::super::tree::{Entry, Node, Piece, build};
use super::super::value::{Value, text};
use super::super::{Repo, car_header, section};
use super::owner;

/// What a block is in the repository it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The commit.
    Commit,
    /// A tree node.
    Node,
    /// A record.
    Record,
}

/// A block, under whatever name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What it is.
    pub kind: Kind,
    /// The CID as the section will have it, right or wrong.
    pub name: Vec<u8>,
    /// The bytes behind it.
    pub bytes: Vec<u8>,
}

impl Block {
    /// A block under its own name.
    pub fn new(kind: Kind, bytes: Vec<u8>) -> Self {
        Self {
            kind,
            name: Cid::of(Codec::DagCbor, &bytes).to_bytes().to_vec(),
            bytes,
        }
    }
}

/// A file in parts.
#[derive(Debug, Clone)]
pub struct Parts {
    /// What the header names.
    pub roots: Vec<Cid>,
    /// The sections, in order.
    pub blocks: Vec<Block>,
}

impl Parts {
    /// Where the last block of a kind is. The last node has no nodes below it.
    pub fn last(&self, kind: Kind) -> usize {
        let last = self.blocks.iter().rposition(|block| block.kind == kind);
        last.expect("there is one of each kind")
    }

    /// Puts another commit in the place of the one that was there.
    #[must_use]
    pub fn with_commit(mut self, bytes: Vec<u8>) -> Self {
        let commit = Block::new(Kind::Commit, bytes);
        self.roots = vec![Cid::of(Codec::DagCbor, &commit.bytes)];
        self.blocks[0] = commit;
        self
    }

    /// The sections alone.
    pub fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for block in &self.blocks {
            section(&mut out, &block.name, &block.bytes);
        }
        out
    }
}

impl From<Parts> for Vec<u8> {
    fn from(parts: Parts) -> Self {
        let mut out = car_header(&parts.roots);
        out.extend(parts.body());
        out
    }
}

/// The fields of a commit.
#[derive(Debug, Clone)]
pub struct Fields(pub Vec<(Cow<'static, str>, Value)>);

impl Fields {
    /// Sets or replaces a field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self = self.without(name);
        self.0.push((name.into(), value));
        self
    }

    /// Takes a field away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(other, _)| other != name);
        self
    }

    /// The bytes of these fields.
    pub fn to_bytes(&self) -> Vec<u8> {
        Value::Map(self.0.clone()).to_bytes()
    }

    /// The same with a signature over them.
    #[must_use]
    pub fn signed(self, key: &SigningKey) -> Self {
        let signature = key.sign(&self.to_bytes()).to_vec();
        self.with("sig", Value::Bytes(signature))
    }
}

/// A repository before its names are worked out.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The tree.
    pub tree: Node,
    /// The bytes of all records, those of no path too.
    pub records: Vec<Vec<u8>>,
    rev: String,
}

impl Draft {
    /// The repository of `count` records of [`owner`].
    pub fn new(count: usize) -> Self {
        let (did, key) = owner();
        Self::of(&Repo::new(&did, &key, 7, count))
    }

    /// A repository of [`owner`]'s, taken apart.
    pub fn of(repo: &Repo) -> Self {
        let records = repo.records().values();
        Self {
            tree: build(repo.records().iter().map(|(path, cid)| (path.as_bytes(), *cid))),
            records: records.filter_map(|cid| repo.block(cid)).map(<[u8]>::to_vec).collect(),
            rev: repo.rev().to_string(),
        }
    }

    /// Adds a record that no path leads to yet, and says what it is called.
    pub fn add(&mut self, bytes: Vec<u8>) -> Cid {
        let cid = Cid::of(Codec::DagCbor, &bytes);
        self.records.push(bytes);
        cid
    }

    /// Puts `bytes` in the place of the first record of the root node.
    pub fn replace(&mut self, bytes: Vec<u8>) {
        let cid = self.add(bytes);
        let old = std::mem::replace(&mut self.first().value, cid);
        self.records.retain(|bytes| !old.names(bytes));
    }

    /// The first entry of the root node.
    pub fn first(&mut self) -> &mut Entry {
        &mut self.tree.entries[0]
    }

    /// The first node, in pre-order, that is as wanted.
    pub fn node(&mut self, wanted: impl Fn(&Node) -> bool) -> &mut Node {
        self.tree
            .find(&wanted)
            .expect("a few hundred records have every kind of node")
    }

    /// The first node on the lowest layer with at least `entries` keys.
    pub fn leaf(&mut self, entries: usize) -> &mut Node {
        self.node(|node| node.is_leaf() && node.entries.len() >= entries)
    }

    /// Forgets the records that no path leads to.
    pub fn drop_unreached(&mut self) {
        let mut pieces = Vec::new();
        self.tree.seal(&mut pieces);
        self.records
            .retain(|bytes| pieces.contains(&Piece::Record(Cid::of(Codec::DagCbor, bytes))));
    }

    /// The commit's fields without the signature.
    pub fn fields(&self) -> Fields {
        Fields(vec![
            ("did".into(), text(owner().0.as_str())),
            ("version".into(), Value::Integer(3)),
            ("data".into(), Value::Link(self.tree.seal(&mut Vec::new()))),
            ("rev".into(), text(self.rev.clone())),
            ("prev".into(), Value::Null),
        ])
    }

    /// Signs it and puts it together: commit, tree in canonical order, then the records that no path leads to.
    pub fn seal(&self) -> Parts {
        let mut pieces = Vec::new();
        self.tree.seal(&mut pieces);
        let mut left: Vec<(Cid, &Vec<u8>)> = self
            .records
            .iter()
            .map(|bytes| (Cid::of(Codec::DagCbor, bytes), bytes))
            .collect();
        let mut blocks = vec![Block::new(Kind::Commit, self.fields().signed(&owner().1).to_bytes())];
        for piece in pieces {
            match piece {
                Piece::Node(_, bytes, _) => {
                    let node = Block::new(Kind::Node, bytes);
                    if !blocks.contains(&node) {
                        blocks.push(node);
                    }
                }
                Piece::Record(cid) => {
                    if let Some(place) = left.iter().position(|(name, _)| *name == cid) {
                        blocks.push(Block::new(Kind::Record, left.remove(place).1.clone()));
                        left.retain(|(name, _)| *name != cid);
                    }
                }
            }
        }
        blocks.extend(
            left.into_iter()
                .map(|(_, bytes)| Block::new(Kind::Record, bytes.clone())),
        );
        let roots = vec![Cid::of(Codec::DagCbor, &blocks[0].bytes)];
        Parts { roots, blocks }
    }
}

impl From<Draft> for Vec<u8> {
    fn from(draft: Draft) -> Self {
        draft.seal().into()
    }
}
