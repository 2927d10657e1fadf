//! Which drives come and go: what is mounted, and when that changes.
//!
//! Source: proc(5) for mountinfo and for how it tells of a change.

#[cfg(target_os = "linux")]
use std::fs;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
use tokio::io::unix::AsyncFd;

#[cfg(target_os = "linux")]
use super::kernel::{Drives, MOUNTINFO, Mount, mounted};

/// Mount points of drives that come and go, in order: where desktops mount what is plugged in, and what the kernel shows
/// to be removable under `/mnt`.
///
/// Servers are none of them: what is there is not plugged in.
pub(crate) fn comings_and_goings() -> Vec<PathBuf> {
    #[cfg(target_os = "linux")]
    return Drives::now(&mounted()).comings_and_goings();
    #[cfg(target_os = "macos")]
    return {
        // Every volume but the system's own, which is a link to the root.
        let volumes = std::fs::read_dir("/Volumes").into_iter().flatten().flatten();
        let mut points: Vec<PathBuf> = volumes
            .map(|volume| volume.path())
            .filter(|path| !path.is_symlink())
            .collect();
        points.sort();
        points
    };
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    Vec::new()
}

/// Whether something is mounted at this folder. Where the system does not say, it is.
pub(crate) fn is_mounted(point: &Path) -> bool {
    #[cfg(target_os = "linux")]
    return fs::read_to_string(MOUNTINFO).map_or(true, |mounts| {
        mounts
            .lines()
            .filter_map(Mount::parse)
            .any(|mount| mount.point == point)
    });
    #[cfg(not(target_os = "linux"))]
    point.exists()
}

/// Says when something is mounted or unmounted.
#[derive(Debug)]
pub(crate) struct Mounts {
    #[cfg(target_os = "linux")]
    table: Option<AsyncFd<fs::File>>,
}

impl Mounts {
    /// Begins to watch. Needs a tokio runtime.
    #[allow(
        deprecated,
        reason = "its heir is unsafe to call; a file that it owns is what makes it sound"
    )]
    pub(crate) fn watch() -> Self {
        Self {
            // The kernel marks the file as urgent when its content has changed. Source: proc(5), "mounts".
            #[cfg(target_os = "linux")]
            table: fs::File::open(MOUNTINFO)
                .ok()
                .and_then(|file| AsyncFd::with_interest(file, tokio::io::Interest::PRIORITY).ok()),
        }
    }

    /// Waits until something has been mounted or unmounted; for ever where the system does not say.
    pub(crate) async fn changed(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(table) = &self.table
            && let Ok(mut ready) = table.ready(tokio::io::Interest::PRIORITY).await
        {
            ready.clear_ready();
            return;
        }
        std::future::pending::<()>().await;
    }
}
