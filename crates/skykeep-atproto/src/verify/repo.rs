//! A repository that was proved: what is in it, and writing it in canonical order.
//!
//! Canonical order is commit first, then the tree in pre-order, each node followed by its left subtree and then each
//! record and the subtree right of it; each block once, at its first place. So the same commit always makes the same
//! file, whatever order, duplicates and strangers the bytes came with.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, Write};

use super::SignedCommit;
use super::batch::Block;
use super::index::Index;
use super::outline::KeptFile;
use super::proof::Proof;
use super::report::{FindingCode, Findings, Report};
use super::section::SectionReader;
use super::set::BlockSet;
use super::uses::{self, BlobUse};
use super::walk::Walked;
use crate::car::{CarWriter, Written};
use crate::commit::Commit;
use crate::{Cid, Error};

/// A repository of which every byte was proved. Only [`super::RepoCheck`] makes one.
#[derive(Debug)]
pub struct VerifiedRepo {
    pub(super) index: Index,
    proof: Proof,
    /// All blocks in canonical order, each once.
    order: Vec<Block>,
    from: Option<(Cid, BlockSet)>,
}

/// What two repositories differ in: record paths, each list in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Only in the later one.
    pub added: Vec<String>,
    /// In both, with different content.
    pub changed: Vec<String>,
    /// Only in the earlier one.
    pub removed: Vec<String>,
}

impl VerifiedRepo {
    pub(super) fn assemble(
        index: Index,
        signed: SignedCommit,
        walked: Walked,
        from: Option<(Cid, BlockSet)>,
        threads: usize,
        report: &mut Report,
        findings: &mut Findings,
    ) -> Self {
        findings.extend(walked.findings);
        report.nodes = walked.nodes;
        report.records = walked.records;
        let mut seen = BlockSet::for_index(&index);
        let mut order = walked.order;
        order.insert(0, signed.block);
        order.retain(|block| seen.insert(*block));
        let unreached = index.blocks - index.copies() - order.len() as u64;
        if unreached > 0 {
            findings.add(FindingCode::UnreachableBlocks, || format!("{unreached} blocks"));
        }
        if index.copies() > 0 {
            findings.add(FindingCode::DuplicateBlocks, || format!("{} blocks", index.copies()));
        }
        let blobs = uses::uses(&index, &walked.with_blobs, threads);
        report.blobs = blobs.len() as u64;
        Self {
            index,
            proof: Proof {
                commit: signed.commit,
                signed_by: signed.signed_by,
                signer: signed.signer,
                collections: walked.collections,
                records: walked.records,
                blobs,
            },
            order,
            from,
        }
    }

    /// What was proved of it, apart from its blocks.
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The commit.
    pub const fn commit(&self) -> &Commit {
        self.proof.commit()
    }

    /// Number of records.
    pub const fn record_count(&self) -> u64 {
        self.proof.record_count()
    }

    /// Number of records by collection.
    pub const fn collections(&self) -> &BTreeMap<String, u64> {
        self.proof.collections()
    }

    /// All different blobs that records refer to, sorted by CID.
    pub fn blobs(&self) -> &[BlobUse] {
        self.proof.blobs()
    }

    /// The commit whose blocks an increment leaves out, if one was given and found whole.
    pub fn from(&self) -> Option<Cid> {
        self.from.as_ref().map(|(cid, _)| *cid)
    }

