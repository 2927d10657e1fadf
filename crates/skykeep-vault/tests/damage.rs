//! Damage: whatever is flipped, cut or lost is found, and said together with the snapshots it hurts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use skykeep_tests::repo_maker::seeded::{Seeded, exhaustive};
use skykeep_vault::layout::{AccountFile, SnapshotName, VaultFile};
use skykeep_vault::{CheckReport, Fault, Snapshot, Vault, check, heal};
use tokio::task::JoinSet;

use crate::account::{Account, files, folder_vault, now, on, read_back, scratch, writer_key};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A vault of three hours, with something in every folder that this version writes.
pub(crate) async fn three_hours(root: &Path) -> (Vault, Account, Vec<Snapshot>) {
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

/// Vaults that are damaged beside each other.
const VAULTS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_file_flipped_cut_and_lost_is_found_and_healed() {
    let seed = Seeded::of_run().number();
    let rounds = if exhaustive() { 10_000 } else { 500 };
    let mut going = JoinSet::new();
    for vault in 0..VAULTS {
        going.spawn(async move {
            let patient = Patient::new().await;
            assert!(rounds > patient.files.len());
            patient.has_every_kind();
            for round in (vault..rounds).step_by(VAULTS) {
                patient.round(seed, round).await;
            }
            patient.is_as_before().await;
        });
    }
    while let Some(ended) = going.join_next().await {
        ended.unwrap();
    }
}

/// A vault that is damaged and healed again and again, from a twin.
struct Patient {
    root: tempfile::TempDir,
    vault: Vault,
    snapshots: Vec<Snapshot>,
    /// Every file, with the snapshots that need it.
    files: Vec<(VaultFile, BTreeSet<SnapshotName>)>,
    twin: Vault,
    _twin_root: tempfile::TempDir,
}

impl Patient {
    async fn new() -> Self {
        let (root, twin_root) = (scratch(), scratch());
        let (vault, _, snapshots) = three_hours(root.path()).await;
        let (twin, ..) = three_hours(twin_root.path()).await;
        let mut all = Vec::new();
        for file in files(root.path()) {
            let file: VaultFile = file.to_str().unwrap().parse().unwrap();
            let needing = needing(&vault, &snapshots, &file).await;
            all.push((file, needing));
        }
        Self {
            root,
            vault,
            snapshots,
            files: all,
            twin,
            _twin_root: twin_root,
        }
    }

    /// What this version writes is all there to be hurt.
    fn has_every_kind(&self) {
        let kind = |file: &VaultFile| match file {
            VaultFile::Readme | VaultFile::Recover => "guide",
            VaultFile::Vault { .. } => "vault",
            VaultFile::Damaged { .. } => "damaged",
            VaultFile::Account { file, .. } => match file {
                AccountFile::Snapshot(_) => "manifest",
                AccountFile::List { .. } => "list",
                AccountFile::Repo { .. } => "repository",
                AccountFile::Blob { .. } | AccountFile::SealedBlob { .. } => "blob",
                AccountFile::Identity { .. } => "identity",
                AccountFile::Rejected { .. } => "rejected",
                AccountFile::Reason { .. } => "reason",
                AccountFile::Private { .. }
                | AccountFile::Key { .. }
                | AccountFile::Journal { .. }
                | AccountFile::Damaged { .. } => "other",
            },
        };
        let kinds: BTreeSet<&str> = self.files.iter().map(|(file, _)| kind(file)).collect();
        let all = [
            "blob",
            "guide",
            "identity",
            "list",
            "manifest",
            "reason",
            "rejected",
            "repository",
            "vault",
        ];
        assert_eq!(kinds, BTreeSet::from(all));
        let repos = self.files.iter().filter(|(file, _)| kind(file) == "repository");
        assert!(repos.count() > 1, "a base and increments");
    }

    /// Hurts one file: in the first rounds each of them, then any. Finds it, heals it, and all is as it was.
    async fn round(&self, seed: u64, round: usize) {
        let mut seeded = Seeded::new(seed.wrapping_add(round as u64));
        let each = self.files.get(round);
        let (file, needing) = each.unwrap_or_else(|| &self.files[seeded.index(self.files.len())]);
        let path = self.root.path().join(file.path().as_str());
        let good = fs::read(&path).unwrap();
        let bad = hurt(&good, &mut seeded, each.is_none());
        match &bad {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let what = bad.as_ref().map_or("lost", |_| "damaged");
        let case = format!("round {round}: {file} {what}");
        let report = check(&self.vault, &mut on).await.unwrap();
        let found = report.damages.iter().find(|damage| damage.file == *file);
        match found {
            Some(damage) => {
                let fault = if bad.is_some() { Fault::Damaged } else { Fault::Missing };
                assert_eq!(damage.fault, fault, "{case}");
                let named: BTreeSet<SnapshotName> = damage.snapshots.iter().copied().collect();
                assert_eq!(named, *needing, "{case}");
            }
            None => assert!(bad.is_none() && self.may_be_missed(file, &report), "{case}: not found"),
        }
        // Every snapshot that does not need the file is said to be whole, and is.
        for health in &report.accounts[0].snapshots {
            assert_eq!(health.is_whole(), !needing.contains(&health.name), "{case}: {health:?}");
        }
        // None is trusted: what needs a file that is not what it was does not read back.
        let hurt = self
            .snapshots
            .iter()
            .filter(|snapshot| needing.contains(&snapshot.name));
        for snapshot in hurt {
            let manifest = self.vault.snapshot(&snapshot.manifest.account, &snapshot.name).await;
            if manifest.is_ok() {
                assert!(read_back(&self.vault, snapshot).await.is_err(), "{case}: read back");
            }
        }
        if round.is_multiple_of(10) {
            let whole = self
                .snapshots
                .iter()
                .filter(|snapshot| !needing.contains(&snapshot.name));
            for snapshot in whole {
                let read = read_back(&self.vault, snapshot).await;
                read.unwrap_or_else(|error| panic!("{case}: {error}"));
            }
        }
        let healed = heal(&self.vault, &report, &[&self.twin], &mut on).await.unwrap();
        match file {
            // The vault's own file is nowhere else; what was lost without being named nobody misses.
            VaultFile::Vault { .. } => fs::write(&path, &good).unwrap(),
            _ if found.is_none() => fs::write(&path, &good).unwrap(),
            _ => {
                assert!(healed.remaining.is_empty(), "{case}: {healed:?}");
                assert_eq!(
                    self.take_aside(),
                    Vec::from_iter(bad),
                    "{case}: what was bad lies aside"
                );
            }
        }
        assert_eq!(fs::read(&path).unwrap(), good, "{case}");
    }

    /// Nothing at all names a rejected file or the vault's own, and a manifest only the one after it does.
    fn may_be_missed(&self, file: &VaultFile, report: &CheckReport) -> bool {
        match file {
            VaultFile::Vault { .. } => true,
            VaultFile::Account { file, .. } => match file {
                AccountFile::Rejected { .. } | AccountFile::Reason { .. } => true,
                AccountFile::Snapshot(name) => {
                    let last = self.snapshots.last().unwrap().name;
                    !report.accounts[0].findings.is_empty() || *name == last
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// What healing has set aside, which is taken away: thousands of such files are no part of what is tested.
    fn take_aside(&self) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        for file in files(self.root.path()) {
            if file.components().any(|part| part.as_os_str() == "damaged") {
                let path = self.root.path().join(file);
                taken.push(fs::read(&path).unwrap());
                fs::remove_file(path).unwrap();
            }
        }
        taken
    }

    async fn is_as_before(&self) {
        let report = check(&self.vault, &mut on).await.unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(report.files, self.files.len() as u64);
        for snapshot in &self.snapshots {
            read_back(&self.vault, snapshot).await.unwrap();
        }
    }
}

/// What is left of a file: nothing (if it may be lost), fewer bytes, more of them, or one bit that is another.
fn hurt(good: &[u8], seeded: &mut Seeded, may_be_lost: bool) -> Option<Vec<u8>> {
    let mut bad = good.to_vec();
    match seeded.below(4) {
        0 if may_be_lost => return None,
        1 => bad.truncate(seeded.index(good.len())),
        2 => bad.push(b' '),
        _ => bad[seeded.index(good.len())] ^= 1 << seeded.below(8),
    }
    Some(bad)
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
