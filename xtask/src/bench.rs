//! `cargo xtask bench`: the verifier beside other libraries, on the same generated accounts.
//!
//! `benches/` is a package of its own, with its own lock file and build folder: what it compares with never enters
//! the product's dependencies, and no ordinary build waits for it.

use crate::args::Request;
use crate::needs::{self, Need};
use crate::process::{self, Outcome};
use crate::project::Project;

/// Builds the benchmark optimised and runs it, with the words after `--`.
pub(crate) fn bench(project: &Project, request: &Request) -> Outcome<()> {
    needs::make_sure(project, request, &[Need::Compilers, Need::Network])?;
    let mut run = project.cargo("run");
    run.args(["--release", "--locked", "--manifest-path", "benches/Cargo.toml"]);
    run.env("CARGO_TARGET_DIR", project.path("benches/target"));
    if !request.rest.is_empty() {
        run.arg("--").args(&request.rest);
    }
    process::must("the benchmark", &mut run)
}
