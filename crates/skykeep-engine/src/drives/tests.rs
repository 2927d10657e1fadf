//! Real file systems, mounted and unmounted under `/media` as a desktop does it. That takes root; else skipped.

use std::process::Command;
use std::time::Duration;

use super::*;
use crate::api::{PlaceState, SpotKind};
use crate::testing::skipped;

/// A drive: a file system in memory that can be mounted anywhere, as the same one, and is unmounted when dropped.
struct Drive {
    name: String,
    kept: PathBuf,
    at: Option<PathBuf>,
}

impl Drive {
    /// `None` where nothing can be mounted.
    fn new(name: &str) -> Option<Self> {
        let name = format!("skykeep-{name}-{}", std::process::id());
        let kept = std::env::temp_dir().join(format!("{name}-kept"));
        std::fs::create_dir_all(&kept).ok()?;
        // Kept alive under a private path: a bind mount elsewhere is the same file system.
        run(&["mount", "-t", "tmpfs", "-o", "size=16m", "none"], &kept).then(|| Self { name, kept, at: None })
    }

    fn plug(&mut self, as_name: &str) -> PathBuf {
        let point = Path::new("/media").join(format!("{}-{as_name}", self.name));
        std::fs::create_dir_all(&point).unwrap();
        let kept = self.kept.to_str().unwrap();
        assert!(run(&["mount", "--bind", kept], &point));
        self.at = Some(point.clone());
        point
    }

    /// Unmounts it and leaves the empty mount point, as some systems do.
    fn pull(&mut self) {
        if let Some(point) = self.at.take() {
            assert!(run(&["umount"], &point));
        }
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        self.pull();
        run(&["umount"], &self.kept);
        let _ = std::fs::remove_dir(&self.kept);
        for entry in std::fs::read_dir("/media").into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&self.name) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

fn run(command: &[&str], last: &Path) -> bool {
    let done = Command::new(command[0]).args(&command[1..]).arg(last).output();
    done.is_ok_and(|output| output.status.success())
}

async fn engine(folder: &Path) -> Engine {
    let phrase = folder.join("phrase");
    std::fs::write(&phrase, "correct horse battery staple").unwrap();
    std::fs::set_permissions(&phrase, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let settings = format!("format = 1\n[keys]\nstore = \"file\"\npassphrase_file = {phrase:?}\n");
    std::fs::write(folder.join("settings.toml"), settings).unwrap();
    Engine::open_at(folder.to_owned()).await.unwrap()
}

async fn state(engine: &Engine) -> PlaceState {
    engine.places().await.unwrap()[0].state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drive_that_goes_is_absent_and_is_known_again_under_another_path() {
    let Some(mut drive) = Drive::new("moves") else {
        return skipped("a_drive_that_goes_is_absent", "no file system can be mounted");
    };
    let data = tempfile::tempdir().unwrap();
    let engine = engine(data.path()).await;
    let first = drive.plug("one");
    let folder = first.join("Backups/Skykeep");
    let place = engine.add_folder(&folder, Some("Drive".to_owned())).await.unwrap();
    assert!(place.removable && place.state == PlaceState::Ready && !place.busy);
    engine.inner.find_places().await.unwrap();

    drive.pull();
    // The mount point is empty, and somebody put a folder of the same name there.
    std::fs::create_dir_all(&folder).unwrap();
    assert_eq!(state(&engine).await, PlaceState::Absent);
    // That folder is on this computer; the drive is not.
    assert!(!engine.places().await.unwrap()[0].this_computer);
    assert!(engine.inner.find_places().await.unwrap().is_empty());
    assert!(matches!(
        places::open(&engine.inner, &engine.inner.settings().places[0]).await,
        Err(Error::Place {
            source: skykeep_vault::Error::Missing,
            ..
        })
    ));

    let mut events = engine.events();
    let second = drive.plug("two");
    assert_eq!(
        engine.inner.find_places().await.unwrap(),
        std::slice::from_ref(&place.id)
    );
    assert!(matches!(events.try_recv(), Ok(Event::Places)));
    let found = engine.places().await.unwrap().remove(0);
    assert_eq!(found.path, second.join("Backups/Skykeep").display().to_string());
    assert_eq!((found.state, found.id.as_str()), (PlaceState::Ready, place.id.as_str()));
    // It is remembered: a program that starts now finds it there too.
    let written = std::fs::read_to_string(data.path().join("settings.toml")).unwrap();
    assert!(written.contains(&found.path), "{written}");
    assert!(engine.inner.find_places().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connected_drive_is_a_spot_and_the_usual_folder_comes_first() {
    let Some(mut drive) = Drive::new("spot") else {
        return skipped("a_connected_drive_is_a_spot", "no file system can be mounted");
    };
    let data = tempfile::tempdir().unwrap();
    let engine = engine(data.path()).await;
    let point = drive.plug("stick");
    let own = |path: &Path| path.join("Skykeep").display().to_string();
    let spots = engine.spots().await.unwrap();
    assert_eq!(spots[0].kind, SpotKind::ThisComputer);
    let spot = spots.iter().find(|spot| spot.path == own(&point)).unwrap();
    assert_eq!(spot.kind, SpotKind::Drive);
    assert_eq!(spot.name, point.file_name().unwrap().to_string_lossy());
    assert!(
        !spot.known && spot.free.is_some_and(|free| free > 1 << 20 && free <= 16 << 20),
        "{spot:?}"
    );
    let place = engine.add_folder(Path::new(&spot.path), None).await.unwrap();
    assert_eq!(place.name, spot.name);
    let spots = engine.spots().await.unwrap();
    assert!(spots.iter().find(|spot| spot.path == own(&point)).unwrap().known);
    drive.pull();
    assert!(
        engine
            .spots()
            .await
            .unwrap()
            .iter()
            .all(|spot| spot.path != own(&point))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kernel_says_when_a_drive_comes() {
    let Some(mut drive) = Drive::new("watch") else {
        return skipped("the_kernel_says_when_a_drive_comes", "no file system can be mounted");
    };
    let mut mounts = drive::Mounts::watch();
    // What was mounted before it was first asked is no news.
    while tokio::time::timeout(Duration::from_millis(200), mounts.changed())
        .await
        .is_ok()
    {}
    let waiting = tokio::spawn(async move { mounts.changed().await });
    drive.plug("now");
    tokio::time::timeout(Duration::from_secs(5), waiting)
        .await
        .unwrap()
        .unwrap();
}

#[test]
fn the_nearest_drive_above_a_folder_is_its_own() {
    let points = [
        PathBuf::from("/media/a"),
        PathBuf::from("/media/a/b"),
        PathBuf::from("/media/ab"),
    ];
    let check = |folder: &str, expected: Option<&str>| {
        assert_eq!(
            mount_of(Path::new(folder), &points),
            expected.map(PathBuf::from),
            "{folder}"
        );
    };
    check("/media/a/Skykeep", Some("/media/a"));
    check("/media/a/b/Skykeep", Some("/media/a/b"));
    check("/media/ab", Some("/media/ab"));
    check("/media/abc", None);
}
