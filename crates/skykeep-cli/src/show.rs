//! Replies as words for a person, or as the documents that docs/cli.md describes.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::{Value, json};
use skykeep_engine::api::{
    Account, Check, Kept, KeptState, Opened, OpenedKind, Phase, Place, PlaceState, Problem, Progress, RunEnd, Snapshot,
    Waiting,
};
use skykeep_engine::{Ended, Exported, Imported, Reply};

use crate::output;

/// Prints a reply.
pub(crate) fn reply(reply: &Reply, json: bool) {
    if json {
        output::document(&document(reply));
        if let Reply::Ended(ends) = reply {
            reasons(ends);
        }
        return;
    }
    match reply {
        Reply::Done => output::text("Done."),
        Reply::Account(account) => output::text(&format!("Keeping {}.", named(account))),
        Reply::Accounts(accounts) if accounts.is_empty() => output::text("No account is kept yet."),
        Reply::Accounts(accounts) => accounts.iter().for_each(|account| output::text(&status(account))),
        Reply::Place(added) => output::text(&format!("{} is a place now ({}).", added.path, added.id)),
        Reply::Places(places) if places.is_empty() => output::text("No place is set up yet."),
        Reply::Places(places) => places.iter().for_each(|p| output::text(&place(p))),
        Reply::Ended(ends) => {
            ends.iter()
                .for_each(|ended| output::text(&format!("{}  {}", ended.account, end(&ended.end))));
            reasons(ends);
        }
        Reply::Snapshots(snapshots) => snapshots.iter().for_each(|s| output::text(&snapshot(s))),
        Reply::Comparison(changes) => {
            for (sign, paths) in [('+', &changes.added), ('~', &changes.changed), ('-', &changes.removed)] {
                paths.iter().for_each(|path| output::text(&format!("{sign} {path}")));
            }
            for (sign, cids) in [('+', &changes.media_added), ('-', &changes.media_removed)] {
                cids.iter().for_each(|cid| output::text(&format!("{sign} blob {cid}")));
            }
        }
        Reply::Checks(checks) => checks.iter().for_each(|c| output::text(&check(c))),
        Reply::Exported(exported) => output::text(&export(exported)),
        Reply::Imported(imported) => output::text(&import(imported)),
        Reply::Opened(found) => opened(found),
        Reply::Report(report) => output::text(report.text().trim_end()),
        Reply::Runs(runs) => {
            runs.iter()
                .for_each(|run| output::text(&format!("{}  {}  {}", time(run.began), run.did, end(&run.end))));
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
    format!("{}\n{}\n{}{detail}", problem.happened(), problem.means(), problem.todo())
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
    account
        .handle
        .as_ref()
        .map_or_else(|| account.did.clone(), |handle| format!("{handle} ({})", account.did))
}

fn status(account: &Account) -> String {
    let mut lines = vec![named(account), format!("  {}", kept(&account.kept))];
    match (&account.waiting, account.next_due) {
        (Some(reason), _) => lines.push(format!("  {}", waiting(reason))),
        (None, Some(due)) => lines.push(format!("  next backup {}", time(due))),
        (None, None) => {}
    }
    for problem in &account.problems {
        lines.push(format!("  ! {} {}", problem.happened(), problem.todo()));
    }
    lines.join("\n")
}

fn waiting(reason: &Waiting) -> String {
    match reason {
        Waiting::Host { since, until } => format!(
            "Its host has not answered since {}. It is asked again {}.",
            time(*since),
            time(*until)
        ),
        Waiting::Network => "This computer is offline. Backups go on when the network is back.".to_owned(),
        Waiting::Place => "No place is set up yet.".to_owned(),
        Waiting::Paused { until: None } => "Paused.".to_owned(),
        Waiting::Paused { until: Some(until) } => format!("Paused until {}.", time(*until)),
        Waiting::Battery { below } => format!("The battery is below {below} %. Backups go on when it is not."),
        Waiting::Metered => "This connection is paid by volume. Backups go on with another one.".to_owned(),
        Waiting::Quiet { until } => format!("Quiet hours. Backups go on {}.", time(*until)),
    }
}

fn kept(kept: &Kept) -> String {
    let checked = kept
        .last_checked
        .map(|at| format!(" Last checked {}.", time(at)))
        .unwrap_or_default();
    let places = match (kept.places, kept.this_computer_only) {
        (0, _) => " It waits on this computer: no place has it yet.".to_owned(),
        (_, true) => " On this computer only.".to_owned(),
        (1, false) => " In 1 place.".to_owned(),
        (n, false) => format!(" In {n} places."),
    };
    let media = match (kept.media_missing, kept.media_pending) {
        (0, 0) => format!(", {} media", kept.media),
        (missing, 0) => format!(", {} media, {missing} missing", kept.media),
        (_, pending) => format!(", {} media, {pending} still to come", kept.media),
    };
    match kept.state {
        KeptState::Nothing => "Nothing is kept yet.".to_owned(),
        KeptState::Stale => format!(
            "Kept, but not the newest: {} records{media}.{checked}{places}",
            kept.records
        ),
        KeptState::PostsOnly | KeptState::Complete => {
            format!("Your posts are kept: {} records{media}.{checked}{places}", kept.records)
        }
        KeptState::MediaUnseen => format!(
            "Your posts are kept, but your pictures and videos cannot be found: {} records{media}.{checked}",
            kept.records
        ),
        KeptState::Unseen => format!(
            "Your backups cannot be found: {} records{media}.{checked}",
            kept.records
        ),
    }
}

fn place(place: &Place) -> String {
    let state = match place.state {
        PlaceState::Ready => "ready",
        PlaceState::Absent => "not connected",
        PlaceState::ReadOnly => "read-only",
        PlaceState::Other => "something else is there",
        PlaceState::Full => "full",
    };
    let free = place
        .free
        .map(|free| format!(", {} free", size(free)))
        .unwrap_or_default();
    let checked = place
        .last_checked
        .map(|at| format!(", checked {}", time(at)))
        .unwrap_or_default();
    format!("{}  {}  {state}{free}{checked}  ({})", place.name, place.path, place.id)
}

fn snapshot(snapshot: &Snapshot) -> String {
    let mut notes = Vec::new();
    if snapshot.unchanged {
        notes.push("unchanged".to_owned());
    }
    if snapshot.imported {
        notes.push("imported".to_owned());
    }
    if snapshot.pinned {
        notes.push("pinned".to_owned());
    }
    if !snapshot.media_missing.is_empty() {
        notes.push(format!("{} media missing", snapshot.media_missing.len()));
    }
    if snapshot.media_pending > 0 {
        notes.push(format!("{} media still to come", snapshot.media_pending));
    }
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!("  [{}]", notes.join(", "))
    };
    let counts = format!(
        "{} records, {} media, {}",
        snapshot.records,
        snapshot.media,
        size(snapshot.bytes)
    );
    format!("{}  {}  {counts}{notes}", time(snapshot.taken), snapshot.id)
}

fn end(end: &RunEnd) -> &'static str {
    match end {
        RunEnd::Completed { changed: true } => "backed up",
        RunEnd::Completed { changed: false } => "checked, nothing new",
        RunEnd::Skipped { .. } => "skipped",
        RunEnd::Stopped => "stopped",
        RunEnd::Failed { .. } => "failed",
    }
}

