//! The rules at the top of `schedule.rs`, one by one.

use super::*;

/// 2026-11-22T14:00:00Z.
const START: i64 = 1_795_356_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

fn did(n: u32) -> Did {
    let letters = b"abcdefghijklmnopqrstuvwxyz234567";
    let id: String = (0..24)
        .map(|i| char::from(letters[(n >> (i % 6 * 5)) as usize % 32]))
        .collect();
    format!("did:plc:{id}").parse().unwrap()
}

fn policy() -> Policy {
    Policy {
        did: did(7),
        every: Duration::from_secs(3600),
        paused: false,
        has_place: true,
    }
}

/// An account that was kept at `done`, with all daily and weekly things done then.
fn kept(done: i64) -> History {
    History {
        running: false,
        status: HostingStatus::Active,
        runs: RunHistory {
            last_done: Some(at(done)),
            last_failed: None,
            failures: 0,
        },
        host: None,
        last_snapshot: Some(at(done)),
        last_full: Some(at(done)),
        last_media_try: Some(at(done)),
        media_missing: 0,
        media_pending: 0,
    }
}

fn new() -> History {
    History {
        runs: RunHistory::default(),
        last_snapshot: None,
        last_full: None,
        last_media_try: None,
        ..kept(0)
    }
}

/// Awake for a day, on mains and on a network.
fn facts() -> MachineFacts {
    MachineFacts {
        network: Network::Up,
        on_battery: Some(false),
        metered: None,
        awake_since: at(-DAY),
    }
}

/// The account's own minute: seconds into each hour.
fn minute() -> i64 {
    let phase = within(&did(7), "slot", 3600);
    assert_eq!(at(0).as_second() % 3600, 0);
    phase
}

#[track_caller]
fn check(history: &History, now: i64, expected: Due) {
    assert_eq!(due(&policy(), history, &facts(), at(now)), expected);
}

#[test]
fn rule_1_what_was_never_kept_is_due_at_once() {
    check(&new(), 0, Due::Now);
    let just_woken = MachineFacts {
        awake_since: at(0),
        ..facts()
    };
    assert_eq!(due(&policy(), &new(), &just_woken, at(0)), Due::Now);
}

#[test]
fn rule_2_once_an_hour_at_the_accounts_own_minute() {
    let m = minute();
    check(&kept(m), m + 1, Due::At(at(m + 3600)));
    check(&kept(m), m + 3599, Due::At(at(m + 3600)));
    check(&kept(m), m + 3600, Due::Now);
    check(&kept(m + 40), m + 3600, Due::Now);
    // The time it takes to start and to run does not move it.
    let mut now = m;
    for hour in 1..100 {
        let Due::At(next) = due(&policy(), &kept(now + 37), &facts(), at(now + 50)) else {
            panic!("due at {now}")
        };
        now = next.as_second() - START;
        assert_eq!(now, m + hour * 3600);
    }
}

#[test]
fn rule_2_the_interval_is_what_settings_say_within_bounds() {
    let gap = |every: u64| {
        let policy = Policy {
            every: Duration::from_secs(every),
            ..policy()
        };
        let Due::At(first) = due(&policy, &kept(0), &facts(), at(0)) else {
            panic!("due at once")
        };
        let history = History {
            runs: RunHistory {
                last_done: Some(first),
                ..kept(0).runs
            },
            ..kept(0)
        };
        let Due::At(second) = due(&policy, &history, &facts(), first) else {
            panic!("due at once")
        };
        second.duration_since(first).as_secs()
    };
    for (every, expected) in [
        (3600, 3600),
        (600, 600),
        (6 * 3600, 6 * 3600),
        (0, 5 * MINUTE),
        (1, 5 * MINUTE),
        (u64::MAX, WEEK),
        (30 * 86_400, WEEK),
    ] {
        assert_eq!(gap(every), expected, "every {every} s");
    }
}

#[test]
fn rule_2_accounts_spread_over_the_hour() {
    let mut per_minute = [0_u32; 60];
    for n in 0..6_000 {
        per_minute[usize::try_from(within(&did(n), "slot", 3600) / 60).unwrap()] += 1;
    }
    let (least, most) = (per_minute.iter().min().unwrap(), per_minute.iter().max().unwrap());
    assert!(*least >= 60 && *most <= 150, "{per_minute:?}");
    // And never move: these are what the first version gave.
    assert_eq!(
        [did(1), did(2), did(3)].map(|did| within(&did, "slot", 3600)),
        SLOTS_OF_THE_FIRST_VERSION
    );
}

