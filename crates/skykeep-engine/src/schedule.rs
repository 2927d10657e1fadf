//! What is due, and why not. Pure: time, history and machine are arguments, and the same ones give the same answer.
//!
//! The rules, each tested below by its number:
//!
//!  1. An account that was never kept is due at once.
//!  2. After that it is due once an interval, an hour unless settings say otherwise (5 minutes to 7 days), at its own
//!     minute, which its DID decides: accounts and computers spread over the hour, and the same account keeps its time.
//!  3. A run that began less than a quarter of an interval before the account's minute stands for that minute.
//!  4. However many of its minutes went by while the computer slept, was off, or had no network: one run makes up for
//!     them, within a minute of waking or starting (its DID says when in that minute).
//!  5. One run per account at a time.
//!  6. Paused, or no place set up at all: nothing is due. A place that is only out of reach is no reason to wait: the
//!     run captures into staging, and delivery follows when the place is back.
//!  7. No network: what is due waits for it. Where the system does not say whether there is one, it is tried.
//!  8. A host that fails is left alone for 5, 15, then 60 minutes, a little more for each account by its DID; longer
//!     when it asked for longer, but never more than a day.
//!  9. A run that failed for any other reason is tried again after the same steps.
//! 10. An account that its host calls deactivated, suspended, taken down, deleted or unknown is tried once a day.
//! 11. A clock can be wrong. A time of ours that lies more than 5 minutes ahead of `now` is not believed: what it says
//!     was done is due. The run that follows carries the clock of now, so there is one such run and not a storm.
//! 12. Once a day a manifest says "still the same, checked", even when nothing changed.
//! 13. Once a week everything is fetched, not only what is new. On battery or on a metered connection that may wait,
//!     but no longer than another week.
//! 14. Media that a host could not give are asked for again once a day; on battery or a metered connection every other
//!     day. Media still pending are fetched by every run.
//! 15. The loop ticks when the next thing is due, at least once a minute: timers stop while a computer sleeps, the
//!     wall clock does not.
//!
//! 16. On battery below the level that settings name, what is due waits for the mains or for a higher level; on a
//!     connection paid by volume for another one, unless settings allow it. Both end a scheduled run that is under way;
//!     it is caught up. Where the machine does not say, it does not wait.
//! 17. In quiet hours nothing starts. What would have starts within a minute after them.
//! 18. What a person asks for ("Back up now") is asked of nobody here: it waits for nothing.
//! 19. Nothing starts on a machine that says it is about to sleep, and a scheduled run that is under way ends; it is caught
//!     up after waking.
//!
//! Everything is UTC but quiet hours, which follow the clock on the wall in the time zone that the policy brings; so
//! time zones and summer time have no part in anything else. A day is 24 hours. What happens daily or weekly
//! is due half an interval early, or a tick's delay would push it to the next run, day by day.

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use skykeep_atproto::Did;

use crate::api::{HostingStatus, NetworkRule, QuietHours, Waiting};
use crate::catalogue::{HostFacts, RunHistory};
use crate::machine::{MachineFacts, Network};
pub use crate::pause::Pause;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// The shortest and the longest interval that settings can ask for, in seconds.
const INTERVALS: (i64, i64) = (5 * MINUTE, WEEK);
/// How far ahead of `now` a time of ours may lie and still be believed, in seconds.
const TOLERANCE: i64 = 5 * MINUTE;
/// Over how many seconds what is overdue spreads after waking or starting.
const WAKE_SPREAD: u64 = 60;
/// How long a failing host is left alone after its first, second and every later failure, in seconds.
const BACK_OFF: [i64; 3] = [5 * MINUTE, 15 * MINUTE, HOUR];
/// The longest that a host can ask to be left alone, in seconds.
const LONGEST_WAIT: i64 = DAY;
/// The longest time between two ticks.
const LONGEST_TICK: Duration = Duration::from_secs(60);
/// The shortest time between two ticks.
const SHORTEST_TICK: Duration = Duration::from_secs(1);

