//! The second statement: whether an account's owner could get it back today.
//!
//! Pure: from what was found out to one line each, with the date on which that was. A line is ready only on the strength
//! of something that was looked at; what was never looked at, or cannot be judged, is not ready.
//!
//! - **Fresh**: the newest snapshot was confirmed against the host within three intervals, and copies of it are seen.
//! - **Apart**: a place holds it that the system knows to be elsewhere than on this computer.
//! - **Media**: none is missing, none is still to be fetched, and the places that hold them are what they were.
//! - **Checked**: every place that holds it was hashed again within 30 days, and no damage stands. Its date is that of the
//!   oldest reading. Beside it stands when a copy was last read back whole.
//! - **Identity**: the audit log (of a did:web: the document) was read and held, and nothing has been found against it.
//! - **Recovery key**: never ready. Skykeep holds no such key and cannot see whether somebody else does.

use crate::api::{Kept, KeptState, Millis, Readiness, ReadyLine, ReadyWhat};

/// A check older than this says little about a drive.
const CHECKED_WITHIN: Millis = 30 * 24 * 60 * 60 * 1000;

/// What was found out.
#[derive(Debug, Clone)]
pub(crate) struct Facts<'a> {
    /// The first statement.
    pub(crate) kept: &'a Kept,
    /// The places that hold the newest snapshot.
    pub(crate) holding: Vec<Holding>,
    /// When the identity's record was last read and held together.
    pub(crate) identity_read: Option<Millis>,
    /// Whether something stands against it.
    pub(crate) identity_bad: bool,
    /// When the last sample was taken, if it was whole.
    pub(crate) read_back: Option<Millis>,
}

/// A place that holds the newest snapshot.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Holding {
    /// Whether it is known to be elsewhere than on this computer.
    pub(crate) apart: bool,
    /// When it was found to hold the snapshot.
    pub(crate) confirmed: Option<Millis>,
    /// When every file in it was last hashed again.
    pub(crate) checked: Option<Millis>,
    /// Whether damage was found in it and stands.
    pub(crate) damaged: bool,
}

