//! Strict, canonical DAG-CBOR: a reader for blocks from strangers and a writer for our own.
//!
//! Canonical means that every value has exactly one encoding, so that hash and meaning agree: definite and shortest
//! lengths, map keys unique, text, and ordered (shorter first, then bytewise), tag 42 only, no `undefined`, floats only
//! as finite 64-bit ones, nothing after the value. Source: IPLD "DAG-CBOR", AT Protocol "Data Model" (DRISL).

mod reader;
mod writer;

use std::fmt;

pub(crate) use self::reader::{Head, Reader};
pub(crate) use self::writer::Writer;
use crate::Error;

/// Nesting beyond which a value is refused; honest records stay below 32.
pub const MAX_DEPTH: usize = 128;

/// Which rule of canonical DAG-CBOR the bytes break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CborFault {
    /// The bytes end inside a value.
    Truncated,
    /// Something follows the value.
    TrailingBytes,
    /// A length or number that a shorter head could have carried.
    NotShortest,
    /// An indefinite length, or a reserved head.
    Indefinite,
    /// Text that is not UTF-8.
    NotUtf8,
    /// A map key that is not text.
    KeyNotText,
    /// Map keys out of order, or one twice.
    KeyOrder,
    /// A tag other than 42.
    UnknownTag,
    /// Tag 42 around something that is not a link.
    BadLink,
    /// `undefined`, a small float, NaN, an infinity or an unassigned simple value.
    BadSimple,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A value of another type than the shape demands.
    WrongType,
}

impl fmt::Display for CborFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the bytes end inside a value",
            Self::TrailingBytes => "bytes follow the value",
            Self::NotShortest => "a number is longer than needed",
            Self::Indefinite => "indefinite length",
            Self::NotUtf8 => "text is not UTF-8",
            Self::KeyNotText => "map key is not text",
            Self::KeyOrder => "map keys out of order or repeated",
            Self::UnknownTag => "unknown tag",
            Self::BadLink => "malformed link",
            Self::BadSimple => "forbidden simple value or float",
            Self::TooDeep => "nested too deep",
            Self::WrongType => "value of an unexpected type",
        })
    }
}

/// Where bytes stop being canonical, and how; small, because every step of the reader may answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotCanonical {
    /// Position in the block, in bytes.
    offset: usize,
    fault: CborFault,
}

impl NotCanonical {
    pub(crate) const fn new(offset: usize, fault: CborFault) -> Self {
        Self { offset, fault }
    }
}

impl From<NotCanonical> for Error {
    fn from(NotCanonical { offset, fault }: NotCanonical) -> Self {
        Self::Cbor { offset, fault }
    }
}

/// Proves that `bytes` are exactly one canonical DAG-CBOR value. Errors: `Cbor`.
pub fn check(bytes: &[u8]) -> Result<(), Error> {
    let mut reader = Reader::new(bytes);
    reader.skip_value(0)?;
    Ok(reader.end()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(hex: &str) -> Option<CborFault> {
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        match check(&bytes) {
            Ok(()) => None,
            Err(Error::Cbor { fault, .. }) => Some(fault),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn canonical_values_pass() {
        for good in [
            "00",
            "17",
            "1818",
            "190100",
            "1a00010000",
            "1b0000000100000000",
            "20",
            "3818",
            "40",
            "6161",
            "80",
            "a0",
            "f4",
            "f5",
            "f6",
            "fb3ff8000000000000",
            "820102",
            "a261610061620a",
            "a26162006261610a",
            "a2616100626161f6",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
    }

    #[test]
    fn each_broken_rule_is_named() {
        use CborFault::*;
        for (bad, expected) in [
            ("", Truncated),
            ("61", Truncated),
            ("9b0000000100000000", Truncated),
            ("bbffffffffffffffff", Truncated),
            ("5bffffffffffffffff", Truncated),
            ("0000", TrailingBytes),
            ("1817", NotShortest),
            ("1900ff", NotShortest),
            ("1a0000ffff", NotShortest),
            ("1b00000000ffffffff", NotShortest),
            ("7800", NotShortest),
            ("9fff", Indefinite),
            ("bfff", Indefinite),
            ("7fff", Indefinite),
            ("1c", Indefinite),
            ("ff", Indefinite),
            ("61ff", NotUtf8),
            ("a10000", KeyNotText),
            ("a261610061610a", KeyOrder),
            ("a261620061610a", KeyOrder),
            ("a2626161006161f6", KeyOrder),
            ("c100", UnknownTag),
            ("d82a00", BadLink),
            ("d82a4101", BadLink),
            ("d82a420155", BadLink),
            ("f7", BadSimple),
            ("f93c00", BadSimple),
            ("fa3fc00000", BadSimple),
            ("fb7ff8000000000000", BadSimple),
            ("fb7ff0000000000000", BadSimple),
            ("e0", BadSimple),
        ] {
            assert_eq!(fault(bad), Some(expected), "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded_without_recursion_running_away() {
        let deep = |n: usize| "81".repeat(n) + "00";
        assert_eq!(fault(&deep(MAX_DEPTH - 1)), None);
        assert_eq!(fault(&deep(MAX_DEPTH)), Some(CborFault::TooDeep));
        assert_eq!(fault(&deep(100_000)), Some(CborFault::TooDeep));
    }

    #[test]
    fn what_the_writer_writes_the_reader_reads() {
        for value in [
            0,
            23,
            24,
            255,
            256,
            65_535,
            65_536,
            u64::from(u32::MAX),
            u64::from(u32::MAX) + 1,
            u64::MAX,
        ] {
            let mut writer = Writer::new();
            writer.unsigned(value);
            let bytes = writer.into_bytes();
            check(&bytes).unwrap();
            assert_eq!(Reader::new(&bytes).unsigned().unwrap(), value);
        }
    }
}
