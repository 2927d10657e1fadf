//! Several writers on one folder at the same time.

use std::sync::Arc;

use jiff::SignedDuration;
use skykeep_vault::{FolderStore, Vault, check};

use crate::account::{Account, files, folder_vault, now, on, read_back, scratch, writer_key};

#[tokio::test(flavor = "multi_thread")]
async fn three_computers_back_up_one_account_into_one_folder() {
    let root = scratch();
    folder_vault(root.path(), &writer_key(1)).await;
    for round in 0..6u8 {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 1..=3u8 {
            let root = root.path().to_owned();
            tasks.spawn(async move {
                let key = writer_key(n);
                let store = FolderStore::open(root, key.id()).await.unwrap();
                let vault = Vault::open(Arc::new(store), None).await.unwrap();
                let mut account = Account::new("alice", 31, 60);
                for hour in 0..round {
                    account.post(u64::from(hour), 2);
                }
                let time = now() + SignedDuration::from_hours(round.into());
                let snapshot = account.run(&vault, &key, time).await.unwrap().pop().unwrap();
                (snapshot, account.car())
            });
        }
        let vault = folder_vault(root.path(), &writer_key(1)).await;
        for (snapshot, car) in tasks.join_all().await {
            assert!(read_back(&vault, &snapshot).await.unwrap() == car, "round {round}");
        }
    }
    let vault = folder_vault(root.path(), &writer_key(1)).await;
    let report = check(&vault, &mut on).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    // Equal captures are equal files: one base, one file for each increment, whoever made it first.
    let account = Account::new("alice", 31, 60);
    let kept = files(&root.path().join(account.folder().path().as_str()).join("repo"));
    assert!(kept.len() <= 2 * 6, "{kept:?}");
    let snapshots = vault.snapshots(&account.folder()).await.unwrap();
    assert!(snapshots.findings.is_empty(), "{:?}", snapshots.findings);
    assert!(snapshots.sound.len() >= 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_computers_make_one_vault_at_once() {
    let root = scratch();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 1..=8u8 {
        let root = root.path().to_owned();
        tasks.spawn(async move { *folder_vault(&root, &writer_key(n)).await.id() });
    }
    let ids = tasks.join_all().await;
    let vault = folder_vault(root.path(), &writer_key(1)).await;
    assert!(ids.iter().all(|id| vault.is(id)));
    assert_eq!(vault.id(), ids.iter().min().unwrap());
    let report = check(&vault, &mut on).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
}
