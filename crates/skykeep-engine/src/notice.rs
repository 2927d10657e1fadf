//! What a person is told unasked, and when. Pure: what stands, what was told, what was chosen and the time are arguments.
//!
//! The rules, each tested below by its number:
//!
//!  1. Only when a person is needed. A run that was skipped or failed is no reason; that no backup has been good for the
//!     days that were chosen (3 unless settings say otherwise) is, once a day.
//!  2. What may be lost is told once while it stands, at any hour. What a single answer of a host may have caused is told
//!     when it has stood for a day.
//!  3. A place that is full, or whose drive was not seen for 7 days, is told once a day, one that is full soon is told
//!     once, unless settings say never.
//!  4. What was mended is told once, unless settings say never.
//!  5. In quiet hours nothing but rule 2 is told; it is told after them.
//!  6. What is over is forgotten: when it comes again, it is told again.
//!  7. What was told is remembered in the catalogue, so that a new start tells nothing twice. A time of ours that lies
//!     ahead of `now` is not believed.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::api::{Event, HostingStatus, Problem, QuietHours, Severity};
use crate::catalogue::Subject;
use crate::settings::Tell;
use crate::{Engine, Error, problem, schedule};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How long a drive may be away before it is asked for.
const AWAY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// What may be lost and is certain at once.
const CERTAIN: [&str; 4] = [problem::SHRUNK, problem::DAMAGE_FOUND, "stale_key", "identity_ended"];

/// Something that stands and that a person may have to be told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matter {
    pub(crate) subject: Subject,
    pub(crate) problem: Problem,
    pub(crate) since: Timestamp,
}

/// What a person was told, and when: by subject and code.
pub(crate) type Told = BTreeMap<(String, String), Timestamp>;

/// What to tell now, and what is over and to be forgotten.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Notices {
    pub(crate) tell: Vec<Matter>,
    pub(crate) forget: Vec<(String, String)>,
}

/// Decides what a person is told at `now` of what stands.
pub(crate) fn notices(
    stands: &[Matter],
    told: &Told,
    tell: &Tell,
    quiet: Option<(QuietHours, &TimeZone)>,
    now: Timestamp,
) -> Notices {
    let silent = quiet.is_some_and(|(hours, zone)| schedule::quiet_end(hours, zone, now).is_some());
    let mut notices = Notices::default();
    for matter in stands {
        let key = (matter.subject.to_string(), matter.problem.code.clone());
        // What was told before it began to stand was told of another time.
        let last = told.get(&key).filter(|at| (matter.since..=now).contains(*at));
        let again = last.is_none_or(|at| now.duration_since(*at) >= DAY);
        let told = match matter.problem.code.as_str() {
            problem::OVERDUE => !silent && again,
            problem::PLACE_AWAY | problem::PLACE_FULL => !silent && tell.places && again,
            problem::PLACE_FILLING => !silent && tell.places && last.is_none(),
            problem::MENDED => !silent && tell.repairs && last.is_none(),
            problem::MOVED => !silent && last.is_none(),
            code if matter.problem.severity == Severity::Danger => {
                last.is_none() && (CERTAIN.contains(&code) || now.duration_since(matter.since) >= DAY)
            }
            _ => false,
        };
        if told {
            notices.tell.push(matter.clone());
        }
    }
    let stands = |key: &&(String, String)| {
        let same = |matter: &Matter| matter.subject.to_string() == key.0 && matter.problem.code == key.1;
        stands.iter().any(same)
    };
    notices.forget = told.keys().filter(|key| !stands(key)).cloned().collect();
    notices
}

/// Whole days from one time to another; none when the first is the later one.
fn whole_days(since: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.duration_since(since).as_hours() / 24).unwrap_or(0)
}

