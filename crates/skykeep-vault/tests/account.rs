//! A made-up account, and the run that an engine would make with it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use skykeep_atproto::verify::{RepoCheck, VerifiedBlob, VerifiedRepo};
use skykeep_atproto::{Cid, Curve, Did, KeyHistory, KeyPeriod, SigningKey};
use skykeep_tests::repo_maker::{Blob, Order, Repo};
use skykeep_vault::layout::AccountFolder;
use skykeep_vault::{
    Error, Facts, FolderStore, IdentityKind, MissingBlob, Origin, Progress, PutRepo, Reach, Snapshot, Vault, Writer,
    WriterKey,
};

/// When the first run is.
pub(crate) const NOW: &str = "2026-11-22T14:00:00Z";

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A folder of its own for a test, gone with it: in memory where there is such a place, because most of these tests sync
/// thousands of files and none of them can see whether a disk did it.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// One vault writer.
pub(crate) fn writer_key(n: u8) -> WriterKey {
    WriterKey::from_bytes(&[n; 32])
}

/// Lets everything go on to its end.
pub(crate) fn on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// An account on a host: its repository, and the bytes of its media.
pub(crate) struct Account {
    pub(crate) repo: Repo,
    pub(crate) history: KeyHistory,
    media: HashMap<Cid, Blob>,
}

impl Account {
    pub(crate) fn new(name: &str, seed: u64, records: usize) -> Self {
        let letters: String = name
            .chars()
            .chain("2222222222222222222222222".chars())
            .take(24)
            .collect();
        let did: Did = format!("did:plc:{letters}").parse().unwrap();
        let key = SigningKey::from_bytes(Curve::K256, &[7; 32]).unwrap();
        let repo = Repo::new(&did, &key, seed, records);
        let media = repo.blobs().iter().map(|blob| (blob.cid, *blob)).collect();
        let period = KeyPeriod {
            key: key.did_key(),
            operation: None,
            from: None,
            until: None,
        };
        let history = KeyHistory {
            did,
            keys: vec![period],
            undone: Vec::new(),
        };
        Self { repo, history, media }
    }

    pub(crate) fn did(&self) -> &Did {
        self.repo.did()
    }

    pub(crate) fn folder(&self) -> AccountFolder {
        AccountFolder::of(self.did()).unwrap()
    }

    /// An hour of posting.
    pub(crate) fn post(&mut self, seed: u64, count: usize) {
        let writes = self.repo.writes(seed, count);
        self.repo.apply(&writes);
    }

    /// Takes some of the media from the host until they are given back.
    pub(crate) fn withhold(&mut self, count: usize) -> HashMap<Cid, Blob> {
        let some: Vec<Cid> = self.media.keys().take(count).copied().collect();
        let taken = some.iter().filter_map(|cid| self.media.remove_entry(cid));
        taken.collect()
    }

    /// The host has these again.
    pub(crate) fn give_back(&mut self, media: HashMap<Cid, Blob>) {
        self.media.extend(media);
    }

    /// The canonical CAR of what the account is now, as the repository maker writes it.
    pub(crate) fn car(&self) -> Vec<u8> {
        self.repo.car(Order::Tree, None)
    }

    /// One run: fetch, prove, put, commit with pending media, fetch media, commit again.
    pub(crate) async fn run(&self, vault: &Vault, key: &WriterKey, time: Timestamp) -> Result<Vec<Snapshot>, Error> {
        self.run_within(&vault.into(), key, time).await
    }

