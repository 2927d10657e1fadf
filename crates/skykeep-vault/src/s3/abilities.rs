//! Trying a bucket out, and asking what its server can.
//!
//! Nobody is believed: a condition is honoured when the second of two requests is refused, a checksum is kept when it
//! comes back, versions are kept when one that was written over can still be read (some servers give versions numbers and
//! keep none), and a lock holds when it cannot be deleted.
//! What only the bucket's owner may ask stays unknown.

use bytes::Bytes;
use data_encoding::BASE64;
use object_store::{ObjectStore as _, PutMode, PutOptions, PutPayload};

use super::question::Head;
use super::wire::{Failed, failed};
use super::{Bucket, PAGE, download};
use crate::Error;
use crate::layout::{Checksum, Letters};
use crate::part::{active, is_part};
use crate::trouble::{Doing, Trouble};

/// How long what is written for a try is, in bytes.
const TRY: usize = 4096;

/// How often what a try wrote is deleted: each of its requests may have left a version, and the last look finds none.
const VERSIONS: u32 = 6;

/// What a server and its bucket can, for people to choose by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// What is replaced or deleted stays as an earlier version.
    pub versioning: bool,
    /// For how many days nobody at all can delete what was written; 0: the bucket has no such rule, or one that did
    /// not hold. `None`: these keys may not ask, and what was written does not tell.
    pub locked_days: Option<u32>,
    /// A request that must not replace anything is refused when it would.
    pub conditions: bool,
    /// A SHA-256 that is sent with an object is compared with its bytes, kept and told.
    pub checksums: bool,
    /// These keys can delete for good, every version: so can whoever steals them.
    pub deletes: bool,
    /// What is sent is encrypted on its way.
    pub encrypted: bool,
}

/// What a try has found out.
struct Found {
    /// What was written first, as the server tells of it.
    head: Head,
    versioning: bool,
    conditions: bool,
    checksums: bool,
}

/// How what a try wrote went away.
enum Removed {
    ForGood,
    /// Whoever asks is told that it is not there; where versions are kept, they are.
    FromSight,
    /// The keys do not allow it.
    Not,
}

impl Bucket {
    /// Lists, writes, reads and deletes once.
    pub(super) async fn try_out(&self) -> Result<(), Error> {
        self.page_of_root().await?;
        let place = Try::new(self)?;
        let tried = self.write_and_read(&place.key).await;
        let removed = self.remove(&place.key).await;
        tried?;
        removed.map(drop)
    }

    pub(super) async fn examine(&self) -> Result<Abilities, Error> {
        self.page_of_root().await?;
        let place = Try::new(self)?;
        let tried = self.examine_at(&place.key).await;
        let removed = self.remove(&place.key).await;
        let found = tried?;
        let deletes = match removed? {
            Removed::ForGood => true,
            Removed::FromSight => !found.versioning,
            Removed::Not => false,
        };
        let rule = self.patience.persist(0, || self.asker.lock()).await;
        let locked_days = match self.told(rule, None)? {
            // What could be deleted was not locked.
            _ if deletes => Some(0),
            Some(rule) => Some(rule.unwrap_or_default()),
            None => found.head.locked_days,
        };
        Ok(Abilities {
            versioning: found.versioning,
            locked_days,
            conditions: found.conditions,
            checksums: found.checksums,
            deletes,
            encrypted: self.settings.is_encrypted(),
        })
    }

    /// Removes what a try wrote, for good where that is allowed: then every version of it, without a mark. A version
    /// that is locked stays, under a mark that it is deleted, until its time has come.
    async fn remove(&self, key: &str) -> Result<Removed, Error> {
        for _ in 0..VERSIONS {
            let version = match self.head(key).await? {
                None => return Ok(Removed::ForGood),
                Some(head) => head.version,
            };
            let Some(version) = version else { break };
            let delete = || self.asker.delete_version(key, &version);
            match self.patience.persist(0, delete).await {
                Err(failed) if failed.is_transient() => return Err(self.explain(Doing::Deleting, &failed)),
                Err(_) => break,
                Ok(()) => {}
            }
        }
        match self.delete(key).await {
            Ok(()) => Ok(Removed::FromSight),
            // Keys that may only add are good keys.
            Err(Error::Server {
                trouble: Trouble::Forbidden { .. },
                ..
            }) => Ok(Removed::Not),
            Err(error) => Err(error),
        }
    }

