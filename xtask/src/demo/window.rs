//! The demo in the window.
//!
//! On a person's own display the window is theirs to use, and a few lines here say what to try. Without a display, or
//! with `--once`, the window is operated through WebKitWebDriver, as its tests do; on the virtual display, where nobody
//! sees it, each step is a picture under `target/demo`.

use std::fs::File;
use std::process::{Command, Stdio};

use super::Stage;
use crate::desktop::Desktop;
use crate::needs;
use crate::process::{self, Failure, Group, Outcome, command, on_path, say};
use crate::webdriver::Driver;

/// What is on the window's pages, by CSS selector.
mod element {
    pub(super) const HANDLE: &str = "form input[type=text]";
    pub(super) const FIND: &str = "form button[type=submit]";
    /// The way on from one question to the next.
    pub(super) const NEXT: &str = ".foot .actions button.main[type=button]";
    /// What tells the second question and the third.
    pub(super) const WHOSE: &str = "main input[type=radio]";
    pub(super) const WHERE: &str = "main input[type=checkbox]";
    /// A ticked place that is not the usual folder.
    pub(super) const OTHER_PLACE: &str = "main li:nth-child(n+2) input:checked";
    /// The answer of an account's page, in one line.
    pub(super) const ANSWER: &str = "section.status h1";
    pub(super) const BACK_UP: &str = "section.status button.main";
    pub(super) const SNAPSHOT: &str = "li.snapshot";
    pub(super) const ANOTHER: &str = "nav a[href='#/add']";
    pub(super) const PROTECT: &str = "a.door[href='#/protect']";
    pub(super) const HOME: &str = "nav a[href='#/']";
}

/// How the answer begins when the newest posts are proved and kept.
const KEPT: &str = "Your posts are kept.";

/// A running Skykeep of this session answers to this name; a second one would only wake the first.
const SINGLE_INSTANCE: &str = "app.skykeep.desktop.SingleInstance";

/// Opens the window and returns when it is quit, or, operated, when the first account is kept.
pub(super) fn show(stage: &Stage<'_>, once: bool) -> Outcome<()> {
    match needs::has_display() {
        true if once => operate(stage, None, once),
        true => leave_to_person(stage),
        false => {
            say("There is no display: a virtual one is used.");
            operate(stage, Some(&Desktop::start()?), once)
        }
    }
}

fn leave_to_person(stage: &Stage<'_>) -> Outcome<()> {
    refuse_second_instance()?;
    say(&format!(
        "\nSkykeep opens now, in a throw-away home: {}",
        stage.home.display()
    ));
    say(&format!(
        "  1. Choose “Protect my account”, type {} and look who it is.",
        stage.first()
    ));
    say("  2. Start protecting it. Its posts and pictures are fetched, checked and kept.");
    say(&format!(
        "  3. Open the folder: the backup is plain files, in {}.",
        stage.vault().display()
    ));
    say("Closing the window leaves Skykeep in the tray; Quit in its menu, or Ctrl-C here, ends the demo.\n");
    let mut skykeep = stage.skykeep("skykeep")?;
    let mut window = Group::start("Skykeep", skykeep.stdout(Stdio::null()).stderr(log(stage)?))?;
    match window.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("Skykeep ended badly ({status})").into()),
        // Ctrl-C is the ordinary way to end this.
        Err(Failure::Interrupted) => Ok(()),
        Err(other) => Err(other),
    }
}

fn refuse_second_instance() -> Outcome<()> {
    if !on_path("dbus-send") {
        return Ok(());
    }
    let mut ask = command("dbus-send");
    ask.args([
        "--session",
        "--print-reply",
        "--dest=org.freedesktop.DBus",
        "/org/freedesktop/DBus",
    ]);
    ask.args([
        "org.freedesktop.DBus.NameHasOwner",
        &format!("string:{SINGLE_INSTANCE}"),
    ]);
    match process::run_quietly("dbus-send", &mut ask)?
        .printed
        .contains("boolean true")
    {
        true => Err("Skykeep is open already; quit it first, so that the demo does not meet your own accounts".into()),
        false => Ok(()),
    }
}

fn operate(stage: &Stage<'_>, desktop: Option<&Desktop>, once: bool) -> Outcome<()> {
    let pictures = Pictures { stage, desktop };
    let driver = Driver::open(&mut driver_command(stage, desktop)?, &program(stage))?;
    driver.wait_for(element::PROTECT)?;
    pictures.take(&driver, "1-first-start")?;
    protect(&driver, stage.first(), Some(&pictures))?;
    say(&format!("{} is kept.", stage.first()));
    if once {
        return Ok(());
    }
    driver.click(element::BACK_UP)?;
    driver.wait_for(element::SNAPSHOT)?;
    pictures.take(&driver, "6-snapshots")?;
    for member in stage.family.iter().skip(1) {
        driver.click(element::ANOTHER)?;
        protect(&driver, &member.handle, None)?;
        say(&format!("{} is kept.", member.handle));
    }
    driver.click(element::HOME)?;
    pictures.take(&driver, "7-the-family")
}

/// From a handle to a kept account.
fn protect(driver: &Driver, handle: &str, pictures: Option<&Pictures<'_>>) -> Outcome<()> {
    let picture = |name: &str| pictures.map_or(Ok(()), |pictures| pictures.take(driver, name));
    driver.click(element::PROTECT)?;
    driver.type_into(element::HANDLE, handle)?;
    driver.click(element::FIND)?;
    driver.wait_for(element::WHOSE)?;
    picture("2-who-it-is")?;
    driver.click(element::NEXT)?;
    driver.wait_for(element::WHERE)?;
    // A drive of the person's own is no place for a made-up family.
    while driver.count(element::OTHER_PLACE)? > 0 {
        driver.click(element::OTHER_PLACE)?;
    }
    picture("3-where")?;
    driver.click(element::NEXT)?;
    driver.wait_for(element::ANSWER)?;
    picture("4-first-backup")?;
    driver.wait_for_text(element::ANSWER, |answer| answer.starts_with(KEPT))?;
    picture("5-kept")
}

fn program(stage: &Stage<'_>) -> String {
    stage.project.built("debug", "skykeep").display().to_string()
}

/// What Skykeep writes about its work is kept beside the pictures.
fn log(stage: &Stage<'_>) -> Outcome<File> {
    let path = stage.results("skykeep.log");
    File::create(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The driver; the program that it opens gets its environment.
fn driver_command(stage: &Stage<'_>, desktop: Option<&Desktop>) -> Outcome<Command> {
    let mut driver = command("WebKitWebDriver");
    driver.envs(stage.environment()?).stderr(log(stage)?);
    if let Some(desktop) = desktop {
        desktop.lend(&mut driver);
        // This keyring is nobody's own: the real thing may be used.
        driver
            .env("SKYKEEP_KEYSTORE", "os")
            .env_remove("SKYKEEP_PASSPHRASE_FILE");
    }
    Ok(driver)
}

struct Pictures<'a> {
    stage: &'a Stage<'a>,
    /// None: somebody watches, and the screen is theirs.
    desktop: Option<&'a Desktop>,
}

impl Pictures<'_> {
    fn take(&self, driver: &Driver, name: &str) -> Outcome<()> {
        let Some(desktop) = self.desktop else { return Ok(()) };
        driver.settle()?;
        let file = self.stage.results(&format!("{name}.png"));
        desktop.picture(&file)?;
        say(&format!("  picture: {}", file.display()));
        Ok(())
    }
}
