//! Writing snapshots: proved things first, their list next, the manifest last.
//!
//! The rules:
//!
//! 1. Only what [`skykeep_atproto::verify`] made gets in: a `VerifiedRepo`, a `VerifiedIncrement`, a `VerifiedBlob`.
//! 2. Every `put` answers when its file is durable; [`Writer::commit`] writes the manifest after all of them. Stopped
//!    at any point, the snapshot before is untouched and the next run finds what was put already.
//! 3. A writer goes on where its last readable manifest ended. When the repository that it names is not in reach, or
//!    its lists cannot be read, it begins anew with a base: a chain that cannot be read is never added to.
//! 4. A file that goes by a name of ours and holds something else is set aside and written anew.
//!
//! Source: FORMAT.md, sections 4 to 6 and 9.

mod again;
mod blobs;
mod commit;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use skykeep_atproto::verify::{Proof, SignedBy, VerifiedIncrement, VerifiedRepo};
use skykeep_atproto::{Cid, Did, KeyHistory};

use crate::Error;
use crate::content::Content;
use crate::key::WriterKey;
use crate::layout::{AccountFile, AccountFolder, Checksum, VaultFile};
use crate::list::{IdentityKind, Kind, List, Object};
use crate::manifest::{CommitFacts, ListRef, Signing, Verdict, bounded_counts};
use crate::reach::Reach;
use crate::read::{Contents, Snapshot};
use crate::staging::rejected;
use crate::store::{Stored, Target};
use crate::vault::Vault;

pub use again::regenerate;
pub use commit::Facts;

use self::again::{again, car_content};

/// Most increments on one base.
pub const MAX_INCREMENTS: usize = 200;
/// Lists are merged when this many lead to a snapshot, long before readers refuse.
const MERGE_LISTS: usize = 1_000;
/// Largest identity object, in bytes.
const MAX_IDENTITY: usize = 32 << 20;

/// Writes snapshots of one account into one vault.
#[derive(Debug)]
pub struct Writer {
    vault: Vault,
    account: AccountFolder,
    did: Did,
    key: WriterKey,
    /// The largest number that this writer's manifests carry here, the unreadable ones included.
    sequence: u32,
    /// This writer's last readable manifest.
    last: Option<Checksum>,
    previous: Option<Snapshot>,
    /// What the previous snapshot consists of, if its lists can be read.
    chain: Option<Contents>,
    /// Whether its repository can be read, here or elsewhere.
    in_reach: bool,
    repo: Option<RepoFacts>,
    rebase: bool,
    added: Mutex<Added>,
    failed: bool,
}

/// What a proved repository says for the manifest.
#[derive(Debug)]
struct RepoFacts {
    commit: CommitFacts,
    signing: Signing,
    records: u64,
    counts: BTreeMap<String, u64>,
    blobs: BTreeSet<Cid>,
}

/// What was put since the last commit.
#[derive(Debug, Default)]
struct Added {
    repo: Option<Object>,
    identity: BTreeMap<IdentityKind, Object>,
    blobs: BTreeMap<Cid, Object>,
}

/// How a repository was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutRepo {
    /// It is the commit of the previous snapshot: nothing was written.
    Unchanged,
    /// As what is new since the previous snapshot.
    Increment {
        /// Length of the file, in bytes.
        bytes: u64,
    },
    /// Whole.
    Base {
        /// Length of the file, in bytes.
        bytes: u64,
    },
}

/// Whether the next repository is better written whole: 200 increments, increments of more than half the base, or many
/// lists. `base` and `increments` are file lengths in bytes.
pub fn should_rebase(base: u64, increments: &[u64], lists: usize) -> bool {
    increments.len() >= MAX_INCREMENTS || increments.iter().sum::<u64>() > base / 2 || lists >= MERGE_LISTS
}

impl Writer {
    /// Goes on with an account where this writer stopped, or where the newest of other writers did.
    ///
    /// Errors: `UnsupportedDid`; those of the place. What cannot be read is no error: a base follows then.
    pub async fn begin(vault: &Vault, did: &Did, key: &WriterKey) -> Result<Self, Error> {
        Self::begin_within(&vault.into(), did, key).await
    }

