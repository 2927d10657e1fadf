//! Buckets on real servers, and on stand-ins that do what no honest server does.

mod cluster;
mod lock;
mod stand_in;
mod tls;
mod troubles;
mod vault;

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use skykeep_tests::repo_maker::seeded::exhaustive;
use skykeep_tests::s3::{BUCKET, KEY, Kind, READER_KEY, READER_SECRET, S3Server, SECRET};
use skykeep_vault::layout::{Checksum, StorePath};
use skykeep_vault::{Addressing, Content, Depth, Error, S3Credentials, S3Settings, S3Store, Store, Target, Trouble};

use crate::account::{scratch, writer_key};
use crate::store_contract::{keeps_the_contract, named, path, read, takes_many_at_once};

/// A server of one kind, for tests that leave it running.
pub(crate) fn server(kind: Kind) -> Arc<S3Server> {
    S3Server::shared(kind).unwrap()
}

pub(crate) fn settings(endpoint: &str, prefix: &str) -> S3Settings {
    S3Settings {
        endpoint: endpoint.to_owned(),
        bucket: BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        prefix: prefix.to_owned(),
        addressing: Addressing::Path,
    }
}

pub(crate) fn keys() -> S3Credentials {
    S3Credentials::new(KEY, SECRET)
}

/// A place of its own for a test: a prefix that nobody else uses.
pub(crate) fn store(server: &S3Server, prefix: &str) -> S3Store {
    at(&server.endpoint(), prefix)
}

pub(crate) fn at(endpoint: &str, prefix: &str) -> S3Store {
    S3Store::new(
        &settings(endpoint, prefix),
        &keys(),
        writer_key(1).id(),
        std::env::temp_dir(),
    )
    .unwrap()
}

