//! A drive as families have them: an exFAT image on a loop device, mounted through FUSE, that can be pulled out.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A drive: an image, its loop device, and the driver that serves it.
#[derive(Debug)]
pub struct Drive {
    folder: tempfile::TempDir,
    device: String,
}

impl Drive {
    /// A new drive, formatted and mounted. Errors: what this machine lacks.
    ///
    /// # Panics
    /// When there is no room for it.
    pub fn new(megabytes: u64) -> Result<Self, &'static str> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let image = folder.path().join("image");
        fs::File::create(&image)
            .and_then(|file| file.set_len(megabytes << 20))
            .expect("the image is made");
        let formatted = Command::new("mkfs.exfat").arg(&image).output();
        if !formatted.is_ok_and(|output| output.status.success()) {
            return Err("needs mkfs.exfat");
        }
        let device = Command::new("losetup").args(["-f", "--show"]).arg(&image).output();
        let device = device
            .ok()
            .filter(|output| output.status.success())
            .ok_or("needs root and loop devices")?;
        let device = String::from_utf8_lossy(&device.stdout).trim().to_owned();
        let drive = Self { folder, device };
        fs::create_dir(drive.path()).expect("a folder to mount it on");
        drive.mount()?;
        Ok(drive)
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// Plugs it in. Errors: what this machine lacks.
    pub fn mount(&self) -> Result<(), &'static str> {
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
    ///
    /// # Panics
    /// When the driver does not die.
    pub fn unplug(&self) {
        let pids = Command::new("pgrep")
            .args(["-f", &format!("mount.exfat-fuse .*{}", self.device)])
            .output()
            .expect("pgrep is there");
        for pid in String::from_utf8_lossy(&pids.stdout).split_whitespace() {
            Command::new("kill").args(["-9", pid]).status().expect("kill is there");
        }
        // The kernel notices a moment later.
        let patience = Instant::now() + Duration::from_secs(30);
        while fs::metadata(self.path()).is_ok() {
            assert!(Instant::now() < patience, "the driver does not die");
            std::thread::yield_now();
        }
    }

    /// Takes it off, as a person does who unplugs it properly.
    pub fn unmount(&self) {
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
