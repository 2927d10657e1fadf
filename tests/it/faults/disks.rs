//! Disks that fill up: at any file, in the place and on this computer. Small disks in memory stand in for them.

use std::path::{Path, PathBuf};
use std::process::Command;

use skykeep_engine::Engine;
use skykeep_engine::api::{RoomState, RunEnd, Whose};
use skykeep_tests::keep::Keep;
use skykeep_tests::repo_maker::seeded::{Seeded, exhaustive};
use skykeep_tests::skipped;

use super::liar::Liar;
use super::{beginning, codes, completes, fails, kept, newest, of_kind, person, reads_back, sound, staging};

/// A disk of its own, in memory. It goes away when this is dropped.
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// With so many bytes and so many files; `None` where that needs rights that the test does not have.
    pub(crate) fn new(test: &str, folder: &Path, bytes: u64, files: u64) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let options = format!("size={bytes},nr_inodes={files}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "skykeep-test"]).arg(folder);
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self {
                folder: folder.to_owned(),
            }),
            Ok(output) => {
                skipped(test, &String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                skipped(test, &format!("mount: {error}"));
                None
            }
        }
    }

    fn resize(&self, bytes: u64, files: u64) {
        let options = format!("remount,size={bytes},nr_inodes={files}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.folder).status();
        assert!(status.unwrap().success());
    }

    /// Whether it can be written.
    pub(crate) fn writable(&self, writable: bool) {
        let options = format!("remount,{}", if writable { "rw" } else { "ro" });
        let status = Command::new("mount").args(["-o", &options]).arg(&self.folder).status();
        assert!(status.unwrap().success());
    }

    /// Files, folders and the like that are on it.
    fn used(&self) -> u64 {
        let output = Command::new("stat")
            .args(["-f", "-c", "%c %d"])
            .arg(&self.folder)
            .output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        let (all, free) = text.trim().split_once(' ').unwrap();
        all.parse::<u64>().unwrap() - free.parse::<u64>().unwrap()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: an engine may still hold a file of it.
        Command::new("umount").arg("-l").arg(&self.folder).status().ok();
    }
}

pub(crate) const PLENTY: (u64, u64) = (256 << 20, 100_000);

