//! Made-up repositories: valid, signed, shaped like people's own, the same for the same seed, from one record to millions.
//!
//! A [`Repo`] keeps its blocks as the reference PDS does: a table of blocks, each with the rev that it was written in. So
//! what it answers to `since` is what that server answers, block order included. Its CBOR and its tree are written
//! without the crate under test. Sources: AT Protocol "Repository" and "Sync"; the reference PDS, `sync/getRepo`.

pub mod damage;
pub mod records;
pub mod seeded;
pub mod tree;
pub mod value;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};
use std::ops::Range;

use skykeep_atproto::{Cid, Codec, Did, SigningKey, Tid};

pub use records::Blob;
use records::Maker;
use seeded::Seeded;
use tree::Piece;
use value::{Value, map, text};

/// In which order the blocks of a CAR stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Commit first, the tree in pre-order, records in between: the canonical one.
    Tree,
    /// Any, decided by a seed.
    Shuffled(u64),
    /// As the reference PDS answers: newest rev first, then by CID, descending.
    Pds,
}

/// A repository and the blocks that its server holds.
pub struct Repo {
    did: Did,
    key: SigningKey,
    rev: Tid,
    commit: Cid,
    /// Path to record.
    records: BTreeMap<String, Cid>,
    /// The server's table: which rev a block was written in, and where its bytes are.
    blocks: HashMap<Cid, (Tid, Range<usize>)>,
    /// The bytes of all blocks there ever were.
    bytes: Vec<u8>,
    /// Every block that the commit reaches, in canonical order.
    layout: Vec<Cid>,
    blobs: Vec<Blob>,
}

/// A write to a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Puts these bytes at that path, whether or not something is there.
    Put(String, Vec<u8>),
    /// Takes away what is at that path.
    Delete(String),
}

/// What a commit did to the records of a repository. Paths in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Paths that were not there before.
    pub added: Vec<String>,
    /// Paths whose record is another.
    pub changed: Vec<String>,
    /// Paths that are not there any more.
    pub removed: Vec<String>,
}

/// 2023-05-01, when the first record is made.
const FIRST: u64 = 1_682_899_200_000_000;
/// Two and a half years, in which all records of a new repository are made.
const SPAN: u64 = 79_000_000_000_000;

impl Repo {
    /// A repository of `count` records, of which the first is a profile, written one after the other.
    pub fn new(did: &Did, key: &SigningKey, seed: u64, count: usize) -> Self {
        let mut repo = Self::empty(did, key);
        let mut seeded = Seeded::new(seed);
        let mut maker = Maker::new(did, seeded.number());
        let gap = SPAN / count.max(1) as u64;
        let mut collections: BTreeMap<String, Vec<(String, Cid)>> = BTreeMap::new();
        for n in 0..count as u64 {
            let micros = FIRST + n * gap + seeded.below(gap);
            let made = maker.next(micros);
            let rkey = Tid::new(micros, 11);
            let path = match made.key {
                Some(key) => format!("{}/{key}", made.collection),
                None => format!("{}/{rkey}", made.collection),
            };
            let cid = repo.put(&made.bytes, rkey);
            collections
                .entry(format!("{}/", made.collection))
                .or_default()
                .push((path, cid));
        }
        // Nearly sorted already, and then `BTreeMap` takes it in one go.
        repo.records = collections.into_values().flatten().collect();
        repo.blobs = maker.into_blobs();
        repo.rev = Tid::new(FIRST + SPAN, 0);
        repo.commit(None);
        repo
    }

    /// A repository of exactly these records (path and bytes).
    pub fn of(did: &Did, key: &SigningKey, records: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let mut repo = Self::empty(did, key);
        for (path, bytes) in records {
            let cid = repo.put(&bytes, repo.rev);
            repo.records.insert(path, cid);
        }
        repo.commit(None);
        repo
    }

    fn empty(did: &Did, key: &SigningKey) -> Self {
        Self {
            did: did.clone(),
            key: key.clone(),
            rev: Tid::new(FIRST, 0),
            commit: Cid::from_digest(Codec::DagCbor, [0; 32]),
            records: BTreeMap::new(),
            blocks: HashMap::new(),
            bytes: Vec::new(),
            layout: Vec::new(),
            blobs: Vec::new(),
        }
    }

