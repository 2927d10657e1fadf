//! Reading answers: never more than was allowed, never slower than is worth waiting for.
//!
//! Limits count unpacked bytes. Packed answers (gzip, the only coding we accept) are unpacked here in small pieces, so
//! a bomb is seen before it is held: what unpacks to over a hundred times its size, past the first MiB, is not an
//! answer. A packed answer that ends before its own checksum or goes on after it is an error, as is one that is shorter
//! than its `Content-Length`.

use std::io::Write;
use std::time::Duration;

use flate2::write::GzDecoder;
use reqwest::Response;
use reqwest::header::CONTENT_ENCODING;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::error::{Cause, Error};

/// A long answer must bring this much in every [`crate::Patience::idle`], or end.
const PROGRESS: usize = 4096;
/// What is written to a file at once.
const BUFFER: usize = 256 * 1024;
/// What is unpacked at once: at most about 1 MiB comes of it.
const PIECE: usize = 1024;
const DAMAGED: &str = "gzip is damaged or ends too early";
const BOMB_RATIO: u64 = 100;
const BOMB_FREE: u64 = 1024 * 1024;

/// What one answer may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// For errors.
    pub(crate) what: &'static str,
    /// In bytes, unpacked.
    pub(crate) bytes: u64,
    /// The longest wait for [`PROGRESS`].
    pub(crate) idle: Duration,
    /// When the whole answer must be there.
    pub(crate) until: Option<Instant>,
}

/// Where an answer goes.
pub(crate) struct Sink<'a> {
    held: Vec<u8>,
    bytes: u64,
    file: Option<Target<'a>>,
}

struct Target<'a> {
    file: &'a mut File,
    progress: &'a mut (dyn FnMut(u64) + Send),
}

impl<'a> Sink<'a> {
    /// Into memory.
    pub(crate) fn memory() -> Self {
        Self {
            held: Vec::new(),
            bytes: 0,
            file: None,
        }
    }

    /// Into a file, telling `progress` how many bytes there are.
    pub(crate) fn file(file: &'a mut File, progress: &'a mut (dyn FnMut(u64) + Send)) -> Self {
        Self {
            held: Vec::with_capacity(BUFFER),
            bytes: 0,
            file: Some(Target { file, progress }),
        }
    }

    /// Throws away what came before.
    pub(crate) async fn restart(&mut self) -> Result<(), Error> {
        self.held.clear();
        self.bytes = 0;
        if let Some(target) = &mut self.file {
            target.file.set_len(0).await.map_err(Error::File)?;
            target.file.rewind().await.map_err(Error::File)?;
            (target.progress)(0);
        }
        Ok(())
    }

    /// How many bytes there are.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes, when they went into memory.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.held
    }

    async fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.held.extend_from_slice(bytes);
        self.bytes += bytes.len() as u64;
        if self.file.is_some() && self.held.len() >= BUFFER {
            self.drain().await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.drain().await?;
        match &mut self.file {
            Some(target) => target.file.flush().await.map_err(Error::File),
            None => Ok(()),
        }
    }

    async fn drain(&mut self) -> Result<(), Error> {
        if let Some(target) = &mut self.file {
            target.file.write_all(&self.held).await.map_err(Error::File)?;
            self.held.clear();
            (target.progress)(self.bytes);
        }
        Ok(())
    }
}

/// Reads an answer to its end.
///
/// Errors: `TooLarge`, `Stalled`, `Unreachable` (`Cut`), `BadBody`, `File`.
pub(crate) async fn read(mut response: Response, host: &str, limits: Limits, sink: &mut Sink<'_>) -> Result<(), Error> {
    let mut unpacker = Unpacker::of(&response).ok_or_else(|| bad(host, limits, "packed in a way not asked for"))?;
    let announced = response.content_length().unwrap_or(0);
    if announced > limits.bytes {
        return Err(too_large(host, limits));
    }
    let mut clock = Clock::new(limits);
    let mut packed = 0;
    while let Some(chunk) = clock.next_chunk(&mut response, host).await? {
        let chunk = chunk.as_ref();
        packed += chunk.len() as u64;
        for piece in chunk.chunks(unpacker.piece()) {
            let bytes = unpacker.unpack(piece).map_err(|()| bad(host, limits, DAMAGED))?;
            check(sink.bytes() + bytes.len() as u64, packed, host, limits)?;
            sink.push(bytes).await?;
        }
    }
    let rest = unpacker.finish(packed).map_err(|()| bad(host, limits, DAMAGED))?;
    check(sink.bytes() + rest.len() as u64, packed, host, limits)?;
    sink.push(&rest).await?;
    sink.finish().await
}

