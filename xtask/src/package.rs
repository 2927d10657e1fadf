//! `cargo xtask package`: the Debian package, built as it is given away, and looked into before it is.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::args::Request;
use crate::needs::{self, Need};
use crate::process::{self, Outcome, command, say};
use crate::project::{Project, Scratch};
use crate::test::npm;

const COMMAND_LINE: &str = "skykeep-cli";
const PROGRAMS: [&str; 2] = ["skykeep", COMMAND_LINE];

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

/// Builds both programs and then `bundles`, and returns the Debian package among them, looked into.
pub(crate) fn build_and_check(project: &Project, bundles: &str) -> Outcome<PathBuf> {
    build_programs(project)?;
    // Tauri's command line takes the folder of tauri.conf.json for its own, so it is called from the root.
    let mut tauri = project.command_in(".", project.path("ui/node_modules/.bin/tauri"));
    tauri
        .args(["bundle", "--ci", "--bundles", bundles])
        .args(["--config", &contents(project)?.to_string()])
        .env("CARGO_TARGET_DIR", project.target());
    process::must("tauri bundle", &mut tauri)?;
    let package = newest(&project.built("release", "bundle/deb"), "deb")?;
    check(&package)?;
    Ok(package)
}

/// Builds both programs as they are given away.
pub(crate) fn build_programs(project: &Project) -> Outcome<()> {
    process::must("the window's pages", &mut npm(project, "build"))?;
    // Both at once: built one after the other they would choose other features, and build most crates twice.
    let mut build = project.cargo("build");
    build.args(["--release", "--locked", "--bins"]);
    build.args(["--package", "skykeep", "--package", COMMAND_LINE]);
    process::must("cargo build", build.args(["--features", "skykeep/custom-protocol"]))
}

/// What is loaded with the first window. The programs are not linked to it, so nobody else says which version will do: it is
/// the one for which Tauri's web view is compiled (wry's feature `webkit2gtk/v2_40`).
const WEB_VIEW: &str = "libwebkit2gtk-4.1-0 (>= 2.40)";

/// What `tauri.conf.json` cannot say: where the command line was built, and what both programs need.
fn contents(project: &Project) -> Outcome<Value> {
    let command_line = project.built("release", COMMAND_LINE).display().to_string();
    let mut depends = libraries(project)?;
    depends.push(WEB_VIEW.to_owned());
    let files = json!({ format!("/usr/bin/{COMMAND_LINE}"): command_line });
    let linux = json!({
        "deb": { "files": files, "depends": depends },
        "rpm": { "files": files },
    });
    Ok(json!({ "bundle": { "linux": linux } }))
}

/// The Debian packages of the libraries that the programs are linked to, each with the oldest version that will do.
fn libraries(project: &Project) -> Outcome<Vec<String>> {
    let scratch = Scratch::new("libraries")?;
    // The asking program wants to be in the folder of a source package.
    let control = scratch.folder("debian")?.join("control");
    let text = "Source: skykeep\n\nPackage: skykeep\nArchitecture: any\n";
    fs::write(&control, text).map_err(|error| format!("{}: {error}", control.display()))?;
    let mut ask = command("dpkg-shlibdeps");
    ask.current_dir(scratch.path()).arg("-O");
    ask.args(PROGRAMS.map(|program| project.built("release", program)));
    let found = read_libraries(&process::run_quietly("dpkg-shlibdeps", &mut ask)?.printed);
    match found.is_empty() {
        true => Err("dpkg-shlibdeps did not find what the programs are linked to".into()),
        false => Ok(found),
    }
}

/// Source: dpkg-shlibdeps(1), `-O`.
fn read_libraries(printed: &str) -> Vec<String> {
    let line = printed.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    let names = line.unwrap_or_default().split(", ").filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
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
        ("Depends", "libc6 (>= "),
        ("Depends", WEB_VIEW),
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
    let programs = PROGRAMS.map(|program| format!("usr/bin/{program}"));
    for name in programs
        .iter()
        .map(String::as_str)
        .chain(["usr/share/doc/skykeep/copyright"])
    {
        if !root.join(name).is_file() {
            problems.push(format!("it holds no {name}"));
        }
    }
    match fs::read_to_string(root.join(MENU_ENTRY)) {
        Ok(entry) => {
            problems.extend(problems_of_menu_entry(&entry));
            let icon = value_of(&entry, "Icon").unwrap_or_default();
            for size in ["32x32", "128x128", "256x256@2"] {
                let file = format!("usr/share/icons/hicolor/{size}/apps/{icon}.png");
                if !root.join(&file).is_file() {
                    problems.push(format!("it holds no {file}"));
                }
            }
        }
        Err(error) => problems.push(format!("{MENU_ENTRY}: {error}")),
    }
    problems
}

/// A link `skykeep:…` reaches the program only when the entry hands it on; a menu files it by its categories.
fn problems_of_menu_entry(entry: &str) -> Vec<String> {
    let listed =
        |key: &str, item: &str| value_of(entry, key).is_some_and(|list| list.split(';').any(|one| one == item));
    let rules = [
        (
            value_of(entry, "Exec") == Some("skykeep %u"),
            "does not hand links on (Exec)",
        ),
        (
            listed("MimeType", "x-scheme-handler/skykeep"),
            "claims no skykeep: links (MimeType)",
        ),
        (listed("Categories", "Utility"), "is no utility (Categories)"),
    ];
    let broken = rules.iter().filter(|(holds, _)| !holds);
    broken.map(|(_, problem)| format!("the menu entry {problem}")).collect()
}

/// The value of a key. Source: Desktop Entry Specification, "Basic format of the file".
fn value_of<'a>(entry: &'a str, key: &str) -> Option<&'a str> {
    entry.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_menu_entry_must_claim_links_and_hand_them_on() {
        let good = "[Desktop Entry]\nExec=skykeep %u\nCategories=Utility;\nMimeType=x-scheme-handler/skykeep;\n";
        assert!(problems_of_menu_entry(good).is_empty());
        for (key, spoilt) in [
            ("Exec", good.replace(" %u", "")),
            ("MimeType", good.replace("skykeep;", "skykeeper;")),
            ("Categories", good.replace("Categories=Utility;\n", "")),
        ] {
            let problems = problems_of_menu_entry(&spoilt);
            assert!(problems.len() == 1 && problems[0].contains(key), "{problems:?}");
        }
    }

    #[test]
    fn libraries_are_read_with_their_versions() {
        let printed = "shlibs:Depends=libc6 (>= 2.34), libgtk-3-0 (>= 3.23.2)\n";
        assert_eq!(read_libraries(printed), ["libc6 (>= 2.34)", "libgtk-3-0 (>= 3.23.2)"]);
        assert!(read_libraries("shlibs:Depends=\n").is_empty() && read_libraries("").is_empty());
    }

    #[test]
    fn a_package_must_say_what_it_is_and_what_it_needs() {
        let good = "Package: skykeep\nMaintainer: The Skykeep authors\nDescription: Keeps accounts\n\
                    Depends: libwebkit2gtk-4.1-0 (>= 2.40), libgtk-3-0, libc6 (>= 2.34)\n";
        assert!(problems_of_control(good).is_empty());
        assert_eq!(
            problems_of_control(&good.replace("libgtk-3-0, ", "")),
            ["Depends does not name libgtk-3-0"]
        );
        assert_eq!(
            problems_of_control(&good.replace("Keeps accounts", "(none)")),
            ["Description is empty"]
        );
    }
}
