//! What every store must do, whatever stands behind it; and what a folder must do beside.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use skykeep_vault::layout::{Checksum, StorePath, WriterId};
use skykeep_vault::{Content, Depth, Error, FolderStore, Store, Target};

use crate::account::{files, scratch, writer_key};

pub(crate) fn path(text: &str) -> StorePath {
    text.parse().unwrap()
}

pub(crate) fn named(text: &str, bytes: &[u8]) -> Target {
    Target::Named {
        path: path(text),
        sum: Some(Checksum::of(bytes)),
    }
}

/// A file's bytes; reading blocks, wherever they come from.
pub(crate) async fn read(store: &impl Store, text: &str) -> Option<Vec<u8>> {
    let content = store.get(&path(text)).await.unwrap()?;
    let name = text.to_owned();
    let read = tokio::task::spawn_blocking(move || content.into_bytes(&name, 1 << 30));
    Some(read.await.unwrap().unwrap())
}

/// All promises of [`Store`], one after the other, in an empty store.
pub(crate) async fn keeps_the_contract(store: &impl Store) {
    // Nothing is there yet, and that is no error.
    assert_eq!(read(store, "a/nothing").await, None);
    assert!(store.list(&path("a"), Depth::All).await.unwrap().files.is_empty());

    // What was put can be read, has its name, size and hash, and is listed.
    let stored = store
        .put(named("a/b/one", b"first"), Content::bytes(&b"first"[..]))
        .await
        .unwrap();
    assert_eq!(
        (stored.path.as_str(), stored.size, stored.existed),
        ("a/b/one", 5, false)
    );
    assert_eq!(stored.sum, Checksum::of(b"first"));
    assert_eq!(read(store, "a/b/one").await.unwrap(), b"first");

    // Named by its hash.
    let target = Target::Hashed {
        folder: path("a"),
        ending: ".car",
    };
    let hashed = store.put(target, Content::reader(&b"hashed"[..])).await.unwrap();
    assert_eq!(
        hashed.path.as_str(),
        format!("a/{}.car", Checksum::of(b"hashed").name())
    );

    // Empty and large files, from every kind of source.
    let large: Vec<u8> = (0..3_000_001u32).map(|n| (n % 251) as u8).collect();
    store
        .put(named("c/empty", b""), Content::bytes(Vec::new()))
        .await
        .unwrap();
    assert_eq!(read(store, "c/empty").await.unwrap(), b"");
    let bytes = large.clone();
    let produce = Content::produce(move |out| {
        for part in bytes.chunks(777) {
            out.write_all(part).map_err(|source| Error::Io {
                path: String::new(),
                source,
            })?;
        }
        Ok(())
    });
    store.put(named("c/large", &large), produce).await.unwrap();
    assert_eq!(read(store, "c/large").await.unwrap(), large);

    // The same again is success; something else is refused, and what was there stays.
    let again = store
        .put(named("a/b/one", b"first"), Content::bytes(&b"first"[..]))
        .await
        .unwrap();
    assert!(again.existed);
    for other in [&b"other"[..], b"longer than it was", b""] {
        let target = Target::Named {
            path: path("a/b/one"),
            sum: None,
        };
        let error = store.put(target, Content::bytes(other.to_vec())).await.unwrap_err();
        assert!(
            matches!(error, Error::NameTaken { ref path } if path == "a/b/one"),
            "{error}"
        );
    }
    assert_eq!(read(store, "a/b/one").await.unwrap(), b"first");

    // Bytes that are not the announced ones leave nothing, nor does a source that fails half way.
    let error = store
        .put(named("d/wrong", b"right"), Content::bytes(&b"wrong"[..]))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    let failing = Content::produce(|out| {
        out.write_all(&[1; 100_000]).map_err(|source| Error::Io {
            path: String::new(),
            source,
        })?;
        Err(Error::Stopped)
    });
    let target = Target::Hashed {
        folder: path("d"),
        ending: ".car",
    };
    assert!(matches!(store.put(target, failing).await, Err(Error::Stopped)));
    let failing = Content::reader(Broken(100_000));
    let target = Target::Named {
        path: path("d/broken"),
        sum: None,
    };
    assert!(matches!(store.put(target, failing).await, Err(Error::Io { .. })));
    assert!(store.list(&path("d"), Depth::All).await.unwrap().files.is_empty());

    // What is there can be made sure of, what is not cannot.
    store.confirm(&path("a/b/one")).await.unwrap();
    let error = store.confirm(&path("a/b/nothing")).await.unwrap_err();
    assert!(matches!(error, Error::Absent { .. }), "{error}");

    // Listing: here, and all the way down, with sizes, ordered.
    let here = store.list(&path("a"), Depth::Here).await.unwrap();
    assert_eq!(here.folders, [path("a/b")]);
    assert_eq!(here.files, [(hashed.path.clone(), 6)]);
    let all = store.list(&StorePath::root(), Depth::All).await.unwrap();
    let names: Vec<&str> = all.files.iter().map(|(path, _)| path.as_str()).collect();
    let mut expected = [hashed.path.as_str(), "a/b/one", "c/empty", "c/large"];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert!(all.folders.is_empty() && all.foreign.is_empty() && all.unreadable.is_empty());

    // Setting aside: the name is free again, the bytes are elsewhere, and nothing is overwritten there either.
    store.set_aside(&path("a/b/one"), &path("e/f/one")).await.unwrap();
    assert_eq!(read(store, "a/b/one").await, None);
    assert_eq!(read(store, "e/f/one").await.unwrap(), b"first");
    store
        .put(named("a/b/one", b"second"), Content::bytes(&b"second"[..]))
        .await
        .unwrap();
    let error = store.set_aside(&path("a/b/one"), &path("e/f/one")).await.unwrap_err();
    assert!(matches!(error, Error::NameTaken { .. }), "{error}");
    let error = store.set_aside(&path("a/b/nothing"), &path("e/g")).await.unwrap_err();
    assert!(matches!(error, Error::Absent { .. }), "{error}");
    assert_eq!(read(store, "e/f/one").await.unwrap(), b"first");

    // A probe writes, and leaves nothing.
    store.probe().await.unwrap();
    assert_eq!(store.list(&StorePath::root(), Depth::All).await.unwrap().files.len(), 5);
}

