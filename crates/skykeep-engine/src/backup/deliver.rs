//! From staging to every place, and out of staging.
//!
//! Each place is tried by itself: one that is absent or full does not keep the others from being complete, and catches up
//! when it is back. What a place holds is remembered as last confirmed. A file leaves staging when every place that counts
//! has it ([`skykeep_vault::Staging::release`]); a place counts while it was there in the last [`COUNTS_FOR`], so that a
//! drive that is gone for good does not fill this computer. One that comes back later is served from the other places.
//! Drives that take turns are never there together: while one is away, what the others have is read there once more and
//! remembered, so that the turn of the last of them is enough.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};
use skykeep_vault::layout::{AccountFolder, SnapshotName};
use skykeep_vault::{Delivered, Vault};
use tracing::{info, warn};

use crate::catalogue::{Catalogue, Subject};
use crate::engine::Inner;
use crate::places::open;
use crate::rounds::notes::Note;
use crate::runs::Reporter;
use crate::settings::Place;
use crate::{Error, problem};

/// For how long a place that is away keeps files staged that another place has.
const COUNTS_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How the places fared.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Places that hold the newest snapshot now.
    pub(crate) reached: usize,
    /// Why places are simply not there; the last of them.
    pub(crate) away: Option<Error>,
    /// What failed elsewhere; the last of them.
    pub(crate) failed: Option<Error>,
}

/// Whether a delivery is a phase of its own that people see, or happens in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Its files are counted.
    Yes,
    /// The phase under way goes on.
    No,
}

/// Delivers what staging holds of the account to every place, and lets go of what all of them have then.
///
/// Errors: `Stopped`, and those of staging and the catalogue; what fails at a place is in the answer.
pub(crate) async fn deliver(inner: &Inner, reporter: &Reporter, now: Timestamp, told: Told) -> Result<Delivery, Error> {
    let mut delivery = Delivery::default();
    let account = AccountFolder::of(reporter.did()).map_err(Error::Staging)?;
    let mut places = Vec::new();
    let settings = inner.settings();
    let goes_to = |place: &Place| settings.places_of(reporter.did()).any(|goes| goes.vault == place.vault);
    for place in settings.places.clone() {
        let (vault, refused) = match open(inner, &place).await {
            Ok(vault) => (Some(vault), None),
            Err(_) if !goes_to(&place) => continue,
            Err(error) => (None, Some(error)),
        };
        places.push((place, vault, refused));
    }
    let (mut holders, mut away, mut news) = (Vec::new(), Vec::new(), false);
    for n in 0..places.len() {
        // A place that the account has left, or everybody, is still good as a source.
        if !goes_to(&places[n].0) {
            continue;
        }
        let refused = places[n].2.take();
        let place = &places[n].0;
        // What has left staging comes from another place.
        let others = places.iter().enumerate().filter(|(other, _)| *other != n);
        let others = others.filter_map(|(_, (_, vault, _))| vault.as_ref());
        let sources: Vec<&Vault> = std::iter::once(&*inner.staging).chain(others).collect();
        let served = match (&places[n].1, refused) {
            (_, Some(error)) => Err(error),
            (Some(vault), None) => serve(inner, reporter, &account, &sources, (place, vault), now, told).await,
            (None, None) => continue,
        };
        match served {
            Ok(files) => {
                delivery.reached += 1;
                news |= files;
                holders.extend(places[n].1.clone().map(|vault| (place.clone(), vault)));
            }
            Err(error) if error.is_stop() => return Err(error),
            Err(error) => {
                warn!(place = %place.name, %error, "not delivered");
                if counts(inner, place, now).await? {
                    away.push(read_there(inner, reporter, place).await?);
                }
                // Whoever looks at it next finds out anew.
                inner.buckets.forget(&place.vault);
                inner
                    .raise(&Subject::Place(place.vault.to_string()), &error, now)
                    .await?;
                let told = match error.is_away() {
                    true => &mut delivery.away,
                    false => &mut delivery.failed,
                };
                *told = Some(error);
            }
        }
    }
    if !away.is_empty() {
        for (place, vault) in &holders {
            read_again(inner, reporter, &account, place, vault).await?;
        }
    }
    if news {
        let holders: Vec<Vault> = holders.into_iter().map(|(_, vault)| vault).collect();
        release(inner, reporter, &account, &holders, &away).await?;
    }
    Ok(delivery)
}

