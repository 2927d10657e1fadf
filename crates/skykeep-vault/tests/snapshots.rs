//! Snapshots: written as the format says, in their order, and read back whole.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::sync::Arc;

use jiff::SignedDuration;
use skykeep_atproto::Cid;
use skykeep_atproto::verify::RepoCheck;
use skykeep_tests::frail::FrailStore;
use skykeep_tests::repo_maker::Order;
use skykeep_vault::layout::{AccountFile, AccountFolder};
use skykeep_vault::{
    Error, Facts, Fault, Finding, FolderStore, Kind, MissingBlob, OTHER_COLLECTIONS, Origin, PutRepo, Store, Vault,
    Writer, check, regenerate, should_rebase,
};

use crate::account::{Account, files, folder_vault, now, on, read_back, read_car, scratch, writer_key};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[tokio::test]
async fn the_first_run_keeps_posts_first_and_then_media() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let account = Account::new("alice", 1, 300);
    assert!(account.media() > 10);
    let snapshots = account.run(&vault, &key, now()).await.unwrap();
    let [posts, whole] = &snapshots[..] else {
        panic!("{snapshots:?}")
    };
    let media = account.media() as u64;
    assert_eq!(posts.manifest.body.media.pending, media);
    assert_eq!(whole.manifest.body.media.pending, 0);
    assert_eq!(
        (posts.manifest.body.media.kept, whole.manifest.body.media.kept),
        (0, media)
    );
    assert_eq!((posts.manifest.sequence, whole.manifest.sequence), (1, 2));
    assert_eq!(whole.manifest.previous, Some(posts.sum));
    assert_eq!(whole.manifest.body.records, 300);
    assert_eq!(whole.manifest.body.counts.values().sum::<u64>(), 300);
    // Both read back, byte for byte what the host has in canonical order.
    for snapshot in &snapshots {
        assert_eq!(read_back(&vault, snapshot).await.unwrap(), account.car());
    }
    let found = vault.snapshots(&account.folder()).await.unwrap();
    assert_eq!(found.sound, snapshots);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    assert_eq!(
        vault.latest(&account.folder(), None).await.unwrap().as_ref(),
        Some(whole)
    );
}

#[tokio::test]
async fn an_hour_with_posts_is_an_increment_and_every_hour_reads_back() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let mut account = Account::new("alice", 2, 400);
    let mut hours = Vec::new();
    for hour in 0..6u8 {
        let time = now() + HOUR * i32::from(hour);
        let snapshot = account.run(&vault, &key, time).await.unwrap().pop().unwrap();
        hours.push((snapshot, account.car()));
        account.post(u64::from(hour), 5);
    }
    for (n, (snapshot, car)) in hours.iter().enumerate() {
        assert_eq!(&read_back(&vault, snapshot).await.unwrap(), car, "hour {n}");
        let contents = vault.contents(snapshot).await.unwrap();
        assert_eq!(contents.increments.len(), n);
        assert!(
            contents
                .increments
                .iter()
                .all(|object| object.size < contents.base.size / 2)
        );
    }
}

#[tokio::test]
async fn an_hour_without_anything_new_is_one_small_manifest() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let account = Account::new("alice", 3, 50);
    account.run(&vault, &key, now()).await.unwrap();
    let before = files(root.path());
    let snapshots = account.run(&vault, &key, now() + HOUR).await.unwrap();
    assert_eq!(snapshots.len(), 1);
    let after = files(root.path());
    assert_eq!(after.len(), before.len() + 1);
    let new = after.iter().find(|file| !before.contains(file)).unwrap();
    assert!(new.parent().unwrap().ends_with("snapshots"));
    assert!(fs::metadata(root.path().join(new)).unwrap().len() < 4_000);
    assert_eq!(read_back(&vault, &snapshots[0]).await.unwrap(), account.car());
}