    /// Whose it is.
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// The key that signs it.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The rev of its commit.
    pub const fn rev(&self) -> Tid {
        self.rev
    }

    /// Its commit.
    pub const fn root(&self) -> Cid {
        self.commit
    }

    /// Path and record, in ascending order of paths.
    pub const fn records(&self) -> &BTreeMap<String, Cid> {
        &self.records
    }

    /// The bytes of a block that it holds.
    pub fn block(&self, cid: &Cid) -> Option<&[u8]> {
        self.blocks.get(cid).map(|(_, at)| &self.bytes[at.clone()])
    }

    /// Every block that its commit reaches, once, in canonical order.
    pub fn layout(&self) -> &[Cid] {
        &self.layout
    }

    /// The blobs that the records of [`Repo::new`] refer to, each once, in the order of their first use.
    pub fn blobs(&self) -> &[Blob] {
        &self.blobs
    }

    /// `count` plausible writes: new records, edits and deletions, about 80, 5 and 15 of 100.
    pub fn writes(&self, seed: u64, count: usize) -> Vec<Operation> {
        let mut seeded = Seeded::new(seed);
        let mut maker = Maker::new(&self.did, seeded.number());
        let mut paths: Vec<&String> = self.records.keys().collect();
        let mut writes = Vec::with_capacity(count);
        for n in 0..count as u64 {
            let micros = self.rev.micros() + 1_000_000 + n * 1_000;
            let kind = if paths.is_empty() { 0 } else { seeded.below(100) };
            if kind < 80 {
                let made = maker.next(micros);
                let key = made.key.unwrap_or_else(|| Tid::new(micros, 11).to_string());
                writes.push(Operation::Put(format!("{}/{key}", made.collection), made.bytes));
                continue;
            }
            let path = paths.swap_remove(seeded.index(paths.len())).clone();
            writes.push(match kind {
                80..85 => Operation::Put(path, maker.profile(micros).to_bytes()),
                _ => Operation::Delete(path),
            });
        }
        writes
    }

    /// Carries out `writes` in one commit, as a server does: what they leave behind is dropped from its table.
    pub fn apply(&mut self, writes: &[Operation]) -> Difference {
        let before = self.records.clone();
        self.rev = Tid::new(self.rev.micros() + 60_000_000, 0);
        for write in writes {
            match write {
                Operation::Put(path, bytes) => {
                    let cid = self.put(bytes, self.rev);
                    self.records.insert(path.clone(), cid);
                }
                Operation::Delete(path) => {
                    self.records.remove(path);
                }
            }
        }
        self.commit(Some(self.rev));
        difference(&before, &self.records)
    }

    /// Stores a block, unless it is there already.
    fn put(&mut self, bytes: &[u8], rev: Tid) -> Cid {
        let cid = Cid::of(Codec::DagCbor, bytes);
        self.keep(cid, bytes, rev);
        cid
    }

    fn keep(&mut self, cid: Cid, bytes: &[u8], rev: Tid) {
        if let std::collections::hash_map::Entry::Vacant(place) = self.blocks.entry(cid) {
            let start = self.bytes.len();
            self.bytes.extend(bytes);
            place.insert((rev, start..self.bytes.len()));
        }
    }

    /// Builds the tree, signs it, and drops what it does not reach. New nodes are of `rev`, or of the newest rev below.
    fn commit(&mut self, rev: Option<Tid>) {
        let mut pieces = Vec::new();
        let data = tree::build(self.records.iter().map(|(path, cid)| (path.as_bytes(), *cid))).seal(&mut pieces);
        let block = signed_commit(&self.did, data, self.rev, &self.key);
        self.commit = self.put(&block, self.rev);
        self.layout = vec![self.commit];
        let mut seen: HashSet<Cid> = self.layout.iter().copied().collect();
        for (place, piece) in pieces.iter().enumerate() {
            let cid = match piece {
                Piece::Record(cid) => cid,
                Piece::Node(cid, bytes, len) => {
                    let rev = rev.unwrap_or_else(|| self.newest(&pieces[place..place + len]));
                    self.keep(*cid, bytes, rev);
                    cid
                }
            };
            if seen.insert(*cid) {
                self.layout.push(*cid);
            }
        }
        self.blocks.retain(|cid, _| seen.contains(cid));
    }

