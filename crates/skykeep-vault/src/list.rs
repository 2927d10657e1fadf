//! Lists: what a snapshot consists of, a line for each object, and what could not be had.
//!
//! A list adds to its parent, so an hour with three posts adds a few lines, whatever the account's size. Lists are read
//! line by line: memory grows with what they say, never with what they claim. Source: FORMAT.md, section 5.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use skykeep_atproto::verify::BlobUse;
use skykeep_atproto::{Cid, Tid};

use crate::Error;
use crate::content::Content;
use crate::layout::{AccountFile, Checksum};
use crate::manifest::{ListRef, Role};
use crate::version::Version;

/// Largest list, in bytes.
pub const MAX_LIST: u64 = 512 << 20;
/// Longest line, in bytes.
const MAX_LINE: usize = 64 << 10;
/// Most objects in one list, and in one snapshot.
pub const MAX_OBJECTS: u64 = 1 << 22;
/// Most records that are named for one missing blob.
pub const MAX_RECORDS: usize = 32;
/// Longest MIME type that is written; what a record says beyond that is no MIME type.
const MAX_MIME: usize = 128;

/// A file that a snapshot consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Where it lies, from the account's folder.
    pub name: AccountFile,
    /// Its length, in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sum: Checksum,
    /// What it is.
    pub kind: Kind,
}

/// What an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A canonical CAR of everything reachable from a commit.
    Base {
        /// The commit.
        to: Cid,
        /// Its rev.
        rev: Tid,
    },
    /// A canonical CAR of what is reachable from a commit and not from an earlier one.
    Increment {
        /// The earlier commit.
        from: Cid,
        /// The commit.
        to: Cid,
        /// Its rev.
        rev: Tid,
    },
    /// Something about the identity, as it was served.
    Identity(IdentityKind),
    /// Preferences or other private data, sealed.
    Private {
        /// Which.
        what: String,
    },
    /// A picture, a video, or whatever else a record refers to.
    Blob {
        /// Its name in the protocol.
        cid: Cid,
        /// What the record says it is.
        mime: String,
        /// Path of a record that needs it.
        record: String,
    },
}

/// What is known about an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// The PLC directory's audit log.
    AuditLog,
    /// The DID document.
    DidDocument,
    /// The host's description of itself.
    Host,
}

impl IdentityKind {
    /// Its word in lists and manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuditLog => "audit_log",
            Self::DidDocument => "did_document",
            Self::Host => "host",
        }
    }
}

/// A blob that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingBlob {
    /// Its name.
    pub cid: Cid,
    /// What the record says it is.
    pub mime: String,
    /// Paths of records that need it: the first [`MAX_RECORDS`] of them.
    pub records: Vec<String>,
    /// Why, in a word: `not_found`, `mismatch`, `too_large`, `unreachable`, …
    pub reason: String,
}

/// A list in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The list that it adds to.
    pub parent: Option<ListRef>,
    /// Its lines.
    pub rows: Rows,
}

/// The lines of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// What a snapshot consists of.
    Objects(Vec<Object>),
    /// Media that could not be had.
    Missing(Vec<MissingBlob>),
}

impl Rows {
    fn len(&self) -> usize {
        match self {
            Self::Objects(rows) => rows.len(),
            Self::Missing(rows) => rows.len(),
        }
    }

    fn role(&self) -> Role {
        match self {
            Self::Objects(_) => Role::Objects,
            Self::Missing(_) => Role::Missing,
        }
    }
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(flatten)]
    version: Version,
    role: Role,
    parent: Option<ListRef>,
    count: u64,
}

/// Any other line of a list of objects.
#[derive(Serialize, Deserialize)]
struct Row {
    kind: String,
    name: AccountFile,
    size: u64,
    #[serde(rename = "sha256")]
    sum: Checksum,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Cid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Cid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rev: Option<Tid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cid: Option<Cid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
}

impl List {
    /// The file, and how a manifest or a child names it. The rows are put into the format's order.
    ///
    /// Errors: `TooLarge`.
    pub fn to_bytes(&self) -> Result<(ListRef, Vec<u8>), Error> {
        let mut rows = self.rows.clone();
        match &mut rows {
            // Stable: base and increments keep the order in which they apply.
            Rows::Objects(objects) => objects.sort_by_cached_key(order),
            Rows::Missing(missing) => missing.sort_by_key(|blob| blob.cid),
        }
        let header = Header {
            version: Version::ours("list"),
            role: rows.role(),
            parent: self.parent.clone(),
            count: rows.len() as u64,
        };
        let mut bytes = Vec::new();
        line(&mut bytes, &header)?;
        match &rows {
            Rows::Objects(objects) => objects
                .iter()
                .try_for_each(|object| line(&mut bytes, &Row::from(object)))?,
            Rows::Missing(missing) => missing.iter().try_for_each(|blob| line(&mut bytes, blob))?,
        }
        if bytes.len() as u64 > MAX_LIST || rows.len() as u64 > MAX_OBJECTS {
            return Err(Error::TooLarge {
                name: "list".to_owned(),
                limit: MAX_LIST,
            });
        }
        let sum = Checksum::of(&bytes);
        let list = ListRef {
            role: rows.role(),
            name: AccountFile::List {
                hash: sum.name(),
                sealed: false,
            },
            size: bytes.len() as u64,
            sum,
        };
        Ok((list, bytes))
    }

