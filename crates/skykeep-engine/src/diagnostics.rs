//! What a person can look at, and send to somebody who helps.
//!
//! The report is text that they read before they share it. No secret is in it, and no name of their home folder.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;

use crate::api::{Account, Millis, Place, Run, RunEnd, Standing, Stored};
use crate::words::words;
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
        let (accounts, places) = (self.accounts().await?, self.places().await?);
        let runs = self.runs(None, RUNS).await?;
        let data = self.inner.data.root().to_owned();
        let (log, system) = blocking(move || Ok((logs::recent(&data, LINES), system()))).await?;
        let facts = Facts {
            now: Timestamp::now(),
            system,
            language: self.preferences().language,
            accounts,
            places,
            runs,
            log,
        };
        let home = dirs::home_dir();
        Ok(shareable(&facts.text(), home.as_deref()))
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

/// The operating system, as it calls itself.
fn system() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    let parts = [
        name.map(|name| name.trim_matches('"').to_owned()).unwrap_or_default(),
        format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        desktop,
    ];
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Everything that a report says.
struct Facts {
    now: Timestamp,
    system: String,
    language: Option<String>,
    accounts: Vec<Account>,
    places: Vec<Place>,
    runs: Vec<Run>,
    log: Vec<String>,
}

impl Facts {
    fn text(&self) -> String {
        let mut out = String::new();
        let mut line = |text: &str| out.push_str(&format!("{text}\n"));
        line(&say("title", &[]));
        line("");
        line(&format!("Skykeep {}", env!("CARGO_PKG_VERSION")));
        line(&self.system);
        line(&say(
            "language",
            &[("language", self.language.clone().unwrap_or_else(|| say("system", &[])))],
        ));
        line(&say("made", &[("time", time(self.now.as_millisecond()))]));
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
        let seconds = (run.ended - run.began).max(0) / 1000;
        let mut text = format!("{}  {name}: {} ({seconds} s)", time(run.began), say(how, &[]));
        if let Some(problem) = why {
            let _ = write!(text, " [{}] {}", problem.code, problem.happened);
            if let Some(detail) = &problem.detail {
                let _ = write!(text, " {detail}");
            }
        }
        text
    }
}

fn of_account(account: &Account) -> String {
    let kept = &account.kept;
    let name = account.handle.clone().unwrap_or_else(|| say("no_handle", &[]));
    let host = account.host.clone().unwrap_or_else(|| say("unknown", &[]));
    let mut text = format!("- {name}, {}, {host}\n", account.did);
    let at = |millis: Option<Millis>| millis.map_or_else(|| say("never", &[]), time);
    let values = [
        ("state", format!("{:?}", kept.state)),
        ("checked", at(kept.last_checked)),
        ("taken", at(kept.last_snapshot)),
        ("records", kept.records.to_string()),
        ("media", kept.media.to_string()),
        ("missing", kept.media_missing.to_string()),
        ("pending", kept.media_pending.to_string()),
        ("places", kept.places.to_string()),
    ];
    let _ = write!(text, "  {}", say("kept_as", &values));
    for problem in &account.problems {
        let detail = problem.detail.as_deref().unwrap_or_default();
        let _ = write!(
            text,
            "\n  {:?} [{}] {} {detail}",
            problem.severity, problem.code, problem.happened
        );
    }
    text
}

fn of_place(place: &Place) -> String {
    let kind = match (place.removable, place.this_computer) {
        (true, _) => "drive",
        (false, true) => "this_computer",
        (false, false) => "elsewhere",
    };
    let free = place
        .free
        .map_or_else(|| say("unknown", &[]), |bytes| format!("{:.1} GB", bytes as f64 / 1e9));
    let values = [
        ("kind", say(kind, &[])),
        ("state", format!("{:?}", place.state)),
        ("free", free),
    ];
    format!("- {}, {}\n  {}", place.name, place.path, say("place", &values))
}

fn heading(key: &str) -> String {
    let title = say(key, &[]);
    format!("\n{title}\n{}", "-".repeat(title.chars().count()))
}

fn say(key: &str, values: &[(&str, String)]) -> String {
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
    use crate::api::{Kept, KeptState, PlaceState, Problem, Readiness, Severity, Whose};

    fn problem(detail: &str) -> Problem {
        Problem {
            code: "host_error".to_owned(),
            severity: Severity::NeedsYou,
            happened: "The server of pds.test answered with an error.".to_owned(),
            means: String::new(),
            todo: String::new(),
            actions: Vec::new(),
            detail: Some(detail.to_owned()),
        }
    }

    #[test]
    fn a_report_tells_everything_that_helps_and_no_secret() {
        let did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".to_owned();
        let account = Account {
            did: did.clone(),
            handle: Some("alice.test".to_owned()),
            display_name: Some("Alice".to_owned()),
            avatar: None,
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
            path: "/home/alice/backups/Skykeep".to_owned(),
            state: PlaceState::Absent,
            this_computer: true,
            last_seen: None,
            last_checked: None,
            free: Some(5_300_000_000),
            removable: false,
            busy: false,
            behind: 0,
            accounts: 1,
        };
        let run = |end| Run {
            did: did.clone(),
            began: 1_795_356_000_000,
            ended: 1_795_356_012_000,
            end,
        };
        let facts = Facts {
            now: Timestamp::from_second(1_795_356_100).unwrap(),
            system: "Debian, linux x86_64".to_owned(),
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
        let text = shareable(&facts.text(), Some(Path::new("/home/alice")));
        for part in [
            env!("CARGO_PKG_VERSION"),
            "Debian, linux x86_64",
            "pt-BR",
            "alice.test",
            &did,
            "pds.test",
            "Stale",
            "[host_error]",
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
