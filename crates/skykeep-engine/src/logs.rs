//! The log that a person can read again: a few small files in the data folder, which only their owner can open.
//!
//! Both faces install [`layer`] beside what they print. A line is written whole; a file that is full is put aside under
//! the next number, and the oldest goes. Promise: no secret is in it. Ours never reach an event ([`crate::keys::Secret`]
//! prints nothing); only events of our own crates are written; and what looks like a secret that somebody else's words
//! brought along is blackened before it is written ([`blacken`]).

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::registry::LookupSpan;

use crate::data::create_private;

/// A file is put aside when it is as long, in bytes.
const LONGEST: u64 = 1 << 20;

/// Files that are kept, the one being written among them.
const FILES: u32 = 3;

/// What stands where a secret was.
const BLACK: &str = "<secret>";

/// Writes what our crates say, from `info` up, to the log of a data folder. The files are made with the first line.
pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(data_folder: &Path) -> impl Layer<S> + Send + Sync + use<S> {
    let writer = LogFile(Arc::new(Mutex::new(Open {
        folder: folder(data_folder),
        file: None,
        longest: LONGEST,
    })));
    tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(writer)
        .with_filter(Targets::new().with_target("skykeep", LevelFilter::INFO))
}

/// The folder of the log, in a data folder.
pub(crate) fn folder(data_folder: &Path) -> PathBuf {
    data_folder.join("logs")
}

/// The last lines of the log, oldest first.
pub(crate) fn recent(data_folder: &Path, lines: usize) -> Vec<String> {
    let folder = folder(data_folder);
    let mut last = VecDeque::new();
    for number in (0..FILES).rev() {
        let bytes = fs::read(path(&folder, number)).unwrap_or_default();
        for line in String::from_utf8_lossy(&bytes).lines() {
            last.push_back(line.to_owned());
            if last.len() > lines {
                last.pop_front();
            }
        }
    }
    last.into()
}

/// The file of this number: 0 is being written.
fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(match number {
        0 => "skykeep.log".to_owned(),
        number => format!("skykeep.{number}.log"),
    })
}

#[derive(Clone)]
struct LogFile(Arc<Mutex<Open>>);

struct Open {
    folder: PathBuf,
    file: Option<(File, u64)>,
    longest: u64,
}

impl Open {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.file.as_ref().is_some_and(|(_, len)| *len >= self.longest) {
            self.file = None;
            for number in (0..FILES - 1).rev() {
                let _ = fs::rename(path(&self.folder, number), path(&self.folder, number + 1));
            }
        }
        if self.file.is_none() {
            create_private(&self.folder)?;
            let mut options = OpenOptions::new();
            options.create(true).append(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(path(&self.folder, 0))?;
            let len = file.metadata()?.len();
            self.file = Some((file, len));
        }
        if let Some((file, len)) = &mut self.file {
            file.write_all(line)?;
            *len += line.len() as u64;
        }
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.clone())
    }
}

/// Takes one line: the layer hands over each event in one piece.
struct Line(LogFile);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = blacken(&String::from_utf8_lossy(bytes));
        let mut open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.append(line.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Blackens what looks like a secret: tokens, what follows `Bearer`, `DPoP` or a name such as `password`, app passwords,
/// invite codes, and what an address carries beside its path.
///
/// Names of accounts and snapshots, hashes and ordinary addresses stay.
pub(crate) fn blacken(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Whether the next word is a secret, whatever it looks like.
    let mut next = false;
    for word in text.split_inclusive(|c: char| c.is_whitespace() || c == '"' || c == '\'') {
        if word.contains("://") && !next {
            let core = word.trim_end_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
            out.push_str(&plain_address(core));
            out.push_str(&word[core.len()..]);
            continue;
        }
        for piece in word.split_inclusive(['=', ',', ';', '(', ')', '{', '}']) {
            let core = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '>');
            let rest = &piece[core.len()..];
            if core.is_empty() {
                out.push_str(piece);
            } else if ["bearer", "dpop", "basic"].contains(&core.to_ascii_lowercase().as_str()) {
                out.push_str(piece);
                next = true;
            } else if next || is_secret(core) {
                out.push_str(BLACK);
                out.push_str(rest);
                next = false;
            } else {
                out.push_str(piece);
                next = announces_secret(core, rest);
            }
        }
    }
    out
}

/// Whether the next word is a secret: `password=`, `Authorization: `.
fn announces_secret(word: &str, rest: &str) -> bool {
    const NAMES: [&str; 9] = [
        "password",
        "passphrase",
        "authorization",
        "token",
        "accessjwt",
        "refreshjwt",
        "invitecode",
        "invite_code",
        "secret",
    ];
    let word = word.to_ascii_lowercase();
    rest.contains(['=', ':']) && NAMES.iter().any(|name| word.ends_with(name))
}

