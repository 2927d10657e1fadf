//! Prepares what the window's code embeds: configuration, capabilities, icons and pages.
//!
//! A build script runs in the repository's root, so every path here is relative to it.

mod later;

use std::fs;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    let pages = Path::new("ui/dist");
    if !pages.join("index.html").exists() {
        // The pages are embedded when this crate compiles; libraries and tests must build without them, too.
        let empty = "<!doctype html><title>Skykeep</title><p>Build the window first: npm run build, in ui.</p>\n";
        fs::create_dir_all(pages).expect("ui/dist can be created");
        fs::write(pages.join("index.html"), empty).expect("ui/dist can be written");
    }
    let windows = tauri_build::WindowsAttributes::new().window_icon_path("assets/icons/icon.ico");
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/**/*")
        .windows_attributes(windows);
    tauri_build::try_build(attributes).expect("tauri.conf.json, capabilities and icons are in order");
    later::link("skykeep");
}
