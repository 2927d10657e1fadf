//! The data folder: what Skykeep remembers on this computer, and the lock that makes it one engine's.
//!
//! `settings.toml`, `catalogue.db`, `staging/` (a vault), `incoming/` (downloads not yet proved), `outlines/` (what proofs
//! left for the next ones), `delivering/` (notes of what is on its way where), `keys/`, `logs/`, `engine.lock`, `engine.sock`. It is never on a drive that people unplug. Both faces use the same one.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;

/// The application's name for operating systems.
pub(crate) const APP_ID: &str = "app.skykeep.desktop";

/// Where the data folder is, without making it.
///
/// `SKYKEEP_DATA_DIR`, else the operating system's folder for application data. Errors: `Data` when there is none.
pub fn location() -> Result<PathBuf, Error> {
    match env::var_os("SKYKEEP_DATA_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => Ok(PathBuf::from(dir)),
        None => dirs::data_local_dir()
            .map(|dir| dir.join(APP_ID))
            .ok_or_else(|| Error::data(APP_ID)(io::Error::new(io::ErrorKind::NotFound, "no home folder"))),
    }
}

/// Where backups go when nobody chose a place: `~/Skykeep`, never Documents, which clouds sync away.
pub fn default_place() -> Option<PathBuf> {
    env::var_os("HOME")
        .map(PathBuf::from)
        .or_else(dirs::home_dir)
        .map(|home| home.join("Skykeep"))
}

/// The data folder, locked for this engine until it is dropped.
#[derive(Debug)]
pub(crate) struct DataFolder {
    root: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if it is not there (readable by its owner only) and takes its lock.
    ///
    /// Errors: `EngineRunning` when another process holds the lock; `Data`.
    pub(crate) fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let root = root.into();
        create_private(&root).map_err(Error::data(&root))?;
        let lock_path = root.join("engine.lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(Error::data(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::EngineRunning { folder: root }),
            Err(TryLockError::Error(error)) => return Err(Error::data(lock_path)(error)),
        }
        let folder = Self { root, _lock: lock };
        folder.sweep_incoming()?;
        Ok(folder)
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The settings file.
    pub(crate) fn settings(&self) -> PathBuf {
        settings_in(&self.root)
    }

    /// The catalogue.
    pub(crate) fn catalogue(&self) -> PathBuf {
        self.root.join("catalogue.db")
    }

    /// The staging vault.
    pub(crate) fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    /// Downloads that are not proved yet. Emptied at every start.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    /// What proofs left for the next ones; made anew when it is not there.
    pub(crate) fn outlines(&self) -> PathBuf {
        self.root.join("outlines")
    }

    /// Notes of deliveries that are under way, or did not end cleanly.
    pub(crate) fn delivering(&self) -> PathBuf {
        self.root.join("delivering")
    }

    fn sweep_incoming(&self) -> Result<(), Error> {
        let incoming = self.incoming();
        match fs::remove_dir_all(&incoming) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::data(incoming)(error)),
            _ => {}
        }
        create_private(&incoming).map_err(Error::data(incoming))
    }
}

/// Makes a folder that only its owner can look into.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Replaces a file of the data folder: the old one or the new one is there, whatever happens in between.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let part = path.with_extension("part");
    let write = || -> io::Result<()> {
        let file = File::create(&part)?;
        io::Write::write_all(&mut &file, bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        if let Some(folder) = path.parent() {
            // A folder cannot be opened for this everywhere; where it can, the rename is durable now.
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    };
    write().map_err(Error::data(path))
}

/// The settings file of a data folder, which need not be there.
pub(crate) fn settings_in(root: &Path) -> PathBuf {
    root.join("settings.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_engine_is_refused_until_the_first_ends() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data");
        let first = DataFolder::open(&root).unwrap();
        assert!(matches!(DataFolder::open(&root), Err(Error::EngineRunning { .. })));
        drop(first);
        DataFolder::open(&root).unwrap();
    }

    #[test]
    fn what_a_cut_off_download_left_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(dir.path()).unwrap();
        fs::write(folder.incoming().join("half.car"), b"half").unwrap();
        drop(folder);
        let folder = DataFolder::open(dir.path()).unwrap();
        assert_eq!(fs::read_dir(folder.incoming()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_look_into_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(dir.path().join("data")).unwrap();
        assert_eq!(fs::metadata(folder.root()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
