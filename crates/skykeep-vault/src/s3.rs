//! A store in a bucket of S3-compatible storage: Amazon's, another company's, or a server at home.
//!
//! How a file gets in: it is read and hashed on this computer, its name is looked up, and it goes up in one request, or
//! in parts of 8 MiB that nobody sees before the last one is acknowledged. Then its head is asked for: the length, and
//! the SHA-256 where the server keeps one, must be those that were sent; every request carries the SHA-256 of its body
//! in its signature. What was killed on the way has left nothing under the name, and is simply sent again.
//!
//! What it does not rely on: requests that refuse to overwrite (rclone and Garage ignore them; where a server honours
//! `If-None-Match` it is a second lock on the door), stored checksums, versions, complete listings. Names stand for one
//! content, so whoever writes the same name writes the same bytes.
//!
//! object_store carries what is stored and read (`upload`, `download`); what it does not ask is in `question`.
//! Every request is made with `patience` and under a limit of time; how many are under way, and how many bytes are
//! held, is bounded.

mod abilities;
mod download;
mod keys;
mod notes;
mod past;
mod patience;
mod provider;
mod question;
mod settings;
mod upload;
mod versions;
mod whole;
mod wire;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum as Algorithm};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStoreExt as _, RetryConfig};
use tokio::sync::Semaphore;

pub use self::abilities::Abilities;
pub use self::past::S3Past;
pub use self::provider::{Endpoint, PROVIDERS, Provider};
pub use self::settings::{Addressing, S3Credentials, S3Settings};

use self::keys::Keys;
use self::patience::Patience;
use self::question::{Asker, Head};
use self::settings::Address;
use self::wire::{Failed, Wire, failed};
use crate::Error;
use crate::content::Content;
use crate::folder::run;
use crate::layout::{StorePath, WriterId};
use crate::part::is_part;
use crate::store::{Answer, Depth, Listing, Probe, Store, Stored, Target};
use crate::trouble::{Doing, Trouble};

/// What a stopped writer of another computer left is swept when it is this old: nobody sends one file for a day.
const STALE: SignedDuration = SignedDuration::from_hours(24);
/// No vault has this many files in one listing; a bucket that claims more is not ours.
const MAX_ENTRIES: usize = 8_000_000;
/// Files that are on their way up at once.
const TURNS: usize = 6;
/// Locks for names; far more than turns, so that strangers seldom share one.
const NAMES: usize = 61;
/// Parts of large files that are on their way up at once, whichever files they are of.
const PARTS: usize = 6;
/// How many names are asked for at once.
const PAGE: u32 = 1000;

/// A store in a bucket. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct S3Store {
    bucket: Arc<Bucket>,
}

struct Bucket {
    address: Address,
    settings: S3Settings,
    /// With a SHA-256 that the server is to compare and keep, and without.
    checked: AmazonS3,
    plain: AmazonS3,
    asker: Asker,
    writer: WriterId,
    scratch: PathBuf,
    patience: Patience,
    turns: Semaphore,
    /// Two files of one name do not go up at once from here: no server is made to choose. By the name's hash.
    names: [tokio::sync::Mutex<()>; NAMES],
    /// For parts that are held in memory.
    parts: Semaphore,
    /// The server accepts checksums; until it refuses.
    checksums: AtomicBool,
    /// The server accepts conditions; until it refuses.
    conditions: AtomicBool,
    /// Uploads that this process works on: never swept.
    active: Mutex<BTreeSet<String>>,
}

