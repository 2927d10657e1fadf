//! Replies as words for a person, or as the documents that docs/cli.md describes.
//!
//! Sentences are in [`said`]; here is only how they are laid out: a line for each thing, its details indented below.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::{Value, json};
use skykeep_engine::api::{
    Account, Check, CheckHow, CheckStep, Checking, Kept, KeptState, Opened, OpenedKind, Phase, Place, PlaceRole,
    PlaceState, PlaceTest, Problem, Progress, RunEnd, Snapshot, Waiting,
};
use skykeep_engine::{Ended, Exported, Imported, Reply, UnderWay, list, number, sentences, size};

use crate::{damage, family, output, said};

/// Prints a reply.
pub(crate) fn reply(reply: &Reply, json: bool) {
    if json {
        output::document(&document(reply));
    } else {
        lines(reply).iter().for_each(|line| output::text(line));
    }
    match reply {
        Reply::Ended(ends) => reasons(ends),
        Reply::Opened(opened) if !json => note_all(&opened.problems),
        Reply::Exported(exported) if !json => note_all(&exported.problems),
        Reply::Checks(checks) if !json => checks.iter().for_each(|check| note_all(&check.problems)),
        _ => {}
    }
}

/// What a person reads about a reply on standard output.
fn lines(reply: &Reply) -> Vec<String> {
    match reply {
        Reply::Done => vec![said::done()],
        Reply::Account(account) => vec![said::keeping(named(account))],
        Reply::Accounts(accounts) if accounts.is_empty() => vec![said::no_account()],
        Reply::Accounts(accounts) => accounts.iter().flat_map(status).collect(),
        Reply::Place(place) => vec![changed(place)],
        Reply::Places(places) if places.is_empty() => vec![said::window_places_none()],
        Reply::Places(places) => places.iter().map(place).collect(),
        Reply::Tested(test) => tested(test),
        Reply::Families(families) => {
            let now = Timestamp::now().as_millisecond();
            families.iter().flat_map(|one| family::lines(one, now)).collect()
        }
        Reply::TakenAlong(taken) => family::taken_along(taken),
        Reply::Ended(ends) => ends.iter().map(|e| format!("{}  {}", e.account, end(&e.end))).collect(),
        Reply::Snapshots(snapshots) => snapshots.iter().map(snapshot).collect(),
        Reply::Comparison(changes) => {
            let records = [('+', &changes.added), ('~', &changes.changed), ('-', &changes.removed)];
            let media = [('+', &changes.media_added), ('-', &changes.media_removed)];
            let records = records.map(|(sign, all)| all.iter().map(move |path| format!("{sign} {path}")));
            let media = media.map(|(sign, all)| all.iter().map(move |cid| format!("{sign} blob {cid}")));
            records
                .into_iter()
                .flatten()
                .chain(media.into_iter().flatten())
                .collect()
        }
        Reply::Checks(checks) => checks.iter().flat_map(check).collect(),
        Reply::Exported(exported) => export(exported),
        Reply::Imported(imported) => import(imported),
        Reply::Opened(found) => opened(found),
        Reply::Report(report) => vec![report.text().trim_end().to_owned()],
        Reply::Runs(runs) => {
            let line = |run: &skykeep_engine::api::Run| format!("{}  {}  {}", time(run.began), run.did, end(&run.end));
            runs.iter().map(line).collect()
        }
    }
}

/// The document of a reply: what it carries, under a name of its own, so that fields can be added beside it.
fn document(reply: &Reply) -> Value {
    match reply {
        Reply::Done => json!({ "done": true }),
        Reply::Account(account) => json!({ "account": account }),
        Reply::Accounts(accounts) => json!({ "accounts": accounts }),
        Reply::Place(place) => json!({ "place": place }),
        Reply::Places(places) => json!({ "places": places }),
        Reply::Tested(test) => json!({ "test": test }),
        Reply::Families(families) => json!({ "families": families }),
        Reply::TakenAlong(taken) => json!({ "taken_along": taken }),
        Reply::Ended(runs) => json!({ "runs": runs }),
        Reply::Snapshots(snapshots) => json!({ "snapshots": snapshots }),
        Reply::Comparison(comparison) => json!({ "comparison": comparison }),
        Reply::Checks(checks) => json!({ "checks": checks }),
        Reply::Exported(exported) => json!({ "exported": exported }),
        Reply::Imported(imported) => json!({ "imported": imported }),
        Reply::Opened(opened) => json!({ "opened": opened }),
        Reply::Report(report) => json!({ "report": report.text() }),
        Reply::Runs(runs) => json!({ "runs": runs }),
    }
}

