//! `cargo xtask package`: the Debian package, built as it is given away, and looked into before it is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Request;
use crate::needs::{self, Need};
use crate::process::{self, Outcome, command, say};
use crate::project::{Project, Scratch};

/// Builds the package (with `--rpm` the other one too) and checks it. Errors: the first thing that is wrong with it.
pub(crate) fn package(project: &Project, request: &Request) -> Outcome<()> {
    needs::make_sure(
        project,
        request,
        &[Need::Compilers, Need::Window, Need::WindowPackages, Need::Package],
    )?;
    let bundles = if request.has("--rpm") { "deb,rpm" } else { "deb" };
    let package = build_and_check(project, bundles)?;
    say(&format!("\n{} is sound.", package.display()));
    if request.has("--rpm") {
        say(&format!(
            "{}",
            newest(&project.built("release", "bundle/rpm"), "rpm")?.display()
        ));
    }
    Ok(())
}

/// Builds `bundles` and returns the Debian package among them, looked into.
pub(crate) fn build_and_check(project: &Project, bundles: &str) -> Outcome<PathBuf> {
    // Tauri's command line takes the folder of tauri.conf.json for its own, so it is called from the root.
    let mut tauri = project.command_in(".", project.path("ui/node_modules/.bin/tauri"));
    tauri
        .args(["build", "--ci", "--bundles", bundles])
        .env("CARGO_TARGET_DIR", project.target());
    process::must("tauri build", &mut tauri)?;
    let package = newest(&project.built("release", "bundle/deb"), "deb")?;
    check(&package)?;
    Ok(package)
}

/// The package that was built last.
fn newest(folder: &Path, extension: &str) -> Outcome<PathBuf> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let packages = entries.flatten().map(|entry| entry.path());
    let matching = packages.filter(|path| path.extension().is_some_and(|found| found == extension));
    let built = |path: &PathBuf| fs::metadata(path).and_then(|facts| facts.modified()).ok();
    matching
        .max_by_key(built)
        .ok_or_else(|| format!("no .{extension} in {}", folder.display()).into())
}

/// What a person who installs it relies on: the program, its entry in the menu with the deep link, its pictures.
fn check(package: &Path) -> Outcome<()> {
    let unpacked = Scratch::new("package")?;
    process::must(
        "dpkg-deb",
        command("dpkg-deb").arg("--extract").arg(package).arg(unpacked.path()),
    )?;
    let control = process::run_quietly("dpkg-deb", command("dpkg-deb").arg("--field").arg(package))?;
    let problems = [
        problems_of_control(&control.printed),
        problems_of_files(unpacked.path()),
    ]
    .concat();
    if let Some(problem) = problems.first() {
        return Err(format!("{}: {problem}", package.display()).into());
    }
    let entry = unpacked.path().join(MENU_ENTRY);
    process::must("desktop-file-validate", command("desktop-file-validate").arg(entry))
}

const MENU_ENTRY: &str = "usr/share/applications/Skykeep.desktop";

fn problems_of_control(control: &str) -> Vec<String> {
    let field = |name: &str| {
        let line = control
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    let mut problems = Vec::new();
    for (name, wanted) in [
        ("Package", "skykeep"),
        ("Depends", "libwebkit2gtk-4.1-0"),
        ("Depends", "libgtk-3-0"),
    ] {
        if !field(name).contains(wanted) {
            problems.push(format!("{name} does not name {wanted}"));
        }
    }
    for name in ["Maintainer", "Description"] {
        if field(name).is_empty() || field(name).contains("(none)") {
            problems.push(format!("{name} is empty"));
        }
    }
    problems
}

fn problems_of_files(root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    if !root.join("usr/bin/skykeep").is_file() {
        problems.push("it holds no usr/bin/skykeep".to_owned());
    }
    if !root.join("usr/share/icons/hicolor").is_dir() {
        problems.push("it holds no icons".to_owned());
    }
    match fs::read_to_string(root.join(MENU_ENTRY)) {
        Ok(entry) => problems.extend(problems_of_menu_entry(&entry)),
        Err(error) => problems.push(format!("{MENU_ENTRY}: {error}")),
    }
    problems
}

/// A link `skykeep://…` reaches the program only when the entry hands it on.
fn problems_of_menu_entry(entry: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if !entry
        .lines()
        .any(|line| line.starts_with("Exec=") && line.ends_with(" %u"))
    {
        problems.push("the menu entry does not hand links on (Exec without %u)".to_owned());
    }
    if !entry
        .lines()
        .any(|line| line.starts_with("MimeType=") && line.contains("x-scheme-handler/skykeep"))
    {
        problems.push("the menu entry does not claim skykeep: links".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_menu_entry_must_claim_links_and_hand_them_on() {
        let good = "[Desktop Entry]\nExec=skykeep %u\nMimeType=x-scheme-handler/skykeep;\n";
        assert!(problems_of_menu_entry(good).is_empty());
        assert_eq!(
            problems_of_menu_entry("Exec=skykeep\nMimeType=x-scheme-handler/skykeep;\n").len(),
            1
        );
        assert_eq!(problems_of_menu_entry("Exec=skykeep %u\n").len(), 1);
    }

    #[test]
    fn a_package_must_say_what_it_is_and_what_it_needs() {
        let good = "Package: skykeep\nMaintainer: The Skykeep authors\nDepends: libwebkit2gtk-4.1-0, libgtk-3-0\n\
                    Description: Keeps accounts\n";
        assert!(problems_of_control(good).is_empty());
        assert_eq!(
            problems_of_control(&good.replace("libgtk-3-0", "libc6")),
            ["Depends does not name libgtk-3-0"]
        );
        assert_eq!(
            problems_of_control(&good.replace("Keeps accounts", "(none)")),
            ["Description is empty"]
        );
    }
}
