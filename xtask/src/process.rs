//! Starting other programs, and ending them whatever happens.
//!
//! - A child gets a process group of its own; dropping its [`Group`] ends the whole group.
//! - This process adopts what its children leave behind, so [`strays`] sees a forgotten server and
//!   [`end_everything`] ends it.
//! - SIGINT, SIGTERM and SIGHUP only raise a flag; every wait here looks at it and returns
//!   [`Failure::Interrupted`], so that the ordinary way out does the tidying.
//! - Should this process be killed outright, the kernel tells each child's leader to end (`setpriv --pdeathsig`).

mod table;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use std::{env, thread};

use rustix::process::{Pid, Signal};

use table::{Process, belongs, below, processes};

/// Why a verb did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// One sentence for the person at the terminal.
    Said(String),
    /// A signal asked us to stop.
    Interrupted,
}

impl From<String> for Failure {
    fn from(problem: String) -> Self {
        Self::Said(problem)
    }
}

impl From<&str> for Failure {
    fn from(problem: &str) -> Self {
        Self::Said(problem.to_owned())
    }
}

pub(crate) type Outcome<T> = Result<T, Failure>;

/// How long a program may take to end after it was asked to.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long what a program has started may take to notice that the program has ended.
const PATIENCE: Duration = Duration::from_secs(3);
const GLANCE: Duration = Duration::from_millis(20);

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
/// The leaders of groups that are meant to be alive now.
static GROUPS: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// Called once, first: signals raise a flag from here on, and orphans come to us.
pub(crate) fn prepare() -> Outcome<()> {
    let flag = STOP.get_or_init(|| Arc::new(AtomicBool::new(false)));
    for signal in [
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGHUP,
    ] {
        signal_hook::flag::register(signal, Arc::clone(flag)).map_err(|error| format!("signal {signal}: {error}"))?;
    }
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| format!("adopting orphans: {error}").into())
}

/// Errors: `Interrupted` once a signal has asked us to stop.
pub(crate) fn still_wanted() -> Outcome<()> {
    match STOP.get().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        true => Err(Failure::Interrupted),
        false => Ok(()),
    }
}

/// Looks every few milliseconds until `ready` answers, at most for `limit`.
///
/// Errors: `Interrupted`; after `limit`, a sentence that names `what`.
pub(crate) fn until<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Outcome<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ready() {
            return Ok(answer);
        }
        still_wanted()?;
        if Instant::now() >= deadline {
            return Err(format!("{what} took longer than {} s", limit.as_secs()).into());
        }
        thread::sleep(GLANCE);
    }
}

