//! Storage servers that refuse, forget, or show half of what they have: told in words, and nothing is lost.

use jiff::{SignedDuration, Timestamp};
use skykeep_engine::api::{BucketAddress, PlaceState, RunEnd};
use skykeep_engine::keys::Secret;
use skykeep_engine::{BucketKeys, Engine};
use skykeep_tests::s3::{BUCKET, KEY, SECRET};

use super::liar::Liar;
use super::moody::{Mood, Moody};
use super::{at, beginning, codes, completes, newest, reads_back, sound};

async fn add(engine: &Engine, moody: &Moody) {
    let address = BucketAddress {
        endpoint: moody.endpoint(),
        bucket: BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        prefix: "family".to_owned(),
        in_host: false,
    };
    let keys = BucketKeys::new(KEY, Secret::new(SECRET.to_owned()));
    engine.add_bucket(&address, &keys, None).await.unwrap();
}

/// What a run says of the place it could not serve.
fn code(end: RunEnd) -> String {
    match end {
        RunEnd::Skipped { why } => why.code,
        RunEnd::Failed { problem } => problem.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_storage_server_refuses_is_named_and_waits_here() {
    let host = Liar::start(60);
    let moody = Moody::start();
    let keep = beginning(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    add(engine, &moody).await;
    completes(engine, did).await;
    let old = "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n";
    for (status, headers, said, expected) in [
        ("404 Not Found", "", "NoSuchBucket", "server_no_bucket"),
        ("403 Forbidden", "", "ExpiredToken", "server_keys_ended"),
        ("403 Forbidden", "", "InvalidAccessKeyId", "server_key"),
        ("403 Forbidden", "", "AccessDenied", "server_forbidden"),
        ("403 Forbidden", old, "RequestTimeTooSkewed", "server_clock"),
    ] {
        moody.is(Mood::Refuses(status, headers, said));
        host.post(1);
        assert_eq!(code(engine.back_up(did).await.unwrap()), expected);
        assert_eq!(
            engine.places().await.unwrap()[0].state,
            PlaceState::Refused,
            "{expected}"
        );
        let latest = newest(engine, did).await;
        assert_eq!((latest.records, latest.places.len()), (host.records(), 0), "{expected}");
        moody.is(Mood::Honest);
        completes(engine, did).await;
        assert_eq!(newest(engine, did).await.places.len(), 1, "{expected}");
    }
    for snapshot in engine.snapshots(did).await.unwrap() {
        reads_back(engine, did, &snapshot).await;
    }
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_server_that_is_busy_for_an_hour_is_waited_for() {
    let host = Liar::start(60);
    let moody = Moody::start();
    let keep = beginning(&host).await;
    add(&keep.engine, &moody).await;
    completes(&keep.engine, host.did()).await;
    // Anew, so that the bucket has to be opened: then it is soon known that nobody answers.
    let keep = keep.reopen().await;
    let (engine, did) = (&keep.engine, host.did());
    moody.is(Mood::Refuses("503 Slow Down", "", "SlowDown"));
    host.post(1);
    let now = Timestamp::now() + SignedDuration::from_hours(2);
    let end = at(engine, now).await.unwrap();
    assert_eq!(code(end), "server_busy");
    let latest = newest(engine, did).await;
    assert_eq!((latest.records, latest.places.len()), (host.records(), 0));
    moody.is(Mood::Honest);
    let end = at(engine, now + SignedDuration::from_hours(2)).await.unwrap();
    assert!(matches!(end, RunEnd::Completed { .. }), "{end:?}");
    assert_eq!(newest(engine, did).await.places.len(), 1);
    assert_eq!(codes(engine, did).await, Vec::<String>::new());
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_was_emptied_is_not_taken_for_the_place() {
    let host = Liar::start(60);
    let mut moody = Moody::start();
    let keep = beginning(&host).await;
    add(&keep.engine, &moody).await;
    completes(&keep.engine, host.did()).await;
    let gone = moody.server.kept("family").unwrap();
    moody.server.kill().unwrap();
    std::fs::remove_dir_all(&gone).unwrap();
    moody.server.start_again().unwrap();
    let keep = keep.reopen().await;
    let (engine, did) = (&keep.engine, host.did());
    host.post(1);
    assert_eq!(code(engine.back_up(did).await.unwrap()), "place_not_vault");
    assert!(!gone.exists(), "nothing is written where the place is not");
    let place = engine.places().await.unwrap().remove(0);
    assert_eq!(place.state, PlaceState::Other);
    // Set up anew, it gets what the host still has.
    engine.remove_place(&place.id).await.unwrap();
    add(engine, &moody).await;
    completes(engine, did).await;
    let latest = newest(engine, did).await;
    assert_eq!((latest.records, latest.media), (host.records(), host.media()));
    reads_back(engine, did, &latest).await;
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lists_half_of_what_it_has_loses_nothing() {
    let host = Liar::start(60);
    let moody = Moody::start();
    let keep = beginning(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    add(engine, &moody).await;
    for _ in 0..3 {
        completes(engine, did).await;
        host.post(2);
    }
    moody.is(Mood::ListsHalf);
    for _ in 0..2 {
        host.post(2);
        engine.back_up(did).await.unwrap();
    }
    // Whatever a check makes of that, it must not make it worse.
    let _ = engine.check(None).await;
    moody.is(Mood::Honest);
    sound(engine).await;
    completes(engine, did).await;
    for snapshot in engine.snapshots(did).await.unwrap() {
        assert_eq!(snapshot.places.len(), 1, "{}", snapshot.id);
        reads_back(engine, did, &snapshot).await;
    }
    sound(engine).await;
}
