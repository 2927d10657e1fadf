//! What a person looks at before and after anything is kept, over real servers: how much there is, what happened, what
//! changed, what is in a folder, whether the account could be had back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use skykeep_atproto::{Cid, Codec, Did};
use skykeep_engine::Error;
use skykeep_engine::api::{OpenedKind, ReadyWhat, RunEnd, Whose};
use skykeep_tests::keep::Keep;
use skykeep_tests::network::{Network, SeedOptions, Server};

/// Every file below a folder with the hash of its bytes.
fn hashes(folder: &Path) -> BTreeMap<String, Cid> {
    let mut all = BTreeMap::new();
    for name in skykeep_tests::keep::files_below(folder) {
        let bytes = fs::read(folder.join(&name)).unwrap();
        all.insert(name, Cid::of(Codec::Raw, &bytes));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_how_much_there_is_what_happened_and_what_changed() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 120))
        .await
        .unwrap();
    let did: Did = account.did.parse().unwrap();
    let keep = Keep::with_place(&network).await;
    let engine = &keep.engine;

    // Before anything is kept.
    let extent = engine.extent(&did).await.unwrap();
    assert_eq!(extent.records, Some(account.records), "a small tree is read whole");
    assert_eq!(
        (extent.media, extent.media_more),
        (Some(account.blobs.len() as u64), false)
    );
    assert!(extent.bytes.is_some() && extent.seconds.is_some());

    engine
        .add_account(&engine.look_up("alice.test").await.unwrap(), Whose::Mine)
        .await
        .unwrap();
    let before = jiff::Timestamp::now().as_millisecond();
    let ready = |account: &skykeep_engine::api::Account, what| {
        let line = account.readiness.lines.iter().find(|line| line.what == what).unwrap();
        (line.ready, line.since.is_some(), line.count, line.total)
    };
    let shown = engine.account(&did).await.unwrap();
    assert!(shown.readiness.lines.iter().all(|line| !line.ready));
    assert_eq!(engine.back_up(&did).await.unwrap(), RunEnd::Completed { changed: true });

    // The run and the two snapshots that it made are one event.
    let starts = [before - 3_600_000, before - 1000];
    let cells = engine.calendar(Some(&did), &starts).await.unwrap();
    assert_eq!((cells[0].kept, cells[1].kept, cells[1].failed), (0, 1, 0));
    assert!(matches!(
        engine.calendar(None, &vec![0; 2_001]).await,
        Err(Error::Calendar { cells: 2_001, .. })
    ));
    assert!(matches!(
        engine.storage(&[2, 1]).await,
        Err(Error::Calendar { cells: 2, .. })
    ));
    // A day that begins in between: what was kept lies in the later one.
    let storage = engine.storage(&starts).await.unwrap();
    let kept = engine.account(&did).await.unwrap().kept;
    assert_eq!((storage.accounts[0].bytes, storage.growth.len()), (kept.bytes, 1));
    let media: u64 = account.blobs.iter().map(|blob| blob.size).sum();
    assert_eq!(storage.accounts[0].media_bytes, media);

    // Media, freshness and identity are known; nobody checked, and no key is held.
    let shown = engine.account(&did).await.unwrap();
    assert_eq!(ready(&shown, ReadyWhat::Fresh), (true, true, 0, 0));
    let count = account.blobs.len() as u64;
    assert_eq!(ready(&shown, ReadyWhat::Media), (true, true, count, count));
    assert_eq!(ready(&shown, ReadyWhat::Identity), (true, true, 0, 0));
    assert_eq!(ready(&shown, ReadyWhat::Checked), (false, false, 0, 0));
    assert_eq!(ready(&shown, ReadyWhat::RecoveryKey), (false, false, 0, 0));
    engine.check(None).await.unwrap();
    let shown = engine.account(&did).await.unwrap();
    assert_eq!(ready(&shown, ReadyWhat::Checked), (true, true, 0, 0));

    // What changed, with the words of what is gone.
    let session = network.a().sign_in(&account).await.unwrap();
    let written = session.post("Soon gone").await.unwrap();
    engine.back_up(&did).await.unwrap();
    session
        .delete_record("app.bsky.feed.post", written.rkey())
        .await
        .unwrap();
    session.post("Still here").await.unwrap();
    engine.back_up(&did).await.unwrap();
    let snapshots = engine.snapshots(&did).await.unwrap();
    let changes = engine.changes(&did, &snapshots[0].id).await.unwrap();
    assert_eq!(changes.before.as_ref(), Some(&snapshots[1].id));
    let posts = &changes.collections[0];
    assert_eq!(
        (posts.collection.as_str(), posts.added, posts.removed),
        ("app.bsky.feed.post", 1, 1)
    );
    assert_eq!(changes.removed[0].text.as_deref(), Some("Soon gone"));
    assert!(changes.removed[0].created.is_some_and(|created| created >= before));
    assert_eq!(engine.changes(&did, &snapshots[0].id).await.unwrap(), changes);
    let first = engine.changes(&did, &snapshots.last().unwrap().id).await.unwrap();
    let added: u64 = first.collections.iter().map(|change| change.added).sum();
    assert_eq!((first.before, added), (None, account.records));

    // The report says whose and how, and none of the secrets.
    let report = engine.report().await.unwrap();
    for part in [
        "alice.test",
        &account.did,
        env!("CARGO_PKG_VERSION"),
        "kept something new",
    ] {
        assert!(report.contains(part), "{part:?} is not said: {report}");
    }
    assert!(!report.contains("a passphrase of tests"));
    let stored = engine.stored().await.unwrap();
    let what: Vec<&str> = stored.iter().map(|stored| stored.what.as_str()).collect();
    assert_eq!(what, ["settings", "catalogue", "staging", "logs", "keychain"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_into_a_folder_tells_what_is_there_and_changes_nothing() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 60))
        .await
        .unwrap();
    let did: Did = account.did.parse().unwrap();
    let keep = Keep::with_place(&network).await;
    let engine = &keep.engine;
    engine
        .add_account(&engine.look_up("alice.test").await.unwrap(), Whose::Mine)
        .await
        .unwrap();
    engine.back_up(&did).await.unwrap();
    let export = keep.spare("export");
    engine.export(&did, None, &export).await.unwrap();

    // Another computer looks at the same drive, too deep and not deep enough, with nobody to ask.
    let other = Keep::empty(&network).await;
    network.kill(Server::A).await.unwrap();
    network.kill(Server::Plc).await.unwrap();
    let place = other.spare("drive").join("Skykeep");
    fs::create_dir(other.spare("drive")).unwrap();
    fs::rename(keep.place(), &place).unwrap();
    let before = hashes(&place);
    let inside = fs::read_dir(place.join("accounts"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    for path in [
        place.clone(),
        other.spare("drive"),
        inside.join("snapshots"),
        place.join("README.txt"),
    ] {
        let opened = other.engine.look_into(&path).await.unwrap();
        assert_eq!(opened.path, place.display().to_string(), "{path:?}");
        assert_eq!(
            (opened.kind, opened.known, opened.problems),
            (OpenedKind::Vault, false, Vec::new())
        );
        let found = &opened.accounts[0];
        assert_eq!(
            (found.did.as_str(), found.handle.as_deref()),
            (did.as_str(), Some("alice.test"))
        );
        assert_eq!(
            (found.records, found.media),
            (account.records, account.blobs.len() as u64)
        );
        assert!(found.newest.is_some() && found.snapshots >= 1 && !found.known);
    }
    assert_eq!(hashes(&place), before, "looking changes nothing");

    // A portable copy: with the log beside it, it says who that was.
    let before = hashes(&export);
    let opened = other.engine.look_into(&export).await.unwrap();
    assert_eq!((opened.kind, opened.problems), (OpenedKind::Backup, Vec::new()));
    let found = &opened.accounts[0];
    assert_eq!(
        (found.did.as_str(), found.handle.as_deref()),
        (did.as_str(), Some("alice.test"))
    );
    assert_eq!(
        (found.records, found.media),
        (account.records, account.blobs.len() as u64)
    );
    assert_eq!(hashes(&export), before, "looking changes nothing");

    // Damage is said, and what is left is listed.
    let cars = inside.join("repo");
    fs::remove_dir_all(&cars).unwrap();
    let opened = other.engine.look_into(&place).await.unwrap();
    assert_eq!(opened.problems[0].code, "opened_damaged");
    assert_eq!(opened.accounts[0].records, account.records);

    // Our own folders are no backup to take over, and neither is an empty one.
    for path in [other.data(), other.spare("drive")] {
        fs::create_dir_all(&path).unwrap();
        let _ = fs::rename(&place, other.spare("elsewhere"));
        let looked = other.engine.look_into(&path).await;
        assert!(matches!(looked, Err(Error::NoBackup { .. })), "{path:?}: {looked:?}");
    }
}