/// Many writers of the same and of different files at once: each name holds one content, whole.
///
/// Where nothing `refuses` to overwrite, several may think that they were first.
pub(crate) async fn takes_many_at_once(store: Arc<dyn Store>, refuses: bool) {
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..=255u8 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            // Those of the same begin one after the other, so that they meet at its name.
            let bytes = vec![n / 8; 50_000];
            let target = Target::Hashed {
                folder: path("at/once"),
                ending: ".car",
            };
            store
                .put(target, Content::bytes(bytes))
                .await
                .map(|stored| stored.existed)
        });
    }
    let results = tasks.join_all().await;
    let new = results
        .into_iter()
        .filter(|existed| !*existed.as_ref().unwrap())
        .count();
    assert!(
        new == 32 || (new > 32 && !refuses),
        "each content was new for one: {new}"
    );
    let listing = store.list(&path("at/once"), Depth::All).await.unwrap();
    assert_eq!(listing.files.len(), 32);
    assert!(listing.files.iter().all(|(_, size)| *size == 50_000));
}

struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.0.min(buffer.len());
        self.0 -= n;
        buffer[..n].fill(7);
        if n == 0 {
            Err(std::io::Error::other("the source broke"))
        } else {
            Ok(n)
        }
    }
}

pub(crate) async fn folder(root: &Path) -> FolderStore {
    FolderStore::open(root, writer_key(1).id()).await.unwrap()
}

fn part_of(writer: WriterId, random: &str) -> String {
    format!(".{writer}-{random}.part")
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let root = scratch();
    keeps_the_contract(&folder(root.path()).await).await;
    assert!(
        files(root.path())
            .iter()
            .all(|path| !path.to_string_lossy().ends_with(".part"))
    );
}

#[tokio::test]
async fn a_folder_takes_many_at_once() {
    let root = scratch();
    takes_many_at_once(Arc::new(folder(root.path()).await), true).await;
}

#[tokio::test]
async fn an_absent_folder_is_missing_and_stays_so() {
    let root = scratch();
    let place = root.path().join("drive");
    let error = FolderStore::open(&place, writer_key(1).id()).await.unwrap_err();
    assert!(matches!(error, Error::Missing), "{error}");
    fs::write(&place, "a file").unwrap();
    let error = FolderStore::open(&place, writer_key(1).id()).await.unwrap_err();
    assert!(matches!(error, Error::Missing), "{error}");
}

