//! What is counted over time.

use super::*;

fn skipped() -> RunEnd {
    RunEnd::Skipped {
        why: problem("deactivated", Severity::Note, ""),
    }
}

/// A snapshot taken at a second, of a commit.
fn taken(id: &str, sequence: u32, second: i64, commit: &str) -> SnapshotRow {
    let mut row = row(id, sequence);
    row.snapshot.taken = second * 1_000;
    row.snapshot.commit = commit.to_owned();
    row
}

/// What happened, in order, in letters.
fn told(catalogue: &Catalogue, did: &Did, from_millis: i64) -> Vec<(i64, Outcome)> {
    let from = Timestamp::from_millisecond(from_millis).unwrap();
    let mut all: Vec<(i64, Outcome)> = catalogue
        .happened(did, from)
        .unwrap()
        .iter()
        .map(|happened| (happened.at, happened.what))
        .collect();
    all.sort_by_key(|(at, _)| *at);
    all
}

#[test]
fn a_run_and_what_it_kept_are_one_event() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    let began = |did: &Did, millis: i64, end: RunEnd| {
        let run = Run {
            began: millis,
            ended: millis + 5,
            ..run(did, 0, end)
        };
        catalogue.add_run(&run).unwrap();
    };
    // The run begins within the second that its snapshots bear; it made two.
    began(&alice(), 100_250, done());
    began(&alice(), 200_900, RunEnd::Completed { changed: false });
    began(&alice(), 300_000, skipped());
    // It failed at a place, after it had kept something: a failure, and no more than that.
    began(&alice(), 400_999, failed());
    // It was stopped, and the posts were kept before.
    began(&alice(), 500_500, RunEnd::Stopped);
    began(&bob(), 600_000, done());
    let rows = [
        // From another computer.
        taken("elsewhere", 1, 50, "a"),
        taken("posts", 1, 100, "b"),
        taken("media", 2, 100, "b"),
        taken("failed", 3, 400, "c"),
        taken("stopped", 4, 500, "d"),
        taken("elsewhere again", 2, 700, "d"),
        taken("elsewhere later", 3, 800, "e"),
    ];
    catalogue.replace_snapshots(&alice(), &rows).unwrap();
    use Outcome::{Failed, Kept, Skipped, Unchanged};
    let expected = [
        (50_000, Kept),
        (100_250, Kept),
        (200_900, Unchanged),
        (300_000, Skipped),
        (400_999, Failed),
        (500_000, Kept),
        (700_000, Unchanged),
        (800_000, Kept),
    ];
    assert_eq!(told(&catalogue, &alice(), 0), expected);
    assert_eq!(told(&catalogue, &bob(), 0), [(600_000, Kept)]);
    // A cell that begins within the second of a run does not make its snapshot another event.
    assert_eq!(told(&catalogue, &alice(), 100_250), expected[1..]);
    assert_eq!(told(&catalogue, &alice(), 100_251), expected[2..]);
    // Without runs, as on a new computer, the snapshots tell the same story as far as they know it.
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    for row in &rows {
        catalogue.add_snapshot(&alice(), row).unwrap();
    }
    assert_eq!(
        told(&catalogue, &alice(), 0),
        [
            (50_000, Kept),
            (100_000, Kept),
            (400_000, Kept),
            (500_000, Kept),
            (700_000, Unchanged),
            (800_000, Kept)
        ]
    );
}

#[test]
fn sizes_are_those_of_each_days_newest_snapshot() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    assert_eq!(catalogue.newest_size(&alice()).unwrap(), None);
    assert!(!catalogue.is_measured(&alice()).unwrap());
    let day = 86_400;
    let sized = |id: &str, sequence, second, bytes, media_bytes| {
        let mut row = taken(id, sequence, second, id);
        row.snapshot.bytes = bytes;
        row.media_bytes = media_bytes;
        row
    };
    let rows = [
        sized("first", 1, day + 10, 100, 60),
        sized("second", 2, day + 20, 90, 50),
        // Set back by an hour, the clock is no measure of what is newest.
        sized("third", 3, day + 5, 95, 55),
        sized("fourth", 4, 3 * day, 300, 200),
    ];
    catalogue.replace_snapshots(&alice(), &rows).unwrap();
    let size = |day, second: i64, position, bytes| Size {
        day,
        at: second * 1000,
        position,
        bytes,
    };
    let check = |starts: &[i64], expected: &[Size]| {
        let starts: Vec<i64> = starts.iter().map(|second| second * 1000).collect();
        assert_eq!(catalogue.sizes(&alice(), &starts).unwrap(), expected, "{starts:?}");
    };
    check(
        &[0, day, 2 * day, 3 * day],
        &[size(2, day + 20, 3, 95), size(4, 3 * day, 4, 300)],
    );
    // Where days begin at another hour, other snapshots are a day's; one that is set back falls into the day before.
    let later = [day + 7, 2 * day + 7, 3 * day + 7];
    check(
        &later,
        &[
            size(0, day + 5, 3, 95),
            size(1, day + 20, 2, 90),
            size(2, 3 * day, 4, 300),
        ],
    );
    // What was before the first day is one day more.
    check(&[3 * day], &[size(0, day + 20, 3, 95), size(1, 3 * day, 4, 300)]);
    check(&[], &[size(0, 3 * day, 4, 300)]);
    assert_eq!(catalogue.newest_size(&alice()).unwrap(), Some((300, 200)));
    assert!(catalogue.is_measured(&alice()).unwrap());
    assert_eq!(catalogue.sizes(&bob(), &[]).unwrap(), []);
}

