//! Settings: which accounts, which places, how often. A file that a person can read and mend.
//!
//! It is written whole and replaced at once. Everything in it is small and none of it is secret.

mod place;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use skykeep_atproto::{Did, Handle};
use skykeep_vault::layout::VaultId;

pub(crate) use self::place::{At, Place, Role, bucket_address};
use crate::api::{Appearance, NetworkRule, QuietHours, Whose};
use crate::pause::Pause;
use crate::{Error, data, preferences};

/// The version of the file that this program writes.
const FORMAT: u32 = 1;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Version of the file.
    pub format: u32,
    /// How often accounts are backed up.
    #[serde(default)]
    pub schedule: Schedule,
    /// Servers to ask instead of the usual ones; the environment overrides them.
    #[serde(default)]
    pub network: Network,
    /// What a person is told of.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub tell: Tell,
    /// When what is scheduled waits for the machine.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub power: Power,
    /// What is done for those who share a place.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub family: Family,
    /// How Skykeep looks and speaks.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub window: Window,
    /// Where secrets are kept; the environment overrides it.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub keys: Keys,
    /// Accounts to keep.
    #[serde(default, rename = "account")]
    pub accounts: Vec<Account>,
    /// Places to keep them in.
    #[serde(default, rename = "place")]
    pub places: Vec<Place>,
}

/// How often accounts are backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Schedule {
    /// Minutes between two runs of an account.
    pub every_minutes: u32,
    /// Hours of the day in which nothing scheduled starts, as "22:00-07:00".
    #[serde(with = "hours", skip_serializing_if = "Option::is_none")]
    pub quiet: Option<QuietHours>,
    /// Whether runs of all accounts are paused: true, or until when.
    #[serde(skip_serializing_if = "Pause::is_no")]
    pub paused: Pause,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            every_minutes: 60,
            quiet: None,
            paused: Pause::No,
        }
    }
}

/// Quiet hours as people write them.
mod hours {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::api::QuietHours;

    pub(super) fn serialize<S: Serializer>(hours: &Option<QuietHours>, to: S) -> Result<S::Ok, S::Error> {
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        match hours {
            Some(hours) => to.serialize_str(&format!("{}-{}", time(hours.from), time(hours.to))),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<QuietHours>, D::Error> {
        let text = String::deserialize(from)?;
        let time = |text: &str| -> Option<u16> {
            let (hour, minute) = text.trim().split_once(':')?;
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        let hours = || {
            let (from, to) = text.split_once('-')?;
            let (from, to) = (time(from)?, time(to)?);
            (from != to).then_some(QuietHours { from, to })
        };
        match hours() {
            Some(hours) => Ok(Some(hours)),
            None => Err(de::Error::custom("quiet hours are written as \"22:00-07:00\"")),
        }
    }
}

/// What a person is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tell {
    /// Days without a good backup; 0: never.
    pub after_days: u8,
    /// A place that was not seen for a while, or is full.
    pub places: bool,
    /// Damage that was mended.
    pub repairs: bool,
}

impl Default for Tell {
    fn default() -> Self {
        Self {
            after_days: 3,
            places: true,
            repairs: true,
        }
    }
}

/// When what is scheduled waits for the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Power {
    /// On battery below this level in percent; 0: never.
    pub battery_below: u8,
    /// On a connection that is paid by volume: `wait` or `allow`.
    pub metered: NetworkRule,
}

impl Default for Power {
    fn default() -> Self {
        Self {
            battery_below: 20,
            metered: NetworkRule::Wait,
        }
    }
}

/// What is done for those who share a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Family {
    /// Whether their identity logs are read too, so that a computer that sleeps is not the only watcher.
    pub watch: bool,
}

impl Default for Family {
    fn default() -> Self {
        Self { watch: true }
    }
}

/// How Skykeep looks and speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Window {
    /// The language; without, the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// `system`, `light` or `dark`.
    pub appearance: Appearance,
}

/// Whom to ask instead of the usual ones. Addresses are base URLs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Network {
    /// The PLC directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plc_url: Option<String>,
    /// Who is asked about handles that neither DNS nor the web answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle_resolver: Option<String>,
    /// Who is asked about names and pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appview_url: Option<String>,
    /// The relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay_url: Option<String>,
    /// Address and port of the DNS resolver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<std::net::SocketAddr>,
    /// Whether plain http to this computer is allowed: for tests and for those who run a server themselves.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub loopback_http: bool,
}

