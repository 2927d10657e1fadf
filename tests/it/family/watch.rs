//! Who shares a place is looked after by the others' computers too.

use std::fs;

use serde_json::{Value, json};
use skykeep_tests::cli::Cli;
use skykeep_tests::network::Network;

use super::page::member;

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_an_identity_is_seen_by_everyone_on_its_place() {
    let network = Network::start().await.unwrap();
    let accounts = network.seed_family(network.a(), 60).await.unwrap();
    let bob = &accounts[1];
    let session = network.a().sign_in(bob).await.unwrap();
    let shared = tempfile::tempdir().unwrap();
    let folder = shared.path().to_str().unwrap();
    let computer = |handle: &str| {
        let cli = Cli::new(&network);
        cli.document(0, &["account", "add", handle]);
        cli.document(0, &["place", "add", "folder", folder, "--name", "Family drive"]);
        cli
    };
    let (his, hers, other) = (computer("bob.test"), computer("alice.test"), computer("alice.test"));
    let unwilling = computer("alice.test");
    his.document(0, &["backup", "bob.test"]);
    let settings = unwilling.data().join("settings.toml");
    let mut text = fs::read_to_string(&settings).unwrap();
    text.push_str("\n[family]\nwatch = false\n");
    fs::write(&settings, text).unwrap();

    let seen = |cli: &Cli, more: &[&str]| {
        let family = cli.document(0, &[&["family", "Family drive"], more].concat())["families"][0].clone();
        member(&family, "bob.test").clone()
    };
    let whats = |member: &Value| {
        let findings = member["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|finding| finding["what"].clone())
            .collect::<Vec<_>>()
    };
    // Nobody is asked about before somebody wants to know, and what is as it was backed up is no news.
    assert_eq!(seen(&hers, &[])["watched"], Value::Null);
    let bob_now = seen(&hers, &["--anew"]);
    assert!(bob_now["watched"].is_i64(), "{bob_now}");
    assert_eq!(whats(&bob_now), [""; 0]);
    assert_eq!(seen(&his, &["--anew"])["watched"], Value::Null, "his own runs do that");

    // While his computer sleeps, somebody moves his account to another host and takes the keys.
    let first = network.audit_log(&bob.did).await.unwrap()[0]["operation"].clone();
    let mut keys = first["rotationKeys"].as_array().unwrap().clone();
    keys.push(first["verificationMethods"]["atproto"].clone());
    let service = json!({ "type": "AtprotoPersonalDataServer", "endpoint": "https://harvest.example" });
    let change = json!({ "rotationKeys": keys, "services": { "atproto_pds": service } });
    let operation = network.sign_operation(bob, &session, change).await.unwrap();
    network.submit_operation(&bob.did, &operation).await.unwrap();

    // Asked ten minutes ago: not again. A computer that never asked compares with what lies in his own backups.
    assert_eq!(whats(&seen(&hers, &["--anew"])), [""; 0]);
    let bob_now = seen(&other, &["--anew"]);
    assert_eq!(whats(&bob_now), ["host", "recovery_keys"]);
    assert_eq!(bob_now["findings"][0]["now"], "https://harvest.example");
    assert_eq!(
        seen(&other, &[])["findings"],
        bob_now["findings"],
        "and that is remembered"
    );
    let words = other.words(0, &["family"]);
    for said in [
        "moved to another host, https://harvest.example",
        "keys that may change this identity were changed",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
    let bob_now = seen(&unwilling, &["--anew"]);
    assert_eq!((&bob_now["watched"], whats(&bob_now)), (&Value::Null, vec![]));

    // The directory does not answer: what was seen stands, and nothing is made up.
    let before = seen(&other, &[])["watched"].clone();
    network.kill(skykeep_tests::network::Server::Plc).await.unwrap();
    let silent = seen(&hers, &["--anew"]);
    assert_eq!(whats(&silent), [""; 0]);
    let bob_now = seen(&other, &["--anew"]);
    assert_eq!((whats(&bob_now).len(), &bob_now["watched"]), (2, &before));
}
