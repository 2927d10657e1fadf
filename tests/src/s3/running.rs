//! A program that ends with the value that stands for it, and with the test that started it, however that ends.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// A shell that waits for its pipe to close, and then kills what it has started.
const LIFELINE: &str = "\"$@\" </dev/null & cat >/dev/null; kill -9 $!; wait $! 2>/dev/null";

/// A running program. Dropping it ends the program as a power cut would (SIGKILL).
#[derive(Debug)]
pub(super) struct Running {
    shell: Child,
    /// Held open: the program ends when it closes.
    stdin: Option<ChildStdin>,
}

impl Running {
    /// Starts a program in `folder`; what it says is added to `log`.
    pub(super) fn start(program: &Path, arguments: &[String], folder: &Path, log: &Path) -> io::Result<Self> {
        let log = || fs::File::options().create(true).append(true).open(log);
        let mut shell = Command::new("sh");
        shell.args(["-c", LIFELINE, "sh"]).arg(program).args(arguments);
        shell.current_dir(folder);
        shell.stdin(Stdio::piped()).stdout(log()?).stderr(log()?);
        let mut shell = shell.spawn()?;
        let stdin = shell.stdin.take();
        Ok(Self { shell, stdin })
    }

    /// Ends it, and waits until it has ended.
    pub(super) fn kill(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        drop(self.stdin.take());
        self.shell.wait().map(drop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end().ok();
    }
}
