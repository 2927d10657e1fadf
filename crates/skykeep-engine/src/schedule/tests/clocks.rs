//! Clocks that are wrong, set, or stood still.

use super::*;

#[test]
fn rule_11_a_clock_set_back_costs_one_run_and_no_more() {
    // Until a moment ago the clock said next year; all that is remembered is from then.
    let year = 365 * DAY;
    let history = History {
        host: host(year, year, 9, Some(86_400)),
        ..kept(year)
    };
    let set_back = MachineFacts {
        awake_since: at(0),
        ..facts()
    };
    let spread = within(&did(7), "wake", WAKE_SPREAD);
    assert_eq!(due(&policy(), &history, &set_back, at(0)), Due::At(at(spread)));
    assert_eq!(due(&policy(), &history, &set_back, at(spread)), Due::Now);
    assert!(wants_full(&policy(), &history, &facts(), at(0)) && wants_manifest(&policy(), &history, at(0)));
    // The run that follows carries today's clock: everything is as usual.
    assert!(matches!(
        due(&policy(), &kept(spread), &set_back, at(spread + 5)),
        Due::At(_)
    ));

    let failed = RunHistory {
        last_done: None,
        last_failed: Some(at(year)),
        failures: 50,
    };
    assert_eq!(
        due(
            &policy(),
            &History {
                runs: failed,
                ..kept(0)
            },
            &facts(),
            at(0)
        ),
        Due::Now
    );
}

#[test]
fn rule_11_a_clock_a_few_minutes_off_changes_nothing() {
    let m = minute();
    for ahead in [1, 60, 299, 300] {
        check(&kept(m + ahead), m, Due::At(at(m + 3600)));
    }
    check(&kept(m + 301), m, Due::Now);
}

#[test]
fn rule_11_a_clock_set_forward_costs_one_run_and_no_more() {
    for forward in [DAY + 1, 400 * DAY, 73 * 366 * DAY] {
        let jumped = MachineFacts {
            awake_since: at(forward),
            ..facts()
        };
        let spread = within(&did(7), "wake", WAKE_SPREAD);
        assert_eq!(due(&policy(), &kept(0), &jumped, at(forward + spread)), Due::Now);
        let then = due(&policy(), &kept(forward + spread), &jumped, at(forward + spread + 1));
        assert!(matches!(then, Due::At(_)), "{then:?}");
    }
}

#[test]
fn no_calendar_surprises_it() {
    for text in [
        "1970-01-01T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2028-02-29T00:00:00Z",
        "2026-03-29T01:00:00Z",
        "2026-10-25T01:00:00Z",
        "2038-01-19T03:14:08Z",
        "2099-12-31T23:59:59Z",
        "2100-02-28T23:59:59Z",
    ] {
        let done: Timestamp = text.parse().unwrap();
        let history = History {
            runs: RunHistory {
                last_done: Some(done),
                ..RunHistory::default()
            },
            ..kept(0)
        };
        let facts = MachineFacts {
            awake_since: done,
            ..facts()
        };
        let Due::At(next) = due(&policy(), &history, &facts, done) else {
            panic!("{text}: due at once")
        };
        let gap = next.duration_since(done).as_secs();
        assert!((15 * MINUTE..=75 * MINUTE).contains(&gap), "{text}: {gap} s");
        assert_eq!((next.as_second() - minute()).rem_euclid(3600), 0, "{text}");
    }
    // The edges of what a timestamp can say do not panic.
    for now in [Timestamp::MIN, Timestamp::MAX] {
        for history in [
            kept(0),
            new(),
            History {
                host: host(0, 0, 3, Some(u64::MAX)),
                ..kept(0)
            },
        ] {
            for awake_since in [Timestamp::MIN, Timestamp::MAX] {
                let due = due(&policy(), &history, &MachineFacts { awake_since, ..facts() }, now);
                next_tick([&due], now);
            }
        }
        let edge = History {
            runs: RunHistory {
                last_done: Some(now),
                ..RunHistory::default()
            },
            ..kept(0)
        };
        due(&policy(), &edge, &facts(), now);
    }
}

/// A month of hours on a laptop that sleeps at night, is set back and forth, and loses its network: at every moment
/// awake with a network, the last run is at most 75 minutes old, and the 7 that the clock is off, and a tick or two; and
/// no half hour sees more than three runs.
#[test]
fn neither_starved_nor_stormed_through_a_rough_month() {
    for n in 0..20 {
        let policy = Policy {
            did: did(n),
            ..policy()
        };
        let mut history = new();
        let (mut skew, mut awake_since, mut slept) = (0, at(0), false);
        let mut runs: Vec<i64> = Vec::new();
        let mut usable_since = 0;
        for tick in 0..30 * DAY / 60 {
            let real = tick * 60;
            let (day, second) = (real / DAY, real % DAY);
            if second < 7 * HOUR || (day % 7 == 6 && second < 15 * HOUR) {
                slept = true;
                usable_since = real + 60;
                continue;
            }
            let before = skew;
            skew = match (day, second / HOUR) {
                (3, 10..12) => -DAY * 40,
                (5, 9..) | (6..8, _) => DAY * 366,
                (20, 15) => 7 * MINUTE,
                _ => 0,
            };
            let now = at(real + skew);
            if slept || before != skew {
                (slept, awake_since) = (false, now);
            }
            let network = if second / HOUR == 13 && day % 2 == 0 {
                Network::Down
            } else {
                Network::Up
            };
            if network == Network::Down {
                usable_since = real + 60;
            }
            let facts = MachineFacts {
                network,
                awake_since,
                ..facts()
            };
            if due(&policy, &history, &facts, now) == Due::Now {
                runs.push(real);
                history.runs = RunHistory {
                    last_done: Some(now),
                    last_failed: None,
                    failures: 0,
                };
            }
            let last = runs.last().copied().unwrap_or(0).max(usable_since);
            assert!(
                real - last <= 82 * MINUTE + 120,
                "account {n}, day {day}, second {second}: starved since {last}"
            );
        }
        for three in runs.windows(4) {
            assert!(
                three[3] - three[0] >= HOUR / 2,
                "account {n}: four runs within half an hour: {three:?}"
            );
        }
        assert!(runs.len() > 400, "account {n}: {} runs", runs.len());
    }
}
