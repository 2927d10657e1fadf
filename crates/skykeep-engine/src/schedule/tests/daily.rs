//! What is due daily and weekly.

use super::*;

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
