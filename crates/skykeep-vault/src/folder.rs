//! A store in a folder: on this computer, or on a drive that people unplug.
//!
//! How a file gets in: a part in the same folder (`.<writer>-<random>.part`), written and hashed, synced, its size
//! looked at, renamed to a name that must be free, and the folder synced. So a cable may come out at any point: what
//! has a name is whole. What it relies on, and what not: FORMAT.md, section 1. Measured on exFAT: no links, no
//! permissions, times in steps, a colon in a name is "not found".
//!
//! The folder is recognised by its file system and number from [`FolderStore::open`] on: when another drive, or the
//! empty mount point, is at its path all of a sudden, every call answers `Missing` and nothing is written there. All
//! work runs on tokio's blocking pool, through [`FolderStore::blocking`] alone.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::Error;
use crate::content::{CHUNK, Content, writing};
use crate::layout::{StorePath, WriterId};
use crate::part::{Part, active, cannot_sync, is_part, rename_new};
use crate::path::is_portable;
use crate::store::{Answer, Depth, Listing, Probe, Store, Stored, Target};

/// A part of another writer is swept when it is this old: nobody writes one file for a day.
const STALE: SignedDuration = SignedDuration::from_hours(24);
/// No vault has this many files in one listing; a folder that claims more is not ours.
const MAX_ENTRIES: usize = 8_000_000;
/// No name of the format is deeper.
const MAX_DEPTH: usize = 8;

/// A store in a folder. Open it for a run, not for ever: an open one would not notice that a drive came back.
#[derive(Debug, Clone)]
pub struct FolderStore {
    root: Arc<Root>,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    identity: Identity,
    writer: WriterId,
    /// The file system has no sync; said once.
    unsynced: AtomicBool,
    /// Folders whose own names are known to survive a power cut.
    durable: Mutex<BTreeSet<PathBuf>>,
}

/// Which folder it is, whatever its path: file system and number, where the system has them.
#[derive(Debug, PartialEq, Eq)]
struct Identity(Option<(u64, u64)>);

impl Identity {
    fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Self(Some((metadata.dev(), metadata.ino())))
        }
        #[cfg(not(unix))]
        {
            let _ = metadata;
            Self(None)
        }
    }
}

impl FolderStore {
    /// A store in `root`, which must exist; `writer` is part of the names of unfinished files.
    ///
    /// Errors: `Missing` when there is no such folder; `Io`.
    pub async fn open(root: impl Into<PathBuf>, writer: WriterId) -> Result<Self, Error> {
        let root = root.into();
        run(move || {
            let path = std::path::absolute(&root).map_err(|error| Error::from_io(root.display(), 0, error))?;
            let metadata = fs::metadata(&path).map_err(|error| root_error(&path, error))?;
            if !metadata.is_dir() {
                return Err(Error::Missing);
            }
            let root = Root {
                path,
                identity: Identity::of(&metadata),
                writer,
                unsynced: AtomicBool::new(false),
                durable: Mutex::default(),
            };
            Ok(Self { root: Arc::new(root) })
        })
        .await
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.root.path
    }

    /// Removes a file. Not of [`Store`]: only staging lets go of files, when every place has them
    /// ([`crate::Staging::release`]).
    ///
    /// Errors: `NotAFile` for links and folders; `Missing`, `ReadOnly`, `Io`.
    pub(crate) fn remove<'a>(&'a self, path: &StorePath) -> Answer<'a, ()> {
        let path = path.clone();
        self.blocking(move |root| root.remove(&path))
    }

    /// The one way to the blocking pool; what cannot be done in a folder that is not there is not tried.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Root) -> Result<T, Error> + Send + 'static,
    ) -> Answer<'_, T> {
        let root = Arc::clone(&self.root);
        Box::pin(run(move || {
            root.guard()?;
            work(&root)
        }))
    }
}

/// Runs `work` on the blocking pool; a panic in it goes on here.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Error::Stopped),
    }
}

