//! What staging lets go of, and what it does not: stopped anywhere, nothing is lost.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::Path;

use jiff::SignedDuration;
use serde_json::json;
use skykeep_vault::layout::SnapshotName;
use skykeep_vault::{Error, Progress, Reach, Released, Snapshot, Staging, Vault, Writer, check, deliver};

use crate::account::{Account, files, folder_vault, now, on, read_back, scratch, writer_key};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A staging vault, two places, and an account that was captured once.
struct Case {
    roots: Vec<tempfile::TempDir>,
    staging: Staging,
    places: Vec<Vault>,
    account: Account,
    first: Snapshot,
}

impl Case {
    async fn new(seed: u64, records: usize) -> Self {
        Self::of(Account::new("alice", seed, records)).await
    }

    async fn of(account: Account) -> Self {
        let roots: Vec<_> = (0..3).map(|_| scratch()).collect();
        let key = writer_key(1);
        let staging = Staging::create(roots[0].path(), &key, now()).await.unwrap();
        let places = vec![
            folder_vault(roots[1].path(), &key).await,
            folder_vault(roots[2].path(), &key).await,
        ];
        let first = account.run(&staging, &key, now()).await.unwrap().pop().unwrap();
        Self {
            roots,
            staging,
            places,
            account,
            first,
        }
    }

    async fn deliver(&self, place: usize) {
        let delivered = deliver(&[&self.staging], &self.places[place], &self.account.folder(), &mut on).await;
        assert!(delivered.unwrap().undelivered.is_empty());
    }

    async fn release(&self, places: &[Vault]) -> Released {
        let (folder, key) = (self.account.folder(), writer_key(1));
        let released = self.staging.release(&folder, &key.id(), places, &[], &mut on).await;
        released.unwrap()
    }

    /// As [`Case::release`], while of a place that is away this was read.
    async fn release_without(&self, away: &BTreeSet<SnapshotName>, places: &[Vault]) -> u64 {
        let (folder, key, away) = (self.account.folder(), writer_key(1), [away.clone()]);
        let released = self.staging.release(&folder, &key.id(), places, &away, &mut on).await;
        released.unwrap().files
    }

    async fn read_there(&self, place: usize, before: &BTreeSet<SnapshotName>) -> BTreeSet<SnapshotName> {
        let (folder, place) = (self.account.folder(), &self.places[place]);
        let read = self.staging.read_there(&folder, place, before, &mut on).await;
        read.unwrap()
    }

    fn staged(&self, kind: &str) -> usize {
        self.files(0, kind).len()
    }

    /// Names of the account's files of a kind, in staging (0) or a place.
    fn files(&self, root: usize, kind: &str) -> Vec<String> {
        let folder = self.roots[root].path().join(self.account.folder().path().as_str());
        let all = files(&folder.join(kind));
        all.iter().map(|path| path.display().to_string()).collect()
    }

    /// Staging first, then the places.
    fn reach(&self) -> Reach {
        Reach::new(&self.staging, self.places.clone())
    }
}

#[tokio::test]
async fn a_file_leaves_when_every_place_has_it() {
    let case = Case::new(61, 150).await;
    let media = case.staged("blobs");
    assert!(media > 5);
    let none = Released::default();
    assert_eq!(case.release(&[]).await, none, "without a place there is one copy only");
    assert_eq!(case.release(&[(*case.staging).clone()]).await, none);
    case.deliver(0).await;
    assert_eq!(
        case.release(&case.places).await,
        none,
        "the second place has nothing yet"
    );
    case.deliver(1).await;
    let released = case.release(&case.places).await;
    assert_eq!((released.files, case.staged("blobs")), (media as u64, 0));
    assert!(released.bytes > 0);
    // What the next run needs stays.
    assert_eq!(case.staged("repo"), 1);
    assert_eq!(case.staged("snapshots"), case.files(1, "snapshots").len());
    assert_eq!(case.release(&case.places).await, none);
    // All of it is still in reach, and in each place whole.
    let contents = case.staging.contents(&case.first).await.unwrap();
    assert_eq!(
        case.reach().lacks(&case.account.folder(), &contents).await.unwrap(),
        BTreeSet::new()
    );
    let alone = Reach::from(&*case.staging);
    assert_eq!(
        alone.lacks(&case.account.folder(), &contents).await.unwrap().len(),
        media
    );
    for place in &case.places {
        assert!(read_back(place, &case.first).await.unwrap() == case.account.car());
        assert!(check(place, &mut on).await.unwrap().is_sound());
    }
    // A place that comes later gets it from those that have it.
    let root = scratch();
    let late = folder_vault(root.path(), &writer_key(1)).await;
    let sources: [&Vault; 2] = [&case.staging, &case.places[1]];
    let delivered = deliver(&sources, &late, &case.account.folder(), &mut on).await;
    assert!(delivered.unwrap().undelivered.is_empty());
    assert!(read_back(&late, &case.first).await.unwrap() == case.account.car());
}

