//! `cargo xtask`: what a person or a build machine says to this repository.
//!
//! Every verb first makes sure of what it needs (`needs`), then does one thing. Whatever it starts, it ends: on
//! success, on failure, on Ctrl-C and on a panic (`process`). It is compiled before anything else, so it stays small.
// A command line speaks on its standard streams.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod bench;
mod bindings;
mod check;
mod counts;
mod demo;
mod desktop;
mod gate;
mod needs;
mod network;
mod package;
mod process;
mod project;
mod run;
mod suites;
mod test;
mod webdriver;

use std::process::ExitCode;

use args::{Request, Verb};
use process::Failure;
use project::Project;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let request = match Request::parse(&words) {
        Ok(request) => request,
        Err(problem) => {
            eprintln!("{problem}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    let ended = process::prepare().and_then(|()| carry_out(&request));
    process::end_everything();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Interrupted) => {
            eprintln!("xtask: stopped; everything it had started is stopped too");
            ExitCode::from(130)
        }
        Err(Failure::Said(problem)) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(request: &Request) -> process::Outcome<()> {
    let mut project = Project::find()?;
    if request.verb == Verb::Test {
        project.keep_build_output()?;
    }
    match request.verb {
        Verb::Help => {
            process::say(args::USAGE);
            Ok(())
        }
        Verb::Demo => demo::demo(&project, request),
        Verb::Run => run::run(&project, request),
        Verb::Test => test::test(&project, request),
        Verb::Check => check::check(&project, request),
        Verb::Bench => bench::bench(&project, request),
        Verb::Package => package::package(&project, request),
        Verb::Bindings => bindings::bindings(&project, request),
    }
}
