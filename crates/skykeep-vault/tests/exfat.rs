//! The vault on exFAT, as family drives have it: no links, no permissions, no upper and lower case told apart.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use skykeep_vault::{Error, FolderStore, Vault, check};

use crate::account::{Account, folder_vault, now, on, read_back, writer_key};
use crate::store_contract::{folder, keeps_the_contract, takes_many_at_once};

/// A drive: an image, its loop device, and the driver that serves it.
struct Drive {
    folder: tempfile::TempDir,
    device: String,
}

impl Drive {
    /// A new drive, formatted and mounted. Errors: what this machine lacks.
    fn new(megabytes: u64) -> Result<Self, &'static str> {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        let formatted = Command::new("mkfs.exfat").arg(&image).output();
        if !formatted.is_ok_and(|output| output.status.success()) {
            return Err("needs mkfs.exfat");
        }
        let device = Command::new("losetup").args(["-f", "--show"]).arg(&image).output();
        let device = device
            .ok()
            .filter(|output| output.status.success())
            .ok_or("needs root and loop devices")?;
        let device = String::from_utf8(device.stdout).unwrap().trim().to_owned();
        let drive = Self { folder, device };
        fs::create_dir(drive.path()).unwrap();
        drive.mount()?;
        Ok(drive)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    fn mount(&self) -> Result<(), &'static str> {
        // The driver stays in the background: it must not hold our pipes.
        let quiet = Command::new("mount.exfat-fuse")
            .args(["-o", "rw"])
            .arg(&self.device)
            .arg(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if quiet.is_ok_and(|status| status.success()) {
            Ok(())
        } else {
            Err("needs FUSE and exfat-fuse")
        }
    }

    /// Pulls the cable: the driver is killed in the middle of whatever it does.
    fn unplug(&self) {
        let pids = Command::new("pgrep")
            .args(["-f", &format!("mount.exfat-fuse .*{}", self.device)])
            .output()
            .unwrap();
        for pid in String::from_utf8(pids.stdout).unwrap().split_whitespace() {
            Command::new("kill").args(["-9", pid]).status().unwrap();
        }
        // The kernel notices a moment later.
        let patience = Instant::now() + Duration::from_secs(30);
        while fs::metadata(self.path()).is_ok() {
            assert!(Instant::now() < patience, "the driver does not die");
            std::thread::yield_now();
        }
    }

    fn unmount(&self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.path())
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        self.unmount();
        let _ = Command::new("losetup").args(["-d", &self.device]).status();
    }
}

/// A drive, or `None` after saying why not.
fn drive(test: &str, megabytes: u64) -> Option<Drive> {
    match Drive::new(megabytes) {
        Ok(drive) => Some(drive),
        Err(reason) => {
            skykeep_tests::skipped(test, reason);
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exfat_keeps_the_contract() {
    let Some(drive) = drive("exfat_keeps_the_contract", 64) else {
        return;
    };
    keeps_the_contract(&folder(&drive.path()).await).await;
    takes_many_at_once(Arc::new(folder(&drive.path()).await), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_lives_on_exfat() {
    let Some(drive) = drive("a_vault_lives_on_exfat", 64) else {
        return;
    };
    let key = writer_key(1);
    let root = drive.path().join("Skykeep");
    let vault = folder_vault(&root, &key).await;
    let mut account = Account::new("alice", 81, 100);
    let mut last = None;
    for hour in 0..3 {
        let time = now() + SignedDuration::from_hours(hour);
        last = account.run(&vault, &key, time).await.unwrap().pop();
        account.post(hour as u64, 3);
    }
    // Unplugged properly and back again.
    drive.unmount();
    let error = FolderStore::open(&root, key.id()).await.unwrap_err();
    assert!(matches!(error, Error::Missing), "{error}");
    drive.mount().unwrap();
    let vault = open(&root).await;
    read_back(&vault, &last.unwrap()).await.unwrap();
    let report = check(&vault, &mut on).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
}

async fn open(root: &Path) -> Vault {
    let store = FolderStore::open(root, writer_key(1).id()).await.unwrap();
    Vault::open(Arc::new(store), None).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cable_pulled_in_the_middle_loses_nothing_that_was_whole() {
    let test = "a_cable_pulled_in_the_middle_loses_nothing_that_was_whole";
    let Some(drive) = drive(test, 64) else { return };
    let key = writer_key(1);
    let root = drive.path().join("Skykeep");
    let mut account = Account::new("alice", 82, 150);
    let vault = folder_vault(&root, &key).await;
    let good = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    let car = account.car();
    for round in 1..4u8 {
        account.post(u64::from(round), 40);
        let time = now() + SignedDuration::from_hours(round.into());
        // Pulled while the run is under way: at its n-th write, by way of the content it writes.
        let frail = skykeep_tests::frail::FrailStore::failing_at(
            Arc::new(FolderStore::open(&root, key.id()).await.unwrap()),
            u64::from(round),
            skykeep_tests::frail::Fate::Nothing,
        );
        let frail = Arc::new(frail);
        let vault = Vault::open(Arc::clone(&frail) as Arc<dyn skykeep_vault::Store>, None)
            .await
            .unwrap();
        let (stopped, ()) = tokio::join!(account.run(&vault, &key, time), async {
            while !frail.is_gone() {
                tokio::task::yield_now().await;
            }
            drive.unplug();
        });
        assert!(matches!(stopped, Err(Error::Missing)), "{stopped:?}");
        let gone = FolderStore::open(&root, key.id()).await;
        assert!(matches!(gone, Err(Error::Missing)), "{gone:?}");
        drive.unmount();
        drive.mount().unwrap();
        let vault = open(&root).await;
        assert!(read_back(&vault, &good).await.unwrap() == car, "round {round}");
        let next = account.run(&vault, &key, time).await.unwrap().pop().unwrap();
        assert!(
            read_back(&vault, &next).await.unwrap() == account.car(),
            "round {round}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_drive_keeps_what_it_has_and_goes_on_when_there_is_room() {
    let test = "a_full_drive_keeps_what_it_has_and_goes_on_when_there_is_room";
    let Some(drive) = drive(test, 16) else { return };
    let key = writer_key(1);
    let root = drive.path().join("Skykeep");
    let vault = folder_vault(&root, &key).await;
    let mut account = Account::new("alice", 83, 60);
    let good = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    let car = account.car();
    let filler = drive.path().join("Holiday.mov");
    let file = fs::File::create(&filler).unwrap();
    while std::io::Write::write(&mut &file, &[0; 4096]).is_ok_and(|written| written == 4096) {}
    drop(file);
    account.post(1, 30);
    let full = account.run(&vault, &key, now() + SignedDuration::from_hours(1)).await;
    assert!(matches!(full, Err(Error::Full { .. })), "{full:?}");
    assert!(read_back(&vault, &good).await.unwrap() == car);
    fs::remove_file(filler).unwrap();
    let next = account
        .run(&vault, &key, now() + SignedDuration::from_hours(1))
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert!(read_back(&vault, &next).await.unwrap() == account.car());
}