const SLOTS_OF_THE_FIRST_VERSION: [i64; 3] = [104, 257, 3347];

#[test]
fn rule_3_a_run_shortly_before_its_minute_stands_for_it() {
    let m = minute();
    check(&kept(m - 14 * MINUTE), m, Due::At(at(m + 3600)));
    check(&kept(m - 16 * MINUTE), m - 1, Due::At(at(m)));
    check(&kept(m - 16 * MINUTE), m, Due::Now);
}

#[test]
fn rule_4_one_run_makes_up_for_a_night_within_a_minute_of_waking() {
    let morning = 3 * DAY + 7 * HOUR + 11;
    let woken = MachineFacts {
        awake_since: at(morning),
        ..facts()
    };
    let spread = within(&did(7), "wake", WAKE_SPREAD);
    assert!(spread > 0, "choose another DID");
    let check = |history: &History, now: i64, expected: Due| {
        assert_eq!(due(&policy(), history, &woken, at(now)), expected);
    };
    check(&kept(0), morning, Due::At(at(morning + spread)));
    check(&kept(0), morning + spread, Due::Now);
    check(&kept(0), morning + 60, Due::Now);
    // That one run done, the next is at its usual minute: nothing is left of the night.
    let Due::At(next) = due(&policy(), &kept(morning + spread), &woken, at(morning + spread + 20)) else {
        panic!("due again");
    };
    assert_eq!((next.as_second() - minute()).rem_euclid(3600), START % 3600);
    assert!(next.duration_since(at(morning)).as_secs() > 15 * MINUTE);

    // The network comes back later: due at once then, once.
    let offline = MachineFacts {
        network: Network::Down,
        ..woken
    };
    assert_eq!(
        due(&policy(), &kept(0), &offline, at(morning + 60)),
        Due::Waiting(Waiting::Network)
    );
    check(&kept(0), morning + 2 * HOUR, Due::Now);
}

#[test]
fn rule_4_waking_all_the_time_does_not_starve_it() {
    // Woken at every tick, it still gets its turn within the minute that it is awake.
    let woken = MachineFacts {
        awake_since: at(DAY - 59),
        ..facts()
    };
    assert_eq!(due(&policy(), &kept(0), &woken, at(DAY)), Due::Now);
    for n in 0..500 {
        assert!(within(&did(n), "wake", WAKE_SPREAD) < 60);
    }
}

#[test]
fn rule_5_one_run_at_a_time() {
    check(
        &History {
            running: true,
            ..kept(0)
        },
        DAY,
        Due::Running,
    );
    check(&History { running: true, ..new() }, DAY, Due::Running);
}

#[test]
fn rule_6_paused_or_without_any_place_nothing_is_due() {
    let paused = Policy {
        paused: true,
        ..policy()
    };
    let homeless = Policy {
        has_place: false,
        ..policy()
    };
    for history in [new(), kept(0), kept(DAY - 1)] {
        assert_eq!(due(&paused, &history, &facts(), at(DAY)), Due::Waiting(Waiting::Paused));
        assert_eq!(
            due(&homeless, &history, &facts(), at(DAY)),
            Due::Waiting(Waiting::Place)
        );
    }
}

#[test]
fn rule_7_without_a_network_what_is_due_waits() {
    let with = |network| MachineFacts { network, ..facts() };
    let check = |history: &History, network, now: i64, expected: Due| {
        assert_eq!(due(&policy(), history, &with(network), at(now)), expected);
    };
    let m = minute();
    check(&kept(m), Network::Down, m + 3600, Due::Waiting(Waiting::Network));
    check(&new(), Network::Down, 0, Due::Waiting(Waiting::Network));
    check(&kept(m), Network::Unknown, m + 3600, Due::Now);
    // Nothing is due yet, so nothing waits.
    check(&kept(m), Network::Down, m + 60, Due::At(at(m + 3600)));
}

fn host(failing_since: i64, last_failed: i64, attempts: u32, wait: Option<u64>) -> Option<HostFacts> {
    let wait = wait.map(Duration::from_secs);
    Some(HostFacts {
        failing_since: at(failing_since),
        last_failed: at(last_failed),
        attempts,
        wait,
    })
}

