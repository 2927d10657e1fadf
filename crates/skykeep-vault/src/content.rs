//! Bytes on their way into a store or out of it.
//!
//! Whatever the source is, the store that takes them runs it on its own blocking thread, so a file of any size passes
//! through a buffer of fixed size. A source that fails never looks like one that has ended.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::layout::Checksum;

/// What errors of reading say instead of a path.
const SOURCE: &str = "source";

/// How much is read or written at once, in bytes.
pub(crate) const CHUNK: usize = 256 * 1024;

/// The bytes of one file, not read yet.
pub struct Content {
    source: Source,
    /// What they must turn out to be: name, length and SHA-256.
    expected: Option<(String, u64, Checksum)>,
}

type Producer = Box<dyn FnOnce(&mut dyn Write) -> Result<(), Error> + Send>;

enum Source {
    Bytes(Bytes),
    File(File),
    Stream(u64, Box<dyn Read + Send>),
    Producer(Producer),
}

impl From<Source> for Content {
    fn from(source: Source) -> Self {
        Self { source, expected: None }
    }
}

impl Content {
    /// Bytes in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Source::Bytes(bytes.into()).into()
    }

    /// An open file, from where it stands to its end.
    pub fn file(file: File) -> Self {
        Source::File(file).into()
    }

    /// Whatever `produce` writes. It runs on a blocking thread, at most once.
    pub fn produce(produce: impl FnOnce(&mut dyn Write) -> Result<(), Error> + Send + 'static) -> Self {
        Source::Producer(Box::new(produce)).into()
    }

    /// Everything that a reader gives. It is read on a blocking thread.
    pub fn reader(mut reader: impl Read + Send + 'static) -> Self {
        Self::produce(move |out| copy(&mut reader, out))
    }

    /// As [`Content::reader`], with the length that it has when nothing goes wrong, in bytes.
    pub(crate) fn stream(size: u64, reader: impl Read + Send + 'static) -> Self {
        Source::Stream(size, Box::new(reader)).into()
    }

    /// Its length in bytes, when that is known before it is read.
    pub(crate) fn size(&self) -> Option<u64> {
        match &self.source {
            Source::Bytes(bytes) => Some(bytes.len() as u64),
            Source::File(file) => file.metadata().ok().map(|metadata| metadata.len()),
            Source::Stream(size, _) => Some(*size),
            Source::Producer(_) => None,
        }
    }

    /// Writes everything to `out`. Blocks.
    ///
    /// Errors: the source's own; `Io` when either side fails. After an error nothing may be concluded from what was
    /// written.
    pub fn write_to(self, out: &mut dyn Write) -> Result<(), Error> {
        let Some((name, size, sum)) = self.expected else {
            return self.source.write_to(out);
        };
        let mut expected = Expected {
            out,
            hashed: Hashed::new(),
        };
        self.source.write_to(&mut expected)?;
        if expected.hashed.finish() == (size, sum) {
            Ok(())
        } else {
            Err(Error::damaged(name, "the bytes are not those that its list names"))
        }
    }

    /// All of it in memory. Blocks. Errors: `TooLarge` past `limit` bytes, and as [`Content::write_to`].
    pub fn into_bytes(self, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let mut collected = Collected {
            bytes: Vec::new(),
            limit,
            over: false,
        };
        let result = self.write_to(&mut collected);
        if collected.over {
            return Err(Error::TooLarge {
                name: name.to_owned(),
                limit,
            });
        }
        result.map(|()| collected.bytes)
    }

    /// The same, failing with `Damaged` at its end when it was not `size` bytes with this SHA-256.
    pub(crate) fn expecting(self, name: String, size: u64, sum: Checksum) -> Self {
        Self {
            expected: Some((name, size, sum)),
            ..self
        }
    }

    /// Its length and its SHA-256. Blocks. Errors: as [`Content::write_to`].
    pub fn checksum(self) -> Result<(u64, Checksum), Error> {
        let mut hashed = Hashed::new();
        self.write_to(&mut hashed)?;
        Ok(hashed.finish())
    }

    /// The file behind it, when there is one: it can be read from any place without a copy.
    pub(crate) fn into_file(self) -> Result<File, Self> {
        match self {
            // What still has to be compared is not handed out.
            Self {
                source: Source::File(file),
                expected: None,
            } => Ok(file),
            _ => Err(self),
        }
    }
}

impl Source {
    fn write_to(self, out: &mut dyn Write) -> Result<(), Error> {
        match self {
            Self::Bytes(bytes) => out.write_all(&bytes).map_err(writing),
            Self::File(mut file) => copy(&mut file, out),
            Self::Stream(_, mut reader) => copy(&mut reader, out),
            Self::Producer(produce) => produce(out),
        }
    }
}

/// Whether an error came from the source of a file, and not from where it should go.
pub(crate) fn is_of_source(error: &Error) -> bool {
    matches!(error, Error::Damaged { .. } | Error::Absent { .. })
        || matches!(error, Error::Io { path, .. } if path == SOURCE)
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Bytes(_) => "Content(bytes)",
            Source::File(_) => "Content(file)",
            Source::Stream(..) => "Content(stream)",
            Source::Producer(_) => "Content(producer)",
        })
    }
}

/// Everything that `from` gives, through a buffer.
pub(crate) fn copy(from: &mut impl Read, to: &mut dyn Write) -> Result<(), Error> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => to.write_all(&buffer[..n]).map_err(writing)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(reading(error)),
        }
    }
}

/// An error of where bytes come from.
pub(crate) fn reading(source: io::Error) -> Error {
    match Error::from_io(SOURCE, 0, source) {
        error @ (Error::Missing | Error::Io { .. }) => error,
        error => Error::Io {
            path: SOURCE.to_owned(),
            source: io::Error::other(error),
        },
    }
}

/// An error of where bytes go; a store tells its own before anyone sees this.
pub(crate) fn writing(source: io::Error) -> Error {
    Error::from_io("destination", 0, source)
}

/// Memory with an end.
struct Collected {
    bytes: Vec<u8>,
    limit: u64,
    over: bool,
}

impl Write for Collected {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + part.len()) as u64 > self.limit {
            self.over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nothing but a hash.
struct Hashed {
    size: u64,
    hasher: Sha256,
}

impl Hashed {
    fn new() -> Self {
        Self {
            size: 0,
            hasher: Sha256::new(),
        }
    }

    fn finish(self) -> (u64, Checksum) {
        (self.size, Checksum(self.hasher.finalize().into()))
    }
}

impl Write for Hashed {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.size += part.len() as u64;
        self.hasher.update(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written, hashed as well.
struct Expected<'a> {
    out: &'a mut dyn Write,
    hashed: Hashed,
}

impl Write for Expected<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let written = self.out.write(part)?;
        self.hashed.write(&part[..written])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
