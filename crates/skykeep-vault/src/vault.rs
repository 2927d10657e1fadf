//! A vault: a store that says who it is.
//!
//! A place is recognised by its vault file, never by its path: the folder of an unplugged drive is empty, and another
//! drive at the same path has another number. Source: FORMAT.md, section 3.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::folder::run;
use crate::key::{WriterKey, WriterPublic};
use crate::layout::{Checksum, Found, StorePath, VaultFile, VaultId};
use crate::store::{Depth, Listing, Store, Target};
use crate::version::Version;
use crate::{Error, layout};

/// Largest vault file, in bytes.
const MAX_VAULT_FILE: u64 = 64 << 10;
/// What every vault explains about itself, for people and for Python.
pub(crate) const GUIDES: [(VaultFile, &str); 2] = [
    (VaultFile::Readme, include_str!("../../../assets/vault/README.txt")),
    (VaultFile::Recover, include_str!("../../../assets/vault/recover.py")),
];

/// An open vault. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    store: Arc<dyn Store>,
    ids: Arc<[VaultId]>,
}

/// A vault file.
#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(flatten)]
    version: Version,
    id: VaultId,
    created: Timestamp,
    writer: WriterPublic,
    files: Vec<Guide>,
}

/// What a guide held when the vault was made.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Guide {
    pub(crate) name: String,
    pub(crate) size: u64,
    #[serde(rename = "sha256")]
    pub(crate) sum: Checksum,
}

impl Vault {
    /// Makes a vault in an empty place, or opens the one that is there.
    ///
    /// A vault whose own file was lost gets a new one, and a new number. Errors: `NotEmpty` when anything else is
    /// there; `Random`; those of the place.
    pub async fn create(store: Arc<dyn Store>, key: &WriterKey, now: Timestamp) -> Result<Self, Error> {
        let listing = store.list(&StorePath::root(), Depth::Here).await?;
        if !vault_files(&listing).is_empty() {
            return Self::open(store, None).await;
        }
        let ours = ["accounts", "damaged", layout::README, layout::RECOVER];
        let paths = listing.files.iter().map(|(path, _)| path).chain(&listing.folders);
        if paths.into_iter().any(|path| !ours.contains(&path.as_str())) || !only_clutter(&listing) {
            return Err(Error::NotEmpty);
        }
        let id = VaultId::random()?;
        let vault = Self {
            store,
            ids: Arc::new([id]),
        };
        let files = vault.put_guides().await?;
        vault.put_vault_file(key, now, files).await?;
        Self::open(vault.store, Some(&id)).await
    }

    /// Writes the vault's own file anew, with the same number, when none of them can be read any more; the damaged ones
    /// are set aside. Answers whether that was needed.
    ///
    /// Errors: those of the place.
    pub async fn renew(&self, key: &WriterKey, now: Timestamp) -> Result<bool, Error> {
        let listing = self.store.list(&StorePath::root(), Depth::Here).await?;
        let mut damaged = Vec::new();
        for (_, file) in vault_files(&listing) {
            match self.read_vault_file(&file).await {
                Ok(_) => return Ok(false),
                Err(error @ Error::NewerFormat { .. }) => return Err(error),
                Err(error) if error.is_of_place() => return Err(error),
                Err(_) => damaged.push(file),
            }
        }
        let files = self.put_guides().await?;
        self.put_vault_file(key, now, files).await?;
        for file in damaged {
            self.set_aside(&file).await?;
        }
        Ok(true)
    }

    async fn put_guides(&self) -> Result<Vec<Guide>, Error> {
        let mut guides = Vec::new();
        for (file, text) in GUIDES {
            let sum = Checksum::of(text.as_bytes());
            self.put_anew(&file, sum, text.as_bytes().to_vec()).await?;
            guides.push(Guide {
                name: file.to_string(),
                size: text.len() as u64,
                sum,
            });
        }
        Ok(guides)
    }

    async fn put_vault_file(&self, key: &WriterKey, now: Timestamp, files: Vec<Guide>) -> Result<(), Error> {
        let id = *self.id();
        let wire = Wire {
            version: Version::ours("vault"),
            id,
            created: crate::whole_seconds(now),
            writer: key.public(),
            files,
        };
        let mut bytes = serde_json::to_vec(&wire).map_err(|error| Error::invalid("vault file", error))?;
        bytes.push(b'\n');
        let sum = Checksum::of(&bytes);
        self.put_anew(&VaultFile::Vault { id, hash: sum.name() }, sum, bytes)
            .await
    }

