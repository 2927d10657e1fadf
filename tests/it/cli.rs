//! The command line as people and scripts meet it: its documents, its exit codes, its signals.

#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use skykeep_tests::network::{Network, SeedOptions};
use tempfile::TempDir;

/// How long the program may take for what is at hand, on a machine with much else to do.
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_done_from_a_terminal() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 60))
        .await
        .unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    let cli = Cli::new(&network);
    let did = account.did.as_str();

    assert_eq!(cli.run(&["no-such-verb"]).status.code(), Some(2));
    assert_eq!(cli.run(&["backup"]).status.code(), Some(2));
    assert_eq!(
        cli.document(1, &["backup", "nobody.test"])["problem"]["code"],
        "not_found"
    );

    let added = cli.document(0, &["account", "add", "@alice.test"]);
    assert_eq!(added["account"]["did"], did);
    assert_eq!(
        cli.document(0, &["account", "list"])["accounts"][0]["handle"],
        "alice.test"
    );
    let place = cli.document(0, &["place", "add", "folder", cli.place().to_str().unwrap()]);
    assert_eq!(place["place"]["state"], "ready");

    let ended = cli.document(0, &["backup", "alice.test"]);
    assert_eq!(ended["runs"][0]["account"], did);
    assert_eq!(ended["runs"][0]["end"]["outcome"], "completed");
    let kept = &cli.document(0, &["status"])["accounts"][0]["kept"];
    assert_eq!(kept["state"], "complete");
    assert_eq!(kept["records"], account.records);
    assert_eq!(kept["places"], 1);
    assert_eq!(kept["media"], account.blobs.len());

    session.post("From the terminal").await.unwrap();
    cli.document(0, &["backup", "--all"]);
    let listed = cli.document(0, &["snapshots", "alice.test"])["snapshots"].clone();
    let newest = listed[0]["id"].as_str().unwrap();
    let first = listed.as_array().unwrap().last().unwrap()["id"].as_str().unwrap();
    assert_eq!(listed[0]["records"], account.records + 1);
    let compared = cli.document(0, &["compare", did, first, newest]);
    assert_eq!(compared["comparison"]["added"].as_array().unwrap().len(), 1);
    assert_eq!(compared["comparison"]["removed"].as_array().unwrap().len(), 0);
    let checked = cli.document(0, &["check"]);
    assert_eq!(checked["checks"][0]["damaged"].as_array().unwrap().len(), 0);
    assert!(checked["checks"][0]["sound"].as_u64() > Some(0));

    // Plain files, for any other tool; never into a folder that holds something.
    let folder = cli.home.path().join("export");
    let to = folder.to_str().unwrap();
    let exported = cli.document(0, &["export", "alice.test", "--to", to]);
    assert_eq!(exported["exported"]["records"], account.records + 1);
    let again = cli.document(1, &["export", "alice.test", "--to", to]);
    assert_eq!(again["problem"]["code"], "export_not_empty");

    inspects(&cli, did, &folder);
}

