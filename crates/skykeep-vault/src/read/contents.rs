//! What a snapshot consists of: its list and all that this one adds to.
//!
//! Source: FORMAT.md, section 5.

use std::collections::{BTreeMap, BTreeSet};

use skykeep_atproto::Cid;

use super::Snapshot;
use crate::Error;
use crate::folder::run;
use crate::layout::{AccountFile, AccountFolder, SnapshotName, StorePath};
use crate::list::{Kind, List, MAX_OBJECTS, MissingBlob, Object, Rows};
use crate::manifest::ListRef;
use crate::vault::Vault;

/// Most lists that lead to one snapshot.
pub const MAX_CHAIN: usize = 4_096;

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

    /// Where everything lies that snapshots after `held` name and `held` does not: what a delivery had to bring. Without
    /// one, or when it is not here, that is everything.
    ///
    /// A snapshot whose lists cannot be read is left out. Errors: those of the place as a whole.
    pub async fn named_after(
        &self,
        account: &AccountFolder,
        held: Option<&SnapshotName>,
    ) -> Result<BTreeSet<StorePath>, Error> {
        let snapshots = self.snapshots(account).await?.sound;
        let at = snapshots.iter().position(|snapshot| Some(&snapshot.name) == held);
        let (before, after) = snapshots.split_at(at.map_or(0, |at| at + 1));
        let (mut lists, mut had, mut named) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let held = before.last().map(|snapshot| (snapshot, true));
        for (snapshot, is_held) in held.into_iter().chain(after.iter().map(|snapshot| (snapshot, false))) {
            let names = if is_held { &mut had } else { &mut named };
            names.insert(account.file(&AccountFile::Snapshot(snapshot.name)));
            for list in &snapshot.manifest.lists {
                let chain = match self.chain(account, list, |name| lists.contains(name)).await {
                    Ok(chain) => chain,
                    Err(error) if error.is_of_place() => return Err(error),
                    Err(error) => {
                        tracing::warn!(name = %snapshot.name, %error, "what it names is not known");
                        continue;
                    }
                };
                for (list, read) in chain {
                    names.insert(account.file(&list.name));
                    lists.insert(list.name);
                    if let Rows::Objects(objects) = read.rows {
                        names.extend(objects.iter().map(|object| account.file(&object.name)));
                    }
                }
            }
        }
        Ok(named.difference(&had).cloned().collect())
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
}

/// Puts lists together, `chain` from the snapshot's own list back to the oldest.
fn assemble(chain: Vec<(ListRef, List)>, missing: Vec<MissingBlob>) -> Result<Contents, Error> {
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
