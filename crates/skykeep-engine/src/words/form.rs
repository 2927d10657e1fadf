//! Numbers, sizes and lists, as each language writes them: section `form` of `assets/text/<locale>.toml`.

use super::{spoken, words_in};

/// A whole number: `12,840`.
pub fn number(number: u64) -> String {
    number_in(spoken(), number)
}

/// Bytes, rounded: `1.2 GB`.
pub fn size(bytes: u64) -> String {
    size_in(spoken(), bytes)
}

/// Things named one after the other: `a, b, c`. Nothing of nothing.
pub fn list(items: &[String]) -> String {
    list_in(spoken(), items)
}

/// Sentences, one after the other on one line.
pub fn sentences(all: &[String]) -> String {
    joined(spoken(), "sentences", all)
}

pub(super) fn number_in(locale: usize, number: u64) -> String {
    let mark = words_in(locale, &["form"], "group", &[]);
    let digits = number.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push_str(&mark);
        }
        out.push(digit);
    }
    out
}

fn size_in(locale: usize, bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    if unit == 0 {
        return format!("{bytes} B");
    }
    let whole = number_in(locale, u64::try_from(tenths / 10).unwrap_or(u64::MAX));
    let point = words_in(locale, &["form"], "point", &[]);
    format!("{whole}{point}{} {}", tenths % 10, UNITS[unit])
}

fn list_in(locale: usize, items: &[String]) -> String {
    joined(locale, "list", items)
}

fn joined(locale: usize, how: &str, items: &[String]) -> String {
    let join = |before: String, after: &String| {
        let values = [("before", before.into()), ("after", after.as_str().into())];
        words_in(locale, &["form"], how, &values)
    };
    let mut items = items.iter();
    let first = items.next().cloned().unwrap_or_default();
    items.fold(first, join)
}

#[cfg(test)]
mod tests {
    use super::super::locale;
    use super::*;

    #[test]
    fn numbers_are_grouped_as_each_language_does() {
        let check = |number, expected: [&str; 4]| {
            let all = ["en", "de", "ja", "pt-BR"].map(|name| number_in(locale(name), number));
            assert_eq!(all, expected);
        };
        check(0, ["0"; 4]);
        check(999, ["999"; 4]);
        check(1000, ["1,000", "1.000", "1,000", "1.000"]);
        check(1_234_567, ["1,234,567", "1.234.567", "1,234,567", "1.234.567"]);
    }

    #[test]
    fn sizes_are_short() {
        let check = |bytes, english: &str, german: &str| {
            assert_eq!(size_in(locale("en"), bytes), english);
            assert_eq!(size_in(locale("de"), bytes), german);
        };
        check(0, "0 B", "0 B");
        check(999, "999 B", "999 B");
        check(1000, "1.0 kB", "1,0 kB");
        check(1_234_567, "1.2 MB", "1,2 MB");
        check(5_000_000_000, "5.0 GB", "5,0 GB");
        check(2_000_000_000_000_000, "2,000.0 TB", "2.000,0 TB");
    }

    #[test]
    fn lists_are_joined_as_each_language_does() {
        let check = |name, items: &[&str], expected: &str| {
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            assert_eq!(list_in(locale(name), &items), expected, "{name}");
        };
        check("en", &[], "");
        check("en", &["a"], "a");
        check("en", &["a", "b", "c"], "a, b, c");
        check("ja", &["a", "b", "c"], "a、b、c");
        // What is in a name is not filled in.
        check("en", &["{after}", "b"], "{after}, b");
        let both = ["A.".to_owned(), "B.".to_owned()];
        assert_eq!(joined(locale("de"), "sentences", &both), "A. B.");
        assert_eq!(joined(locale("ja"), "sentences", &both), "A.B.");
    }
}
