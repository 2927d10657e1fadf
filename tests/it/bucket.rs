//! A place in a bucket of a real S3 server: set up, filled, checked, read back, and lost for a while.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use skykeep_tests::cli::{Cli, wait};
use skykeep_tests::keep::files_below;
use skykeep_tests::network::{Network, SeedOptions, Server};
use skykeep_tests::s3::{APP_KEY, APP_SECRET, BUCKET, KEY, Kind, READER_KEY, READER_SECRET, S3Server, SECRET};

/// `place add s3`, with the keys on its standard input.
fn add(cli: &Cli, server: &S3Server, bucket: &str, keys: (&str, &str)) -> (Option<i32>, Value) {
    with_keys(cli, server, &["place", "add"], (bucket, "family"), keys)
}

/// A verb about a bucket and a folder in it, with the keys on its standard input.
fn with_keys(
    cli: &Cli,
    server: &S3Server,
    verb: &[&str],
    (bucket, prefix): (&str, &str),
    keys: (&str, &str),
) -> (Option<i32>, Value) {
    let endpoint = server.endpoint();
    let address = [
        "s3",
        "--endpoint",
        &endpoint,
        "--bucket",
        bucket,
        "--prefix",
        prefix,
        "--name",
        "Cloud",
    ];
    told_keys(cli, &[verb, &address].concat(), keys)
}

/// A verb that reads keys, with them on its standard input.
fn told_keys(cli: &Cli, verb: &[&str], (key, secret): (&str, &str)) -> (Option<i32>, Value) {
    let mut command = cli.command(&[&["--json"], verb, &["--secrets-from", "0"]].concat());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    write!(child.stdin.take().unwrap(), "{key}\n{secret}\n").unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let document = serde_json::from_slice(&stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&stderr)));
    (status.code(), document)
}

