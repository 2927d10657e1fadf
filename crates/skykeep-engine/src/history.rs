//! What has happened over time, for the calendar and for growth.

use skykeep_atproto::Did;

use crate::api::{Cell, Millis, Storage};
use crate::{Engine, Error};

impl Engine {
    /// What happened in each cell of a calendar, of one account or of all. Cells begin at `starts`, oldest first.
    pub async fn calendar(&self, _did: Option<&Did>, _starts: &[Millis]) -> Result<Vec<Cell>, Error> {
        todo!()
    }
    /// How much is kept, by account and over time.
    pub async fn storage(&self) -> Result<Storage, Error> {
        todo!()
    }
}
