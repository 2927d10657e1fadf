//! Who is on a place, read from the place itself.
//!
//! A manifest says whose it is, under its writer's signature; nothing else in a folder is believed, not its name, and
//! not the times in the names of manifests. Only the newest manifest of each writer is read, and only where a new one
//! has come: an hour without news is a listing for each account. What an account uses is the sum of what lies in its
//! folder, from listings too: no media are read.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use skykeep_vault::layout::{AccountFolder, SnapshotName, WriterId};
use skykeep_vault::{Depth, Error, Manifest, Vault};
use tracing::warn;

use super::judge;
use crate::catalogue::{KnownComputer, KnownMember};

/// Manifests of a writer that are tried, the newest first, before it counts as one that nobody can read.
const TRIES: usize = 3;

/// For how long sizes are not measured anew, unless somebody asks.
const MEASURED_FOR: SignedDuration = SignedDuration::from_hours(20);

/// Everyone on a place. What is in `known` and has not changed is not read again; `anew` measures all sizes.
///
/// Errors: those of the place as a whole.
pub(super) async fn read(
    vault: &Vault,
    known: Vec<KnownMember>,
    anew: bool,
    now: Timestamp,
) -> Result<Vec<KnownMember>, Error> {
    let mut known: BTreeMap<String, KnownMember> = known
        .into_iter()
        .map(|member| (member.folder.clone(), member))
        .collect();
    let mut members = Vec::new();
    for folder in vault.accounts().await? {
        let before = known.remove(folder.as_str());
        let (names, _) = vault.snapshot_names(&folder).await?;
        let mut member = match before {
            Some(before) if before.newest == newest_names(&names) => before,
            before => read_member(vault, &folder, &names, before, now).await?,
        };
        member.snapshots = names.len() as u64;
        let measured = Timestamp::from_millisecond(member.measured).unwrap_or(Timestamp::MIN);
        if anew || now.duration_since(measured) >= MEASURED_FOR || measured > now {
            member.bytes = size(vault, &folder).await?;
            member.measured = now.as_millisecond();
        }
        members.push(member);
    }
    Ok(members)
}

/// Bytes in an account's folder. Errors: those of the place.
pub(super) async fn size(vault: &Vault, folder: &AccountFolder) -> Result<u64, Error> {
    let listing = vault.store().list(&folder.path(), Depth::All).await?;
    Ok(listing.files.iter().map(|(_, size)| size).sum())
}

/// The newest manifest that each writer has there, as one text: another one means that there is news.
fn newest_names(names: &[SnapshotName]) -> String {
    let newest = by_writer(names);
    let newest = newest.values().filter_map(|names| names.first());
    newest.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Every writer's manifests, the newest first.
fn by_writer(names: &[SnapshotName]) -> BTreeMap<WriterId, Vec<&SnapshotName>> {
    let mut writers: BTreeMap<WriterId, Vec<&SnapshotName>> = BTreeMap::new();
    for name in names {
        writers.entry(name.writer).or_default().push(name);
    }
    for names in writers.values_mut() {
        names.sort_unstable_by_key(|name| std::cmp::Reverse((name.sequence, name.hash)));
    }
    writers
}

async fn read_member(
    vault: &Vault,
    folder: &AccountFolder,
    names: &[SnapshotName],
    before: Option<KnownMember>,
    now: Timestamp,
) -> Result<KnownMember, Error> {
    let (mut manifests, mut disbelieved) = (Vec::new(), 0);
    for names in by_writer(names).into_values() {
        for name in names.into_iter().take(TRIES) {
            match vault.snapshot(folder, name).await {
                Ok(snapshot) => {
                    manifests.push(snapshot.manifest);
                    break;
                }
                Err(error) if error.is_of_place() => return Err(error),
                Err(error) => {
                    warn!(%name, %error, "a manifest of the place is not believed");
                    disbelieved += 1;
                }
            }
        }
    }
    let when = |manifest: &Manifest| judge::made(manifest.captured, manifest.server_time, now);
    manifests.sort_by_key(|manifest| std::cmp::Reverse(when(manifest)));
    let newest = manifests.first();
    Ok(KnownMember {
        folder: folder.as_str().to_owned(),
        did: newest.map(|manifest| manifest.body.did.to_string()),
        handle: newest.and_then(|manifest| manifest.body.handle.as_ref().map(ToString::to_string)),
        last: newest.and_then(when).map(Timestamp::as_millisecond),
        computers: manifests
            .iter()
            .map(|manifest| KnownComputer {
                writer: manifest.writer.id().to_string(),
                last: when(manifest).map(Timestamp::as_millisecond),
            })
            .collect(),
        disbelieved,
        newest: newest_names(names),
        snapshots: 0,
        bytes: before.as_ref().map_or(0, |before| before.bytes),
        measured: before.map_or(i64::MIN, |before| before.measured),
    })
}
