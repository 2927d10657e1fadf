//! An engine that is killed while it delivers, or while it reads a place again: in a process of its own, as a power cut or
//! the system's own hand would end it. Whoever comes after it loses nothing and goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use skykeep_atproto::Did;
use skykeep_engine::Engine;
use skykeep_engine::api::{CheckHow, Whose};
use skykeep_tests::keep::{Keep, files_below};
use skykeep_tests::network::{Network, SeedOptions};

use super::{DAY, completes, flip, largest, place};

/// Where the child finds its data folder.
const FOLDER: &str = "SKYKEEP_TEST_KILLED";
/// When the child reads places again, in seconds since 1970; it backs up where this is not said.
const READS_AT: &str = "SKYKEEP_TEST_READS_AT";
/// How long a child may take, on a machine with much else to do.
const LIMIT: Duration = Duration::from_secs(120);

fn child_of(home: &Path, reads_at: Option<Timestamp>) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--ignored", "--exact", "rounds::killed::child"])
        .env(FOLDER, home.join("data"));
    if let Some(now) = reads_at {
        child.env(READS_AT, now.as_second().to_string());
    }
    child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Ends a child with SIGKILL at the moment that is waited for, by its process id.
fn kill_when(mut child: Child, moment: impl Fn(u32) -> bool) {
    let began = Instant::now();
    while !moment(child.id()) {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the child ended before it could be killed"
        );
        assert!(began.elapsed() < LIMIT, "the child does not come to it");
        std::thread::sleep(Duration::from_micros(100));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "the child ended by itself");
}

/// Whether a process has a file below a folder open.
fn has_open(process: u32, folder: &Path) -> bool {
    let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten();
    open.flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|path| path.starts_with(folder) && path.is_file())
}

/// The host's account with a video and many pictures, kept in the one place, and not yet backed up.
async fn keep(network: &Network) -> (Keep, Did) {
    let seed = SeedOptions {
        large_blob: 24 << 20,
        pictures: Some(40),
        ..SeedOptions::new("alice.test", 120)
    };
    let account = network.seed(network.a(), seed).await.unwrap();
    let keep = Keep::with_place(network).await;
    let person = keep.engine.look_up("alice.test").await.unwrap();
    keep.engine.add_account(&person, Whose::Mine).await.unwrap();
    (keep, account.did.parse().unwrap())
}

fn all_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = files_below(folder).into_iter();
    names
        .map(|name| (name.clone(), fs::read(folder.join(name)).unwrap()))
        .collect()
}

fn blobs(vault: &Path) -> Vec<PathBuf> {
    let names = files_below(vault).into_iter();
    let whole = names.filter(|name| name.contains("/blobs/") && !name.ends_with(".part"));
    whole.map(|name| vault.join(name)).collect()
}

async fn is_whole(engine: &Engine) {
    let check = engine.check_as(None, CheckHow::ReadAll).await.unwrap().remove(0);
    assert_eq!((check.damaged, check.mended), (vec![], vec![]));
    assert!(check.whole_snapshots > 0 && check.touched_snapshots.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_delivery_may_have_touched_is_read_first_after_the_start() {
    let network = Network::start().await.unwrap();
    let (keep, did) = keep(&network).await;
    let (vault, notes) = (keep.place(), keep.data().join("delivering"));
    let mut hurt = None;
    let keep = keep
        .reopen_after(|home| {
            let delivering = |_| !files_below(&notes).is_empty() && !blobs(&vault).is_empty();
            kill_when(child_of(home, None), delivering);
            assert_eq!(files_below(&notes).len(), 1, "its note is left");
            let path = blobs(&vault).remove(0);
            hurt = Some((flip(&path), path));
        })
        .await;
    let (good, path) = hurt.unwrap();
    let name = path.strip_prefix(&vault).unwrap().to_str().unwrap().to_owned();
    let soon = Timestamp::now();
    let check = keep.engine.read_on(soon).await.unwrap().remove(0);
    assert_eq!((check.mended, check.damaged), (vec![name], vec![]));
    assert_eq!(fs::read(&path).unwrap(), good);
    assert!(keep.engine.read_on(soon).await.unwrap().is_empty(), "it is read once");
    // The delivery goes on where it was cut off.
    completes(&keep.engine, &did).await;
    assert_eq!(
        files_below(&notes),
        Vec::<String>::new(),
        "a delivery that ended leaves no note"
    );
    let latest = keep.engine.snapshots(&did).await.unwrap().remove(0);
    assert_eq!((latest.media_pending, latest.places.len()), (0, 1));
    is_whole(&keep.engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_round_loses_nothing_and_the_next_one_goes_on() {
    let network = Network::start().await.unwrap();
    let (keep, did) = keep(&network).await;
    completes(&keep.engine, &did).await;
    let (vault, tomorrow) = (keep.place(), Timestamp::now() + DAY);
    let before = all_of(&vault);
    let (hurt, path) = largest(&vault, "/blobs/");
    let good = flip(&path);
    let keep = keep
        .reopen_after(|home| {
            let accounts = vault.join("accounts");
            kill_when(child_of(home, Some(tomorrow)), |child| has_open(child, &accounts));
        })
        .await;
    assert_eq!(place(&keep.engine).await.read_whole, None, "it was not read to its end");
    let mut mended = Vec::new();
    let mut day = tomorrow;
    while place(&keep.engine).await.read_whole.is_none() {
        assert!(day < tomorrow + DAY * 31, "the round does not end");
        mended.extend(
            keep.engine
                .read_on(day)
                .await
                .unwrap()
                .into_iter()
                .flat_map(|check| check.mended),
        );
        day += DAY;
    }
    assert_eq!(mended, [hurt]);
    assert_eq!(fs::read(&path).unwrap(), good);
    let after = all_of(&vault);
    assert!(
        before.iter().all(|(name, bytes)| after.get(name) == Some(bytes)),
        "something is gone"
    );
    is_whole(&keep.engine).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is run by the tests that kill it"]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let engine = Engine::open_at(folder.into()).await.unwrap();
    match std::env::var(READS_AT) {
        Ok(second) => {
            let now = Timestamp::from_second(second.parse().unwrap()).unwrap();
            engine.read_on(now).await.unwrap();
        }
        Err(_) => {
            let account = engine.accounts().await.unwrap().remove(0);
            completes(&engine, &account.did.parse().unwrap()).await;
        }
    }
}
