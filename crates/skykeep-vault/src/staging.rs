//! Staging: the vault on this computer that everything goes through, and the only one that lets go of files.
//!
//! A run captures here and delivers from here, so one download feeds many places and a drive that is away catches up
//! later. A copy that every place has is only in the way. The rules of letting go:
//!
//! 1. A file leaves when each place that counts has a manifest, read and verified there, that names it, and the place's
//!    own bytes of it were read and hashed once more: now, or, of a place that is away, when it was last there. Whose
//!    places count, the caller says; without one that is there nothing leaves.
//! 2. Manifests, lists and what is known of the identity stay: they are small, the next run begins with them, and the
//!    catalogue is made anew from them.
//! 3. The repository of the newest snapshot stays while it is small: the next increment is proved against it, whether or
//!    not a place is there. A larger one is read from a place ([`crate::Reach`]).
//! 4. What no manifest names was left by a run that was cut off. It leaves once the newest snapshot lacks nothing, for
//!    that run has taken what it could use; not when any manifest or list here cannot be read, for that may name it.
//! 5. One file after the other, each decided before the first leaves: stopped anywhere, nothing is lost.
//!
//! No other vault ever removes a file: [`crate::Store`] has no word for it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Deref};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use serde::Deserialize;

use crate::Error;
use crate::deliver::{Delivered, Progress, deliver_these};
use crate::folder::FolderStore;
use crate::key::WriterKey;
use crate::layout::{AccountFile, AccountFolder, SnapshotName, StorePath, VaultFile, WriterId};
use crate::list::{Object, Rows};
use crate::read::Snapshot;
use crate::store::Depth;
use crate::vault::Vault;

/// A repository of more bytes does not stay when the places have it.
const HEAD_STAYS: u64 = 256 << 20;
/// Files that are read at once at a place.
const AT_ONCE: usize = 4;
/// Most captures that failed their proof that are kept of an account.
const MAX_REJECTED: usize = 20;
/// Most bytes of them, beside the first and the latest.
const MAX_REJECTED_BYTES: u64 = 1 << 30;
/// Largest reason that is read, in bytes.
const MAX_REASON: u64 = 16 << 20;

/// A vault that lets go of what its places have. See the top of the module.
#[derive(Debug, Clone)]
pub struct Staging {
    vault: Vault,
    store: FolderStore,
}

/// What left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Released {
    /// Number of files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Deref for Staging {
    type Target = Vault;

    fn deref(&self) -> &Vault {
        &self.vault
    }
}

impl Staging {
    /// Makes or opens the staging vault in a folder, which must exist. Errors: those of [`Vault::create`].
    pub async fn create(folder: impl Into<PathBuf>, key: &WriterKey, now: Timestamp) -> Result<Self, Error> {
        let store = FolderStore::open(folder, key.id()).await?;
        let vault = Vault::create(Arc::new(store.clone()), key, now).await?;
        Ok(Self { vault, store })
    }

    /// Lets go of the files of an account that all of `places` have, and all places that are `away`: of each of those the
    /// snapshots that [`Staging::read_there`] answered. `writer` is who makes the next snapshot here.
    ///
    /// `watch` is called between files; `Break` ends in `Stopped`. Errors: those of staging; those of a place as a
    /// whole, after which nothing has left.
    pub async fn release(
        &self,
        account: &AccountFolder,
        writer: &WriterId,
        places: &[Vault],
        away: &[BTreeSet<SnapshotName>],
        watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
    ) -> Result<Released, Error> {
        // A place that is staging itself holds nothing elsewhere.
        if places.is_empty() || places.iter().any(|place| place.is(self.id())) {
            return Ok(Released::default());
        }
        let latest = match self.latest(account, Some(writer)).await? {
            Some(latest) => Some(latest),
            None => self.latest(account, None).await?,
        };
        let Some(latest) = latest else {
            return Ok(Released::default());
        };
        let mut staged = self.staged(account).await?;
        for name in self.head(&latest).await? {
            staged.remove(&name);
        }
        if staged.is_empty() {
            return Ok(Released::default());
        }
        let here = named(self, account, &staged, |_| true).await?;
        let mut leaving = here.objects;
        let orphans: Vec<AccountFile> = match latest.manifest.body.media.pending {
            0 if here.whole => staged
                .keys()
                .filter(|name| !leaving.contains_key(name))
                .cloned()
                .collect(),
            _ => Vec::new(),
        };
        for read in away {
            let has = named(self, account, &staged, |name| read.contains(name)).await?.objects;
            leaving.retain(|name, _| has.contains_key(name));
        }
        for place in places {
            leaving = held(place, account, leaving, watch).await?;
        }
        let mut released = Released::default();
        for name in leaving.into_keys().chain(orphans) {
            self.store.remove(&account.file(&name)).await?;
            released.files += 1;
            released.bytes += staged.get(&name).copied().unwrap_or_default();
            if watch(Progress::default()).is_break() {
                return Err(Error::Stopped);
            }
        }
        Ok(released)
    }

