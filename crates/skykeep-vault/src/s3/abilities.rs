//! Trying a bucket out, and asking what its server can.
//!
//! Nobody is believed: a condition is honoured when the second of two requests is refused, a checksum is kept when it
//! comes back. What only the bucket's owner may ask stays unknown.

use bytes::Bytes;
use data_encoding::BASE64;
use object_store::{ObjectStore as _, PutMode, PutOptions, PutPayload};

use super::wire::{Failed, failed};
use super::{Bucket, PAGE};
use crate::Error;
use crate::layout::{Checksum, Letters};
use crate::part::{active, is_part};
use crate::trouble::{Doing, Trouble};

/// How long what is written for a try is, in bytes.
const TRY: usize = 4096;

/// What a server and its bucket can, for people to choose by. `None`: these keys may not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// What is replaced or deleted stays as an earlier version.
    pub versioning: Option<bool>,
    /// For how many days nobody at all can delete what was written; 0: the bucket has no such rule.
    pub locked_days: Option<u32>,
    /// A request that must not replace anything is refused when it would.
    pub conditions: bool,
    /// A SHA-256 that is sent with an object is compared with its bytes, kept and told.
    pub checksums: bool,
    /// These keys can delete: so can whoever steals them.
    pub deletes: bool,
    /// What is sent is encrypted on its way.
    pub encrypted: bool,
}

impl Bucket {
    /// Lists, writes, reads and deletes once.
    pub(super) async fn try_out(&self) -> Result<(), Error> {
        self.page_of_root().await?;
        let place = Try::new(self)?;
        let tried = self.write_and_read(&place.key).await;
        let deleted = self.delete(&place.key).await;
        tried?;
        deleted.or_else(allowed_without_deleting)
    }

    pub(super) async fn examine(&self) -> Result<Abilities, Error> {
        self.page_of_root().await?;
        let place = Try::new(self)?;
        let tried = self.examine_at(&place.key).await;
        let deleted = self.delete(&place.key).await;
        let (conditions, checksums) = tried?;
        let deletes = deleted.is_ok();
        deleted.or_else(allowed_without_deleting)?;
        let versioning = self.patience.persist(0, || self.asker.versioning()).await;
        let lock = self.patience.persist(0, || self.asker.lock()).await;
        Ok(Abilities {
            versioning: self.told(versioning, false)?,
            locked_days: self.told(lock, None)?.map(Option::unwrap_or_default),
            conditions,
            checksums,
            deletes,
            encrypted: self.settings.is_encrypted(),
        })
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

    /// Whether conditions are honoured and checksums kept.
    async fn examine_at(&self, key: &str) -> Result<(bool, bool), Error> {
        let sum = self.write_and_read(key).await?;
        let head = self.head(key).await?;
        let kept = head.and_then(|head| head.checksum) == Some(BASE64.encode(&sum.0));
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
        Ok((conditions, checksums))
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
            if left && self.delete(&key).await.is_ok() {
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

/// Keys that may only add are good keys.
fn allowed_without_deleting(error: Error) -> Result<(), Error> {
    match error {
        Error::Server {
            trouble: Trouble::Forbidden { .. },
            ..
        } => Ok(()),
        error => Err(error),
    }
}
