//! What is in a folder or a file that a person opens.

use std::path::Path;

use crate::api::Opened;
use crate::{Engine, Error};

impl Engine {
    /// What is in a folder or a file. Looking changes nothing. Errors: `Place`, `Import`.
    pub async fn look_into(&self, _path: &Path) -> Result<Opened, Error> {
        todo!()
    }
}
