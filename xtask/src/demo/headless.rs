//! The demo on the command line: the same protection, command by command, each shown as a person would type it.

use std::io::{self, IsTerminal};
use std::process::Stdio;
use std::time::Duration;
use std::{fs, thread};

use super::Stage;
use crate::process::{self, Group, Outcome, say};

const PROGRAM: &str = "skykeep-cli";

/// Protects the first account; then, unless `once`, the others, and stays for as long as somebody sits there.
pub(super) fn show(stage: &Stage<'_>, once: bool) -> Outcome<()> {
    let vault = stage.vault().display().to_string();
    let first = stage.first();
    type_in(stage, &["account", "add", first])?;
    type_in(stage, &["place", "add", "folder", &vault])?;
    type_in(stage, &["backup", first])?;
    type_in(stage, &["status"])?;
    say(&format!("\n{first} is kept."));
    if !once {
        for member in stage.family.iter().skip(1) {
            type_in(stage, &["account", "add", &member.handle])?;
        }
        type_in(stage, &["backup", "--all"])?;
        type_in(stage, &["status"])?;
    }
    type_in(stage, &["snapshots", first])?;
    type_in(stage, &["check"])?;
    let export = stage.results("export");
    type_in(stage, &["export", first, "--to", &export.display().to_string()])?;
    type_in(
        stage,
        &["inspect", "car", &export.join("repo.car").display().to_string()],
    )?;
    say(&format!(
        "\nThe export of {first}, for any other tool: {}",
        export.display()
    ));
    if !once && io::stdin().is_terminal() {
        stay(stage)?;
    }
    Ok(())
}

/// Shows a command, runs it, and fails when it does.
fn type_in(stage: &Stage<'_>, words: &[&str]) -> Outcome<()> {
    say(&format!("\n$ {PROGRAM} {}", words.join(" ")));
    let mut skykeep = stage.skykeep(PROGRAM)?;
    let status = Group::start(PROGRAM, skykeep.args(words).stdout(Stdio::inherit()))?.wait()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{PROGRAM} {} failed ({status})", words.join(" ")).into()),
    }
}

/// Leaves the network up for a person to play with, until Ctrl-C.
fn stay(stage: &Stage<'_>) -> Outcome<()> {
    let path = stage.results("environment.sh");
    let exports = stage
        .environment()?
        .into_iter()
        .map(|(name, value)| format!("export {name}='{value}'\n"));
    let programs = stage.project.built("debug", PROGRAM);
    let folder = programs
        .parent()
        .map(|folder| folder.display().to_string())
        .unwrap_or_default();
    let text = exports.collect::<String>() + &format!("export PATH='{folder}':\"$PATH\"\n");
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    say("\nThe network stays up. In another terminal:");
    say(&format!("  . {}", path.display()));
    say(&format!("  {PROGRAM} status"));
    say("Ctrl-C here ends everything and removes the throw-away home.");
    loop {
        // The ordinary way to end this is Ctrl-C: no failure, and nothing to complain about.
        if process::still_wanted().is_err() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
}
