//! Logs made in code, and made-up people's keys.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use skykeep_atproto::plc::{self, Audit, LogEntry, Operation, Service, State};
use skykeep_atproto::{Cid, Curve, Did, SigningKey};

pub(crate) const SECOND: i64 = 1000;
pub(crate) const HOUR: i64 = 3600 * SECOND;

/// The same key for the same letter; every second one is a P-256 key.
pub(crate) fn key(letter: char) -> SigningKey {
    let number = letter as u8;
    let curve = if number.is_multiple_of(2) {
        Curve::P256
    } else {
        Curve::K256
    };
    SigningKey::from_bytes(curve, &[number; 32]).unwrap()
}

/// The `did:key`s of some letters, in their order.
pub(crate) fn keys(letters: &str) -> Vec<String> {
    letters
        .chars()
        .map(|letter| key(letter).did_key().to_string())
        .collect()
}

/// A state with these rotation keys; the signing key is that of `s`.
pub(crate) fn state(rotation_keys: &str) -> State {
    let service = Service {
        kind: "AtprotoPersonalDataServer".to_owned(),
        endpoint: "https://pds.test".to_owned(),
    };
    State {
        rotation_keys: keys(rotation_keys),
        verification_methods: BTreeMap::from([("atproto".to_owned(), keys("s").remove(0))]),
        also_known_as: vec!["at://alice.test".to_owned()],
        services: BTreeMap::from([("atproto_pds".to_owned(), service)]),
    }
}

/// `ms` milliseconds after the first operation.
pub(crate) fn at(ms: i64) -> Timestamp {
    let start: Timestamp = "2026-03-01T10:00:00.123Z".parse().unwrap();
    start + SignedDuration::from_millis(ms)
}

/// A log in the making.
pub(crate) struct Log {
    pub(crate) did: Did,
    pub(crate) entries: Vec<LogEntry>,
}

impl Log {
    /// A log of one operation, with these rotation keys, signed by the first of them.
    pub(crate) fn new(rotation_keys: &str) -> Self {
        let first = rotation_keys.chars().next().unwrap();
        Self::of(Operation::update(state(rotation_keys), None).signed(&key(first)))
    }

    pub(crate) fn of(genesis: Operation) -> Self {
        let did = genesis.genesis_did().unwrap();
        let entries = vec![LogEntry::new(&did, &genesis, false, at(0))];
        Self { did, entries }
    }

    /// The name of the entry at `place`.
    pub(crate) fn cid(&self, place: usize) -> Cid {
        self.entries[place].cid.parse().unwrap()
    }

    /// Adds `operation` at `ms`; those at `undone` are flagged.
    pub(crate) fn push(&mut self, ms: i64, operation: &Operation, undone: &[usize]) -> &mut Self {
        for place in undone {
            self.entries[*place].nullified = true;
        }
        self.entries.push(LogEntry::new(&self.did, operation, false, at(ms)));
        self
    }

    /// Adds an update after the entry at `after`, with these rotation keys, signed by `signer`.
    pub(crate) fn update(
        &mut self,
        ms: i64,
        after: usize,
        rotation_keys: &str,
        signer: char,
        undone: &[usize],
    ) -> &mut Self {
        let operation = Operation::update(state(rotation_keys), Some(self.cid(after))).signed(&key(signer));
        self.push(ms, &operation, undone)
    }

    /// Adds a tombstone after the entry at `after`, signed by `signer`.
    pub(crate) fn tombstone(&mut self, ms: i64, after: usize, signer: char, undone: &[usize]) -> &mut Self {
        let operation = Operation::tombstone(self.cid(after)).signed(&key(signer));
        self.push(ms, &operation, undone)
    }

    pub(crate) fn audit(&self) -> Audit {
        plc::audit(Some(&self.did), &self.entries)
    }

    /// The log is valid, and means the same without being told the DID.
    pub(crate) fn check_valid(&self) -> Audit {
        let audit = self.audit();
        assert!(audit.is_valid(), "{:#?}", audit.problems());
        let inferred = plc::audit(None, &self.entries);
        assert!(inferred.is_valid() && inferred.did() == Some(&self.did));
        assert_eq!(audit.operations().len(), self.entries.len());
        audit
    }

    /// The log is invalid for exactly these reasons, given as `entry code`.
    pub(crate) fn check_invalid(&self, expected: &[&str]) {
        let audit = self.audit();
        let found: Vec<String> = audit
            .problems()
            .iter()
            .map(|problem| format!("{} {}", problem.entry.map_or(-1, |entry| entry as i64), problem.fault))
            .collect();
        assert_eq!(found, expected, "{:#?}", audit.problems());
        assert!(!audit.is_valid());
    }
}
