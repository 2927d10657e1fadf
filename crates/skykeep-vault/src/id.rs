//! The short texts that names are made of: hashes, writers, vaults.
//!
//! Source: FORMAT.md, section 2.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::Error;

/// JSON as the text that a type prints and parses.
macro_rules! as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::id::from_text(deserializer)
            }
        }
    };
}

pub(crate) use as_text;

/// A whole SHA-256; its text is 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checksum(pub [u8; 32]);

impl Checksum {
    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The part of it that names carry.
    pub fn name(&self) -> FileHash {
        Letters(base32(&self.0))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Checksum {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| Error::invalid("SHA-256", "not 64 hexadecimal digits"))
    }
}

as_text!(Checksum);

/// `N` letters of `[a-z2-7]`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Letters<const N: usize>([u8; N]);

/// The first 26 letters of the base32 SHA-256 of a file: its name, or the part of it that is proved.
pub type FileHash = Letters<26>;

/// A vault's own number: 26 random letters.
pub type VaultId = Letters<26>;

/// The first 8 letters of the base32 SHA-256 of a writer's public key.
pub type WriterId = Letters<8>;

impl<const N: usize> Letters<N> {
    /// The letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII letters get in")
    }

    /// The first letters of the base32 form of `bytes`, which must be long enough for `N`.
    pub(crate) fn of_sha256(bytes: &[u8]) -> Self {
        Self(base32(&Sha256::digest(bytes)))
    }

    /// Random letters. Errors: `Random`.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| Error::Random)?;
        Ok(Self(base32(&bytes)))
    }
}

/// The first `N` letters of the base32 form of 32 bytes (52 letters).
fn base32<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let text = BASE32_NOPAD.encode(bytes).to_ascii_lowercase();
    *text
        .as_bytes()
        .first_chunk()
        .expect("no name takes more than 52 letters")
}

impl<const N: usize> fmt::Display for Letters<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Letters<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> FromStr for Letters<N> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.as_bytes().try_into() {
            Ok(letters) if text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')) => Ok(Self(letters)),
            _ => Err(Error::invalid("name", format!("not {N} letters of a-z and 2-7"))),
        }
    }
}

impl<const N: usize> Serialize for Letters<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Letters<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

/// Reads a JSON text with the type's own parser.
pub(crate) fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}
