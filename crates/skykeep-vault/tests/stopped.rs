//! The writer is stopped at every write: what was good stays good, and the next run completes.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use jiff::SignedDuration;
use skykeep_tests::frail::{Fate, FrailStore};
use skykeep_tests::repo_maker::seeded::{Seeded, exhaustive};
use skykeep_vault::{Error, FolderStore, Snapshot, Store, Vault, check, deliver, heal};

use crate::account::{Account, files, folder_vault, now, on, read_back, scratch, writer_key};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// How often in a row a writer is stopped at the same point: once, and in the release gate twice as well.
fn in_a_row() -> std::ops::RangeInclusive<u32> {
    1..=if exhaustive() { 2 } else { 1 }
}

/// Each way a write can end, as often in a row as it is to happen.
fn stops() -> impl Iterator<Item = (u32, Fate)> {
    in_a_row().flat_map(|times| Fate::SURVIVABLE.map(|fate| (times, fate)))
}

/// The account of these tests, after so many hours of posting.
fn account(hours: u64) -> Account {
    let mut account = Account::new("alice", 21, 24);
    for hour in 0..hours {
        account.post(hour, 3);
    }
    account
}

async fn folder(root: &Path) -> Arc<dyn Store> {
    Arc::new(FolderStore::open(root, writer_key(1).id()).await.unwrap())
}

/// A vault in `root` after `hours` runs, and what its last snapshot must read back as.
async fn prepared(root: &Path, hours: u64) -> Option<(Snapshot, Vec<u8>)> {
    let mut last = None;
    for hour in 0..hours {
        let vault = folder_vault(root, &writer_key(1)).await;
        let account = account(hour);
        let time = now() + HOUR * i32::try_from(hour).unwrap();
        let snapshot = account.run(&vault, &writer_key(1), time).await.unwrap().pop().unwrap();
        last = Some((snapshot, account.car()));
    }
    last
}

/// One run over `store`, from opening the place to the complete manifest.
async fn run(store: Arc<dyn Store>, hours: u64) -> Result<Snapshot, Error> {
    let key = writer_key(1);
    let vault = Vault::create(store, &key, now()).await?;
    let time = now() + HOUR * i32::try_from(hours).unwrap();
    Ok(account(hours).run(&vault, &key, time).await?.pop().unwrap())
}

/// Whatever happened to `root`: the last good snapshot reads back, the next run completes, and so does what it made.
async fn recovers(root: &Path, good: Option<&(Snapshot, Vec<u8>)>, hours: u64, case: &str) {
    if let Some((snapshot, car)) = good {
        let vault = Vault::open(folder(root).await, None)
            .await
            .unwrap_or_else(|error| panic!("{case}: {error}"));
        let read = read_back(&vault, snapshot)
            .await
            .unwrap_or_else(|error| panic!("{case}: {error}"));
        assert!(
            read == *car,
            "{case}: the last good snapshot reads back as something else"
        );
        // Nobody ever sees a part of a snapshot: what has a manifest is whole.
        for found in vault.snapshots(&account(0).folder()).await.unwrap().sound {
            read_back(&vault, &found)
                .await
                .unwrap_or_else(|error| panic!("{case}: {}: {error}", found.name));
        }
    }
    let next = run(folder(root).await, hours)
        .await
        .unwrap_or_else(|error| panic!("{case}, next run: {error}"));
    let vault = Vault::open(folder(root).await, None).await.unwrap();
    assert!(
        read_back(&vault, &next).await.unwrap() == account(hours).car(),
        "{case}"
    );
    assert_eq!(next.manifest.body.media.pending, 0, "{case}");
    let left = files(root)
        .into_iter()
        .filter(|file| file.to_string_lossy().ends_with(".part"))
        .count();
    assert_eq!(left, 0, "{case}: unfinished files stay behind");
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(&file);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(from.join(file), target).unwrap();
    }
}

