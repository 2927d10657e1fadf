//! Pausing what is scheduled, for an account or for all, until a time or until someone says go on.
//!
//! - A pause is kept in settings: it outlives the program. One that has run out is none; nobody has to end it.
//! - There is one for all and one for each account. The later one counts, so that neither ends the other.
//! - "Go on" goes on: on one account's page it ends both for that account, and what is left of the one for all stays
//!   with the others. For all it ends the one for all; when there is none, those of the accounts.
//! - A run under way stops between two files. It is no run of the past but is caught up when the pause is over.
//! - "Back up now" is a person's word and needs no end of a pause.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use skykeep_atproto::Did;
use tracing::info;

use crate::api::Millis;
use crate::engine::unknown;
use crate::error::What;
use crate::settings::Settings;
use crate::{Engine, Error};

/// Whether something is paused, and until when. The later one is the greater one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub enum Pause {
    /// It is not.
    #[default]
    No,
    /// It is until then.
    Until(Timestamp),
    /// It is until someone says go on.
    Open,
}

/// How it is written into settings: `true`, `false`, or a time.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Open(bool),
    Until(Timestamp),
}

impl From<Written> for Pause {
    fn from(written: Written) -> Self {
        match written {
            Written::Open(false) => Self::No,
            Written::Open(true) => Self::Open,
            Written::Until(until) => Self::Until(until),
        }
    }
}

impl From<Pause> for Written {
    fn from(pause: Pause) -> Self {
        match pause {
            Pause::No => Self::Open(false),
            Pause::Open => Self::Open(true),
            Pause::Until(until) => Self::Until(until),
        }
    }
}

impl Pause {
    /// What is left of it at `now`: one that has run out is none.
    pub fn at(self, now: Timestamp) -> Self {
        match self {
            Self::Until(until) if until <= now => Self::No,
            pause => pause,
        }
    }

    /// Whether nobody paused.
    pub(crate) const fn is_no(&self) -> bool {
        matches!(self, Self::No)
    }
}

impl Engine {
    /// Pauses scheduled runs of an account, or of all, until a time or until someone says go on.
    ///
    /// A run under way stops. A time that is past pauses nothing. Errors: `Unknown`, `Data`.
    pub async fn pause(&self, did: Option<&Did>, until: Option<Millis>) -> Result<(), Error> {
        let pause = match until {
            None => Pause::Open,
            Some(until) => Timestamp::from_millisecond(until).map_or(Pause::Open, Pause::Until),
        };
        let found = self.inner.change_settings(|settings| set(settings, did, pause))?;
        found.ok_or_else(|| unknown(What::Account, did.map(ToString::to_string).unwrap_or_default()))?;
        info!(?did, ?pause, "paused");
        if !pause.at(Timestamp::now()).is_no() {
            for account in self.inner.settings().accounts {
                if did.is_none_or(|did| *did == account.did) {
                    self.inner.runs.cut(&account.did);
                }
            }
        }
        self.inner.wake.notify_one();
        self.inner.listen_changed();
        Ok(())
    }

    /// Pauses all accounts until tomorrow morning. Errors: `Data`.
    pub async fn pause_until_tomorrow(&self) -> Result<(), Error> {
        let until = tomorrow(Timestamp::now(), &TimeZone::system());
        self.pause(None, Some(until.as_millisecond())).await
    }

    /// Ends a pause of an account, or of all. Errors: `Unknown`, `Data`.
    pub async fn resume(&self, did: Option<&Did>) -> Result<(), Error> {
        let now = Timestamp::now();
        let found = self.inner.change_settings(|settings| end(settings, did, now))?;
        found.ok_or_else(|| unknown(What::Account, did.map(ToString::to_string).unwrap_or_default()))?;
        info!(?did, "goes on");
        self.inner.wake.notify_one();
        self.inner.listen_changed();
        Ok(())
    }
}

/// When "until tomorrow" is over: at six in the morning of the next day, by the clock on the wall.
fn tomorrow(now: Timestamp, zone: &TimeZone) -> Timestamp {
    let wall = now.to_zoned(zone.clone()).datetime();
    let morning = wall.date().tomorrow().map(|day| day.at(6, 0, 0, 0));
    let morning = morning.and_then(|morning| zone.to_ambiguous_zoned(morning).compatible());
    morning.map_or(now, |morning| morning.timestamp())
}