impl Engine {
    /// Tells a person what they are to be told now.
    pub(crate) async fn tell(&self, now: Timestamp) -> Result<(), Error> {
        let inner = &self.inner;
        let settings = inner.settings();
        let (standing, told) = inner
            .ask(|catalogue| Ok((catalogue.problems()?, catalogue.told()?)))
            .await?;
        let mut stands: Vec<Matter> = standing
            .into_iter()
            .map(|standing| Matter {
                subject: standing.subject,
                problem: standing.problem,
                since: standing.since,
            })
            .collect();
        for account in &settings.accounts {
            if settings.tell.after_days == 0 || !settings.pause_of(account, now).is_no() {
                continue;
            }
            let did = account.did.clone();
            let facts = inner
                .ask(move |catalogue| catalogue.account(&did))
                .await?
                .unwrap_or_default();
            let since = facts.last_checked.unwrap_or(account.added).max(account.added);
            let days = whole_days(since, now);
            if facts.status != HostingStatus::Deactivated && days >= u64::from(settings.tell.after_days) {
                let name = facts.handle.unwrap_or_else(|| account.did.to_string());
                stands.push(Matter {
                    subject: Subject::Account(account.did.clone()),
                    problem: problem::overdue(&name, days),
                    since,
                });
            }
        }
        for place in settings
            .places
            .iter()
            .filter(|place| place.is_written() && place.drive().is_some())
        {
            let id = place.vault.to_string();
            let facts = inner
                .ask(move |catalogue| catalogue.place(&id))
                .await?
                .unwrap_or_default();
            let since = facts.last_seen.unwrap_or(place.added).max(place.added);
            if now.duration_since(since) >= AWAY && crate::drives::is_away(place) {
                let days = whole_days(since, now);
                stands.push(Matter {
                    subject: Subject::Place(place.vault.to_string()),
                    problem: problem::place_away(&place.name, days),
                    since,
                });
            }
        }
        let zone = TimeZone::system();
        let quiet = settings.schedule.quiet.map(|hours| (hours, &zone));
        let Notices { tell, forget } = notices(&stands, &told, &settings.tell, quiet, now);
        // What nobody wants to hear of, or has heard, is no problem that stands.
        let unwanted = |matter: &Matter| matter.problem.code == problem::MENDED && !settings.tell.repairs;
        let said: Vec<(Subject, String)> = stands
            .iter()
            .filter(|matter| [problem::MENDED, problem::MOVED].contains(&matter.problem.code.as_str()))
            .filter(|matter| unwanted(matter) || tell.contains(matter))
            .map(|matter| (matter.subject.clone(), matter.problem.code.clone()))
            .collect();
        if tell.is_empty() && forget.is_empty() && said.is_empty() {
            return Ok(());
        }
        // Remembered first: told twice is worse than told by the window alone.
        let keys: Vec<_> = tell
            .iter()
            .map(|matter| (matter.subject.clone(), matter.problem.code.clone()))
            .collect();
        inner
            .ask(move |catalogue| {
                for (subject, code) in &keys {
                    catalogue.set_told(subject, code, now)?;
                }
                said.iter()
                    .try_for_each(|(subject, code)| catalogue.clear(subject, code).map(drop))?;
                forget
                    .iter()
                    .try_for_each(|(subject, code)| catalogue.forget_told(subject, code))
            })
            .await?;
        for matter in tell {
            let _ = inner.events.send(Event::Notify {
                about: matter.subject.into(),
                problem: matter.problem,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T14:00:00Z and some hours.
    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_795_356_000 + hours * 3600).unwrap()
    }

    fn matter(problem: Problem) -> Matter {
        Matter {
            subject: Subject::Place("p".to_owned()),
            problem,
            since: at(0),
        }
    }

    fn coded(code: &str, severity: Severity) -> Matter {
        let problem = problem::place_away("Drive", 7);
        matter(Problem {
            code: code.to_owned(),
            severity,
            ..problem
        })
    }

    fn told(matter: &Matter, when: i64) -> Told {
        let key = (matter.subject.to_string(), matter.problem.code.clone());
        Told::from([(key, at(when))])
    }

    #[track_caller]
    fn check(matter: &Matter, told: &Told, now: i64, expected: bool) {
        let found = notices(std::slice::from_ref(matter), told, &Tell::default(), None, at(now));
        assert_eq!(
            found.tell.len(),
            usize::from(expected),
            "{} at {now}",
            matter.problem.code
        );
        assert!(found.forget.is_empty());
    }

    #[test]
    fn rule_1_no_good_backup_for_days_is_told_once_a_day_and_a_failed_run_never() {
        let days = matter(problem::overdue("alice.test", 3));
        check(&days, &Told::new(), 72, true);
        check(&days, &told(&days, 72), 95, false);
        check(&days, &told(&days, 72), 96, true);
        for (code, severity) in [
            ("host_unreachable", Severity::Note),
            ("host_error", Severity::NeedsYou),
            ("account_takendown", Severity::NeedsYou),
            ("place_missing", Severity::Note),
        ] {
            check(&coded(code, severity), &Told::new(), 1000, false);
        }
    }

    #[test]
    fn rule_2_danger_is_told_once_and_what_one_answer_may_have_caused_after_a_day() {
        let shrunk = matter(problem::shrunk(60, 3));
        check(&shrunk, &Told::new(), 0, true);
        check(&shrunk, &told(&shrunk, 0), 1000, false);
        let unproved = coded("repo_unproved", Severity::Danger);
        check(&unproved, &Told::new(), 23, false);
        check(&unproved, &Told::new(), 24, true);
        check(&unproved, &told(&unproved, 24), 100, false);
    }

    #[test]
    fn rules_3_and_4_places_and_repairs_are_told_unless_nobody_wants_to_hear() {
        let deaf = Tell {
            places: false,
            repairs: false,
            ..Tell::default()
        };
        for (matter, daily) in [
            (matter(problem::place_away("Drive", 7)), true),
            (coded(problem::PLACE_FULL, Severity::NeedsYou), true),
            (matter(problem::place_filling("Drive")), false),
            (matter(problem::mended("Drive", 2)), false),
        ] {
            check(&matter, &Told::new(), 0, true);
            check(&matter, &told(&matter, 0), 23, false);
            check(&matter, &told(&matter, 0), 24, daily);
            let found = notices(std::slice::from_ref(&matter), &Told::new(), &deaf, None, at(0));
            assert_eq!(found.tell, [], "{}", matter.problem.code);
        }
    }

    #[test]
    fn rule_5_quiet_hours_delay_all_but_danger() {
        let zone = TimeZone::UTC;
        let hours = QuietHours {
            from: 13 * 60,
            to: 16 * 60,
        };
        let stands = [
            matter(problem::overdue("alice.test", 3)),
            matter(problem::place_away("Drive", 7)),
            matter(problem::mended("Drive", 2)),
            matter(problem::shrunk(60, 3)),
        ];
        let tell = |now| notices(&stands, &Told::new(), &Tell::default(), Some((hours, &zone)), at(now)).tell;
        assert_eq!(tell(0), stands[3..]);
        assert_eq!(tell(2), stands);
    }

    #[test]
    fn rule_6_what_is_over_is_told_again_when_it_comes_again() {
        let shrunk = matter(problem::shrunk(60, 3));
        let before = told(&shrunk, 0);
        let over = notices(&[], &before, &Tell::default(), None, at(1));
        assert_eq!(over.forget, before.keys().cloned().collect::<Vec<_>>());
        check(&shrunk, &Told::new(), 2, true);
        // Over and back before anybody looked.
        let again = Matter { since: at(1), ..shrunk };
        check(&again, &before, 1, true);
        check(&again, &told(&again, 1), 1, false);
    }

    #[test]
    fn rule_7_a_time_ahead_is_not_believed() {
        let days = matter(problem::overdue("alice.test", 3));
        check(&days, &told(&days, 100), 72, true);
    }
}
