//! Clocks that are off, and a vault from a version that is still to come.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use skykeep_engine::api::{PlaceState, RunEnd};
use skykeep_tests::keep::files_below;
use skykeep_vault::layout::Checksum;

use super::liar::Liar;
use super::{at, codes, completes, fails, kept, newest, reads_back, sound};

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_keeps_nothing_wrong_and_stops_nothing_for_good() {
    let host = Liar::start(40);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let (good, before) = (newest(engine, did).await, files_below(&keep.place()));

    // Ours is years behind: by it, the account's newest change is still to come.
    host.post(1);
    let past: Timestamp = "2024-02-29T12:00:00Z".parse().unwrap();
    let end = at(engine, past).await.unwrap();
    let RunEnd::Failed { problem } = end else {
        panic!("{end:?}")
    };
    assert_eq!(problem.code, "future_rev");
    assert!(problem.todo().contains("date and time"), "{}", problem.todo());
    assert_eq!((newest(engine, did).await, files_below(&keep.place())), (good, before));
    // Right again: the next run says nothing more of it.
    completes(engine, did).await;
    assert_eq!(newest(engine, did).await.records, host.records());

    // Ours is years ahead. What it dates wrongly is kept all the same, in the right order.
    host.post(1);
    let future = Timestamp::now() + SignedDuration::from_hours(24 * 365 * 10);
    assert_eq!(at(engine, future).await, Some(RunEnd::Completed { changed: true }));
    let ahead = newest(engine, did).await;
    assert!(ahead.taken > Timestamp::now().as_millisecond());
    // Right again: one run makes up for it, and no storm.
    host.post(1);
    let now = Timestamp::now();
    assert_eq!(at(engine, now).await, Some(RunEnd::Completed { changed: true }));
    assert_eq!(newest(engine, did).await.records, host.records());
    assert_eq!(at(engine, now + SignedDuration::from_secs(2)).await, None);

    // The host's own clock is decades off: its answers hold, whatever it dates them.
    for date in [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 2060 23:59:59 GMT",
        "no date",
    ] {
        host.post(1);
        host.world().date = Some(date);
        completes(engine, did).await;
        assert_eq!(newest(engine, did).await.records, host.records(), "{date}");
    }
    for snapshot in engine.snapshots(did).await.unwrap() {
        reads_back(engine, did, &snapshot).await;
    }
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_from_a_newer_version_is_left_as_it_is() {
    let host = Liar::start(40);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let good = newest(engine, did).await;
    let own = files_below(&keep.place())
        .into_iter()
        .find(|name| name.starts_with("vault."))
        .unwrap();
    let bytes = fs::read(keep.place().join(&own)).unwrap();
    let mut wire: Value = serde_json::from_slice(&bytes).unwrap();
    wire["format"] = 99.into();
    let newer = format!("{wire}\n").into_bytes();
    let id = own.split('.').nth(1).unwrap();
    let name = format!("vault.{id}.{}.json", Checksum::of(&newer).name());
    fs::remove_file(keep.place().join(&own)).unwrap();
    fs::write(keep.place().join(&name), newer).unwrap();
    let before = files_below(&keep.place());

    host.post(2);
    let problem = fails(engine, did).await;
    assert_eq!(problem.code, "vault_newer");
    assert_eq!(codes(engine, did).await, ["vault_newer"]);
    assert_eq!(files_below(&keep.place()), before);
    assert_eq!(engine.places().await.unwrap()[0].state, PlaceState::Other);
    assert!(
        engine.check(None).await.is_err(),
        "it is not judged by rules that are not its own"
    );
    // A new place with it is no way around, and nothing is made of it.
    let other = keep.spare("other");
    fs::create_dir(&other).unwrap();
    fs::copy(keep.place().join(&name), other.join(&name)).unwrap();
    let there = files_below(&other);
    let error = engine.add_folder(&other, None).await.unwrap_err();
    assert_eq!(skykeep_engine::to_problem(&error).code, "vault_newer");
    assert_eq!(files_below(&other), there);

    // With the vault as it was, it catches up.
    fs::remove_file(keep.place().join(&name)).unwrap();
    fs::write(keep.place().join(&own), bytes).unwrap();
    completes(engine, did).await;
    let latest = newest(engine, did).await;
    assert_eq!((latest.records, latest.places.len()), (good.records + 2, 1));
    sound(engine).await;
}