#[test]
fn a_base_follows_when_increments_weigh_too_much() {
    let check = |base, increments: &[u64], lists, expected| {
        assert_eq!(
            should_rebase(base, increments, lists),
            expected,
            "{base} {} {lists}",
            increments.len()
        );
    };
    check(1_000, &[], 1, false);
    check(1_000, &[500], 2, false);
    check(1_000, &[500, 1], 3, true);
    check(1_000, &[501], 2, true);
    check(1_000_000, &[1; 199], 200, false);
    check(1_000_000, &[1; 200], 201, true);
    check(1_000_000, &[1], 999, false);
    check(1_000_000, &[1], 1_000, true);
    check(0, &[], 1, false);
}

#[tokio::test]
async fn rebasing_begins_a_new_chain_that_needs_nothing_of_the_old_one() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let mut account = Account::new("alice", 4, 40);
    let first = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    let mut rebased = None;
    for hour in 1..40 {
        account.post(hour as u64, 6);
        let snapshot = account
            .run(&vault, &key, now() + HOUR * hour)
            .await
            .unwrap()
            .pop()
            .unwrap();
        if vault.contents(&snapshot).await.unwrap().increments.is_empty() {
            rebased = Some(snapshot);
            break;
        }
    }
    let rebased = rebased.expect("increments of 40 hours weigh more than half of 40 records");
    // Without anything that only the old chain names, it is still whole.
    let old = vault.contents(&first).await.unwrap();
    let new = vault.contents(&rebased).await.unwrap();
    assert_eq!(new.lists.len(), 1);
    let needed: BTreeSet<&AccountFile> = new.objects().map(|object| &object.name).collect();
    let folder = root.path().join(account.folder().path().as_str());
    for object in old.objects().filter(|object| !needed.contains(&object.name)) {
        fs::remove_file(folder.join(object.name.to_string())).unwrap();
    }
    fs::remove_file(folder.join(old.lists[0].name.to_string())).unwrap();
    assert_eq!(read_back(&vault, &rebased).await.unwrap(), account.car());
    assert!(new.blobs.len() <= old.blobs.len());
}

#[tokio::test]
async fn two_writers_with_the_same_capture_make_the_same_files() {
    let roots = [scratch(), scratch()];
    let mut all = Vec::new();
    for (n, root) in roots.iter().enumerate() {
        let key = writer_key(n as u8 + 1);
        let vault = folder_vault(root.path(), &key).await;
        let mut account = Account::new("alice", 5, 120);
        account.run(&vault, &key, now()).await.unwrap();
        account.post(1, 4);
        account.run(&vault, &key, now() + HOUR * (n as i32 + 1)).await.unwrap();
        let mut files = files(root.path());
        files.retain(|file| file.starts_with("accounts") && !file.to_string_lossy().contains("snapshots"));
        all.push(files);
    }
    assert_eq!(all[0], all[1]);
    for file in &all[0] {
        assert_eq!(
            fs::read(roots[0].path().join(file)).unwrap(),
            fs::read(roots[1].path().join(file)).unwrap()
        );
    }
}

#[tokio::test]
async fn a_new_computer_goes_on_where_another_stopped() {
    let root = scratch();
    let (old, new) = (writer_key(1), writer_key(2));
    let vault = folder_vault(root.path(), &old).await;
    let mut account = Account::new("alice", 6, 200);
    account.run(&vault, &old, now()).await.unwrap();
    account.post(1, 3);
    let taken = account.run(&vault, &new, now() + HOUR).await.unwrap().pop().unwrap();
    assert_eq!((taken.manifest.sequence, taken.manifest.previous), (1, None));
    assert_eq!(taken.manifest.writer, new.public());
    assert_eq!(vault.contents(&taken).await.unwrap().increments.len(), 1);
    assert_eq!(read_back(&vault, &taken).await.unwrap(), account.car());
    let found = vault.snapshots(&account.folder()).await.unwrap();
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    assert_eq!(found.sound.last(), Some(&taken));
}