#[test]
fn rule_8_a_failing_host_is_left_alone_for_longer_and_longer() {
    let check = |attempts: u32, asked: Option<u64>, expected: i64| {
        let history = History {
            host: host(-500, 0, attempts, asked),
            ..kept(-DAY)
        };
        let Due::Waiting(Waiting::Host { since, until }) = due(&policy(), &history, &facts(), at(1)) else {
            panic!("not waiting after {attempts} failures");
        };
        assert_eq!(since, at(-500).as_millisecond());
        let wait = until / 1000 - START;
        let most = expected + expected / 10;
        assert!(
            (expected..=most).contains(&wait),
            "{attempts} failures, asked {asked:?}: {wait} s"
        );
        // Until then, and not a second longer.
        assert_eq!(due(&policy(), &history, &facts(), at(wait)), Due::Now);
        assert!(matches!(
            due(&policy(), &history, &facts(), at(wait - 1)),
            Due::Waiting(_)
        ));
    };
    check(1, None, 5 * MINUTE);
    check(2, None, 15 * MINUTE);
    check(3, None, HOUR);
    check(4, None, HOUR);
    check(u32::MAX, None, HOUR);
    check(0, None, 5 * MINUTE);
    check(1, Some(10), 5 * MINUTE);
    check(1, Some(1_000), 1_001);
    check(3, Some(7_200), 7_201);
    check(1, Some(u64::MAX), DAY);
}

#[test]
fn rule_8_accounts_do_not_come_back_in_the_same_second() {
    let waits: std::collections::BTreeSet<_> = (0..200)
        .map(|n| back_off(&did(n), 1, Some(Duration::from_secs(3600))))
        .collect();
    assert!(waits.len() > 100, "{} of 200 differ", waits.len());
}

#[test]
fn rule_8_what_is_not_due_yet_does_not_wait_for_the_host() {
    let m = minute();
    let history = History {
        host: host(m, m + 10, 1, None),
        ..kept(m)
    };
    check(&history, m + 20, Due::At(at(m + 3600)));
    // Unless it asked for more than that.
    let history = History {
        host: host(m, m + 10, 1, Some(7_200)),
        ..kept(m)
    };
    let Due::At(next) = due(&policy(), &history, &facts(), at(m + 20)) else {
        panic!("not later")
    };
    assert!(next >= at(m + 10 + 7_200), "{next}");
}

#[test]
fn rule_9_a_failed_run_is_tried_again_after_the_same_steps() {
    let failed = |done: Option<i64>, failed: i64, failures: u32| History {
        runs: RunHistory {
            last_done: done.map(at),
            last_failed: Some(at(failed)),
            failures,
        },
        ..kept(0)
    };
    for (failures, wait) in [(1, 5 * MINUTE), (2, 15 * MINUTE), (3, HOUR), (30, HOUR)] {
        for done in [None, Some(-DAY)] {
            let history = failed(done, 0, failures);
            let Due::At(next) = due(&policy(), &history, &facts(), at(1)) else {
                panic!("{failures} failures")
            };
            assert!(
                (wait..=wait + wait / 10).contains(&(next.as_second() - START)),
                "{failures} failures: {next}"
            );
            check(&history, next.as_second() - START, Due::Now);
        }
    }
}

#[test]
fn rule_10_an_account_that_is_not_active_is_tried_once_a_day() {
    use HostingStatus::{Active, Deactivated, Deleted, Missing, Suspended, Takendown, Unknown};
    for (status, gap) in [
        (Active, HOUR),
        (Unknown, HOUR),
        (Deactivated, DAY),
        (Takendown, DAY),
        (Suspended, DAY),
        (Deleted, DAY),
        (Missing, DAY),
    ] {
        let next = |done: i64| {
            let history = History { status, ..kept(done) };
            let Due::At(next) = due(&policy(), &history, &facts(), at(done)) else {
                panic!("{status:?} is due")
            };
            next.as_second() - START
        };
        let first = next(0);
        assert_eq!(next(first) - first, gap, "{status:?}");
    }
}

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
fn rule_12_a_manifest_a_day() {
    let wants = |last: Option<i64>, now: i64| {
        wants_manifest(
            &policy(),
            &History {
                last_snapshot: last.map(at),
                ..kept(0)
            },
            at(now),
        )
    };
    assert!(wants(None, 0));
    assert!(!wants(Some(0), HOUR));
    assert!(!wants(Some(0), DAY - HOUR));
    assert!(wants(Some(0), DAY - HOUR / 2));
    assert!(wants(Some(0), DAY));
    assert!(wants(Some(DAY), 0), "a manifest from tomorrow is not believed");
    // Hourly runs that start a little late or early write one every day, at the same hour.
    let (mut last, mut written) = (0, 0);
    for hour in 1..=30 * 24 {
        let now = hour * HOUR + [0, 9, -3, 4][usize::try_from(hour % 4).unwrap()];
        if wants(Some(last), now) {
            (last, written) = (now, written + 1);
        }
    }
    assert_eq!(written, 30);
}

