//! The section that sends a vault to a folder and to a bucket, beside `rclone sync` of the same files.
//!
//! A real SeaweedFS takes both, each under a name of its own; a relay before it counts. What rclone does not do and we
//! do, in the same time: hash every byte on its way, look at what the place says it has got, sync what lies on a disk, and
//! write the manifest after everything that it names.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, str};

use skykeep_benches::contestant::Said;
use skykeep_tests::s3::{self, Kind, S3Server};

use crate::processes;
use crate::race::median;
use crate::relay::{Relay, Traffic};
use crate::table::{Goal, kibibytes, mebibytes, milliseconds, print};
use crate::{Bench, Outcome};

/// Who sends, and where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    OurFolder,
    RcloneFolder,
    OurBucket,
    RcloneBucket,
}

const SENDERS: [(Sender, &str); 4] = [
    (Sender::OurFolder, "to a folder, skykeep"),
    (Sender::RcloneFolder, "to a folder, rclone"),
    (Sender::OurBucket, "to a bucket, skykeep"),
    (Sender::RcloneBucket, "to a bucket, rclone"),
];

/// What happened since the last delivery.
const HOURS: [&str; 3] = ["first backup", "an hour without news", "an hour with three posts"];

/// What one delivery cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    seconds: f64,
    traffic: Traffic,
    peak: u64,
}

/// Prints a first backup, an hour without news and one with three posts, for each sender.
pub(crate) fn deliver(bench: &mut Bench) -> Outcome<()> {
    let quick = bench.sizes.len() < 3;
    let (pictures, rounds) = if quick { (200, 3) } else { (2_000, 3) };
    let stage = Stage::set(bench, pictures)?;
    // By hour, then by sender: a cost for each round.
    let mut costs = vec![vec![Vec::new(); SENDERS.len()]; HOURS.len()];
    let mut bytes = 0;
    for round in 0..rounds {
        let vault = stage.vault(round)?;
        bytes = size(&vault)?;
        for (hour, costs) in costs.iter_mut().enumerate() {
            if hour == 2 {
                stage.ours(&["post", utf8(&vault)?, &pictures.to_string(), "1"])?;
            }
            for turn in 0..SENDERS.len() {
                let at = (round + turn) % SENDERS.len();
                costs[at].push(stage.send(SENDERS[at].0, &vault, round)?);
            }
        }
        stage.clear(round)?;
    }
    let mut rows = Vec::new();
    for (hour, costs) in HOURS.iter().zip(&costs) {
        for ((sender, name), taken) in SENDERS.iter().zip(costs) {
            let rival = match sender {
                Sender::OurFolder | Sender::RcloneFolder => &costs[1],
                Sender::OurBucket | Sender::RcloneBucket => &costs[3],
            };
            let ratio = ratio(taken, rival);
            rows.push(row(&format!("{hour}, {name}"), taken, bytes, *hour == HOURS[0], ratio));
            if *sender == Sender::OurBucket {
                let what = format!("{hour} to a bucket / rclone");
                bench.goals.push(Goal::aimed_for(1.0, "", what, ratio));
            }
        }
    }
    let title = format!(
        "Deliver an account with {pictures} pictures, {} (medians)",
        mebibytes(bytes as f64)
    );
    let head = [
        "what", "time", "MB/s", "requests", "received", "sent", "memory", "/ rclone",
    ];
    print(&title, &head, &rows);
    Ok(())
}

fn row(name: &str, costs: &[Cost], bytes: u64, whole: bool, ratio: f64) -> Vec<String> {
    let of = |figure: fn(&Cost) -> f64| median(&costs.iter().map(figure).collect::<Vec<_>>());
    let seconds = of(|cost| cost.seconds);
    let requests = of(|cost| cost.traffic.requests as f64);
    let on_wire = |text: String| if requests > 0.0 { text } else { String::new() };
    vec![
        name.to_owned(),
        milliseconds(seconds),
        if whole {
            format!("{:.0}", bytes as f64 / seconds / 1e6)
        } else {
            String::new()
        },
        on_wire(format!("{requests:.0}")),
        on_wire(kibibytes(of(|cost| cost.traffic.received as f64))),
        on_wire(kibibytes(of(|cost| cost.traffic.sent as f64))),
        mebibytes(of(|cost| cost.peak as f64)),
        format!("{ratio:.2}"),
    ]
}

