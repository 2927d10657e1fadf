//! For tests: services of the system bus as python3-dbusmock plays them, on a bus of our own.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use zbus::blocking::connection::Builder;
use zbus::zvariant::Value;

use super::bus::PATIENCE;

/// A bus of our own with services from python3-dbusmock on it; ended when dropped.
pub(super) struct Mock {
    address: String,
    running: Vec<Child>,
}

impl Mock {
    /// `None` where the programs are missing.
    pub(super) fn start(templates: &[&str]) -> Option<Self> {
        let mut bus = Command::new("dbus-daemon")
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
        let mut out = BufReader::new(bus.stdout.take().unwrap());
        out.read_line(&mut address).unwrap();
        let mut mock = Self {
            address: address.trim().to_owned(),
            running: vec![bus],
        };
        templates.iter().all(|template| mock.add(template)).then_some(mock)
    }

    fn add(&mut self, template: &str) -> bool {
        // The system's own Python has Debian's packages.
        let service = Command::new("/usr/bin/python3")
            .args(["-m", "dbusmock", "--system", "--template", template])
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut service) = service else { return false };
        let name = match template {
            "upower" => "org.freedesktop.UPower",
            "logind" => "org.freedesktop.login1",
            _ => "org.freedesktop.NetworkManager",
        };
        let bus = self.builder().unwrap().build().unwrap();
        let patience = Instant::now() + Duration::from_secs(20);
        let there = loop {
            let there = bus.call_method(Some("org.freedesktop.DBus"), "/", None::<&str>, "NameHasOwner", &name);
            if there.unwrap().body().deserialize::<bool>().unwrap() {
                break true;
            }
            if service.try_wait().unwrap().is_some() || Instant::now() > patience {
                break false;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        self.running.push(service);
        there
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn builder(&self) -> zbus::Result<Builder<'static>> {
        Builder::address(self.address.as_str()).map(|bus| bus.method_timeout(PATIENCE))
    }

    /// Changes what a service says.
    pub(super) fn says(&self, name: &str, path: &str, interface: &str, properties: &[(&str, Value<'_>)]) {
        let bus = self.builder().unwrap().build().unwrap();
        let mock = Some("org.freedesktop.DBus.Mock");
        for (property, value) in properties {
            let change = HashMap::from([(*property, value)]);
            let changed = bus.call_method(Some(name), path, mock, "UpdateProperties", &(interface, &change));
            if changed.is_err() {
                let added = (interface, property, value);
                bus.call_method(Some(name), path, mock, "AddProperty", &added).unwrap();
            }
        }
    }

    /// Lets logind say that the machine is about to sleep, or that it is awake again.
    pub(super) fn sleeps(&self, soon: bool) {
        let bus = self.builder().unwrap().build().unwrap();
        let said = (
            "org.freedesktop.login1.Manager",
            "PrepareForSleep",
            "b",
            vec![Value::from(soon)],
        );
        let mock = Some("org.freedesktop.DBus.Mock");
        let (name, path) = (Some("org.freedesktop.login1"), "/org/freedesktop/login1");
        bus.call_method(name, path, mock, "EmitSignal", &said).unwrap();
    }

    pub(super) fn network(&self, properties: &[(&str, Value<'_>)]) {
        let name = "org.freedesktop.NetworkManager";
        self.says(name, "/org/freedesktop/NetworkManager", name, properties);
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        for child in self.running.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
