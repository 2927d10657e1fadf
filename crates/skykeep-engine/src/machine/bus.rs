//! What services on the system bus say of a Linux machine: NetworkManager of the connection, UPower of the battery.
//!
//! Each is asked at most four times a minute, in one call, and left alone for a while when it does not answer. The bus is
//! the one that `DBUS_SYSTEM_BUS_ADDRESS` names, as for every program that uses D-Bus. Sources: the D-Bus interfaces of
//! NetworkManager (`NMState`, `NMConnectivityState`, `NMMetered`) and of UPower (`UPower`, `UPower.Device`).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::zvariant::OwnedValue;

use super::Network;

/// How long the bus may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// How long an answer holds.
const HOLDS: Duration = Duration::from_secs(15);
/// How long a service is not asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(600);

type Properties = HashMap<String, OwnedValue>;

/// What NetworkManager says of the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Link {
    /// Whether there is one; `None` where that is not known.
    pub(super) network: Option<Network>,
    /// Whether it is paid by volume, or looks like it: a phone's hotspot.
    pub(super) metered: Option<bool>,
}

/// What UPower says of what feeds the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Supply {
    /// Whether a battery does.
    pub(super) on_battery: Option<bool>,
    /// How full it is, in percent.
    pub(super) level: Option<u8>,
}

/// A connection to the bus, kept while it answers, and the last answers.
#[derive(Debug, Default)]
pub(super) struct Bus {
    connection: Option<Connection>,
    link: Last<Link>,
    supply: Last<Supply>,
}

#[derive(Debug, Default)]
struct Last<T> {
    said: T,
    not_before: Option<Instant>,
}

impl Bus {
    /// What NetworkManager says; nothing where there is none.
    pub(super) fn link(&mut self, now: Instant) -> Link {
        self.link_from(now, || Builder::system().map(|bus| bus.method_timeout(PATIENCE)))
    }

    /// What UPower says; nothing where there is none.
    pub(super) fn supply(&mut self, now: Instant) -> Supply {
        self.supply_from(now, || Builder::system().map(|bus| bus.method_timeout(PATIENCE)))
    }

    /// What was said before a sleep holds no longer.
    pub(super) fn forget(&mut self) {
        (self.link.not_before, self.supply.not_before) = (None, None);
    }

    fn link_from(&mut self, now: Instant, bus: impl FnOnce() -> zbus::Result<Builder<'static>>) -> Link {
        if self.link.not_before.is_some_and(|then| now < then) {
            return self.link.said;
        }
        let name = "org.freedesktop.NetworkManager";
        let answer = self.ask(bus, name, "/org/freedesktop/NetworkManager", name);
        self.link.not_before = Some(now + if answer.is_some() { HOLDS } else { PAUSE });
        self.link.said = answer.map(|said| link(&said)).unwrap_or_default();
        self.link.said
    }

    fn supply_from(&mut self, now: Instant, bus: impl FnOnce() -> zbus::Result<Builder<'static>>) -> Supply {
        if self.supply.not_before.is_some_and(|then| now < then) {
            return self.supply.said;
        }
        let name = "org.freedesktop.UPower";
        let all = self.ask(bus, name, "/org/freedesktop/UPower", name);
        let device = all.as_ref().and_then(|_| {
            let path = "/org/freedesktop/UPower/devices/DisplayDevice";
            self.ask(
                || Err(zbus::Error::InvalidReply),
                name,
                path,
                "org.freedesktop.UPower.Device",
            )
        });
        self.supply.not_before = Some(now + if all.is_some() { HOLDS } else { PAUSE });
        self.supply.said = Supply {
            on_battery: all.and_then(|all| all.get("OnBattery")?.downcast_ref().ok()),
            level: device.and_then(|device| level(&device)),
        };
        self.supply.said
    }

    /// All properties of an interface; `None` when nobody answers.
    fn ask(
        &mut self,
        bus: impl FnOnce() -> zbus::Result<Builder<'static>>,
        name: &str,
        path: &str,
        interface: &str,
    ) -> Option<Properties> {
        let answer = (|| {
            let bus = match &self.connection {
                Some(bus) => bus,
                None => self.connection.insert(bus()?.build()?),
            };
            let properties = Some("org.freedesktop.DBus.Properties");
            let answer = bus.call_method(Some(name), path, properties, "GetAll", &interface)?;
            answer.body().deserialize::<Properties>()
        })();
        match answer {
            Ok(all) => Some(all),
            Err(error) => {
                tracing::debug!(%error, name, "no word on the bus");
                // A service that is not there is no fault of the connection.
                if !matches!(error, zbus::Error::MethodError(..)) {
                    self.connection = None;
                }
                None
            }
        }
    }
}

fn number(all: &Properties, name: &str) -> Option<u32> {
    all.get(name)?.downcast_ref().ok()
}

