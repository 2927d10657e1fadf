//! `cargo xtask test`: everything, in the order that finds a mistake soonest.
//!
//! - One build serves all: the window's own program is built with the tests, with the same features, into the same
//!   folder. Window tests and journeys get its path.
//! - All tests run on one virtual desktop, so that nothing reaches the person's own session.
//! - A test that cannot run here says so in the file that `SKYKEEP_SKIPPED` names, a line `name TAB reason`, and counts
//!   as skipped.
//! - Whatever a suite leaves running is a failure of that suite.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use serde_json::Value;

use crate::args::Request;
use crate::counts::Counts;
use crate::desktop::Desktop;
use crate::gate;
use crate::needs::{self, Need};
use crate::process::{self, Outcome, say};
use crate::project::{Project, Scratch};
use crate::suites::Ledger;

/// The features that every build of the window's package has, so that there is only one.
pub(crate) const FEATURES: [&str; 2] = ["--features", "custom-protocol"];

/// The window's end-to-end tests, each file a suite.
pub(crate) const E2E: &str = "tests/e2e";

/// How Node runs a file of tests so that we can read what it says.
pub(crate) const NODE_TEST: [&str; 3] = ["--test", "--test-reporter=spec", "--test-reporter-destination=stdout"];

/// How the names of those begin that drive the real window.
pub(crate) const WINDOW_STORIES: &str = "window";

const NEEDS: &[Need] = &[
    Need::Compilers,
    Need::Window,
    Need::Desktop,
    Need::Tests,
    Need::Package,
    Need::WindowPackages,
    Need::Network,
    Need::S3Servers,
];

/// Runs all suites, prints what they came to, and fails when any of them did.
pub(crate) fn test(project: &Project, request: &Request) -> Outcome<()> {
    let gate = request.has("--release-gate");
    needs::make_sure(project, request, NEEDS)?;
    let mut ledger = Ledger::open(request.only());
    let conditions = Conditions::choose(gate)?;
    say(&conditions.line());

    let pages = window_code(project, &mut ledger)?;
    ledger.check("format", project.cargo("fmt").args(["--all", "--check"]))?;
    ledger.suite("lock files", || lock_files(project))?;
    let mut build = project.cargo("build");
    build.args(["--workspace", "--all-targets"]).args(FEATURES);
    // The window's program is compiled around its pages.
    if pages && ledger.check("build", &mut build)? {
        ledger.check("lints (clippy)", &mut lints(project))?;
        let desktop = Desktop::start()?;
        let run = Run {
            project,
            desktop: &desktop,
            conditions: &conditions,
        };
        let programs = TestPrograms::find(project)?;
        if gate {
            ledger.suite("storage server for clusters (Garage)", gate::garage)?;
        }
        let suites = [
            ("unit tests", words(&["--lib", "--bins"])),
            ("rooms", programs.rooms()),
            ("journeys", programs.journeys()),
            ("documented examples", words(&["--doc"])),
        ];
        for (name, targets) in suites.iter().filter(|(_, targets)| !targets.is_empty()) {
            ledger.suite(name, || run.cargo(name, targets))?;
        }
        ledger.suite("test network", || run.node("tests/network", "selftest.mjs", None))?;
        for file in test_files(&project.path(E2E))? {
            ledger.suite(&format!("end to end: {}", title(&file)), || {
                run.e2e(&file, &project.built("debug", "skykeep"))
            })?;
        }
        if gate {
            gate::run(project, &mut ledger, &run)?;
        }
    }
    ledger.close(&conditions.line())
}

/// Lints, types, unit tests and build of the window's pages. Returns whether the pages are there.
fn window_code(project: &Project, ledger: &mut Ledger) -> Outcome<bool> {
    ledger.check("window lints (eslint)", &mut npm(project, "lint"))?;
    ledger.check("window types (svelte-check)", &mut npm(project, "check"))?;
    ledger.suite("window code (vitest)", || {
        let ran = process::run("vitest", npm(project, "test").env("NO_COLOR", "1"))?;
        let mut counts = Counts::of_vitest(&ran.printed);
        counts.settle("vitest", ran.success);
        counts.blame("vitest", &ran.left_behind);
        Ok(counts)
    })?;
    ledger.check("window build (vite)", &mut npm(project, "build"))
}