/// Bytes that differ everywhere.
fn bytes(size: usize, seed: u8) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32 ^ u32::from(seed);
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..size).map(step).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_keep_the_contract() {
    for kind in Kind::ALL {
        let server = server(kind);
        let store = store(&server, "contract");
        keeps_the_contract(&store).await;
        assert_eq!(
            store.sweep(Timestamp::now()).await.unwrap(),
            0,
            "{kind:?}: nothing is unfinished"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_take_many_at_once() {
    for kind in Kind::ALL {
        let server = server(kind);
        let refuses = kind == Kind::SeaweedFs;
        takes_many_at_once(Arc::new(store(&server, "many/at-once")), refuses).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_go_up_in_parts_from_every_kind_of_source() {
    for kind in Kind::ALL {
        let server = server(kind);
        let (folder, parts) = (scratch(), scratch());
        let settings = settings(&server.endpoint(), "large");
        let store = S3Store::new(&settings, &keys(), writer_key(1).id(), parts.path()).unwrap();
        // One byte more than a part, exactly two parts, and some.
        for (n, size) in [(8 << 20) + 1, 16 << 20, 20_000_003].into_iter().enumerate() {
            let bytes = bytes(size, n as u8);
            let file = folder.path().join(n.to_string());
            std::fs::write(&file, &bytes).unwrap();
            let from_file = || Content::file(std::fs::File::open(&file).unwrap());
            let name = format!("in/{n}");
            let content = match n {
                0 => Content::bytes(bytes.clone()),
                1 => from_file(),
                _ => Content::reader(std::fs::File::open(&file).unwrap()),
            };
            let stored = store.put(named(&name, &bytes), content).await.unwrap();
            assert_eq!(
                (stored.size, stored.sum, stored.existed),
                (size as u64, Checksum::of(&bytes), false)
            );
            assert!(read(&store, &name).await.unwrap() == bytes, "{kind:?} {name}");
            assert!(
                store.put(named(&name, &bytes), from_file()).await.unwrap().existed,
                "{kind:?} {name}"
            );
            let mut other = bytes;
            other[size - 1] ^= 1;
            let taken = store.put(named(&name, &other), Content::bytes(other.clone())).await;
            assert!(
                matches!(taken, Err(Error::NameTaken { .. })),
                "{kind:?} {name}: {taken:?}"
            );
            let wrong = store.put(named("in/wrong", &other), from_file()).await;
            assert!(
                matches!(wrong, Err(Error::Damaged { .. })),
                "{kind:?} {name}: {wrong:?}"
            );
            let aside = path(&format!("aside/{n}"));
            store.set_aside(&path(&name), &aside).await.unwrap();
            assert_eq!(read(&store, &name).await, None);
        }
        let listing = store.list(&StorePath::root(), Depth::All).await.unwrap();
        let sizes: Vec<u64> = listing.files.iter().map(|(_, size)| *size).collect();
        assert_eq!(sizes, [(8 << 20) + 1, 16 << 20, 20_000_003], "{kind:?}");
        assert!(
            listing
                .files
                .iter()
                .all(|(path, _)| path.as_str().starts_with("aside/"))
        );
        // What went through the scratch folder is gone from it.
        assert_eq!(std::fs::read_dir(parts.path()).unwrap().count(), 0, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_go_on_past_a_page_and_tell_foreign_names_apart() {
    let server = server(Kind::Rclone);
    let store = store(&server, "listing");
    let folder = server.kept("listing/blobs").unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    for n in 0..1_234 {
        std::fs::write(folder.join(format!("b{n:04}")), "x").unwrap();
    }
    for name in ["Holiday.jpg", "über & <co>", "a+b c", "nul"] {
        std::fs::write(folder.join(name), "x").unwrap();
    }
    let listing = store.list(&path("blobs"), Depth::Here).await.unwrap();
    assert_eq!(listing.files.len(), 1_234);
    assert_eq!(listing.files[1_233], (path("blobs/b1233"), 1));
    let mut foreign = listing.foreign.clone();
    foreign.sort();
    assert_eq!(
        foreign,
        ["blobs/Holiday.jpg", "blobs/a+b c", "blobs/nul", "blobs/über & <co>"]
    );
    assert_eq!(
        store.list(&StorePath::root(), Depth::Here).await.unwrap().folders,
        [path("blobs")]
    );
    assert_eq!(
        store.list(&StorePath::root(), Depth::All).await.unwrap().files.len(),
        1_234
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_servers_can_is_found_out() {
    let weed = store(&server(Kind::SeaweedFs), "can").examine().await.unwrap();
    assert!(
        weed.conditions && weed.checksums && weed.deletes && !weed.encrypted,
        "{weed:?}"
    );
    assert_eq!((weed.versioning, weed.locked_days), (false, Some(0)), "{weed:?}");
    let rclone = store(&server(Kind::Rclone), "can").examine().await.unwrap();
    assert!(!rclone.conditions && !rclone.checksums && rclone.deletes, "{rclone:?}");
    assert_eq!((rclone.versioning, rclone.locked_days), (false, Some(0)), "{rclone:?}");
    for kind in Kind::ALL {
        let listing = store(&server(kind), "can")
            .list(&StorePath::root(), Depth::All)
            .await
            .unwrap();
        assert!(
            listing.files.is_empty() && listing.foreign.is_empty(),
            "{kind:?}: {listing:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_in_the_middle_is_waited_for() {
    for kind in Kind::ALL {
        let mut server = S3Server::start(kind).unwrap();
        // As long as it takes: a busy machine starts a server slowly, and this test does it three times.
        let store = store(&server, "restart").waiting(Duration::from_secs(600));
        let large = bytes(40 << 20, 7);
        let small = bytes(1000, 8);
        let (first, second) = (store.clone(), store.clone());
        let (one, two) = (large.clone(), small.clone());
        server.kill().unwrap();
        let large_put =
            tokio::spawn(async move { first.put(named("a/large", &one), Content::bytes(one.clone())).await });
        let small_put =
            tokio::spawn(async move { second.put(named("a/small", &two), Content::bytes(two.clone())).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(
            !large_put.is_finished() && !small_put.is_finished(),
            "{kind:?}: they wait"
        );
        server = tokio::task::spawn_blocking(move || {
            server.start_again().unwrap();
            // And once more, when they have begun.
            std::thread::sleep(Duration::from_millis(300));
            server.kill().unwrap();
            server.start_again().unwrap();
            server
        })
        .await
        .unwrap();
        large_put.await.unwrap().unwrap();
        small_put.await.unwrap().unwrap();
        assert!(read(&store, "a/large").await.unwrap() == large, "{kind:?}");
        assert!(read(&store, "a/small").await.unwrap() == small, "{kind:?}");
        drop(server);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_outlasts_a_server_that_is_gone_for_a_minute() {
    let gone = Duration::from_secs(if exhaustive() { 65 } else { 3 });
    let mut server = S3Server::start(Kind::SeaweedFs).unwrap();
    let store = store(&server, "gone");
    let large = bytes(160 << 20, 10);
    let (there, sent) = (store.clone(), large.clone());
    let put = tokio::spawn(async move { there.put(named("a/large", &sent), Content::bytes(sent.clone())).await });
    while !server_has_unfinished(&server) {
        assert!(!put.is_finished(), "it was too fast to be seen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.kill().unwrap();
    tokio::time::sleep(gone).await;
    assert!(!put.is_finished(), "it waits");
    let server = tokio::task::spawn_blocking(move || {
        server.start_again().unwrap();
        server
    });
    let server = server.await.unwrap();
    assert_eq!(put.await.unwrap().unwrap().size, large.len() as u64);
    assert!(read(&store, "a/large").await.unwrap() == large);
    assert!(!server_has_unfinished(&server));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cancelled_leaves_nothing_and_the_next_succeeds() {
    for kind in Kind::ALL {
        let server = server(kind);
        let store = store(&server, "cancelled");
        let large = bytes(64 << 20, 9);
        for wait in [0, 20, 60, 150] {
            let put = store.put(named("a/large", &large), Content::bytes(large.clone()));
            let cancelled = tokio::time::timeout(Duration::from_millis(wait), put).await;
            if cancelled.is_ok() {
                break;
            }
            let listing = store.list(&StorePath::root(), Depth::All).await.unwrap();
            assert!(listing.files.is_empty(), "{kind:?} after {wait} ms: {listing:?}");
        }
        store
            .put(named("a/large", &large), Content::bytes(large.clone()))
            .await
            .unwrap();
        assert!(read(&store, "a/large").await.unwrap() == large, "{kind:?}");
    }
}

/// What a child process does for the next tests: puts one made-up file and reads it, however it ends.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is run by the tests that watch it"]
async fn child() {
    let Ok(endpoint) = std::env::var("SKYKEEP_CHILD_ENDPOINT") else {
        return;
    };
    let size: u64 = std::env::var("SKYKEEP_CHILD_BYTES").unwrap().parse().unwrap();
    let target = Target::Hashed {
        folder: path("a"),
        ending: ".car",
    };
    let content = Content::reader(std::io::repeat(0x5b).take(size));
    let store = at(&endpoint, "child");
    let stored = store.put(target, content).await.unwrap();
    let content = store.get(&stored.path).await.unwrap().unwrap();
    let read = tokio::task::spawn_blocking(move || content.write_to(&mut std::io::sink()));
    read.await.unwrap().unwrap();
    let memory = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("peak{peak}");
}

/// With a folder of its own for what is on its way.
fn child_of(endpoint: &str, size: u64, scratch: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "s3::child",
            "--ignored",
            "--test-threads",
            "1",
            "--nocapture",
        ])
        .env("SKYKEEP_CHILD_ENDPOINT", endpoint)
        .env("SKYKEEP_CHILD_BYTES", size.to_string())
        .env("TMPDIR", scratch)
        .stdout(std::process::Stdio::piped());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_whatever_the_size() {
    let size = if exhaustive() { 1_000_000_000 } else { 100_000_000 };
    let server = server(Kind::Rclone);
    // On a disk: what is in memory for this test is not to be there by way of a folder.
    let parts = tempfile::tempdir().unwrap();
    let output = child_of(&server.endpoint(), size, parts.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let peak = said
        .lines()
        .find_map(|line| line.split_once("peak")?.1.trim().strip_suffix(" kB"))
        .unwrap();
    let peak: u64 = peak.parse().unwrap();
    assert!(peak < 200_000, "{peak} kB for {size} bytes");
    let listing = store(&server, "child").list(&path("a"), Depth::All).await.unwrap();
    assert_eq!(listing.files[0].1, size);
    std::fs::remove_dir_all(server.kept("child").unwrap()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_upload_is_invisible_and_swept() {
    let server = S3Server::start(Kind::SeaweedFs).unwrap();
    let parts = tempfile::tempdir().unwrap();
    let settings = settings(&server.endpoint(), "child");
    let store = S3Store::new(&settings, &keys(), writer_key(1).id(), parts.path()).unwrap();
    let now = Timestamp::now();
    let later = now + SignedDuration::from_hours(25);
    // What this computer has noted goes at once; of anything else nobody knows whose it is, before it is old.
    for noted in [true, false] {
        kill_an_upload(&server, parts.path()).await;
        let listing = store.list(&StorePath::root(), Depth::All).await.unwrap();
        assert!(listing.files.is_empty(), "{listing:?}");
        if !noted {
            remove_notes(parts.path());
        }
        assert_eq!(store.sweep(now).await.unwrap(), u64::from(noted));
        assert_eq!(store.sweep(later).await.unwrap(), u64::from(!noted));
        assert_eq!(store.sweep(later).await.unwrap(), 0);
        assert!(!server_has_unfinished(&server));
        assert_eq!(remove_notes(parts.path()), 0);
    }
}

/// As if somebody else had sent what is unfinished. How many there were.
fn remove_notes(scratch: &Path) -> usize {
    let entries = std::fs::read_dir(scratch).unwrap().flatten().map(|entry| entry.path());
    let notes = entries.filter(|path| path.extension().is_some_and(|ending| ending == "upload"));
    notes.map(|path| std::fs::remove_file(path).unwrap()).count()
}

/// Kills a process in the middle of an upload in parts.
async fn kill_an_upload(server: &S3Server, scratch: &Path) {
    let mut child = child_of(&server.endpoint(), 400_000_000, scratch).spawn().unwrap();
    for _ in 0..6_000 {
        assert!(child.try_wait().unwrap().is_none(), "the child was not caught");
        if server_has_unfinished(server) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(server_has_unfinished(server), "what was sent stays");
}

/// Whether the server holds parts of an upload, as its filer shows them.
fn server_has_unfinished(server: &S3Server) -> bool {
    server
        .filer_names(&format!("/buckets/{BUCKET}/.uploads/"))
        .is_ok_and(|names| !names.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_may_only_read_read_and_are_told_what_they_may_not() {
    let server = server(Kind::SeaweedFs);
    store(&server, "reader")
        .put(named("a/one", b"1"), Content::bytes(&b"1"[..]))
        .await
        .unwrap();
    let reader = S3Credentials::new(READER_KEY, READER_SECRET);
    let writer = writer_key(1).id();
    let store = S3Store::new(
        &settings(&server.endpoint(), "reader"),
        &reader,
        writer,
        Path::new("/tmp"),
    )
    .unwrap();
    assert_eq!(read(&store, "a/one").await.unwrap(), b"1");
    let put = store.put(named("a/two", b"2"), Content::bytes(&b"2"[..])).await;
    assert!(
        matches!(
            put,
            Err(Error::Server {
                trouble: Trouble::Forbidden { .. },
                ..
            })
        ),
        "{put:?}"
    );
    let probe = store.probe().await;
    assert!(
        matches!(
            probe,
            Err(Error::Server {
                trouble: Trouble::Forbidden { .. },
                ..
            })
        ),
        "{probe:?}"
    );
}