impl S3Store {
    /// A store in a bucket. Nothing is asked yet.
    ///
    /// `writer` is part of the names of what is unfinished. Files larger than 8 MiB that are made while they are stored
    /// go through `scratch`, a folder of this computer. Errors: `Invalid` naming the setting that is wrong; `Server`
    /// when this computer trusts no certificates at all.
    pub fn new(
        settings: &S3Settings,
        credentials: &S3Credentials,
        writer: WriterId,
        scratch: impl Into<PathBuf>,
    ) -> Result<Self, Error> {
        let address = settings.address()?;
        let setup = |error: &dyn fmt::Display| Error::Server {
            server: address.server.clone(),
            trouble: Trouble::Certificate,
            said: error.to_string(),
        };
        let wire = Wire::new().map_err(|error| setup(&error))?;
        let keys = Arc::new(Keys::new(credentials));
        let store = |checksum: Option<Algorithm>| {
            let retry = RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            };
            let builder = AmazonS3Builder::new()
                // The address has the bucket in it already, however it is named.
                .with_virtual_hosted_style_request(true)
                .with_endpoint(&address.base)
                .with_bucket_name(&address.bucket)
                .with_region(&address.region)
                .with_credentials(Arc::clone(&keys) as _)
                .with_client_options(ClientOptions::new().with_allow_http(true))
                .with_http_connector(wire.clone())
                .with_disable_bulk_delete(true)
                .with_retry(retry);
            let builder = match checksum {
                Some(checksum) => builder.with_checksum_algorithm(checksum),
                None => builder,
            };
            builder.build().map_err(|error| setup(&error))
        };
        Ok(Self {
            bucket: Arc::new(Bucket {
                checked: store(Some(Algorithm::SHA256))?,
                plain: store(None)?,
                asker: Asker::new(wire.client(), keys, address.clone()),
                address,
                settings: settings.clone(),
                writer,
                scratch: scratch.into(),
                patience: Patience::default(),
                turns: Semaphore::new(TURNS),
                names: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
                parts: Semaphore::new(PARTS),
                checksums: AtomicBool::new(true),
                conditions: AtomicBool::new(true),
                active: Mutex::default(),
            }),
        })
    }

    /// The same, with another time for a server that is gone: little when a person waits for the answer. Two minutes
    /// unless said otherwise. Only for a store that nobody has cloned yet.
    #[must_use]
    pub fn waiting(mut self, total: Duration) -> Self {
        if let Some(bucket) = Arc::get_mut(&mut self.bucket) {
            bucket.patience = Patience { total };
        }
        self
    }

    /// Where it is.
    pub fn settings(&self) -> &S3Settings {
        &self.bucket.settings
    }

    /// Tests the place as someone who sets it up wants it tested, and asks what the server can.
    ///
    /// Errors: as [`Store::probe`].
    pub async fn examine(&self) -> Result<Abilities, Error> {
        self.bucket.examine().await
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.bucket.address;
        write!(f, "S3Store({}/{})", address.base, address.prefix)
    }
}

impl Store for S3Store {
    fn put(&self, target: Target, content: Content) -> Answer<'_, Stored> {
        Box::pin(self.bucket.put(target, content))
    }

    fn get<'a>(&'a self, path: &'a StorePath) -> Answer<'a, Option<Content>> {
        Box::pin(async move { download::content(&self.bucket, &self.bucket.key(path), None).await })
    }

    fn confirm<'a>(&'a self, path: &'a StorePath) -> Answer<'a, ()> {
        Box::pin(async move {
            // What a bucket has acknowledged is durable; it has to be there.
            match self.bucket.head(&self.bucket.key(path)).await? {
                Some(_) => Ok(()),
                None => Err(Error::Absent { name: path.to_string() }),
            }
        })
    }

    fn list<'a>(&'a self, folder: &'a StorePath, depth: Depth) -> Answer<'a, Listing> {
        Box::pin(self.bucket.list(folder, depth))
    }

    fn set_aside<'a>(&'a self, from: &'a StorePath, to: &'a StorePath) -> Answer<'a, ()> {
        Box::pin(self.bucket.set_aside(from, to))
    }

    fn probe(&self) -> Answer<'_, Probe> {
        Box::pin(async move {
            self.bucket.try_out().await?;
            Ok(Probe {
                free: None,
                total: None,
                syncs: true,
            })
        })
    }

    fn sweep(&self, now: Timestamp) -> Answer<'_, u64> {
        Box::pin(self.bucket.sweep(now))
    }
}

impl Bucket {
    /// The name of a file in the bucket.
    fn key(&self, path: &StorePath) -> String {
        format!("{}{path}", self.address.prefix)
    }

    /// What the names of all that is in a folder begin with.
    fn folder(&self, folder: &StorePath) -> String {
        match folder.as_str() {
            "" => self.address.prefix.clone(),
            folder => format!("{}{folder}/", self.address.prefix),
        }
    }

    /// As object_store wants it.
    fn location(key: &str) -> Result<Key, Error> {
        Key::parse(key).map_err(|error| Error::invalid(key, error))
    }

