//! Checks that read less than everything: portions that together read all, and what each of them can know.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use skykeep_tests::repo_maker::seeded::Seeded;
use skykeep_vault::layout::{AccountFile, StorePath, VaultFile};
use skykeep_vault::{CheckReport, Fault, Portion, Reached, Reading, Vault, check_some};

use crate::account::{files, on, scratch};
use crate::damage::three_hours;

async fn portion(vault: &Vault, portion: &Portion<'_>) -> CheckReport {
    check_some(vault, Reading::Portion(portion), &mut on).await.unwrap()
}

/// Every portion of a round, from its first file to its last.
async fn round(vault: &Vault, bytes: u64, twin: Option<&Vault>) -> Vec<CheckReport> {
    let mut reports = Vec::new();
    let mut next = Portion {
        bytes,
        twin,
        ..Portion::default()
    };
    loop {
        let report = portion(vault, &next).await;
        let reached = report.reached.clone();
        reports.push(report);
        match reached {
            Reached::Path(path) => next.after = Some(path),
            Reached::End => return reports,
            Reached::Nowhere => panic!("a portion reads at least one file"),
        }
    }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn portions_after_each_other_read_every_file_once() {
    let root = scratch();
    let (vault, ..) = three_hours(root.path()).await;
    let all = files(root.path());
    let bytes: u64 = all
        .iter()
        .map(|file| fs::metadata(root.path().join(file)).unwrap().len())
        .sum();
    for share in [1, 3, 28, bytes] {
        let reports = round(&vault, bytes.div_ceil(share), None).await;
        let read: u64 = reports.iter().map(|report| report.files).sum();
        assert_eq!(read, all.len() as u64, "in shares of 1/{share}");
        assert_eq!(reports.iter().map(|report| report.bytes).sum::<u64>(), bytes);
        for report in &reports {
            assert!(report.is_sound(), "{report:?}");
            assert_eq!((report.of_files, report.of_bytes), (all.len() as u64, bytes));
        }
        assert_eq!(reports.len() == 1, share == 1, "in shares of 1/{share}");
    }
}

#[tokio::test]
async fn a_flipped_bit_is_found_by_the_portion_that_reads_it_with_what_it_hurts() {
    let (root, twin_root) = (scratch(), scratch());
    let (vault, ..) = three_hours(root.path()).await;
    let (twin, ..) = three_hours(twin_root.path()).await;
    let mut seeded = Seeded::of_run();
    let all = files(root.path());
    for _ in 0..40 {
        let name = &all[seeded.index(all.len())];
        let file: VaultFile = name.to_str().unwrap().parse().unwrap();
        let path = root.path().join(name);
        let good = fs::read(&path).unwrap();
        flip(&path);
        // Without a twin it finds all that the full check finds, in one of its portions or in several.
        for near in [None, Some(&twin)] {
            let reports = round(&vault, 20_000, near).await;
            let found: Vec<&Fault> = reports
                .iter()
                .flat_map(|report| &report.damages)
                .filter(|damage| damage.file == file)
                .map(|damage| &damage.fault)
                .collect();
            assert!(!found.is_empty(), "{file}, twin: {}", near.is_some());
            assert!(found.iter().all(|fault| **fault == Fault::Damaged), "{file}: {found:?}");
            let others = reports.iter().flat_map(|report| &report.damages);
            assert!(others.into_iter().all(|damage| damage.file == file), "{file}");
            let manifest = matches!(
                &file,
                VaultFile::Account {
                    file: AccountFile::Snapshot(_),
                    ..
                }
            );
            let hurt = reports.iter().flat_map(|report| &report.damages);
            let hurt: BTreeSet<_> = hurt.flat_map(|damage| &damage.snapshots).collect();
            assert!(!manifest || hurt.len() == 1, "{file} is a snapshot's own: {hurt:?}");
        }
        fs::write(&path, good).unwrap();
    }
}

#[tokio::test]
async fn what_is_missing_or_of_another_length_is_found_by_any_portion() {
    let root = scratch();
    let (vault, _, snapshots) = three_hours(root.path()).await;
    let contents = vault.contents(snapshots.last().unwrap()).await.unwrap();
    let account = &snapshots[0].manifest.account;
    let nothing = Portion::default();
    for object in contents.objects() {
        let path = root.path().join(account.file(&object.name).as_str());
        let good = fs::read(&path).unwrap();
        for (bad, fault) in [(None, Fault::Missing), (Some(&good[1..]), Fault::Damaged)] {
            match bad {
                Some(bad) => fs::write(&path, bad).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            for reading in [Reading::Names, Reading::Portion(&nothing)] {
                let report = check_some(&vault, reading, &mut on).await.unwrap();
                let found: Vec<_> = report.damages.iter().map(|damage| damage.fault).collect();
                assert_eq!((report.files, found), (0, vec![fault]), "{}", object.name);
                assert_eq!(report.damages[0].object.as_ref(), Some(object));
            }
        }
        fs::write(&path, &good).unwrap();
    }
}

#[tokio::test]
async fn names_alone_prove_manifests_and_lists_and_look_into_nothing_else() {
    let root = scratch();
    let (vault, ..) = three_hours(root.path()).await;
    for name in files(root.path()) {
        let file: VaultFile = name.to_str().unwrap().parse().unwrap();
        let path = root.path().join(&name);
        let good = fs::read(&path).unwrap();
        flip(&path);
        let report = check_some(&vault, Reading::Names, &mut on).await.unwrap();
        let judged = matches!(
            file,
            VaultFile::Account {
                file: AccountFile::Snapshot(_) | AccountFile::List { .. },
                ..
            }
        );
        let found: Vec<_> = report.damages.iter().map(|damage| &damage.file).collect();
        assert_eq!(found, Vec::from_iter(judged.then_some(&file)), "{file}");
        fs::write(&path, good).unwrap();
    }
}

#[tokio::test]
async fn what_is_read_first_is_read_wherever_the_portion_stands() {
    let root = scratch();
    let (vault, _, snapshots) = three_hours(root.path()).await;
    let contents = vault.contents(&snapshots[0]).await.unwrap();
    let path = snapshots[0].manifest.account.file(&contents.base.name);
    flip(&root.path().join(path.as_str()));
    let last: StorePath = files(root.path()).last().unwrap().to_str().unwrap().parse().unwrap();
    let check = async |first: &[&StorePath], after: Option<&StorePath>, bytes, files, damaged| {
        let report = portion(
            &vault,
            &Portion {
                first: first.iter().map(|path| (*path).clone()).collect(),
                after: after.cloned(),
                bytes,
                twin: None,
            },
        )
        .await;
        assert_eq!(
            (report.files, report.damages.len()),
            (files, damaged),
            "{first:?} {after:?}"
        );
        report.reached
    };
    assert_eq!(check(&[], Some(&last), 1, 0, 0).await, Reached::End);
    assert_eq!(check(&[&path], Some(&last), 1, 1, 1).await, Reached::End);
    assert_eq!(check(&[&path], None, 0, 1, 1).await, Reached::Nowhere);
    assert_eq!(check(&[&path, &last], None, 0, 2, 1).await, Reached::Nowhere);
}

#[tokio::test]
async fn a_portion_that_is_stopped_says_how_far_it_came_and_goes_on_from_there() {
    let root = scratch();
    let (vault, ..) = three_hours(root.path()).await;
    let all = files(root.path()).len() as u64;
    let mut next = Portion {
        bytes: u64::MAX,
        ..Portion::default()
    };
    let mut read = 0;
    loop {
        let mut stop = |_| ControlFlow::Break(());
        let report = check_some(&vault, Reading::Portion(&next), &mut stop).await.unwrap();
        assert!(report.is_sound() && report.files <= 1);
        read += report.files;
        match report.reached {
            Reached::Path(path) => next.after = Some(path),
            Reached::End => break,
            Reached::Nowhere => panic!("it stands still"),
        }
    }
    assert_eq!(read, all);
}

#[tokio::test]
async fn what_came_after_a_snapshot_is_what_only_later_ones_name() {
    let root = scratch();
    let (vault, account, snapshots) = three_hours(root.path()).await;
    let everything = |path: &StorePath| path.as_str().contains("/snapshots/") || path.as_str().contains("/lists/");
    let mut before = BTreeSet::new();
    for snapshot in &snapshots {
        let mut own = BTreeSet::from([account.folder().file(&AccountFile::Snapshot(snapshot.name))]);
        let contents = vault.contents(snapshot).await.unwrap();
        let lists = contents.lists.iter().chain(&snapshot.manifest.lists);
        own.extend(lists.map(|list| account.folder().file(&list.name)));
        own.extend(contents.objects().map(|object| account.folder().file(&object.name)));
        before.extend(own.iter().cloned());
        let after = vault
            .named_after(&account.folder(), Some(&snapshot.name))
            .await
            .unwrap();
        assert!(after.is_disjoint(&own), "{}", snapshot.name);
        assert_eq!(after.is_empty(), snapshot == snapshots.last().unwrap());
    }
    let all = vault.named_after(&account.folder(), None).await.unwrap();
    assert_eq!(all, before);
    assert!(all.iter().any(everything));
}
