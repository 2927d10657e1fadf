//! An increment proved beside what is kept, without reading that again.
//!
//! What is kept was proved before, and its [`Outline`] says so: its tree is whole, its keys are in order and on their
//! layers, its records are canonical. Both trees are walked as far as they differ ([`super::compare`]); keys that one has
//! and the other has not are what changed. Every record that is new must have come, and is judged like all others; counts
//! and blobs follow from those of before.
//!
//! There are two answers: all of this holds, or it is not known. In doubt nothing is said about what is wrong, for a
//! check of everything says it better. So are records with blobs whose bytes are there already, and trees of which
//! most is new, left to that check. What a kept file has lost outside the nodes that are read here is not noticed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Seek, Write};

use super::batch::Block;
use super::compare::{Compared, KeptBlocks, Met, Piece, compare, records};
use super::index::Index;
use super::outline::{KeptFile, Mark, Outline, alike, head, place, references};
use super::proof::Proof;
use super::repo::write_blocks;
use super::report::{FindingCode, Report};
use super::section::SectionReader;
use super::set::BlockSet;
use super::uses::{self, WithBlobs};
use super::{RepoCheck, feed};
use crate::car::Written;
use crate::{Cid, Error, path, record};

/// A new commit of which every byte that is new was proved, and that stands on one that was proved before. Only
/// [`RepoCheck::increment`] makes one.
#[derive(Debug)]
pub struct VerifiedIncrement {
    proof: Proof,
    index: Index,
    /// What the kept commit does not reach, in canonical order.
    order: Vec<Block>,
    /// Of the kept commit, but with the new one's records with blobs.
    before: Outline,
    change: Change,
}

/// What a check of an increment answers when it holds.
#[derive(Debug)]
pub struct CheckedIncrement {
    /// As of a check of everything, but that only what came is counted in bytes and blocks.
    pub report: Report,
    /// The increment.
    pub increment: VerifiedIncrement,
}

/// What differs between two trees.
#[derive(Debug, Default)]
struct Change {
    /// Nodes of the kept tree that are in the new one no more, by mark.
    lost_nodes: Vec<Cid>,
    /// Nodes that only the new tree has.
    new_nodes: Vec<Cid>,
    /// Records that paths of the kept tree name no more, and those that new ones do, each as often as that is so.
    lost: Vec<Cid>,
    new: Vec<Cid>,
    /// Those of the new ones that the kept tree has at other paths, and where.
    there: HashMap<Cid, u64>,
}

impl RepoCheck {
    /// Proves what came since `kept`, beside the files that hold it, in their order, as
    /// [`Outline::files`] names them. `None` when it cannot be proved so: a check of everything has the reasons then, or
    /// proves it.
    ///
    /// The caller says that the files are those, by name and length; of their bytes only those that are needed are read,
    /// and hashed. Errors: `Io`, when `since` fails.
    pub fn increment<S: Read + Seek, T: Read + Send>(
        self,
        kept: Outline,
        files: &mut [S],
        since: &mut T,
    ) -> Result<Option<CheckedIncrement>, Error> {
        let threads = self.thread_count();
        let harvest = feed::read(std::slice::from_mut(since), threads, &self.limits)?;
        let (mut report, mut findings) = (Report::new(), harvest.findings);
        report.bytes = harvest.bytes;
        let index = Index::new(harvest.batches, harvest.spread, threads);
        report.blocks = index.blocks;
        report.root = self.root.or(harvest.root);
        let commit = report
            .root
            .filter(|root| *root != kept.commit)
            .and_then(|root| self.commit(root, &index, &mut report, &mut findings));
        let Some(commit) = commit.filter(|_| self.did.is_some() && findings.is_empty()) else {
            return Ok(None);
        };
        let mut blocks = KeptBlocks::new(&kept, files);
        let Some(compared) = compare(&index, &mut blocks, commit.commit.data) else {
            return Ok(None);
        };
        let differences = Differences::between(&compared);
        let Some(there) = differences.there(&mut blocks) else {
            return Ok(None);
        };
        let Some(settled) = settle(&index, kept, &compared, &differences, there) else {
            return Ok(None);
        };
        let Settled {
            before,
            collections,
            change,
            mut order,
        } = settled;
        order.insert(0, commit.block);
        let unreached = index.blocks - index.copies() - compared.reached(&index) - 1;
        if unreached > 0 {
            findings.add(FindingCode::UnreachableBlocks, || format!("{unreached} blocks"));
        }
        if index.copies() > 0 {
            findings.add(FindingCode::DuplicateBlocks, || format!("{} blocks", index.copies()));
        }
        let blobs = uses::uses_of(&before.with_blobs, threads);
        let nodes = before.nodes.len() + change.new_nodes.len() - change.lost_nodes.len();
        let records = before.records.len() + change.new.len() - change.lost.len();
        (report.nodes, report.records) = (nodes as u64, records as u64);
        report.blobs = blobs.len() as u64;
        let report = report.conclude(findings);
        if !report.is_proved() {
            return Ok(None);
        }
        let increment = VerifiedIncrement {
            proof: Proof {
                commit: commit.commit,
                signed_by: commit.signed_by,
                signer: commit.signer,
                collections,
                records: report.records,
                blobs,
            },
            index,
            order,
            before,
            change,
        };
        Ok(Some(CheckedIncrement { report, increment }))
    }
}

