//! Reading a vault: accounts, snapshots in their order, what a snapshot consists of, and its repository as one CAR.
//!
//! What cannot be read is a finding beside what can: it hides nothing and ends nothing. Nothing is believed because the
//! file system says so; every byte that leaves this module was hashed, or is hashed by whoever checks the repository.
//! Source: FORMAT.md, sections 4 ("Order"), 5 and 6.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, Write};
use std::path::Path;

use skykeep_atproto::car::Written;
use skykeep_atproto::verify::RepoCheck;
use skykeep_atproto::{Cid, KeyHistory, KeyPeriod, Tid};

use crate::Error;
use crate::content::Content;
use crate::folder::run;
use crate::key::WriterPublic;
use crate::layout::{AccountFile, AccountFolder, Checksum, Letters, SnapshotName, StorePath, WriterId};
use crate::list::{Kind, List, MAX_OBJECTS, MissingBlob, Object, Rows};
use crate::manifest::{ListRef, MAX_MANIFEST, Manifest, Verdict};
use crate::store::{Depth, Target};
use crate::vault::Vault;

/// Most lists that lead to one snapshot.
pub const MAX_CHAIN: usize = 4_096;
/// How far ahead of its capture a rev may lie and still be trusted for order, in microseconds.
const REV_AHEAD: u64 = 5 * 60 * 1_000_000;

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

/// What a snapshot consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The lists that lead to it, its own first.
    pub lists: Vec<ListRef>,
    /// The base.
    pub base: Object,
    /// The increments, in the order in which they apply.
    pub increments: Vec<Object>,
    /// What is known about the identity, the older versions included; the manifest says which hold now.
    pub identity: Vec<Object>,
    /// Private objects.
    pub private: Vec<Object>,
    /// Media, by CID; some may belong to records that were deleted since the base.
    pub blobs: BTreeMap<Cid, Object>,
    /// Media that could not be had.
    pub missing: Vec<MissingBlob>,
}

impl Contents {
    /// Base and increments, in the order in which they apply.
    pub fn repo(&self) -> impl Iterator<Item = &Object> {
        std::iter::once(&self.base).chain(&self.increments)
    }

