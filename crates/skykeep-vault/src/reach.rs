//! Vaults that stand in for each other.
//!
//! A file leaves staging once every place has it ([`crate::Staging`]), so what a snapshot consists of may lie here, there,
//! or some of it in each. A reach is asked as one vault is: each file comes from the first that has it at its length, and
//! its bytes are proved as if it lay here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, Write};
use std::path::Path;
use std::sync::Arc;

use skykeep_atproto::KeyHistory;
use skykeep_atproto::car::Written;
use skykeep_atproto::verify::{RepoCheck, VerifiedRepo};

use crate::Error;
use crate::content::Content;
use crate::folder::run;
use crate::layout::{AccountFile, AccountFolder, Letters};
use crate::list::Object;
use crate::read::{Contents, Snapshot};
use crate::store::Depth;
use crate::vault::Vault;

/// Vaults that are asked in their order.
#[derive(Debug, Clone)]
pub struct Reach {
    vaults: Vec<Vault>,
}

impl Reach {
    /// `first` is asked before the others.
    pub fn new(first: &Vault, others: impl IntoIterator<Item = Vault>) -> Self {
        let mut vaults = vec![first.clone()];
        vaults.extend(others);
        Self { vaults }
    }

    /// The vaults, in the order in which they are asked.
    pub fn vaults(&self) -> &[Vault] {
        &self.vaults
    }

    /// Base and increments as open files, in the order in which they apply: the sources of a
    /// [`RepoCheck`], which hashes every block. Only their lengths are looked at here.
    ///
    /// `scratch` is a folder for copies, used where a store is not on this computer; the caller empties it.
    /// Errors: `Absent`; `Damaged` for another length; those of the places.
    pub async fn repo_files(
        &self,
        account: &AccountFolder,
        contents: &Contents,
        scratch: &Path,
    ) -> Result<Vec<File>, Error> {
        let mut files = Vec::new();
        for object in contents.repo() {
            let content = self.find(account, object).await?;
            let scratch = scratch.to_owned();
            files.push(run(move || on_disk(content, &scratch)).await?);
        }
        Ok(files)
    }

    /// Proves a snapshot's repository: every block against its CID, the tree whole, the commit signed by one of `keys`.
    ///
    /// With it come the files it was proved from, the sources for writing it.
    /// [`crate::Manifest::signing_history`] is what the manifest vouches for; a history from the audit log is proof
    /// without trust in who wrote the vault. `contents` are those of `snapshot`; `scratch` as for
    /// [`Reach::repo_files`]. Errors: those of [`Reach::repo_files`]; `Damaged` when the proof fails.
    pub async fn prove(
        &self,
        snapshot: &Snapshot,
        contents: &Contents,
        keys: &KeyHistory,
        scratch: &Path,
    ) -> Result<(VerifiedRepo, Vec<File>), Error> {
        let account = &snapshot.manifest.account;
        let mut files = self.repo_files(account, contents, scratch).await?;
        let (check, name) = (RepoCheck::of(keys).root(contents.commit()), snapshot.name);
        run(move || {
            let checked = check.run(&mut files)?;
            let Some(repo) = checked.repo else {
                tracing::warn!(%name, findings = ?checked.report.findings, "a repository fails its proof");
                return Err(Error::damaged(name, "its repository fails the proof"));
            };
            Ok((repo, files))
        })
        .await
    }

    /// Writes a repository that was proved, from the files it was proved from, as one canonical CAR.
    ///
    /// What was written to `out` is the repository only if this answers `Ok`. Errors: `Protocol`.
    pub async fn write_car(
        repo: Arc<VerifiedRepo>,
        mut files: Vec<File>,
        mut out: impl Write + Send + 'static,
    ) -> Result<Written, Error> {
        run(move || {
            let written = repo.write_base(&mut files, &mut out)?;
            out.flush().map_err(skykeep_atproto::Error::from)?;
            Ok(written)
        })
        .await
    }

