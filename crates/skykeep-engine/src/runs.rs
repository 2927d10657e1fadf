//! Runs under way: one an account, each with a way to stop it, and its progress told at most five times a second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use skykeep_atproto::Did;
use skykeep_net::CancellationToken;
use tokio::sync::broadcast;

use crate::api::{Event, Phase, Progress};
use crate::in_hand::InHand;

/// Events come no closer together than this.
pub(crate) const TELL_EVERY: Duration = Duration::from_millis(200);

/// An estimate is honest only after a phase has run for a while.
const ESTIMATE_AFTER: Duration = Duration::from_secs(3);

/// All runs under way.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    active: Mutex<BTreeMap<Did, Active>>,
}

#[derive(Debug, Clone)]
struct Active {
    cancel: CancellationToken,
    by_hand: bool,
    cut: bool,
    progress: Option<Progress>,
}

impl Runs {
    /// Begins a run; `None` when one of this account is under way.
    pub(crate) fn begin(
        self: &Arc<Self>,
        did: &Did,
        by_hand: bool,
        parent: &CancellationToken,
        events: broadcast::Sender<Event>,
        in_hand: InHand,
    ) -> Option<Reporter> {
        let cancel = parent.child_token();
        let mut active = self.lock();
        if active.contains_key(did) {
            return None;
        }
        active.insert(
            did.clone(),
            Active {
                cancel: cancel.clone(),
                by_hand,
                cut: false,
                progress: None,
            },
        );
        drop(active);
        let reporter = Reporter {
            runs: Arc::clone(self),
            did: did.clone(),
            cancel,
            events,
            state: Mutex::default(),
            _in_hand: in_hand,
        };
        reporter.phase(Phase::Asking, None, None);
        Some(reporter)
    }

    /// Whether any run is under way.
    pub(crate) fn any(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Asks a run to stop; false when there is none.
    pub(crate) fn stop(&self, did: &Did) -> bool {
        self.lock().get(did).map(|active| active.cancel.cancel()).is_some()
    }

    /// Asks a run to stop that is to be caught up later; false when there is none.
    pub(crate) fn cut(&self, did: &Did) -> bool {
        let mut active = self.lock();
        let run = active.get_mut(did);
        run.map(|active| {
            active.cut = true;
            active.cancel.cancel();
        })
        .is_some()
    }

    /// As [`Runs::cut`], unless a person asked for the run.
    pub(crate) fn cut_scheduled(&self, did: &Did) -> bool {
        let scheduled = self.lock().get(did).is_some_and(|active| !active.by_hand);
        scheduled && self.cut(did)
    }

    /// What a run is doing.
    pub(crate) fn progress(&self, did: &Did) -> Option<Progress> {
        self.lock().get(did).and_then(|active| active.progress.clone())
    }

    /// Whether a run is under way that has something to write.
    pub(crate) fn any_writing(&self) -> bool {
        let writes = |progress: &Progress| progress.phase != Phase::Asking;
        self.lock()
            .values()
            .any(|run| run.progress.as_ref().is_some_and(writes))
    }

    /// Whether a run of this account is under way.
    pub(crate) fn is_active(&self, did: &Did) -> bool {
        self.lock().contains_key(did)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Did, Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells what one run is doing. The run is over when it is dropped.
#[derive(Debug)]
pub(crate) struct Reporter {
    runs: Arc<Runs>,
    did: Did,
    cancel: CancellationToken,
    events: broadcast::Sender<Event>,
    state: Mutex<Told>,
    _in_hand: InHand,
}

#[derive(Debug)]
struct Told {
    phase_began: Instant,
    last: Option<Instant>,
    progress: Option<Progress>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            phase_began: Instant::now(),
            last: None,
            progress: None,
        }
    }
}

impl Reporter {
    /// Whose run it is.
    pub(crate) const fn did(&self) -> &Did {
        &self.did
    }

    /// Cancelled when the run is to stop.
    pub(crate) const fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Whether the run was stopped and is to be caught up later.
    pub(crate) fn was_cut(&self) -> bool {
        self.runs.lock().get(&self.did).is_some_and(|active| active.cut)
    }

    /// Begins a phase. Told at once.
    pub(crate) fn phase(&self, phase: Phase, items_total: Option<u64>, bytes_total: Option<u64>) {
        let progress = Progress {
            did: self.did.to_string(),
            phase,
            items: 0,
            items_total,
            bytes: 0,
            bytes_total,
            seconds_left: None,
        };
        {
            let mut told = self.told();
            *told = Told {
                phase_began: Instant::now(),
                last: Some(Instant::now()),
                progress: Some(progress.clone()),
            };
        }
        self.tell(progress);
        // From here on a place is not to be unplugged, or it has got what was kept.
        let _ = self.events.send(Event::Places);
    }

