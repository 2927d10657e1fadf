//! What is read again without anybody asking: rounds through a place, what an unclean stop may have touched, and samples.

#[cfg(target_os = "linux")]
mod killed;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use skykeep_atproto::Did;
use skykeep_engine::Engine;
use skykeep_engine::api::{CheckHow, DamagedWhat, Place, RunEnd, Whose};
use skykeep_tests::keep::{Keep, files_below};
use skykeep_tests::network::{Network, SeedOptions, Server};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// An account that was backed up to the one place.
async fn kept(network: &Network) -> (Keep, Did) {
    let account = network
        .seed(network.a(), SeedOptions::new("alice.test", 80))
        .await
        .unwrap();
    let did: Did = account.did.parse().unwrap();
    let keep = Keep::with_place(network).await;
    let person = keep.engine.look_up("alice.test").await.unwrap();
    keep.engine.add_account(&person, Whose::Mine).await.unwrap();
    completes(&keep.engine, &did).await;
    (keep, did)
}

async fn completes(engine: &Engine, did: &Did) {
    assert!(matches!(engine.back_up(did).await.unwrap(), RunEnd::Completed { .. }));
}

async fn place(engine: &Engine) -> Place {
    engine.places().await.unwrap().remove(0)
}

async fn codes(engine: &Engine, did: &Did) -> Vec<String> {
    let account = engine.account(did).await.unwrap();
    account.problems.into_iter().map(|problem| problem.code).collect()
}

/// The largest file of a kind in a vault.
fn largest(vault: &Path, kind: &str) -> (String, PathBuf) {
    let size = |name: &String| fs::metadata(vault.join(name)).unwrap().len();
    let names = files_below(vault).into_iter().filter(|name| name.contains(kind));
    let name = names.max_by_key(size).unwrap();
    (name.clone(), vault.join(name))
}

/// Turns one bit of a file over, as a drive does: behind everybody's back.
fn flip(path: &Path) -> Vec<u8> {
    let good = fs::read(path).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 0x10;
    let mut permissions = fs::metadata(path).unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false)]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).unwrap();
    fs::write(path, bad).unwrap();
    good
}

