//! The commit: the list of what was put, then the manifest.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use skykeep_atproto::{Cid, Did, Handle, Tid};

use super::{Added, Writer};
use crate::Error;
use crate::layout::{AccountFile, Checksum, MAX_SEQUENCE};
use crate::list::{IdentityKind, Kind, List, MissingBlob, Object, Rows};
use crate::manifest::{Body, Manifest, Media, Origin, Part};
use crate::read::{Contents, Snapshot};

/// What a run knows about a snapshot beside what was put.
#[derive(Debug, Clone)]
pub struct Facts {
    /// When, by our clock.
    pub captured: Timestamp,
    /// When, by the host's clock.
    pub server_time: Option<Timestamp>,
    /// The handle, if it was confirmed both ways.
    pub handle: Option<Handle>,
    /// Base URL of the PDS.
    pub host: String,
    /// The PDS's own DID.
    pub host_did: Option<Did>,
    /// The rev that the host announced.
    pub server_rev: Option<Tid>,
    /// The last operation of the audit log.
    pub audit_head: Option<Cid>,
    /// Where it comes from.
    pub origin: Origin,
    /// All media that could not be had, those of earlier runs included.
    pub missing: Vec<MissingBlob>,
    /// Number of media that were not asked for yet.
    pub pending: u64,
}

/// The next snapshot, and the lines that its list adds.
struct Next {
    contents: Option<Contents>,
    list: Vec<Object>,
}

impl Writer {
    /// Makes the snapshot: the list of what was put, then the manifest. May be called again: with pending media
    /// first, with all of them later, or with nothing new to say that nothing changed.
    ///
    /// Errors: `Invalid` when no repository was ever put, or after a commit failed (begin again then); those of the
    /// place.
    pub async fn commit(&mut self, facts: Facts) -> Result<Snapshot, Error> {
        let refuse = |reason: &str| Err(Error::invalid("snapshot", reason));
        if self.failed {
            return refuse("a commit failed: begin again");
        }
        if self.sequence == MAX_SEQUENCE {
            return refuse("this writer has used all its numbers");
        }
        if self.rebase && self.added().repo.is_none() {
            return refuse("files were lost: a base must be put first");
        }
        let mut next = self.next_contents();
        let Some(contents) = &mut next.contents else {
            return refuse("there is no repository yet");
        };
        contents.missing.clone_from(&facts.missing);
        let mut lists = Vec::new();
        if !next.list.is_empty() {
            let parent = contents.lists.first().cloned();
            let list = self
                .put_list(List {
                    parent,
                    rows: Rows::Objects(next.list),
                })
                .await?;
            contents.lists.insert(0, list);
        }
        lists.extend(contents.lists.first().cloned());
        if !facts.missing.is_empty() {
            let rows = Rows::Missing(facts.missing.clone());
            lists.push(self.put_list(List { parent: None, rows }).await?);
        }
        let manifest = Manifest {
            account: self.account.clone(),
            writer: self.key.public(),
            sequence: self.sequence + 1,
            previous: self.last,
            captured: crate::whole_seconds(facts.captured),
            server_time: facts.server_time.map(crate::whole_seconds),
            lists,
            body: self.body(facts, contents)?,
        };
        // What was learnt of a repository counts only once its file is there.
        if manifest.body.commit.cid != contents.commit() {
            return refuse("the repository that was proved last was not put");
        }
        let (name, bytes) = manifest.to_bytes(&self.key)?;
        let sum = Checksum::of(&bytes);
        if let Err(error) = self.put_file(AccountFile::Snapshot(name), bytes).await {
            // It may be there all the same: only a look at the folder tells which number comes next.
            self.failed = true;
            return Err(error);
        }
        let snapshot = Snapshot { name, sum, manifest };
        (self.sequence, self.last) = (self.sequence + 1, Some(sum));
        self.previous = Some(snapshot.clone());
        self.chain = next.contents;
        // A base that was just put is here; an increment was added only to what is in reach.
        self.in_reach |= self.rebase;
        self.rebase = false;
        *self.added() = Added::default();
        Ok(snapshot)
    }

