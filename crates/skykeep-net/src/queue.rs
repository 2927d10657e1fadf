//! One queue per host, whatever the number of accounts there.
//!
//! The rules, from the published limits and a good margin, because people host this on tiny machines:
//!
//! 1. At most 4 questions at once, counted until the answer has been read. At most 3 of them are downloads, and one of
//!    those a repository, so that a small question waits for small ones only.
//! 2. At most 8 questions in any second.
//! 3. When a fifth of what `RateLimit-Limit` allows is left, the rest is spread evenly until the reset.
//! 4. When the host asks for a pause (429, `Retry-After`), nobody asks it anything before the pause is over.
//!
//! Whoever would wait longer for 3 or 4 than they have patience for is told how long instead.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

const AT_ONCE: usize = 4;
const DOWNLOADS: usize = 3;
const PER_SECOND: usize = 8;
/// Queues of hosts that nobody has asked lately are forgotten past this many.
const REMEMBERED: usize = 64;

/// The queues of all hosts.
#[derive(Debug, Default)]
pub(crate) struct Queues(Mutex<HashMap<String, Arc<Queue>>>);

impl Queues {
    /// The queue of one host, `name` or `name:port`.
    pub(crate) fn of(&self, host: &str) -> Arc<Queue> {
        let mut queues = lock(&self.0);
        if queues.len() >= REMEMBERED && !queues.contains_key(host) {
            let now = Instant::now();
            queues.retain(|_, queue| Arc::strong_count(queue) > 1 || !lock(&queue.pace).is_idle(now));
        }
        Arc::clone(queues.entry(host.to_owned()).or_default())
    }
}

/// The queue of one host.
#[derive(Debug)]
pub(crate) struct Queue {
    places: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    repo: Arc<Semaphore>,
    pace: Mutex<Pace>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            downloads: Arc::new(Semaphore::new(DOWNLOADS)),
            repo: Arc::new(Semaphore::new(1)),
            pace: Mutex::default(),
        }
    }
}

/// How long a question keeps its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Until a small answer is there.
    Small,
    /// As long as a blob takes.
    Download,
    /// As long as a repository takes, alone of its kind.
    Repo,
}

/// The right to ask one question; dropped when its answer has been read.
#[derive(Debug)]
pub(crate) struct Turn {
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Queue {
    /// Waits for a turn. Errors: how long the host wants to be left alone, when that is longer than `longest`.
    pub(crate) async fn turn(&self, weight: Weight, longest: Duration) -> Result<Turn, Duration> {
        lock(&self.pace).pause(Instant::now(), longest)?;
        let needed = match weight {
            Weight::Small => &[&self.places][..],
            Weight::Download => &[&self.downloads, &self.places],
            Weight::Repo => &[&self.repo, &self.downloads, &self.places],
        };
        let mut permits = Vec::with_capacity(needed.len());
        // Always the narrowest first, so that nobody holds a place while waiting for another.
        for semaphore in needed {
            permits.push(acquire(semaphore).await);
        }
        let start = lock(&self.pace).next_start(Instant::now(), longest)?;
        tokio::time::sleep_until(start).await;
        Ok(Turn { _permits: permits })
    }

    /// The host asked for a pause from now.
    pub(crate) fn close_for(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut pace = lock(&self.pace);
        pace.closed_until = Some(pace.closed_until.map_or(until, |earlier| earlier.max(until)));
    }

    /// The host said how much is left of what it allows.
    pub(crate) fn allowance(&self, limit: u64, remaining: u64, reset: Duration) {
        let scarce = remaining.saturating_mul(5) <= limit;
        lock(&self.pace).spread = scarce.then(|| Spread {
            until: Instant::now() + reset,
            gap: reset / u32::try_from(remaining.saturating_add(1)).unwrap_or(u32::MAX),
        });
    }
}

/// When the next question may start.
#[derive(Debug, Default)]
struct Pace {
    /// The last starts, oldest first, some of them in the future.
    starts: VecDeque<Instant>,
    closed_until: Option<Instant>,
    spread: Option<Spread>,
}

/// Rule 3 in force.
#[derive(Debug, Clone, Copy)]
struct Spread {
    until: Instant,
    gap: Duration,
}

impl Pace {
    /// Reserves the next start. Errors: how long the host wants to be left alone, when that is longer than `longest`.
    fn next_start(&mut self, now: Instant, longest: Duration) -> Result<Instant, Duration> {
        self.pause(now, longest)?;
        let mut start = self.closed_until.map_or(now, |until| until.max(now));
        if let (Some(spread), Some(last)) = (self.spread, self.starts.back()) {
            start = start.max((*last + spread.gap).min(spread.until));
            if start.saturating_duration_since(now) > longest {
                return Err(start - now);
            }
        }
        if self.starts.len() >= PER_SECOND {
            start = start.max(self.starts[self.starts.len() - PER_SECOND] + Duration::from_secs(1));
        }
        self.starts.push_back(start);
        if self.starts.len() > PER_SECOND {
            self.starts.pop_front();
        }
        Ok(start)
    }

