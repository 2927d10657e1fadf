//! Snapshots: listing them, comparing two, and writing one out for any other tool.

mod face;
mod sample;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skykeep_atproto::did::Method;
use skykeep_atproto::plc::{self, KeyHistory};
use skykeep_atproto::verify::VerifiedRepo;
use skykeep_atproto::{Did, DidDocument};
use skykeep_vault::layout::{AccountFolder, SnapshotName};
use skykeep_vault::{Contents, Error as Vault, IdentityKind, Kind, Reach, Snapshot};
use tracing::info;

use crate::api::{self, Comparison};
use crate::engine::unknown;
use crate::error::What;
use crate::places::{Away, open, rather_away};
use crate::words::{Value, words};
use crate::{Engine, Error, blocking};

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct Exported {
    /// The folder.
    pub folder: PathBuf,
    /// The snapshot.
    pub snapshot: String,
    /// Length of `repo.car`, in bytes.
    pub car_bytes: u64,
    /// Records in it.
    pub records: u64,
    /// Blobs written.
    pub blobs: u64,
    /// Blobs that the snapshot does not have, by CID.
    pub missing: Vec<String>,
    /// Places that were away and have some of them.
    #[serde(default)]
    pub problems: Vec<api::Problem>,
}

impl Engine {
    /// The snapshots of an account, newest first. Errors: `Unknown`.
    pub async fn snapshots(&self, did: &Did) -> Result<Vec<api::Snapshot>, Error> {
        let settings = self.inner.settings();
        let account = settings.account(did).ok_or_else(|| unknown(What::Account, did))?;
        let did = did.clone();
        let mut snapshots = self.inner.ask(move |catalogue| catalogue.snapshots(&did)).await?;
        for n in 0..snapshots.len() {
            snapshots[n].pinned = account.pinned.contains(&snapshots[n].id);
            let before = snapshots.get(n + 1).cloned();
            snapshots[n].unchanged = before.is_some_and(|before| crate::rows::is_unchanged(&before, &snapshots[n]));
        }
        Ok(snapshots)
    }

    /// What changed between two snapshots. Errors: `Unknown`, `SnapshotBroken`.
    pub async fn compare(&self, did: &Did, earlier: &str, later: &str) -> Result<Comparison, Error> {
        let (old, new) = (self.read_repo(did, earlier).await?, self.read_repo(did, later).await?);
        blocking(move || {
            let changes = old.compare(&new);
            let cids = |repo: &VerifiedRepo| -> BTreeSet<String> {
                repo.blobs().iter().map(|blob| blob.cid.to_string()).collect()
            };
            let (before, after) = (cids(&old), cids(&new));
            Ok(Comparison {
                added: changes.added,
                changed: changes.changed,
                removed: changes.removed,
                media_added: after.difference(&before).cloned().collect(),
                media_removed: before.difference(&after).cloned().collect(),
            })
        })
        .await
    }

    /// Writes a snapshot (the newest, if none is named) as plain files that other tools read: `repo.car`, `blobs/`,
    /// `plc-log.json` or `did.json`, and a README. The folder must be new or empty.
    ///
    /// Every byte is proved again on the way. What only a place has that is away is not in it, and that place is named.
    /// Errors: `Unknown`, `ExportNotEmpty`, `SnapshotBroken`, `SnapshotAway`, `Data`.
    pub async fn export(&self, did: &Did, snapshot: Option<&str>, folder: &Path) -> Result<Exported, Error> {
        empty_folder(folder)?;
        let id = match snapshot {
            Some(id) => id.to_owned(),
            None => self
                .snapshots(did)
                .await?
                .first()
                .map(|s| s.id.clone())
                .ok_or_else(|| unknown(What::Snapshot, did))?,
        };
        let (reach, away) = self.inner.reach_and_away().await;
        let away = self.inner.that_hold(away, did, &id).await?;
        let found = find_in(reach, did, &id).await;
        let found = found.map_err(|error| rather_away(error, &away))?;
        self.write_out(found, folder, &away).await
    }

    /// As [`Engine::export`], from one place alone, and from what it held at the time `as_of` if one is given: where
    /// a bucket keeps versions, what was deleted or written over since is still there.
    ///
    /// Errors: those of [`Engine::export`]; `NoPast`, `NothingThen`, `Place`, `Keys`, `PlaceKeys`.
    pub async fn export_from(
        &self,
        did: &Did,
        snapshot: Option<&str>,
        folder: &Path,
        place: &str,
        as_of: Option<api::Millis>,
    ) -> Result<Exported, Error> {
        let place = self.find_place(place)?;
        empty_folder(folder)?;
        let vault = match as_of {
            Some(as_of) => self.inner.open_place_past(&place, as_of).await?,
            None => open(&self.inner, &place).await?,
        };
        let id = match snapshot {
            Some(id) => id.to_owned(),
            None => {
                let account = AccountFolder::of(did).map_err(Error::Staging)?;
                let latest = vault.latest(&account, None).await.map_err(|source| Error::Place {
                    name: place.name.clone(),
                    source,
                })?;
                latest
                    .map(|latest| latest.name.to_string())
                    .ok_or_else(|| unknown(What::Snapshot, did))?
            }
        };
        let found = find_in(Reach::from(&vault), did, &id).await?;
        self.write_out(found, folder, &[]).await
    }

