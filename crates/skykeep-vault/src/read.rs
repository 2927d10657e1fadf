//! Reading a vault: accounts, snapshots in their order, what a snapshot consists of, and its repository as one CAR.
//!
//! What cannot be read is a finding beside what can: it hides nothing and ends nothing. Nothing is believed because the
//! file system says so; every byte that leaves this module was hashed, or is hashed by whoever checks the repository.
//! Source: FORMAT.md, sections 4 ("Order"), 5 and 6.

mod contents;
mod order;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use skykeep_atproto::KeyHistory;
use skykeep_atproto::car::Written;
use skykeep_atproto::verify::VerifiedRepo;

use crate::Error;
use crate::content::Content;
use crate::folder::run;
use crate::layout::{AccountFile, AccountFolder, Checksum, SnapshotName, StorePath, WriterId};
use crate::list::Object;
use crate::manifest::{MAX_MANIFEST, Manifest};
use crate::reach::Reach;
use crate::store::{Depth, Target};
use crate::vault::Vault;

pub use contents::{Contents, MAX_CHAIN};
use order::in_order;

/// A snapshot whose manifest was read and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The manifest's name.
    pub name: SnapshotName,
    /// The manifest's SHA-256.
    pub sum: Checksum,
    /// What it says.
    pub manifest: Manifest,
}

/// The snapshots of an account.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// Those with a sound manifest, oldest first, ordered by sequence and rev, never by clock.
    pub sound: Vec<Snapshot>,
    /// What is wrong beside them.
    pub findings: Vec<Finding>,
}

/// Something among the manifests that is not as it should be.
#[derive(Debug)]
pub enum Finding {
    /// A manifest that cannot be used.
    Unreadable {
        /// Its name.
        name: SnapshotName,
        /// Why: `Damaged`, `NewerFormat`, `Invalid`, `TooLarge`, `NotAFile`, `Io`.
        error: Error,
    },
    /// Something in the folder that is no manifest.
    Foreign {
        /// Its path.
        path: String,
    },
    /// The folder, or something in it, cannot be looked at: snapshots may be hidden there.
    Hidden {
        /// Its path.
        path: String,
    },
    /// A manifest names one before it that is not here.
    Gap {
        /// The writer.
        writer: WriterId,
        /// The number before that is here, 0 for none.
        after: u32,
        /// The number of the manifest that names it.
        before: u32,
    },
    /// Two manifests of a writer have one number: two data folders use one key.
    Fork {
        /// The writer.
        writer: WriterId,
        /// The number.
        sequence: u32,
    },
}

impl Vault {
    /// The accounts that have a folder here.
    ///
    /// Errors: those of the place.
    pub async fn accounts(&self) -> Result<Vec<AccountFolder>, Error> {
        let folder: StorePath = "accounts".parse()?;
        let listing = self.store().list(&folder, Depth::Here).await?;
        Ok(listing
            .folders
            .iter()
            .filter_map(|path| path.name().parse().ok())
            .collect())
    }

    /// The names of an account's manifests, and what else lies among them. Nothing is read.
    ///
    /// Errors: those of the place.
    pub async fn snapshot_names(&self, account: &AccountFolder) -> Result<(Vec<SnapshotName>, Vec<Finding>), Error> {
        let listing = self.store().list(&account.folder("snapshots"), Depth::Here).await?;
        let (mut names, mut findings) = (Vec::new(), Vec::new());
        let mut foreign = |path: &str| findings.push(Finding::Foreign { path: path.to_owned() });
        for (path, _) in &listing.files {
            match path.name().parse() {
                Ok(name) => names.push(name),
                Err(_) => foreign(path.as_str()),
            }
        }
        listing.folders.iter().for_each(|path| foreign(path.as_str()));
        listing.foreign.iter().for_each(|path| foreign(path));
        findings.extend(listing.unreadable.into_iter().map(|path| Finding::Hidden { path }));
        Ok((names, findings))
    }

