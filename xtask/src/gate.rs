//! What `cargo xtask test --release-gate` adds: what is long, or needs the program as it is given away.
//!
//! What is exhaustive needs nothing here: the tests themselves look at `SKYKEEP_EXHAUSTIVE`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::counts::Counts;
use crate::package;
use crate::process::{self, Outcome, command, say};
use crate::project::{self, Project};
use crate::suites::Ledger;
use crate::test::{self, E2E, NODE_TEST, Run, WINDOW_STORIES};

/// Seconds for each fuzz target, unless `SKYKEEP_FUZZ_SECONDS` says another number.
const FUZZ_SECONDS: u64 = 300;
/// An input that takes longer (in seconds), or more memory (in MiB), is a find.
const FUZZ_LIMITS: [&str; 2] = ["-timeout=20", "-rss_limit_mb=1024"];
/// Where the package puts the window's program.
const INSTALLED: &str = "/usr/bin/skykeep";
/// Runs a command with the package installed, on a layer over the system that goes away with it.
const WITH_INSTALLED: &str = "lib/installed.sh";
/// What only the installed package can show.
const INSTALLED_TEST: &str = "installed.mjs";
/// Checks licences, sources and advisories; built from the registry, into the cache folder.
const CARGO_DENY: &[&str] = &["0.20.2"];
/// A storage server for clusters, a program of its own that nothing of ours is linked with. Half an hour on two cores.
const GARAGE: &[&str] = &["2.5.0", "--no-default-features", "--features", "lmdb,bundled-libs"];

/// Runs the gate's own suites, after the ordinary ones.
pub(crate) fn run(project: &Project, ledger: &mut Ledger, run: &Run<'_>) -> Outcome<()> {
    ledger.suite("dependencies (cargo deny)", || dependencies(project))?;
    ledger.suite("fuzzing", || fuzzing(project, run.conditions.seed()))?;
    let mut built = None;
    let sound = ledger.suite("package", || {
        built = Some(package::build_and_check(project, "deb")?);
        Ok(Counts::of_check("package", true))
    })?;
    let (true, Some(package)) = (sound, built) else {
        return Ok(());
    };
    let stories = test::test_files(&project.path(E2E))?;
    for story in stories.iter().filter(|file| file.starts_with(WINDOW_STORIES)) {
        let name = format!("package: {}", test::title(story));
        ledger.suite(&name, || installed(&package, story, run))?;
    }
    ledger.suite("package: menu, links, removal", || {
        installed(&package, INSTALLED_TEST, run)
    })?;
    Ok(())
}

/// Licences, sources and banned crates; known vulnerabilities too, where their list can be fetched.
fn dependencies(project: &Project) -> Outcome<Counts> {
    let deny = installed_tool("cargo-deny", CARGO_DENY)?;
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

/// The storage server whose cluster loses nodes in a test, which finds it there. Where it cannot be built that test
/// counts as skipped.
pub(crate) fn garage() -> Outcome<Counts> {
    let mut counts = Counts::default();
    match installed_tool("garage", GARAGE) {
        Ok(_) => counts += &Counts::of_check("Garage is here", true),
        Err(process::Failure::Interrupted) => return Err(process::Failure::Interrupted),
        Err(process::Failure::Said(problem)) => {
            say(&problem);
            counts.set_apart("Garage", "it cannot be built here");
        }
    }
    Ok(counts)
}

/// A program from the registry, installed into the cache folder where it is not on the path. `how` begins with its
/// version.
fn installed_tool(name: &str, how: &[&str]) -> Outcome<PathBuf> {
    if process::on_path(name) {
        return Ok(name.into());
    }
    let root = project::cache_folder()
        .ok_or_else(|| format!("there is no cache folder for {name}"))?
        .join("tools");
    let program = root.join("bin").join(name);
    if !program.is_file() {
        say(&format!("{name} is built into {}; that takes minutes.", root.display()));
        let mut install = command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        install
            .args(["install", "--quiet", "--locked", name, "--version"])
            .args(how);
        process::must(
            &format!("cargo install {name}"),
            install.arg("--root").arg(&root).env_remove("CARGO_TARGET_DIR"),
        )?;
    }
    Ok(program)
}

/// Each target of `fuzz/` for some minutes, from the kept corpus. A find ends it and stays under `fuzz/artifacts`.
fn fuzzing(project: &Project, seed: u64) -> Outcome<Counts> {
    let seconds = match env::var("SKYKEEP_FUZZ_SECONDS") {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|_| format!("SKYKEEP_FUZZ_SECONDS is {text:?}, not a number"))?,
        Err(_) => FUZZ_SECONDS,
    };
    let mut build = in_fuzz(project, "build");
    if !process::run("fuzz targets", build.args(["--quiet", "--bins"]))?.success {
        return Ok(Counts::of_check("fuzz targets are built", false));
    }
    let mut counts = Counts::default();
    for target in fuzz_targets(project)? {
        say(&format!("-- {target}: {seconds} s, seed {seed}"));
        let success = process::run(&target, &mut fuzz(project, &target, seconds, seed)?)?.success;
        if !success {
            say(&format!(
                "what was found is under {}",
                artifacts(project, &target).display()
            ));
        }
        counts += &Counts::of_check(&format!("fuzzing {target} (seed {seed})"), success);
    }
    Ok(counts)
}

