//! What a proof leaves for the next one: where the tree's nodes are, and what else must be known of what is not read.
//!
//! An outline belongs to one commit and to the files that hold it, in their order. It is made of a proof alone, and
//! says: where in the files each tree node and each record stands; which records refer to which blobs; how many records
//! each collection has. What is read at a place is hashed. That nothing else is in the tree, and the blobs and counts,
//! are believed, so an outline's bytes end with their own hash: one that is cut off, damaged or of another version is
//! none, and everything is proved anew.
//!
//! The form, for this program alone and made anew whenever it is missing: numbers are little-endian, texts follow their
//! length.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::io::{Read, Seek};
use std::sync::Arc;
use std::thread;

use super::batch::OwnedBlobRef;
use super::index::Index;
use super::repo::VerifiedRepo;
use super::uses::WithBlobs;
use crate::{Cid, Error, record, sha256};

/// How the bytes begin; another version is another beginning.
const MAGIC: &[u8; 16] = b"skykeep outline1";

/// From this many bytes on they are hashed by a thread of its own while they are read.
const SHARED_FROM: usize = 256 << 10;

/// Bits of a place that say where in its file it is; the others say which file.
const OFFSET_BITS: u32 = 48;

/// One of the files that hold a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptFile {
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Length, in bytes.
    pub len: u64,
}

/// What is known of a repository that was proved, so that what comes next can be proved without reading it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    pub(super) commit: Cid,
    /// Root of its tree.
    pub(super) data: Cid,
    pub(super) files: Vec<KeptFile>,
    pub(super) collections: BTreeMap<String, u64>,
    /// Mark and place of every tree node, sorted.
    pub(super) nodes: Vec<Mark>,
    /// The same of every record, as often as a path names it.
    pub(super) records: Vec<Mark>,
    /// Records with blobs in tree order, of those with the same bytes the first.
    pub(super) with_blobs: Vec<WithBlobs>,
}

/// How a block's digest begins, and its place. Two blocks may begin alike: only who reads the place knows.
pub(super) type Mark = (u64, u64);

/// How a block's digest begins.
pub(super) fn head(cid: &Cid) -> u64 {
    let (head, _) = cid.digest().split_first_chunk().expect("a digest has 32 bytes");
    u64::from_be_bytes(*head)
}

/// Those marks, of sorted ones, that may be a block's.
pub(super) fn alike<'a>(marks: &'a [Mark], cid: &Cid) -> &'a [Mark] {
    let head = head(cid);
    let first = marks.partition_point(|(other, _)| *other < head);
    let len = marks[first..].iter().take_while(|(other, _)| *other == head).count();
    &marks[first..first + len]
}

/// Which file a place is in, and where in it.
pub(super) fn position(place: u64) -> (usize, u64) {
    let file = usize::try_from(place >> OFFSET_BITS).unwrap_or(usize::MAX);
    (file, place & ((1 << OFFSET_BITS) - 1))
}

/// A place in a file; none for a file of more than 256 TiB, and past 65,536 files.
pub(super) fn place(file: usize, offset: u64) -> Option<u64> {
    let file = u64::from(u16::try_from(file).ok()?);
    (offset >> OFFSET_BITS == 0).then_some(file << OFFSET_BITS | offset)
}

impl Outline {
    /// The outline of a repository that was proved from `files`, or from them and what came since, once its increment is
    /// kept behind them.
    ///
    /// `sources` are those that were checked: first those files, then what came, if anything did. `None` for a
    /// repository that no increment can be written of. Errors: those of [`VerifiedRepo::write_increment`].
    pub fn of<S: Read + Seek>(
        repo: &VerifiedRepo,
        files: &[KeptFile],
        sources: &mut [S],
    ) -> Result<Option<Self>, Error> {
        let (increment, new) = match sources.len().checked_sub(files.len()) {
            Some(0) => (None, HashMap::new()),
            Some(1) if repo.from().is_some() => {
                let (increment, new) = repo.lay_out_increment(sources)?;
                (Some(increment), new)
            }
            _ => return Ok(None),
        };
        let mut gathered = Gathered {
            index: &repo.index,
            kept: files.len(),
            new: &new,
            nodes: Vec::new(),
            records: Vec::new(),
        };
        let data = repo.commit().data;
        if gathered.tree(data).is_none() {
            return Ok(None);
        }
        let Gathered {
            mut nodes, mut records, ..
        } = gathered;
        nodes.sort_unstable();
        records.sort_unstable();
        Ok(Some(Self {
            commit: repo.commit().cid,
            data,
            files: files.iter().copied().chain(increment).collect(),
            collections: repo.collections().clone(),
            nodes,
            records,
            with_blobs: with_blobs(repo),
        }))
    }

