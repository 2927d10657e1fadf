//! A family's week: three accounts, kept on a drive and in a cluster of storage servers at once. In the middle of the first
//! backup the drive is pulled and a node dies; at the end everything is in both, and is read without Skykeep.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use skykeep_atproto::Did;
use skykeep_engine::api::{BucketAddress, RunEnd, Whose};
use skykeep_engine::keys::Secret;
use skykeep_engine::{BucketKeys, Engine};
use skykeep_tests::exfat::Drive;
use skykeep_tests::keep::{Keep, files_below};
use skykeep_tests::network::Network;
use skykeep_tests::repo_maker::seeded::exhaustive;
use skykeep_tests::s3::{BUCKET, Cluster, ClusterKind};
use skykeep_tests::{s3, skipped};
use tokio::task::JoinSet;

/// The folder in the bucket.
const PREFIX: &str = "family";

#[tokio::test(flavor = "multi_thread")]
async fn a_family_is_kept_on_a_drive_and_in_a_cluster_for_a_week() {
    let drive = match Drive::new(256) {
        Ok(drive) => drive,
        Err(reason) => return skipped("a_family_is_kept_on_a_drive_and_in_a_cluster_for_a_week", reason),
    };
    let kind = match ClusterKind::Garage.is_installed() {
        true => ClusterKind::Garage,
        false => ClusterKind::SeaweedFs,
    };
    let mut cluster = Cluster::start(kind).unwrap();
    let network = Network::start().await.unwrap();
    let family = network.seed_family(network.a(), 150).await.unwrap();
    let keep = Keep::empty(&network).await;
    let engine = &keep.engine;
    let on_drive = drive.path().join("Skykeep");
    engine.add_folder(&on_drive, None).await.unwrap();
    let (key, secret) = kind.keys();
    let keys = BucketKeys::new(key, Secret::new(secret.to_owned()));
    engine.add_bucket(&bucket(kind, &cluster), &keys, None).await.unwrap();
    let mut dids: Vec<Did> = Vec::new();
    for account in &family {
        let person = engine.look_up(&account.handle).await.unwrap();
        engine.add_account(&person, Whose::Theirs).await.unwrap();
        dids.push(account.did.parse().unwrap());
    }

    let mut runs = JoinSet::new();
    for did in dids.clone() {
        let engine = engine.clone();
        runs.spawn(async move { engine.back_up(&did).await.unwrap() });
    }
    until(|| pictures(&on_drive).len() > 5);
    drive.unplug();
    cluster.kill(1).unwrap();
    for end in runs.join_all().await {
        assert!(
            matches!(end, RunEnd::Completed { .. }),
            "the cluster takes it all: {end:?}"
        );
    }
    let behind = engine.places().await.unwrap()[0].behind;
    assert!(behind > 0, "the drive was pulled too late");
    drive.unmount();
    drive.mount().unwrap();
    cluster.start_again(1).unwrap();

    let hours = if exhaustive() { 7 * 24 } else { 24 };
    let begin = Timestamp::now();
    for hour in 1..=hours {
        if hour % 8 == 0 {
            let who = &family[usize::try_from(hour).unwrap() / 8 % family.len()];
            let session = network.a().sign_in(who).await.unwrap();
            session.post(&format!("In the {hour}th hour")).await.unwrap();
        }
        ticks(engine, begin + SignedDuration::from_hours(hour)).await;
    }
    for did in &dids {
        let kept = engine.account(did).await.unwrap().kept;
        assert_eq!(kept.places, 2, "{kept:?}");
        let runs = engine.runs(Some(did), 1000).await.unwrap().len();
        assert!(
            i64::try_from(runs).unwrap() >= hours / 2,
            "{runs} runs in {hours} hours"
        );
    }

    // One bit of one picture turns.
    let spoilt = pictures(&on_drive).remove(3);
    let mut bytes = fs::read(&spoilt).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&spoilt, &bytes).unwrap();
    let mended: Vec<String> = engine.check(None).await.unwrap().into_iter().flat_map(sound).collect();
    assert_eq!(mended.len(), 1, "{mended:?}");
    assert!(spoilt.ends_with(&mended[0]), "{mended:?}");
    for check in engine.check(None).await.unwrap() {
        assert_eq!(sound(check), Vec::<String>::new());
    }

    // What a person without Skykeep gets back from the drive, and from a plain copy of the bucket.
    let copied = keep.spare("copied");
    copy(kind, &cluster, &copied);
    for place in [&on_drive, &copied] {
        let checked = recover(place, &["check"]);
        assert!(checked.status.success(), "{}", said(&checked));
        for did in &dids {
            let to = tempfile::tempdir().unwrap();
            let (saved, exported) = (to.path().join("saved"), to.path().join("exported"));
            let output = recover(place, &["save", did.as_str(), "--to", saved.to_str().unwrap()]);
            assert!(output.status.success(), "{}", said(&output));
            let export = engine.export(did, None, &exported).await.unwrap();
            assert_eq!(export.missing, Vec::<String>::new());
            assert!(fs::read(saved.join("repo.car")).unwrap() == fs::read(exported.join("repo.car")).unwrap());
            assert_eq!(files_below(&saved.join("blobs")), files_below(&exported.join("blobs")));
        }
    }
    println!("{kind:?}, {hours} hours");
}

