//! What a snapshot changed beside the one before it: in numbers, and by name what is gone.
//!
//! Before is by revision, which the repository's own history orders; the order in which snapshots were taken is another
//! one where an older backup was imported. Snapshots of one commit differ in nothing, and nothing is read to say so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::sync::PoisonError;

use jiff::Timestamp;
use skykeep_atproto::verify::VerifiedRepo;
use skykeep_atproto::{Cid, Did, Tid, record};

use crate::api::{Changes, CollectionChange, RemovedRecord};
use crate::engine::unknown;
use crate::error::What;
use crate::{Engine, Error, blocking};

/// Removed records that are named.
const NAMED: usize = 100;

/// Characters of a removed record's text.
const TEXT: usize = 300;

/// Answers that are remembered.
const REMEMBERED: usize = 16;

/// What was lately found out: snapshots are named by their content, so that it stays true.
#[derive(Debug, Default)]
pub(crate) struct Known(VecDeque<((String, String), Changes)>);

impl Known {
    fn find(&self, of: &(String, String)) -> Option<Changes> {
        let found = self.0.iter().find(|(known, _)| known == of);
        found.map(|(_, changes)| changes.clone())
    }

    fn remember(&mut self, of: (String, String), changes: Changes) {
        self.0.push_front((of, changes));
        self.0.truncate(REMEMBERED);
    }
}

impl Engine {
    /// What a snapshot changed beside the one before it, by revision. Of the first one, everything is new.
    ///
    /// Errors: `Unknown`; `SnapshotBroken` when one of the two cannot be read back.
    pub async fn changes(&self, did: &Did, snapshot: &str) -> Result<Changes, Error> {
        let (account, id) = (did.clone(), snapshot.to_owned());
        let (all, row) = self
            .inner
            .ask(move |catalogue| Ok((catalogue.by_rev(&account)?, catalogue.snapshot(&account, &id)?)))
            .await?;
        let place = all.iter().position(|held| held.id == snapshot);
        let (Some(place), Some(row)) = (place, row) else {
            return Err(unknown(What::Snapshot, snapshot));
        };
        let Some(before) = place.checked_sub(1).map(|before| &all[before]) else {
            let new = |count: crate::api::CollectionCount| CollectionChange {
                collection: count.collection,
                added: count.records,
                changed: 0,
                removed: 0,
            };
            return Ok(Changes {
                collections: row.collections.into_iter().map(new).collect(),
                media_added: row.media + row.media_missing.len() as u64 + row.media_pending,
                ..Changes::default()
            });
        };
        if before.commit == all[place].commit {
            return Ok(Changes {
                before: Some(before.id.clone()),
                ..Changes::default()
            });
        }
        let both = (before.id.clone(), snapshot.to_owned());
        let known = || self.inner.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(changes) = known().find(&both) {
            return Ok(changes);
        }
        let (old, files) = self.read_files(did, &before.id).await?;
        let (new, _) = self.read_files(did, snapshot).await?;
        let mut changes = blocking(move || between(&old, files, &new)).await?;
        changes.before = Some(both.0.clone());
        known().remember(both, changes.clone());
        Ok(changes)
    }
}