/// Whether a run completes that is stopped at write `n`, because it has fewer.
async fn completes_before(n: u64, fate: Fate, root: &Path, hours: u64, case: &str) -> bool {
    let frail = Arc::new(FrailStore::failing_at(folder(root).await, n, fate));
    match run(Arc::clone(&frail) as Arc<dyn Store>, hours).await {
        Ok(_) => {
            assert!(!frail.is_gone(), "{case}: an error was swallowed");
            true
        }
        Err(Error::Missing) => false,
        Err(error) => panic!("{case}: {error}"),
    }
}

/// Stops a run at each of its writes, in each way a write can end.
async fn stop_everywhere(hours: u64, at_least: u64) {
    let template = scratch();
    let good = prepared(template.path(), hours).await;
    for (times, fate) in stops() {
        let mut n = 0;
        loop {
            let root = scratch();
            copy(template.path(), root.path());
            let case = format!("write {n} of hour {hours}, {fate:?}, {times} times");
            if completes_before(n, fate, root.path(), hours, &case).await {
                break;
            }
            // What the first has written, the others need not.
            for _ in 1..times {
                completes_before(n, fate, root.path(), hours, &case).await;
            }
            recovers(root.path(), good.as_ref(), hours, &case).await;
            n += 1;
        }
        assert!(n >= at_least, "only {n} writes in hour {hours}");
    }
}

#[tokio::test]
async fn the_first_run_stopped_at_every_write() {
    stop_everywhere(0, 10).await;
}

#[tokio::test]
async fn an_hour_stopped_at_every_write() {
    stop_everywhere(1, 3).await;
}

#[tokio::test]
async fn a_rebase_stopped_at_every_write() {
    // By then increments weigh more than half of the base.
    let root = scratch();
    let mut hours = 2;
    loop {
        let (last, _) = prepared(root.path(), hours).await.unwrap();
        let vault = Vault::open(folder(root.path()).await, None).await.unwrap();
        let contents = vault.contents(&last).await.unwrap();
        let sizes: Vec<u64> = contents.increments.iter().map(|object| object.size).collect();
        if skykeep_vault::should_rebase(contents.base.size, &sizes, contents.lists.len()) {
            break;
        }
        hours += 1;
    }
    stop_everywhere(hours, 3).await;
}

#[tokio::test]
async fn a_delivery_stopped_at_every_write() {
    let (staging, place) = (scratch(), scratch());
    let good = prepared(staging.path(), 2).await.unwrap();
    let from = folder_vault(staging.path(), &writer_key(1)).await;
    let account_folder = account(0).folder();
    folder_vault(place.path(), &writer_key(1)).await;
    for (times, fate) in stops() {
        let mut n = 0;
        'whole: loop {
            let root = scratch();
            copy(place.path(), root.path());
            let case = format!("write {n} of a delivery, {fate:?}, {times} times");
            for time in 0..times {
                let frail = Arc::new(FrailStore::failing_at(folder(root.path()).await, n, fate));
                let to = Vault::open(Arc::clone(&frail) as Arc<dyn Store>, None).await.unwrap();
                match deliver(&[&from], &to, &account_folder, &mut on).await {
                    Ok(delivered) => {
                        assert!(!frail.is_gone(), "{case}: {delivered:?}");
                        if time == 0 {
                            assert!(delivered.undelivered.is_empty(), "{case}: {delivered:?}");
                            break 'whole;
                        }
                    }
                    Err(Error::Missing) => {}
                    Err(error) => panic!("{case}: {error}"),
                }
            }
            let to = Vault::open(folder(root.path()).await, None).await.unwrap();
            for snapshot in to.snapshots(&account_folder).await.unwrap().sound {
                read_back(&to, &snapshot)
                    .await
                    .unwrap_or_else(|error| panic!("{case}: {error}"));
            }
            let delivered = deliver(&[&from], &to, &account_folder, &mut on).await.unwrap();
            assert!(delivered.undelivered.is_empty(), "{case}: {delivered:?}");
            assert!(read_back(&to, &good.0).await.unwrap() == good.1, "{case}");
            // A torn manifest that is not its writer's last is the one thing that only a check can mend.
            let report = check(&to, &mut on).await.unwrap();
            let healed = heal(&to, &report, &[&from], &mut on).await.unwrap();
            assert!(healed.remaining.is_empty(), "{case}: {healed:?}");
            let whole = to.snapshots(&account_folder).await.unwrap();
            assert_eq!(
                whole.sound.len(),
                from.snapshots(&account_folder).await.unwrap().sound.len(),
                "{case}"
            );
            n += 1;
        }
        assert!(n > 10);
    }
}

