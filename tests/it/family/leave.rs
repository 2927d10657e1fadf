//! Going one's own way: nothing of anybody is deleted, and nobody else notices.

use std::fs;

use serde_json::{Value, json};
use skykeep_tests::cli::Cli;
use skykeep_tests::keep::files_below;
use skykeep_tests::network::Network;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_leaves_a_place_returns_and_is_taken_along() {
    let network = Network::start().await.unwrap();
    let accounts = network.seed_family(network.a(), 40).await.unwrap();
    let session = network.a().sign_in(&accounts[0]).await.unwrap();
    let cli = Cli::new(&network);
    for handle in ["alice.test", "bob.test"] {
        cli.document(0, &["account", "add", handle]);
    }
    cli.document(0, &["place", "add", "folder", &cli.path("drive"), "--name", "Drive"]);
    cli.document(0, &["backup", "--all"]);

    // The only place that has everything is not left by mistake.
    let leave = ["account", "leave", "alice.test", "Drive"];
    assert_eq!(cli.document(1, &leave)["problem"]["code"], "only_there");
    cli.document(0, &["place", "add", "folder", &cli.path("home"), "--name", "Home"]);
    assert_eq!(
        cli.document(1, &leave)["problem"]["code"],
        "only_there",
        "nothing is at home yet"
    );
    cli.document(0, &["backup", "--all"]);
    cli.document(0, &leave);
    cli.document(0, &leave);

    // What is new goes home alone; bob goes to both; what alice has on the drive stays as it is.
    let drive = cli.home().join("drive");
    let before = files_below(&drive);
    session.post("After leaving").await.unwrap();
    let ends = cli.document(0, &["backup", "--all"])["runs"].clone();
    assert_eq!(ends[0]["end"], json!({ "outcome": "completed", "changed": true }));
    assert_eq!(files_below(&drive), before);
    let places = || {
        let places = cli.document(0, &["place", "list"])["places"].clone();
        [0, 1].map(|n| (places[n]["behind"].clone(), places[n]["accounts"].clone()))
    };
    let both = (json!(0), json!(2));
    assert_eq!(
        places(),
        [(json!(0), json!(1)), both.clone()],
        "the drive is not behind with it"
    );
    let member = |handle: &str| {
        let family = cli.document(0, &["family", "Drive"])["families"][0].clone();
        let members = family["members"].as_array().unwrap().clone();
        members.into_iter().find(|member| member["handle"] == handle).unwrap()
    };
    assert_eq!(
        [&member("alice.test")["left"], &member("bob.test")["left"]],
        [true, false]
    );

    // Taken along: all that the drive has of her, and nothing of his; twice is once, and a place is not its own copy.
    let took = |code: i32, to: &str| {
        let args = ["account", "take-along", "@alice.test", "Drive", "--to", &cli.path(to)];
        cli.document(code, &args)
    };
    let taken = took(0, "along")["taken_along"].clone();
    assert_eq!(
        (&taken["left_behind"], taken["snapshots"].as_u64() > Some(0)),
        (&json!(0), true)
    );
    let folder = member("alice.test")["folder"].as_str().unwrap().to_owned();
    let along = cli.home().join("along/accounts");
    let listed = |at: &std::path::Path| -> Vec<String> { files_below(&at.join(&folder)) };
    assert_eq!(listed(&along), listed(&drive.join("accounts")));
    assert_eq!(fs::read_dir(&along).unwrap().count(), 1);
    assert_eq!(took(0, "along")["taken_along"], taken);
    assert_eq!(took(1, "drive")["problem"]["code"], "place_known");
    let nobody = ["account", "take-along", "zoe.test", "Drive", "--to", &cli.path("zoe")];
    assert_eq!(cli.document(1, &nobody)["problem"]["code"], "not_found");
    // What was taken along is opened elsewhere, without anything of before.
    let other = Cli::new(&network);
    let opened = other.document(0, &["look", cli.home().join("along").to_str().unwrap()])["opened"].clone();
    assert_eq!(
        (&opened["accounts"][0]["did"], &opened["problems"]),
        (&json!(accounts[0].did), &json!([]))
    );

    // Back again: the drive catches up, and is sound.
    cli.document(0, &["account", "return", "alice.test", "Drive"]);
    cli.document(0, &["backup", "--all"]);
    assert_eq!(places(), [both.clone(), both]);
    for check in cli.document(0, &["check"])["checks"].as_array().unwrap() {
        assert_eq!(
            (&check["damaged"], &check["touched_snapshots"]),
            (&json!([]), &json!([])),
            "{check}"
        );
    }
    // Whoever is sure may leave every place: what is new then waits here.
    for place in ["Drive", "Home"] {
        cli.document(0, &["account", "leave", "alice.test", place, "--sure"]);
    }
    let status: Value = cli.document(0, &["status"])["accounts"][0].clone();
    assert_eq!(status["waiting"]["reason"], "place");
    // A place that was left still gives: what has left this computer comes from there to a new place.
    cli.document(0, &["place", "add", "folder", &cli.path("third"), "--name", "Third"]);
    cli.document(0, &["backup", "alice.test"]);
    let third = cli.document(0, &["place", "list"])["places"][2].clone();
    let bobs = cli.document(0, &["snapshots", "bob.test"])["snapshots"].clone();
    assert_eq!(
        third["behind"],
        json!(bobs.as_array().unwrap().len()),
        "bob alone is to come"
    );
}
