//! Running: by hand, and by the hour.
//!
//! The scheduler is a loop around `tick(now)`: it reads the machine, asks [`schedule::due`] for every account and starts
//! what is due. It wakes at least every 60 seconds, because timers stop while a computer sleeps, and at once when
//! something has changed. How a run ended is recorded in one place, whoever asked for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use skykeep_atproto::Did;
use skykeep_net::{CancellationToken, Error as Net};
use skykeep_vault::layout::AccountFile;
use tokio::task::JoinSet;
use tracing::{Instrument, error, info, info_span, warn};

use crate::api::{Event, HostingStatus, Problem, Run, RunEnd, Severity};
use crate::backup::{self, Done};
use crate::catalogue::Subject;
use crate::engine::{Inner, unknown};
use crate::error::What;
use crate::machine::drive;
use crate::machine::sleep::Sleeps;
use crate::runs::Reporter;
use crate::schedule::{self, Due};
use crate::{Engine, Error, on_heap, problem};

impl Engine {
    /// Backs an account up now and waits for the end. Errors: `Unknown`; how the run itself went is the answer.
    ///
    /// When a run of the account is under way already, its end is waited for and told.
    pub async fn back_up(&self, did: &Did) -> Result<RunEnd, Error> {
        self.inner
            .settings()
            .account(did)
            .ok_or_else(|| unknown(What::Account, did))?;
        match self.inner.begin(did, true) {
            Some(reporter) => Ok(on_heap(|| self.run(reporter, Timestamp::now(), true, BTreeSet::new())).await),
            None => self.join_run(did).await,
        }
    }

    /// As [`Engine::back_up`], and asks the host for these files of the newest snapshot again, though they are kept:
    /// they are damaged where they are. `None` when a run of the account is under way.
    pub(crate) async fn fetch_again(&self, did: &Did, files: BTreeSet<AccountFile>) -> Option<RunEnd> {
        let reporter = self.inner.begin(did, true)?;
        Some(on_heap(|| self.run(reporter, Timestamp::now(), true, files)).await)
    }

    /// As [`Engine::back_up`], in the background.
    pub fn start_back_up(&self, did: &Did) {
        if let Some(reporter) = self.inner.begin(did, true) {
            let engine = self.clone();
            tokio::spawn(async move { engine.run(reporter, Timestamp::now(), true, BTreeSet::new()).await });
        }
    }

    /// Asks a run to stop; false when there is none.
    pub fn stop_run(&self, did: &Did) -> bool {
        self.inner.runs.stop(did)
    }

    /// Runs of the past, newest first.
    pub async fn runs(&self, did: Option<&Did>, limit: usize) -> Result<Vec<Run>, Error> {
        let did = did.cloned();
        self.inner
            .ask(move |catalogue| catalogue.runs(did.as_ref(), limit))
            .await
    }

    /// The scheduler. Ends when `cancel` does, after the runs under way have stopped.
    pub async fn run_until(&self, cancel: CancellationToken) {
        let mut going = JoinSet::new();
        let mut mounts = drive::Mounts::watch();
        let mut sleeps = Sleeps::watch();
        loop {
            let now = Timestamp::now();
            let wait = match self.tick(now, &mut going).await {
                Ok(dues) => {
                    // Runs come first.
                    if !dues.iter().any(|due| matches!(due, Due::Now | Due::Running)) {
                        self.start_rounds(now);
                    }
                    schedule::next_tick(&dues, now)
                }
                Err(error) => {
                    error!(%error, "the scheduler could not look at what is due");
                    std::time::Duration::from_secs(60)
                }
            };
            tokio::select! {
                () = cancel.cancelled() => break,
                () = self.inner.shutdown.cancelled() => break,
                () = self.inner.wake.notified() => {}
                () = mounts.changed() => {}
                soon = sleeps.next() => {
                    // It fails only while everything ends.
                    let _ = self.inner.machine_sleeps(soon, Timestamp::now()).await;
                }
                () = tokio::time::sleep(wait) => {}
                Some(_) = going.join_next(), if !going.is_empty() => {}
            }
        }
        self.inner.shutdown.cancel();
        while going.join_next().await.is_some() {}
        // What is read again ends between two files.
        drop(self.inner.round.lock().await);
    }

    /// Starts everything that is due at `now` and answers what is due when.
    pub async fn tick(&self, now: Timestamp, going: &mut JoinSet<RunEnd>) -> Result<Vec<Due>, Error> {
        let inner = &self.inner;
        self.look_at_drives(now, going).await?;
        let machine = inner.machine_facts(now).await?;
        let mut dues = Vec::new();
        for account in inner.settings().accounts {
            let did = account.did;
            let history = inner.history(&did).await?;
            let policy = inner.policy(&did, now)?;
            let due = schedule::due(&policy, &history, &machine, now);
            if matches!(due, Due::Running) && schedule::cuts(&policy, &machine) {
                inner.runs.cut_scheduled(&did);
            }
            if matches!(due, Due::Now)
                && let Some(reporter) = inner.begin(&did, false)
            {
                let engine = self.clone();
                going.spawn(async move { engine.run_scheduled(reporter, now).await });
            }
            dues.push(due);
        }
        if !machine.dozes && !machine.spares() {
            self.look_at_families(now);
        }
        self.finish_moves(now).await?;
        self.tell(now).await?;
        if inner.waits_otherwise(&dues) {
            inner.listen_changed();
        }
        Ok(dues)
    }

