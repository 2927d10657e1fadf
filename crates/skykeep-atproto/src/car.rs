//! CAR v1: the file form of a repository.
//!
//! A header that names the roots, then sections of a CID and its bytes, until the end of the file. The format has no
//! trailer and no count, so a file cut between two sections is a valid shorter file: only a walk from the root proves
//! that it is whole (see [`crate::verify`]). Source: IPLD "CARv1".

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use crate::cbor::{CborFault, Reader, Writer};
use crate::{Cid, Error};

/// The longest header that is read, in bytes; ours have 59.
pub const MAX_HEADER: usize = 64 * 1024;

/// The longest section that is read, in bytes. Records are at most 1 MiB, tree nodes far smaller.
pub const MAX_SECTION: usize = 4 * 1024 * 1024;

/// What [`varint`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Varint {
    /// A value and how many bytes it took.
    Value(u64, usize),
    /// The bytes end inside the number.
    More,
    /// Longer than nine bytes, or longer than needed.
    Bad,
}

/// Reads an unsigned LEB128 number in its shortest form.
#[inline]
pub(crate) fn varint(bytes: &[u8]) -> Varint {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return if *byte == 0 && i > 0 {
                Varint::Bad
            } else {
                Varint::Value(value, i + 1)
            };
        }
    }
    if bytes.len() >= 9 { Varint::Bad } else { Varint::More }
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        #[allow(clippy::cast_possible_truncation)] // masked to seven bits
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    #[allow(clippy::cast_possible_truncation)] // below 0x80 here
    out.push(value as u8);
}

/// The roots that a header names, first one first. `bytes` are the header without its length.
///
/// Errors: `Cbor`, or `Shape` when it is not a version 1 header.
pub fn read_header(bytes: &[u8]) -> Result<Vec<Cid>, Error> {
    let shape = |reason| Error::Shape {
        what: "CAR header",
        reason,
    };
    let mut reader = Reader::new(bytes);
    let entries = reader.map()?;
    let (mut roots, mut version, mut previous) = (None, None, None);
    for _ in 0..entries {
        match reader.key(&mut previous)? {
            b"roots" => {
                let count = reader.array()?;
                roots = Some((0..count).map(|_| reader.link()).collect::<Result<Vec<_>, _>>()?);
            }
            b"version" => version = Some(reader.unsigned()?),
            _ => return Err(shape("unknown field")),
        }
    }
    reader.end()?;
    match (roots, version) {
        (Some(roots), Some(1)) => Ok(roots),
        (_, Some(1)) => Err(shape("no roots")),
        _ => Err(shape("not version 1")),
    }
}

/// The blocks of a small CAR that is in memory, in file order, each hashed against its CID. Roots are not looked at.
///
/// Errors: `Cbor`, `Shape`, `TooLarge` for a section past [`MAX_SECTION`], `HashMismatch`.
pub fn blocks(bytes: &[u8]) -> Result<Vec<(Cid, &[u8])>, Error> {
    let (header, mut rest) = piece(bytes, MAX_HEADER)?;
    read_header(header)?;
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let (block, after) = piece(rest, MAX_SECTION)?;
        let (cid, data) = section(block)?;
        if !cid.names(data) {
            return Err(Error::HashMismatch { cid });
        }
        blocks.push((cid, data));
        rest = after;
    }
    Ok(blocks)
}

/// The blocks of a damaged CAR in memory that still hash to their CIDs, in file order. What does not is left out; where
/// the frame itself is broken, it ends.
///
/// For telling what was in it. Nothing is proved by it: see [`crate::verify`].
pub fn salvage(bytes: &[u8]) -> impl Iterator<Item = (Cid, &[u8])> {
    let header = piece(bytes, MAX_HEADER).ok();
    let mut rest = header.map_or(&[][..], |(_, rest)| rest);
    let sections = std::iter::from_fn(move || {
        let (block, after) = piece(rest, MAX_SECTION).ok()?;
        rest = after;
        Some(section(block).ok())
    });
    sections.flatten().filter(|(cid, data)| cid.names(data))
}

/// One piece with its length before it, and what follows.
fn piece(bytes: &[u8], limit: usize) -> Result<(&[u8], &[u8]), Error> {
    let Varint::Value(len, at) = varint(bytes) else {
        return Err(cut());
    };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len > limit {
        return Err(Error::TooLarge {
            what: "CAR section",
            limit: limit as u64,
        });
    }
    bytes[at..].split_at_checked(len).ok_or_else(cut)
}

fn cut() -> Error {
    Error::Shape {
        what: "CAR",
        reason: "it ends inside a section",
    }
}

/// The header of a CAR with one root, its length included.
pub fn header(root: Cid) -> Vec<u8> {
    let mut writer = Writer::new();
    writer
        .map(2)
        .text("roots")
        .array(1)
        .link(root)
        .text("version")
        .unsigned(1);
    let body = writer.into_bytes();
    let mut out = Vec::with_capacity(body.len() + 1);
    write_varint(&mut out, body.len() as u64);
    out.extend(body);
    out
}

/// What was written: length, content hash and number of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// SHA-256 of all bytes, the header included.
    pub sha256: [u8; 32],
    /// Length of all bytes, the header included.
    pub len: u64,
    /// Number of sections.
    pub blocks: u64,
}

/// Writes a CAR block by block and hashes what it writes. It orders nothing: the caller's order is the file's.
#[derive(Debug)]
pub struct CarWriter<W> {
    out: W,
    hash: Sha256,
    len: u64,
    blocks: u64,
    buffer: Vec<u8>,
}

