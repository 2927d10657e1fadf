//! The vault on exFAT, as family drives have it: no links, no permissions, no upper and lower case told apart.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use skykeep_tests::exfat::Drive;
use skykeep_vault::{Error, FolderStore, Vault, check};

use crate::account::{Account, folder_vault, now, on, read_back, writer_key};
use crate::store_contract::{folder, keeps_the_contract, takes_many_at_once};

/// A drive, or `None` after saying why not.
fn drive(test: &str, megabytes: u64) -> Option<Drive> {
    match Drive::new(megabytes) {
        Ok(drive) => Some(drive),
        Err(reason) => {
            skykeep_tests::skipped(test, reason);
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exfat_keeps_the_contract() {
    let Some(drive) = drive("exfat_keeps_the_contract", 64) else {
        return;
    };
    keeps_the_contract(&folder(&drive.path()).await).await;
    takes_many_at_once(Arc::new(folder(&drive.path()).await), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_lives_on_exfat() {
    let Some(drive) = drive("a_vault_lives_on_exfat", 64) else {
        return;
    };
    let key = writer_key(1);
    let root = drive.path().join("Skykeep");
    let vault = folder_vault(&root, &key).await;
    let mut account = Account::new("alice", 81, 100);
    let mut last = None;
    for hour in 0..3 {
        let time = now() + SignedDuration::from_hours(hour);
        last = account.run(&vault, &key, time).await.unwrap().pop();
        account.post(hour as u64, 3);
    }
    // Unplugged properly and back again.
    drive.unmount();
    let error = FolderStore::open(&root, key.id()).await.unwrap_err();
    assert!(matches!(error, Error::Missing), "{error}");
    drive.mount().unwrap();
    let vault = open(&root).await;
    read_back(&vault, &last.unwrap()).await.unwrap();
    let report = check(&vault, &mut on).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
}

async fn open(root: &Path) -> Vault {
    let store = FolderStore::open(root, writer_key(1).id()).await.unwrap();
    Vault::open(Arc::new(store), None).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cable_pulled_in_the_middle_loses_nothing_that_was_whole() {
    let test = "a_cable_pulled_in_the_middle_loses_nothing_that_was_whole";
    let Some(drive) = drive(test, 64) else { return };
    let key = writer_key(1);
    let root = drive.path().join("Skykeep");
    let mut account = Account::new("alice", 82, 150);
    let vault = folder_vault(&root, &key).await;
    let good = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    let car = account.car();
    for round in 1..4u8 {
        account.post(u64::from(round), 40);
        let time = now() + SignedDuration::from_hours(round.into());
        // Pulled while the run is under way: at its n-th write, by way of the content it writes.
        let frail = skykeep_tests::frail::FrailStore::failing_at(
            Arc::new(FolderStore::open(&root, key.id()).await.unwrap()),
            u64::from(round),
            skykeep_tests::frail::Fate::Nothing,
        );
        let frail = Arc::new(frail);
        let vault = Vault::open(Arc::clone(&frail) as Arc<dyn skykeep_vault::Store>, None)
            .await
            .unwrap();
        let (stopped, ()) = tokio::join!(account.run(&vault, &key, time), async {
            while !frail.is_gone() {
                tokio::task::yield_now().await;
            }
            drive.unplug();
        });
        assert!(matches!(stopped, Err(Error::Missing)), "{stopped:?}");
        let gone = FolderStore::open(&root, key.id()).await;
        assert!(matches!(gone, Err(Error::Missing)), "{gone:?}");
        drive.unmount();
        drive.mount().unwrap();
        let vault = open(&root).await;
        assert!(read_back(&vault, &good).await.unwrap() == car, "round {round}");
        let next = account.run(&vault, &key, time).await.unwrap().pop().unwrap();
        assert!(
            read_back(&vault, &next).await.unwrap() == account.car(),
            "round {round}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_drive_keeps_what_it_has_and_goes_on_when_there_is_room() {
    let test = "a_full_drive_keeps_what_it_has_and_goes_on_when_there_is_room";
    let Some(drive) = drive(test, 16) else { return };
    let key = writer_key(1);
    let root = drive.path().join("Skykeep");
    let vault = folder_vault(&root, &key).await;
    let mut account = Account::new("alice", 83, 60);
    let good = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    let car = account.car();
    let filler = drive.path().join("Holiday.mov");
    let file = fs::File::create(&filler).unwrap();
    while std::io::Write::write(&mut &file, &[0; 4096]).is_ok_and(|written| written == 4096) {}
    drop(file);
    account.post(1, 30);
    let full = account.run(&vault, &key, now() + SignedDuration::from_hours(1)).await;
    assert!(matches!(full, Err(Error::Full { .. })), "{full:?}");
    assert!(read_back(&vault, &good).await.unwrap() == car);
    fs::remove_file(filler).unwrap();
    let next = account
        .run(&vault, &key, now() + SignedDuration::from_hours(1))
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert!(read_back(&vault, &next).await.unwrap() == account.car());
}
