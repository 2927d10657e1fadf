//! Strict, canonical DAG-CBOR: a reader for blocks from strangers and a writer for our own.
//!
//! Canonical means that every value has exactly one encoding, so that hash and meaning agree: definite and shortest
//! lengths, map keys unique, text, and ordered (shorter first, then bytewise), tag 42 only, no `undefined`, floats only
//! as finite 64-bit ones, nothing after the value. Source: IPLD "DAG-CBOR", AT Protocol "Data Model" (DRISL).

use std::fmt;

use crate::{Cid, Error};

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

/// The first byte of a value and the number that comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    Unsigned(u64),
    /// The value is `-1 - n`.
    Negative(u64),
    Bytes(usize),
    Text(usize),
    Array(usize),
    Map(usize),
    Link,
    Bool,
    Null,
    Float,
}

/// A place in a block. Every method refuses what is not canonical.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) const fn offset(&self) -> usize {
        self.at
    }

    #[cold]
    fn fail<T>(&self, fault: CborFault) -> Result<T, NotCanonical> {
        Err(NotCanonical { offset: self.at, fault })
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], NotCanonical> {
        match self.bytes.get(self.at..).and_then(|rest| rest.get(..len)) {
            Some(bytes) => {
                self.at += len;
                Ok(bytes)
            }
            None => self.fail(CborFault::Truncated),
        }
    }

    /// The number of a head, in its shortest form.
    #[inline]
    fn argument(&mut self, info: u8) -> Result<u64, NotCanonical> {
        if info < 24 {
            return Ok(u64::from(info));
        }
        self.long_argument(info)
    }

    fn long_argument(&mut self, info: u8) -> Result<u64, NotCanonical> {
        let (value, least) = match info {
            24 => (u64::from(self.take(1)?[0]), 24),
            25 => (self.take(2)?.iter().fold(0, |n, b| n << 8 | u64::from(*b)), 0x100),
            26 => (self.take(4)?.iter().fold(0, |n, b| n << 8 | u64::from(*b)), 0x1_0000),
            27 => (
                self.take(8)?.iter().fold(0, |n, b| n << 8 | u64::from(*b)),
                0x1_0000_0000,
            ),
            _ => return self.fail(CborFault::Indefinite),
        };
        if value < least {
            self.fail(CborFault::NotShortest)
        } else {
            Ok(value)
        }
    }

    /// A length that the rest of the block can hold: each element takes at least one byte.
    #[inline]
    fn length(&mut self, info: u8) -> Result<usize, NotCanonical> {
        let value = self.argument(info)?;
        match usize::try_from(value) {
            Ok(len) if len <= self.bytes.len() - self.at => Ok(len),
            _ => self.fail(CborFault::Truncated),
        }
    }

    #[inline]
    pub(crate) fn head(&mut self) -> Result<Head, NotCanonical> {
        let Some(first) = self.bytes.get(self.at) else {
            return self.fail(CborFault::Truncated);
        };
        self.at += 1;
        let info = first & 0x1f;
        Ok(match first >> 5 {
            0 => Head::Unsigned(self.argument(info)?),
            1 => Head::Negative(self.argument(info)?),
            2 => Head::Bytes(self.length(info)?),
            3 => Head::Text(self.length(info)?),
            4 => Head::Array(self.length(info)?),
            5 => Head::Map(self.length(info)?),
            6 if *first == 0xd8 && self.bytes.get(self.at) == Some(&42) => {
                self.at += 1;
                Head::Link
            }
            6 => return self.other_tag(info),
            _ => return self.simple(info),
        })
    }

    /// A tag that is not 42 in its shortest form.
    #[cold]
    fn other_tag(&mut self, info: u8) -> Result<Head, NotCanonical> {
        self.argument(info)?;
        self.fail(CborFault::UnknownTag)
    }

    fn simple(&mut self, info: u8) -> Result<Head, NotCanonical> {
        match info {
            20 | 21 => Ok(Head::Bool),
            22 => Ok(Head::Null),
            27 => {
                let bits = self.take(8)?.iter().fold(0, |n, b| n << 8 | u64::from(*b));
                if f64::from_bits(bits).is_finite() {
                    Ok(Head::Float)
                } else {
                    self.fail(CborFault::BadSimple)
                }
            }
            31 => self.fail(CborFault::Indefinite),
            _ => self.fail(CborFault::BadSimple),
        }
    }

    /// Steps over bytes that the shape prescribes to the letter.
    #[inline]
    pub(crate) fn expect(&mut self, literal: &[u8]) -> Result<(), NotCanonical> {
        match self.bytes.get(self.at..) {
            Some(rest) if rest.starts_with(literal) => {
                self.at += literal.len();
                Ok(())
            }
            _ => self.fail(CborFault::WrongType),
        }
    }

    #[inline]
    fn utf8(&mut self, len: usize) -> Result<&'a str, NotCanonical> {
        let at = self.at;
        std::str::from_utf8(self.take(len)?).map_err(|_| NotCanonical {
            offset: at,
            fault: CborFault::NotUtf8,
        })
    }

    /// Text as its bytes, proved to be UTF-8. Most text is short and ASCII, and this sees that eight bytes at a time.
    #[inline]
    pub(crate) fn utf8_bytes(&mut self, len: usize) -> Result<&'a [u8], NotCanonical> {
        let at = self.at;
        let bytes = self.take(len)?;
        if is_ascii(bytes) || std::str::from_utf8(bytes).is_ok() {
            return Ok(bytes);
        }
        Err(NotCanonical {
            offset: at,
            fault: CborFault::NotUtf8,
        })
    }

    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'a str, NotCanonical> {
        match self.head()? {
            Head::Text(len) => self.utf8(len),
            _ => self.fail(CborFault::WrongType),
        }
    }

    #[inline]
    pub(crate) fn byte_string(&mut self) -> Result<&'a [u8], NotCanonical> {
        match self.head()? {
            Head::Bytes(len) => self.take(len),
            _ => self.fail(CborFault::WrongType),
        }
    }

    #[inline]
    pub(crate) fn array(&mut self) -> Result<usize, NotCanonical> {
        match self.head()? {
            Head::Array(len) => Ok(len),
            _ => self.fail(CborFault::WrongType),
        }
    }

    #[inline]
    pub(crate) fn map(&mut self) -> Result<usize, NotCanonical> {
        match self.head()? {
            Head::Map(len) => Ok(len),
            _ => self.fail(CborFault::WrongType),
        }
    }

    #[inline]
    pub(crate) fn unsigned(&mut self) -> Result<u64, NotCanonical> {
        match self.head()? {
            Head::Unsigned(value) => Ok(value),
            _ => self.fail(CborFault::WrongType),
        }
    }

    /// The bytes of a link whose tag was just read: a byte string that begins with 0x00.
    #[inline]
    pub(crate) fn link_body(&mut self) -> Result<&'a [u8], NotCanonical> {
        match self.head()? {
            Head::Bytes(len @ 2..=129) => match self.take(len)? {
                [0, cid @ ..] => Ok(cid),
                _ => self.fail(CborFault::BadLink),
            },
            _ => self.fail(CborFault::BadLink),
        }
    }

    /// A link in one of the two forms that AT Protocol knows.
    #[inline]
    pub(crate) fn link(&mut self) -> Result<Cid, NotCanonical> {
        match self.head()? {
            Head::Link => {
                let body = self.link_body()?;
                Cid::from_binary(body).map_or_else(|| self.fail(CborFault::BadLink), Ok)
            }
            _ => self.fail(CborFault::WrongType),
        }
    }

    /// A link, or null.
    #[inline]
    pub(crate) fn link_or_null(&mut self) -> Result<Option<Cid>, NotCanonical> {
        if self.bytes.get(self.at) == Some(&0xf6) {
            self.at += 1;
            return Ok(None);
        }
        self.link().map(Some)
    }

    /// A map's next key, which must come after `previous`.
    #[inline]
    pub(crate) fn key(&mut self, previous: &mut Option<&'a [u8]>) -> Result<&'a [u8], NotCanonical> {
        let at = self.at;
        let fail = |fault| Err(NotCanonical { offset: at, fault });
        let key = match self.head()? {
            Head::Text(len) => self.utf8_bytes(len)?,
            _ => return fail(CborFault::KeyNotText),
        };
        if previous.is_some_and(|previous| !comes_before(previous, key)) {
            return fail(CborFault::KeyOrder);
        }
        *previous = Some(key);
        Ok(key)
    }

    /// Steps over one value of any type, proving it canonical, and returns its bytes.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<&'a [u8], NotCanonical> {
        let start = self.at;
        self.skip_value(depth)?;
        Ok(&self.bytes[start..self.at])
    }

    fn skip_value(&mut self, depth: usize) -> Result<(), NotCanonical> {
        if depth >= MAX_DEPTH {
            return self.fail(CborFault::TooDeep);
        }
        match self.head()? {
            Head::Bytes(len) => self.take(len).map(drop),
            Head::Text(len) => self.utf8_bytes(len).map(drop),
            Head::Link => self.link_body().map(drop),
            Head::Array(len) => (0..len).try_for_each(|_| self.skip_value(depth + 1)),
            Head::Map(len) => {
                let mut previous = None;
                (0..len).try_for_each(|_| {
                    self.key(&mut previous)?;
                    self.skip_value(depth + 1)
                })
            }
            _ => Ok(()),
        }
    }

    /// Bytes whose head was just read.
    #[inline]
    pub(crate) fn bytes_body(&mut self, len: usize) -> Result<&'a [u8], NotCanonical> {
        self.take(len)
    }

    /// Refuses anything after the value.
    #[inline]
    pub(crate) fn end(&self) -> Result<(), NotCanonical> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            self.fail(CborFault::TrailingBytes)
        }
    }
}

