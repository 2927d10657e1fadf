//! What a person chooses in settings.

use serde::{Deserialize, Serialize};
use specta::Type;

/// Everything that can be chosen. It is read and written as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Preferences {
    /// Minutes between two runs of an account: 5 to 10080.
    pub every_minutes: u32,
    /// Hours in which no scheduled run starts and no notification is shown but for what endangers an account.
    pub quiet: Option<QuietHours>,
    /// Days without a good backup after which a person is told: 1 to 30; `None`: never.
    pub tell_after_days: Option<u8>,
    /// Whether a person is told that a place was not seen for a while or is full, at most once a day.
    pub tell_places: bool,
    /// Whether a person is told that damage was found and mended.
    pub tell_repairs: bool,
    /// On battery, runs wait below this level in percent; `None`: they never wait.
    pub battery_below: Option<u8>,
    /// What happens on a connection that is paid by volume.
    pub metered: NetworkRule,
    /// Whether the public identity logs of others who share a place are read too, once a day.
    pub watch_family: bool,
    /// The language, a locale of `assets/text`; `None`: as the system says.
    pub language: Option<String>,
    /// Light, dark, or as the system says.
    pub appearance: Appearance,
    /// The PLC directory's address, when it is not the usual one.
    pub plc_url: Option<String>,
    /// Who is asked about handles that neither DNS nor the web answers, when it is not the usual one.
    pub handle_resolver: Option<String>,
}

/// Hours of the day, by the clock on the wall. They may go over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct QuietHours {
    /// Minute of the day at which they begin: 0 to 1439.
    pub from: u16,
    /// Minute of the day at which they end.
    pub to: u16,
}

/// What happens on a connection that is paid by volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum NetworkRule {
    /// Scheduled runs wait for another connection; "Back up now" goes on.
    #[default]
    Wait,
    /// As on any other connection.
    Allow,
}

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Appearance {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// One thing that Skykeep stores on this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Stored {
    /// What it is: `settings`, `catalogue`, `staging`, `logs`, `keychain`.
    pub what: String,
    /// Where: a path, or the keychain's name for it.
    pub path: String,
    /// Bytes it takes; `None` where that is not known.
    pub bytes: Option<u64>,
}
