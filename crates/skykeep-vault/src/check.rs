//! Checking: every file is read and hashed, or as much as was asked for, and what is wrong is said together with what it
//! hurts and what is still whole.
//!
//! A check changes nothing, and calls nothing missing that a listing left out before it asked for it by name. What it
//! reports is what [`crate::heal`] goes by.

mod named;
mod reading;
mod report;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use futures_util::stream::{self, StreamExt as _};

use crate::Error;
use crate::deliver::Progress;
use crate::folder::run;
use crate::layout::{AccountFile, AccountFolder, Checksum, SnapshotName, StorePath, VaultFile};
use crate::list::{Kind, Rows};
use crate::manifest::ListRef;
use crate::read::{Finding, MAX_CHAIN, Snapshot};
use crate::store::Depth;
use crate::vault::Vault;

use named::Named;
use reading::Selected;
pub use reading::{Portion, Reached, Reading};
pub use report::{AccountHealth, CheckReport, Damage, Fault, SnapshotHealth};

/// Files read at once.
const AT_ONCE: usize = 4;

/// How a file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Read(u64, Checksum),
    Unreadable,
    /// It is there, and of this length. Nobody looked into it.
    Listed(u64),
}

impl State {
    /// Whether it can be a file of this length and hash, as far as is known.
    fn can_be(self, of: (u64, Checksum)) -> bool {
        match self {
            Self::Read(size, sum) => (size, sum) == of,
            Self::Listed(size) => size == of.0,
            Self::Unreadable => false,
        }
    }
}

/// Reads and hashes every file of a vault: [`check_some`] of all.
pub async fn check(
    vault: &Vault,
    watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
) -> Result<CheckReport, Error> {
    check_some(vault, Reading::All, watch).await
}

/// Reads and hashes as much of a vault as `reading` says, and judges the rest by names and lengths.
///
/// `watch` is called between files. `Break` ends a portion there, and what was read is judged; every other check ends in
/// `Stopped`. Errors: those of the place as a whole.
pub async fn check_some(
    vault: &Vault,
    reading: Reading<'_>,
    watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
) -> Result<CheckReport, Error> {
    let listing = vault.store().list(&StorePath::root(), Depth::All).await?;
    let mut inspection = Inspection {
        vault,
        twin: reading.twin(),
        reading,
        named: Named::default(),
        states: HashMap::new(),
        damages: BTreeMap::new(),
    };
    let mut report = CheckReport {
        foreign: listing.foreign,
        hidden: listing.unreadable,
        ..CheckReport::default()
    };
    let mut files = Vec::new();
    for (path, size) in listing.files {
        match path.as_str().parse::<VaultFile>() {
            Ok(file) => {
                inspection.states.insert(file.clone(), State::Listed(size));
                report.of_bytes += size;
                files.push((path, file, size));
            }
            Err(_) => report.foreign.push(path.to_string()),
        }
    }
    report.of_files = files.len() as u64;
    let selected = reading.select(files);
    let (progress, reached) = inspection.read(selected, reading.ends_early(), watch).await?;
    (report.files, report.bytes, report.reached) = (progress.files, progress.bytes, reached);
    inspection.guides().await?;
    for account in vault.accounts().await? {
        report.accounts.push(inspection.account(account).await?);
    }
    let Named { found, read, .. } = inspection.named;
    if found.files > 0 {
        tracing::warn!(files = found.files, "the place did not list everything that it has");
        (report.of_files, report.of_bytes) = (report.of_files + found.files, report.of_bytes + found.bytes);
        (report.files, report.bytes) = (report.files + read.files, report.bytes + read.bytes);
    }
    report.damages = inspection.damages.into_values().collect();
    Ok(report)
}

struct Inspection<'a> {
    vault: &'a Vault,
    twin: Option<&'a Vault>,
    reading: Reading<'a>,
    named: Named,
    states: HashMap<VaultFile, State>,
    damages: BTreeMap<VaultFile, Damage>,
}