    /// Opens the vault in a place; with `expected`, only if it is that one.
    ///
    /// Errors: `NotAVault`, `OtherVault`; `NewerFormat` when a newer version made it; those of the place.
    pub async fn open(store: Arc<dyn Store>, expected: Option<&VaultId>) -> Result<Self, Error> {
        let listing = store.list(&StorePath::root(), Depth::Here).await?;
        let files = vault_files(&listing);
        // Sorted by name, so by number.
        let mut ids: Vec<VaultId> = files.iter().map(|(id, _)| *id).collect();
        ids.dedup();
        let Some(first) = ids.first().copied() else {
            let empty = listing.files.is_empty() && listing.folders.is_empty() && only_clutter(&listing);
            return Err(Error::NotAVault { empty });
        };
        if let Some(expected) = expected.filter(|expected| !ids.contains(expected)) {
            return Err(Error::OtherVault {
                expected: *expected,
                found: first,
            });
        }
        let vault = Self { store, ids: ids.into() };
        for (_, file) in files {
            match vault.read_vault_file(&file).await {
                Err(error) if error.is_of_place() => return Err(error),
                // The name has told enough, and a check will find it.
                Err(Error::Damaged { .. } | Error::Invalid { .. } | Error::Io { .. } | Error::TooLarge { .. }) => {
                    tracing::warn!(%file, "the vault's own file is damaged");
                }
                result => {
                    result?;
                }
            }
        }
        Ok(vault)
    }

    /// The vault's number: the smallest, if two computers made it at once.
    pub fn id(&self) -> &VaultId {
        &self.ids[0]
    }

    /// Whether it is known by this number.
    pub fn is(&self, id: &VaultId) -> bool {
        self.ids.contains(id)
    }

    /// The store it is in.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// What a vault file says about the guides.
    pub(crate) async fn read_vault_file(&self, file: &VaultFile) -> Result<Vec<Guide>, Error> {
        let Some(bytes) = self.read(&file.path(), MAX_VAULT_FILE).await? else {
            return Err(Error::Absent { name: file.to_string() });
        };
        if !file.admits(&Checksum::of(&bytes)) {
            return Err(Error::damaged(file, "the bytes are not those of its name"));
        }
        Version::judge(file, "vault", &bytes)?;
        let wire: Wire = serde_json::from_slice(&bytes).map_err(|error| Error::invalid(file, error))?;
        match file {
            VaultFile::Vault { id, .. } if wire.id == *id => Ok(wire.files),
            _ => Err(Error::invalid(file, "its name says another number")),
        }
    }

    /// A whole file in memory; `None` when there is none. Errors: `TooLarge` past `limit` bytes; those of the place.
    pub(crate) async fn read(&self, path: &StorePath, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some(content) = self.store.get(path).await? else {
            return Ok(None);
        };
        let name = path.to_string();
        run(move || content.into_bytes(&name, limit)).await.map(Some)
    }

    /// A whole file in memory, as it is there: nothing about it is proved, and nothing is to be kept from it. `None` when
    /// there is none. Errors: `TooLarge` past `limit` bytes; those of the place.
    pub async fn read_unproved(&self, file: &VaultFile, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        self.read(&file.path(), limit).await
    }

    /// Stores small bytes under their name. A file that goes by it and holds something else is set aside first.
    pub(crate) async fn put_anew(&self, file: &VaultFile, sum: Checksum, bytes: Vec<u8>) -> Result<(), Error> {
        let bytes = bytes::Bytes::from(bytes);
        let put = || {
            let target = Target::Named {
                path: file.path(),
                sum: Some(sum),
            };
            self.store.put(target, Content::bytes(bytes.clone()))
        };
        match put().await {
            Err(Error::NameTaken { .. }) => {
                self.set_aside(file).await?;
                put().await.map(drop)
            }
            result => result.map(drop),
        }
    }

    /// Moves a file that does not match its name to `damaged/`, and answers where it is now.
    ///
    /// Errors: `Absent`; those of the place.
    pub(crate) async fn set_aside(&self, file: &VaultFile) -> Result<VaultFile, Error> {
        let path = file.path();
        let content = self.store.get(&path).await?;
        let content = content.ok_or_else(|| Error::Absent { name: path.to_string() })?;
        let read = run(move || content.checksum()).await;
        let found = match read {
            Ok((_, sum)) => Found::Hash(sum.name()),
            Err(error) if error.is_of_place() => return Err(error),
            Err(_) => Found::Unread(layout::Letters::random()?),
        };
        let aside = file.aside(found);
        match self.store.set_aside(&path, &aside.path()).await {
            // The same damage was moved there before: another name for this one.
            Err(Error::NameTaken { .. }) => {
                let aside = file.aside(Found::Unread(layout::Letters::random()?));
                self.store.set_aside(&path, &aside.path()).await.map(|()| aside)
            }
            result => result.map(|()| aside),
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("id", self.id())
            .field("store", &self.store)
            .finish()
    }
}

/// The vault files in the root, ordered by number.
pub(crate) fn vault_files(root: &Listing) -> Vec<(VaultId, VaultFile)> {
    let mut files: Vec<_> = root
        .files
        .iter()
        .filter_map(|(path, _)| path.as_str().parse().ok())
        .filter_map(|file| match file {
            VaultFile::Vault { id, .. } => Some((id, file)),
            _ => None,
        })
        .collect();
    files.sort_unstable();
    files
}

/// Whether everything foreign in the root is what operating systems leave on every drive.
fn only_clutter(root: &Listing) -> bool {
    let clutter = [
        "System Volume Information",
        "lost+found",
        "$RECYCLE.BIN",
        "desktop.ini",
        "Thumbs.db",
    ];
    let is_clutter = |name: &String| name.starts_with('.') || clutter.contains(&name.as_str());
    root.foreign.iter().all(is_clutter)
}