/// Whether a word has the form of a token, an app password, an invite code or an age key.
fn is_secret(word: &str) -> bool {
    let token = word.starts_with("eyJ") && word.matches('.').count() >= 1 && word.len() > 30;
    let key = word.starts_with("AGE-SECRET-KEY-");
    let groups: Vec<&str> = word.split('-').collect();
    let letters = |group: &&str| {
        group
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let app_password = groups.len() == 4 && groups.iter().all(|group| group.len() == 4 && letters(group));
    // The last two groups of an invite code are five letters each, after the host's name.
    let invite = groups.len() >= 3
        && groups
            .iter()
            .rev()
            .take(2)
            .all(|group| group.len() == 5 && letters(group));
    token || key || app_password || invite
}

/// An address without what it carries: user and password, query, fragment.
fn plain_address(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        return word.to_owned();
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (place, carried) = rest.split_at(end);
    let host = place.split('/').next().unwrap_or_default();
    let place = match host.rfind('@') {
        Some(at) => format!("{BLACK}{}", &place[at..]),
        None => place.to_owned(),
    };
    let carried = if carried.is_empty() {
        String::new()
    } else {
        format!("{}{BLACK}", &carried[..1])
    };
    format!("{scheme}://{place}{carried}")
}

#[cfg(test)]
mod tests {
    use tracing::{debug, error, info, warn};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::keys::Secret;

    #[test]
    fn secrets_never_reach_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let subscriber = tracing_subscriber::registry().with(layer(dir.path()));
        const JWT: &str = "eyJhbGciOiJFUzI1NksifQ.eyJzdWIiOiJkaWQ6cGxjOmFiYyJ9.c2lnbmF0dXJl";
        tracing::subscriber::with_default(subscriber, || {
            let secret = Secret::new("hunter2 correct horse".to_owned());
            info!(?secret, "opened");
            warn!("the host said: Authorization: Bearer {JWT}");
            warn!(header = "Authorization: DPoP opaque123456", "refused");
            error!(
                error = format!("passphrase=swordfish at https://u:pw1234@pds.test/x?code=c0de77#frag"),
                "no"
            );
            info!("app password abcd-efgh-ijkl-mnop, invite bsky-social-abcde-fgh12 is used");
            info!(
                token = JWT,
                did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
                blobs = 12,
                "delivered"
            );
            debug!("too much detail");
            info!(target: "hyper::client", "somebody else speaks of sesame");
        });
        let text = fs::read_to_string(dir.path().join("logs/skykeep.log")).unwrap();
        let secrets = [
            "hunter2",
            "horse",
            "eyJ",
            "c2lnbmF0",
            "opaque123456",
            "swordfish",
            "pw1234",
            "c0de77",
            "frag",
            "abcd-efgh",
            "fgh12",
            "too much detail",
            "sesame",
        ];
        for secret in secrets {
            assert!(!text.contains(secret), "{secret:?} is in the log: {text}");
        }
        for plain in [
            "delivered",
            "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
            "blobs=12",
            "pds.test/x",
            "Authorization",
        ] {
            assert!(text.contains(plain), "{plain:?} is not in the log: {text}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(dir.path().join("logs/skykeep.log")), 0o600);
            assert_eq!(mode(dir.path().join("logs")), 0o700);
        }
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        for text in [
            "2026-11-22T14:00:00Z  INFO run{did=did:plc:ewvi7nxzyoun6zhxrhs64oiz}: skykeep_engine::backup: unchanged rev=3mabcdefghijk",
            "20261122t140000z.abcdefgh.000012.abcdefghijklmnopqrstuvwxyz.json",
            "catalogue \"/home/alice/.local/share/app.skykeep.desktop/catalogue.db\" (3 files, 1.2 GB)\n",
            "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454 at https://pds.example.org:8443/xrpc/x",
            "<secret> key=<secret>",
        ] {
            assert_eq!(blacken(text), text);
        }
    }

    #[test]
    fn full_files_are_put_aside_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut open = Open {
            folder: folder(dir.path()),
            file: None,
            longest: 100,
        };
        for n in 0..50 {
            open.append(format!("line {n:04}\n").as_bytes()).unwrap();
        }
        let mut names: Vec<String> = fs::read_dir(folder(dir.path()))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["skykeep.1.log", "skykeep.2.log", "skykeep.log"]);
        assert_eq!(recent(dir.path(), 2), ["line 0048", "line 0049"]);
        // Ten lines a file: what is left are the last thirty.
        assert_eq!(recent(dir.path(), 1_000).first().map(String::as_str), Some("line 0020"));
        // A new start goes on in the same file.
        drop(open);
        let mut again = Open {
            folder: folder(dir.path()),
            file: None,
            longest: 100,
        };
        again.append(b"after\n").unwrap();
        assert_eq!(recent(dir.path(), 2), ["line 0049", "after"]);
    }
}
