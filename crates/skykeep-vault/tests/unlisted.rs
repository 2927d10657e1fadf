//! Places that list less than they have: nothing is called missing before it was asked for by name.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use skykeep_vault::layout::StorePath;
use skykeep_vault::{
    Answer, Content, Depth, Fault, FolderStore, Listing, Portion, Probe, Reading, Store, Stored, Target, Vault, check,
    check_some,
};

use crate::account::{Account, now, on, scratch, writer_key};

/// A folder whose listings leave out every second file of those that lists name.
#[derive(Debug)]
struct Forgetful {
    store: FolderStore,
    /// How often it was asked for a file that it has not.
    in_vain: Arc<AtomicU64>,
}

impl Store for Forgetful {
    fn put(&self, target: Target, content: Content) -> Answer<'_, Stored> {
        self.store.put(target, content)
    }

    fn get<'a>(&'a self, path: &'a StorePath) -> Answer<'a, Option<Content>> {
        Box::pin(async move {
            let found = self.store.get(path).await?;
            self.in_vain.fetch_add(u64::from(found.is_none()), Ordering::SeqCst);
            Ok(found)
        })
    }

    fn confirm<'a>(&'a self, path: &'a StorePath) -> Answer<'a, ()> {
        self.store.confirm(path)
    }

    fn list<'a>(&'a self, folder: &'a StorePath, depth: Depth) -> Answer<'a, Listing> {
        Box::pin(async move {
            let mut listing = self.store.list(folder, depth).await?;
            let mut at = 0;
            listing.files.retain(|(path, _)| {
                at += 1;
                let named = ["/blobs/", "/repo/", "/identity/"];
                at % 2 == 0 || !named.iter().any(|folder| path.as_str().contains(folder))
            });
            Ok(listing)
        })
    }

    fn set_aside<'a>(&'a self, from: &'a StorePath, to: &'a StorePath) -> Answer<'a, ()> {
        self.store.set_aside(from, to)
    }

    fn probe(&self) -> Answer<'_, Probe> {
        self.store.probe()
    }

    fn sweep(&self, now: Timestamp) -> Answer<'_, u64> {
        self.store.sweep(now)
    }
}

/// A vault with one account and so many pictures, in a folder that lists half of it.
async fn forgetful(root: &Path, pictures: usize) -> (Vault, Arc<AtomicU64>) {
    let key = writer_key(1);
    let in_vain = Arc::new(AtomicU64::new(0));
    let store = Forgetful {
        store: FolderStore::open(root, key.id()).await.unwrap(),
        in_vain: Arc::clone(&in_vain),
    };
    let vault = Vault::create(Arc::new(store), &key, now()).await.unwrap();
    let account = Account::new("alice", 71, pictures);
    account.run(&vault, &key, now()).await.unwrap();
    (vault, in_vain)
}

/// Every file below a folder of the vault.
fn below(root: &Path, folder: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(below(&path, folder)),
            false if path.components().any(|part| part.as_os_str() == folder) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn what_is_there_and_not_listed_is_not_called_missing() {
    let dir = scratch();
    let (vault, _) = forgetful(dir.path(), 60).await;
    let all = crate::account::files(dir.path()).len() as u64;
    for reading in [Reading::All, Reading::Names, Reading::Portion(&Portion::default())] {
        let report = check_some(&vault, reading, &mut on).await.unwrap();
        assert!(report.is_sound(), "{reading:?}: {:?}", report.damages);
        assert_eq!(report.of_files, all, "{reading:?}");
    }
    let report = check(&vault, &mut on).await.unwrap();
    assert_eq!(
        (report.files, report.bytes),
        (all, report.of_bytes),
        "all was read, listed or not"
    );
}

#[tokio::test]
async fn what_is_wrong_with_an_unlisted_file_is_found() {
    let dir = scratch();
    let (vault, _) = forgetful(dir.path(), 60).await;
    let blobs = below(dir.path(), "blobs");
    for blob in &blobs {
        let bytes = fs::read(blob).unwrap();
        for (hurt, fault) in [(None, Fault::Missing), (Some(flipped(&bytes)), Fault::Damaged)] {
            match hurt {
                Some(hurt) => fs::write(blob, hurt).unwrap(),
                None => fs::remove_file(blob).unwrap(),
            }
            let report = check(&vault, &mut on).await.unwrap();
            let found: Vec<Fault> = report.damages.iter().map(|damage| damage.fault).collect();
            assert_eq!(found, [fault], "{}", blob.display());
            // Whoever reads it again, to see whether it was mended, is not satisfied with its length.
            let again = Portion {
                first: report.damages.iter().map(|damage| damage.file.path()).collect(),
                ..Portion::default()
            };
            let report = check_some(&vault, Reading::Portion(&again), &mut on).await.unwrap();
            let found: Vec<Fault> = report.damages.iter().map(|damage| damage.fault).collect();
            assert_eq!(found, [fault], "again, {}", blob.display());
        }
        fs::write(blob, &bytes).unwrap();
    }
    assert!(blobs.len() > 3, "listed ones and others");
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[0] ^= 1;
    bytes
}

#[tokio::test]
async fn a_place_that_was_emptied_is_not_asked_for_every_file() {
    let dir = scratch();
    let (vault, in_vain) = forgetful(dir.path(), 4_000).await;
    let blobs = below(dir.path(), "blobs");
    assert!(blobs.len() > 150, "{}: more than are asked for", blobs.len());
    for blob in &blobs {
        fs::remove_file(blob).unwrap();
    }
    in_vain.store(0, Ordering::SeqCst);
    let report = check(&vault, &mut on).await.unwrap();
    let missing = report.damages.iter().filter(|damage| damage.fault == Fault::Missing);
    assert_eq!(missing.count(), blobs.len());
    let asked = in_vain.load(Ordering::SeqCst);
    assert!((100..130).contains(&asked), "{asked} questions");
}
