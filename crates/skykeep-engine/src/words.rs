//! The words people read, from `assets/text/<locale>.toml`: one source for every face.
//!
//! All locales are in the program. Which one is spoken is one choice for the process: what a person chose, else what the
//! system says, else English. English is complete; a test demands that the others are, and that they fill in the same
//! values. A table of plural forms (`one`, `other`, …) is one sentence, chosen by `{count}`.
//!
//! Words are made where they are shown, at the moment they are shown: what is kept or handed on is a name of what to say
//! and the [`Value`]s that go with it.

mod form;
mod value;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use toml::{Table, Value as Toml};

pub use form::{list, number, sentences, size};
pub use value::{Value, Word};

/// Name and text of every locale. English first.
const LOCALES: &[(&str, &str)] = &[
    ("en", include_str!("../../../assets/text/en.toml")),
    ("de", include_str!("../../../assets/text/de.toml")),
    ("ja", include_str!("../../../assets/text/ja.toml")),
    ("pt-BR", include_str!("../../../assets/text/pt-BR.toml")),
];

static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    let read = |(_, text): &(&str, &str)| text.parse().expect("the files of words are tested with the program");
    LOCALES.iter().map(read).collect()
});

/// The locale that is spoken, by its place in [`LOCALES`]; this when nobody chose yet.
const NOT_CHOSEN: usize = usize::MAX;
static SPOKEN: AtomicUsize = AtomicUsize::new(NOT_CHOSEN);

/// The locale that is spoken whatever was chosen, by its place in [`LOCALES`].
static ALWAYS: AtomicUsize = AtomicUsize::new(NOT_CHOSEN);

/// Speaks English from now on, whatever a person or the system says: in documents that programs read.
pub fn speak_to_programs() {
    ALWAYS.store(0, Ordering::Relaxed);
}

/// Speaks a language from now on; `None`: the system's.
pub(crate) fn speak(language: Option<&str>) {
    SPOKEN.store(choose(language, |name| std::env::var(name).ok()), Ordering::Relaxed);
}

/// Whether there is such a locale.
pub(crate) fn is_known(language: &str) -> bool {
    LOCALES.iter().any(|(name, _)| *name == language)
}

/// The name of the locale that is spoken, such as `pt-BR`.
pub fn language() -> &'static str {
    LOCALES[spoken()].0
}

/// A sentence with its words in braces filled in. A missing one is its own name: a test finds it.
pub fn words(section: &[&str], key: &str, values: &[(&str, Value)]) -> String {
    words_in(spoken(), section, key, values)
}

/// Whether there are words for a problem of this code.
pub(crate) fn is_problem(code: &str) -> bool {
    let problems = TABLES[0].get("problem").and_then(Toml::as_table);
    problems.is_some_and(|problems| problems.contains_key(code))
}

/// As [`words`], in a locale by its place in [`LOCALES`].
pub(crate) fn words_in(locale: usize, section: &[&str], key: &str, values: &[(&str, Value)]) -> String {
    match find(&TABLES[locale], LOCALES[locale].0, section, key, values) {
        Some(text) => fill(text, |name| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some(match value {
                Value::Count(count) => form::number_in(locale, *count),
                Value::Word { word } => words_in(locale, &["word"], word.key(), &[]),
                Value::Text(text) => text.clone(),
            })
        }),
        None => format!("{}.{key}", section.join(".")),
    }
}

/// The locale that is spoken, by its place in [`LOCALES`].
pub(crate) fn spoken() -> usize {
    match (ALWAYS.load(Ordering::Relaxed), SPOKEN.load(Ordering::Relaxed)) {
        (NOT_CHOSEN, NOT_CHOSEN) => {
            speak(None);
            SPOKEN.load(Ordering::Relaxed)
        }
        (NOT_CHOSEN, spoken) => spoken,
        (always, _) => always,
    }
}

