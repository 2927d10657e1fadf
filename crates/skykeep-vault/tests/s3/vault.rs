//! A whole vault in a bucket: written, checked, damaged, healed, read back; and a writer that is killed on the way.

use std::sync::Arc;

use skykeep_tests::s3::{Kind, S3Server};
use skykeep_vault::layout::StorePath;
use skykeep_vault::{Depth, Vault, check, deliver, heal};

use super::{at, server, store};
use crate::account::{Account, folder_vault, now, on, read_back, scratch, writer_key};

fn account(hours: u64) -> Account {
    let mut account = Account::new("alice", 41, 120);
    for hour in 0..hours {
        account.post(hour, 3);
    }
    account
}

async fn bucket_vault(server: &S3Server, prefix: &str) -> Vault {
    Vault::create(Arc::new(store(server, prefix)), &writer_key(1), now())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_written_to_a_bucket_and_read_back() {
    for kind in Kind::ALL {
        let server = server(kind);
        let vault = bucket_vault(&server, "whole").await;
        for hours in 0..3 {
            let account = account(hours);
            let snapshot = account.run(&vault, &writer_key(1), now()).await.unwrap().pop().unwrap();
            assert!(read_back(&vault, &snapshot).await.unwrap() == account.car(), "{kind:?}");
        }
        // Whoever comes later finds the same vault.
        let again = Vault::open(Arc::new(store(&server, "whole")), Some(vault.id()))
            .await
            .unwrap();
        let report = check(&again, &mut on).await.unwrap();
        assert!(report.is_sound() && report.files > 10, "{kind:?}: {report:?}");
        assert_eq!(again.snapshots(&account(0).folder()).await.unwrap().findings.len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_a_bucket_is_found_set_aside_and_healed() {
    // rclone keeps plain files, so that they can be damaged behind its back; it has to begin anew to see it.
    let mut server = S3Server::start(Kind::Rclone).unwrap();
    let folder = scratch();
    let staging = folder_vault(folder.path(), &writer_key(1)).await;
    let snapshot = account(1)
        .run(&staging, &writer_key(1), now())
        .await
        .unwrap()
        .pop()
        .unwrap();
    let vault = bucket_vault(&server, "healed").await;
    let account_folder = account(0).folder();
    deliver(&[&staging], &vault, &account_folder, &mut on).await.unwrap();
    let listing = vault.store().list(&StorePath::root(), Depth::All).await.unwrap();
    let files: Vec<_> = listing
        .files
        .iter()
        .filter(|(path, _)| path.as_str().starts_with("accounts"))
        .collect();
    server.kill().unwrap();
    for (n, (path, size)) in files.iter().step_by(3).enumerate() {
        let kept = server.kept(&format!("healed/{path}")).unwrap();
        match n % 3 {
            0 => std::fs::write(kept, "spoilt").unwrap(),
            1 => std::fs::write(kept, vec![0; usize::try_from(*size).unwrap()]).unwrap(),
            _ => std::fs::remove_file(kept).unwrap(),
        }
    }
    server.start_again().unwrap();
    let report = check(&vault, &mut on).await.unwrap();
    assert!(!report.is_sound());
    // What a damaged list names is known when the list is healed.
    for _ in 0..2 {
        let report = check(&vault, &mut on).await.unwrap();
        heal(&vault, &report, &[&staging], &mut on).await.unwrap();
    }
    // A manifest that nobody names is delivered anew.
    deliver(&[&staging], &vault, &account_folder, &mut on).await.unwrap();
    let report = check(&vault, &mut on).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert!(read_back(&vault, &snapshot).await.unwrap() == account(1).car());
    let damaged = vault
        .store()
        .list(&account_folder.path().join("damaged").unwrap(), Depth::All)
        .await
        .unwrap();
    assert!(!damaged.files.is_empty(), "what was damaged is kept apart");
}

/// What the child process of the next test does: delivers a vault from a folder to a bucket.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is run by the test that kills it"]
async fn child() {
    let (Ok(endpoint), Ok(folder)) = (
        std::env::var("SKYKEEP_CHILD_ENDPOINT"),
        std::env::var("SKYKEEP_CHILD_VAULT"),
    ) else {
        return;
    };
    let staging = folder_vault(folder.as_ref(), &writer_key(1)).await;
    let bucket = at(&endpoint, "killed");
    let vault = Vault::create(Arc::new(bucket), &writer_key(1), now()).await.unwrap();
    deliver(&[&staging], &vault, &account(0).folder(), &mut on)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_is_killed_again_and_again_goes_on_where_it_was() {
    let server = server(Kind::Rclone);
    let folder = scratch();
    let staging = folder_vault(folder.path(), &writer_key(1)).await;
    let snapshot = account(2)
        .run(&staging, &writer_key(1), now())
        .await
        .unwrap()
        .pop()
        .unwrap();
    let counted = || {
        let kept = server.kept("killed").unwrap();
        if kept.exists() {
            crate::account::files(&kept).len()
        } else {
            0
        }
    };
    // Each child is killed when the bucket holds some files more.
    let mut kills = 0;
    for limit in (1..).map(|n| n * 5) {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "s3::vault::child", "--ignored", "--test-threads", "1"])
            .env("SKYKEEP_CHILD_ENDPOINT", server.endpoint())
            .env("SKYKEEP_CHILD_VAULT", folder.path())
            .stdout(std::process::Stdio::null());
        let mut child = child.spawn().unwrap();
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if counted() >= limit {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        };
        // Whatever has a manifest by now is whole.
        if let Ok(vault) = Vault::open(Arc::new(store(&server, "killed")), None).await {
            for found in vault.snapshots(&account(0).folder()).await.unwrap().sound {
                read_back(&vault, &found).await.unwrap();
            }
        }
        if let Some(status) = ended {
            assert!(status.success());
            break;
        }
        kills += 1;
    }
    assert!(kills >= 3, "killed only {kills} times");
    let vault = bucket_vault(&server, "killed").await;
    assert!(read_back(&vault, &snapshot).await.unwrap() == account(2).car());
    let report = check(&vault, &mut on).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
}