/// What a check found and wrote anew; nothing else may be wrong.
fn sound(check: skykeep_engine::api::Check) -> Vec<String> {
    assert_eq!(
        (&check.damaged, &check.touched_snapshots),
        (&vec![], &vec![]),
        "{}",
        check.place
    );
    check.mended
}

/// Lets the scheduler do what is due; a machine that seems to have slept first waits a minute.
async fn ticks(engine: &Engine, now: Timestamp) {
    let mut going = JoinSet::new();
    for seconds in [0, 40, 80] {
        engine
            .tick(now + SignedDuration::from_secs(seconds), &mut going)
            .await
            .unwrap();
    }
    for end in going.join_all().await {
        assert!(matches!(end, RunEnd::Completed { .. }), "{now}: {end:?}");
    }
}

fn bucket(kind: ClusterKind, cluster: &Cluster) -> BucketAddress {
    BucketAddress {
        endpoint: cluster.endpoint(),
        bucket: BUCKET.to_owned(),
        region: kind.region().to_owned(),
        prefix: PREFIX.to_owned(),
        in_host: false,
    }
}

/// The media that lie in a place.
fn pictures(place: &Path) -> Vec<PathBuf> {
    let names = files_below(place)
        .into_iter()
        .filter(|name| name.contains("/blobs/") && !name.ends_with(".part"));
    names.map(|name| place.join(name)).collect()
}

fn until(there: impl Fn() -> bool) {
    let began = Instant::now();
    while !there() {
        assert!(began.elapsed() < Duration::from_secs(120), "it does not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Copies all that is in the bucket with another program.
fn copy(kind: ClusterKind, cluster: &Cluster, to: &Path) {
    let (key, secret) = kind.keys();
    let endpoint = cluster.endpoint();
    let mut rclone = Command::new(s3::rclone().unwrap());
    rclone.args([
        "copy",
        &format!("them:{BUCKET}/{PREFIX}"),
        to.to_str().unwrap(),
        "--config",
        "/dev/null",
    ]);
    let settings = [
        ("TYPE", "s3"),
        ("PROVIDER", "Other"),
        ("ACCESS_KEY_ID", key),
        ("SECRET_ACCESS_KEY", secret),
        ("REGION", kind.region()),
        ("ENDPOINT", &endpoint),
    ];
    for (name, value) in settings {
        rclone.env(format!("RCLONE_CONFIG_THEM_{name}"), value);
    }
    let output = rclone.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

fn recover(place: &Path, arguments: &[&str]) -> Output {
    let mut python = Command::new("python3");
    python.arg("-B").arg(place.join("recover.py")).args(arguments);
    python.output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes))
        .concat()
}