#[tokio::test]
async fn of_one_commit_the_captured_snapshot_is_newer_than_the_imported() {
    for (captures, imports) in [(1, 2), (2, 1)] {
        let root = scratch();
        let (captures, imports) = (writer_key(captures), writer_key(imports));
        let vault = folder_vault(root.path(), &captures).await;
        let account = Account::new("alice", 8, 60);
        let captured = account.run(&vault, &captures, now()).await.unwrap().pop().unwrap();
        let mut writer = Writer::begin(&vault, account.did(), &imports).await.unwrap();
        let files = scratch();
        let (repo, sources) = account.prove(&vault, &writer, files.path()).await.unwrap();
        writer.put_repo(&repo, &account.history, sources).await.unwrap();
        let facts = Facts {
            origin: Origin::Imported,
            ..account.facts(now() + HOUR, Vec::new(), 0)
        };
        let imported = writer.commit(facts).await.unwrap();
        let found = vault.snapshots(&account.folder()).await.unwrap().sound;
        assert_eq!(found.iter().rev().take(1).collect::<Vec<_>>(), [&captured]);
        assert!(found.contains(&imported));
    }
}

#[tokio::test]
async fn order_is_by_sequence_and_rev_never_by_clock() {
    let root = scratch();
    let (one, two) = (writer_key(1), writer_key(2));
    let vault = folder_vault(root.path(), &one).await;
    let mut account = Account::new("alice", 7, 60);
    let mut expected = Vec::new();
    // The clocks say the opposite of what happened.
    for (n, key) in [&one, &two, &one, &one, &two].into_iter().enumerate() {
        let time = now() - HOUR * n as i32;
        expected.push(account.run(&vault, key, time).await.unwrap().pop().unwrap());
        account.post(n as u64, 2);
    }
    let found = vault.snapshots(&account.folder()).await.unwrap();
    let order: Vec<_> = found
        .sound
        .iter()
        .filter(|snapshot| expected.contains(snapshot))
        .cloned()
        .collect();
    assert_eq!(order, expected);
    assert_eq!(
        vault.latest(&account.folder(), None).await.unwrap().as_ref(),
        expected.last()
    );
}

#[tokio::test]
async fn a_broken_chain_is_never_added_to() {
    let account = || Account::new("alice", 8, 80);
    type Break = fn(&std::path::Path);
    let break_it: [(&str, Break); 3] = [
        ("base gone", |path| fs::remove_file(path).unwrap()),
        ("base cut", |path| fs::write(path, b"cut").unwrap()),
        ("base empty", |path| fs::write(path, b"").unwrap()),
    ];
    for (name, break_it) in break_it {
        let root = scratch();
        let key = writer_key(1);
        let vault = folder_vault(root.path(), &key).await;
        let mut account = account();
        let first = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
        let base = vault.contents(&first).await.unwrap().base;
        break_it(&root.path().join(account.folder().file(&base.name).as_str()));
        account.post(1, 2);
        let next = account.run(&vault, &key, now() + HOUR).await.unwrap().pop().unwrap();
        assert_eq!(read_back(&vault, &next).await.unwrap(), account.car(), "{name}");
        assert!(read_back(&vault, &first).await.is_err(), "{name}");
        // The media of the old chain were adopted, not lost.
        let contents = vault.contents(&next).await.unwrap();
        assert!(contents.missing.iter().all(|blob| !account.has(&blob.cid)), "{name}");
        assert!(contents.blobs.len() >= account.media() - 2, "{name}");
    }
}

#[tokio::test]
async fn a_damaged_file_in_the_way_is_set_aside_and_written_anew() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let account = Account::new("alice", 9, 80);
    let first = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    let contents = vault.contents(&first).await.unwrap();
    // Everything that the run would write again is spoilt, and all that says it exists is gone.
    let folder = root.path().join(account.folder().path().as_str());
    fs::remove_dir_all(folder.join("snapshots")).unwrap();
    for object in contents.objects() {
        let path = folder.join(object.name.to_string());
        let length = fs::metadata(&path).unwrap().len();
        fs::write(&path, vec![0; length as usize]).unwrap();
    }
    let again = account.run(&vault, &key, now() + HOUR).await.unwrap().pop().unwrap();
    assert_eq!(read_back(&vault, &again).await.unwrap(), account.car());
    let aside = files(&folder.join("damaged"));
    assert_eq!(aside.len(), contents.objects().count());
}

