//! Checks of places under way: that there is one, and how far it is, told at most five times a second.

use std::ops::ControlFlow;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use skykeep_vault::Progress;
use skykeep_vault::layout::VaultId;

use crate::api::{CheckStep, Checking, Event};
use crate::engine::Inner;
use crate::runs::{TELL_EVERY, pace};

/// A place is being checked while this is there.
pub(super) struct UnderWay<'a> {
    inner: &'a Inner,
    place: VaultId,
    step: CheckStep,
    began: Instant,
    told: Instant,
}

impl<'a> UnderWay<'a> {
    /// Begins to read. Told at once.
    pub(super) fn begin(inner: &'a Inner, place: VaultId, step: CheckStep) -> Self {
        let mut new = Self {
            inner,
            place,
            step,
            began: Instant::now(),
            told: Instant::now(),
        };
        new.all().insert(place);
        // From here on the drive is not to be unplugged.
        let _ = inner.events.send(Event::Places);
        new.step(step);
        new
    }

    /// Begins another part. Told at once.
    pub(super) fn step(&mut self, step: CheckStep) {
        (self.step, self.began) = (step, Instant::now());
        self.tell(Some(far(step, Progress::default(), Duration::ZERO)));
    }

    /// Says how far the part is; `Break` when `stops` says so.
    pub(super) fn go_on(&mut self, progress: Progress, stops: &dyn Fn() -> bool) -> ControlFlow<()> {
        if stops() {
            return ControlFlow::Break(());
        }
        if self.told.elapsed() >= TELL_EVERY {
            self.tell(Some(far(self.step, progress, self.began.elapsed())));
        }
        ControlFlow::Continue(())
    }

    fn tell(&mut self, progress: Option<Checking>) {
        self.told = Instant::now();
        // Nobody listening is fine.
        let _ = self.inner.events.send(Event::Check {
            place: self.place.to_string(),
            progress,
        });
    }

    fn all(&self) -> MutexGuard<'a, std::collections::BTreeSet<VaultId>> {
        self.inner.checking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.all().remove(&self.place);
        self.tell(None);
        let _ = self.inner.events.send(Event::Places);
    }
}

/// How far a part is. Without a total nothing is known of it yet.
fn far(step: CheckStep, progress: Progress, elapsed: Duration) -> Checking {
    let known = |total: u64| (total > 0).then_some(total);
    Checking {
        step,
        items: progress.files,
        items_total: known(progress.of_files),
        bytes: progress.bytes,
        bytes_total: known(progress.of_bytes),
        seconds_left: pace(progress.bytes, progress.of_bytes, elapsed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_yet_is_not_said() {
        let check = |progress: (u64, u64, u64, u64), seconds, expected: (Option<u64>, Option<u64>, Option<u32>)| {
            let (files, of_files, bytes, of_bytes) = progress;
            let progress = Progress {
                files,
                bytes,
                of_files,
                of_bytes,
            };
            let far = far(CheckStep::Reading, progress, Duration::from_secs(seconds));
            assert_eq!((far.items, far.bytes), (files, bytes));
            assert_eq!(
                (far.items_total, far.bytes_total, far.seconds_left),
                expected,
                "{progress:?}"
            );
        };
        check((0, 0, 0, 0), 0, (None, None, None));
        check((1, 4, 10, 40), 1, (Some(4), Some(40), None));
        check((1, 4, 10, 40), 10, (Some(4), Some(40), Some(30)));
        check((4, 4, 0, 0), 10, (Some(4), None, None));
        // A file that grew since it was listed.
        check((4, 4, 50, 40), 10, (Some(4), Some(40), None));
    }
}