/// The place of the locale that fits best in [`LOCALES`].
///
/// The variables are those of POSIX, in their order: the first that is set says it.
fn choose(language: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> usize {
    let system = || {
        ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| variable(name).filter(|value| !value.is_empty()))
    };
    let wanted = language.map(str::to_owned).or_else(system).unwrap_or_default();
    let wanted = wanted.split(['.', '@']).next().unwrap_or_default().replace('_', "-");
    let tongue = |name: &str| name.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let at = |fits: &dyn Fn(&str) -> bool| LOCALES.iter().position(|(name, _)| fits(name));
    at(&|name| name.eq_ignore_ascii_case(&wanted))
        .or_else(|| at(&|name| tongue(name) == tongue(&wanted)))
        .unwrap_or(0)
}

fn find<'a>(table: &'a Table, locale: &str, section: &[&str], key: &str, values: &[(&str, Value)]) -> Option<&'a str> {
    let table = section
        .iter()
        .try_fold(table, |table, name| table.get(*name)?.as_table())?;
    match table.get(key)? {
        Toml::String(text) => Some(text),
        Toml::Table(forms) => {
            let count = values.iter().find_map(|(name, value)| match value {
                Value::Count(count) if *name == "count" => Some(*count),
                _ => None,
            })?;
            forms
                .get(plural(locale, count))
                .or_else(|| forms.get("other"))?
                .as_str()
        }
        _ => None,
    }
}

/// The plural category of a whole number. Source: Unicode CLDR, "Language Plural Rules", cardinals.
fn plural(locale: &str, count: u64) -> &'static str {
    match (locale, count) {
        ("ja", _) => "other",
        ("pt-BR", 0 | 1) | (_, 1) => "one",
        ("pt-BR", count) if count % 1_000_000 == 0 => "many",
        _ => "other",
    }
}