#[tokio::test]
async fn only_this_account_and_only_what_fits_is_taken() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let (mut alice, bob) = (Account::new("alice", 10, 30), Account::new("bob", 11, 30));
    alice.run(&vault, &key, now()).await.unwrap();
    let scratch = scratch();
    // Another account's repository.
    let mut writer = Writer::begin(&vault, alice.did(), &key).await.unwrap();
    let of_bob = Writer::begin(&vault, bob.did(), &key).await.unwrap();
    let (repo, sources) = bob.prove(&vault, &of_bob, scratch.path()).await.unwrap();
    let error = writer.put_base(&repo, &bob.history, sources).await.unwrap_err();
    assert!(matches!(error, Error::OtherAccount { .. }), "{error}");
    // An increment that was proved against nothing.
    alice.post(1, 3);
    let fresh = crate::account::scratch();
    let empty = folder_vault(&fresh.path().join("v"), &key).await;
    let of_nothing = Writer::begin(&empty, alice.did(), &key).await.unwrap();
    let (repo, sources) = alice.prove(&empty, &of_nothing, scratch.path()).await.unwrap();
    let error = writer.put_increment(&repo, &alice.history, sources).await.unwrap_err();
    assert!(matches!(error, Error::WrongFrom { found: None, .. }), "{error}");
    // Nothing at all.
    let mut nothing = Writer::begin(&empty, alice.did(), &key).await.unwrap();
    let error = nothing.commit(alice.facts(now(), Vec::new(), 0)).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    let error = Writer::begin(&vault, &"did:key:zQ3sh".parse().unwrap(), &key)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::UnsupportedDid { .. }), "{error}");
}

#[tokio::test]
async fn a_repository_that_was_proved_and_not_put_is_not_claimed() {
    let root = scratch();
    let key = writer_key(1);
    folder_vault(root.path(), &key).await;
    let store = Arc::new(FolderStore::open(root.path(), key.id()).await.unwrap());
    let frail = Arc::new(FrailStore::new(store));
    let vault = Vault::open(Arc::clone(&frail) as Arc<dyn Store>, None).await.unwrap();
    let mut account = Account::new("alice", 18, 60);
    account.run(&vault, &key, now()).await.unwrap();
    account.post(1, 3);
    let scratch = scratch();
    let mut writer = Writer::begin(&vault, account.did(), &key).await.unwrap();
    let (repo, sources) = account.prove(&vault, &writer, scratch.path()).await.unwrap();
    frail.unplug();
    let put = writer.put_repo(&repo, &account.history, sources).await;
    assert!(matches!(put, Err(Error::Missing)), "{put:?}");
    frail.replug();
    let error = writer.commit(account.facts(now(), Vec::new(), 0)).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    let next = account.run(&vault, &key, now() + HOUR).await.unwrap().pop().unwrap();
    assert_eq!(read_back(&vault, &next).await.unwrap(), account.car());
}

#[tokio::test]
async fn what_is_known_of_the_identity_is_written_again_when_it_was_lost() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let account = Account::new("alice", 19, 20);
    account.run(&vault, &key, now()).await.unwrap();
    let folder = root.path().join(account.folder().path().as_str()).join("identity");
    let kept = files(&folder);
    fs::remove_file(folder.join(&kept[0])).unwrap();
    fs::write(folder.join(&kept[1]), "{}").unwrap();
    account.run(&vault, &key, now() + HOUR).await.unwrap();
    assert_eq!(files(&folder), kept);
    assert!(check(&vault, &mut on).await.unwrap().is_sound());
}

#[tokio::test]
async fn blobs_that_are_lost_for_good_leave_the_chain() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let account = Account::new("alice", 12, 80);
    let first = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    let contents = vault.contents(&first).await.unwrap();
    let (&lost, object) = contents.blobs.first_key_value().unwrap();
    let mut writer = Writer::begin(&vault, account.did(), &key).await.unwrap();
    writer.lost(&BTreeSet::from([object.name.clone()]));
    let scratch = scratch();
    let facts = |missing: Vec<MissingBlob>| -> Facts { account.facts(now() + HOUR, missing, 0) };
    assert!(
        writer.commit(facts(Vec::new())).await.is_err(),
        "a base must come first"
    );
    let (repo, sources) = account.prove(&vault, &writer, scratch.path()).await.unwrap();
    let put = writer.put_repo(&repo, &account.history, sources).await.unwrap();
    assert!(matches!(put, PutRepo::Base { .. }));
    let lacking = writer.lacks(repo.blobs());
    assert_eq!(lacking.iter().map(|blob| blob.cid).collect::<Vec<_>>(), [lost]);
    let missing = vec![MissingBlob::new(&lacking[0], "not_found")];
    let next = writer.commit(facts(missing.clone())).await.unwrap();
    let contents = vault.contents(&next).await.unwrap();
    assert!(!contents.blobs.contains_key(&lost));
    assert_eq!(contents.missing, missing);
    assert_eq!(next.manifest.body.media.missing, 1);
    assert_eq!(next.manifest.body.media.kept + 1, first.manifest.body.media.kept);
    assert_eq!(contents.identity.len(), 2);
}

