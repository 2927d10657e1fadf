//! What waits on this computer, for how long, and what a run does when it waits no more.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use skykeep_engine::CancellationToken;
use skykeep_engine::api::RunEnd;
use skykeep_tests::keep::{Keep, files_below};
use skykeep_tests::repo_maker::seeded::exhaustive;

use super::liar::Liar;
use super::{at, beginning, codes, completes, kept, newest, of_kind, reads_back, sound, staging};

#[tokio::test(flavor = "multi_thread")]
async fn what_every_place_has_waits_no_more() {
    let host = Liar::start(200);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let media = usize::try_from(host.media()).unwrap();
    assert!(media > 10);
    assert_eq!(of_kind(&keep.place(), "blobs").len(), media);
    assert_eq!(of_kind(&staging(&keep), "blobs"), Vec::<String>::new());
    assert_eq!(
        of_kind(&staging(&keep), "repo").len(),
        1,
        "the next hour begins with it"
    );
    reads_back(engine, did, &newest(engine, did).await).await;

    // A second place gets everything, though staging has it no more.
    let second = keep.spare("second");
    engine.add_folder(&second, None).await.unwrap();
    completes(engine, did).await;
    assert_eq!(newest(engine, did).await.places.len(), 2);
    assert_eq!(of_kind(&second, "blobs").len(), media);
    assert_eq!(host.world().blobs_asked, media, "no picture was fetched twice");
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_writes_nothing_whoever_asks() {
    let host = Liar::start(40);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let (before, checked) = (
        files_below(&keep.place()),
        engine.account(did).await.unwrap().kept.last_checked,
    );
    for _ in 0..3 {
        let end = engine.back_up(did).await.unwrap();
        assert_eq!(end, RunEnd::Completed { changed: false });
    }
    assert_eq!(files_below(&keep.place()), before);
    assert_eq!(engine.snapshots(did).await.unwrap().len(), 2, "posts first, then all");
    let kept = engine.account(did).await.unwrap().kept;
    assert!(kept.last_checked > checked, "and yet it was checked");
    assert_eq!(
        engine.runs(Some(did), 9).await.unwrap().len(),
        4,
        "and each run is recorded"
    );

    // A day later one small manifest says so, and only one.
    let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
    for hours in [0, 2, 4] {
        let end = at(engine, tomorrow + SignedDuration::from_hours(hours)).await;
        assert_eq!(end, Some(RunEnd::Completed { changed: false }));
    }
    let after = files_below(&keep.place());
    let new: Vec<&String> = after.iter().filter(|file| !before.contains(file)).collect();
    assert!(new.len() == 1 && new[0].contains("/snapshots/"), "{new:?}");
    assert!(newest(engine, did).await.unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_away_is_waited_for_a_month() {
    let host = Liar::start(200);
    let keep = beginning(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let (drive, aside) = (keep.spare("drive"), keep.spare("aside"));
    engine.add_folder(&keep.place(), None).await.unwrap();
    engine.add_folder(&drive, None).await.unwrap();
    fs::rename(&drive, &aside).unwrap();
    engine.back_up(did).await.unwrap();
    let media = usize::try_from(host.media()).unwrap();
    assert_eq!(of_kind(&keep.place(), "blobs").len(), media);
    assert_eq!(
        of_kind(&staging(&keep), "blobs").len(),
        media,
        "the drive has none of them"
    );

    // Back again: it gets them from here, and then they wait no more.
    fs::rename(&aside, &drive).unwrap();
    completes(engine, did).await;
    assert_eq!(of_kind(&drive, "blobs").len(), media);
    assert_eq!(of_kind(&staging(&keep), "blobs"), Vec::<String>::new());

    // Away for good: after a month what the other place has is enough.
    fs::rename(&drive, &aside).unwrap();
    host.post(3);
    engine.back_up(did).await.unwrap();
    let waits = || of_kind(&staging(&keep), "repo").len();
    assert_eq!(waits(), 2);
    for (days, posts) in [(20, 40), (40, 40)] {
        host.post(posts);
        let then = Timestamp::now() + SignedDuration::from_hours(24 * days);
        let end = at(engine, then).await.unwrap();
        assert!(matches!(end, RunEnd::Completed { .. }), "{end:?}");
    }
    // Whatever left, everything can be read back, and the drive catches up when it does come back.
    reads_back(engine, did, &newest(engine, did).await).await;
    fs::rename(&aside, &drive).unwrap();
    completes(engine, did).await;
    for snapshot in engine.snapshots(did).await.unwrap() {
        assert_eq!(snapshot.places.len(), 2, "{}", snapshot.id);
    }
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_begins_with_what_only_a_place_has() {
    let host = Liar::start(80);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let gone = || fs::remove_dir_all(staging(&keep).join(account_folder(&keep)).join("repo")).unwrap();
    // As a repository that is too large to stay.
    gone();
    host.post(2);
    completes(engine, did).await;
    assert_eq!(of_kind(&keep.place(), "repo").len(), 2, "a base and an increment");
    assert_eq!(host.world().repos_asked, 2);

    // Nowhere in reach: everything is fetched once, and no picture.
    let (aside, pictures) = (keep.spare("aside"), host.world().blobs_asked);
    gone();
    fs::rename(keep.place(), &aside).unwrap();
    host.post(2);
    let end = engine.back_up(did).await.unwrap();
    assert!(matches!(end, RunEnd::Skipped { .. }), "{end:?}");
    host.post(2);
    engine.back_up(did).await.unwrap();
    assert_eq!(newest(engine, did).await.records, host.records());
    assert_eq!(host.world().blobs_asked, pictures);
    fs::rename(&aside, keep.place()).unwrap();
    completes(engine, did).await;
    reads_back(engine, did, &newest(engine, did).await).await;
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_proved_beside_what_is_kept() {
    let host = Liar::start(400);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let outlines = keep.data().join("outlines");
    let outline = || {
        let files: Vec<_> = fs::read_dir(&outlines)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().unwrap()
    };
    let hour = async |increments: usize| {
        host.post(2);
        completes(engine, did).await;
        assert_eq!(newest(engine, did).await.records, host.records());
        assert_eq!(
            of_kind(&keep.place(), "repo").len(),
            1 + increments,
            "a base and increments"
        );
        assert_eq!(host.world().repos_asked, 1 + increments);
    };
    hour(1).await;
    let first = fs::read(outline()).unwrap();
    hour(2).await;
    assert_ne!(fs::read(outline()).unwrap(), first, "each proof leaves its own");

    // A byte of the staged base that nothing new hangs on is not read: together with it nothing would be proved.
    let base = of_kind(&staging(&keep), "repo")
        .into_iter()
        .map(|file| staging(&keep).join(file));
    let base = base.max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
    let whole = fs::read(&base).unwrap();
    let mut spoilt = whole.clone();
    // The profile comes first of all records, and the first blocks are the commit and nodes down to it.
    let at = spoilt
        .windows(22)
        .position(|bytes| bytes == b"app.bsky.actor.profile")
        .unwrap();
    let record = spoilt
        .windows(11)
        .skip(at + 22)
        .position(|bytes| bytes == b"displayName")
        .unwrap();
    spoilt[at + 22 + record + 13] ^= 1;
    fs::write(&base, &spoilt).unwrap();
    hour(3).await;
    fs::write(&base, &whole).unwrap();

    // One that is damaged, of something else, or gone is made anew by a proof of everything.
    let of_now = fs::read(outline()).unwrap();
    let mut damaged = of_now.clone();
    damaged[99] ^= 1;
    fs::write(outline(), damaged).unwrap();
    hour(4).await;
    fs::write(outline(), first).unwrap();
    hour(5).await;
    fs::remove_dir_all(&outlines).unwrap();
    hour(6).await;
    hour(7).await;
    assert!(outline().is_file());
    reads_back(engine, did, &newest(engine, did).await).await;
    sound(engine).await;

    // It goes with the account.
    engine.remove_account(did).await.unwrap();
    assert_eq!(fs::read_dir(&outlines).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_read_again_with_every_24th_increment() {
    let host = Liar::start(400);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let hour = async |files: usize, asked: usize| {
        host.post(1);
        completes(engine, did).await;
        assert_eq!(of_kind(&keep.place(), "repo").len(), files);
        assert_eq!(host.world().repos_asked, asked);
    };
    hour(2, 2).await;
    hour(3, 3).await;
    let base = of_kind(&staging(&keep), "repo")
        .into_iter()
        .map(|file| staging(&keep).join(file));
    let base = base.max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
    let mut spoilt = fs::read(&base).unwrap();
    // In the last record, on which nothing new hangs.
    let at = spoilt.len() - 5;
    spoilt[at] ^= 1;
    fs::write(&base, spoilt).unwrap();
    for increments in 3..24 {
        hour(1 + increments, 1 + increments).await;
    }
    // Together with it nothing is proved: everything is asked for, and a new base follows.
    hour(25, 26).await;
    reads_back(engine, did, &newest(engine, did).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_place_is_filled_though_the_old_one_is_away() {
    let host = Liar::start(120);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let aside = keep.spare("aside");
    fs::rename(keep.place(), &aside).unwrap();
    // As a repository that is too large to stay; and what it was then, nobody else has.
    fs::remove_dir_all(staging(&keep).join(account_folder(&keep)).join("repo")).unwrap();
    host.post(1);
    let second = keep.spare("second");
    engine.add_folder(&second, None).await.unwrap();
    let end = engine.back_up(did).await.unwrap();
    assert_eq!(
        end,
        RunEnd::Completed { changed: true },
        "fetched anew for the new place"
    );
    let latest = newest(engine, did).await;
    assert_eq!((latest.places.len(), latest.media), (1, host.media()));
    reads_back(engine, did, &latest).await;
    // What only the old one has of older snapshots is named, and comes when it is back.
    let mut told = codes(engine, did).await;
    told.sort();
    assert_eq!(told, ["place_behind", "place_missing"]);
    fs::rename(&aside, keep.place()).unwrap();
    completes(engine, did).await;
    for snapshot in engine.snapshots(did).await.unwrap() {
        assert_eq!(snapshot.places.len(), 2, "{}", snapshot.id);
    }
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drive_that_is_back_need_not_wait_for_a_host_that_is_gone() {
    let host = Liar::start(60);
    let keep = kept(&host).await;
    let aside = keep.spare("aside");
    let did = host.did().clone();
    fs::rename(keep.place(), &aside).unwrap();
    host.post(2);
    keep.engine.back_up(&did).await.unwrap();
    drop(host);
    fs::rename(&aside, keep.place()).unwrap();
    let end = keep.engine.back_up(&did).await.unwrap();
    assert!(matches!(end, RunEnd::Failed { .. }), "{end:?}");
    assert_eq!(newest(&keep.engine, &did).await.places.len(), 1);
    assert_eq!(codes(&keep.engine, &did).await, ["host_unreachable"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_first_backup_passes_through_in_batches() {
    // Minutes in a debug build: for the release gate.
    if !exhaustive() {
        return;
    }
    let host = Liar::start(17_000);
    let media = usize::try_from(host.media()).unwrap();
    assert!(media > 1_000, "{media} are too few for two batches");
    let keep = beginning(&host).await;
    keep.engine.add_folder(&keep.place(), None).await.unwrap();
    let (blobs, over) = (keep.data().join("staging"), CancellationToken::new());
    let watch = {
        let over = over.clone();
        tokio::task::spawn_blocking(move || {
            let mut most = 0;
            while !over.is_cancelled() {
                most = most.max(of_kind(&blobs, "blobs").len());
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            most
        })
    };
    let began = std::time::Instant::now();
    completes(&keep.engine, host.did()).await;
    println!("{media} pictures in {:?}", began.elapsed());
    over.cancel();
    let most = watch.await.unwrap();
    assert!((1..=1_000).contains(&most), "{most} pictures were staged at once");
    assert_eq!(of_kind(&keep.place(), "blobs").len(), media);
    sound(&keep.engine).await;
}

/// `accounts/<account>` of the one account that is kept.
fn account_folder(keep: &Keep) -> String {
    let files = of_kind(&staging(keep), "snapshots");
    let (account, _) = files[0].split_once("/snapshots/").unwrap();
    account.to_owned()
}
