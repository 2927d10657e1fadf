//! Finding out who is meant, when it does not go as hoped: in words for people, as a document for programs.

use serde_json::{Value, json};
use skykeep_tests::cli::Cli;
use skykeep_tests::network::{Account, Network, Server};

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_found_is_told_and_a_number_still_works() {
    let network = Network::start().await.unwrap();
    let alice = network.a().create_account("alice.test", None).await.unwrap();
    let bobby = network.a().create_account("bobby.test", None).await.unwrap();
    let session = network.a().sign_in(&alice).await.unwrap();
    session.post("Before it went dark").await.unwrap();
    let cli = Cli::new(&network);
    cli.add_place();

    // Nobody has it.
    refused(&cli, "nobody.test", "handle_not_found", &["nobody.test", "did:"]);
    // It points to an account that calls itself something else.
    rename(&network, &bobby, "mallory.test").await;
    refused(&cli, "bobby.test", "handle_mismatch", &["bobby.test", "did:"]);
    // What its owner says is not believed either, when that name leads nowhere; the number is enough.
    let added = cli.document(0, &["account", "add", &bobby.did])["account"].clone();
    assert_eq!((&added["did"], &added["handle"]), (&json!(bobby.did), &Value::Null));
    cli.document(0, &["account", "remove", &bobby.did]);

    // The host is gone, and the handle with it.
    network.kill(Server::A).await.unwrap();
    refused(
        &cli,
        "@alice.test",
        "handle_unreachable",
        &["alice.test", "host is gone", "did:", "address"],
    );
    for name in [
        &alice.did,
        &format!("https://bsky.app/profile/{}/post/3jzfcijpj2z2a", alice.did),
    ] {
        let added = cli.document(0, &["account", "add", name])["account"].clone();
        assert_eq!(
            (&added["did"], &added["kept"]["state"]),
            (&json!(alice.did), &json!("nothing"))
        );
    }
    let ended = cli.document(1, &["backup", &alice.did])["runs"][0]["end"].clone();
    assert_eq!(ended["problem"]["code"], "host_unreachable");
    let said = cli.words(0, &["status"]);
    for part in [&alice.did, "does not answer", "has not answered since 20"] {
        assert!(said.contains(part), "{part:?} is not said: {said}");
    }

    // Back again: it is kept, and known by its name.
    network.start_again(Server::A).await.unwrap();
    let ended = cli.document(0, &["backup", &alice.did])["runs"][0]["end"].clone();
    assert_eq!(ended["outcome"], "completed");
    let shown = cli.document(0, &["status"])["accounts"][0].clone();
    assert_eq!(
        (&shown["handle"], &shown["problems"]),
        (&json!("alice.test"), &json!([]))
    );
    assert_eq!(shown["kept"]["records"], 1);
}

/// Nothing is added, and both faces of the answer say why.
fn refused(cli: &Cli, name: &str, code: &str, says: &[&str]) {
    let problem = cli.document(1, &["account", "add", name])["problem"].clone();
    assert_eq!(problem["code"], code, "{problem}");
    let actions = problem["actions"].as_array().unwrap();
    assert!(actions.contains(&json!("enter_did")), "{problem}");
    let said = cli.words(1, &["account", "add", name]);
    for part in says {
        assert!(said.contains(part), "{part:?} is not said: {said}");
    }
    for field in ["happened", "means", "todo"] {
        assert!(said.contains(problem[field].as_str().unwrap()), "{said}");
    }
    assert_eq!(cli.document(0, &["account", "list"])["accounts"], json!([]));
}

/// Makes the identity claim another name, as its owner may, while the host goes on answering for the old one.
async fn rename(network: &Network, account: &Account, handle: &str) {
    let session = network.a().sign_in(account).await.unwrap();
    let change = json!({ "alsoKnownAs": [format!("at://{handle}")] });
    let operation = network.sign_operation(account, &session, change).await.unwrap();
    network.submit_operation(&account.did, &operation).await.unwrap();
}
