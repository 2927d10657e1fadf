//! What goes wrong around a backup, on real servers and real files: each time the right words, and nothing lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};
use skykeep_atproto::Did;
use skykeep_engine::api::{HostingStatus, KeptState, PlaceState, Problem, RunEnd, Snapshot, Whose};
use skykeep_engine::{Engine, Error, to_problem};
use skykeep_tests::keep::{Keep, files_below};
use skykeep_tests::network::{Account, Network, SeedOptions, Server};
use skykeep_tests::skipped;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_refuses_is_told_and_what_is_kept_stays() {
    let network = Network::start().await.unwrap();
    let account = network.a().create_account("alice.test", None).await.unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    session.post("The first").await.unwrap();
    let keep = Keep::with_place(&network).await;
    let (engine, did) = (&keep.engine, protected(&keep, &account).await);
    let first = newest(engine, &did).await;

    // Nobody has this handle, and what is no handle is not looked for.
    let check = async |text: &str, code: &str| {
        let error = engine.look_up(text).await.unwrap_err();
        assert_eq!(to_problem(&error).code, code, "{text}: {error}");
    };
    check("nobody.test", "handle_not_found").await;
    check("no handle at all", "not_an_account").await;
    check("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "identity_not_found").await;

    // Switched off by its owner.
    session.deactivate().await.unwrap();
    assert_eq!(skipped_for(engine, &did).await, "account_deactivated");
    assert_eq!(
        engine.look_up(&account.did).await.unwrap().status,
        HostingStatus::Deactivated
    );
    still_kept(&keep, &did, &first).await;
    session.activate().await.unwrap();
    completes(engine, &did).await;

    // Taken down by its host.
    network.a().take_down(&account.did, true).await.unwrap();
    assert_eq!(skipped_for(engine, &did).await, "account_takendown");
    still_kept(&keep, &did, &first).await;
    network.a().take_down(&account.did, false).await.unwrap();
    completes(engine, &did).await;

    // Gone without a word, as in a power cut.
    network.kill(Server::A).await.unwrap();
    assert_eq!(failed_with(engine, &did).await.code, "host_unreachable");
    assert_eq!(codes(engine, &did).await, ["host_unreachable"]);
    still_kept(&keep, &did, &first).await;
    // Who the DID names is known all the same; only what its host says is not.
    let person = engine.look_up(&account.did).await.unwrap();
    assert_eq!((person.did, person.known), (account.did.clone(), true));
    assert_eq!(person.status, HostingStatus::Unknown);
    network.start_again(Server::A).await.unwrap();
    session.post("The second").await.unwrap();
    completes(engine, &did).await;
    assert_eq!(newest(engine, &did).await.records, first.records + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_used_is_named_and_catches_up() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 40))
        .await
        .unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    let keep = Keep::with_place(&network).await;
    let (engine, did) = (&keep.engine, protected(&keep, &account).await);
    let aside = keep.spare("aside");

    // Unplugged: no fault of anybody's.
    fs::rename(keep.place(), &aside).unwrap();
    session.post("While it is away").await.unwrap();
    assert_eq!(skipped_for(engine, &did).await, "place_missing");
    only_staged(&keep, &did, PlaceState::Absent, "place_missing").await;
    assert_eq!(engine.account(&did).await.unwrap().kept.state, KeptState::Complete);
    fs::rename(&aside, keep.place()).unwrap();
    caught_up(&keep, &did).await;

    // An empty folder where the vault was, as an unmounted drive leaves it: nothing is written into it.
    fs::rename(keep.place(), &aside).unwrap();
    fs::create_dir(keep.place()).unwrap();
    session.post("While it is empty").await.unwrap();
    assert_eq!(failed_with(engine, &did).await.code, "place_not_vault");
    only_staged(&keep, &did, PlaceState::Other, "place_not_vault").await;
    // Media had left staging: where they are now nobody can say. The place that was only away still counted.
    assert_eq!(engine.account(&did).await.unwrap().kept.state, KeptState::MediaUnseen);
    assert_eq!(files_below(&keep.place()), Vec::<String>::new());
    fs::remove_dir(keep.place()).unwrap();
    fs::rename(&aside, keep.place()).unwrap();
    caught_up(&keep, &did).await;
    assert_eq!(engine.account(&did).await.unwrap().kept.state, KeptState::Complete);

    // Another vault where ours was: it is left as it is.
    let other = Keep::with_place(&network).await;
    fs::rename(keep.place(), &aside).unwrap();
    fs::rename(other.place(), keep.place()).unwrap();
    let strange = files_below(&keep.place());
    session.post("While it is another").await.unwrap();
    assert_eq!(failed_with(engine, &did).await.code, "place_other");
    only_staged(&keep, &did, PlaceState::Other, "place_other").await;
    assert_eq!(files_below(&keep.place()), strange);
    fs::rename(keep.place(), other.place()).unwrap();
    fs::rename(&aside, keep.place()).unwrap();
    caught_up(&keep, &did).await;

    read_only(&keep, &did).await;
}

