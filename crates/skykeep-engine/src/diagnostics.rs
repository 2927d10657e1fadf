//! What a person can look at, and send to somebody who helps.

use std::path::Path;

use crate::api::{Standing, Stored};
use crate::{Engine, Error};

impl Engine {
    /// Every problem that stands, most severe first.
    pub async fn standing(&self) -> Result<Vec<Standing>, Error> {
        todo!()
    }
    /// How things stand and what happened lately, as text that a person reads before they share it. No secret is in it.
    pub async fn report(&self) -> Result<String, Error> {
        todo!()
    }
    /// Saves a report where a person chose. Errors: `Data`.
    pub async fn save_report(&self, _path: &Path, _text: &str) -> Result<(), Error> {
        todo!()
    }
    /// What Skykeep stores on this computer, and where.
    pub async fn stored(&self) -> Result<Vec<Stored>, Error> {
        todo!()
    }
}
