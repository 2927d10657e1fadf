//! The keys to buckets: in the keychain, one entry a place, and nowhere else. Whoever adds a place hands them in.

use std::path::PathBuf;

use skykeep_vault::S3Credentials;

use crate::engine::Inner;
use crate::keys::{self, Secret, SecretName};
use crate::settings::{self, At};
use crate::{Engine, Error, blocking, data};

/// The keys to a bucket, as a person typed them.
#[derive(Debug, Clone)]
pub struct BucketKeys {
    access: String,
    secret: Secret<String>,
}

impl BucketKeys {
    /// Takes the access key and the secret that belongs to it.
    pub fn new(access: &str, secret: Secret<String>) -> Self {
        Self {
            access: access.trim().to_owned(),
            secret,
        }
    }

    pub(super) fn credentials(&self) -> S3Credentials {
        S3Credentials::new(&self.access, self.secret.expose())
    }

    /// As it is kept: a line each.
    pub(super) fn to_secret(&self) -> Secret {
        Secret::new(format!("{}\n{}", self.access, self.secret.expose().trim()).into_bytes())
    }

    fn from_secret(secret: &Secret) -> Option<Self> {
        let (access, secret) = std::str::from_utf8(secret.expose()).ok()?.split_once('\n')?;
        Some(Self::new(access, Secret::new(secret.to_owned())))
    }
}

/// Keys that wait in the keychain for the engine that will use them, which may run in another program: no secret crosses
/// the way to it, only the name of the entry. What nobody took is removed when this goes.
#[derive(Debug)]
pub struct HandedIn {
    root: PathBuf,
    choice: settings::Keys,
    entry: SecretName,
}

impl HandedIn {
    /// Puts the keys into the keychain of the usual data folder. Errors: `Data`, `Settings`, `Keys`.
    pub fn new(keys: &BucketKeys) -> Result<Self, Error> {
        let root = data::location()?;
        data::create_private(&root).map_err(Error::data(&root))?;
        let choice = settings::Settings::load(&root.join("settings.toml"))?.keys;
        let entry = SecretName::handed_in()?;
        keys::open(&root, &choice)?.set(&entry, &keys.to_secret())?;
        Ok(Self { root, choice, entry })
    }

    /// What the entry is called.
    pub fn entry(&self) -> &str {
        self.entry.as_str()
    }
}

impl Drop for HandedIn {
    fn drop(&mut self) {
        let removed = keys::open(&self.root, &self.choice).and_then(|store| store.remove(&self.entry));
        if let Err(error) = removed {
            tracing::warn!(%error, "keys that were handed in stay in the keychain");
        }
    }
}

impl Inner {
    /// The keys to a place's bucket, from the keychain. Errors: `Keys`; `PlaceKeys` when there are none.
    pub(super) async fn bucket_keys(&self, place: &settings::Place) -> Result<BucketKeys, Error> {
        let (root, settings) = (self.data.root().to_owned(), self.settings().keys);
        let name = SecretName::place(&place.vault);
        let secret = blocking(move || Ok(keys::open(&root, &settings)?.get(&name)?)).await?;
        let keys = secret.as_ref().and_then(BucketKeys::from_secret);
        let keys = keys.ok_or_else(|| Error::PlaceKeys {
            name: place.name.clone(),
        })?;
        Ok(keys)
    }
}

impl Engine {
    /// The keys that somebody handed in. Errors: `Unknown`, `Keys`.
    pub(crate) async fn handed_in(&self, entry: &str) -> Result<BucketKeys, Error> {
        let (root, choice) = (self.inner.data.root().to_owned(), self.inner.settings().keys);
        let name = SecretName::of_handed_in(entry)?;
        let secret = blocking(move || Ok(keys::open(&root, &choice)?.get(&name)?)).await?;
        let keys = secret.as_ref().and_then(BucketKeys::from_secret);
        keys.ok_or_else(|| Error::PlaceKeys { name: entry.to_owned() })
    }

    /// Takes the keys to a bucket that is no place any more out of the keychain. Errors: `Keys`.
    pub(super) async fn drop_keys(&self, place: &settings::Place) -> Result<(), Error> {
        if let At::S3(_) = place.at {
            self.inner.buckets.forget(&place.vault);
            let (root, choice) = (self.inner.data.root().to_owned(), self.inner.settings().keys);
            let entry = SecretName::place(&place.vault);
            blocking(move || Ok(keys::open(&root, &choice)?.remove(&entry).map(drop)?)).await?;
        }
        Ok(())
    }
}
