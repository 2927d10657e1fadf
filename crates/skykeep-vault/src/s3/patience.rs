//! Asking again: how often, how long, and when not.
//!
//! A server that restarts, a cluster that elects, a laptop that joins another network are gone for a minute or so, and
//! then all is well. So what may pass is asked again with full jitter (Source: AWS Architecture Blog, "Exponential
//! backoff and jitter") until [`Patience::total`] has passed since the first failure, each time signed anew. Whoever
//! drops the future has cancelled it.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::wire::Failed;

/// The first pause is at most this long; each one may be twice as long as the one before.
const FIRST: Duration = Duration::from_millis(200);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(8);
/// A cluster of three whose nodes were killed took 27 s to answer again.
const TOTAL: Duration = Duration::from_secs(120);
/// What a request of no length may take.
const REQUEST: Duration = Duration::from_secs(60);
/// The slowest upload that is waited for, in bytes per second: slow lines on islands do more.
const SLOWEST: u64 = 16 * 1024;

/// How long a server may be gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the first failure to the last try.
    pub(super) total: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { total: TOTAL }
    }
}

impl Patience {
    /// Asks until there is an answer, a refusal that will not change, or no patience left. `size` is what goes up, in
    /// bytes: each try gets its time accordingly.
    pub(super) async fn persist<T, F>(&self, size: u64, ask: impl Fn() -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Failed>>,
    {
        let limit = REQUEST + Duration::from_secs(size / SLOWEST);
        let mut since = None;
        let mut ceiling = FIRST;
        loop {
            let result = tokio::time::timeout(limit, ask()).await;
            let failed = match result.unwrap_or_else(|_| Err(Failed::timeout())) {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            let since = *since.get_or_insert_with(Instant::now);
            let pause = jitter(ceiling);
            if !failed.is_transient() || since.elapsed() + pause > self.total {
                return Err(failed);
            }
            tracing::debug!(%failed, ?pause, "asked again");
            tokio::time::sleep(pause).await;
            ceiling = (ceiling * 2).min(LONGEST);
        }
    }
}

/// Anything up to `ceiling`.
fn jitter(ceiling: Duration) -> Duration {
    // Without randomness all wait as long as they may.
    let random = getrandom::u32().unwrap_or(u32::MAX);
    ceiling.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::trouble::Trouble;

    fn no_answer(trouble: Trouble) -> Failed {
        Failed::NoAnswer {
            trouble,
            said: String::new(),
        }
    }

    /// How often is asked when the answer is `trouble` until `healed_after`, and what comes of it.
    async fn check(trouble: Trouble, healed_after: Duration) -> (u32, bool) {
        let (asked, began) = (Cell::new(0), Instant::now());
        let result = Patience::default()
            .persist(0, || {
                asked.set(asked.get() + 1);
                let answer = match began.elapsed() >= healed_after {
                    true => Ok(()),
                    false => Err(no_answer(trouble.clone())),
                };
                std::future::ready(answer)
            })
            .await;
        (asked.get(), result.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_restarts_within_a_minute_and_a_half_is_waited_for() {
        for seconds in [1, 30, 90] {
            let (asked, answered) = check(Trouble::Unreachable, Duration::from_secs(seconds)).await;
            assert!(answered && asked > 1, "{seconds} s: asked {asked} times");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let began = Instant::now();
        let (asked, answered) = check(Trouble::Busy, Duration::from_secs(3600)).await;
        assert!(!answered && (10..200).contains(&asked), "asked {asked} times");
        assert!(began.elapsed() <= TOTAL && began.elapsed() > TOTAL / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_change_is_asked_once() {
        assert_eq!(check(Trouble::NoBucket, Duration::from_secs(1)).await, (1, false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
        let began = Instant::now();
        let never = || std::future::pending::<Result<(), Failed>>();
        let result = Patience::default().persist(SLOWEST * 10, never).await;
        assert_eq!(
            result.unwrap_err().trouble(crate::trouble::Doing::Reading),
            Trouble::Unreachable
        );
        assert!(began.elapsed() < TOTAL + (REQUEST + Duration::from_secs(10)) * 2);
    }
}
