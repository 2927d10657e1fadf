//! Paths that every file system keeps as they are, and the folder of an account.
//!
//! Source: FORMAT.md, section 2.

use std::fmt;
use std::str::FromStr;

use skykeep_atproto::Did;
use skykeep_atproto::did::Method;

use crate::Error;
use crate::id::FileHash;
use crate::layout::{AccountFile, README};

/// Longest path, in letters.
pub(crate) const MAX_PATH: usize = 200;
/// Longest component, in letters.
const MAX_COMPONENT: usize = 64;

/// A portable path below the root of a vault, with `/` between components; the root itself is empty.
///
/// Nothing else reaches a [`crate::Store`]: no `..`, no absolute path, no letter that some file system changes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath(String);

impl StorePath {
    /// The vault's own folder.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// A path whose parts are names of the format.
    pub(crate) fn of_format(path: String) -> Self {
        Self(path)
    }

    /// The path's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components from the root down.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|component| !component.is_empty())
    }

    /// The folder that it is in; the root's is the root.
    pub fn folder(&self) -> Self {
        Self(
            self.0
                .rsplit_once('/')
                .map_or_else(String::new, |(folder, _)| folder.to_owned()),
        )
    }

    /// The last component.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// One component further down. Errors: `Invalid` when the component is not portable.
    pub fn join(&self, component: &str) -> Result<Self, Error> {
        if self.0.is_empty() {
            component.parse()
        } else {
            format!("{}/{component}", self.0).parse()
        }
    }
}

impl FromStr for StorePath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() >= MAX_PATH || !text.split('/').all(is_portable) {
            return Err(Error::invalid(
                text.chars().take(MAX_PATH).collect::<String>().escape_debug(),
                "not a portable path",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Whether every file system keeps this component as it is.
pub(crate) fn is_portable(component: &str) -> bool {
    let letter = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    let stem = component.split('.').next().unwrap_or_default();
    let numbered = |name: &str| {
        stem.strip_prefix(name)
            .is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']))
    };
    let device = matches!(stem, "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt");
    component == README
        || (1..=MAX_COMPONENT).contains(&component.len())
            && component.bytes().all(letter)
            && !component.starts_with('.')
            && !component.ends_with('.')
            && !device
}

/// The folder of one account.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountFolder(String);

impl AccountFolder {
    /// The folder of a DID. Errors: `UnsupportedDid` for any other method than plc and web.
    pub fn of(did: &Did) -> Result<Self, Error> {
        match did.method() {
            Method::Plc => Ok(Self(format!("did_plc_{}", did.id()))),
            Method::Web => {
                let readable: String = did.id().chars().take(29).map(readable).collect();
                let hash = FileHash::of_sha256(did.as_str().as_bytes());
                Ok(Self(format!("did_web_{readable}_{hash}")))
            }
            Method::Other => Err(Error::UnsupportedDid { did: did.to_string() }),
        }
    }

    /// The folder's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the folder of this DID: always for a sealed one, whose name tells nothing.
    pub fn fits(&self, did: &Did) -> bool {
        self.0.starts_with("sealed_") || Self::of(did).is_ok_and(|folder| folder == *self)
    }

    /// Its path in the vault.
    pub fn path(&self) -> StorePath {
        StorePath(format!("accounts/{}", self.0))
    }

    /// One of its folders: `snapshots`, `lists`, `repo`, …
    pub(crate) fn folder(&self, name: &str) -> StorePath {
        StorePath(format!("accounts/{}/{name}", self.0))
    }

    /// Where a file of this account lies.
    pub fn file(&self, file: &AccountFile) -> StorePath {
        StorePath(format!("accounts/{}/{file}", self.0))
    }
}

/// Every letter of a host name that a component may carry, in lower case; anything else as `_`.
fn readable(letter: char) -> char {
    match letter.to_ascii_lowercase() {
        kept @ ('a'..='z' | '0'..='9' | '.' | '-') => kept,
        _ => '_',
    }
}

impl FromStr for AccountFolder {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let letters =
            |text: &str, len| text.len() == len && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'));
        let valid = if let Some(id) = text.strip_prefix("did_plc_") {
            letters(id, 24)
        } else if let Some(id) = text.strip_prefix("sealed_") {
            letters(id, 26)
        } else if let Some((host, hash)) = text.strip_prefix("did_web_").and_then(|rest| rest.rsplit_once('_')) {
            let kept = |c: char| c == '_' || readable(c) == c;
            letters(hash, 26) && (1..=29).contains(&host.len()) && host.chars().all(kept)
        } else {
            false
        };
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(text.escape_debug(), "not an account folder"))
        }
    }
}

impl fmt::Display for AccountFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::id::as_text!(AccountFolder);