#[tokio::test(flavor = "multi_thread")]
async fn in_31_days_everything_is_read_and_one_flipped_bit_found_and_healed_unasked() {
    let network = Network::start().await.unwrap();
    let (keep, did) = kept(&network).await;
    let engine = &keep.engine;
    let second = keep.spare("second");
    engine.add_folder(&second, None).await.unwrap();
    completes(engine, &did).await;
    let start = Timestamp::now();
    assert!(
        engine.read_on(start).await.unwrap().is_empty(),
        "nothing is due on the first day"
    );
    assert_eq!(
        (place(engine).await.read_whole, place(engine).await.last_checked),
        (None, None)
    );

    let (picture, path) = largest(&keep.place(), "/blobs/");
    let mut good = None;
    let mut mended = Vec::new();
    for day in 1..=31 {
        if day == 12 {
            good = Some(flip(&path));
        }
        for check in engine.read_on(start + DAY * day).await.unwrap() {
            assert_eq!(
                (&check.damaged, &check.touched_snapshots),
                (&vec![], &vec![]),
                "day {day}"
            );
            mended.extend(check.mended);
        }
        // What nothing is due of is not read.
        assert!(engine.read_on(start + DAY * day).await.unwrap().is_empty());
    }
    assert_eq!(mended, [picture]);
    assert_eq!(fs::read(&path).unwrap(), good.unwrap());
    assert_eq!(codes(engine, &did).await, ["mended"]);
    let whole = place(engine).await.read_whole.unwrap();
    assert!(whole.from >= (start + DAY).as_millisecond() && whole.to <= (start + DAY * 31).as_millisecond());
    assert_eq!(
        place(engine).await.last_checked,
        Some(whole.from),
        "the older of the two dates"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_mended_is_named_with_the_post_and_mended_when_a_copy_is_back() {
    let network = Network::start().await.unwrap();
    let (keep, did) = kept(&network).await;
    let engine = &keep.engine;
    let start = Timestamp::now();
    // What is read today has no other copy: the host is gone and nothing is staged.
    network.kill(Server::A).await.unwrap();
    let (picture, path) = largest(&keep.place(), "/blobs/");
    let good = flip(&path);
    let check = engine.read_on(start + DAY).await.unwrap().remove(0);
    assert!(check.mended.is_empty());
    let damage = &check.damaged[0];
    assert_eq!(
        (damage.name.as_str(), damage.what),
        (picture.as_str(), DamagedWhat::Media)
    );
    assert!(damage.record.as_ref().unwrap().starts_with("app.bsky."), "{damage:?}");
    assert!(!damage.snapshots.is_empty());
    let shown = place(engine).await.damaged;
    assert_eq!(shown.iter().map(|damage| &damage.name).collect::<Vec<_>>(), [&picture]);
    assert!(codes(engine, &did).await.contains(&"damage_found".to_owned()));

    // It stands, whatever else is found sound; a look at names says it again, and changes nothing.
    let names = engine.check_as(None, CheckHow::Names).await.unwrap().remove(0);
    assert_eq!(
        (names.damaged.len(), names.mended.len(), names.how),
        (1, 0, CheckHow::Names)
    );
    assert_eq!(names.files, files_below(&keep.place()).len() as u64);
    assert!(codes(engine, &did).await.contains(&"damage_found".to_owned()));

    // The host is back: the next portion mends it, without anybody asking.
    network.start_again(Server::A).await.unwrap();
    let check = engine.read_on(start + DAY * 2).await.unwrap().remove(0);
    assert_eq!((check.mended, check.damaged), (vec![picture], vec![]));
    assert_eq!(fs::read(&path).unwrap(), good);
    assert!(place(engine).await.damaged.is_empty());
    assert!(!codes(engine, &did).await.contains(&"damage_found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_found_by_names_and_healed_when_that_is_asked() {
    let network = Network::start().await.unwrap();
    let (keep, did) = kept(&network).await;
    let engine = &keep.engine;
    let (name, path) = largest(&keep.place(), "/repo/");
    let good = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let names = engine.check_as(None, CheckHow::Names).await.unwrap().remove(0);
    let found: Vec<_> = names
        .damaged
        .iter()
        .map(|damage| (damage.state.as_str(), damage.what))
        .collect();
    assert_eq!(found, [("missing", DamagedWhat::Posts)]);
    assert!(!path.exists(), "a look changes nothing");
    let healed = engine.check_as(None, CheckHow::Heal).await.unwrap().remove(0);
    assert_eq!((healed.mended, healed.damaged), (vec![name], vec![]));
    assert_eq!(fs::read(&path).unwrap(), good);
    assert_eq!(codes(engine, &did).await, ["mended"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_of_what_was_there_before_gives_nothing_to_read() {
    let network = Network::start().await.unwrap();
    let (keep, did) = kept(&network).await;
    let vault = place(&keep.engine).await.id;
    let notes = keep.data().join("delivering");
    assert_eq!(
        files_below(&notes),
        Vec::<String>::new(),
        "a delivery that ended leaves no note"
    );
    // Where the newest snapshot had been there already, nothing could have been touched.
    let held = keep.engine.snapshots(&did).await.unwrap().remove(0).id;
    let note = serde_json::json!({ "did": did.as_str(), "place": vault, "held": held });
    fs::create_dir_all(&notes).unwrap();
    fs::write(notes.join("a.now"), note.to_string()).unwrap();
    let keep = keep.reopen().await;
    let check = keep.engine.read_on(Timestamp::now()).await.unwrap().remove(0);
    assert_eq!((check.sound, check.bytes), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_every_tenth_run_a_copy_is_read_back_from_one_place_after_the_other() {
    let network = Network::start().await.unwrap();
    let (keep, did) = kept(&network).await;
    let engine = &keep.engine;
    engine.add_folder(&keep.spare("second"), None).await.unwrap();
    let mut now = Timestamp::now();
    let mut seen = Vec::new();
    let mut runs = 1;
    for sample in 1..=3 {
        while runs < sample * 10 {
            assert!(engine.take_samples(now).await.unwrap().is_empty(), "after {runs} runs");
            completes(engine, &did).await;
            runs += 1;
        }
        if sample == 3 {
            // A copy in which the repository is damaged does not read back, and that is said.
            flip(&largest(&keep.place(), "/repo/").1);
        }
        now += SignedDuration::from_hours(1);
        let taken = engine.take_samples(now).await.unwrap();
        assert_eq!((taken.len(), taken[0].1.whole, taken[0].1.at), (1, sample != 3, now));
        seen.push(taken[0].1.place.clone());
        let said = engine.account(&did).await.unwrap().readiness.read_back;
        assert_eq!(said, (sample != 3).then(|| now.as_millisecond()));
    }
    let places: Vec<String> = engine
        .places()
        .await
        .unwrap()
        .into_iter()
        .map(|place| place.id)
        .collect();
    assert_eq!(seen, [&*places[0], &*places[1], &*places[0]]);
    assert_eq!(codes(engine, &did).await, ["sample_failed"]);
    let incoming = files_below(&keep.data().join("incoming"));
    assert_eq!(incoming, Vec::<String>::new(), "nothing of a sample stays");
}
