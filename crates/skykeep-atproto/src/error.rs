//! Everything that can go wrong with bytes that claim to be AT Protocol data.

use crate::cbor::CborFault;

/// What a parser of this crate answers when the input is not what it claims to be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Text that is not the identifier it should be. `value` is cut to 128 characters.
    #[error("not a valid {what}: {value:?}")]
    Syntax {
        /// Which identifier was expected: "DID", "handle", "CID", …
        what: &'static str,
        /// What was there instead.
        value: String,
    },
    /// Bytes that are not canonical DAG-CBOR.
    #[error("not canonical DAG-CBOR at byte {offset}: {fault}")]
    Cbor {
        /// Position in the block, in bytes.
        offset: usize,
        /// Which rule is broken.
        fault: CborFault,
    },
    /// Text that is not JSON, or JSON of quite another form.
    #[error("{what} cannot be read as JSON")]
    Json {
        /// What it should have been: "audit log", "DID document", …
        what: &'static str,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Canonical data of another shape than the specification gives it.
    #[error("not a valid {what}: {reason}")]
    Shape {
        /// What it should have been: "commit", "MST node", "PLC operation", …
        what: &'static str,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// A signature that no key of those named explains.
    #[error("signature of {what} does not verify")]
    Signature {
        /// What was signed.
        what: &'static str,
    },
    /// The input is larger than the limit that the caller set.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Bytes that do not hash to the name they go by.
    #[error("bytes do not match their CID {cid}")]
    HashMismatch {
        /// The name they go by.
        cid: crate::Cid,
    },
    /// A block that should be in the source is not there any more.
    #[error("block {cid} is not in the source")]
    Missing {
        /// The block's name.
        cid: crate::Cid,
    },
    /// The source or the destination failed.
    #[error("reading or writing failed")]
    Io(#[from] std::io::Error),
}

impl Error {
    /// A [`Error::Syntax`] whose value is safe to print and bounded.
    pub(crate) fn syntax(what: &'static str, value: &str) -> Self {
        Self::Syntax {
            what,
            value: value.chars().take(128).collect(),
        }
    }
}
