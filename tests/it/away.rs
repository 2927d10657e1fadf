//! A place is away while somebody reads: what is only there is named with the place, and not taken for lost.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use skykeep_tests::cli::Cli;
use skykeep_tests::keep::files_below;
use skykeep_tests::network::{Network, SeedOptions, Server};

/// What a problem says: its code, the place that it names, and how much is there.
fn named(problem: &Value) -> (&Value, &Value, &Value) {
    let values = &problem["values"];
    (&problem["code"], &values["place"], &values["count"])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_in_a_place_that_is_away_is_said_by_its_name() {
    let network = Network::start().await.unwrap();
    network
        .seed(network.a(), SeedOptions::new("alice.test", 60))
        .await
        .unwrap();
    let cli = Cli::new(&network);
    cli.document(0, &["account", "add", "alice.test"]);
    let drive = PathBuf::from(cli.path("drive"));
    let pulled = PathBuf::from(cli.path("pulled"));
    let folder = drive.display().to_string();
    cli.document(0, &["place", "add", "folder", &folder, "--name", "Drive"]);
    cli.document(0, &["backup", "alice.test"]);
    let out = cli.path("whole");
    let whole = cli.document(0, &["export", "alice.test", "--to", &out])["exported"].clone();
    assert_eq!(
        (&whole["missing"], &whole["problems"]),
        (&json!([]), &json!([])),
        "{whole}"
    );
    let blobs = whole["blobs"].as_u64().unwrap();
    assert!(blobs > 0);

    // Posts are on this computer still; pictures are on the drive alone.
    fs::rename(&drive, &pulled).unwrap();
    let out = cli.path("while it is away");
    let poor = cli.document(1, &["export", "alice.test", "--to", &out])["exported"].clone();
    assert_eq!(
        (&poor["records"], &poor["blobs"]),
        (&whole["records"], &json!(0)),
        "{poor}"
    );
    let expected = (json!("media_away"), json!("Drive"), json!(blobs));
    assert_eq!(
        named(&poor["problems"][0]),
        (&expected.0, &expected.1, &expected.2),
        "{poor}"
    );
    let words = cli.run(&["export", "alice.test", "--to", &cli.path("in words")]);
    let said = String::from_utf8(words.stderr).unwrap();
    assert!(said.contains("Drive cannot be reached now."), "{said}");
    fs::rename(&pulled, &drive).unwrap();

    // A second place, and something is damaged there while the drive is away and the host is gone.
    cli.add_place();
    cli.document(0, &["backup", "alice.test"]);
    let damaged = files_below(&cli.place()).into_iter();
    let blob = damaged
        .map(|file| cli.place().join(file))
        .find(|file| file.to_string_lossy().contains("/blobs/"));
    let blob = blob.unwrap();
    let good = fs::read(&blob).unwrap();
    fs::write(&blob, b"rot").unwrap();
    fs::rename(&drive, &pulled).unwrap();
    network.kill(Server::A).await.unwrap();
    let place = cli.place().display().to_string();
    let check = cli.document(1, &["check", &place, "--read-all"])["checks"][0].clone();
    assert_eq!(check["damaged"].as_array().map(Vec::len), Some(1), "{check}");
    let expected = (json!("mend_away"), json!("Drive"), json!(1));
    assert_eq!(
        named(&check["problems"][0]),
        (&expected.0, &expected.1, &expected.2),
        "{check}"
    );

    // It is back: everything is mended from it, and nobody is named.
    fs::rename(&pulled, &drive).unwrap();
    let check = cli.document(0, &["heal", &place])["checks"][0].clone();
    assert_eq!(
        (&check["damaged"], &check["problems"]),
        (&json!([]), &json!([])),
        "{check}"
    );
    assert!(fs::read(&blob).unwrap() == good);
}
