//! Opening it: damaged, of another version, or beside an engine.

use super::*;

/// Spoils the closed catalogue, opens it, and says where the spoilt one went.
fn spoil_and_open(spoil: impl FnOnce(&Path)) -> (TempDir, Opened) {
    let fixture = Fixture::new();
    let rows: Vec<_> = (1..=500).map(|n| row(&format!("snapshot {n}"), n)).collect();
    fixture.catalogue.replace_snapshots(&alice(), &rows).unwrap();
    let path = fixture.path();
    drop(fixture.catalogue);
    spoil(&path);
    let opened = Catalogue::open(&path, "2026-11-22T14:00:00Z".parse().unwrap()).unwrap();
    (fixture.dir, opened)
}

#[test]
fn a_damaged_catalogue_is_moved_aside_and_a_new_one_begins() {
    let sql = |sql: &'static str| {
        move |path: &Path| {
            Connection::open(path)
                .and_then(|connection| connection.execute_batch(sql))
                .unwrap()
        }
    };
    let bytes = |change: fn(&mut Vec<u8>)| {
        move |path: &Path| {
            let mut bytes = fs::read(path).unwrap();
            change(&mut bytes);
            fs::write(path, bytes).unwrap();
        }
    };
    type Spoil = Box<dyn Fn(&Path)>;
    let cases: [(&str, Spoil); 8] = [
        (
            "text",
            Box::new(bytes(|bytes| {
                *bytes = b"this is not a database, though it is long enough".repeat(99)
            })),
        ),
        ("zeros", Box::new(bytes(|bytes| bytes.fill(0)))),
        (
            "a zeroed page",
            Box::new(bytes(|bytes| bytes[3 * 4096..4 * 4096].fill(0))),
        ),
        ("half of it", Box::new(bytes(|bytes| bytes.truncate(bytes.len() / 2)))),
        ("a spoilt header", Box::new(bytes(|bytes| bytes[0] ^= 1))),
        ("somebody else's", Box::new(sql("PRAGMA application_id = 7"))),
        ("a table gone", Box::new(sql("DROP TABLE hosts"))),
        ("a column more", Box::new(sql("ALTER TABLE hosts ADD COLUMN x INTEGER"))),
    ];
    for (name, spoil) in cases {
        let mut spoilt = Vec::new();
        let (dir, opened) = spoil_and_open(|path| {
            spoil(path);
            spoilt = fs::read(path).unwrap();
        });
        let aside = opened
            .moved_aside
            .unwrap_or_else(|| panic!("{name}: nothing was moved aside"));
        assert_eq!(
            aside,
            dir.path().join("catalogue.damaged-20261122t140000z.db"),
            "{name}"
        );
        assert_eq!(
            fs::read(aside).unwrap(),
            spoilt,
            "{name}: what was moved aside is not changed"
        );
        assert_eq!(opened.catalogue.snapshots(&alice()).unwrap(), [], "{name}");
        opened.catalogue.add_snapshot(&alice(), &row("new", 1)).unwrap();
    }
}

#[test]
fn a_second_damage_in_the_same_second_does_not_replace_the_first() {
    let (dir, opened) = spoil_and_open(|path| fs::write(path, b"x".repeat(5_000)).unwrap());
    let path = dir.path().join("catalogue.db");
    drop(opened.catalogue);
    fs::write(&path, b"y".repeat(5_000)).unwrap();
    let again = Catalogue::open(&path, "2026-11-22T14:00:00Z".parse().unwrap()).unwrap();
    assert_eq!(
        again.moved_aside,
        Some(dir.path().join("catalogue.damaged-20261122t140000z-1.db"))
    );
    assert_eq!(fs::read(opened.moved_aside.unwrap()).unwrap(), b"x".repeat(5_000));
}

#[test]
fn the_log_of_a_damaged_catalogue_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("catalogue.db");
    for (suffix, content) in [("", "pages"), ("-wal", "log"), ("-shm", "index")] {
        fs::write(with_suffix(&path, suffix), content).unwrap();
    }
    let aside = move_aside(&path, at(0)).unwrap();
    for (suffix, content) in [("", "pages"), ("-wal", "log"), ("-shm", "index")] {
        assert_eq!(fs::read_to_string(with_suffix(&aside, suffix)).unwrap(), content);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn damage_found_while_working_says_so_and_opening_again_cures_it() {
    let fixture = Fixture::new();
    let rows: Vec<_> = (1..=500).map(|n| row(&format!("snapshot {n}"), n)).collect();
    fixture.catalogue.replace_snapshots(&alice(), &rows).unwrap();
    let (dir, opened) = fixture.reopen();
    let path = dir.path().join("catalogue.db");
    opened
        .catalogue
        .lock()
        .execute_batch("PRAGMA cache_size = 1; PRAGMA shrink_memory")
        .unwrap();
    // Every page but the first.
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let error = opened
        .catalogue
        .snapshots(&alice())
        .map(|snapshots| snapshots.len())
        .unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    drop(opened.catalogue);
    assert!(Catalogue::open(&path, at(99)).unwrap().moved_aside.is_some());
}

#[test]
fn an_empty_file_becomes_a_catalogue() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("catalogue.db");
    fs::write(&path, b"").unwrap();
    let opened = Catalogue::open(&path, at(0)).unwrap();
    assert_eq!(opened.moved_aside, None);
    assert_eq!(opened.catalogue.accounts().unwrap(), []);
}

#[test]
fn a_catalogue_of_a_newer_version_is_left_as_it_is() {
    let fixture = Fixture::new();
    let path = fixture.path();
    drop(fixture.catalogue);
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let before = fs::read(&path).unwrap();
    let error = Catalogue::open(&path, at(0)).unwrap_err();
    assert!(matches!(error, Error::Newer { found: 99, .. }), "{error:?}");
    assert!(matches!(Catalogue::open_beside(&path), Err(Error::Newer { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_catalogue_that_cannot_be_opened_is_not_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("absent").join("catalogue.db")] {
        let error = Catalogue::open(&path, at(0)).unwrap_err();
        assert!(matches!(error, Error::Sqlite(_)), "{error:?}");
    }
}

#[test]
fn reading_goes_on_beside_an_engine_and_changes_nothing() {
    let fixture = Fixture::new();
    assert!(
        Catalogue::open_beside(&fixture.dir.path().join("none.db"))
            .unwrap()
            .is_none()
    );
    assert!(!fixture.dir.path().join("none.db").exists());
    fixture.catalogue.add_snapshot(&alice(), &row("one", 1)).unwrap();
    let beside = Catalogue::open_beside(&fixture.path()).unwrap().unwrap();
    assert_eq!(ids(&beside.snapshots(&alice()).unwrap()), ["one"]);
    fixture.catalogue.add_snapshot(&alice(), &row("two", 2)).unwrap();
    assert_eq!(ids(&beside.snapshots(&alice()).unwrap()), ["two", "one"]);
    assert!(beside.add_snapshot(&alice(), &row("three", 3)).is_err());
    assert_eq!(beside.snapshots(&alice()).unwrap().len(), 2);
    drop(beside);
    // And when the engine has ended.
    let path = fixture.path();
    drop(fixture.catalogue);
    let alone = Catalogue::open_beside(&path).unwrap().unwrap();
    assert_eq!(ids(&alone.snapshots(&alice()).unwrap()), ["two", "one"]);
}