    fn pause(&self, now: Instant, longest: Duration) -> Result<(), Duration> {
        match self.closed_until.map(|until| until.saturating_duration_since(now)) {
            Some(wait) if wait > longest => Err(wait),
            _ => Ok(()),
        }
    }

    fn is_idle(&self, now: Instant) -> bool {
        let past = |instant: Option<Instant>| instant.is_none_or(|instant| instant < now);
        past(self.closed_until)
            && past(self.spread.map(|spread| spread.until))
            && past(self.starts.back().map(|last| *last + Duration::from_secs(1)))
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let permit = Arc::clone(semaphore).acquire_owned().await;
    permit.expect("the semaphores of a queue are never closed")
}

/// What these locks guard stays true whatever panics beside it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn no_second_sees_more_than_eight_starts() {
        let mut pace = Pace::default();
        let now = Instant::now();
        // Asked in three bursts, the last of them while the earlier ones still wait.
        let bursts = [(0, 20), (700, 5), (2500, 20)];
        let starts: Vec<Instant> = bursts
            .iter()
            .flat_map(|&(at, questions)| std::iter::repeat_n(now + Duration::from_millis(at), questions))
            .map(|at| pace.next_start(at, HOUR).unwrap())
            .collect();
        for window in starts.windows(PER_SECOND + 1) {
            assert!(window[PER_SECOND] - window[0] >= Duration::from_secs(1));
        }
        assert_eq!(starts[7], now, "the first eight need not wait");
    }

    #[test]
    fn a_pause_is_waited_for_or_told() {
        let mut pace = Pace::default();
        let now = Instant::now();
        pace.closed_until = Some(now + Duration::from_secs(30));
        assert_eq!(
            pace.next_start(now, Duration::from_secs(10)),
            Err(Duration::from_secs(30))
        );
        assert_eq!(
            pace.next_start(now, Duration::from_secs(30)),
            Ok(now + Duration::from_secs(30))
        );
        let later = now + Duration::from_secs(31);
        assert_eq!(pace.next_start(later, Duration::ZERO), Ok(later));
    }

    #[test]
    fn what_is_left_is_spread_until_the_reset() {
        let queue = Queue::default();
        let gap = |remaining, reset| {
            queue.allowance(3000, remaining, Duration::from_secs(reset));
            lock(&queue.pace).spread.map(|spread| spread.gap)
        };
        assert_eq!(gap(2999, 300), None);
        assert_eq!(gap(601, 300), None);
        assert_eq!(gap(599, 300), Some(Duration::from_millis(500)));
        assert_eq!(gap(0, 300), Some(Duration::from_secs(300)));
        let mut pace = lock(&queue.pace);
        let now = Instant::now();
        pace.next_start(now, HOUR).unwrap();
        assert!(pace.next_start(now, HOUR).unwrap() - now > Duration::from_secs(299));
        assert!(pace.next_start(now, Duration::from_secs(10)).is_err());
    }
}