/// Where secrets are kept: in the operating system's keychain, unless it says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Keys {
    /// `os` or `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// The file that holds the passphrase (mode 0600), for `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
}

fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An account to keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    /// Its permanent number.
    pub did: Did,
    /// Its handle when it was added: for people who read this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<Handle>,
    /// When it was added.
    pub added: Timestamp,
    /// Whose it is: `mine` or `theirs`.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub whose: Whose,
    /// Whether runs are paused: true, or until when.
    #[serde(default, skip_serializing_if = "Pause::is_no")]
    pub paused: Pause,
    /// Snapshots (manifest names) that stay whatever comes, until someone says that a loss was meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<String>,
    /// Places that it is not brought to, by their ids; without, it goes to every place there is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<VaultId>,
}

impl Account {
    /// An account that nobody said anything about yet.
    pub(crate) const fn new(did: Did, handle: Option<Handle>, added: Timestamp) -> Self {
        Self {
            did,
            handle,
            added,
            whose: Whose::Mine,
            paused: Pause::No,
            pinned: Vec::new(),
            left: Vec::new(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            format: FORMAT,
            schedule: Schedule::default(),
            network: Network::default(),
            tell: Tell::default(),
            power: Power::default(),
            family: Family::default(),
            window: Window::default(),
            keys: Keys::default(),
            accounts: Vec::new(),
            places: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads the file; a missing one is the default. Errors: `Settings` when it cannot be understood, `Data`.
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(refused(path, "it is not text")),
            Err(error) => return Err(Error::data(path)(error)),
        };
        // The version first: a newer file may hold what this program has no name for.
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let version: Version = toml::from_str(&text).map_err(|error| refused(path, error.message()))?;
        if version.format > FORMAT {
            return Err(Error::SettingsNewer { path: path.to_owned() });
        }
        let settings: Self = toml::from_str(&text).map_err(|error| refused(path, error.message()))?;
        if let Err(Error::Preference { field, .. }) = preferences::check(&preferences::read(&settings)) {
            return Err(refused(path, &format!("the value of {field} cannot be")));
        }
        Ok(settings)
    }

    /// Replaces the file. Errors: `Data`.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Error> {
        let text = toml::to_string_pretty(self).map_err(|error| refused(path, &error.to_string()))?;
        data::replace_file(path, text.as_bytes())
    }

    /// The account with this DID.
    pub(crate) fn account(&self, did: &Did) -> Option<&Account> {
        self.accounts.iter().find(|account| account.did == *did)
    }