/// What one list means for every snapshot that it leads to.
#[derive(Default)]
struct ListHealth {
    parent: Option<ListRef>,
    /// Base and increments.
    repo: Vec<Kind>,
    /// It cannot be used, or something of the repository that it names cannot.
    posts_hurt: bool,
    identity_hurt: bool,
    media_hurt: u64,
    /// Everything that is wrong here, the list itself included.
    hurt: Vec<VaultFile>,
}

impl Inspection<'_> {
    /// Reads and hashes files, and answers how much that was and where it ended.
    async fn read(
        &mut self,
        selected: Selected,
        ends_early: bool,
        watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
    ) -> Result<(Progress, Reached), Error> {
        let Selected { files, first, to_end } = selected;
        let mut progress = Progress {
            of_files: files.len() as u64,
            of_bytes: files.iter().map(|(_, size)| size).sum(),
            ..Progress::default()
        };
        let vault = self.vault;
        let mut reached = Reached::Nowhere;
        // In their order: what was reached says that all before it was read.
        let mut reads = stream::iter(files.into_iter().enumerate())
            .map(|(number, (file, _))| async move {
                let state = read(vault, &file).await;
                (number, file, state)
            })
            .buffered(AT_ONCE);
        while let Some((number, file, state)) = reads.next().await {
            if number >= first {
                reached = Reached::Path(file.path());
            }
            let Some(state) = state? else {
                // Gone since it was listed: a manifest that names it will tell.
                self.states.remove(&file);
                continue;
            };
            progress.files += 1;
            match state {
                State::Read(size, sum) => {
                    progress.bytes += size;
                    if !file.admits(&sum) {
                        note(&mut self.damages, &file, Fault::Damaged);
                    }
                }
                State::Unreadable | State::Listed(_) => note(&mut self.damages, &file, Fault::Unreadable),
            }
            self.states.insert(file, state);
            if watch(progress).is_break() {
                return match ends_early {
                    true => Ok((progress, reached)),
                    false => Err(Error::Stopped),
                };
            }
        }
        Ok((progress, if to_end { Reached::End } else { reached }))
    }

    /// `README.txt` and `recover.py`, which carry no hash: the vault file says what they held.
    async fn guides(&mut self) -> Result<(), Error> {
        let listing = self.vault.store().list(&StorePath::root(), Depth::Here).await?;
        for (_, file) in crate::vault::vault_files(&listing) {
            let guides = match self.vault.read_vault_file(&file).await {
                Ok(guides) => guides,
                Err(error) if error.is_of_place() => return Err(error),
                Err(Error::Damaged { .. } | Error::Absent { .. } | Error::Io { .. }) => continue,
                Err(_) => {
                    note(&mut self.damages, &file, Fault::Refused);
                    continue;
                }
            };
            for guide in guides {
                let Ok(guide_file) = guide.name.parse::<VaultFile>() else {
                    continue;
                };
                self.ask_for([guide_file.clone()]).await?;
                match self.states.get(&guide_file) {
                    Some(State::Unreadable) => {}
                    Some(state) if state.can_be((guide.size, guide.sum)) => {}
                    Some(_) => note(&mut self.damages, &guide_file, Fault::Damaged),
                    None => note(&mut self.damages, &guide_file, Fault::Missing),
                }
            }
        }
        Ok(())
    }

    async fn account(&mut self, account: AccountFolder) -> Result<AccountHealth, Error> {
        let mut snapshots = self
            .vault
            .snapshots_by(&account, |name| self.nearest(&account, name))
            .await?;
        // What another writer has completed since was not listed with the files that it names.
        snapshots.sound.retain(|snapshot| {
            let file = AccountFile::Snapshot(snapshot.name);
            self.states.contains_key(&VaultFile::Account {
                account: account.clone(),
                file,
            })
        });
        let mut unreadable = self.set_aside(&account).await?;
        for finding in std::mem::take(&mut snapshots.findings) {
            match finding {
                Finding::Unreadable { name, ref error } => {
                    unreadable.push((name, fault_of(error)));
                    if !is_abandoned(&name, &snapshots.sound) {
                        snapshots.findings.push(finding);
                    }
                }
                finding => snapshots.findings.push(finding),
            }
        }
        for (name, fault) in unreadable {
            let abandoned = fault != Fault::Refused && is_abandoned(&name, &snapshots.sound);
            let file = VaultFile::Account {
                account: account.clone(),
                file: AccountFile::Snapshot(name),
            };
            self.damages.remove(&file);
            note(
                &mut self.damages,
                &file,
                if abandoned { Fault::Abandoned } else { fault },
            );
            self.hurts(&file, name);
        }
        let mut lists = HashMap::new();
        let mut health = Vec::new();
        for snapshot in &snapshots.sound {
            health.push(self.snapshot(&account, snapshot, &mut lists).await?);
        }
        Ok(AccountHealth {
            account,
            snapshots: health,
            findings: snapshots.findings,
        })
    }

    /// Where a manifest or a list is read: in the twin, unless something is wrong with it here.
    fn nearest(&self, account: &AccountFolder, file: &AccountFile) -> &Vault {
        let file = VaultFile::Account {
            account: account.clone(),
            file: file.clone(),
        };
        let sound = self.states.contains_key(&file) && !self.damages.contains_key(&file);
        self.twin.filter(|_| sound).unwrap_or(self.vault)
    }

    /// Manifests that were set aside and never written anew: healing was cut off in between.
    async fn set_aside(&mut self, account: &AccountFolder) -> Result<Vec<(SnapshotName, Fault)>, Error> {
        let aside = self.states.keys().filter_map(|file| match file {
            VaultFile::Account {
                account: of,
                file: AccountFile::Damaged { folder, name, .. },
            } if of == account && folder == "snapshots" => name.parse().ok(),
            _ => None,
        });
        let mut names: BTreeSet<SnapshotName> = aside.collect();
        let manifest = |name: &SnapshotName| VaultFile::Account {
            account: account.clone(),
            file: AccountFile::Snapshot(*name),
        };
        self.ask_for(names.iter().map(manifest)).await?;
        names.retain(|name| !self.states.contains_key(&manifest(name)));
        Ok(names.into_iter().map(|name| (name, Fault::Missing)).collect())
    }

    async fn snapshot(
        &mut self,
        account: &AccountFolder,
        snapshot: &Snapshot,
        lists: &mut HashMap<AccountFile, ListHealth>,
    ) -> Result<SnapshotHealth, Error> {
        let mut health = SnapshotHealth {
            name: snapshot.name,
            posts_whole: true,
            identity_whole: true,
            media_hurt: 0,
        };
        let mut repo = Vec::new();
        let mut heads = snapshot.manifest.lists.iter();
        let mut next = heads.next().cloned();
        let mut seen = BTreeSet::new();
        while let Some(list) = next {
            if seen.len() == MAX_CHAIN || !seen.insert(list.name.clone()) {
                health.posts_whole = false;
                break;
            }
            if !lists.contains_key(&list.name) {
                let inspected = self.list(account, &list).await?;
                lists.insert(list.name.clone(), inspected);
            }
            let Some(found) = lists.get(&list.name) else { break };
            health.posts_whole &= !found.posts_hurt;
            health.identity_whole &= !found.identity_hurt;
            health.media_hurt += found.media_hurt;
            repo.extend(found.repo.iter().rev().cloned());
            next = found.parent.clone().or_else(|| heads.next().cloned());
            for file in &found.hurt {
                self.hurts(file, snapshot.name);
            }
        }
        repo.reverse();
        health.posts_whole &= leads_to(&repo, &snapshot.manifest.body.commit.cid);
        Ok(health)
    }

    /// Looks at a list and at everything that it names.
    async fn list(&mut self, account: &AccountFolder, list: &ListRef) -> Result<ListHealth, Error> {
        let in_account = |file: &AccountFile| VaultFile::Account {
            account: account.clone(),
            file: file.clone(),
        };
        let mut health = ListHealth::default();
        let twin = self.nearest(account, &list.name);
        let here = self.states.get(&in_account(&list.name));
        let near = match here.is_some_and(|here| here.can_be((list.size, list.sum))) {
            true if !twin.is(self.vault.id()) => twin.list(account, list).await.ok(),
            _ => None,
        };
        let read = match near {
            Some(read) => Ok(read),
            None => self.vault.list(account, list).await,
        };
        let read = match read {
            Ok(read) => read,
            Err(error) if error.is_of_place() => return Err(error),
            Err(error) => {
                let file = in_account(&list.name);
                note(&mut self.damages, &file, fault_of(&error));
                health.posts_hurt = true;
                health.hurt.push(file);
                return Ok(health);
            }
        };
        health.parent = read.parent;
        let Rows::Objects(objects) = read.rows else {
            return Ok(health);
        };
        self.ask_for(objects.iter().map(|object| in_account(&object.name)))
            .await?;
        for object in objects {
            if let Kind::Base { .. } | Kind::Increment { .. } = object.kind {
                health.repo.push(object.kind.clone());
            }
            let file = in_account(&object.name);
            let fault = match self.states.get(&file) {
                Some(state) if state.can_be((object.size, object.sum)) => continue,
                Some(State::Read(..) | State::Listed(_)) => Fault::Damaged,
                Some(State::Unreadable) => Fault::Unreadable,
                None => Fault::Missing,
            };
            match object.kind {
                Kind::Base { .. } | Kind::Increment { .. } => health.posts_hurt = true,
                Kind::Blob { .. } => health.media_hurt += 1,
                Kind::Identity(_) | Kind::Private { .. } => health.identity_hurt = true,
            }
            note(&mut self.damages, &file, fault);
            if let Some(damage) = self.damages.get_mut(&file) {
                damage.object = Some(object);
            }
            health.hurt.push(file);
        }
        Ok(health)
    }

    /// Remembers that a snapshot needs a file that is not as it should be.
    fn hurts(&mut self, file: &VaultFile, snapshot: SnapshotName) {
        if let Some(damage) = self.damages.get_mut(file)
            && damage.snapshots.last() != Some(&snapshot)
        {
            damage.snapshots.push(snapshot);
        }
    }
}