    /// One answer about the bucket: `none` where the server has no such thing, and nothing where it does not tell us.
    fn told<T>(&self, answer: Result<T, Failed>, none: T) -> Result<Option<T>, Error> {
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(failed) if matches!(failed.status(), Some(401 | 403)) => Ok(None),
            Err(failed) if matches!(failed.status(), Some(400 | 404 | 405 | 501)) => Ok(Some(none)),
            Err(failed) => Err(self.explain(Doing::Reading, &failed)),
        }
    }

    /// The first question: its answer has words for everything that can be wrong.
    async fn page_of_root(&self) -> Result<(), Error> {
        let ask = || self.asker.page(&self.address.prefix, true, None, 1);
        let page = self.patience.persist(0, ask).await;
        page.map(drop).map_err(|failed| self.explain(Doing::Listing, &failed))
    }

    /// Errors: what does not come back as it went.
    async fn write_and_read(&self, key: &str) -> Result<Checksum, Error> {
        let mut bytes = vec![0; TRY];
        getrandom::fill(&mut bytes).map_err(|_| Error::Random)?;
        let sum = Checksum::of(&bytes);
        self.send(&Self::location(key)?, Bytes::from(bytes), false).await?;
        match self.checksum(key).await? {
            Some(found) if found == (TRY as u64, sum) => Ok(sum),
            _ => Err(self.unfaithful("what is read is not what was written")),
        }
    }

    /// Finds out what can be found out by writing.
    async fn examine_at(&self, key: &str) -> Result<Found, Error> {
        let sum = self.write_and_read(key).await?;
        let Some(head) = self.head(key).await? else {
            return Err(self.unfaithful("what it acknowledged is not there"));
        };
        let kept = head.checksum == Some(BASE64.encode(&sum.0));
        let wrong = self.patience.persist(0, || self.asker.put_wrong(key)).await;
        let checksums = match wrong {
            Ok(()) => false,
            Err(failed) if matches!(failed.status(), Some(400..=499 | 501)) => kept,
            Err(failed) => return Err(self.explain(Doing::Writing, &failed)),
        };
        let location = Self::location(key)?;
        let again = || async {
            let options = PutOptions {
                mode: PutMode::Create,
                ..PutOptions::default()
            };
            let put = self
                .plain
                .put_opts(&location, PutPayload::from_static(b"again"), options);
            put.await.map_err(|error| failed(&error))
        };
        let conditions = match self.patience.persist(0, again).await {
            Ok(_) => false,
            Err(failed) if matches!(failed.status(), Some(304 | 412)) => true,
            Err(failed) if matches!(failed.status(), Some(400 | 501)) => false,
            Err(failed) => return Err(self.explain(Doing::Writing, &failed)),
        };
        let versioning = match &head.version {
            Some(version) => {
                self.send(&location, Bytes::from_static(b"over it"), false).await?;
                self.is_kept(key, version, sum).await?
            }
            None => false,
        };
        Ok(Found {
            head,
            versioning,
            conditions,
            checksums,
        })
    }

    /// Whether a version is what was written then. A server that refuses to tell keeps none.
    async fn is_kept(&self, key: &str, version: &str, sum: Checksum) -> Result<bool, Error> {
        let kept = async {
            match download::open(self, key, Some(version)).await? {
                Some(content) => content.checksum().await.map(|found| found == (TRY as u64, sum)),
                None => Ok(false),
            }
        };
        match kept.await {
            Err(error) if !error.is_transient() => Ok(false),
            result => result,
        }
    }

    /// Removes what stopped tries of this writer left.
    pub(super) async fn sweep_probes(&self) -> Result<u64, Error> {
        let ours = format!("{}.{}-", self.address.prefix, self.writer);
        let page = self
            .patience
            .persist(0, || self.asker.page(&ours, true, None, PAGE))
            .await;
        let page = page.map_err(|failed| self.explain(Doing::Listing, &failed))?;
        let mut swept = 0;
        for (key, _) in page.files {
            let name = self.relative(&key);
            let left = is_part(name) && !active().contains(name);
            if left && self.remove(&key).await.is_ok() {
                swept += 1;
            }
        }
        Ok(swept)
    }
}

/// The name of a try while it is under way; no sweep of this process touches it.
struct Try {
    name: String,
    key: String,
}

impl Try {
    fn new(bucket: &Bucket) -> Result<Self, Error> {
        let name = format!(".{}-{}.part", bucket.writer, Letters::<16>::random()?);
        active().insert(name.clone());
        let key = format!("{}{name}", bucket.address.prefix);
        Ok(Self { name, key })
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        active().remove(&self.name);
    }
}
