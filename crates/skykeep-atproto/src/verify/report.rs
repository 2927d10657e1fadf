//! What a check found, as data: every kind of damage has its own stable code.

use std::fmt;

use serde::Serialize;

use crate::{Cid, Did, Tid};

/// Findings of one code that are listed one by one; the rest is counted.
const LISTED: usize = 20;

/// Kinds of findings. The text form is stable and meant for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingCode {
    /// The file does not begin with a CAR v1 header.
    BadHeader,
    /// The file ends inside a section.
    Truncated,
    /// A section whose length or CID cannot be.
    BadSection,
    /// More bytes, blocks or memory than the check allows.
    TooLarge,
    /// A block that does not hash to its CID.
    HashMismatch,
    /// The header names no root.
    NoRoot,
    /// The commit is not among the blocks.
    MissingCommit,
    /// The commit is not canonical, or a field is missing or malformed.
    BadCommit,
    /// A commit of format version 2, or another that is not 3.
    OldFormat,
    /// The commit is of another account.
    WrongDid,
    /// No key of the account explains the signature.
    BadSignature,
    /// A tree node is not among the blocks.
    MissingNode,
    /// A tree node is not canonical DAG-CBOR of the node shape.
    BadNode,
    /// A key shares more with the one before it than the node says, or less.
    KeyPrefix,
    /// Keys are out of order, or one comes twice.
    KeyOrder,
    /// A key or a subtree lies on a layer where it does not belong.
    KeyLayer,
    /// A node without keys where the canonical tree has none.
    EmptyNode,
    /// A key that is not a record path.
    BadPath,
    /// A record is not among the blocks.
    MissingRecord,
    /// A record is not one canonical DAG-CBOR map.
    BadRecord,
    /// The commit that an increment should build on is not whole in what was read.
    MissingBase,
    /// Blocks that the tree does not reach. Not damage; not kept.
    UnreachableBlocks,
    /// Blocks that come more than once. Not damage.
    DuplicateBlocks,
    /// Roots beside the first. Not damage.
    ExtraRoots,
}

impl FindingCode {
    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadHeader => "bad_header",
            Self::Truncated => "truncated",
            Self::BadSection => "bad_section",
            Self::TooLarge => "too_large",
            Self::HashMismatch => "hash_mismatch",
            Self::NoRoot => "no_root",
            Self::MissingCommit => "missing_commit",
            Self::BadCommit => "bad_commit",
            Self::OldFormat => "old_format",
            Self::WrongDid => "wrong_did",
            Self::BadSignature => "bad_signature",
            Self::MissingNode => "missing_node",
            Self::BadNode => "bad_node",
            Self::KeyPrefix => "key_prefix",
            Self::KeyOrder => "key_order",
            Self::KeyLayer => "key_layer",
            Self::EmptyNode => "empty_node",
            Self::BadPath => "bad_path",
            Self::MissingRecord => "missing_record",
            Self::BadRecord => "bad_record",
            Self::MissingBase => "missing_base",
            Self::UnreachableBlocks => "unreachable_blocks",
            Self::DuplicateBlocks => "duplicate_blocks",
            Self::ExtraRoots => "extra_roots",
        }
    }

    /// Whether something that should be there is not.
    const fn is_gap(self) -> bool {
        matches!(
            self,
            Self::NoRoot
                | Self::MissingCommit
                | Self::MissingNode
                | Self::MissingRecord
                | Self::Truncated
                | Self::BadHeader
                | Self::BadSection
                | Self::TooLarge
                | Self::BadCommit
                | Self::BadNode
        )
    }

    /// Whether something that is there is not as it must be.
    const fn is_damage(self) -> bool {
        !matches!(
            self,
            Self::NoRoot
                | Self::MissingCommit
                | Self::MissingNode
                | Self::MissingRecord
                | Self::BadSignature
                | Self::MissingBase
                | Self::UnreachableBlocks
                | Self::DuplicateBlocks
                | Self::ExtraRoots
        )
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its kind.
    pub code: FindingCode,
    /// Where, and what exactly: free text for people who look closely.
    pub detail: String,
}

/// Findings, listed up to a bound and counted beyond it.
#[derive(Debug, Default, Clone)]
pub(super) struct Findings {
    listed: Vec<Finding>,
    counts: std::collections::BTreeMap<FindingCode, u64>,
}

impl Findings {
    pub(super) fn add(&mut self, code: FindingCode, detail: impl FnOnce() -> String) {
        let count = self.counts.entry(code).or_default();
        *count += 1;
        if *count <= LISTED as u64 {
            self.listed.push(Finding { code, detail: detail() });
        }
    }

    pub(super) fn has(&self, code: FindingCode) -> bool {
        self.counts.contains_key(&code)
    }

    pub(super) fn extend(&mut self, other: Self) {
        for finding in other.listed {
            let listed = self.listed.iter().filter(|f| f.code == finding.code).count();
            if listed < LISTED {
                self.listed.push(finding);
            }
        }
        for (code, count) in other.counts {
            *self.counts.entry(code).or_default() += count;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    fn any(&self, kind: impl Fn(FindingCode) -> bool) -> bool {
        self.counts.keys().any(|code| kind(*code))
    }

    /// The list, with a last line for each code of which more were found than are listed.
    fn into_list(mut self) -> Vec<Finding> {
        for (code, count) in self.counts {
            if count > LISTED as u64 {
                self.listed.push(Finding {
                    code,
                    detail: format!("{count} in all"),
                });
            }
        }
        self.listed
    }
}

/// Who signed the commit, judged against the keys that the check was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedBy {
    /// The account's key of now.
    Current,
    /// A key that an earlier operation of the account's log had set.
    Earlier {
        /// That operation; `None` for a key given by hand.
        operation: Option<Cid>,
    },
    /// None of the keys.
    Unknown,
    /// No keys were given, or there was no commit to check.
    Unchecked,
}

/// Everything that a check found out about a repository.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whose it says it is.
    pub did: Option<Did>,
    /// Its revision.
    pub rev: Option<Tid>,
    /// The commit that was checked.
    pub root: Option<Cid>,
    /// Its format version.
    pub version: Option<u64>,
    /// Bytes read, of all sources.
    pub bytes: u64,
    /// Blocks read, duplicates included.
    pub blocks: u64,
    /// Tree nodes reached.
    pub nodes: u64,
    /// Records reached.
    pub records: u64,
    /// Different blobs that those records refer to.
    pub blobs: u64,
    /// Whether everything that the commit reaches is there.
    pub complete: bool,
    /// Whether everything that is there is as it must be.
    pub sound: bool,
    /// Who signed it.
    pub signed_by: SignedBy,
    /// What was found, damage and remarks.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            did: None,
            rev: None,
            root: None,
            version: None,
            bytes: 0,
            blocks: 0,
            nodes: 0,
            records: 0,
            blobs: 0,
            complete: false,
            sound: false,
            signed_by: SignedBy::Unchecked,
            findings: Vec::new(),
        }
    }

    pub(super) fn conclude(mut self, findings: Findings) -> Self {
        self.complete = !findings.any(FindingCode::is_gap);
        self.sound = !findings.any(FindingCode::is_damage);
        self.findings = findings.into_list();
        self
    }

    /// Whether it is whole, undamaged and signed by a key that was given.
    pub const fn is_proved(&self) -> bool {
        self.complete && self.sound && matches!(self.signed_by, SignedBy::Current | SignedBy::Earlier { .. })
    }
}
