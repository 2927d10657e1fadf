//! The main job on real servers: an account is captured, proved, kept and read back.

use std::fs;

use skykeep_atproto::Did;
use skykeep_engine::Engine;
use skykeep_engine::api::{KeptState, RunEnd, SignatureVerdict, Whose};
use skykeep_tests::keep::{Keep, files_below};
use skykeep_tests::network::{Network, SeedOptions};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_becomes_kept_changes_and_is_read_back() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 120))
        .await
        .unwrap();
    let did: Did = account.did.parse().unwrap();
    let keep = Keep::with_place(&network).await;
    let engine = &keep.engine;

    let person = engine.look_up("@Alice.test").await.unwrap();
    assert_eq!(person.did, account.did);
    assert_eq!(person.handle.as_deref(), Some("alice.test"));
    assert!(person.avatar.is_some_and(|avatar| avatar.starts_with("data:image/")));
    engine
        .add_account(&engine.look_up("alice.test").await.unwrap(), Whose::Mine)
        .await
        .unwrap();
    assert_eq!(engine.account(&did).await.unwrap().kept.state, KeptState::Nothing);

    // The first backup: posts first, then complete, verified, in the place. It is never called late.
    let (end, states) = states_during_a_run(engine, &did).await;
    assert_eq!(end, RunEnd::Completed { changed: true });
    assert!(states.contains(&KeptState::PostsOnly), "{states:?}");
    assert!(!states.contains(&KeptState::Stale), "{states:?}");
    let shown = engine.account(&did).await.unwrap();
    assert_eq!(shown.kept.state, KeptState::Complete);
    assert_eq!(shown.kept.records, account.records);
    assert_eq!(shown.kept.media, account.blobs.len() as u64);
    assert_eq!(
        (shown.kept.media_missing, shown.kept.media_pending, shown.kept.places),
        (0, 0, 1)
    );
    assert_eq!(shown.problems, []);
    let first = engine.snapshots(&did).await.unwrap().remove(0);
    assert_eq!(first.signature, SignatureVerdict::Current);

    // Nothing new: nothing is written.
    let before = files_below(&keep.place());
    engine
        .tick(jiff::Timestamp::now(), &mut tokio::task::JoinSet::new())
        .await
        .unwrap();
    assert_eq!(files_below(&keep.place()), before);

    // Three more posts: an increment, not a new base.
    let session = network.a().sign_in(&account).await.unwrap();
    for text in ["One more", "And another", "And the last"] {
        session.post(text).await.unwrap();
    }
    assert_eq!(engine.back_up(&did).await.unwrap(), RunEnd::Completed { changed: true });
    let snapshots = engine.snapshots(&did).await.unwrap();
    assert_eq!(snapshots[0].records, account.records + 3);
    let changes = engine.compare(&did, &first.id, &snapshots[0].id).await.unwrap();
    assert_eq!(
        (changes.added.len(), changes.changed.len(), changes.removed.len()),
        (3, 0, 0)
    );
    let cars = |names: &[String]| names.iter().filter(|name| name.contains("/repo/")).count();
    assert_eq!(cars(&files_below(&keep.place())), 2);

    // Everything in the place is what its name says.
    let checks = engine.check(None).await.unwrap();
    assert_eq!(checks.len(), 1);
    assert_eq!(checks[0].damaged, []);

    // Read back whole: the same records as the host has.
    let folder = keep.spare("export");
    let exported = engine.export(&did, None, &folder).await.unwrap();
    assert_eq!(exported.records, account.records + 3);
    assert_eq!(exported.missing, Vec::<String>::new());
    let car = fs::read(folder.join("repo.car")).unwrap();
    assert_eq!(exported.car_bytes, car.len() as u64);
}

/// Backs an account up, and looks how it stands whenever something changes meanwhile.
async fn states_during_a_run(engine: &Engine, did: &Did) -> (RunEnd, Vec<KeptState>) {
    let mut events = engine.events();
    let (running, whose) = (engine.clone(), did.clone());
    let mut running = tokio::spawn(async move { running.back_up(&whose).await.unwrap() });
    let mut states = Vec::new();
    loop {
        tokio::select! {
            end = &mut running => return (end.unwrap(), states),
            _ = events.recv() => states.push(engine.account(did).await.unwrap().kept.state),
        }
    }
}