/// How long these took for each second of the others, round by round.
fn ratio(these: &[Cost], others: &[Cost]) -> f64 {
    let pairs = these.iter().zip(others);
    median(
        &pairs
            .map(|(this, other)| this.seconds / other.seconds)
            .collect::<Vec<_>>(),
    )
}

/// The server, and vaults to be sent.
struct Stage {
    relay: Relay,
    ours: PathBuf,
    rclone: PathBuf,
    pictures: usize,
    home: tempfile::TempDir,
    _server: S3Server,
}

impl Stage {
    fn set(bench: &Bench, pictures: usize) -> Outcome<Self> {
        eprintln!("starting SeaweedFS, and making an account with {pictures} pictures");
        fs::create_dir_all(&bench.files)?;
        let server = S3Server::start(Kind::SeaweedFs)?;
        let relay = Relay::before(&server.endpoint())?;
        let stage = Self {
            relay,
            ours: bench.programs.join("ours-deliver"),
            rclone: s3::rclone()?,
            pictures,
            home: tempfile::Builder::new().prefix("deliver-").tempdir_in(&bench.files)?,
            _server: server,
        };
        Ok(stage)
    }

    /// A vault as staging holds it before the first delivery.
    fn vault(&self, round: usize) -> Outcome<PathBuf> {
        let vault = self.home.path().join(format!("{round}-vault"));
        self.ours(&["make", utf8(&vault)?, &self.pictures.to_string()])?;
        Ok(vault)
    }

    fn ours(&self, words: &[&str]) -> Outcome<Cost> {
        self.run(Command::new(&self.ours).args(words))
    }

    fn send(&self, sender: Sender, vault: &Path, round: usize) -> Outcome<Cost> {
        let name = format!("{round}-{sender:?}").to_lowercase();
        let (from, folder) = (utf8(vault)?, self.home.path().join(&name));
        match sender {
            Sender::OurFolder => {
                fs::create_dir_all(&folder)?;
                self.ours(&["to-folder", from, utf8(&folder)?])
            }
            Sender::OurBucket => self.ours(&["to-bucket", from, &self.relay.url, &name]),
            Sender::RcloneFolder => self.sync(from, utf8(&folder)?),
            Sender::RcloneBucket => self.sync(from, &format!("bench:{}/{name}", s3::BUCKET)),
        }
    }

    /// As many at once as we send.
    fn sync(&self, from: &str, to: &str) -> Outcome<Cost> {
        let mut rclone = Command::new(&self.rclone);
        rclone.args([
            "sync",
            from,
            to,
            "--config",
            "/dev/null",
            "--transfers",
            "8",
            "--s3-no-check-bucket",
        ]);
        let settings = [
            ("TYPE", "s3"),
            ("PROVIDER", "SeaweedFS"),
            ("ACCESS_KEY_ID", s3::KEY),
            ("SECRET_ACCESS_KEY", s3::SECRET),
            ("REGION", "us-east-1"),
            ("ENDPOINT", &self.relay.url),
        ];
        for (name, value) in settings {
            rclone.env(format!("RCLONE_CONFIG_BENCH_{name}"), value);
        }
        self.run(&mut rclone)
    }

    /// From start to end, with the memory that the kernel saw.
    fn run(&self, command: &mut Command) -> Outcome<Cost> {
        let before = self.relay.traffic();
        let start = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut peak = 0;
        while child.try_wait()?.is_none() {
            peak = processes::peak(child.id()).unwrap_or(0).max(peak);
            thread::sleep(Duration::from_millis(5));
        }
        let seconds = start.elapsed().as_secs_f64();
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        if let Ok(said) = str::from_utf8(&output.stdout)?.parse::<Said>() {
            peak = said.peak;
        }
        Ok(Cost {
            seconds,
            traffic: self.relay.traffic().since(before),
            peak,
        })
    }

    /// Makes room for the next round.
    fn clear(&self, round: usize) -> Outcome<()> {
        for entry in fs::read_dir(self.home.path())? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&format!("{round}-")) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            size(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(bytes)
}

fn utf8(path: &Path) -> Outcome<&str> {
    path.to_str().ok_or_else(|| "a path that is not text".into())
}
