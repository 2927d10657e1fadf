//! Reading: every value is proved canonical while it is stepped over.

use super::{CborFault, MAX_DEPTH, NotCanonical};
use crate::Cid;

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
        Err(NotCanonical::new(self.at, fault))
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
        std::str::from_utf8(self.take(len)?).map_err(|_| NotCanonical::new(at, CborFault::NotUtf8))
    }

    /// Text as its bytes, proved to be UTF-8. Most text is short and ASCII, and this sees that eight bytes at a time.
    #[inline]
    pub(crate) fn utf8_bytes(&mut self, len: usize) -> Result<&'a [u8], NotCanonical> {
        let at = self.at;
        let bytes = self.take(len)?;
        if is_ascii(bytes) || is_utf8(bytes) {
            return Ok(bytes);
        }
        Err(NotCanonical::new(at, CborFault::NotUtf8))
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
        let fail = |fault| Err(NotCanonical::new(at, fault));
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

    pub(super) fn skip_value(&mut self, depth: usize) -> Result<(), NotCanonical> {
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

const WORD: usize = 8;

fn is_ascii_word(word: [u8; WORD]) -> bool {
    u64::from_ne_bytes(word) & 0x8080_8080_8080_8080 == 0
}

#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<WORD>() else {
        return bytes.iter().fold(0, |all, byte| all | byte) < 0x80;
    };
    let (words, _) = bytes.as_chunks::<WORD>();
    let last = u64::from_ne_bytes(*last);
    let all = words.iter().fold(last, |all, word| all | u64::from_ne_bytes(*word));
    is_ascii_word(all.to_ne_bytes())
}

/// Whether `bytes` are UTF-8. Only what lies between words of ASCII alone is looked at closely: no character reaches over
/// such a word, so each stretch is right or wrong by itself.
fn is_utf8(bytes: &[u8]) -> bool {
    let (words, _) = bytes.as_chunks::<WORD>();
    let mut at = 0;
    while let Some(skipped) = words[at..].iter().position(|word| !is_ascii_word(*word)) {
        let start = at + skipped;
        let Some(len) = words[start..].iter().position(|word| is_ascii_word(*word)) else {
            return std::str::from_utf8(&bytes[start * WORD..]).is_ok();
        };
        at = start + len;
        if std::str::from_utf8(&bytes[start * WORD..at * WORD]).is_err() {
            return false;
        }
    }
    std::str::from_utf8(&bytes[words.len() * WORD..]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_is_judged_as_the_standard_library_does() {
        let check = |bytes: &[u8]| assert_eq!(is_utf8(bytes), std::str::from_utf8(bytes).is_ok(), "{bytes:x?}");
        let pieces: [&[u8]; 8] = [
            "ü".as_bytes(),
            "空".as_bytes(),
            "🌊".as_bytes(),
            b"\xc3",
            b"\xbc",
            b"\xe7\xa9",
            b"\xf0\x9f\x8c",
            b"\xed\xa0\x80",
        ];
        // Every piece at every place of a text, and a second one behind it at every distance.
        for (first, second) in pieces.iter().flat_map(|first| pieces.map(|second| (first, second))) {
            for before in 0..20 {
                for between in 0..28 {
                    let text = [
                        &b"a".repeat(before),
                        *first,
                        &b"b".repeat(between),
                        second,
                        &b"c".repeat(9),
                    ]
                    .concat();
                    check(&text);
                    check(&text[..text.len() - 9]);
                }
            }
        }
        check(b"");
        check(b"only letters, and more than two words of them");
    }
}
