//! A bucket that keeps versions, as it was at a moment.
//!
//! Whoever has the keys can write over everything and delete everything. Where the bucket keeps versions all that was
//! there before is still there, and where it locks them nobody at all can delete it before its time. Here the place is
//! read as it was then: under every name the version that was the newest. Nothing is written, so that a thief who still
//! has the keys cannot be fought here: what is to be kept is delivered to another place.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::OnceCell;

use super::versions::Version;
use super::{Bucket, MAX_ENTRIES, S3Store, download};
use crate::Error;
use crate::content::Content;
use crate::layout::StorePath;
use crate::store::{Answer, Depth, Listing, Probe, Store, Stored, Target};
use crate::trouble::Doing;

/// A store that shows a bucket as it was at a moment. Cheap to clone; clones share what they have listed.
#[derive(Clone)]
pub struct S3Past {
    bucket: Arc<Bucket>,
    at: Timestamp,
    /// What is past does not change: it is listed once.
    kept: Arc<OnceCell<Kept>>,
}

/// What a server tells of its versions.
#[derive(Default)]
struct Kept {
    /// The newest version of every name at that moment.
    newest: BTreeMap<String, Version>,
    /// Whether any file of the place, of whatever time, has a version of its own.
    versioned: bool,
}

/// How a version is called that the next one takes the place of: that of a bucket which keeps none. Source: Amazon S3,
/// user guide, "How S3 Versioning works".
const ONLY_ONE: &str = "null";

impl S3Store {
    /// The place as it was at this moment, for reading. Versions carry the server's clock, often in whole seconds.
    ///
    /// Nothing is asked yet. A bucket that keeps no versions shows what is there now, as far as it was there then.
    /// Errors of its calls: as [`Store`]; `Server` with `Refused` or `NotS3` where versions are not known at all;
    /// `ReadOnly` for everything that would change something.
    pub fn as_it_was(&self, at: Timestamp) -> S3Past {
        S3Past {
            bucket: Arc::clone(&self.bucket),
            at,
            kept: Arc::default(),
        }
    }
}

impl fmt::Debug for S3Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.bucket.address;
        write!(f, "S3Past({}/{} at {})", address.base, address.prefix, self.at)
    }
}

impl Store for S3Past {
    fn put(&self, _: Target, _: Content) -> Answer<'_, Stored> {
        read_only()
    }

    fn get<'a>(&'a self, path: &'a StorePath) -> Answer<'a, Option<Content>> {
        Box::pin(async move {
            let key = self.bucket.key(path);
            match self.kept().await?.newest.get(&key) {
                Some(version) => download::content(&self.bucket, &key, Some(&version.id)).await,
                None => Ok(None),
            }
        })
    }

    fn confirm<'a>(&'a self, path: &'a StorePath) -> Answer<'a, ()> {
        Box::pin(async move {
            match self.kept().await?.newest.contains_key(&self.bucket.key(path)) {
                true => Ok(()),
                false => Err(Error::Absent { name: path.to_string() }),
            }
        })
    }

    fn list<'a>(&'a self, folder: &'a StorePath, depth: Depth) -> Answer<'a, Listing> {
        Box::pin(async move { Ok(self.listing(&self.kept().await?.newest, folder, depth)) })
    }

    fn set_aside<'a>(&'a self, _: &'a StorePath, _: &'a StorePath) -> Answer<'a, ()> {
        read_only()
    }

    fn probe(&self) -> Answer<'_, Probe> {
        read_only()
    }

    fn sweep(&self, _: Timestamp) -> Answer<'_, u64> {
        read_only()
    }
}

fn read_only<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(std::future::ready(Err(Error::ReadOnly)))
}

impl S3Past {
    /// Whether earlier versions are there at all, of whatever time. Without any, what is past is gone: only what is
    /// there now can be read.
    ///
    /// Errors: `Server`, with `Refused` or `NotS3` where versions are not known at all.
    pub async fn keeps_versions(&self) -> Result<bool, Error> {
        Ok(self.kept().await?.versioned)
    }

    async fn kept(&self) -> Result<&Kept, Error> {
        self.kept.get_or_try_init(|| self.ask()).await
    }

    async fn ask(&self) -> Result<Kept, Error> {
        let bucket = &self.bucket;
        let (mut newest, mut versioned) = (BTreeMap::new(), false);
        let mut from = None;
        loop {
            let ask = || bucket.asker.versions(&bucket.address.prefix, from.as_ref());
            let page = bucket.patience.persist(0, ask).await;
            let page = page.map_err(|failed| bucket.explain(Doing::Listing, &failed))?;
            versioned |= page
                .versions
                .iter()
                .any(|found| !["", ONLY_ONE].contains(&found.id.as_str()));
            let then = page.versions.into_iter().filter(|version| version.time <= self.at);
            then.for_each(|version| note(&mut newest, version));
            if newest.len() > MAX_ENTRIES {
                return Err(Error::TooLarge {
                    name: bucket.address.prefix.clone(),
                    limit: MAX_ENTRIES as u64,
                });
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        newest.retain(|_, version| version.size.is_some());
        Ok(Kept { newest, versioned })
    }

    fn listing(&self, kept: &BTreeMap<String, Version>, folder: &StorePath, depth: Depth) -> Listing {
        let prefix = self.bucket.folder(folder);
        let mut listing = Listing::default();
        let below = kept
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix));
        for (key, version) in below {
            match key[prefix.len()..].split_once('/') {
                Some((first, _)) if depth == Depth::Here => {
                    self.bucket.note_folder(&format!("{prefix}{first}/"), &mut listing);
                }
                _ => self
                    .bucket
                    .note_file(&prefix, key, version.size.unwrap_or(0), &mut listing),
            }
        }
        listing.in_order()
    }
}

/// Keeps the newer one. Of the same second the file is kept, not the mark that it was deleted; of two files the one
/// that the server names first, which is the newer.
fn note(newest: &mut BTreeMap<String, Version>, found: Version) {
    match newest.entry(found.key.clone()) {
        Entry::Vacant(entry) => drop(entry.insert(found)),
        Entry::Occupied(mut entry) => {
            let known = entry.get();
            if (found.time, found.size.is_some()) > (known.time, known.size.is_some()) {
                entry.insert(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions as `id time-in-seconds`, in the server's order; `-id` is a mark. What is kept in the end.
    fn check(versions: &[(&str, i64)], expected: &str) {
        let mut newest = BTreeMap::new();
        for (id, second) in versions {
            let version = Version {
                key: "a".to_owned(),
                id: (*id).to_owned(),
                time: Timestamp::from_second(*second).unwrap(),
                size: (!id.starts_with('-')).then_some(1),
            };
            note(&mut newest, version);
        }
        assert_eq!(newest["a"].id, expected, "{versions:?}");
    }

    #[test]
    fn the_newest_counts() {
        check(&[("v1", 1)], "v1");
        check(&[("v3", 3), ("v1", 1), ("-v2", 2)], "v3");
        check(&[("v1", 1), ("v3", 3), ("-v4", 4)], "-v4");
        check(&[("v2", 2), ("v1", 2)], "v2");
        check(&[("-v2", 2), ("v1", 2)], "v1");
        check(&[("v1", 2), ("-v2", 2)], "v1");
    }
}
