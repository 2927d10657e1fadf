//! The one door: bytes and a key history in, a proved repository out.
//!
//! A check reads every byte of its sources once, hashes every block, and then walks the tree of one commit. It proves
//! that the commit is the account's and signed by one of its keys, that the tree is the one tree its records have, that
//! all of it is there, and that every record is canonical. What it finds wrong is data ([`Report`]); its only errors are
//! those of the sources. What came since a repository was proved can be proved beside it ([`RepoCheck::increment`]).
//! [`VerifiedRepo`], [`VerifiedIncrement`] and [`VerifiedBlob`] have no other maker than this module, so what the vault
//! takes was proved. Source: AT Protocol "Repository", "Security Considerations" included.

mod batch;
mod blob;
mod compare;
mod feed;
mod increment;
mod index;
mod node;
mod outline;
mod proof;
mod repo;
mod report;
mod section;
mod set;
mod spread;
mod table;
mod uses;
mod walk;

use std::io::Read;
use std::thread;

pub use blob::VerifiedBlob;
pub use increment::{CheckedIncrement, VerifiedIncrement};
pub use outline::{KeptFile, Outline};
pub use proof::Proof;
pub use repo::{Changes, VerifiedRepo};
pub use report::{Finding, FindingCode, Report, SignedBy};
pub use uses::BlobUse;

use self::batch::Block;
use self::index::Index;
use self::report::Findings;
use self::set::BlockSet;
use crate::commit::Commit;
use crate::plc::{KeyHistory, KeyPeriod};
use crate::{Cid, Did, Error};

/// What a check may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes read from all sources together.
    pub bytes: u64,
    /// Bytes of memory for tree nodes, digests and positions; an honest repository needs about 130 a record.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 << 30,
            memory: 1 << 30,
        }
    }
}

/// A check of one repository, put together before it runs.
#[derive(Debug, Clone, Default)]
pub struct RepoCheck {
    did: Option<Did>,
    keys: Vec<KeyPeriod>,
    root: Option<Cid>,
    from: Option<Cid>,
    threads: Option<usize>,
    limits: Limits,
}

/// What a check answers.
#[derive(Debug)]
pub struct Checked {
    /// Everything that was found.
    pub report: Report,
    /// The repository, if it is whole, undamaged, the expected account's, and signed by one of its keys.
    pub repo: Option<VerifiedRepo>,
    /// Blobs that records refer to, sorted, each once; of a repository that was not proved this is only what it says.
    pub needs: Vec<Cid>,
}

impl RepoCheck {
    /// A check against an account's DID and all keys it ever had.
    pub fn of(history: &KeyHistory) -> Self {
        Self {
            did: Some(history.did.clone()),
            keys: history.keys.clone(),
            ..Self::default()
        }
    }

    /// A check of form alone: no expected DID, no keys. It never yields a [`VerifiedRepo`].
    pub fn of_form() -> Self {
        Self::default()
    }

    /// Expects the repository to be this account's.
    #[must_use]
    pub fn did(mut self, did: Did) -> Self {
        self.did = Some(did);
        self
    }

    /// Judges the signature by these keys, newest first.
    #[must_use]
    pub fn keys(mut self, keys: Vec<KeyPeriod>) -> Self {
        self.keys = keys;
        self
    }

    /// Checks this commit instead of the one that the last source names as its root.
    #[must_use]
    pub fn root(mut self, commit: Cid) -> Self {
        self.root = Some(commit);
        self
    }

    /// Says which commit is kept already, whole, in the same sources: an increment leaves out what it reaches.
    #[must_use]
    pub fn from(mut self, commit: Cid) -> Self {
        self.from = Some(commit);
        self
    }