/// The lines, in the order in which people would look.
pub(crate) fn of(facts: &Facts<'_>, now: Millis) -> Readiness {
    let kept = facts.kept;
    let seen = !matches!(kept.state, KeptState::Nothing | KeptState::Unseen);
    let line = |what, ready, since: Option<Millis>| ReadyLine {
        what,
        ready,
        since,
        count: 0,
        total: 0,
    };
    let apart: Vec<&Holding> = facts.holding.iter().filter(|place| place.apart).collect();
    let media_total = kept.media + kept.media_missing + kept.media_pending;
    let media_whole = kept.media_missing == 0 && kept.media_pending == 0;
    // `None` is older than any date: one place that was never checked leaves the line without one.
    let checked = facts.holding.iter().map(|place| place.checked).min().flatten();
    let recent = checked.is_some_and(|checked| now.saturating_sub(checked) <= CHECKED_WITHIN);
    let damaged = facts.holding.iter().any(|place| place.damaged);
    Readiness {
        lines: vec![
            line(
                ReadyWhat::Fresh,
                seen && kept.state != KeptState::Stale,
                kept.last_checked,
            ),
            ReadyLine {
                count: apart.len() as u64,
                ..line(
                    ReadyWhat::Apart,
                    !apart.is_empty(),
                    apart.iter().filter_map(|place| place.confirmed).max(),
                )
            },
            ReadyLine {
                count: kept.media,
                total: media_total,
                ..line(
                    ReadyWhat::Media,
                    seen && media_whole && kept.state != KeptState::MediaUnseen,
                    kept.last_snapshot,
                )
            },
            line(ReadyWhat::Checked, recent && !damaged, checked),
            line(
                ReadyWhat::Identity,
                facts.identity_read.is_some() && !facts.identity_bad,
                facts.identity_read,
            ),
            line(ReadyWhat::RecoveryKey, false, None),
        ],
        read_back: facts.read_back,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_795_000_000_000;
    const DAY: Millis = 24 * 60 * 60 * 1000;

    fn kept(state: KeptState, media: [u64; 3]) -> Kept {
        Kept {
            state,
            last_checked: Some(NOW - 5),
            last_snapshot: Some(NOW - 7),
            media: media[0],
            media_missing: media[1],
            media_pending: media[2],
            ..Kept::nothing()
        }
    }

    fn lines(kept: &Kept, holding: &[Holding], identity: (Option<Millis>, bool)) -> Vec<ReadyLine> {
        let facts = Facts {
            kept,
            holding: holding.to_vec(),
            identity_read: identity.0,
            identity_bad: identity.1,
            read_back: None,
        };
        of(&facts, NOW).lines
    }

    /// One line of what these facts give: ready, since, count, total.
    fn line(of: &[ReadyLine], what: ReadyWhat) -> (bool, Option<Millis>, u64, u64) {
        let line = of.iter().find(|line| line.what == what).unwrap();
        (line.ready, line.since, line.count, line.total)
    }

    #[test]
    fn lines_come_in_order_and_nothing_kept_is_not_ready_for_anything() {
        let all = lines(&Kept::nothing(), &[], (None, false));
        let order: Vec<ReadyWhat> = all.iter().map(|line| line.what).collect();
        use ReadyWhat::{Apart, Checked, Fresh, Identity, Media, RecoveryKey};
        assert_eq!(order, [Fresh, Apart, Media, Checked, Identity, RecoveryKey]);
        for what in order {
            assert_eq!(line(&all, what), (false, None, 0, 0), "{what:?}");
        }
    }

    #[test]
    fn fresh_and_media_follow_what_is_kept() {
        let check = |state, media: [u64; 3], fresh, whole, total| {
            let all = lines(&kept(state, media), &[], (None, false));
            assert_eq!(line(&all, ReadyWhat::Fresh), (fresh, Some(NOW - 5), 0, 0), "{state:?}");
            let expected = (whole, Some(NOW - 7), media[0], total);
            assert_eq!(line(&all, ReadyWhat::Media), expected, "{state:?} {media:?}");
        };
        check(KeptState::Complete, [12, 0, 0], true, true, 12);
        check(KeptState::Complete, [0, 0, 0], true, true, 0);
        check(KeptState::Complete, [10, 2, 0], true, false, 12);
        check(KeptState::PostsOnly, [4, 0, 8], true, false, 12);
        check(KeptState::Stale, [12, 0, 0], false, true, 12);
        check(KeptState::MediaUnseen, [12, 0, 0], true, false, 12);
        check(KeptState::Unseen, [12, 0, 0], false, false, 12);
    }

    #[test]
    fn apart_counts_places_that_are_known_to_be_elsewhere() {
        let here = Holding {
            confirmed: Some(NOW),
            ..Holding::default()
        };
        let drive = |confirmed| Holding {
            apart: true,
            confirmed: Some(confirmed),
            ..here
        };
        let check = |holding: &[Holding], expected| {
            let all = lines(&kept(KeptState::Complete, [0; 3]), holding, (None, false));
            assert_eq!(line(&all, ReadyWhat::Apart), expected, "{holding:?}");
        };
        check(&[here], (false, None, 0, 0));
        check(&[here, drive(NOW - 9)], (true, Some(NOW - 9), 1, 0));
        check(&[drive(NOW - 9), drive(NOW - 4)], (true, Some(NOW - 4), 2, 0));
    }

    #[test]
    fn a_check_counts_for_thirty_days_in_every_place_and_only_without_damage() {
        let at = |ago: Option<Millis>| Holding {
            checked: ago.map(|ago| NOW - ago),
            ..Holding::default()
        };
        let check = |holding: &[Holding], ready, since: Option<Millis>| {
            let all = lines(&kept(KeptState::Complete, [0; 3]), holding, (None, false));
            assert_eq!(line(&all, ReadyWhat::Checked), (ready, since, 0, 0), "{holding:?}");
        };
        check(&[], false, None);
        check(&[at(None)], false, None);
        check(&[at(Some(30 * DAY))], true, Some(NOW - 30 * DAY));
        check(&[at(Some(30 * DAY + 1))], false, Some(NOW - 30 * DAY - 1));
        check(&[at(Some(DAY)), at(Some(3 * DAY))], true, Some(NOW - 3 * DAY));
        check(&[at(Some(DAY)), at(Some(40 * DAY))], false, Some(NOW - 40 * DAY));
        check(&[at(Some(DAY)), at(None)], false, None);
        let damaged = Holding {
            damaged: true,
            ..at(Some(DAY))
        };
        check(&[damaged, at(Some(DAY))], false, Some(NOW - DAY));
    }

    #[test]
    fn an_identity_is_ready_when_it_was_read_and_nothing_stands_against_it() {
        let check = |identity, expected| {
            let all = lines(&kept(KeptState::Complete, [0; 3]), &[], identity);
            assert_eq!(line(&all, ReadyWhat::Identity), expected);
            assert_eq!(line(&all, ReadyWhat::RecoveryKey), (false, None, 0, 0));
        };
        check((None, false), (false, None, 0, 0));
        check((Some(NOW - 1), false), (true, Some(NOW - 1), 0, 0));
        check((Some(NOW - 1), true), (false, Some(NOW - 1), 0, 0));
    }
}