    /// Adds to what is done in this phase.
    pub(crate) fn add(&self, items: u64, bytes: u64) {
        self.change(|progress| {
            progress.items += items;
            progress.bytes += bytes;
        });
    }

    /// Says how much is done in this phase.
    pub(crate) fn done(&self, items: u64, bytes: u64) {
        self.change(|progress| {
            progress.items = items;
            progress.bytes = bytes;
        });
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        let mut told = self.told();
        let elapsed = told.phase_began.elapsed();
        let due = told.last.is_none_or(|last| last.elapsed() >= TELL_EVERY);
        let Some(progress) = told.progress.as_mut() else { return };
        change(progress);
        progress.seconds_left = estimate(progress, elapsed);
        if due {
            let progress = progress.clone();
            told.last = Some(Instant::now());
            drop(told);
            self.tell(progress);
        }
    }

    fn tell(&self, progress: Progress) {
        if let Some(active) = self.runs.lock().get_mut(&self.did) {
            active.progress = Some(progress.clone());
        }
        // Nobody listening is fine.
        let _ = self.events.send(Event::Run {
            did: self.did.to_string(),
            progress: Some(progress),
        });
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.runs.lock().remove(&self.did);
        let _ = self.events.send(Event::Run {
            did: self.did.to_string(),
            progress: None,
        });
    }
}

/// Seconds left at the pace so far, by bytes where their total is known, else by items.
fn estimate(progress: &Progress, elapsed: Duration) -> Option<u32> {
    let (done, total) = match (progress.bytes_total, progress.items_total) {
        (Some(total), _) => (progress.bytes, total),
        (None, Some(total)) => (progress.items, total),
        (None, None) => return None,
    };
    pace(done, total, elapsed)
}

/// Seconds left at the pace so far; `None` before it ran for a while, or when nothing is done or more than there was.
pub(crate) fn pace(done: u64, total: u64, elapsed: Duration) -> Option<u32> {
    let left = total.checked_sub(done)?;
    if done == 0 || elapsed < ESTIMATE_AFTER {
        return None;
    }
    let seconds = elapsed.as_secs().checked_mul(left)? / done;
    u32::try_from(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(items: u64, items_total: Option<u64>, bytes: u64, bytes_total: Option<u64>) -> Progress {
        let did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".to_owned();
        Progress {
            did,
            phase: Phase::Media,
            items,
            items_total,
            bytes,
            bytes_total,
            seconds_left: None,
        }
    }

    #[test]
    fn estimates_are_given_only_when_they_are_honest() {
        let check = |p: &Progress, seconds, expected| assert_eq!(estimate(p, Duration::from_secs(seconds)), expected);
        check(&progress(0, None, 50, Some(100)), 10, Some(10));
        check(&progress(25, Some(100), 50, None), 10, Some(30));
        check(&progress(25, Some(100), 50, Some(100)), 10, Some(10));
        check(&progress(25, Some(100), 50, Some(100)), 2, None);
        check(&progress(0, Some(100), 0, Some(100)), 10, None);
        check(&progress(5, None, 50, None), 10, None);
        check(&progress(5, None, 150, Some(100)), 10, None);
    }

    #[test]
    fn one_run_an_account_and_it_can_be_stopped() {
        let runs = Arc::new(Runs::default());
        let work = crate::in_hand::Work::default();
        let (events, mut heard) = broadcast::channel(16);
        let did: Did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap();
        let parent = CancellationToken::new();
        let run = runs.begin(&did, true, &parent, events.clone(), work.begin()).unwrap();
        assert!(runs.begin(&did, true, &parent, events.clone(), work.begin()).is_none());
        // Whoever would end the program waits for a run.
        assert!(runs.is_active(&did) && !work.is_done());
        assert!(matches!(heard.try_recv(), Ok(Event::Run { progress: Some(_), .. })));
        assert!(matches!(heard.try_recv(), Ok(Event::Places)) && !runs.any_writing());
        // A burst is told once, but counted whole.
        for _ in 0..100 {
            run.add(1, 10);
        }
        assert!(heard.try_recv().is_err());
        run.phase(Phase::Media, Some(5), None);
        assert!(runs.progress(&did).unwrap().phase == Phase::Media && runs.any_writing());
        assert!(runs.stop(&did) && run.cancel().is_cancelled() && !parent.is_cancelled());
        assert!(!run.was_cut() && !runs.cut_scheduled(&did) && !run.was_cut());
        assert!(runs.cut(&did) && run.was_cut());
        drop(run);
        assert!(work.is_done());
        assert!(!runs.is_active(&did) && !runs.stop(&did) && !runs.cut(&did));
        // The last word of a run says whose it was.
        let last = std::iter::from_fn(|| heard.try_recv().ok()).last();
        let ended = Event::Run {
            did: did.to_string(),
            progress: None,
        };
        assert_eq!(last, Some(ended));
    }
}
