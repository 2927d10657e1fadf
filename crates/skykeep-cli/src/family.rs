//! Who shares a place, as lines for a person: the place and its room, then everyone on it.

use skykeep_engine::api::{Family, Finding, FindingWhat, Late, Member, Room, RoomState, TakenAlong};
use skykeep_engine::{list, sentences, size};

use crate::said;
use crate::show::time;

/// Days of an average month, and of a year.
const MONTH: u32 = 30;
const YEAR: u32 = 365;

/// What a person reads about a place and everyone on it.
pub(crate) fn lines(family: &Family, now: i64) -> Vec<String> {
    let place = family.name.as_str();
    let mut lines = vec![said::family_of_place(place, summary(family))];
    lines.extend(room(place, &family.room).into_iter().map(|line| format!("  {line}")));
    for member in &family.members {
        lines.push(format!(
            "  {}",
            said::family_member(who(member), list(&facts(member, family)))
        ));
        let noted = notes(member, now);
        lines.extend(noted.into_iter().map(|note| format!("    ! {note}")));
    }
    lines
}

fn summary(family: &Family) -> String {
    let place = family.name.as_str();
    let count = |is: fn(Late) -> bool| family.members.iter().filter(|member| is(member.late)).count() as u64;
    let late = count(|late| matches!(late, Late::Week | Late::Month));
    let unknown = count(|late| late == Late::Unknown);
    let read = match family.away {
        true => said::window_family_away(place, time(family.read)),
        false => said::window_family_read(time(family.read)),
    };
    let state = match (family.members.len() as u64, late, unknown) {
        (0, ..) => said::window_family_none(place),
        (all, 0, 0) => said::window_family_well(all, place),
        (_, 0, unknown) => said::window_family_unknown(unknown, place),
        (_, late, _) => said::window_family_late(late, place),
    };
    sentences(&[state, read])
}

fn room(place: &str, room: &Room) -> Vec<String> {
    let mut parts = vec![format!("{} {}", said::window_family_used(), size(room.used))];
    parts.extend(room.free.map(|free| said::window_place_free(size(free))));
    parts.extend(room.full_in.map(full));
    let mut lines = vec![list(&parts)];
    lines.extend(match room.state {
        RoomState::Enough => None,
        RoomState::Little => Some(said::window_family_little(place)),
        RoomState::Soon => Some(said::window_family_soon(place)),
    });
    lines
}

/// When it is full, as exactly as a forecast is worth.
fn full(days: u32) -> String {
    match days {
        0..60 => said::window_family_full_days(u64::from(days)),
        60..730 => said::window_family_full_months(u64::from(days / MONTH)),
        _ => said::window_family_full_years(u64::from(days / YEAR)),
    }
}

fn who(member: &Member) -> String {
    match (&member.did, &member.handle) {
        (Some(did), Some(handle)) => said::named(did.as_str(), handle.as_str()),
        (Some(did), None) => did.clone(),
        (None, _) => format!("{} ({})", said::window_family_someone(), member.folder),
    }
}

fn facts(member: &Member, family: &Family) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(member.last_backup.map(|last| said::family_last_of(time(last))));
    parts.push(said::window_backup_snapshots(member.snapshots));
    parts.push(said::family_uses_of(size(member.bytes)));
    let others = member.computers.iter().filter(|computer| !computer.this).count() as u64;
    let mut computers = Vec::new();
    computers.extend(
        member
            .computers
            .iter()
            .any(|computer| computer.this)
            .then(said::window_family_this),
    );
    computers.extend((others > 0).then(|| said::window_family_others(others)));
    parts.extend((!computers.is_empty()).then(|| said::family_from_of(list(&computers))));
    let share = family.room.share.filter(|_| member.over_share);
    parts.extend(share.map(|share| said::family_share_of(size(share))));
    parts
}

fn notes(member: &Member, now: i64) -> Vec<String> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let days = member
        .last_backup
        .map_or(0, |last| (now - last).max(0) / DAY)
        .unsigned_abs();
    let mut notes = Vec::new();
    notes.extend(match member.late {
        Late::No => None,
        Late::Week => Some(said::window_family_week(days)),
        Late::Month => Some(said::window_family_month(days)),
        Late::Unknown => member.did.is_none().then(said::window_family_someone_more),
    });
    let disbelieved = u64::from(member.disbelieved);
    notes.extend((disbelieved > 0).then(|| said::window_family_disbelieved(disbelieved)));
    notes.extend(member.findings.iter().map(found));
    notes
}

fn found(Finding { at, what, now }: &Finding) -> String {
    let when = time(*at);
    let value = now.as_deref().unwrap_or_default();
    match what {
        FindingWhat::Host => said::window_family_found_host(value, when),
        FindingWhat::Handle if now.is_none() => said::window_family_found_no_handle(when),
        FindingWhat::Handle => said::window_family_found_handle(value, when),
        FindingWhat::Key => said::window_family_found_key(when),
        FindingWhat::RecoveryKeys => said::window_family_found_recovery_keys(when),
        FindingWhat::Ended => said::window_family_found_ended(when),
        FindingWhat::Undone => said::window_family_found_undone(when),
        FindingWhat::Rewritten => said::window_family_found_rewritten(when),
    }
}

/// What a person reads about a folder that was taken along.
pub(crate) fn taken_along(taken: &TakenAlong) -> Vec<String> {
    let what = list(&[said::window_backup_snapshots(taken.snapshots), size(taken.bytes)]);
    let mut lines = vec![said::window_family_taken(taken.folder.as_str(), what)];
    lines.extend((taken.left_behind > 0).then(|| said::window_family_left_behind(taken.left_behind)));
    lines
}
