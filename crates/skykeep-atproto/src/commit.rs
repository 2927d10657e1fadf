//! The signed commit: the one block of a repository that its owner's key vouches for.
//!
//! Source: AT Protocol "Repository", section "Commit Objects".

use crate::cbor::{Reader, Writer};
use crate::{Cid, Codec, Did, Error, Tid};

/// A decoded commit of format version 3 (or 2, which is read to be named, never accepted).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The name of the signed object.
    pub cid: Cid,
    /// Whose repository it is.
    pub did: Did,
    /// Repository format: 3, or 2 in very old files.
    pub version: u64,
    /// Root of the tree.
    pub data: Cid,
    /// The commit's own revision; absent only in version 2.
    pub rev: Option<Tid>,
    /// The commit before, virtually always absent.
    pub prev: Option<Cid>,
    /// The signature as it stands there; one that is not 64 bytes of `r‖s` never verifies.
    pub signature: Vec<u8>,
    /// The bytes that were signed: the object without `sig`, unknown fields included.
    pub unsigned: Vec<u8>,
}

impl Commit {
    /// Decodes the block of a commit. Errors: `Cbor`, or `Shape` for a missing or malformed field.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let shape = |reason| Error::Shape { what: "commit", reason };
        let mut reader = Reader::new(bytes);
        let entries = reader.map()?;
        let mut unsigned = Writer::new();
        unsigned.map(entries.saturating_sub(1));
        let (mut did, mut version, mut data, mut rev, mut prev, mut signature) = (None, None, None, None, None, None);
        let mut previous = None;
        for _ in 0..entries {
            let key = reader.key(&mut previous)?;
            let value = reader.skip(1)?;
            let mut field = Reader::new(value);
            match key {
                b"did" => did = Some(field.text()?.parse::<Did>()?),
                b"version" => version = Some(field.unsigned()?),
                b"data" => data = Some(field.link()?),
                b"rev" => rev = Some(field.text()?.parse::<Tid>()?),
                b"prev" => prev = Some(field.link_or_null()?),
                b"sig" => {
                    signature = Some(field.byte_string()?.to_vec());
                    continue;
                }
                _ => {}
            }
            unsigned.text(key).raw(value);
        }
        reader.end()?;
        let version = version.ok_or(shape("no version"))?;
        let old = version == 2;
        if rev.is_none() && !old {
            return Err(shape("no rev"));
        }
        if prev.is_none() && !old {
            return Err(shape("no prev"));
        }
        let data = data.ok_or(shape("no data"))?;
        if data.codec() != Codec::DagCbor {
            return Err(shape("data is not a tree node"));
        }
        Ok(Self {
            cid: Cid::of(Codec::DagCbor, bytes),
            did: did.ok_or(shape("no did"))?,
            version,
            data,
            rev,
            prev: prev.flatten(),
            signature: signature.ok_or(shape("no signature"))?,
            unsigned: unsigned.into_bytes(),
        })
    }

    /// The bytes to sign for a version 3 commit without a predecessor.
    pub fn unsigned_bytes(did: &Did, data: Cid, rev: Tid) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .map(5)
            .text("did")
            .text(did.as_str())
            .text("rev")
            .text(rev.as_str());
        writer
            .text("data")
            .link(data)
            .text("prev")
            .null()
            .text("version")
            .unsigned(3);
        writer.into_bytes()
    }

    /// The signed block of a version 3 commit without a predecessor.
    pub fn signed_bytes(did: &Did, data: Cid, rev: Tid, signature: &[u8; 64]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .map(6)
            .text("did")
            .text(did.as_str())
            .text("rev")
            .text(rev.as_str())
            .text("sig")
            .byte_string(signature);
        writer
            .text("data")
            .link(data)
            .text("prev")
            .null()
            .text("version")
            .unsigned(3);
        writer.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap();
        Commit::signed_bytes(
            &did,
            Cid::of(Codec::DagCbor, b"tree"),
            Tid::new(1_700_000_000_000_000, 1),
            &[7; 64],
        )
    }

    #[test]
    fn what_was_signed_comes_back() {
        let commit = Commit::decode(&sample()).unwrap();
        let expected = Commit::unsigned_bytes(&commit.did, commit.data, commit.rev.unwrap());
        assert_eq!(commit.unsigned, expected);
        assert_eq!(commit.version, 3);
        assert_eq!(commit.signature, [7; 64]);
        assert_eq!(commit.cid, Cid::of(Codec::DagCbor, &sample()));
    }

    #[test]
    fn unknown_fields_are_part_of_what_was_signed() {
        let mut writer = Writer::new();
        let mut unsigned = Writer::new();
        for (signed, w) in [(true, &mut writer), (false, &mut unsigned)] {
            w.map(if signed { 7 } else { 6 })
                .text("did")
                .text("did:web:example.com")
                .text("rev")
                .text("3jzfcijpj2z2a");
            if signed {
                w.text("sig").byte_string(&[1; 64]);
            }
            w.text("data").link(Cid::of(Codec::DagCbor, b"t")).text("prev").null();
            w.text("extra").unsigned(5).text("version").unsigned(3);
        }
        assert_eq!(
            Commit::decode(&writer.into_bytes()).unwrap().unsigned,
            unsigned.into_bytes()
        );
    }

    #[test]
    fn a_cut_at_any_byte_is_an_error() {
        let bytes = sample();
        for len in 0..bytes.len() {
            assert!(Commit::decode(&bytes[..len]).is_err(), "{len}");
        }
    }
}
