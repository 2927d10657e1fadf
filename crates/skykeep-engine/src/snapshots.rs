//! Snapshots: listing them, comparing two, and writing one out for any other tool.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skykeep_atproto::Did;
use skykeep_atproto::plc::KeyHistory;
use skykeep_atproto::verify::{RepoCheck, VerifiedRepo};
use skykeep_vault::layout::{AccountFolder, SnapshotName};
use skykeep_vault::{Contents, IdentityKind, Kind, Snapshot, Vault};
use tracing::info;

use crate::api::{self, Comparison};
use crate::engine::unknown;
use crate::words::words;
use crate::{Engine, Error, backup, blocking};

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Engine {
    /// The snapshots of an account, newest first. Errors: `Unknown`.
    pub async fn snapshots(&self, did: &Did) -> Result<Vec<api::Snapshot>, Error> {
        let settings = self.inner.settings();
        let account = settings.account(did).ok_or_else(|| unknown("account", did))?;
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
    /// Every byte is proved again on the way. Errors: `Unknown`, `ExportNotEmpty`, `SnapshotBroken`, `Data`.
    pub async fn export(&self, did: &Did, snapshot: Option<&str>, folder: &Path) -> Result<Exported, Error> {
        empty_folder(folder)?;
        let id = match snapshot {
            Some(id) => id.to_owned(),
            None => self
                .snapshots(did)
                .await?
                .first()
                .map(|s| s.id.clone())
                .ok_or_else(|| unknown("snapshot", did))?,
        };
        let found = self.find_whole(did, &id).await?;
        let (vault, account) = (&found.vault, &found.snapshot.manifest.account);
        let broken = |source: skykeep_vault::Error| Error::SnapshotBroken {
            id: id.clone(),
            reason: source.to_string(),
        };

        let car_path = folder.join("repo.car");
        let car = File::create(&car_path).map_err(Error::data(&car_path))?;
        let scratch = self.inner.data.incoming();
        let written = vault.write_car(&found.snapshot, &scratch, car).await.map_err(broken)?;

        let needed = self.read_repo(did, &id).await?;
        let blobs = folder.join("blobs");
        fs::create_dir(&blobs).map_err(Error::data(&blobs))?;
        let (mut count, mut missing) = (0, Vec::new());
        for blob in needed.blobs() {
            let Some(object) = found.contents.blobs.get(&blob.cid) else {
                missing.push(blob.cid.to_string());
                continue;
            };
            let path = blobs.join(blob.cid.to_string());
            let file = File::create(&path).map_err(Error::data(&path))?;
            match vault.copy_object(account, object, file).await {
                Ok(()) => count += 1,
                Err(error) => {
                    fs::remove_file(&path).map_err(Error::data(&path))?;
                    missing.push(format!("{} ({error})", blob.cid));
                }
            }
        }
        for (kind, name) in [
            (IdentityKind::AuditLog, "plc-log.json"),
            (IdentityKind::DidDocument, "did.json"),
        ] {
            if let Some(bytes) = identity_part(vault, &found.snapshot, &found.contents, kind)
                .await
                .map_err(broken)?
            {
                let path = folder.join(name);
                fs::write(&path, bytes).map_err(Error::data(&path))?;
            }
        }
        let exported = Exported {
            folder: folder.to_owned(),
            snapshot: id.clone(),
            car_bytes: written.len,
            records: needed.record_count(),
            blobs: count,
            missing,
        };
        let path = folder.join("README.txt");
        fs::write(&path, readme(&found.snapshot, &exported)).map_err(Error::data(&path))?;
        info!(%did, snapshot = %id, blobs = count, "exported");
        Ok(exported)
    }

    /// A snapshot's repository, proved again. Errors: `Unknown`, `SnapshotBroken`.
    pub(crate) async fn read_repo(&self, did: &Did, id: &str) -> Result<Arc<VerifiedRepo>, Error> {
        let found = self.find_whole(did, id).await?;
        let (snapshot, contents) = (&found.snapshot, &found.contents);
        let broken = |reason: String| Error::SnapshotBroken {
            id: id.to_owned(),
            reason,
        };
        let files = found
            .vault
            .repo_files(&snapshot.manifest.account, contents, &self.inner.data.incoming())
            .await;
        let mut files = files.map_err(|error| broken(error.to_string()))?;
        let body = &snapshot.manifest.body;
        let history = KeyHistory::of_key(body.did.clone(), body.signing.key);
        let commit = body.commit.cid;
        let checked = blocking(move || Ok(RepoCheck::of(&history).root(commit).run(&mut files)?)).await?;
        let finding = checked
            .report
            .findings
            .first()
            .map(|f| format!("{}: {}", f.code, f.detail))
            .unwrap_or_default();
        checked.repo.map(Arc::new).ok_or_else(|| broken(finding))
    }

    /// A snapshot where it can be read: staging first, then the places. Errors: `Unknown`, `SnapshotBroken`.
    async fn find_whole(&self, did: &Did, id: &str) -> Result<Found, Error> {
        let name: SnapshotName = id.parse().map_err(|_| unknown("snapshot", id))?;
        let account = AccountFolder::of(did).map_err(Error::Staging)?;
        let mut vaults = vec![self.inner.staging.clone()];
        for place in self.inner.settings().places {
            // A place that is not there has nothing to give.
            vaults.extend(backup::open(&self.inner, &place).await.ok());
        }
        let mut reason = None;
        for vault in vaults {
            let found = async {
                let snapshot = vault.snapshot(&account, &name).await?;
                let contents = vault.contents(&snapshot).await?;
                for object in contents.repo() {
                    // There at all; what is in it is proved by whoever reads it.
                    if vault.store().get(&account.file(&object.name)).await?.is_none() {
                        return Err(skykeep_vault::Error::Absent {
                            name: object.name.to_string(),
                        });
                    }
                }
                Ok(Found {
                    vault: vault.clone(),
                    snapshot,
                    contents,
                })
            };
            match found.await {
                Ok(found) => return Ok(found),
                Err(skykeep_vault::Error::Absent { name }) if name == id => {}
                Err(error) => reason = Some(error.to_string()),
            }
        }
        Err(reason.map_or_else(
            || unknown("snapshot", id),
            |reason| Error::SnapshotBroken {
                id: id.to_owned(),
                reason,
            },
        ))
    }
}

/// A snapshot and where it was found.
struct Found {
    vault: Vault,
    snapshot: Snapshot,
    contents: Contents,
}

/// Largest thing that is known of an identity, in bytes.
const MAX_IDENTITY: u64 = 32 << 20;

/// What a snapshot holds of the identity, as it was served.
pub(crate) async fn identity_part(
    vault: &Vault,
    snapshot: &Snapshot,
    contents: &Contents,
    kind: IdentityKind,
) -> Result<Option<Vec<u8>>, skykeep_vault::Error> {
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
    let values = [
        ("handle", handle),
        ("did", body.did.to_string()),
        ("taken", snapshot.manifest.captured.to_string()),
        ("rev", body.commit.rev.to_string()),
        ("commit", body.commit.cid.to_string()),
        ("key", body.signing.key.to_string()),
        ("records", exported.records.to_string()),
        ("blobs", exported.blobs.to_string()),
        ("missing", exported.missing.len().to_string()),
    ];
    words(&["export"], "readme", &values)
}