#[test]
fn rule_13_everything_is_fetched_once_a_week() {
    let sparing = [
        MachineFacts {
            on_battery: Some(true),
            ..facts()
        },
        MachineFacts {
            metered: Some(true),
            ..facts()
        },
    ];
    let wants = |last: Option<i64>, facts: &MachineFacts, now: i64| {
        wants_full(
            &policy(),
            &History {
                last_full: last.map(at),
                ..kept(0)
            },
            facts,
            at(now),
        )
    };
    assert!(wants(None, &facts(), 0));
    assert!(!wants(Some(0), &facts(), 6 * DAY));
    assert!(wants(Some(0), &facts(), WEEK));
    for facts in &sparing {
        assert!(!wants(Some(0), facts, WEEK));
        assert!(!wants(Some(0), facts, 2 * WEEK - DAY));
        assert!(wants(Some(0), facts, 2 * WEEK), "never put off for ever");
        assert!(wants(None, facts, 0));
    }
    let unknown = MachineFacts {
        on_battery: None,
        metered: None,
        ..facts()
    };
    assert!(wants(Some(0), &unknown, WEEK));
}

#[test]
fn rule_14_missing_media_are_asked_for_daily_and_pending_ones_always() {
    let battery = MachineFacts {
        on_battery: Some(true),
        ..facts()
    };
    let wants = |missing: u64, pending: u64, last: Option<i64>, facts: &MachineFacts, now: i64| {
        let history = History {
            media_missing: missing,
            media_pending: pending,
            last_media_try: last.map(at),
            ..kept(0)
        };
        wants_media_retry(&policy(), &history, facts, at(now))
    };
    assert!(!wants(0, 0, None, &facts(), 0));
    assert!(wants(3, 0, None, &facts(), 0));
    assert!(!wants(3, 0, Some(0), &facts(), HOUR));
    assert!(wants(3, 0, Some(0), &facts(), DAY));
    assert!(!wants(3, 0, Some(0), &battery, DAY));
    assert!(wants(3, 0, Some(0), &battery, 2 * DAY));
    assert!(wants(0, 3, Some(0), &battery, 1));
}

#[test]
fn rule_15_the_loop_ticks_when_something_is_due_and_at_least_once_a_minute() {
    let check = |dues: &[Due], expected: u64| {
        assert_eq!(next_tick(dues, at(0)), Duration::from_secs(expected), "{dues:?}");
    };
    let host = |until: i64| {
        Due::Waiting(Waiting::Host {
            since: 0,
            until: at(until).as_millisecond(),
        })
    };
    check(&[], 60);
    check(
        &[
            Due::Running,
            Due::Waiting(Waiting::Paused),
            Due::Waiting(Waiting::Network),
        ],
        60,
    );
    check(&[Due::At(at(3600))], 60);
    check(&[Due::At(at(3600)), Due::At(at(7)), Due::At(at(30))], 7);
    check(&[host(20), Due::At(at(3600))], 20);
    check(&[Due::Now], 1);
    check(&[Due::At(at(-5))], 1);
    check(&[Due::At(Timestamp::MAX), host(10_000_000_000)], 60);
}

#[test]
fn what_people_are_told_about_the_next_run() {
    let m = minute();
    let check = |policy: &Policy, history: &History, now: i64, expected: Option<i64>| {
        assert_eq!(next_due(policy, history, at(now)), expected.map(at));
    };
    check(&policy(), &new(), 3, Some(3));
    check(&policy(), &kept(m), m + 3, Some(m + 3600));
    check(&policy(), &kept(m), m + DAY, Some(m + DAY));
    check(
        &policy(),
        &History {
            running: true,
            ..kept(m)
        },
        m + 3,
        None,
    );
    check(
        &Policy {
            paused: true,
            ..policy()
        },
        &kept(m),
        m + 3,
        None,
    );
    check(
        &Policy {
            has_place: false,
            ..policy()
        },
        &kept(m),
        m + 3,
        None,
    );
    let failing = History {
        host: host(0, 0, 1, None),
        ..kept(-DAY)
    };
    check(&policy(), &failing, 1, Some(back_off(&did(7), 1, None)));
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
