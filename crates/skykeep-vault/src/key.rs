//! Who wrote a manifest: one Ed25519 key for each computer (its data folder), the same for all accounts and places.
//!
//! It proves that a manifest and all before it come from one writer; what they hold is proved by the account's own
//! signature. Source: FORMAT.md, sections 2 and 4.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::Error;
use crate::layout::WriterId;

/// What every signed message begins with, so that a signature can never be taken for one of something else.
const CONTEXT: &[u8; 19] = b"skykeep/manifest/1\n";

/// The secret half. Wiped from memory when dropped; `Debug` hides it.
#[derive(Clone)]
pub struct WriterKey(SigningKey);

impl WriterKey {
    /// A new one. Errors: `Random`.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|_| Error::Random)?;
        Ok(Self::from_bytes(&bytes))
    }

    /// The key of 32 secret bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// The 32 secret bytes, to be kept in the data folder.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> WriterPublic {
        WriterPublic(self.0.verifying_key().to_bytes())
    }

    /// What names show of it.
    pub fn id(&self) -> WriterId {
        self.public().id()
    }

    pub(crate) fn sign(&self, signed: &[u8]) -> String {
        HEXLOWER.encode(&self.0.sign(&[CONTEXT, signed].concat()).to_bytes())
    }
}

impl fmt::Debug for WriterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriterKey(<secret> of {})", self.id())
    }
}

/// The public half, as manifests carry it: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriterPublic([u8; 32]);

impl WriterPublic {
    /// What names show of it.
    pub fn id(&self) -> WriterId {
        WriterId::of_sha256(&self.0)
    }

    /// Whether this writer signed it. Strict: no weak keys, canonical signatures only.
    pub(crate) fn verify(&self, signed: &[u8], signature: &str) -> bool {
        let verify = || {
            let signature = HEXLOWER.decode(signature.as_bytes()).ok()?;
            let signature = Signature::from_slice(&signature).ok()?;
            let key = VerifyingKey::from_bytes(&self.0).ok()?;
            key.verify_strict(&[CONTEXT, signed].concat(), &signature).ok()
        };
        verify().is_some()
    }
}

impl fmt::Display for WriterPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for WriterPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for WriterPublic {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| Error::invalid("writer", "not 64 hexadecimal digits"))
    }
}

crate::id::as_text!(WriterPublic);
