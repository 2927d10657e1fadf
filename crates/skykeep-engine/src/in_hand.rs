//! What is in hand: runs, requests of other programs, and whatever else a face says it has begun.
//!
//! A face that wants to go without cutting anything off waits until nothing is. Who holds an [`InHand`] is waited for.

use tokio::sync::watch;

use crate::Engine;

/// How many things are in hand.
#[derive(Debug)]
pub(crate) struct Work(watch::Sender<usize>);

impl Default for Work {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Work {
    pub(crate) fn begin(&self) -> InHand {
        self.0.send_modify(|things| *things += 1);
        InHand(self.0.clone())
    }

    pub(crate) fn is_done(&self) -> bool {
        *self.0.borrow() == 0
    }

    async fn done(&self) {
        // It fails only when the sender is gone, which is here.
        let _ = self.0.subscribe().wait_for(|things| *things == 0).await;
    }
}

/// Something that is in hand until this is dropped.
#[derive(Debug)]
pub struct InHand(watch::Sender<usize>);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.send_modify(|things| *things -= 1);
    }
}

impl Engine {
    /// Takes something in hand that is not to be cut off, until the answer is dropped. Runs and the requests of other
    /// programs do so themselves.
    pub fn take_in_hand(&self) -> InHand {
        self.inner.work.begin()
    }

    /// Whether nothing is in hand.
    pub fn is_idle(&self) -> bool {
        self.inner.work.is_done()
    }

    /// Waits until nothing is in hand. Something may be again by the time that one has heard of it.
    pub async fn idle(&self) {
        self.inner.work.done().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn it_is_done_when_the_last_thing_is() {
        let work = Work::default();
        assert!(work.is_done());
        work.done().await;
        let (first, second) = (work.begin(), work.begin());
        let mut waits = Box::pin(work.done());
        drop(first);
        assert!(!work.is_done() && (&mut waits).now_or_never().is_none());
        drop(second);
        assert!(work.is_done());
        waits.await;
        let third = work.begin();
        assert!(work.done().now_or_never().is_none());
        drop(third);
    }
}
