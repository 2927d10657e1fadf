//! Damage: whatever is flipped, cut or lost is found, and said together with the snapshots it hurts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use skykeep_tests::repo_maker::seeded::Seeded;
use skykeep_vault::layout::{AccountFile, SnapshotName, VaultFile};
use skykeep_vault::{Fault, Snapshot, Vault, check, heal};

use crate::account::{Account, files, folder_vault, now, on, read_back, scratch, writer_key};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A vault of three hours, with something in every folder that this version writes.
async fn three_hours(root: &Path) -> (Vault, Account, Vec<Snapshot>) {
    let key = writer_key(1);
    let vault = folder_vault(root, &key).await;
    let mut account = Account::new("alice", 51, 60);
    for hour in 0..3 {
        account.run(&vault, &key, now() + HOUR * hour).await.unwrap();
        account.post(hour as u64, 3);
    }
    let writer = skykeep_vault::Writer::begin(&vault, account.did(), &key).await.unwrap();
    let forged = std::io::Cursor::new(b"forged".to_vec());
    writer
        .put_rejected(forged, now(), &serde_json::json!("no"))
        .await
        .unwrap();
    let snapshots = vault.snapshots(&account.folder()).await.unwrap().sound;
    (vault, account, snapshots)
}

/// The snapshots that need a file: computed from scratch, not as the check does it.
async fn needing(vault: &Vault, snapshots: &[Snapshot], file: &VaultFile) -> BTreeSet<SnapshotName> {
    let VaultFile::Account { file, .. } = file else {
        return BTreeSet::new();
    };
    let mut needing = BTreeSet::new();
    for snapshot in snapshots {
        let contents = vault.contents(snapshot).await.unwrap();
        let mut names: BTreeSet<AccountFile> = contents.objects().map(|object| object.name.clone()).collect();
        names.extend(
            contents
                .lists
                .iter()
                .chain(&snapshot.manifest.lists)
                .map(|list| list.name.clone()),
        );
        names.insert(AccountFile::Snapshot(snapshot.name));
        if names.contains(file) {
            needing.insert(snapshot.name);
        }
    }
    needing
}

#[tokio::test]
async fn a_sound_vault_is_sound() {
    let root = scratch();
    let (vault, ..) = three_hours(root.path()).await;
    let report = check(&vault, &mut on).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.files, files(root.path()).len() as u64);
    assert!(report.foreign.is_empty());
}

