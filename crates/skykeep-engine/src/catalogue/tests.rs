//! The catalogue at its door.

mod history;
mod opening;
mod problems;
mod rounds;
mod runs;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rusqlite::params;
use tempfile::TempDir;

use super::*;
use crate::api::{self, Problem, Run, RunEnd, Said, Severity, SignatureVerdict, Snapshot};

struct Fixture {
    dir: TempDir,
    catalogue: Catalogue,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let opened = Catalogue::open(&dir.path().join("catalogue.db"), at(0)).unwrap();
        assert_eq!(opened.moved_aside, None);
        Self {
            dir,
            catalogue: opened.catalogue,
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("catalogue.db")
    }

    /// Closes it and opens it again.
    fn reopen(self) -> (TempDir, Opened) {
        let path = self.path();
        drop(self.catalogue);
        (self.dir, Catalogue::open(&path, at(60)).unwrap())
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).unwrap()
}

fn alice() -> Did {
    "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap()
}

fn bob() -> Did {
    "did:web:bob.example".parse().unwrap()
}

fn snapshot(id: &str) -> Snapshot {
    Snapshot {
        id: id.to_owned(),
        taken: 1_795_000_000_000,
        rev: "3mabcdefghijk".to_owned(),
        commit: "bafyreig".to_owned(),
        signature: SignatureVerdict::Current,
        records: 12,
        collections: vec![api::CollectionCount {
            collection: "app.bsky.feed.post".to_owned(),
            records: 12,
        }],
        media: 3,
        media_missing: vec![api::MissingMedia {
            cid: "bafkrei".to_owned(),
            record: "app.bsky.feed.post/1".to_owned(),
            reason: "gone".to_owned(),
        }],
        media_pending: 0,
        bytes: u64::from(u32::MAX) * 5,
        imported: false,
        unchanged: false,
        pinned: false,
        places: Vec::new(),
    }
}

fn row(id: &str, sequence: u32) -> SnapshotRow {
    SnapshotRow {
        writer: "aaaaaaaa".to_owned(),
        sequence,
        media_bytes: u64::from(u32::MAX) * 4,
        snapshot: snapshot(id),
    }
}

fn problem(code: &str, severity: Severity, detail: &str) -> Problem {
    Problem {
        code: code.to_owned(),
        severity,
        values: BTreeMap::new(),
        actions: vec![api::Action::TryAgain],
        detail: Some(detail.to_owned()),
        said: Some(Said {
            happened: "This happened.".to_owned(),
            means: "That it means.".to_owned(),
            todo: String::new(),
        }),
    }
}

fn ids(snapshots: &[Snapshot]) -> Vec<&str> {
    snapshots.iter().map(|snapshot| snapshot.id.as_str()).collect()
}

#[test]
fn what_was_seen_of_accounts_comes_back_and_survives_closing() {
    let fixture = Fixture::new();
    let facts = AccountFacts {
        handle: Some("alice.test".to_owned()),
        display_name: Some("Älice 🦋".to_owned()),
        avatar: Some("data:image/png;base64,AAAA".to_owned()),
        host: Some("pds.test".to_owned()),
        status: api::HostingStatus::Takendown,
        last_checked: Some(at(1)),
        last_seen: Some(at(2)),
        last_full: Some(at(3)),
        last_media_try: None,
        identity_read: Some(at(4)),
    };
    assert_eq!(fixture.catalogue.account(&alice()).unwrap(), None);
    fixture
        .catalogue
        .set_account(&alice(), &AccountFacts::default())
        .unwrap();
    fixture.catalogue.set_account(&alice(), &facts).unwrap();
    fixture.catalogue.set_account(&bob(), &AccountFacts::default()).unwrap();
    let (_dir, opened) = fixture.reopen();
    assert_eq!(opened.moved_aside, None);
    assert_eq!(opened.catalogue.account(&alice()).unwrap().as_ref(), Some(&facts));
    assert_eq!(
        opened.catalogue.accounts().unwrap(),
        [(alice(), facts), (bob(), AccountFacts::default())]
    );
}

