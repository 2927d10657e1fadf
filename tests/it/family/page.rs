//! Who shares a place, as every computer that shares it sees it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use skykeep_tests::cli::Cli;
use skykeep_tests::keep::files_below;
use skykeep_tests::network::Network;

pub(super) fn member<'a>(family: &'a Value, handle: &str) -> &'a Value {
    let members = family["members"].as_array().unwrap();
    members.iter().find(|member| member["handle"] == handle).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_on_a_place_is_seen_by_everyone_on_it() {
    let network = Network::start().await.unwrap();
    let accounts = network.seed_family(network.a(), 60).await.unwrap();
    let (alice, bob) = (&accounts[0], &accounts[1]);
    // Two computers, and a drive that both know by its own path.
    let shared = tempfile::tempdir().unwrap();
    let place = shared.path().join("Skykeep");
    let folder = place.to_str().unwrap();
    let [hers, his] = ["alice.test", "bob.test"].map(|handle| {
        let cli = Cli::new(&network);
        cli.document(0, &["account", "add", handle]);
        cli.document(0, &["place", "add", "folder", folder, "--name", "Family drive"]);
        cli
    });
    let seen = |cli: &Cli, more: &[&str]| {
        cli.document(0, &[&["family", "Family drive"], more].concat())["families"][0].clone()
    };
    assert_eq!(seen(&hers, &[])["members"], json!([]), "nobody yet");

    hers.document(0, &["backup", "--all"]);
    his.document(0, &["backup", "--all"]);
    let before = files_below(&place);
    let family = seen(&hers, &[]);
    assert_eq!(
        (&family["name"], &family["away"]),
        (&json!("Family drive"), &json!(false))
    );
    for (account, kept_here) in [(alice, true), (bob, false)] {
        let member = member(&family, &account.handle);
        assert_eq!(
            (&member["did"], &member["kept_here"]),
            (&json!(account.did), &json!(kept_here))
        );
        assert_eq!((&member["late"], &member["disbelieved"]), (&json!("no"), &json!(0)));
        assert_eq!(member["computers"].as_array().unwrap().len(), 1);
        assert_eq!(member["computers"][0]["this"], kept_here);
        // What they use is what lies there.
        let folder = place.join("accounts").join(member["folder"].as_str().unwrap());
        assert_eq!(member["bytes"], bytes_below(&folder));
    }
    let used = [alice, bob].map(|account| member(&family, &account.handle)["bytes"].as_u64().unwrap());
    assert_eq!(family["room"]["used"], used[0] + used[1]);
    // A share is the same for everyone, until somebody sets it; nobody is near one on this disk.
    let free = family["room"]["free"].as_u64().unwrap();
    assert_eq!(family["room"]["share"], (used[0] + used[1] + free) / 2);
    assert_eq!(files_below(&place), before, "looking writes nothing");

    his.document(0, &["place", "share", "Family drive", "2"]);
    let room = seen(&his, &[])["room"].clone();
    assert_eq!(
        (&room["share"], &room["share_set"]),
        (&json!(2_000_000_000), &json!(true))
    );
    his.document(0, &["place", "share", "Family drive"]);
    assert_eq!(seen(&his, &[])["room"]["share_set"], false);

    // A third person's backups that nobody here can read, and one of hers that somebody forged.
    let folder_of = |handle: &str| {
        place
            .join("accounts")
            .join(member(&family, handle)["folder"].as_str().unwrap())
    };
    forge(&folder_of("alice.test"));
    let sealed = place.join("accounts/did_plc_zzzzzzzzzzzzzzzzzzzzzzzz/snapshots");
    fs::create_dir_all(&sealed).unwrap();
    fs::write(sealed.join("notes.txt"), "not a manifest").unwrap();
    let family = seen(&his, &["--anew"]);
    let hers_now = member(&family, "alice.test");
    assert_eq!(hers_now["disbelieved"], 1, "{hers_now}");
    assert_eq!(
        hers_now["last_backup"],
        member(&seen(&hers, &[]), "alice.test")["last_backup"]
    );
    let someone = family["members"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&someone["did"], &someone["late"], &someone["bytes"]),
        (&Value::Null, &json!("unknown"), &json!(14))
    );
    let words = his.words(0, &["family"]);
    for said in [
        "alice.test",
        "bob.test",
        "Someone",
        "not signed by who",
        "this computer",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }

    // The drive is away: who was on it is still known, and that it is no news is said.
    fs::rename(&place, shared.path().join("elsewhere")).unwrap();
    let away = seen(&his, &[]);
    assert_eq!((&away["away"], &away["members"]), (&json!(true), &family["members"]));
    let new = Cli::new(&network);
    assert_eq!(new.document(1, &["family", "nowhere"])["problem"]["code"], "not_found");
}

/// A manifest after the newest one, whose name is that of its bytes and whose signature is not its writer's.
fn forge(account: &Path) {
    let snapshots = account.join("snapshots");
    let mut names: Vec<String> = fs::read_dir(&snapshots)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_by_key(|name| name.split('.').nth(2).unwrap().parse::<u32>().unwrap());
    let newest = names.last().unwrap();
    let bytes = fs::read(snapshots.join(newest)).unwrap();
    let parts: Vec<&str> = newest.split('.').collect();
    let next = parts[2].parse::<u32>().unwrap() + 1;
    let from = format!("\"sequence\":{}", parts[2]);
    let text = String::from_utf8(bytes)
        .unwrap()
        .replacen(&from, &format!("\"sequence\":{next}"), 1);
    let sum = skykeep_vault::layout::Checksum::of(text.as_bytes());
    let name = format!("{}.{}.{next}.{}.json", parts[0], parts[1], sum.name());
    fs::write(snapshots.join(name), text).unwrap();
}

fn bytes_below(folder: &Path) -> u64 {
    let files = files_below(folder);
    files
        .iter()
        .map(|name| fs::metadata(folder.join(name)).unwrap().len())
        .sum()
}
