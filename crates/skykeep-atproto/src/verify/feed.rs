//! Reading: bytes are cut into sections under a lock, and hashed and looked through outside it.
//!
//! A cut is small enough to stay in a core's cache between being read and being hashed. Whole sections only: what
//! a read leaves over is carried into the next one.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::Limits;
use super::batch::{BATCH_BLOCKS, Batch, BatchMaker, MAX_BATCHES};
use super::report::{FindingCode, Findings};
use super::spread::Spread;
use crate::car::{self, MAX_HEADER, MAX_SECTION, Varint};
use crate::{Cid, Error, mst, record, sha256};

/// Bytes read at a time.
const READ_SIZE: usize = 300 * 1024;

/// What was read from all sources.
#[derive(Debug)]
pub(super) struct Harvest {
    pub(super) batches: Vec<Batch>,
    pub(super) spread: Spread,
    /// First root of the last source whose header could be read.
    pub(super) root: Option<Cid>,
    pub(super) bytes: u64,
    pub(super) findings: Findings,
}

/// Reads all sources with `threads` threads. Errors: only those of the sources themselves.
pub(super) fn read<S: Read + Send>(sources: &mut [S], threads: usize, limits: &Limits) -> Result<Harvest, Error> {
    let shared = Shared {
        feed: Mutex::new(Feed::new(sources, limits)),
        memory: AtomicU64::new(0),
        spread: Spread::new(),
        limits,
    };
    let work = || worker(&shared);
    let mut results = Vec::new();
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        results.push(work());
        for other in others {
            results.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    let (mut batches, mut found) = (Vec::new(), Vec::new());
    for result in results {
        let (read, findings) = result?;
        batches.extend(read);
        found.extend(findings);
    }
    let feed = shared.feed.into_inner().unwrap_or_else(PoisonError::into_inner);
    batches.sort_unstable_by_key(Batch::number);
    found.sort_by_key(|(number, _)| *number);
    let mut findings = feed.findings;
    for (_, part) in found {
        findings.extend(part);
    }
    Ok(Harvest {
        batches,
        spread: shared.spread,
        root: feed.root,
        bytes: feed.bytes,
        findings,
    })
}

/// What all readers share.
struct Shared<'a, S> {
    feed: Mutex<Feed<'a, S>>,
    /// Bytes of memory that batches hold.
    memory: AtomicU64,
    spread: Spread,
    limits: &'a Limits,
}

/// What one reader made: its batches, and what it found in which cut.
type Reading = (Vec<Batch>, Vec<(usize, Findings)>);

fn worker<S: Read>(shared: &Shared<'_, S>) -> Result<Reading, Error> {
    let (mut batches, mut found) = (Vec::new(), Vec::new());
    let mut cut = Cut::default();
    let mut maker = BatchMaker::new(shared.spread);
    loop {
        let new_batch = {
            let mut feed = shared.feed.lock().unwrap_or_else(PoisonError::into_inner);
            if shared.memory.load(Ordering::Relaxed) > shared.limits.memory {
                feed.give_up("memory");
            }
            if !feed.next(&mut cut)? {
                break;
            }
            let room = maker.has_room(cut.source, cut.offset, cut.sections.len(), cut.bytes.len());
            if !room && feed.batches == MAX_BATCHES {
                feed.give_up("blocks");
                break;
            }
            feed.batches += usize::from(!room);
            (!room).then(|| feed.batches - 1)
        };
        if let Some(number) = new_batch {
            batches.extend(maker.finish());
            maker.begin(number, cut.source, cut.offset);
        }
        let before = maker.memory();
        let mut findings = Findings::default();
        look_through(&cut, &mut maker, &mut findings);
        shared
            .memory
            .fetch_add(maker.memory().saturating_sub(before), Ordering::Relaxed);
        if findings.has(FindingCode::HashMismatch) || findings.has(FindingCode::BadSection) {
            found.push((cut.number, findings));
        }
    }
    batches.extend(maker.finish());
    Ok((batches, found))
}

