//! `cargo xtask demo`: a made-up network on this computer, a family of three on it, and Skykeep protecting them.
//!
//! Nothing of the person's own is touched: the servers listen on loopback, and Skykeep gets a home, a data folder and a
//! key store of its own, all removed at the end. What may be looked at afterwards (pictures, an export) is left under
//! `target/demo`.

mod headless;
mod window;

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::args::Request;
use crate::needs::{self, Need};
use crate::network::Network;
use crate::process::{self, Outcome, command, say};
use crate::project::{Project, Scratch};
use crate::test::{FEATURES, npm};

/// Shows Skykeep protecting an account, in the window or on the command line.
pub(crate) fn demo(project: &Project, request: &Request) -> Outcome<()> {
    let headless = request.has("--headless");
    let once = request.has("--once");
    let mut needed = vec![Need::Compilers, Need::Network];
    if !headless {
        needed.extend([Need::Window, Need::WindowPackages]);
    }
    // To operate the window by itself it takes the same means that its tests take.
    if !headless && (once || !needs::has_display()) {
        needed.push(Need::Desktop);
    }
    needs::make_sure(project, request, &needed)?;

    say("Building Skykeep.");
    match headless {
        true => build_command_line(project)?,
        false => build_window(project)?,
    }
    let stage = Stage::set(project)?;
    match headless {
        true => headless::show(&stage, once),
        false => window::show(&stage, once),
    }
}

/// Builds the window's pages, where they are older than their sources, and then the program.
pub(crate) fn build_window(project: &Project) -> Outcome<()> {
    if !pages_are_current(project) {
        process::must("the window's pages", &mut npm(project, "build"))?;
    }
    let mut build = project.cargo("build");
    process::must("cargo build", build.args(["--workspace", "--bins"]).args(FEATURES))
}

fn build_command_line(project: &Project) -> Outcome<()> {
    process::must("cargo build", project.cargo("build").args(["--package", "skykeep-cli"]))
}

/// Whether no file of the window's sources is newer than the page built from them.
fn pages_are_current(project: &Project) -> bool {
    let age = |path: &Path| fs::metadata(path).and_then(|facts| facts.modified()).ok();
    let Some(built) = age(&project.path("ui/dist/index.html")) else {
        return false;
    };
    let mut folders = vec![project.path("ui"), project.path("assets/text")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            return false;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let generated = ["node_modules", "dist"].iter().any(|name| path.ends_with(name));
            match path.is_dir() {
                true if generated => {}
                true => folders.push(path),
                false if age(&path).is_none_or(|changed| changed > built) => return false,
                false => {}
            }
        }
    }
    true
}

/// A person of the demo network.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    handle: String,
    did: String,
    records: u64,
}

/// The network with its people, and the throw-away home that Skykeep runs in.
#[derive(Debug)]
struct Stage<'a> {
    project: &'a Project,
    network: Network,
    family: Vec<Member>,
    home: PathBuf,
    // Last: the servers keep their state in it.
    _scratch: Scratch,
}

impl<'a> Stage<'a> {
    fn set(project: &'a Project) -> Outcome<Self> {
        let scratch = Scratch::new("demo")?;
        let home = scratch.folder("home")?;
        let results = project.demo_folder();
        let _ = fs::remove_dir_all(&results);
        fs::create_dir_all(&results).map_err(|error| format!("{}: {error}", results.display()))?;
        say("Starting the test network: a directory and two hosts, on this computer only.");
        let network = Network::start(project, &scratch.folder("network")?)?;
        say("Three people move in.");
        let mut seed = project.command_in("tests/network", "node");
        let ran = process::run_quietly(
            "seed.mjs",
            seed.args(["seed.mjs", "family", "--pds", network.address("A")?]),
        )?;
        let family = read_family(&ran.printed);
        if !ran.success || family.is_empty() {
            return Err("the test network could not be filled".into());
        }
        for member in &family {
            say(&format!(
                "  {:<12} {} records  {}",
                member.handle, member.records, member.did
            ));
        }
        let stage = Self {
            project,
            network,
            family,
            home,
            _scratch: scratch,
        };
        stage.write_passphrase()?;
        Ok(stage)
    }

    /// A program of ours, in the throw-away home and on the made-up network.
    fn skykeep(&self, program: &str) -> Outcome<Command> {
        let mut skykeep = command(self.project.built("debug", program));
        skykeep.envs(self.environment()?).current_dir(&self.home);
        Ok(skykeep)
    }

    /// What points Skykeep at this stage.
    fn environment(&self) -> Outcome<Vec<(&'static str, String)>> {
        let inside = |path: &str| self.home.join(path).display().to_string();
        let mut environment = self.network.environment()?;
        environment.extend([
            ("HOME", self.home.display().to_string()),
            ("XDG_CONFIG_HOME", inside(".config")),
            ("XDG_DATA_HOME", inside(".local/share")),
            ("XDG_CACHE_HOME", inside(".cache")),
            ("SKYKEEP_DATA_DIR", inside("data")),
            // The person's own keyring is not for a demo.
            ("SKYKEEP_KEYSTORE", "file".to_owned()),
            ("SKYKEEP_PASSPHRASE_FILE", inside("passphrase")),
        ]);
        Ok(environment)
    }

    /// Where Skykeep keeps what it protects, unless told otherwise.
    fn vault(&self) -> PathBuf {
        self.home.join("Skykeep")
    }

    /// Where the results of the demo are left.
    fn results(&self, name: &str) -> PathBuf {
        self.project.demo_folder().join(name)
    }

    fn first(&self) -> &str {
        self.family.first().map_or("", |member| &member.handle)
    }

    /// It protects nothing but this home; a file that others may read would be refused.
    fn write_passphrase(&self) -> Outcome<()> {
        let path = self.home.join("passphrase");
        let mut options = fs::OpenOptions::new();
        let written = options.write(true).create_new(true).mode(0o600).open(&path);
        written
            .and_then(|mut file| file.write_all(b"a passphrase for the demo only\n"))
            .map_err(|error| format!("{}: {error}", path.display()).into())
    }
}

/// Reads what the seeder prints: a line of JSON for each account.
fn read_family(printed: &str) -> Vec<Member> {
    let member = |line: &str| {
        let facts: Value = serde_json::from_str(line).ok()?;
        Some(Member {
            handle: facts.get("handle")?.as_str()?.to_owned(),
            did: facts.get("did")?.as_str()?.to_owned(),
            records: facts.get("records")?.as_u64()?,
        })
    };
    printed.lines().filter_map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_read_from_the_seeder() {
        let printed = "{\"handle\":\"alice.test\",\"did\":\"did:plc:a\",\"records\":60}\nnot json\n";
        let alice = Member {
            handle: "alice.test".into(),
            did: "did:plc:a".into(),
            records: 60,
        };
        assert_eq!(read_family(printed), [alice]);
    }
}