/// Canonical key order: shorter first, then bytewise.
#[inline]
fn comes_before(a: &[u8], b: &[u8]) -> bool {
    (a.len(), a) < (b.len(), b)
}

#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().fold(0, |all, byte| all | byte) < 0x80;
    };
    let (words, _) = bytes.as_chunks::<8>();
    let last = u64::from_ne_bytes(*last);
    words.iter().fold(last, |all, word| all | u64::from_ne_bytes(*word)) & HIGH == 0
}

/// Writes canonical DAG-CBOR. The caller writes map keys in canonical order.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    #[allow(clippy::cast_possible_truncation)] // each arm is chosen by the value's size
    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        match value {
            0..24 => self.bytes.push(major | value as u8),
            24..0x100 => self.bytes.extend([major | 24, value as u8]),
            0x100..0x1_0000 => {
                self.bytes.push(major | 25);
                self.bytes.extend((value as u16).to_be_bytes());
            }
            0x1_0000..0x1_0000_0000 => {
                self.bytes.push(major | 26);
                self.bytes.extend((value as u32).to_be_bytes());
            }
            _ => {
                self.bytes.push(major | 27);
                self.bytes.extend(value.to_be_bytes());
            }
        }
    }

    pub(crate) fn map(&mut self, len: usize) -> &mut Self {
        self.head(5, len as u64);
        self
    }

    pub(crate) fn array(&mut self, len: usize) -> &mut Self {
        self.head(4, len as u64);
        self
    }

    /// Text; bytes that are given for it are UTF-8.
    pub(crate) fn text(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        let text = text.as_ref();
        self.head(3, text.len() as u64);
        self.bytes.extend(text);
        self
    }

    pub(crate) fn byte_string(&mut self, bytes: &[u8]) -> &mut Self {
        self.head(2, bytes.len() as u64);
        self.bytes.extend(bytes);
        self
    }

    pub(crate) fn unsigned(&mut self, value: u64) -> &mut Self {
        self.head(0, value);
        self
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.bytes.push(0xf6);
        self
    }

    pub(crate) fn link(&mut self, cid: Cid) -> &mut Self {
        self.bytes.extend([0xd8, 42, 0x58, 37, 0]);
        self.bytes.extend(cid.to_bytes());
        self
    }

    pub(crate) fn link_or_null(&mut self, cid: Option<Cid>) -> &mut Self {
        match cid {
            Some(cid) => self.link(cid),
            None => self.null(),
        }
    }

    /// A value that is already canonical DAG-CBOR.
    pub(crate) fn raw(&mut self, value: &[u8]) -> &mut Self {
        self.bytes.extend(value);
        self
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