async fn read_only(keep: &Keep, did: &Did) {
    let modes: Vec<(PathBuf, u32)> = folders_below(&keep.place())
        .into_iter()
        .map(|folder| (folder.clone(), fs::metadata(&folder).unwrap().permissions().mode()))
        .collect();
    let set = |mode: &dyn Fn(u32) -> u32| {
        for (folder, was) in &modes {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode(*was))).unwrap();
        }
    };
    set(&|was| was & !0o222);
    let root = fs::write(keep.place().join("probe"), b"").is_ok();
    if root {
        fs::remove_file(keep.place().join("probe")).unwrap();
        set(&|was| was);
        skipped(
            "a_place_that_cannot_be_used_is_named_and_catches_up: read-only",
            "root writes anywhere",
        );
        return;
    }
    let end = engine_end(&keep.engine, did).await;
    set(&|was| was);
    assert!(
        matches!(&end, RunEnd::Failed { problem } if problem.code == "place_read_only"),
        "{end:?}"
    );
    caught_up(keep, did).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_spoils_on_this_computer_is_found_and_mended() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 40))
        .await
        .unwrap();
    let mut keep = Keep::with_place(&network).await;
    let did = protected(&keep, &account).await;

    // Two programs at once: the second is told so, the first goes on.
    let second = Engine::open_at(keep.data()).await;
    assert!(
        matches!(second, Err(Error::EngineRunning { .. })),
        "a second engine was let in"
    );
    completes(&keep.engine, &did).await;

    // The catalogue only remembers what the vaults know.
    let garbage: fn(&Path) = |path| fs::write(path, b"This was a database. ".repeat(999)).unwrap();
    let gone: fn(&Path) = |path| fs::remove_file(path).unwrap();
    for spoil in [garbage, gone] {
        let known = ids(&keep.engine.snapshots(&did).await.unwrap());
        let data = keep.data();
        drop(keep.engine);
        spoil(&data.join("catalogue.db"));
        keep.engine = Engine::open_at(data).await.unwrap();
        assert_eq!(ids(&keep.engine.snapshots(&did).await.unwrap()), known);
        completes(&keep.engine, &did).await;
        caught_up(&keep, &did).await;
    }

    // One bit of one file in the only place: a check gets it from the host again, whatever it is.
    let largest = |kind: &str| {
        files_below(&keep.place())
            .into_iter()
            .filter(|name| name.contains(kind))
            .max_by_key(|name| fs::metadata(keep.place().join(name)).unwrap().len())
            .unwrap()
    };
    let flip = |name: &str| {
        let path = keep.place().join(name);
        let sound = fs::read(&path).unwrap();
        let mut spoilt = sound.clone();
        spoilt[sound.len() / 2] ^= 0x10;
        overwrite(&path, &spoilt);
        (path, sound, spoilt)
    };
    let picture = largest("/blobs/");
    for name in [&picture, &largest("/repo/")] {
        let (path, sound, _) = flip(name);
        let check = keep.engine.check(None).await.unwrap().remove(0);
        assert_eq!((&check.mended, check.damaged), (&vec![name.clone()], vec![]));
        assert_eq!(fs::read(&path).unwrap(), sound);
        said_once(&keep.engine, &did).await;
    }

    // While nobody has it, it is named.
    network.kill(Server::A).await.unwrap();
    let (path, sound, spoilt) = flip(&picture);
    let check = keep.engine.check(None).await.unwrap().remove(0);
    let named: Vec<(&str, &str)> = check
        .damaged
        .iter()
        .map(|damage| (damage.name.as_str(), damage.state.as_str()))
        .collect();
    assert_eq!(named, [(picture.as_str(), "damaged")]);
    assert!(!check.damaged[0].snapshots.is_empty() && !check.touched_snapshots.is_empty());
    assert_eq!(codes(&keep.engine, &did).await, ["damage_found", "host_unreachable"]);
    // It stands until a check finds nothing, whatever runs in between.
    network.start_again(Server::A).await.unwrap();
    overwrite(&path, &sound);
    assert!(matches!(
        keep.engine.back_up(&did).await.unwrap(),
        RunEnd::Completed { .. }
    ));
    assert_eq!(codes(&keep.engine, &did).await, ["damage_found"]);
    assert_eq!(keep.engine.check(None).await.unwrap()[0].damaged, []);
    assert_eq!(codes(&keep.engine, &did).await, Vec::<String>::new());

    // With a second copy in reach a check writes it anew, and what was there is kept apart.
    let second = keep.spare("second");
    keep.engine.add_folder(&second, None).await.unwrap();
    completes(&keep.engine, &did).await;
    overwrite(&path, &spoilt);
    let check = keep.engine.check(None).await.unwrap().remove(0);
    assert_eq!((check.mended, check.damaged), (vec![picture.clone()], vec![]));
    assert_eq!(fs::read(&path).unwrap(), sound);
    said_once(&keep.engine, &did).await;
    let apart: Vec<String> = files_below(&keep.place())
        .into_iter()
        .filter(|name| name.contains("/damaged/"))
        .collect();
    // The picture twice, and the repository.
    assert_eq!(apart.len(), 3, "{apart:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_loses_is_reported_and_held() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 40))
        .await
        .unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    let keep = Keep::empty(&network).await;
    keep.engine.add_folder(&keep.place(), None).await.unwrap();

    // A picture that the host lost before it was ever kept.
    let lost = account.blobs.last().unwrap();
    let stored = files_below(network.dir())
        .into_iter()
        .find(|name| name.ends_with(&lost.cid))
        .unwrap();
    let (stored, aside) = (network.dir().join(stored), keep.spare("lost"));
    fs::copy(&stored, &aside).unwrap();
    fs::remove_file(&stored).unwrap();
    let (engine, did) = (&keep.engine, protected(&keep, &account).await);
    let kept = engine.account(&did).await.unwrap().kept;
    assert_eq!(
        (kept.records, kept.media, kept.media_missing, kept.media_pending),
        (account.records, account.blobs.len() as u64 - 1, 1, 0)
    );
    let missing = newest(engine, &did).await.media_missing.remove(0);
    assert_eq!(missing.cid, lost.cid);
    let (collection, rkey) = missing.record.split_once('/').unwrap();
    let parameters = [
        ("repo", account.did.as_str()),
        ("collection", collection),
        ("rkey", rkey),
    ];
    let record = network
        .a()
        .query("com.atproto.repo.getRecord", &parameters)
        .await
        .unwrap();
    assert!(
        record.to_string().contains(&lost.cid),
        "{} does not need it",
        missing.record
    );
    // It is asked for again, and may be there after all.
    fs::copy(&aside, &stored).unwrap();
    completes(engine, &did).await;
    let kept = engine.account(&did).await.unwrap().kept;
    assert_eq!((kept.media, kept.media_missing), (account.blobs.len() as u64, 0));

    // Sixty-five posts at once, and gone at once.
    let posts: Vec<Value> = (0..65)
        .map(|n| {
            let value = json!({ "text": format!("Post {n}"), "createdAt": "2026-01-01T00:00:00.000Z" });
            json!({
                "$type": "com.atproto.repo.applyWrites#create",
                "collection": "app.bsky.feed.post",
                "rkey": skykeep_atproto::Tid::new(1_767_000_000_000_000 + n, 0),
                "value": value,
            })
        })
        .collect();
    session.apply_writes(&posts).await.unwrap();
    completes(engine, &did).await;
    let full = newest(engine, &did).await;
    assert_eq!(full.records, account.records + 65);
    let wipe: Vec<Value> = posts
        .iter()
        .map(|post| {
            let (collection, rkey) = (&post["collection"], &post["rkey"]);
            json!({ "$type": "com.atproto.repo.applyWrites#delete", "collection": collection, "rkey": rkey })
        })
        .collect();
    session.apply_writes(&wipe).await.unwrap();
    assert_eq!(engine_end(engine, &did).await, RunEnd::Completed { changed: true });
    assert_eq!(newest(engine, &did).await.records, account.records);
    let held = async || {
        let all = engine.snapshots(&did).await.unwrap();
        let pinned: Vec<String> = all.into_iter().filter(|s| s.pinned).map(|s| s.id).collect();
        (codes(engine, &did).await, pinned)
    };
    let alarm = (vec!["shrunk".to_owned()], vec![full.id.clone()]);
    assert_eq!(held().await, alarm);
    // A run without news takes nothing back; only a person does.
    assert_eq!(engine_end(engine, &did).await, RunEnd::Completed { changed: false });
    assert_eq!(held().await, alarm);
    let back = engine.export(&did, Some(&full.id), &keep.spare("back")).await.unwrap();
    assert_eq!(back.records, full.records);
    engine.confirm_shrink(&did).await.unwrap();
    assert_eq!(held().await, (vec![], vec![]));
}

