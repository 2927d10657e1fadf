//! Where things are: the repository, the build output, the cache.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

use crate::process::{self, Outcome};

/// The repository, and the folder that its build output goes to.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    target: PathBuf,
    /// Held as long as we use a build folder that other checkouts use too.
    lock: Option<File>,
}

impl Project {
    /// The repository that this program was built from, with the build folder that cargo put it in.
    pub(crate) fn find() -> Outcome<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or("the repository was moved; build again")?;
        if !root.join("Cargo.toml").is_file() {
            return Err(format!("{} is not there any more; build again", root.display()).into());
        }
        let program = env::current_exe().map_err(|error| format!("where this program lies: {error}"))?;
        let target = program
            .ancestors()
            .nth(2)
            .ok_or("this program does not lie in a build folder")?;
        Ok(Self {
            root: root.to_owned(),
            target: target.to_owned(),
            lock: None,
        })
    }

    /// Moves the build output of the tests into the user's cache folder, when a build machine says `CI`.
    ///
    /// Such a machine clones anew every time; the crates from the registry, most of the work, stay compiled. What was
    /// built from another checkout is thrown away first, so that the folder does not grow and no test meets another
    /// checkout's program. When another run uses the folder, this one keeps to its own.
    pub(crate) fn keep_build_output(&mut self) -> Outcome<()> {
        if env::var_os("CI").is_none_or(|value| value.is_empty()) || env::var_os("CARGO_TARGET_DIR").is_some() {
            return Ok(());
        }
        let Some(cache) = cache_folder() else { return Ok(()) };
        let folder = cache.join("target").join(file_name(&compiler()?));
        let Ok(lock) = fs::create_dir_all(&folder).and_then(|()| File::create(folder.join("in-use"))) else {
            return Ok(());
        };
        if lock.try_lock().is_err() {
            process::say(&format!(
                "another run builds in {}; this one builds in its own folder",
                folder.display()
            ));
            return Ok(());
        }
        self.target = folder;
        self.lock = Some(lock);
        let stamp = self.target.join("built-from");
        let here = self.root.to_string_lossy().into_owned();
        if fs::read_to_string(&stamp).is_ok_and(|from| from != here) {
            process::run_quietly("cargo clean", self.cargo("clean").arg("--workspace"))?;
        }
        fs::write(&stamp, here).map_err(|error| format!("{}: {error}", stamp.display()).into())
    }

    /// A path inside the repository.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    /// Where the demo leaves its pictures and exports.
    pub(crate) fn demo_folder(&self) -> PathBuf {
        self.path("target/demo")
    }

    /// The folder that cargo builds into.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A built program, `debug` or `release`.
    pub(crate) fn built(&self, profile: &str, program: &str) -> PathBuf {
        self.target.join(profile).join(program)
    }

    /// `cargo VERB` in the repository, building into this project's folder.
    pub(crate) fn cargo(&self, verb: &str) -> Command {
        let mut command = process::command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        if self.lock.is_some() {
            // Nothing is built twice from the same sources here, and its records are large.
            command.env("CARGO_INCREMENTAL", "0");
        }
        command
            .arg(verb)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// A program that is run in one of the repository's folders.
    pub(crate) fn command_in(&self, folder: &str, program: impl AsRef<OsStr>) -> Command {
        let mut command = process::command(program);
        command.current_dir(self.path(folder));
        command
    }
}

/// `$XDG_CACHE_HOME/skykeep`, or its usual place.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    let set = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let usual = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    set.or_else(usual).map(|cache| cache.join("skykeep"))
}

/// A folder for as long as this value lives. Its path is short: sockets are made in it, whose names end at 107 bytes.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(purpose: &str) -> Outcome<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let path = env::temp_dir().join(format!("skykeep-{purpose}-{}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err(format!("{}: {error}", path.display()).into()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A new folder inside, readable by its owner only.
    pub(crate) fn folder(&self, name: &str) -> Outcome<PathBuf> {
        use std::os::unix::fs::DirBuilderExt;
        let path = self.0.join(name);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(format!("{}: {error}", path.display()).into())
            }
            _ => Ok(path),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("xtask: {} could not be removed: {error}", self.0.display());
        }
    }
}

/// One line that names the compiler: what it has built can be used again by the same compiler only.
fn compiler() -> Outcome<String> {
    let ran = process::run_quietly("rustc", process::command("rustc").arg("--version"))?;
    Ok(ran.printed.trim().to_owned())
}

fn file_name(text: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || letter == '.' {
            letter
        } else {
            '-'
        }
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_version_becomes_one_plain_file_name() {
        assert_eq!(
            file_name("rustc 1.95.0 (59807616e 2026-04-14)"),
            "rustc-1.95.0--59807616e-2026-04-14-"
        );
    }

    #[test]
    fn a_scratch_folder_is_private_and_goes_away() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = Scratch::new("unit-test").unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(scratch.folder("inside").unwrap().join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
