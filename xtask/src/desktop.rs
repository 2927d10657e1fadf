//! A desktop without a screen: an X server, a session bus, an unlocked keyring, notifications and a window manager,
//! all real, all of its own, all gone when the value is dropped.
//!
//! Nobody's own keyring, bus or settings are touched: the daemons live in a scratch home. Each is waited for by what it
//! announces (a display number, an address, a name on the bus, a root window property).

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{self, Group, Lines, Outcome, command, until};
use crate::project::Scratch;

/// Generous: on a busy build machine a daemon may be a while in coming.
const PATIENCE: Duration = Duration::from_secs(60);
const SIZE: &str = "1280x800x24";

/// A running desktop.
#[derive(Debug)]
pub(crate) struct Desktop {
    /// In the order they were started; ended from the last to the first.
    daemons: Vec<Group>,
    environment: Vec<(&'static str, String)>,
    scratch: Scratch,
}

impl Desktop {
    /// Starts everything and returns when it is ready. Errors: which of them did not come, with the reason.
    pub(crate) fn start() -> Outcome<Self> {
        let scratch = Scratch::new("desktop")?;
        let mut desktop = Self {
            daemons: Vec::new(),
            environment: Vec::new(),
            scratch,
        };
        desktop.start_display()?;
        desktop.start_bus()?;
        desktop.start_keyring()?;
        desktop.start_daemon("dunst", &[])?;
        desktop.start_daemon("openbox", &[])?;
        desktop.owner_of("org.freedesktop.Notifications")?;
        until("the window manager", PATIENCE, || {
            let mut ask = desktop.command("xprop");
            let ran = process::run_quietly("xprop", ask.args(["-root", "_NET_SUPPORTING_WM_CHECK"])).ok()?;
            ran.printed.contains("window id").then_some(())
        })?;
        Ok(desktop)
    }

    /// Lets a command run on this desktop. Its home stays what it is.
    pub(crate) fn lend<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // WebKit and GTK must not find the person's own session beside this one.
        command
            .env("GDK_BACKEND", "x11")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("SESSION_MANAGER")
    }

    /// A command on this desktop, in its scratch home.
    fn command(&self, program: &str) -> Command {
        let mut command = command(program);
        self.lend(&mut command);
        let home = self.scratch.path().join("home");
        for (name, inside) in [
            ("HOME", ""),
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_DATA_HOME", ".local/share"),
            ("XDG_CACHE_HOME", ".cache"),
        ] {
            command.env(name, home.join(inside));
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Saves a picture of the whole screen.
    pub(crate) fn picture(&self, file: &Path) -> Outcome<()> {
        let mut import = self.command("import");
        let ran = process::run_quietly("import", import.args(["-window", "root"]).arg(file))?;
        match ran.success && file.is_file() {
            true => Ok(()),
            false => Err(format!("no picture could be taken for {}", file.display()).into()),
        }
    }

    fn start_display(&mut self) -> Outcome<()> {
        let mut server = self.command("Xvfb");
        server.args(["-displayfd", "1", "-screen", "0", SIZE, "-nolisten", "tcp", "-noreset"]);
        let number = self.start_announcing("Xvfb", &mut server)?;
        self.environment.push(("DISPLAY", format!(":{}", number.trim())));
        Ok(())
    }

    fn start_bus(&mut self) -> Outcome<()> {
        self.scratch.folder("home")?;
        let run = self.scratch.folder("run")?;
        self.environment.push(("XDG_RUNTIME_DIR", run.display().to_string()));
        let address = format!("unix:path={}", run.join("bus").display());
        let mut bus = self.command("dbus-daemon");
        bus.args([
            "--session",
            "--nofork",
            "--nopidfile",
            "--print-address=1",
            "--address",
            &address,
        ]);
        let announced = self.start_announcing("dbus-daemon", &mut bus)?;
        self.environment.push(("DBUS_SESSION_BUS_ADDRESS", announced));
        Ok(())
    }

    /// The login keyring is made, and stays unlocked; its password protects nothing.
    fn start_keyring(&mut self) -> Outcome<()> {
        let mut keyring = self.command("gnome-keyring-daemon");
        keyring
            .args(["--foreground", "--unlock", "--components=secrets"])
            .stdin(Stdio::piped());
        let mut group = Group::start("gnome-keyring-daemon", &mut keyring)?;
        let written = group.take_stdin().map(|mut password| password.write_all(b"scratch"));
        self.daemons.push(group);
        match written {
            Some(Ok(())) => self.owner_of("org.freedesktop.secrets"),
            _ => Err("the keyring took no password".into()),
        }
    }

    fn start_daemon(&mut self, program: &str, arguments: &[&str]) -> Outcome<()> {
        let mut daemon = self.command(program);
        self.daemons.push(Group::start(program, daemon.args(arguments))?);
        Ok(())
    }

    fn start_announcing(&mut self, name: &str, server: &mut Command) -> Outcome<String> {
        let mut group = Group::start(name, server.stdout(Stdio::piped()))?;
        let lines = Lines::of(group.take_stdout());
        self.daemons.push(group);
        lines.first(name, PATIENCE)
    }

    /// Waits until some program holds `name` on the bus. Asking does not start one.
    fn owner_of(&self, name: &str) -> Outcome<()> {
        until(name, PATIENCE, || {
            let mut ask = self.command("dbus-send");
            ask.args([
                "--session",
                "--print-reply",
                "--dest=org.freedesktop.DBus",
                "/org/freedesktop/DBus",
            ]);
            ask.args(["org.freedesktop.DBus.NameHasOwner", &format!("string:{name}")]);
            let ran = process::run_quietly("dbus-send", &mut ask).ok()?;
            ran.printed.contains("boolean true").then_some(())
        })
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        while self.daemons.pop().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs the daemons themselves; where they are not installed, the run says so.
    fn can_run() -> bool {
        let missing: Vec<&str> = [
            "Xvfb",
            "dbus-daemon",
            "gnome-keyring-daemon",
            "dunst",
            "openbox",
            "xprop",
            "secret-tool",
            "import",
        ]
        .into_iter()
        .filter(|program| !process::on_path(program))
        .collect();
        if !missing.is_empty() {
            crate::counts::note_skipped("desktop", &format!("not installed: {}", missing.join(", ")));
        }
        missing.is_empty()
    }

    #[test]
    fn a_desktop_keeps_secrets_shows_pictures_and_goes_away() {
        if !can_run() {
            return;
        }
        let desktop = Desktop::start().unwrap();
        let store =
            "printf hush | secret-tool store --label=test kind skykeep-test && secret-tool lookup kind skykeep-test";
        let ran = process::run_quietly("secret-tool", desktop.lend(command("sh").args(["-c", store]))).unwrap();
        assert_eq!(ran.printed, "hush\n");

        let file = desktop.scratch.path().join("picture.png");
        desktop.picture(&file).unwrap();
        assert!(std::fs::read(&file).unwrap().starts_with(b"\x89PNG"));

        let folder = desktop.scratch.path().to_owned();
        drop(desktop);
        assert!(!folder.exists());
    }
}
