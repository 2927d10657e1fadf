//! From a vault's snapshots to what the catalogue holds and faces show.

use std::collections::BTreeSet;

use jiff::Timestamp;
use skykeep_vault::layout::AccountFolder;
use skykeep_vault::{Contents, Error, IdentityKind, Origin, Snapshot, Vault, Verdict};

use crate::api::{self, CollectionCount, MissingMedia, SignatureVerdict};
use crate::catalogue::SnapshotRow;

/// What one snapshot is, in a face's terms.
pub(crate) fn snapshot(snapshot: &Snapshot, contents: &Contents) -> SnapshotRow {
    let manifest = &snapshot.manifest;
    let body = &manifest.body;
    let mut collections: Vec<CollectionCount> = body
        .counts
        .iter()
        .map(|(name, count)| CollectionCount {
            collection: name.clone(),
            records: *count,
        })
        .collect();
    collections.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.collection.cmp(&b.collection)));
    let missing = contents
        .missing
        .iter()
        .map(|missing| MissingMedia {
            cid: missing.cid.to_string(),
            record: missing.records.first().cloned().unwrap_or_default(),
            reason: missing.reason.clone(),
        })
        .collect();
    let row = api::Snapshot {
        id: snapshot.name.to_string(),
        taken: manifest.captured.as_millisecond(),
        rev: body.commit.rev.to_string(),
        commit: body.commit.cid.to_string(),
        signature: match body.signing.verdict {
            Verdict::Current => SignatureVerdict::Current,
            Verdict::Earlier => SignatureVerdict::Earlier,
        },
        records: body.records,
        collections,
        media: body.media.kept,
        media_missing: missing,
        media_pending: body.media.pending,
        bytes: contents.objects().map(|object| object.size).sum(),
        imported: body.origin == Origin::Imported,
        unchanged: false,
        pinned: false,
        places: Vec::new(),
    };
    SnapshotRow {
        writer: manifest.writer.id().to_string(),
        sequence: manifest.sequence,
        media_bytes: contents.blobs.values().map(|object| object.size).sum(),
        snapshot: row,
    }
}

/// All sound snapshots of an account, oldest first, each told whether it changed anything; and when a record of the
/// identity was last read that is among them.
pub(crate) async fn of_account(
    vault: &Vault,
    account: &AccountFolder,
) -> Result<(Vec<SnapshotRow>, Option<Timestamp>), Error> {
    let mut rows: Vec<SnapshotRow> = Vec::new();
    let (mut known, mut identity_read) = (BTreeSet::new(), None);
    for sound in vault.snapshots(account).await?.sound {
        let body = &sound.manifest.body;
        for part in &body.identity {
            // A part that an earlier snapshot had says nothing about the day of this one.
            let is_record = [IdentityKind::AuditLog, IdentityKind::DidDocument].map(IdentityKind::as_str);
            if is_record.contains(&part.what.as_str())
                && known.insert(part.name.clone())
                && body.origin == Origin::Captured
            {
                identity_read = identity_read.max(Some(sound.manifest.captured));
            }
        }
        let mut row = match vault.contents(&sound).await {
            Ok(contents) => snapshot(&sound, &contents),
            // A list that is damaged is the check's to report; the snapshot is not whole and not shown.
            Err(Error::Damaged { .. } | Error::Absent { .. } | Error::Invalid { .. }) => continue,
            Err(error) => return Err(error),
        };
        if let Some(before) = rows.last() {
            row.snapshot.unchanged = is_unchanged(&before.snapshot, &row.snapshot);
        }
        rows.push(row);
    }
    Ok((rows, identity_read))
}

/// Whether `later` only says that nothing changed.
pub(crate) fn is_unchanged(before: &api::Snapshot, later: &api::Snapshot) -> bool {
    before.commit == later.commit
        && before.media == later.media
        && before.media_pending == later.media_pending
        && before.media_missing == later.media_missing
}