#[test]
fn every_hosting_status_comes_back() {
    use api::HostingStatus::*;
    let fixture = Fixture::new();
    for status in [Active, Deactivated, Takendown, Suspended, Deleted, Missing, Unknown] {
        fixture
            .catalogue
            .set_account(
                &alice(),
                &AccountFacts {
                    status,
                    ..AccountFacts::default()
                },
            )
            .unwrap();
        assert_eq!(fixture.catalogue.account(&alice()).unwrap().unwrap().status, status);
    }
}

#[test]
fn snapshots_come_newest_first_in_the_order_given_whatever_their_clocks_say() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    for (sequence, (id, taken)) in (1..).zip([("one", 300), ("two", 100), ("three", 200)]) {
        let mut row = row(id, sequence);
        row.snapshot.taken = taken;
        catalogue.add_snapshot(&alice(), &row).unwrap();
    }
    catalogue.add_snapshot(&bob(), &row("one", 1)).unwrap();
    assert_eq!(ids(&catalogue.snapshots(&alice()).unwrap()), ["three", "two", "one"]);
    assert_eq!(catalogue.latest(&alice()).unwrap().unwrap().id, "three");

    // The same manifest again, with more known about it: it keeps its position.
    let mut again = row("two", 2);
    again.snapshot.pinned = true;
    catalogue.add_snapshot(&alice(), &again).unwrap();
    assert_eq!(ids(&catalogue.snapshots(&alice()).unwrap()), ["three", "two", "one"]);
    assert!(catalogue.snapshot(&alice(), "two").unwrap().unwrap().pinned);

    assert_eq!(catalogue.snapshot(&alice(), "four").unwrap(), None);
    catalogue.forget_snapshots(&alice()).unwrap();
    assert_eq!(catalogue.latest(&alice()).unwrap(), None);
    assert_eq!(ids(&catalogue.snapshots(&bob()).unwrap()), ["one"]);
}

#[test]
fn places_of_a_snapshot_are_those_that_confirmed_it() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    let mut claimed = row("one", 1);
    claimed.snapshot.places = vec!["claimed".to_owned()];
    catalogue
        .replace_snapshots(&alice(), &[claimed, row("two", 2)])
        .unwrap();
    let places = |id: &str| catalogue.snapshot(&alice(), id).unwrap().unwrap().places;
    assert_eq!(places("one"), [""; 0]);

    catalogue.confirm("home", &alice(), &["one", "two"], at(1)).unwrap();
    catalogue.confirm("drive", &alice(), &["one"], at(2)).unwrap();
    catalogue.confirm("home", &bob(), &["one"], at(2)).unwrap();
    assert_eq!(places("one"), ["drive", "home"]);
    let lacks = |place: &str, did: &Did| catalogue.lacks(place, did).unwrap();
    assert!(!lacks("home", &alice()) && lacks("drive", &alice()) && lacks("new", &alice()));
    assert!(!lacks("new", &bob()), "what was never kept is lacking nowhere");
    let holds = |place: &str| {
        let holds = catalogue.holds(place, &[]).unwrap();
        (holds.lacks, holds.lacks_since.is_some(), holds.newest, holds.only_here)
    };
    assert_eq!(holds("home"), (0, false, 1, 1));
    assert_eq!(holds("drive"), (1, true, 0, 0));
    assert_eq!(holds("new"), (2, true, 0, 0));
    let still = |from: &str, to: &str| catalogue.still_to_move(from, to).unwrap();
    // What somebody else's account has there moves too.
    assert_eq!(
        (still("home", "drive"), still("drive", "home"), still("new", "home")),
        (2, 0, 0)
    );
    let all: Vec<_> = catalogue
        .snapshots(&alice())
        .unwrap()
        .into_iter()
        .map(|snapshot| snapshot.places)
        .collect();
    assert_eq!(all, [vec!["home"], vec!["drive", "home"]]);

    // A place is listed, and "one" is gone from it.
    catalogue.relist("home", &alice(), &["two"], at(3)).unwrap();
    assert_eq!(
        (places("one"), places("two")),
        (vec!["drive".to_owned()], vec!["home".to_owned()])
    );
    let confirmed = catalogue.confirmed(&alice()).unwrap();
    assert_eq!(
        confirmed[1],
        Confirmation {
            place: "home".to_owned(),
            snapshot: "two".to_owned(),
            at: at(3)
        }
    );
    assert_eq!(catalogue.confirmed_places(&bob(), "one").unwrap(), ["home"]);

    // What was read there goes with what is no longer confirmed, and with damage.
    let read = || catalogue.read_there("home", &alice()).unwrap();
    catalogue.set_read_there("home", &alice(), &["two", "three"]).unwrap();
    assert_eq!(
        (read(), catalogue.read_there("drive", &alice()).unwrap()),
        (vec!["two".to_owned()], vec![])
    );
    catalogue.relist("home", &alice(), &["two", "three"], at(4)).unwrap();
    assert_eq!(read(), ["two"]);
    catalogue.set_read_there("home", &alice(), &["three"]).unwrap();
    catalogue.relist("home", &alice(), &["two"], at(5)).unwrap();
    catalogue.relist("home", &alice(), &["two", "three"], at(6)).unwrap();
    assert_eq!(read(), ["two"]);
    catalogue.forget_read_there("home").unwrap();
    assert_eq!(read(), [""; 0]);

    catalogue.forget_place("home").unwrap();
    assert_eq!(places("two"), [""; 0]);
    assert_eq!(places("one"), ["drive"]);
}