    /// What the next snapshot consists of, and what its list adds.
    fn next_contents(&self) -> Next {
        let added = self.added();
        let identity: Vec<Object> = added.identity.values().cloned().collect();
        match (&added.repo, &self.chain) {
            (Some(base), chain) if self.rebase => {
                // Everything of the old chain that is still needed, and nothing else.
                let mut blobs: BTreeMap<Cid, Object> =
                    chain.as_ref().map(|chain| chain.blobs.clone()).unwrap_or_default();
                if let Some(repo) = &self.repo {
                    blobs.retain(|cid, _| repo.blobs.contains(cid));
                }
                blobs.extend(added.blobs.clone());
                let mut all = self.held_identity(chain.as_ref());
                all.extend(added.identity.clone());
                let contents = Contents {
                    lists: Vec::new(),
                    base: base.clone(),
                    increments: Vec::new(),
                    identity: all.into_values().collect(),
                    private: Vec::new(),
                    blobs,
                    missing: Vec::new(),
                };
                let list = contents.objects().cloned().collect();
                Next {
                    contents: Some(contents),
                    list,
                }
            }
            (repo, Some(chain)) => {
                let mut contents = chain.clone();
                let mut list: Vec<Object> = repo.iter().cloned().collect();
                contents.increments.extend(list.clone());
                let new = identity.into_iter().filter(|object| !chain.identity.contains(object));
                list.extend(new);
                contents.identity.extend(
                    list.iter()
                        .filter(|object| matches!(object.kind, Kind::Identity(_)))
                        .cloned(),
                );
                list.extend(added.blobs.values().cloned());
                contents.blobs.extend(added.blobs.clone());
                Next {
                    contents: Some(contents),
                    list,
                }
            }
            (_, None) => Next {
                contents: None,
                list: Vec::new(),
            },
        }
    }

    /// The identity objects that the previous snapshot says hold.
    fn held_identity(&self, chain: Option<&Contents>) -> BTreeMap<IdentityKind, Object> {
        let parts = self
            .previous
            .iter()
            .flat_map(|snapshot| &snapshot.manifest.body.identity);
        let names: BTreeSet<&AccountFile> = parts.map(|part| &part.name).collect();
        let held = chain.iter().flat_map(|chain| &chain.identity);
        held.filter(|object| names.contains(&object.name))
            .filter_map(|object| match object.kind {
                Kind::Identity(kind) => Some((kind, object.clone())),
                _ => None,
            })
            .collect()
    }

    fn body(&self, facts: Facts, contents: &Contents) -> Result<Body, Error> {
        let before = self.previous.as_ref().map(|snapshot| &snapshot.manifest.body);
        let mut held = self.held_identity(Some(contents));
        held.extend(self.added().identity.clone());
        let identity = held.into_iter().map(|(kind, object)| Part {
            what: kind.as_str().to_owned(),
            name: object.name,
        });
        let (commit, signing, records, counts, kept) = match (&self.repo, before) {
            (Some(repo), _) => {
                let kept = repo.blobs.iter().filter(|cid| contents.blobs.contains_key(cid)).count();
                (
                    repo.commit,
                    repo.signing.clone(),
                    repo.records,
                    repo.counts.clone(),
                    kept as u64,
                )
            }
            (None, Some(before)) => {
                let kept = before.media.kept + self.added().blobs.len() as u64;
                (
                    before.commit,
                    before.signing.clone(),
                    before.records,
                    before.counts.clone(),
                    kept,
                )
            }
            (None, None) => return Err(Error::invalid("snapshot", "there is no repository yet")),
        };
        Ok(Body {
            did: self.did.clone(),
            handle: facts.handle,
            host: facts.host,
            host_did: facts.host_did,
            commit,
            server_rev: facts.server_rev,
            signing,
            audit_head: facts.audit_head,
            identity: identity.collect(),
            private: Vec::new(),
            records,
            counts,
            media: Media {
                kept,
                missing: facts.missing.len() as u64,
                pending: facts.pending,
            },
            origin: facts.origin,
        })
    }
}