    /// One snapshot's manifest, verified.
    ///
    /// Errors: `Absent`; those of [`Manifest::from_bytes`]; those of the place.
    pub async fn snapshot(&self, account: &AccountFolder, name: &SnapshotName) -> Result<Snapshot, Error> {
        let path = account.file(&AccountFile::Snapshot(*name));
        let bytes = self.read(&path, MAX_MANIFEST).await?;
        let bytes = bytes.ok_or_else(|| Error::Absent { name: path.to_string() })?;
        Ok(Snapshot {
            name: *name,
            sum: Checksum::of(&bytes),
            manifest: Manifest::from_bytes(account, name, &bytes)?,
        })
    }

    /// All snapshots of an account.
    ///
    /// Errors: those of the place as a whole; what is wrong with single manifests is among the findings.
    pub async fn snapshots(&self, account: &AccountFolder) -> Result<Snapshots, Error> {
        self.snapshots_by(account, |_| self).await
    }

    /// As [`Vault::snapshots`]; each manifest from the vault that `nearest` names, or from here when that has none.
    pub(crate) async fn snapshots_by<'a>(
        &'a self,
        account: &AccountFolder,
        nearest: impl Fn(&AccountFile) -> &'a Vault,
    ) -> Result<Snapshots, Error> {
        let (names, mut findings) = self.snapshot_names(account).await?;
        let mut read = Vec::with_capacity(names.len());
        for name in names {
            let near = nearest(&AccountFile::Snapshot(name));
            let snapshot = match near.is(self.id()) {
                true => None,
                false => near.snapshot(account, &name).await.ok(),
            };
            let snapshot = match snapshot {
                Some(snapshot) => Ok(snapshot),
                None => self.snapshot(account, &name).await,
            };
            match snapshot {
                Ok(snapshot) => read.push(snapshot),
                Err(error) if error.is_of_place() => return Err(error),
                Err(error) => findings.push(Finding::Unreadable { name, error }),
            }
        }
        let (sound, gaps) = in_order(read);
        findings.extend(gaps);
        Ok(Snapshots { sound, findings })
    }

    /// The newest sound snapshot, or the newest of one writer. With one writer only a few manifests are read.
    ///
    /// Errors: those of the place as a whole.
    pub async fn latest(&self, account: &AccountFolder, writer: Option<&WriterId>) -> Result<Option<Snapshot>, Error> {
        let (mut names, _) = self.snapshot_names(account).await?;
        names.retain(|name| writer.is_none_or(|writer| name.writer == *writer));
        let writers: BTreeSet<WriterId> = names.iter().map(|name| name.writer).collect();
        if writers.len() > 1 {
            return Ok(self.snapshots(account).await?.sound.pop());
        }
        names.sort_unstable_by_key(|name| (name.sequence, name.hash));
        for name in names.iter().rev() {
            match self.snapshot(account, name).await {
                Ok(snapshot) => return Ok(Some(snapshot)),
                Err(error) if error.is_of_place() => return Err(error),
                Err(error) => tracing::warn!(%name, %error, "a manifest cannot be used"),
            }
        }
        Ok(None)
    }

    /// [`Reach::repo_files`] of this vault alone.
    pub async fn repo_files(
        &self,
        account: &AccountFolder,
        contents: &Contents,
        scratch: &Path,
    ) -> Result<Vec<File>, Error> {
        Reach::from(self).repo_files(account, contents, scratch).await
    }

    /// [`Reach::prove`] in this vault alone. Errors: as there; those of [`Vault::contents`].
    pub async fn prove(
        &self,
        snapshot: &Snapshot,
        keys: &KeyHistory,
        scratch: &Path,
    ) -> Result<(VerifiedRepo, Vec<File>), Error> {
        let contents = self.contents(snapshot).await?;
        Reach::from(self).prove(snapshot, &contents, keys, scratch).await
    }

    /// Writes a snapshot's repository as one canonical CAR, proved on the way by the key that its manifest names.
    ///
    /// What was written to `out` is the repository only if this answers `Ok`. Errors: those of [`Vault::prove`];
    /// `Protocol` when writing fails.
    pub async fn write_car(
        &self,
        snapshot: &Snapshot,
        scratch: &Path,
        out: impl Write + Send + 'static,
    ) -> Result<Written, Error> {
        let keys = snapshot.manifest.signing_history();
        let (repo, files) = self.prove(snapshot, &keys, scratch).await?;
        Reach::write_car(Arc::new(repo), files, out).await
    }

    /// A file that a snapshot consists of, whole in memory, and what its list says it is.
    ///
    /// Errors: `Absent`, `Damaged`; `TooLarge` past `limit` bytes; those of the place.
    pub async fn read_object(&self, account: &AccountFolder, object: &Object, limit: u64) -> Result<Vec<u8>, Error> {
        let bytes = self.read(&account.file(&object.name), limit).await?;
        let bytes = bytes.ok_or_else(|| Error::Absent {
            name: object.name.to_string(),
        })?;
        if Checksum::of(&bytes) != object.sum {
            return Err(Error::damaged(
                &object.name,
                "the bytes are not those that its list names",
            ));
        }
        Ok(bytes)
    }

    /// Copies a file that a snapshot consists of to `out`, hashed on the way.
    ///
    /// What was written is the file only if this answers `Ok`. Errors: `Absent`, `Damaged`; those of the place and of
    /// `out`.
    pub async fn copy_object(
        &self,
        account: &AccountFolder,
        object: &Object,
        out: impl Write + Send + 'static,
    ) -> Result<(), Error> {
        let content = self.object(account, object).await?;
        let mut out = out;
        run(move || {
            content.write_to(&mut out)?;
            out.flush().map_err(|error| Error::from_io("destination", 0, error))
        })
        .await
    }

    /// A file that a snapshot consists of, as content that fails at its end when it was not what its list says.
    pub(crate) async fn object(&self, account: &AccountFolder, object: &Object) -> Result<Content, Error> {
        let content = self.store().get(&account.file(&object.name)).await?;
        let content = content.ok_or_else(|| Error::Absent {
            name: object.name.to_string(),
        })?;
        Ok(content.expecting(object.name.to_string(), object.size, object.sum))
    }

    /// The length of a file, if it is there and has this SHA-256. Errors: those of the place as a whole.
    pub(crate) async fn size_if(&self, path: &StorePath, sum: Checksum) -> Result<Option<u64>, Error> {
        match self.store().get(path).await {
            Ok(Some(content)) => match run(move || content.checksum()).await {
                Ok((size, found)) => Ok((found == sum).then_some(size)),
                Err(error) if error.is_of_place() => Err(error),
                Err(_) => Ok(None),
            },
            Ok(None) | Err(Error::NotAFile { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores `content` under a name of the format; whatever else goes by that name is set aside first.
    ///
    /// `content` is called again in that case. Errors: `Damaged` when the bytes are not `sum`'s; those of the place.
    pub(crate) async fn put_object<F>(
        &self,
        path: &StorePath,
        sum: Checksum,
        content: impl Fn() -> F,
    ) -> Result<bool, Error>
    where
        F: Future<Output = Result<Content, Error>>,
    {
        let target = || Target::Named {
            path: path.clone(),
            sum: Some(sum),
        };
        match self.store().put(target(), content().await?).await {
            Err(Error::NameTaken { .. }) => {
                tracing::warn!(%path, "a damaged file is replaced");
                self.set_aside(&path.as_str().parse()?).await?;
                self.store()
                    .put(target(), content().await?)
                    .await
                    .map(|stored| !stored.existed)
            }
            result => result.map(|stored| !stored.existed),
        }
    }
}
