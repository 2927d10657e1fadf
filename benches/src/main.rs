//! How fast Skykeep verifies, beside others, on the same files: `cargo run --release [-- --quick] [-- --only SECTION]`.
//!
//! Each contestant is a process of its own. They run in turn, all of them once a round, so that what else the machine
//! does meets them alike; a ratio is taken within a round, and its median over the rounds is what is printed. Times are
//! whole processes from start to end. All files are read once before, so that none has to wait for a disk.
//!
//! A section is a function that takes the bench and adds its table and its goals; `SECTIONS` lists them.

mod deliver;
mod keep;
mod processes;
mod race;
mod relay;
mod sections;
mod table;
mod window;

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use table::Goal;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// What a run of the bench was asked for, and what it reached.
pub(crate) struct Bench {
    /// Numbers of records, smallest first.
    sizes: Vec<usize>,
    /// Where the programs of the contestants are.
    programs: PathBuf,
    /// Where inputs and outputs are.
    files: PathBuf,
    goals: Vec<Goal>,
}

type Section = fn(&mut Bench) -> Outcome<()>;

/// Name, the programs that it lets run, and what prints it.
const SECTIONS: [(&str, &[&str], Section); 6] = [
    (
        "verify",
        &["ours", "peer-repo-stream", "peer-atrium", "peer-jacquard"],
        sections::verify,
    ),
    ("write", &["ours"], sections::write),
    ("increment", &["ours"], sections::increment),
    ("keep", &["ours-keep"], keep::keep),
    ("deliver", &["ours-deliver"], deliver::deliver),
    ("window", &["ours-keep"], window::window),
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let names = SECTIONS.map(|(name, ..)| name).join("|");
    let (mut quick, mut only) = (false, None);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--only" => only = arguments.next(),
            _ => return Err(format!("usage: [--quick] [--only {names}]").into()),
        }
    }
    let sections: Vec<_> = SECTIONS
        .into_iter()
        .filter(|(name, ..)| only.as_deref().is_none_or(|only| only == *name))
        .collect();
    if sections.is_empty() {
        return Err(format!("there is no such section: choose one of {names}").into());
    }
    let programs = build(sections.iter().flat_map(|(_, programs, _)| *programs))?;
    let mut bench = Bench {
        sizes: if quick {
            vec![10_000, 100_000]
        } else {
            vec![10_000, 100_000, 1_000_000]
        },
        files: programs.with_file_name("inputs"),
        programs,
        goals: Vec::new(),
    };
    for (.., section) in sections {
        section(&mut bench)?;
    }
    table::print_goals(&bench.goals);
    Ok(())
}

/// Builds the contestants' programs, which `cargo run` alone does not, and says where they are.
fn build<'a>(programs: impl Iterator<Item = &'a &'a str>) -> Outcome<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let arguments = ["build", "--release", "--quiet", "--locked", "--manifest-path", manifest];
    let mut build = Command::new(cargo);
    // `cargo run` has told us about this package. Build scripts that look at that would run again, and much with them.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
            .iter()
            .any(|start| text.starts_with(start))
        {
            build.env_remove(&name);
        }
    }
    build.args(arguments);
    for program in programs {
        build.args(["--bin", program]);
    }
    let built = build.status()?;
    if !built.success() {
        return Err("the contestants could not be built".into());
    }
    let folder = env::current_exe()?.parent().map(PathBuf::from);
    folder.ok_or_else(|| "this program is nowhere".into())
}
