//! Pure: who is late, what a fair share is, and when a place is full.
//!
//! - **Late** is who was last compared with their host 7 days ago or more; the daily manifest keeps that true for those
//!   who write nothing. 30 days are said more plainly.
//! - **A share** is what somebody set, else the same part for everyone of what backups use and what is free: what other
//!   files take of a drive is nobody's share. To be over it is said and refuses nothing: posts always go, and so do
//!   pictures.
//! - **The pace** is what the backups of all have grown by over the last 90 days, once a week of them is known.

use jiff::{SignedDuration, Timestamp};

use crate::api::{Finding, Late, RoomState};

const DAY: i64 = 24 * 60 * 60;
/// Days without a backup that are worth a word.
const LATE_DAYS: i64 = 7;
/// Days without a backup that need somebody.
const LONG_DAYS: i64 = 30;
/// How far back the pace is reckoned from.
pub(super) const PACE_DAYS: i64 = 90;
/// Days that must be known before anybody speaks of a pace.
const LEAST_DAYS: f64 = 7.0;
/// A place that is full sooner is worth a warning.
const SOON_DAYS: u32 = 30;
/// What lies further ahead than ten years is no forecast.
const FARTHEST_DAYS: f64 = 3_650.0;
/// For how long a change of an identity is told.
const TOLD: SignedDuration = SignedDuration::from_hours(90 * 24);
/// A writer's clock may be so far ahead of ours and still be believed.
const CLOCKS_APART: SignedDuration = SignedDuration::from_hours(1);

/// When a backup was made: by the writer's clock, else, where that is ahead of now, by the host's.
pub(super) fn made(captured: Timestamp, server: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let latest = now.saturating_add(CLOCKS_APART).unwrap_or(now);
    [Some(captured), server]
        .into_iter()
        .flatten()
        .find(|time| *time <= latest)
}

/// Whether that was long ago.
pub(super) fn late(last: Option<Timestamp>, now: Timestamp) -> Late {
    let Some(last) = last else { return Late::Unknown };
    match now.duration_since(last).as_secs() / DAY {
        LONG_DAYS.. => Late::Month,
        LATE_DAYS.. => Late::Week,
        _ => Late::No,
    }
}

/// Of what happened to an identity, what is not too long ago to be told.
pub(super) fn recent(mut findings: Vec<Finding>, now: Timestamp) -> Vec<Finding> {
    let since = now.checked_sub(TOLD).unwrap_or(Timestamp::MIN).as_millisecond();
    findings.retain(|finding| finding.at >= since);
    findings
}

/// What each of `members` may use before it is said, in bytes.
pub(super) fn share(set: Option<u64>, used: u64, free: Option<u64>, members: usize) -> Option<u64> {
    let members = u64::try_from(members).ok().filter(|members| *members > 0)?;
    set.or_else(|| Some(used.saturating_add(free?) / members))
}

/// In how many days a place is full. `fills` are when how many bytes were used, oldest first.
#[expect(clippy::cast_precision_loss, reason = "a forecast to the day")]
pub(super) fn full_in(fills: &[(Timestamp, u64)], free: Option<u64>) -> Option<u32> {
    let ((began, least), (until, most)) = (fills.first()?, fills.last()?);
    let days = until.duration_since(*began).as_secs_f64() / DAY as f64;
    let grown = most.checked_sub(*least).filter(|grown| *grown > 0)?;
    if days < LEAST_DAYS {
        return None;
    }
    let left = free? as f64 / (grown as f64 / days);
    (left <= FARTHEST_DAYS).then(|| whole_days(left))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "of 0 to ten years"
)]
fn whole_days(days: f64) -> u32 {
    days.floor() as u32
}

/// Whether something is to be done about the room there is.
pub(super) fn state(free: Option<u64>, total: Option<u64>, full_in: Option<u32>) -> RoomState {
    if full_in.is_some_and(|days| days < SOON_DAYS) {
        return RoomState::Soon;
    }
    match (free, total) {
        (Some(free), Some(total)) if free < total / 10 => RoomState::Little,
        _ => RoomState::Enough,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + n * DAY).unwrap()
    }

    #[test]
    fn who_was_not_backed_up_for_a_week_is_late() {
        let check = |last: Option<i64>, expected| assert_eq!(late(last.map(day), day(100)), expected, "{last:?}");
        check(None, Late::Unknown);
        check(Some(101), Late::No);
        check(Some(100), Late::No);
        check(Some(94), Late::No);
        check(Some(93), Late::Week);
        check(Some(71), Late::Week);
        check(Some(70), Late::Month);
        check(Some(-100), Late::Month);
        let nearly = day(93).checked_add(SignedDuration::from_secs(1)).unwrap();
        assert_eq!(late(Some(nearly), day(100)), Late::No);
    }

    #[test]
    fn a_clock_that_is_ahead_keeps_nobody_fresh() {
        let check = |captured, server: Option<i64>, expected: Option<i64>| {
            assert_eq!(made(day(captured), server.map(day), day(10)), expected.map(day));
        };
        check(9, Some(8), Some(9));
        check(10, None, Some(10));
        check(400, Some(9), Some(9));
        check(400, Some(401), None);
        check(400, None, None);
    }

    #[test]
    fn a_share_is_what_was_set_or_the_same_for_everyone() {
        let check = |set, used, free, members, expected| assert_eq!(share(set, used, free, members), expected);
        check(None, 100, Some(200), 3, Some(100));
        check(Some(7), 100, Some(200), 3, Some(7));
        check(Some(7), 100, None, 3, Some(7));
        check(None, 100, None, 3, None);
        check(None, 0, Some(10), 0, None);
        check(None, u64::MAX, Some(u64::MAX), 1, Some(u64::MAX));
    }

    #[test]
    fn a_pace_needs_a_week_and_growth() {
        let check = |fills: &[(i64, u64)], free, expected| {
            let fills: Vec<_> = fills.iter().map(|(n, used)| (day(*n), *used)).collect();
            assert_eq!(full_in(&fills, free), expected, "{fills:?}");
        };
        check(&[], Some(100), None);
        check(&[(0, 10)], Some(100), None);
        check(&[(0, 10), (6, 70)], Some(100), None);
        check(&[(0, 10), (7, 80)], Some(100), Some(10));
        check(&[(0, 10), (7, 80)], Some(0), Some(0));
        check(&[(0, 10), (7, 80)], None, None);
        // What came in between does not matter, and what shrinks never fills.
        check(&[(0, 10), (3, 9_000), (10, 20)], Some(15), Some(15));
        check(&[(0, 80), (7, 10)], Some(100), None);
        check(&[(0, 80), (7, 80)], Some(100), None);
        // In a hundred years is not a forecast.
        check(&[(0, 0), (10, 10)], Some(36_500), None);
        check(&[(0, 0), (10, u64::MAX)], Some(u64::MAX), Some(10));
    }

    #[test]
    fn a_place_is_told_of_before_it_is_full() {
        let check = |free, total, days, expected| assert_eq!(state(free, total, days), expected);
        check(Some(50), Some(100), None, RoomState::Enough);
        check(Some(10), Some(100), None, RoomState::Enough);
        check(Some(9), Some(100), None, RoomState::Little);
        check(Some(9), Some(100), Some(29), RoomState::Soon);
        check(Some(50), Some(100), Some(30), RoomState::Enough);
        check(Some(50), Some(100), Some(0), RoomState::Soon);
        check(None, None, None, RoomState::Enough);
    }
}