    /// The newest rev among the records of `pieces`.
    fn newest(&self, pieces: &[Piece]) -> Tid {
        let revs = pieces.iter().filter_map(|piece| match piece {
            Piece::Record(cid) => self.blocks.get(cid).map(|(rev, _)| *rev),
            Piece::Node(..) => None,
        });
        revs.max().unwrap_or(self.rev)
    }

    /// Writes a CAR of the blocks of later revs than `since`, or of all.
    pub fn write_car(&self, order: Order, since: Option<Tid>, out: &mut impl Write) -> io::Result<()> {
        let mut blocks: Vec<(Cid, Tid, &Range<usize>)> = self
            .layout
            .iter()
            .map(|cid| {
                let (rev, at) = &self.blocks[cid];
                (*cid, *rev, at)
            })
            .filter(|(_, rev, _)| since.is_none_or(|since| *rev > since))
            .collect();
        match order {
            Order::Tree => {}
            Order::Shuffled(seed) => Seeded::new(seed).shuffle(&mut blocks),
            Order::Pds => blocks.sort_by_cached_key(|(cid, rev, _)| std::cmp::Reverse((*rev, cid.to_string()))),
        }
        let mut buffer = car_header(&[self.commit]);
        for (cid, _, at) in blocks {
            section(&mut buffer, &cid.to_bytes(), &self.bytes[at.clone()]);
            if buffer.len() > 1 << 20 {
                out.write_all(&buffer)?;
                buffer.clear();
            }
        }
        out.write_all(&buffer)?;
        out.flush()
    }

    /// As [`Repo::write_car`], in memory.
    pub fn car(&self, order: Order, since: Option<Tid>) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_car(order, since, &mut bytes)
            .expect("memory takes every byte");
        bytes
    }
}

/// What is different between two lists of records, found by asking for every path.
pub fn difference(before: &BTreeMap<String, Cid>, after: &BTreeMap<String, Cid>) -> Difference {
    let mut difference = Difference::default();
    for (path, cid) in after {
        match before.get(path) {
            None => difference.added.push(path.clone()),
            Some(old) if old != cid => difference.changed.push(path.clone()),
            Some(_) => {}
        }
    }
    difference.removed = before
        .keys()
        .filter(|path| !after.contains_key(*path))
        .cloned()
        .collect();
    difference
}

/// The block of a signed commit.
pub fn signed_commit(did: &Did, data: Cid, rev: Tid, key: &SigningKey) -> Vec<u8> {
    let fields = [
        ("did", text(did.as_str())),
        ("version", Value::Integer(3)),
        ("data", Value::Link(data)),
        ("rev", text(rev.as_str())),
        ("prev", Value::Null),
    ];
    let signature = key.sign(&map(fields.clone()).to_bytes());
    let signature = ("sig".into(), Value::Bytes(signature.to_vec()));
    Value::Map(
        fields
            .map(|(key, value)| (key.into(), value))
            .into_iter()
            .chain([signature])
            .collect(),
    )
    .to_bytes()
}

/// The head of a CAR, its length included.
pub fn car_header(roots: &[Cid]) -> Vec<u8> {
    let roots = roots.iter().map(|root| Value::Link(*root)).collect();
    let header = map([("roots", Value::List(roots)), ("version", Value::Integer(1))]).to_bytes();
    let mut out = Vec::new();
    varint(&mut out, header.len() as u64);
    out.extend(header);
    out
}

/// Adds a section to a CAR.
pub fn section(out: &mut Vec<u8>, name: &[u8], bytes: &[u8]) {
    varint(out, (name.len() + bytes.len()) as u64);
    out.extend(name);
    out.extend(bytes);
}

/// Adds an unsigned LEB128 number.
pub fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests;