    /// Uses at most this many threads instead of one a core (and eight at most).
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Uses other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Reads all of `sources` (CAR files, as one set of blocks) and proves the repository.
    ///
    /// Reading is the caller's: buffers of 300 KiB are asked for, so the sources need none of their own. Errors: `Io`,
    /// when a source fails; everything that is wrong with the bytes is in the report.
    pub fn run<S: Read + Send>(self, sources: &mut [S]) -> Result<Checked, Error> {
        let threads = self.thread_count();
        let harvest = feed::read(sources, threads, &self.limits)?;
        let mut report = Report::new();
        report.bytes = harvest.bytes;
        let mut findings = harvest.findings;
        let index = Index::new(harvest.batches, harvest.spread, threads);
        report.blocks = index.blocks;
        let root = self.root.or(harvest.root);
        report.root = root;
        let commit = root.and_then(|root| self.commit(root, &index, &mut report, &mut findings));
        let Some(commit) = commit else {
            return Ok(Checked {
                report: report.conclude(findings),
                repo: None,
                needs: Vec::new(),
            });
        };
        let walked = walk::walk(&index, commit.commit.data, threads);
        let from = self.from.and_then(|from| kept(&index, from, threads, &mut findings));
        let repo = VerifiedRepo::assemble(index, commit, walked, from, threads, &mut report, &mut findings);
        let report = report.conclude(findings);
        let expected = self.did.is_some() && report.is_proved();
        Ok(Checked {
            needs: repo.blobs().iter().map(|blob| blob.cid).collect(),
            repo: expected.then_some(repo),
            report,
        })
    }

    fn thread_count(&self) -> usize {
        let of_machine = || thread::available_parallelism().map_or(1, |n| n.get().min(8));
        self.threads.unwrap_or_else(of_machine)
    }

    fn commit(&self, root: Cid, index: &Index, report: &mut Report, findings: &mut Findings) -> Option<SignedCommit> {
        let Some(block) = index.find(&root) else {
            findings.add(FindingCode::MissingCommit, || root.to_string());
            return None;
        };
        let decoded = match index.kept_bytes(block) {
            Some(bytes) => Commit::decode(bytes).map_err(|error| error.to_string()),
            None => Err("not a commit".to_owned()),
        };
        let commit = match decoded {
            Ok(commit) => commit,
            Err(error) => {
                findings.add(FindingCode::BadCommit, || format!("{root}: {error}"));
                return None;
            }
        };
        report.did = Some(commit.did.clone());
        report.rev = commit.rev;
        report.version = Some(commit.version);
        if commit.version != 3 {
            findings.add(FindingCode::OldFormat, || {
                format!("repository format {}, where 3 is current", commit.version)
            });
        }
        if let Some(did) = self.did.as_ref().filter(|did| **did != commit.did) {
            findings.add(FindingCode::WrongDid, || format!("{} instead of {did}", commit.did));
        }
        let signer = self.signer(&commit);
        report.signed_by = self.verdict(signer);
        if report.signed_by == SignedBy::Unknown {
            findings.add(FindingCode::BadSignature, || {
                format!("none of {} keys made it", self.keys.len())
            });
        }
        Some(SignedCommit {
            block,
            signed_by: report.signed_by,
            signer: signer.cloned(),
            commit,
        })
    }

    /// The newest of the given keys that made the commit's signature.
    fn signer(&self, commit: &Commit) -> Option<&KeyPeriod> {
        self.keys
            .iter()
            .find(|period| period.key.verify(&commit.unsigned, &commit.signature))
    }

    fn verdict(&self, signer: Option<&KeyPeriod>) -> SignedBy {
        match signer {
            None if self.keys.is_empty() => SignedBy::Unchecked,
            None => SignedBy::Unknown,
            Some(period) if period.until.is_none() && self.keys.first() == Some(period) => SignedBy::Current,
            Some(period) => SignedBy::Earlier {
                operation: period.operation,
            },
        }
    }
}

/// A commit, the block it is in, and who signed it.
#[derive(Debug)]
struct SignedCommit {
    block: Block,
    commit: Commit,
    signed_by: SignedBy,
    signer: Option<KeyPeriod>,
}

/// The commit that is kept already and all blocks it reaches, if it is whole in what was read.
fn kept(index: &Index, from: Cid, threads: usize, findings: &mut Findings) -> Option<(Cid, BlockSet)> {
    let whole = || {
        let block = index.find(&from)?;
        let commit = Commit::decode(index.kept_bytes(block)?).ok()?;
        let walked = walk::walk(index, commit.data, threads);
        let mut set = BlockSet::for_index(index);
        set.insert(block);
        for block in walked.order {
            set.insert(block);
        }
        walked.findings.is_empty().then_some(set)
    };
    let set = whole();
    if set.is_none() {
        findings.add(FindingCode::MissingBase, || from.to_string());
    }
    set.map(|set| (from, set))
}

#[cfg(test)]
mod tests;
