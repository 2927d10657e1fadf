//! The manifest: a signed envelope that anyone can read, and a body that says what the snapshot is.
//!
//! It is the commit point: a snapshot exists when its manifest does. The signature covers the file's bytes before its
//! last [`TAIL`], so no canonical form of JSON is needed. Source: FORMAT.md, section 4.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use skykeep_atproto::{Cid, Did, DidKey, Handle, KeyHistory, KeyPeriod, Tid};

use crate::Error;
use crate::key::{WriterKey, WriterPublic};
use crate::layout::{AccountFile, AccountFolder, Checksum, MAX_SEQUENCE, SnapshotName};
use crate::version::Version;

/// Largest manifest, in bytes.
pub const MAX_MANIFEST: u64 = 1 << 20;
/// Most lists that a manifest names itself.
const MAX_LISTS: usize = 16;
/// Most collections that are counted one by one; the rest is summed up as [`OTHER_COLLECTIONS`].
const MAX_COLLECTIONS: usize = 1_000;
/// Where the records of rarer collections are counted.
pub const OTHER_COLLECTIONS: &str = "*";
/// What stands between the signed bytes and the signature's digits.
const BEFORE: &[u8; 14] = b",\"signature\":\"";
/// What ends a manifest.
const AFTER: &[u8; 3] = b"\"}\n";
/// Length of the signature and what is around it, in bytes.
const TAIL: usize = BEFORE.len() + 128 + AFTER.len();

/// A manifest whose signature was verified, or that is about to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The folder it belongs to.
    pub account: AccountFolder,
    /// Who made it.
    pub writer: WriterPublic,
    /// The writer's count for this account, from 1.
    pub sequence: u32,
    /// The writer's manifest before this one.
    pub previous: Option<Checksum>,
    /// When, by the writer's clock, in whole seconds.
    pub captured: Timestamp,
    /// When, by the host's clock.
    pub server_time: Option<Timestamp>,
    /// Where its lists begin: one of objects, at most one of missing media.
    pub lists: Vec<ListRef>,
    /// What the snapshot is.
    pub body: Body,
}

/// A list, named so that it can be proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRef {
    /// What its lines are.
    pub role: Role,
    /// Where it lies, from the account's folder.
    pub name: AccountFile,
    /// Its length, in bytes.
    pub size: u64,
    /// Its SHA-256.
    #[serde(rename = "sha256")]
    pub sum: Checksum,
}

/// What the lines of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// What the snapshot consists of.
    Objects,
    /// Media that could not be had.
    Missing,
}

/// What a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Whose.
    pub did: Did,
    /// The handle that was confirmed both ways, if any.
    pub handle: Option<Handle>,
    /// Base URL of the PDS it came from.
    pub host: String,
    /// The PDS's own DID.
    pub host_did: Option<Did>,
    /// The commit.
    pub commit: CommitFacts,
    /// The rev that the host announced; after an import it is not the commit's.
    pub server_rev: Option<Tid>,
    /// Whose key the commit is signed with.
    pub signing: Signing,
    /// The last operation of the audit log.
    pub audit_head: Option<Cid>,
    /// The identity objects that hold now.
    pub identity: Vec<Part>,
    /// The private objects that hold now; none are written by this version.
    pub private: Vec<Part>,
    /// Number of records.
    pub records: u64,
    /// Number of records by collection; rare ones are summed up as [`OTHER_COLLECTIONS`].
    pub counts: BTreeMap<String, u64>,
    /// How the media stand.
    pub media: Media,
    /// Where it came from.
    pub origin: Origin,
}

/// Which commit a snapshot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitFacts {
    /// The signed commit.
    pub cid: Cid,
    /// Its own rev.
    pub rev: Tid,
    /// The root of its tree.
    pub data: Cid,
}

/// Whose key a commit is signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signing {
    /// The key.
    pub key: DidKey,
    /// The PLC operation that set it; none for did:web and for a key given by hand.
    pub operation: Option<Cid>,
    /// How it was judged against the key history.
    pub verdict: Verdict,
}

/// How a commit's signature was judged when the snapshot was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// By the key that held then.
    Current,
    /// By a key that held before.
    Earlier,
}

/// An object that holds now, by its name in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What it is: `audit_log`, `did_document`, `host`.
    pub what: String,
    /// Where it lies, from the account's folder.
    pub name: AccountFile,
}

/// How the media of a snapshot stand, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// In the vault.
    pub kept: u64,
    /// Asked for and not to be had; listed with the records that need them.
    pub missing: u64,
    /// Not asked for yet: a later manifest says how it went.
    pub pending: u64,
}

/// Where a snapshot came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// From the account's host.
    Captured,
    /// From files that another tool, or an export, left.
    Imported,
}

/// The file's fields in their order, all but the signature.
#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(flatten)]
    version: Version,
    account: AccountFolder,
    writer: WriterPublic,
    sequence: u32,
    previous: Option<Checksum>,
    captured: Timestamp,
    server_time: Option<Timestamp>,
    lists: Vec<ListRef>,
    body: Body,
}

