//! Where secrets are kept: the operating system's keychain, or files sealed with a passphrase.
//!
//! Promise: a secret is in one of the two, or in memory that is wiped, and nowhere else. Secrets are small (32 bytes,
//! mostly), one an entry: keychains of some systems refuse more (Windows takes 1,280 letters). What was stored is read
//! back before it is called stored. The choice is made once, by `SKYKEEP_KEYSTORE`, and never falls back silently: who
//! asked for the keychain does not find their keys in a file.
//!
//! Everything here blocks, and the keychain may wait for a person: call it on the blocking pool.

mod error;
mod os_keychain;
mod sealed_file;
mod secret;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use data_encoding::BASE32_NOPAD;

use crate::settings;

pub use error::{Error, SettingFault};
pub use os_keychain::OsKeychain;
pub use sealed_file::SealedFile;
pub use secret::{Secret, SecretName};

/// The largest secret that is taken, in bytes.
pub const LARGEST: usize = 1_024;
/// Chooses the store: `os` (also when it is not set) or `file`.
const CHOICE: &str = "SKYKEEP_KEYSTORE";
/// For `file`: the file with the passphrase, readable by its owner only.
const PASSPHRASE_FILE: &str = "SKYKEEP_PASSPHRASE_FILE";
/// As many random bytes as a key has.
const PROBE_BYTES: usize = 32;

/// Where secrets are kept.
pub trait KeyStore: Send + Sync + fmt::Debug {
    /// Which of the two it is.
    fn kind(&self) -> Kind;

    /// Reads a secret; `None` when there is none of that name.
    ///
    /// Errors: what hinders reading. A locked keychain is `Locked`, never `None`.
    fn get(&self, name: &SecretName) -> Result<Option<Secret>, Error>;

    /// Stores a secret, in place of one of the same name, and reads it back.
    ///
    /// Errors: `TooLarge`; `NotKept` when something else came back; what hinders writing.
    fn set(&self, name: &SecretName, secret: &Secret) -> Result<(), Error>;

    /// Removes a secret. Returns whether there was one.
    fn remove(&self, name: &SecretName) -> Result<bool, Error>;

    /// Finds out whether secrets can be kept: writes one of a key's size, reads it back, removes it.
    fn probe(&self) -> Result<(), Error> {
        let name = SecretName::from_parts("probe", &random_letters()?);
        let mut random = vec![0; PROBE_BYTES];
        getrandom::fill(&mut random).map_err(|_| Error::NoRandomness)?;
        self.set(&name, &Secret::new(random))?;
        if self.remove(&name)? && self.get(&name)?.is_none() {
            Ok(())
        } else {
            Err(Error::NotKept { name })
        }
    }
}

/// The two kinds of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The operating system's keychain.
    OsKeychain,
    /// Files sealed with a passphrase.
    SealedFile,
}

/// Opens the store that the environment chooses, else the settings, for a data folder that exists.
///
/// Nothing is asked of the keychain yet. Errors: `Setting` for a word that is neither `os` nor `file`, or when `file`
/// has no passphrase file; `Passphrase…` when that file is not as it must be; `Io`.
pub(crate) fn open(data_dir: &Path, settings: &settings::Keys) -> Result<Box<dyn KeyStore>, Error> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let choice = set(CHOICE).or_else(|| settings.store.as_ref().map(OsString::from));
    let file = set(PASSPHRASE_FILE).or_else(|| settings.passphrase_file.as_ref().map(OsString::from));
    choose(data_dir, choice.as_deref(), file.as_deref())
}

fn choose(data_dir: &Path, choice: Option<&OsStr>, file: Option<&OsStr>) -> Result<Box<dyn KeyStore>, Error> {
    let folder = data_dir.join("keys");
    match choice.map(|choice| choice.to_str().unwrap_or("?")) {
        None | Some("" | "os") => Ok(Box::new(OsKeychain::new(folder_id(&folder)?))),
        Some("file") => match file.filter(|file| !file.is_empty()) {
            Some(file) => Ok(Box::new(SealedFile::open(folder, file)?)),
            None => Err(Error::Setting {
                variable: PASSPHRASE_FILE,
                fault: SettingFault::NoFile,
            }),
        },
        Some(_) => Err(Error::Setting {
            variable: CHOICE,
            fault: SettingFault::NoStore,
        }),
    }
}

/// What the operating system's keychain calls the writer key of the data folder of this id, for people who look for it.
pub(crate) fn entry(folder_id: &str) -> String {
    format!("{}: {}.{folder_id}", os_keychain::SERVICE, SecretName::writer())
}

/// The name under which this data folder's secrets are in the keychain, made at first use.
///
/// All data folders of a person share one keychain. Two that shared a writer key would both count from where they
/// stand, and write two manifests of one number.
fn folder_id(folder: &Path) -> Result<String, Error> {
    let path = folder.join("folder");
    match fs::read_to_string(&path) {
        Ok(id) if is_folder_id(id.trim_end()) => Ok(id.trim_end().to_owned()),
        Ok(_) => Err(Error::Damaged {
            path,
            reason: "it holds no id".to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = random_letters()?;
            sealed_file::write_new(folder, "folder", format!("{id}\n").as_bytes())?;
            Ok(id)
        }
        Err(source) => Err(Error::Io { path, source }),
    }
}

fn is_folder_id(id: &str) -> bool {
    id.len() == 16
        && id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte))
}

/// Sixteen random letters (80 bits).
fn random_letters() -> Result<String, Error> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|_| Error::NoRandomness)?;
    Ok(BASE32_NOPAD.encode(&random).to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses() {
        let dir = tempfile::tempdir().unwrap();
        let passphrase = dir.path().join("passphrase");
        fs::write(&passphrase, "correct horse\n").unwrap();
        #[cfg(unix)]
        fs::set_permissions(&passphrase, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let check = |choice: Option<&str>, file: Option<&Path>, expected: &str| {
            let chosen = choose(dir.path(), choice.map(OsStr::new), file.map(Path::as_os_str));
            let said = match &chosen {
                Ok(store) => format!("{:?}", store.kind()),
                Err(error) => error.to_string(),
            };
            assert_eq!(said, expected, "{choice:?}, {file:?}");
        };
        check(None, None, "OsKeychain");
        check(Some(""), None, "OsKeychain");
        check(Some("os"), Some(&passphrase), "OsKeychain");
        check(Some("file"), Some(&passphrase), "SealedFile");
        check(Some("file"), None, "SKYKEEP_PASSPHRASE_FILE names no file");
        check(
            Some("file"),
            Some(Path::new("")),
            "SKYKEEP_PASSPHRASE_FILE names no file",
        );
        check(
            Some("files"),
            Some(&passphrase),
            "SKYKEEP_KEYSTORE is neither \"os\" nor \"file\"",
        );
        check(Some("OS"), None, "SKYKEEP_KEYSTORE is neither \"os\" nor \"file\"");
    }

    #[test]
    fn each_data_folder_has_its_own_name_in_the_keychain() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let id = folder_id(one.path()).unwrap();
        assert!(is_folder_id(&id), "{id}");
        assert_eq!(folder_id(one.path()).unwrap(), id);
        assert_ne!(folder_id(other.path()).unwrap(), id);
        fs::write(one.path().join("folder"), "../../etc").unwrap();
        assert!(matches!(folder_id(one.path()), Err(Error::Damaged { .. })));
    }
}
