//! Three computers, three people, and everything they write to at the same time: a folder, a drive and a bucket.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use skykeep_atproto::Did;
use skykeep_engine::BucketKeys;
use skykeep_engine::api::{BucketAddress, RunEnd, Whose};
use skykeep_engine::keys::Secret;
use skykeep_tests::exfat::Drive;
use skykeep_tests::keep::Keep;
use skykeep_tests::network::{Network, Session};
use skykeep_tests::repo_maker::seeded::{Seeded, exhaustive};
use skykeep_tests::s3::{BUCKET, KEY, Kind, S3Server, SECRET};
use skykeep_vault::layout::AccountFolder;
use skykeep_vault::{Addressing, FolderStore, Reach, S3Credentials, S3Settings, S3Store, Store, Vault, WriterKey};
use tokio::task::JoinSet;

/// Who keeps whom: alice has two computers, bob is kept by two people.
const KEPT: [&[usize]; 3] = [&[0], &[0, 1], &[1, 2]];

#[tokio::test(flavor = "multi_thread")]
async fn three_computers_share_a_folder_a_drive_and_a_bucket() {
    let rounds = if exhaustive() { 16 } else { 2 };
    let network = Network::start().await.unwrap();
    let family = network.seed_family(network.a(), 40).await.unwrap();
    let mut sessions = Vec::new();
    for account in &family {
        sessions.push(network.a().sign_in(account).await.unwrap());
    }
    let server = S3Server::start(Kind::SeaweedFs).unwrap();
    let shared = tempfile::tempdir().unwrap();
    let mut folders = vec![shared.path().join("Skykeep")];
    // Without such drives the test is still one of a folder and a bucket.
    let drive = Drive::new(64);
    match &drive {
        Ok(drive) => folders.push(drive.path().join("Skykeep")),
        Err(reason) => skykeep_tests::skipped("three_computers_share_a_drive", reason),
    }

    // All of them make the places at once: each is one vault afterwards.
    let mut making = JoinSet::new();
    for kept in KEPT {
        let keep = Keep::empty(&network).await;
        let people: Vec<String> = kept.iter().map(|who| family[*who].handle.clone()).collect();
        let (folders, endpoint) = (folders.clone(), server.endpoint());
        making.spawn(async move {
            for folder in &folders {
                keep.engine.add_folder(folder, None).await.unwrap();
            }
            let keys = BucketKeys::new(KEY, Secret::new(SECRET.to_owned()));
            keep.engine.add_bucket(&bucket(&endpoint), &keys, None).await.unwrap();
            for handle in people {
                let person = keep.engine.look_up(&handle).await.unwrap();
                keep.engine.add_account(&person, Whose::Mine).await.unwrap();
            }
            keep
        });
    }
    let keeps = making.join_all().await;

    for round in 0..rounds {
        for session in &sessions {
            write(session, round).await;
        }
        let mut runs = JoinSet::new();
        for keep in &keeps {
            for account in keep.engine.accounts().await.unwrap() {
                let (engine, did) = (keep.engine.clone(), account.did.parse::<Did>().unwrap());
                runs.spawn(async move { (did.to_string(), engine.back_up(&did).await.unwrap()) });
            }
        }
        for (did, end) in runs.join_all().await {
            assert_eq!(end, RunEnd::Completed { changed: true }, "round {round}: {did}");
        }
    }

    let mut vaults = Vec::new();
    for folder in &folders {
        vaults.push(open(Arc::new(FolderStore::open(folder, somebody().id()).await.unwrap())).await);
    }
    vaults.push(open(Arc::new(bucket_store(&server.endpoint(), shared.path()))).await);
    for vault in &vaults {
        for (who, account) in family.iter().enumerate() {
            let writers = KEPT.iter().filter(|kept| kept.contains(&who)).count();
            holds_everything(vault, &account.did, writers, rounds, &shared.path().join("scratch")).await;
        }
    }
    // Each computer finds every place sound, whoever wrote what is in it.
    for keep in &keeps {
        let checks = keep.engine.check(None).await.unwrap();
        assert_eq!(checks.len(), vaults.len());
        for check in checks {
            let hurt = (check.damaged, check.mended, check.touched_snapshots);
            assert_eq!(hurt, (vec![], vec![], vec![]), "{}", check.place);
        }
    }
    println!("{rounds} rounds, {} places", vaults.len());
}

/// All that every writer committed is there once, and every snapshot reads back whole and proved.
async fn holds_everything(vault: &Vault, did: &str, writers: usize, rounds: usize, scratch: &Path) {
    let folder = AccountFolder::of(&did.parse().unwrap()).unwrap();
    let snapshots = vault.snapshots(&folder).await.unwrap();
    assert!(snapshots.findings.is_empty(), "{:?}", snapshots.findings);
    // Posts first, then everything: two manifests where pictures came.
    assert!(
        snapshots.sound.len() >= writers * rounds,
        "{} snapshots",
        snapshots.sound.len()
    );
    let mut found: Vec<_> = snapshots.sound.iter().map(|snapshot| snapshot.name.writer).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), writers);
    std::fs::create_dir_all(scratch).unwrap();
    let (mut cars, mut commits) = (Vec::new(), Vec::new());
    for snapshot in &snapshots.sound {
        let contents = vault.contents(snapshot).await.unwrap();
        let lacking = Reach::from(vault).lacks(&folder, &contents).await.unwrap();
        assert!(lacking.is_empty(), "{}: {lacking:?}", snapshot.name);
        let keys = snapshot.manifest.signing_history();
        vault.prove(snapshot, &keys, scratch).await.unwrap();
        cars.extend(contents.repo().map(|object| object.name.to_string()));
        commits.push(snapshot.manifest.body.commit.cid);
    }
    cars.sort_unstable();
    cars.dedup();
    commits.sort_unstable();
    commits.dedup();
    // Equal captures are equal files: one for each commit, however many computers brought it.
    assert_eq!((cars.len(), commits.len()), (rounds, rounds), "{cars:?}");
}

/// A few posts, and a picture in every round but the first.
async fn write(session: &Session, round: usize) {
    session.post(&format!("Round {round}")).await.unwrap();
    session.post("And something else").await.unwrap();
    if round > 0 {
        let bytes = Seeded::new(round as u64).bytes(40_000);
        let picture = session.upload_blob(bytes, "application/octet-stream").await.unwrap();
        let drawing = json!({ "$type": "com.example.drawing", "picture": picture });
        session.create_record("com.example.drawing", drawing).await.unwrap();
    }
}

fn bucket(endpoint: &str) -> BucketAddress {
    BucketAddress {
        endpoint: endpoint.to_owned(),
        bucket: BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        prefix: "family".to_owned(),
        in_host: false,
    }
}

fn bucket_store(endpoint: &str, scratch: &Path) -> S3Store {
    let settings = S3Settings {
        endpoint: endpoint.to_owned(),
        bucket: BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        prefix: "family".to_owned(),
        addressing: Addressing::Path,
    };
    S3Store::new(&settings, &S3Credentials::new(KEY, SECRET), somebody().id(), scratch).unwrap()
}

async fn open(store: Arc<dyn Store>) -> Vault {
    Vault::open(store, None).await.unwrap()
}

/// Whoever comes later, with a key of their own.
fn somebody() -> WriterKey {
    WriterKey::from_bytes(&[7; 32])
}