#[test]
fn what_was_seen_of_places_comes_back() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    let facts = PlaceFacts {
        last_seen: Some(at(1)),
        last_checked: None,
        last_listed: Some(at(2)),
        free: Some(1 << 45),
    };
    assert_eq!(catalogue.place("home").unwrap(), None);
    catalogue.set_place("home", &facts).unwrap();
    assert_eq!(catalogue.place("home").unwrap(), Some(facts));
    catalogue
        .set_place(
            "home",
            &PlaceFacts {
                free: Some(u64::MAX),
                ..PlaceFacts::default()
            },
        )
        .unwrap();
    assert_eq!(
        catalogue.place("home").unwrap().unwrap().free,
        Some(i64::MAX.unsigned_abs())
    );
    catalogue.forget_place("home").unwrap();
    assert_eq!(catalogue.place("home").unwrap(), None);
}

fn run(did: &Did, began: i64, end: RunEnd) -> Run {
    Run {
        did: did.to_string(),
        began: began * 1_000,
        ended: (began + 10) * 1_000,
        end,
    }
}

fn done() -> RunEnd {
    RunEnd::Completed { changed: true }
}

fn failed() -> RunEnd {
    RunEnd::Failed {
        problem: problem("host_down", Severity::Note, "502"),
    }
}

#[test]
fn a_host_fails_since_its_first_failure_until_it_answers() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    let facts = |since, last, attempts, wait| HostFacts {
        failing_since: at(since),
        last_failed: at(last),
        attempts,
        wait: Some(wait).filter(|wait| *wait != 0).map(Duration::from_millis),
    };
    assert!(!catalogue.host_answered("pds.test").unwrap());
    assert_eq!(
        catalogue.host_failed("pds.test", at(100), None).unwrap(),
        facts(100, 100, 1, 0)
    );
    let wait = Some(Duration::from_millis(u64::from(u32::MAX) * 3));
    assert_eq!(
        catalogue.host_failed("pds.test", at(200), wait).unwrap(),
        facts(100, 200, 2, u64::from(u32::MAX) * 3)
    );
    // The clock was set back.
    assert_eq!(
        catalogue.host_failed("pds.test", at(50), None).unwrap(),
        facts(50, 50, 3, 0)
    );
    assert_eq!(catalogue.host("pds.test").unwrap(), Some(facts(50, 50, 3, 0)));
    assert_eq!(catalogue.host("other.test").unwrap(), None);
    assert!(catalogue.host_answered("pds.test").unwrap());
    assert_eq!(catalogue.host("pds.test").unwrap(), None);
}

#[test]
fn forgetting_an_account_forgets_nothing_of_another() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    for did in [alice(), bob()] {
        catalogue.set_account(&did, &AccountFacts::default()).unwrap();
        catalogue.add_snapshot(&did, &row("one", 1)).unwrap();
        catalogue.confirm("home", &did, &["one"], at(1)).unwrap();
        catalogue.add_run(&run(&did, 1, done())).unwrap();
        catalogue
            .raise(&Subject::Account(did.clone()), &problem("x", Severity::Note, ""), at(1))
            .unwrap();
    }
    catalogue.forget_account(&alice()).unwrap();
    let left = |did: &Did| {
        let catalogue = &catalogue;
        (
            catalogue.account(did).unwrap().is_some(),
            catalogue.snapshots(did).unwrap().len(),
            catalogue.confirmed(did).unwrap().len(),
            catalogue.runs(Some(did), 9).unwrap().len(),
            catalogue.problems_of(&Subject::Account(did.clone())).unwrap().len(),
        )
    };
    assert_eq!(left(&alice()), (false, 0, 0, 0, 0));
    assert_eq!(left(&bob()), (true, 1, 1, 1, 1));
}

