//! Sections at known places of a file, read one by one.

use std::io::{Read, Seek, SeekFrom};

use crate::car::{self, MAX_SECTION, Varint};
use crate::{Cid, Error};

/// Bytes read at once where sections follow each other.
const READ_AHEAD: usize = 256 * 1024;

/// Bytes read at once where they do not.
const READ_APART: usize = 4 * 1024;

/// Reads sections at known offsets, with a window for those that follow each other.
#[derive(Debug)]
pub(super) struct SectionReader<'s, S> {
    source: &'s mut S,
    window: Vec<u8>,
    /// Offset of the window in the source.
    start: u64,
}

impl<'s, S: Read + Seek> SectionReader<'s, S> {
    pub(super) fn new(source: &'s mut S) -> Self {
        Self {
            source,
            window: Vec::new(),
            start: 0,
        }
    }

    /// The data of the section that begins at `offset`. What stands there now is the caller's to hash.
    pub(super) fn section(&mut self, offset: u64, cid: Cid) -> Result<&[u8], Error> {
        const LONGEST_HEAD: usize = 4 + Cid::LEN;
        let near = (self.start..=self.start + self.window.len() as u64).contains(&offset);
        let ahead = if near { READ_AHEAD } else { READ_APART };
        let head = self.window(offset, LONGEST_HEAD, ahead)?;
        let (len, used) = match car::varint(head) {
            Varint::Value(len, used) => (usize::try_from(len).unwrap_or(usize::MAX), used),
            _ => return Err(Error::Missing { cid }),
        };
        if !(Cid::LEN..=MAX_SECTION).contains(&len) || !head[used..].starts_with(&cid.to_bytes()) {
            return Err(Error::Missing { cid });
        }
        let section = self.window(offset, used + len, ahead)?;
        section.get(used + Cid::LEN..used + len).ok_or(Error::Missing { cid })
    }

    /// At least `len` bytes from `offset`, fewer only at the end of the source. Reads `ahead` bytes when it must read.
    fn window(&mut self, offset: u64, len: usize, ahead: usize) -> Result<&[u8], Error> {
        let skip = offset
            .checked_sub(self.start)
            .and_then(|skip| usize::try_from(skip).ok());
        let held = skip.filter(|skip| skip + len <= self.window.len());
        let skip = match held {
            Some(skip) => skip,
            None => {
                // What the window holds from `offset` on is kept, the rest is read behind it.
                let kept = skip.filter(|skip| *skip <= self.window.len());
                match kept {
                    Some(skip) => drop(self.window.drain(..skip)),
                    None => {
                        self.window.clear();
                        self.source.seek(SeekFrom::Start(offset))?;
                    }
                }
                self.start = offset;
                let want = len.max(ahead).saturating_sub(self.window.len());
                self.source.by_ref().take(want as u64).read_to_end(&mut self.window)?;
                0
            }
        };
        Ok(&self.window[skip..self.window.len().min(skip + len)])
    }
}
