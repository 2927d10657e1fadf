//! The vault of a place, wherever it is.

use std::sync::Arc;
use std::time::Duration;

use skykeep_vault::{FolderStore, Vault};

use crate::engine::Inner;
use crate::settings::{At, Place};
use crate::{Error, drives};

/// The vault of a place. Errors: `Place`; `Keys` when the keychain does not hand out a bucket's keys.
pub(crate) async fn open(inner: &Inner, place: &Place) -> Result<Vault, Error> {
    let folder = match &place.at {
        At::Folder { folder, .. } => folder,
        At::S3(bucket) => return inner.buckets.open(inner, place, bucket).await,
    };
    let at_place = |source| Error::Place {
        name: place.name.clone(),
        source,
    };
    let store = FolderStore::open(folder, inner.writer_key.id())
        .await
        .map_err(at_place)?;
    match Vault::open(Arc::new(store), Some(&place.vault)).await {
        // The drive is unplugged, and this is what lies under its mount point.
        Err(_) if drives::is_away(place) => Err(at_place(skykeep_vault::Error::Missing)),
        opened => opened.map_err(at_place),
    }
}

/// How long somebody who reads from a place waits for its server.
pub(crate) const READ_PATIENCE: Duration = Duration::from_secs(30);
/// How long somebody who only wants to know whether a place is there does.
pub(crate) const LOOK_PATIENCE: Duration = Duration::from_secs(10);

/// The same for those who look something up: a server that did not answer lately is not waited for again, and none for
/// longer than `patience`.
pub(crate) async fn open_lately(inner: &Inner, place: &Place, patience: Duration) -> Result<Vault, Error> {
    match &place.at {
        At::Folder { .. } => open(inner, place).await,
        At::S3(bucket) => inner.buckets.open_lately(inner, place, bucket, patience).await,
    }
}
