//! Handles: the name people know an account by.
//!
//! Kept in lower case, as the specification normalises them. Source: AT Protocol "Handle".

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::as_text::as_text;

/// A syntactically valid handle, in lower case, at most 253 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(String);

/// Top-level domains that never name an account on the network; `.test` is left to the caller.
const DISALLOWED_TLDS: [&str; 8] = [
    ".alt",
    ".arpa",
    ".example",
    ".internal",
    ".invalid",
    ".local",
    ".localhost",
    ".onion",
];

impl Handle {
    /// The handle in lower case, without `@`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the specification forbids resolving it, whatever DNS answers (`.local`, `.onion`, …, `handle.invalid`).
    pub fn is_disallowed(&self) -> bool {
        DISALLOWED_TLDS.iter().any(|tld| self.0.ends_with(tld))
    }
}

impl FromStr for Handle {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if is_valid(text) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(Error::syntax("handle", text))
        }
    }
}

/// At least two labels of 1 to 63 letters, digits and inner hyphens; the last begins with a letter.
fn is_valid(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(label)
        && text
            .rsplit('.')
            .next()
            .is_some_and(|tld| tld.starts_with(|c: char| c.is_ascii_alphabetic()))
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

as_text!(Handle);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_is_checked_and_case_is_folded() {
        let check = |text: &str, expected: &str| assert_eq!(text.parse::<Handle>().unwrap().as_str(), expected);
        check("alice.test", "alice.test");
        check("Alice.Bsky.Social", "alice.bsky.social");
        check("8.cn", "8.cn");
        check("xn--ls8h.test", "xn--ls8h.test");
        let long = format!("{}.test", "a".repeat(64));
        for bad in [
            "",
            "alice",
            "@alice.test",
            "alice..test",
            ".test",
            "alice.test.",
            "-a.test",
            "a-.test",
            "a.8",
            "jö.test",
            &long,
        ] {
            assert!(bad.parse::<Handle>().is_err(), "{bad}");
        }
    }

    #[test]
    fn reserved_names_are_disallowed() {
        assert!("handle.invalid".parse::<Handle>().unwrap().is_disallowed());
        assert!("printer.local".parse::<Handle>().unwrap().is_disallowed());
        assert!(!"alice.test".parse::<Handle>().unwrap().is_disallowed());
    }
}