/// Keeps the account and backs it up a first time.
async fn protected(keep: &Keep, account: &Account) -> Did {
    let person = keep.engine.look_up(&account.handle).await.unwrap();
    keep.engine.add_account(&person, Whose::Mine).await.unwrap();
    let did: Did = account.did.parse().unwrap();
    completes(&keep.engine, &did).await;
    did
}

async fn engine_end(engine: &Engine, did: &Did) -> RunEnd {
    engine.back_up(did).await.unwrap()
}

/// Backs up; nothing is left to complain about.
async fn completes(engine: &Engine, did: &Did) {
    let end = engine_end(engine, did).await;
    assert!(matches!(end, RunEnd::Completed { .. }), "{end:?}");
    assert_eq!(codes(engine, did).await, Vec::<String>::new());
}

/// That something was mended stands until it was told, and is told with the next tick.
async fn said_once(engine: &Engine, did: &Did) {
    assert_eq!(codes(engine, did).await, ["mended"]);
    let mut going = JoinSet::new();
    engine.tick(Timestamp::now(), &mut going).await.unwrap();
    while going.join_next().await.is_some() {}
    assert_eq!(codes(engine, did).await, Vec::<String>::new());
}

/// Backs up; the code of why that was not done.
async fn skipped_for(engine: &Engine, did: &Did) -> String {
    match engine_end(engine, did).await {
        RunEnd::Skipped { why } => {
            in_words(&why);
            why.code
        }
        other => panic!("not skipped: {other:?}"),
    }
}