/// A command that ends when we are killed, without standard input, and without the marks that `cargo run` left on us.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    static BOUND: OnceLock<bool> = OnceLock::new();
    let mut command = if *BOUND.get_or_init(|| on_path("setpriv")) {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    // Build scripts that look at these would run again for no reason.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO_PRIMARY_PACKAGE" {
            command.env_remove(&name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Whether a program of this name is on the path.
pub(crate) fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// A child and everything it starts: ended when this value is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    name: String,
    child: Child,
    leader: i32,
}

impl Group {
    /// Errors: a sentence when the program cannot be started.
    pub(crate) fn start(name: &str, command: &mut Command) -> Outcome<Self> {
        still_wanted()?;
        let child = command
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{name} could not be started: {error}"))?;
        let leader = i32::try_from(child.id()).map_err(|_| format!("{name}: process number out of range"))?;
        lock_groups().push(leader);
        Ok(Self {
            name: name.to_owned(),
            child,
            leader,
        })
    }

    pub(crate) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The exit status, when the leader has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for the leader, as long as it takes. Errors: `Interrupted`; the group is ended when it is dropped.
    pub(crate) fn wait(&mut self) -> Outcome<ExitStatus> {
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            still_wanted()?;
            thread::sleep(GLANCE);
        }
    }

    /// Asks the group to end, insists after five seconds, and returns when nothing of it is alive.
    fn end(&mut self) {
        let alive = || !self.alive().is_empty();
        if alive() {
            signal_group(self.leader, Signal::TERM);
            if !gone_within(FAREWELL, &alive) {
                eprintln!("xtask: {} did not end when asked", self.name);
                signal_group(self.leader, Signal::KILL);
                gone_within(FAREWELL, &alive);
            }
        }
        // Takes the leader's exit status, so that it is no zombie.
        let _ = self.child.try_wait();
        let group = self.leader;
        lock_groups().retain(|leader| *leader != group);
    }

    /// What still lives of the group a moment after its leader has ended, by name and number.
    fn left_behind(&self) -> Vec<String> {
        gone_within(PATIENCE, &|| !self.alive().is_empty());
        self.alive().iter().map(Process::label).collect()
    }

    fn alive(&self) -> Vec<Process> {
        let ours = |process: &Process| process.group == self.leader && process.is_alive();
        processes().into_iter().filter(ours).collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// What became of a program: whether it ended with 0, what it printed on standard output, and what it left running.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) success: bool,
    pub(crate) printed: String,
    /// Ended by now; each by name and number.
    pub(crate) left_behind: Vec<String>,
}

/// Runs a program to its end while its output is shown, and returns what it printed.
pub(crate) fn run(name: &str, command: &mut Command) -> Outcome<Ran> {
    run_showing(name, command, true)
}

/// Like [`run`], but shows nothing.
pub(crate) fn run_quietly(name: &str, command: &mut Command) -> Outcome<Ran> {
    command.stderr(Stdio::null());
    run_showing(name, command, false)
}

/// Runs a program to its end. Errors: a sentence that names it when it ended with anything but 0.
pub(crate) fn must(name: &str, command: &mut Command) -> Outcome<()> {
    command.stdout(Stdio::inherit());
    let status = Group::start(name, command)?.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{name} failed ({status})").into())
    }
}

fn run_showing(name: &str, command: &mut Command, show: bool) -> Outcome<Ran> {
    let mut group = Group::start(name, command.stdout(Stdio::piped()))?;
    let lines = Lines::of(group.take_stdout());
    let mut printed = String::new();
    let mut keep = |line: String| {
        if show {
            say(&line);
        }
        printed.push_str(&line);
        printed.push('\n');
    };
    // The pipe's end is no measure: a forgotten grandchild may hold it open for ever.
    let status = loop {
        match lines.next(GLANCE) {
            Next::Line(line) => keep(line),
            Next::Nothing => {}
            Next::End => thread::sleep(GLANCE),
        }
        if let Some(status) = group.ended() {
            break status;
        }
        still_wanted()?;
    };
    while let Next::Line(line) = lines.next(Duration::from_millis(300)) {
        keep(line);
    }
    let left_behind = group.left_behind();
    Ok(Ran {
        success: status.success(),
        printed,
        left_behind,
    })
}

/// The lines of a child's standard output, read by a thread so that waiting for one can be broken off.
#[derive(Debug)]
pub(crate) struct Lines(Receiver<String>);

/// What came within the time.
pub(crate) enum Next {
    Line(String),
    Nothing,
    End,
}

impl Lines {
    pub(crate) fn of(stdout: Option<ChildStdout>) -> Self {
        let (send, receive) = channel();
        if let Some(stdout) = stdout {
            thread::spawn(move || {
                let mut reader = BufReader::new(stdout);
                let mut bytes = Vec::new();
                while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
                    let line = String::from_utf8_lossy(&bytes)
                        .trim_end_matches(['\n', '\r'])
                        .to_owned();
                    if send.send(line).is_err() {
                        return;
                    }
                    bytes.clear();
                }
            });
        }
        Self(receive)
    }

    pub(crate) fn next(&self, limit: Duration) -> Next {
        match self.0.recv_timeout(limit) {
            Ok(line) => Next::Line(line),
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }

    /// The first line of a program that says by it that it is ready.
    ///
    /// Errors: `Interrupted`; a sentence when it ends before, or takes longer than `limit`.
    pub(crate) fn first(&self, name: &str, limit: Duration) -> Outcome<String> {
        let deadline = Instant::now() + limit;
        loop {
            match self.next(Duration::from_millis(50)) {
                Next::Line(line) => return Ok(line),
                Next::End => return Err(format!("{name} ended before it was ready").into()),
                Next::Nothing if Instant::now() >= deadline => {
                    return Err(format!("{name} was not ready after {} s", limit.as_secs()).into());
                }
                Next::Nothing => still_wanted()?,
            }
        }
    }
}

