//! Keeps the program from being linked to WebKit: it is loaded with the first window (`later.c` says why and how).
//!
//! Tauri's crates ask the linker for WebKit. What this adds to the program has a function of each of its names, so that
//! nothing is left to look for in the libraries, and the linker leaves out what is not needed. What is reached by
//! another way than a call (data) would still be; the window's story looks at what a closed window leaves loaded.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What comes with the web view and nothing else uses: the name in pkg-config, the file that is loaded, and what the
/// names of its functions begin with.
const LIBRARIES: [(&str, &str, &[&str]); 3] = [
    ("webkit2gtk-4.1", "libwebkit2gtk-4.1.so.0", &["webkit_"]),
    (
        "javascriptcoregtk-4.1",
        "libjavascriptcoregtk-4.1.so.0",
        &["jsc_", "JS"],
    ),
    ("libsoup-3.0", "libsoup-3.0.so.0", &["soup_"]),
];

/// What `later.c` answers itself: the parts of WebKit's version, in order.
const ANSWERED: [&str; 3] = [
    "webkit_get_major_version",
    "webkit_get_minor_version",
    "webkit_get_micro_version",
];

/// Adds it to the program `bin`. Other processors have no `<processor>.S` yet, and are linked to WebKit as ever.
pub(crate) fn link(bin: &str) {
    println!("cargo:rerun-if-changed=src-tauri/later");
    let target = |of: &str| env::var(format!("CARGO_CFG_TARGET_{of}")).expect("cargo says what it builds for");
    if (target("OS").as_str(), target("ARCH").as_str()) != ("linux", "x86_64") {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo gives a folder"));
    fs::write(out.join("functions.inc"), functions()).expect("cargo's folder can be written");
    let mut build = cc::Build::new();
    build
        .files(["src-tauri/later/later.c", "src-tauri/later/x86_64.S"])
        .include(&out)
        .flag("-fvisibility=hidden")
        .cargo_metadata(false);
    let built_with = version();
    for (name, number) in ANSWERED.iter().zip(built_with.split('.')) {
        build.define(&name.to_uppercase(), number);
    }
    for object in build.compile_intermediates() {
        println!("cargo:rustc-link-arg-bin={bin}={}", object.display());
    }
}

/// The version of WebKit that is installed here.
fn version() -> String {
    let mut probe = pkg_config::Config::new();
    let found = probe.cargo_metadata(false).env_metadata(false).probe(LIBRARIES[0].0);
    found.expect("the window's libraries are installed").version
}

/// Every library and every function of it, in the words of `x86_64.S`.
fn functions() -> String {
    let mut lines = String::new();
    for (number, (name, file, beginnings)) in LIBRARIES.into_iter().enumerate() {
        lines += &format!("library {number}, {file}\n");
        let folder = pkg_config::get_variable(name, "libdir").expect("the window's libraries are installed");
        for function in names(&Path::new(&folder).join(file), beginnings) {
            lines += &format!("later {function}, {number}\n");
        }
    }
    lines
}

/// The names of a library's functions that begin so. Source: nm(1).
fn names(library: &Path, beginnings: &[&str]) -> Vec<String> {
    println!("cargo:rerun-if-changed={}", library.display());
    let mut list = Command::new(env::var_os("NM").unwrap_or_else(|| "nm".into()));
    list.args(["--dynamic", "--defined-only", "--format=posix"])
        .arg(library);
    let listed = list.output().expect("nm comes with the C compiler");
    assert!(listed.status.success(), "{list:?} failed");
    let functions: Vec<_> = String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let name = words.next()?.split('@').next()?;
            let wanted = beginnings.iter().any(|beginning| name.starts_with(beginning)) && !ANSWERED.contains(&name);
            (wanted && words.next()? == "T").then(|| name.to_owned())
        })
        .collect();
    assert!(!functions.is_empty(), "{} has no functions", library.display());
    functions
}
