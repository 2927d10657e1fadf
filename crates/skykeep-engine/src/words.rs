//! The words people read, from `assets/text/<locale>.toml`: one source for every face.

use std::sync::LazyLock;

use toml::{Table, Value};

/// English is complete and stands in where nothing else is.
static ENGLISH: LazyLock<Table> = LazyLock::new(|| {
    include_str!("../../../assets/text/en.toml")
        .parse()
        .expect("the file of words is tested with the program")
});

/// A sentence with its words in braces filled in. A missing one is its own name: a test finds it.
pub(crate) fn words(section: &[&str], key: &str, values: &[(&str, String)]) -> String {
    let table = section
        .iter()
        .try_fold(&*ENGLISH, |table, name| table.get(*name)?.as_table());
    match table.and_then(|table| table.get(key)).and_then(Value::as_str) {
        Some(text) => fill(text, values),
        None => format!("{}.{key}", section.join(".")),
    }
}

fn fill(text: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

#[cfg(test)]
pub(crate) fn problem_codes() -> Vec<String> {
    ENGLISH["problem"]
        .as_table()
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in_and_gaps_show() {
        assert_eq!(
            fill("{a} and {b}", &[("a", "x".to_owned()), ("b", "y".to_owned())]),
            "x and y"
        );
        assert_eq!(
            words(&["problem", "stopped"], "nothing", &[]),
            "problem.stopped.nothing"
        );
    }
}