    /// The account with this DID, to be changed.
    pub(crate) fn account_mut(&mut self, did: &Did) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.did == *did)
    }

    /// What is left at `now` of the pauses that hold for an account.
    pub(crate) fn pause_of(&self, account: &Account, now: Timestamp) -> Pause {
        account.paused.max(self.schedule.paused).at(now)
    }

    /// The places that an account goes to.
    pub(crate) fn places_of(&self, did: &Did) -> impl Iterator<Item = &Place> {
        let left = self
            .account(did)
            .map(|account| account.left.as_slice())
            .unwrap_or_default();
        let goes = move |place: &&Place| place.is_written() && !left.contains(&place.vault);
        self.places.iter().filter(goes)
    }

    /// The accounts that are brought to a place no more.
    pub(crate) fn have_left(&self, place: &VaultId) -> Vec<Did> {
        let left = self.accounts.iter().filter(|account| account.left.contains(place));
        left.map(|account| account.did.clone()).collect()
    }

    /// The place with this id.
    pub(crate) fn place(&self, id: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.vault.as_str() == id)
    }
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::Settings {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use skykeep_vault::{Addressing, S3Settings};

    use super::*;

    fn place(name: &str, at: At) -> Place {
        Place {
            vault: VaultId::random().unwrap(),
            name: name.to_owned(),
            at,
            added: "2026-11-22T14:00:00Z".parse().unwrap(),
            share: Some(250_000_000_000),
            role: Role::Active,
        }
    }

    fn sample() -> Settings {
        let mut places = vec![
            place(
                "Family drive",
                At::Folder {
                    folder: "/media/drive/Skykeep".into(),
                    drive: Some("/media/drive".into()),
                },
            ),
            place(
                "Cloud",
                At::S3(S3Settings {
                    endpoint: "https://s3.example.org".to_owned(),
                    bucket: "family".to_owned(),
                    region: "eu-west-1".to_owned(),
                    prefix: "alice".to_owned(),
                    addressing: Addressing::VirtualHost,
                }),
            ),
            place(
                "Old drive",
                At::Folder {
                    folder: "/media/old/Skykeep".into(),
                    drive: None,
                },
            ),
        ];
        places[1].role = Role::Retired;
        places[2].role = Role::Moves {
            to: places[0].vault,
            since: "2026-11-22T15:00:00Z".parse().unwrap(),
        };
        Settings {
            places,
            accounts: vec![Account {
                did: "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap(),
                handle: Some("alice.test".parse().unwrap()),
                added: "2026-11-22T14:00:00Z".parse().unwrap(),
                whose: Whose::Theirs,
                paused: Pause::Until("2026-11-22T15:00:00Z".parse().unwrap()),
                pinned: vec!["20261122t140000z.abcdefgh.1.x.json".to_owned()],
                left: vec![VaultId::random().unwrap()],
            }],
            ..Settings::default()
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        assert_eq!(Settings::load(&path).unwrap(), Settings::default());
        let sample = sample();
        sample.save(&path).unwrap();
        assert_eq!(Settings::load(&path).unwrap(), sample);
    }

    #[test]
    fn what_an_earlier_version_wrote_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        let account = "did = \"did:plc:ewvi7nxzyoun6zhxrhs64oiz\"\nadded = \"2026-11-22T14:00:00Z\"\n";
        for (paused, expected) in [
            ("", Pause::No),
            ("paused = true\n", Pause::Open),
            ("paused = false", Pause::No),
        ] {
            let text = format!("format = 1\n[schedule]\nevery_minutes = 30\n[[account]]\n{account}{paused}");
            fs::write(&path, text).unwrap();
            let settings = Settings::load(&path).unwrap();
            assert_eq!(settings.schedule.every_minutes, 30);
            assert_eq!(
                (settings.accounts[0].paused, settings.accounts[0].whose),
                (expected, Whose::Mine)
            );
        }
    }

    #[test]
    fn places_that_an_earlier_version_wrote_are_read_and_written_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        let vault = "vault = \"aaaaaaaaaaaaaaaaaaaaaaaaaa\"\nname = \"x\"\n";
        let added = "added = \"2026-11-22T14:00:00Z\"\n";
        for (lines, drive) in [
            ("folder = \"/media/drive/Skykeep\"\n", None),
            (
                "folder = \"/media/drive/Skykeep\"\ndrive = \"/media/drive\"\n",
                Some(Path::new("/media/drive")),
            ),
        ] {
            let place = format!("[[place]]\n{vault}{lines}{added}");
            fs::write(&path, format!("format = 1\n{place}")).unwrap();
            let settings = Settings::load(&path).unwrap();
            assert_eq!(settings.places[0].folder(), Some(Path::new("/media/drive/Skykeep")));
            assert_eq!(settings.places[0].drive(), drive);
            settings.save(&path).unwrap();
            assert!(fs::read_to_string(&path).unwrap().contains(&place));
        }
    }

    #[test]
    fn quiet_hours_are_written_as_people_write_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        let mut settings = sample();
        settings.schedule.quiet = Some(QuietHours {
            from: 22 * 60,
            to: 7 * 60 + 5,
        });
        settings.save(&path).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("quiet = \"22:00-07:05\""));
        assert_eq!(Settings::load(&path).unwrap().schedule, settings.schedule);
    }

    #[test]
    fn what_cannot_be_understood_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        for bad in [
            "",
            "format = 1\ntypo = true",
            "format = 1\n[schedule]\nevery_minutes = 0",
            "format = 1\n[schedule]\nquiet = \"22:00-24:00\"",
            "format = 1\n[schedule]\nquiet = \"22:00-22:00\"",
            "format = 1\n[schedule]\npaused = \"soon\"",
            "format = 1\n[tell]\nafter_days = 31",
            "format = 1\n[window]\nlanguage = \"tlh\"",
            "format = 1\n[[place]]\nvault = \"aaaaaaaaaaaaaaaaaaaaaaaaaa\"\nname = \"x\"\nadded = \"2026-11-22T14:00:00Z\"",
            "\u{0}",
        ] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(Settings::load(&path), Err(Error::Settings { .. })), "{bad:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), bad);
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(Settings::load(&path), Err(Error::Settings { .. })));
        fs::write(&path, "format = 2\nnew_thing = 1").unwrap();
        assert!(matches!(Settings::load(&path), Err(Error::SettingsNewer { .. })));
    }
}