#[tokio::test]
async fn what_a_place_had_when_it_was_last_there_need_not_wait_for_it() {
    let mut account = Account::new("alice", 67, 150);
    let later = account.withhold(5);
    let mut case = Case::of(account).await;
    let (none, media) = (BTreeSet::new(), case.staged("blobs") as u64);
    // Nothing was delivered: nothing was read.
    assert_eq!(case.read_there(0, &none).await, none);
    case.deliver(0).await;
    let first = case.read_there(0, &none).await;
    assert!(first.contains(&case.first.name), "{first:?}");
    assert_eq!(case.read_there(0, &first).await, none, "once is enough");
    let (one, two) = (case.places[..1].to_vec(), case.places[1..].to_vec());
    assert_eq!(
        case.release_without(&first, &two).await,
        0,
        "the second has nothing yet"
    );
    case.deliver(1).await;
    assert_eq!(
        case.release_without(&none, &two).await,
        0,
        "of the first nothing is known"
    );
    assert_eq!(
        case.release_without(&first, &[]).await,
        0,
        "what is remembered is no place"
    );
    assert_eq!(case.release_without(&first, &two).await, media);

    // The next hour is not what was read an hour ago.
    let had = case.files(1, "blobs");
    case.account.post(3, 40);
    case.account.give_back(later);
    case.account
        .run(&case.staging, &writer_key(1), now() + HOUR)
        .await
        .unwrap();
    let new = case.staged("blobs") as u64;
    assert!(new > 0, "there are new pictures");
    case.deliver(1).await;
    assert_eq!(case.release_without(&first, &two).await, 0);
    let second = case.read_there(1, &none).await;
    case.deliver(0).await;
    // A byte of it is not what it was: nothing of the hour counts as read.
    let new_there = case.files(1, "blobs").into_iter().find(|file| !had.contains(file));
    let folder = case.roots[1].path().join(case.account.folder().path().as_str());
    let spoilt = folder.join("blobs").join(new_there.unwrap());
    let whole = fs::read(&spoilt).unwrap();
    let mut bytes = whole.clone();
    bytes[0] ^= 1;
    fs::write(&spoilt, &bytes).unwrap();
    assert_eq!(case.read_there(0, &first).await, none);
    fs::write(&spoilt, &whole).unwrap();
    assert_eq!(case.read_there(0, &first).await.len(), second.len() - first.len());
    assert!(case.release_without(&second, &one).await >= new);
    assert_eq!(case.staged("blobs"), 0);
}