    /// Reads the list that `expected` names. Blocks.
    ///
    /// Errors: `Damaged` when the bytes are not those; `NewerFormat`; `Invalid` and `TooLarge` for what the format
    /// does not allow.
    pub fn read(expected: &ListRef, content: Content) -> Result<Self, Error> {
        let name = expected.name.to_string();
        if expected.size > MAX_LIST {
            return Err(Error::TooLarge { name, limit: MAX_LIST });
        }
        let mut parser = Parser {
            name: name.clone(),
            role: expected.role,
            left: expected.size,
            hasher: Sha256::new(),
            line: Vec::new(),
            state: Ok(None),
            oversized: false,
        };
        let result = content.write_to(&mut parser);
        // Damage explains whatever the parser met.
        if parser.oversized || result.is_ok() && (parser.left > 0 || parser.hasher.finalize()[..] != expected.sum.0) {
            return Err(Error::damaged(name, "the bytes are not those that are named"));
        }
        result?;
        let list = parser.state?.filter(|(_, announced)| *announced == 0);
        match list {
            Some((list, _)) if parser.line.is_empty() => Ok(list),
            _ => Err(Error::invalid(name, "not the number of lines that it announces")),
        }
    }
}

/// The order of lines: base and increments as they are, identity by word, private by name, blobs by CID.
fn order(object: &Object) -> (u8, String, Option<Cid>) {
    match &object.kind {
        Kind::Base { .. } | Kind::Increment { .. } => (0, String::new(), None),
        Kind::Identity(kind) => (1, kind.as_str().to_owned(), None),
        Kind::Private { .. } => (2, object.name.to_string(), None),
        Kind::Blob { cid, .. } => (3, String::new(), Some(*cid)),
    }
}

