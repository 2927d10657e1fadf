//! The audit log as a directory gives it, and the ways in which it can be wrong.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, value::RawValue};

use super::Operation;
use crate::Error;

/// The largest log that is read, in bytes. Ten thousand operations of the usual size fit; a directory takes in at most
/// a hundred a week.
pub const MAX_LOG_BYTES: u64 = 16 << 20;

/// The most operations that a log may have.
const MAX_OPERATIONS: usize = 10_000;

/// The most bytes of JSON that an operation may have. No directory ever read a request of more than 100 kB.
const MAX_OPERATION_BYTES: usize = 256 << 10;

/// An entry of `/{did}/log/audit`, as received: nothing in it is judged yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogEntry {
    /// The DID it is said to belong to.
    pub did: String,
    /// The operation, byte for byte.
    pub operation: Box<RawValue>,
    /// The operation's name, says the directory.
    pub cid: String,
    /// Whether it was undone later, says the directory.
    pub nullified: bool,
    /// When the directory took it in; nothing but the directory proves it.
    #[serde(rename = "createdAt")]
    pub created_at: String,
}

impl LogEntry {
    /// The entry that an honest directory would keep for `operation`.
    pub fn new(did: &crate::Did, operation: &Operation, nullified: bool, created_at: Timestamp) -> Self {
        Self {
            did: did.to_string(),
            operation: serde_json::value::to_raw_value(&operation.to_json()).expect("text keys and text values"),
            cid: operation.cid().to_string(),
            nullified,
            created_at: created_at.to_string(),
        }
    }

    /// The operation, if it has one of the three shapes. Errors: `TooLarge`, `Json`, `Shape`.
    pub fn operation(&self) -> Result<Operation, Error> {
        let what = "PLC operation";
        if self.operation.get().len() > MAX_OPERATION_BYTES {
            let limit = MAX_OPERATION_BYTES as u64;
            return Err(Error::TooLarge { what, limit });
        }
        let value: Value = serde_json::from_str(self.operation.get()).map_err(|source| Error::Json { what, source })?;
        Operation::from_json(&value)
    }

    /// When the directory took it in. Errors: `Syntax`.
    pub fn time(&self) -> Result<Timestamp, Error> {
        self.created_at
            .parse()
            .map_err(|_| Error::syntax("time", &self.created_at))
    }
}

/// Reads the answer of `/{did}/log/audit`, oldest first.
///
/// Errors: `TooLarge`; `Shape` (above 10,000 operations); `Json` (not a list of entries). What is wrong
/// inside an entry is for [`super::audit`] to say.
pub fn parse_log(bytes: &[u8]) -> Result<Vec<LogEntry>, Error> {
    let what = "audit log";
    if bytes.len() as u64 > MAX_LOG_BYTES {
        let limit = MAX_LOG_BYTES;
        return Err(Error::TooLarge { what, limit });
    }
    let entries: Vec<LogEntry> = serde_json::from_slice(bytes).map_err(|source| Error::Json { what, source })?;
    if entries.len() > MAX_OPERATIONS {
        let reason = "it has more than 10,000 operations";
        return Err(Error::Shape { what, reason });
    }
    Ok(entries)
}

/// What is wrong with a log or an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// There is no operation at all.
    Empty,
    /// An entry is said to belong to another DID.
    OtherDid,
    /// An entry's time cannot be read.
    BadTime,
    /// The operation is not exactly one of the three shapes, or far too large.
    BadShape,
    /// The operation's name is not the hash of its bytes.
    CidMismatch,
    /// The first operation is a tombstone, or names one before it.
    BadGenesis,
    /// The first operation does not hash to the DID.
    DidMismatch,
    /// A later operation names none before it, as only a first one does.
    SecondGenesis,
    /// The signature is not written as 64 bytes in base64url, without padding, newlines and spare bits.
    BadSignatureEncoding,
    /// No key that may sign the operation made its signature.
    BadSignature,
    /// `prev` names an operation that the log does not have before this one.
    UnknownPrev,
    /// `prev` names an operation that was undone.
    NullifiedPrev,
    /// `prev` names a tombstone.
    AfterTombstone,
    /// A recovery signed by a key that does not stand above the signer of what it undoes.
    WeakKey,
    /// A recovery later than 72 hours after the first operation that it undoes.
    TooLate,
    /// The operation is not later than the one it was added after.
    TimeOrder,
    /// The directory's word on what was undone is not what the operations say.
    WrongNullifiedFlag,
    /// So many keys would have to be tried that no honest log is like it; the rest was not judged.
    TooMuchWork,
    /// An entry that was there before is gone.
    EntryVanished,
    /// An entry that was there before says something else now.
    EntryChanged,
    /// Entries stand in another order than before, or a new one not at the end.
    EntriesReordered,
    /// An operation counts as undone, though no new operation undoes it.
    UnjustifiedNullification,
    /// An operation that was undone counts again.
    NullificationUndone,
}

impl Fault {
    /// The name that programs know it by; it never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::OtherDid => "other_did",
            Self::BadTime => "bad_time",
            Self::BadShape => "bad_shape",
            Self::CidMismatch => "cid_mismatch",
            Self::BadGenesis => "bad_genesis",
            Self::DidMismatch => "did_mismatch",
            Self::SecondGenesis => "second_genesis",
            Self::BadSignatureEncoding => "bad_signature_encoding",
            Self::BadSignature => "bad_signature",
            Self::UnknownPrev => "unknown_prev",
            Self::NullifiedPrev => "nullified_prev",
            Self::AfterTombstone => "after_tombstone",
            Self::WeakKey => "weak_key",
            Self::TooLate => "too_late",
            Self::TimeOrder => "time_order",
            Self::WrongNullifiedFlag => "wrong_nullified_flag",
            Self::TooMuchWork => "too_much_work",
            Self::EntryVanished => "entry_vanished",
            Self::EntryChanged => "entry_changed",
            Self::EntriesReordered => "entries_reordered",
            Self::UnjustifiedNullification => "unjustified_nullification",
            Self::NullificationUndone => "nullification_undone",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// A fault, where it is, and the facts of the case in words for the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogProblem {
    /// What is wrong.
    #[serde(rename = "code")]
    pub fault: Fault,
    /// Which entry, counted from 0; `None` for the log as a whole and for an operation that is not in one.
    pub entry: Option<usize>,
    /// The facts of the case.
    pub detail: String,
}

impl fmt::Display for LogProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Some(entry) => write!(f, "{} at entry {entry}: {}", self.fault, self.detail),
            None => write!(f, "{}: {}", self.fault, self.detail),
        }
    }
}
