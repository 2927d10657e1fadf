//! What a sentence is filled in with: names as they are, numbers and words of ours as each language has them.

use serde::{Deserialize, Serialize};

/// What a sentence is filled in with. It is kept and handed on as it is, and put into words where it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number. The one called `count` chooses the plural form.
    Count(u64),
    /// A word of ours.
    Word {
        /// Which.
        word: Word,
    },
    /// A name, an address, a path: the same in every language.
    Text(String),
}

/// A word of ours that stands in a sentence. What it is in a language: section `word` of `assets/text/<locale>.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// No account, of what was not found.
    NoAccount,
    /// No place, of what was not found.
    NoPlace,
    /// No snapshot, of what was not found.
    NoSnapshot,
    /// No calendar, of what was not found.
    NoCalendar,
    /// Of a setting: neither 0 nor 1.
    NoSwitch,
    /// Of a setting: not a web address.
    NoWebAddress,
    /// Of a setting: an address with more than a host, a port and a path.
    MoreThanAddress,
    /// Of a setting: not an IP address.
    NoIp,
    /// Of a setting: no file is named.
    NoFileNamed,
    /// Of a setting: a key store that there is not.
    NoKeyStore,
    /// Of a passphrase file: not there.
    PassphraseMissing,
    /// Of a passphrase file: others may read or change it.
    PassphraseExposed,
    /// Of a passphrase file: somebody else's.
    PassphraseForeign,
    /// Of a passphrase file: no passphrase is in it.
    PassphraseUnusable,
    /// Of a passphrase file: what is sealed does not open with it.
    PassphraseOther,
    /// Of an import: no repository is in it.
    NoRepository,
    /// Of an import: a run of the account is under way.
    UnderWay,
    /// Of an import: more files than are looked at.
    TooManyFiles,
    /// Of a bucket's keys: listing objects.
    Listing,
    /// Of a bucket's keys: reading objects.
    Reading,
    /// Of a bucket's keys: writing objects.
    Writing,
    /// Of a bucket's keys: deleting objects.
    Deleting,
    /// Of a bucket: the server's address.
    Endpoint,
    /// Of a bucket: its name.
    Bucket,
    /// Of a bucket: its region.
    Region,
    /// Of a bucket: what names in it begin with.
    Prefix,
}

impl Word {
    /// Its name in section `word`.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::NoAccount => "no_account",
            Self::NoPlace => "no_place",
            Self::NoSnapshot => "no_snapshot",
            Self::NoCalendar => "no_calendar",
            Self::NoSwitch => "no_switch",
            Self::NoWebAddress => "no_web_address",
            Self::MoreThanAddress => "more_than_address",
            Self::NoIp => "no_ip",
            Self::NoFileNamed => "no_file_named",
            Self::NoKeyStore => "no_key_store",
            Self::PassphraseMissing => "passphrase_missing",
            Self::PassphraseExposed => "passphrase_exposed",
            Self::PassphraseForeign => "passphrase_foreign",
            Self::PassphraseUnusable => "passphrase_unusable",
            Self::PassphraseOther => "passphrase_other",
            Self::NoRepository => "no_repository",
            Self::UnderWay => "under_way",
            Self::TooManyFiles => "too_many_files",
            Self::Listing => "listing",
            Self::Reading => "reading",
            Self::Writing => "writing",
            Self::Deleting => "deleting",
            Self::Endpoint => "endpoint",
            Self::Bucket => "bucket",
            Self::Region => "region",
            Self::Prefix => "prefix",
        }
    }
}

impl From<Word> for Value {
    fn from(word: Word) -> Self {
        Self::Word { word }
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Count(u64::try_from(count).unwrap_or(u64::MAX))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
