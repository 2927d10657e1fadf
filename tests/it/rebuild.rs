//! A new computer and an old drive: `rebuild` takes over what is there, and goes on where it ended.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use skykeep_tests::cli::Cli;
use skykeep_tests::keep::files_below;
use skykeep_tests::network::{Network, SeedOptions, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_computer_goes_on_where_the_old_one_ended() {
    let network = Network::start().await.unwrap();
    let alice = network
        .seed(network.a(), SeedOptions::new("alice.test", 120))
        .await
        .unwrap();
    let bobby = network.a().create_account("bobby.test", None).await.unwrap();
    let session = network.a().sign_in(&alice).await.unwrap();
    network.a().sign_in(&bobby).await.unwrap().post("Me too").await.unwrap();
    let old = Cli::new(&network);
    old.add_place();
    old.document(0, &["account", "add", "alice.test"]);
    old.document(0, &["account", "add", "bobby.test"]);
    old.document(0, &["backup", "--all"]);
    session.post("On the old computer").await.unwrap();
    old.document(0, &["backup", "alice.test"]);
    let known = [snapshots(&old, &alice.did), snapshots(&old, &bobby.did)];
    let export = old.path("export");
    old.document(0, &["export", "alice.test", "--to", &export]);
    let car = fs::read(Path::new(&export).join("repo.car")).unwrap();

    // The old computer is gone, and at this moment host and directory are too: the drive is enough.
    let new = Cli::new(&network);
    fs::rename(old.place(), new.place()).unwrap();
    drop(old);
    network.kill(Server::A).await.unwrap();
    network.kill(Server::Plc).await.unwrap();
    let before = files_below(&new.place());
    let taken = new.document(0, &["vault", "open", &new.path("place")])["accounts"].clone();
    let dids: Vec<&str> = taken
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["did"].as_str().unwrap())
        .collect();
    let mut expected = [alice.did.as_str(), &bobby.did];
    expected.sort_unstable();
    assert_eq!(dids, expected);
    assert_eq!(files_below(&new.place()), before, "nothing of it is changed");
    assert_eq!([snapshots(&new, &alice.did), snapshots(&new, &bobby.did)], known);
    let export = new.path("export");
    let exported = new.document(0, &["export", "alice.test", "--to", &export])["exported"].clone();
    assert_eq!(
        (&exported["records"], &exported["missing"]),
        (&json!(alice.records + 1), &json!([]))
    );
    assert_eq!(fs::read(Path::new(&export).join("repo.car")).unwrap(), car);
    let places = new.document(0, &["place", "list"])["places"].clone();
    assert_eq!(
        (&places[0]["state"], places.as_array().unwrap().len()),
        (&json!("ready"), 1)
    );

    // The next backup is one more increment, and no first one.
    network.start_again(Server::Plc).await.unwrap();
    network.start_again(Server::A).await.unwrap();
    session.post("On the new computer").await.unwrap();
    let ended = new.document(0, &["backup", "--all"])["runs"].clone();
    let end = |did: &str| {
        let runs = ended.as_array().unwrap();
        runs.iter().find(|run| run["account"] == did).unwrap()["end"].clone()
    };
    assert_eq!(end(&alice.did), json!({ "outcome": "completed", "changed": true }));
    assert_eq!(end(&bobby.did)["outcome"], "completed");
    let of_alice = |names: &[String]| -> Vec<String> {
        let account = alice.did.replace(':', "_");
        let cars = names
            .iter()
            .filter(|name| name.contains(&account) && name.contains("/repo/"));
        cars.cloned().collect()
    };
    let after = files_below(&new.place());
    assert!(before.iter().all(|name| after.contains(name)), "something is gone");
    let (base, increments) = (of_alice(&before), of_alice(&after));
    assert_eq!(increments.len(), base.len() + 1);
    let added = increments.iter().find(|name| !base.contains(name)).unwrap();
    let size = |name: &String| fs::metadata(new.place().join(name)).unwrap().len();
    let largest = base.iter().map(size).max().unwrap();
    assert!(
        size(added) * 4 < largest,
        "{} is no increment beside {largest}",
        size(added)
    );

    let listed = snapshots(&new, &alice.did);
    assert_eq!(listed[0]["records"], alice.records + 2);
    assert_eq!(listed[0]["places"].as_array().unwrap().len(), 1);
    let ids = |list: &Value| -> Vec<Value> { list.as_array().unwrap().iter().map(|s| s["id"].clone()).collect() };
    assert!(
        ids(&listed).ends_with(&ids(&known[0])),
        "what was known is still listed, in its order"
    );
    let checked = new.document(0, &["check", "--read-all"])["checks"][0].clone();
    assert_eq!(
        (&checked["damaged"], &checked["touched_snapshots"]),
        (&json!([]), &json!([]))
    );

    // What is no vault is not taken for one, and stays as it is.
    fs::create_dir(new.home().join("holiday")).unwrap();
    fs::write(new.home().join("holiday/beach.jpeg"), b"sand").unwrap();
    for name in ["holiday", "nowhere"] {
        let problem = new.document(1, &["rebuild", "--from", &new.path(name)])["problem"].clone();
        assert!(problem["code"].as_str().unwrap().starts_with("place_"), "{problem}");
        assert!(problem["happened"].as_str().unwrap().contains(name), "{problem}");
    }
    assert_eq!(files_below(&new.home().join("holiday")), ["beach.jpeg"]);
    assert!(!new.home().join("nowhere").exists());
}

/// What the list says. Every snapshot in it is in the one place.
fn snapshots(cli: &Cli, did: &str) -> Value {
    let listed = cli.document(0, &["snapshots", did])["snapshots"].clone();
    let in_one = |snapshot: &Value| snapshot["places"].as_array().unwrap().len() == 1;
    assert!(listed.as_array().unwrap().iter().all(in_one), "{listed}");
    listed
}