fn link(all: &Properties) -> Link {
    let connectivity = number(all, "Connectivity").unwrap_or(0);
    let network = match number(all, "State") {
        // A page that asks to sign in stands between us and everybody else; or it was tried, and nobody answers.
        _ if matches!(connectivity, 1 | 2) => Some(Network::Down),
        Some(70) => Some(Network::Up),
        Some(10 | 20 | 30 | 40) => Some(Network::Down),
        Some(50 | 60) => Some(Network::Unknown),
        _ => None,
    };
    Link {
        network,
        // Unknown, yes, no, guessed yes, guessed no.
        metered: match number(all, "Metered") {
            Some(1 | 3) => Some(true),
            Some(2 | 4) => Some(false),
            _ => None,
        },
    }
}

/// The level of a battery (type 2) that is there.
fn level(all: &Properties) -> Option<u8> {
    let there: bool = all.get("IsPresent")?.downcast_ref().ok()?;
    let percent: f64 = all.get("Percentage")?.downcast_ref().ok()?;
    let battery = number(all, "Type") == Some(2);
    // In range by the clamp; a fraction counts as the lower one.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (there && battery).then(|| percent.clamp(0.0, 100.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::mock::Mock;
    use crate::testing::skipped;

    #[test]
    fn network_manager_is_believed() {
        let Some(mock) = Mock::start(&["networkmanager"]) else {
            return skipped("network_manager_is_believed", "no dbus-daemon or python3-dbusmock");
        };
        let (mut bus, mut now) = (Bus::default(), Instant::now());
        let mut check = |state: u32, connectivity: u32, metered: u32, network: Network, expected: Option<bool>| {
            mock.network(&[
                ("State", state.into()),
                ("Connectivity", connectivity.into()),
                ("Metered", metered.into()),
            ]);
            now += HOLDS;
            let link = bus.link_from(now, || mock.builder());
            assert_eq!(
                link.network,
                Some(network),
                "state {state}, connectivity {connectivity}"
            );
            assert_eq!(link.metered, expected, "metered {metered}");
        };
        check(70, 4, 2, Network::Up, Some(false));
        check(70, 4, 1, Network::Up, Some(true));
        // A phone's hotspot: guessed.
        check(70, 4, 3, Network::Up, Some(true));
        check(70, 4, 4, Network::Up, Some(false));
        check(70, 0, 0, Network::Up, None);
        check(70, 2, 0, Network::Down, None);
        check(60, 3, 0, Network::Unknown, None);
        check(50, 1, 0, Network::Down, None);
        for away in [10, 20, 30, 40] {
            check(away, 0, 0, Network::Down, None);
        }
        // An answer holds for a while, not longer, and not beyond a sleep.
        let held = bus.link_from(now + HOLDS / 2, || panic!("asked again too soon"));
        assert_eq!(held.network, Some(Network::Down));
        mock.network(&[("State", 70u32.into()), ("Connectivity", 4u32.into())]);
        bus.forget();
        assert_eq!(bus.link_from(now, || mock.builder()).network, Some(Network::Up));
        drop(mock);
        assert_eq!(
            bus.link_from(now + HOLDS, || panic!("it has a connection")),
            Link::default()
        );
    }

    #[test]
    fn u_power_is_believed() {
        let Some(mock) = Mock::start(&["upower"]) else {
            return skipped("u_power_is_believed", "no dbus-daemon or python3-dbusmock");
        };
        let name = "org.freedesktop.UPower";
        let (mut bus, mut now) = (Bus::default(), Instant::now());
        let mut check = |on: bool, kind: u32, there: bool, percent: f64, expected: Option<u8>| {
            mock.says(name, "/org/freedesktop/UPower", name, &[("OnBattery", on.into())]);
            mock.says(
                name,
                "/org/freedesktop/UPower/devices/DisplayDevice",
                "org.freedesktop.UPower.Device",
                &[
                    ("Type", kind.into()),
                    ("IsPresent", there.into()),
                    ("Percentage", percent.into()),
                ],
            );
            now += HOLDS;
            let supply = bus.supply_from(now, || mock.builder());
            assert_eq!(supply.on_battery, Some(on));
            assert_eq!(supply.level, expected, "type {kind}, there {there}, {percent} %");
        };
        check(true, 2, true, 19.9, Some(19));
        check(true, 2, true, 100.0, Some(100));
        check(false, 2, true, 55.0, Some(55));
        check(false, 2, false, 55.0, None);
        check(false, 0, true, 55.0, None);
    }

    #[test]
    fn where_nobody_is_on_the_bus_nothing_is_known_and_it_is_left_alone_for_a_while() {
        let Some(mock) = Mock::start(&[]) else {
            return skipped("where_nobody_is_on_the_bus", "no dbus-daemon");
        };
        let (mut bus, now) = (Bus::default(), Instant::now());
        assert_eq!(bus.link_from(now, || mock.builder()), Link::default());
        assert_eq!(bus.supply_from(now, || mock.builder()), Supply::default());
        assert_eq!(
            bus.link_from(now + PAUSE / 2, || panic!("asked again too soon")),
            Link::default()
        );
        drop(mock);
        let mut again = Bus::default();
        assert_eq!(
            again.link_from(now, || Builder::address("unix:path=/nowhere/bus")),
            Link::default()
        );
    }
}