    /// Proves a snapshot and writes it into an empty folder. `away` are places that have it and cannot be read now.
    ///
    /// Errors: `SnapshotBroken`, `SnapshotAway`, `Data`.
    async fn write_out(&self, found: Found, folder: &Path, away: &[Away]) -> Result<Exported, Error> {
        let (id, did) = (found.snapshot.name.to_string(), &found.snapshot.manifest.body.did);
        let account = &found.snapshot.manifest.account;
        let proved = self.prove(&found).await;
        let (repo, files) = proved.map_err(|error| rather_away(error, away))?;

        let car_path = folder.join("repo.car");
        let car = File::create(&car_path).map_err(Error::data(&car_path))?;
        let written = Reach::write_car(Arc::clone(&repo), files, car).await;
        let written = written.map_err(|error| broken(&id, error))?;

        let blobs = folder.join("blobs");
        fs::create_dir(&blobs).map_err(Error::data(&blobs))?;
        let (mut count, mut not_reached, mut missing) = (0, 0, Vec::new());
        for blob in repo.blobs() {
            let Some(object) = found.contents.blobs.get(&blob.cid) else {
                missing.push(blob.cid.to_string());
                continue;
            };
            let path = blobs.join(blob.cid.to_string());
            match found.reach.copy_object(account, object, &path).await {
                Ok(()) => count += 1,
                Err(error) => {
                    not_reached += 1;
                    fs::remove_file(&path).map_err(Error::data(&path))?;
                    missing.push(format!("{} ({error})", blob.cid));
                }
            }
        }
        for (kind, name) in [
            (IdentityKind::AuditLog, "plc-log.json"),
            (IdentityKind::DidDocument, "did.json"),
        ] {
            let part = found.identity(kind).await.map_err(|error| broken(&id, error))?;
            if let Some(bytes) = part {
                let path = folder.join(name);
                fs::write(&path, bytes).map_err(Error::data(&path))?;
            }
        }
        let exported = Exported {
            folder: folder.to_owned(),
            snapshot: id.clone(),
            car_bytes: written.len,
            records: repo.record_count(),
            blobs: count,
            missing,
            problems: match not_reached {
                0 => Vec::new(),
                count => away.iter().map(|away| away.keeps_media(count)).collect(),
            },
        };
        let path = folder.join("README.txt");
        fs::write(&path, readme(&found.snapshot, &exported)).map_err(Error::data(&path))?;
        info!(%did, snapshot = %id, blobs = count, "exported");
        Ok(exported)
    }

    /// A snapshot's repository, proved again. Errors: `Unknown`, `SnapshotBroken`.
    async fn read_repo(&self, did: &Did, id: &str) -> Result<Arc<VerifiedRepo>, Error> {
        Ok(self.read_files(did, id).await?.0)
    }

    /// A snapshot's repository, proved again, and the files that its blocks are in. Errors: `Unknown`, `SnapshotBroken`.
    pub(crate) async fn read_files(&self, did: &Did, id: &str) -> Result<(Arc<VerifiedRepo>, Vec<File>), Error> {
        let found = self.find(did, id).await?;
        self.prove(&found).await
    }

    /// A snapshot: its manifest from staging, or from the first place that has it; its files from wherever they are.
    ///
    /// Errors: `Unknown`, `SnapshotBroken`.
    async fn find(&self, did: &Did, id: &str) -> Result<Found, Error> {
        find_in(self.inner.reach().await, did, id).await
    }

    /// Proves a snapshot's repository by what the identity's log says, whoever wrote the vault.
    ///
    /// Errors: `SnapshotBroken`.
    async fn prove(&self, found: &Found) -> Result<(Arc<VerifiedRepo>, Vec<File>), Error> {
        let id = found.snapshot.name.to_string();
        let keys = found
            .keys()
            .await
            .map_err(|reason| Error::SnapshotBroken { id: id.clone(), reason })?;
        let scratch = self.inner.data.incoming();
        let (repo, files) = found
            .reach
            .prove(&found.snapshot, &found.contents, &keys, &scratch)
            .await
            .map_err(|error| broken(&id, error))?;
        Ok((Arc::new(repo), files))
    }
}