/// What changed from one repository to another. `files` hold the blocks of the old one. Errors: `Protocol`.
fn between(old: &VerifiedRepo, mut files: Vec<File>, new: &VerifiedRepo) -> Result<Changes, Error> {
    let changes = old.compare(new);
    let mut collections: BTreeMap<&str, CollectionChange> = BTreeMap::new();
    let count = |change: &mut CollectionChange, kind: usize| match kind {
        0 => change.added += 1,
        1 => change.changed += 1,
        _ => change.removed += 1,
    };
    for (kind, paths) in [&changes.added, &changes.changed, &changes.removed]
        .into_iter()
        .enumerate()
    {
        for path in paths {
            let collection = path.split_once('/').map_or(path.as_str(), |(collection, _)| collection);
            let change = collections.entry(collection).or_insert_with(|| CollectionChange {
                collection: collection.to_owned(),
                added: 0,
                changed: 0,
                removed: 0,
            });
            count(change, kind);
        }
    }
    let media = |repo: &VerifiedRepo| -> BTreeSet<Cid> { repo.blobs().iter().map(|blob| blob.cid).collect() };
    let (before, after) = (media(old), media(new));
    let mut named: Vec<&String> = changes.removed.iter().collect();
    named.sort_by_cached_key(|path| std::cmp::Reverse(made(path)));
    let removed = named
        .into_iter()
        .take(NAMED)
        .map(|path| {
            let cid = old.get(path);
            let bytes = cid.map(|cid| old.read_block(cid, &mut files)).transpose()?;
            Ok(removed(path, bytes.as_deref().unwrap_or_default()))
        })
        .collect::<Result<_, Error>>()?;
    Ok(Changes {
        before: None,
        collections: collections.into_values().collect(),
        media_added: after.difference(&before).count() as u64,
        media_removed: before.difference(&after).count() as u64,
        removed,
    })
}

/// When a record was made, as its key tells; those whose key tells nothing come last.
fn made(path: &str) -> u64 {
    let key = path.rsplit_once('/').map_or(path, |(_, key)| key);
    key.parse::<Tid>().map_or(0, |tid| tid.micros())
}

/// A record that is gone, as it was. What it does not say in text is left out.
fn removed(path: &str, bytes: &[u8]) -> RemovedRecord {
    let (text, created) = says(bytes);
    RemovedRecord {
        path: path.to_owned(),
        text: text.map(|text| text.chars().take(TEXT).collect()),
        created: created.map(Timestamp::as_millisecond),
    }
}