/// Prints a problem: as a document, or as words to standard error.
pub(crate) fn problem(problem: &Problem, json: bool) {
    if json {
        output::document(&json!({ "problem": problem }));
    }
    output::note(&told(problem));
}

fn told(problem: &Problem) -> String {
    let detail = problem
        .detail
        .as_ref()
        .map(|detail| format!("\n({detail})"))
        .unwrap_or_default();
    format!(
        "{}\n{}\n{}{detail}",
        problem.happened(),
        problem.means(),
        problem.todo()
    )
}

/// Why runs did not complete, to standard error.
fn reasons(ends: &[Ended]) {
    for ended in ends {
        match &ended.end {
            RunEnd::Skipped { why: problem } | RunEnd::Failed { problem } => output::note(&told(problem)),
            RunEnd::Completed { .. } | RunEnd::Stopped => {}
        }
    }
}

fn named(account: &Account) -> String {
    match &account.handle {
        Some(handle) => said::named(account.did.as_str(), handle.as_str()),
        None => account.did.clone(),
    }
}

fn status(account: &Account) -> Vec<String> {
    let mut lines = vec![named(account)];
    lines.extend(
        account
            .from_backup
            .then(|| format!("  {}", said::window_account_from_backup())),
    );
    lines.push(format!("  {}", kept(&account.kept)));
    if account.kept.state != KeptState::Nothing {
        lines.push(format!("  {}", holds(&account.kept)));
    }
    match (&account.waiting, account.next_due) {
        (Some(reason), _) => lines.push(format!("  {}", waiting(reason))),
        (None, Some(due)) => lines.push(format!("  {}", said::status_next(time(due)))),
        (None, None) => {}
    }
    for problem in &account.problems {
        lines.push(format!("  ! {}", sentences(&[problem.happened(), problem.todo()])));
    }
    lines
}

fn waiting(reason: &Waiting) -> String {
    match reason {
        Waiting::Host { since, until } => said::status_wait_host(time(*since), time(*until)),
        Waiting::Network => said::window_status_wait_network(),
        Waiting::Place => said::window_status_wait_place(),
        Waiting::Paused { until: None } => said::window_status_wait_paused(),
        Waiting::Paused { until: Some(until) } => said::status_wait_paused_until(time(*until)),
        Waiting::Battery { below } => said::window_status_wait_battery(u64::from(*below)),
        Waiting::Metered => said::window_status_wait_metered(),
        Waiting::Quiet { until } => said::status_wait_quiet(time(*until)),
    }
}

/// How well an account is kept, when that was checked, and where.
fn kept(kept: &Kept) -> String {
    let state = match kept.state {
        KeptState::Nothing => return said::status_nothing(),
        KeptState::Stale => said::status_stale(),
        KeptState::PostsOnly | KeptState::Complete => said::status_kept(),
        KeptState::MediaUnseen => said::status_media_unseen(),
        KeptState::Unseen => said::status_unseen(),
    };
    let mut all = vec![state];
    all.extend(kept.last_checked.map(|at| said::status_checked(time(at))));
    match (kept.state, kept.places, kept.this_computer_only) {
        (KeptState::MediaUnseen | KeptState::Unseen, ..) => {}
        (_, 0, _) => all.push(said::status_nowhere()),
        (_, _, true) => all.push(said::status_here()),
        (_, places, false) => all.push(said::status_places(u64::from(places))),
    }
    sentences(&all)
}

/// How much of an account is kept, and what is not.
fn holds(kept: &Kept) -> String {
    let mut parts = vec![
        said::window_backup_records(kept.records),
        said::window_account_media(kept.media),
    ];
    parts.extend((kept.media_missing > 0).then(|| said::window_snapshots_missing(kept.media_missing)));
    parts.extend((kept.media_pending > 0).then(|| said::snapshot_pending(kept.media_pending)));
    list(&parts)
}

/// What backups do with a place now.
fn changed(place: &Place) -> String {
    match &place.role {
        PlaceRole::Active => said::place_added(place.id.as_str(), place.path.as_str()),
        PlaceRole::Retired => said::place_retired(place.name.as_str()),
        PlaceRole::Moves { to } => said::place_moving(place.name.as_str(), to.as_str()),
    }
}