#[tokio::test]
async fn what_fails_its_proof_is_kept_apart() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let account = Account::new("alice", 13, 10);
    account.run(&vault, &key, now()).await.unwrap();
    let writer = Writer::begin(&vault, account.did(), &key).await.unwrap();
    let reason = serde_json::json!({"code": "bad_signature"});
    let forged = Cursor::new(b"forged".to_vec());
    let file = writer.put_rejected(forged, now(), &reason).await.unwrap();
    let folder = root.path().join(account.folder().path().as_str());
    assert_eq!(fs::read(folder.join(file.to_string())).unwrap(), b"forged");
    let rejected = files(&folder.join("rejected"));
    assert_eq!(rejected.len(), 2);
    let why = rejected
        .iter()
        .find(|file| file.extension().unwrap() == "json")
        .unwrap();
    let why: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("rejected").join(why)).unwrap()).unwrap();
    assert_eq!((&why["file"], &why["reason"]), (&serde_json::json!(file), &reason));
    assert!(vault.snapshots(&account.folder()).await.unwrap().findings.is_empty());
}

#[tokio::test]
async fn rare_collections_do_not_make_a_manifest_large() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let mut account = Account::new("alice", 14, 5);
    let bytes = account
        .repo
        .block(account.repo.records().values().next().unwrap())
        .unwrap()
        .to_vec();
    let records = (0..3_000).map(|n| (format!("com.example.made{}/self", letters(n)), bytes.clone()));
    account.repo = skykeep_tests::repo_maker::Repo::of(&account.did().clone(), &account.repo.key().clone(), records);
    let snapshot = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    let counts = &snapshot.manifest.body.counts;
    assert_eq!((counts.len(), counts[OTHER_COLLECTIONS]), (1_000, 2_001));
    assert_eq!(snapshot.manifest.body.records, 3_000);
}

fn letters(n: u32) -> String {
    (0..4).map(|i| char::from(b'a' + (n >> (4 * i) & 15) as u8)).collect()
}

#[tokio::test]
async fn a_vault_is_known_by_its_number() {
    let root = scratch();
    let key = writer_key(1);
    let open = |name: &str| {
        let (path, writer) = (root.path().join(name), key.id());
        async move { Arc::new(FolderStore::open(path, writer).await.unwrap()) as Arc<dyn Store> }
    };
    fs::create_dir(root.path().join("empty")).unwrap();
    let error = Vault::open(open("empty").await, None).await.unwrap_err();
    assert!(matches!(error, Error::NotAVault { empty: true }), "{error}");
    // What operating systems leave on a new drive is not in the way, somebody's files are.
    fs::create_dir(root.path().join("empty/.Trash-1000")).unwrap();
    fs::create_dir(root.path().join("empty/System Volume Information")).unwrap();
    let one = Vault::create(open("empty").await, &key, now()).await.unwrap();
    fs::create_dir(root.path().join("used")).unwrap();
    fs::write(root.path().join("used/Holiday.jpg"), "x").unwrap();
    let error = Vault::open(open("used").await, None).await.unwrap_err();
    assert!(matches!(error, Error::NotAVault { empty: false }), "{error}");
    let error = Vault::create(open("used").await, &key, now()).await.unwrap_err();
    assert!(matches!(error, Error::NotEmpty), "{error}");
    assert_eq!(files(&root.path().join("used")).len(), 1);
    // Made again: it is the same one.
    let again = Vault::create(open("empty").await, &key, now()).await.unwrap();
    assert_eq!(again.id(), one.id());
    let two = folder_vault(&root.path().join("other"), &key).await;
    let error = Vault::open(open("other").await, Some(one.id())).await.unwrap_err();
    assert!(matches!(error, Error::OtherVault { expected, found } if expected == *one.id() && found == *two.id()));
    // Two made at once: both numbers are known, the smaller one counts.
    let other = files(&root.path().join("other"));
    let file = other
        .iter()
        .find(|file| file.to_string_lossy().starts_with("vault."))
        .unwrap();
    fs::copy(
        root.path().join("other").join(file),
        root.path().join("empty").join(file),
    )
    .unwrap();
    for id in [one.id(), two.id()] {
        let both = Vault::open(open("empty").await, Some(id)).await.unwrap();
        assert_eq!(both.id(), one.id().min(two.id()));
        assert!(both.is(one.id()) && both.is(two.id()));
    }
}

