//! The built command line, on a computer of its own: a home folder, a data folder, a key file, and the test network.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::network::Network;

/// How long the program may take for what is at hand, on a machine with much else to do.
const LIMIT: Duration = Duration::from_secs(120);

/// What seals the key file of every [`Cli`].
pub const PASSPHRASE: &str = "only-for-this-test-and-nowhere-else";

/// The program and the computer that it runs on. All of it goes away when this is dropped.
#[derive(Debug)]
pub struct Cli {
    home: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Cli {
    /// A computer on which Skykeep never ran.
    pub fn new(network: &Network) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let passphrase = home.path().join("passphrase");
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&passphrase);
        let written = file.and_then(|mut file| writeln!(file, "{PASSPHRASE}"));
        written.expect("the passphrase is written");
        let environment = vec![
            ("HOME", shown(home.path())),
            ("LC_ALL", "C".to_owned()),
            ("SKYKEEP_DATA_DIR", shown(&home.path().join("data"))),
            ("SKYKEEP_KEYSTORE", "file".to_owned()),
            ("SKYKEEP_PASSPHRASE_FILE", shown(&passphrase)),
            ("SKYKEEP_PLC_URL", network.plc_url().to_owned()),
            ("SKYKEEP_HANDLE_RESOLVER", network.resolver_url().to_owned()),
            ("SKYKEEP_LOOPBACK_HTTP", "1".to_owned()),
        ];
        Self { home, environment }
    }

    /// The same with one more variable, or with another value for one.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.retain(|(other, _)| *other != name);
        self.environment.push((name, value.to_owned()));
        self
    }

    /// The home folder, which holds everything of this computer.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A folder for a place; [`Cli::add_place`] makes it one.
    pub fn place(&self) -> PathBuf {
        self.home.path().join("place")
    }

    /// A path in the home folder, as an argument.
    pub fn path(&self, name: &str) -> String {
        shown(&self.home.path().join(name))
    }

    /// Makes [`Cli::place`] a place.
    pub fn add_place(&self) {
        self.document(0, &["place", "add", "folder", &shown(&self.place())]);
    }

    /// The program with these arguments, silent, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.output().expect("the program starts")
    }

    /// Starts it in the background.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::of(self.command(arguments))
    }

    /// Starts the scheduler, and waits until other programs can speak to it.
    pub fn serve(&self) -> Running {
        self.begin(&["run"])
    }

    /// Starts what takes long while no engine runs, and waits until other programs can speak to it.
    pub fn begin(&self, arguments: &[&str]) -> Running {
        let running = self.start(arguments);
        wait("the socket", || {
            std::os::unix::net::UnixStream::connect(self.socket()).is_ok()
        });
        running
    }

    /// Where a running engine listens.
    pub fn socket(&self) -> PathBuf {
        self.data().join("engine.sock")
    }

    /// The one document that the verb prints, after the exit code that is expected of it.
    ///
    /// # Panics
    /// When the exit code is another, or what is printed is no document.
    pub fn document(&self, code: i32, arguments: &[&str]) -> Value {
        let output = self.run(&[&["--json"], arguments].concat());
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{out}\n{err}"))
    }

    /// What the verb says to a person on both streams, after the exit code that is expected of it.
    ///
    /// # Panics
    /// When the exit code is another.
    pub fn words(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{said}");
        said
    }
}

/// A program in the background; it ends with the test at the latest.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts a command.
    pub fn of(mut command: Command) -> Self {
        Self(command.spawn().expect("the program starts"))
    }

    /// Asks it to end, and answers its exit code.
    pub fn terminated(mut self) -> Option<i32> {
        let id = self.0.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        assert!(
            asked.is_ok_and(|status| status.success()),
            "{id} could not be asked to end"
        );
        self.ended().code()
    }

    /// Ends it as a power cut would.
    pub fn killed(mut self) {
        self.0.kill().expect("it is ours");
        self.ended();
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Waits until it has ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        wait("the end", || {
            status = self.0.try_wait().expect("it is ours");
            status.is_some()
        });
        status.expect("it was waited for")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Waits until something is there.
///
/// # Panics
/// When it does not come.
pub fn wait(what: &str, mut is_there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The program: `SKYKEEP_CLI`, or the one beside the test's own in the build folder.
///
/// # Panics
/// When it has not been built.
pub fn program() -> PathBuf {
    let beside = || {
        let own = std::env::current_exe().expect("a program knows itself");
        own.ancestors().nth(2).expect("it is in a folder").join("skykeep-cli")
    };
    let program = std::env::var_os("SKYKEEP_CLI").map_or_else(beside, PathBuf::from);
    assert!(program.exists(), "{program:?} is not there: cargo build -p skykeep-cli");
    program
}

fn shown(path: &Path) -> String {
    path.to_str().expect("temporary folders have plain names").to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