    /// A run that nobody asked for.
    pub(crate) async fn run_scheduled(&self, reporter: Reporter, now: Timestamp) -> RunEnd {
        self.run(reporter, now, false, BTreeSet::new()).await
    }

    /// One run, from its begin to its record.
    async fn run(&self, reporter: Reporter, now: Timestamp, by_hand: bool, again: BTreeSet<AccountFile>) -> RunEnd {
        let did = reporter.did().clone();
        let span = info_span!("run", %did);
        let outcome = on_heap(|| backup::run(&self.inner, &reporter, now, by_hand, &again))
            .instrument(span)
            .await;
        let end = match self.inner.conclude(&did, outcome, now).await {
            Ok(end) => end,
            Err(error) => RunEnd::Failed {
                problem: problem::to_problem(&error),
            },
        };
        // A run that the end of the program, a pause or the machine cut off is no run: it is caught up.
        let cut_off = end == RunEnd::Stopped && (self.inner.shutdown.is_cancelled() || reporter.was_cut());
        if !cut_off {
            let run = Run {
                did: did.to_string(),
                began: now.as_millisecond(),
                ended: ended(now),
                end: end.clone(),
            };
            if let Err(error) = self.inner.ask(move |catalogue| catalogue.add_run(&run)).await {
                warn!(%error, "the run could not be recorded");
            }
        }
        drop(reporter);
        let _ = self.inner.events.send(Event::Accounts);
        let _ = self.inner.events.send(Event::Places);
        if by_hand && matches!(end, RunEnd::Completed { .. }) {
            on_heap(|| self.refresh_face(&did)).await;
        }
        self.inner.wake.notify_one();
        end
    }

    async fn join_run(&self, did: &Did) -> Result<RunEnd, Error> {
        let mut events = self.events();
        while self.inner.runs.is_active(did) {
            // A missed event is fine: whether the run is over is looked up, not heard.
            let _ = events.recv().await;
        }
        let last = self.runs(Some(did), 1).await?.pop();
        Ok(last.map_or(RunEnd::Stopped, |run| run.end))
    }
}

/// A run never ends before it began, even if the clock was set back meanwhile.
fn ended(began: Timestamp) -> i64 {
    Timestamp::now().max(began).as_millisecond()
}

impl Inner {
    pub(crate) fn begin(self: &Arc<Self>, did: &Did, by_hand: bool) -> Option<Reporter> {
        let in_hand = self.work.begin();
        self.runs
            .begin(did, by_hand, &self.shutdown, self.events.clone(), in_hand)
    }

    /// What a run came to, with its problems raised and those that it settled cleared.
    async fn conclude(&self, did: &Did, outcome: Result<Done, Error>, now: Timestamp) -> Result<RunEnd, Error> {
        let subject = Subject::Account(did.clone());
        match outcome {
            Ok(done) => {
                let settled = subject.clone();
                self.ask(move |catalogue| catalogue.clear_except(&settled, &[problem::SHRUNK]))
                    .await?;
                let delivery = done.delivery;
                Ok(match (delivery.reached, delivery.failed, delivery.away) {
                    (0, Some(error), _) => RunEnd::Failed {
                        problem: problem::to_problem(&error),
                    },
                    (0, None, Some(error)) => RunEnd::Skipped {
                        why: Problem {
                            severity: Severity::Note,
                            ..problem::to_problem(&error)
                        },
                    },
                    _ => RunEnd::Completed { changed: done.changed },
                })
            }
            Err(error) if error.is_stop() => {
                info!("stopped");
                Ok(RunEnd::Stopped)
            }
            Err(error) => {
                warn!(%error, "failed");
                let problem = problem::to_problem(&error);
                self.raise(&subject, &error, now).await?;
                self.note_host(did, &error, now).await?;
                Ok(if is_skip(&error) {
                    RunEnd::Skipped { why: problem }
                } else {
                    RunEnd::Failed { problem }
                })
            }
        }
    }

    /// Remembers that a host did not answer, or what it said of the account, for the next time.
    async fn note_host(&self, did: &Did, error: &Error, now: Timestamp) -> Result<(), Error> {
        let Error::Net(error) = error else { return Ok(()) };
        if let Some(status) = status_of(error) {
            return self.account_facts(did, move |facts| facts.status = status).await;
        }
        let wait = match error {
            Net::RateLimited { wait, .. } => Some(*wait),
            _ => None,
        };
        if error.is_transient() || wait.is_some() {
            let did = did.clone();
            self.ask(move |catalogue| {
                let host = catalogue.account(&did)?.and_then(|facts| facts.host);
                host.map(|host| catalogue.host_failed(&host, now, wait))
                    .transpose()
                    .map(drop)
            })
            .await?;
        }
        Ok(())
    }
}

/// What a host said of an account by not handing it out.
fn status_of(error: &Net) -> Option<HostingStatus> {
    match error {
        Net::RepoDeactivated { .. } => Some(HostingStatus::Deactivated),
        Net::RepoTakendown { .. } => Some(HostingStatus::Takendown),
        Net::RepoSuspended { .. } => Some(HostingStatus::Suspended),
        Net::RepoNotFound { .. } => Some(HostingStatus::Missing),
        _ => None,
    }
}

/// Whether an error is no fault of a run, but a reason not to run now.
fn is_skip(error: &Error) -> bool {
    match error {
        Error::Net(error) => matches!(
            error,
            Net::RepoDeactivated { .. }
                | Net::RepoTakendown { .. }
                | Net::RepoSuspended { .. }
                | Net::RateLimited { .. }
        ),
        _ => false,
    }
}