    /// All records in key order: path and CID.
    pub fn records(&self) -> Records<'_> {
        Records {
            index: &self.index,
            stack: vec![Step::Node(self.proof.commit.data)],
            key: Vec::new(),
        }
    }

    /// The CID of the record at `path`.
    pub fn get(&self, path: &str) -> Option<Cid> {
        let mut entries = Vec::new();
        let mut node = self.proof.commit.data;
        loop {
            let mut below = self.index.read_node(&node, &mut entries)?;
            let mut key = Vec::new();
            for entry in &entries {
                key.truncate(entry.prefix);
                key.extend_from_slice(entry.suffix);
                match key.as_slice().cmp(path.as_bytes()) {
                    std::cmp::Ordering::Less => below = entry.right,
                    std::cmp::Ordering::Equal => return Some(entry.value),
                    std::cmp::Ordering::Greater => break,
                }
            }
            node = below?;
        }
    }

    /// What changed from this repository to `later`.
    pub fn compare(&self, later: &Self) -> Changes {
        let mut changes = Changes::default();
        let (mut old, mut new) = (self.records().peekable(), later.records().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return changes,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((a, _)), Some((b, _))) => a.cmp(b),
            };
            match order {
                std::cmp::Ordering::Less => changes.removed.extend(old.next().map(|(path, _)| path)),
                std::cmp::Ordering::Greater => changes.added.extend(new.next().map(|(path, _)| path)),
                std::cmp::Ordering::Equal => {
                    if let (Some((path, a)), Some((_, b))) = (old.next(), new.next())
                        && a != b
                    {
                        changes.changed.push(path);
                    }
                }
            }
        }
    }

    /// Writes the whole repository in canonical order.
    ///
    /// `sources` are those that were checked, in the same order; every block is hashed again while it is copied, so
    /// bytes that changed in between end in `HashMismatch` or `Missing`. Errors: these and `Io`; what was written then
    /// is no repository.
    pub fn write_base<S: Read + Seek, W: Write>(&self, sources: &mut [S], out: W) -> Result<Written, Error> {
        self.write(sources, out, |_| true, |_, _| {})
    }

    /// Writes the blocks that are reachable now and not from the commit given as [`super::RepoCheck::from`], in the same
    /// order; without such a commit it writes everything. Errors as [`VerifiedRepo::write_base`].
    pub fn write_increment<S: Read + Seek, W: Write>(&self, sources: &mut [S], out: W) -> Result<Written, Error> {
        self.write(sources, out, |block| !self.is_kept(block), |_, _| {})
    }

    /// The bytes of one block of the repository. Errors as [`VerifiedRepo::write_base`].
    pub fn read_block<S: Read + Seek>(&self, cid: Cid, sources: &mut [S]) -> Result<Vec<u8>, Error> {
        let block = self.index.find(&cid).ok_or(Error::Missing { cid })?;
        let mut readers: Vec<_> = sources.iter_mut().map(SectionReader::new).collect();
        copy(&self.index, block, &mut readers).map(<[u8]>::to_vec)
    }

    /// The file that [`VerifiedRepo::write_increment`] makes, and at which offset each of its sections begins.
    pub(super) fn lay_out_increment<S: Read + Seek>(
        &self,
        sources: &mut [S],
    ) -> Result<(KeptFile, HashMap<Cid, u64>), Error> {
        let mut offsets = HashMap::new();
        let at = |cid, offset| {
            offsets.insert(cid, offset);
        };
        let written = self.write(sources, std::io::sink(), |block| !self.is_kept(block), at)?;
        let file = KeptFile {
            sha256: written.sha256,
            len: written.len,
        };
        Ok((file, offsets))
    }

    /// Whether an increment leaves a block out.
    fn is_kept(&self, block: Block) -> bool {
        self.from.as_ref().is_some_and(|(_, kept)| kept.contains(block))
    }

    fn write<S: Read + Seek, W: Write>(
        &self,
        sources: &mut [S],
        out: W,
        wanted: impl Fn(Block) -> bool,
        at: impl FnMut(Cid, u64),
    ) -> Result<Written, Error> {
        let mut readers: Vec<_> = sources.iter_mut().map(SectionReader::new).collect();
        let order = self.order.iter().copied().filter(|block| wanted(*block));
        write_blocks(&self.index, self.proof.commit.cid, order, &mut readers, out, at)
    }
}

/// Writes blocks as a CAR in the given order; `at` is told where each of them begins.
pub(super) fn write_blocks<S: Read + Seek, W: Write>(
    index: &Index,
    root: Cid,
    order: impl Iterator<Item = Block>,
    readers: &mut [SectionReader<'_, S>],
    out: W,
    mut at: impl FnMut(Cid, u64),
) -> Result<Written, Error> {
    let mut writer = CarWriter::new(out, root);
    for block in order {
        let bytes = copy(index, block, readers)?;
        let cid = index.cid(block);
        at(cid, writer.offset());
        writer.block(cid, bytes)?;
    }
    Ok(writer.finish()?)
}

fn copy<'r, S: Read + Seek>(
    index: &Index,
    block: Block,
    readers: &'r mut [SectionReader<'_, S>],
) -> Result<&'r [u8], Error> {
    let cid = index.cid(block);
    let (source, offset) = index.position(block);
    let reader = readers.get_mut(source).ok_or(Error::Missing { cid })?;
    let bytes = reader.section(offset, cid)?;
    if cid.names(bytes) {
        Ok(bytes)
    } else {
        Err(Error::HashMismatch { cid })
    }
}

/// Iterates over all records of a repository in key order.
#[derive(Debug)]
pub struct Records<'a> {
    index: &'a Index,
    stack: Vec<Step<'a>>,
    key: Vec<u8>,
}

#[derive(Debug)]
enum Step<'a> {
    Node(Cid),
    Entry {
        before: Option<std::rc::Rc<[u8]>>,
        prefix: usize,
        suffix: &'a [u8],
        value: Cid,
    },
}

impl Iterator for Records<'_> {
    type Item = (String, Cid);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.stack.pop()? {
                Step::Node(cid) => self.open(cid),
                Step::Entry {
                    before,
                    prefix,
                    suffix,
                    value,
                } => {
                    if let Some(before) = before {
                        self.key.clear();
                        self.key.extend_from_slice(&before);
                    }
                    self.key.truncate(prefix);
                    self.key.extend_from_slice(suffix);
                    return Some((String::from_utf8_lossy(&self.key).into_owned(), value));
                }
            }
        }
    }
}

impl Records<'_> {
    /// Pushes a node's entries and subtrees, the first on top.
    fn open(&mut self, cid: Cid) {
        let mut entries = Vec::new();
        let Some(left) = self.index.read_node(&cid, &mut entries) else {
            return;
        };
        let mut steps = Vec::with_capacity(entries.len() * 2 + 1);
        steps.extend(left.map(Step::Node));
        let mut key: Vec<u8> = Vec::new();
        // After a subtree the key buffer holds one of its keys: the next entry brings the key before it along.
        let mut stale = true;
        for entry in &entries {
            let before = stale.then(|| std::rc::Rc::from(key.as_slice()));
            steps.push(Step::Entry {
                before,
                prefix: entry.prefix,
                suffix: entry.suffix,
                value: entry.value,
            });
            key.truncate(entry.prefix);
            key.extend_from_slice(entry.suffix);
            stale = entry.right.is_some();
            steps.extend(entry.right.map(Step::Node));
        }
        self.stack.extend(steps.into_iter().rev());
    }
}