#[tokio::test(flavor = "multi_thread")]
async fn a_place_without_room_is_named_and_catches_up() {
    let host = Liar::start(400);
    let keep = beginning(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let name = "a_place_without_room_is_named_and_catches_up";
    let Some(disk) = Disk::new(name, &keep.place(), 160 << 10, 10_000) else {
        return;
    };
    engine.add_folder(&keep.place(), None).await.unwrap();
    let problem = fails(engine, did).await;
    assert_eq!(problem.code, "place_full");
    assert_eq!(codes(engine, did).await, ["place_full"]);
    // All of it waits on this computer, and can be read back there.
    let latest = newest(engine, did).await;
    assert_eq!((latest.records, latest.media), (host.records(), host.media()));
    reads_back(engine, did, &latest).await;
    assert_eq!(of_kind(&staging(&keep), "blobs").len() as u64, host.media());
    sound(engine).await;
    disk.resize(PLENTY.0, PLENTY.1);
    completes(engine, did).await;
    assert_eq!(newest(engine, did).await.places.len(), 1);
    assert_eq!(of_kind(&staging(&keep), "blobs"), Vec::<String>::new());
    sound(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_full_soon_is_told_before_it_is() {
    let host = Liar::start(200);
    let keep = beginning(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let name = "a_place_that_is_full_soon_is_told_before_it_is";
    let Some(_disk) = Disk::new(name, &keep.place(), PLENTY.0, PLENTY.1) else {
        return;
    };
    let id = engine.add_folder(&keep.place(), None).await.unwrap().id;
    completes(engine, did).await;
    let check = async |state: RoomState| {
        let room = engine.family(&id, true).await.unwrap().room;
        let place = engine.places().await.unwrap().remove(0);
        assert_eq!((room.state, place.filling), (state, state != RoomState::Enough));
        assert_eq!(place.used, Some(room.used));
        assert!(room.used > 0);
    };
    check(RoomState::Enough).await;
    // What fills it need not be ours.
    let film = keep.place().join("film.mkv");
    std::fs::write(&film, vec![0; 240 << 20]).unwrap();
    check(RoomState::Little).await;
    // A backup that still fits does not make it better.
    host.post(2);
    let end = engine.back_up(did).await.unwrap();
    assert_eq!(end, RunEnd::Completed { changed: true });
    assert_eq!(codes(engine, did).await, ["place_filling"]);
    assert!(engine.places().await.unwrap()[0].filling);
    std::fs::remove_file(film).unwrap();
    check(RoomState::Enough).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_computer_without_room_keeps_what_it_has_and_goes_on_later() {
    let host = Liar::start(800);
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let name = "a_computer_without_room_keeps_what_it_has_and_goes_on_later";
    let Some(disk) = Disk::new(name, &data, PLENTY.0, PLENTY.1) else {
        return;
    };
    skykeep_tests::keep::write_settings_of(&data, host.url(), host.url());
    let engine = Engine::open_at(data.clone()).await.unwrap();
    let did = host.did();
    engine.add_account(&person(did), Whose::Mine).await.unwrap();
    engine.add_folder(&home.path().join("place"), None).await.unwrap();
    // Enough to begin, not enough for the pictures.
    disk.resize(PLENTY.0, disk.used() + 60);
    let problem = fails(&engine, did).await;
    assert_eq!(problem.code, "computer_full", "{problem:?}");
    // Posts first: they are in the place, and read back from it.
    let latest = newest(&engine, did).await;
    assert_eq!((latest.records, latest.places.len()), (host.records(), 1));
    assert!(latest.media_pending > 0);
    sound(&engine).await;
    disk.resize(PLENTY.0, PLENTY.1);
    completes(&engine, did).await;
    let whole = newest(&engine, did).await;
    assert_eq!((whole.media, whole.media_pending), (host.media(), 0));
    sound(&engine).await;
    // Before the disk goes, what works on it.
    drop(engine);
    drop(disk);
}

/// Which of `all` steps are taken: every one in the release gate, a seeded few otherwise.
pub(crate) fn sample(name: &str, all: u64, few: usize) -> Vec<u64> {
    if exhaustive() {
        return (0..all).collect();
    }
    let seed = std::env::var("SKYKEEP_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(0x5eed_0021);
    println!("{name}: seed {seed}, {few} of {all} steps");
    let mut seeded = Seeded::new(seed);
    (0..few).map(|_| seeded.below(all)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_fills_up_at_any_file_is_completed_later() {
    let name = "a_place_that_fills_up_at_any_file_is_completed_later";
    let host = Liar::start(60);
    let keep = kept(&host).await;
    let all = skykeep_tests::keep::files_below(&keep.place()).len() as u64;
    for room in sample(name, all, 3) {
        let keep = beginning(&host).await;
        let Some(disk) = Disk::new(name, &keep.place(), PLENTY.0, PLENTY.1) else {
            return;
        };
        keep.engine.add_folder(&keep.place(), None).await.unwrap();
        disk.resize(PLENTY.0, disk.used() + room);
        let end = keep.engine.back_up(host.did()).await.unwrap();
        if let RunEnd::Failed { problem } = &end {
            assert_eq!(problem.code, "place_full", "room for {room} files");
        }
        mended(&keep, &host, &disk, room).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_computer_that_fills_up_at_any_file_goes_on_later() {
    let name = "a_computer_that_fills_up_at_any_file_goes_on_later";
    let host = Liar::start(60);
    // What is staged at most, and what a run makes beside it.
    let all = host.media() + 40;
    for room in sample(name, all, 3) {
        let keep = beginning(&host).await;
        let Some(disk) = Disk::new(name, &staging(&keep).join("accounts"), PLENTY.0, PLENTY.1) else {
            return;
        };
        keep.engine.add_folder(&keep.place(), None).await.unwrap();
        disk.resize(PLENTY.0, disk.used() + room);
        let end = keep.engine.back_up(host.did()).await.unwrap();
        if let RunEnd::Failed { problem } = &end {
            assert_eq!(problem.code, "computer_full", "room for {room} files");
        }
        mended(&keep, &host, &disk, room).await;
    }
}

/// Nothing that has a manifest is hurt, and with room again the next run completes.
async fn mended(keep: &Keep, host: &Liar, disk: &Disk, room: u64) {
    sound(&keep.engine).await;
    for snapshot in keep.engine.snapshots(host.did()).await.unwrap() {
        reads_back(&keep.engine, host.did(), &snapshot).await;
    }
    disk.resize(PLENTY.0, PLENTY.1);
    completes(&keep.engine, host.did()).await;
    let latest = newest(&keep.engine, host.did()).await;
    let expected = (host.records(), host.media(), 0, 1);
    let found = (latest.records, latest.media, latest.media_pending, latest.places.len());
    assert_eq!(found, expected, "room for {room} files");
    assert_eq!(
        of_kind(&staging(keep), "blobs"),
        Vec::<String>::new(),
        "room for {room} files"
    );
    sound(&keep.engine).await;
}