#[test]
fn what_an_older_version_wrote_is_counted_and_measured_again() {
    let fixture = Fixture::new();
    let catalogue = &fixture.catalogue;
    let ends = [
        done(),
        RunEnd::Completed { changed: false },
        skipped(),
        failed(),
        RunEnd::Stopped,
    ];
    for (n, end) in (1..).zip(ends) {
        catalogue.add_run(&run(&alice(), n * 100, end)).unwrap();
    }
    let rows = [
        taken("a", 1, 1_000, "a"),
        taken("b", 2, 1_100, "a"),
        taken("c", 3, 1_200, "c"),
    ];
    catalogue.replace_snapshots(&alice(), &rows).unwrap();
    let before = (told(catalogue, &alice(), 0), catalogue.sizes(&alice(), &[]).unwrap());
    // As the first version had it.
    catalogue
        .lock()
        .execute_batch(
            "DROP INDEX runs_in_time; DROP INDEX snapshots_in_time;
             ALTER TABLE runs DROP COLUMN outcome;
             ALTER TABLE snapshots DROP COLUMN unchanged; ALTER TABLE snapshots DROP COLUMN bytes;
             ALTER TABLE snapshots DROP COLUMN media_bytes;
             ALTER TABLE accounts DROP COLUMN identity_read; DROP TABLE told;
             DROP TABLE families; DROP TABLE fills; DROP TABLE rounds; DROP TABLE samples;
             ALTER TABLE confirmations DROP COLUMN read_there; DROP TABLE watched;
             PRAGMA user_version = 1;",
        )
        .unwrap();
    let (_dir, opened) = fixture.reopen();
    assert_eq!(opened.moved_aside, None);
    let catalogue = opened.catalogue;
    let after = (told(&catalogue, &alice(), 0), catalogue.sizes(&alice(), &[]).unwrap());
    assert_eq!(after, before);
    assert_eq!(after.0.len(), 7);
    assert_eq!(catalogue.newest_size(&alice()).unwrap(), Some((before.1[0].bytes, 0)));
    assert!(
        !catalogue.is_measured(&alice()).unwrap(),
        "its media were never measured"
    );
}

#[test]
fn eight_weeks_of_forty_accounts_are_counted_in_no_time() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    let dids: Vec<Did> = (0..40)
        .map(|n| format!("did:web:a{n}.example").parse().unwrap())
        .collect();
    catalogue
        .write(|transaction| {
            let mut runs = transaction.prepare(
                "INSERT INTO runs (did, began, ended, failed, outcome, json) VALUES (?1, ?2, ?2, 0, 1, '{}')",
            )?;
            let mut snapshots = transaction.prepare(
                "INSERT INTO snapshots (did, id, position, writer, sequence, rev, cid, taken, json)
                 VALUES (?1, ?2, ?2, 'w', ?2, 'r', 'c', ?3, ?4)",
            )?;
            let json = "x".repeat(2_000);
            for did in &dids {
                for hour in 0..2_000_i64 {
                    runs.execute(params![did.as_str(), hour * 3_600_000 + 7])?;
                    if hour % 4 == 0 {
                        snapshots.execute(params![did.as_str(), hour.to_string(), hour * 3_600_000, json])?;
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    // The quickest of several, because the machine has other things to do; the goal is 20 ms on two quiet cores.
    let quickest = (0..5).map(|_| {
        let began = Instant::now();
        let all = dids
            .iter()
            .map(|did| catalogue.happened(did, Timestamp::UNIX_EPOCH).unwrap().len());
        assert_eq!(all.sum::<usize>(), 80_000);
        began.elapsed()
    });
    let took = quickest.min().unwrap();
    println!("80,000 runs and 20,000 snapshots: {took:?}");
    assert!(took < Duration::from_millis(500), "{took:?}");
}
