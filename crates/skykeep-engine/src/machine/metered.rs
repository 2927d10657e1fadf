//! Whether the connection is paid by volume: what NetworkManager says on the system bus.

use std::time::{Duration, Instant};

use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::zvariant::Value;

/// How long the bus may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long an answer holds.
const HOLDS: Duration = Duration::from_secs(60);
/// How long it is not asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(600);

/// A connection to the bus, kept while it answers, and the last answer.
#[derive(Debug, Default)]
pub(super) struct Metered {
    bus: Option<Connection>,
    said: Option<bool>,
    not_before: Option<Instant>,
}

impl Metered {
    /// `None` where there is no NetworkManager, or it does not know.
    pub(super) fn read(&mut self, now: Instant) -> Option<bool> {
        self.read_from(now, || Builder::system().map(|bus| bus.method_timeout(PATIENCE)))
    }

    fn read_from(&mut self, now: Instant, bus: impl FnOnce() -> zbus::Result<Builder<'static>>) -> Option<bool> {
        if self.not_before.is_some_and(|then| now < then) {
            return self.said;
        }
        let answer = self.ask(bus);
        if let Err(error) = &answer {
            tracing::debug!(%error, "no word on whether the connection is metered");
            self.bus = None;
        }
        self.not_before = Some(now + if answer.is_ok() { HOLDS } else { PAUSE });
        self.said = answer.ok().and_then(meaning);
        self.said
    }

    fn ask(&mut self, bus: impl FnOnce() -> zbus::Result<Builder<'static>>) -> zbus::Result<u32> {
        let bus = match &self.bus {
            Some(bus) => bus,
            None => self.bus.insert(bus()?.build()?),
        };
        let (name, properties) = ("org.freedesktop.NetworkManager", "org.freedesktop.DBus.Properties");
        let path = "/org/freedesktop/NetworkManager";
        let answer = bus.call_method(Some(name), path, Some(properties), "Get", &(name, "Metered"))?;
        answer.body().deserialize::<Value<'_>>()?.downcast().map_err(Into::into)
    }
}

/// `NMMetered`: unknown, yes, no, guessed yes, guessed no.
fn meaning(metered: u32) -> Option<bool> {
    match metered {
        1 | 3 => Some(true),
        2 | 4 => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;

    struct NetworkManager(u32);

    #[zbus::interface(name = "org.freedesktop.NetworkManager")]
    impl NetworkManager {
        #[zbus(property)]
        fn metered(&self) -> u32 {
            self.0
        }
    }

    /// A bus of our own, ended when dropped.
    struct Bus(Child, String);

    impl Bus {
        fn start() -> Option<Self> {
            let mut child = Command::new("dbus-daemon")
                .args([
                    "--session",
                    "--nofork",
                    "--nopidfile",
                    "--print-address",
                    "--address=unix:tmpdir=/tmp",
                ])
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .ok()?;
            let mut address = String::new();
            BufReader::new(child.stdout.take().unwrap())
                .read_line(&mut address)
                .unwrap();
            Some(Self(child, address.trim().to_owned()))
        }

        fn builder(&self) -> zbus::Result<Builder<'static>> {
            Builder::address(self.1.as_str())
        }
    }

    impl Drop for Bus {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn network_manager_is_believed() {
        for (metered, expected) in [
            (0, None),
            (1, Some(true)),
            (2, Some(false)),
            (3, Some(true)),
            (4, Some(false)),
        ] {
            let Some(bus) = Bus::start() else {
                return crate::testing::skipped("network_manager_is_believed", "no dbus-daemon");
            };
            let _service = bus
                .builder()
                .and_then(|builder| builder.name("org.freedesktop.NetworkManager"))
                .and_then(|builder| builder.serve_at("/org/freedesktop/NetworkManager", NetworkManager(metered)))
                .and_then(Builder::build)
                .unwrap();
            let (mut asked, now) = (Metered::default(), Instant::now());
            assert_eq!(asked.read_from(now, || bus.builder()), expected, "{metered}");
            // The answer holds for a while, even without the bus, and no longer.
            let builder = bus.builder();
            drop(bus);
            assert_eq!(
                asked.read_from(now + HOLDS / 2, || panic!("asked again too soon")),
                expected,
                "{metered}"
            );
            assert_eq!(asked.read_from(now + HOLDS, || builder), None, "{metered}");
        }
    }

    #[test]
    fn without_network_manager_nothing_is_known_and_the_bus_is_left_alone_for_a_while() {
        let Some(bus) = Bus::start() else {
            return crate::testing::skipped("without_network_manager", "no dbus-daemon");
        };
        let mut asked = Metered::default();
        let now = Instant::now();
        assert_eq!(asked.read_from(now, || bus.builder()), None);
        assert_eq!(
            asked.read_from(now + PAUSE / 2, || panic!("asked again too soon")),
            None
        );
        drop(bus);
        let mut again = false;
        let absent = || {
            again = true;
            Builder::address("unix:path=/nowhere/bus")
        };
        assert_eq!(asked.read_from(now + PAUSE, absent), None);
        assert!(again);
    }
}
