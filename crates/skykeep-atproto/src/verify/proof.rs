//! What a proof found of a repository, apart from its blocks.

use std::collections::BTreeMap;

use super::report::SignedBy;
use super::uses::BlobUse;
use crate::commit::Commit;
use crate::plc::KeyPeriod;

/// What was proved of a repository: who signed it, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub(super) commit: Commit,
    pub(super) signed_by: SignedBy,
    pub(super) signer: Option<KeyPeriod>,
    pub(super) collections: BTreeMap<String, u64>,
    pub(super) records: u64,
    pub(super) blobs: Vec<BlobUse>,
}

impl Proof {
    /// The commit.
    pub const fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Who signed it: [`SignedBy::Current`] or [`SignedBy::Earlier`].
    pub const fn signed_by(&self) -> SignedBy {
        self.signed_by
    }

    /// The key that signed it, and when it was the account's.
    pub const fn signer(&self) -> Option<&KeyPeriod> {
        self.signer.as_ref()
    }

    /// Number of records.
    pub const fn record_count(&self) -> u64 {
        self.records
    }

    /// Number of records by collection.
    pub const fn collections(&self) -> &BTreeMap<String, u64> {
        &self.collections
    }

    /// All different blobs that records refer to, sorted by CID.
    pub fn blobs(&self) -> &[BlobUse] {
        &self.blobs
    }
}