#[tokio::test]
async fn another_folder_at_the_same_path_gets_nothing() {
    let root = scratch();
    let place = root.path().join("drive");
    fs::create_dir(&place).unwrap();
    let store = folder(&place).await;
    store
        .put(named("a/one", b"1"), Content::bytes(&b"1"[..]))
        .await
        .unwrap();
    // The drive goes, and its empty mount point is at its path.
    fs::rename(&place, root.path().join("unplugged")).unwrap();
    fs::create_dir(&place).unwrap();
    let two = || store.put(named("a/two", b"2"), Content::bytes(&b"2"[..]));
    assert!(matches!(two().await, Err(Error::Missing)));
    assert!(matches!(store.get(&path("a/one")).await, Err(Error::Missing)));
    assert!(matches!(
        store.list(&StorePath::root(), Depth::All).await,
        Err(Error::Missing)
    ));
    assert!(matches!(store.probe().await, Err(Error::Missing)));
    assert!(files(&place).is_empty());
    fs::remove_dir(&place).unwrap();
    assert!(matches!(two().await, Err(Error::Missing)));
    // And comes back.
    fs::rename(root.path().join("unplugged"), &place).unwrap();
    two().await.unwrap();
}

#[tokio::test]
async fn a_drive_that_changes_while_a_file_is_written_gets_nothing() {
    let root = scratch();
    let (place, away) = (root.path().join("drive"), root.path().join("unplugged"));
    fs::create_dir(&place).unwrap();
    let store = folder(&place).await;
    let (from, to) = (place.clone(), away.clone());
    let content = Content::produce(move |out| {
        fs::rename(&from, &to).unwrap();
        fs::create_dir(&from).unwrap();
        out.write_all(b"half").map_err(|source| Error::Io {
            path: String::new(),
            source,
        })
    });
    let target = Target::Named {
        path: path("a/one"),
        sum: None,
    };
    assert!(matches!(store.put(target, content).await, Err(Error::Missing)));
    assert!(files(&place).is_empty());
    assert!(
        files(&away)
            .iter()
            .all(|file| file.to_string_lossy().ends_with(".part"))
    );
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let (root, outside) = (scratch(), scratch());
    let store = folder(root.path()).await;
    fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path(), root.path().join("linked")).unwrap();
    fs::create_dir(root.path().join("a")).unwrap();
    symlink(outside.path().join("secret"), root.path().join("a/link")).unwrap();
    fs::create_dir(root.path().join("a/folder")).unwrap();
    for (at, bytes) in [("linked/one", b"1"), ("a/link", b"1"), ("a/folder", b"1")] {
        assert!(
            matches!(store.get(&path(at)).await, Err(Error::NotAFile { .. })),
            "{at}"
        );
        let error = store
            .put(named(at, bytes), Content::bytes(&bytes[..]))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::NotAFile { .. }), "{at}: {error}");
    }
    let listing = store.list(&StorePath::root(), Depth::All).await.unwrap();
    assert_eq!(listing.foreign, ["a/link", "linked"]);
    assert!(listing.files.is_empty());
    assert_eq!(files(outside.path()).len(), 1);
}

#[tokio::test]
async fn names_that_are_not_ours_are_listed_apart() {
    let root = scratch();
    let store = folder(root.path()).await;
    for name in ["Holiday.jpg", ".DS_Store", "con", "über", ".half.part"] {
        fs::write(root.path().join(name), "x").unwrap();
    }
    fs::create_dir(root.path().join("My Files")).unwrap();
    fs::write(root.path().join("My Files/inside"), "x").unwrap();
    let listing = store.list(&StorePath::root(), Depth::All).await.unwrap();
    assert!(listing.files.is_empty(), "{listing:?}");
    assert_eq!(listing.foreign.len(), 6, "{listing:?}");
}

