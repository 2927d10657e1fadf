//! The section that needs a desktop: what Skykeep takes up while its window is open, closed again, and was never open; how
//! often it wakes up in the tray; and how soon its first words are on the screen.
//!
//! The desktop is started by `cargo xtask bench`, which lends it by the environment and names the program. An account of the
//! test network is kept, so that there is something to show and something to wait for. On the bare display nobody else uses
//! the libraries that a desktop has loaded anyway, so that all of their memory counts as ours. A first start that is not
//! counted fills the system's caches, and finds out how the display draws, which the first GTK program of a session does.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::{Value, json};
use skykeep_tests::network::{Account, Network};
use tokio::runtime::Runtime;

use crate::processes::{Memory, family, memory, running, started, switches};
use crate::race::median;
use crate::table::{Goal, mebibytes, milliseconds, print};
use crate::{Bench, Outcome};

/// How long anything on the desktop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long Skykeep is left alone before it is measured, and how long it is watched, in a hurry and else: it asks the host
/// within a minute of its start.
const QUICK: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(30)];
const WHOLE: [Duration; 2] = [Duration::from_secs(75), Duration::from_secs(300)];

const MB: f64 = 1e6;

/// Prints all of it.
pub(crate) fn window(bench: &mut Bench) -> Outcome<()> {
    let program = std::env::var_os("SKYKEEP_BENCH_APP")
        .map(PathBuf::from)
        .ok_or("the window is measured on a desktop that is started for it: cargo xtask bench -- --only window")?;
    let quick = bench.sizes.len() < 3;
    let runtime = Runtime::new()?;
    let stage = Stage::set(&runtime, bench, program.canonicalize()?)?;

    stage.first_paint(&runtime)?;
    let rounds = if quick { 3 } else { 7 };
    let paints = (0..rounds)
        .map(|_| stage.first_paint(&runtime))
        .collect::<Outcome<Vec<_>>>()?;
    let [settles, watched] = if quick { QUICK } else { WHOLE };

    let skykeep = Skykeep::start(&stage, &["--hidden"])?;
    sleep(settles);
    let never = memory(skykeep.pid)?;
    let waking = wakes(skykeep.pid, watched);
    stage.run(&[])?;
    until("the window", || stage.window())?;
    sleep(settles);
    let open = memory(skykeep.pid)?;
    let waking_open = wakes(skykeep.pid, watched);
    stage.close(skykeep.pid)?;
    sleep(settles);
    let closed = memory(skykeep.pid)?;
    let waking_closed = wakes(skykeep.pid, watched);
    drop(skykeep);

    let row = |name: &str, memory: &Memory, wakes: f64| {
        vec![
            name.to_owned(),
            mebibytes(memory.whole),
            mebibytes(memory.anonymous),
            memory.processes.to_string(),
            format!("{wakes:.0}"),
        ]
    };
    print(
        "Skykeep on a desktop (memory of all its processes, PSS)",
        &["window", "memory", "in no file", "processes", "wake-ups a minute"],
        &[
            row("never opened", &never, waking),
            row("open", &open, waking_open),
            row("closed again", &closed, waking_closed),
        ],
    );
    let paint = median(&paints);
    let worst = paints.iter().copied().fold(0.0, f64::max);
    println!(
        "\nFirst words on the screen after the program's start: {} (median of {}), {} at worst.",
        milliseconds(paint),
        paints.len(),
        milliseconds(worst),
    );
    let most = |most, unit, what: &str, found| Goal::required(most, unit, what, found);
    bench.goals.extend([
        most(60.0, " MB", "in the tray, window never opened", never.whole / MB),
        most(60.0, " MB", "in the tray, window closed again", closed.whole / MB),
        most(30.0, "", "wake-ups a minute in the tray", waking.max(waking_closed)),
        most(1.0, " s", "first words on the screen", paint),
    ]);
    Ok(())
}

/// Wake-ups a minute, watched for that long.
fn wakes(pid: u32, watched: Duration) -> f64 {
    let before = switches(pid);
    sleep(watched);
    // Threads that have ended take their count with them: only those that are still there are compared.
    let since = |(thread, count): (PathBuf, u64)| count.saturating_sub(before.get(&thread).copied().unwrap_or(0));
    switches(pid).into_iter().map(since).sum::<u64>() as f64 * 60.0 / watched.as_secs_f64()
}

/// The network with a kept account, and a home to keep it in.
struct Stage {
    program: PathBuf,
    home: tempfile::TempDir,
    // Last: everything above speaks to it.
    network: Network,
}

impl Stage {
    fn set(runtime: &Runtime, bench: &Bench, program: PathBuf) -> Outcome<Self> {
        eprintln!("starting the test network, with an account to keep");
        let network = runtime.block_on(Network::start())?;
        let account: Account = runtime.block_on(async {
            let account = network.a().create_account("window.test", None).await?;
            let session = network.a().sign_in(&account).await?;
            for number in 0..20 {
                session.post(&format!("Post number {number}")).await?;
            }
            Ok::<_, skykeep_tests::network::Error>(account)
        })?;
        let home = tempfile::tempdir()?;
        let passphrase = home.path().join("passphrase");
        fs::write(&passphrase, "for this bench only\n")?;
        owner_only(&passphrase, 0o600)?;
        fs::create_dir(home.path().join("run"))?;
        owner_only(&home.path().join("run"), 0o700)?;
        let stage = Self { program, home, network };
        let keep = bench.programs.join("ours-keep");
        let (data, place) = (stage.home.path().join("data"), stage.home.path().join("place"));
        stage.must(
            Command::new(&keep)
                .arg("add")
                .args([&data, &place])
                .arg(&account.handle),
        )?;
        stage.must(Command::new(&keep).arg("first").arg(&data).arg(&account.did))?;
        Ok(stage)
    }

