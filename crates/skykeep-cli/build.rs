//! Makes a function of every sentence that the command line says: one that is missing, or is filled in with the wrong
//! thing, does not compile, and one that nobody says is a warning.
//!
//! They are those of section `cli` of `assets/text/en.toml`, and those of other sections that it shares. That the other
//! locales have the same ones, with the same words in braces, is a test of `skykeep_engine::words`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use toml::{Table, Value};

const TEXT: &str = "../../assets/text/en.toml";

/// Sentences of the window and of the report that are the command line's too.
const SHARED: &[(&str, &[&str])] = &[
    (
        "window.status",
        &[
            "wait_network",
            "wait_place",
            "wait_paused",
            "wait_battery",
            "wait_metered",
        ],
    ),
    ("window.places", &["none"]),
    (
        "window.place",
        &[
            "free",
            "reading",
            "portion",
            "mending",
            "asking",
            "again",
            "behind_by",
            "moving",
            "retired",
            "filling",
        ],
    ),
    (
        "window.family",
        &[
            "well",
            "late",
            "unknown",
            "none",
            "read",
            "away",
            "someone",
            "someone_more",
            "week",
            "month",
            "this",
            "others",
            "disbelieved",
            "used",
            "little",
            "soon",
            "full_days",
            "full_months",
            "full_years",
            "taken",
            "left_behind",
            "found_host",
            "found_handle",
            "found_no_handle",
            "found_key",
            "found_recovery_keys",
            "found_ended",
            "found_undone",
            "found_rewritten",
        ],
    ),
    (
        "window.tested",
        &["good", "plain", "versions", "no_versions", "unlocked", "locked"],
    ),
    ("window.ready", &["since"]),
    ("window.backup", &["records", "snapshots", "newest"]),
    ("window.account", &["from_backup", "media"]),
    ("window.snapshots", &["missing"]),
    ("window.changes", &["removed_more"]),
    (
        "window.run",
        &[
            "asking",
            "fetching",
            "verifying",
            "keeping",
            "media",
            "delivering",
            "bytes",
        ],
    ),
    ("report", &["kept", "unchanged", "skipped", "stopped", "failed"]),
    (
        "report",
        &[
            "place_ready",
            "place_absent",
            "place_refused",
            "place_read_only",
            "place_other",
            "place_full",
        ],
    ),
];

fn main() {
    println!("cargo::rerun-if-changed={TEXT}");
    let text = fs::read_to_string(TEXT).expect("the words are in the repository");
    let all: Table = text.parse().expect("the words are TOML");
    let mut functions = String::new();
    let cli = all["cli"].as_table().expect("the command line has a section");
    section(cli, &["cli"], &mut functions);
    for (name, keys) in SHARED {
        let path: Vec<&str> = name.split('.').collect();
        let table = path
            .iter()
            .try_fold(&all, |table, name| table.get(*name)?.as_table())
            .unwrap_or_else(|| panic!("{name} is no section of {TEXT}"));
        for key in *keys {
            let sentence = table.get(*key).unwrap_or_else(|| panic!("{name} has no {key}"));
            functions += &function(&path, key, sentence);
        }
    }
    let target = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where"));
    fs::write(Path::new(&target).join("said.rs"), functions).expect("the build folder can be written to");
}

fn section(table: &Table, path: &[&str], functions: &mut String) {
    for (key, value) in table {
        match value {
            Value::Table(inner) if !is_plural(inner) => section(inner, &[path, &[key]].concat(), functions),
            sentence => *functions += &function(path, key, sentence),
        }
    }
}

fn is_plural(table: &Table) -> bool {
    table.contains_key("other") && table.values().all(Value::is_str)
}

/// A function that is named for the sentence, without `cli`, and takes what it is filled in with.
fn function(path: &[&str], key: &str, sentence: &Value) -> String {
    let forms: Vec<&str> = match sentence {
        Value::String(text) => vec![text],
        Value::Table(forms) => forms.values().filter_map(Value::as_str).collect(),
        other => panic!("{key} is no sentence: {other}"),
    };
    let holes = |text: &&str| -> Vec<String> {
        let parts = text.split('{').skip(1);
        parts
            .filter_map(|part| Some(part.split_once('}')?.0.to_owned()))
            .collect()
    };
    let mut holes: BTreeSet<String> = forms.iter().flat_map(holes).collect();
    if sentence.is_table() {
        holes.insert("count".to_owned());
    }
    let name: Vec<&str> = path
        .iter()
        .copied()
        .filter(|part| *part != "cli")
        .chain([key])
        .collect();
    let kind = |hole: &str| if hole == "count" { "u64" } else { "impl Into<Value>" };
    let taken: Vec<String> = holes.iter().map(|hole| format!("{hole}: {}", kind(hole))).collect();
    let values: Vec<String> = holes.iter().map(|hole| format!("({hole:?}, {hole}.into())")).collect();
    format!(
        "/// {}\npub(crate) fn {}({}) -> String {{\n    words(&{path:?}, {key:?}, &[{}])\n}}\n\n",
        forms.last().copied().unwrap_or_default(),
        name.join("_"),
        taken.join(", "),
        values.join(", ")
    )
}
