//! A damaged file in one line: what it hurts by name, the record's path where nothing else can be told.

use skykeep_engine::api::{Damage, DamagedWhat, HurtRecord};
use skykeep_engine::list;

use crate::said;
use crate::show::time;

/// The line of a damaged file.
pub(crate) fn line(damage: &Damage) -> String {
    let text_of = |record: &HurtRecord| match record.created {
        Some(created) => said::check_text_of(day(created), record.text.as_str()),
        None => said::check_text_alone(record.text.as_str()),
    };
    let mut hurt: Vec<String> = damage.hurt.iter().map(text_of).collect();
    hurt.extend((damage.hurt_more > 0).then(|| said::window_changes_removed_more(damage.hurt_more)));
    let hurt = (!hurt.is_empty()).then(|| list(&hurt));
    let name = damage.name.as_str();
    let mut parts = vec![match damage.state.as_str() {
        "missing" => said::check_file_missing(name),
        "unreadable" => said::check_file_unreadable(name),
        _ => said::check_file_damaged(name),
    }];
    if damage.what == DamagedWhat::Posts {
        parts.push(said::check_holds_posts());
        parts.extend(hurt.map(said::check_among));
    } else {
        parts.extend(hurt.or_else(|| damage.record.clone()).map(said::check_shown_by));
    }
    parts.extend((!damage.snapshots.is_empty()).then(|| said::check_needed_by(list(&damage.snapshots))));
    list(&parts)
}

/// The day of a time in milliseconds since 1970, in UTC.
fn day(millis: i64) -> String {
    let time = time(millis);
    time.split_once('T').map_or(time.clone(), |(day, _)| day.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const AT: i64 = 1_795_356_000_123;

    pub(crate) fn damage(state: &str, snapshots: &[&str]) -> Damage {
        Damage {
            name: "blobs/x".to_owned(),
            state: state.to_owned(),
            snapshots: snapshots.iter().map(ToString::to_string).collect(),
            what: DamagedWhat::Other,
            record: None,
            hurt: Vec::new(),
            hurt_more: 0,
        }
    }

    fn check(damage: &Damage, expected: &str) {
        assert_eq!(line(damage), expected);
    }

    #[test]
    fn damage_is_told_with_what_it_hurts_and_what_needs_it() {
        skykeep_engine::speak_to_programs();
        check(&damage("missing", &["a", "b"]), "blobs/x is missing, needed by a, b");
        let picture = Damage {
            what: DamagedWhat::Media,
            record: Some("app.bsky.feed.post/3k".to_owned()),
            ..damage("damaged", &["a"])
        };
        check(
            &picture,
            "blobs/x is damaged, shown by app.bsky.feed.post/3k, needed by a",
        );
        let gulls = |created| HurtRecord {
            text: "Gulls".to_owned(),
            created,
        };
        let named = Damage {
            hurt: vec![gulls(Some(AT))],
            ..picture
        };
        check(
            &named,
            "blobs/x is damaged, shown by “Gulls” of 2026-11-22, needed by a",
        );
        let posts = Damage {
            what: DamagedWhat::Posts,
            ..damage("damaged", &[])
        };
        check(&posts, "blobs/x is damaged, holds posts");
        let named = Damage {
            hurt: vec![gulls(Some(AT)), gulls(None)],
            hurt_more: 3,
            ..posts
        };
        check(
            &named,
            "blobs/x is damaged, holds posts, among them “Gulls” of 2026-11-22, “Gulls”, and 3 more",
        );
        check(&damage("unreadable", &[]), "blobs/x cannot be read");
    }
}
