//! Programs beside each other and programs that end too soon: one engine a data folder, no secret outside of its file,
//! and nothing lost wherever the scheduler is cut off.

use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use skykeep_engine::keys::{KeyStore, SealedFile, SecretName};
use skykeep_tests::cli::{Cli, PASSPHRASE, Running, wait};
use skykeep_tests::keep::files_below;
use skykeep_tests::network::{Network, SeedOptions, Server, Session};
use skykeep_tests::repo_maker::seeded::{Seeded, exhaustive};

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_work_with_one_data_folder() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 40))
        .await
        .unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    let cli = Cli::new(&network);
    cli.document(0, &["account", "add", "alice.test"]);
    cli.add_place();
    let mut running = cli.serve();

    // What was never kept is begun at once; whoever looks meanwhile sees it coming.
    let kept = || cli.document(0, &["status"])["accounts"][0]["kept"].clone();
    wait("the first backup", || {
        kept()["state"] == "complete" && kept()["places"] == 1
    });
    assert_eq!(kept()["records"], account.records);
    assert_eq!(
        cli.document(0, &["snapshots", "alice.test"])["snapshots"][0]["records"],
        account.records
    );
    // What acts is handed over, and what is handed over is seen by both.
    session.post("Handed over").await.unwrap();
    let ended = cli.document(0, &["backup", "alice.test"])["runs"][0]["end"].clone();
    assert_eq!(ended, json!({ "outcome": "completed", "changed": true }));
    let second = cli.path("second place");
    let added = cli.document(0, &["place", "add", "folder", &second])["place"].clone();
    cli.document(0, &["backup", "alice.test"]);
    assert_eq!(
        cli.document(0, &["check", "--read-all", "--place", &second])["checks"][0]["damaged"],
        json!([])
    );
    cli.document(0, &["place", "remove", added["id"].as_str().unwrap()]);
    cli.document(0, &["export", "alice.test", "--to", &cli.path("export")]);
    // What fails over there fails here, in the same words.
    assert_eq!(
        cli.document(1, &["snapshots", "nobody.test"])["problem"]["code"],
        "not_found"
    );

    // A second scheduler is not wanted, and told so; the first one goes on.
    let said = cli.words(1, &["run"]);
    assert!(
        said.contains("already running") && said.contains(cli.data().to_str().unwrap()),
        "{said}"
    );
    assert!(running.is_running());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&cli.data()), 0o700, "only its owner can look into the data folder");
    assert_eq!(mode(&cli.socket()), 0o600, "only its owner can speak to the engine");
    assert!(fs::metadata(cli.socket()).unwrap().file_type().is_socket());

    // A power cut leaves lock and socket behind: nobody minds.
    running.killed();
    assert!(cli.socket().exists() && cli.data().join("engine.lock").exists());
    assert_eq!(kept()["records"], account.records + 1);
    assert!(!cli.socket().exists(), "who came after has tidied up");
    let again = cli.serve();
    session.post("After the power cut").await.unwrap();
    cli.document(0, &["backup", "alice.test"]);
    assert_eq!(kept()["records"], account.records + 2);
    assert_eq!(again.terminated(), Some(0));
    assert!(!cli.socket().exists());

    beside_a_long_verb(&network, &cli).await;
}

