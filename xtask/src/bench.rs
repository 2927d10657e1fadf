//! `cargo xtask bench`: the verifier beside other libraries, on the same generated accounts; an account through its first
//! hours, and its way to a folder and a bucket beside rclone's; and the window on a desktop.
//!
//! `benches/` is a package of its own, with its own lock file and build folder: what it compares with never enters
//! the product's dependencies, and no ordinary build waits for it.

use crate::args::Request;
use crate::desktop::Desktop;
use crate::needs::{self, Need};
use crate::package;
use crate::process::{self, Outcome};
use crate::project::Project;

/// The section that measures the program itself, on a desktop.
const WINDOW: &str = "window";

/// Builds the benchmark optimised and runs it, with the words after `--`.
pub(crate) fn bench(project: &Project, request: &Request) -> Outcome<()> {
    let mut run = project.cargo("run");
    run.args(["--release", "--locked", "--manifest-path", "benches/Cargo.toml"]);
    run.env("CARGO_TARGET_DIR", project.path("benches/target"));
    if !request.rest.is_empty() {
        run.arg("--").args(&request.rest);
    }
    let mut needs = vec![Need::Compilers, Need::Network, Need::S3Servers];
    let desktop = if with_window(&request.rest) {
        needs.extend([Need::Window, Need::WindowPackages, Need::Desktop]);
        needs::make_sure(project, request, &needs)?;
        package::build_programs(project)?;
        Some(Desktop::start()?)
    } else {
        needs::make_sure(project, request, &needs)?;
        None
    };
    if let Some(desktop) = &desktop {
        desktop
            .lend(&mut run)
            .env("SKYKEEP_BENCH_APP", project.built("release", "skykeep"));
    }
    process::must("the benchmark", &mut run)
}

/// Whether these words to the benchmark ask for the window: no section was chosen, or this one.
fn with_window(words: &[String]) -> bool {
    let chosen = words.iter().position(|word| word == "--only");
    chosen.is_none_or(|at| words.get(at + 1).is_some_and(|word| word == WINDOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desktop_is_started_only_for_the_window() {
        let check = |words: &[&str], expected: bool| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(with_window(&words), expected, "{words:?}");
        };
        check(&[], true);
        check(&["--quick"], true);
        check(&["--quick", "--only", "window"], true);
        check(&["--only", "verify"], false);
        check(&["--only"], false);
    }
}