#[test]
fn a_deleted_catalogue_is_rebuilt_from_what_vaults_say() {
    let fixture = Fixture::new();
    let rows: Vec<_> = (1..=50).map(|n| row(&format!("snapshot {n}"), n)).collect();
    let ids: Vec<_> = rows.iter().map(|row| row.snapshot.id.as_str()).collect();
    let rebuild = |catalogue: &Catalogue| {
        catalogue.replace_snapshots(&alice(), &rows).unwrap();
        catalogue.relist("home", &alice(), &ids, at(7)).unwrap();
        catalogue.snapshots(&alice()).unwrap()
    };
    let before = rebuild(&fixture.catalogue);
    let path = fixture.path();
    drop(fixture.catalogue);
    for file in fs::read_dir(fixture.dir.path()).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    let opened = Catalogue::open(&path, at(60)).unwrap();
    assert_eq!(opened.moved_aside, None);
    assert_eq!(opened.catalogue.snapshots(&alice()).unwrap(), []);
    assert_eq!(rebuild(&opened.catalogue), before);
    assert_eq!(before.len(), 50);
}

#[test]
fn ten_thousand_snapshots_are_indexed_in_one_go() {
    let Fixture { catalogue, dir } = Fixture::new();
    let path = dir.path().join("catalogue.db");
    let rows: Vec<_> = (1..=10_000)
        .map(|n| row(&format!("20261122t140000z.aaaaaaaa.{n}.bcdefg"), n))
        .collect();
    let beside = Catalogue::open_beside(&path).unwrap().unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let work = scope.spawn(|| catalogue.replace_snapshots(&alice(), &rows).unwrap());
        while !work.is_finished() {
            let seen = beside.snapshots(&alice()).unwrap().len();
            assert!(seen == 0 || seen == 10_000, "{seen} are seen");
        }
    });
    // Half a second on an idle machine, unoptimised.
    println!("10,000 snapshots in {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(catalogue.snapshots(&alice()).unwrap().len(), 10_000);
    drop((catalogue, beside));
    let start = Instant::now();
    let opened = Catalogue::open(&path, at(0)).unwrap();
    println!("checked and opened in {:?}", start.elapsed());
    assert_eq!(opened.moved_aside, None);
}

#[test]
fn several_threads_may_use_it_at_once() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let catalogue = &catalogue;
            scope.spawn(move || {
                for n in 0..25 {
                    catalogue
                        .add_snapshot(&alice(), &row(&format!("{thread}-{n}"), n))
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(catalogue.snapshots(&alice()).unwrap().len(), 100);
}

#[test]
fn a_row_of_another_version_is_named_and_rebuilt() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    catalogue.add_snapshot(&alice(), &row("one", 1)).unwrap();
    catalogue
        .lock()
        .execute("UPDATE snapshots SET json = ?1", params![r#"{"id":"one"}"#])
        .unwrap();
    let error = catalogue.snapshots(&alice()).unwrap_err();
    assert!(
        matches!(error, Error::Unreadable { table: "snapshots", .. }),
        "{error:?}"
    );
    catalogue.replace_snapshots(&alice(), &[row("one", 1)]).unwrap();
    assert_eq!(ids(&catalogue.snapshots(&alice()).unwrap()), ["one"]);
}

#[test]
fn a_full_disk_is_called_that() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    let pages: i64 = catalogue
        .lock()
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    catalogue.lock().pragma_update(None, "max_page_count", pages).unwrap();
    let rows: Vec<_> = (1..=500).map(|n| row(&format!("snapshot {n}"), n)).collect();
    let error = catalogue.replace_snapshots(&alice(), &rows).unwrap_err();
    assert!(matches!(error, Error::Full) && error.is_transient(), "{error:?}");
    assert_eq!(catalogue.snapshots(&alice()).unwrap(), [], "nothing of it was kept");
}
