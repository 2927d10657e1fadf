//! Content identifiers: the names of blocks and blobs.
//!
//! AT Protocol uses CIDv1 with SHA-256 and two codecs only, so a CID here is a codec and a digest, always 36 bytes.
//! Source: AT Protocol "Data Model", section "CID Formats".

use std::fmt;
use std::str::FromStr;

use crate::as_text::as_text;
use crate::{Error, sha256};
use data_encoding::BASE32_NOPAD;

/// What the named bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Raw bytes (0x55): a blob.
    Raw,
    /// DAG-CBOR (0x71): a commit, a tree node or a record.
    DagCbor,
}

/// A CIDv1 with SHA-256, as AT Protocol allows it.
///
/// Order is that of the string form's bytes as they are stored (codec, then digest).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid {
    codec: Codec,
    digest: [u8; 32],
}

impl Cid {
    /// Length of the binary form, in bytes.
    pub const LEN: usize = 36;

    /// The name of `bytes` under `codec`.
    pub fn of(codec: Codec, bytes: &[u8]) -> Self {
        Self {
            codec,
            digest: sha256::digest(bytes),
        }
    }

    /// A name from a digest that was computed elsewhere.
    pub const fn from_digest(codec: Codec, digest: [u8; 32]) -> Self {
        Self { codec, digest }
    }

    /// Reads the 36-byte binary form. Errors: `Syntax` for any other version, codec, hash or length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::from_binary(bytes).ok_or_else(|| Error::syntax("CID", &data_encoding::HEXLOWER.encode(bytes)))
    }

    /// As [`Cid::from_bytes`], for hot loops that have no use for the error's text.
    #[inline]
    pub(crate) fn from_binary(bytes: &[u8]) -> Option<Self> {
        let (head, digest) = bytes.split_first_chunk::<4>()?;
        let codec = match head {
            [0x01, 0x71, 0x12, 0x20] => Codec::DagCbor,
            [0x01, 0x55, 0x12, 0x20] => Codec::Raw,
            _ => return None,
        };
        Some(Self {
            codec,
            digest: digest.try_into().ok()?,
        })
    }

    /// The 36-byte binary form.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let codec = match self.codec {
            Codec::DagCbor => 0x71,
            Codec::Raw => 0x55,
        };
        bytes[..4].copy_from_slice(&[0x01, codec, 0x12, 0x20]);
        bytes[4..].copy_from_slice(&self.digest);
        bytes
    }

    /// What the named bytes are.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The SHA-256 of the named bytes.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether `bytes` are the ones that this CID names.
    pub fn names(&self, bytes: &[u8]) -> bool {
        sha256::digest(bytes) == self.digest
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = BASE32_NOPAD.encode(&self.to_bytes());
        text.make_ascii_lowercase();
        write!(f, "b{text}")
    }
}

impl FromStr for Cid {
    type Err = Error;

    /// Reads the multibase form `b…` (base32, lower case, no padding).
    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = || Error::syntax("CID", text);
        let rest = text.strip_prefix('b').ok_or_else(fail)?;
        if rest.len() != 58 || rest.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(fail());
        }
        let bytes = BASE32_NOPAD
            .decode(rest.to_ascii_uppercase().as_bytes())
            .map_err(|_| fail())?;
        Self::from_binary(&bytes).ok_or_else(fail)
    }
}

as_text!(Cid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_tree_has_its_known_name() {
        let bytes = [0xa2, 0x61, 0x65, 0x80, 0x61, 0x6c, 0xf6];
        let cid = Cid::of(Codec::DagCbor, &bytes);
        assert_eq!(
            cid.to_string(),
            "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm"
        );
        assert!(cid.names(&bytes));
        assert!(!cid.names(b"other"));
    }

    #[test]
    fn both_forms_survive_a_round_trip() {
        for codec in [Codec::Raw, Codec::DagCbor] {
            let cid = Cid::of(codec, b"skykeep");
            assert_eq!(cid.to_string().parse::<Cid>().unwrap(), cid);
            assert_eq!(Cid::from_bytes(&cid.to_bytes()).unwrap(), cid);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let good = Cid::of(Codec::Raw, b"x").to_string();
        let cut = &good[..good.len() - 1];
        let upper = good.to_ascii_uppercase();
        for bad in [
            "",
            "b",
            "z",
            cut,
            &upper,
            "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
            &format!("{good}a"),
        ] {
            assert!(bad.parse::<Cid>().is_err(), "{bad}");
        }
        let mut bytes = Cid::of(Codec::Raw, b"x").to_bytes();
        bytes[2] = 0x13; // sha2-512
        assert!(Cid::from_bytes(&bytes).is_err());
        assert!(Cid::from_bytes(&bytes[..35]).is_err());
    }
}