/// `npm run SCRIPT` in `ui/`.
pub(crate) fn npm(project: &Project, script: &str) -> Command {
    let mut command = project.command_in("ui", "npm");
    command.args(["run", "--silent", script]);
    command
}

/// Whether packages outside the workspace still have the lock files that their manifests ask for: no other suite builds
/// them, and they take the workspace's packages in.
pub(crate) fn lock_files(project: &Project) -> Outcome<Counts> {
    let mut counts = Counts::default();
    for package in ["benches", "fuzz"] {
        let mut update = project.cargo("update");
        update.args(["--workspace", "--locked", "--quiet", "--manifest-path"]);
        update.arg(project.path(package).join("Cargo.toml"));
        let ran = process::run(package, &mut update)?;
        counts += &Counts::of_check(&format!("the lock file of {package}"), ran.success);
    }
    Ok(counts)
}

/// clippy over tests and examples too, where every warning is an error.
pub(crate) fn lints(project: &Project) -> Command {
    let mut clippy = project.cargo("clippy");
    clippy
        .args(["--workspace", "--all-targets"])
        .args(FEATURES)
        .args(["--", "--deny", "warnings"]);
    clippy
}

/// What the tests are told about this run.
#[derive(Debug)]
pub(crate) struct Conditions {
    seed: u64,
    exhaustive: bool,
    scratch: Scratch,
}

impl Conditions {
    /// The seed comes from `SKYKEEP_SEED`, else from the clock. Errors: a seed that is no number.
    fn choose(exhaustive: bool) -> Outcome<Self> {
        let seed = match env::var("SKYKEEP_SEED") {
            Ok(text) => text
                .trim()
                .parse()
                .map_err(|_| format!("SKYKEEP_SEED is {text:?}, not a number"))?,
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(1, |since| since.as_secs()),
        };
        Ok(Self {
            seed,
            exhaustive,
            scratch: Scratch::new("test")?,
        })
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    fn line(&self) -> String {
        let kind = if self.exhaustive {
            "everything"
        } else {
            "every kind of case once, and a sample of the rest"
        };
        format!("seed {} ({kind}); to repeat: SKYKEEP_SEED={0}", self.seed)
    }

    fn skipped(&self) -> PathBuf {
        self.scratch.path().join("skipped")
    }
}

/// Everything that a suite of tests needs to run.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) project: &'a Project,
    pub(crate) desktop: &'a Desktop,
    pub(crate) conditions: &'a Conditions,
}

impl Run<'_> {
    /// `cargo test` for these targets, on the desktop, counted.
    ///
    /// Always the whole workspace: a selection of packages would select features too, and build everything again.
    pub(crate) fn cargo(&self, suite: &str, targets: &[String]) -> Outcome<Counts> {
        let mut test = self.project.cargo("test");
        test.args(["--workspace", "--no-fail-fast"])
            .args(FEATURES)
            .args(targets);
        test.env("SKYKEEP_APP", self.project.built("debug", "skykeep"));
        self.count(suite, &mut test, Counts::of_cargo)
    }

    /// One of the window's end-to-end tests, against the program `app`.
    pub(crate) fn e2e(&self, file: &str, app: &Path) -> Outcome<Counts> {
        self.node(E2E, file, Some(app))
    }

    /// `node --test` for a file in one of the repository's folders, counted.
    fn node(&self, folder: &str, file: &str, app: Option<&Path>) -> Outcome<Counts> {
        let mut test = self.project.command_in(folder, "node");
        test.args(NODE_TEST).arg(file);
        if let Some(app) = app {
            test.env("SKYKEEP_APP", app);
        }
        self.count(file, &mut test, Counts::of_node)
    }

    /// Runs a suite's command under this run's conditions and reads what it printed.
    pub(crate) fn count(&self, suite: &str, command: &mut Command, read: fn(&str) -> Counts) -> Outcome<Counts> {
        let skipped = self.conditions.skipped();
        fs::write(&skipped, "").map_err(|error| format!("{}: {error}", skipped.display()))?;
        self.desktop.lend(command);
        command
            .env("SKYKEEP_CLI", self.project.built("debug", "skykeep-cli"))
            .env("SKYKEEP_SEED", self.conditions.seed.to_string())
            .env("SKYKEEP_SKIPPED", &skipped);
        if self.conditions.exhaustive {
            command.env("SKYKEEP_EXHAUSTIVE", "1");
        }
        let ran = process::run(suite, command)?;
        let mut counts = read(&ran.printed);
        counts.set_aside(&fs::read_to_string(&skipped).unwrap_or_default());
        counts.settle(suite, ran.success);
        counts.blame(suite, &ran.left_behind);
        Ok(counts)
    }
}

