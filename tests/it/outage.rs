//! A host that is down for an hour: it is waited for with growing patience, asked little, and nothing is lost.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use skykeep_atproto::Did;
use skykeep_engine::Engine;
use skykeep_engine::api::{KeptState, RunEnd, Waiting, Whose};
use skykeep_engine::schedule::Due;
use skykeep_tests::keep::{Keep, files_below};
use skykeep_tests::network::{Network, SeedOptions, Server};
use tokio::task::JoinSet;

/// How often one question is asked at most, within one run.
const TRIES: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_down_for_an_hour_is_waited_for() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 40))
        .await
        .unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    let keep = Keep::with_place(&network).await;
    let engine = &keep.engine;
    let did: Did = account.did.parse().unwrap();
    engine
        .add_account(&engine.look_up("alice.test").await.unwrap(), Whose::Mine)
        .await
        .unwrap();
    assert_eq!(engine.back_up(&did).await.unwrap(), RunEnd::Completed { changed: true });
    let kept = files_below(&keep.place());
    let start = Timestamp::now();

    // It goes down, and something that only counts takes its port.
    network.kill(Server::A).await.unwrap();
    let port = network.a().url().rsplit(':').next().unwrap().parse().unwrap();
    let grave = Grave::at(port);

    // The account's own minute comes within the hour; from then on it is down for an hour.
    let (due, ends) = tick(engine, start).await;
    let Due::At(minute) = due else { panic!("{due:?}") };
    assert!(minute > start && ends.is_empty());
    assert_eq!(grave.asked(), 0, "nobody is asked before the time");
    let (first, ends) = wake(engine, minute).await;
    let [RunEnd::Failed { problem }] = &ends[..] else {
        panic!("{ends:?}")
    };
    assert_eq!(problem.code, "host_unreachable");
    let once = grave.asked();
    assert!((1..=TRIES).contains(&once), "asked {once} times in one run");

    // A quarter of a minute at a time: who looks at what is due asks nobody, until the back-off is over.
    let mut runs = Vec::new();
    let mut now = first;
    let end = first + SignedDuration::from_mins(19);
    while now < end {
        now += SignedDuration::from_secs(15);
        let before = grave.asked();
        let (due, ends) = tick(engine, now).await;
        match (&due, &ends[..]) {
            (Due::Waiting(Waiting::Host { since, until }), []) => {
                assert_eq!(*since, first.as_millisecond(), "since when, is remembered");
                assert!(*until > now.as_millisecond());
                assert_eq!(grave.asked(), before);
            }
            (Due::Now, [RunEnd::Failed { .. }]) => {
                assert!((1..=TRIES).contains(&(grave.asked() - before)));
                runs.push(now);
            }
            other => panic!("{other:?}"),
        }
    }
    // Five minutes after the first failure, and not again before another fifteen.
    assert_eq!(runs.len(), 1, "{runs:?}");
    let waited = runs[0].duration_since(first);
    assert!((300..=345).contains(&waited.as_secs()), "{waited:?}");
    let (due, _) = tick(engine, now).await;
    let Due::Waiting(Waiting::Host { until, .. }) = due else {
        panic!("{due:?}")
    };
    let until = Timestamp::from_millisecond(until).unwrap();
    let waits = until.duration_since(runs[0]);
    assert!((900..=1005).contains(&waits.as_secs()), "{waits:?}");

    // What is kept is there as it was, and the account says what is wrong.
    assert_eq!(files_below(&keep.place()), kept);
    assert_eq!(engine.check(None).await.unwrap()[0].damaged, []);
    let shown = engine.account(&did).await.unwrap();
    assert_eq!((shown.kept.records, shown.problems.len()), (account.records, 1));
    assert_eq!(shown.problems[0].code, "host_unreachable");

    // It is up again after the hour: one run catches up, and then it is as it ever was.
    drop(grave);
    network.start_again(Server::A).await.unwrap();
    session.post("We are back").await.unwrap();
    let back = first + SignedDuration::from_mins(60);
    let (back, ends) = wake(engine, back).await;
    assert_eq!(ends, [RunEnd::Completed { changed: true }]);
    let (due, ends) = tick(engine, back + SignedDuration::from_secs(15)).await;
    let Due::At(next) = due else { panic!("{due:?}") };
    assert!(ends.is_empty());
    let wait = next.duration_since(back);
    assert!(
        wait > SignedDuration::from_mins(14) && wait <= SignedDuration::from_mins(75),
        "{wait:?}"
    );
    let shown = engine.account(&did).await.unwrap();
    assert_eq!(
        (shown.kept.state, shown.kept.records),
        (KeptState::Complete, account.records + 1)
    );
    assert_eq!((shown.waiting, shown.problems), (None, vec![]));
}

/// What is overdue when a computer wakes starts within a minute: when, and how it ended.
async fn wake(engine: &Engine, now: Timestamp) -> (Timestamp, Vec<RunEnd>) {
    match tick(engine, now).await {
        (Due::At(at), ends) if ends.is_empty() => {
            assert!(at.duration_since(now) <= SignedDuration::from_mins(1), "{at}");
            (at, tick(engine, at).await.1)
        }
        (_, ends) => (now, ends),
    }
}

/// One look of the scheduler at a moment, and how the runs that it started ended.
async fn tick(engine: &Engine, now: Timestamp) -> (Due, Vec<RunEnd>) {
    let mut going = JoinSet::new();
    let due = engine.tick(now, &mut going).await.unwrap().remove(0);
    (due, going.join_all().await)
}

/// Listens where a dead server was, hangs up on everybody, and counts them.
struct Grave {
    asked: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Grave {
    fn at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (asked, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (asked, ended) = (asked.clone(), ended.clone());
            move || {
                while !ended.load(Ordering::SeqCst) {
                    match listener.accept() {
                        Ok(_) => drop(asked.fetch_add(1, Ordering::SeqCst)),
                        Err(_) => std::thread::sleep(Duration::from_millis(2)),
                    }
                }
            }
        });
        Self {
            asked,
            ended,
            thread: Some(thread),
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Grave {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