    /// Every file it consists of, lists not included.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.repo()
            .chain(&self.identity)
            .chain(&self.private)
            .chain(self.blobs.values())
    }

    /// The commit that base and increments lead to.
    pub fn commit(&self) -> Cid {
        match self.increments.last().unwrap_or(&self.base).kind {
            Kind::Base { to, .. } | Kind::Increment { to, .. } => to,
            _ => unreachable!("only these two are put there"),
        }
    }
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
        listing
            .foreign
            .iter()
            .chain(&listing.unreadable)
            .for_each(|path| foreign(path));
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
        let (names, mut findings) = self.snapshot_names(account).await?;
        let mut read = Vec::with_capacity(names.len());
        for name in names {
            match self.snapshot(account, &name).await {
                Ok(snapshot) => read.push(snapshot),
                Err(Error::Missing) => return Err(Error::Missing),
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
                Err(Error::Missing) => return Err(Error::Missing),
                Err(error) => tracing::warn!(%name, %error, "a manifest cannot be used"),
            }
        }
        Ok(None)
    }

    /// One list. Errors: `Absent`; those of [`List::read`]; those of the place.
    pub(crate) async fn list(&self, account: &AccountFolder, list: &ListRef) -> Result<List, Error> {
        let content = self.store().get(&account.file(&list.name)).await?;
        let content = content.ok_or_else(|| Error::Absent {
            name: list.name.to_string(),
        })?;
        let list = list.clone();
        run(move || List::read(&list, content)).await
    }

    /// What a snapshot consists of: its lists are read, its objects are not looked at.
    ///
    /// Errors: `Absent`, `Damaged`, `NewerFormat`, `Invalid`, `TooLarge` for its lists; those of the place.
    pub async fn contents(&self, snapshot: &Snapshot) -> Result<Contents, Error> {
        let manifest = &snapshot.manifest;
        let account = &manifest.account;
        let chain = self.chain(account, manifest.objects(), |_| false).await?;
        let missing = match manifest.missing() {
            Some(list) => match self.list(account, list).await?.rows {
                Rows::Missing(missing) => missing,
                Rows::Objects(_) => Vec::new(),
            },
            None => Vec::new(),
        };
        let contents = assemble(chain, missing)?;
        if contents.commit() != manifest.body.commit.cid {
            return Err(Error::invalid(snapshot.name, "its lists lead to another commit"));
        }
        let named: BTreeSet<&AccountFile> = contents.objects().map(|object| &object.name).collect();
        let parts = manifest.body.identity.iter().chain(&manifest.body.private);
        match parts.into_iter().find(|part| !named.contains(&part.name)) {
            Some(part) => Err(Error::invalid(
                snapshot.name,
                format!("{} is in none of its lists", part.name),
            )),
            None => Ok(contents),
        }
    }

    /// The lists from `head` to its oldest ancestor, or to the first that `known` says yes to, which is not read.
    pub(crate) async fn chain(
        &self,
        account: &AccountFolder,
        head: &ListRef,
        known: impl Fn(&AccountFile) -> bool,
    ) -> Result<Vec<(ListRef, List)>, Error> {
        let mut chain = Vec::new();
        let mut seen = BTreeSet::new();
        let mut objects = 0;
        let mut next = Some(head.clone()).filter(|list| !known(&list.name));
        while let Some(list) = next {
            let name = list.name.to_string();
            if chain.len() == MAX_CHAIN {
                return Err(Error::invalid(name, "too many lists lead to it"));
            }
            if !seen.insert(list.name.clone()) {
                return Err(Error::invalid(name, "it is its own ancestor"));
            }
            let read = self.list(account, &list).await?;
            objects += match &read.rows {
                Rows::Objects(rows) => rows.len() as u64,
                Rows::Missing(_) => 0,
            };
            if objects > MAX_OBJECTS {
                return Err(Error::TooLarge {
                    name,
                    limit: MAX_OBJECTS,
                });
            }
            next = read.parent.clone().filter(|list| !known(&list.name));
            chain.push((list, read));
        }
        Ok(chain)
    }

    /// Base and increments as open files, in the order in which they apply: the sources of a
    /// [`RepoCheck`], which hashes every block. Only their lengths are looked at here.
    ///
    /// `scratch` is a folder for copies, used where the store is not on this computer; the caller empties it.
    /// Errors: `Absent`; `Damaged` for another length; those of the place.
    pub async fn repo_files(
        &self,
        account: &AccountFolder,
        contents: &Contents,
        scratch: &Path,
    ) -> Result<Vec<File>, Error> {
        let mut files = Vec::new();
        for object in contents.repo() {
            let content = self.store().get(&account.file(&object.name)).await?;
            let content = content.ok_or_else(|| Error::Absent {
                name: object.name.to_string(),
            })?;
            let (scratch, name, size) = (scratch.to_owned(), object.name.to_string(), object.size);
            let open = move || {
                let file = on_disk(content, &scratch)?;
                let length = file.metadata().map_err(|error| Error::from_io(&name, 0, error))?.len();
                if length == size {
                    Ok(file)
                } else {
                    Err(Error::damaged(name, "another length than its list says"))
                }
            };
            files.push(run(open).await?);
        }
        Ok(files)
    }

    /// Writes a snapshot's repository as one canonical CAR, proved again on the way: every block against its CID, the tree
    /// whole, the commit signed by the key that the manifest names.
    ///
    /// What was written to `out` is the repository only if this answers `Ok`. Errors: those of [`Vault::contents`] and
    /// [`Vault::repo_files`]; `Damaged` when the proof fails; `Protocol` when writing does.
    pub async fn write_car(
        &self,
        snapshot: &Snapshot,
        scratch: &Path,
        mut out: impl Write + Send + 'static,
    ) -> Result<Written, Error> {
        let contents = self.contents(snapshot).await?;
        let mut files = self.repo_files(&snapshot.manifest.account, &contents, scratch).await?;
        let (history, commit, name) = (signing_history(&snapshot.manifest), contents.commit(), snapshot.name);
        run(move || {
            let checked = RepoCheck::of(&history).root(commit).run(&mut files)?;
            let repo = checked
                .repo
                .ok_or_else(|| Error::damaged(name, "its repository fails the proof"))?;
            for file in &mut files {
                file.rewind().map_err(|error| Error::from_io(name, 0, error))?;
            }
            let written = repo.write_base(&mut files, &mut out)?;
            out.flush().map_err(skykeep_atproto::Error::from)?;
            Ok(written)
        })
        .await
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
    /// What was written is the file only if this answers `Ok`. Errors: `Absent`, `Damaged`; those of the place and of `out`.
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

    /// Whether a file is there and is what its list says. Errors: those of the place as a whole.
    pub(crate) async fn holds(&self, path: &StorePath, size: u64, sum: Checksum) -> Result<bool, Error> {
        match self.store().get(path).await {
            Ok(Some(content)) => match run(move || content.checksum()).await {
                Ok(found) => Ok(found == (size, sum)),
                Err(Error::Missing) => Err(Error::Missing),
                Err(_) => Ok(false),
            },
            Ok(None) | Err(Error::NotAFile { .. }) => Ok(false),
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

/// The key history that a manifest vouches for: the one key that signed its commit.
fn signing_history(manifest: &Manifest) -> KeyHistory {
    let signing = &manifest.body.signing;
    let captured = (signing.verdict == Verdict::Earlier).then_some(manifest.captured);
    KeyHistory {
        did: manifest.body.did.clone(),
        keys: vec![KeyPeriod {
            key: signing.key,
            operation: signing.operation,
            from: None,
            until: captured,
        }],
        undone: Vec::new(),
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

/// Puts lists together, `chain` from the snapshot's own list back to the oldest.
pub(crate) fn assemble(chain: Vec<(ListRef, List)>, missing: Vec<MissingBlob>) -> Result<Contents, Error> {
    let lists: Vec<ListRef> = chain.iter().map(|(list, _)| list.clone()).collect();
    let head = lists
        .first()
        .map_or_else(|| "no list".to_owned(), |list| list.name.to_string());
    let (mut repo, mut identity, mut private) = (Vec::<Object>::new(), Vec::new(), Vec::new());
    let mut blobs = BTreeMap::new();
    for (list, read) in chain.into_iter().rev() {
        let Rows::Objects(objects) = read.rows else { continue };
        for object in objects {
            match &object.kind {
                Kind::Base { .. } => repo = vec![object],
                Kind::Increment { from, .. } => {
                    let before = repo.last().map(|object| &object.kind);
                    match before {
                        Some(Kind::Base { to, .. } | Kind::Increment { to, .. }) if to == from => repo.push(object),
                        _ => return Err(Error::invalid(list.name, "an increment that follows nothing")),
                    }
                }
                Kind::Identity(_) => identity.push(object),
                Kind::Private { .. } => private.push(object),
                Kind::Blob { cid, .. } => {
                    blobs.insert(*cid, object);
                }
            }
        }
    }
    let increments = repo.split_off(repo.len().min(1));
    let base = repo.pop().ok_or_else(|| Error::invalid(head, "no base"))?;
    Ok(Contents {
        lists,
        base,
        increments,
        identity,
        private,
        blobs,
        missing,
    })
}

/// Orders snapshots by sequence and rev, and finds what is missing between them.
fn in_order(snapshots: Vec<Snapshot>) -> (Vec<Snapshot>, Vec<Finding>) {
    let mut by_writer: BTreeMap<WriterPublic, Vec<Snapshot>> = BTreeMap::new();
    for snapshot in snapshots {
        by_writer.entry(snapshot.manifest.writer).or_default().push(snapshot);
    }
    let mut findings = Vec::new();
    let mut ordered = Vec::new();
    for (writer, mut snapshots) in by_writer {
        snapshots.sort_by_key(|snapshot| (snapshot.manifest.sequence, snapshot.name.hash));
        let mut before = 0;
        let mut sums = BTreeSet::new();
        let mut reached: Option<Tid> = None;
        for snapshot in snapshots {
            let manifest = &snapshot.manifest;
            let sequence = manifest.sequence;
            if sequence == before {
                findings.push(Finding::Fork {
                    writer: writer.id(),
                    sequence,
                });
            } else if manifest.previous.is_some_and(|previous| !sums.contains(&previous)) {
                findings.push(Finding::Gap {
                    writer: writer.id(),
                    after: before,
                    before: sequence,
                });
            }
            before = sequence;
            sums.insert(snapshot.sum);
            let rev = manifest.body.commit.rev;
            let captured = u64::try_from(manifest.captured.as_microsecond()).unwrap_or_default();
            if rev.micros() <= captured.saturating_add(REV_AHEAD) {
                reached = reached.max(Some(rev));
            }
            ordered.push((reached, writer, sequence, snapshot));
        }
    }
    ordered.sort_by_key(|(reached, writer, sequence, snapshot)| (*reached, *writer, *sequence, snapshot.name.hash));
    let ordered = ordered.into_iter().map(|(.., snapshot)| snapshot).collect();
    (ordered, findings)
}
