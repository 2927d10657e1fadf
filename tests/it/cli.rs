//! The command line as people and scripts meet it: its documents, its exit codes, its signals.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use skykeep_tests::cli::Cli;
use skykeep_tests::network::{Network, SeedOptions};

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
    let place = cli.document(0, &["place", "add", "folder", &cli.path("place")]);
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
    let checked = cli.document(0, &["check", "--read-all"]);
    assert_eq!(checked["checks"][0]["damaged"].as_array().unwrap().len(), 0);
    assert!(checked["checks"][0]["sound"].as_u64() > Some(0));
    assert_eq!(checked["checks"][0]["how"], "read_all");
    for (verb, how) in [("check", "names"), ("heal", "heal")] {
        let looked = cli.document(0, &[verb])["checks"][0].clone();
        assert_eq!((looked["how"].as_str(), looked["sound"].as_u64()), (Some(how), Some(0)));
        assert_eq!(looked["files"], checked["checks"][0]["files"]);
    }

    // A pause holds back what is scheduled, not what is asked for.
    let waits = || cli.document(0, &["status"])["accounts"][0]["waiting"].clone();
    cli.document(0, &["account", "pause", "alice.test", "--hours", "2"]);
    assert_eq!(waits()["reason"], "paused");
    assert!(waits()["until"].as_i64() > Some(0));
    assert_eq!(
        cli.document(0, &["backup", "alice.test"])["runs"][0]["end"]["outcome"],
        "completed"
    );
    cli.document(0, &["account", "resume", "--all"]);
    cli.document(0, &["account", "resume", "alice.test"]);
    assert!(waits().is_null());
    assert_eq!(cli.run(&["account", "pause"]).status.code(), Some(2));

    // Looking into a vault, and a report.
    let seen = cli.document(0, &["look", &cli.path("place")]);
    assert_eq!(
        (&seen["opened"]["kind"], &seen["opened"]["known"]),
        (&json!("vault"), &json!(true))
    );
    assert_eq!(seen["opened"]["accounts"][0]["records"], account.records + 1);
    assert_eq!(
        cli.document(1, &["look", &cli.path("nothing-here")])["problem"]["code"],
        "no_backup"
    );
    assert!(
        cli.document(0, &["report"])["report"]
            .as_str()
            .unwrap()
            .contains("alice.test")
    );

    // Plain files, for any other tool; never into a folder that holds something.
    let folder = cli.home().join("export");
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
    let running = cli.serve();
    // The lock is the running engine's, so these are handed over.
    let place = cli.document(0, &["place", "add", "folder", &cli.path("place")]);
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
    cli.add_place();
    let mut state = SEED;
    for round in 0..5 {
        // Knuth's generator: moments that are spread, and the same each time.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let moment = Duration::from_millis((state >> 33) % 1500);
        println!("seed {SEED:#x}, round {round}: killed after {moment:?}");
        let backup = cli.start(&["backup", "--all"]);
        tokio::time::sleep(moment).await;
        backup.killed();
        let checked = cli.document(0, &["check", "--read-all"]);
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
    let checked = cli.document(0, &["check", "--read-all"]);
    assert_eq!(checked["checks"][0]["touched_snapshots"].as_array().unwrap().len(), 0);
}

/// What the verb says to a person whose terminal has this locale, and the problems in the document about the same.
fn asked(cli: &Cli, locale: &str, arguments: &[&str]) -> (String, Value) {
    let output = |arguments: &[&str]| {
        let mut command = cli.command(arguments);
        command
            .env("LC_ALL", locale)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.output().unwrap()
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = output(arguments);
    let document: Value = serde_json::from_slice(&output(&[&["--json"], arguments].concat()).stdout).unwrap();
    let problems = [&document["problem"], &document["accounts"][0]["problems"]];
    let problems = problems.into_iter().find(|problems| !problems.is_null());
    (
        text(&said.stdout) + &text(&said.stderr),
        problems.cloned().unwrap_or_default(),
    )
}

/// Asks in every language: each says its own, and the problems in the document are the same ones.
fn in_every_language(cli: &Cli, arguments: &[&str], expected: [&str; 4]) {
    let locales = ["C", "de_DE.UTF-8", "ja_JP.UTF-8", "pt_BR.UTF-8"];
    let (_, english) = asked(cli, locales[0], arguments);
    assert!(english.to_string().contains("happened"), "{english}");
    for (locale, expected) in locales.into_iter().zip(expected) {
        let (said, document) = asked(cli, locale, arguments);
        assert!(said.contains(expected), "{locale}: {said}");
        assert_eq!(document, english, "{locale}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_in_the_language_of_whoever_asks_and_documents_in_one() {
    const NOT_FOUND: [&str; 4] = [
        "There is no account called bob.test.",
        "Es gibt kein Konto mit dem Namen „bob.test“.",
        "「bob.test」というアカウントはありません。",
        "Não existe nenhuma conta com o nome bob.test.",
    ];
    const AWAY: [&str; 4] = [
        "! place is not connected. Connect the drive",
        "! „place“ ist nicht verbunden. Schließe das Laufwerk",
        "! 「place」が接続されていません。ドライブを接続",
        "! O local place não está conectado. Conecte o disco",
    ];
    let network = Network::start().await.unwrap();
    network
        .seed(network.a(), SeedOptions::new("alice.test", 10))
        .await
        .unwrap();
    let cli = Cli::new(&network);
    cli.add_place();
    cli.document(0, &["account", "add", "alice.test"]);
    cli.document(0, &["backup", "--all"]);
    in_every_language(&cli, &["backup", "bob.test"], NOT_FOUND);

    // What stands is told in the language of now, not in that in which it was found.
    fs::rename(cli.place(), cli.home().join("away")).unwrap();
    let (said, _) = asked(&cli, "de_DE.UTF-8", &["backup", "--all"]);
    assert!(
        said.contains("ausgelassen") && said.contains("Was in „place“ liegt, ist unberührt."),
        "{said}"
    );
    in_every_language(&cli, &["status"], AWAY);

    // By an engine that runs elsewhere, in English.
    let running = cli.serve();
    in_every_language(&cli, &["backup", "bob.test"], NOT_FOUND);
    in_every_language(&cli, &["status"], AWAY);
    let (report, _) = asked(&cli, "ja_JP.UTF-8", &["report"]);
    for part in [
        "Skykeepレポート",
        "未接続 [absent]",
        "[place_missing] 「place」が接続されていません。",
    ] {
        assert!(report.contains(part), "{part:?} is not said: {report}");
    }
    assert_eq!(running.terminated(), Some(0));

    // What a person chose goes before what the terminal says; documents stay what they are.
    let (_, english) = asked(&cli, "C", &["status"]);
    let settings = fs::read_to_string(cli.data().join("settings.toml")).unwrap();
    assert!(!settings.contains("language"), "{settings}");
    let chosen = format!("{settings}\n[window]\nlanguage = \"pt-BR\"\n");
    fs::write(cli.data().join("settings.toml"), chosen).unwrap();
    for _ in 0..2 {
        let (said, document) = asked(&cli, "de_DE.UTF-8", &["status"]);
        assert!(said.contains(AWAY[3]), "{said}");
        assert_eq!(document, english);
    }
}
