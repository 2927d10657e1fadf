//! `cargo xtask check`: what to run before a commit. Minutes, not tens of minutes; no servers, no window.

use crate::args::Request;
use crate::bindings;
use crate::counts::Counts;
use crate::needs::{self, Need};
use crate::process::{self, Outcome};
use crate::project::Project;
use crate::suites::Ledger;
use crate::test::{FEATURES, TestPrograms, lints, lock_files, npm};

/// Format, lints, the rooms' own tests, the window's types, and that the generated types are unchanged.
pub(crate) fn check(project: &Project, request: &Request) -> Outcome<()> {
    needs::make_sure(project, request, &[Need::Compilers, Need::Window, Need::WindowPackages])?;
    let mut ledger = Ledger::open(None);
    ledger.check("format", project.cargo("fmt").args(["--all", "--check"]))?;
    ledger.suite("lock files", || lock_files(project))?;
    ledger.check("window lints (eslint)", &mut npm(project, "lint"))?;
    ledger.check("window types (svelte-check)", &mut npm(project, "check"))?;
    // The window's package compiles only beside its pages.
    if !project.path("ui/dist/index.html").is_file() {
        ledger.check("window build (vite)", &mut npm(project, "build"))?;
    }
    ledger.check("lints (clippy)", &mut lints(project))?;
    ledger.suite("tests of the rooms", || {
        let mut test = project.cargo("test");
        test.args(["--workspace", "--no-fail-fast", "--lib", "--bins"])
            .args(FEATURES);
        test.args(TestPrograms::find(project)?.rooms());
        let ran = process::run("cargo test", &mut test)?;
        let mut counts = Counts::of_cargo(&ran.printed);
        counts.settle("tests of the rooms", ran.success);
        Ok(counts)
    })?;
    ledger.suite("bindings unchanged", || bindings::compare(project))?;
    ledger.close("")
}
