//! Backups made by other tools, verified like everything else and kept as snapshots of their day.
//!
//! What Bluesky's export, goat, PDS MOOver, ATBackup, bsky.storage and our own export leave is at heart the same: a CAR
//! and, mostly, blobs. So names do not matter here: a file that is a CAR is one, and every other file is a blob if its
//! hash is one that the repository needs. The commit must be signed by a key of the account's audit log; neither the host
//! nor, if the log lies beside the CAR, the directory has to be there.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use skykeep_atproto::plc::{self, KeyHistory};
use skykeep_atproto::verify::{RepoCheck, SignedBy, VerifiedBlob, VerifiedRepo};
use skykeep_atproto::{Cid, Codec, Did};
use skykeep_net::resolve::{Identifier, Resolver};
use skykeep_net::{CancellationToken, Patience};
use skykeep_vault::layout::AccountFolder;
use skykeep_vault::{Facts, IdentityKind, MissingBlob, Origin, Snapshot, Writer, WriterKey};
use tracing::info;

use crate::api::{Person, Phase, SignatureVerdict, Whose};
use crate::backup::{self, Told, identity};
use crate::error::ImportFault;
use crate::runs::Reporter;
use crate::{Engine, Error, blocking};

/// Files that are looked at, at most; an export of a large account has some ten thousand.
const MAX_FILES: usize = 1_000_000;

/// Largest file that is taken for an audit log, in bytes.
pub(crate) const MAX_LOG: u64 = 4 << 20;

/// Largest blob that is imported, in bytes.
const MAX_BLOB: u64 = 1 << 30;

/// What an import came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Whose.
    pub did: Did,
    /// The snapshots that were made, one for each repository found, oldest first.
    pub snapshots: Vec<ImportedSnapshot>,
}

/// One repository that was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ImportedSnapshot {
    /// The snapshot's manifest.
    pub id: String,
    /// Where it was found.
    pub file: PathBuf,
    /// Its revision.
    pub rev: String,
    /// Who signed it.
    pub signature: SignatureVerdict,
    /// Number of records.
    pub records: u64,
    /// Number of blobs that were found and kept.
    pub media: u64,
    /// Blobs that the repository needs and that were not among the files.
    pub missing: Vec<String>,
}

/// What lies in the files that are to be imported.
#[derive(Debug, Default)]
struct Finds {
    cars: Vec<PathBuf>,
    logs: Vec<PathBuf>,
    /// Every other file, by the CID that its bytes have.
    blobs: BTreeMap<Cid, PathBuf>,
}

impl Engine {
    /// Imports CARs and blobs from files and folders. `name` is a handle, a DID or a profile's address.
    ///
    /// What was imported before, with no more media than now, is answered again and written once.
    ///
    /// An account that is not kept yet is added, and repositories of other accounts beside its own are passed over.
    ///
    /// Errors: `Import` when no repository is found or one cannot be read; `ImportUnproved`, before anything is changed;
    /// `BadIdentityLog`; `Net` when the keys cannot be had. That there is no place is none: staging holds it.
    pub async fn import(&self, name: &str, paths: &[PathBuf]) -> Result<Imported, Error> {
        let given = paths.to_vec();
        let finds = blocking(move || search(&given)).await?;
        let named = paths.first().cloned().unwrap_or_default();
        if finds.cars.is_empty() {
            return Err(Error::Import {
                path: named,
                reason: ImportFault::NoRepository,
            });
        }
        let cancel = self.inner.shutdown.child_token();
        let did = self.whose(name, &cancel).await?;
        let keys = self.keys_of(&did, &finds, &cancel).await?;
        let Some(reporter) = self.inner.begin(&did, true) else {
            return Err(Error::Import {
                path: named,
                reason: ImportFault::UnderWay,
            });
        };
        let repos = prove_all(&did, &keys.history, &finds.cars, &reporter).await?;
        if self.inner.settings().account(&did).is_none() {
            self.add_account(&Person::unseen(&did, keys.host.as_deref()), Whose::Mine)
                .await?;
        }
        let mut imported = Imported {
            did: did.clone(),
            snapshots: Vec::new(),
        };
        for (file, repo) in repos {
            imported
                .snapshots
                .push(self.keep_import(&did, &keys, &finds, &file, repo, &reporter).await?);
        }
        self.inner.rebuild_account(&did).await?;
        self.face_from_backup(&did).await?;
        if !self.inner.settings().places.is_empty() {
            reporter.phase(Phase::Delivering, None, None);
            backup::deliver(&self.inner, &reporter, Timestamp::now(), Told::Yes).await?;
        }
        drop(reporter);
        info!(%did, snapshots = imported.snapshots.len(), "imported");
        self.inner.listen_changed();
        Ok(imported)
    }

