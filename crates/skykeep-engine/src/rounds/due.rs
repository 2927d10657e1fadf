//! How much of a place is to be read again now. Pure: the same arguments give the same answer.
//!
//! The rules, each tested below by its number:
//!
//!  1. A day after a portion the next one is due; a new place has its first one a day after it was added.
//!  2. A portion is a twenty-eighth of the place for each day since the last, at most a week's; never less than
//!     [`LEAST`], in a bucket [`LEAST_BUCKET`]. So everything was read within 30 days where the computer runs every day.
//!  3. With more time it goes on every hour, at up to twice that pace: on the mains only, and never in a bucket, where what
//!     is read may have its price.
//!  4. Nothing is read while backups are paused, in quiet hours, on a low battery, or when the machine is about to sleep;
//!     from a bucket nothing without a network or on one that is paid by volume, unless settings allow it.
//!  5. What an unclean stop may have touched is due at once, as far as rule 4 goes.
//!  6. A time of ours that lies ahead of `now` is not believed: what it says was done is due.

use jiff::{SignedDuration, Timestamp};

use crate::api::NetworkRule;
use crate::catalogue::Round;
use crate::machine::{MachineFacts, Network};

/// Days in which a place is read once.
const DAYS: u64 = 28;
/// Days that a portion makes up for.
const MOST_DAYS: u64 = 7;
/// The smallest portion of a folder, in bytes.
pub(crate) const LEAST: u64 = 256 << 20;
/// The smallest portion of a bucket, in bytes.
pub(crate) const LEAST_BUCKET: u64 = 32 << 20;
/// What is daily is due this much early, or a tick's delay would move it, day by day.
const EARLY: SignedDuration = SignedDuration::from_mins(30);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// How far ahead of `now` a time of ours may lie and still be believed.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// What holds for a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// Whether all backups are paused.
    pub(crate) paused: bool,
    /// Whether these are hours in which nothing starts.
    pub(crate) quiet: bool,
    /// The level of the battery in percent below which nothing starts.
    pub(crate) battery_below: Option<u8>,
    /// Whether anything is read on a connection paid by volume.
    pub(crate) metered: NetworkRule,
    /// Whether it is a bucket.
    pub(crate) bucket: bool,
    /// Since when it is a place.
    pub(crate) added: Timestamp,
}

/// How many bytes of a place's round are to be read now; `None` when nothing of the place is. `touched`: an unclean stop
/// may have touched something in it, which is read besides.
pub(crate) fn due(policy: &Policy, round: &Round, touched: bool, facts: &MachineFacts, now: Timestamp) -> Option<u64> {
    if is_held_back(policy, facts) {
        return None;
    }
    let since = now.duration_since(round.last.unwrap_or(policy.added));
    let since = if since < -TOLERANCE { DAY } else { since };
    let least = if policy.bucket { LEAST_BUCKET } else { LEAST };
    let days = u64::try_from((since + EARLY).as_hours() / 24).unwrap_or(0);
    if days > 0 {
        return Some(least.max(round.of_bytes / DAYS * days.min(MOST_DAYS)));
    }
    let more = !policy.bucket && facts.on_battery != Some(true) && since >= HOUR && is_behind(round, now);
    if more {
        return Some(least.max(round.of_bytes / DAYS));
    }
    touched.then_some(0)
}

/// Rule 4.
pub(crate) fn is_held_back(policy: &Policy, facts: &MachineFacts) -> bool {
    let low = |below: u8| facts.on_battery == Some(true) && facts.battery.is_some_and(|level| level < below);
    let metered = facts.metered == Some(true) && policy.metered == NetworkRule::Wait;
    policy.paused
        || policy.quiet
        || facts.dozes
        || policy.battery_below.is_some_and(low)
        || (policy.bucket && (metered || facts.network == Network::Down))
}

