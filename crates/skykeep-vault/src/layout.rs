//! Every name in a vault, in one place.
//!
//! What a name says is parsed strictly and printed exactly: `print(parse(name)) == name` for every name that parses,
//! and no name leads out of the vault, needs upper case, or means something else on FAT or Windows. Source:
//! FORMAT.md, section 2.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use skykeep_atproto::{Cid, Codec};

use crate::Error;
use crate::id::as_text;
pub use crate::id::{Checksum, FileHash, Letters, VaultId, WriterId};
use crate::path::MAX_PATH;
pub use crate::path::{AccountFolder, StorePath};

/// How to read a vault without Skykeep, for people.
pub const README: &str = "README.txt";
/// How to read a vault without Skykeep, for Python 3.
pub const RECOVER: &str = "recover.py";
/// The largest sequence number that a manifest's name has room for.
pub const MAX_SEQUENCE: u32 = 999_999;

/// The name of a manifest: `<time>.<writer>.<seq>.<hash>.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotName {
    /// When it was captured, by the writer's clock, in whole seconds. For people: never for order.
    pub time: Timestamp,
    /// Who made it.
    pub writer: WriterId,
    /// The writer's count, from 1 to [`MAX_SEQUENCE`].
    pub sequence: u32,
    /// Hash of the manifest.
    pub hash: FileHash,
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.time.strftime("%Y%m%dt%H%M%Sz");
        write!(f, "{time}.{}.{}.{}.json", self.writer, self.sequence, self.hash)
    }
}

impl FromStr for SnapshotName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let mut parts = text.strip_suffix(".json")?.split('.');
            let name = Self {
                time: parse_time(parts.next()?)?,
                writer: parts.next()?.parse().ok()?,
                sequence: parse_number(parts.next()?, MAX_SEQUENCE)?,
                hash: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(name)
        };
        parse().ok_or_else(|| Error::invalid(text.escape_debug(), "not a manifest's name"))
    }
}

as_text!(SnapshotName);

/// `20261122t140000z`, and only a time that exists.
fn parse_time(text: &str) -> Option<Timestamp> {
    let digits = |from: usize, to: usize| -> Option<i16> {
        let part = text.get(from..to)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let short = |from: usize| digits(from, from + 2).and_then(|number| i8::try_from(number).ok());
    if text.len() != 16 || text.get(8..9) != Some("t") || text.get(15..) != Some("z") {
        return None;
    }
    let time = DateTime::new(
        digits(0, 4)?,
        short(4)?,
        short(6)?,
        short(9)?,
        short(11)?,
        short(13)?,
        0,
    )
    .ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// A decimal number from 1 to `max` without leading zeros.
fn parse_number(text: &str, max: u32) -> Option<u32> {
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    let number = plain.then(|| text.parse().ok())??;
    (1..=max).contains(&number).then_some(number)
}

/// What a file of an account is, as far as its name tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the fields are the parts of the names in FORMAT.md")]
pub enum AccountFile {
    /// `snapshots/<time>.<writer>.<seq>.<hash>.json`: a manifest.
    Snapshot(SnapshotName),
    /// `lists/<hash>.jsonl`, `.age` when sealed.
    List { hash: FileHash, sealed: bool },
    /// `repo/<hash>.car`, `.age` when sealed: a base or an increment.
    Repo { hash: FileHash, sealed: bool },
    /// `blobs/<xx>/<CID>`: a blob's own bytes.
    Blob { cid: Cid },
    /// `blobs/<xx>/<hash>.age`.
    SealedBlob { hash: FileHash },
    /// `identity/<hash>.json`, `.age` when sealed.
    Identity { hash: FileHash, sealed: bool },
    /// `private/<hash>.age`.
    Private { hash: FileHash },
    /// `keys/<identity>.<slot>.<hash>.age`.
    Key { identity: u32, slot: Slot, hash: FileHash },
    /// `recovery/<plan>/<n>.<hash>.age`.
    Journal {
        plan: Letters<26>,
        number: u32,
        hash: FileHash,
    },
    /// `rejected/<hash>.car`: what failed its proof.
    Rejected { hash: FileHash },
    /// `rejected/<hash>.json`: why.
    Reason { hash: FileHash },
    /// `damaged/<folder>/<name>/<hash>`: what did not match its name.
    Damaged { folder: String, name: String, found: Found },
}

/// The holder that a key slot is for: `[a-z0-9-]`, 1 to 24 letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(String);

/// How the bytes of a damaged file are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Found {
    /// By their hash, as they were found.
    Hash(FileHash),
    /// `unread-<16 random letters>`: they could not be read.
    Unread(Letters<16>),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(hash) => write!(f, "{hash}"),
            Self::Unread(random) => write!(f, "unread-{random}"),
        }
    }
}

impl FromStr for Found {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.strip_prefix("unread-") {
            Some(random) => random.parse().map(Self::Unread),
            None => text.parse().map(Self::Hash),
        }
    }
}