#[tokio::test]
async fn every_kind_of_file_flipped_cut_and_lost_is_found_and_healed() {
    let seed: u64 = std::env::var("SKYKEEP_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let rounds = if std::env::var_os("SKYKEEP_EXHAUSTIVE").is_some() {
        10_000
    } else {
        300
    };
    println!("seed {seed}");
    let mut seeded = Seeded::new(seed);
    let (root, twin) = (scratch(), scratch());
    let (vault, account, snapshots) = three_hours(root.path()).await;
    let (other, ..) = three_hours(twin.path()).await;
    let all: Vec<VaultFile> = files(root.path())
        .iter()
        .map(|file| file.to_str().unwrap().parse().unwrap())
        .collect();
    let mut expected = Vec::new();
    for file in &all {
        expected.push(needing(&vault, &snapshots, file).await);
    }
    for round in 0..rounds {
        // Each file once, then any.
        let which = if round < all.len() {
            round
        } else {
            seeded.index(all.len())
        };
        let file = &all[which];
        let path = root.path().join(file.path().as_str());
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        let what = match seeded.below(4) {
            0 if round >= all.len() => {
                fs::remove_file(&path).unwrap();
                "lost"
            }
            1 => {
                bad.truncate(seeded.index(good.len()));
                "cut"
            }
            2 => {
                bad.push(b' ');
                "longer"
            }
            _ => {
                let at = seeded.index(good.len());
                bad[at] ^= 1 << seeded.below(8);
                "flipped"
            }
        };
        if what != "lost" {
            fs::write(&path, &bad).unwrap();
        }
        let case = format!("round {round}, seed {seed}: {file} {what}");
        let report = check(&vault, &mut on).await.unwrap();
        let found = report.damages.iter().find(|damage| damage.file == *file);
        // Nothing names a manifest but the one after it, and nothing at all names a rejected file or the vault's own.
        let unnamed = matches!(file, VaultFile::Vault { .. })
            || matches!(
                file,
                VaultFile::Account {
                    file: AccountFile::Rejected { .. } | AccountFile::Reason { .. },
                    ..
                }
            );
        let manifest = match file {
            VaultFile::Account {
                file: AccountFile::Snapshot(name),
                ..
            } => Some(*name),
            _ => None,
        };
        match found {
            Some(damage) => {
                assert_eq!(
                    damage.fault,
                    if what == "lost" { Fault::Missing } else { Fault::Damaged },
                    "{case}"
                );
                let named: BTreeSet<SnapshotName> = damage.snapshots.iter().copied().collect();
                assert_eq!(named, expected[which], "{case}");
            }
            None if what == "lost" && manifest.is_some() => {
                let last = snapshots.last().unwrap().name;
                assert!(
                    !report.accounts[0].findings.is_empty() || manifest == Some(last),
                    "{case}"
                );
            }
            None => assert!(what == "lost" && unnamed, "{case}: not found"),
        }
        // Every snapshot that does not need the file is said to be whole, and is.
        for health in &report.accounts[0].snapshots {
            let hurt = expected[which].contains(&health.name);
            assert_eq!(health.is_whole(), !hurt, "{case}: {health:?}");
        }
        if round % 10 == 0 {
            for snapshot in snapshots
                .iter()
                .filter(|snapshot| !expected[which].contains(&snapshot.name))
            {
                read_back(&vault, snapshot)
                    .await
                    .unwrap_or_else(|error| panic!("{case}: {error}"));
            }
        }
        let healed = heal(&vault, &report, &[&other], &mut on).await.unwrap();
        match file {
            // The vault's own file is nowhere else; what was lost without being named nobody misses.
            VaultFile::Vault { .. } => fs::write(&path, &good).unwrap(),
            _ if found.is_none() => fs::write(&path, &good).unwrap(),
            _ => assert!(healed.remaining.is_empty(), "{case}: {healed:?}"),
        }
        assert_eq!(fs::read(&path).unwrap(), good, "{case}");
    }
    let report = check(&vault, &mut on).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    for snapshot in &snapshots {
        read_back(&vault, snapshot).await.unwrap();
    }
    // Nothing was thrown away: what was bad lies aside.
    let aside = files(&root.path().join(account.folder().path().as_str()).join("damaged"));
    assert!(!aside.is_empty());
}

#[tokio::test]
async fn a_flipped_byte_is_never_read_back() {
    let root = scratch();
    let (vault, _, snapshots) = three_hours(root.path()).await;
    let last = snapshots.last().unwrap();
    let contents = vault.contents(last).await.unwrap();
    for object in contents.repo() {
        let path = root.path().join(last.manifest.account.file(&object.name).as_str());
        let good = fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(97) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&path, &bad).unwrap();
            let scratch = scratch();
            // The header of a file is no part of what it says; everything else is.
            match vault.write_car(last, scratch.path(), std::io::sink()).await {
                Ok(_) => assert!(at < 60, "byte {at} of {}", object.name),
                Err(error) => drop(error),
            }
            assert!(
                vault
                    .read_object(&last.manifest.account, object, 1 << 30)
                    .await
                    .is_err()
            );
        }
        fs::write(&path, &good).unwrap();
    }
    read_back(&vault, last).await.unwrap();
}

#[tokio::test]
async fn a_guide_that_was_edited_is_found_and_put_back() {
    let root = scratch();
    let (vault, ..) = three_hours(root.path()).await;
    for name in ["README.txt", "recover.py"] {
        let path = root.path().join(name);
        let good = fs::read(&path).unwrap();
        fs::write(&path, "edited").unwrap();
        let report = check(&vault, &mut on).await.unwrap();
        assert_eq!(report.damages.len(), 1, "{name}");
        heal(&vault, &report, &[], &mut on).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), good, "{name}");
    }
    assert!(check(&vault, &mut on).await.unwrap().is_sound());
}