/// By the names of their sources. Errors: there are none.
fn fuzz_targets(project: &Project) -> Outcome<Vec<String>> {
    let sources = project.path("fuzz/fuzz_targets");
    let entries = fs::read_dir(&sources).map_err(|error| format!("{}: {error}", sources.display()))?;
    let stem = |entry: fs::DirEntry| Some(entry.path().file_stem()?.to_str()?.to_owned());
    let mut targets: Vec<String> = entries.flatten().filter_map(stem).collect();
    targets.sort();
    match targets.is_empty() {
        true => Err(format!("there are no fuzz targets in {}", sources.display()).into()),
        false => Ok(targets),
    }
}

/// `cargo VERB` where that folder's `.cargo/config.toml` counts: it makes libFuzzer see coverage.
fn in_fuzz(project: &Project, verb: &str) -> Command {
    let mut cargo = project.cargo(verb);
    cargo.args(["--release", "--locked"]);
    cargo
        .current_dir(project.path("fuzz"))
        .env("CARGO_TARGET_DIR", project.path("fuzz/target"));
    cargo
}

fn artifacts(project: &Project, target: &str) -> PathBuf {
    project.path("fuzz/artifacts").join(target)
}

/// Source: libFuzzer, "Options".
fn fuzz(project: &Project, target: &str, seconds: u64, seed: u64) -> Outcome<Command> {
    // What is new goes into the first folder: the kept corpus grows only by hand.
    let grown = project.path("fuzz/target/grown").join(target);
    let finds = artifacts(project, target);
    for folder in [&grown, &finds] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut run = in_fuzz(project, "run");
    run.args(["--quiet", "--bin", target, "--", "-verbosity=0", "-print_funcs=0", "-print_final_stats=1"])
        .args(FUZZ_LIMITS)
        .arg(format!("-max_total_time={seconds}"))
        // It takes 32 bits, and 0 for none.
        .arg(format!("-seed={}", seed % u64::from(u32::MAX) + 1))
        .arg(format!("-artifact_prefix={}/", finds.display()))
        .args([grown, project.path("fuzz/corpus").join(target)]);
    Ok(run)
}

/// One of the window's tests, with the package installed. Nothing of it stays, whatever happens.
fn installed(package: &Path, test: &str, run: &Run<'_>) -> Outcome<Counts> {
    let with_installed = || {
        let mut command = run.project.command_in(E2E, "sh");
        command.arg(WITH_INSTALLED);
        command
    };
    if !process::run_quietly(WITH_INSTALLED, with_installed().arg("--try"))?.success {
        let mut counts = Counts::default();
        counts.set_apart(
            test,
            "installing the package for a while needs root and a layer over the system (overlayfs)",
        );
        return Ok(counts);
    }
    let mut command = with_installed();
    command.arg(package).arg("node").args(NODE_TEST).arg(test);
    run.count(test, command.env("SKYKEEP_APP", INSTALLED), Counts::of_node)
}