#[tokio::test]
async fn the_next_run_adds_to_what_only_a_place_has() {
    let mut case = Case::new(62, 120).await;
    case.deliver(0).await;
    case.deliver(1).await;
    case.release(&case.places).await;
    let repo = case.roots[0]
        .path()
        .join(case.account.folder().path().as_str())
        .join("repo");
    // As a repository that is too large to stay.
    fs::remove_dir_all(&repo).unwrap();
    case.account.post(1, 4);
    let key = writer_key(1);
    let next = case
        .account
        .run_within(&case.reach(), &key, now() + HOUR)
        .await
        .unwrap();
    let contents = case.staging.contents(next.last().unwrap()).await.unwrap();
    assert_eq!(contents.increments.len(), 1, "an increment, from what the place has");
    case.deliver(0).await;
    assert!(read_back(&case.places[0], next.last().unwrap()).await.unwrap() == case.account.car());

    // No place in reach: everything is written anew, but no picture is asked for again.
    fs::remove_dir_all(&repo).unwrap();
    case.account.post(2, 4);
    let alone = Reach::from(&*case.staging);
    let writer = Writer::begin_within(&alone, case.account.did(), &key).await.unwrap();
    assert_eq!(writer.head(), None);
    assert!(writer.chain().is_some());
    let before = contents.blobs.len();
    let next = case.account.run_within(&alone, &key, now() + HOUR * 2).await.unwrap();
    let contents = case.staging.contents(next.last().unwrap()).await.unwrap();
    assert!(contents.increments.is_empty());
    assert!(contents.blobs.len() + 5 >= before && case.staged("blobs") < 5);
    case.deliver(0).await;
    assert!(read_back(&case.places[0], next.last().unwrap()).await.unwrap() == case.account.car());
}

