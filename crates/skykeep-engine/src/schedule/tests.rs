//! The rules at the top of `schedule.rs`, one by one.

mod clocks;
mod daily;
mod held_back;

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
        pause: Pause::No,
        has_place: true,
        battery_below: Some(20),
        metered: NetworkRule::Wait,
        quiet: None,
        zone: TimeZone::UTC,
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
        battery: None,
        metered: None,
        awake_since: at(-DAY),
        dozes: false,
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
        pause: Pause::Open,
        ..policy()
    };
    let until = |second| Policy {
        pause: Pause::Until(at(second)),
        ..policy()
    };
    let homeless = Policy {
        has_place: false,
        ..policy()
    };
    for history in [new(), kept(0), kept(DAY - 1)] {
        assert_eq!(
            due(&paused, &history, &facts(), at(DAY)),
            Due::Waiting(Waiting::Paused { until: None })
        );
        let (end, long) = (DAY + 3600, at(DAY + 3600).as_millisecond());
        let waiting = Due::Waiting(Waiting::Paused { until: Some(long) });
        assert_eq!(due(&until(end), &history, &facts(), at(DAY)), waiting);
        assert_eq!(waiting.time(at(DAY)), Some(at(end)));
        // One that has run out is none.
        assert_eq!(
            due(&until(DAY), &history, &facts(), at(DAY)),
            due(&policy(), &history, &facts(), at(DAY))
        );
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
            Due::Waiting(Waiting::Paused { until: None }),
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
            pause: Pause::Open,
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
