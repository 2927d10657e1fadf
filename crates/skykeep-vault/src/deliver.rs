//! Delivering: copying to one vault what it lacks from others, the manifest last.
//!
//! Each snapshot arrives by itself, oldest first: its objects, its lists, then its manifest. What the destination's
//! manifests name already is not touched; what lies there and is named by none is read and hashed before it is
//! trusted, so a delivery that was cut off goes on where it stopped. Every byte is hashed on its way. A snapshot that
//! the sources no longer have whole stays away and is reported; it holds up no other.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;

use futures_util::stream::{self, StreamExt as _};

use crate::Error;
use crate::content::is_of_source;
use crate::layout::{AccountFile, AccountFolder, Checksum, SnapshotName, StorePath, WriterId};
use crate::list::{List, Object, Rows};
use crate::manifest::{ListRef, MAX_MANIFEST};
use crate::read::{Finding, Snapshot};
use crate::vault::Vault;

/// Files on their way at once. Small files on a drive that syncs each take most of their time waiting.
const AT_ONCE: usize = 8;

/// How far something is. Totals grow while it looks at what there is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files done.
    pub files: u64,
    /// Bytes done.
    pub bytes: u64,
    /// Files in all, as far as they are known.
    pub of_files: u64,
    /// Bytes in all, as far as they are known.
    pub of_bytes: u64,
}

/// What a delivery did.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Snapshots that are whole at the destination now and were not before.
    pub snapshots: Vec<SnapshotName>,
    /// Files copied, manifests included.
    pub files: u64,
    /// Bytes copied.
    pub bytes: u64,
    /// Snapshots that the sources do not have whole, and the first thing that is wrong with each.
    pub undelivered: Vec<(SnapshotName, Error)>,
    /// Manifests of the first source that cannot be read.
    pub findings: Vec<Finding>,
}

/// A file to be copied: where it lies, and what it must be.
struct Wanted {
    path: StorePath,
    size: u64,
    sum: Checksum,
}

/// Copies to `to` all snapshots of an account that the first of `sources` has; single files may come from any of them.
///
/// `watch` is called between files; `Break` ends in `Stopped`, and the next delivery goes on from there.
/// Errors: those of `to`; those of the first source as a whole.
pub async fn deliver(
    sources: &[&Vault],
    to: &Vault,
    account: &AccountFolder,
    watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
) -> Result<Delivered, Error> {
    deliver_these(sources, to, account, |_| true, watch).await
}

/// As [`deliver`], of the objects only those that `wants` says yes to: the destination then holds what staging holds
/// once the rest was released.
pub(crate) async fn deliver_these(
    sources: &[&Vault],
    to: &Vault,
    account: &AccountFolder,
    wants: fn(&AccountFile) -> bool,
    watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
) -> Result<Delivered, Error> {
    let mut delivered = Delivered::default();
    let Some(from) = sources.first() else {
        return Ok(delivered);
    };
    let (there, _) = to.snapshot_names(account).await?;
    let there: BTreeSet<SnapshotName> = there.into_iter().collect();
    let (here, _) = from.snapshot_names(account).await?;
    let (done, mut lacking): (Vec<_>, Vec<_>) = here.into_iter().partition(|name| there.contains(name));
    // The last one may have been torn when the drive was pulled; a check finds it if it was an earlier one.
    let mut last = Vec::new();
    for name in newest(done) {
        match to.snapshot(account, &name).await {
            Ok(_) => last.push(name),
            Err(error) if error.is_of_place() => return Err(error),
            Err(_) => lacking.push(name),
        }
    }
    let mut snapshots = Vec::new();
    for name in lacking {
        match from.snapshot(account, &name).await {
            Ok(snapshot) => snapshots.push(snapshot),
            Err(error) if error.is_of_place() => return Err(error),
            Err(error) => delivered.findings.push(Finding::Unreadable { name, error }),
        }
    }
    snapshots.sort_by_key(|snapshot| (snapshot.manifest.writer, snapshot.manifest.sequence));
    let mut delivery = Delivery {
        sources,
        to,
        account,
        wants,
        trusted: Trusted::default(),
        progress: Progress::default(),
    };
    if !snapshots.is_empty() {
        delivery.trust(last).await?;
    }
    for snapshot in snapshots {
        match delivery.snapshot(&snapshot, watch).await {
            Ok(()) => delivered.snapshots.push(snapshot.name),
            Err(Stop::Source(error)) => {
                tracing::warn!(name = %snapshot.name, %error, "a snapshot cannot be delivered");
                delivered.undelivered.push((snapshot.name, error));
            }
            Err(Stop::All(error)) => return Err(error),
        }
    }
    delivered.files = delivery.progress.files;
    delivered.bytes = delivery.progress.bytes;
    Ok(delivered)
}