#[tokio::test]
async fn unfinished_files_are_swept_ours_at_once_others_after_a_day() {
    let root = scratch();
    let store = folder(root.path()).await;
    let folder = root.path().join("accounts/a/blobs/zz");
    fs::create_dir_all(&folder).unwrap();
    let (ours, theirs) = (writer_key(1).id(), writer_key(2).id());
    let random = "abcdefghijklmnop";
    for name in [
        part_of(ours, random),
        part_of(theirs, random),
        ".other.part".to_owned(),
        "kept".to_owned(),
    ] {
        fs::write(folder.join(name), "half").unwrap();
    }
    let today = jiff::Timestamp::now();
    assert_eq!(store.sweep(today).await.unwrap(), 1);
    assert!(!folder.join(part_of(ours, random)).exists() && folder.join(part_of(theirs, random)).exists());
    let later = today + jiff::SignedDuration::from_hours(25);
    assert_eq!(store.sweep(later).await.unwrap(), 1);
    let mut left: Vec<_> = files(&folder)
        .into_iter()
        .map(|path| path.display().to_string())
        .collect();
    left.sort();
    assert_eq!(left, [".other.part", "kept"]);
}

#[tokio::test]
async fn a_file_being_written_is_not_swept_by_its_own_writer() {
    let root = scratch();
    let store = folder(root.path()).await;
    let (other, place) = (folder(root.path()).await, root.path().to_owned());
    let handle = tokio::runtime::Handle::current();
    let content = Content::produce(move |out| {
        assert_eq!(files(&place).len(), 1);
        assert_eq!(handle.block_on(other.sweep(jiff::Timestamp::now())).unwrap(), 0);
        out.write_all(b"1").map_err(|source| Error::Io {
            path: String::new(),
            source,
        })
    });
    store.put(named("one", b"1"), content).await.unwrap();
}

/// A file system of a few megabytes; `None` when this machine cannot mount one.
#[cfg(target_os = "linux")]
pub(crate) fn small_disk(at: &Path, options: &str) -> Option<impl Drop + use<>> {
    struct Mounted(std::path::PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg(&self.0).status();
        }
    }
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", options, "skykeep-test"]).arg(at);
    let mounted = mount.output().is_ok_and(|output| output.status.success());
    mounted.then(|| Mounted(at.to_owned()))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_keeps_what_it_has() {
    let root = scratch();
    let Some(_disk) = small_disk(root.path(), "size=2m") else {
        return skykeep_tests::skipped(
            "a_full_disk_is_said_to_be_full_and_keeps_what_it_has",
            "needs root and tmpfs",
        );
    };
    let store = folder(root.path()).await;
    store
        .put(named("a/one", b"1"), Content::bytes(&b"1"[..]))
        .await
        .unwrap();
    let probe = store.probe().await.unwrap();
    assert!(probe.free.is_some_and(|free| free < 2 << 20) && probe.total == Some(2 << 20));
    // The size is known before: nothing is written. It is not: it is found out on the way.
    let known = Content::bytes(vec![3; 4 << 20]);
    let unknown = Content::reader(std::io::repeat(3).take(4 << 20));
    for (content, expected) in [(known, Some(4 << 20)), (unknown, None)] {
        let target = Target::Named {
            path: path("a/big"),
            sum: None,
        };
        let error = store.put(target, content).await.unwrap_err();
        assert!(
            matches!(error, Error::Full { needed } if needed == expected),
            "{error:?}"
        );
    }
    assert_eq!(files(root.path()).len(), 1, "no part stays behind");
    store
        .put(named("a/two", b"2"), Content::bytes(&b"2"[..]))
        .await
        .unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_read_only_disk_can_be_read() {
    let root = scratch();
    let name = "a_read_only_disk_can_be_read";
    let Some(_disk) = small_disk(root.path(), "size=2m") else {
        return skykeep_tests::skipped(name, "needs root and tmpfs");
    };
    folder(root.path())
        .await
        .put(named("a/one", b"1"), Content::bytes(&b"1"[..]))
        .await
        .unwrap();
    let remount = std::process::Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(root.path())
        .status();
    assert!(remount.unwrap().success());
    let store = folder(root.path()).await;
    assert_eq!(read(&store, "a/one").await.unwrap(), b"1");
    let two = store.put(named("a/two", b"2"), Content::bytes(&b"2"[..])).await;
    assert!(matches!(two, Err(Error::ReadOnly)), "{two:?}");
    assert!(matches!(store.probe().await, Err(Error::ReadOnly)));
}
