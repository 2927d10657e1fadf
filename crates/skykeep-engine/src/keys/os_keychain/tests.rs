//! The real keychain: each test runs itself again in a session of its own, with a bus and a gnome-keyring that hold
//! nothing of anyone's.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::*;

/// Set to the test's name in the process that runs inside the session.
const INSIDE: &str = "SKYKEEP_TEST_SESSION";

/// A keyring daemon that is unlocked at its start, and ends with the test.
const UNLOCKED: &str = r#"
    printf password | gnome-keyring-daemon --unlock --foreground --components=secrets >/dev/null 2>&1 &
    KEYRING=$! "$@"; code=$?; kill $!; wait $!; exit $code
"#;

/// A bus that knows no program to start, and a keyring is none of those that run.
const EMPTY_BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
    "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
    <busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"#;

/// Runs `body` in a process of its own, in a fresh home, inside what `session` makes of the command `"$@"`.
///
/// Skipped, with the reason, where the programs for it are missing.
fn in_session(test: &str, session: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some_and(|inside| inside == test) {
        return body();
    }
    for program in ["dbus-run-session", "gnome-keyring-daemon"] {
        if Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_err()
        {
            return crate::testing::skipped(test, &format!("no {program}"));
        }
    }
    let home = tempfile::tempdir().unwrap();
    let runtime = home.path().join("runtime");
    fs::create_dir(&runtime).unwrap();
    fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(home.path().join("empty-bus.conf"), EMPTY_BUS).unwrap();
    let module = module_path!().split_once("::").unwrap().1;
    let output = Command::new("sh")
        .args(["-c", session, "sh"])
        .arg(env::current_exe().unwrap())
        .args([&format!("{module}::{test}"), "--exact", "--nocapture"])
        .env(INSIDE, test)
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", &runtime)
        .env("XDG_DATA_HOME", home.path().join("share"))
        .env("XDG_CONFIG_HOME", home.path().join("config"))
        // Neither the desktop that the tests run on, nor a window to ask in.
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "the test did not run inside: {said}");
}

fn on_a_bus(session: &str) -> String {
    format!("exec dbus-run-session -- sh -c '{session}' sh \"$@\"")
}

fn keychain(patience: u64) -> OsKeychain {
    OsKeychain {
        patience: Duration::from_secs(patience),
        ..OsKeychain::new("aaaabbbbccccdddd".to_owned())
    }
}

/// Waits until a keychain answers on the bus, and returns it.
fn ready() -> OsKeychain {
    wait_for_owner(|owner| owner.is_some());
    keychain(60)
}