fn line(bytes: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Error> {
    serde_json::to_writer(&mut *bytes, value).map_err(|error| Error::invalid("list", error))?;
    bytes.push(b'\n');
    Ok(())
}

impl From<&Object> for Row {
    fn from(object: &Object) -> Self {
        let mut row = Self {
            kind: String::new(),
            name: object.name.clone(),
            size: object.size,
            sum: object.sum,
            from: None,
            to: None,
            rev: None,
            what: None,
            cid: None,
            mime: None,
            record: None,
        };
        let kind = match &object.kind {
            Kind::Base { to, rev } => {
                (row.to, row.rev) = (Some(*to), Some(*rev));
                "base"
            }
            Kind::Increment { from, to, rev } => {
                (row.from, row.to, row.rev) = (Some(*from), Some(*to), Some(*rev));
                "increment"
            }
            Kind::Identity(kind) => {
                row.what = Some(kind.as_str().to_owned());
                "identity"
            }
            Kind::Private { what } => {
                row.what = Some(what.clone());
                "private"
            }
            Kind::Blob { cid, mime, record } => {
                row.cid = Some(*cid);
                row.mime = Some(bounded_mime(mime));
                row.record = Some(record.clone());
                "blob"
            }
        };
        kind.clone_into(&mut row.kind);
        row
    }
}

/// The MIME type as a list carries it: what somebody's record says may be anything of any length.
fn bounded_mime(mime: &str) -> String {
    mime.chars().take(MAX_MIME).collect()
}

impl MissingBlob {
    /// A blob that these records need and nobody gave.
    pub fn new(blob: &BlobUse, reason: impl Into<String>) -> Self {
        Self {
            cid: blob.cid,
            mime: bounded_mime(&blob.mime_type),
            records: blob.records.iter().take(MAX_RECORDS).cloned().collect(),
            reason: reason.into(),
        }
    }
}

impl Row {
    /// What the line says, if it agrees with itself.
    fn into_object(self, list: &str) -> Result<Object, Error> {
        let newer = |word: &str| Error::NewerFormat {
            name: list.to_owned(),
            format: None,
            requires: Some(word.chars().take(64).collect()),
        };
        let incomplete = || Error::invalid(list, format!("incomplete line of {}", self.name));
        let kind = match self.kind.as_str() {
            "base" => Kind::Base {
                to: self.to.ok_or_else(incomplete)?,
                rev: self.rev.ok_or_else(incomplete)?,
            },
            "increment" => Kind::Increment {
                from: self.from.ok_or_else(incomplete)?,
                to: self.to.ok_or_else(incomplete)?,
                rev: self.rev.ok_or_else(incomplete)?,
            },
            "identity" => Kind::Identity(match self.what.as_deref() {
                Some("audit_log") => IdentityKind::AuditLog,
                Some("did_document") => IdentityKind::DidDocument,
                Some("host") => IdentityKind::Host,
                Some(word) => return Err(newer(word)),
                None => return Err(incomplete()),
            }),
            "private" => Kind::Private {
                what: self.what.clone().ok_or_else(incomplete)?,
            },
            "blob" => Kind::Blob {
                cid: self.cid.ok_or_else(incomplete)?,
                mime: self.mime.clone().ok_or_else(incomplete)?,
                record: self.record.clone().ok_or_else(incomplete)?,
            },
            word => return Err(newer(word)),
        };
        let fits = match (&kind, &self.name) {
            (Kind::Base { .. } | Kind::Increment { .. }, AccountFile::Repo { .. })
            | (Kind::Identity(_), AccountFile::Identity { .. })
            | (Kind::Private { .. }, AccountFile::Private { .. })
            | (Kind::Blob { .. }, AccountFile::SealedBlob { .. }) => true,
            (Kind::Blob { cid, .. }, AccountFile::Blob { cid: named }) => cid == named,
            _ => false,
        };
        if !fits || !self.name.admits(&self.sum) {
            return Err(Error::invalid(
                list,
                format!("{} does not agree with its line", self.name),
            ));
        }
        Ok(Object {
            name: self.name,
            size: self.size,
            sum: self.sum,
            kind,
        })
    }
}

/// Takes a list's bytes as they come, and keeps what they say.
struct Parser {
    name: String,
    role: Role,
    /// Bytes still to come.
    left: u64,
    hasher: Sha256,
    line: Vec<u8>,
    /// The list and the number of lines still to come; after an error only hashing goes on.
    state: Result<Option<(List, u64)>, Error>,
    oversized: bool,
}

impl Parser {
    fn line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.state = match std::mem::replace(&mut self.state, Ok(None)) {
            Err(error) => Err(error),
            Ok(None) => self.first(&line).map(Some),
            Ok(Some((_, 0))) => Err(Error::invalid(&self.name, "more lines than it announces")),
            Ok(Some((mut list, left))) => self.row(&line, &mut list.rows).map(|()| Some((list, left - 1))),
        };
        // Keeps the allocation.
        self.line = line;
        self.line.clear();
    }

    fn first(&self, line: &[u8]) -> Result<(List, u64), Error> {
        Version::judge(&self.name, "list", line)?;
        let header: Header = serde_json::from_slice(line).map_err(|error| Error::invalid(&self.name, error))?;
        let parent_is_sound = header
            .parent
            .as_ref()
            .is_none_or(|parent| parent.is_sound() && parent.role == Role::Objects && header.role == Role::Objects);
        if header.role != self.role || !parent_is_sound {
            return Err(Error::invalid(&self.name, "its first line does not fit"));
        }
        if header.count > MAX_OBJECTS {
            return Err(Error::TooLarge {
                name: self.name.clone(),
                limit: MAX_OBJECTS,
            });
        }
        let list = List {
            parent: header.parent,
            rows: match header.role {
                Role::Objects => Rows::Objects(Vec::new()),
                Role::Missing => Rows::Missing(Vec::new()),
            },
        };
        Ok((list, header.count))
    }

    fn row(&self, line: &[u8], rows: &mut Rows) -> Result<(), Error> {
        let invalid = |error| Error::invalid(&self.name, error);
        match rows {
            Rows::Objects(objects) => {
                let row: Row = serde_json::from_slice(line).map_err(invalid)?;
                objects.push(row.into_object(&self.name)?);
            }
            Rows::Missing(missing) => missing.push(serde_json::from_slice(line).map_err(invalid)?),
        }
        Ok(())
    }
}

impl Write for Parser {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            self.oversized = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        self.left = left;
        self.hasher.update(bytes);
        if self.state.is_err() {
            return Ok(bytes.len());
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + part.len() > MAX_LINE {
                self.state = Err(Error::TooLarge {
                    name: self.name.clone(),
                    limit: MAX_LINE as u64,
                });
                self.line = Vec::new();
                break;
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.line.pop();
                self.line();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