    /// The commit that it is the outline of.
    pub const fn commit(&self) -> Cid {
        self.commit
    }

    /// The files that hold it, in their order.
    pub fn files(&self) -> &[KeptFile] {
        &self.files
    }

    /// Its bytes, for a file of their own.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut mime_types: Vec<&str> = Vec::new();
        let mut numbers: HashMap<&str, u64> = HashMap::new();
        let size = 16 * (self.nodes.len() + self.records.len()) + 200 * self.with_blobs.len() + 4096;
        let mut out = Vec::with_capacity(size);
        out.extend(MAGIC);
        out.extend(self.commit.to_bytes());
        out.extend(self.data.to_bytes());
        number(&mut out, self.files.len());
        for file in &self.files {
            out.extend(file.sha256);
            out.extend(file.len.to_le_bytes());
        }
        number(&mut out, self.collections.len());
        for (collection, records) in &self.collections {
            text(&mut out, collection);
            out.extend(records.to_le_bytes());
        }
        marks(&mut out, &self.nodes);
        marks(&mut out, &self.records);
        for blob in self.with_blobs.iter().flat_map(|record| &record.blobs) {
            numbers.entry(&blob.mime_type).or_insert_with(|| {
                mime_types.push(&blob.mime_type);
                mime_types.len() as u64 - 1
            });
        }
        number(&mut out, mime_types.len());
        mime_types.iter().for_each(|mime_type| text(&mut out, mime_type));
        number(&mut out, self.with_blobs.len());
        for record in &self.with_blobs {
            text(&mut out, &record.path);
            number(&mut out, record.blobs.len());
            for blob in &record.blobs {
                out.extend(blob.cid.to_bytes());
                out.extend(numbers[&*blob.mime_type].to_le_bytes());
                out.push(u8::from(blob.size.is_some()));
                out.extend(blob.size.unwrap_or_default().to_le_bytes());
            }
        }
        let hash = sha256::digest(&out);
        out.extend(hash);
        out
    }

    /// Reads what [`Outline::to_bytes`] wrote; nothing else passes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (bytes, hash) = bytes.split_last_chunk::<32>()?;
        if bytes.len() < SHARED_FROM {
            return (sha256::digest(bytes) == *hash).then(|| Self::read(bytes))?;
        }
        thread::scope(|scope| {
            let hashed = scope.spawn(|| sha256::digest(bytes));
            let outline = Self::read(bytes);
            hashed.join().is_ok_and(|found| found == *hash).then_some(outline)?
        })
    }

    /// Reads all but the hash, whatever the bytes are.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes.strip_prefix(MAGIC)?);
        let (commit, data) = (bytes.cid()?, bytes.cid()?);
        let file = |bytes: &mut Bytes<'_>| {
            Some(KeptFile {
                sha256: *bytes.array()?,
                len: bytes.number()?,
            })
        };
        let outline = Self {
            commit,
            data,
            files: bytes.list(file)?,
            collections: bytes
                .list(|bytes| Some((bytes.text()?.to_owned(), bytes.number()?)))?
                .into_iter()
                .collect(),
            nodes: bytes.marks()?,
            records: bytes.marks()?,
            with_blobs: {
                let mime_types = bytes.list(|bytes| Some(Arc::from(bytes.text()?)))?;
                bytes.list(|bytes| {
                    Some(WithBlobs {
                        path: bytes.text()?.to_owned(),
                        blobs: bytes.list(|bytes| bytes.blob(&mime_types))?,
                    })
                })?
            },
        };
        bytes.0.is_empty().then_some(outline)
    }
}