/// Pauses an account, or all; `None` when there is no such account.
fn set(settings: &mut Settings, did: Option<&Did>, pause: Pause) -> Option<()> {
    match did {
        None => settings.schedule.paused = pause,
        Some(did) => settings.account_mut(did)?.paused = pause,
    }
    Some(())
}

/// Ends the pause of an account, or of all; `None` when there is no such account.
fn end(settings: &mut Settings, did: Option<&Did>, now: Timestamp) -> Option<()> {
    let all = std::mem::take(&mut settings.schedule.paused).at(now);
    match did {
        Some(did) => {
            settings.account(did)?;
            for account in &mut settings.accounts {
                account.paused = if account.did == *did {
                    Pause::No
                } else {
                    account.paused.max(all)
                };
            }
        }
        None if all.is_no() => settings
            .accounts
            .iter_mut()
            .for_each(|account| account.paused = Pause::No),
        None => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Account;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_356_000 + second).unwrap()
    }

    fn did(letter: char) -> Did {
        format!("did:plc:{}", String::from(letter).repeat(24)).parse().unwrap()
    }

    fn two() -> Settings {
        let account = |letter| Account::new(did(letter), None, at(0));
        Settings {
            accounts: vec![account('a'), account('b')],
            ..Settings::default()
        }
    }

    /// What is left of the pauses of both accounts.
    fn left(settings: &Settings, now: i64) -> [Pause; 2] {
        ['a', 'b'].map(|letter| settings.pause_of(settings.account(&did(letter)).unwrap(), at(now)))
    }

    #[test]
    fn the_later_of_two_pauses_counts_and_one_that_ran_out_is_none() {
        let mut settings = two();
        assert_eq!(left(&settings, 0), [Pause::No, Pause::No]);
        set(&mut settings, Some(&did('a')), Pause::Until(at(100))).unwrap();
        assert_eq!(left(&settings, 0), [Pause::Until(at(100)), Pause::No]);
        set(&mut settings, None, Pause::Until(at(60))).unwrap();
        assert_eq!(left(&settings, 0), [Pause::Until(at(100)), Pause::Until(at(60))]);
        assert_eq!(left(&settings, 60), [Pause::Until(at(100)), Pause::No]);
        assert_eq!(left(&settings, 100), [Pause::No, Pause::No]);
        set(&mut settings, None, Pause::Open).unwrap();
        assert_eq!(left(&settings, 1_000_000), [Pause::Open, Pause::Open]);
        assert!(set(&mut settings, Some(&did('c')), Pause::Open).is_none());
    }

    #[test]
    fn tomorrow_begins_when_people_get_up() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (now, expected) in [
            ("2026-11-22T14:00:00Z", "2026-11-23T05:00:00Z"),
            ("2026-11-22T22:59:00Z", "2026-11-23T05:00:00Z"),
            ("2026-11-22T23:00:00Z", "2026-11-24T05:00:00Z"),
            ("2026-03-28T12:00:00Z", "2026-03-29T04:00:00Z"),
        ] {
            assert_eq!(
                tomorrow(now.parse().unwrap(), &zone),
                expected.parse().unwrap(),
                "{now}"
            );
        }
    }

    #[test]
    fn going_on_with_one_account_leaves_the_others_paused() {
        let mut settings = two();
        set(&mut settings, None, Pause::Until(at(60))).unwrap();
        end(&mut settings, Some(&did('a')), at(0)).unwrap();
        assert_eq!(left(&settings, 0), [Pause::No, Pause::Until(at(60))]);
        assert!(end(&mut settings, Some(&did('c')), at(0)).is_none());
    }

    #[test]
    fn going_on_with_all_keeps_what_somebody_paused_for_itself() {
        let mut settings = two();
        set(&mut settings, Some(&did('b')), Pause::Open).unwrap();
        set(&mut settings, None, Pause::Until(at(60))).unwrap();
        end(&mut settings, None, at(0)).unwrap();
        assert_eq!(left(&settings, 0), [Pause::No, Pause::Open]);
        // Nothing is paused for all: then it means that one.
        end(&mut settings, None, at(0)).unwrap();
        assert_eq!(left(&settings, 0), [Pause::No, Pause::No]);
    }
}