impl VerifiedIncrement {
    /// What was proved of the whole repository, apart from its blocks.
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The commit that it stands on.
    pub const fn from(&self) -> Cid {
        self.before.commit
    }

    /// Writes the blocks that are reachable now and not from [`VerifiedIncrement::from`], in canonical order.
    ///
    /// `since` is what was checked; every block is hashed again while it is copied. Errors: `HashMismatch` or `Missing`
    /// when its bytes changed in between; `Io`.
    pub fn write_increment<S: Read + Seek, W: Write>(&self, since: &mut S, out: W) -> Result<Written, Error> {
        self.write(since, out, |_, _| {})
    }

    /// The outline of the new commit, once the increment is kept behind the files of the one before. `None` when it has
    /// more files, or longer ones, than an outline can speak of. Errors: as [`VerifiedIncrement::write_increment`].
    pub fn outline<S: Read + Seek>(&self, since: &mut S) -> Result<Option<Outline>, Error> {
        let mut offsets = HashMap::new();
        let written = self.write(since, std::io::sink(), |cid, offset| {
            offsets.insert(cid, offset);
        })?;
        let Self { before, change, .. } = self;
        let file = before.files.len();
        let marks = |cids: &[Cid]| -> Option<Vec<Mark>> {
            let known = |cid| change.there.get(cid).copied();
            let new = |cid| offsets.get(cid).and_then(|offset| place(file, *offset));
            let mark = |cid| Some((head(cid), known(cid).or_else(|| new(cid))?));
            cids.iter().map(mark).collect()
        };
        let (Some(nodes), Some(records)) = (marks(&change.new_nodes), marks(&change.new)) else {
            return Ok(None);
        };
        let kept = KeptFile {
            sha256: written.sha256,
            len: written.len,
        };
        Ok(Some(Outline {
            commit: self.proof.commit.cid,
            data: self.proof.commit.data,
            files: before.files.iter().copied().chain([kept]).collect(),
            collections: self.proof.collections.clone(),
            nodes: replaced(&before.nodes, &change.lost_nodes, nodes),
            records: replaced(&before.records, &change.lost, records),
            with_blobs: before.with_blobs.clone(),
        }))
    }

    fn write<S: Read + Seek, W: Write>(
        &self,
        since: &mut S,
        out: W,
        at: impl FnMut(Cid, u64),
    ) -> Result<Written, Error> {
        let mut readers = [SectionReader::new(since)];
        let order = self.order.iter().copied();
        write_blocks(&self.index, self.proof.commit.cid, order, &mut readers, out, at)
    }
}

/// Sorted marks without one for each of the `lost` blocks, and with new ones.
fn replaced(old: &[Mark], lost: &[Cid], mut new: Vec<Mark>) -> Vec<Mark> {
    let mut lost: Vec<u64> = lost.iter().map(head).collect();
    lost.sort_unstable();
    new.sort_unstable();
    let (mut lost, mut new) = (lost.into_iter().peekable(), new.into_iter().peekable());
    let mut all = Vec::with_capacity(old.len() + new.len());
    for mark in old {
        while let Some(new) = new.next_if(|new| new < mark) {
            all.push(new);
        }
        while lost.next_if(|lost| *lost < mark.0).is_some() {}
        if lost.next_if(|lost| *lost == mark.0).is_none() {
            all.push(*mark);
        }
    }
    all.extend(new);
    all
}

/// What follows from the differences.
struct Settled {
    before: Outline,
    collections: BTreeMap<String, u64>,
    change: Change,
    /// What is to be kept, in canonical order.
    order: Vec<Block>,
}

