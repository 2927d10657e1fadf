//! What a person typed or pasted, and whom they meant by it.

use std::fmt;
use std::str::FromStr;

use skykeep_atproto::{Did, Handle};
use url::Url;

use crate::error::Error;

/// How an account is named: by the name that people know, or by the number that never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identifier {
    /// A handle, not yet resolved.
    Handle(Handle),
    /// A DID.
    Did(Did),
}

impl FromStr for Identifier {
    type Err = Error;

    /// Reads a handle with or without `@`, a DID, an `at://` address, or the address of a profile in any app that has
    /// `/profile/<account>` in it; also a handle's own web address. Errors: `Input`.
    fn from_str(text: &str) -> Result<Self, Error> {
        // Apps put invisible marks around the handles that they show, and people copy them.
        let invisible = |c: char| {
            c.is_whitespace()
                || c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        };
        let trimmed = text.trim_matches(invisible);
        meant(trimmed).ok_or_else(|| Error::Input {
            text: text.chars().take(128).collect(),
        })
    }
}

fn meant(text: &str) -> Option<Identifier> {
    if let Some(rest) = text.strip_prefix("at://") {
        return actor(rest.split(['/', '?', '#']).next()?);
    }
    if let Some((_, rest)) = text.split_once("/profile/") {
        return actor(rest.split(['/', '?', '#']).next()?);
    }
    if text.contains("://") {
        let url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "https" | "http"))?;
        let bare = url.path() == "/" && url.port().is_none() && url.username().is_empty();
        return actor(url.host_str().filter(|_| bare)?);
    }
    actor(text)
}

fn actor(text: &str) -> Option<Identifier> {
    // A DID in the path of a web address may be escaped.
    let text = text.replace("%3A", ":").replace("%3a", ":");
    if text.starts_with("did:") {
        return text.parse().ok().map(Identifier::Did);
    }
    let name = text.strip_prefix(['@', '\u{ff20}']).unwrap_or(&text);
    name.strip_suffix('.')
        .unwrap_or(name)
        .parse()
        .ok()
        .map(Identifier::Handle)
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handle(handle) => handle.fmt(f),
            Self::Did(did) => did.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_is_typed_ends_in_an_answer(
            text in any::<String>(),
            tail in "(at://|did:|https://|@|/profile/)\\PC*",
        ) {
            for text in [&text, &tail] {
                if let Ok(identifier) = text.parse::<Identifier>() {
                    prop_assert_eq!(identifier.to_string().parse::<Identifier>().unwrap(), identifier);
                }
            }
        }
    }

    #[test]
    fn whatever_names_an_account_is_understood() {
        let check = |text: &str, expected: &str| match text.parse::<Identifier>() {
            Ok(identifier) => assert_eq!(identifier.to_string(), expected, "{text}"),
            Err(error) => panic!("{text}: {error}"),
        };
        let did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
        check("alice.test", "alice.test");
        check("  @Alice.Test \n", "alice.test");
        check("\u{202a}@alice.test\u{202c}", "alice.test");
        check("alice.test.", "alice.test");
        check("＠alice.test", "alice.test");
        check(did, did);
        check("did:web:example.com", "did:web:example.com");
        check(&format!("at://{did}/app.bsky.feed.post/3k"), did);
        check("at://alice.test", "alice.test");
        check("https://bsky.app/profile/alice.test", "alice.test");
        check("https://bsky.app/profile/@alice.test", "alice.test");
        check("bsky.app/profile/alice.test/post/3k?ref=x", "alice.test");
        check(&format!("https://other.example/profile/{did}/feed/x"), did);
        check("https://bsky.app/profile/did%3Aplc%3Aewvi7nxzyoun6zhxrhs64oiz#top", did);
        check("https://alice.test/", "alice.test");
        check("https://Alice.Test", "alice.test");
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for text in [
            "",
            "@",
            "alice",
            "alice@example.com",
            "did:plc",
            "at://",
            "https://bsky.app/profile/",
            "https://bsky.app/search?q=alice",
            "https://alice.test:8080/",
            "https://127.0.0.1/",
            "file:///etc/passwd",
            "two words.test",
        ] {
            let answer = text.parse::<Identifier>();
            assert!(matches!(answer, Err(Error::Input { .. })), "{text}: {answer:?}");
        }
        let Err(Error::Input { text }) = "x ".repeat(1000).parse::<Identifier>() else {
            panic!("long nonsense is an error");
        };
        assert_eq!(text.len(), 128);
    }
}