/// Sections are gathered to this size before they are hashed and written.
const WRITE_SIZE: usize = 256 * 1024;

impl<W: Write> CarWriter<W> {
    /// Begins a file with one root.
    pub fn new(out: W, root: Cid) -> Self {
        Self {
            out,
            hash: Sha256::new(),
            len: 0,
            blocks: 0,
            buffer: header(root),
        }
    }

    /// Length so far, in bytes: where the next section begins.
    pub fn offset(&self) -> u64 {
        self.len + self.buffer.len() as u64
    }

    /// Appends a block. The caller has proved that `cid` names `bytes`.
    pub fn block(&mut self, cid: Cid, bytes: &[u8]) -> io::Result<()> {
        write_varint(&mut self.buffer, (Cid::LEN + bytes.len()) as u64);
        self.buffer.extend(cid.to_bytes());
        self.buffer.extend(bytes);
        self.blocks += 1;
        if self.buffer.len() >= WRITE_SIZE {
            self.flush_buffer()
        } else {
            Ok(())
        }
    }

    /// Writes what is gathered and says what the file is. The destination is flushed, not synced.
    pub fn finish(mut self) -> io::Result<Written> {
        self.flush_buffer()?;
        self.out.flush()?;
        Ok(Written {
            sha256: self.hash.finalize().into(),
            len: self.len,
            blocks: self.blocks,
        })
    }

    fn flush_buffer(&mut self) -> io::Result<()> {
        self.hash.update(&self.buffer);
        self.out.write_all(&self.buffer)?;
        self.len += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// One section: its CID and its bytes, not yet hashed. `section` is what follows the length.
///
/// Errors: `Cbor` with `BadLink` for a CID of another form than AT Protocol's.
#[inline]
pub(crate) fn section(section: &[u8]) -> Result<(Cid, &[u8]), Error> {
    match section.split_at_checked(Cid::LEN) {
        Some((cid, bytes)) => match Cid::from_binary(cid) {
            Some(cid) => Ok((cid, bytes)),
            None => Err(Error::Cbor {
                offset: 0,
                fault: CborFault::BadLink,
            }),
        },
        None => Err(Error::Cbor {
            offset: 0,
            fault: CborFault::Truncated,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    #[test]
    fn varints_are_short_and_bounded() {
        let check = |bytes: &[u8], expected| assert_eq!(varint(bytes), expected, "{bytes:02x?}");
        check(&[0], Varint::Value(0, 1));
        check(&[0x7f, 9], Varint::Value(127, 1));
        check(&[0x80, 1], Varint::Value(128, 2));
        check(&[], Varint::More);
        check(&[0x80], Varint::More);
        check(&[0x80, 0], Varint::Bad);
        check(&[0xff; 9], Varint::Bad);
        check(&[0xff; 20], Varint::Bad);
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), (1 << 63) - 1] {
            let mut out = Vec::new();
            write_varint(&mut out, value);
            assert_eq!(varint(&out), Varint::Value(value, out.len()));
        }
    }

    #[test]
    fn a_header_round_trips_in_59_bytes() {
        let root = Cid::of(Codec::DagCbor, b"root");
        let bytes = header(root);
        assert_eq!(bytes.len(), 59);
        assert_eq!(read_header(&bytes[1..]).unwrap(), [root]);
    }

    #[test]
    fn other_headers_are_refused() {
        let root = Cid::of(Codec::DagCbor, b"root");
        let mut version_two = header(root);
        *version_two.last_mut().unwrap() = 2;
        assert!(read_header(&version_two[1..]).is_err());
        assert!(read_header(&[]).is_err());
        assert!(read_header(&[0xa0]).is_err());
        assert!(read_header(&[0xa1, 0x67, b'v', b'e', b'r', b's', b'i', b'o', b'n', 1]).is_err());
    }

    #[test]
    fn the_writer_says_what_it_wrote() {
        let mut out = Vec::new();
        let mut writer = CarWriter::new(&mut out, Cid::of(Codec::DagCbor, b"a"));
        writer.block(Cid::of(Codec::DagCbor, b"a"), b"a").unwrap();
        writer.block(Cid::of(Codec::DagCbor, b"b"), &[7; 300_000]).unwrap();
        let written = writer.finish().unwrap();
        assert_eq!(written.len, out.len() as u64);
        assert_eq!(written.blocks, 2);
        assert_eq!(written.sha256[..], Sha256::digest(&out)[..]);
    }
    #[test]
    fn what_of_a_damaged_file_still_hashes_is_salvaged() {
        let texts: [&[u8]; 3] = [b"first", b"other", b"third"];
        let cid = |text: &[u8]| Cid::of(Codec::DagCbor, text);
        let mut car = Vec::new();
        let mut writer = CarWriter::new(&mut car, cid(texts[0]));
        texts.iter().for_each(|text| writer.block(cid(text), text).unwrap());
        writer.finish().unwrap();
        let left = |bytes: &[u8]| salvage(bytes).map(|(_, data)| data.to_vec()).collect::<Vec<_>>();
        assert_eq!(left(&car), texts);
        assert_eq!(left(&car[..car.len() - 1]), texts[..2]);
        let other = car.windows(5).position(|window| window == texts[1]).unwrap();
        let mut flipped = car.clone();
        flipped[other] ^= 1;
        assert_eq!(left(&flipped), [texts[0], texts[2]]);
        // Wherever a bit flips, what is left is of the file.
        for place in 0..car.len() {
            let mut flipped = car.clone();
            flipped[place] ^= 0x80;
            assert!(left(&flipped).iter().all(|data| texts.contains(&&data[..])), "{place}");
        }
    }
}