/// The last manifest of each writer.
fn newest(names: Vec<SnapshotName>) -> Vec<SnapshotName> {
    let mut newest: BTreeMap<WriterId, SnapshotName> = BTreeMap::new();
    for name in names {
        let last = newest.entry(name.writer).or_insert(name);
        if last.sequence < name.sequence {
            *last = name;
        }
    }
    newest.into_values().collect()
}

/// Why a snapshot was not delivered.
enum Stop {
    /// The sources do not have it whole: the others may go on.
    Source(Error),
    /// Nothing more can be done.
    All(Error),
}

/// What the destination's manifests name.
#[derive(Default)]
struct Trusted {
    /// Lists; their ancestors and all they name are trusted with them.
    lists: HashSet<AccountFile>,
    /// Objects.
    objects: HashSet<AccountFile>,
}

struct Delivery<'a> {
    sources: &'a [&'a Vault],
    to: &'a Vault,
    account: &'a AccountFolder,
    wants: fn(&AccountFile) -> bool,
    trusted: Trusted,
    progress: Progress,
}

impl Delivery<'_> {
    /// Learns what snapshots that are there already name. What cannot be read is hashed at the destination later.
    async fn trust(&mut self, names: Vec<SnapshotName>) -> Result<(), Error> {
        for name in names {
            let read = async {
                let snapshot = self.sources[0].snapshot(self.account, &name).await?;
                let contents = self.sources[0].contents(&snapshot).await?;
                Ok::<_, Error>((snapshot, contents))
            };
            match read.await {
                Ok((snapshot, contents)) => {
                    self.trusted
                        .lists
                        .extend(snapshot.manifest.lists.into_iter().map(|list| list.name));
                    self.trusted
                        .lists
                        .extend(contents.lists.iter().map(|list| list.name.clone()));
                    self.trusted
                        .objects
                        .extend(contents.objects().map(|object| object.name.clone()));
                }
                Err(error) if error.is_of_place() => return Err(error),
                Err(error) => tracing::debug!(%name, %error, "not trusted without a look"),
            }
        }
        Ok(())
    }

    async fn snapshot(
        &mut self,
        snapshot: &Snapshot,
        watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
    ) -> Result<(), Stop> {
        let manifest = &snapshot.manifest;
        let known = |name: &AccountFile| self.trusted.lists.contains(name);
        let chain = self.chain(manifest.objects(), known).await?;
        let mut lists: Vec<ListRef> = chain.iter().rev().map(|(list, _)| list.clone()).collect();
        lists.extend(manifest.missing().filter(|list| !known(&list.name)).cloned());
        let objects = chain.into_iter().rev().flat_map(|(_, list)| match list.rows {
            Rows::Objects(objects) => objects,
            Rows::Missing(_) => Vec::new(),
        });
        let objects: Vec<Object> = objects
            .filter(|object| (self.wants)(&object.name) && !self.trusted.objects.contains(&object.name))
            .collect();
        let wanted = |name: &AccountFile, size, sum| Wanted {
            path: self.account.file(name),
            size,
            sum,
        };
        let files = objects
            .iter()
            .map(|object| wanted(&object.name, object.size, object.sum))
            .collect();
        self.copy_all(files, watch).await?;
        let files = lists
            .iter()
            .map(|list| wanted(&list.name, list.size, list.sum))
            .collect();
        self.copy_all(files, watch).await?;
        self.manifest(snapshot).await?;
        self.trusted
            .objects
            .extend(objects.into_iter().map(|object| object.name));
        self.trusted.lists.extend(lists.into_iter().map(|list| list.name));
        Ok(())
    }

    /// The lists that lead to a snapshot, from the first source that has them all.
    async fn chain(&self, head: &ListRef, known: impl Fn(&AccountFile) -> bool) -> Result<Vec<(ListRef, List)>, Stop> {
        let mut first = None;
        for source in self.sources {
            match source.chain(self.account, head, &known).await {
                Ok(chain) => return Ok(chain),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(Stop::Source(first.unwrap_or(Error::Missing)))
    }

    async fn copy_all(
        &mut self,
        files: Vec<Wanted>,
        watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
    ) -> Result<(), Stop> {
        self.progress.of_files += files.len() as u64;
        self.progress.of_bytes += files.iter().map(|file| file.size).sum::<u64>();
        let (sources, to) = (self.sources, self.to);
        let mut copies = stream::iter(files)
            .map(|file| async move { copy(sources, to, &file).await.map(|copied| (file.size, copied)) })
            .buffer_unordered(AT_ONCE);
        let mut failed = None;
        while let Some(result) = copies.next().await {
            match result {
                Ok((size, true)) => {
                    self.progress.files += 1;
                    self.progress.bytes += size;
                }
                // It was there: it counts neither as done nor as to be done.
                Ok((size, false)) => {
                    self.progress.of_files -= 1;
                    self.progress.of_bytes -= size;
                }
                // The others go on: what is there then need not be copied again.
                Err(Stop::Source(error)) => failed = failed.or(Some(error)),
                Err(stop) => return Err(stop),
            }
            if watch(self.progress).is_break() {
                return Err(Stop::All(Error::Stopped));
            }
        }
        failed.map_or(Ok(()), |error| Err(Stop::Source(error)))
    }

    /// The commit point. Its bytes were verified when it was read, and are again.
    async fn manifest(&mut self, snapshot: &Snapshot) -> Result<(), Stop> {
        let path = self.account.file(&AccountFile::Snapshot(snapshot.name));
        let bytes = self.sources[0].read(&path, MAX_MANIFEST).await.map_err(Stop::Source)?;
        let bytes = bytes.filter(|bytes| Checksum::of(bytes) == snapshot.sum);
        let bytes = bytes.ok_or_else(|| Stop::Source(Error::damaged(&path, "it changed while it was delivered")))?;
        let size = bytes.len() as u64;
        let file = path.as_str().parse().map_err(Stop::All)?;
        self.to.put_anew(&file, snapshot.sum, bytes).await.map_err(Stop::All)?;
        self.progress.files += 1;
        self.progress.of_files += 1;
        self.progress.bytes += size;
        self.progress.of_bytes += size;
        Ok(())
    }
}

/// Copies one file from the first source that has it sound. Answers whether it was not there already.
async fn copy(sources: &[&Vault], to: &Vault, file: &Wanted) -> Result<bool, Stop> {
    if to.size_if(&file.path, file.sum).await.map_err(Stop::All)?.is_some() {
        to.store().confirm(&file.path).await.map_err(Stop::All)?;
        return Ok(false);
    }
    let mut first = None;
    for source in sources {
        let content = || async {
            let content = source.store().get(&file.path).await?;
            let content = content.ok_or_else(|| Error::Absent {
                name: file.path.to_string(),
            })?;
            Ok(content.expecting(file.path.to_string(), file.size, file.sum))
        };
        // Looked at before it is put, so that an error of `put` is the destination's.
        match content().await {
            Ok(_) => {}
            Err(error) => {
                first = first.or(Some(error));
                continue;
            }
        }
        match to.put_object(&file.path, file.sum, content).await {
            Ok(_) => return Ok(true),
            Err(error) if is_of_source(&error) => first = first.or(Some(error)),
            Err(error) => return Err(Stop::All(error)),
        }
    }
    Err(Stop::Source(first.unwrap_or(Error::Missing)))
}