fn check(check: &Check) -> String {
    let mut lines = vec![format!(
        "{}: {} files sound ({}), {} damaged or missing, {} snapshots whole",
        check.place,
        check.sound,
        size(check.bytes),
        check.damaged.len(),
        check.whole_snapshots,
    )];
    let mended = check.mended.iter();
    lines.extend(mended.map(|name| format!("  {name} was damaged or missing, and is whole again from another copy")));
    lines.extend(check.damaged.iter().map(|damage| {
        format!(
            "  {} {}, needed by {}",
            damage.name,
            damage.state,
            damage.snapshots.join(" ")
        )
    }));
    lines.join("\n")
}

fn export(exported: &Exported) -> String {
    let folder = exported.folder.display();
    let missing = match exported.missing.len() {
        0 => String::new(),
        n => format!(", {n} missing: {}", exported.missing.join(" ")),
    };
    format!(
        "{folder}: {} records, {} blobs{missing}",
        exported.records, exported.blobs
    )
}

fn import(imported: &Imported) -> String {
    let lines: Vec<String> = imported
        .snapshots
        .iter()
        .map(|s| {
            let (file, missing) = (s.file.display(), s.missing.len());
            format!(
                "{}  {} records, {} media, {missing} missing, from {file}",
                s.id, s.records, s.media
            )
        })
        .collect();
    lines.join("\n")
}

