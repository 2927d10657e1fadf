//! What a directory takes in today, which is less than what its logs hold.
//!
//! The stricter of the specification (v0.3.0) and the directory's own checks. An identity can be lost for ever by one
//! careless operation, so ours stay inside both.

use std::collections::BTreeSet;

use super::{Operation, State};
use crate::{DidKey, Error};

impl Operation {
    /// Proves that the operation, once rightly signed, will not be refused for its form, and does not lock anyone out.
    ///
    /// 1 to 5 distinct rotation keys that can be read, at most 10 names, methods and services of bounded length, at
    /// most 4,000 bytes. Errors: `Shape`; `TooLarge`.
    pub fn check_submittable(&self) -> Result<(), Error> {
        const LIMIT: u64 = 4000;
        if let Some(reason) = self.objection() {
            let what = "PLC operation to submit";
            return Err(Error::Shape { what, reason });
        }
        if self.bytes().len() as u64 > LIMIT {
            let what = "PLC operation to submit";
            return Err(Error::TooLarge { what, limit: LIMIT });
        }
        Ok(())
    }

    fn objection(&self) -> Option<&'static str> {
        if self.signature().is_none() {
            return Some("it is not signed");
        }
        match self {
            Self::Update(update) => update.state.objection(),
            Self::Tombstone(_) => None,
            Self::Create(_) => Some("the type create is not taken any more"),
        }
    }
}

impl State {
    fn objection(&self) -> Option<&'static str> {
        let distinct = |list: &[String]| list.iter().collect::<BTreeSet<_>>().len() == list.len();
        let is_key = |text: &String| text.parse::<DidKey>().is_ok();
        let rules = [
            (
                (1..=5).contains(&self.rotation_keys.len()) && distinct(&self.rotation_keys),
                "it does not have 1 to 5 distinct rotation keys",
            ),
            (
                self.rotation_keys.iter().all(is_key),
                "a rotation key is not a K-256 or P-256 did:key",
            ),
            (
                self.also_known_as.len() <= 10
                    && distinct(&self.also_known_as)
                    && self.also_known_as.iter().all(|name| name.len() <= 258),
                "it does not have at most 10 distinct names of at most 258 bytes",
            ),
            (
                self.verification_methods.len() <= 10
                    && self
                        .verification_methods
                        .iter()
                        .all(|(id, key)| id.len() <= 32 && key.len() <= 256 && key.starts_with("did:key:z")),
                "it does not have at most 10 verification methods of the right form",
            ),
            (
                self.services.len() <= 10
                    && self.services.iter().all(|(id, service)| {
                        id.len() <= 32 && service.kind.len() <= 256 && service.endpoint.len() <= 512
                    }),
                "it does not have at most 10 services of the right form",
            ),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map(|(_, reason)| reason)
    }
}
