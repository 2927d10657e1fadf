//! What a person chooses in settings. It takes effect at once, without a new start.

use tracing::info;
use url::Url;

use crate::api::{Event, Preferences, QuietHours};
use crate::settings::Settings;
use crate::{Engine, Error, engine, words};

/// Minutes in a day.
const DAY: u16 = 24 * 60;

impl Engine {
    /// What the person has chosen.
    pub fn preferences(&self) -> Preferences {
        read(&self.inner.settings())
    }

    /// Takes what the person has chosen. Errors: `Preference` when a value cannot be, `Data`; then nothing changes.
    pub async fn set_preferences(&self, preferences: Preferences) -> Result<(), Error> {
        let preferences = tidied(preferences);
        check(&preferences)?;
        let mut settings = self.inner.settings();
        let before = settings.network.clone();
        write(&preferences, &mut settings);
        // Before anything is saved: an address that cannot be used is refused here.
        let client = (settings.network != before)
            .then(|| engine::client(&settings))
            .transpose()?;
        self.inner.change_settings(|settings| write(&preferences, settings))?;
        if let Some(client) = client {
            self.inner.set_client(client);
        }
        words::speak(preferences.language.as_deref());
        info!("preferences changed");
        let _ = self.inner.events.send(Event::Preferences);
        self.inner.wake.notify_one();
        self.inner.listen_changed();
        Ok(())
    }
}

/// The preferences that a settings file holds.
pub(crate) fn read(settings: &Settings) -> Preferences {
    Preferences {
        every_minutes: settings.schedule.every_minutes,
        quiet: settings.schedule.quiet,
        tell_after_days: Some(settings.tell.after_days).filter(|days| *days > 0),
        tell_places: settings.tell.places,
        tell_repairs: settings.tell.repairs,
        battery_below: Some(settings.power.battery_below).filter(|level| *level > 0),
        metered: settings.power.metered,
        watch_family: settings.family.watch,
        language: settings.window.language.clone(),
        appearance: settings.window.appearance,
        plc_url: settings.network.plc_url.clone(),
        handle_resolver: settings.network.handle_resolver.clone(),
    }
}

fn write(preferences: &Preferences, settings: &mut Settings) {
    settings.schedule.every_minutes = preferences.every_minutes;
    settings.schedule.quiet = preferences.quiet;
    settings.tell.after_days = preferences.tell_after_days.unwrap_or(0);
    settings.tell.places = preferences.tell_places;
    settings.tell.repairs = preferences.tell_repairs;
    settings.power.battery_below = preferences.battery_below.unwrap_or(0);
    settings.power.metered = preferences.metered;
    settings.family.watch = preferences.watch_family;
    settings.window.language.clone_from(&preferences.language);
    settings.window.appearance = preferences.appearance;
    settings.network.plc_url.clone_from(&preferences.plc_url);
    settings
        .network
        .handle_resolver
        .clone_from(&preferences.handle_resolver);
}

/// Without the spaces that come with typing; an empty address is none.
fn tidied(mut preferences: Preferences) -> Preferences {
    for text in [&mut preferences.plc_url, &mut preferences.handle_resolver] {
        *text = text
            .take()
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
    }
    preferences
}

/// Whether every value can be. Errors: `Preference`.
pub(crate) fn check(preferences: &Preferences) -> Result<(), Error> {
    let quiet = |QuietHours { from, to }: QuietHours| from < DAY && to < DAY && from != to;
    let address = |text: &String| {
        Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "https" | "http")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        })
    };
    let fields = [
        ("every_minutes", (5..=7 * 24 * 60).contains(&preferences.every_minutes)),
        ("quiet", preferences.quiet.is_none_or(quiet)),
        (
            "tell_after_days",
            preferences.tell_after_days.is_none_or(|days| (1..=30).contains(&days)),
        ),
        (
            "battery_below",
            preferences.battery_below.is_none_or(|level| (1..=100).contains(&level)),
        ),
        ("language", preferences.language.as_deref().is_none_or(words::is_known)),
        ("plc_url", preferences.plc_url.as_ref().is_none_or(address)),
        (
            "handle_resolver",
            preferences.handle_resolver.as_ref().is_none_or(address),
        ),
    ];
    match fields.into_iter().find(|(_, fine)| !fine) {
        None => Ok(()),
        Some((field, _)) => Err(Error::Preference {
            field,
            value: match field {
                "plc_url" => preferences.plc_url.clone(),
                "handle_resolver" => preferences.handle_resolver.clone(),
                _ => None,
            }
            .unwrap_or_default(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Appearance, NetworkRule};

    fn some() -> Preferences {
        Preferences {
            every_minutes: 30,
            quiet: Some(QuietHours { from: 1350, to: 420 }),
            tell_after_days: None,
            tell_places: false,
            tell_repairs: false,
            battery_below: None,
            metered: NetworkRule::Allow,
            watch_family: false,
            language: Some("en".to_owned()),
            appearance: Appearance::Dark,
            plc_url: Some("https://plc.example".to_owned()),
            handle_resolver: Some("https://resolver.example".to_owned()),
        }
    }

    #[test]
    fn what_was_chosen_is_found_again_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        for preferences in [
            some(),
            read(&Settings::default()),
            Preferences {
                tell_after_days: Some(7),
                battery_below: Some(55),
                ..some()
            },
        ] {
            let mut settings = Settings::default();
            write(&preferences, &mut settings);
            settings.save(&path).unwrap();
            assert_eq!(read(&Settings::load(&path).unwrap()), preferences);
        }
    }

    #[test]
    fn what_nobody_chose_is_as_the_settings_page_says() {
        let usual = read(&Settings::default());
        assert_eq!((usual.every_minutes, usual.tell_after_days), (60, Some(3)));
        assert!(usual.tell_places && usual.tell_repairs && usual.quiet.is_none());
        assert_eq!((usual.battery_below, usual.metered), (Some(20), NetworkRule::Wait));
        check(&usual).unwrap();
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_by_its_name() {
        let refused = |change: fn(&mut Preferences), expected: Option<&str>| {
            let mut preferences = some();
            change(&mut preferences);
            let found = check(&tidied(preferences)).err().map(|error| match error {
                Error::Preference { field, .. } => field,
                other => panic!("{other}"),
            });
            assert_eq!(found, expected);
        };
        refused(|_| {}, None);
        refused(|p| p.every_minutes = 4, Some("every_minutes"));
        refused(|p| p.every_minutes = 10_081, Some("every_minutes"));
        refused(|p| p.quiet = Some(QuietHours { from: 1440, to: 5 }), Some("quiet"));
        refused(|p| p.quiet = Some(QuietHours { from: 5, to: 5 }), Some("quiet"));
        refused(|p| p.tell_after_days = Some(0), Some("tell_after_days"));
        refused(|p| p.tell_after_days = Some(31), Some("tell_after_days"));
        refused(|p| p.battery_below = Some(101), Some("battery_below"));
        refused(|p| p.language = Some("tlh".to_owned()), Some("language"));
        refused(|p| p.plc_url = Some("plc.example".to_owned()), Some("plc_url"));
        refused(|p| p.plc_url = Some("ftp://plc.example".to_owned()), Some("plc_url"));
        refused(
            |p| p.plc_url = Some("https://me:secret@plc.example".to_owned()),
            Some("plc_url"),
        );
        refused(
            |p| p.handle_resolver = Some("https://".to_owned()),
            Some("handle_resolver"),
        );
        refused(|p| p.handle_resolver = Some("  ".to_owned()), None);
        refused(|p| p.plc_url = Some(" https://plc.example ".to_owned()), None);
    }
}
