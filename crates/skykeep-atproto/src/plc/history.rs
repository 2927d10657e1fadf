//! Which signing key was an account's when, so that an old repository can be judged by the key of its day.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Cid, Did, keys::DidKey};

/// Every signing key (`#atproto`) that an account ever validly had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyHistory {
    /// Whose keys they are.
    pub did: Did,
    /// Newest first. The first is the current one if its `until` is `None`; there may be none at all.
    pub keys: Vec<KeyPeriod>,
    /// Keys that only operations set which were undone later, newest first. They never validly signed anything; they
    /// are kept so that what an intruder signed can be recognised as such.
    #[serde(default)]
    pub undone: Vec<KeyPeriod>,
}

/// A signing key and the time it was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPeriod {
    /// The key.
    pub key: DidKey,
    /// The operation that set it; `None` for did:web and for a key given by hand.
    pub operation: Option<Cid>,
    /// Since when, by the directory's clock; `None` when nothing says.
    pub from: Option<Timestamp>,
    /// Until when, by the directory's clock; `None` while it is in force.
    pub until: Option<Timestamp>,
}

impl KeyHistory {
    /// A history without any key: nothing can be said about signatures.
    pub const fn unknown(did: Did) -> Self {
        Self {
            did,
            keys: Vec::new(),
            undone: Vec::new(),
        }
    }

    /// The history of an identity that keeps none (did:web), or of a key given by hand: one key, in force.
    pub fn of_key(did: Did, key: DidKey) -> Self {
        Self {
            keys: vec![KeyPeriod {
                key,
                operation: None,
                from: None,
                until: None,
            }],
            ..Self::unknown(did)
        }
    }

    /// The key in force, if there is one.
    pub fn current(&self) -> Option<&KeyPeriod> {
        self.keys.first().filter(|period| period.until.is_none())
    }

    /// The newest period of `key`.
    pub fn find(&self, key: &DidKey) -> Option<&KeyPeriod> {
        self.keys.iter().find(|period| period.key == *key)
    }

    /// The newest period whose key made `signature` (64 bytes) over the SHA-256 of `message`.
    pub fn signer(&self, message: &[u8], signature: &[u8]) -> Option<&KeyPeriod> {
        signer(&self.keys, message, signature)
    }

    /// As [`KeyHistory::signer`], among the keys that were undone.
    pub fn undone_signer(&self, message: &[u8], signature: &[u8]) -> Option<&KeyPeriod> {
        signer(&self.undone, message, signature)
    }
}

fn signer<'a>(periods: &'a [KeyPeriod], message: &[u8], signature: &[u8]) -> Option<&'a KeyPeriod> {
    periods.iter().find(|period| period.key.verify(message, signature))
}
