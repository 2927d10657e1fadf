//! recover.py: what a person without Skykeep gets back.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use jiff::SignedDuration;
use skykeep_vault::{MissingBlob, Writer};

use crate::account::{Account, files, folder_vault, now, scratch, writer_key};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn recover(vault: &Path, arguments: &[&str]) -> Output {
    let mut python = Command::new("python3");
    python
        .arg("-B")
        .arg(vault.join("recover.py"))
        .args(arguments)
        .env("PYTHONWARNINGS", "error");
    python.output().expect("python3 runs")
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test]
async fn a_plain_vault_is_read_back_without_skykeep() {
    let (root, out) = (scratch(), scratch());
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let mut account = Account::new("alice", 71, 300);
    let first = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    let first_car = account.car();
    for hour in 1..4 {
        account.post(hour, 6);
        account.run(&vault, &key, now() + HOUR * hour as i32).await.unwrap();
    }
    Account::new("bob", 72, 5).run(&vault, &key, now()).await.unwrap();
    let before = files(root.path());

    let listed = recover(root.path(), &[]);
    let text = said(&listed);
    assert!(
        listed.status.success() && text.contains(account.did().as_str()) && text.contains("300 records"),
        "{text}"
    );
    assert!(
        text.contains(&first.name.to_string()) && !text.contains("Not usable"),
        "{text}"
    );
    let checked = recover(root.path(), &["check"]);
    assert!(
        checked.status.success() && said(&checked).contains("all of them sound"),
        "{}",
        said(&checked)
    );

    // The newest: increments merged into one file, byte for byte the canonical one.
    let to = out.path().join("newest");
    let saved = recover(
        root.path(),
        &["save", account.did().as_str(), "--to", to.to_str().unwrap()],
    );
    assert!(saved.status.success(), "{}", said(&saved));
    assert!(fs::read(to.join("repo.car")).unwrap() == account.car());
    assert_eq!(fs::read_dir(to.join("blobs")).unwrap().count(), account.media());
    for file in files(&to.join("blobs")) {
        let bytes = fs::read(to.join("blobs").join(&file)).unwrap();
        assert!(
            file.to_str()
                .unwrap()
                .parse::<skykeep_atproto::Cid>()
                .unwrap()
                .names(&bytes)
        );
    }
    assert_eq!(files(&to.join("identity")).len(), 2);

    // An older one, by its name and the account's handle... both accounts have the same here, so by folder.
    let to = out.path().join("older");
    let (folder, name) = (account.folder().to_string(), first.name.to_string());
    let saved = recover(
        root.path(),
        &["save", &folder, "--snapshot", &name, "--to", to.to_str().unwrap()],
    );
    assert!(saved.status.success(), "{}", said(&saved));
    assert!(fs::read(to.join("repo.car")).unwrap() == first_car);

    // It refuses to write among other files, and it never changes the vault.
    let again = recover(root.path(), &["save", &folder, "--to", to.to_str().unwrap()]);
    assert!(
        !again.status.success() && said(&again).contains("not empty"),
        "{}",
        said(&again)
    );
    let nobody = recover(root.path(), &["save", "carol.test", "--to", "/nonexistent"]);
    assert!(
        !nobody.status.success() && said(&nobody).contains("no account"),
        "{}",
        said(&nobody)
    );
    assert_eq!(files(root.path()), before);
}

#[tokio::test]
async fn damage_is_said_in_words_and_the_rest_is_saved() {
    let (root, out) = (scratch(), scratch());
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let account = Account::new("alice", 73, 80);
    let snapshot = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    let contents = vault.contents(&snapshot).await.unwrap();
    let folder = root.path().join(account.folder().path().as_str());
    let blob = contents.blobs.values().next().unwrap();
    let mut bytes = fs::read(folder.join(blob.name.to_string())).unwrap();
    bytes[20] ^= 1;
    fs::write(folder.join(blob.name.to_string()), bytes).unwrap();
    let checked = recover(root.path(), &["check"]);
    let text = said(&checked);
    assert!(
        !checked.status.success() && text.contains(&format!("{} is damaged", blob.name)),
        "{text}"
    );
    let to = out.path().join("one-blob-short");
    let saved = recover(
        root.path(),
        &["save", account.did().as_str(), "--to", to.to_str().unwrap()],
    );
    let text = said(&saved);
    assert!(
        !saved.status.success() && text.contains("Not saved: ") && text.contains("Saved "),
        "{text}"
    );
    assert!(fs::read(to.join("repo.car")).unwrap() == account.car());
    assert_eq!(fs::read_dir(to.join("blobs")).unwrap().count(), account.media() - 1);
    // A damaged block in the repository: nothing is passed off as whole.
    let base = folder.join(contents.base.name.to_string());
    let good = fs::read(&base).unwrap();
    for at in [100, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&base, bad).unwrap();
        let to = out.path().join(format!("damaged-{at}"));
        let saved = recover(
            root.path(),
            &["save", account.did().as_str(), "--to", to.to_str().unwrap()],
        );
        let text = said(&saved);
        assert!(!saved.status.success() && !text.contains("Traceback"), "{text}");
        assert!(!to.join("repo.car").exists());
    }
}

#[tokio::test]
async fn missing_media_and_newer_files_are_named() {
    let (root, out) = (scratch(), scratch());
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let account = Account::new("alice", 74, 80);
    let scratch = scratch();
    let mut writer = Writer::begin(&vault, account.did(), &key).await.unwrap();
    let (repo, sources) = account.prove(&vault, &writer, scratch.path()).await.unwrap();
    writer.put_repo(&repo, &account.history, sources).await.unwrap();
    let missing: Vec<MissingBlob> = repo
        .blobs()
        .iter()
        .map(|blob| MissingBlob::new(blob, "not_found"))
        .collect();
    let snapshot = writer.commit(account.facts(now(), missing.clone(), 0)).await.unwrap();
    let to = out.path().join("posts");
    let saved = recover(
        root.path(),
        &["save", account.did().as_str(), "--to", to.to_str().unwrap()],
    );
    let text = said(&saved);
    assert!(saved.status.success(), "{text}");
    assert_eq!(text.matches("Not in this backup: ").count(), missing.len());
    assert!(text.contains(&missing[0].records[0]), "{text}");
    // Somebody's newer manifest beside it.
    let snapshots = root.path().join(account.folder().path().as_str()).join("snapshots");
    let text = fs::read_to_string(snapshots.join(snapshot.name.to_string())).unwrap();
    let text = text.replace("\"format\":1", "\"format\":2");
    let hash = skykeep_vault::layout::Checksum::of(text.as_bytes()).name();
    let newer = skykeep_vault::layout::SnapshotName {
        hash,
        sequence: 9,
        ..snapshot.name
    };
    fs::write(snapshots.join(newer.to_string()), text).unwrap();
    let listed = recover(root.path(), &["list"]);
    assert!(said(&listed).contains("newer Skykeep") && said(&listed).contains(&snapshot.name.to_string()));
}
