//! Leaving with nothing but an export: what Skykeep wrote is taken in by another host, and everything is there again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use skykeep_tests::cli::Cli;
use skykeep_tests::network::{Account, Network, Pds, SeedOptions, Session};

#[tokio::test(flavor = "multi_thread")]
async fn an_export_becomes_the_same_account_on_another_host() {
    let network = Network::start().await.unwrap();
    let mut options = SeedOptions::new("alice.test", 150);
    options.large_blob = 3_000_000;
    let account = network.seed(network.a(), options).await.unwrap();
    let old = network.a().sign_in(&account).await.unwrap();
    let cli = Cli::new(&network);
    cli.add_place();
    cli.document(0, &["account", "add", &account.handle]);
    cli.document(0, &["backup", "--all"]);
    let export = cli.home().join("export");
    let to = export.to_str().unwrap();
    let exported = cli.document(0, &["export", &account.handle, "--to", to])["exported"].clone();
    assert_eq!(exported["missing"], json!([]));
    readme_is_true(&cli, &account, &export, &exported);

    // B takes exactly these files; its own tools are all that touches them.
    let new = network
        .b()
        .take_in(&account, &word_for(&network, &old).await)
        .await
        .unwrap();
    new.import_repo(fs::read(export.join("repo.car")).unwrap())
        .await
        .unwrap();
    upload_missing(&new, &export).await;
    let status = new.query("com.atproto.server.checkAccountStatus", &[]).await.unwrap();
    assert_eq!(status["indexedRecords"], account.records);
    assert_eq!(status["expectedBlobs"], account.blobs.len());
    assert_eq!(status["importedBlobs"], account.blobs.len());
    assert_eq!(status["activated"], false);
    move_identity(&network, &account, &old, &new).await;
    new.activate().await.unwrap();

    // Record by record and picture by picture, as both hosts tell it to anybody.
    let (there, here) = (
        records(network.a(), &account).await,
        records(network.b(), &account).await,
    );
    assert_eq!(there.len() as u64, account.records);
    assert_eq!(here, there);
    let (there, here) = (blobs(network.a(), &account).await, blobs(network.b(), &account).await);
    assert_eq!(there.len(), account.blobs.len());
    assert!(here == there, "the same pictures, byte by byte");

    // Skykeep follows: the same posts at another host are nothing new, and a post from there is.
    cli.document(0, &["backup", "--all"]);
    new.post("From my new home").await.unwrap();
    let ended = cli.document(0, &["backup", "--all"])["runs"][0]["end"].clone();
    assert_eq!(ended, json!({ "outcome": "completed", "changed": true }));
    let shown = cli.document(0, &["status"])["accounts"][0].clone();
    assert_eq!(shown["kept"]["records"], account.records + 1);
    let snapshots = cli.document(0, &["snapshots", &account.did])["snapshots"].clone();
    assert_eq!(snapshots[0]["signature"], "current");
    let args = [
        "compare",
        &account.did,
        exported["snapshot"].as_str().unwrap(),
        snapshots[0]["id"].as_str().unwrap(),
    ];
    let compared = cli.document(0, &args)["comparison"].clone();
    assert_eq!(compared["added"].as_array().unwrap().len(), 1);
    assert_eq!((&compared["removed"], &compared["changed"]), (&json!([]), &json!([])));
}