    /// As [`Writer::begin`] in the first of these vaults; the others may have what it does not have any more.
    pub async fn begin_within(reach: &Reach, did: &Did, key: &WriterKey) -> Result<Self, Error> {
        let vault = reach.vaults().first().ok_or(Error::Missing)?;
        let account = AccountFolder::of(did)?;
        let (names, _) = vault.snapshot_names(&account).await?;
        let own = key.id();
        let sequence = names
            .iter()
            .filter(|name| name.writer == own)
            .map(|name| name.sequence)
            .max();
        let last = vault.latest(&account, Some(&own)).await?;
        let last = last.filter(|snapshot| snapshot.manifest.writer == key.public());
        let previous = match &last {
            Some(snapshot) => Some(snapshot.clone()),
            None => vault.latest(&account, None).await?,
        };
        let chain = match &previous {
            Some(snapshot) => readable_chain(vault, snapshot).await?,
            None => None,
        };
        let in_reach = match &chain {
            Some(chain) => reach.has_repo(&account, chain).await?,
            None => false,
        };
        Ok(Self {
            vault: vault.clone(),
            account,
            did: did.clone(),
            key: key.clone(),
            sequence: sequence.unwrap_or_default(),
            last: last.map(|snapshot| snapshot.sum),
            previous,
            chain,
            in_reach,
            repo: None,
            rebase: false,
            added: Mutex::default(),
            failed: false,
        })
    }

    /// The account's folder.
    pub fn account(&self) -> &AccountFolder {
        &self.account
    }

    /// The snapshot that the next one follows: this writer's last, or the newest of another if it has none.
    pub fn previous(&self) -> Option<&Snapshot> {
        self.previous.as_ref()
    }

    /// What the previous snapshot consists of, wherever that is; `None` when its lists cannot be read.
    pub fn chain(&self) -> Option<&Contents> {
        self.chain.as_ref()
    }

    /// The commit that an increment must be proved against ([`skykeep_atproto::verify::RepoCheck::from`]); `None` when
    /// its repository cannot be read, and a base must follow.
    pub fn head(&self) -> Option<Cid> {
        self.chain.as_ref().filter(|_| self.in_reach).map(Contents::commit)
    }

