//! A file that is to go up, whole and hashed before the first byte is sent.
//!
//! What is small stays in memory, a file stays where it is, and anything else that is large goes through a part in the
//! scratch folder. So its name is known, bytes that are not the announced ones never leave this computer, a name that
//! is taken costs one question, and each part can be sent as often as it takes.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::Error;
use crate::content::{Content, reading};
use crate::layout::{Checksum, WriterId};
use crate::part::Part;

/// A file, whole.
pub(super) struct Whole {
    pub(super) size: u64,
    pub(super) sum: Checksum,
    held: Held,
}

enum Held {
    Memory(Bytes),
    /// From this place in it.
    File(Mutex<File>, u64),
    Scratch(
        Mutex<File>,
        #[allow(dead_code, reason = "the file is there as long as this")] Part,
    ),
}

impl Whole {
    /// Reads all of it; more than `small` bytes go through a part in `scratch`. Blocks.
    ///
    /// Errors: the content's own; `Io` of the scratch folder.
    pub(super) fn of(content: Content, small: usize, scratch: &Path, writer: &WriterId) -> Result<Self, Error> {
        let content = match content.into_file() {
            Ok(file) => return Self::of_file(file),
            Err(content) => content,
        };
        let mut spool = Spool {
            small,
            scratch,
            writer,
            memory: Vec::new(),
            part: None,
            error: None,
        };
        let result = content.write_to(&mut spool);
        // A full computer is not a full place.
        let scratch_error = |source| Error::Io {
            path: "scratch".to_owned(),
            source,
        };
        if let Some(error) = spool.error.take() {
            return Err(scratch_error(error));
        }
        result?;
        Ok(match spool.part {
            None => Self {
                size: spool.memory.len() as u64,
                sum: Checksum::of(&spool.memory),
                held: Held::Memory(spool.memory.into()),
            },
            Some(part) => {
                let file = File::open(&part.path).map_err(scratch_error)?;
                Self {
                    size: part.size,
                    sum: part.sum(),
                    held: Held::Scratch(Mutex::new(file), part),
                }
            }
        })
    }

    fn of_file(mut file: File) -> Result<Self, Error> {
        let from = file.stream_position().map_err(reading)?;
        let again = file.try_clone().map_err(reading)?;
        let (size, sum) = Content::file(file).checksum()?;
        Ok(Self {
            size,
            sum,
            held: Held::File(Mutex::new(again), from),
        })
    }

    /// A piece of it. Blocks. Errors: those of reading; a file that became shorter.
    pub(super) fn piece(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let (file, from) = match &self.held {
            Held::Memory(bytes) => {
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                return Ok(bytes.slice(place(range.start)..place(range.end)));
            }
            Held::File(file, from) => (file, *from),
            Held::Scratch(file, _) => (file, 0),
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut piece = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
        file.seek(SeekFrom::Start(from + range.start))
            .and_then(|_| file.read_exact(&mut piece))
            .map_err(reading)?;
        Ok(piece.into())
    }
}

/// Takes what is written: in memory at first, then in a file.
struct Spool<'a> {
    small: usize,
    scratch: &'a Path,
    writer: &'a WriterId,
    memory: Vec<u8>,
    part: Option<Part>,
    /// What the scratch folder said.
    error: Option<io::Error>,
}

impl Spool<'_> {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(part) = &mut self.part {
            return part.write_all(bytes);
        }
        if self.memory.len() + bytes.len() <= self.small {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let mut part = Part::create(self.scratch, self.writer)?;
        part.write_all(&self.memory)?;
        part.write_all(bytes)?;
        self.memory = Vec::new();
        self.part = Some(part);
        Ok(())
    }
}

impl Write for Spool<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.take(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                let told = io::Error::from(error.kind());
                self.error = Some(error);
                Err(told)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
