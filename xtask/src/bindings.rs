//! `cargo xtask bindings`: the window's TypeScript types, written from the Rust ones.

use std::process::Command;

use crate::args::Request;
use crate::counts::Counts;
use crate::needs::{self, Need};
use crate::process::{self, Outcome, say};
use crate::project::Project;
use crate::test::{FEATURES, npm};

/// The test that compares the generated types with the kept ones, and rewrites them when `UPDATE_BINDINGS` is set.
const TEST: &str = "bindings";

/// Writes `ui/src/lib/bindings` anew.
pub(crate) fn bindings(project: &Project, request: &Request) -> Outcome<()> {
    needs::make_sure(project, request, &[Need::Compilers, Need::Window, Need::WindowPackages])?;
    if !project.path("ui/dist/index.html").is_file() {
        process::must("npm run build", &mut npm(project, "build"))?;
    }
    let counts = run(command(project).env("UPDATE_BINDINGS", "1"))?;
    match counts.failed {
        0 => say("ui/src/lib/bindings is up to date"),
        _ => return Err("the bindings could not be written".into()),
    }
    Ok(())
}

/// The comparison alone; it fails when the types have drifted, and when nothing compared them.
pub(crate) fn compare(project: &Project) -> Outcome<Counts> {
    run(&mut command(project))
}

fn command(project: &Project) -> Command {
    let mut test = project.cargo("test");
    test.arg("--workspace").args(FEATURES).args(["--lib", TEST]);
    test
}

fn run(test: &mut Command) -> Outcome<Counts> {
    let ran = process::run("the bindings", test)?;
    let mut counts = Counts::of_cargo(&ran.printed);
    counts.settle("bindings", ran.success && counts.passed > 0);
    Ok(counts)
}