    /// Stores a repository: not at all if it is the previous commit, whole if there is nothing to add to or a base is
    /// due, else as an increment. It is whole too when the check was not told of [`Writer::head`].
    ///
    /// `sources` are those that were checked, in their order. `keys` is the history that the check judged by.
    /// Errors: `OtherAccount`; `Protocol` when the sources changed since the check; those of the place.
    pub async fn put_repo<S: Read + Seek + Send + 'static>(
        &mut self,
        repo: &Arc<VerifiedRepo>,
        keys: &KeyHistory,
        sources: Vec<S>,
    ) -> Result<PutRepo, Error> {
        match &self.chain {
            Some(chain) if chain.commit() == repo.commit().cid && !self.rebase => {
                self.learn(repo.proof(), keys)?;
                Ok(PutRepo::Unchanged)
            }
            Some(chain) if repo.from() == self.head() && repo.from().is_some() && !self.rebase && !is_due(chain) => {
                self.put_increment(repo, keys, sources).await
            }
            _ => self.put_base(repo, keys, sources).await,
        }
    }

    /// Stores a repository whole, and begins a new chain. As [`Writer::put_repo`].
    pub async fn put_base<S: Read + Seek + Send + 'static>(
        &mut self,
        repo: &Arc<VerifiedRepo>,
        keys: &KeyHistory,
        sources: Vec<S>,
    ) -> Result<PutRepo, Error> {
        let (commit, facts) = (repo.commit().cid, self.learn(repo.proof(), keys)?);
        let kind = Kind::Base {
            to: commit,
            rev: facts.rev,
        };
        let stored = self.put_car(car_content(repo, sources, true)).await?;
        self.rebase = true;
        self.added().repo = Some(car(&stored, kind));
        Ok(PutRepo::Base { bytes: stored.size })
    }

    /// Stores what a repository has beyond the previous commit.
    ///
    /// Errors: `WrongFrom` unless it was checked against [`Writer::head`]; as [`Writer::put_repo`].
    pub async fn put_increment<S: Read + Seek + Send + 'static>(
        &mut self,
        repo: &Arc<VerifiedRepo>,
        keys: &KeyHistory,
        sources: Vec<S>,
    ) -> Result<PutRepo, Error> {
        let (expected, found) = (self.head(), repo.from());
        let from = found.filter(|_| expected == found && !self.rebase && self.added().repo.is_none());
        let from = from.ok_or(Error::WrongFrom { expected, found })?;
        let facts = self.learn(repo.proof(), keys)?;
        let content = car_content(repo, sources, false);
        self.keep_increment(from, &facts, content).await
    }

    /// Whether the next repository may be stored as an increment, if it was proved against [`Writer::head`].
    pub fn takes_increment(&self) -> bool {
        let chain = self.chain.as_ref().filter(|chain| !is_due(chain));
        chain.is_some() && self.in_reach && !self.rebase && self.added().repo.is_none()
    }

    /// Stores an increment that was proved beside what is kept. As [`Writer::put_increment`].
    ///
    /// `since` is what was checked. Errors: `WrongFrom` too when [`Writer::takes_increment`] says no.
    pub async fn put_beside<S: Read + Seek + Send + 'static>(
        &mut self,
        increment: &Arc<VerifiedIncrement>,
        keys: &KeyHistory,
        since: S,
    ) -> Result<PutRepo, Error> {
        let (expected, found) = (self.head(), Some(increment.from()));
        let from = found.filter(|_| expected == found && self.takes_increment());
        let from = from.ok_or(Error::WrongFrom { expected, found })?;
        let facts = self.learn(increment.proof(), keys)?;
        let (increment, since) = (Arc::clone(increment), Mutex::new(since));
        let since = Arc::new(since);
        let content = move || {
            let (increment, since) = (Arc::clone(&increment), Arc::clone(&since));
            Content::produce(move |mut out: &mut dyn Write| {
                let mut since = since.lock().unwrap_or_else(PoisonError::into_inner);
                increment.write_increment(&mut *since, &mut out)?;
                Ok(())
            })
        };
        self.keep_increment(from, &facts, content).await
    }

    async fn keep_increment(
        &self,
        from: Cid,
        facts: &CommitFacts,
        content: impl Fn() -> Content,
    ) -> Result<PutRepo, Error> {
        let kind = Kind::Increment {
            from,
            to: facts.cid,
            rev: facts.rev,
        };
        let stored = self.put_car(content).await?;
        self.added().repo = Some(car(&stored, kind));
        Ok(PutRepo::Increment { bytes: stored.size })
    }

    /// Says that files of the chain are lost for good: the next repository is written whole, and the media among them
    /// are listed no more.
    pub fn lost(&mut self, files: &BTreeSet<AccountFile>) {
        if let Some(chain) = &mut self.chain {
            chain.blobs.retain(|_, object| !files.contains(&object.name));
            chain.identity.retain(|object| !files.contains(&object.name));
            self.rebase = true;
        }
    }

    /// Stores something about the identity, as it was served. Bytes that are kept already cost nothing.
    ///
    /// Errors: `Invalid` when it is not JSON; `TooLarge` beyond 32 MiB; those of the place.
    pub async fn put_identity(&self, kind: IdentityKind, bytes: Vec<u8>) -> Result<(), Error> {
        let name = kind.as_str();
        if bytes.len() > MAX_IDENTITY {
            return Err(Error::TooLarge {
                name: name.to_owned(),
                limit: MAX_IDENTITY as u64,
            });
        }
        serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).map_err(|error| Error::invalid(name, error))?;
        let sum = Checksum::of(&bytes);
        let object = Object {
            name: AccountFile::Identity {
                hash: sum.name(),
                sealed: false,
            },
            size: bytes.len() as u64,
            sum,
            kind: Kind::Identity(kind),
        };
        let listed = self
            .chain
            .as_ref()
            .is_some_and(|chain| chain.identity.contains(&object));
        let path = self.account.file(&object.name);
        let kept = listed && self.vault.size_if(&path, sum).await?.is_some();
        if !kept {
            self.put_file(object.name.clone(), bytes).await?;
        }
        self.added().identity.insert(kind, object);
        Ok(())
    }

    /// Keeps what failed its proof, apart from everything else, with the reason. Answers where.
    ///
    /// Each is numbered, so that it can be told how many there were when [`crate::Staging::trim_rejected`] has made
    /// room. Errors: those of `source` and of the place.
    pub async fn put_rejected(
        &self,
        source: impl Read + Seek + Send + 'static,
        captured: Timestamp,
        reason: &serde_json::Value,
    ) -> Result<AccountFile, Error> {
        let before = rejected(&self.vault, &self.account).await?;
        let number = before.iter().map(|reason| reason.number).max().unwrap_or_default() + 1;
        let content = again(source);
        let folder = self.account.folder("rejected");
        let target = || Target::Hashed {
            folder: folder.clone(),
            ending: ".car",
        };
        let stored = self.put(target, content).await?;
        let file = AccountFile::Rejected {
            hash: stored.sum.name(),
        };
        let reason = serde_json::json!({
            "file": file, "number": number, "captured": crate::whole_seconds(captured), "reason": reason,
        });
        let bytes = format!("{reason}\n").into_bytes();
        let name = AccountFile::Reason {
            hash: Checksum::of(&bytes).name(),
        };
        self.put_file(name, bytes).await?;
        Ok(file)
    }

    /// Remembers what a repository says for the manifest. Errors: `OtherAccount`, `Invalid`.
    fn learn(&mut self, proof: &Proof, keys: &KeyHistory) -> Result<CommitFacts, Error> {
        let commit = proof.commit();
        if commit.did != self.did {
            return Err(Error::OtherAccount {
                expected: self.did.to_string(),
                found: commit.did.to_string(),
            });
        }
        let rev = commit
            .rev
            .ok_or_else(|| Error::invalid(commit.cid, "a commit without a rev"))?;
        let signed = keys
            .keys
            .iter()
            .find(|period| period.key.verify(&commit.unsigned, &commit.signature));
        let signed = signed.ok_or_else(|| Error::invalid(commit.cid, "signed by none of these keys"))?;
        let facts = CommitFacts {
            cid: commit.cid,
            rev,
            data: commit.data,
        };
        self.repo = Some(RepoFacts {
            commit: facts,
            signing: Signing {
                key: signed.key,
                operation: signed.operation,
                verdict: match proof.signed_by() {
                    SignedBy::Current => Verdict::Current,
                    _ => Verdict::Earlier,
                },
            },
            records: proof.record_count(),
            counts: bounded_counts(proof.collections().clone()),
            blobs: proof.blobs().iter().map(|blob| blob.cid).collect(),
        });
        Ok(facts)
    }

    async fn put_car(&self, content: impl Fn() -> Content) -> Result<Stored, Error> {
        let folder = self.account.folder("repo");
        self.put(
            || Target::Hashed {
                folder: folder.clone(),
                ending: ".car",
            },
            content,
        )
        .await
    }

    async fn put_list(&self, list: List) -> Result<ListRef, Error> {
        let (list, bytes) = list.to_bytes()?;
        self.put_file(list.name.clone(), bytes).await?;
        Ok(list)
    }

    async fn put_file(&self, file: AccountFile, bytes: Vec<u8>) -> Result<(), Error> {
        let file = VaultFile::Account {
            account: self.account.clone(),
            file,
        };
        self.vault.put_anew(&file, Checksum::of(&bytes), bytes).await
    }

    /// Puts a file; whatever else goes by its name is set aside first.
    async fn put(&self, target: impl Fn() -> Target, content: impl Fn() -> Content) -> Result<Stored, Error> {
        match self.vault.store().put(target(), content()).await {
            Err(Error::NameTaken { path }) => {
                tracing::warn!(path, "a damaged file is replaced");
                self.vault.set_aside(&path.parse()?).await?;
                self.vault.store().put(target(), content()).await
            }
            result => result,
        }
    }

    fn added(&self) -> MutexGuard<'_, Added> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a snapshot consists of, if its lists can be read.
async fn readable_chain(vault: &Vault, snapshot: &Snapshot) -> Result<Option<Contents>, Error> {
    match vault.contents(snapshot).await {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.is_of_place() => Err(error),
        Err(error) => {
            tracing::warn!(name = %snapshot.name, %error, "the last snapshot cannot be read: a base follows");
            Ok(None)
        }
    }
}

/// Whether the chain is long enough to be begun anew.
fn is_due(chain: &Contents) -> bool {
    let increments: Vec<u64> = chain.increments.iter().map(|object| object.size).collect();
    should_rebase(chain.base.size, &increments, chain.lists.len())
}

fn car(stored: &Stored, kind: Kind) -> Object {
    Object {
        name: AccountFile::Repo {
            hash: stored.sum.name(),
            sealed: false,
        },
        size: stored.size,
        sum: stored.sum,
        kind,
    }
}