    /// Writes a file that a snapshot consists of to `path`, hashed on the way; one that is damaged in one vault comes
    /// from the next. `path` is written over, and holds the file only if this answers `Ok`.
    ///
    /// Errors: `Absent`, `Damaged`; those of the places and of `path`.
    pub async fn copy_object(&self, account: &AccountFolder, object: &Object, path: &Path) -> Result<(), Error> {
        let mut first = None;
        for vault in &self.vaults {
            let out = File::create(path).map_err(|error| Error::from_io(path.display(), 0, error))?;
            match vault.copy_object(account, object, out).await {
                Ok(()) => return Ok(()),
                // What it lacks says less than what it has damaged.
                Err(error @ Error::Absent { .. }) => first = first.or(Some(error)),
                Err(error) => {
                    first = first
                        .filter(|first| !matches!(first, Error::Absent { .. }))
                        .or(Some(error))
                }
            }
        }
        Err(first.unwrap_or(Error::Missing))
    }

    /// The files of a snapshot that no vault has at its length. Nothing is read.
    ///
    /// Errors: those of the places as a whole.
    pub async fn lacks(&self, account: &AccountFolder, contents: &Contents) -> Result<BTreeSet<AccountFile>, Error> {
        let mut lacking: BTreeMap<_, _> = contents
            .objects()
            .map(|object| (account.file(&object.name), object))
            .collect();
        for vault in &self.vaults {
            for folder in ["repo", "identity", "private", "blobs"] {
                let listing = vault.store().list(&account.folder(folder), Depth::All).await?;
                for (path, size) in listing.files {
                    if lacking.get(&path).is_some_and(|object| object.size == size) {
                        lacking.remove(&path);
                    }
                }
            }
        }
        Ok(lacking.into_values().map(|object| object.name.clone()).collect())
    }

    /// Whether every file of a snapshot's repository is in one of the vaults, at its length.
    ///
    /// Errors: those of the first vault as a whole.
    pub(crate) async fn has_repo(&self, account: &AccountFolder, contents: &Contents) -> Result<bool, Error> {
        for object in contents.repo() {
            match self.find(account, object).await {
                Ok(_) => {}
                Err(error) if error.is_of_place() => return Err(error),
                Err(error) => {
                    tracing::warn!(name = %object.name, %error, "a file of the last snapshot is not in reach");
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// A file from the first vault that has it at its length.
    async fn find(&self, account: &AccountFolder, object: &Object) -> Result<Content, Error> {
        let path = account.file(&object.name);
        let mut first = None;
        for (n, vault) in self.vaults.iter().enumerate() {
            let error = match vault.store().get(&path).await {
                Ok(Some(content)) if content.size() == Some(object.size) => return Ok(content),
                Ok(Some(_)) => Error::damaged(&object.name, "another length than its list says"),
                Ok(None) => continue,
                // A place that is gone by now has nothing to give.
                Err(error) if n > 0 && error.is_of_place() => continue,
                Err(error) => error,
            };
            first = first.or(Some(error));
        }
        Err(first.unwrap_or_else(|| Error::Absent {
            name: object.name.to_string(),
        }))
    }
}

impl From<&Vault> for Reach {
    fn from(vault: &Vault) -> Self {
        Self::new(vault, [])
    }
}

/// The content as a file that can be read from any place; copied into `scratch` only when it is not one already.
fn on_disk(content: Content, scratch: &Path) -> Result<File, Error> {
    let content = match content.into_file() {
        Ok(file) => return Ok(file),
        Err(content) => content,
    };
    let path = scratch.join(Letters::<26>::random()?.as_str());
    let explain = |error| Error::from_io(path.display(), 0, error);
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
    let mut file = file.map_err(explain)?;
    content.write_to(&mut file)?;
    file.rewind().map_err(explain)?;
    Ok(file)
}