/// The parts that are gathered by a walk.
struct Gathered<'a> {
    index: &'a Index,
    /// Number of sources that are kept as they are.
    kept: usize,
    /// Where the blocks of the other one are, once they are kept.
    new: &'a HashMap<Cid, u64>,
    nodes: Vec<Mark>,
    records: Vec<Mark>,
}

impl Gathered<'_> {
    /// Takes in the node named `cid` and what is below it; nothing when a place is out of bounds.
    fn tree(&mut self, cid: Cid) -> Option<()> {
        let index = self.index;
        self.nodes.push(self.mark(&cid)?);
        let mut entries = Vec::new();
        if let Some(left) = index.read_node(&cid, &mut entries)? {
            self.tree(left)?;
        }
        for entry in &entries {
            self.records.push(self.mark(&entry.value)?);
            if let Some(right) = entry.right {
                self.tree(right)?;
            }
        }
        Some(())
    }

    fn mark(&self, cid: &Cid) -> Option<Mark> {
        let (source, offset) = self.index.position(self.index.find(cid)?);
        let offset = if source < self.kept {
            offset
        } else {
            *self.new.get(cid)?
        };
        Some((head(cid), place(source, offset)?))
    }
}

/// The records with blobs of a repository that was proved.
fn with_blobs(repo: &VerifiedRepo) -> Vec<WithBlobs> {
    let mut paths: Vec<&str> = repo
        .blobs()
        .iter()
        .flat_map(|blob| &blob.records)
        .map(|path| &**path)
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let mut all = Vec::with_capacity(paths.len());
    for path in paths {
        let Some(block) = repo.get(path).and_then(|cid| repo.index.find(&cid)) else {
            continue;
        };
        all.push(WithBlobs {
            path: path.to_owned(),
            blobs: references(&repo.index, block),
        });
    }
    all
}

/// The blobs that the record in a block refers to, in the order of the references.
pub(super) fn references(index: &Index, block: super::batch::Block) -> Vec<OwnedBlobRef> {
    let mut blobs: Vec<_> = index.blobs(block).iter().map(|(_, blob)| blob.clone()).collect();
    if let Some(bytes) = index.kept_bytes(block) {
        // Of one that begins like a tree node nothing is kept but its bytes.
        let _ = record::check(bytes, &mut |blob| blobs.push(blob.into()));
    }
    blobs
}

fn number(out: &mut Vec<u8>, number: usize) {
    out.extend((number as u64).to_le_bytes());
}

fn marks(out: &mut Vec<u8>, marks: &[Mark]) {
    number(out, marks.len());
    for (head, place) in marks {
        out.extend(head.to_le_bytes());
        out.extend(place.to_le_bytes());
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len());
    out.extend(text.as_bytes());
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(array)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn len(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = self.len()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn cid(&mut self) -> Option<Cid> {
        Cid::from_binary(self.array::<{ Cid::LEN }>()?)
    }

    fn blob(&mut self, mime_types: &[Arc<str>]) -> Option<OwnedBlobRef> {
        let (cid, mime_type, [sized]) = (self.cid()?, self.len()?, *self.array()?);
        let size = self.number()?;
        Some(OwnedBlobRef {
            cid,
            mime_type: Arc::clone(mime_types.get(mime_type)?),
            size: (sized == 1).then_some(size),
        })
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = self.len()?;
        // No item takes less than a byte.
        let mut items = Vec::with_capacity(len.min(self.0.len() / size_of::<T>().max(1) + 1));
        for _ in 0..len {
            items.push(item(self)?);
        }
        Some(items)
    }

    fn marks(&mut self) -> Option<Vec<Mark>> {
        let len = self.len()?.checked_mul(size_of::<Mark>())?;
        let (marks, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        let (numbers, _) = marks.as_chunks::<8>();
        let (marks, _) = numbers.as_chunks::<2>();
        Some(
            marks
                .iter()
                .map(|[head, place]| (u64::from_le_bytes(*head), u64::from_le_bytes(*place)))
                .collect(),
        )
    }
}