#[tokio::test]
async fn healing_stopped_at_every_write() {
    let (staging, place) = (scratch(), scratch());
    let good = prepared(staging.path(), 2).await.unwrap();
    let from = folder_vault(staging.path(), &writer_key(1)).await;
    copy(staging.path(), place.path());
    let spoilt = files(place.path());
    let spoilt: Vec<_> = spoilt
        .iter()
        .filter(|file| file.starts_with("accounts"))
        .step_by(4)
        .collect();
    for (n, file) in spoilt.iter().enumerate() {
        // A manifest that is gone nobody misses but the next one.
        if n % 2 == 0 || file.to_string_lossy().contains("snapshots") {
            std::fs::write(place.path().join(file), "spoilt").unwrap();
        } else {
            std::fs::remove_file(place.path().join(file)).unwrap();
        }
    }
    for (times, fate) in stops() {
        let mut n = 0;
        'whole: loop {
            let root = scratch();
            copy(place.path(), root.path());
            let case = format!("write {n} of healing, {fate:?}, {times} times");
            for time in 0..times {
                let frail = Arc::new(FrailStore::failing_at(folder(root.path()).await, n, fate));
                let to = Vault::open(Arc::clone(&frail) as Arc<dyn Store>, None).await.unwrap();
                let report = check(&to, &mut on).await.unwrap();
                match heal(&to, &report, &[&from], &mut on).await {
                    Ok(healed) => {
                        assert!(!frail.is_gone() && healed.remaining.is_empty(), "{case}: {healed:?}");
                        if time == 0 {
                            break 'whole;
                        }
                    }
                    Err(Error::Missing) => {}
                    Err(error) => panic!("{case}: {error}"),
                }
            }
            let to = Vault::open(folder(root.path()).await, None).await.unwrap();
            // What a damaged list names is known when the list is healed: the second time finds the rest.
            for _ in 0..2 {
                let report = check(&to, &mut on).await.unwrap();
                heal(&to, &report, &[&from], &mut on).await.unwrap();
            }
            let report = check(&to, &mut on).await.unwrap();
            assert!(report.is_sound(), "{case}: {report:?}");
            assert!(read_back(&to, &good.0).await.unwrap() == good.1, "{case}");
            n += 1;
        }
        assert!(n >= 4, "only {n} writes");
    }
}

/// The disk has a little more room each time, until a whole run fits.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_is_full_at_any_point() {
    let root = scratch();
    let Some(_disk) = crate::store_contract::small_disk(root.path(), "size=4m") else {
        return skykeep_tests::skipped("a_disk_that_is_full_at_any_point", "needs root and tmpfs");
    };
    let (vault, filler) = (root.path().join("Skykeep"), root.path().join("Holiday.mov"));
    for (hours, at_least) in [(0, 10), (2, 3)] {
        let template = scratch();
        let good = prepared(template.path(), hours).await;
        let mut refused = 0;
        loop {
            std::fs::create_dir_all(&vault).unwrap();
            copy(template.path(), &vault);
            let free = folder(root.path()).await.probe().await.unwrap().free.unwrap();
            let room = refused * 4096;
            std::fs::write(&filler, vec![0; usize::try_from(free.saturating_sub(room)).unwrap()]).unwrap();
            let case = format!("hour {hours} with room for {room} bytes");
            let stopped = run(folder(&vault).await, hours).await;
            std::fs::remove_file(&filler).unwrap();
            match stopped {
                Ok(_) => break,
                Err(Error::Full { .. }) => recovers(&vault, good.as_ref(), hours, &case).await,
                Err(error) => panic!("{case}: {error}"),
            }
            std::fs::remove_dir_all(&vault).unwrap();
            refused += 1;
        }
        std::fs::remove_dir_all(&vault).unwrap();
        assert!(refused >= at_least, "hour {hours}: it was full only {refused} times");
    }
}

