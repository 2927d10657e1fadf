//! Where backups could go: the usual folder, and the drives that are connected.

use std::path::{Path, PathBuf};

use crate::api::{Spot, SpotKind};
use crate::machine::drive;
use crate::settings::Settings;
use crate::{Engine, Error, blocking};

/// The folder that becomes a place on a drive, so that the drive's other files stay beside it.
const FOLDER: &str = "Skykeep";

impl Engine {
    /// The usual folder first, then the drives that are connected and can be written. Nothing is made or written.
    pub async fn spots(&self) -> Result<Vec<Spot>, Error> {
        let settings = self.inner.settings();
        blocking(move || {
            let usual = crate::default_place().map(|folder| spot(&settings, &folder, None));
            let drives = drive::comings_and_goings();
            let drives = drives.iter().filter(|point| drive::is_writable(point));
            let drives = drives.map(|point| spot(&settings, &point.join(FOLDER), Some(point)));
            Ok(usual.into_iter().chain(drives).collect())
        })
        .await
    }
}

/// A folder as a spot; `drive` is the mount point of the drive that it is on.
fn spot(settings: &Settings, folder: &Path, drive: Option<&PathBuf>) -> Spot {
    // A drive that has a place anywhere on it has one.
    let place = settings.places.iter().find(|place| match drive {
        Some(drive) => place.folder().is_some_and(|folder| folder.starts_with(drive)),
        None => place.folder() == Some(folder),
    });
    let folder = place.and_then(|place| place.folder()).unwrap_or(folder);
    Spot {
        path: folder.display().to_string(),
        name: last_part(drive.map_or(folder, PathBuf::as_path)),
        kind: if drive.is_some() {
            SpotKind::Drive
        } else {
            SpotKind::ThisComputer
        },
        free: drive::free(folder),
        known: place.is_some(),
    }
}

/// What a place is called until somebody names it: its folder, or on a drive, when the folder is the usual one, the drive.
pub(crate) fn usual_name(folder: &Path, drive: Option<&Path>) -> String {
    let usual = folder.file_name().is_some_and(|name| name == FOLDER);
    last_part(drive.filter(|_| usual).unwrap_or(folder))
}

fn last_part(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_on_a_drive_is_called_like_the_drive() {
        let check = |folder: &str, drive: Option<&str>, expected: &str| {
            assert_eq!(
                usual_name(Path::new(folder), drive.map(Path::new)),
                expected,
                "{folder}"
            );
        };
        check("/home/alice/Skykeep", None, "Skykeep");
        check("/home/alice/Backups", None, "Backups");
        check(
            "/media/alice/Family drive/Skykeep",
            Some("/media/alice/Family drive"),
            "Family drive",
        );
        check(
            "/media/alice/Family drive",
            Some("/media/alice/Family drive"),
            "Family drive",
        );
        check(
            "/media/alice/Family drive/Posts",
            Some("/media/alice/Family drive"),
            "Posts",
        );
        check("/", None, "/");
    }
}