fn place(place: &Place) -> String {
    let mut parts = vec![match place.state {
        PlaceState::Ready => said::report_place_ready(),
        PlaceState::Absent => said::report_place_absent(),
        PlaceState::ReadOnly => said::report_place_read_only(),
        PlaceState::Other => said::report_place_other(),
        PlaceState::Full => said::report_place_full(),
        PlaceState::Refused => said::report_place_refused(),
    }];
    match &place.role {
        PlaceRole::Active => {}
        PlaceRole::Retired => parts.push(said::window_place_retired()),
        PlaceRole::Moves { to } => parts.push(said::window_place_moving(to.as_str())),
    }
    parts.extend((place.behind > 0).then(|| said::window_place_behind_by(place.behind)));
    parts.extend(place.used.map(|used| said::family_uses_of(size(used))));
    parts.extend(place.free.map(|free| said::window_place_free(size(free))));
    parts.extend(place.filling.then(said::window_place_filling));
    parts.extend(match (place.read_whole, place.last_checked) {
        (Some(whole), _) => Some(said::check_read_whole(time(whole.from), time(whole.to))),
        (None, checked) => checked.map(|at| said::window_ready_since(time(at))),
    });
    format!("{}  {}  {}  ({})", place.name, place.path, list(&parts), place.id)
}

fn tested(test: &PlaceTest) -> Vec<String> {
    if let Some(problem) = &test.problem {
        return vec![told(problem)];
    }
    let mut lines = vec![said::window_tested_good()];
    let Some(can) = &test.abilities else { return lines };
    lines.extend((!can.encrypted).then(said::window_tested_plain));
    lines.push(match can.versioning {
        true => said::window_tested_versions(),
        false => said::window_tested_no_versions(),
    });
    lines.extend(match can.locked_days {
        // Who may write can write over what is there: without earlier versions that is as good as deleting it.
        Some(0) if can.deletes || !can.versioning => Some(said::window_tested_unlocked()),
        Some(days) if days > 0 => Some(said::window_tested_locked(u64::from(days))),
        _ => None,
    });
    lines
}

fn snapshot(snapshot: &Snapshot) -> String {
    let mut notes = Vec::new();
    notes.extend(snapshot.unchanged.then(said::snapshot_unchanged));
    notes.extend(snapshot.imported.then(said::snapshot_imported));
    notes.extend(snapshot.pinned.then(said::snapshot_pinned));
    let missing = snapshot.media_missing.len() as u64;
    notes.extend((missing > 0).then(|| said::window_snapshots_missing(missing)));
    notes.extend((snapshot.media_pending > 0).then(|| said::snapshot_pending(snapshot.media_pending)));
    let notes = match notes.as_slice() {
        [] => String::new(),
        notes => format!("  [{}]", list(notes)),
    };
    let counts = list(&[
        said::window_backup_records(snapshot.records),
        said::window_account_media(snapshot.media),
        size(snapshot.bytes),
    ]);
    format!("{}  {}  {counts}{notes}", time(snapshot.taken), snapshot.id)
}

fn end(end: &RunEnd) -> String {
    match end {
        RunEnd::Completed { changed: true } => said::report_kept(),
        RunEnd::Completed { changed: false } => said::report_unchanged(),
        RunEnd::Skipped { .. } => said::report_skipped(),
        RunEnd::Stopped => said::report_stopped(),
        RunEnd::Failed { .. } => said::report_failed(),
    }
}

fn check(check: &Check) -> Vec<String> {
    let looked = match check.how {
        CheckHow::ReadAll => said::check_sound(check.sound, size(check.bytes)),
        CheckHow::Names | CheckHow::Heal => said::check_names(check.files),
    };
    let mut lines = vec![
        said::check_of_place(check.place.as_str()),
        format!("  {looked}"),
        format!("  {}", said::check_damaged(check.damaged.len() as u64)),
        format!("  {}", said::check_whole(check.whole_snapshots)),
    ];
    let mended = check.mended.iter();
    lines.extend(mended.map(|name| format!("  {}", said::check_mended(name.as_str()))));
    lines.extend(check.damaged.iter().map(|damage| format!("  {}", damage::line(damage))));
    lines.extend((check.how != CheckHow::ReadAll).then(|| format!("  {}", said::check_not_all())));
    lines
}

