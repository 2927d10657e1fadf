//! Every single kind of damage, one to a file, and what must be said about it.
//!
//! What a damage allows is done again after it: CIDs, links above, signature. So only the one rule that it breaks can
//! refuse it. Sound oddities stand in the same list, so that strictness cannot be had by refusing everything.

mod commits;
mod draft;
mod files;
mod records;
mod signatures;
mod trees;

use skykeep_atproto::{Curve, Did, SigningKey};

pub use draft::{Block, Draft, Fields, Kind, Parts};
pub use signatures::{der, high_s};

/// A file and what must be said about it.
#[derive(Debug, Clone)]
pub struct Case {
    /// What was done, in words.
    pub name: String,
    /// The file.
    pub car: Vec<u8>,
    /// The verdict.
    pub verdict: Verdict,
    /// The codes of all findings, each once, in alphabetical order.
    pub codes: Vec<&'static str>,
}

/// The verdict in three parts, as `skykeep inspect car` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Everything that the commit reaches is there.
    pub complete: bool,
    /// Everything that is there is as it must be.
    pub sound: bool,
    /// `valid`, `invalid` or, when no commit could be read, `unchecked`.
    pub signature: &'static str,
}

const fn verdict(complete: bool, sound: bool, signature: &'static str) -> Verdict {
    Verdict {
        complete,
        sound,
        signature,
    }
}

/// Nothing is wrong; findings are remarks.
pub const FINE: Verdict = verdict(true, true, "valid");
/// Something is not there.
const GAP: Verdict = verdict(false, true, "valid");
/// Something is wrong.
const DAMAGE: Verdict = verdict(true, false, "valid");
/// Something is so wrong that what lies behind it is not there either.
const BOTH: Verdict = verdict(false, false, "valid");
/// Nobody of the account signed it.
const FORGED: Verdict = verdict(true, true, "invalid");
/// There is no commit to judge: it is spoilt.
const NO_COMMIT: Verdict = verdict(false, false, "unchecked");
/// There is no commit to judge: it is not there.
const NO_COMMIT_THERE: Verdict = verdict(false, true, "unchecked");

/// The account whose repository is damaged.
pub fn owner() -> (Did, SigningKey) {
    let did = "did:plc:44ybard66vv44zksje25o7dz".parse().expect("a DID");
    let key = SigningKey::from_bytes(Curve::K256, &[5; 32]).expect("a small number is a key");
    (did, key)
}

/// All cases, in the order of what they touch: file, commit, tree, records.
pub fn cases() -> Vec<Case> {
    let mut table = Table(Vec::new());
    files::add(&mut table);
    commits::add(&mut table);
    trees::add(&mut table);
    records::add(&mut table);
    table.0
}

struct Table(Vec<Case>);

impl Table {
    fn add(&mut self, name: impl Into<String>, car: impl Into<Vec<u8>>, verdict: Verdict, codes: &[&'static str]) {
        self.0.push(Case {
            name: name.into(),
            car: car.into(),
            verdict,
            codes: codes.to_vec(),
        });
    }
}