/// The integration tests of the workspace, by the names cargo knows them by.
#[derive(Debug)]
pub(crate) struct TestPrograms {
    /// The rooms' own: they need no servers.
    rooms: BTreeSet<String>,
    /// Those of the package `skykeep-tests`.
    journeys: BTreeSet<String>,
}

impl TestPrograms {
    pub(crate) fn find(project: &Project) -> Outcome<Self> {
        let mut metadata = project.cargo("metadata");
        let ran = process::run_quietly("cargo metadata", metadata.args(["--no-deps", "--format-version", "1"]))?;
        let facts = serde_json::from_str(&ran.printed).map_err(|error| format!("cargo metadata: {error}"))?;
        Ok(Self::in_metadata(&facts))
    }

    /// Source: cargo's `metadata` format, version 1.
    fn in_metadata(facts: &Value) -> Self {
        let mut programs = Self {
            rooms: BTreeSet::new(),
            journeys: BTreeSet::new(),
        };
        for package in list(facts, "packages") {
            let of_journeys = package.get("name").is_some_and(|name| name == "skykeep-tests");
            let tests = list(package, "targets").filter(|target| list(target, "kind").any(|kind| kind == "test"));
            let names = tests.filter_map(|target| Some(target.get("name")?.as_str()?.to_owned()));
            match of_journeys {
                true => programs.journeys.extend(names),
                false => programs.rooms.extend(names),
            }
        }
        programs
    }

    /// Arguments that choose the rooms' own programs.
    pub(crate) fn rooms(&self) -> Vec<String> {
        self.rooms
            .iter()
            .flat_map(|name| ["--test".to_owned(), name.clone()])
            .collect()
    }

    /// Arguments that choose the journeys.
    fn journeys(&self) -> Vec<String> {
        self.journeys
            .iter()
            .flat_map(|name| ["--test".to_owned(), name.clone()])
            .collect()
    }
}

/// Names of the test files in a folder, in order.
pub(crate) fn test_files(folder: &Path) -> Outcome<Vec<String>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let mut tests: Vec<String> = names.filter(|name| name.ends_with(".test.mjs")).collect();
    tests.sort();
    Ok(tests)
}

/// `window-drive.test.mjs` -> `window, drive`
pub(crate) fn title(file: &str) -> String {
    file.trim_end_matches(".test.mjs").replace('-', ", ")
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_of_the_rooms_and_journeys_are_told_apart() {
        let facts = serde_json::json!({ "packages": [
            { "name": "skykeep-tests", "targets": [
                { "kind": ["lib"], "name": "skykeep_tests" },
                { "kind": ["test"], "name": "backup" },
            ] },
            { "name": "skykeep-atproto", "targets": [
                { "kind": ["test"], "name": "vectors" },
                { "kind": ["bin"], "name": "tool" },
            ] },
        ] });
        let programs = TestPrograms::in_metadata(&facts);
        assert_eq!(programs.rooms(), ["--test", "vectors"]);
        assert_eq!(programs.journeys(), ["--test", "backup"]);
        assert!(TestPrograms::in_metadata(&serde_json::json!({})).rooms().is_empty());
    }

    #[test]
    fn a_suite_is_named_for_its_file() {
        assert_eq!(title("window.test.mjs"), "window");
        assert_eq!(title("window-drive.test.mjs"), "window, drive");
    }
}
