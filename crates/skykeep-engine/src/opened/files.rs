//! Where no vault is: what another tool may have saved, found by what files begin with.
//!
//! CARs are hashed and walked, but not held against the account's keys: only the import does that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use skykeep_atproto::verify::{RepoCheck, Report};
use skykeep_atproto::{Cid, Did, plc};
use skykeep_net::CancellationToken;
use tracing::debug;

use super::host_of;
use crate::api::{Opened, OpenedAccount, OpenedKind, Problem};
use crate::import::{MAX_LOG, is_car};
use crate::settings::Settings;
use crate::{Error, problem};

/// Files and folders that are looked at where no vault is.
const MAX_SEEN: usize = 20_000;

/// How deep: tools put blobs two folders below the CAR.
const MAX_DEPTH: usize = 6;

/// CARs that are read, at most, and bytes of all of them.
const MAX_CARS: usize = 24;
const MAX_CAR_BYTES: u64 = 4 << 30;

/// Bytes of files whose names do not say what they are, hashed to see whether they are media.
const MAX_HASHED: u64 = 512 << 20;

/// After so long no further file is begun.
const PATIENCE: Duration = Duration::from_secs(10);

/// What lies in a folder that is no vault.
#[derive(Default)]
struct Files {
    cars: Vec<(PathBuf, u64)>,
    logs: Vec<PathBuf>,
    others: Vec<(PathBuf, u64)>,
}

/// A limit that all steps of a look share.
struct Limit<'a> {
    began: Instant,
    cancel: &'a CancellationToken,
}

impl Limit<'_> {
    /// Whether time is up. Errors: `Stopped`.
    fn is_up(&self) -> Result<bool, Error> {
        if self.cancel.is_cancelled() {
            return Err(Error::Stopped);
        }
        Ok(self.began.elapsed() > PATIENCE)
    }
}

/// Errors: `NoBackup`; `Stopped`.
pub(super) fn look(path: &Path, settings: &Settings, cancel: &CancellationToken) -> Result<Opened, Error> {
    let limit = Limit {
        began: Instant::now(),
        cancel,
    };
    let files = search(path, &limit)?;
    let mut opened = Opened {
        path: path.display().to_string(),
        as_of: None,
        kind: OpenedKind::Backup,
        known: false,
        accounts: Vec::new(),
        problems: Vec::new(),
    };
    let mut bytes = 0;
    let mut found: BTreeMap<Did, Vec<(Report, Vec<Cid>)>> = BTreeMap::new();
    for (car, len) in files.cars.iter().take(MAX_CARS) {
        bytes += len;
        if bytes > MAX_CAR_BYTES || limit.is_up()? {
            break;
        }
        let checked = File::open(car)
            .map_err(Error::data(car))
            .and_then(|file| Ok(RepoCheck::of_form().run(&mut [file])?));
        let checked = match checked {
            Ok(checked) => checked,
            Err(error) => {
                opened.problems.push(problem::to_problem(&error));
                continue;
            }
        };
        match checked.report.did.clone() {
            Some(did) => {
                if !(checked.report.complete && checked.report.sound) {
                    opened.problems.push(not_whole(car, &did, &checked.report));
                }
                found.entry(did).or_default().push((checked.report, checked.needs));
            }
            None => debug!(?car, "a CAR that holds no repository"),
        }
    }
    if found.is_empty() && opened.problems.is_empty() {
        return Err(Error::NoBackup { path: path.to_owned() });
    }
    let mut media = Media::new(&files.others);
    for (did, mut repos) in found {
        repos.sort_by_key(|(report, _)| report.rev);
        let snapshots = repos.len() as u64;
        let Some((newest, needs)) = repos.pop() else { continue };
        let (handle, host) = from_log(&did, &files.logs);
        opened.accounts.push(OpenedAccount {
            handle,
            host,
            snapshots,
            newest: newest.rev.and_then(|rev| i64::try_from(rev.micros() / 1000).ok()),
            records: newest.records,
            media: media.count(&needs, &limit)?,
            known: settings.account(&did).is_some(),
            did: did.to_string(),
        });
    }
    Ok(opened)
}

/// A repository that is damaged, incomplete or of an old format, in words.
fn not_whole(car: &Path, did: &Did, report: &Report) -> Problem {
    problem::to_problem(&Error::ImportUnproved {
        path: car.to_owned(),
        did: did.clone(),
        says: None,
        whole: false,
        findings: report.findings.clone(),
    })
}

