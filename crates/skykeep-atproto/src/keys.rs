//! Public keys as `did:key`, signatures, and the private keys that make them.
//!
//! Two curves, one rule: SHA-256, then ECDSA, 64 bytes `r‖s`, low-S on both curves; DER and high-S are refused. A key
//! from a stranger never panics and a wrong signature is only `false`. Source: AT Protocol "Cryptography"; did:key;
//! the private form is the one that the `goat` tool writes.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Error;
use crate::as_text::as_text;

/// The longest multibase text that is decoded at all: base58 takes time by the square of its length.
const MAX_MULTIBASE: usize = 128;

/// The two curves of AT Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Curve {
    /// secp256k1; `did:key:zQ3s…`, JWT algorithm `ES256K`.
    K256,
    /// NIST P-256; `did:key:zDn…`, JWT algorithm `ES256`.
    P256,
}

impl Curve {
    /// Both curves.
    const ALL: [Self; 2] = [Self::K256, Self::P256];

    /// The multicodec varint that stands before a public key.
    const fn public_prefix(self) -> [u8; 2] {
        match self {
            Self::K256 => [0xe7, 0x01],
            Self::P256 => [0x80, 0x24],
        }
    }

    /// The multicodec varint that stands before a private key (0x1301, 0x1306).
    const fn private_prefix(self) -> [u8; 2] {
        match self {
            Self::K256 => [0x81, 0x26],
            Self::P256 => [0x86, 0x26],
        }
    }
}

/// A public key: a point of its curve that is not the identity, in compressed form.
///
/// Its text is `did:key:z…`; equal keys have equal text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DidKey {
    curve: Curve,
    point: [u8; 33],
}

impl DidKey {
    /// Which curve it lies on.
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// The compressed point, 33 bytes.
    pub const fn as_bytes(&self) -> &[u8; 33] {
        &self.point
    }

    /// Reads a Multikey, which is the `did:key` form without `did:key:`. Errors: `Syntax`.
    pub fn from_multibase(text: &str) -> Result<Self, Error> {
        let fail = || Error::syntax("public key", text);
        let bytes = decode_multibase(text).ok_or_else(fail)?;
        let (prefix, point) = bytes.split_first_chunk::<2>().ok_or_else(fail)?;
        let curve = Curve::ALL.into_iter().find(|curve| curve.public_prefix() == *prefix);
        curve
            .filter(|_| point.len() == 33)
            .and_then(|curve| Self::from_sec1(curve, point))
            .ok_or_else(fail)
    }

    /// Reads the `publicKeyMultibase` of the verification methods before 2023
    /// (`EcdsaSecp256k1VerificationKey2019`, `EcdsaSecp256r1VerificationKey2019`).
    ///
    /// That is the bare point, uncompressed as a rule, without a multicodec prefix. Errors: `Syntax`.
    pub fn from_legacy_multibase(curve: Curve, text: &str) -> Result<Self, Error> {
        decode_multibase(text)
            .and_then(|bytes| Self::from_sec1(curve, &bytes))
            .ok_or_else(|| Error::syntax("public key", text))
    }

    /// The Multikey form, `z…`.
    pub fn to_multibase(&self) -> String {
        let mut bytes = [0; 35];
        bytes[..2].copy_from_slice(&self.curve.public_prefix());
        bytes[2..].copy_from_slice(&self.point);
        format!("z{}", bs58::encode(bytes).into_string())
    }

    /// Whether `signature` (64 bytes `r‖s`, low-S) is this key's over the SHA-256 of `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verify_digest(&Sha256::digest(message).into(), signature)
    }

    /// As [`DidKey::verify`], when the SHA-256 is already known.
    pub(crate) fn verify_digest(&self, digest: &[u8; 32], signature: &[u8]) -> bool {
        match self.curve {
            Curve::K256 => {
                use k256::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};
                let Ok(signature) = Signature::from_slice(signature) else {
                    return false;
                };
                signature.normalize_s() == signature
                    && VerifyingKey::from_sec1_bytes(&self.point)
                        .is_ok_and(|key| key.verify_prehash(digest, &signature).is_ok())
            }
            Curve::P256 => {
                use p256::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};
                let Ok(signature) = Signature::from_slice(signature) else {
                    return false;
                };
                signature.normalize_s() == signature
                    && VerifyingKey::from_sec1_bytes(&self.point)
                        .is_ok_and(|key| key.verify_prehash(digest, &signature).is_ok())
            }
        }
    }

    /// A compressed (33 bytes) or uncompressed (65 bytes) point that lies on the curve.
    fn from_sec1(curve: Curve, bytes: &[u8]) -> Option<Self> {
        if !matches!((bytes.first()?, bytes.len()), (2 | 3, 33) | (4, 65)) {
            return None;
        }
        let point = match curve {
            Curve::K256 => compressed_k256(&k256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).ok()?),
            Curve::P256 => compressed_p256(&p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).ok()?),
        };
        Some(Self { curve, point })
    }
}