/// A verb that takes long has the engine too; others look and act beside it, and are not left alone when it ends.
async fn beside_a_long_verb(network: &Network, cli: &Cli) {
    // Nobody answers, so this one asks again and again for a while.
    network.kill(Server::A).await.unwrap();
    // Whoever opens the data folder first is the engine: it has to be this one.
    let mut long = cli.begin(&["backup", "--all"]);
    wait("the run", || {
        !long.is_running() || cli.document(0, &["status"])["accounts"][0]["run"].is_object()
    });
    assert!(long.is_running(), "the host was not waited for");
    cli.document(0, &["place", "list"]);
    // The same run, waited for by two.
    let ended = cli.document(1, &["backup", "--all"])["runs"][0]["end"].clone();
    assert_eq!(ended["problem"]["code"], "host_unreachable");
    assert_eq!(long.ended().code(), Some(1));
    network.start_again(Server::A).await.unwrap();
    cli.document(0, &["backup", "--all"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told_or_written_outside_of_its_file() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 40))
        .await
        .unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    let cli = Cli::new(&network).with("SKYKEEP_LOG", "trace");
    let mut heard = Vec::new();
    let mut hear = |cli: &Cli, code: i32, arguments: &[&str]| {
        for json in [&["--json", "-vv"][..], &["-vv"]] {
            let output = cli.run(&[json, arguments].concat());
            assert_eq!(output.status.code(), Some(code), "{arguments:?}");
            heard.extend(output.stdout);
            heard.extend(output.stderr);
        }
    };
    hear(&cli, 0, &["account", "add", "alice.test"]);
    hear(&cli, 1, &["account", "add", "nobody.test"]);
    cli.add_place();
    hear(&cli, 0, &["place", "list"]);
    hear(&cli, 0, &["backup", "--all"]);
    session.post("One more").await.unwrap();
    hear(&cli, 0, &["backup", "--all"]);
    hear(&cli, 0, &["status"]);
    hear(&cli, 0, &["check", "--read-all"]);
    let listed = cli.document(0, &["snapshots", "alice.test"])["snapshots"].clone();
    let id = |n: usize| listed[n]["id"].as_str().unwrap();
    hear(
        &cli,
        0,
        &["compare", "alice.test", id(listed.as_array().unwrap().len() - 1), id(0)],
    );
    let export = cli.path("export");
    cli.document(0, &["export", "alice.test", "--to", &export]);
    hear(&cli, 1, &["export", "alice.test", "--to", &export]);
    hear(&cli, 0, &["inspect", "car", &format!("{export}/repo.car")]);
    hear(&cli, 0, &["inspect", "plc-log", &format!("{export}/plc-log.json")]);
    hear(&cli, 0, &["import", "alice.test", &export]);
    hear(&cli, 0, &["rebuild", "--from", &cli.path("place")]);
    // The scheduler, with its log in a file.
    let log = cli.path("run.log");
    let mut command = cli.command(&["-vv", "run"]);
    command.stderr(File::create(&log).unwrap());
    let running = Running::of(command);
    wait("the socket", || {
        std::os::unix::net::UnixStream::connect(cli.socket()).is_ok()
    });
    hear(&cli, 0, &["backup", "--all"]);
    assert_eq!(running.terminated(), Some(0));

    let passphrase = cli.home().join("passphrase");
    let store = SealedFile::open(cli.data().join("keys"), &passphrase).unwrap();
    let key = store.get(&SecretName::writer()).unwrap().unwrap();
    // A passphrase that is not the right one is no less somebody's secret.
    fs::write(&passphrase, "another-secret-of-the-same-person\n").unwrap();
    hear(&cli, 1, &["status"]);
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o644)).unwrap();
    hear(&cli, 1, &["status"]);

    heard.extend(fs::read(&log).unwrap());
    let mut forms: Vec<(String, Vec<u8>)> = vec![
        ("the passphrase".into(), PASSPHRASE.into()),
        (
            "the other passphrase".into(),
            b"another-secret-of-the-same-person".to_vec(),
        ),
    ];
    forms.extend(spellings(key.expose()));
    // Would it be found, if it were there?
    assert!(find(&[b"xx", PASSPHRASE.as_bytes(), b"\n"].concat(), &forms).is_some());
    assert!(find(format!("{:?}", key.expose()).as_bytes(), &forms).is_some());
    assert!(heard.len() > 100_000 && find(&heard, &[("".into(), account.did.into())]).is_some());
    for level in ["TRACE", "DEBUG", "INFO"] {
        assert!(
            find(&heard, &[("".into(), level.into())]).is_some(),
            "nothing at {level}"
        );
    }
    assert_eq!(find(&heard, &forms), None, "in what was said");
    let mut looked = 0;
    for folder in [cli.data(), cli.place(), cli.home().join("export")] {
        for name in files_below(&folder) {
            if let Ok(bytes) = fs::read(folder.join(&name)) {
                assert_eq!(find(&bytes, &forms), None, "in {name}");
                looked += 1;
            }
        }
    }
    assert!(looked > 20, "{looked} files");
}

/// How a key may be spelled where it does not belong.
fn spellings(key: &[u8]) -> Vec<(String, Vec<u8>)> {
    assert_eq!(key.len(), 32);
    let debug = format!("{key:?}");
    let text = [
        ("hex", HEXLOWER.encode(key)),
        ("HEX", HEXLOWER.encode(key).to_uppercase()),
        ("base32", BASE32_NOPAD.encode(key)),
        ("small base32", BASE32_NOPAD.encode(key).to_lowercase()),
        ("base64", BASE64_NOPAD.encode(key)),
        ("base64url", BASE64URL_NOPAD.encode(key)),
        ("a list", debug.trim_matches(['[', ']']).to_owned()),
    ];
    let mut forms: Vec<(String, Vec<u8>)> = text
        .into_iter()
        .map(|(name, text)| (name.into(), text.into()))
        .collect();
    forms.push(("bytes".into(), key.to_vec()));
    forms
}