/// What a person asked for, for one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The account.
    pub did: Did,
    /// How often it is backed up; bounded to 5 minutes and 7 days.
    pub every: Duration,
    /// Whether its runs are paused.
    pub pause: Pause,
    /// Whether any place is set up, in reach or not.
    pub has_place: bool,
    /// The level of the battery in percent below which nothing starts.
    pub battery_below: Option<u8>,
    /// Whether anything starts on a connection paid by volume.
    pub metered: NetworkRule,
    /// Hours in which nothing starts.
    pub quiet: Option<QuietHours>,
    /// The time zone that quiet hours are in.
    pub zone: TimeZone,
}

/// What has happened to one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Whether a run of it is under way.
    pub running: bool,
    /// What its host said of it last.
    pub status: HostingStatus,
    /// How its runs went.
    pub runs: RunHistory,
    /// Its host's failures in a row, if it is failing.
    pub host: Option<HostFacts>,
    /// When the newest manifest was written, whatever it says.
    pub last_snapshot: Option<Timestamp>,
    /// When everything was last fetched.
    pub last_full: Option<Timestamp>,
    /// When missing media were last asked for again.
    pub last_media_try: Option<Timestamp>,
    /// How many media the host could not give.
    pub media_missing: u64,
    /// How many media are still to be fetched.
    pub media_pending: u64,
}

/// Whether a run should start.
#[derive(Debug, Clone, PartialEq)]
pub enum Due {
    /// It should.
    Now,
    /// Not before then.
    At(Timestamp),
    /// One is under way.
    Running,
    /// One should, and cannot.
    Waiting(Waiting),
}

impl Due {
    /// When the next run starts, as far as that can be said.
    fn time(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Now => Some(now),
            Self::At(at) => Some(*at),
            Self::Waiting(
                Waiting::Host { until, .. } | Waiting::Quiet { until } | Waiting::Paused { until: Some(until) },
            ) => Timestamp::from_millisecond(*until).ok(),
            Self::Running | Self::Waiting(_) => None,
        }
    }
}

/// Whether a run of an account should start (rules 1 to 11, 16, 17 and 19).
pub fn due(policy: &Policy, history: &History, facts: &MachineFacts, now: Timestamp) -> Due {
    match policy.pause.at(now) {
        Pause::No => {}
        Pause::Open => return Due::Waiting(Waiting::Paused { until: None }),
        Pause::Until(until) => {
            let until = Some(until.as_millisecond());
            return Due::Waiting(Waiting::Paused { until });
        }
    }
    if !policy.has_place {
        return Due::Waiting(Waiting::Place);
    }
    if history.running {
        return Due::Running;
    }
    let start = next_start(policy, history, facts, now);
    let retry = next_retry(policy, history, now);
    let host = host_until(policy, history, now);
    if start > now {
        let start = [retry, host].into_iter().flatten().fold(start, Ord::max);
        return Due::At(quiet_until(policy, start).unwrap_or(start));
    }
    if facts.dozes {
        return Due::At(later(now, now.as_second() + MINUTE));
    }
    if let Some(until) = quiet_until(policy, now) {
        let until = until.as_millisecond();
        return Due::Waiting(Waiting::Quiet { until });
    }
    if facts.network == Network::Down {
        return Due::Waiting(Waiting::Network);
    }
    if let Some(waiting) = spares(policy, facts) {
        return Due::Waiting(waiting);
    }
    if let (Some(until), Some(facts)) = (host.filter(|until| *until > now), &history.host) {
        let since = facts.failing_since.min(now).as_millisecond();
        return Due::Waiting(Waiting::Host {
            since,
            until: until.as_millisecond(),
        });
    }
    match retry {
        Some(retry) if retry > now => Due::At(retry),
        _ => Due::Now,
    }
}

/// What spares the battery or the connection, if anything does (rule 16).
pub fn spares(policy: &Policy, facts: &MachineFacts) -> Option<Waiting> {
    let low = |below: &u8| facts.on_battery == Some(true) && facts.battery.is_some_and(|level| level < *below);
    if let Some(below) = policy.battery_below.filter(low) {
        return Some(Waiting::Battery { below });
    }
    (facts.metered == Some(true) && policy.metered == NetworkRule::Wait).then_some(Waiting::Metered)
}