/// Backs up; what went wrong.
async fn failed_with(engine: &Engine, did: &Did) -> Problem {
    match engine_end(engine, did).await {
        RunEnd::Failed { problem } => {
            in_words(&problem);
            problem
        }
        other => panic!("did not fail: {other:?}"),
    }
}

/// A problem says what happened and what it means; nothing in it is left to be filled in.
fn in_words(problem: &Problem) {
    for text in [problem.happened(), problem.means()] {
        assert!(!text.is_empty() && !text.contains('{'), "{problem:?}");
    }
}

async fn codes(engine: &Engine, did: &Did) -> Vec<String> {
    let account = engine.account(did).await.unwrap();
    account.problems.into_iter().map(|problem| problem.code).collect()
}

async fn newest(engine: &Engine, did: &Did) -> Snapshot {
    engine.snapshots(did).await.unwrap().remove(0)
}

fn ids(snapshots: &[Snapshot]) -> Vec<String> {
    snapshots.iter().map(|snapshot| snapshot.id.clone()).collect()
}

/// What was kept is still listed, in the place, and can be read back.
async fn still_kept(keep: &Keep, did: &Did, first: &Snapshot) {
    let all = keep.engine.snapshots(did).await.unwrap();
    let listed = all.iter().find(|snapshot| snapshot.id == first.id).unwrap();
    assert_eq!((listed.records, listed.places.len()), (first.records, 1));
    assert_eq!(keep.engine.check(None).await.unwrap()[0].damaged, []);
    let folder = tempfile::tempdir().unwrap();
    let exported = keep.engine.export(did, Some(&first.id), folder.path()).await.unwrap();
    assert_eq!(exported.records, first.records);
}

/// The newest snapshot waits on this computer, can be read back, and the place says why.
async fn only_staged(keep: &Keep, did: &Did, state: PlaceState, code: &str) {
    let latest = newest(&keep.engine, did).await;
    assert_eq!(latest.places, Vec::<String>::new());
    assert_eq!(keep.engine.places().await.unwrap()[0].state, state);
    assert_eq!(codes(&keep.engine, did).await, [code]);
    let folder = tempfile::tempdir().unwrap();
    let exported = keep.engine.export(did, None, folder.path()).await.unwrap();
    assert_eq!((exported.snapshot, exported.records), (latest.id, latest.records));
}

/// The next run brings the place everything that it missed.
async fn caught_up(keep: &Keep, did: &Did) {
    completes(&keep.engine, did).await;
    for snapshot in keep.engine.snapshots(did).await.unwrap() {
        assert_eq!(snapshot.places.len(), 1, "{}", snapshot.id);
    }
    let check = keep.engine.check(None).await.unwrap().remove(0);
    assert_eq!((check.damaged, check.touched_snapshots), (vec![], vec![]));
}

/// Writes over a file, whatever its mode says.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A folder and all below it.
fn folders_below(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut next = 0;
    while next < folders.len() {
        let entries = fs::read_dir(&folders[next]).unwrap();
        folders.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
        next += 1;
    }
    folders
}