impl Store for FolderStore {
    fn put(&self, target: Target, content: Content) -> Answer<'_, Stored> {
        self.blocking(move |root| root.put(target, content))
    }

    fn get<'a>(&'a self, path: &'a StorePath) -> Answer<'a, Option<Content>> {
        let path = path.clone();
        self.blocking(move |root| Ok(root.open(&path)?.map(Content::file)))
    }

    fn confirm<'a>(&'a self, path: &'a StorePath) -> Answer<'a, ()> {
        let path = path.clone();
        self.blocking(move |root| root.confirm(&path))
    }

    fn list<'a>(&'a self, folder: &'a StorePath, depth: Depth) -> Answer<'a, Listing> {
        let folder = folder.clone();
        self.blocking(move |root| {
            let mut listing = Listing::default();
            root.list(&folder, depth, 0, &mut listing)?;
            Ok(listing.in_order())
        })
    }

    fn set_aside<'a>(&'a self, from: &'a StorePath, to: &'a StorePath) -> Answer<'a, ()> {
        let (from, to) = (from.clone(), to.clone());
        self.blocking(move |root| root.set_aside(&from, &to))
    }

    fn probe(&self) -> Answer<'_, Probe> {
        self.blocking(Root::probe)
    }

    fn sweep(&self, now: Timestamp) -> Answer<'_, u64> {
        self.blocking(move |root| root.sweep(&root.path, now, 0))
    }
}

impl Root {
    /// Errors: `Missing` unless the folder is the one that was opened.
    fn guard(&self) -> Result<(), Error> {
        let metadata = fs::metadata(&self.path).map_err(|error| root_error(&self.path, error))?;
        if metadata.is_dir() && Identity::of(&metadata) == self.identity {
            Ok(())
        } else {
            Err(Error::Missing)
        }
    }

    fn put(&self, target: Target, content: Content) -> Result<Stored, Error> {
        let folder = match &target {
            Target::Named { path, .. } => path.folder(),
            Target::Hashed { folder, .. } => folder.clone(),
        };
        let folder_path = self.make_folder(&folder)?;
        let announced = content.size();
        let full = |error| match error {
            Error::Full { .. } => Error::Full { needed: announced },
            error => error,
        };
        if let (Some(size), Some((free, _))) = (announced, space(&folder_path))
            && size > free
        {
            return Err(Error::Full { needed: announced });
        }
        let mut part =
            Part::create(&folder_path, &self.writer).map_err(|error| full(self.explain(&folder, 0, error)))?;
        let result = {
            let mut buffered = BufWriter::with_capacity(CHUNK, &mut part);
            content
                .write_to(&mut buffered)
                .and_then(|()| buffered.flush().map_err(writing))
        };
        if let Some(error) = part.error.take() {
            return Err(full(self.explain(&folder, part.size, error)));
        }
        result?;
        let sum = part.sum();
        let path = match target {
            Target::Named { path, sum: expected } => {
                if expected.is_some_and(|expected| expected != sum) {
                    return Err(Error::damaged(path, "the bytes are not those that were announced"));
                }
                path
            }
            Target::Hashed { folder, ending } => folder.join(&format!("{}{ending}", sum.name()))?,
        };
        let stored = Stored {
            path,
            size: part.size,
            sum,
            existed: false,
        };
        let place = self.path.join(stored.path.as_str());
        self.sync_file(&part.file)
            .and_then(|()| part.settle())
            .map_err(|error| full(self.explain(&stored.path, part.size, error)))?;
        // The drive may have changed while a long file was written.
        self.guard()?;
        match rename_new(&part.path, &place) {
            Ok(()) => part.renamed = true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return self.found(stored),
            Err(error) => return Err(self.explain(&stored.path, stored.size, error)),
        }
        self.sync_folder(&folder_path)
            .map_err(|error| self.explain(&folder, 0, error))?;
        Ok(stored)
    }

    /// A file of that name is there already: the same one, or not.
    fn found(&self, stored: Stored) -> Result<Stored, Error> {
        let taken = || Error::NameTaken {
            path: stored.path.to_string(),
        };
        let file = self.open(&stored.path)?.ok_or_else(taken)?;
        // A file that cannot be read is not the same either.
        match Content::file(file).checksum() {
            Ok((size, sum)) if (size, sum) == (stored.size, stored.sum) => {}
            _ => return Err(taken()),
        }
        self.confirm(&stored.path)?;
        Ok(Stored {
            existed: true,
            ..stored
        })
    }

    fn confirm(&self, path: &StorePath) -> Result<(), Error> {
        let file = self
            .open(path)?
            .ok_or_else(|| Error::Absent { name: path.to_string() })?;
        self.sync_file(&file).map_err(|error| self.explain(path, 0, error))?;
        let folder = self.make_folder(&path.folder())?;
        self.sync_folder(&folder).map_err(|error| self.explain(path, 0, error))
    }