/// What was found, and to standard error what is wrong with it.
fn opened(opened: &Opened) {
    let kind = match (opened.kind, opened.known) {
        (OpenedKind::Vault, true) => "a place of yours",
        (OpenedKind::Vault, false) => "a vault: `rebuild --from` takes it over",
        (OpenedKind::Backup, _) => "another tool's backup: `import` keeps it",
    };
    output::text(&format!("{}: {kind}", opened.path));
    for account in &opened.accounts {
        let name = account
            .handle
            .as_ref()
            .map_or_else(String::new, |handle| format!(" ({handle})"));
        let newest = account
            .newest
            .map_or_else(String::new, |at| format!(", newest {}", time(at)));
        output::text(&format!(
            "  {}{name}: {} snapshots{newest}, {} records, {} media",
            account.did, account.snapshots, account.records, account.media
        ));
    }
    opened.problems.iter().for_each(|problem| output::note(&told(problem)));
}

fn time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |time| format!("{time:.0}"))
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
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

    pub(crate) fn show(&self, progress: &Progress) {
        let phase = match progress.phase {
            Phase::Asking => "asking the host what is new",
            Phase::Fetching => "fetching posts",
            Phase::Verifying => "checking every piece",
            Phase::Keeping => "writing what was checked",
            Phase::Media => "fetching pictures and videos",
            Phase::Delivering => "copying to the places",
        };
        let items = match (progress.items, progress.items_total) {
            (_, Some(total)) => format!(", {} of {total}", progress.items),
            (0, None) => String::new(),
            (items, None) => format!(", {items}"),
        };
        let bytes = match (progress.bytes, progress.bytes_total) {
            (bytes, Some(total)) => format!(", {} of {}", size(bytes), size(total)),
            (0, None) => String::new(),
            (bytes, None) => format!(", {}", size(bytes)),
        };
        let left = progress
            .seconds_left
            .map(|seconds| format!(", about {seconds} s left"))
            .unwrap_or_default();
        self.bar.set_message(format!("{phase}{items}{bytes}{left}"));
        self.bar.tick();
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_234_567, "1.2 MB"),
            (5_000_000_000, "5.0 GB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn a_host_that_is_away_is_told_with_its_times() {
        let reason = Waiting::Host {
            since: 1_795_356_000_123,
            until: 1_795_359_600_000,
        };
        assert_eq!(
            waiting(&reason),
            "Its host has not answered since 2026-11-22T14:00:00Z. It is asked again 2026-11-22T15:00:00Z."
        );
    }

    #[test]
    fn a_pause_says_when_it_ends() {
        let paused = |until| waiting(&Waiting::Paused { until });
        assert_eq!(paused(None), "Paused.");
        assert_eq!(paused(Some(1_795_356_000_123)), "Paused until 2026-11-22T14:00:00Z.");
    }

    #[test]
    fn times_are_whole_seconds_of_utc() {
        assert_eq!(time(1_795_356_000_123), "2026-11-22T14:00:00Z");
    }
}