/// Whether a scheduled run that is under way ends, to be caught up (rules 16 and 19).
pub fn cuts(policy: &Policy, facts: &MachineFacts) -> bool {
    facts.dozes || spares(policy, facts).is_some()
}

/// When the next run of an account starts, for people: `None` while one is under way or nothing is ever due.
///
/// It supposes a network, and a machine that stays awake.
pub fn next_due(policy: &Policy, history: &History, now: Timestamp) -> Option<Timestamp> {
    let facts = MachineFacts {
        network: Network::Up,
        on_battery: None,
        battery: None,
        metered: None,
        awake_since: Timestamp::UNIX_EPOCH,
        dozes: false,
    };
    due(policy, history, &facts, now).time(now)
}

/// Whether the next run should fetch everything, not only what is new (rule 13).
///
/// An account that was never fetched whole, as far as is remembered, should.
pub fn wants_full(policy: &Policy, history: &History, facts: &MachineFacts, now: Timestamp) -> bool {
    let after = if facts.spares() { 2 * WEEK } else { WEEK };
    is_over(history.last_full, after, policy, history, now)
}

/// Whether the next run should write a manifest even when nothing changed (rule 12).
pub fn wants_manifest(policy: &Policy, history: &History, now: Timestamp) -> bool {
    is_over(history.last_snapshot, DAY, policy, history, now)
}

/// Whether the next run should ask for media that are not kept (rule 14).
pub fn wants_media_retry(policy: &Policy, history: &History, facts: &MachineFacts, now: Timestamp) -> bool {
    let after = if facts.spares() { 2 * DAY } else { DAY };
    let retry = history.media_missing > 0 && is_over(history.last_media_try, after, policy, history, now);
    history.media_pending > 0 || retry
}

/// How long the loop may sleep (rule 15): one second to one minute.
pub fn next_tick<'a>(dues: impl IntoIterator<Item = &'a Due>, now: Timestamp) -> Duration {
    let earliest = dues.into_iter().filter_map(|due| due.time(now)).min();
    let wait = earliest.map_or(LONGEST_TICK, |at| {
        Duration::try_from(at.duration_since(now)).unwrap_or(SHORTEST_TICK)
    });
    wait.clamp(SHORTEST_TICK, LONGEST_TICK)
}

/// Seconds that a failing host, or a failing run, is left alone (rule 8).
///
/// `failures` in a row, `asked` by the host. The tenth that an account adds by its DID keeps everyone from coming back
/// in the second that a rate limit ends.
fn back_off(did: &Did, failures: u32, asked: Option<Duration>) -> i64 {
    let step = usize::try_from(failures.saturating_sub(1))
        .unwrap_or(usize::MAX)
        .min(BACK_OFF.len() - 1);
    let asked = asked.map_or(0, |asked| {
        i64::try_from(asked.as_secs()).unwrap_or(i64::MAX).saturating_add(1)
    });
    let wait = BACK_OFF[step].max(asked).min(LONGEST_WAIT);
    wait + within(did, "back-off", (wait / 10).unsigned_abs())
}

/// When the account's next run starts if nothing hinders it: never, once it is past, later than `now` for long.
fn next_start(policy: &Policy, history: &History, facts: &MachineFacts, now: Timestamp) -> Timestamp {
    let slot = match history.runs.last_done {
        None => return now,
        // Rule 11: overdue since an unknown time.
        Some(done) if !believed(done, now) => now,
        Some(done) => {
            let interval = interval(policy, history);
            later(now, slot_after(&policy.did, interval, done.as_second() + interval / 4))
        }
    };
    if slot > now {
        return slot;
    }
    let awake = facts.awake_since.min(now).as_second();
    slot.max(later(now, awake + within(&policy.did, "wake", WAKE_SPREAD)))
}

