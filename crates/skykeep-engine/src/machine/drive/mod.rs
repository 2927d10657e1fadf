//! Drives: whether a folder is on this computer, and which drives come and go.
//!
//! "On this computer only" is said on the strength of this, so it errs on one side: only a disk that the kernel shows
//! to be elsewhere or removable is called so, and what is not understood is unknown, which a face treats like here.

#[cfg(target_os = "linux")]
mod kernel;
mod mounts;

use std::path::{Path, PathBuf};

pub(crate) use mounts::{Mounts, comings_and_goings, is_mounted};

/// Where a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnThisComputer {
    /// On a disk built into this computer.
    Yes,
    /// On a drive that can be unplugged, or on a server.
    No,
    /// The system does not say.
    Unknown,
}

/// Says where a folder is. It need not exist: then the nearest folder above it that does is judged.
///
/// A folder on the same file system as `home`, the person's home folder, is on this computer unless the system says
/// otherwise. Reads small files; call it on the blocking pool: a server that is gone can hold up even that.
pub fn on_this_computer(path: &Path, home: &Path) -> OnThisComputer {
    match by_mount(path) {
        OnThisComputer::Unknown if same_file_system(path, home) => OnThisComputer::Yes,
        judged => judged,
    }
}

/// Whether a drive is mounted for writing.
pub(crate) fn is_writable(point: &Path) -> bool {
    #[cfg(unix)]
    return rustix::fs::statvfs(point).is_ok_and(|drive| !drive.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    #[cfg(not(unix))]
    point.exists()
}

/// Bytes free for this person where a folder is or would be.
pub(crate) fn free(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    return folder
        .ancestors()
        .find_map(|folder| rustix::fs::statvfs(folder).ok())
        .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

#[cfg(target_os = "linux")]
fn by_mount(path: &Path) -> OnThisComputer {
    nearest(path).map_or(OnThisComputer::Unknown, |path| {
        kernel::Drives::now(&kernel::mounted()).judge(&path, 0)
    })
}

#[cfg(not(target_os = "linux"))]
fn by_mount(_: &Path) -> OnThisComputer {
    OnThisComputer::Unknown
}

#[cfg(unix)]
fn same_file_system(path: &Path, home: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| {
        path.ancestors()
            .find_map(|path| path.metadata().ok())
            .map(|metadata| metadata.dev())
    };
    device(path).is_some_and(|path| Some(path) == device(home))
}

#[cfg(not(unix))]
fn same_file_system(_: &Path, _: &Path) -> bool {
    false
}

/// The nearest folder that exists, with no link in its path.
#[cfg(target_os = "linux")]
fn nearest(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().find_map(|path| path.canonicalize().ok())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_is_where_the_one_above_it_is() {
        let home = tempfile::tempdir().unwrap();
        let new = home.path().join("not").join("there").join("yet");
        assert_eq!(
            on_this_computer(&new, home.path()),
            on_this_computer(home.path(), home.path())
        );
        assert_ne!(on_this_computer(&new, home.path()), OnThisComputer::No);
        assert!(!home.path().join("not").exists());
    }

    #[test]
    fn links_are_followed_before_judging() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/proc", dir.path().join("link")).unwrap();
        assert_eq!(nearest(&dir.path().join("link")).unwrap(), Path::new("/proc"));
        assert!(!same_file_system(&dir.path().join("link"), dir.path()));
        assert!(same_file_system(&dir.path().join("a/b"), dir.path()));
    }
}
