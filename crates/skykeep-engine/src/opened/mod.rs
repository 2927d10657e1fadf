//! What is in a folder, a file or a bucket that a person opens.
//!
//! Looking changes nothing, and ends soon whatever was chosen: a home folder, a whole drive. A vault is found in the
//! folder itself, in one above it (somebody went too deep) or in one right below it (not deep enough); what is in it is
//! read from its manifests. Anything else is searched for CARs, as an import would; these are hashed and walked, but not
//! held against the account's keys: only the import does that, and asks the directory for it.

mod files;

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use skykeep_vault::layout::AccountFolder;
use skykeep_vault::{Finding, FolderStore, Reach, Snapshot, Vault};

use crate::api::{BucketAddress, Millis, Opened, OpenedAccount, OpenedKind};
use crate::places::{BucketKeys, settings_of};
use crate::settings::{Settings, bucket_address};
use crate::{Engine, Error, blocking, problem};

/// Folders right below the chosen one in which a vault is looked for.
const MAX_BELOW: usize = 1_000;

/// Manifests of one account that are all read; of more only the newest is.
const MAX_MANIFESTS: usize = 500;

/// How long somebody who looks into a bucket waits for its server.
const LOOK_PATIENCE: Duration = Duration::from_secs(30);

impl Engine {
    /// What is in a folder or a file. Looking changes nothing.
    ///
    /// Of another tool's backup, form and hashes are checked and no signature is. Errors: `NoBackup`; `Place` for a
    /// vault that cannot be read at all; `Data`; `Stopped`.
    pub async fn look_into(&self, path: &Path) -> Result<Opened, Error> {
        let path = std::path::absolute(path).map_err(Error::data(path))?;
        fs::metadata(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::NoBackup { path: path.clone() },
            _ => Error::data(&path)(error),
        })?;
        if let Some((folder, vault)) = self.vault_near(&path).await? {
            return self.of_vault(&folder, &vault).await;
        }
        let settings = self.inner.settings();
        let cancel = self.inner.shutdown.clone();
        blocking(move || files::look(&path, &settings, &cancel)).await
    }

    /// What is in a bucket, as far as it is a vault's; or what was in it at the time `as_of`, where it keeps versions.
    /// Looking changes nothing.
    ///
    /// Errors: `NoVaultInBucket`, or `NoPast` and `NothingThen`; `BucketSetting`, `Place`, `Stopped`.
    pub async fn look_into_bucket(
        &self,
        bucket: &BucketAddress,
        keys: &BucketKeys,
        as_of: Option<Millis>,
    ) -> Result<Opened, Error> {
        let (settings, patience) = (settings_of(bucket), Some(LOOK_PATIENCE));
        let (inner, name) = (&self.inner, &bucket.bucket);
        let vault = match as_of {
            Some(as_of) => inner.open_past(&settings, keys, name, as_of, patience).await?,
            None => inner.open_bucket(&settings, keys, name, patience).await?,
        };
        let opened = self.of_vault(Path::new(&bucket_address(&settings)), &vault).await?;
        Ok(Opened { as_of, ..opened })
    }

    /// The vault in a folder, else in one of those above it that it belongs to, else in one right below it.
    async fn vault_near(&self, path: &Path) -> Result<Option<(PathBuf, Vault)>, Error> {
        for folder in path.ancestors() {
            if is_part_of(path, folder)
                && let Some(vault) = self.vault_in(folder).await?
            {
                return Ok(Some((folder.to_owned(), vault)));
            }
        }
        // What cannot be listed is told of by the search for files.
        let mut below: Vec<PathBuf> = fs::read_dir(path)
            .map(|entries| entries.flatten().take(MAX_BELOW))
            .into_iter()
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect();
        below.sort();
        for folder in below {
            // The one that was chosen is another.
            if let Ok(Some(vault)) = self.vault_in(&folder).await {
                return Ok(Some((folder, vault)));
            }
        }
        Ok(None)
    }

    /// The vault in a folder, if there is one that is not Skykeep's own staging. Errors: `Place`.
    async fn vault_in(&self, folder: &Path) -> Result<Option<Vault>, Error> {
        let opened = async {
            let store = FolderStore::open(folder, self.inner.writer_key.id()).await?;
            Vault::open(Arc::new(store), None).await
        };
        match opened.await {
            Ok(vault) if vault.is(self.inner.staging.id()) => Ok(None),
            Ok(vault) => Ok(Some(vault)),
            Err(skykeep_vault::Error::NotAVault { .. } | skykeep_vault::Error::Missing) => Ok(None),
            Err(source) => Err(at(folder)(source)),
        }
    }

    async fn of_vault(&self, folder: &Path, vault: &Vault) -> Result<Opened, Error> {
        let settings = self.inner.settings();
        let mut opened = Opened {
            path: folder.display().to_string(),
            as_of: None,
            kind: OpenedKind::Vault,
            known: settings.places.iter().any(|place| vault.is(&place.vault)),
            accounts: Vec::new(),
            problems: Vec::new(),
        };
        let mut hurt = Hurt::default();
        for account in vault.accounts().await.map_err(at(folder))? {
            if self.inner.shutdown.is_cancelled() {
                return Err(Error::Stopped);
            }
            match look_at(vault, &account, &mut hurt).await {
                Ok(Some((newest, count))) => opened.accounts.push(of_snapshot(&newest, count, &settings)),
                Ok(None) => hurt.add(1, || format!("{}: no snapshot that can be read", account.as_str())),
                // One account's folder that cannot be listed does not hide the others.
                Err(error) => hurt.add(1, || format!("{}: {error}", account.as_str())),
            }
        }
        if hurt.files > 0 {
            let detail = hurt.details.join("\n");
            opened
                .problems
                .push(problem::opened_damaged(folder, hurt.files, &detail));
        }
        Ok(opened)
    }
}