/// Hashes every section of a cut and keeps what the walk will need.
fn look_through(cut: &Cut, maker: &mut BatchMaker, findings: &mut Findings) {
    let mut entries = Vec::new();
    let mut digests = Vec::with_capacity(cut.sections.len());
    let sections = || cut.sections.iter().map(|section| &cut.bytes[section.body..section.end]);
    sha256::digests(sections().map(|section| &section[Cid::LEN..]), &mut digests);
    for (section, digest) in cut.sections.iter().zip(&digests) {
        let offset = cut.offset + section.start as u64;
        let Ok((cid, data)) = car::section(&cut.bytes[section.body..section.end]) else {
            findings.add(FindingCode::BadSection, || {
                format!("the CID of the section at byte {offset} is not one of AT Protocol")
            });
            continue;
        };
        if cid.digest() != digest {
            findings.add(FindingCode::HashMismatch, || format!("{cid} at byte {offset}"));
            continue;
        }
        maker.block(&cid, offset);
        if begins_like_node(data) {
            let node = mst::decode(data, &mut entries);
            if !node.is_ok_and(|left| maker.node(left, &entries)) {
                maker.keep(data);
            }
        } else if begins_like_commit(data) {
            maker.keep(data);
        } else if let Err(error) = record::check(data, &mut |blob| maker.blob(&blob)) {
            maker.fault(error.to_string());
        }
    }
    maker.end_of_cut();
}

/// A record may begin so too. If it is no sound node it is kept for nothing, and proved when the walk meets it; a sound
/// node is a canonical map without blobs.
fn begins_like_node(data: &[u8]) -> bool {
    matches!(data, [0xa2, 0x61, b'e', ..])
}

fn begins_like_commit(data: &[u8]) -> bool {
    matches!(data, [0xa4..=0xb7, 0x63, b'd', b'i', b'd', ..])
}

/// Whole sections of one source.
#[derive(Debug, Default)]
struct Cut {
    number: usize,
    source: usize,
    /// Offset of `bytes` in the source.
    offset: u64,
    bytes: Vec<u8>,
    sections: Vec<Section>,
}

/// Where a section is in a cut's bytes.
#[derive(Debug, Clone, Copy)]
struct Section {
    /// Of its length.
    start: usize,
    /// Of its CID and data.
    body: usize,
    end: usize,
}

#[derive(Debug)]
struct Feed<'a, S> {
    sources: &'a mut [S],
    limits: &'a Limits,
    /// The source being read.
    source: usize,
    /// Offset in that source of the first byte of `carry`.
    offset: u64,
    /// Bytes read that were not yet cut.
    carry: Vec<u8>,
    in_body: bool,
    at_end: bool,
    next_number: usize,
    /// Batches that were begun.
    batches: usize,
    root: Option<Cid>,
    bytes: u64,
    findings: Findings,
}

impl<'a, S: Read> Feed<'a, S> {
    fn new(sources: &'a mut [S], limits: &'a Limits) -> Self {
        Self {
            sources,
            limits,
            source: 0,
            offset: 0,
            carry: Vec::new(),
            in_body: false,
            at_end: false,
            next_number: 0,
            batches: 0,
            root: None,
            bytes: 0,
            findings: Findings::default(),
        }
    }

    /// Fills `cut` with the next whole sections; false when all sources are read.
    fn next(&mut self, cut: &mut Cut) -> io::Result<bool> {
        loop {
            if self.source >= self.sources.len() {
                return Ok(false);
            }
            if !self.in_body {
                self.read_header()?;
                continue;
            }
            cut.bytes.clear();
            cut.bytes.append(&mut self.carry);
            let ended = self.fill(&mut cut.bytes, READ_SIZE)?;
            if self.cut_sections(cut, ended)? {
                return Ok(true);
            }
        }
    }

    /// Reads until `bytes` holds at least `size`; true at the end of the source.
    fn fill(&mut self, bytes: &mut Vec<u8>, size: usize) -> io::Result<bool> {
        while bytes.len() < size && !self.at_end {
            let want = (size - bytes.len()) as u64;
            bytes.reserve(size - bytes.len());
            let read = (&mut self.sources[self.source]).take(want).read_to_end(bytes)?;
            self.bytes += read as u64;
            self.at_end = (read as u64) < want;
            if self.bytes > self.limits.bytes {
                self.give_up("bytes");
                return Ok(true);
            }
        }
        Ok(self.at_end)
    }

