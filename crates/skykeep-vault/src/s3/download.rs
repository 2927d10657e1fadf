//! From the bucket to a reader.
//!
//! What is small is fetched whole at once. Of anything larger a few pieces are on their way while the reader, on its
//! blocking thread, takes one; a connection that breaks is made again from the byte where it broke, as long as the
//! object is the same one.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore as _};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::Bucket;
use super::wire::{Failed, failed};
use crate::Error;
use crate::content::Content;
use crate::layout::Checksum;
use crate::trouble::{Doing, Trouble};

/// What is fetched whole at once, in bytes.
const SMALL: u64 = 256 * 1024;
/// How many pieces wait for the reader; the client makes them 16 to 64 KiB long.
const WAITING: usize = 8;
/// A connection that breaks this often without a single byte is given up, each time after a longer pause.
const FRUITLESS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

type Pieces = BoxStream<'static, object_store::Result<Bytes>>;

/// An object that has begun to arrive.
pub(super) enum Opened<'b> {
    Small(Bytes),
    Large(Arriving<&'b Bucket>),
}

/// The rest of an object: from `at` on.
pub(super) struct Arriving<B> {
    bucket: B,
    location: Key,
    version: Option<String>,
    size: u64,
    tag: Option<String>,
    at: u64,
    pieces: Pieces,
    /// How often in a row it broke without a single byte.
    fruitless: u32,
}

/// An object's content, of its newest version unless another one is named; `None` when there is none.
pub(super) async fn content(bucket: &Arc<Bucket>, key: &str, version: Option<&str>) -> Result<Option<Content>, Error> {
    Ok(match open(bucket, key, version).await? {
        None => None,
        Some(Opened::Small(bytes)) => Some(Content::bytes(bytes)),
        Some(Opened::Large(arriving)) => {
            let arriving = arriving.of(Arc::clone(bucket));
            Some(Content::stream(arriving.size, Arrivals::of(arriving)))
        }
    })
}

/// Asks for an object, as [`content`].
pub(super) async fn open<'b>(
    bucket: &'b Bucket,
    key: &str,
    version: Option<&str>,
) -> Result<Option<Opened<'b>>, Error> {
    let location = &Bucket::location(key)?;
    let ask = || async {
        let options = GetOptions::default().with_version(version);
        let result = bucket.plain.get_opts(location, options).await;
        let result = result.map_err(|error| failed(&error))?;
        let meta = result.meta.clone();
        let mut pieces = result.into_stream();
        if meta.size > SMALL {
            return Ok((meta, Err(pieces)));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| failed(&error))?);
        }
        match bytes.len() as u64 == meta.size {
            true => Ok((meta, Ok(Bytes::from(bytes)))),
            false => Err(cut()),
        }
    };
    match bucket.patience.persist(0, ask).await {
        Ok((_, Ok(bytes))) => Ok(Some(Opened::Small(bytes))),
        Ok((meta, Err(pieces))) => Ok(Some(Opened::Large(Arriving {
            bucket,
            location: location.clone(),
            version: version.map(str::to_owned),
            size: meta.size,
            tag: meta.e_tag,
            at: 0,
            pieces,
            fruitless: 0,
        }))),
        Err(failed) if failed.is_absent() => Ok(None),
        Err(failed) => Err(bucket.explain(Doing::Reading, &failed)),
    }
}

fn cut() -> Failed {
    Failed::NoAnswer {
        trouble: Trouble::Unreachable,
        said: "the answer ended early".to_owned(),
    }
}

impl Opened<'_> {
    /// Its length and SHA-256, read to its end.
    pub(super) async fn checksum(self) -> Result<(u64, Checksum), Error> {
        let mut arriving = match self {
            Self::Small(bytes) => return Ok((bytes.len() as u64, Checksum::of(&bytes))),
            Self::Large(arriving) => arriving,
        };
        let mut hasher = Sha256::new();
        while let Some(piece) = arriving.next().await? {
            hasher.update(&piece);
        }
        Ok((arriving.size, Checksum(hasher.finalize().into())))
    }
}

impl<B> Arriving<B> {
    fn of<C>(self, bucket: C) -> Arriving<C> {
        Arriving {
            bucket,
            location: self.location,
            version: self.version,
            size: self.size,
            tag: self.tag,
            at: self.at,
            pieces: self.pieces,
            fruitless: self.fruitless,
        }
    }
}

impl<B: std::ops::Deref<Target = Bucket>> Arriving<B> {
    /// The next piece; `None` at the end. Errors: `Server` when it cannot be had for as long as we have patience.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while self.at < self.size {
            match self.pieces.next().await {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) if self.at + piece.len() as u64 <= self.size => {
                    self.at += piece.len() as u64;
                    self.fruitless = 0;
                    return Ok(Some(piece));
                }
                _ => self.again().await?,
            }
        }
        Ok(None)
    }

    /// Asks for what is left.
    async fn again(&mut self) -> Result<(), Error> {
        if self.fruitless == FRUITLESS {
            return Err(self.bucket.explain(Doing::Reading, &cut()));
        }
        tokio::time::sleep(PAUSE * self.fruitless).await;
        self.fruitless += 1;
        let (bucket, location, from) = (&*self.bucket, &self.location, self.at);
        let ask = || async {
            let range = GetOptions {
                // All of it is no part: rclone answers that with 200.
                range: (from > 0).then_some(GetRange::Bounded(from..self.size)),
                version: self.version.clone(),
                ..GetOptions::default()
            };
            let result = bucket.plain.get_opts(location, range).await;
            let result = result.map_err(|error| failed(&error))?;
            let same = |meta: &ObjectMeta| meta.size == self.size && meta.e_tag == self.tag;
            match same(&result.meta) && result.range.start == from {
                true => Ok(result.into_stream()),
                false => Err(Failed::unusable("another object under the same name")),
            }
        };
        let asked = bucket.patience.persist(0, ask).await;
        self.pieces = asked.map_err(|failed| bucket.explain(Doing::Reading, &failed))?;
        Ok(())
    }
}

/// Hands pieces to a blocking reader.
struct Arrivals {
    pieces: mpsc::Receiver<Result<Bytes, Error>>,
    piece: Bytes,
    /// How much has still to come: a task that was stopped must not look like the end.
    left: u64,
}

impl Arrivals {
    /// Nothing is fetched ahead but what waits in the channel; a reader that goes away ends it.
    fn of(mut arriving: Arriving<Arc<Bucket>>) -> Self {
        let left = arriving.size;
        let (sender, pieces) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            loop {
                let piece = tokio::select! {
                    piece = arriving.next() => piece,
                    () = sender.closed() => return,
                };
                let last = !matches!(piece, Ok(Some(_)));
                let Some(piece) = piece.transpose() else { return };
                if sender.send(piece).await.is_err() || last {
                    return;
                }
            }
        });
        Self {
            pieces,
            piece: Bytes::new(),
            left,
        }
    }
}

impl Read for Arrivals {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(Ok(piece)) => self.piece = piece,
                // `Error::is_of_place` finds it again in there.
                Some(Err(error)) => return Err(io::Error::other(error)),
                None if self.left == 0 => return Ok(0),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let n = buffer.len().min(self.piece.len());
        self.left = self.left.saturating_sub(n as u64);
        buffer[..n].copy_from_slice(&self.piece.split_to(n));
        Ok(n)
    }
}