fn note(damages: &mut BTreeMap<VaultFile, Damage>, file: &VaultFile, fault: Fault) {
    damages.entry(file.clone()).or_insert_with(|| Damage {
        file: file.clone(),
        fault,
        object: None,
        snapshots: Vec::new(),
    });
}

/// What an error about one file says of it.
fn fault_of(error: &Error) -> Fault {
    match error {
        Error::Absent { .. } => Fault::Missing,
        Error::Damaged { .. } => Fault::Damaged,
        Error::Io { .. } | Error::NotAFile { .. } => Fault::Unreadable,
        _ => Fault::Refused,
    }
}

/// Whether its writer made a later manifest that follows an earlier one: it could not read this one even then.
fn is_abandoned(name: &SnapshotName, sound: &[Snapshot]) -> bool {
    let of_writer = |snapshot: &&Snapshot| snapshot.name.writer == name.writer;
    let earlier: BTreeSet<Checksum> = sound
        .iter()
        .filter(of_writer)
        .filter(|snapshot| snapshot.name.sequence < name.sequence)
        .map(|snapshot| snapshot.sum)
        .collect();
    sound.iter().filter(of_writer).any(|snapshot| {
        let follows = snapshot
            .manifest
            .previous
            .is_none_or(|previous| earlier.contains(&previous));
        snapshot.name.sequence > name.sequence && follows
    })
}

/// How a file is, or `None` when it is not there. Errors: those of the place as a whole.
async fn read(vault: &Vault, file: &VaultFile) -> Result<Option<State>, Error> {
    let content = match vault.store().get(&file.path()).await {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(None),
        Err(error) if error.is_of_place() => return Err(error),
        Err(_) => return Ok(Some(State::Unreadable)),
    };
    match run(move || content.checksum()).await {
        Ok((size, sum)) => Ok(Some(State::Read(size, sum))),
        Err(_) => {
            // A drive that was pulled is no damage.
            vault.store().get(&file.path()).await?;
            Ok(Some(State::Unreadable))
        }
    }
}

/// Whether base and increments, oldest first, lead to a commit without a gap.
fn leads_to(repo: &[Kind], commit: &skykeep_atproto::Cid) -> bool {
    let mut at = None;
    for kind in repo {
        match kind {
            Kind::Base { to, .. } => at = Some(to),
            Kind::Increment { from, to, .. } if at == Some(from) => at = Some(to),
            _ => return false,
        }
    }
    at == Some(commit)
}