fn code_of(document: &Value) -> &str {
    document["problem"]["code"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_kept_in_a_bucket_and_read_back_from_it() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 60))
        .await
        .unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    let mut server = S3Server::start(Kind::SeaweedFs).unwrap();
    let cli = Cli::new(&network);
    cli.document(0, &["account", "add", "alice.test"]);

    // What is wrong is told apart, and nothing of it is remembered.
    for (bucket, keys, expected) in [
        (BUCKET, (KEY, "another"), "server_secret"),
        (BUCKET, ("AKIDNOBODY", SECRET), "server_key"),
        (BUCKET, (READER_KEY, READER_SECRET), "server_forbidden"),
        ("nowhere", (KEY, SECRET), "server_no_bucket"),
        ("no/bucket", (KEY, SECRET), "bucket_setting"),
    ] {
        let (exit, document) = add(&cli, &server, bucket, keys);
        assert_eq!((exit, code_of(&document)), (Some(1), expected), "{document}");
    }
    assert_eq!(cli.document(0, &["place", "list"])["places"], json!([]));

    let (exit, added) = add(&cli, &server, BUCKET, (KEY, SECRET));
    assert_eq!((exit, &added["place"]["state"]), (Some(0), &json!("ready")), "{added}");
    assert_eq!(
        add(&cli, &server, BUCKET, (KEY, SECRET)).0,
        Some(1),
        "it is a place already"
    );
    assert_eq!(
        cli.document(0, &["place", "list"])["places"].as_array().map(Vec::len),
        Some(1)
    );
    let test = cli.document(0, &["place", "test", "Cloud"])["test"].clone();
    assert_eq!(
        (&test["problem"], &test["abilities"]["deletes"]),
        (&Value::Null, &json!(true))
    );

    cli.document(0, &["backup", "alice.test"]);
    let kept = cli.document(0, &["status"])["accounts"][0]["kept"].clone();
    assert_eq!((&kept["state"], &kept["places"]), (&json!("complete"), &json!(1)));
    let check = cli.document(0, &["check", "Cloud", "--read-all"])["checks"][0].clone();
    assert_eq!(
        (&check["damaged"], &check["touched_snapshots"]),
        (&json!([]), &json!([])),
        "{check}"
    );
    let out = cli.path("export");
    cli.document(0, &["export", "alice.test", "--to", &out]);
    let inspected = cli.document(0, &["inspect", "car", &format!("{out}/repo.car")]);
    assert_eq!(inspected["records"], account.records);

    // The server dies: posts are kept here meanwhile, and nobody is told that the backups are gone.
    server.kill().unwrap();
    session.post("While the storage is away").await.unwrap();
    let ended = cli.document(0, &["backup", "alice.test"])["runs"][0]["end"].clone();
    assert_eq!(
        (&ended["outcome"], &ended["why"]["code"]),
        (&json!("skipped"), &json!("server_away")),
        "{ended}"
    );
    assert_eq!(cli.document(0, &["place", "list"])["places"][0]["state"], "absent");
    server.start_again().unwrap();
    let ended = cli.document(0, &["backup", "alice.test"])["runs"][0]["end"].clone();
    assert_eq!(ended["outcome"], "completed", "{ended}");
    let place = cli.document(0, &["place", "list"])["places"][0].clone();
    assert_eq!(
        (&place["state"], &place["behind"]),
        (&json!("ready"), &json!(0)),
        "{place}"
    );

    // The same through an engine that runs: only the name of the keychain's entry crosses.
    let running = cli.serve();
    cli.document(0, &["place", "remove", "Cloud"]);
    assert_eq!(add(&cli, &server, BUCKET, (KEY, SECRET)).0, Some(0));
    drop(running);
    assert_no_secret(&cli);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_computer_reads_everything_back_from_the_bucket_alone() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 60))
        .await
        .unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    let server = S3Server::start(Kind::SeaweedFs).unwrap();
    let old = Cli::new(&network);
    old.document(0, &["account", "add", "alice.test"]);
    assert_eq!(add(&old, &server, BUCKET, (KEY, SECRET)).0, Some(0));
    old.document(0, &["backup", "alice.test"]);
    session.post("On the old computer").await.unwrap();
    old.document(0, &["backup", "alice.test"]);
    let snapshots = |cli: &Cli| cli.document(0, &["snapshots", "alice.test"])["snapshots"].clone();
    let known = snapshots(&old);
    let export = old.path("export");
    old.document(0, &["export", "alice.test", "--to", &export]);
    let car = fs::read(Path::new(&export).join("repo.car")).unwrap();
    let blobs = files_below(&Path::new(&export).join("blobs"));

    // The old computer is gone, and at this moment host and directory are too.
    drop(old);
    network.kill(Server::A).await.unwrap();
    network.kill(Server::Plc).await.unwrap();
    let new = Cli::new(&network);
    let rebuild = |at: (&str, &str), keys| with_keys(&new, &server, &["rebuild"], at, keys);
    for (at, keys, expected) in [
        ((BUCKET, "elsewhere"), (KEY, SECRET), "no_backup_bucket"),
        ((BUCKET, "family"), (KEY, "another"), "server_secret"),
        ((BUCKET, "family"), (READER_KEY, READER_SECRET), "server_forbidden"),
    ] {
        let (exit, document) = rebuild(at, keys);
        assert_eq!((exit, code_of(&document)), (Some(1), expected), "{document}");
        assert_eq!(
            new.document(0, &["account", "list"])["accounts"],
            json!([]),
            "{expected}"
        );
    }
    let (_, taken) = rebuild((BUCKET, "family"), (KEY, SECRET));
    assert_eq!(taken["accounts"][0]["did"], account.did, "{taken}");
    assert_eq!(snapshots(&new), known);
    let export = new.path("export");
    let exported = new.document(0, &["export", "alice.test", "--to", &export])["exported"].clone();
    assert_eq!(
        (&exported["records"], &exported["missing"]),
        (&json!(account.records + 1), &json!([]))
    );
    assert_eq!(fs::read(Path::new(&export).join("repo.car")).unwrap(), car);
    assert_eq!(files_below(&Path::new(&export).join("blobs")), blobs);

    // And it goes on: into the bucket, and into a folder that is added and brought all of the history.
    network.start_again(Server::Plc).await.unwrap();
    network.start_again(Server::A).await.unwrap();
    session.post("On the new computer").await.unwrap();
    new.add_place();
    let ended = new.document(0, &["backup", "alice.test"])["runs"][0]["end"].clone();
    assert_eq!(ended, json!({ "outcome": "completed", "changed": true }));
    for place in new.document(0, &["place", "list"])["places"].as_array().unwrap() {
        assert_eq!(
            (&place["behind"], &place["accounts"]),
            (&json!(0), &json!(1)),
            "{place}"
        );
    }
    for check in new.document(0, &["check", "--read-all"])["checks"].as_array().unwrap() {
        assert_eq!(
            (&check["damaged"], &check["touched_snapshots"]),
            (&json!([]), &json!([])),
            "{check}"
        );
    }
    assert_no_secret(&new);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_stolen_are_changed_in_place_and_what_waited_is_delivered() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 20))
        .await
        .unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    let mut server = S3Server::start(Kind::SeaweedFs).unwrap();
    let cli = Cli::new(&network);
    cli.document(0, &["account", "add", "alice.test"]);
    cli.add_place();
    let folder = cli.place().display().to_string();
    assert_eq!(add(&cli, &server, BUCKET, (KEY, SECRET)).0, Some(0));
    cli.document(0, &["backup", "alice.test"]);
    let change = |place: &str, keys| told_keys(&cli, &["place", "keys", place], keys);
    let cloud = || {
        let places = cli.document(0, &["place", "list"])["places"].clone();
        let all = places.as_array().unwrap();
        all.iter().find(|place| place["name"] == "Cloud").unwrap().clone()
    };

    // Keys that do not do are refused, each for its reason, and the old ones go on.
    for (place, keys, expected) in [
        ("Cloud", (KEY, "another"), "server_secret"),
        ("Cloud", ("AKIDNOBODY", SECRET), "server_key"),
        ("Cloud", (READER_KEY, READER_SECRET), "server_forbidden"),
        (folder.as_str(), (APP_KEY, APP_SECRET), "place_without_keys"),
        ("nowhere", (APP_KEY, APP_SECRET), "not_found"),
    ] {
        let (exit, document) = change(place, keys);
        assert_eq!((exit, code_of(&document)), (Some(1), expected), "{document}");
    }
    session.post("With the keys that stayed").await.unwrap();
    cli.document(0, &["backup", "alice.test"]);
    assert_eq!((&cloud()["state"], &cloud()["behind"]), (&json!("ready"), &json!(0)));

    // Their owner ends them at the provider: what is new waits, and the problem leads to the keys.
    server.end_key().unwrap();
    session.post("While no keys were good").await.unwrap();
    cli.command(&["backup", "alice.test"]).output().unwrap();
    assert_eq!((&cloud()["state"], &cloud()["behind"]), (&json!("refused"), &json!(1)));
    let test = cli.document(1, &["place", "test", "Cloud"])["test"]["problem"].clone();
    assert_eq!(
        (&test["code"], &test["actions"][0]),
        (&json!("server_key"), &json!("change_keys"))
    );

    // New keys through an engine that runs: it delivers what waited, without being asked.
    let running = cli.serve();
    assert_eq!(
        change("Cloud", (APP_KEY, APP_SECRET)),
        (Some(0), json!({ "done": true }))
    );
    wait("what had to wait", || cloud()["behind"] == 0);
    assert_eq!(cloud()["state"], "ready");
    drop(running);
    let check = cli.document(0, &["check", "--place", "Cloud"])["checks"][0].clone();
    assert_eq!(
        (&check["damaged"], &check["touched_snapshots"]),
        (&json!([]), &json!([])),
        "{check}"
    );
    assert_no_secret(&cli);
}

/// No secret key is in a file of a computer: keys are in the keychain.
fn assert_no_secret(cli: &Cli) {
    for file in files_below(cli.home()) {
        let bytes = fs::read(cli.home().join(&file)).unwrap_or_default();
        for secret in [SECRET, APP_SECRET] {
            assert!(
                !bytes.windows(secret.len()).any(|found| found == secret.as_bytes()),
                "a secret is in {file:?}"
            );
        }
    }
}