fn compressed_k256(key: &k256::ecdsa::VerifyingKey) -> [u8; 33] {
    k256::CompressedPoint::from(key).into()
}

fn compressed_p256(key: &p256::ecdsa::VerifyingKey) -> [u8; 33] {
    p256::CompressedPoint::from(key).into()
}

/// The bytes behind `z` (base58btc), when there are at most [`MAX_MULTIBASE`] letters of them.
fn decode_multibase(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let base58 = text.strip_prefix('z').filter(|_| text.len() <= MAX_MULTIBASE)?;
    bs58::decode(base58).into_vec().ok().map(Zeroizing::new)
}

impl FromStr for DidKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = || Error::syntax("did:key", text);
        Self::from_multibase(text.strip_prefix("did:key:").ok_or_else(fail)?).map_err(|_| fail())
    }
}

impl fmt::Display for DidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "did:key:{}", self.to_multibase())
    }
}

as_text!(DidKey);

/// A private key. Wiped from memory when dropped; `Debug` prints `<secret>`.
#[derive(Clone)]
pub struct SigningKey(Secret);

#[derive(Clone)]
enum Secret {
    K256(k256::ecdsa::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl SigningKey {
    /// A new key from the operating system's random numbers. Errors: `Io`, when there are none.
    pub fn generate(curve: Curve) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            getrandom::fill(&mut bytes[..]).map_err(|error| std::io::Error::other(error.to_string()))?;
            // All but about one in 2^32 (P-256) or 2^128 (K-256) of the numbers are keys.
            if let Ok(key) = Self::from_bytes(curve, &bytes) {
                return Ok(key);
            }
        }
    }

    /// The key whose number, big-endian, is `bytes`. Errors: `Shape`, when that is zero or not below the curve's order.
    pub fn from_bytes(curve: Curve, bytes: &[u8; 32]) -> Result<Self, Error> {
        let fail = |_| Error::Shape {
            what: "private key",
            reason: "the number is zero or too large for the curve",
        };
        Ok(Self(match curve {
            Curve::K256 => Secret::K256(k256::ecdsa::SigningKey::from_slice(bytes).map_err(fail)?),
            Curve::P256 => Secret::P256(p256::ecdsa::SigningKey::from_slice(bytes).map_err(fail)?),
        }))
    }

    /// The key's number, big-endian.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(match &self.0 {
            Secret::K256(key) => key.to_bytes().into(),
            Secret::P256(key) => key.to_bytes().into(),
        })
    }

    /// The form that the `goat` tool reads and writes: `z`, then base58btc of multicodec and number.
    pub fn to_multibase(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; 34]);
        bytes[..2].copy_from_slice(&self.curve().private_prefix());
        bytes[2..].copy_from_slice(&self.to_bytes()[..]);
        // Sized first: a string that grows leaves copies of its beginning behind.
        let mut text = Zeroizing::new(String::with_capacity(MAX_MULTIBASE));
        text.push('z');
        text.push_str(&Zeroizing::new(bs58::encode(&bytes[..]).into_string()));
        text
    }

    /// Which curve it signs on.
    pub const fn curve(&self) -> Curve {
        match self.0 {
            Secret::K256(_) => Curve::K256,
            Secret::P256(_) => Curve::P256,
        }
    }

    /// The public half.
    pub fn did_key(&self) -> DidKey {
        DidKey {
            curve: self.curve(),
            point: match &self.0 {
                Secret::K256(key) => compressed_k256(key.verifying_key()),
                Secret::P256(key) => compressed_p256(key.verifying_key()),
            },
        }
    }

    /// Signs the SHA-256 of `message`: 64 bytes `r‖s`, low-S, the same for the same message (RFC 6979).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        match &self.0 {
            Secret::K256(key) => {
                let signature: k256::ecdsa::Signature = k256::ecdsa::signature::Signer::sign(key, message);
                signature.normalize_s().to_bytes().into()
            }
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::signature::Signer::sign(key, message);
                signature.normalize_s().to_bytes().into()
            }
        }
    }
}

impl FromStr for SigningKey {
    type Err = Error;

    /// Reads the `goat` form, or 64 hexadecimal digits, which are a K-256 key. The error does not repeat the text.
    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = || Error::syntax("private key", "<secret>");
        let (curve, bytes) = match decode_multibase(text) {
            Some(bytes) => {
                let (prefix, number) = bytes.split_first_chunk::<2>().ok_or_else(fail)?;
                let curve = Curve::ALL.into_iter().find(|curve| curve.private_prefix() == *prefix);
                (curve.ok_or_else(fail)?, Zeroizing::new(number.to_vec()))
            }
            None => {
                let hex = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes());
                (Curve::K256, Zeroizing::new(hex.map_err(|_| fail())?))
            }
        };
        let number = <&[u8; 32]>::try_from(&bytes[..]).map_err(|_| fail())?;
        Self::from_bytes(curve, number)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}
