//! What feeds a Mac or a Windows machine: its batteries, as the system describes them.

use starship_battery::{Manager, State, units::ratio::percent};

/// Whether a battery feeds it, and how full the fullest one is in percent.
pub(super) fn supply() -> (Option<bool>, Option<u8>) {
    read().unwrap_or_default()
}

/// Errors: those of the system, which then says nothing.
fn read() -> Result<(Option<bool>, Option<u8>), starship_battery::Error> {
    let batteries = Manager::new()?.batteries()?.collect::<Result<Vec<_>, _>>()?;
    let states: Vec<State> = batteries.iter().map(|battery| battery.state()).collect();
    let feeds = |state: &State| matches!(state, State::Discharging | State::Empty);
    let on_battery = match states.iter().any(feeds) {
        // One that neither gives nor says that it does not leaves it open.
        false if states.contains(&State::Unknown) => None,
        fed => Some(fed),
    };
    let levels = batteries
        .iter()
        .map(|battery| battery.state_of_charge().get::<percent>());
    let fullest = levels.fold(None, |fullest: Option<f32>, level| {
        Some(fullest.map_or(level, |other| other.max(level)))
    });
    // A percentage: the cast neither cuts off nor goes below zero.
    Ok((on_battery, fullest.map(|level| level.round().clamp(0.0, 100.0) as u8)))
}
