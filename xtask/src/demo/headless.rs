//! The demo on the command line: the same protection, command by command, each shown as a person would type it.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use std::{fs, thread};

use serde_json::Value;

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
    type_in(stage, &["check", "--read-all"])?;
    let export = stage.results("export");
    type_in(stage, &["export", first, "--to", &export.display().to_string()])?;
    prove(stage, &export)?;
    say(&format!(
        "\nThe export of {first}, for any other tool: {}",
        export.display()
    ));
    if !once && io::stdin().is_terminal() {
        stay(stage)?;
    }
    Ok(())
}

/// Proves the export as a stranger would: from its own files, without engine, data folder or network.
fn prove(stage: &Stage<'_>, export: &Path) -> Outcome<()> {
    let log = export.join("plc-log.json").display().to_string();
    let car = export.join("repo.car").display().to_string();
    type_in(stage, &["inspect", "plc-log", &log])?;
    let mut asked = stage.skykeep(PROGRAM)?;
    let told = process::run_quietly(PROGRAM, asked.args(["inspect", "plc-log", &log, "--json"]))?;
    let facts: Value = serde_json::from_str(&told.printed).map_err(|error| format!("inspect plc-log: {error}"))?;
    let did = facts
        .get("did")
        .and_then(Value::as_str)
        .ok_or("inspect plc-log named no account")?;
    let key = facts
        .pointer("/current/signing_key")
        .and_then(Value::as_str)
        .ok_or("inspect plc-log named no key")?;
    type_in(stage, &["inspect", "car", &car, "--did", did, "--signing-key", key])
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
