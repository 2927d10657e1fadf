//! What feeds a Mac: what `pmset -g batt` prints, which macOS brings.

use std::process::Command;

/// Whether a battery feeds it, and how full that is in percent.
pub(super) fn supply() -> (Option<bool>, Option<u8>) {
    let said = Command::new("/usr/bin/pmset").args(["-g", "batt"]).output().ok();
    said.map_or((None, None), |said| read(&String::from_utf8_lossy(&said.stdout)))
}

/// `Now drawing from 'Battery Power'`, then a line a battery: ` -InternalBattery-0 (id=1)\t85%; discharging; …`.
fn read(said: &str) -> (Option<bool>, Option<u8>) {
    let source = said.lines().next().unwrap_or_default();
    let on_battery = match (source.contains("'Battery Power'"), source.contains("'AC Power'")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let level = said
        .lines()
        .skip(1)
        .filter(|line| line.contains("InternalBattery"))
        .find_map(|line| {
            let before = line.split('%').next()?;
            before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        });
    (on_battery, level)
}
