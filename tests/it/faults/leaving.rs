//! Places that are left: written to no more, or moved to another one, whatever is stopped in between.

use std::fs;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use skykeep_engine::api::{Event, Place, PlaceRole, RunEnd};
use skykeep_engine::{Engine, Error};
use skykeep_tests::keep::files_below;

use super::liar::Liar;
use super::{at, codes, completes, kept, newest, of_kind, reads_back, sound};

/// A place by its folder's name.
async fn named(engine: &Engine, name: &str) -> Place {
    let places = engine.places().await.unwrap();
    places.into_iter().find(|place| place.path.ends_with(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_was_left_is_read_and_not_written() {
    let host = Liar::start(120);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let second = keep.spare("second");
    engine.add_folder(&second, None).await.unwrap();
    completes(engine, did).await;
    let id = named(engine, "second").await.id;
    assert_eq!(engine.retire_place(&id).await.unwrap().role, PlaceRole::Retired);
    let only = named(engine, "place").await.id;
    assert!(matches!(engine.retire_place(&only).await, Err(Error::LastPlace { .. })));
    assert!(matches!(engine.move_place(&only, &id).await, Err(Error::NoMove { .. })));
    assert!(matches!(
        engine.move_place(&only, &only).await,
        Err(Error::NoMove { .. })
    ));

    let before = files_below(&second);
    for _ in 0..2 {
        host.post(3);
        completes(engine, did).await;
    }
    assert_eq!(files_below(&second), before, "nothing is written there");
    assert_eq!(newest(engine, did).await.places, std::slice::from_ref(&only));
    let place = named(engine, "second").await;
    assert!(place.behind > 0 && place.behind_since.is_some());
    assert_eq!(
        (place.only_here, named(engine, "place").await.only_here),
        (0, place.behind)
    );

    // What it holds is a copy as good as any.
    let picture = keep.place().join(of_kind(&keep.place(), "blobs").remove(0));
    fs::write(&picture, "spoilt").unwrap();
    assert_eq!(engine.check(Some(&only)).await.unwrap()[0].mended.len(), 1);
    let pictures = host.world().blobs_asked;

    // It outlasts the program, and can be taken back.
    let keep = keep.reopen().await;
    let engine = &keep.engine;
    assert_eq!(named(engine, "second").await.role, PlaceRole::Retired);
    engine.resume_place(&id).await.unwrap();
    let end = engine.back_up(did).await.unwrap();
    assert!(matches!(end, RunEnd::Completed { .. }), "{end:?}");
    let place = named(engine, "second").await;
    assert_eq!(
        (place.behind, place.behind_since, place.role),
        (0, None, PlaceRole::Active)
    );
    assert_eq!(host.world().blobs_asked, pictures, "the host was not asked for it");
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_moves_when_the_other_holds_and_has_read_everything() {
    let host = Liar::start(120);
    let keep = kept(&host).await;
    let did = host.did();
    for _ in 0..3 {
        host.post(2);
        completes(&keep.engine, did).await;
    }
    let old = named(&keep.engine, "place").await;
    let (second, aside) = (keep.spare("second"), keep.spare("aside"));
    let new = keep.engine.add_folder(&second, None).await.unwrap();
    let moving = keep.engine.move_place(&old.id, &new.id).await.unwrap();
    assert_eq!(moving.role, PlaceRole::Moves { to: new.name.clone() });

    // The other one is away, the program ends: it is still a place, and nothing is lost.
    fs::rename(&second, &aside).unwrap();
    let mut now = Timestamp::now() + SignedDuration::from_hours(2);
    at(&keep.engine, now).await;
    assert_eq!(keep.engine.places().await.unwrap().len(), 2);
    let keep = keep.reopen().await;
    let engine = &keep.engine;
    assert_eq!(named(engine, "place").await.role, moving.role);
    fs::rename(&aside, &second).unwrap();

    let (mut events, began) = (engine.events(), Instant::now());
    while engine.places().await.unwrap().len() > 1 {
        assert!(began.elapsed() < Duration::from_secs(120), "it does not end");
        now += SignedDuration::from_mins(61);
        host.post(1);
        at(engine, now).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let left = engine.places().await.unwrap().remove(0);
    assert_eq!(left.id, new.id);
    assert!(left.last_checked.is_some(), "every file was read there");
    let snapshots = engine.snapshots(did).await.unwrap();
    for snapshot in &snapshots {
        assert_eq!(snapshot.places, std::slice::from_ref(&new.id));
        reads_back(engine, did, snapshot).await;
    }
    assert!(!of_kind(&keep.place(), "snapshots").is_empty(), "what was there stays");
    sound(engine).await;
    assert_eq!(codes(engine, did).await, Vec::<String>::new());
    // A person is told, once.
    now += SignedDuration::from_mins(61);
    at(engine, now).await;
    now += SignedDuration::from_mins(61);
    at(engine, now).await;
    let mut told = 0;
    while let Ok(event) = events.try_recv() {
        told += usize::from(matches!(&event, Event::Notify { problem, .. } if problem.code == "moved"));
    }
    assert_eq!(told, 1);
}
