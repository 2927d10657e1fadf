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
        Some(drive) => place.folder.starts_with(drive),
        None => place.folder == folder,
    });
    let folder = place.map_or(folder, |place| &place.folder);
    let named = drive.map_or(folder, PathBuf::as_path);
    Spot {
        path: folder.display().to_string(),
        name: named.file_name().map_or_else(
            || named.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        ),
        kind: if drive.is_some() {
            SpotKind::Drive
        } else {
            SpotKind::ThisComputer
        },
        free: drive::free(folder),
        known: place.is_some(),
    }
}