/// Waits until `wanted` is true of the process that is the keychain, if there is one. The keychain itself is not asked:
/// while there is none, the bus would start another, a locked one, for whoever asks.
fn wait_for_owner(wanted: impl Fn(Option<u32>) -> bool) {
    let start = Instant::now();
    let bus = zbus::blocking::Connection::session().unwrap();
    let bus = zbus::blocking::fdo::DBusProxy::new(&bus).unwrap();
    let owner = || bus.get_connection_unix_process_id("org.freedesktop.secrets".try_into().unwrap());
    while !wanted(owner().ok()) {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the keychain is not the one that is waited for"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// The process of the keychain that the session was begun with.
fn first_keyring() -> u32 {
    env::var("KEYRING").unwrap().parse().unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn get(keychain: &OsKeychain, name: &str) -> Option<Vec<u8>> {
    keychain
        .get(&name.parse().unwrap())
        .unwrap()
        .map(|secret| secret.expose().clone())
}

fn signal(signal: &str) {
    assert!(
        Command::new("kill")
            .args([signal, &first_keyring().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn the_real_keychain_keeps_secrets() {
    in_session("the_real_keychain_keeps_secrets", &on_a_bus(UNLOCKED), || {
        let keychain = ready();
        keychain.probe().unwrap();
        assert_eq!(get(&keychain, "writer"), None);
        let bytes = Secret::new((0..=255).cycle().take(LARGEST).collect());
        keychain.set(&SecretName::writer(), &bytes).unwrap();
        assert_eq!(
            keychain.get(&SecretName::writer()).unwrap().unwrap().expose(),
            bytes.expose()
        );
        keychain.set(&SecretName::writer(), &secret("two")).unwrap();
        keychain.set(&"device".parse().unwrap(), &secret("other")).unwrap();
        // A fresh connection, as after a restart.
        assert_eq!(get(&self::keychain(60), "writer").unwrap(), b"two");

        let error = keychain
            .set(&"large".parse().unwrap(), &Secret::new(vec![0; LARGEST + 1]))
            .unwrap_err();
        assert!(matches!(error, Error::TooLarge { size: 1_025, .. }), "{error:?}");

        // Another data folder of the same person.
        let other = OsKeychain::new("eeeeffffgggghhhh".to_owned());
        assert_eq!(get(&other, "writer"), None);
        other.set(&SecretName::writer(), &secret("its own")).unwrap();
        assert_eq!(get(&keychain, "writer").unwrap(), b"two");

        if let Ok(found) = Command::new("secret-tool")
            .args(["search", "--all", "service", SERVICE])
            .output()
        {
            let said = format!(
                "{}{}",
                String::from_utf8_lossy(&found.stdout),
                String::from_utf8_lossy(&found.stderr)
            );
            assert!(
                said.contains("writer.aaaabbbbccccdddd") && said.contains("secret = two"),
                "{said}"
            );
            assert!(!said.contains("probe-"), "the probe left something: {said}");
        }

        assert!(keychain.remove(&SecretName::writer()).unwrap());
        assert!(!keychain.remove(&SecretName::writer()).unwrap());
        assert_eq!(get(&keychain, "writer"), None);
        assert_eq!(get(&keychain, "device").unwrap(), b"other");
    });
}

#[test]
fn a_keychain_that_was_started_again_and_is_locked_does_not_look_empty() {
    let test = "a_keychain_that_was_started_again_and_is_locked_does_not_look_empty";
    in_session(test, &on_a_bus(UNLOCKED), || {
        let keychain = ready();
        keychain.set(&SecretName::writer(), &secret("one")).unwrap();
        signal("-TERM");
        wait_for_owner(|owner| owner != Some(first_keyring()));
        // The bus starts another, which nobody unlocks.
        let start = Instant::now();
        for keychain in [keychain, self::keychain(60)] {
            let error = keychain.get(&SecretName::writer()).unwrap_err();
            assert!(matches!(error, Error::Locked(_)), "{error:?}");
        }
        assert!(start.elapsed() < Duration::from_secs(50), "{:?}", start.elapsed());
    });
}

#[test]
fn a_keychain_that_was_started_again_serves_at_once() {
    in_session(
        "a_keychain_that_was_started_again_serves_at_once",
        &on_a_bus(UNLOCKED),
        || {
            let keychain = ready();
            keychain.set(&SecretName::writer(), &secret("one")).unwrap();
            signal("-TERM");
            wait_for_owner(|owner| owner.is_none());
            let mut daemon = Command::new("gnome-keyring-daemon")
                .args(["--unlock", "--foreground", "--components=secrets"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::io::Write::write_all(&mut daemon.stdin.take().unwrap(), b"password").unwrap();
            wait_for_owner(|owner| owner == Some(daemon.id()));
            assert_eq!(get(&keychain, "writer").unwrap(), b"one");
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        },
    );
}

#[test]
fn a_keychain_that_was_never_set_up_is_said_to_be_locked() {
    in_session(
        "a_keychain_that_was_never_set_up_is_said_to_be_locked",
        &on_a_bus("\"$@\""),
        || {
            let start = Instant::now();
            let keychain = keychain(60);
            for error in [
                keychain.set(&SecretName::writer(), &secret("one")).unwrap_err(),
                keychain.probe().unwrap_err(),
            ] {
                assert!(matches!(error, Error::Locked(_)) && error.is_transient(), "{error:?}");
            }
            assert!(start.elapsed() < Duration::from_secs(50), "{:?}", start.elapsed());
        },
    );
}

#[test]
fn without_a_bus_there_is_no_keychain() {
    let session = "DBUS_SESSION_BUS_ADDRESS=unix:path=$HOME/nowhere \"$@\"";
    in_session("without_a_bus_there_is_no_keychain", session, || {
        let start = Instant::now();
        let keychain = keychain(60);
        for error in [
            keychain.get(&SecretName::writer()).unwrap_err(),
            keychain.probe().unwrap_err(),
        ] {
            assert!(
                matches!(error, Error::NoKeychain(_)) && error.is_transient(),
                "{error:?}"
            );
        }
        assert!(start.elapsed() < Duration::from_secs(50), "{:?}", start.elapsed());
        assert!(!Path::new(&env::var("HOME").unwrap()).join("nowhere").exists());
    });
}

#[test]
fn on_a_bus_without_a_keychain_program_there_is_no_keychain() {
    let session = "exec dbus-run-session --config-file=$HOME/empty-bus.conf -- \"$@\"";
    in_session(
        "on_a_bus_without_a_keychain_program_there_is_no_keychain",
        session,
        || {
            let start = Instant::now();
            let error = keychain(60).probe().unwrap_err();
            assert!(matches!(error, Error::NoKeychain(_)), "{error:?}");
            assert!(start.elapsed() < Duration::from_secs(50), "{:?}", start.elapsed());
        },
    );
}

#[test]
fn a_keychain_that_does_not_answer_is_not_waited_for_and_serves_again_later() {
    let test = "a_keychain_that_does_not_answer_is_not_waited_for_and_serves_again_later";
    in_session(test, &on_a_bus(UNLOCKED), || {
        let keychain = ready();
        keychain.set(&SecretName::writer(), &secret("one")).unwrap();
        let keychain = OsKeychain {
            patience: Duration::from_secs(2),
            ..keychain
        };
        signal("-STOP");
        let start = Instant::now();
        let error = keychain.get(&SecretName::writer()).unwrap_err();
        assert!(
            matches!(error, Error::NoAnswer { .. }) && error.is_transient(),
            "{error:?}"
        );
        assert!(start.elapsed() < Duration::from_secs(50), "{:?}", start.elapsed());
        signal("-CONT");
        let keychain = OsKeychain {
            patience: Duration::from_secs(60),
            ..keychain
        };
        assert_eq!(get(&keychain, "writer").unwrap(), b"one");
    });
}