    /// Reads at a place what it has of the files of an account that are staged, once more, for the day when it is away:
    /// drives that take turns are never asked together. Answers the snapshots, beside those that were read `before`, of which
    /// everything that is staged is sound there; none when anything is not.
    ///
    /// `watch` as in [`Staging::release`]. Errors: those of staging; those of the place as a whole.
    pub async fn read_there(
        &self,
        account: &AccountFolder,
        place: &Vault,
        before: &BTreeSet<SnapshotName>,
        watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
    ) -> Result<BTreeSet<SnapshotName>, Error> {
        let (here, _) = self.snapshot_names(account).await?;
        let (there, _) = place.snapshot_names(account).await?;
        let here: BTreeSet<SnapshotName> = here.into_iter().collect();
        let new = there
            .into_iter()
            .filter(|name| here.contains(name) && !before.contains(name));
        let new: BTreeSet<SnapshotName> = new.collect();
        if new.is_empty() {
            return Ok(new);
        }
        let staged = self.staged(account).await?;
        let read = named(self, account, &staged, |name| before.contains(name))
            .await?
            .objects;
        let mut named = named(self, account, &staged, |name| new.contains(name)).await?;
        named.objects.retain(|name, _| !read.contains_key(name));
        let count = named.objects.len();
        let held = held(place, account, named.objects, watch).await?;
        let is_sound = named.whole && held.len() == count;
        Ok(if is_sound { new } else { BTreeSet::new() })
    }

    /// Takes over what another vault holds of an account, as if it had been captured here, delivered there and
    /// released: manifests, lists and what is known of the identity.
    ///
    /// Errors: as [`crate::deliver`].
    pub async fn adopt(
        &self,
        from: &Vault,
        account: &AccountFolder,
        watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
    ) -> Result<Delivered, Error> {
        let stays = |name: &AccountFile| !leaves(name);
        deliver_these(&[from], &self.vault, account, stays, watch).await
    }

    /// Makes room among what failed its proof: the first and the latest stay, and the newest of the others up to a
    /// number and a size. Answers how many there were of which nothing is left.
    ///
    /// Errors: those of staging.
    pub async fn trim_rejected(&self, account: &AccountFolder) -> Result<u64, Error> {
        let listing = self.store().list(&account.folder("rejected"), Depth::Here).await?;
        let sizes: BTreeMap<StorePath, u64> = listing.files.into_iter().collect();
        let mut reasons = rejected(self, account).await?;
        reasons.sort_by_key(|reason| reason.number);
        let (Some(first), Some(latest)) = (reasons.first(), reasons.last()) else {
            return Ok(0);
        };
        let made = latest.number;
        let mut stays: BTreeSet<StorePath> = [first, latest].map(|reason| account.file(&reason.file)).into();
        let (mut count, mut bytes) = (stays.len(), 0);
        let mut leaving = Vec::new();
        let between = reasons.len().saturating_sub(1);
        for reason in reasons.iter().take(between).skip(1).rev() {
            let car = account.file(&reason.file);
            let more = match stays.contains(&car) {
                true => 0,
                false => sizes.get(&car).copied().unwrap_or_default(),
            };
            if leaving.is_empty() && count < MAX_REJECTED && bytes + more <= MAX_REJECTED_BYTES {
                (count, bytes) = (count + 1, bytes + more);
                stays.insert(car);
            } else {
                leaving.push(reason);
            }
        }
        let left = (reasons.len() - leaving.len()) as u64;
        // The reason first: a capture without one is named by nothing and leaves with the next.
        for reason in &leaving {
            self.store.remove(&reason.path).await?;
        }
        let cars = sizes.keys().filter(|path| path.name().ends_with(".car"));
        for car in cars.filter(|path| !stays.contains(path)) {
            self.store.remove(car).await?;
        }
        Ok(made.saturating_sub(left))
    }

    /// The files that may leave one day, and their lengths.
    async fn staged(&self, account: &AccountFolder) -> Result<BTreeMap<AccountFile, u64>, Error> {
        let mut staged = BTreeMap::new();
        for folder in ["repo", "blobs"] {
            let listing = self.store().list(&account.folder(folder), Depth::All).await?;
            for (path, size) in listing.files {
                if let Ok(VaultFile::Account { file, .. }) = path.as_str().parse()
                    && leaves(&file)
                {
                    staged.insert(file, size);
                }
            }
        }
        Ok(staged)
    }