impl AccountFile {
    /// The hash that its bytes must have, as far as its name carries one.
    pub fn hash(&self) -> Option<FileHash> {
        match self {
            Self::Snapshot(name) => Some(name.hash),
            Self::Blob { cid } => Some(Checksum(*cid.digest()).name()),
            Self::Damaged { found, .. } => match found {
                Found::Hash(hash) => Some(*hash),
                Found::Unread(_) => None,
            },
            Self::List { hash, .. }
            | Self::Repo { hash, .. }
            | Self::SealedBlob { hash }
            | Self::Identity { hash, .. }
            | Self::Private { hash }
            | Self::Key { hash, .. }
            | Self::Journal { hash, .. }
            | Self::Rejected { hash }
            | Self::Reason { hash } => Some(*hash),
        }
    }

    /// Whether bytes with this SHA-256 may go by this name. A blob's CID carries all of it.
    pub fn admits(&self, sum: &Checksum) -> bool {
        match self {
            Self::Blob { cid } => cid.digest() == &sum.0,
            _ => self.hash().is_none_or(|hash| hash == sum.name()),
        }
    }

    /// Whether a list may name it: a part of a snapshot.
    pub fn is_object(&self) -> bool {
        matches!(
            self,
            Self::Repo { .. }
                | Self::Blob { .. }
                | Self::SealedBlob { .. }
                | Self::Identity { .. }
                | Self::Private { .. }
        )
    }

    /// Where it is put when it does not match its name.
    pub(crate) fn aside(&self, found: Found) -> Self {
        let text = self.to_string();
        let mut components = text.split('/');
        Self::Damaged {
            folder: components.next().unwrap_or_default().to_owned(),
            name: components.next_back().unwrap_or_default().to_owned(),
            found,
        }
    }
}

/// `.age` or nothing.
fn age(sealed: bool) -> &'static str {
    if sealed { ".age" } else { "" }
}

impl fmt::Display for AccountFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(name) => write!(f, "snapshots/{name}"),
            Self::List { hash, sealed } => write!(f, "lists/{hash}.jsonl{}", age(*sealed)),
            Self::Repo { hash, sealed } => write!(f, "repo/{hash}.car{}", age(*sealed)),
            Self::Blob { cid } => {
                let cid = cid.to_string();
                write!(f, "blobs/{}/{cid}", &cid[cid.len() - 2..])
            }
            Self::SealedBlob { hash } => write!(f, "blobs/{}/{hash}.age", &hash.as_str()[24..]),
            Self::Identity { hash, sealed } => write!(f, "identity/{hash}.json{}", age(*sealed)),
            Self::Private { hash } => write!(f, "private/{hash}.age"),
            Self::Key { identity, slot, hash } => write!(f, "keys/{identity}.{}.{hash}.age", slot.0),
            Self::Journal { plan, number, hash } => write!(f, "recovery/{plan}/{number}.{hash}.age"),
            Self::Rejected { hash } => write!(f, "rejected/{hash}.car"),
            Self::Reason { hash } => write!(f, "rejected/{hash}.json"),
            Self::Damaged { folder, name, found } => write!(f, "damaged/{folder}/{name}/{found}"),
        }
    }
}

impl FromStr for AccountFile {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || {
            Error::invalid(
                text.chars().take(MAX_PATH).collect::<String>().escape_debug(),
                "not a name of the format",
            )
        };
        let components: Vec<&str> = text.splitn(6, '/').collect();
        let file = parse_account_file(&components).ok_or_else(invalid)?;
        // Whatever a lenient step above let through prints differently.
        if file.to_string() == text {
            Ok(file)
        } else {
            Err(invalid())
        }
    }
}