    /// With checksums, as long as the server takes them.
    fn store(&self) -> &AmazonS3 {
        match self.checksums.load(Ordering::Relaxed) {
            true => &self.checked,
            false => &self.plain,
        }
    }

    fn scratch(&self) -> &Path {
        &self.scratch
    }

    fn explain(&self, doing: Doing, failed: &Failed) -> Error {
        match failed.code() {
            "QuotaExceeded" | "QuotaExceededException" | "InsufficientStorage" => Error::Full { needed: None },
            _ if failed.status() == Some(507) => Error::Full { needed: None },
            _ => Error::Server {
                server: self.address.server.clone(),
                trouble: failed.trouble(doing),
                said: failed.to_string(),
            },
        }
    }

    /// Keeps others of this process away from a name.
    async fn alone_with(&self, key: &str) -> tokio::sync::MutexGuard<'_, ()> {
        let sum = key
            .bytes()
            .fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        self.names[sum % NAMES].lock().await
    }

    async fn head(&self, key: &str) -> Result<Option<Head>, Error> {
        self.patience
            .persist(0, || self.asker.head(key))
            .await
            .map_err(|failed| self.explain(Doing::Reading, &failed))
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        let location = Self::location(key)?;
        let delete = || async { self.plain.delete(&location).await.map_err(|error| failed(&error)) };
        match self.patience.persist(0, delete).await {
            Err(failed) if !failed.is_absent() => Err(self.explain(Doing::Deleting, &failed)),
            _ => Ok(()),
        }
    }

    async fn list(&self, folder: &StorePath, depth: Depth) -> Result<Listing, Error> {
        let prefix = self.folder(folder);
        let mut listing = Listing::default();
        let mut from: Option<String> = None;
        loop {
            let ask = || self.asker.page(&prefix, depth == Depth::Here, from.as_deref(), PAGE);
            let page = self.patience.persist(0, ask).await;
            let page = page.map_err(|failed| self.explain(Doing::Listing, &failed))?;
            for (key, size) in page.files {
                self.note_file(&prefix, &key, size, &mut listing);
            }
            for key in page.folders {
                self.note_folder(&key, &mut listing);
            }
            if listing.files.len() + listing.foreign.len() > MAX_ENTRIES {
                return Err(Error::TooLarge {
                    name: folder.to_string(),
                    limit: MAX_ENTRIES as u64,
                });
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        Ok(listing.in_order())
    }

    /// Its name below our prefix.
    fn relative<'k>(&self, key: &'k str) -> &'k str {
        key.strip_prefix(&self.address.prefix).unwrap_or(key)
    }

    /// A folder, as a server names it: with a slash at its end. Each is noted once.
    fn note_folder(&self, key: &str, listing: &mut Listing) {
        let name = self.relative(key).trim_end_matches('/');
        match name.parse() {
            Ok(path) if listing.folders.last() == Some(&path) => {}
            Ok(path) => listing.folders.push(path),
            Err(_) if listing.foreign.last().is_some_and(|last| last == name) => {}
            Err(_) => listing.foreign.push(name.to_owned()),
        }
    }

    fn note_file(&self, prefix: &str, key: &str, size: u64, listing: &mut Listing) {
        let relative = self.relative(key);
        let name = relative.rsplit('/').next().unwrap_or_default();
        // Consoles make folders visible with an empty object whose name ends with a slash.
        if is_part(name) || key == prefix || (name.is_empty() && size == 0) {
            return;
        }
        match relative.parse() {
            Ok(path) => listing.files.push((path, size)),
            Err(_) => listing.foreign.push(relative.to_owned()),
        }
    }

    /// Copies, compares, and only then deletes; whoever was stopped in between finds the copy and goes on.
    async fn set_aside(self: &Arc<Self>, from: &StorePath, to: &StorePath) -> Result<(), Error> {
        let (source, target) = (self.key(from), self.key(to));
        let Some(sum) = self.checksum(&source).await? else {
            return Err(Error::Absent { name: from.to_string() });
        };
        match self.checksum(&target).await? {
            Some(found) if found == sum => {}
            Some(_) => return Err(Error::NameTaken { path: to.to_string() }),
            None => self.copy(from, to).await?,
        }
        if self.checksum(&target).await? != Some(sum) {
            return Err(self.unfaithful("the copy is not what was copied"));
        }
        self.delete(&source).await
    }

    /// By the server itself. What it does not copy (5 GB are the most in one request, and some copy nothing) goes over
    /// this computer. Source: Amazon S3, "CopyObject".
    async fn copy(self: &Arc<Self>, from: &StorePath, to: &StorePath) -> Result<(), Error> {
        let (source, target) = (self.key(from), self.key(to));
        let (here, there) = (Self::location(&source)?, Self::location(&target)?);
        let copy = || async { self.plain.copy(&here, &there).await.map_err(|error| failed(&error)) };
        match self.patience.persist(0, copy).await {
            Ok(()) => Ok(()),
            Err(failed) if matches!(failed.status(), Some(400 | 405 | 413 | 501)) => {
                tracing::info!(place = self.address.server, %failed, "it does not copy this by itself");
                let Some(content) = download::content(self, &source, None).await? else {
                    return Err(Error::Absent { name: from.to_string() });
                };
                let path = to.clone();
                self.put(Target::Named { path, sum: None }, content).await.map(drop)
            }
            Err(failed) => Err(self.explain(Doing::Writing, &failed)),
        }
    }

    /// Length and SHA-256 of what can be read now.
    async fn checksum(&self, key: &str) -> Result<Option<(u64, crate::layout::Checksum)>, Error> {
        let Some(content) = download::open(self, key, None).await? else {
            return Ok(None);
        };
        content.checksum().await.map(Some)
    }

    fn unfaithful(&self, said: &str) -> Error {
        Error::Server {
            server: self.address.server.clone(),
            trouble: Trouble::Unfaithful,
            said: said.to_owned(),
        }
    }

    /// Uploads in parts have no names that tell whose they are. Those that this computer noted go at once, all others
    /// that this process does not work on when they are old. What [`Bucket::try_out`] was stopped at has a name.
    async fn sweep(&self, now: Timestamp) -> Result<u64, Error> {
        let mut swept = self.sweep_noted().await?;
        for upload in self.unfinished().await? {
            let old = upload.initiated.is_some_and(|time| now.duration_since(time) > STALE);
            if !old || !upload.key.starts_with(&self.address.prefix) || self.active().contains(&upload.upload_id) {
                continue;
            }
            match self.abort(&upload.key, &upload.upload_id).await {
                Ok(()) => swept += 1,
                Err(failed) => tracing::debug!(key = upload.key, %failed, "a stale upload stays"),
            }
        }
        Ok(swept + self.sweep_probes().await?)
    }

    async fn sweep_noted(&self) -> Result<u64, Error> {
        let (scratch, writer, base) = (self.scratch.clone(), self.writer, self.address.base.clone());
        let left = blocking(move || Ok(notes::left(&scratch, &writer, &base))).await?;
        let mut swept = 0;
        for (file, note) in left {
            match self.abort(&note.key, &note.upload).await {
                Ok(()) => {
                    swept += 1;
                    notes::forget(file).await;
                }
                Err(failed) => tracing::debug!(key = note.key, %failed, "an upload of ours stays"),
            }
        }
        Ok(swept)
    }

    async fn unfinished(&self) -> Result<Vec<question::Unfinished>, Error> {
        match self.patience.persist(0, || self.asker.unfinished()).await {
            Ok(unfinished) => Ok(unfinished),
            // Some servers do not tell: then they have rules of their own for them, or nothing to sweep.
            Err(failed) if matches!(failed.status(), Some(400 | 403 | 404 | 405 | 501)) => Ok(Vec::new()),
            Err(failed) => Err(self.explain(Doing::Listing, &failed)),
        }
    }

    fn active(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of an upload. An upload that is not there is gone.
    async fn abort(&self, key: &str, upload: &str) -> Result<(), Failed> {
        let location = Key::parse(key).map_err(Failed::unusable)?;
        let id = upload.to_owned();
        let abort = || async {
            self.plain
                .abort_multipart(&location, &id)
                .await
                .map_err(|error| failed(&error))
        };
        match self.patience.persist(0, abort).await {
            Err(failed) if failed.status() != Some(404) => Err(failed),
            _ => Ok(()),
        }
    }
}

/// Runs what blocks, where blocking is allowed.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    run(work).await
}