    fn read_header(&mut self) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.carry);
        let ended = self.fill(&mut bytes, READ_SIZE)?;
        let header = match car::varint(&bytes) {
            Varint::Value(len, start) if len <= MAX_HEADER as u64 => usize::try_from(len)
                .ok()
                .and_then(|len| bytes.get(start..start + len))
                .map(|header| (car::read_header(header), start + header.len())),
            _ => None,
        };
        match header {
            Some((Ok(roots), len)) => {
                if roots.is_empty() {
                    self.findings
                        .add(FindingCode::NoRoot, || format!("source {}", self.source));
                }
                if roots.len() > 1 {
                    self.findings.add(FindingCode::ExtraRoots, || {
                        format!("{} roots, the first one counts", roots.len())
                    });
                }
                self.root = roots.first().copied();
                self.in_body = true;
                self.offset = len as u64;
                bytes.drain(..len);
                self.carry = bytes;
            }
            Some((Err(error), _)) => self.refuse_source(FindingCode::BadHeader, error.to_string()),
            None if ended => self.refuse_source(FindingCode::BadHeader, "the file ends inside its header".to_owned()),
            None => self.refuse_source(FindingCode::BadHeader, "the header's length cannot be".to_owned()),
        }
        Ok(())
    }

    /// Cuts as many whole sections as `cut.bytes` hold and carries the rest; false when there was none.
    fn cut_sections(&mut self, cut: &mut Cut, mut ended: bool) -> io::Result<bool> {
        cut.sections.clear();
        cut.source = self.source;
        cut.offset = self.offset;
        let mut at = 0;
        while cut.sections.len() < BATCH_BLOCKS {
            let (len, head) = match car::varint(&cut.bytes[at..]) {
                Varint::Value(len, head) => (len, head),
                Varint::More if at == cut.bytes.len() || !ended => break,
                Varint::More => {
                    self.refuse_rest(FindingCode::Truncated, at, "inside a section's length");
                    return Ok(self.hand_out(cut, at));
                }
                Varint::Bad => {
                    self.refuse_rest(FindingCode::BadSection, at, "its length is not a number");
                    return Ok(self.hand_out(cut, at));
                }
            };
            let len = match usize::try_from(len) {
                Ok(len) if (Cid::LEN..=MAX_SECTION).contains(&len) => len,
                _ => {
                    self.refuse_rest(FindingCode::BadSection, at, &format!("{len} bytes long"));
                    return Ok(self.hand_out(cut, at));
                }
            };
            let end = at + head + len;
            if end > cut.bytes.len() {
                if ended {
                    self.refuse_rest(FindingCode::Truncated, at, "inside a section");
                    return Ok(self.hand_out(cut, at));
                }
                if !cut.sections.is_empty() {
                    break;
                }
                ended = self.fill(&mut cut.bytes, end)?;
                continue;
            }
            cut.sections.push(Section {
                start: at,
                body: at + head,
                end,
            });
            at = end;
        }
        self.carry.extend_from_slice(&cut.bytes[at..]);
        self.offset += at as u64;
        if self.at_end && self.carry.is_empty() {
            self.next_source();
        }
        Ok(self.hand_out(cut, at))
    }

    fn hand_out(&mut self, cut: &mut Cut, used: usize) -> bool {
        cut.bytes.truncate(used);
        if cut.sections.is_empty() {
            return false;
        }
        cut.number = self.next_number;
        self.next_number += 1;
        true
    }

    fn refuse_rest(&mut self, code: FindingCode, at: usize, what: &str) {
        let offset = self.offset + at as u64;
        self.refuse_source(code, format!("byte {offset}: {what}"));
    }

    fn refuse_source(&mut self, code: FindingCode, detail: String) {
        self.findings.add(code, || detail);
        self.next_source();
    }

    fn next_source(&mut self) {
        self.source += 1;
        self.offset = 0;
        self.carry.clear();
        self.in_body = false;
        self.at_end = false;
    }

    /// Stops reading anything more, because a limit is reached.
    fn give_up(&mut self, what: &str) {
        if self.source < self.sources.len() {
            self.findings
                .add(FindingCode::TooLarge, || format!("more {what} than this check allows"));
        }
        self.next_source();
        self.source = self.sources.len();
    }
}
