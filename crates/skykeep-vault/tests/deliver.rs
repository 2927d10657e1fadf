//! Delivery: what a place lacks, the manifest last, and nothing twice.

use std::fs;
use std::ops::ControlFlow;

use jiff::SignedDuration;
use skykeep_vault::{Error, check, deliver};

use crate::account::{Account, files, folder_vault, now, on, read_back, scratch, writer_key};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[tokio::test]
async fn a_place_gets_every_snapshot_and_later_only_what_is_new() {
    let (a, b) = (scratch(), scratch());
    let key = writer_key(1);
    let (staging, place) = (folder_vault(a.path(), &key).await, folder_vault(b.path(), &key).await);
    let mut account = Account::new("alice", 41, 150);
    let folder = account.folder();
    account.run(&staging, &key, now()).await.unwrap();
    let first = deliver(&[&staging], &place, &folder, &mut on).await.unwrap();
    assert_eq!(first.snapshots.len(), 2);
    account.post(1, 3);
    let snapshot = account.run(&staging, &key, now() + HOUR).await.unwrap().pop().unwrap();
    let mut seen = Vec::new();
    let mut watch = |progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    };
    let second = deliver(&[&staging], &place, &folder, &mut watch).await.unwrap();
    // The increment, its list, perhaps a list of missing media, and manifests.
    assert!(second.files <= 5 && second.bytes < 60_000, "{second:?}");
    assert!(
        seen.iter()
            .all(|progress| progress.files <= progress.of_files && progress.bytes <= progress.of_bytes)
    );
    assert!(read_back(&place, &snapshot).await.unwrap() == account.car());
    // All of the account is the same in both, byte for byte.
    for file in files(a.path()).into_iter().filter(|file| file.starts_with("accounts")) {
        assert_eq!(
            fs::read(a.path().join(&file)).unwrap(),
            fs::read(b.path().join(&file)).unwrap()
        );
    }
    let third = deliver(&[&staging], &place, &folder, &mut on).await.unwrap();
    assert_eq!((third.files, third.bytes, third.snapshots.len()), (0, 0, 0));
}

#[tokio::test]
async fn a_delivery_that_is_stopped_goes_on_where_it_was() {
    let (a, b) = (scratch(), scratch());
    let key = writer_key(1);
    let (staging, place) = (folder_vault(a.path(), &key).await, folder_vault(b.path(), &key).await);
    let account = Account::new("alice", 42, 200);
    account.run(&staging, &key, now()).await.unwrap();
    let whole = files(a.path())
        .iter()
        .filter(|file| file.starts_with("accounts"))
        .count() as u64;
    let (mut rounds, mut copied) = (0, 0);
    loop {
        let mut watch = |progress: skykeep_vault::Progress| {
            if progress.files < 12 {
                return ControlFlow::Continue(());
            }
            copied += progress.files;
            ControlFlow::Break(())
        };
        match deliver(&[&staging], &place, &account.folder(), &mut watch).await {
            Err(Error::Stopped) => rounds += 1,
            result => {
                copied += result.unwrap().files;
                break;
            }
        }
        assert!(rounds < 100);
    }
    // What was on its way when it stopped may be copied twice, nothing else.
    assert!(
        rounds > 0 && copied <= whole,
        "{rounds} rounds, {copied} of {whole} files"
    );
    assert!(check(&place, &mut on).await.unwrap().is_sound());
}

#[tokio::test]
async fn what_one_source_has_damaged_comes_from_another() {
    let roots: Vec<_> = (0..3).map(|_| scratch()).collect();
    let key = writer_key(1);
    let staging = folder_vault(roots[0].path(), &key).await;
    let other = folder_vault(roots[1].path(), &key).await;
    let place = folder_vault(roots[2].path(), &key).await;
    let account = Account::new("alice", 43, 100);
    let folder = account.folder();
    let snapshot = account.run(&staging, &key, now()).await.unwrap().pop().unwrap();
    deliver(&[&staging], &other, &folder, &mut on).await.unwrap();
    let objects = staging.contents(&snapshot).await.unwrap();
    for (n, object) in objects.objects().enumerate() {
        let path = roots[0].path().join(folder.file(&object.name).as_str());
        match n % 3 {
            0 => fs::remove_file(path).unwrap(),
            1 => fs::write(path, vec![0; usize::try_from(object.size).unwrap()]).unwrap(),
            _ => {}
        }
    }
    // Alone it cannot, and it says what is wrong; nothing half arrives.
    let delivered = deliver(&[&staging], &place, &folder, &mut on).await.unwrap();
    assert_eq!((delivered.snapshots.len(), delivered.undelivered.len()), (0, 2));
    assert!(place.snapshots(&folder).await.unwrap().sound.is_empty());
    let delivered = deliver(&[&staging, &other], &place, &folder, &mut on).await.unwrap();
    assert_eq!(
        (delivered.snapshots.len(), delivered.undelivered.len()),
        (2, 0),
        "{delivered:?}"
    );
    assert!(read_back(&place, &snapshot).await.unwrap() == account.car());
}

#[tokio::test]
async fn a_rebase_does_not_send_media_again() {
    let (a, b) = (scratch(), scratch());
    let key = writer_key(1);
    let (staging, place) = (folder_vault(a.path(), &key).await, folder_vault(b.path(), &key).await);
    let mut account = Account::new("alice", 44, 40);
    let folder = account.folder();
    for hour in 0..30 {
        let snapshot = account
            .run(&staging, &key, now() + HOUR * hour)
            .await
            .unwrap()
            .pop()
            .unwrap();
        let delivered = deliver(&[&staging], &place, &folder, &mut on).await.unwrap();
        let rebased = staging.contents(&snapshot).await.unwrap().increments.is_empty();
        if hour > 0 {
            assert!(delivered.files <= 6, "hour {hour}, rebased {rebased}: {delivered:?}");
        }
        if hour > 0 && rebased {
            assert!(read_back(&place, &snapshot).await.unwrap() == account.car());
            return;
        }
        account.post(hour as u64, 8);
    }
    panic!("no rebase in 30 hours");
}