    /// The DID that is meant, without asking the host.
    async fn whose(&self, name: &str, cancel: &CancellationToken) -> Result<Did, Error> {
        if let Ok(did) = self.find_account(name).await {
            return Ok(did);
        }
        match name.trim().parse::<Identifier>().map_err(Error::Net)? {
            Identifier::Did(did) => Ok(did),
            Identifier::Handle(handle) => Ok(Resolver::new(&self.inner.client())
                .resolve_handle(&handle, cancel)
                .await?),
        }
    }

    /// All keys the account ever had: from the directory, else from a log among the files.
    async fn keys_of(&self, did: &Did, finds: &Finds, cancel: &CancellationToken) -> Result<Keys, Error> {
        // Somebody waits for it, and host and directory may both be gone for good.
        let client = self.inner.client().with_patience(Patience::interactive());
        let asked = identity::ask(&client, did, &identity::Remembered::default(), true, cancel).await;
        let error = match asked {
            Ok(identity) => {
                let head = identity.log.as_ref().and_then(|log| log.head);
                return Ok(Keys {
                    history: identity.history,
                    host: Some(identity.host.to_string()),
                    head,
                    log: identity.log.map(|log| log.bytes),
                    document: identity.document,
                });
            }
            Err(error) => error,
        };
        for path in &finds.logs {
            let bytes = fs::read(path).map_err(Error::data(path))?;
            let Ok(entries) = plc::parse_log(&bytes) else { continue };
            let audit = plc::audit(Some(did), &entries);
            if let (true, Some(history)) = (audit.is_valid(), audit.key_history()) {
                let host = audit.current().and_then(|state| state.pds());
                let head = audit.head().map(|operation| operation.cid);
                return Ok(Keys {
                    history,
                    host,
                    head,
                    log: Some(bytes),
                    document: None,
                });
            }
        }
        Err(error)
    }

    async fn keep_import(
        &self,
        did: &Did,
        keys: &Keys,
        finds: &Finds,
        file: &Path,
        repo: Arc<VerifiedRepo>,
        reporter: &Reporter,
    ) -> Result<ImportedSnapshot, Error> {
        if let Some(known) = self.imported_before(did, finds, file, &repo).await? {
            return Ok(known);
        }
        // A writer of its own, so that our own chain of captures goes on undisturbed.
        let key = WriterKey::generate().map_err(Error::Staging)?;
        let reach = self.inner.reach().await;
        let mut writer = Writer::begin_within(&reach, did, &key).await.map_err(Error::Staging)?;
        reporter.phase(Phase::Keeping, None, None);
        let source = File::open(file).map_err(Error::data(file))?;
        writer
            .put_base(&repo, &keys.history, vec![source])
            .await
            .map_err(Error::Staging)?;
        if let Some(log) = &keys.log {
            writer
                .put_identity(IdentityKind::AuditLog, log.clone())
                .await
                .map_err(Error::Staging)?;
        }
        if let Some(document) = &keys.document {
            writer
                .put_identity(IdentityKind::DidDocument, document.clone())
                .await
                .map_err(Error::Staging)?;
        }
        reporter.phase(Phase::Media, Some(repo.blobs().len() as u64), None);
        let (mut media, mut missing) = (0, Vec::new());
        for blob in writer.lacks(repo.blobs()) {
            if reporter.cancel().is_cancelled() {
                return Err(Error::Stopped);
            }
            let found = match finds.blobs.get(&blob.cid) {
                Some(path) => {
                    let path = path.clone();
                    blocking(move || open_blob(blob.cid, &path)).await?
                }
                None => None,
            };
            match found {
                Some((verified, file)) => {
                    writer.put_blob(&blob, &verified, file).await.map_err(Error::Staging)?;
                    media += 1;
                }
                None if writer.adopt_blob(&blob).await.map_err(Error::Staging)? => media += 1,
                None => missing.push(MissingBlob::new(&blob, "not_in_import")),
            }
            reporter.add(1, 0);
        }
        let snapshot = writer
            .commit(Facts {
                captured: dated(&repo),
                server_time: None,
                handle: None,
                host: keys.host.clone().unwrap_or_default(),
                host_did: None,
                server_rev: None,
                audit_head: keys.head,
                origin: Origin::Imported,
                missing: missing.clone(),
                pending: 0,
            })
            .await
            .map_err(Error::Staging)?;
        Ok(ImportedSnapshot::of(&snapshot, file, &repo, media, &missing))
    }

