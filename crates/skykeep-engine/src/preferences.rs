//! What a person chooses in settings.

use crate::api::Preferences;
use crate::{Engine, Error};

impl Engine {
    /// What the person has chosen.
    pub fn preferences(&self) -> Preferences {
        todo!()
    }
    /// Takes what the person has chosen. Errors: `Preferences` when a value cannot be; then nothing changes.
    pub async fn set_preferences(&self, _preferences: Preferences) -> Result<(), Error> {
        todo!()
    }
}