/// Rule 17: when the quiet hours that `at` lies in end, and this account may start.
fn quiet_until(policy: &Policy, at: Timestamp) -> Option<Timestamp> {
    let spread = SignedDuration::from_secs(within(&policy.did, "wake", WAKE_SPREAD));
    [at, at.saturating_sub(spread).unwrap_or(at)]
        .into_iter()
        .find_map(|at| quiet_end(policy.quiet?, &policy.zone, at))
        .map(|end| end.saturating_add(spread).unwrap_or(end))
}

/// When the quiet hours that `at` lies in end; `None` when it lies in none.
///
/// An hour that a change of clocks leaves out ends when it would have; one that comes twice ends the first time.
pub(crate) fn quiet_end(quiet: QuietHours, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let wall = at.to_zoned(zone.clone()).datetime();
    let minute = i32::from(wall.hour()) * 60 + i32::from(wall.minute());
    let (from, to) = (i32::from(quiet.from), i32::from(quiet.to));
    let ends_today = match from < to {
        true if (from..to).contains(&minute) => true,
        false if from == to => return None,
        false if minute >= from => false,
        false if minute < to => true,
        _ => return None,
    };
    let day = if ends_today {
        wall.date()
    } else {
        wall.date().tomorrow().ok()?
    };
    let time = Time::new(i8::try_from(to / 60).ok()?, i8::try_from(to % 60).ok()?, 0, 0).ok()?;
    let end = zone
        .to_ambiguous_zoned(day.to_datetime(time))
        .compatible()
        .ok()?
        .timestamp();
    // Where the clock was set back over the end, it comes a second time.
    (end > at).then_some(end)
}

/// Rule 8: until when the account's host is left alone.
fn host_until(policy: &Policy, history: &History, now: Timestamp) -> Option<Timestamp> {
    let host = history.host.as_ref().filter(|host| believed(host.last_failed, now))?;
    let wait = back_off(&policy.did, host.attempts, host.wait);
    Some(later(now, host.last_failed.as_second() + wait))
}

/// Rule 9: until when an account whose run failed is left alone.
fn next_retry(policy: &Policy, history: &History, now: Timestamp) -> Option<Timestamp> {
    let failed = history.runs.last_failed.filter(|failed| believed(*failed, now))?;
    (history.runs.failures > 0).then(|| {
        later(
            now,
            failed.as_second() + back_off(&policy.did, history.runs.failures, None),
        )
    })
}

/// Whether something last done at `last` is over by `after` seconds, or was never done.
fn is_over(last: Option<Timestamp>, after: i64, policy: &Policy, history: &History, now: Timestamp) -> bool {
    let early = (interval(policy, history) / 2).min(after / 2);
    last.is_none_or(|last| !believed(last, now) || now.duration_since(last).as_secs() >= after - early)
}

/// Seconds between two runs of an account (rules 2 and 10).
fn interval(policy: &Policy, history: &History) -> i64 {
    let every = i64::try_from(policy.every.as_secs())
        .unwrap_or(i64::MAX)
        .clamp(INTERVALS.0, INTERVALS.1);
    match history.status {
        HostingStatus::Active | HostingStatus::Unknown => every,
        HostingStatus::Deactivated
        | HostingStatus::Takendown
        | HostingStatus::Suspended
        | HostingStatus::Deleted
        | HostingStatus::Missing => every.max(DAY),
    }
}

/// The first of an account's own times after a time, both in seconds since 1970.
fn slot_after(did: &Did, interval: i64, after: i64) -> i64 {
    let phase = within(did, "slot", interval.unsigned_abs());
    ((after - phase).div_euclid(interval) + 1) * interval + phase
}

/// Rule 11.
fn believed(time: Timestamp, now: Timestamp) -> bool {
    time.duration_since(now) <= SignedDuration::from_secs(TOLERANCE)
}

/// A time from seconds since 1970; `now` for what no calendar holds.
fn later(now: Timestamp, second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(now)
}

/// A number below `bound` that an account has for a purpose, the same on every computer and in every version.
///
/// FNV-1a with a finisher; nothing rests on it but that accounts differ.
fn within(did: &Did, purpose: &str, bound: u64) -> i64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in purpose.bytes().chain(did.as_str().bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 29;
    i64::try_from(hash % bound.max(1)).unwrap_or(0)
}
