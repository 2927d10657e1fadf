//! From a reader to the bucket. See the top of [`super`] for what is promised and how.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::stream::{FuturesOrdered, StreamExt as _};
use object_store::MultipartId;
use object_store::aws::AmazonS3;
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path as Key;
use object_store::{ObjectStore as _, PutMode, PutOptions, PutPayload};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::SemaphorePermit;

use super::notes::{Kept, Note};
use super::question::Head;
use super::whole::Whole;
use super::wire::{Failed, failed};
use super::{Bucket, blocking};
use crate::Error;
use crate::content::Content;
use crate::layout::Checksum;
use crate::store::{Stored, Target};
use crate::trouble::Doing;

/// What goes up in one request, in bytes; larger files go up in parts of this size.
const PART: u64 = 8 << 20;
/// No upload has more parts; larger files get larger ones. Source: Amazon S3, "Multipart upload limits".
const MAX_PARTS: u64 = 10_000;
/// Parts of one file that are under way at once.
const AT_ONCE: usize = 3;
/// How often an upload in parts begins anew, when the server has forgotten it.
const BEGINNINGS: u32 = 4;

/// How often a name that seems to be taken by something else is looked at, and after how long.
const LOOKS: u32 = 2;
const LOOK_AGAIN: Duration = Duration::from_millis(700);

/// How an upload ended.
pub(super) enum Sent {
    /// The server has acknowledged it. With the checksum that one of several parts has, if it has.
    Acknowledged(Option<String>),
    /// Somebody else was faster.
    Taken,
    /// It is there now, and the answer that says who did it was lost: as far as anybody can tell, this upload.
    Unanswered,
}

/// Why an upload in parts ended.
enum Ended {
    Failed(Failed),
    /// The server knows nothing of it (any more).
    Forgotten,
    /// Something on this computer.
    Here(Error),
}

impl From<Failed> for Ended {
    fn from(failed: Failed) -> Self {
        match failed.code() {
            "NoSuchUpload" => Self::Forgotten,
            _ => Self::Failed(failed),
        }
    }
}

impl Bucket {
    pub(super) async fn put(self: &Arc<Self>, target: Target, content: Content) -> Result<Stored, Error> {
        // Never closed.
        let _turn = self.turns.acquire().await.map_err(|_| Error::Stopped)?;
        let (scratch, writer) = (self.scratch().to_owned(), self.writer);
        let small = usize::try_from(PART).unwrap_or(usize::MAX);
        let whole = blocking(move || Whole::of(content, small, &scratch, &writer)).await?;
        let path = match target {
            Target::Named { path, sum } => {
                if sum.is_some_and(|sum| sum != whole.sum) {
                    return Err(Error::damaged(path, "the bytes are not those that were announced"));
                }
                path
            }
            Target::Hashed { folder, ending } => folder.join(&format!("{}{ending}", whole.sum.name()))?,
        };
        let stored = Stored {
            path,
            size: whole.size,
            sum: whole.sum,
            existed: false,
        };
        let key = self.key(&stored.path);
        let _alone = self.alone_with(&key).await;
        if self.head(&key).await?.is_some() {
            return self.found(&key, stored).await;
        }
        let location = Self::location(&key)?;
        let sent = match whole.size <= PART {
            true => {
                let bytes = blocking(move || whole.piece(0..whole.size)).await?;
                self.send(&location, bytes, true).await
            }
            false => self.send_parts(&location, Arc::new(whole)).await,
        };
        match sent.map_err(|error| self.too_large(error, &stored))? {
            Sent::Taken => self.found(&key, stored).await,
            Sent::Unanswered => {
                let found = self.found(&key, stored).await?;
                Ok(Stored {
                    existed: false,
                    ..found
                })
            }
            Sent::Acknowledged(of_parts) => {
                self.compare(&key, &stored, of_parts.as_deref()).await?;
                Ok(stored)
            }
        }
    }

    fn too_large(&self, error: Error, stored: &Stored) -> Error {
        match error {
            Error::Full { .. } => Error::Full {
                needed: Some(stored.size),
            },
            Error::FileTooLarge { .. } => Error::FileTooLarge {
                path: stored.path.to_string(),
                size: stored.size,
            },
            error => error,
        }
    }