impl Manifest {
    /// The name and the bytes of the file, signed.
    ///
    /// Errors: `Invalid` when it breaks a rule of the format that a reader would refuse it for.
    pub fn to_bytes(&self, key: &WriterKey) -> Result<(SnapshotName, Vec<u8>), Error> {
        self.validate().map_err(|reason| Error::invalid("manifest", reason))?;
        let wire = Wire {
            version: Version::ours("manifest"),
            account: self.account.clone(),
            writer: self.writer,
            sequence: self.sequence,
            previous: self.previous,
            captured: self.captured,
            server_time: self.server_time,
            lists: self.lists.clone(),
            body: self.body.clone(),
        };
        let mut bytes = serde_json::to_vec(&wire).map_err(|error| Error::invalid("manifest", error))?;
        // The closing brace comes back behind the signature.
        bytes.pop();
        let signature = key.sign(&bytes);
        bytes.extend_from_slice(BEFORE);
        bytes.extend_from_slice(signature.as_bytes());
        bytes.extend_from_slice(AFTER);
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(Error::TooLarge {
                name: "manifest".to_owned(),
                limit: MAX_MANIFEST,
            });
        }
        let name = SnapshotName {
            time: self.captured,
            writer: self.writer.id(),
            sequence: self.sequence,
            hash: Checksum::of(&bytes).name(),
        };
        Ok((name, bytes))
    }

    /// Reads and verifies a manifest found under `name` in the folder of `account`.
    ///
    /// Errors: `Damaged` when the bytes are not those of the name, or the signature is not the writer's; `NewerFormat`;
    /// `Invalid` for anything the format does not allow; `TooLarge`.
    pub fn from_bytes(account: &AccountFolder, name: &SnapshotName, bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(Error::TooLarge {
                name: name.to_string(),
                limit: MAX_MANIFEST,
            });
        }
        if Checksum::of(bytes).name() != name.hash {
            return Err(Error::damaged(name, "the bytes are not those of its name"));
        }
        Version::judge(name, "manifest", bytes)?;
        let invalid = |reason: &str| Error::invalid(name, reason);
        let signed = bytes.len().checked_sub(TAIL).ok_or_else(|| invalid("no signature"))?;
        let (signed, tail) = bytes.split_at(signed);
        let signature = tail
            .strip_prefix(BEFORE)
            .and_then(|tail| tail.strip_suffix(AFTER))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .ok_or_else(|| invalid("no signature at its end"))?;
        if bytes[..bytes.len() - 1].contains(&b'\n') {
            return Err(invalid("more than one line"));
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(|error| Error::invalid(name, error))?;
        if !wire.writer.verify(signed, signature) {
            return Err(Error::damaged(name, "the signature is not its writer's"));
        }
        let manifest = Self {
            account: wire.account,
            writer: wire.writer,
            sequence: wire.sequence,
            previous: wire.previous,
            captured: wire.captured,
            server_time: wire.server_time,
            lists: wire.lists,
            body: wire.body,
        };
        manifest.validate().map_err(invalid)?;
        let agrees = manifest.account == *account
            && manifest.captured == name.time
            && manifest.sequence == name.sequence
            && manifest.writer.id() == name.writer;
        if !agrees {
            return Err(invalid("its name, or the folder it is in, says something else"));
        }
        Ok(manifest)
    }

    /// The list of what it consists of.
    pub fn objects(&self) -> &ListRef {
        self.lists
            .iter()
            .find(|list| list.role == Role::Objects)
            .expect("no manifest without one is made or read")
    }

    /// The list of media that could not be had.
    pub fn missing(&self) -> Option<&ListRef> {
        self.lists.iter().find(|list| list.role == Role::Missing)
    }

    /// The key history that the manifest vouches for: the one key that signed its commit.
    ///
    /// It is as trustworthy as whoever wrote the vault; the audit log among the identity objects proves more.
    pub fn signing_history(&self) -> KeyHistory {
        let signing = &self.body.signing;
        KeyHistory {
            did: self.body.did.clone(),
            keys: vec![KeyPeriod {
                key: signing.key,
                operation: signing.operation,
                from: None,
                until: (signing.verdict == Verdict::Earlier).then_some(self.captured),
            }],
            undone: Vec::new(),
        }
    }

    /// The rules that types do not hold.
    fn validate(&self) -> Result<(), &'static str> {
        let roles = |role| self.lists.iter().filter(|list| list.role == role).count();
        let whole = |time: &Timestamp| time.subsec_nanosecond() == 0;
        let is_part = |part: &Part| part.name.is_object();
        if !(1..=MAX_SEQUENCE).contains(&self.sequence) {
            Err("sequence out of range")
        } else if self.sequence == 1 && self.previous.is_some() {
            Err("nothing comes before a writer's first manifest")
        } else if !whole(&self.captured) || !self.server_time.as_ref().is_none_or(whole) {
            Err("times are whole seconds")
        } else if self.lists.len() > MAX_LISTS || roles(Role::Objects) != 1 || roles(Role::Missing) > 1 {
            Err("not one list of objects and at most one of missing media")
        } else if !self.lists.iter().all(ListRef::is_sound) {
            Err("a list's name is not that of its SHA-256")
        } else if !self.body.identity.iter().chain(&self.body.private).all(is_part) {
            Err("names something that is no object")
        } else if !self.account.fits(&self.body.did) {
            Err("the folder is another account's")
        } else {
            Ok(())
        }
    }
}

impl ListRef {
    /// Whether it names a list, by the hash it gives.
    pub(crate) fn is_sound(&self) -> bool {
        matches!(self.name, AccountFile::List { .. }) && self.name.admits(&self.sum)
    }
}

/// The counts that a manifest carries: the most frequent collections, and the rest in one number.
pub(crate) fn bounded_counts(counts: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    if counts.len() <= MAX_COLLECTIONS {
        return counts;
    }
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let rest = counts.split_off(MAX_COLLECTIONS - 1);
    let rest = rest.iter().map(|(_, count)| count).sum();
    counts.push((OTHER_COLLECTIONS.to_owned(), rest));
    counts.into_iter().collect()
}