    /// Opens a plain file; `None` when there is nothing of that name.
    fn open(&self, path: &StorePath) -> Result<Option<File>, Error> {
        let not_a_file = || Error::NotAFile { path: path.to_string() };
        if self.real_folder(&path.folder())?.is_none() {
            return Ok(None);
        }
        let place = self.path.join(path.as_str());
        match fs::symlink_metadata(&place) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(not_a_file()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.explain(path, 0, error)),
        }
        match File::open(&place) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.explain_read(path, error)),
        }
    }

    /// The folder's place, or `None` when it does not exist. Errors: `NotAFile` for a link or file on the way.
    fn real_folder(&self, folder: &StorePath) -> Result<Option<PathBuf>, Error> {
        let mut place = self.path.clone();
        for component in folder.components() {
            place.push(component);
            match fs::symlink_metadata(&place) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => {
                    return Err(Error::NotAFile {
                        path: folder.to_string(),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(self.explain(folder, 0, error)),
            }
        }
        Ok(Some(place))
    }

    /// As [`Root::real_folder`], made where it is missing, each level synced into the one above.
    ///
    /// A folder that was there may have been made by someone who was stopped before the sync, so the first use syncs
    /// too.
    fn make_folder(&self, folder: &StorePath) -> Result<PathBuf, Error> {
        // Before anything is made: a link on the way ends it.
        self.real_folder(folder)?;
        let durable = || self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let mut place = self.path.clone();
        for component in folder.components() {
            let above = place.clone();
            place.push(component);
            match fs::create_dir(&place) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(self.explain(folder, 0, error));
                }
                Err(_) if durable().contains(&place) => {}
                _ => {
                    self.sync_folder(&above)
                        .map_err(|error| self.explain(folder, 0, error))?;
                    durable().insert(place.clone());
                }
            }
        }
        self.real_folder(folder)?.ok_or(Error::Missing)
    }

    fn list(&self, folder: &StorePath, depth: Depth, level: usize, listing: &mut Listing) -> Result<(), Error> {
        let place = match self.real_folder(folder) {
            Ok(Some(place)) => place,
            Ok(None) => return Ok(()),
            // A link where a folder should be: nobody knows what is behind it, and nobody looks.
            Err(Error::NotAFile { path }) => {
                listing.unreadable.push(path);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let entries = match fs::read_dir(&place) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                // One folder that cannot be read hides only itself, unless the whole place is gone.
                self.guard()?;
                if level == 0 {
                    return Err(self.explain_read(folder, error));
                }
                listing.unreadable.push(folder.to_string());
                return Ok(());
            }
        };
        for entry in entries {
            if listing.files.len() + listing.foreign.len() > MAX_ENTRIES {
                return Err(Error::TooLarge {
                    name: folder.to_string(),
                    limit: MAX_ENTRIES as u64,
                });
            }
            let Ok(entry) = entry else {
                self.guard()?;
                listing.unreadable.push(folder.to_string());
                break;
            };
            let name = entry.file_name();
            if name.to_str().is_some_and(is_part) {
                continue;
            }
            let path = name
                .to_str()
                .filter(|name| is_portable(name))
                .and_then(|name| folder.join(name).ok());
            let (Some(path), Ok(kind)) = (path, entry.file_type()) else {
                listing.foreign.push(
                    place
                        .join(&name)
                        .strip_prefix(&self.path)
                        .unwrap_or(Path::new(""))
                        .display()
                        .to_string(),
                );
                continue;
            };
            if kind.is_dir() {
                match depth {
                    Depth::Here => listing.folders.push(path),
                    Depth::All if level < MAX_DEPTH => self.list(&path, depth, level + 1, listing)?,
                    Depth::All => listing.foreign.push(path.to_string()),
                }
            } else if kind.is_file() {
                match entry.metadata() {
                    Ok(metadata) => listing.files.push((path, metadata.len())),
                    // Gone between the two looks: another writer's part that was renamed, or the drive.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(_) => listing.unreadable.push(path.to_string()),
                }
            } else {
                listing.foreign.push(path.to_string());
            }
        }
        Ok(())
    }

    fn set_aside(&self, from: &StorePath, to: &StorePath) -> Result<(), Error> {
        let target_folder = self.make_folder(&to.folder())?;
        let Some(source_folder) = self.real_folder(&from.folder())? else {
            return Err(Error::Absent { name: from.to_string() });
        };
        let (source, target) = (self.path.join(from.as_str()), self.path.join(to.as_str()));
        match rename_new(&source, &target) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::NameTaken { path: to.to_string() });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Absent { name: from.to_string() });
            }
            Err(error) => return Err(self.explain(from, 0, error)),
        }
        self.sync_folder(&target_folder)
            .and_then(|()| self.sync_folder(&source_folder))
            .map_err(|error| self.explain(from, 0, error))
    }

    /// Not synced: a file that is there again after a power cut is removed another time.
    fn remove(&self, path: &StorePath) -> Result<(), Error> {
        if self.open(path)?.is_none() {
            return Ok(());
        }
        match fs::remove_file(self.path.join(path.as_str())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.explain(path, 0, error)),
            _ => Ok(()),
        }
    }

    fn probe(&self) -> Result<Probe, Error> {
        let written = [0x5b; 4096];
        let explain = |error| self.explain(&StorePath::root(), written.len() as u64, error);
        let mut part = Part::create(&self.path, &self.writer).map_err(explain)?;
        part.write_all(&written)
            .and_then(|()| self.sync_file(&part.file))
            .and_then(|()| part.settle())
            .map_err(explain)?;
        if fs::read(&part.path).map_err(explain)? != written {
            return Err(Error::damaged("probe", "what was written is not what is read"));
        }
        drop(part);
        let (free, total) = space(&self.path).unzip();
        Ok(Probe {
            free,
            total,
            syncs: !self.unsynced.load(Ordering::Relaxed),
        })
    }

    fn sweep(&self, folder: &Path, now: Timestamp, level: usize) -> Result<u64, Error> {
        let Ok(entries) = fs::read_dir(folder) else {
            return self.guard().map(|()| 0);
        };
        let mut swept = 0;
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && level < MAX_DEPTH {
                swept += self.sweep(&entry.path(), now, level + 1)?;
            } else if kind.is_file()
                && let Some(name) = entry.file_name().to_str()
                && self.is_stale(name, &entry, now)
            {
                match fs::remove_file(entry.path()) {
                    Ok(()) => swept += 1,
                    Err(error) => tracing::debug!(name, %error, "a stale part stays"),
                }
            }
        }
        Ok(swept)
    }

    fn is_stale(&self, name: &str, entry: &fs::DirEntry, now: Timestamp) -> bool {
        if !is_part(name) || active().contains(name) {
            return false;
        }
        if name[1..].starts_with(self.writer.as_str()) {
            return true;
        }
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        modified
            .and_then(|time| Timestamp::try_from(time).ok())
            .is_some_and(|time| now.duration_since(time) > STALE)
    }

    /// Syncs a file; a file system that has no such thing is remembered and lived with.
    fn sync_file(&self, file: &File) -> io::Result<()> {
        match file.sync_all() {
            Err(error) if cannot_sync(&error) => {
                if !self.unsynced.swap(true, Ordering::Relaxed) {
                    tracing::warn!(place = %self.path.display(), %error, "this file system cannot sync files");
                }
                Ok(())
            }
            result => result,
        }
    }

    /// Syncs a folder, so that a new name survives a power cut. Many file systems have no such thing.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        #[cfg(unix)]
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            Err(error) if cannot_sync(&error) => {
                tracing::debug!(place = %self.path.display(), %error, "no folder sync")
            }
            result => return result,
        }
        #[cfg(not(unix))]
        let _ = folder;
        Ok(())
    }

    /// What an error about a file means for the place: if the folder itself is gone, that is the news.
    fn explain(&self, path: &StorePath, written: u64, error: io::Error) -> Error {
        match self.guard() {
            Err(Error::Missing) => Error::Missing,
            _ => Error::from_io(path, written, error),
        }
    }

    /// As [`Root::explain`]: what may not be read says nothing about whether the place can be written.
    fn explain_read(&self, path: &StorePath, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::PermissionDenied => Error::Io {
                path: path.to_string(),
                source,
            },
            _ => self.explain(path, 0, source),
        }
    }
}

/// Bytes that can be written and bytes in all, where the system tells.
fn space(folder: &Path) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        let space = rustix::fs::statvfs(folder).ok()?;
        let unit = space.f_frsize;
        // Some network file systems answer zeros: that is "unknown", not "full".
        (space.f_blocks > 0).then(|| (space.f_bavail.saturating_mul(unit), space.f_blocks.saturating_mul(unit)))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// Errors about the folder itself: what is not there is `Missing`.
fn root_error(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::Missing,
        _ => Error::from_io(path.display(), 0, error),
    }
}
