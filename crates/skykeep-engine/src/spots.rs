//! Where backups could go.

use crate::api::Spot;
use crate::{Engine, Error};

impl Engine {
    /// The usual folder first, then the drives that are connected.
    pub async fn spots(&self) -> Result<Vec<Spot>, Error> {
        todo!()
    }
}