    /// A file of that name is there already: the same one, or not.
    ///
    /// Its bytes are read: what the server says that they are may be older than what became of them. And they are read
    /// twice before they are called others: simple servers show a file while another computer is still sending it.
    async fn found(&self, key: &str, stored: Stored) -> Result<Stored, Error> {
        for look in 1..=LOOKS {
            if self.checksum(key).await? == Some((stored.size, stored.sum)) {
                return Ok(Stored {
                    existed: true,
                    ..stored
                });
            }
            if look < LOOKS {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        Err(Error::NameTaken {
            path: stored.path.to_string(),
        })
    }

    /// Whether what is there now is what was sent: by its length, and by its SHA-256 where the server has one.
    async fn compare(&self, key: &str, stored: &Stored, of_parts: Option<&str>) -> Result<(), Error> {
        let Some(Head { size, checksum, .. }) = self.head(key).await? else {
            return Err(self.unfaithful("what it acknowledged is not there"));
        };
        if size != stored.size {
            return Err(self.unfaithful("what it acknowledged has another length there"));
        }
        let whole = BASE64.encode(&stored.sum.0);
        let agrees = |found: &String| *found == whole || of_parts == Some(found);
        if checksum.as_ref().is_none_or(agrees) {
            return Ok(());
        }
        // Servers differ in what they call the checksum of parts: the bytes decide.
        match self.checksum(key).await? {
            Some(found) if found == (stored.size, stored.sum) => Ok(()),
            _ => Err(self.unfaithful("what it acknowledged has another SHA-256 there")),
        }
    }

    /// One request. With `new`, an object of that name is not replaced, where the server knows how.
    pub(super) async fn send(&self, location: &Key, bytes: Bytes, new: bool) -> Result<Sent, Error> {
        let payload = PutPayload::from(bytes);
        loop {
            let tries = AtomicU32::new(0);
            let put = || async {
                tries.fetch_add(1, Ordering::Relaxed);
                let options = PutOptions {
                    mode: match new && self.conditions.load(Ordering::Relaxed) {
                        true => PutMode::Create,
                        false => PutMode::Overwrite,
                    },
                    ..PutOptions::default()
                };
                let put = self.store().put_opts(location, payload.clone(), options);
                put.await.map_err(|error| failed(&error))
            };
            match self.patience.persist(payload.content_length() as u64, put).await {
                Ok(_) => return Ok(Sent::Acknowledged(None)),
                Err(failed) if new && matches!(failed.status(), Some(304 | 412)) => {
                    // An earlier try may have arrived, and be what is in the way of this one.
                    return Ok(match tries.load(Ordering::Relaxed) {
                        1 => Sent::Taken,
                        _ => Sent::Unanswered,
                    });
                }
                Err(failed) if self.do_without(&failed) => {}
                Err(failed) => return Err(self.refused_upload(&failed)),
            }
        }
    }

    fn refused_upload(&self, failed: &Failed) -> Error {
        match (failed.code(), failed.status()) {
            ("EntityTooLarge", _) | (_, Some(413)) => Error::FileTooLarge {
                path: String::new(),
                size: 0,
            },
            _ => self.explain(Doing::Writing, failed),
        }
    }

    /// Some servers refuse headers that they do not know: first conditions are left out, then checksums.
    fn do_without(&self, failed: &Failed) -> bool {
        let unknown = failed.status() == Some(501)
            || failed.status() == Some(400)
                && matches!(
                    failed.code(),
                    "InvalidArgument" | "InvalidRequest" | "NotImplemented" | "UnsupportedArgument"
                );
        let left_out = unknown
            && (self.conditions.swap(false, Ordering::Relaxed) || self.checksums.swap(false, Ordering::Relaxed));
        if left_out {
            tracing::info!(place = self.address.server, %failed, "this server lacks an extra that is left out now");
        }
        left_out
    }

    /// In parts, anew when the server has forgotten them: some keep what they have of an upload in memory.
    async fn send_parts(self: &Arc<Self>, location: &Key, whole: Arc<Whole>) -> Result<Sent, Error> {
        let mut beginnings = 0;
        loop {
            beginnings += 1;
            match self.send_parts_once(location, &whole).await {
                Ok(sent) => return Ok(sent),
                Err(Ended::Here(error)) => return Err(error),
                // The answer to the last request may be all that was lost.
                Err(Ended::Forgotten) if self.head(location.as_ref()).await?.is_some() => return Ok(Sent::Unanswered),
                Err(Ended::Forgotten) if beginnings < BEGINNINGS => {
                    tracing::warn!(place = self.address.server, "an upload was forgotten and begins anew");
                }
                Err(Ended::Forgotten) => return Err(self.unfaithful("uploads in parts are forgotten")),
                Err(Ended::Failed(failed)) if self.do_without(&failed) => {}
                Err(Ended::Failed(failed)) => return Err(self.refused_upload(&failed)),
            }
        }
    }

    async fn send_parts_once(self: &Arc<Self>, location: &Key, whole: &Arc<Whole>) -> Result<Sent, Ended> {
        let store = self.store();
        let create = || async { store.create_multipart(location).await.map_err(|error| failed(&error)) };
        let mut upload = Upload::begin(self, location, self.patience.persist(0, create).await?);
        upload.note().await.map_err(Ended::Here)?;
        let size = whole.size.div_ceil(MAX_PARTS).next_multiple_of(1 << 20).max(PART);
        let mut parts = Vec::new();
        let mut running = FuturesOrdered::new();
        let mut hashes = Hashes::default();
        for n in 0..whole.size.div_ceil(size) {
            // Those that are under way go on while this one waits for its turn.
            let permit = loop {
                tokio::select! {
                    permit = self.parts.acquire(), if running.len() < AT_ONCE => break permit,
                    Some(part) = running.next(), if !running.is_empty() => parts.push(part?),
                }
            };
            let permit = permit.map_err(|_| Ended::Here(Error::Stopped))?;
            let (source, range) = (Arc::clone(whole), n * size..whole.size.min((n + 1) * size));
            let read = blocking(move || {
                let bytes = source.piece(range)?;
                hashes.add(&bytes);
                Ok((bytes, hashes))
            });
            let (bytes, with_it) = read.await.map_err(Ended::Here)?;
            hashes = with_it;
            running.push_back(self.send_part(store, location, &upload.id, n, bytes, permit));
        }
        while let Some(part) = running.next().await {
            parts.push(part?);
        }
        drop(running);
        let (sum, of_parts) = hashes.finish(parts.len());
        if sum != whole.sum {
            let error = Error::damaged(location, "the file changed while it was read");
            return Err(Ended::Here(error));
        }
        // The request that follows has no condition everywhere.
        if self.head(location.as_ref()).await.map_err(Ended::Here)?.is_some() {
            return Ok(Sent::Taken);
        }
        let complete = || async {
            let complete = store.complete_multipart(location, &upload.id, parts.clone());
            complete.await.map_err(|error| failed(&error))
        };
        self.patience.persist(0, complete).await?;
        upload.end().await;
        Ok(Sent::Acknowledged(Some(of_parts)))
    }

    async fn send_part(
        &self,
        store: &AmazonS3,
        location: &Key,
        id: &MultipartId,
        n: u64,
        bytes: Bytes,
        _permit: SemaphorePermit<'_>,
    ) -> Result<PartId, Ended> {
        let payload = PutPayload::from(bytes);
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let put = || async {
            let put = store.put_part(location, id, n, payload.clone());
            put.await.map_err(|error| failed(&error))
        };
        let sent = self.patience.persist(payload.content_length() as u64, put).await;
        sent.map_err(Ended::from)
    }
}

/// The SHA-256 of what was read, and that of the parts' own. Source: Amazon S3, "Checksums of checksums".
#[derive(Default)]
struct Hashes {
    whole: Sha256,
    parts: Sha256,
}

impl Hashes {
    fn add(&mut self, part: &[u8]) {
        self.whole.update(part);
        self.parts.update(Sha256::digest(part));
    }

    fn finish(self, parts: usize) -> (Checksum, String) {
        let of_parts = BASE64.encode(&self.parts.finalize());
        (Checksum(self.whole.finalize().into()), format!("{of_parts}-{parts}"))
    }
}

/// An upload in parts that is under way. Whatever ends it early lets go of what was sent, as far as it still can.
struct Upload {
    bucket: Arc<Bucket>,
    location: Key,
    id: MultipartId,
    note: Option<Kept>,
    done: bool,
}

impl Upload {
    fn begin(bucket: &Arc<Bucket>, location: &Key, id: MultipartId) -> Self {
        bucket.active().insert(id.clone());
        Self {
            bucket: Arc::clone(bucket),
            location: location.clone(),
            id,
            note: None,
            done: false,
        }
    }

    /// So that it is found when this process is killed.
    async fn note(&mut self) -> Result<(), Error> {
        let (scratch, writer) = (self.bucket.scratch().to_owned(), self.bucket.writer);
        let note = Note {
            base: self.bucket.address.base.clone(),
            key: self.location.to_string(),
            upload: self.id.clone(),
        };
        self.note = blocking(move || Ok(Kept::write(&scratch, &writer, &note))).await?;
        Ok(())
    }

    async fn end(&mut self) {
        self.done = true;
        if let Some(note) = self.note.take() {
            note.forget().await;
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.bucket.active().remove(&self.id);
        if self.done {
            return;
        }
        // What this cannot do, the sweep does.
        if let Ok(runtime) = Handle::try_current() {
            let (bucket, location, id) = (Arc::clone(&self.bucket), self.location.clone(), self.id.clone());
            let note = self.note.take();
            runtime.spawn(async move {
                let aborted = bucket.plain.abort_multipart(&location, &id).await;
                if let (Ok(()), Some(note)) = (aborted, note) {
                    note.forget().await;
                }
            });
        }
    }
}