/// Every sentence of the export's README, checked with what lies beside it.
fn readme_is_true(cli: &Cli, account: &Account, export: &Path, exported: &Value) {
    let readme = fs::read_to_string(export.join("README.txt")).unwrap();
    let says = |part: &str| assert!(readme.contains(part), "{part:?} is not said:\n{readme}");
    assert!(!readme.contains('{'), "{readme}");
    let mut named: Vec<String> = fs::read_dir(export)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    named.sort();
    assert_eq!(named, ["README.txt", "blobs", "did.json", "plc-log.json", "repo.car"]);
    named.retain(|name| name != "README.txt");
    named.iter().for_each(|name| says(name));

    let car = export.join("repo.car");
    let seen = cli.document(0, &["inspect", "car", car.to_str().unwrap(), "--did", &account.did]);
    assert_eq!(seen["problems"], json!([]), "nothing superfluous in it");
    let log = cli.document(
        0,
        &[
            "inspect",
            "plc-log",
            export.join("plc-log.json").to_str().unwrap(),
            "--did",
            &account.did,
        ],
    );
    let key = log["current"]["signing_key"].as_str().unwrap();
    let proved = cli.document(0, &["inspect", "car", car.to_str().unwrap(), "--signing-key", key]);
    assert_eq!(proved["signature"], "valid");
    let document: Value = serde_json::from_slice(&fs::read(export.join("did.json")).unwrap()).unwrap();
    assert_eq!(document["id"], account.did);

    says(&account.handle);
    says(&account.did);
    says(seen["rev"].as_str().unwrap());
    says(seen["root"].as_str().unwrap());
    says(key);
    says(&format!("({})", seen["records"]));
    says(&format!("({})", account.blobs.len()));
    says("not in this copy: 0");
    assert_eq!(exported["blobs"], account.blobs.len());
    for blob in &account.blobs {
        assert_eq!(
            fs::metadata(export.join("blobs").join(&blob.cid)).unwrap().len(),
            blob.size
        );
    }
    assert_eq!(fs::read_dir(export.join("blobs")).unwrap().count(), account.blobs.len());
}

/// What A signs for the owner, so that B takes the account in.
async fn word_for(network: &Network, old: &Session) -> String {
    let server = network
        .b()
        .query("com.atproto.server.describeServer", &[])
        .await
        .unwrap();
    let parameters = [
        ("aud", server["did"].as_str().unwrap()),
        ("lxm", "com.atproto.server.createAccount"),
    ];
    let answer = old
        .query("com.atproto.server.getServiceAuth", &parameters)
        .await
        .unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

/// Gives the host what it says that it lacks, from the folder, until it lacks nothing.
async fn upload_missing(new: &Session, export: &Path) {
    loop {
        let answer = new.query("com.atproto.repo.listMissingBlobs", &[]).await.unwrap();
        let missing = answer["blobs"].as_array().unwrap().clone();
        if missing.is_empty() {
            return;
        }
        for blob in missing {
            let cid = blob["cid"].as_str().unwrap();
            let bytes = fs::read(export.join("blobs").join(cid)).unwrap();
            let uploaded = new.upload_blob(bytes, "application/octet-stream").await.unwrap();
            assert_eq!(uploaded["ref"]["$link"], cid);
        }
    }
}

/// Makes the identity name B, signed by A for its owner.
async fn move_identity(network: &Network, account: &Account, old: &Session, new: &Session) {
    let wanted = new
        .query("com.atproto.identity.getRecommendedDidCredentials", &[])
        .await
        .unwrap();
    let body = json!({ "operation": network.sign_operation(account, old, wanted).await.unwrap() });
    new.procedure("com.atproto.identity.submitPlcOperation", &body)
        .await
        .unwrap();
}

/// Address and CID of every record that a host lists.
async fn records(pds: &Pds, account: &Account) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let repo = account.did.as_str();
    let described = pds
        .query("com.atproto.repo.describeRepo", &[("repo", repo)])
        .await
        .unwrap();
    for collection in described["collections"].as_array().unwrap() {
        let mut cursor = String::new();
        loop {
            let mut parameters = vec![
                ("repo", repo),
                ("collection", collection.as_str().unwrap()),
                ("limit", "100"),
            ];
            if !cursor.is_empty() {
                parameters.push(("cursor", &cursor));
            }
            let page = pds.query("com.atproto.repo.listRecords", &parameters).await.unwrap();
            for record in page["records"].as_array().unwrap() {
                let text = |name: &str| record[name].as_str().unwrap().to_owned();
                all.insert(text("uri"), text("cid"));
            }
            match page["cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
    }
    all
}

/// Every blob that a host lists, with its bytes.
async fn blobs(pds: &Pds, account: &Account) -> BTreeMap<String, Vec<u8>> {
    let did = ("did", account.did.as_str());
    let listed = pds
        .query("com.atproto.sync.listBlobs", &[did, ("limit", "1000")])
        .await
        .unwrap();
    let mut all = BTreeMap::new();
    for cid in listed["cids"].as_array().unwrap() {
        let cid = cid.as_str().unwrap();
        let bytes = pds
            .download("com.atproto.sync.getBlob", &[did, ("cid", cid)])
            .await
            .unwrap();
        all.insert(cid.to_owned(), bytes);
    }
    all
}
