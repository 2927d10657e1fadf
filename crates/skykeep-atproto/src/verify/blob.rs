//! Blobs: bytes and the CID they must hash to.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

use crate::{Cid, Codec, Error};

/// Bytes copied at a time.
const COPY_SIZE: usize = 64 * 1024;

/// The proof that certain bytes were seen to be a certain blob. Only [`VerifiedBlob::copy`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBlob {
    cid: Cid,
    len: u64,
}

impl VerifiedBlob {
    /// Copies a blob and hashes it on the way. What was written is the blob only if this answers `Ok`.
    ///
    /// Errors: `HashMismatch`; `TooLarge` beyond `limit` bytes; `Shape` for a CID that does not name raw bytes; `Io`.
    pub fn copy(cid: Cid, from: impl Read, mut to: impl Write, limit: u64) -> Result<Self, Error> {
        if cid.codec() != Codec::Raw {
            return Err(Error::Shape {
                what: "blob",
                reason: "its CID does not name raw bytes",
            });
        }
        let mut from = from.take(limit.saturating_add(1));
        let (mut hash, mut len, mut buffer) = (Sha256::new(), 0, vec![0; COPY_SIZE]);
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            len += read as u64;
            if len > limit {
                return Err(Error::TooLarge { what: "blob", limit });
            }
            hash.update(&buffer[..read]);
            to.write_all(&buffer[..read])?;
        }
        if hash.finalize()[..] != cid.digest()[..] {
            return Err(Error::HashMismatch { cid });
        }
        Ok(Self { cid, len })
    }

    /// The blob's name.
    pub const fn cid(&self) -> Cid {
        self.cid
    }

    /// Its length in bytes.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes at all.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_bytes_are_the_blob() {
        let bytes = vec![7; 200_000];
        let cid = Cid::of(Codec::Raw, &bytes);
        let mut out = Vec::new();
        let blob = VerifiedBlob::copy(cid, &bytes[..], &mut out, 200_000).unwrap();
        assert_eq!((blob.len(), &out), (200_000, &bytes));

        let mut wrong = bytes.clone();
        wrong[100_000] ^= 1;
        assert!(matches!(
            VerifiedBlob::copy(cid, &wrong[..], io::sink(), 200_000),
            Err(Error::HashMismatch { .. })
        ));
        assert!(matches!(
            VerifiedBlob::copy(cid, &bytes[1..], io::sink(), 200_000),
            Err(Error::HashMismatch { .. })
        ));
        assert!(matches!(
            VerifiedBlob::copy(cid, &bytes[..], io::sink(), 199_999),
            Err(Error::TooLarge { .. })
        ));
        let record = Cid::of(Codec::DagCbor, &bytes);
        assert!(matches!(
            VerifiedBlob::copy(record, &bytes[..], io::sink(), 200_000),
            Err(Error::Shape { .. })
        ));
    }
}
