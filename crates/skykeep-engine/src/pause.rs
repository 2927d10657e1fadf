//! Pausing what is scheduled, for an account or for all.

use skykeep_atproto::Did;

use crate::api::Millis;
use crate::{Engine, Error};

impl Engine {
    /// Pauses scheduled runs of an account, or of all. Errors: `Unknown`, `Data`.
    pub async fn pause(&self, _did: Option<&Did>, _until: Option<Millis>) -> Result<(), Error> {
        todo!()
    }
    /// Ends a pause of an account, or of all. Errors: `Unknown`, `Data`.
    pub async fn resume(&self, _did: Option<&Did>) -> Result<(), Error> {
        todo!()
    }
}