/// A snapshot: its manifest from the first vault that has it. Errors: `Unknown`, `SnapshotBroken`.
async fn find_in(reach: Reach, did: &Did, id: &str) -> Result<Found, Error> {
    let name: SnapshotName = id.parse().map_err(|_| unknown(What::Snapshot, id))?;
    let account = AccountFolder::of(did).map_err(Error::Staging)?;
    let mut reason = None;
    for vault in reach.vaults() {
        let found = async {
            let snapshot = vault.snapshot(&account, &name).await?;
            let contents = vault.contents(&snapshot).await?;
            Ok::<_, Vault>((snapshot, contents))
        };
        match found.await {
            Ok((snapshot, contents)) => {
                return Ok(Found {
                    reach,
                    snapshot,
                    contents,
                });
            }
            Err(Vault::Absent { name }) if name.ends_with(id) => {}
            Err(error) => reason = Some(error),
        }
    }
    Err(reason.map_or_else(|| unknown(What::Snapshot, id), |error| broken(id, error)))
}

/// A snapshot, and the vaults that its files are in.
struct Found {
    reach: Reach,
    snapshot: Snapshot,
    contents: Contents,
}

impl Found {
    /// What it holds of the identity, from the first vault that has it sound.
    async fn identity(&self, kind: IdentityKind) -> Result<Option<Vec<u8>>, Vault> {
        let mut first = None;
        for vault in self.reach.vaults() {
            match identity_part(vault, &self.snapshot, &self.contents, kind).await {
                Ok(part) => return Ok(part),
                Err(error) => first = first.or(Some(error)),
            }
        }
        first.map_or(Ok(None), Err)
    }

    /// The keys that the account's own log gives, which proves itself by the DID. A did:web has no log: its document of
    /// that day names the key, and where there is none the manifest has to be believed. Errors: why there are none.
    async fn keys(&self) -> Result<KeyHistory, String> {
        let did = &self.snapshot.manifest.body.did;
        if did.method() == Method::Plc {
            let log = self.identity(IdentityKind::AuditLog).await;
            let log = log.map_err(|error| error.to_string())?;
            let entries = plc::parse_log(&log.ok_or("the identity's log is not in it")?);
            let audit = plc::audit(Some(did), &entries.map_err(|error| error.to_string())?);
            if let Some(problem) = audit.problems().first() {
                return Err(format!("the identity's log does not hold: {}", problem.fault.code()));
            }
            return audit
                .key_history()
                .ok_or_else(|| "the identity's log names no key".to_owned());
        }
        let document = self.identity(IdentityKind::DidDocument).await.ok().flatten();
        let key = document
            .and_then(|bytes| DidDocument::parse(did, &bytes).ok())
            .and_then(|document| document.signing_key);
        Ok(key.map_or_else(
            || self.snapshot.manifest.signing_history(),
            |key| KeyHistory::of_key(did.clone(), key),
        ))
    }
}

fn broken(id: &str, error: impl ToString) -> Error {
    Error::SnapshotBroken {
        id: id.to_owned(),
        reason: error.to_string(),
    }
}

/// Largest thing that is known of an identity, in bytes.
const MAX_IDENTITY: u64 = 32 << 20;

/// What a snapshot holds of the identity, as it was served.
pub(crate) async fn identity_part(
    vault: &skykeep_vault::Vault,
    snapshot: &Snapshot,
    contents: &Contents,
    kind: IdentityKind,
) -> Result<Option<Vec<u8>>, Vault> {
    let manifest = &snapshot.manifest;
    let Some(part) = manifest.body.identity.iter().find(|part| part.what == kind.as_str()) else {
        return Ok(None);
    };
    let named = |object: &&skykeep_vault::Object| object.name == part.name && object.kind == Kind::Identity(kind);
    match contents.identity.iter().find(named) {
        Some(object) => vault
            .read_object(&manifest.account, object, MAX_IDENTITY)
            .await
            .map(Some),
        None => Ok(None),
    }
}

fn empty_folder(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::data(folder))?;
    let mut entries = fs::read_dir(folder).map_err(Error::data(folder))?;
    if entries.next().is_some() {
        return Err(Error::ExportNotEmpty {
            path: folder.to_owned(),
        });
    }
    Ok(())
}

fn readme(snapshot: &Snapshot, exported: &Exported) -> String {
    let body = &snapshot.manifest.body;
    let handle = body
        .handle
        .as_ref()
        .map_or_else(|| body.did.to_string(), ToString::to_string);
    let values: [(&str, Value); 9] = [
        ("handle", handle.into()),
        ("did", body.did.to_string().into()),
        ("taken", snapshot.manifest.captured.to_string().into()),
        ("rev", body.commit.rev.to_string().into()),
        ("commit", body.commit.cid.to_string().into()),
        ("key", body.signing.key.to_string().into()),
        ("records", exported.records.into()),
        ("blobs", exported.blobs.into()),
        ("missing", exported.missing.len().into()),
    ];
    words(&["export"], "readme", &values)
}
