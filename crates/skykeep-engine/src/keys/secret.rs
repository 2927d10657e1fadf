//! A secret in memory, and the names that secrets have.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use skykeep_vault::layout::VaultId;
use zeroize::{Zeroize, Zeroizing};

use super::Error;

/// A secret: wiped from memory when dropped, and never printed or serialised.
///
/// A vector or string should have its final size when it gets here: what it left behind while growing is not wiped.
#[derive(Clone)]
pub struct Secret<T: Zeroize = Vec<u8>>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes a secret.
    pub fn new(secret: T) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// Shows it, on the line that uses it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// What names of secrets that wait for the engine begin with.
const HANDED_IN: &str = "handed-in";

/// What a secret is called: 1 to 48 letters of `[a-z0-9._-]`, not beginning with a dot. Not secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretName(Cow<'static, str>);

impl SecretName {
    /// The key with which this data folder signs manifests.
    pub const fn writer() -> Self {
        Self(Cow::Borrowed("writer"))
    }

    /// The keys to a place's bucket.
    pub(crate) fn place(vault: &VaultId) -> Self {
        Self::from_parts("place", vault.as_str())
    }

    /// What waits for the engine to take it.
    pub(crate) fn handed_in() -> Result<Self, Error> {
        Ok(Self::from_parts(HANDED_IN, &super::random_letters()?))
    }

    /// A name that [`SecretName::handed_in`] has given. Errors: `Name` for any other.
    pub(crate) fn of_handed_in(text: &str) -> Result<Self, Error> {
        match text.strip_prefix(HANDED_IN) {
            Some(_) => text.parse(),
            None => Err(Error::Name { name: text.to_owned() }),
        }
    }

    /// Two parts that are names joined into one.
    pub(super) fn from_parts(kind: &str, which: &str) -> Self {
        Self(Cow::Owned(format!("{kind}-{which}")))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if (1..=48).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(letter) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(Error::Name { name: text.to_owned() })
        }
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "<secret> Some(\n    <secret>,\n)"
        );
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn names_fit_every_keychain_and_file_system() {
        let check = |text: &str, good: bool| assert_eq!(text.parse::<SecretName>().is_ok(), good, "{text:?}");
        check("writer", true);
        check("device-1.did_plc_abc", true);
        check(&"a".repeat(48), true);
        check(&"a".repeat(49), false);
        check("", false);
        check(".part", false);
        check("..", false);
        check("a/b", false);
        check("a\\b", false);
        check("Writer", false);
        check("did:plc:abc", false);
        check("a b", false);
        check("ä", false);
        assert_eq!("writer".parse::<SecretName>().unwrap(), SecretName::writer());
    }
}