/// What a record says in text, and when it says it was made.
pub(crate) fn says(bytes: &[u8]) -> (Option<&str>, Option<Timestamp>) {
    let fields = ["text", "displayName", "name", "description", "createdAt"];
    let [text, display_name, name, description, created] = record::texts(bytes, fields).unwrap_or_default();
    let says = [text, display_name, name, description];
    let text = says.into_iter().flatten().find(|text| !text.trim().is_empty());
    (text, created.and_then(|created| created.parse().ok()))
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use skykeep_atproto::verify::RepoCheck;
    use skykeep_atproto::{KeyHistory, SigningKey};
    use skykeep_tests::repo_maker::value::{Value, text};
    use skykeep_tests::repo_maker::{Operation, Order, Repo};

    use super::*;

    fn did() -> Did {
        "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap()
    }

    /// Proves a repository from a file, as a snapshot is read back.
    fn proved(repo: &Repo) -> (VerifiedRepo, Vec<File>) {
        let mut file = tempfile::tempfile().unwrap();
        let mut bytes = Vec::new();
        repo.write_car(Order::Tree, None, &mut bytes).unwrap();
        file.write_all(&bytes).unwrap();
        file.rewind().unwrap();
        let history = KeyHistory::of_key(did(), repo.key().did_key());
        let checked = RepoCheck::of(&history).run(&mut [file.try_clone().unwrap()]).unwrap();
        (checked.repo.unwrap(), vec![file])
    }

    fn record(fields: &[(&'static str, &str)]) -> Vec<u8> {
        let fields = fields.iter().map(|(key, value)| ((*key).into(), text(*value)));
        Value::Map(fields.collect()).to_bytes()
    }

    fn post(micros: u64, text: &str) -> (String, Vec<u8>) {
        let rkey = Tid::new(micros, 0);
        let fields = [("text", text), ("createdAt", "2026-11-22T10:00:00.500Z")];
        (format!("app.bsky.feed.post/{rkey}"), record(&fields))
    }

    #[test]
    fn what_is_gone_is_named_newest_first_with_what_it_said() {
        let key = SigningKey::from_bytes(skykeep_atproto::Curve::K256, &[7; 32]).unwrap();
        let profile = "app.bsky.actor.profile/self".to_owned();
        let list = "app.bsky.graph.list/a".to_owned();
        let (first, second, third) = (
            post(1_000_000, "first"),
            post(2_000_000, "second"),
            post(3_000_000, "third"),
        );
        let long = post(4_000_000, &"ß".repeat(400));
        let mut repo = Repo::of(
            &did(),
            &key,
            [
                first.clone(),
                second.clone(),
                third.clone(),
                long.clone(),
                (
                    profile.clone(),
                    record(&[("displayName", "Alice"), ("description", "me")]),
                ),
                (
                    list.clone(),
                    record(&[("name", " "), ("description", "people"), ("createdAt", "never")]),
                ),
            ],
        );
        let (old, files) = proved(&repo);
        repo.apply(&[
            Operation::Delete(first.0.clone()),
            Operation::Delete(third.0.clone()),
            Operation::Delete(long.0.clone()),
            Operation::Delete(list.clone()),
            Operation::Put(profile.clone(), record(&[("displayName", "Alicia")])),
            Operation::Put("app.bsky.feed.like/x".to_owned(), record(&[])),
        ]);
        let (new, _) = proved(&repo);
        let changes = between(&old, files, &new).unwrap();
        let counts: Vec<(&str, u64, u64, u64)> = changes
            .collections
            .iter()
            .map(|change| (change.collection.as_str(), change.added, change.changed, change.removed))
            .collect();
        assert_eq!(
            counts,
            [
                ("app.bsky.actor.profile", 0, 1, 0),
                ("app.bsky.feed.like", 1, 0, 0),
                ("app.bsky.feed.post", 0, 0, 3),
                ("app.bsky.graph.list", 0, 0, 1),
            ]
        );
        let named: Vec<(&str, Option<&str>, Option<i64>)> = changes
            .removed
            .iter()
            .map(|gone| (gone.path.as_str(), gone.text.as_deref(), gone.created))
            .collect();
        let at = Some(1_795_341_600_500);
        let cut = "ß".repeat(TEXT);
        assert_eq!(
            named,
            [
                (long.0.as_str(), Some(cut.as_str()), at),
                (third.0.as_str(), Some("third"), at),
                (first.0.as_str(), Some("first"), at),
                (list.as_str(), Some("people"), None),
            ]
        );
    }

    #[test]
    fn media_are_those_that_only_one_of_them_needs_and_no_more_than_a_hundred_are_named() {
        let key = SigningKey::from_bytes(skykeep_atproto::Curve::K256, &[9; 32]).unwrap();
        let mut repo = Repo::new(&did(), &key, 42, 1_500);
        let (old, files) = proved(&repo);
        let before = old.blobs().len() as u64;
        assert!(before > 0, "the seed has media");
        let posts: Vec<Operation> = repo.records().keys().cloned().map(Operation::Delete).collect();
        let gone = posts.len() as u64;
        repo.apply(&posts);
        let (new, _) = proved(&repo);
        let changes = between(&old, files, &new).unwrap();
        assert_eq!((changes.media_added, changes.media_removed), (0, before));
        assert_eq!(
            changes.collections.iter().map(|change| change.removed).sum::<u64>(),
            gone
        );
        assert_eq!(changes.removed.len(), NAMED);
        assert!(changes.removed.is_sorted_by(|a, b| made(&a.path) >= made(&b.path)));
        let newest = repo_newest(&old);
        assert_eq!(made(&changes.removed[0].path), newest);
    }

    fn repo_newest(repo: &VerifiedRepo) -> u64 {
        repo.records().map(|(path, _)| made(&path)).max().unwrap()
    }

    #[test]
    fn answers_are_remembered_and_old_ones_forgotten() {
        let mut known = Known::default();
        let both = |n: usize| (n.to_string(), "later".to_owned());
        for n in 0..REMEMBERED + 1 {
            let changes = Changes {
                media_added: n as u64,
                ..Changes::default()
            };
            known.remember(both(n), changes);
        }
        assert_eq!(known.find(&both(0)), None);
        assert_eq!(known.find(&both(1)).unwrap().media_added, 1);
        assert_eq!(known.find(&("1".to_owned(), "other".to_owned())), None);
    }
}
