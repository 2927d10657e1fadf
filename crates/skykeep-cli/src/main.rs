//! The headless face: everything the engine does, in a terminal, a script or a service.
//!
//! It holds no rule of its own: a verb becomes a request, the request goes through the [`skykeep_engine::Door`], and what
//! comes back is printed, as words or (`--json`) as one document. `inspect` alone needs no engine. Exit codes: 0 done and
//! sound, 1 a problem was found or it failed, 2 wrong usage. Logs and progress go to standard error. Words are in the
//! language of settings or of the system, documents always in English. See docs/cli.md.

mod arguments;
mod damage;
mod family;
mod inspect;
mod output;
mod said;
mod secrets;
mod show;
mod verbs;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::arguments::{Arguments, Verb};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.json {
        skykeep_engine::speak_to_programs();
    }
    log(arguments.verbose, matches!(arguments.verb, Verb::Run));
    let passed = match arguments.verb {
        Verb::Inspect { what } => inspect::run(&what, arguments.json),
        verb => verbs::run(verb, arguments.json),
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Logs to standard error: warnings, or with `-v` what a person might ask about, with `-vv` everything. What runs for
/// long also writes the log that a report ends with.
fn log(verbose: u8, lasting: bool) {
    let usual = match verbose {
        0 => "off",
        1 => "info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("SKYKEEP_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    let printed = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let kept = lasting
        .then(skykeep_engine::location)
        .and_then(Result::ok)
        .map(|folder| skykeep_engine::logs::layer(&folder));
    tracing_subscriber::registry().with(printed).with(kept).init();
}
