//! Snapshots, as the vaults' manifests describe them.

use rusqlite::{OptionalExtension, Params, Transaction, params};
use skykeep_atproto::Did;

use super::{Catalogue, Error, from_json, to_json};
use crate::api::Snapshot;
use crate::rows::is_unchanged;

/// A snapshot and what orders it in its writer's chain.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotRow {
    /// Which writer signed its manifest.
    pub writer: String,
    /// The manifest's number in that writer's chain.
    pub sequence: u32,
    /// How many of its bytes are pictures and videos.
    pub media_bytes: u64,
    /// All of it. `id` is the manifest's name; `places` is not kept: it is read from the confirmations.
    pub snapshot: Snapshot,
}

const INSERT: &str = "INSERT INTO snapshots
    (did, id, position, writer, sequence, rev, cid, taken, json, unchanged, bytes, media_bytes)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (did, id) DO UPDATE SET
        writer = ?4, sequence = ?5, rev = ?6, cid = ?7, taken = ?8, json = ?9, bytes = ?11, media_bytes = ?12";

impl Catalogue {
    /// Adds a snapshot as the newest of its account. One that is there already is replaced and keeps its position.
    pub fn add_snapshot(&self, did: &Did, row: &SnapshotRow) -> Result<(), Error> {
        self.write(|transaction| {
            let newest = "SELECT position, json FROM snapshots WHERE did = ?1 ORDER BY position DESC LIMIT 1";
            let newest: Option<(i64, String)> = transaction
                .prepare_cached(newest)?
                .query_row([did.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let (position, before) = match newest {
                // One that another version wrote is as good as none to compare with.
                Some((position, json)) => (position, from_json::<Snapshot>("snapshots", &json).ok()),
                None => (0, None),
            };
            insert(transaction, did, position + 1, before.as_ref(), row)
        })
    }

    /// Puts these in place of all snapshots of an account, oldest first, in one transaction.
    pub fn replace_snapshots(&self, did: &Did, rows: &[SnapshotRow]) -> Result<(), Error> {
        self.write(|transaction| {
            transaction.execute("DELETE FROM snapshots WHERE did = ?1", [did.as_str()])?;
            let mut before = None;
            for (position, row) in (1..).zip(rows) {
                insert(transaction, did, position, before, row)?;
                before = Some(&row.snapshot);
            }
            Ok(())
        })
    }

    /// Forgets the snapshots of an account, so that they are read from a vault again. Confirmations stay.
    pub fn forget_snapshots(&self, did: &Did) -> Result<(), Error> {
        self.replace_snapshots(did, &[])
    }

    /// All snapshots of an account, newest first. Errors: `Unreadable`: rebuild them.
    pub fn snapshots(&self, did: &Did) -> Result<Vec<Snapshot>, Error> {
        let mut confirmed = self.confirmed_by_snapshot(did)?;
        let connection = self.lock();
        let sql = "SELECT json FROM snapshots WHERE did = ?1 ORDER BY position DESC";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([did.as_str()])?;
        let mut snapshots = Vec::new();
        while let Some(row) = rows.next()? {
            let mut snapshot: Snapshot = from_json("snapshots", &row.get::<_, String>(0)?)?;
            snapshot.places = confirmed.remove(&snapshot.id).unwrap_or_default();
            snapshots.push(snapshot);
        }
        Ok(snapshots)
    }

    /// The newest snapshot of an account.
    pub fn latest(&self, did: &Did) -> Result<Option<Snapshot>, Error> {
        let sql = "SELECT json FROM snapshots WHERE did = ?1 ORDER BY position DESC LIMIT 1";
        self.one(did, sql, params![did.as_str()])
    }

    /// One snapshot of an account by its manifest's name.
    pub fn snapshot(&self, did: &Did, id: &str) -> Result<Option<Snapshot>, Error> {
        self.one(
            did,
            "SELECT json FROM snapshots WHERE did = ?1 AND id = ?2",
            params![did.as_str(), id],
        )
    }

    fn one(&self, did: &Did, sql: &str, params: impl Params) -> Result<Option<Snapshot>, Error> {
        let json: Option<String> = self
            .lock()
            .prepare_cached(sql)?
            .query_row(params, |row| row.get(0))
            .optional()?;
        let Some(json) = json else { return Ok(None) };
        let mut snapshot: Snapshot = from_json("snapshots", &json)?;
        snapshot.places = self.confirmed_places(did, &snapshot.id)?;
        Ok(Some(snapshot))
    }
}

fn insert(
    transaction: &Transaction<'_>,
    did: &Did,
    position: i64,
    before: Option<&Snapshot>,
    row: &SnapshotRow,
) -> Result<(), Error> {
    let unchanged = before.is_some_and(|before| is_unchanged(before, &row.snapshot));
    let stored = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let kept;
    let snapshot = if row.snapshot.places.is_empty() {
        &row.snapshot
    } else {
        kept = Snapshot {
            places: Vec::new(),
            ..row.snapshot.clone()
        };
        &kept
    };
    transaction.prepare_cached(INSERT)?.execute(params![
        did.as_str(),
        snapshot.id,
        position,
        row.writer,
        row.sequence,
        snapshot.rev,
        snapshot.commit,
        snapshot.taken,
        to_json("snapshots", snapshot)?,
        unchanged,
        stored(snapshot.bytes),
        stored(row.media_bytes),
    ])?;
    Ok(())
}
