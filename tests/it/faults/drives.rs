//! Drives as people use them: two that take turns and never meet, another one at the same path, one that can be read and
//! not written, and a folder that somebody took the permission to write from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use skykeep_engine::Engine;
use skykeep_engine::api::{PlaceState, RunEnd};
use skykeep_tests::keep::files_below;
use skykeep_tests::skipped;

use super::disks::{Disk, PLENTY};
use super::liar::Liar;
use super::{at, beginning, completes, fails, kept, newest, of_kind, reads_back, sound, staging};

#[tokio::test(flavor = "multi_thread")]
async fn two_drives_that_never_meet_both_become_complete() {
    let host = Liar::start(120);
    let keep = beginning(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let drives = ["one", "two"].map(|name| (keep.spare(name), keep.spare(&format!("{name} in a drawer"))));
    let mut ids = Vec::new();
    for (drive, drawer) in &drives {
        ids.push(engine.add_folder(drive, None).await.unwrap().id);
        fs::rename(drive, drawer).unwrap();
    }
    let media = usize::try_from(host.media()).unwrap();
    for day in 0..8 {
        let (drive, drawer) = &drives[day % 2];
        fs::rename(drawer, drive).unwrap();
        host.post(3);
        let then = Timestamp::now() + SignedDuration::from_hours(24 * i64::try_from(day).unwrap());
        let end = at(engine, then).await;
        assert_eq!(end, Some(RunEnd::Completed { changed: true }), "day {day}");
        // The drive of the day has every hour since the first one, also those of the other's days.
        let snapshots = engine.snapshots(did).await.unwrap();
        for snapshot in &snapshots {
            assert!(snapshot.places.contains(&ids[day % 2]), "day {day}: {snapshot:?}");
        }
        assert_eq!(snapshots[0].records, host.records(), "day {day}");
        let checks = engine.check(Some(&ids[day % 2])).await.unwrap();
        assert_eq!(checks[0].whole_snapshots, snapshots.len() as u64, "day {day}");
        assert_eq!(of_kind(drive, "blobs").len(), media, "day {day}");
        // A day later the other one has it too, which this computer remembers: then nothing of it waits here.
        let (blobs, repo) = (
            of_kind(&staging(&keep), "blobs").len(),
            of_kind(&staging(&keep), "repo").len(),
        );
        match day {
            0 => assert_eq!((blobs, repo), (media, 1)),
            _ => assert_eq!((blobs, repo), (0, day + 1), "day {day}"),
        }
        fs::rename(drive, drawer).unwrap();
    }
    assert_eq!(host.world().blobs_asked, media, "no picture was fetched twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_drive_at_the_same_path_gets_nothing() {
    let (host, stranger) = (Liar::start(60), Liar::start(40));
    let keep = kept(&host).await;
    let other = kept(&stranger).await;
    let (engine, did) = (&keep.engine, host.did());
    let id = engine.places().await.unwrap().remove(0).id;
    let drawer = keep.spare("drawer");
    fs::rename(keep.place(), &drawer).unwrap();
    let check = async |state: PlaceState, code: &str| {
        let before = files_below(&keep.place());
        host.post(1);
        assert_eq!(fails(engine, did).await.code, code);
        assert_eq!(engine.places().await.unwrap()[0].state, state, "{code}");
        assert_eq!(files_below(&keep.place()), before, "{code}");
        // What is new waits here, and is said to be nowhere else.
        let latest = newest(engine, did).await;
        assert_eq!((latest.records, latest.places), (host.records(), vec![]), "{code}");
        // What is not ours is no sound place, and nothing is moved aside there.
        assert!(engine.check(Some(&id)).await.is_err(), "{code}");
        assert_eq!(files_below(&keep.place()), before, "{code}");
    };
    // Somebody else's backups.
    fs::rename(other.place(), keep.place()).unwrap();
    check(PlaceState::Other, "place_other").await;
    fs::rename(keep.place(), other.place()).unwrap();
    // A drive with nothing on it, and one with something else.
    fs::create_dir(keep.place()).unwrap();
    check(PlaceState::Other, "place_not_vault").await;
    fs::write(keep.place().join("Holiday.jpg"), "a picture").unwrap();
    check(PlaceState::Other, "place_not_vault").await;
    fs::remove_dir_all(keep.place()).unwrap();

    fs::rename(&drawer, keep.place()).unwrap();
    completes(engine, did).await;
    for snapshot in engine.snapshots(did).await.unwrap() {
        assert_eq!(snapshot.places.len(), 1, "{}", snapshot.id);
        reads_back(engine, did, &snapshot).await;
    }
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drive_that_can_only_be_read_is_read_and_named() {
    let host = Liar::start(60);
    let keep = beginning(&host).await;
    let name = "a_drive_that_can_only_be_read_is_read_and_named";
    let Some(disk) = Disk::new(name, &keep.place(), PLENTY.0, PLENTY.1) else {
        return;
    };
    let (engine, did) = (&keep.engine, host.did());
    engine.add_folder(&keep.place(), None).await.unwrap();
    completes(engine, did).await;
    let pictures = of_kind(&keep.place(), "blobs").len() as u64;
    assert_eq!(pictures, host.media());
    disk.writable(false);
    cannot_be_written(engine, &host).await;
    disk.writable(true);
    goes_on(engine, &host).await;
}

/// A folder that nobody may write into, not even its owner, until this is dropped.
struct Forbidden(PathBuf);

impl Forbidden {
    /// `None` where that cannot be had.
    fn new(test: &str, folder: &Path) -> Option<Self> {
        let forbidden = Self(folder.to_owned());
        let done = Command::new("chattr").args(["-R", "+i"]).arg(folder).output();
        match done {
            Ok(output) if output.status.success() => Some(forbidden),
            Ok(output) => {
                skipped(test, &String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                skipped(test, &format!("chattr: {error}"));
                None
            }
        }
    }
}

impl Drop for Forbidden {
    fn drop(&mut self) {
        Command::new("chattr").args(["-R", "-i"]).arg(&self.0).output().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_permission_is_read_and_named() {
    let host = Liar::start(60);
    let keep = kept(&host).await;
    let Some(forbidden) = Forbidden::new("a_folder_without_permission_is_read_and_named", &keep.place()) else {
        return;
    };
    cannot_be_written(&keep.engine, &host).await;
    drop(forbidden);
    goes_on(&keep.engine, &host).await;
}

/// The next hour waits here; what the place has is read from it as ever.
async fn cannot_be_written(engine: &Engine, host: &Liar) {
    host.post(2);
    assert_eq!(fails(engine, host.did()).await.code, "place_read_only");
    assert_eq!(engine.places().await.unwrap()[0].state, PlaceState::ReadOnly);
    let snapshots = engine.snapshots(host.did()).await.unwrap();
    assert_eq!((snapshots[0].records, snapshots[0].places.len()), (host.records(), 0));
    for snapshot in &snapshots {
        reads_back(engine, host.did(), snapshot).await;
    }
    sound(engine).await;
}

/// It can be written again, and nothing is left to say.
async fn goes_on(engine: &Engine, host: &Liar) {
    completes(engine, host.did()).await;
    for snapshot in engine.snapshots(host.did()).await.unwrap() {
        assert_eq!(snapshot.places.len(), 1, "{}", snapshot.id);
    }
    assert_eq!(engine.places().await.unwrap()[0].state, PlaceState::Ready);
    sound(engine).await;
}
