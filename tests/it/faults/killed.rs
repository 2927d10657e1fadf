//! The program is killed at any file that a first backup writes: what has a manifest is whole, and the next run completes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use skykeep_engine::Engine;
use skykeep_engine::api::Whose;
use skykeep_tests::keep::{files_below, write_settings_of};

use super::disks::sample;
use super::liar::Liar;
use super::{completes, newest, of_kind, person, reads_back, sound};

/// Where the child finds its data folder.
const FOLDER: &str = "SKYKEEP_TEST_KILLED";
/// How long a child may take, on a machine with much else to do.
const LIMIT: Duration = Duration::from_secs(120);

/// A home that knows the host's account and has one place.
async fn home(host: &Liar) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    write_settings_of(&data(home.path()), host.url(), host.url());
    let engine = Engine::open_at(data(home.path())).await.unwrap();
    engine.add_account(&person(host.did()), Whose::Mine).await.unwrap();
    engine.add_folder(&home.path().join("place"), None).await.unwrap();
    home
}

fn data(home: &Path) -> PathBuf {
    home.join("data")
}

/// Files of accounts, in staging and in the place.
fn written(home: &Path) -> usize {
    let files = |vault: PathBuf| {
        files_below(&vault)
            .iter()
            .filter(|name| name.starts_with("accounts/"))
            .count()
    };
    files(data(home).join("staging")) + files(home.join("place"))
}

fn backup(home: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--ignored", "--exact", "faults::killed::child"])
        .env(FOLDER, data(home));
    child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until so many files are there, or the child has ended; then ends it as a power cut would.
fn kill_at(mut child: Child, home: &Path, files: usize) {
    let began = Instant::now();
    while written(home) < files && child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < LIMIT, "the child does not come to file {files}");
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_file_nothing_is_lost() {
    let host = Liar::start(60);
    // How many there are when nobody kills it; most of those that were staged are gone again by then.
    let whole = home(&host).await;
    let before = written(whole.path());
    assert!(backup(whole.path()).wait().unwrap().success());
    let all = written(whole.path()) - before + usize::try_from(host.media()).unwrap();
    for files in sample("killed_at_any_file_nothing_is_lost", all as u64, 4) {
        let home = home(&host).await;
        kill_at(
            backup(home.path()),
            home.path(),
            before + usize::try_from(files).unwrap(),
        );
        let engine = Engine::open_at(data(home.path())).await.unwrap();
        // The catalogue may lag behind what is there; what it names is whole.
        for snapshot in engine.snapshots(host.did()).await.unwrap() {
            reads_back(&engine, host.did(), &snapshot).await;
        }
        sound(&engine).await;
        completes(&engine, host.did()).await;
        let latest = newest(&engine, host.did()).await;
        assert_eq!(
            (latest.records, latest.media, latest.media_pending, latest.places.len()),
            (host.records(), host.media(), 0, 1),
            "killed at file {files}"
        );
        reads_back(&engine, host.did(), &latest).await;
        sound(&engine).await;
        let left = files_below(home.path())
            .into_iter()
            .filter(|name| name.ends_with(".part"));
        assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new(), "killed at file {files}");
        // With news, what was staged leaves, whenever the run before was cut off.
        host.post(1);
        completes(&engine, host.did()).await;
        assert_eq!(
            of_kind(&data(home.path()).join("staging"), "blobs"),
            Vec::<String>::new()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is run by the test that kills it"]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let engine = Engine::open_at(folder.into()).await.unwrap();
    let account = engine.accounts().await.unwrap().remove(0);
    completes(&engine, &account.did.parse().unwrap()).await;
}