/// Delivers to one place; whether it lacked anything.
async fn serve(
    inner: &Inner,
    reporter: &Reporter,
    account: &AccountFolder,
    sources: &[&Vault],
    (place, vault): (&Place, &Vault),
    now: Timestamp,
    told: Told,
) -> Result<bool, Error> {
    let at_place = |source| Error::Place {
        name: place.name.clone(),
        source,
    };
    let mut watch = |progress: skykeep_vault::Progress| {
        if told == Told::Yes {
            reporter.done(progress.files, progress.bytes);
        }
        go_on(reporter)
    };
    inner.sweep(vault, now).await;
    let note = note(inner, reporter, place).await?;
    let delivered = skykeep_vault::deliver(sources, vault, account, &mut watch).await;
    if let Some(note) = note {
        match &delivered {
            // A stop comes between two files.
            Ok(_) | Err(skykeep_vault::Error::Stopped) => inner.notes().end(&note)?,
            Err(_) => inner.notes().unclean(&note)?,
        }
    }
    let mut delivered = delivered.map_err(at_place)?;
    info!(place = %place.name, files = delivered.files, bytes = delivered.bytes, "delivered");
    let (there, _) = vault.snapshot_names(account).await.map_err(at_place)?;
    let there: Vec<String> = there.iter().map(ToString::to_string).collect();
    inner.confirmed(reporter.did(), place, there, vault, now).await?;
    if let Some(error) = newest_undelivered(&inner.staging, account, &mut delivered).await? {
        return Err(Error::Staging(error));
    }
    let behind = delivered.undelivered.len() + delivered.findings.len();
    if behind > 0 {
        warn!(place = %place.name, behind, "snapshots that are nowhere in reach whole");
        let subject = Subject::Place(place.vault.to_string());
        inner
            .raise_problem(&subject, problem::behind(&place.name, behind), now)
            .await?;
    }
    Ok(delivered.files > 0)
}

/// Notes what is on its way, until it is there: should the power go, it is read again. `None` when nothing is.
async fn note(inner: &Inner, reporter: &Reporter, place: &Place) -> Result<Option<Note>, Error> {
    let (did, id) = (reporter.did().clone(), place.vault.to_string());
    let (lacks, held) = inner
        .ask(move |catalogue| Ok((catalogue.lacks(&id, &did)?, catalogue.newest_at(&id, &did)?)))
        .await?;
    let note = Note {
        did: reporter.did().clone(),
        place: place.vault,
        held,
    };
    lacks.then(|| inner.notes().begin(&note).map(|()| note)).transpose()
}

/// Why the newest snapshot is not at a place, if it is not: then the place does not hold what the run made.
async fn newest_undelivered(
    staging: &Vault,
    account: &AccountFolder,
    delivered: &mut Delivered,
) -> Result<Option<skykeep_vault::Error>, Error> {
    if delivered.undelivered.is_empty() {
        return Ok(None);
    }
    let latest = staging.latest(account, None).await.map_err(Error::Staging)?;
    let is_latest = |name: &SnapshotName| latest.as_ref().is_some_and(|latest| latest.name == *name);
    let at = delivered.undelivered.iter().position(|(name, _)| is_latest(name));
    Ok(at.map(|at| delivered.undelivered.swap_remove(at).1))
}

/// Lets go of what all of `holders` have. That it cannot is no fault of a run: the files are there twice.
async fn release(
    inner: &Inner,
    reporter: &Reporter,
    account: &AccountFolder,
    holders: &[Vault],
    away: &[BTreeSet<SnapshotName>],
) -> Result<(), Error> {
    let mut watch = |_| go_on(reporter);
    let writer = inner.writer_key.id();
    match inner.staging.release(account, &writer, holders, away, &mut watch).await {
        Ok(released) if released.files > 0 => {
            info!(files = released.files, bytes = released.bytes, "released from staging");
        }
        Ok(_) => {}
        Err(skykeep_vault::Error::Stopped) => return Err(Error::Stopped),
        Err(error) => warn!(%error, "nothing is released from staging"),
    }
    Ok(())
}

/// Reads once more what a place got while another one is away. That it cannot is no fault of a run: the files stay staged.
async fn read_again(
    inner: &Inner,
    reporter: &Reporter,
    account: &AccountFolder,
    place: &Place,
    vault: &Vault,
) -> Result<(), Error> {
    let before = read_there(inner, reporter, place).await?;
    let mut watch = |_| go_on(reporter);
    let read = match inner.staging.read_there(account, vault, &before, &mut watch).await {
        Ok(read) => read,
        Err(skykeep_vault::Error::Stopped) => return Err(Error::Stopped),
        Err(error) => {
            warn!(place = %place.name, %error, "not read again");
            return Ok(());
        }
    };
    let (did, id) = (reporter.did().clone(), place.vault.to_string());
    let read: Vec<String> = read.iter().map(ToString::to_string).collect();
    let remember = move |catalogue: &Catalogue| {
        let read: Vec<&str> = read.iter().map(String::as_str).collect();
        catalogue.set_read_there(&id, &did, &read)
    };
    inner.ask(remember).await
}

/// The snapshots of which everything that was staged was read at a place once more.
async fn read_there(inner: &Inner, reporter: &Reporter, place: &Place) -> Result<BTreeSet<SnapshotName>, Error> {
    let (did, id) = (reporter.did().clone(), place.vault.to_string());
    let read = inner.ask(move |catalogue| catalogue.read_there(&id, &did)).await?;
    Ok(read.iter().filter_map(|name| name.parse().ok()).collect())
}

/// Whether files stay staged for a place that could not be served.
async fn counts(inner: &Inner, place: &Place, now: Timestamp) -> Result<bool, Error> {
    let id = place.vault.to_string();
    let seen = inner.ask(move |catalogue| catalogue.place(&id)).await?;
    let seen = seen.and_then(|facts| facts.last_seen).unwrap_or(place.added);
    Ok(now.duration_since(seen) < COUNTS_FOR)
}

fn go_on(reporter: &Reporter) -> ControlFlow<()> {
    if reporter.cancel().is_cancelled() {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}