/// The name of the first form that is in there.
fn find<'a>(bytes: &[u8], forms: &'a [(String, Vec<u8>)]) -> Option<&'a str> {
    let is_in = |form: &[u8]| {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == form[0]) {
            rest = &rest[at..];
            if rest.starts_with(form) {
                return true;
            }
            rest = &rest[1..];
        }
        false
    };
    forms
        .iter()
        .find(|(_, form)| is_in(form))
        .map(|(name, _)| name.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_killed_anywhere_loses_nothing() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 200))
        .await
        .unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    let log = network.audit_log(&account.did).await.unwrap();
    let key = log[0]["operation"]["verificationMethods"]["atproto"].as_str().unwrap();
    let cli = Cli::new(&network);
    cli.document(0, &["account", "add", "alice.test"]);
    cli.add_place();
    let mut seeded = Seeded::of_run();
    let (mut records, mut pictures) = (account.records, account.blobs.len() as u64);
    let rounds = if exhaustive() { 40 } else { 5 };
    for round in 0..rounds {
        let running = match round {
            // The very first backup begins by itself, and is large.
            0 => cli.start(&["run"]),
            _ => cli.serve(),
        };
        let handed = (round > 0).then(|| cli.start(&["backup", "--all"]));
        let moment = Duration::from_millis(seeded.below(if round == 0 { 2000 } else { 900 }));
        println!("round {round}: killed after {moment:?}");
        tokio::time::sleep(moment).await;
        running.killed();
        // Who had handed something over is not left waiting.
        handed.map(|mut handed| handed.ended());
        reads_back(&cli, &account.did, key, None);
        records += write_some(&session, round).await;
        pictures += 1;
    }
    let ended = cli.document(0, &["backup", "--all"])["runs"][0]["end"].clone();
    assert_eq!(ended["outcome"], "completed", "{ended}");
    let kept = cli.document(0, &["status"])["accounts"][0]["kept"].clone();
    assert_eq!(kept["state"], "complete");
    assert_eq!((&kept["records"], &kept["media"]), (&json!(records), &json!(pictures)));
    assert_eq!((&kept["media_missing"], &kept["places"]), (&json!(0), &json!(1)));
    for snapshot in cli.document(0, &["snapshots", &account.did])["snapshots"]
        .as_array()
        .unwrap()
    {
        reads_back(&cli, &account.did, key, Some(snapshot));
    }
    assert_eq!(files_below(&cli.data().join("incoming")), Vec::<String>::new());
}

/// Nothing in the place is damaged, and a snapshot (the newest, if none is named) is read back whole and proved.
fn reads_back(cli: &Cli, did: &str, key: &str, snapshot: Option<&Value>) {
    let checked = cli.document(0, &["check", "--read-all"])["checks"][0].clone();
    assert_eq!(
        (&checked["damaged"], &checked["touched_snapshots"]),
        (&json!([]), &json!([]))
    );
    let listed = cli.document(0, &["snapshots", did])["snapshots"].clone();
    // The first backup may not have come that far.
    let Some(snapshot) = snapshot.or(listed.get(0)) else {
        return;
    };
    let folder = cli.path("read back");
    let missing = snapshot["media_pending"].as_u64().unwrap() > 0;
    let id = snapshot["id"].as_str().unwrap();
    let args = ["export", did, "--snapshot", id, "--to", &folder];
    let exported = cli.document(i32::from(missing), &args)["exported"].clone();
    assert_eq!(exported["records"], snapshot["records"]);
    let car = format!("{folder}/repo.car");
    let seen = cli.document(0, &["inspect", "car", &car, "--did", did, "--signing-key", key]);
    assert_eq!(
        (&seen["signature"], &seen["records"]),
        (&json!("valid"), &snapshot["records"])
    );
    assert_eq!(
        fs::read_dir(format!("{folder}/blobs")).unwrap().count() as u64,
        snapshot["media"].as_u64().unwrap()
    );
    fs::remove_dir_all(folder).unwrap();
}

/// Nineteen posts and a record with a picture.
async fn write_some(session: &Session, round: usize) -> u64 {
    let bytes = Seeded::new(round as u64 + 1).bytes(200_000);
    let picture = session.upload_blob(bytes, "application/octet-stream").await.unwrap();
    let create = |collection: &str, value: Value| json!({ "$type": "com.atproto.repo.applyWrites#create", "collection": collection, "value": value });
    let mut writes = vec![create(
        "com.example.drawing",
        json!({ "$type": "com.example.drawing", "picture": picture }),
    )];
    for n in 1..20 {
        let text = format!("Round {round}, post {n}");
        writes.push(create(
            "app.bsky.feed.post",
            json!({ "text": text, "createdAt": "2026-01-01T00:00:00.000Z" }),
        ));
    }
    session.apply_writes(&writes).await.unwrap();
    writes.len() as u64
}