    /// What an earlier import made of the same repository, when the files have no blob that it lacks: nothing is
    /// written then.
    async fn imported_before(
        &self,
        did: &Did,
        finds: &Finds,
        file: &Path,
        repo: &VerifiedRepo,
    ) -> Result<Option<ImportedSnapshot>, Error> {
        let staging = &self.inner.staging;
        let account = AccountFolder::of(did).map_err(Error::Staging)?;
        for snapshot in staging.snapshots(&account).await.map_err(Error::Staging)?.sound {
            let body = &snapshot.manifest.body;
            if body.origin != Origin::Imported || body.commit.cid != repo.commit().cid {
                continue;
            }
            let contents = staging.contents(&snapshot).await.map_err(Error::Staging)?;
            if contents
                .missing
                .iter()
                .all(|missing| !finds.blobs.contains_key(&missing.cid))
            {
                let media = body.media.kept;
                return Ok(Some(ImportedSnapshot::of(
                    &snapshot,
                    file,
                    repo,
                    media,
                    &contents.missing,
                )));
            }
        }
        Ok(None)
    }
}

impl ImportedSnapshot {
    fn of(snapshot: &Snapshot, file: &Path, repo: &VerifiedRepo, media: u64, missing: &[MissingBlob]) -> Self {
        Self {
            id: snapshot.name.to_string(),
            file: file.to_owned(),
            rev: repo.commit().rev.map(|rev| rev.to_string()).unwrap_or_default(),
            signature: match repo.proof().signed_by() {
                SignedBy::Current => SignatureVerdict::Current,
                SignedBy::Earlier { .. } => SignatureVerdict::Earlier,
                SignedBy::Unknown | SignedBy::Unchecked => SignatureVerdict::Unknown,
            },
            records: repo.record_count(),
            media,
            missing: missing.iter().map(|missing| missing.cid.to_string()).collect(),
        }
    }
}

/// What an import is judged by.
struct Keys {
    history: KeyHistory,
    host: Option<String>,
    head: Option<Cid>,
    log: Option<Vec<u8>>,
    document: Option<Vec<u8>>,
}

impl Person {
    /// Somebody of whom only the DID is known, because the host was not asked.
    fn unseen(did: &Did, host: Option<&str>) -> Self {
        let host = host.and_then(|host| url::Url::parse(host).ok());
        Self {
            did: did.to_string(),
            handle: None,
            display_name: None,
            avatar: None,
            host: host
                .and_then(|url| url.host_str().map(str::to_owned))
                .unwrap_or_default(),
            status: crate::api::HostingStatus::Unknown,
            known: false,
        }
    }
}

/// When a repository says that it was written: its rev, and never later than now.
fn dated(repo: &VerifiedRepo) -> Timestamp {
    let micros = repo
        .commit()
        .rev
        .map_or(0, |rev| i64::try_from(rev.micros()).unwrap_or(0));
    Timestamp::from_microsecond(micros)
        .unwrap_or_default()
        .min(Timestamp::now())
}

/// The account's repositories among the files, oldest first. Other accounts' are passed over when there is one of this.
async fn prove_all(
    did: &Did,
    history: &KeyHistory,
    cars: &[PathBuf],
    reporter: &Reporter,
) -> Result<Vec<(PathBuf, Arc<VerifiedRepo>)>, Error> {
    let (mut repos, mut other) = (Vec::new(), None);
    for car in cars {
        reporter.phase(Phase::Verifying, None, None);
        match prove(did, history, car).await {
            Ok(repo) => repos.push((car.clone(), repo)),
            Err(error) if is_other(&error, did) => other = Some(error),
            Err(error) => return Err(error),
        }
    }
    repos.sort_by_key(|(_, repo)| repo.commit().rev);
    match other {
        Some(error) if repos.is_empty() => Err(error),
        _ => Ok(repos),
    }
}

/// Whether a repository was refused because it is another account's.
fn is_other(error: &Error, did: &Did) -> bool {
    matches!(error, Error::ImportUnproved { says: Some(says), .. } if says != did)
}