/// What the child process of the next tests does: one run, killed where its parent says.
#[tokio::test]
#[ignore = "is run by the tests that kill it"]
async fn child() {
    let Some(root) = std::env::var_os("SKYKEEP_CHILD_VAULT") else {
        return;
    };
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let hours = number("SKYKEEP_CHILD_HOURS").unwrap();
    let store = folder(Path::new(&root)).await;
    let store = match number("SKYKEEP_CHILD_DIES_AT") {
        Some(n) => Arc::new(FrailStore::failing_at(store, n, Fate::Killed)),
        None => store,
    };
    run(store, hours).await.unwrap();
}

/// This program again, as a child that runs [`child`].
fn child_command(mut command: Command, root: &Path, hours: u64) -> Command {
    command
        .args(["--exact", "stopped::child", "--ignored", "--test-threads", "1"])
        .env("SKYKEEP_CHILD_VAULT", root)
        .env("SKYKEEP_CHILD_HOURS", hours.to_string());
    command
}

/// Whether the child ran to its end. Anything but that and SIGKILL is a failure.
#[cfg(unix)]
fn completes(mut command: Command, case: &str) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    let output = command.output().unwrap();
    let killed = output.status.signal() == Some(9) || output.status.code() == Some(137);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        killed || output.status.success() && said.contains("1 passed"),
        "{case}: {said}"
    );
    !killed
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_killed_at_every_write() {
    for (times, hours) in in_a_row().flat_map(|times| [(times, 0), (times, 1)]) {
        let template = scratch();
        let good = prepared(template.path(), hours).await;
        let mut n = 0;
        loop {
            let root = scratch();
            copy(template.path(), root.path());
            let case = format!("killed {times} times at write {n} of hour {hours}");
            let child = || {
                let program = Command::new(std::env::current_exe().unwrap());
                let mut command = child_command(program, root.path(), hours);
                command.env("SKYKEEP_CHILD_DIES_AT", n.to_string());
                command
            };
            if completes(child(), &case) {
                break;
            }
            for _ in 1..times {
                completes(child(), &case);
            }
            recovers(root.path(), good.as_ref(), hours, &case).await;
            n += 1;
        }
        assert!(n >= 3, "only {n} writes in hour {hours}");
    }
}

/// Killed by the kernel in the middle of things: at the n-th system call of each kind that changes a disk.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_killed_inside_a_write() {
    let name = "a_process_killed_inside_a_write";
    let strace = Command::new("strace").args(["-e", "trace=none", "true"]).output();
    if !strace.is_ok_and(|output| output.status.success()) {
        return skykeep_tests::skipped(name, "needs strace");
    }
    let mut seeded = Seeded::of_run();
    let template = scratch();
    let good = prepared(template.path(), 1).await;
    let calls = ["write", "fsync", "renameat2", "mkdir", "unlink"];
    for (times, call) in in_a_row().flat_map(|times| calls.map(|call| (times, call))) {
        let mut n = 1;
        let mut killed = 0;
        loop {
            let root = scratch();
            copy(template.path(), root.path());
            let case = format!("killed {times} times at {call} {n}");
            let child = || {
                let mut strace = Command::new("strace");
                strace.args(["-f", "-qq", "-o", "/dev/null"]);
                strace.arg("-e").arg(format!("trace={call}"));
                strace.arg("-e").arg(format!("inject={call}:signal=KILL:when={n}"));
                strace.arg(std::env::current_exe().unwrap());
                child_command(strace, root.path(), 1)
            };
            if completes(child(), &case) {
                break;
            }
            for _ in 1..times {
                completes(child(), &case);
            }
            killed += 1;
            recovers(root.path(), good.as_ref(), 1, &case).await;
            n += if exhaustive() { 1 } else { 1 + seeded.index(8) };
        }
        println!("{call}: killed {killed} times, up to {n}");
    }
}