#[tokio::test]
async fn a_vault_whose_own_file_is_damaged_still_opens_by_its_name() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let found = files(root.path());
    let file = found
        .iter()
        .find(|file| file.to_string_lossy().starts_with("vault."))
        .unwrap();
    fs::write(root.path().join(file), "rubbish").unwrap();
    let store = Arc::new(FolderStore::open(root.path(), key.id()).await.unwrap());
    let again = Vault::open(store, Some(vault.id())).await.unwrap();
    assert_eq!(again.id(), vault.id());
    // Written anew it has the same number; a sound one is left as it is.
    assert!(!check(&vault, &mut on).await.unwrap().is_sound());
    assert!(again.renew(&key, now() + HOUR).await.unwrap());
    assert!(check(&vault, &mut on).await.unwrap().is_sound());
    assert!(!again.renew(&key, now() + HOUR).await.unwrap());
    assert_eq!(folder_vault(root.path(), &key).await.id(), vault.id());
}

#[tokio::test]
async fn a_vault_whose_own_file_was_lost_gets_another_number() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let account = Account::new("alice", 20, 10);
    let snapshot = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    let found = files(root.path());
    let file = found.iter().find(|file| file.to_string_lossy().starts_with("vault."));
    fs::remove_file(root.path().join(file.unwrap())).unwrap();
    let store = || FolderStore::open(root.path(), key.id());
    let error = Vault::open(Arc::new(store().await.unwrap()), Some(vault.id()))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotAVault { empty: false }), "{error}");
    let again = folder_vault(root.path(), &key).await;
    assert_ne!(again.id(), vault.id());
    assert_eq!(read_back(&again, &snapshot).await.unwrap(), account.car());
}

#[tokio::test]
async fn lost_and_forked_manifests_are_findings() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let mut account = Account::new("alice", 15, 20);
    for hour in 0..4 {
        account.run(&vault, &key, now() + HOUR * hour).await.unwrap();
        account.post(hour as u64, 1);
    }
    let account_folder: AccountFolder = account.folder();
    let folder = root.path().join(account_folder.path().as_str()).join("snapshots");
    let (names, _) = vault.snapshot_names(&account_folder).await.unwrap();
    let third = names.iter().find(|name| name.sequence == 3).unwrap();
    fs::rename(folder.join(third.to_string()), root.path().join("aside")).unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let found = vault.snapshots(&account_folder).await.unwrap();
    assert_eq!(found.sound.len(), names.len() - 1);
    let gap = |finding: &Finding| {
        matches!(
            finding,
            Finding::Gap {
                after: 2,
                before: 4,
                ..
            }
        )
    };
    let foreign = |finding: &Finding| matches!(finding, Finding::Foreign { path } if path.ends_with("notes.txt"));
    assert!(
        found.findings.iter().any(gap) && found.findings.iter().any(foreign),
        "{:?}",
        found.findings
    );
    // The same data folder was copied: two computers count with one key.
    let last = found.sound.last().unwrap().name;
    fs::rename(folder.join(last.to_string()), root.path().join("last")).unwrap();
    account.post(99, 1);
    account.run(&vault, &key, now() + HOUR * 9).await.unwrap();
    fs::rename(root.path().join("last"), folder.join(last.to_string())).unwrap();
    fs::rename(root.path().join("aside"), folder.join(third.to_string())).unwrap();
    let found = vault.snapshots(&account_folder).await.unwrap();
    assert!(
        found
            .findings
            .iter()
            .any(|finding| matches!(finding, Finding::Fork { .. })),
        "{:?}",
        found.findings
    );
}

