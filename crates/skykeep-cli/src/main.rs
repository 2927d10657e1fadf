//! The headless face: everything the engine does, in a terminal, a script or a service.
//!
//! It holds no rule of its own: a verb becomes a request, the request goes through the [`skykeep_engine::Door`], and what
//! comes back is printed, as words or (`--json`) as one document. `inspect` alone needs no engine. Exit codes: 0 done and
//! sound, 1 a problem was found or it failed, 2 wrong usage. Logs and progress go to standard error. See docs/cli.md.

mod arguments;
mod inspect;
mod output;
mod show;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Verb};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log(arguments.verbose);
    let passed = match arguments.verb {
        Verb::Inspect { what } => inspect::run(&what, arguments.json),
        verb => verbs::run(verb, arguments.json),
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Logs to standard error: warnings, or with `-v` what a person might ask about, with `-vv` everything.
fn log(verbose: u8) {
    let usual = match verbose {
        0 => "off",
        1 => "info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("SKYKEEP_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
