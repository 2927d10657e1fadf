//! Whether Linux runs on battery: what `/sys/class/power_supply` says.

use std::fs;
use std::path::Path;

/// `Some(true)`: a battery feeds it. `Some(false)`: the mains do, or there is no battery. `None`: not said.
///
/// Batteries of mice and headsets (`scope` "Device") say nothing about the machine. Source: the kernel's
/// Documentation/ABI/testing/sysfs-class-power.
pub(super) fn on_battery(supplies: &Path) -> Option<bool> {
    let mut discharging = false;
    let mut battery = false;
    let mut mains = false;
    for supply in fs::read_dir(supplies).ok()?.flatten() {
        let says = |name: &str| {
            fs::read_to_string(supply.path().join(name))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        if says("scope") == "Device" {
            continue;
        }
        match says("type").as_str() {
            "Battery" => {
                battery = true;
                discharging |= says("status") == "Discharging";
            }
            "Mains" | "USB" | "Wireless" if says("online") == "1" => return Some(false),
            "Mains" => mains = true,
            _ => {}
        }
    }
    match (battery, discharging || mains) {
        (false, _) => Some(false),
        (true, true) => Some(true),
        (true, false) => None,
    }
}

/// How full the machine's battery is, in percent; the fullest, where there are several.
pub(super) fn level(supplies: &Path) -> Option<u8> {
    let says = |supply: &Path, name: &str| fs::read_to_string(supply.join(name)).unwrap_or_default();
    fs::read_dir(supplies)
        .ok()?
        .flatten()
        .map(|supply| supply.path())
        .filter(|supply| says(supply, "type").trim() == "Battery" && says(supply, "scope").trim() != "Device")
        .filter_map(|supply| says(&supply, "capacity").trim().parse().ok())
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHARGER: &[(&str, &str)] = &[("type", "Mains"), ("online", "1")];
    const CHARGER_OUT: &[(&str, &str)] = &[("type", "Mains"), ("online", "0")];
    const USB_OUT: &[(&str, &str)] = &[("type", "USB"), ("online", "0")];
    const DISCHARGING: &[(&str, &str)] = &[("type", "Battery"), ("scope", "System"), ("status", "Discharging")];
    const FULL: &[(&str, &str)] = &[("type", "Battery"), ("status", "Full")];
    const MOUSE: &[(&str, &str)] = &[("type", "Battery"), ("scope", "Device"), ("status", "Discharging")];

    #[test]
    fn what_feeds_it_is_told_by_its_supplies() {
        let check = |supplies: &[&[(&str, &str)]], expected: Option<bool>| {
            let dir = tempfile::tempdir().unwrap();
            for (n, files) in supplies.iter().enumerate() {
                let supply = dir.path().join(format!("supply{n}"));
                fs::create_dir(&supply).unwrap();
                for (name, content) in *files {
                    fs::write(supply.join(name), format!("{content}\n")).unwrap();
                }
            }
            assert_eq!(on_battery(dir.path()), expected, "{supplies:?}");
        };
        check(&[], Some(false));
        check(&[CHARGER], Some(false));
        check(&[CHARGER_OUT], Some(false));
        check(&[CHARGER, FULL], Some(false));
        check(&[DISCHARGING, CHARGER], Some(false));
        check(&[CHARGER_OUT, DISCHARGING], Some(true));
        check(&[CHARGER_OUT, FULL], Some(true));
        check(&[USB_OUT, DISCHARGING], Some(true));
        check(&[FULL], None);
        check(&[MOUSE], Some(false));
        check(&[MOUSE, CHARGER_OUT, DISCHARGING], Some(true));
        assert_eq!(on_battery(Path::new("/nowhere")), None);
    }

    #[test]
    fn the_level_is_that_of_the_machines_own_battery() {
        let dir = tempfile::tempdir().unwrap();
        let supply = |name: &str, files: &[(&str, &str)]| {
            let supply = dir.path().join(name);
            fs::create_dir(&supply).unwrap();
            for (name, content) in files {
                fs::write(supply.join(name), format!("{content}\n")).unwrap();
            }
        };
        assert_eq!(level(dir.path()), None);
        supply("mouse", &[("type", "Battery"), ("scope", "Device"), ("capacity", "99")]);
        supply("ac", &[("type", "Mains"), ("online", "0")]);
        assert_eq!(level(dir.path()), None);
        supply("bat0", &[("type", "Battery"), ("capacity", "18")]);
        assert_eq!(level(dir.path()), Some(18));
        supply("bat1", &[("type", "Battery"), ("scope", "System"), ("capacity", "73")]);
        assert_eq!(level(dir.path()), Some(73));
    }
}