fn check(bytes: u64, packed: u64, host: &str, limits: Limits) -> Result<(), Error> {
    // The second: a gzip stream can go on for ever and unpack to nothing.
    if bytes > limits.bytes || packed > limits.bytes.saturating_add(BOMB_FREE) {
        Err(too_large(host, limits))
    } else if bytes > BOMB_FREE && bytes / BOMB_RATIO > packed {
        Err(bad(host, limits, "unpacks to far more than was sent"))
    } else {
        Ok(())
    }
}

fn too_large(host: &str, limits: Limits) -> Error {
    Error::TooLarge {
        host: host.to_owned(),
        what: limits.what,
        limit: limits.bytes,
    }
}

fn bad(host: &str, limits: Limits, reason: &'static str) -> Error {
    Error::BadBody {
        host: host.to_owned(),
        what: limits.what,
        reason,
    }
}

/// Counts the time that we wait for the host, and not the time that our own disk takes.
struct Clock {
    idle: Duration,
    until: Option<Instant>,
    waited: Duration,
    arrived: usize,
}

impl Clock {
    fn new(limits: Limits) -> Self {
        Self {
            idle: limits.idle,
            until: limits.until,
            waited: Duration::ZERO,
            arrived: 0,
        }
    }

    async fn next_chunk(
        &mut self,
        response: &mut Response,
        host: &str,
    ) -> Result<Option<impl AsRef<[u8]> + use<>>, Error> {
        let asked = Instant::now();
        let idle = asked + self.idle.saturating_sub(self.waited);
        let deadline = self.until.map_or(idle, |until| until.min(idle));
        let answer = tokio::time::timeout_at(deadline, response.chunk()).await;
        let chunk = answer.map_err(|_| Error::Stalled { host: host.to_owned() })?;
        let chunk = chunk.map_err(|_| Error::Unreachable {
            host: host.to_owned(),
            cause: Cause::Cut,
        })?;
        self.waited += asked.elapsed();
        self.arrived += chunk.as_ref().map_or(0, |bytes| bytes.len());
        if self.arrived >= PROGRESS {
            (self.arrived, self.waited) = (0, Duration::ZERO);
        }
        Ok(chunk)
    }
}

/// Takes the packing off, if there is any.
struct Unpacker {
    gzip: Option<GzDecoder<Vec<u8>>>,
}

impl Unpacker {
    /// `None` for a coding that we do not speak and did not ask for.
    fn of(response: &Response) -> Option<Self> {
        let coding = response.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes());
        let gzip = match coding {
            None | Some(b"" | b"identity") => None,
            Some(name) if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") => {
                Some(GzDecoder::new(Vec::new()))
            }
            Some(_) => return None,
        };
        Some(Self { gzip })
    }

    fn piece(&self) -> usize {
        if self.gzip.is_some() { PIECE } else { usize::MAX }
    }

    fn unpack<'a>(&'a mut self, piece: &'a [u8]) -> Result<&'a [u8], ()> {
        let Some(gzip) = &mut self.gzip else {
            return Ok(piece);
        };
        gzip.get_mut().clear();
        gzip.write_all(piece).map_err(drop)?;
        Ok(gzip.get_ref())
    }

    /// What was still held back, once the checksum is right.
    fn finish(self, packed: u64) -> Result<Vec<u8>, ()> {
        match self.gzip {
            // A server may call nothing at all gzip.
            Some(mut gzip) if packed > 0 => {
                gzip.get_mut().clear();
                gzip.finish().map_err(drop)
            }
            _ => Ok(Vec::new()),
        }
    }
}
