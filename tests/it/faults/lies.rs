//! A host that lies: what it says is set aside with the reason, replaces nothing, and is forgotten when it is honest again.

use skykeep_atproto::{Curve, SigningKey};
use skykeep_engine::api::RunEnd;
use skykeep_tests::keep::files_below;
use skykeep_tests::repo_maker::Repo;

use super::liar::{Liar, Lie, SEED, World, key};
use super::{codes, completes, fails, kept, newest, of_kind, reads_back, sound, staging};

/// What a host makes of what it knows.
type Telling = fn(&World) -> Lie;

/// One bit of what an honest host would send, so many eighths in.
fn flipped(world: &World, eighths: usize) -> Vec<u8> {
    let mut car = world.car();
    let at = car.len() / 8 * eighths;
    car[at] ^= 0x04;
    car
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_account_is_set_aside_and_replaces_nothing() {
    let lies: [(&str, Telling); 6] = [
        ("signed by somebody else", |world| {
            let records = world.repo.records().iter();
            let records = records.map(|(path, cid)| (path.clone(), world.repo.block(cid).unwrap().to_vec()));
            let other = SigningKey::from_bytes(Curve::K256, &[8; 32]).unwrap();
            let forged = Repo::of(world.repo.did(), &other, records);
            let (cid, rev) = (forged.root(), forged.rev());
            let car = forged.car(skykeep_tests::repo_maker::Order::Pds, None);
            Lie::Repo { car, cid, rev }
        }),
        ("another account's", |_| {
            let other = "did:plc:44ybard66vv44zksje25o7dz".parse().unwrap();
            let stranger = Repo::new(&other, &key(), 5, 30);
            let (cid, rev) = (stranger.root(), stranger.rev());
            let car = stranger.car(skykeep_tests::repo_maker::Order::Pds, None);
            Lie::Repo { car, cid, rev }
        }),
        ("one bit early on", |world| world.lie_of(flipped(world, 1))),
        ("one bit in a record", |world| world.lie_of(flipped(world, 7))),
        ("cut off", |world| {
            let mut car = world.car();
            car.truncate(car.len() / 3 * 2);
            world.lie_of(car)
        }),
        ("no repository at all", |world| {
            world.lie_of(b"<html>Back soon</html>".repeat(40))
        }),
    ];
    let host = Liar::start(60);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    for (n, (name, lie)) in lies.into_iter().enumerate() {
        let (before, good) = (files_below(&keep.place()), newest(engine, did).await);
        host.post(1);
        let told = lie(&host.world());
        host.says(told);
        println!("{name}");
        let problem = fails(engine, did).await;
        assert_eq!(problem.code, "repo_unproved", "{name}: {problem:?}");
        assert!(problem.detail.is_some_and(|detail| !detail.is_empty()), "{name}");
        assert_eq!(codes(engine, did).await, ["repo_unproved"], "{name}");
        let reasons = of_kind(&staging(&keep), "rejected");
        let reasons = reasons.iter().filter(|file| file.ends_with(".json")).count();
        assert_eq!(reasons, n + 1, "{name}");
        // Nothing of it reached the place, and what was kept is as it was.
        assert_eq!(files_below(&keep.place()), before, "{name}");
        assert_eq!(newest(engine, did).await, good, "{name}");
        reads_back(engine, did, &good).await;
        // Honest again: everything is as if nothing had been.
        host.says(Lie::None);
        completes(engine, did).await;
        let healed = newest(engine, did).await;
        assert_eq!(healed.records, host.records(), "{name}");
        reads_back(engine, did, &healed).await;
    }
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_is_a_lie_and_the_whole_is_not() {
    let host = Liar::start(60);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    // First, so that the host is not held while it is asked.
    let lies = {
        let world = host.world();
        [
            b"<html>Back soon</html>".repeat(40),
            flipped(&world, 2),
            flipped(&world, 5),
        ]
    };
    for lie in lies {
        host.post(2);
        host.says(Lie::Since(lie));
        completes(engine, did).await;
        assert_eq!(newest(engine, did).await.records, host.records());
    }
    assert_eq!(of_kind(&staging(&keep), "rejected"), Vec::<String>::new());
    // Only what is new was written all the same.
    assert_eq!(of_kind(&keep.place(), "repo").len(), 4);
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_goes_back_in_time_takes_nothing_away() {
    let host = Liar::start(60);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    host.post(70);
    completes(engine, did).await;
    let full = newest(engine, did).await;

    // The host was restored from an old backup of its own: the account's own commit, properly signed.
    let old = Repo::new(did, &key(), SEED, 60);
    let (cid, rev) = (old.root(), old.rev());
    let car = old.car(skykeep_tests::repo_maker::Order::Pds, None);
    host.says(Lie::Repo { car, cid, rev });
    assert_eq!(engine.back_up(did).await.unwrap(), RunEnd::Completed { changed: true });
    assert_eq!(newest(engine, did).await.records, 60);
    assert_eq!(codes(engine, did).await, ["shrunk"]);
    let held = engine.snapshots(did).await.unwrap();
    let held = held.iter().find(|snapshot| snapshot.id == full.id).unwrap();
    assert!(held.pinned);
    reads_back(engine, did, held).await;

    host.says(Lie::None);
    engine.back_up(did).await.unwrap();
    assert_eq!(newest(engine, did).await.records, full.records);
    engine.confirm_shrink(did).await.unwrap();
    completes(engine, did).await;
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_another_is_missing_until_it_is_the_right_one() {
    let host = Liar::start(60);
    host.says(Lie::Blobs(b"not what was asked for".to_vec()));
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let first = newest(engine, did).await;
    assert_eq!((first.media, first.media_missing.len() as u64), (0, host.media()));
    assert!(first.media_missing.iter().all(|missing| missing.reason == "mismatch"));
    assert_eq!(of_kind(&keep.place(), "blobs"), Vec::<String>::new());
    // Asked again and still wrong: no news, nothing is written.
    let before = files_below(&keep.place());
    completes(engine, did).await;
    assert_eq!(files_below(&keep.place()), before);
    host.says(Lie::None);
    completes(engine, did).await;
    let healed = newest(engine, did).await;
    assert_eq!((healed.media, healed.media_missing.len()), (host.media(), 0));
    reads_back(engine, did, &healed).await;
    sound(engine).await;
}
