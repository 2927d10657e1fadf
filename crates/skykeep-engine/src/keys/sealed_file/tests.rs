//! Sealed files at their door.

use std::time::{Duration, Instant};

use super::*;

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fixture.passphrase("correct horse battery staple\n");
        fixture
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("data").join("keys")
    }

    fn passphrase(&self, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join("passphrase");
        let _ = fs::remove_file(&path);
        fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        path
    }

    /// As after a start of the program, with cheap scrypt.
    fn open(&self) -> SealedFile {
        let store = SealedFile::open(self.folder(), self.dir.path().join("passphrase")).unwrap();
        SealedFile {
            work_factor: 6,
            ..store
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }
}

fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    #[cfg(not(unix))]
    let _ = (path, mode);
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn get(store: &SealedFile, text: &str) -> Option<Vec<u8>> {
    store.get(&name(text)).unwrap().map(|secret| secret.expose().clone())
}

#[test]
fn secrets_come_back_after_a_restart() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert_eq!(get(&store, "writer"), None);
    store.set(&name("writer"), &secret("one")).unwrap();
    store.set(&name("identity"), &secret("a name like any other")).unwrap();
    store.set(&name("empty"), &secret("")).unwrap();
    let store = fixture.open();
    assert_eq!(get(&store, "writer").unwrap(), b"one");
    assert_eq!(get(&store, "identity").unwrap(), b"a name like any other");
    assert_eq!(get(&store, "empty").unwrap(), b"");
    store.set(&name("writer"), &secret("two")).unwrap();
    assert_eq!(get(&fixture.open(), "writer").unwrap(), b"two");

    assert!(store.remove(&name("writer")).unwrap());
    assert!(!store.remove(&name("writer")).unwrap());
    assert_eq!(get(&fixture.open(), "writer"), None);
    assert_eq!(get(&store, "identity").unwrap(), b"a name like any other");
}

#[test]
fn looking_for_a_secret_makes_no_file() {
    let fixture = Fixture::new();
    assert_eq!(get(&fixture.open(), "writer"), None);
    assert!(entries(&fixture.folder()).unwrap().is_empty());
}

#[test]
fn a_probe_passes_and_leaves_nothing_but_the_identity() {
    let fixture = Fixture::new();
    fixture.open().probe().unwrap();
    assert_eq!(entries(&fixture.folder()).unwrap(), [fixture.file(IDENTITY)]);
}

#[test]
fn no_file_holds_a_secret_in_the_clear_and_none_is_readable_by_others() {
    let fixture = Fixture::new();
    fixture
        .open()
        .set(&name("writer"), &secret("a secret in the clear"))
        .unwrap();
    let files = entries(&fixture.folder()).unwrap();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        assert!(bytes.starts_with(b"age-encryption.org/v1\n"), "{file:?}");
        for clear in [
            &b"a secret in the clear"[..],
            b"AGE-SECRET-KEY",
            b"age1",
            b"correct horse",
        ] {
            assert!(!bytes.windows(clear.len()).any(|window| window == clear), "{file:?}");
        }
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::MetadataExt::mode(&fs::metadata(&file).unwrap()) & 0o777,
            0o600,
            "{file:?}"
        );
    }
}

#[test]
fn size_is_bounded() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.set(&name("largest"), &Secret::new(vec![7; LARGEST])).unwrap();
    assert_eq!(get(&store, "largest").unwrap().len(), LARGEST);
    let error = store
        .set(&name("larger"), &Secret::new(vec![7; LARGEST + 1]))
        .unwrap_err();
    assert!(matches!(error, Error::TooLarge { size: 1_025, .. }), "{error:?}");
    assert_eq!(get(&store, "larger"), None);
}

#[test]
fn another_passphrase_opens_nothing_and_says_so() {
    let fixture = Fixture::new();
    fixture.open().set(&name("writer"), &secret("one")).unwrap();
    fixture.passphrase("correct horse battery stapler\n");
    let store = fixture.open();
    let error = store.get(&name("writer")).unwrap_err();
    assert!(
        matches!(&error, Error::WrongPassphrase { path } if *path == fixture.file(IDENTITY)),
        "{error:?}"
    );
    let error = store.set(&name("writer"), &secret("two")).unwrap_err();
    assert!(matches!(error, Error::WrongPassphrase { .. }), "{error:?}");
    fixture.passphrase("correct horse battery staple\n");
    assert_eq!(get(&fixture.open(), "writer").unwrap(), b"one");
}