#[tokio::test]
async fn stopped_at_every_step_it_loses_nothing() {
    let case = Case::new(63, 60).await;
    case.deliver(0).await;
    case.deliver(1).await;
    let folder = case.account.folder();
    let contents = case.staging.contents(&case.first).await.unwrap();
    let all = case.staged("blobs");
    let mut stops = 0_usize;
    loop {
        // Further each time: what left does not come back.
        let mut steps = 0;
        let mut watch = |_: Progress| {
            steps += 1;
            if steps > stops {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        match case
            .staging
            .release(&folder, &writer_key(1).id(), &case.places, &[], &mut watch)
            .await
        {
            Ok(_) => break,
            Err(Error::Stopped) => stops += 1,
            Err(error) => panic!("{error}"),
        }
        assert_eq!(case.reach().lacks(&folder, &contents).await.unwrap(), BTreeSet::new());
        for place in &case.places {
            assert!(read_back(place, &case.first).await.unwrap() == case.account.car());
        }
        assert!(stops < 1000);
    }
    assert!(stops > all, "{stops} stops for {all} files");
    assert_eq!(case.staged("blobs"), 0);
}

#[tokio::test]
async fn what_a_place_has_damaged_stays_here() {
    let case = Case::new(64, 100).await;
    case.deliver(0).await;
    case.deliver(1).await;
    let folder = case.roots[2].path().join(case.account.folder().path().as_str());
    let spoilt = case.files(2, "blobs");
    let (zeros, gone) = (
        folder.join("blobs").join(&spoilt[0]),
        folder.join("blobs").join(&spoilt[1]),
    );
    let size = fs::metadata(&zeros).unwrap().len();
    overwrite(&zeros, &vec![0; usize::try_from(size).unwrap()]);
    fs::remove_file(&gone).unwrap();
    case.release(&case.places).await;
    let left: BTreeSet<String> = case.files(0, "blobs").into_iter().collect();
    assert_eq!(left, spoilt[..2].iter().cloned().collect());
    // Mended from here, it needs this copy no more.
    let report = check(&case.places[1], &mut on).await.unwrap();
    let healed = skykeep_vault::heal(&case.places[1], &report, &[&case.staging], &mut on).await;
    assert_eq!(healed.unwrap().remaining, []);
    assert_eq!(case.release(&case.places).await.files, 2);
    // A place whose manifests are gone has nothing that counts.
    let case = Case::new(65, 40).await;
    case.deliver(0).await;
    fs::remove_dir_all(
        case.roots[1]
            .path()
            .join(case.account.folder().path().as_str())
            .join("snapshots"),
    )
    .unwrap();
    assert_eq!(case.release(&case.places[..1]).await, Released::default());
}

#[tokio::test]
async fn what_a_stopped_run_left_leaves_unless_something_may_name_it() {
    let case = Case::new(66, 40).await;
    case.deliver(0).await;
    let folder = case.roots[0].path().join(case.account.folder().path().as_str());
    let bytes = b"of a run that was cut off";
    let stray = skykeep_atproto::Cid::of(skykeep_atproto::Codec::Raw, bytes).to_string();
    let stray = folder.join("blobs").join(&stray[stray.len() - 2..]).join(&stray);
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::write(&stray, bytes).unwrap();
    let manifests = files(&folder.join("snapshots"));
    let manifest = folder.join("snapshots").join(&manifests[0]);
    let sound = fs::read(&manifest).unwrap();
    overwrite(&manifest, b"{}");
    case.release(&case.places[..1]).await;
    assert!(stray.exists());
    overwrite(&manifest, &sound);
    case.release(&case.places[..1]).await;
    assert!(!stray.exists());
}

#[tokio::test]
async fn another_vault_is_taken_over_without_its_bulk() {
    let case = Case::new(67, 80).await;
    case.deliver(0).await;
    let root = scratch();
    let key = writer_key(2);
    let staging = Staging::create(root.path(), &key, now()).await.unwrap();
    let folder = case.account.folder();
    let adopted = staging.adopt(&case.places[0], &folder, &mut on).await.unwrap();
    assert_eq!(adopted.snapshots.len(), case.files(0, "snapshots").len());
    let kept = files(root.path());
    assert!(!kept.iter().any(|file| {
        let file = file.to_string_lossy();
        file.contains("/blobs/") || file.contains("/repo/")
    }));
    let latest = staging.latest(&folder, None).await.unwrap().unwrap();
    assert_eq!(latest, case.first);
    // It goes on from there as if it had been here all the time.
    let reach = Reach::new(&staging, [case.places[0].clone()]);
    let mut account = case.account;
    account.post(3, 2);
    let next = account.run_within(&reach, &key, now() + HOUR).await.unwrap();
    let contents = staging.contents(next.last().unwrap()).await.unwrap();
    assert_eq!(contents.increments.len(), 1);
}

#[tokio::test]
async fn what_fails_its_proof_each_hour_does_not_fill_the_disk() {
    let case = Case::new(68, 10).await;
    let writer = Writer::begin(&case.staging, case.account.did(), &writer_key(1))
        .await
        .unwrap();
    let folder = case.account.folder();
    let mut dropped = 0;
    for hour in 0..30 {
        let lie = format!("lie number {hour}").into_bytes();
        let captured = now() + HOUR * hour;
        writer
            .put_rejected(Cursor::new(lie), captured, &json!({ "hour": hour }))
            .await
            .unwrap();
        dropped = case.staging.trim_rejected(&folder).await.unwrap();
    }
    let kept = case.files(0, "rejected");
    let of = |ending: &str| kept.iter().filter(|name| name.ends_with(ending)).count();
    assert_eq!((of(".car"), of(".json"), dropped), (20, 20, 10));
    let rejected = case.roots[0].path().join(folder.path().as_str()).join("rejected");
    let mut hours: Vec<u64> = Vec::new();
    for name in kept.iter().filter(|name| name.ends_with(".json")) {
        let why: serde_json::Value = serde_json::from_slice(&fs::read(rejected.join(name)).unwrap()).unwrap();
        let hour = why["reason"]["hour"].as_u64().unwrap();
        assert_eq!(why["number"], hour + 1);
        let car = rejected.parent().unwrap().join(why["file"].as_str().unwrap());
        assert_eq!(fs::read(car).unwrap(), format!("lie number {hour}").into_bytes());
        hours.push(hour);
    }
    hours.sort_unstable();
    assert_eq!(hours[0], 0, "the first stays");
    assert_eq!(hours[1..], (11..30).collect::<Vec<u64>>());
    // The same lie over and over is one file.
    for hour in 30..60 {
        let captured = now() + HOUR * hour;
        let lie = Cursor::new(b"the same lie".to_vec());
        writer.put_rejected(lie, captured, &json!({})).await.unwrap();
        dropped = case.staging.trim_rejected(&folder).await.unwrap();
    }
    assert_eq!((case.files(0, "rejected").len(), dropped), (22, 40));
}

/// Writes over a file, whatever its mode says.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}