/// Looks through files and folders, the nearest first. Links are not followed, and what is empty is not opened: the
/// kernel's own files say that they are.
fn search(path: &Path, limit: &Limit<'_>) -> Result<Files, Error> {
    let mut files = Files::default();
    let mut queue = VecDeque::from([(path.to_owned(), 0)]);
    let mut seen = 0;
    while let Some((path, depth)) = queue.pop_front() {
        seen += 1;
        if seen > MAX_SEEN || limit.is_up()? {
            break;
        }
        // What cannot be looked at holds nothing for us.
        let Ok(kind) = fs::symlink_metadata(&path) else {
            continue;
        };
        if kind.is_dir() && depth < MAX_DEPTH {
            let Ok(entries) = fs::read_dir(&path) else { continue };
            let mut inside: Vec<PathBuf> = entries.flatten().take(MAX_SEEN).map(|entry| entry.path()).collect();
            inside.sort();
            queue.extend(inside.into_iter().map(|path| (path, depth + 1)));
        } else if kind.is_file() && kind.len() > 0 {
            sort_file(&mut files, path, kind.len());
        }
    }
    Ok(files)
}

fn sort_file(files: &mut Files, path: PathBuf, len: u64) {
    let mut head = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(64).read_to_end(&mut head));
    if read.is_err() {
        return;
    }
    let json = path.extension().is_some_and(|ending| ending == "json");
    if is_car(&head) {
        files.cars.push((path, len));
    } else if json && len <= MAX_LOG && head.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[') {
        files.logs.push(path);
    } else {
        files.others.push((path, len));
    }
}

/// Files that may be media, known by their names or, within a limit, by their hashes.
struct Media<'a> {
    named: BTreeSet<Cid>,
    unnamed: Vec<&'a (PathBuf, u64)>,
    hashed: Option<BTreeSet<Cid>>,
}

impl<'a> Media<'a> {
    fn new(files: &'a [(PathBuf, u64)]) -> Self {
        let (mut named, mut unnamed) = (BTreeSet::new(), Vec::new());
        for file in files {
            match file.0.file_stem().and_then(|stem| stem.to_str()?.parse().ok()) {
                Some(cid) => drop(named.insert(cid)),
                None => unnamed.push(file),
            }
        }
        Self {
            named,
            unnamed,
            hashed: None,
        }
    }

    /// How many of the blobs that a repository needs are among the files. Errors: `Stopped`.
    fn count(&mut self, needs: &[Cid], limit: &Limit<'_>) -> Result<u64, Error> {
        let by_name = needs.iter().filter(|cid| self.named.contains(cid)).count();
        if by_name == needs.len() {
            return Ok(by_name as u64);
        }
        if self.hashed.is_none() {
            let (mut hashed, mut bytes) = (BTreeSet::new(), 0);
            for (path, len) in &self.unnamed {
                bytes += len;
                if bytes > MAX_HASHED || limit.is_up()? {
                    break;
                }
                hashed.extend(hash(path));
            }
            self.hashed = Some(hashed);
        }
        let hashed = self
            .hashed
            .iter()
            .flatten()
            .filter(|cid| needs.binary_search(cid).is_ok());
        Ok(by_name as u64 + hashed.filter(|cid| !self.named.contains(cid)).count() as u64)
    }
}

/// The CID that a file would have as a blob.
fn hash(path: &Path) -> Option<Cid> {
    let mut file = File::open(path).ok()?;
    let mut hash = <sha2::Sha256 as sha2::Digest>::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => sha2::Digest::update(&mut hash, &buffer[..read]),
            Err(_) => return None,
        }
    }
    let digest = sha2::Digest::finalize(hash).into();
    Some(Cid::from_digest(skykeep_atproto::Codec::Raw, digest))
}

/// Handle and host that a log among the files gives, when it is the account's own and holds.
fn from_log(did: &Did, logs: &[PathBuf]) -> (Option<String>, Option<String>) {
    for path in logs {
        let Ok(bytes) = fs::read(path) else { continue };
        let Ok(entries) = plc::parse_log(&bytes) else { continue };
        let audit = plc::audit(Some(did), &entries);
        if let (true, Some(state)) = (audit.is_valid(), audit.current()) {
            let handle = state.handle().map(|handle| handle.to_string());
            return (handle, state.pds().and_then(|pds| host_of(&pds)));
        }
    }
    (None, None)
}

#[cfg(test)]
mod tests {
    use skykeep_atproto::{Codec, Curve, SigningKey};
    use skykeep_tests::repo_maker::{Order, Repo};
    use tempfile::TempDir;

    use super::*;

    fn did(letter: char) -> Did {
        format!("did:plc:{}", letter.to_string().repeat(24)).parse().unwrap()
    }

    fn repo(letter: char, records: usize) -> Repo {
        let key = SigningKey::from_bytes(Curve::K256, &[7; 32]).unwrap();
        Repo::new(&did(letter), &key, 42, records)
    }

