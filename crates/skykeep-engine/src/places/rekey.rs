//! New keys for a bucket that is a place already: the old ones have ended, were stolen, or may do too little.
//!
//! The new keys prove themselves before the old ones go: they must list, read, write and delete in the bucket, and find in
//! it the very vault that the place is. Until then nothing is changed, so that mistyping costs nothing.

use std::sync::Arc;

use skykeep_vault::Vault;
use tracing::info;

use super::keys::BucketKeys;
use crate::catalogue::Subject;
use crate::keys::{self, SecretName};
use crate::settings::At;
use crate::{Engine, Error, blocking, problem};

impl Engine {
    /// Replaces the keys to a place's bucket, in the keychain and nowhere else. What waited for them is delivered at once.
    ///
    /// Errors: `Unknown`; `PlaceWithoutKeys` when it is a folder; `Place` when the bucket refuses the new keys or holds
    /// another vault; `Keys`. Then the old keys stay.
    pub async fn change_keys(&self, id: &str, keys: &BucketKeys) -> Result<(), Error> {
        let (inner, place) = (&self.inner, self.find_place(id)?);
        let At::S3(settings) = &place.at else {
            return Err(Error::PlaceWithoutKeys { name: place.name });
        };
        let (store, _) = inner.examine(settings, keys, &place.name).await?;
        let opened = Vault::open(Arc::new(store), Some(&place.vault)).await;
        opened.map_err(|source| Error::Place {
            name: place.name.clone(),
            source,
        })?;
        let (root, choice) = (self.inner.data.root().to_owned(), inner.settings().keys);
        let (entry, secret) = (SecretName::place(&place.vault), keys.to_secret());
        blocking(move || Ok(keys::open(&root, &choice)?.set(&entry, &secret)?)).await?;
        // What is open was opened with the old keys.
        inner.buckets.forget(&place.vault);
        info!(place = %place.name, "keys changed");
        let subject = Subject::Place(place.vault.to_string());
        inner
            .ask(move |catalogue| catalogue.clear_except(&subject, &[problem::DAMAGE_FOUND, problem::MENDED]))
            .await?;
        inner.place_added(&place);
        Ok(())
    }
}