/// `inspect` on what was exported, as it is and with one bit changed.
fn inspects(cli: &Cli, did: &str, folder: &Path) {
    let (car, log) = (folder.join("repo.car"), folder.join("plc-log.json"));
    let (car_path, log_path) = (car.to_str().unwrap(), log.to_str().unwrap());
    let seen = cli.document(0, &["inspect", "car", car_path]);
    assert_eq!(seen["did"], did);
    assert_eq!(seen["signature"], "unchecked");
    assert_eq!(seen["complete"], true);
    assert_eq!(seen["sound"], true);
    let audited = cli.document(0, &["inspect", "plc-log", log_path, "--did", did]);
    assert_eq!(audited["valid"], true);
    assert_eq!(audited["current"]["handle"], "alice.test");
    let key = audited["current"]["signing_key"].as_str().unwrap();
    let proved = cli.document(0, &["inspect", "car", car_path, "--did", did, "--signing-key", key]);
    assert_eq!(proved["signature"], "valid");
    let usage = cli.run(&["inspect", "car", car_path, "--signing-key", "no key"]);
    assert_eq!(usage.status.code(), Some(2));

    let mut bytes = fs::read(&car).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let flipped = folder.join("flipped.car");
    fs::write(&flipped, bytes).unwrap();
    let refused = cli.document(1, &["inspect", "car", flipped.to_str().unwrap()]);
    assert_ne!(refused["problems"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_engine_serves_all_and_ends_when_it_is_told_to() {
    let network = Network::start().await.unwrap();
    network
        .seed(network.a(), SeedOptions::new("alice.test", 20))
        .await
        .unwrap();
    let cli = Cli::new(&network);
    cli.document(0, &["account", "add", "alice.test"]);
    let running = Running(cli.command(&["run"]).spawn().unwrap());
    let socket = cli.home.path().join("data/engine.sock");
    wait("the socket", || socket.exists());
    // The lock is the running engine's, so these are handed over.
    let place = cli.document(0, &["place", "add", "folder", cli.place().to_str().unwrap()]);
    let id = place["place"]["id"].as_str().unwrap();
    assert_eq!(cli.document(0, &["place", "list"])["places"][0]["id"], id);
    let ended = cli.document(0, &["backup", "--all"]);
    assert_eq!(ended["runs"][0]["end"]["outcome"], "completed");
    assert_eq!(cli.document(0, &["status"])["accounts"][0]["kept"]["places"], 1);
    assert_eq!(running.terminated(), Some(0));
    // Nobody serves now: the next one opens the engine itself and finds the same.
    assert_eq!(cli.document(0, &["place", "list"])["places"][0]["id"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_killed_anywhere_loses_nothing() {
    const SEED: u64 = 0x5eed_0007;
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 200))
        .await
        .unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    let cli = Cli::new(&network);
    cli.document(0, &["account", "add", "alice.test"]);
    cli.document(0, &["place", "add", "folder", cli.place().to_str().unwrap()]);
    let mut state = SEED;
    for round in 0..5 {
        // Knuth's generator: moments that are spread, and the same each time.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let moment = Duration::from_millis((state >> 33) % 1500);
        println!("seed {SEED:#x}, round {round}: killed after {moment:?}");
        let mut backup = Running(cli.command(&["backup", "--all"]).spawn().unwrap());
        tokio::time::sleep(moment).await;
        backup.0.kill().unwrap();
        backup.0.wait().unwrap();
        let checked = cli.document(0, &["check"]);
        assert_eq!(
            checked["checks"][0]["damaged"].as_array().unwrap().len(),
            0,
            "round {round}"
        );
        session.post("One more, to have something to do").await.unwrap();
    }
    let ended = cli.document(0, &["backup", "--all"]);
    assert_eq!(ended["runs"][0]["end"]["outcome"], "completed");
    let kept = &cli.document(0, &["status"])["accounts"][0]["kept"];
    assert_eq!(kept["state"], "complete");
    assert_eq!(kept["records"], account.records + 5);
    assert_eq!(kept["media"], account.blobs.len());
    assert_eq!(kept["places"], 1);
    let checked = cli.document(0, &["check"]);
    assert_eq!(checked["checks"][0]["touched_snapshots"].as_array().unwrap().len(), 0);
}

/// The built program with a data folder, a sealed key store and a home of its own.
struct Cli {
    home: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Cli {
    fn new(network: &Network) -> Self {
        let home = tempfile::tempdir().unwrap();
        let passphrase = home.path().join("passphrase");
        let mut options = fs::OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&passphrase)
            .unwrap();
        std::io::Write::write_all(&mut &file, b"only for this test\n").unwrap();
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        let environment = vec![
            ("HOME", path(home.path().to_owned())),
            ("SKYKEEP_DATA_DIR", path(home.path().join("data"))),
            ("SKYKEEP_KEYSTORE", "file".to_owned()),
            ("SKYKEEP_PASSPHRASE_FILE", path(passphrase)),
            ("SKYKEEP_PLC_URL", network.plc_url().to_owned()),
            ("SKYKEEP_HANDLE_RESOLVER", network.resolver_url().to_owned()),
            ("SKYKEEP_LOOPBACK_HTTP", "1".to_owned()),
        ];
        Self { home, environment }
    }

    fn place(&self) -> PathBuf {
        self.home.path().join("place")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.output().unwrap()
    }

    /// The one document that the verb prints, after the exit code that is expected of it.
    fn document(&self, code: i32, arguments: &[&str]) -> Value {
        let output = self.run(&[&["--json"], arguments].concat());
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{out}\n{err}"))
    }
}

/// `SKYKEEP_CLI`, or the program beside this one in the build folder.
fn program() -> PathBuf {
    let beside = || {
        let own = std::env::current_exe().unwrap();
        own.ancestors().nth(2).unwrap().join("skykeep-cli")
    };
    let program = std::env::var_os("SKYKEEP_CLI").map_or_else(beside, PathBuf::from);
    assert!(program.exists(), "{program:?} is not there: cargo build -p skykeep-cli");
    program
}

/// A program in the background; it ends with the test at the latest.
struct Running(Child);

impl Running {
    /// Asks it to end, and answers its exit code.
    fn terminated(mut self) -> Option<i32> {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let mut code = None;
        wait("the end", || {
            code = self.0.try_wait().unwrap();
            code.is_some()
        });
        code.and_then(|status| status.code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn wait(what: &str, mut is_there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
