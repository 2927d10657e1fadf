//! From staging to every place.
//!
//! Each place is tried by itself: one that is absent or full does not keep the others from being complete, and catches up
//! when it is back. What a place holds is remembered as last confirmed.

use std::ops::ControlFlow;

use jiff::Timestamp;
use skykeep_vault::{FolderStore, Vault};
use tracing::{info, warn};

use crate::Error;
use crate::catalogue::Subject;
use crate::engine::Inner;
use crate::runs::Reporter;
use crate::settings::Place;

/// How the places fared.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Places that hold the newest snapshot now.
    pub(crate) reached: usize,
    /// Places that are simply not there.
    pub(crate) absent: usize,
    /// What the last of those is called.
    pub(crate) absent_name: String,
    /// What failed elsewhere; the last of them.
    pub(crate) failed: Option<Error>,
}

/// Delivers what staging holds of the account to every place.
///
/// Errors: `Stopped`, and those of staging and the catalogue; what fails at a place is in the answer.
pub(crate) async fn deliver(inner: &Inner, reporter: &Reporter, now: Timestamp) -> Result<Delivery, Error> {
    let mut delivery = Delivery::default();
    for place in inner.settings().places {
        match deliver_to(inner, reporter, &place, now).await {
            Ok(()) => delivery.reached += 1,
            Err(error) if error.is_stop() => return Err(error),
            Err(error) => {
                warn!(place = %place.name, %error, "not delivered");
                let absent = matches!(
                    &error,
                    Error::Place {
                        source: skykeep_vault::Error::Missing,
                        ..
                    }
                );
                inner
                    .raise(&Subject::Place(place.vault.to_string()), &error, now)
                    .await?;
                if absent {
                    delivery.absent += 1;
                    delivery.absent_name = place.name;
                } else {
                    delivery.failed = Some(error);
                }
            }
        }
    }
    Ok(delivery)
}

async fn deliver_to(inner: &Inner, reporter: &Reporter, place: &Place, now: Timestamp) -> Result<(), Error> {
    let at_place = |source| Error::Place {
        name: place.name.clone(),
        source,
    };
    let vault = open(inner, place).await?;
    let account = skykeep_vault::layout::AccountFolder::of(reporter.did()).map_err(Error::Staging)?;
    let cancel = reporter.cancel();
    let mut watch = |progress: skykeep_vault::Progress| {
        reporter.done(progress.files, progress.bytes);
        if cancel.is_cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let delivered = skykeep_vault::deliver(&[&inner.staging], &vault, &account, &mut watch)
        .await
        .map_err(at_place)?;
    let kept_back = delivered.undelivered.len() + delivered.findings.len();
    if kept_back > 0 {
        warn!(place = %place.name, kept_back, "snapshots that staging does not have whole");
    }
    info!(place = %place.name, files = delivered.files, bytes = delivered.bytes, "delivered");
    let (there, _) = vault.snapshot_names(&account).await.map_err(at_place)?;
    let there: Vec<String> = there.iter().map(ToString::to_string).collect();
    inner.confirmed(reporter.did(), place, there, &vault, now).await
}

/// The vault of a place. Errors: `Place`.
pub(crate) async fn open(inner: &Inner, place: &Place) -> Result<Vault, Error> {
    let at_place = |source| Error::Place {
        name: place.name.clone(),
        source,
    };
    let store = FolderStore::open(&place.folder, inner.writer_key.id())
        .await
        .map_err(at_place)?;
    Vault::open(std::sync::Arc::new(store), Some(&place.vault))
        .await
        .map_err(at_place)
}
