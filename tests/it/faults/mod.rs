//! What no honest server and no healthy computer does: hosts that lie, disks that fill up, clocks that are off, programs
//! that are killed. Each time the right words, nothing lost, and the next run mends it.
//!
//! The host is [`liar::Liar`]: made-up accounts, answers as they are asked for. What a real server does is tested against
//! real servers elsewhere.

mod clocks;
mod disks;
mod drives;
mod keys;
mod killed;
mod leaving;
mod liar;
mod lies;
mod moody;
mod servers;
mod staging;

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use skykeep_atproto::Did;
use skykeep_engine::Engine;
use skykeep_engine::api::{HostingStatus, Person, Problem, RunEnd, Snapshot, Whose};
use skykeep_tests::keep::{Keep, files_below};
use tokio::task::JoinSet;

use self::liar::Liar;

/// An engine that keeps the host's account in one place, after its first backup.
async fn kept(host: &Liar) -> Keep {
    let keep = beginning(host).await;
    keep.engine.add_folder(&keep.place(), None).await.unwrap();
    completes(&keep.engine, host.did()).await;
    keep
}

/// An engine that knows the host's account and has no place yet.
async fn beginning(host: &Liar) -> Keep {
    let keep = Keep::pointed_at(host.url(), host.url()).await;
    keep.engine.add_account(&person(host.did()), Whose::Mine).await.unwrap();
    keep
}

fn person(did: &Did) -> Person {
    Person {
        did: did.to_string(),
        handle: None,
        display_name: None,
        avatar: None,
        host: "127.0.0.1".to_owned(),
        status: HostingStatus::Active,
        known: false,
    }
}

/// Backs up; nothing is left to complain about.
async fn completes(engine: &Engine, did: &Did) {
    let end = engine.back_up(did).await.unwrap();
    assert!(matches!(end, RunEnd::Completed { .. }), "{end:?}");
    assert_eq!(codes(engine, did).await, Vec::<String>::new());
}

/// Backs up; what went wrong, in words.
async fn fails(engine: &Engine, did: &Did) -> Problem {
    match engine.back_up(did).await.unwrap() {
        RunEnd::Failed { problem } => {
            for text in [problem.happened(), problem.means(), problem.todo()] {
                assert!(!text.is_empty() && !text.contains('{'), "{problem:?}");
            }
            problem
        }
        other => panic!("did not fail: {other:?}"),
    }
}

/// How the one run that is due at `now` ends; `None` when none is. A machine that seems to have slept waits up to a
/// minute, and steps of a minute seem to be sleep again.
async fn at(engine: &Engine, now: Timestamp) -> Option<RunEnd> {
    let mut going = JoinSet::new();
    for seconds in [0, 40, 80] {
        if going.is_empty() {
            let then = now + SignedDuration::from_secs(seconds);
            engine.tick(then, &mut going).await.unwrap();
        }
    }
    Some(going.join_next().await?.unwrap())
}

async fn codes(engine: &Engine, did: &Did) -> Vec<String> {
    let account = engine.account(did).await.unwrap();
    account.problems.into_iter().map(|problem| problem.code).collect()
}

async fn newest(engine: &Engine, did: &Did) -> Snapshot {
    engine.snapshots(did).await.unwrap().remove(0)
}

/// A snapshot reads back whole: all records, and every picture that it says it has.
async fn reads_back(engine: &Engine, did: &Did, snapshot: &Snapshot) {
    let folder = tempfile::tempdir().unwrap();
    let back = engine.export(did, Some(&snapshot.id), folder.path()).await.unwrap();
    assert_eq!(
        (back.records, back.blobs),
        (snapshot.records, snapshot.media),
        "{back:?}"
    );
}

/// Every place is as its manifests say.
async fn sound(engine: &Engine) {
    for check in engine.check(None).await.unwrap() {
        assert_eq!((check.damaged, check.touched_snapshots), (vec![], vec![]));
    }
}

/// Names of the files of a kind (`blobs`, `repo`, …) of all accounts in a vault.
fn of_kind(vault: &Path, kind: &str) -> Vec<String> {
    let folder = format!("/{kind}/");
    files_below(vault)
        .into_iter()
        .filter(|name| name.starts_with("accounts/") && name.contains(&folder))
        .collect()
}

/// The staging vault.
fn staging(keep: &Keep) -> std::path::PathBuf {
    keep.data().join("staging")
}
