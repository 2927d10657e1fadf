//! What a person can look at, and send to somebody who helps.
//!
//! The report is text that they read before they share it. No secret is in it, and no name of their home folder.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::{Account, KeptState, Millis, Place, PlaceState, Problem, Run, RunEnd, Severity, Standing, Stored};
use crate::words::{Value, list, size as bytes_in_words, words};
use crate::{Engine, Error, blocking, logs};

/// Runs that a report tells of.
const RUNS: usize = 50;

/// Lines of the log that it ends with.
const LINES: usize = 500;

impl Engine {
    /// Every problem that stands, most severe first.
    pub async fn standing(&self) -> Result<Vec<Standing>, Error> {
        let all = self.inner.ask(|catalogue| catalogue.problems()).await?;
        let standing = all.into_iter().map(|standing| Standing {
            about: standing.subject.into(),
            since: standing.since.as_millisecond(),
            problem: standing.problem,
        });
        Ok(standing.collect())
    }

    /// How things stand and what happened lately, as text that a person reads before they share it. No secret is in it.
    pub async fn report(&self) -> Result<String, Error> {
        Ok(self.facts().await?.text())
    }

    /// What a report is made of.
    pub(crate) async fn facts(&self) -> Result<Report, Error> {
        let (accounts, places) = (self.accounts().await?, self.places().await?);
        let runs = self.runs(None, RUNS).await?;
        let data = self.inner.data.root().to_owned();
        let (log, system) = blocking(move || Ok((logs::recent(&data, LINES), system()))).await?;
        Ok(Report {
            now: Timestamp::now().as_millisecond(),
            system,
            language: self.preferences().language,
            accounts,
            places,
            runs,
            log,
        })
    }

    /// Saves a report where a person chose, all of it or nothing. Errors: `Data`, also when a folder is there.
    pub async fn save_report(&self, path: &Path, text: &str) -> Result<(), Error> {
        let (path, text) = (path.to_owned(), text.to_owned());
        blocking(move || save(&path, text.as_bytes()).map_err(Error::data(&path))).await
    }

    /// What Skykeep stores on this computer, and where.
    pub async fn stored(&self) -> Result<Vec<Stored>, Error> {
        let data = &self.inner.data;
        let (settings, catalogue, staging) = (data.settings(), data.catalogue(), data.staging());
        let (logs, keys) = (logs::folder(data.root()), data.root().join("keys"));
        blocking(move || {
            let stored = |what: &str, path: &Path, bytes| Stored {
                what: what.to_owned(),
                path: path.display().to_string(),
                bytes: Some(bytes),
            };
            let beside = ["db", "db-wal", "db-shm"].map(|ending| size(&catalogue.with_extension(ending)));
            let mut all = vec![
                stored("settings", &settings, size(&settings)),
                stored("catalogue", &catalogue, beside.iter().sum()),
                stored("staging", &staging, size(&staging)),
                stored("logs", &logs, size(&logs)),
            ];
            all.extend(match fs::read_to_string(keys.join("folder")) {
                Ok(id) => Some(Stored {
                    what: "keychain".to_owned(),
                    path: crate::keys::entry(id.trim()),
                    bytes: None,
                }),
                Err(_) if keys.is_dir() => Some(stored("keychain", &keys, size(&keys))),
                // No keychain has answered yet.
                Err(_) => None,
            });
            Ok(all)
        })
        .await
    }
}

/// Bytes of a file, or of all files in a folder. What cannot be read counts nothing, links are not followed.
fn size(path: &Path) -> u64 {
    let mut left = vec![path.to_owned()];
    let mut bytes = 0;
    while let Some(path) = left.pop() {
        match fs::symlink_metadata(&path) {
            Ok(kind) if kind.is_dir() => {
                left.extend(
                    fs::read_dir(&path)
                        .into_iter()
                        .flatten()
                        .flatten()
                        .map(|entry| entry.path()),
                );
            }
            Ok(kind) if kind.is_file() => bytes += kind.len(),
            _ => {}
        }
    }
    bytes
}

fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let part = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let write = || {
        let mut file = fs::File::create_new(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().inspect_err(|error| {
        if error.kind() != io::ErrorKind::AlreadyExists {
            let _ = fs::remove_file(&part);
        }
    })
}

/// The operating system, as it calls itself: its name, kind and desktop.
fn system() -> Vec<String> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    let parts = [
        name.map(|name| name.trim_matches('"').to_owned()).unwrap_or_default(),
        format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        desktop,
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

/// Everything that a report says. It is put into words where it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    now: Millis,
    system: Vec<String>,
    language: Option<String>,
    accounts: Vec<Account>,
    places: Vec<Place>,
    runs: Vec<Run>,
    log: Vec<String>,
}

impl Report {
    /// The text, in the language that is spoken now: without what looks like a secret, and without the name of the home
    /// folder of whoever it is made for.
    pub fn text(&self) -> String {
        shareable(&self.in_words(), dirs::home_dir().as_deref())
    }

    fn in_words(&self) -> String {
        let mut out = String::new();
        let mut line = |text: &str| out.push_str(&format!("{text}\n"));
        line(&say("title", &[]));
        line("");
        line(&format!("Skykeep {}", env!("CARGO_PKG_VERSION")));
        line(&list(&self.system));
        let language = self.language.clone().unwrap_or_else(|| say("system", &[]));
        line(&say("language", &[("language", language.into())]));
        line(&say("made", &[("time", time(self.now).into())]));
        line(&heading("accounts"));
        for account in &self.accounts {
            line(&of_account(account));
        }
        line(&heading("places"));
        for place in &self.places {
            line(&of_place(place));
        }
        line(&heading("runs"));
        for run in &self.runs {
            line(&self.of_run(run));
        }
        line(&heading("log"));
        self.log.iter().for_each(|text| line(text));
        out
    }

    fn of_run(&self, run: &Run) -> String {
        let account = self.accounts.iter().find(|account| account.did == run.did);
        let name = account
            .and_then(|account| account.handle.clone())
            .unwrap_or_else(|| run.did.clone());
        let (how, why) = match &run.end {
            RunEnd::Completed { changed: true } => ("kept", None),
            RunEnd::Completed { changed: false } => ("unchanged", None),
            RunEnd::Skipped { why } => ("skipped", Some(why)),
            RunEnd::Stopped => ("stopped", None),
            RunEnd::Failed { problem } => ("failed", Some(problem)),
        };
        let seconds = u64::try_from((run.ended - run.began).max(0) / 1000).unwrap_or(0);
        let values = [
            ("account", name.into()),
            ("how", say(how, &[]).into()),
            ("seconds", seconds.into()),
        ];
        let mut text = format!("{}  {}", time(run.began), say("run", &values));
        if let Some(problem) = why {
            let _ = write!(text, " {}", coded(problem));
        }
        text
    }
}

fn of_account(account: &Account) -> String {
    let kept = &account.kept;
    let name = account.handle.clone().unwrap_or_else(|| say("no_handle", &[]));
    let host = account.host.clone().unwrap_or_else(|| say("unknown", &[]));
    let mut text = format!("- {}\n", list(&[name, account.did.clone(), host]));
    let at = |millis: Option<Millis>| millis.map_or_else(|| say("never", &[]), time);
    let (state, said) = match kept.state {
        KeptState::Nothing => ("nothing", "kept_nothing"),
        KeptState::PostsOnly => ("posts_only", "kept_posts_only"),
        KeptState::Complete => ("complete", "kept_complete"),
        KeptState::Stale => ("stale", "kept_stale"),
        KeptState::MediaUnseen => ("media_unseen", "kept_media_unseen"),
        KeptState::Unseen => ("unseen", "kept_unseen"),
    };
    let values = [
        ("state", named(said, state).into()),
        ("checked", at(kept.last_checked).into()),
        ("taken", at(kept.last_snapshot).into()),
        ("records", kept.records.into()),
        ("media", kept.media.into()),
        ("missing", kept.media_missing.into()),
        ("pending", kept.media_pending.into()),
        ("places", u64::from(kept.places).into()),
    ];
    let _ = write!(text, "  {}", say("kept_as", &values));
    for problem in &account.problems {
        let severity = match problem.severity {
            Severity::Note => "note",
            Severity::NeedsYou => "needs_you",
            Severity::Danger => "danger",
        };
        let values = [
            ("severity", words(&["window", "problem"], severity, &[]).into()),
            ("problem", coded(problem).into()),
        ];
        let _ = write!(text, "\n  {}", say("problem", &values));
    }
    text
}

fn of_place(place: &Place) -> String {
    let kind = match (place.removable, place.this_computer) {
        (true, _) => "drive",
        (false, true) => "this_computer",
        (false, false) => "elsewhere",
    };
    let (state, said) = match place.state {
        PlaceState::Ready => ("ready", "place_ready"),
        PlaceState::Absent => ("absent", "place_absent"),
        PlaceState::ReadOnly => ("read_only", "place_read_only"),
        PlaceState::Other => ("other", "place_other"),
        PlaceState::Full => ("full", "place_full"),
        PlaceState::Refused => ("refused", "place_refused"),
    };
    let free = place.free.map_or_else(|| say("unknown", &[]), bytes_in_words);
    let values = [
        ("kind", say(kind, &[]).into()),
        ("state", named(said, state).into()),
        ("free", free.into()),
    ];
    let name = list(&[place.name.clone(), place.path.clone()]);
    format!("- {name}\n  {}", say("place", &values))
}

/// A state in words, and its name in every language, for somebody who helps.
fn named(said: &str, name: &str) -> String {
    format!("{} [{name}]", say(said, &[]))
}

/// A problem with its name in every language, and what a server said.
fn coded(problem: &Problem) -> String {
    let detail = problem.detail.clone().unwrap_or_default();
    let text = format!("[{}] {} {detail}", problem.code, problem.happened());
    text.trim_end().to_owned()
}

fn heading(key: &str) -> String {
    let title = say(key, &[]);
    format!("\n{title}\n{}", "-".repeat(title.chars().count()))
}

fn say(key: &str, values: &[(&str, Value)]) -> String {
    words(&["report"], key, values)
}

/// A time as it is unmistakable: in UTC.
fn time(millis: Millis) -> String {
    let time = Timestamp::from_millisecond(millis).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Without what looks like a secret, and without the name of whoever's home folder it is.
fn shareable(text: &str, home: Option<&Path>) -> String {
    let text = logs::blacken(text);
    match home.map(|home| home.display().to_string()) {
        Some(home) if home.len() > 1 => text.replace(home.trim_end_matches('/'), "~"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Kept, PlaceKind, PlaceRole, Readiness, Whose};

    fn problem(detail: &str) -> Problem {
        Problem::new("host_error", Severity::NeedsYou, &[])
            .text("host", "pds.test")
            .detail(detail)
    }

    #[test]
    fn a_report_tells_everything_that_helps_and_no_secret() {
        let did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".to_owned();
        let account = Account {
            did: did.clone(),
            handle: Some("alice.test".to_owned()),
            display_name: Some("Alice".to_owned()),
            avatar: None,
            from_backup: false,
            host: Some("pds.test".to_owned()),
            whose: Whose::Mine,
            added: 0,
            kept: Kept {
                state: KeptState::Stale,
                records: 12,
                ..Kept::nothing()
            },
            readiness: Readiness::default(),
            run: None,
            next_due: None,
            waiting: None,
            problems: vec![problem("asked https://pds.test/xrpc/x?token=abcdef123")],
        };
        let place = Place {
            id: "v".to_owned(),
            name: "Drive".to_owned(),
            kind: PlaceKind::Folder,
            path: "/home/alice/backups/Skykeep".to_owned(),
            state: PlaceState::Absent,
            this_computer: true,
            last_seen: None,
            last_checked: None,
            free: Some(5_300_000_000),
            used: None,
            filling: false,
            removable: false,
            busy: false,
            behind: 0,
            behind_since: None,
            accounts: 1,
            last_listed: None,
            only_here: 0,
            role: PlaceRole::Active,
            read_whole: None,
            reading: None,
            damaged: Vec::new(),
        };
        let run = |end| Run {
            did: did.clone(),
            began: 1_795_356_000_000,
            ended: 1_795_356_012_000,
            end,
        };
        let report = Report {
            now: 1_795_356_100_000,
            system: vec!["Debian".to_owned(), "linux x86_64".to_owned()],
            language: Some("pt-BR".to_owned()),
            accounts: vec![account],
            places: vec![place],
            runs: vec![
                run(RunEnd::Failed {
                    problem: problem("Authorization: Bearer opaque42"),
                }),
                run(RunEnd::Completed { changed: true }),
            ],
            log: vec!["INFO delivered blobs=3 password=letmein9 to /home/alice/x".to_owned()],
        };
        let text = shareable(&report.in_words(), Some(Path::new("/home/alice")));
        for part in [
            env!("CARGO_PKG_VERSION"),
            "Debian, linux x86_64",
            "pt-BR",
            "alice.test",
            &did,
            "pds.test",
            "[stale], checked never",
            "not connected [absent]",
            "Needs you: [host_error] pds.test gave an answer that cannot be used. asked",
            "~/backups/Skykeep",
            "5.3 GB",
            "2026-11-22 14:00:00 UTC  alice.test",
            "(12 s)",
            "delivered blobs=3",
            "to ~/x",
        ] {
            assert!(text.contains(part), "{part:?} is not said:\n{text}");
        }
        for part in ["abcdef123", "opaque42", "letmein9", "/home/alice", "report.", "{", "}"] {
            assert!(!text.contains(part), "{part:?} is said:\n{text}");
        }
    }

    #[test]
    fn a_report_is_saved_whole_and_never_over_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.txt");
        save(&path, b"first").unwrap();
        save(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(save(dir.path(), b"x").unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert!(save(&dir.path().join("nowhere/report.txt"), b"x").is_err());
        // Nothing half written is left.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn sizes_are_those_of_all_files_below() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/x"), [0; 10]).unwrap();
        fs::write(dir.path().join("y"), [0; 5]).unwrap();
        assert_eq!(
            (
                size(dir.path()),
                size(&dir.path().join("y")),
                size(&dir.path().join("no"))
            ),
            (15, 5, 0)
        );
    }
}
