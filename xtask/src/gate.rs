//! What `cargo xtask test --release-gate` adds: what is long, or needs the program as it is given away.
//!
//! What is exhaustive needs nothing here: the tests themselves look at `SKYKEEP_EXHAUSTIVE`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::counts::Counts;
use crate::package;
use crate::process::{self, Outcome, command};
use crate::project::{self, Project};
use crate::suites::Ledger;
use crate::test::{Run, WINDOW_TEST};

/// Seconds for each fuzz target.
const FUZZ_SECONDS: &str = "300";
/// Where the installed package puts the program.
const INSTALLED: &str = "/usr/bin/skykeep";

/// Runs the gate's own suites, after the ordinary ones.
pub(crate) fn run(project: &Project, ledger: &mut Ledger, run: &Run<'_>) -> Outcome<()> {
    ledger.suite("dependencies (cargo deny)", || dependencies(project))?;
    ledger.suite("fuzzing", || fuzzing(project))?;
    let mut built = None;
    let sound = ledger.suite("package", || {
        built = Some(package::build_and_check(project, "deb")?);
        Ok(Counts::of_check("package", true))
    })?;
    let (true, Some(package)) = (sound, built) else {
        return Ok(());
    };
    ledger.suite("end to end: window, optimised", || {
        run.e2e(WINDOW_TEST, &project.built("release", "skykeep"))
    })?;
    ledger.suite("end to end: window, installed", || installed(&package, run))?;
    Ok(())
}

/// Licences, sources and banned crates; known vulnerabilities too, where their list can be fetched.
fn dependencies(project: &Project) -> Outcome<Counts> {
    let deny = cargo_deny()?;
    let ask = |what: &[&str]| -> Outcome<bool> {
        let mut command = project.command_in(".", &deny);
        Ok(process::run("cargo deny", command.args(["--all-features", "check"]).args(what))?.success)
    };
    let mut counts = Counts::of_check(
        "cargo deny: licences, bans, sources",
        ask(&["licenses", "bans", "sources"])?,
    );
    let mut fetch = project.command_in(".", &deny);
    match process::run("cargo deny", fetch.arg("fetch"))?.success {
        true => counts += &Counts::of_check("cargo deny: advisories", ask(&["advisories"])?),
        false => counts.set_apart(
            "cargo deny, advisories",
            "the list of known vulnerabilities cannot be fetched here",
        ),
    }
    Ok(counts)
}

/// The program, installed into the cache folder where it is not on the path.
fn cargo_deny() -> Outcome<PathBuf> {
    if process::on_path("cargo-deny") {
        return Ok("cargo-deny".into());
    }
    let root = project::cache_folder()
        .ok_or("there is no cache folder for cargo-deny")?
        .join("tools");
    let program = root.join("bin/cargo-deny");
    if !program.is_file() {
        let mut install = command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        install.args(["install", "--locked", "cargo-deny", "--root"]).arg(&root);
        process::must("cargo install cargo-deny", install.env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(program)
}

/// Each target of `fuzz/` for some minutes, from the kept corpus. A find ends it and stays under `fuzz/artifacts`.
fn fuzzing(project: &Project) -> Outcome<Counts> {
    let sources = project.path("fuzz/fuzz_targets");
    let entries = fs::read_dir(&sources).map_err(|error| format!("{}: {error}", sources.display()))?;
    let mut targets: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    targets.sort();
    let mut counts = Counts::default();
    for target in targets {
        let success = process::run(&target, &mut fuzz(project, &target))?.success;
        counts += &Counts::of_check(&format!("fuzzing {target}"), success);
    }
    Ok(counts)
}

fn fuzz(project: &Project, target: &str) -> Command {
    let mut run = project.cargo("run");
    run.args(["--release", "--locked", "--bin", target, "--"]);
    run.arg(format!("-max_total_time={FUZZ_SECONDS}"))
        .arg(project.path("fuzz/corpus").join(target));
    run.env("CARGO_TARGET_DIR", project.path("fuzz/target"));
    // What makes libFuzzer see coverage is in that folder's .cargo/config.toml.
    run.current_dir(project.path("fuzz"));
    run
}

/// Installs the package, drives the program it installed, and removes it again.
fn installed(package: &Path, run: &Run<'_>) -> Outcome<Counts> {
    let mut counts = Counts::default();
    if !rustix::process::geteuid().is_root() {
        counts.set_apart("the installed package", "installing it needs root");
        return Ok(counts);
    }
    if Path::new(INSTALLED).exists() {
        counts.set_apart("the installed package", "another one is installed, and in use perhaps");
        return Ok(counts);
    }
    process::must("dpkg --install", command("dpkg").arg("--install").arg(package))?;
    let driven = run.e2e(WINDOW_TEST, Path::new(INSTALLED));
    process::must("dpkg --remove", command("dpkg").args(["--remove", "skykeep"]))?;
    driven
}