#[tokio::test]
async fn a_writer_never_takes_the_number_of_a_manifest_that_it_cannot_read() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let mut account = Account::new("alice", 22, 20);
    let folder = account.folder();
    account.run(&vault, &key, now()).await.unwrap();
    account.post(1, 1);
    let torn = account.run(&vault, &key, now() + HOUR).await.unwrap().pop().unwrap();
    let path = root
        .path()
        .join(folder.path().as_str())
        .join("snapshots")
        .join(torn.name.to_string());
    fs::write(path, "half").unwrap();
    let next = account
        .run(&vault, &key, now() + HOUR * 2)
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(next.manifest.sequence, torn.manifest.sequence + 1);
    assert_eq!(read_car(&vault, &next).await.unwrap(), account.car());
    // Its writer went on without it, so it is a finding, and no gap.
    let found = vault.snapshots(&folder).await.unwrap();
    assert!(matches!(&found.findings[..], [Finding::Unreadable { name, .. }] if *name == torn.name));
    let report = check(&vault, &mut on).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.damages[0].fault, Fault::Abandoned);
}

#[tokio::test]
async fn a_damaged_repository_file_is_made_again_byte_for_byte() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let mut account = Account::new("alice", 16, 100);
    let folder = account.folder();
    account.run(&vault, &key, now()).await.unwrap();
    let before = account.car();
    account.post(1, 3);
    let snapshot = account.run(&vault, &key, now() + HOUR).await.unwrap().pop().unwrap();
    let contents = vault.contents(&snapshot).await.unwrap();
    let [increment] = &contents.increments[..] else {
        panic!()
    };
    let Kind::Increment { from, .. } = increment.kind else {
        panic!()
    };
    // What another place, or the host, still has: the commit before and the commit of now.
    let sources = || {
        vec![
            Cursor::new(before.clone()),
            Cursor::new(account.repo.car(Order::Pds, None)),
        ]
    };
    let prove = |root: Cid, from: Option<Cid>| {
        let check = RepoCheck::of(&account.history).root(root);
        let check = match from {
            Some(from) => check.from(from),
            None => check,
        };
        Arc::new(check.run(&mut sources()).unwrap().repo.unwrap())
    };
    let cases = [
        (&contents.base, prove(from, None)),
        (increment, prove(account.repo.root(), Some(from))),
    ];
    for (object, repo) in cases {
        let path = root.path().join(folder.file(&object.name).as_str());
        let good = fs::read(&path).unwrap();
        fs::write(&path, vec![1; good.len()]).unwrap();
        regenerate(&vault, &folder, object, &repo, sources()).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), good);
    }
    assert_eq!(read_back(&vault, &snapshot).await.unwrap(), account.car());
    // Another commit makes another file, and that is not taken for this one.
    let error = regenerate(
        &vault,
        &folder,
        &contents.base,
        &prove(account.repo.root(), None),
        sources(),
    )
    .await;
    assert!(matches!(error, Err(Error::Damaged { .. })), "{error:?}");
}

#[tokio::test]
async fn a_manifest_reads_as_the_format_says() {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let account = Account::new("alice", 17, 12);
    let snapshot = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    let folder = root.path().join(account.folder().path().as_str());
    let manifest = fs::read_to_string(folder.join("snapshots").join(snapshot.name.to_string())).unwrap();
    let list = fs::read_to_string(folder.join(snapshot.manifest.lists[0].name.to_string())).unwrap();
    let root_list = vault.contents(&snapshot).await.unwrap().lists.pop().unwrap();
    let first = fs::read_to_string(folder.join(root_list.name.to_string())).unwrap();
    insta::assert_snapshot!("manifest", format!("{}\n{manifest}", snapshot.name));
    insta::assert_snapshot!("list_of_posts", first);
    insta::assert_snapshot!("list_of_media", list);
}