    fn car(repo: &Repo) -> Vec<u8> {
        let mut bytes = Vec::new();
        repo.write_car(Order::Pds, None, &mut bytes).unwrap();
        bytes
    }

    /// A folder of these files, by their paths in it.
    fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }

    fn at(path: &Path) -> Result<Opened, Error> {
        look(path, &Settings::default(), &CancellationToken::new())
    }

    #[test]
    fn another_tools_backup_is_told_with_the_media_that_are_there() {
        let (alice, mut bob) = (repo('a', 300), repo('b', 40));
        let (named, unnamed) = (&alice.blobs()[0], &alice.blobs()[1]);
        let by_cid = format!("alice/blobs/aa/{}.jpg", named.cid);
        let earlier = car(&bob);
        bob.apply(&bob.writes(1, 30));
        let dir = folder(&[
            ("alice/repo.car", car(&alice)),
            (&by_cid, named.bytes()),
            ("alice/blobs/picture", unnamed.bytes()),
            ("alice/blobs/stranger", b"no blob of hers".to_vec()),
            ("bob-1", earlier),
            ("bob-2", car(&bob)),
            ("plc-log.json", b"[]".to_vec()),
        ]);
        let opened = at(dir.path()).unwrap();
        assert_eq!(
            (opened.kind, opened.known, opened.problems),
            (OpenedKind::Backup, false, Vec::new())
        );
        let millis = |repo: &Repo| i64::try_from(repo.rev().micros() / 1000).ok();
        let expected = |repo: &Repo, snapshots, media| OpenedAccount {
            did: repo.did().to_string(),
            handle: None,
            host: None,
            snapshots,
            newest: millis(repo),
            records: repo.records().len() as u64,
            media,
            known: false,
        };
        assert_eq!(opened.accounts, [expected(&alice, 1, 2), expected(&bob, 2, 0)]);
        // A single file is enough.
        let opened = at(&dir.path().join("bob-1")).unwrap();
        assert_eq!((opened.accounts.len(), opened.accounts[0].records), (1, 40));
    }

    #[test]
    fn what_is_damaged_is_listed_as_far_as_it_goes_and_said_to_be_so() {
        let whole = car(&repo('a', 300));
        let dir = folder(&[("repo.car", whole[..whole.len() * 3 / 4].to_vec())]);
        let opened = at(dir.path()).unwrap();
        let codes: Vec<&str> = opened.problems.iter().map(|problem| problem.code.as_str()).collect();
        assert_eq!(codes, ["import_damaged"]);
        assert_eq!(opened.accounts[0].did, did('a').as_str());
        assert!(opened.accounts[0].records < 300);
    }

    #[test]
    fn where_there_is_no_backup_it_is_said_so() {
        let check = |dir: &TempDir| match at(dir.path()) {
            Err(Error::NoBackup { path }) => assert_eq!(path, dir.path()),
            other => panic!("{other:?}"),
        };
        check(&folder(&[]));
        check(&folder(&[
            ("holiday.jpg", b"picture".to_vec()),
            ("empty.car", Vec::new()),
        ]));
        // A CAR of something else than a repository.
        let root = Cid::of(Codec::DagCbor, b"root");
        check(&folder(&[("other.car", skykeep_atproto::car::header(root))]));
        // Too deep, and behind a link.
        let dir = folder(&[("1/2/3/4/5/6/7/repo.car", car(&repo('a', 3)))]);
        check(&dir);
        #[cfg(unix)]
        {
            let linked = folder(&[]);
            std::os::unix::fs::symlink(dir.path().join("1/2/3/4/5/6/7"), linked.path().join("link")).unwrap();
            check(&linked);
        }
    }

    #[test]
    fn a_huge_folder_ends_the_look_and_what_is_near_is_found_first() {
        let many: Vec<(String, Vec<u8>)> = (0..MAX_SEEN + 5).map(|n| (format!("far/{n:06}"), vec![1])).collect();
        let files: Vec<(&str, Vec<u8>)> = many
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.clone()))
            .collect();
        let dir = folder(&files);
        fs::write(dir.path().join("far/zz.car"), car(&repo('a', 3))).unwrap();
        assert!(matches!(at(dir.path()), Err(Error::NoBackup { .. })));
        fs::write(dir.path().join("near.car"), car(&repo('b', 3))).unwrap();
        let opened = at(dir.path()).unwrap();
        assert_eq!(opened.accounts[0].did, did('b').as_str());
        // Whoever quits does not wait for it.
        let cancel = CancellationToken::new();
        cancel.cancel();
        assert!(matches!(
            look(dir.path(), &Settings::default(), &cancel),
            Err(Error::Stopped)
        ));
    }
}
