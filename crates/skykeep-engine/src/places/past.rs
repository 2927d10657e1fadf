//! A bucket as it was: what it held before somebody with its keys wrote over everything, or deleted everything.
//!
//! Where a bucket keeps versions all of that is still there ([`skykeep_vault::S3Past`]). It is looked into, exported
//! from and copied to a folder, and never written: whoever stole the keys may still have them.
//! Each way in says which it is: there are no earlier versions, or there was no backup at that time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use skykeep_vault::{S3Settings, Trouble, Vault};
use tracing::{info, warn};

use super::BucketKeys;
use super::bucket::settings_of;
use crate::api::{Account, BucketAddress, Millis};
use crate::catalogue::Subject;
use crate::engine::Inner;
use crate::settings::{self, At, bucket_address};
use crate::{Engine, Error, problem};

impl Inner {
    /// The vault in a bucket as it was at a moment, for reading; `patience` is how long its server is waited for.
    ///
    /// Errors: `NoPast` where no earlier versions are kept, `NothingThen`; `BucketSetting`, `Place`.
    pub(crate) async fn open_past(
        &self,
        settings: &S3Settings,
        keys: &BucketKeys,
        name: &str,
        as_of: Millis,
        patience: Option<Duration>,
    ) -> Result<Vault, Error> {
        let store = self.store(settings, keys, name)?;
        let store = match patience {
            Some(patience) => store.waiting(patience),
            None => store,
        };
        let past = store.as_it_was(moment(as_of));
        let address = bucket_address(settings);
        match past.keeps_versions().await {
            Ok(true) => {}
            Ok(false) => return Err(Error::NoPast { name: address }),
            Err(source) if knows_no_versions(&source) => return Err(Error::NoPast { name: address }),
            Err(source) => return Err(at(name)(source)),
        }
        Vault::open(Arc::new(past), None).await.map_err(|source| match source {
            skykeep_vault::Error::NotAVault { .. } => Error::NothingThen { address },
            source => at(name)(source),
        })
    }

    /// The vault of a place as it was. Errors: as [`Inner::open_past`]; `NoPast` for a folder, `Keys`, `PlaceKeys`.
    pub(crate) async fn open_place_past(&self, place: &settings::Place, as_of: Millis) -> Result<Vault, Error> {
        let At::S3(settings) = &place.at else {
            return Err(Error::NoPast {
                name: place.name.clone(),
            });
        };
        let keys = self.bucket_keys(place).await?;
        let vault = self
            .open_past(settings, &keys, &place.name, as_of, Some(super::READ_PATIENCE))
            .await?;
        match vault.is(&place.vault) {
            true => Ok(vault),
            false => Err(at(&place.name)(skykeep_vault::Error::OtherVault {
                expected: place.vault,
                found: *vault.id(),
            })),
        }
    }
}

impl Engine {
    /// Copies everything that a bucket held at a moment into a folder, reads every file again there, and takes that
    /// over: its accounts are kept from now on, and the folder is a place. The bucket is only read.
    ///
    /// The folder is made if it is not there; it must be empty, or hold a vault. When it is cut off, the next time goes
    /// on. Errors: `NoPast`, `NothingThen`, `BucketSetting`, `PlaceKnown`, `Place`, `Data`, `Stopped`.
    pub async fn take_over_past(
        &self,
        bucket: &BucketAddress,
        keys: &BucketKeys,
        as_of: Millis,
        folder: &Path,
    ) -> Result<Vec<Account>, Error> {
        let _in_hand = self.take_in_hand();
        let settings = settings_of(bucket);
        let address = bucket_address(&settings);
        let past = self
            .inner
            .open_past(&settings, keys, &bucket.bucket, as_of, None)
            .await?;
        let accounts = past.accounts().await.map_err(at(&bucket.bucket))?;
        if accounts.is_empty() {
            return Err(Error::NothingThen { address });
        }
        let folder = std::path::absolute(folder).map_err(Error::data(folder))?;
        let vault = self.vault_to_fill(&folder, &past).await?;
        let copied = self
            .copy_accounts((&past, &bucket.bucket), (&vault, &folder), &accounts)
            .await?;
        info!(from = %address, to = %folder.display(), accounts = accounts.len(), "brought back from the past");
        let taken = self.take_over(&folder).await?;
        if copied.left_behind > 0 {
            warn!(snapshots = copied.left_behind, "not whole in the bucket of then");
            let told = problem::opened_damaged(Path::new(&address), copied.left_behind, "");
            let place = Subject::Place(vault.id().to_string());
            self.inner.raise_problem(&place, told, Timestamp::now()).await?;
        }
        Ok(taken)
    }
}

/// A time from outside. What no clock can show lies before everything.
fn moment(millis: Millis) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MIN)
}

/// Whether a server does not know the question for versions: its status for what it has not, or another list.
fn knows_no_versions(error: &skykeep_vault::Error) -> bool {
    let skykeep_vault::Error::Server { trouble, .. } = error else {
        return false;
    };
    matches!(
        trouble,
        Trouble::NotS3
            | Trouble::Refused {
                status: 400 | 404 | 405 | 501,
                ..
            }
    )
}

fn at(name: &str) -> impl FnOnce(skykeep_vault::Error) -> Error {
    let name = name.to_owned();
    move |source| Error::Place { name, source }
}