fn note_all(problems: &[Problem]) {
    problems.iter().for_each(|problem| output::note(&told(problem)));
}

fn export(exported: &Exported) -> Vec<String> {
    let mut parts = vec![
        said::window_backup_records(exported.records),
        said::window_account_media(exported.blobs),
    ];
    let missing = exported.missing.len() as u64;
    parts.extend((missing > 0).then(|| said::window_snapshots_missing(missing)));
    let mut lines = vec![said::export_written(
        exported.folder.display().to_string(),
        list(&parts),
    )];
    let lacking = exported.missing.iter();
    lines.extend(lacking.map(|blob| format!("  {}", said::export_lacks(blob.as_str()))));
    lines
}

fn import(imported: &Imported) -> Vec<String> {
    let line = |snapshot: &skykeep_engine::ImportedSnapshot| {
        let mut parts = vec![
            said::window_backup_records(snapshot.records),
            said::window_account_media(snapshot.media),
        ];
        let missing = snapshot.missing.len() as u64;
        parts.extend((missing > 0).then(|| said::window_snapshots_missing(missing)));
        parts.push(said::import_from(snapshot.file.display().to_string()));
        format!("{}  {}", snapshot.id, list(&parts))
    };
    imported.snapshots.iter().map(line).collect()
}

fn opened(opened: &Opened) -> Vec<String> {
    let path = opened.path.as_str();
    let mut lines = vec![match (opened.kind, opened.known) {
        _ if let Some(as_of) = opened.as_of => said::look_past(path, time(as_of)),
        (OpenedKind::Vault, true) => said::look_place(path),
        (OpenedKind::Vault, false) => said::look_vault(path),
        (OpenedKind::Backup, _) => said::look_backup(path),
    }];
    for account in &opened.accounts {
        let name = match &account.handle {
            Some(handle) => said::named(account.did.as_str(), handle.as_str()),
            None => account.did.clone(),
        };
        let mut parts = vec![said::window_backup_snapshots(account.snapshots)];
        parts.extend(account.newest.map(|at| said::window_backup_newest(time(at))));
        parts.push(said::window_backup_records(account.records));
        parts.push(said::window_account_media(account.media));
        lines.push(format!("  {}", said::look_account(name, list(&parts))));
    }
    lines
}

/// A time as it is unmistakable, in every language: in UTC.
pub(crate) fn time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |time| format!("{time:.0}"))
}

/// A progress bar on a terminal, silence in a pipe.
#[derive(Debug)]
pub(crate) struct Bars {
    bar: ProgressBar,
}

impl Bars {
    pub(crate) fn new() -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    pub(crate) fn show(&self, under_way: &UnderWay) {
        match under_way {
            UnderWay::Run(progress) => self.show_run(progress),
            UnderWay::Check(checking) => self.show_check(checking),
        }
    }

    fn show_check(&self, checking: &Checking) {
        let what = match checking.step {
            CheckStep::Reading => said::window_place_reading(),
            CheckStep::Portion => said::window_place_portion(),
            CheckStep::Mending => said::window_place_mending(),
            CheckStep::Asking => said::window_place_asking(),
            CheckStep::Again => said::window_place_again(),
        };
        let items = (checking.items, checking.items_total);
        self.say(
            what,
            items,
            (checking.bytes, checking.bytes_total),
            checking.seconds_left,
        );
    }

    fn show_run(&self, progress: &Progress) {
        let what = match progress.phase {
            Phase::Asking => said::window_run_asking(),
            Phase::Fetching => said::window_run_fetching(),
            Phase::Verifying => said::window_run_verifying(),
            Phase::Keeping => said::window_run_keeping(),
            Phase::Media => said::window_run_media(),
            Phase::Delivering => said::window_run_delivering(),
        };
        let items = (progress.items, progress.items_total);
        self.say(
            what,
            items,
            (progress.bytes, progress.bytes_total),
            progress.seconds_left,
        );
    }