    /// As [`Account::run`] in the first of these vaults, with the others at hand.
    pub(crate) async fn run_within(
        &self,
        reach: &Reach,
        key: &WriterKey,
        time: Timestamp,
    ) -> Result<Vec<Snapshot>, Error> {
        reach.vaults()[0].store().sweep(time).await?;
        let mut writer = Writer::begin_within(reach, self.did(), key).await?;
        let scratch = scratch();
        let (repo, files) = self.prove_within(reach, &writer, scratch.path()).await?;
        let put = writer.put_repo(&repo, &self.history, files).await?;
        let log = format!("[{{\"did\":\"{}\"}}]", self.did());
        writer
            .put_identity(IdentityKind::AuditLog, log.clone().into_bytes())
            .await?;
        writer
            .put_identity(IdentityKind::DidDocument, b"{\"id\":1}".to_vec())
            .await?;
        let lacking = writer.lacks(repo.blobs());
        let missing: Vec<MissingBlob> = lacking
            .iter()
            .filter(|blob| !self.media.contains_key(&blob.cid))
            .map(|blob| MissingBlob::new(blob, "not_found"))
            .collect();
        let pending = (lacking.len() - missing.len()) as u64;
        let mut snapshots = vec![writer.commit(self.facts(time, missing.clone(), pending)).await?];
        if pending > 0 {
            for blob in &lacking {
                let Some(bytes) = self.media.get(&blob.cid).map(Blob::bytes) else {
                    continue;
                };
                if writer.adopt_blob(blob).await? {
                    continue;
                }
                let verified = VerifiedBlob::copy(blob.cid, bytes.as_slice(), std::io::sink(), 1 << 20).unwrap();
                writer.put_blob(blob, &verified, Cursor::new(bytes)).await?;
            }
            snapshots.push(writer.commit(self.facts(time, missing, 0)).await?);
        }
        assert!(put != PutRepo::Unchanged || pending == 0 || snapshots.len() == 2);
        Ok(snapshots)
    }

    /// What was fetched, proved together with what is kept.
    pub(crate) async fn prove(
        &self,
        vault: &Vault,
        writer: &Writer,
        scratch: &Path,
    ) -> Result<(Arc<VerifiedRepo>, Vec<File>), Error> {
        self.prove_within(&vault.into(), writer, scratch).await
    }

    async fn prove_within(
        &self,
        reach: &Reach,
        writer: &Writer,
        scratch: &Path,
    ) -> Result<(Arc<VerifiedRepo>, Vec<File>), Error> {
        let mut files = match writer.chain().filter(|_| writer.head().is_some()) {
            Some(contents) => reach.repo_files(writer.account(), contents, scratch).await?,
            None => Vec::new(),
        };
        let path = scratch.join("fetched.car");
        fs::write(&path, self.repo.car(Order::Pds, None)).unwrap();
        files.push(File::open(path).unwrap());
        let mut check = RepoCheck::of(&self.history).root(self.repo.root());
        if let Some(head) = writer.head() {
            check = check.from(head);
        }
        let checked = check.run(&mut files)?;
        let repo = checked.repo.ok_or_else(|| Error::Invalid {
            name: "repository".to_owned(),
            reason: format!("{:?}", checked.report.findings),
        })?;
        Ok((Arc::new(repo), files))
    }

    pub(crate) fn facts(&self, captured: Timestamp, missing: Vec<MissingBlob>, pending: u64) -> Facts {
        Facts {
            captured,
            server_time: None,
            handle: Some("alice.test".parse().unwrap()),
            host: "http://localhost:2583".to_owned(),
            host_did: Some("did:web:localhost".parse().unwrap()),
            server_rev: Some(self.repo.rev()),
            audit_head: None,
            origin: Origin::Captured,
            missing,
            pending,
        }
    }

    /// Whether the host has this blob.
    pub(crate) fn has(&self, cid: &Cid) -> bool {
        self.media.contains_key(cid)
    }

    /// How many different media the records refer to.
    pub(crate) fn media(&self) -> usize {
        self.media.len()
    }
}

/// A store and a vault in a folder.
pub(crate) async fn folder_vault(root: &Path, key: &WriterKey) -> Vault {
    fs::create_dir_all(root).unwrap();
    let store = FolderStore::open(root, key.id()).await.unwrap();
    Vault::create(Arc::new(store), key, now()).await.unwrap()
}

/// A snapshot's repository as one CAR.
pub(crate) async fn read_car(vault: &Vault, snapshot: &Snapshot) -> Result<Vec<u8>, Error> {
    let scratch = scratch();
    let path = scratch.path().join("out.car");
    let out = File::create(&path).unwrap();
    vault.write_car(snapshot, scratch.path(), out).await?;
    Ok(fs::read(path).unwrap())
}

/// Reads everything that a snapshot consists of back. Errors: whatever is not whole.
pub(crate) async fn read_back(vault: &Vault, snapshot: &Snapshot) -> Result<Vec<u8>, Error> {
    let contents = vault.contents(snapshot).await?;
    for object in contents.objects() {
        vault.read_object(&snapshot.manifest.account, object, 1 << 30).await?;
    }
    read_car(vault, snapshot).await
}

/// Every file below a folder, by its path from there.
pub(crate) fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
