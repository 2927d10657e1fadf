//! How problems are told: the words of a code, filled in with its values, and the document that crosses to a face.
//!
//! The words are in `assets/text/<locale>.toml`, section `problem.<code>`. A document carries code, values and words. Who
//! reads it back (another process, or the catalogue) keeps code and values and makes the words anew in its own language;
//! the words that came along are kept only where it has none of its own: of a version without values, or of a newer one.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use specta::Type;

use crate::api::{Action, Problem, Said, Severity};
use crate::words::{Value, is_problem, spoken, words_in};

/// Something that a person should know, in words.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
#[serde(rename = "Problem")]
pub(crate) struct Told {
    /// Stable name, for programs.
    code: String,
    /// How much it matters.
    severity: Severity,
    /// What happened.
    happened: String,
    /// What it means for them.
    means: String,
    /// What to do, if anything.
    todo: String,
    /// What the words are filled in with, by name; none where another version told it.
    #[serde(default, deserialize_with = "known", skip_serializing_if = "Option::is_none")]
    #[specta(skip)]
    values: Option<BTreeMap<String, Value>>,
    /// What a face can offer.
    actions: Vec<Action>,
    /// What a server or the system said, for those who ask.
    detail: Option<String>,
}

impl Problem {
    /// A problem without values.
    pub(crate) fn new(code: &str, severity: Severity, actions: &[Action]) -> Self {
        Self {
            code: code.to_owned(),
            severity,
            values: BTreeMap::new(),
            actions: actions.to_vec(),
            detail: None,
            said: None,
        }
    }

    /// Fills in a value.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.values.insert(name.to_owned(), value.into());
        self
    }

    /// Fills in a name, an address, a path.
    pub(crate) fn text(self, name: &str, text: impl ToString) -> Self {
        self.with(name, text.to_string())
    }

    /// Says what a server or the system said.
    pub(crate) fn detail(mut self, detail: impl ToString) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// What happened, in the language that is spoken now.
    pub fn happened(&self) -> String {
        self.say(spoken(), "happened")
    }

    /// What it means for them, in the language that is spoken now.
    pub fn means(&self) -> String {
        self.say(spoken(), "means")
    }

    /// What to do, if anything, in the language that is spoken now.
    pub fn todo(&self) -> String {
        self.say(spoken(), "todo")
    }

    /// One of the three texts by its name, in a locale.
    pub(super) fn say(&self, locale: usize, key: &str) -> String {
        if let Some(said) = &self.said {
            return match key {
                "happened" => &said.happened,
                "means" => &said.means,
                _ => &said.todo,
            }
            .clone();
        }
        let values: Vec<(&str, Value)> = self
            .values
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        // What stands at the end may be empty.
        words_in(locale, &["problem", &self.code], key, &values)
            .trim_end()
            .to_owned()
    }
}

impl From<Problem> for Told {
    fn from(problem: Problem) -> Self {
        Self {
            happened: problem.happened(),
            means: problem.means(),
            todo: problem.todo(),
            values: problem.said.is_none().then_some(problem.values),
            code: problem.code,
            severity: problem.severity,
            actions: problem.actions,
            detail: problem.detail,
        }
    }
}

impl From<Told> for Problem {
    fn from(told: Told) -> Self {
        let own = told.values.is_some() && is_problem(&told.code);
        let said = Said {
            happened: told.happened,
            means: told.means,
            todo: told.todo,
        };
        Self {
            code: told.code,
            severity: told.severity,
            values: told.values.unwrap_or_default(),
            actions: told.actions,
            detail: told.detail,
            said: (!own).then_some(said),
        }
    }
}

/// Values, when all of them are of a kind that this version knows.
fn known<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<BTreeMap<String, Value>>, D::Error> {
    let found = Option::<BTreeMap<String, serde_json::Value>>::deserialize(reader)?;
    let value = |(name, value)| Some((name, serde_json::from_value(value).ok()?));
    Ok(found.and_then(|values| values.into_iter().map(value).collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::problem;
    use crate::words::locale;

    /// Reads a document, and writes it again.
    fn again(document: Json) -> (Problem, Json) {
        let problem: Problem = serde_json::from_value(document).unwrap();
        let written = serde_json::to_value(&problem).unwrap();
        (problem, written)
    }

    #[test]
    fn what_is_kept_is_told_in_the_language_of_now() {
        let kept = serde_json::to_value(problem::place_away("Drive", 8)).unwrap();
        let (read, written) = again(kept.clone());
        assert_eq!(read, problem::place_away("Drive", 8));
        assert_eq!(written, kept);
        let told = |name: &str| read.say(locale(name), "happened");
        assert_eq!(told("en"), "Drive was not connected for 8 days.");
        assert_eq!(told("de"), "„Drive“ ist seit 8 Tagen nicht verbunden.");
        assert_eq!(told("ja"), "「Drive」が8日間、接続されていません。");
        assert_eq!(told("pt-BR"), "Faz 8 dias que o local Drive não é conectado.");
    }

    #[test]
    fn what_an_older_version_kept_in_words_reads_as_it_is() {
        let kept = json!({
            "code": "place_missing", "severity": "note",
            "happened": "„Familie“ ist nicht verbunden.", "means": "Sie warten.", "todo": "Schließe es an.",
            "actions": ["try_again"], "detail": "missing",
        });
        let (read, written) = again(kept.clone());
        assert_eq!(written, kept);
        for name in ["en", "ja"] {
            assert_eq!(read.say(locale(name), "happened"), "„Familie“ ist nicht verbunden.");
            assert_eq!(read.say(locale(name), "means"), "Sie warten.");
            assert_eq!(read.say(locale(name), "todo"), "Schließe es an.");
        }
    }

    #[test]
    fn what_only_a_newer_version_has_words_for_is_told_in_its_words() {
        let check = |code: &str, values: Json| {
            let sent = json!({
                "code": code, "severity": "danger", "values": values,
                "happened": "It happened.", "means": "It means.", "todo": "Do it.", "actions": [], "detail": null,
            });
            let (read, written) = again(sent);
            assert_eq!(read.say(locale("de"), "happened"), "It happened.");
            assert_eq!(written["happened"], "It happened.");
        };
        check("not_known_here", json!({"count": 3}));
        check(
            "not_found",
            json!({"name": "bob.test", "what": {"word": "not_known_here"}}),
        );
        check("not_found", json!({"name": "bob.test", "what": 0.5}));
        check("not_found", json!(null));
    }

    #[test]
    fn values_are_numbers_names_and_words_of_ours() {
        let problem = Problem::new("not_found", Severity::Note, &[])
            .with("what", crate::words::Word::NoAccount)
            .text("name", "bob.test");
        let document = serde_json::to_value(&problem).unwrap();
        assert_eq!(
            document["values"],
            json!({"name": "bob.test", "what": {"word": "no_account"}})
        );
        assert_eq!(
            problem.say(locale("en"), "happened"),
            "There is no account called bob.test."
        );
        assert_eq!(again(document).0, problem);
        let counted = serde_json::to_value(problem::shrunk(1200, 3)).unwrap();
        assert_eq!(counted["values"], json!({"records": 1200, "media": 3}));
    }
}
