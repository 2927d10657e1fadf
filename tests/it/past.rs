//! A thief has the app's own keys to a bucket that keeps versions, and deletes everything: what was there before is
//! looked into, exported and brought back.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use skykeep_tests::cli::Cli;
use skykeep_tests::keep::files_below;
use skykeep_tests::network::{Network, SeedOptions};
use skykeep_tests::s3::{APP_KEY, APP_SECRET, BUCKET, KEY, Kind, S3Server, SECRET, rclone};

/// A bucket that keeps versions, and locks what somebody asks to be locked.
const KEEPING: &str = "keeping";

/// Somebody with keys who works on a server without Skykeep. What it said.
fn somebody(server: &S3Server, (key, secret): (&str, &str), arguments: &[&str]) -> String {
    let mut command = Command::new(rclone().unwrap());
    command.args([
        "--config",
        "",
        "--s3-provider",
        "SeaweedFS",
        "--s3-endpoint",
        &server.endpoint(),
    ]);
    command.args([
        "--s3-access-key-id",
        key,
        "--s3-secret-access-key",
        secret,
        "--retries",
        "1",
    ]);
    let Output { status, stdout, stderr } = command.args(arguments).output().unwrap();
    assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// A verb about a bucket, with the app's keys on its standard input.
fn at(cli: &Cli, server: &S3Server, verb: &[&str], bucket: &str, more: &[&str]) -> (Option<i32>, Value) {
    let endpoint = server.endpoint();
    let address = ["s3", "--endpoint", &endpoint, "--bucket", bucket, "--prefix", "family"];
    let typed = [&["--json"], verb, &address, more, &["--secrets-from", "0"]].concat();
    let mut command = cli.command(&typed);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (key, secret) = match server.kind() {
        Kind::SeaweedFs => (APP_KEY, APP_SECRET),
        Kind::Rclone => (KEY, SECRET),
    };
    write!(child.stdin.take().unwrap(), "{key}\n{secret}\n").unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let document = serde_json::from_slice(&stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&stderr)));
    (status.code(), document)
}

fn code_of(document: &Value) -> &str {
    document["problem"]["code"].as_str().unwrap_or_default()
}