fn parse_account_file(components: &[&str]) -> Option<AccountFile> {
    /// Splits a name into its hash and whether it is sealed.
    fn hashed(name: &str, ending: &str) -> Option<(FileHash, bool)> {
        let (name, sealed) = name.strip_suffix(".age").map_or((name, false), |name| (name, true));
        Some((name.strip_suffix(ending)?.parse().ok()?, sealed))
    }
    Some(match components {
        ["snapshots", name] => AccountFile::Snapshot(name.parse().ok()?),
        ["lists", name] => {
            let (hash, sealed) = hashed(name, ".jsonl")?;
            AccountFile::List { hash, sealed }
        }
        ["repo", name] => {
            let (hash, sealed) = hashed(name, ".car")?;
            AccountFile::Repo { hash, sealed }
        }
        ["blobs", _, name] => match name.strip_suffix(".age") {
            Some(hash) => AccountFile::SealedBlob {
                hash: hash.parse().ok()?,
            },
            None => AccountFile::Blob {
                cid: name.parse().ok().filter(|cid: &Cid| cid.codec() == Codec::Raw)?,
            },
        },
        ["identity", name] => {
            let (hash, sealed) = hashed(name, ".json")?;
            AccountFile::Identity { hash, sealed }
        }
        ["private", name] => AccountFile::Private {
            hash: name.strip_suffix(".age")?.parse().ok()?,
        },
        ["keys", name] => {
            let mut parts = name.strip_suffix(".age")?.split('.');
            let file = AccountFile::Key {
                identity: parse_number(parts.next()?, 9_999)?,
                slot: parts.next()?.parse().ok()?,
                hash: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(file)?
        }
        ["recovery", plan, name] => {
            let (number, hash) = name.strip_suffix(".age")?.split_once('.')?;
            AccountFile::Journal {
                plan: plan.parse().ok()?,
                number: parse_number(number, MAX_SEQUENCE)?,
                hash: hash.parse().ok()?,
            }
        }
        ["rejected", name] => match name.strip_suffix(".car") {
            Some(hash) => AccountFile::Rejected {
                hash: hash.parse().ok()?,
            },
            None => AccountFile::Reason {
                hash: name.strip_suffix(".json")?.parse().ok()?,
            },
        },
        ["damaged", folder, name, found] if is_name_in(folder, name) => AccountFile::Damaged {
            folder: (*folder).to_owned(),
            name: (*name).to_owned(),
            found: found.parse().ok()?,
        },
        _ => return None,
    })
}

/// Whether a folder of an account may hold a file of this name, at whatever depth.
fn is_name_in(folder: &str, name: &str) -> bool {
    let at = |path: &[&str]| parse_account_file(path).is_some_and(|file| file.to_string() == path.join("/"));
    match folder {
        "blobs" => name
            .split('.')
            .next()
            .and_then(|stem| stem.get(stem.len().saturating_sub(2)..))
            .is_some_and(|end| at(&[folder, end, name])),
        "recovery" => at(&[folder, "a".repeat(26).as_str(), name]),
        _ => at(&[folder, name]),
    }
}

as_text!(AccountFile);

impl FromStr for Slot {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let letter = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if (1..=24).contains(&text.len()) && text.bytes().all(letter) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(text.escape_debug(), "not a key slot"))
        }
    }
}

/// What any file of a vault is, as far as its name tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the fields are the parts of the names in FORMAT.md")]
pub enum VaultFile {
    /// `README.txt`.
    Readme,
    /// `recover.py`.
    Recover,
    /// `vault.<id>.<hash>.json`.
    Vault { id: VaultId, hash: FileHash },
    /// `damaged/<name>/<hash>`: one of the above that did not match.
    Damaged { name: String, found: Found },
    /// `accounts/<account>/…`.
    Account { account: AccountFolder, file: AccountFile },
}

impl VaultFile {
    /// Where it lies.
    pub fn path(&self) -> StorePath {
        StorePath::of_format(self.to_string())
    }

    /// Whether bytes with this SHA-256 may go by this name. `README.txt` and `recover.py` are listed in the vault file.
    pub fn admits(&self, sum: &Checksum) -> bool {
        match self {
            Self::Readme | Self::Recover => true,
            Self::Vault { hash, .. } => *hash == sum.name(),
            Self::Damaged { found, .. } => match found {
                Found::Hash(hash) => *hash == sum.name(),
                Found::Unread(_) => true,
            },
            Self::Account { file, .. } => file.admits(sum),
        }
    }

    /// Where it is put when it does not match its name.
    pub(crate) fn aside(&self, found: Found) -> Self {
        match self {
            Self::Account { account, file } => Self::Account {
                account: account.clone(),
                file: file.aside(found),
            },
            _ => Self::Damaged {
                name: self.path().name().to_owned(),
                found,
            },
        }
    }
}

impl fmt::Display for VaultFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Readme => f.write_str(README),
            Self::Recover => f.write_str(RECOVER),
            Self::Vault { id, hash } => write!(f, "vault.{id}.{hash}.json"),
            Self::Damaged { name, found } => write!(f, "damaged/{name}/{found}"),
            Self::Account { account, file } => write!(f, "accounts/{account}/{file}"),
        }
    }
}

impl FromStr for VaultFile {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            if let Some((account, file)) = text.strip_prefix("accounts/").and_then(|rest| rest.split_once('/')) {
                return Some(Self::Account {
                    account: account.parse().ok()?,
                    file: file.parse().ok()?,
                });
            }
            if let Some((name, found)) = text.strip_prefix("damaged/").and_then(|rest| rest.split_once('/')) {
                let original = name.parse().ok()?;
                let in_root = matches!(original, Self::Readme | Self::Recover | Self::Vault { .. });
                return in_root.then_some(Self::Damaged {
                    name: name.to_owned(),
                    found: found.parse().ok()?,
                });
            }
            match text {
                README => Some(Self::Readme),
                RECOVER => Some(Self::Recover),
                _ => {
                    let (id, hash) = text.strip_prefix("vault.")?.strip_suffix(".json")?.split_once('.')?;
                    Some(Self::Vault {
                        id: id.parse().ok()?,
                        hash: hash.parse().ok()?,
                    })
                }
            }
        };
        let valid = parse().filter(|file| file.to_string().parse::<StorePath>().is_ok());
        valid.ok_or_else(|| {
            let name: String = text.chars().take(MAX_PATH).collect();
            Error::invalid(name.escape_debug(), "not a name of the format")
        })
    }
}