/// Prints a line; a reader that went away is no reason to fail.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Processes that we started, directly or not, and that belong to no group we know: somebody forgot them.
///
/// Those that are just about to end get a moment to do so. Each by name and number.
pub(crate) fn strays() -> Vec<String> {
    gone_within(PATIENCE, &|| !forgotten().is_empty());
    forgotten().iter().map(Process::label).collect()
}

/// Ends what [`strays`] names.
pub(crate) fn end_strays() {
    end_all(&forgotten);
}

/// Ends every process below this one. Called last, after every [`Group`] has been dropped.
pub(crate) fn end_everything() {
    end_all(&|| {
        below(processes(), std::process::id())
            .into_iter()
            .filter(Process::is_alive)
            .collect()
    });
}

fn end_all(alive: &dyn Fn() -> Vec<Process>) {
    for signal in [Signal::TERM, Signal::KILL] {
        for pid in alive().iter().filter_map(|process| Pid::from_raw(process.pid)) {
            // It may have ended between the look and the signal.
            let _ = rustix::process::kill_process(pid, signal);
        }
        if gone_within(FAREWELL, &|| !alive().is_empty()) {
            return;
        }
    }
}

fn forgotten() -> Vec<Process> {
    let all = processes();
    let known = lock_groups().clone();
    let lost = |process: &Process| process.is_alive() && !belongs(&all, process, &known);
    below(all.clone(), std::process::id())
        .into_iter()
        .filter(lost)
        .collect()
}

fn gone_within(limit: Duration, alive: &dyn Fn() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while alive() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(GLANCE);
    }
    true
}

fn signal_group(leader: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(leader) {
        // It may have ended between the look and the signal.
        let _ = rustix::process::kill_process_group(pid, signal);
    }
}

fn lock_groups() -> std::sync::MutexGuard<'static, Vec<i32>> {
    GROUPS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_a_group_ends_what_its_leader_started() {
        let mut group = Group::start(
            "sleepers",
            command("sh")
                .args(["-c", "sleep 600 & echo $!; wait"])
                .stdout(Stdio::piped()),
        )
        .unwrap();
        let lines = Lines::of(group.take_stdout());
        let sleeper: i32 = lines
            .first("sleepers", Duration::from_secs(20))
            .unwrap()
            .parse()
            .unwrap();
        let alive = || {
            processes()
                .iter()
                .any(|process| process.pid == sleeper && process.is_alive())
        };
        assert!(alive());
        drop(group);
        assert!(!alive());
    }

    #[test]
    fn a_program_that_ends_early_is_not_waited_for() {
        let mut group = Group::start("short", command("true").stdout(Stdio::piped())).unwrap();
        let lines = Lines::of(group.take_stdout());
        let Err(Failure::Said(said)) = lines.first("short", Duration::from_secs(20)) else {
            panic!("it was ready")
        };
        assert!(said.contains("ended before it was ready"), "{said}");
    }

    #[test]
    fn output_and_exit_code_come_back() {
        let ran = run_quietly("speaker", command("sh").args(["-c", "printf 'one\\ntwo'; exit 3"])).unwrap();
        assert_eq!(ran.printed, "one\ntwo\n");
        assert!(!ran.success && ran.left_behind.is_empty());
    }

    #[test]
    fn what_a_program_leaves_running_is_named_and_ended() {
        let ran = run_quietly("careless", command("sh").args(["-c", "sleep 600 >/dev/null & echo $!"])).unwrap();
        let sleeper: i32 = ran.printed.trim().parse().unwrap();
        assert_eq!(ran.left_behind, [format!("sleep ({sleeper})")]);
        assert!(
            !processes()
                .iter()
                .any(|process| process.pid == sleeper && process.is_alive())
        );
    }
}
