//! `skykeep import`: what other tools have saved is proved like everything else, kept, and shown as what it is.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use skykeep_atproto::{Curve, Did, SigningKey, Tid};
use skykeep_tests::cli::Cli;
use skykeep_tests::keep::files_below;
use skykeep_tests::network::{Account, Network, SeedOptions, Server, Session};
use skykeep_tests::repo_maker::{Order, Repo};

/// An account as its host served it: what every tool starts from.
struct Saved {
    did: String,
    car: Vec<u8>,
    /// An older state of the same repository.
    earlier: Vec<u8>,
    /// CID and bytes.
    blobs: Vec<(String, Vec<u8>)>,
    records: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_tools_have_saved_is_kept() {
    let network = Network::start().await.unwrap();
    let (account, saved) = saved(&network).await;
    let history = network.audit_log(&account.did).await.unwrap();

    // The host is gone from here on: an import does not ask it.
    network.kill(Server::A).await.unwrap();
    imports(&network, &saved, "bluesky", |folder| {
        // The app's own export: the repository, and nothing else.
        put(folder, "repo.car", &saved.car);
        0
    });
    imports(&network, &saved, "goat", |folder| {
        put(folder, "alice.test.20261122090000.car", &saved.car);
        blobs(folder, "alice.test_blobs", "", &saved);
        saved.blobs.len()
    });
    imports(&network, &saved, "pds-moover", |folder| {
        put(folder, &format!("{}.car", saved.did), &saved.car);
        blobs(folder, &format!("{}_blobs", saved.did), "", &saved);
        saved.blobs.len()
    });
    imports(&network, &saved, "bsky.storage", |folder| {
        // A gateway's downloads: everything side by side, with whatever ending the browser gave it.
        put(
            folder,
            "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy.car",
            &saved.car,
        );
        blobs(folder, ".", ".jpeg", &saved);
        saved.blobs.len()
    });
    at_backup(&network, &saved);
    ours(&network, &saved, &history).await;
}

/// ATBackup: a folder a day, pictures ending in `.blob`, and a JSON file beside everything.
fn at_backup(network: &Network, saved: &Saved) {
    let cli = Cli::new(network);
    cli.add_place();
    let folder = cli.home().join("ATBackup").join(saved.did.replace(':', "-"));
    for (day, car) in [("2026-11-20_backup", &saved.earlier), ("2026-11-21_backup", &saved.car)] {
        put(&folder, &format!("{day}/repo.car"), car);
        put(
            &folder,
            &format!("{day}/metadata.json"),
            br#"{"backupType":"full_repo","blobCount":1}"#,
        );
        for (cid, bytes) in &saved.blobs {
            put(&folder, &format!("{day}/blobs/{cid}.blob"), bytes);
            put(
                &folder,
                &format!("{day}/blobs/{cid}.json"),
                json!({ "cid": cid }).to_string().as_bytes(),
            );
        }
    }
    let imported = cli.document(0, &["import", &saved.did, folder.to_str().unwrap()])["imported"].clone();
    let of = |n: usize| &imported["snapshots"][n];
    assert_eq!(imported["snapshots"].as_array().unwrap().len(), 2);
    // Oldest first, whatever the folders are called; the listing has the newest first.
    assert!(of(0)["file"].as_str().unwrap().contains("2026-11-20"));
    assert_eq!(
        (&of(0)["records"], &of(1)["records"]),
        (&json!(saved.records - 3), &json!(saved.records))
    );
    let listed = cli.document(0, &["snapshots", &saved.did])["snapshots"].clone();
    assert_eq!((&listed[0]["id"], &listed[1]["id"]), (&of(1)["id"], &of(0)["id"]));
    let args = [
        "compare",
        &saved.did,
        of(0)["id"].as_str().unwrap(),
        of(1)["id"].as_str().unwrap(),
    ];
    let compared = cli.document(0, &args)["comparison"].clone();
    assert_eq!(compared["added"].as_array().unwrap().len(), 3);
    sound(&cli);
}

/// Our own export; with it, not even the directory needs to be there.
async fn ours(network: &Network, saved: &Saved, history: &Value) {
    let cli = Cli::new(network);
    cli.add_place();
    let folder = cli.home().join("elsewhere");
    put(&folder, "repo.car", &saved.car);
    blobs(&folder, "blobs", "", saved);
    cli.document(0, &["import", &saved.did, folder.to_str().unwrap()]);
    let export = cli.path("export");
    cli.document(0, &["export", &saved.did, "--to", &export]);

    network.kill(Server::Plc).await.unwrap();
    // Without the log nobody can say whose keys these are.
    let other = Cli::new(network);
    other.add_place();
    let refused = other.document(1, &["import", &saved.did, folder.to_str().unwrap()])["problem"].clone();
    assert_eq!(refused["code"], "host_unreachable", "{refused}");
    assert_eq!(other.document(0, &["account", "list"])["accounts"], json!([]));

    let with_log = |log: Vec<u8>, code: i32| {
        let log_folder = other.home().join(format!("with-log-{code}"));
        fs::create_dir(&log_folder).unwrap();
        put(&log_folder, "plc-log.json", &log);
        other.document(
            code,
            &[
                "import",
                &saved.did,
                folder.to_str().unwrap(),
                log_folder.to_str().unwrap(),
            ],
        )
    };
    // A log that somebody touched is worth nothing.
    let touched = history.to_string().replace("alice.test", "mallory.test");
    assert_ne!(touched, history.to_string());
    with_log(touched.into_bytes(), 1);
    let imported = with_log(fs::read(Path::new(&export).join("plc-log.json")).unwrap(), 0)["imported"].clone();
    assert_eq!(imported["snapshots"][0]["signature"], "current");
    // And the export as a whole, on a third computer.
    let third = Cli::new(network);
    third.add_place();
    let imported = third.document(0, &["import", &saved.did, &export])["imported"].clone();
    kept(&third, saved, &imported, saved.blobs.len());
    network.start_again(Server::Plc).await.unwrap();
}

/// Lays a backup out, imports it on a computer of its own, and looks at what is kept.
fn imports(network: &Network, saved: &Saved, tool: &str, lay_out: impl Fn(&Path) -> usize) {
    println!("a backup by {tool}");
    let cli = Cli::new(network);
    cli.add_place();
    let folder = cli.home().join(tool);
    let media = lay_out(&folder);
    let imported = cli.document(0, &["import", &saved.did, folder.to_str().unwrap()])["imported"].clone();
    kept(&cli, saved, &imported, media);
    // Twice is once.
    let again = cli.document(0, &["import", &saved.did, folder.to_str().unwrap()])["imported"].clone();
    assert_eq!(again, imported);
    kept(&cli, saved, &again, media);
}

fn kept(cli: &Cli, saved: &Saved, imported: &Value, media: usize) {
    assert_eq!(imported["did"], saved.did);
    let snapshot = &imported["snapshots"][0];
    assert_eq!(snapshot["records"], saved.records);
    assert_eq!(snapshot["media"], media);
    assert_eq!(snapshot["signature"], "current");
    let missing = snapshot["missing"].as_array().unwrap();
    assert_eq!(missing.len(), saved.blobs.len() - media);
    for (cid, _) in saved.blobs.iter().filter(|_| media == 0) {
        assert!(missing.contains(&json!(cid)), "{cid} is not named");
    }

    // Whose it is says the backup itself, as long as its host has not answered.
    let account = cli.document(0, &["account", "list"])["accounts"][0].clone();
    assert_eq!(
        (&account["handle"], &account["from_backup"]),
        (&json!("alice.test"), &json!(true))
    );
    assert!(account["display_name"].as_str().is_some_and(|name| !name.is_empty()));
    let picture = account["avatar"].as_str().unwrap_or_default();
    assert_eq!(picture.starts_with("data:image/"), media > 0, "{picture:.40}");

    let listed = cli.document(0, &["snapshots", &saved.did])["snapshots"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let shown = &listed[0];
    assert_eq!((&shown["id"], &shown["imported"]), (&snapshot["id"], &json!(true)));
    assert_eq!(account["kept"]["last_checked"], json!(null), "no host was asked");
    let rev: Tid = shown["rev"].as_str().unwrap().parse().unwrap();
    // Manifests tell whole seconds.
    let taken = shown["taken"].as_u64().unwrap();
    assert_eq!(taken / 1000, rev.micros() / 1_000_000, "dated by its rev");
    assert_eq!(shown["places"].as_array().unwrap().len(), 1);
    let named: Vec<&Value> = shown["media_missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["cid"])
        .collect();
    assert_eq!(named.len(), saved.blobs.len() - media);
    assert!(
        shown["media_missing"]
            .as_array()
            .unwrap()
            .iter()
            .all(|m| m["record"].as_str().unwrap().contains('/'))
    );
    sound(cli);

    let folder = cli.path("again");
    let exported = cli.document(i32::from(media == 0), &["export", &saved.did, "--to", &folder])["exported"].clone();
    assert_eq!(
        (&exported["records"], &exported["blobs"]),
        (&json!(saved.records), &json!(media))
    );
    for (cid, bytes) in saved.blobs.iter().filter(|_| media > 0) {
        assert_eq!(fs::read(Path::new(&folder).join("blobs").join(cid)).unwrap(), *bytes);
    }
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_accounts_is_refused_and_nothing_changes() {
    let network = Network::start().await.unwrap();
    let (account, saved) = saved(&network).await;
    let other = network.a().create_account("bobby.test", None).await.unwrap();
    let cli = Cli::new(&network);
    cli.add_place();
    let before = files_below(&cli.place());
    let refuse = |name: &str, bytes: &[u8], code: &str, says: &[&str]| {
        let folder = cli.home().join("given");
        put(&folder, name, bytes);
        let path = folder.join(name);
        let problem = cli.document(1, &["import", &saved.did, path.to_str().unwrap()])["problem"].clone();
        assert_eq!(problem["code"], code, "{problem}");
        let words = format!("{} {} {}", problem["happened"], problem["means"], problem["todo"]);
        for part in says {
            assert!(words.contains(part), "{part:?} is not said: {words}");
        }
        assert!(words.contains(name) && !words.contains("host"), "{words}");
        // Not kept, not even begun.
        assert_eq!(cli.document(0, &["account", "list"])["accounts"], json!([]));
        assert_eq!(files_below(&cli.place()), before);
        fs::remove_dir_all(folder).unwrap();
    };

    // Somebody else's repository, as its host serves it.
    let bobs = network.a().repo(&other.did).await.unwrap();
    refuse("bobby.car", &bobs, "import_other", &[&other.did, &saved.did]);
    // Made up and signed by a key that never was the account's.
    let did: Did = saved.did.parse().unwrap();
    let key = SigningKey::from_bytes(Curve::K256, &[9; 32]).unwrap();
    let forged = Repo::new(&did, &key, 3, 30).car(Order::Tree, None);
    refuse("forged.car", &forged, "import_forged", &["not signed"]);
    // One bit, and an end that is not there.
    let mut flipped = saved.car.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 4;
    refuse("flipped.car", &flipped, "import_damaged", &["damaged or incomplete"]);
    refuse(
        "short.car",
        &saved.car[..middle],
        "import_damaged",
        &["damaged or incomplete"],
    );
    refuse("picture.jpeg", &saved.blobs[0].1, "import_failed", &["no .car file"]);

    // What is good among what is not: still refused whole, with the name of the bad one.
    let folder = cli.home().join("mixed");
    put(&folder, "good.car", &saved.car);
    put(&folder, "evil.car", &forged);
    let problem = cli.document(1, &["import", &saved.did, folder.to_str().unwrap()])["problem"].clone();
    assert!(problem["happened"].as_str().unwrap().contains("evil.car"), "{problem}");
    assert_eq!(cli.document(0, &["account", "list"])["accounts"], json!([]));

    // A picture that was cut off is missing, not taken for what its name says.
    fs::remove_file(folder.join("evil.car")).unwrap();
    // Nor does it matter that somebody else's backup lies beside it.
    put(&folder, "bobby.car", &bobs);
    blobs(&folder, "pictures", "", &saved);
    let (cut, bytes) = &saved.blobs[0];
    put(&folder, &format!("pictures/{cut}"), &bytes[..bytes.len() / 2]);
    let imported = cli.document(0, &["import", &account.handle, folder.to_str().unwrap()])["imported"].clone();
    assert_eq!(imported["snapshots"].as_array().unwrap().len(), 1);
    assert_eq!(imported["snapshots"][0]["missing"], json!([cut]));
    let listed = cli.document(0, &["snapshots", &saved.did])["snapshots"].clone();
    assert_eq!(listed[0]["media_missing"][0]["cid"], *cut);
    assert_eq!(listed[0]["media_missing"][0]["reason"], "not_in_import");

    // The host has it still: the next backup goes on as if the import had been one.
    let ended = cli.document(0, &["backup", "--all"])["runs"][0]["end"].clone();
    assert_eq!(ended["outcome"], "completed", "{ended}");
    let shown = cli.document(0, &["status"])["accounts"][0].clone();
    assert_eq!(shown["from_backup"], false, "its host says who it is: {shown}");
    let kept = &shown["kept"];
    assert_eq!(
        (&kept["media"], &kept["media_missing"]),
        (&json!(saved.blobs.len()), &json!(0))
    );
    // What is older than what is kept becomes no more than a page further back.
    put(&folder, "old/repo.car", &saved.earlier);
    let old = folder.join("old");
    cli.document(0, &["import", &account.handle, old.to_str().unwrap()]);
    let listed = cli.document(0, &["snapshots", &saved.did])["snapshots"].clone();
    assert_eq!(listed[0]["records"], saved.records);
    assert_eq!(listed.as_array().unwrap().last().unwrap()["records"], saved.records - 3);
    assert_eq!(
        cli.document(0, &["status"])["accounts"][0]["kept"]["records"],
        saved.records
    );
    sound(&cli);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_signed_with_an_earlier_key_is_the_accounts_too() {
    let network = Network::start().await.unwrap();
    let account = network.a().create_account("alice.test", None).await.unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    session.post("With the old key").await.unwrap();
    let car = network.a().repo(&account.did).await.unwrap();
    change_key(&network, &account, &session).await;

    let cli = Cli::new(&network);
    cli.add_place();
    put(cli.home(), "repo.car", &car);
    let imported = cli.document(0, &["import", &account.did, &cli.path("repo.car")])["imported"].clone();
    assert_eq!(imported["snapshots"][0]["signature"], "earlier");
    assert_eq!(imported["snapshots"][0]["records"], 1);
    let listed = cli.document(0, &["snapshots", &account.did])["snapshots"].clone();
    assert_eq!(listed[0]["signature"], "earlier");
}

/// Puts a key that nobody holds into the account's identity, as its owner may.
async fn change_key(network: &Network, account: &Account, session: &Session) {
    let key = SigningKey::from_bytes(Curve::P256, &[7; 32])
        .unwrap()
        .did_key()
        .to_string();
    let change = json!({ "verificationMethods": { "atproto": key } });
    let operation = network.sign_operation(account, session, change).await.unwrap();
    network.submit_operation(&account.did, &operation).await.unwrap();
}

/// An account with pictures, and what a tool would have copied of it: once before its last three posts, once after.
async fn saved(network: &Network) -> (Account, Saved) {
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 60))
        .await
        .unwrap();
    let earlier = network.a().repo(&account.did).await.unwrap();
    let session = network.a().sign_in(&account).await.unwrap();
    for text in ["One more", "And another", "And the last"] {
        session.post(text).await.unwrap();
    }
    let mut blobs = Vec::new();
    for blob in &account.blobs {
        let parameters = [("did", account.did.as_str()), ("cid", blob.cid.as_str())];
        let bytes = network
            .a()
            .download("com.atproto.sync.getBlob", &parameters)
            .await
            .unwrap();
        blobs.push((blob.cid.clone(), bytes));
    }
    assert!(blobs.len() > 1, "there is something to miss");
    let saved = Saved {
        did: account.did.clone(),
        car: network.a().repo(&account.did).await.unwrap(),
        earlier,
        blobs,
        records: account.records + 3,
    };
    (account, saved)
}

/// Everything in the place is what its name says.
fn sound(cli: &Cli) {
    let checked = cli.document(0, &["check", "--read-all"])["checks"][0].clone();
    assert_eq!(
        (&checked["damaged"], &checked["touched_snapshots"]),
        (&json!([]), &json!([]))
    );
}

fn blobs(folder: &Path, below: &str, ending: &str, saved: &Saved) {
    for (cid, bytes) in &saved.blobs {
        put(folder, &format!("{below}/{cid}{ending}"), bytes);
    }
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