/// Judges the new records and reckons what there is now; nothing if one is missing or not canonical.
fn settle(
    index: &Index,
    mut before: Outline,
    compared: &Compared,
    differences: &Differences<'_>,
    there: HashMap<Cid, u64>,
) -> Option<Settled> {
    let mut collections = before.collections.clone();
    for (paths, count) in [(&differences.lost, -1), (&differences.new, 1)] {
        for key in paths.keys() {
            let name = text(&key[..path::collection_end(key, &[])]);
            let entry = collections.entry(name).or_default();
            *entry = entry.checked_add_signed(count)?;
        }
    }
    collections.retain(|_, records| *records > 0);
    // Bytes that are a node or the commit and a record too are nobody's, and not told apart here.
    let odd = |cid: &Cid| !alike(&before.nodes, cid).is_empty() || *cid == before.commit;
    let came = |cid: &Cid| there.contains_key(cid) || index.find(cid).is_some();
    if !differences.new.values().all(|value| came(value) && !odd(value)) {
        return None;
    }
    let (mut seen, mut order, mut with_blobs) = (BlockSet::for_index(index), Vec::new(), Vec::new());
    let mut change = Change {
        lost: differences.lost.values().copied().collect(),
        new: differences.new.values().copied().collect(),
        ..Change::default()
    };
    let mut still = HashSet::new();
    for met in &compared.met {
        match met {
            Met::Node(block) => {
                let cid = index.cid(*block);
                if compared.old_nodes.contains(&cid) {
                    still.insert(cid);
                } else {
                    if !alike(&before.records, &cid).is_empty() {
                        return None;
                    }
                    change.new_nodes.push(cid);
                    order.extend(seen.insert(*block).then_some(*block));
                }
            }
            Met::Record(block, piece) => {
                let Piece::Record { key, value } = &compared.new[*piece] else {
                    continue;
                };
                let is_new = differences.new.contains_key(key.as_slice()) && !there.contains_key(value);
                if is_new && seen.insert(*block) {
                    order.push(*block);
                    with_blobs.extend(judge(index, *block, key)?);
                }
            }
        }
    }
    change.lost_nodes = compared.old_nodes.difference(&still).copied().collect();
    // Of records with the same bytes the first is listed: which one is the next is not known.
    let lost = |record: &WithBlobs| differences.lost.get(record.path.as_bytes());
    if before
        .with_blobs
        .iter()
        .filter_map(lost)
        .any(|value| alike(&before.records, value).len() != 1)
    {
        return None;
    }
    change.there = there;
    before.with_blobs.retain(|record| lost(record).is_none());
    before.with_blobs.extend(with_blobs);
    before.with_blobs.sort_by(|a, b| a.path.cmp(&b.path));
    Some(Settled {
        before,
        collections,
        change,
        order,
    })
}

/// Paths that one tree has and the other has not, or not with this record.
#[derive(Debug, Default)]
struct Differences<'a> {
    lost: BTreeMap<&'a [u8], Cid>,
    new: BTreeMap<&'a [u8], Cid>,
}

impl<'a> Differences<'a> {
    fn between(compared: &'a Compared) -> Self {
        let mut lost: BTreeMap<_, _> = records(&compared.old).map(|(key, value)| (key, *value)).collect();
        let mut new = BTreeMap::new();
        for (key, value) in records(&compared.new) {
            if lost.get(key) == Some(value) {
                lost.remove(key);
            } else {
                new.insert(key, *value);
            }
        }
        Self { lost, new }
    }

    /// Those of the new records that the kept tree has at other paths, and where; nothing if one of them has blobs: which
    /// of these paths is the first is not known.
    fn there<S: Read + Seek>(&self, kept: &mut KeptBlocks<'_, '_, S>) -> Option<HashMap<Cid, u64>> {
        let mut there = HashMap::new();
        for value in self.new.values() {
            let Some((bytes, place)) = kept.record(value) else {
                continue;
            };
            let mut blobs = 0;
            record::check(&bytes, &mut |_| blobs += 1)
                .ok()
                .filter(|()| blobs == 0)?;
            there.insert(*value, place);
        }
        Some(there)
    }
}

/// Judges a record that is new; its blobs, if it has any.
fn judge(index: &Index, block: Block, key: &[u8]) -> Option<Option<WithBlobs>> {
    let odd = index.kept_bytes(block).map(|bytes| record::check(bytes, &mut |_| {}));
    if index.fault(block).is_some() || odd.is_some_and(|checked| checked.is_err()) {
        return None;
    }
    let blobs = references(index, block);
    Some((!blobs.is_empty()).then(|| WithBlobs { path: text(key), blobs }))
}

fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}