async fn prove(did: &Did, history: &KeyHistory, car: &Path) -> Result<Arc<VerifiedRepo>, Error> {
    let (history, path) = (history.clone(), car.to_owned());
    let checked = blocking(move || {
        let file = File::open(&path).map_err(Error::data(&path))?;
        Ok(RepoCheck::of(&history).run(&mut [file])?)
    })
    .await?;
    let unproved = || Error::ImportUnproved {
        path: car.to_owned(),
        did: did.clone(),
        says: checked.report.did.clone(),
        whole: checked.report.complete && checked.report.sound,
        findings: checked.report.findings.clone(),
    };
    checked.repo.map(Arc::new).ok_or_else(unproved)
}

/// Opens a blob's file again and proves it; `None` when it has changed since it was hashed.
fn open_blob(cid: Cid, path: &Path) -> Result<Option<(VerifiedBlob, File)>, Error> {
    let file = File::open(path).map_err(Error::data(path))?;
    match VerifiedBlob::copy(cid, &file, io::sink(), MAX_BLOB) {
        Ok(verified) => Ok(Some((verified, File::open(path).map_err(Error::data(path))?))),
        Err(skykeep_atproto::Error::HashMismatch { .. } | skykeep_atproto::Error::TooLarge { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Looks through files and folders. Links are not followed.
fn search(paths: &[PathBuf]) -> Result<Finds, Error> {
    let mut finds = Finds::default();
    let mut queue: VecDeque<PathBuf> = paths.iter().cloned().collect();
    let mut seen = 0;
    while let Some(path) = queue.pop_front() {
        seen += 1;
        if seen > MAX_FILES {
            return Err(Error::Import {
                path,
                reason: ImportFault::TooManyFiles,
            });
        }
        let kind = fs::symlink_metadata(&path).map_err(Error::data(&path))?;
        if kind.is_dir() {
            let mut inside = Vec::new();
            for entry in fs::read_dir(&path).map_err(Error::data(&path))? {
                inside.push(entry.map_err(Error::data(&path))?.path());
            }
            inside.sort();
            queue.extend(inside);
        } else if kind.is_file() {
            sort_file(&mut finds, path, kind.len())?;
        }
    }
    Ok(finds)
}

/// Tells a CAR, an audit log and a blob apart by what is in them. A log may be a blob as well.
fn sort_file(finds: &mut Finds, path: PathBuf, len: u64) -> Result<(), Error> {
    let mut head = Vec::new();
    let mut file = File::open(&path).map_err(Error::data(&path))?;
    file.by_ref()
        .take(64)
        .read_to_end(&mut head)
        .map_err(Error::data(&path))?;
    if is_car(&head) {
        finds.cars.push(path);
        return Ok(());
    }
    let json = path.extension().is_some_and(|ending| ending == "json");
    if json && len <= MAX_LOG && head.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[') {
        finds.logs.push(path.clone());
    }
    if len <= MAX_BLOB {
        let mut hash = sha2::Sha256::default();
        let whole = io::Cursor::new(head).chain(file);
        io::copy(
            &mut io::BufReader::with_capacity(64 << 10, whole),
            &mut HashSink(&mut hash),
        )
        .map_err(Error::data(&path))?;
        let digest = sha2::Digest::finalize(hash).into();
        finds.blobs.insert(Cid::from_digest(Codec::Raw, digest), path);
    }
    Ok(())
}

struct HashSink<'a>(&'a mut sha2::Sha256);

impl io::Write for HashSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sha2::Digest::update(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether bytes begin like a CAR v1: a short length, then a map whose first key is `roots`.
pub(crate) fn is_car(head: &[u8]) -> bool {
    matches!(head, [0x0f..=0x7f, 0xa2, 0x65, b'r', b'o', b'o', b't', b's', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_what_is_in_them() {
        let dir = tempfile::tempdir().unwrap();
        let root = Cid::of(Codec::DagCbor, b"root");
        fs::create_dir(dir.path().join("blobs")).unwrap();
        fs::write(dir.path().join("backup"), skykeep_atproto::car::header(root)).unwrap();
        fs::write(dir.path().join("blobs/whatever.bin"), b"picture").unwrap();
        fs::write(dir.path().join("plc-log.json"), b" [{}]").unwrap();
        fs::write(dir.path().join("empty"), b"").unwrap();
        let finds = search(&[dir.path().to_owned()]).unwrap();
        assert_eq!(finds.cars, [dir.path().join("backup")]);
        assert_eq!(finds.logs, [dir.path().join("plc-log.json")]);
        assert_eq!(
            finds.blobs[&Cid::of(Codec::Raw, b"picture")],
            dir.path().join("blobs/whatever.bin")
        );
        assert!(search(&[dir.path().join("nothing")]).is_err());
    }
}