/// Puts values where their names stand in braces. What a value brings along in braces stays; so does a name without one.
fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after.split_once('}') {
            Some((name, after)) => {
                out.push_str(&value(name).unwrap_or_else(|| format!("{{{name}}}")));
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
pub(crate) fn locale(name: &str) -> usize {
    LOCALES.iter().position(|(known, _)| *known == name).unwrap()
}

#[cfg(test)]
pub(crate) fn problem_codes() -> Vec<String> {
    TABLES[0]["problem"]
        .as_table()
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn values_are_filled_in_and_gaps_show() {
        let check = |text: &str, expected: &str| {
            let value = |name: &str| match name {
                "a" => Some("{b}".to_owned()),
                "b" => Some("y".to_owned()),
                _ => None,
            };
            assert_eq!(fill(text, value), expected);
        };
        check("{a} and {b}.", "{b} and y.");
        check("{c}{b}", "{c}y");
        check("nothing, {b", "nothing, {b");
        assert_eq!(
            words(&["problem", "stopped"], "nothing", &[]),
            "problem.stopped.nothing"
        );
    }

    #[test]
    fn a_sentence_is_chosen_by_its_count() {
        let table: Table = r#"[a]
            b = { one = "{count} day", other = "{count} days" }"#
            .parse()
            .unwrap();
        let check = |locale: &str, count: u64, expected: Option<&str>| {
            let values = [("count", Value::Count(count))];
            assert_eq!(find(&table, locale, &["a"], "b", &values), expected, "{locale} {count}");
        };
        check("en", 1, Some("{count} day"));
        check("en", 0, Some("{count} days"));
        check("de", 2, Some("{count} days"));
        check("pt-BR", 0, Some("{count} day"));
        check("pt-BR", 2_000_000, Some("{count} days"));
        check("ja", 1, Some("{count} days"));
        assert_eq!(find(&table, "en", &["a"], "b", &[]), None);
        assert_eq!(plural("pt-BR", 1_000_000), "many");
    }

    #[test]
    fn the_language_is_what_was_chosen_else_what_the_system_says() {
        let check = |language: Option<&str>, system: &[(&str, &str)], expected: &str| {
            let variable = |name: &str| {
                let found = system.iter().find(|(n, _)| *n == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let expected = if is_known(expected) { expected } else { "en" };
            assert_eq!(
                LOCALES[choose(language, variable)].0,
                expected,
                "{language:?} {system:?}"
            );
        };
        check(None, &[], "en");
        check(None, &[("LANG", "C.UTF-8")], "en");
        check(None, &[("LANG", "de_AT.UTF-8")], "de");
        check(
            None,
            &[
                ("LANG", "en_GB.UTF-8"),
                ("LC_ALL", ""),
                ("LC_MESSAGES", "ja_JP.eucJP@x"),
            ],
            "ja",
        );
        check(None, &[("LANG", "de_DE"), ("LC_ALL", "pt_PT")], "pt-BR");
        check(Some("pt-BR"), &[("LANG", "de_DE")], "pt-BR");
        check(Some("en"), &[("LANG", "de_DE")], "en");
        check(None, &[("LANG", "dex_XX")], "en");
    }

    /// Every sentence by its full name, with the values that it fills in. Plural forms are one sentence.
    fn sentences(table: &Table, before: &str, into: &mut BTreeMap<String, BTreeSet<String>>) {
        let braces = |text: &str| -> BTreeSet<String> {
            let parts = text.split('{').skip(1);
            parts.map(|part| part.split('}').next().unwrap().to_owned()).collect()
        };
        for (name, value) in table {
            let name = format!("{before}{name}");
            match value {
                Toml::String(text) => drop(into.insert(name, braces(text))),
                Toml::Table(forms) if forms.contains_key("other") && forms.values().all(Toml::is_str) => {
                    let all = forms.values().filter_map(Toml::as_str).flat_map(braces);
                    into.insert(name, all.chain(["count".to_owned()]).collect());
                }
                Toml::Table(table) => sentences(table, &format!("{name}."), into),
                other => panic!("{name}: {other}"),
            }
        }
    }

    #[test]
    fn every_locale_says_all_that_english_says() {
        let all = |table: &Table| {
            let mut all = BTreeMap::new();
            sentences(table, "", &mut all);
            all
        };
        let english = all(&TABLES[0]);
        assert!(english.len() > 100);
        for ((locale, _), table) in LOCALES.iter().zip(TABLES.iter()).skip(1) {
            let theirs = all(table);
            for (name, values) in &english {
                assert_eq!(theirs.get(name), Some(values), "{locale}: {name}");
            }
            for name in theirs.keys() {
                assert!(english.contains_key(name), "{locale}: {name} is said by nobody");
            }
        }
    }

    #[test]
    fn every_plural_has_the_forms_of_its_language() {
        fn check(table: &Table, forms: &BTreeSet<&str>, name: &str) {
            for (key, value) in table {
                let Toml::Table(inner) = value else { continue };
                let name = format!("{name}.{key}");
                if inner.contains_key("other") && inner.values().all(Toml::is_str) {
                    let found: BTreeSet<&str> = inner.keys().map(String::as_str).collect();
                    // A key may be called "other" beside keys of other names.
                    if found.iter().all(|form| ["one", "many", "other"].contains(form)) {
                        assert_eq!(found, *forms, "{name}");
                        continue;
                    }
                }
                check(inner, forms, &name);
            }
        }
        for ((locale, _), table) in LOCALES.iter().zip(TABLES.iter()) {
            let forms = [0, 1, 2, 1_000_000].map(|count| plural(locale, count));
            check(table, &BTreeSet::from(forms), locale);
        }
    }

    #[test]
    fn every_word_of_ours_is_known_by_its_name() {
        let words = TABLES[0]["word"].as_table().unwrap();
        for name in words.keys() {
            let word: Word = serde_json::from_value(serde_json::json!(name)).unwrap();
            assert_eq!(word.key(), name);
        }
    }

    #[test]
    fn every_file_of_words_is_in_the_program() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/text");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let known: BTreeSet<String> = LOCALES.iter().map(|(name, _)| format!("{name}.toml")).collect();
        assert_eq!(files, known);
    }
}
