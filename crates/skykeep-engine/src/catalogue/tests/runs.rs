//! Runs: how each account's last ones ended.

use super::*;

#[test]
fn runs_come_newest_first_and_the_oldest_are_forgotten() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    catalogue.add_run(&run(&bob(), 5, RunEnd::Stopped)).unwrap();
    for n in 0..i64::from(RUNS_KEPT) + 5 {
        // The clock goes backwards: newest is what was added last.
        catalogue.add_run(&run(&alice(), 10_000 - n, done())).unwrap();
    }
    let runs = catalogue.runs(Some(&alice()), usize::MAX).unwrap();
    assert_eq!(runs.len(), RUNS_KEPT as usize);
    assert_eq!(runs[0], run(&alice(), 10_000 - i64::from(RUNS_KEPT) - 4, done()));
    assert_eq!(runs[RUNS_KEPT as usize - 1], run(&alice(), 10_000 - 5, done()));
    assert_eq!(
        catalogue.runs(Some(&bob()), 10).unwrap(),
        [run(&bob(), 5, RunEnd::Stopped)]
    );
    assert_eq!(catalogue.runs(None, 2).unwrap(), &runs[..2]);
    assert_eq!(catalogue.runs(None, usize::MAX).unwrap().len(), RUNS_KEPT as usize + 1);
}

#[test]
fn the_history_of_runs_counts_failures_since_the_last_that_went_well() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    let second = |seconds| Some(Timestamp::from_second(seconds).unwrap());
    let skipped = || RunEnd::Skipped {
        why: problem("deactivated", Severity::Note, ""),
    };
    let steps = [
        (
            failed(),
            RunHistory {
                last_done: None,
                last_failed: second(110),
                failures: 1,
            },
        ),
        (
            done(),
            RunHistory {
                last_done: second(200),
                last_failed: None,
                failures: 0,
            },
        ),
        (
            failed(),
            RunHistory {
                last_done: second(200),
                last_failed: second(310),
                failures: 1,
            },
        ),
        (
            failed(),
            RunHistory {
                last_done: second(200),
                last_failed: second(410),
                failures: 2,
            },
        ),
        (
            skipped(),
            RunHistory {
                last_done: second(500),
                last_failed: None,
                failures: 0,
            },
        ),
        (
            RunEnd::Stopped,
            RunHistory {
                last_done: second(600),
                last_failed: None,
                failures: 0,
            },
        ),
    ];
    assert_eq!(catalogue.run_history(&alice()).unwrap(), RunHistory::default());
    for (began, (end, expected)) in (100..).step_by(100).zip(steps) {
        catalogue.add_run(&run(&alice(), began, end)).unwrap();
        catalogue.add_run(&run(&bob(), began, failed())).unwrap();
        assert_eq!(catalogue.run_history(&alice()).unwrap(), expected);
    }
}