/// A moment after everything that was written and before everything that will be: versions carry whole seconds.
async fn moment() -> Timestamp {
    let at = Timestamp::now();
    while Timestamp::now().as_second() == at.as_second() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    at
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_thief_deleted_is_looked_into_exported_and_brought_back() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 60))
        .await
        .unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    let server = S3Server::start(Kind::SeaweedFs).unwrap();
    let (owner, stolen) = ((KEY, SECRET), (APP_KEY, APP_SECRET));
    let place = format!(":s3:{KEEPING}");
    somebody(&server, owner, &["mkdir", &place, "--s3-bucket-object-lock-enabled"]);

    let cli = Cli::new(&network);
    cli.document(0, &["account", "add", "alice.test"]);
    let (exit, added) = at(&cli, &server, &["place", "add"], KEEPING, &["--name", "Cloud"]);
    assert_eq!((exit, &added["place"]["state"]), (Some(0), &json!("ready")), "{added}");
    let test = cli.document(0, &["place", "test", "Cloud"]);
    assert_eq!(test["test"]["abilities"]["versioning"], true, "{test}");
    cli.document(0, &["backup", "alice.test"]);
    session.post("Before the thief came").await.unwrap();
    cli.document(0, &["backup", "alice.test"]);
    let snapshots = cli.document(0, &["snapshots", "alice.test"])["snapshots"].clone();
    let count = snapshots.as_array().unwrap().len();
    let whole = cli.path("whole");
    cli.document(0, &["export", "alice.test", "--from", "Cloud", "--to", &whole]);
    let car = fs::read(Path::new(&whole).join("repo.car")).unwrap();
    let blobs = files_below(&Path::new(&whole).join("blobs"));
    let then = moment().await.to_string();

    // Everything is deleted with the keys that Skykeep itself has.
    assert!(
        somebody(&server, stolen, &["lsf", "-R", "--files-only", &place])
            .lines()
            .count()
            > 5
    );
    somebody(&server, stolen, &["delete", &place]);
    assert_eq!(somebody(&server, stolen, &["lsf", "-R", "--files-only", &place]), "");
    let test = cli.document(1, &["place", "test", "Cloud"])["test"].clone();
    assert_eq!(test["problem"]["code"], "place_not_vault", "{test}");
    assert_eq!(cli.document(0, &["place", "list"])["places"][0]["state"], "other");
    let out = cli.path("now");
    let now = cli.document(1, &["export", "alice.test", "--from", "Cloud", "--to", &out]);
    assert_eq!(code_of(&now), "place_not_vault");
    let (exit, now) = at(&cli, &server, &["look"], KEEPING, &[]);
    assert_eq!((exit, code_of(&now)), (Some(1), "no_backup_bucket"), "{now}");

    // As it was before, it shows everything; and too long ago, that there was nothing.
    let look = |cli: &Cli, when: &str| at(cli, &server, &["look"], KEEPING, &["--as-of", when]);
    let (exit, past) = look(&cli, &then);
    let found = &past["opened"];
    assert_eq!(
        (exit, &found["known"], &found["problems"]),
        (Some(0), &json!(true), &json!([])),
        "{past}"
    );
    let at_then = then.parse::<Timestamp>().unwrap().as_millisecond();
    assert_eq!(found["as_of"], at_then);
    let kept = &found["accounts"][0];
    assert_eq!((&kept["did"], &kept["snapshots"]), (&json!(account.did), &json!(count)));
    assert_eq!(kept["records"], account.records + 1);
    let (exit, before) = look(&cli, "2026-01-01");
    assert_eq!((exit, code_of(&before)), (Some(1), "nothing_then"), "{before}");

    // The same export as before, from the place that is still set up.
    let out = cli.path("past");
    let from = ["--from", "Cloud", "--as-of", &then];
    let exported = cli.document(0, &[&["export", "alice.test", "--to", &out], &from[..]].concat());
    assert_eq!(exported["exported"]["missing"], json!([]), "{exported}");
    assert!(fs::read(Path::new(&out).join("repo.car")).unwrap() == car);
    assert_eq!(files_below(&Path::new(&out).join("blobs")), blobs);

    // Another computer brings all of it back to a folder, and goes on there. The bucket is only read.
    let new = Cli::new(&network);
    let folder = new.path("brought back");
    let (exit, taken) = at(
        &new,
        &server,
        &["rebuild"],
        KEEPING,
        &["--as-of", &then, "--to", &folder],
    );
    assert_eq!(
        (exit, &taken["accounts"][0]["did"]),
        (Some(0), &json!(account.did)),
        "{taken}"
    );
    let mut brought = new.document(0, &["snapshots", "alice.test"])["snapshots"].clone();
    // Which places hold them is another matter by now.
    let mut known = snapshots;
    for snapshot in [&mut brought, &mut known]
        .into_iter()
        .flat_map(|all| all.as_array_mut().unwrap())
    {
        snapshot["places"] = Value::Null;
    }
    assert_eq!(brought, known);
    let places = new.document(0, &["place", "list"])["places"].clone();
    assert_eq!(
        (places.as_array().unwrap().len(), &places[0]["kind"]),
        (1, &json!("folder"))
    );
    let check = new.document(0, &["check", "--read-all"])["checks"][0].clone();
    assert_eq!(
        (&check["damaged"], &check["whole_snapshots"]),
        (&json!([]), &json!(count)),
        "{check}"
    );
    session.post("After the thief left").await.unwrap();
    new.document(0, &["backup", "alice.test"]);
    assert_eq!(somebody(&server, stolen, &["lsf", "-R", "--files-only", &place]), "");

    // The same through an engine that runs: no secret crosses.
    let running = new.serve();
    assert_eq!(look(&new, &then).1["opened"]["accounts"][0]["did"], account.did);
    drop(running);
    for computer in [&cli, &new] {
        for file in files_below(computer.home()) {
            let bytes = fs::read(computer.home().join(&file)).unwrap_or_default();
            let secret = APP_SECRET.as_bytes();
            assert!(!bytes.windows(secret.len()).any(|found| found == secret), "{file:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_versions_are_kept_that_is_said() {
    let network = Network::start().await.unwrap();
    network
        .seed(network.a(), SeedOptions::new("alice.test", 10))
        .await
        .unwrap();
    let cli = Cli::new(&network);
    cli.document(0, &["account", "add", "alice.test"]);
    cli.add_place();
    let then = "2027-01-01T12:00";
    for kind in Kind::ALL {
        let server = S3Server::start(kind).unwrap();
        let name = format!("{kind:?}");
        let (exit, added) = at(&cli, &server, &["place", "add"], BUCKET, &["--name", &name]);
        assert_eq!(exit, Some(0), "{added}");
        cli.document(0, &["backup", "alice.test"]);
        assert_eq!(at(&cli, &server, &["look"], BUCKET, &[]).0, Some(0), "{kind:?}");
        let (exit, document) = at(&cli, &server, &["look"], BUCKET, &["--as-of", then]);
        assert_eq!((exit, code_of(&document)), (Some(1), "no_past"), "{kind:?}: {document}");
        let folder = cli.path(&format!("from {name}"));
        let (exit, document) = at(&cli, &server, &["rebuild"], BUCKET, &["--as-of", then, "--to", &folder]);
        assert_eq!((exit, code_of(&document)), (Some(1), "no_past"), "{kind:?}: {document}");
        assert!(!Path::new(&folder).exists(), "nothing is made for what is not there");
        cli.document(0, &["place", "remove", &name]);
    }
    // A folder keeps none either.
    let folder = cli.place().display().to_string();
    let out = cli.path("out");
    let typed = ["export", "alice.test", "--to", &out, "--from", &folder, "--as-of", then];
    assert_eq!(code_of(&cli.document(1, &typed)), "no_past");
    let typed = ["export", "alice.test", "--to", &out, "--from", &folder];
    assert_eq!(cli.document(0, &typed)["exported"]["missing"], json!([]));
}