/// Rule 3: whether a round under way has read less than twice what its days ask for.
fn is_behind(round: &Round, now: Timestamp) -> bool {
    let Some(began) = round.began else { return false };
    let hours = u128::try_from(now.duration_since(began).as_hours()).unwrap_or(0);
    u128::from(round.bytes) < u128::from(round.of_bytes) * 2 * hours / u128::from(DAYS * 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1 << 30;

    fn at(hours: i64) -> Timestamp {
        "2026-11-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
    }

    fn policy() -> Policy {
        Policy {
            paused: false,
            quiet: false,
            battery_below: Some(20),
            metered: NetworkRule::Wait,
            bucket: false,
            added: at(0),
        }
    }

    fn machine() -> MachineFacts {
        MachineFacts {
            network: Network::Up,
            on_battery: Some(false),
            battery: None,
            metered: Some(false),
            awake_since: at(0),
            dozes: false,
        }
    }

    /// A round of 280 GB, of which a portion was last read then.
    fn round(last: Timestamp) -> Round {
        Round {
            last: Some(last),
            of_bytes: 280 * GB,
            ..Round::default()
        }
    }

    #[test]
    fn rule_1_and_2_a_share_a_day() {
        let check = |round: &Round, bucket: bool, hours, expected| {
            let policy = Policy { bucket, ..policy() };
            assert_eq!(
                due(&policy, round, false, &machine(), at(hours)),
                expected,
                "{hours} h, {bucket}"
            );
        };
        let new = Round::default();
        check(&new, false, 23, None);
        check(&new, false, 24, Some(LEAST));
        check(&new, true, 24, Some(LEAST_BUCKET));
        check(&round(at(100)), false, 123, None);
        check(&round(at(100)), false, 124, Some(10 * GB));
        check(&round(at(100)), true, 124, Some(10 * GB));
        check(&round(at(100)), false, 100 + 3 * 24, Some(30 * GB));
        check(&round(at(100)), false, 100 + 90 * 24, Some(70 * GB));
    }

    #[test]
    fn a_place_is_read_within_thirty_days_by_daily_portions_alone() {
        for of_bytes in [0, 1, GB, 280 * GB, 4_000 * GB] {
            let mut read = 0;
            let mut last = at(0);
            let mut days = 0;
            while read < of_bytes {
                let now = last + DAY;
                let round = Round {
                    of_bytes,
                    ..round(last)
                };
                let facts = MachineFacts {
                    on_battery: Some(true),
                    ..machine()
                };
                read += due(&policy(), &round, false, &facts, now).unwrap();
                (last, days) = (now, days + 1);
            }
            assert!(days <= 29, "{of_bytes}: {days} days");
        }
    }

    #[test]
    fn rule_3_more_by_the_hour_up_to_twice_the_pace_on_the_mains() {
        // Ten days into a round: a portion an hour ago.
        let check = |read: u64, bucket, on_battery, expected: bool| {
            let round = Round {
                began: Some(at(0)),
                bytes: read * GB,
                ..round(at(239))
            };
            let policy = Policy { bucket, ..policy() };
            let facts = MachineFacts {
                on_battery,
                ..machine()
            };
            let more = due(&policy, &round, false, &facts, at(240));
            assert_eq!(more, expected.then_some(10 * GB), "{read} GB, {bucket}, {on_battery:?}");
        };
        check(100, false, Some(false), true);
        check(199, false, None, true);
        check(200, false, Some(false), false);
        check(100, false, Some(true), false);
        check(100, true, Some(false), false);
        // Between two rounds there is nothing to go on with.
        assert_eq!(due(&policy(), &round(at(239)), false, &machine(), at(240)), None);
    }

    #[test]
    fn rule_4_and_5_what_holds_back_holds_back_all_and_what_was_touched_is_due_at_once() {
        let check = |policy: Policy, facts: MachineFacts, reads: bool| {
            let daily = due(&policy, &round(at(0)), false, &facts, at(24)).is_some();
            let touched = due(&policy, &round(at(23)), true, &facts, at(23)) == Some(0);
            assert_eq!((daily, touched), (reads, reads), "{policy:?} {facts:?}");
        };
        let low = MachineFacts {
            on_battery: Some(true),
            battery: Some(19),
            ..machine()
        };
        let metered = MachineFacts {
            metered: Some(true),
            ..machine()
        };
        let down = MachineFacts {
            network: Network::Down,
            ..machine()
        };
        let dozes = MachineFacts {
            dozes: true,
            ..machine()
        };
        let bucket = Policy {
            bucket: true,
            ..policy()
        };
        let anyway = Policy {
            metered: NetworkRule::Allow,
            ..bucket
        };
        check(policy(), machine(), true);
        check(
            Policy {
                paused: true,
                ..policy()
            },
            machine(),
            false,
        );
        check(
            Policy {
                quiet: true,
                ..policy()
            },
            machine(),
            false,
        );
        check(policy(), dozes, false);
        check(policy(), low, false);
        check(
            policy(),
            MachineFacts {
                battery: Some(20),
                ..low
            },
            true,
        );
        check(policy(), metered, true);
        check(policy(), down, true);
        check(bucket, metered, false);
        check(anyway, metered, true);
        check(bucket, down, false);
        assert_eq!(due(&policy(), &round(at(23)), false, &machine(), at(23)), None);
    }

    #[test]
    fn rule_6_a_time_to_come_is_not_believed() {
        let check = |last, expected: bool| {
            assert_eq!(
                due(&policy(), &round(last), false, &machine(), at(48)).is_some(),
                expected
            );
        };
        check(at(48) + SignedDuration::from_mins(4), false);
        check(at(48) + SignedDuration::from_mins(6), true);
        check(at(1_000), true);
    }
}