#[test]
fn the_line_end_is_not_part_of_the_passphrase() {
    let fixture = Fixture::new();
    fixture.open().set(&name("writer"), &secret("one")).unwrap();
    for same in ["correct horse battery staple", "correct horse battery staple\r\n"] {
        fixture.passphrase(same);
        assert_eq!(get(&fixture.open(), "writer").unwrap(), b"one", "{same:?}");
    }
    for other in ["correct horse battery staple\n\n", " correct horse battery staple"] {
        fixture.passphrase(other);
        assert!(
            matches!(fixture.open().get(&name("writer")), Err(Error::WrongPassphrase { .. })),
            "{other:?}"
        );
    }
}

#[test]
fn a_passphrase_file_must_be_a_small_text_that_is_ours_alone() {
    let fixture = Fixture::new();
    let path = fixture.dir.path().join("passphrase");
    let refused = || SealedFile::open(fixture.folder(), &path).unwrap_err();
    let unusable = |error: &Error, expected: &str| {
        assert!(
            matches!(error, Error::PassphraseUnusable { reason, .. } if *reason == expected),
            "{error:?}"
        );
    };
    for empty in ["", "\n", "\r\n"] {
        fixture.passphrase(empty);
        unusable(&refused(), "is empty");
    }
    fixture.passphrase(b"\xff\xfe\n");
    unusable(&refused(), "is not text");
    fixture.passphrase("x".repeat(LARGEST_PASSPHRASE + 1));
    unusable(&refused(), "is too large");
    fixture.passphrase("x".repeat(LARGEST_PASSPHRASE));
    SealedFile::open(fixture.folder(), &path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(matches!(refused(), Error::PassphraseMissing { .. }));
    fs::create_dir(&path).unwrap();
    unusable(&refused(), "is not a file");
}

#[cfg(unix)]
#[test]
fn a_passphrase_file_that_others_may_read_or_change_is_refused() {
    let fixture = Fixture::new();
    let path = fixture.dir.path().join("passphrase");
    let check = |mode: u32, taken: bool| {
        set_mode(&path, mode);
        match SealedFile::open(fixture.folder(), &path) {
            Ok(_) => assert!(taken, "{mode:o} is taken"),
            Err(Error::PassphraseExposed { mode: said, .. }) => assert!(!taken && said == mode, "{mode:o}, {said:o}"),
            Err(error) => panic!("{mode:o}: {error:?}"),
        }
    };
    check(0o600, true);
    check(0o400, true);
    for mode in [0o640, 0o604, 0o660, 0o644, 0o601, 0o620, 0o700, 0o777, 0o4600] {
        check(mode, false);
    }
    set_mode(&path, 0o600);
    match std::os::unix::fs::chown(&path, Some(65_534), None) {
        Ok(()) => assert!(matches!(
            SealedFile::open(fixture.folder(), &path),
            Err(Error::PassphraseForeign { .. })
        )),
        Err(_) => crate::testing::skipped("a_passphrase_file_of_someone_else", "only root can give a file away"),
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let fixture = Fixture::new();
    let pipe = fixture.dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg("-m600").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        return crate::testing::skipped("a_pipe_is_refused", "no mkfifo");
    }
    let error = SealedFile::open(fixture.folder(), &pipe).unwrap_err();
    assert!(
        matches!(
            error,
            Error::PassphraseUnusable {
                reason: "is not a file",
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_secret_cannot_be_passed_off_as_another() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.set(&name("old"), &secret("one")).unwrap();
    store.set(&name("new"), &secret("two")).unwrap();
    fs::copy(fixture.file("secret-old.age"), fixture.file("secret-new.age")).unwrap();
    let error = store.get(&name("new")).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    // One that a stranger sealed to an identity of their own.
    let stranger = x25519::Identity::generate();
    let sealed = seal(&stranger.to_public(), b"skykeep-secret/1 new\nthree").unwrap();
    fs::write(fixture.file("secret-new.age"), sealed).unwrap();
    assert!(matches!(store.get(&name("new")), Err(Error::Damaged { .. })));
}

#[test]
fn any_damage_to_a_secret_is_an_error_and_never_another_secret() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store
        .set(&name("writer"), &secret("0123456789abcdef0123456789abcdef"))
        .unwrap();
    let file = fixture.file("secret-writer.age");
    let sound = fs::read(&file).unwrap();
    for at in 0..sound.len() {
        for spoilt in [
            sound[..at].to_vec(),
            sound
                .iter()
                .enumerate()
                .map(|(n, byte)| if n == at { byte ^ 1 } else { *byte })
                .collect(),
        ] {
            fs::write(&file, spoilt).unwrap();
            let error = store.get(&name("writer")).unwrap_err();
            assert!(matches!(error, Error::Damaged { .. }), "byte {at}: {error:?}");
        }
    }
    fs::write(&file, vec![0; usize::try_from(LARGEST_FILE).unwrap() + 1]).unwrap();
    assert!(matches!(store.get(&name("writer")), Err(Error::Damaged { .. })));
}

#[test]
fn a_lost_or_spoilt_identity_is_not_replaced_while_secrets_need_it() {
    let fixture = Fixture::new();
    fixture.open().set(&name("writer"), &secret("one")).unwrap();
    let identity = fs::read(fixture.file(IDENTITY)).unwrap();
    for spoil in [
        None,
        Some(b"age-encryption.org/v1\ngarbage".to_vec()),
        Some(identity[..identity.len() - 1].to_vec()),
    ] {
        match &spoil {
            None => fs::remove_file(fixture.file(IDENTITY)).unwrap(),
            Some(bytes) => fs::write(fixture.file(IDENTITY), bytes).unwrap(),
        }
        let store = fixture.open();
        for error in [
            store.get(&name("writer")).unwrap_err(),
            store.set(&name("writer"), &secret("two")).unwrap_err(),
            store.set(&name("other"), &secret("two")).unwrap_err(),
        ] {
            assert!(matches!(error, Error::Damaged { .. }), "{spoil:?}: {error:?}");
        }
    }
    fs::write(fixture.file(IDENTITY), identity).unwrap();
    assert_eq!(get(&fixture.open(), "writer").unwrap(), b"one");
}

#[test]
fn a_file_that_asks_for_endless_work_is_refused_at_once() {
    let fixture = Fixture::new();
    fixture.open().set(&name("writer"), &secret("one")).unwrap();
    let identity = String::from_utf8_lossy(&fs::read(fixture.file(IDENTITY)).unwrap()).into_owned();
    let line = identity
        .lines()
        .find(|line| line.starts_with("-> scrypt"))
        .unwrap()
        .to_owned();
    let bytes = fs::read(fixture.file(IDENTITY)).unwrap();
    let dear = line.trim_end_matches('6').to_owned() + "40";
    let at = bytes
        .windows(line.len())
        .position(|window| window == line.as_bytes())
        .unwrap();
    let spoilt = [&bytes[..at], dear.as_bytes(), &bytes[at + line.len()..]].concat();
    fs::write(fixture.file(IDENTITY), spoilt).unwrap();
    let start = Instant::now();
    let error = fixture.open().get(&name("writer")).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn what_an_interrupted_write_left_is_swept_and_changes_nothing() {
    let fixture = Fixture::new();
    fixture.open().set(&name("writer"), &secret("one")).unwrap();
    fs::write(fixture.file(".secret-writer.age-abc.part"), b"half").unwrap();
    let store = fixture.open();
    assert_eq!(entries(&fixture.folder()).unwrap().len(), 2);
    assert_eq!(get(&store, "writer").unwrap(), b"one");
}

#[test]
fn the_real_work_factor_costs_its_time_once_a_start() {
    let fixture = Fixture::new();
    let open = || SealedFile::open(fixture.folder(), fixture.dir.path().join("passphrase")).unwrap();
    open().set(&name("writer"), &secret("one")).unwrap();
    let store = open();
    let timed = || {
        let start = Instant::now();
        assert_eq!(get(&store, "writer").unwrap(), b"one");
        start.elapsed()
    };
    let first = timed();
    let later = (0..5).map(|_| timed()).min().unwrap();
    println!("unsealing: {first:?}, then {later:?}");
    assert!(first > Duration::from_millis(50), "{first:?}: too cheap to guess");
    assert!(
        later < Duration::from_millis(50) && later < first / 5,
        "{first:?}, then {later:?}"
    );
}

#[test]
fn neither_the_store_nor_its_errors_print_a_secret() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.set(&name("writer"), &secret("one")).unwrap();
    let printed = format!("{store:?}");
    assert!(
        printed.contains("<secret>") && !printed.contains("AGE-SECRET"),
        "{printed}"
    );
    assert!(!printed.contains("correct horse"), "{printed}");
}