    /// The repository that the next increment adds to, if it stays.
    async fn head(&self, latest: &Snapshot) -> Result<BTreeSet<AccountFile>, Error> {
        let contents = match self.contents(latest).await {
            Ok(contents) => contents,
            Err(error) if error.is_of_place() => return Err(error),
            Err(_) => return Ok(BTreeSet::new()),
        };
        let small = contents.repo().map(|object| object.size).sum::<u64>() <= HEAD_STAYS;
        let names = contents.repo().map(|object| object.name.clone());
        Ok(names.filter(|_| small).collect())
    }
}

/// Whether a file of this kind ever leaves.
const fn leaves(name: &AccountFile) -> bool {
    matches!(
        name,
        AccountFile::Repo { .. } | AccountFile::Blob { .. } | AccountFile::SealedBlob { .. }
    )
}

/// What a vault's manifests name of the files that are asked about.
struct Named {
    objects: BTreeMap<AccountFile, Object>,
    /// Whether every manifest and list that was looked at could be read.
    whole: bool,
}

/// Reads the manifests that are `asked` for and their lists, the newest first, until all of `wanted` were named or there
/// are no more.
async fn named(
    vault: &Vault,
    account: &AccountFolder,
    wanted: &BTreeMap<AccountFile, u64>,
    asked: impl Fn(&SnapshotName) -> bool,
) -> Result<Named, Error> {
    let (mut names, findings) = vault.snapshot_names(account).await?;
    names.retain(asked);
    names.sort_unstable_by_key(|name| Reverse((name.sequence, name.time)));
    let mut named = Named {
        objects: BTreeMap::new(),
        whole: findings.is_empty(),
    };
    let mut seen = BTreeSet::new();
    for name in names {
        if named.objects.len() == wanted.len() {
            break;
        }
        let mut next = match vault.snapshot(account, &name).await {
            Ok(snapshot) => Some(snapshot.manifest.objects().clone()),
            Err(error) if error.is_of_place() => return Err(error),
            Err(_) => {
                named.whole = false;
                continue;
            }
        };
        while let Some(list) = next.take().filter(|list| seen.insert(list.name.clone())) {
            match vault.list(account, &list).await {
                Ok(read) => {
                    next = read.parent;
                    let Rows::Objects(objects) = read.rows else { continue };
                    let asked = objects.into_iter().filter(|object| wanted.contains_key(&object.name));
                    named.objects.extend(asked.map(|object| (object.name.clone(), object)));
                }
                Err(error) if error.is_of_place() => return Err(error),
                Err(_) => named.whole = false,
            }
        }
    }
    Ok(named)
}

/// Of these files, those that a manifest at the place names and whose bytes there are sound.
async fn held(
    place: &Vault,
    account: &AccountFolder,
    files: BTreeMap<AccountFile, Object>,
    watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
) -> Result<BTreeMap<AccountFile, Object>, Error> {
    let wanted = files.iter().map(|(name, object)| (name.clone(), object.size)).collect();
    let there = named(place, account, &wanted, |_| true).await?.objects;
    let same = |object: &Object| {
        there
            .get(&object.name)
            .is_some_and(|named| (named.size, named.sum) == (object.size, object.sum))
    };
    let mut reads = stream::iter(files.into_values().filter(same))
        .map(|object| async move {
            let size = place.size_if(&account.file(&object.name), object.sum).await?;
            Ok::<_, Error>((size == Some(object.size)).then_some(object))
        })
        .buffer_unordered(AT_ONCE);
    let mut held = BTreeMap::new();
    while let Some(object) = reads.next().await {
        held.extend(object?.map(|object| (object.name.clone(), object)));
        if watch(Progress::default()).is_break() {
            return Err(Error::Stopped);
        }
    }
    Ok(held)
}

/// Why something failed its proof, as [`crate::Writer::put_rejected`] wrote it down.
pub(crate) struct Reason {
    path: StorePath,
    file: AccountFile,
    /// How many there had been, this one included.
    pub(crate) number: u64,
}

/// The reasons that are kept for an account. One that cannot be read counts as none.
pub(crate) async fn rejected(vault: &Vault, account: &AccountFolder) -> Result<Vec<Reason>, Error> {
    #[derive(Deserialize)]
    struct Wire {
        file: AccountFile,
        #[serde(default)]
        number: u64,
    }
    let listing = vault.store().list(&account.folder("rejected"), Depth::Here).await?;
    let mut reasons = Vec::new();
    for (path, _) in listing.files {
        if !path.name().ends_with(".json") {
            continue;
        }
        let bytes = vault.read(&path, MAX_REASON).await.ok().flatten();
        let wire = bytes.and_then(|bytes| serde_json::from_slice::<Wire>(&bytes).ok());
        reasons.extend(wire.map(|wire| Reason {
            path,
            file: wire.file,
            number: wire.number,
        }));
    }
    Ok(reasons)
}
