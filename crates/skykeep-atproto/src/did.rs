//! Decentralized identifiers: the permanent number of an account.
//!
//! Source: AT Protocol "DID", sections "DID Syntax" and "Blessed DID Methods".

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::as_text::as_text;

/// A syntactically valid DID of any method, at most 2,048 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Did(String);

/// The two methods that AT Protocol blesses, and everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `did:plc:` and 24 letters of base32: kept by a directory, can be recovered with a rotation key.
    Plc,
    /// `did:web:` and a host name: kept by whoever controls the domain.
    Web,
    /// Any other method; Skykeep cannot resolve it.
    Other,
}

impl Did {
    /// The whole identifier, `did:` included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Which method resolves it. A malformed `did:plc:` or `did:web:` is [`Method::Other`].
    pub fn method(&self) -> Method {
        if let Some(id) = self.0.strip_prefix("did:plc:") {
            let letters = |b: u8| matches!(b, b'a'..=b'z' | b'2'..=b'7');
            if id.len() == 24 && id.bytes().all(letters) {
                Method::Plc
            } else {
                Method::Other
            }
        } else if let Some(host) = self.0.strip_prefix("did:web:") {
            // Paths (`did:web:host:path`) are not used in AT Protocol; a port is written `%3A`.
            if host.contains(':') { Method::Other } else { Method::Web }
        } else {
            Method::Other
        }
    }

    /// The part after the method: `ewvi7nxzyoun6zhxrhs64oiz` of `did:plc:ewvi7nxzyoun6zhxrhs64oiz`.
    pub fn id(&self) -> &str {
        self.0.splitn(3, ':').nth(2).unwrap_or_default()
    }
}

impl FromStr for Did {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if is_valid(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::syntax("DID", text))
        }
    }
}

/// `did:`, a lower-case method, `:`, then `[a-zA-Z0-9._:%-]` not ending in `:` or `%`.
fn is_valid(text: &str) -> bool {
    let Some((method, id)) = text.strip_prefix("did:").and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'%' | b'-');
    text.len() <= 2048
        && !method.is_empty()
        && method.bytes().all(|b| b.is_ascii_lowercase())
        && !id.is_empty()
        && id.bytes().all(allowed)
        && !id.ends_with([':', '%'])
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

as_text!(Did);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_is_checked() {
        for good in [
            "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
            "did:web:example.com",
            "did:web:localhost%3A2583",
            "did:x:Y._-",
        ] {
            assert_eq!(good.parse::<Did>().unwrap().as_str(), good);
        }
        let long = format!("did:plc:{}", "a".repeat(2048));
        for bad in [
            "",
            "did",
            "did:plc",
            "did:plc:",
            "DID:plc:abc",
            "did:PLC:abc",
            "did:plc:a/b",
            "did:plc:a:",
            " did:x:y",
            &long,
        ] {
            assert!(bad.parse::<Did>().is_err(), "{bad}");
        }
    }

    #[test]
    fn methods_are_told_apart() {
        let check = |text: &str, expected| assert_eq!(text.parse::<Did>().unwrap().method(), expected, "{text}");
        check("did:plc:ewvi7nxzyoun6zhxrhs64oiz", Method::Plc);
        check("did:plc:short", Method::Other);
        check("did:plc:EWVI7NXZYOUN6ZHXRHS64OIZ", Method::Other);
        check("did:web:example.com", Method::Web);
        check("did:web:localhost%3A2583", Method::Web);
        check("did:web:example.com:path", Method::Other);
        check("did:key:zQ3sh", Method::Other);
    }
}
