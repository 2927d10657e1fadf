//! What holds a scheduled run back that is due: power, a connection paid by volume, quiet hours, a coming sleep.

use super::*;

#[test]
fn rule_16_a_low_battery_and_a_metered_connection_are_spared() {
    let check = |on_battery, battery, metered, expected: Option<Waiting>| {
        let facts = MachineFacts {
            on_battery,
            battery,
            metered,
            ..facts()
        };
        let expected = expected.map_or(Due::Now, Due::Waiting);
        assert_eq!(due(&policy(), &kept(-DAY), &facts, at(0)), expected, "{facts:?}");
        // What is not due says when it is, not what would hinder it.
        let m = minute();
        assert!(matches!(due(&policy(), &kept(m), &facts, at(m)), Due::At(_)));
    };
    let low = || Some(Waiting::Battery { below: 20 });
    check(Some(true), Some(19), None, low());
    check(Some(true), Some(20), None, None);
    check(Some(true), None, None, None);
    check(Some(false), Some(5), None, None);
    check(None, Some(5), None, None);
    check(Some(false), None, Some(true), Some(Waiting::Metered));
    check(Some(false), None, Some(false), None);
    check(Some(true), Some(19), Some(true), low());
    let bold = Policy {
        battery_below: None,
        metered: NetworkRule::Allow,
        ..policy()
    };
    let worst = MachineFacts {
        on_battery: Some(true),
        battery: Some(1),
        metered: Some(true),
        ..facts()
    };
    assert_eq!(due(&bold, &kept(-DAY), &worst, at(0)), Due::Now);
    let offline = MachineFacts {
        network: Network::Down,
        ..worst
    };
    assert_eq!(
        due(&policy(), &kept(-DAY), &offline, at(0)),
        Due::Waiting(Waiting::Network)
    );
}

#[test]
fn rule_17_nothing_starts_in_quiet_hours() {
    let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let quiet = |from: u16, to: u16| Policy {
        quiet: Some(QuietHours { from, to }),
        zone: berlin.clone(),
        ..policy()
    };
    let spread = within(&did(7), "wake", WAKE_SPREAD);
    // 14:00 UTC is 15:00 on the wall.
    let check = |from, to, now: i64, expected: Option<i64>| {
        let expected = expected.map_or(Due::Now, |end| {
            let until = at(end + spread).as_millisecond();
            Due::Waiting(Waiting::Quiet { until })
        });
        assert_eq!(
            due(&quiet(from, to), &kept(-DAY), &facts(), at(now)),
            expected,
            "{from} to {to}"
        );
    };
    check(15 * 60, 16 * 60, 0, Some(3600));
    check(15 * 60 + 1, 16 * 60, 0, None);
    check(14 * 60, 15 * 60, -1, Some(0));
    check(14 * 60, 15 * 60, spread, None);
    check(22 * 60, 7 * 60, 0, None);
    check(14 * 60, 7 * 60, 0, Some(16 * 3600));
    check(22 * 60, 15 * 60 + 30, 0, Some(1800));
    check(15 * 60, 15 * 60, 0, None);
    // What is announced for quiet hours is announced for after them.
    let m = minute();
    let night = quiet(15 * 60, 18 * 60);
    let after = Due::At(at(3 * 3600 + spread));
    assert_eq!(due(&night, &kept(m - 3600), &facts(), at(-1)), after);
}

#[test]
fn rule_19_a_machine_about_to_sleep_is_left_alone() {
    let dozes = MachineFacts { dozes: true, ..facts() };
    assert_eq!(due(&policy(), &kept(-DAY), &facts(), at(0)), Due::Now);
    assert_eq!(due(&policy(), &kept(-DAY), &dozes, at(0)), Due::At(at(60)));
    let running = History {
        running: true,
        ..kept(-DAY)
    };
    assert_eq!(due(&policy(), &running, &dozes, at(0)), Due::Running);
    assert!(cuts(&policy(), &dozes) && !cuts(&policy(), &facts()));
}

#[test]
fn rule_17_the_end_follows_the_clock_on_the_wall() {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let check = |from: u16, to: u16, now: &str, expected: Option<&str>| {
        let end = quiet_end(QuietHours { from, to }, &zone, now.parse().unwrap());
        assert_eq!(
            end,
            expected.map(|text| text.parse().unwrap()),
            "{from} to {to} at {now}"
        );
    };
    // Clocks go forward on 2026-03-29 at 02:00 and back on 2026-10-25 at 03:00.
    check(1320, 420, "2026-03-28T22:00:00Z", Some("2026-03-29T05:00:00Z"));
    check(1320, 420, "2026-10-24T21:00:00Z", Some("2026-10-25T06:00:00Z"));
    check(60, 150, "2026-03-29T00:30:00Z", Some("2026-03-29T01:30:00Z"));
    check(60, 150, "2026-10-25T00:10:00Z", Some("2026-10-25T00:30:00Z"));
    check(60, 150, "2026-10-25T01:10:00Z", None);
}