    /// What is done, how much of it, and how long it takes.
    fn say(&self, what: String, items: (u64, Option<u64>), bytes: (u64, Option<u64>), left: Option<u32>) {
        let mut parts = vec![what];
        parts.extend(so_far(items.0, items.1, number));
        parts.extend(so_far(bytes.0, bytes.1, size));
        parts.extend(left.map(|seconds| said::progress_left(u64::from(seconds))));
        self.bar.set_message(list(&parts));
        self.bar.tick();
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// How much is done of what, when there is anything to say.
fn so_far(done: u64, total: Option<u64>, form: impl Fn(u64) -> String) -> Option<String> {
    match (done, total) {
        (done, Some(total)) => Some(said::window_run_bytes(form(done), form(total))),
        (0, None) => None,
        (done, None) => Some(form(done)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_795_356_000_123;

    #[track_caller]
    fn check(said: &str, expected: &str) {
        assert_eq!(said, expected);
    }

    /// In English, whatever the machine speaks.
    fn in_english() {
        skykeep_engine::speak_to_programs();
    }

    #[test]
    fn why_nothing_runs_is_told_with_its_times() {
        in_english();
        let host = Waiting::Host {
            since: AT,
            until: AT + 3_600_000,
        };
        let expected = "Its host has not answered since 2026-11-22T14:00:00Z. It is asked again 2026-11-22T15:00:00Z.";
        check(&waiting(&host), expected);
        let paused = |until| waiting(&Waiting::Paused { until });
        check(&paused(None), "Paused. No scheduled backup runs until you say so.");
        check(&paused(Some(AT)), "Paused until 2026-11-22T14:00:00Z.");
        let homeless = "There is no place for backups yet. Skykeep goes on as soon as there is one.";
        check(&waiting(&Waiting::Place), homeless);
        let battery = "On battery. Skykeep goes on from 20 %, or when it is plugged in.";
        check(&waiting(&Waiting::Battery { below: 20 }), battery);
    }

    #[test]
    fn what_is_kept_is_told_with_where_and_how_much() {
        in_english();
        let some = Kept {
            state: KeptState::Stale,
            last_checked: Some(AT),
            last_snapshot: Some(AT),
            places: 2,
            this_computer_only: false,
            records: 12_840,
            media: 1,
            media_missing: 0,
            media_pending: 3,
            bytes: 5,
        };
        let stale = "Posts are kept, but not the newest ones. Last checked 2026-11-22T14:00:00Z.";
        check(&kept(&some), &format!("{stale} In 2 places."));
        let amount = "12,840 records, 1 picture or video, 3 pictures and videos still to come";
        check(&holds(&some), amount);
        let here = Kept {
            places: 1,
            this_computer_only: true,
            ..some.clone()
        };
        check(&kept(&here), &format!("{stale} On this computer only."));
        let nowhere = Kept { places: 0, ..here };
        check(
            &kept(&nowhere),
            &format!("{stale} It waits on this computer: no place has it yet."),
        );
        let gone = Kept {
            state: KeptState::Unseen,
            last_checked: None,
            ..some
        };
        check(&kept(&gone), "The backups cannot be found.");
    }

    #[test]
    fn a_check_is_told_with_what_it_found() {
        in_english();
        let damage = damage::tests::damage("damaged", &[]);
        let found = Check {
            place: "home".to_owned(),
            how: CheckHow::ReadAll,
            files: 2,
            sound: 1,
            bytes: 1_234_567,
            damaged: vec![damage],
            mended: vec!["repo/y".to_owned()],
            whole_snapshots: 2,
            touched_snapshots: Vec::new(),
            problems: Vec::new(),
        };
        let expected = [
            "home:",
            "  1 file read and found as it was written (1.2 MB)",
            "  1 file damaged or missing",
            "  2 snapshots can be read back whole",
            "  repo/y was damaged or missing, and is whole again from another copy",
            "  blobs/x is damaged",
        ];
        assert_eq!(lines(&Reply::Checks(vec![found.clone()])), expected);
        let quick = Check {
            how: CheckHow::Names,
            damaged: Vec::new(),
            mended: Vec::new(),
            ..found
        };
        let expected = [
            "home:",
            "  2 files are there, by name and length; manifests and lists were read",
            "  0 files damaged or missing",
            "  2 snapshots can be read back whole",
            "  Not every file was read: `check --read-all` does that",
        ];
        assert_eq!(lines(&Reply::Checks(vec![quick])), expected);
    }

    #[test]
    fn times_are_whole_seconds_of_utc() {
        assert_eq!(time(AT), "2026-11-22T14:00:00Z");
    }
}