    /// Lets a program live in the stage's home and speak to its network.
    fn lend<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let home = self.home.path();
        command
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("XDG_CACHE_HOME", home.join(".cache"))
            .env("SKYKEEP_DATA_DIR", home.join("data"))
            .env("SKYKEEP_KEYSTORE", "file")
            .env("SKYKEEP_PASSPHRASE_FILE", home.join("passphrase"))
            .env("SKYKEEP_PLC_URL", self.network.plc_url())
            .env("SKYKEEP_HANDLE_RESOLVER", self.network.resolver_url())
            .env("SKYKEEP_APPVIEW_URL", "")
            .env("SKYKEEP_LOOPBACK_HTTP", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
    }

    fn must(&self, command: &mut Command) -> Outcome<()> {
        match self.lend(command).status()?.success() {
            true => Ok(()),
            false => Err(format!("{command:?} failed").into()),
        }
    }

    /// Runs Skykeep to its end, as a second start does.
    fn run(&self, arguments: &[&str]) -> Outcome<()> {
        self.must(Command::new(&self.program).args(arguments))
    }

    /// The number of Skykeep's window, if it is on the screen.
    fn window(&self) -> Option<String> {
        let mut search = Command::new("xdotool");
        let search = self.lend(search.args(["search", "--onlyvisible", "--name", "^Skykeep$"]));
        let found = search.stdout(Stdio::piped()).output().ok()?;
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        found.lines().next().map(str::to_owned)
    }

    /// Closes the window as a person does, and waits until nothing of the web view is left.
    fn close(&self, pid: u32) -> Outcome<()> {
        until("the window to close", || {
            let Some(window) = self.window() else { return Some(()) };
            let mut press = Command::new("xdotool");
            press.args(["windowactivate", "--sync", &window, "key", "--clearmodifiers", "alt+F4"]);
            let _ = self.lend(&mut press).status();
            sleep(Duration::from_secs(1));
            None
        })?;
        until("the web view to end", || (family(pid).len() == 1).then_some(()))
    }

    /// Seconds from the program's start to the first words on its window.
    fn first_paint(&self, runtime: &Runtime) -> Outcome<f64> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut driver = Command::new("WebKitWebDriver");
        driver.args([format!("--port={port}"), "--host=127.0.0.1".to_owned()]);
        driver.env("TAURI_WEBVIEW_AUTOMATION", "true").process_group(0);
        let driver = Group(self.lend(&mut driver).spawn()?);
        let client = reqwest::Client::builder().no_proxy().build()?;
        let ask = |path: &str, body: Value| -> Outcome<Value> {
            let url = format!("http://127.0.0.1:{port}{path}");
            let answer = runtime.block_on(async {
                let request = client.post(url).timeout(PATIENCE).body(body.to_string());
                request.send().await?.error_for_status()?.text().await
            })?;
            let mut answer: Value = serde_json::from_str(&answer)?;
            Ok(answer["value"].take())
        };
        let browser = json!({ "webkitgtk:browserOptions": { "binary": self.program, "args": [] } });
        let wish = json!({ "capabilities": { "alwaysMatch": browser } });
        let opened = until("a session", || ask("/session", wish.clone()).ok())?;
        let session = opened["sessionId"].as_str().ok_or("no session")?.to_owned();
        let script = "const [paint] = performance.getEntriesByName('first-contentful-paint');\
                      return paint ? performance.timeOrigin + paint.startTime : null;";
        let painted = until("the first words", || {
            let answer = ask(
                &format!("/session/{session}/execute/sync"),
                json!({ "script": script, "args": [] }),
            );
            answer.ok()?.as_f64()
        })?;
        let pid = *running(&self.program).first().ok_or("Skykeep has ended")?;
        let began = started(pid)?.duration_since(UNIX_EPOCH)?.as_secs_f64();
        drop(driver);
        until("Skykeep to end", || running(&self.program).is_empty().then_some(()))?;
        Ok(painted / 1e3 - began)
    }
}

/// A running Skykeep, which is ended with this.
struct Skykeep {
    pid: u32,
    _child: Group,
}

impl Skykeep {
    fn start(stage: &Stage, arguments: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(&stage.program);
        let child = stage.lend(command.args(arguments)).process_group(0).spawn()?;
        let (pid, _child) = (child.id(), Group(child));
        Ok(Self { pid, _child })
    }
}

/// A program and what it starts, ended together.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-TERM", "--", &format!("-{}", self.0.id())])
            .stderr(Stdio::null())
            .status();
        let _ = self.0.wait();
    }
}

/// Looks until there is an answer.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Outcome<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = look() {
            return Ok(answer);
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{what}: not within {} s", PATIENCE.as_secs()).into());
        }
        sleep(Duration::from_millis(50));
    }
}

fn owner_only(path: &Path, mode: u32) -> Outcome<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}