fn at(folder: &Path) -> impl Fn(skykeep_vault::Error) -> Error {
    move |source| Error::Place {
        name: folder.display().to_string(),
        source,
    }
}

/// Whether `path` is `folder` itself, or would be a part of the vault in it.
fn is_part_of(path: &Path, folder: &Path) -> bool {
    let Ok(inside) = path.strip_prefix(folder) else {
        return false;
    };
    let mut parts = inside.components();
    match parts.next() {
        None => true,
        Some(Component::Normal(name)) => {
            name == "accounts" || name == "damaged" || parts.next().is_none() && path.is_file()
        }
        Some(_) => false,
    }
}

/// What is wrong with a vault, as far as a look tells.
#[derive(Default)]
struct Hurt {
    files: u64,
    details: Vec<String>,
}

impl Hurt {
    fn add(&mut self, files: u64, detail: impl FnOnce() -> String) {
        const TOLD: usize = 50;
        self.files += files;
        if files > 0 && self.details.len() < TOLD {
            self.details.push(detail());
        }
    }
}

/// The newest snapshot of an account that can be read, and how many there are.
async fn look_at(
    vault: &Vault,
    account: &AccountFolder,
    hurt: &mut Hurt,
) -> Result<Option<(Snapshot, u64)>, skykeep_vault::Error> {
    let (names, _) = vault.snapshot_names(account).await?;
    let (newest, count) = if names.len() <= MAX_MANIFESTS {
        let mut all = vault.snapshots(account).await?;
        for finding in &all.findings {
            if let Finding::Unreadable { name, error } = finding {
                hurt.add(1, || format!("{name}: {error}"));
            }
        }
        let count = all.sound.len();
        (all.sound.pop(), count)
    } else {
        (vault.latest(account, None).await?, names.len())
    };
    let Some(newest) = newest else { return Ok(None) };
    match vault.contents(&newest).await {
        Ok(contents) => {
            let lacking = Reach::from(vault).lacks(account, &contents).await?;
            let first = lacking.first().map(ToString::to_string).unwrap_or_default();
            hurt.add(lacking.len() as u64, || {
                format!("{}: {first} and others are not there", newest.name)
            });
        }
        Err(error @ skykeep_vault::Error::Missing) => return Err(error),
        Err(error) => hurt.add(1, || format!("{}: {error}", newest.name)),
    }
    Ok(Some((newest, count as u64)))
}

fn of_snapshot(snapshot: &Snapshot, count: u64, settings: &Settings) -> OpenedAccount {
    let body = &snapshot.manifest.body;
    OpenedAccount {
        did: body.did.to_string(),
        handle: body.handle.as_ref().map(ToString::to_string),
        host: host_of(&body.host),
        snapshots: count,
        newest: Some(snapshot.manifest.captured.as_millisecond()),
        records: body.records,
        media: body.media.kept,
        known: settings.account(&body.did).is_some(),
    }
}

fn host_of(address: &str) -> Option<String> {
    url::Url::parse(address).ok()?.host_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_inside_a_vault_belongs_to_it_and_a_neighbour_does_not() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["accounts/did_plc_a/repo/x.car", "README.txt", "mine/x"] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, [1]).unwrap();
        }
        let check =
            |inside: &str, expected| assert_eq!(is_part_of(&dir.path().join(inside), dir.path()), expected, "{inside}");
        check("", true);
        check("accounts", true);
        check("accounts/did_plc_a/repo/x.car", true);
        check("README.txt", true);
        check("mine", false);
        check("mine/x", false);
        assert!(!is_part_of(Path::new("/elsewhere"), dir.path()));
    }
}
