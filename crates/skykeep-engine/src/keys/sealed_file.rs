//! Secrets in files of the data folder, sealed with a passphrase: for servers and desktops without a keychain.
//!
//! `keys/identity.age` holds one random age identity, sealed with the passphrase (age's scrypt form, slow on purpose).
//! `keys/secret-<name>.age` holds one secret each, sealed to that identity. So the passphrase is worked on once a start,
//! and changing it changes one file. Both are ordinary age files: `age -d keys/identity.age > identity`, then
//! `age -d -i identity keys/secret-<name>.age`, whose first line repeats the secret's name.
//!
//! The public half of the identity is written nowhere: who cannot open the identity can neither read secrets nor put
//! others in their place, and the name inside keeps one from being passed off as another.
//!
//! The passphrase comes from a file that its owner alone may read, and that owner is us.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use age::secrecy::{ExposeSecret, SecretString};
use age::{DecryptError, scrypt, x25519};
use zeroize::Zeroizing;

use super::{Error, KeyStore, Kind, LARGEST, Secret, SecretName, random_letters};

/// scrypt's cost as a power of two: 128 MiB and half a second, once a start.
const WORK_FACTOR: u8 = 17;
/// The highest cost that is taken from a file: 1 GiB.
const MOST_WORK: u8 = 20;
/// No file of the store is larger, in bytes.
const LARGEST_FILE: u64 = 64 * 1_024;
/// No passphrase file is larger, in bytes.
const LARGEST_PASSPHRASE: usize = 4 * 1_024;
/// The identity's file.
const IDENTITY: &str = "identity.age";
/// First line of what is sealed, before the secret's name.
const HEADER: &str = "skykeep-secret/1 ";

/// Secrets in sealed files of one folder. One process writes to it: the engine that holds the data folder.
#[derive(Debug)]
pub struct SealedFile {
    folder: PathBuf,
    passphrase: PathBuf,
    work_factor: u8,
    identity: Mutex<Option<Unlocked>>,
}

impl SealedFile {
    /// Opens the store: makes its folder and looks at the passphrase file, without opening anything sealed.
    ///
    /// Errors: `PassphraseMissing`, `PassphraseExposed`, `PassphraseForeign`, `PassphraseUnusable`, `Io`.
    pub fn open(folder: impl Into<PathBuf>, passphrase: impl Into<PathBuf>) -> Result<Self, Error> {
        let (folder, passphrase) = (folder.into(), passphrase.into());
        read_passphrase(&passphrase)?;
        make_folder(&folder)?;
        sweep(&folder)?;
        Ok(Self {
            folder,
            passphrase,
            work_factor: WORK_FACTOR,
            identity: Mutex::new(None),
        })
    }

    fn identity_path(&self) -> PathBuf {
        self.folder.join(IDENTITY)
    }

    fn secret_path(&self, name: &SecretName) -> PathBuf {
        self.folder.join(file_name(name))
    }

    /// The identity that opens secrets, unsealed at first use and kept; `None` when there is none and `make` is false.
    fn identity(&self, make: bool) -> Result<Option<x25519::Identity>, Error> {
        let mut kept = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_none() {
            *kept = match read_bounded(&self.identity_path(), LARGEST_FILE)? {
                Some(sealed) => Some(Unlocked(self.unseal_identity(&sealed)?)),
                None if make => Some(Unlocked(self.make_identity()?)),
                None => None,
            };
        }
        Ok(kept.as_ref().map(|Unlocked(identity)| identity.clone()))
    }

    fn unseal_identity(&self, sealed: &[u8]) -> Result<x25519::Identity, Error> {
        let path = self.identity_path();
        let mut passphrase = scrypt::Identity::new(read_passphrase(&self.passphrase)?);
        passphrase.set_max_work_factor(MOST_WORK);
        let text = open(&passphrase, sealed).map_err(|error| match error {
            DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => {
                Error::WrongPassphrase { path: path.clone() }
            }
            error => Error::Damaged {
                path: path.clone(),
                reason: error.to_string(),
            },
        })?;
        std::str::from_utf8(&text)
            .ok()
            .and_then(|text| text.trim_end().parse().ok())
            .ok_or_else(|| Error::Damaged {
                path,
                reason: "it holds no identity".to_owned(),
            })
    }

    /// Errors: `Damaged` when secrets are there that only a lost identity opens.
    fn make_identity(&self) -> Result<x25519::Identity, Error> {
        if let Some(orphan) = entries(&self.folder)?
            .into_iter()
            .find(|path| path.extension().is_some_and(|e| e == "age"))
        {
            let reason = format!("it is gone, and {orphan:?} is sealed to it");
            return Err(Error::Damaged {
                path: self.identity_path(),
                reason,
            });
        }
        let identity = x25519::Identity::generate();
        let mut recipient = scrypt::Recipient::new(read_passphrase(&self.passphrase)?);
        recipient.set_work_factor(self.work_factor);
        let text = Zeroizing::new(format!("{}\n", identity.to_string().expose_secret()));
        write_new(&self.folder, IDENTITY, &seal(&recipient, text.as_bytes())?)?;
        Ok(identity)
    }

    fn unseal(&self, name: &SecretName, sealed: &[u8]) -> Result<Secret, Error> {
        let damaged = |reason: String| Error::Damaged {
            path: self.secret_path(name),
            reason,
        };
        let Some(identity) = self.identity(false)? else {
            return Err(damaged(format!("{:?}, which opens it, is gone", self.identity_path())));
        };
        let text = open(&identity, sealed).map_err(|error| damaged(error.to_string()))?;
        let header = format!("{HEADER}{name}\n");
        match text.strip_prefix(header.as_bytes()) {
            Some(secret) => Ok(Secret::new(secret.to_vec())),
            None => Err(damaged("it holds another secret".to_owned())),
        }
    }
}

impl KeyStore for SealedFile {
    fn kind(&self) -> Kind {
        Kind::SealedFile
    }

    fn get(&self, name: &SecretName) -> Result<Option<Secret>, Error> {
        match read_bounded(&self.secret_path(name), LARGEST_FILE)? {
            Some(sealed) => self.unseal(name, &sealed).map(Some),
            None => Ok(None),
        }
    }

    fn set(&self, name: &SecretName, secret: &Secret) -> Result<(), Error> {
        let size = secret.expose().len();
        if size > LARGEST {
            return Err(Error::TooLarge {
                name: name.clone(),
                size,
            });
        }
        let identity = self.identity(true)?.ok_or(Error::NotKept { name: name.clone() })?;
        let mut text = Zeroizing::new(Vec::with_capacity(HEADER.len() + name.as_str().len() + 1 + size));
        text.extend_from_slice(HEADER.as_bytes());
        text.extend_from_slice(name.as_str().as_bytes());
        text.push(b'\n');
        text.extend_from_slice(secret.expose());
        replace(&self.folder, &file_name(name), &seal(&identity.to_public(), &text)?)?;
        match self.get(name)? {
            Some(kept) if kept.expose() == secret.expose() => Ok(()),
            _ => Err(Error::NotKept { name: name.clone() }),
        }
    }

    fn remove(&self, name: &SecretName) -> Result<bool, Error> {
        let path = self.secret_path(name);
        match fs::remove_file(&path) {
            Ok(()) => {
                sync_folder(&self.folder);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(Error::Io { path, source }),
        }
    }
}

fn file_name(name: &SecretName) -> String {
    format!("secret-{name}.age")
}

/// The identity while the program runs; age wipes it when it is dropped.
struct Unlocked(x25519::Identity);

impl std::fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

fn seal(recipient: &impl age::Recipient, text: &[u8]) -> Result<Vec<u8>, Error> {
    // In memory and to one recipient, only randomness can fail.
    age::encrypt(recipient, text).map_err(|_| Error::NoRandomness)
}

fn open(identity: &impl age::Identity, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let mut reader = age::Decryptor::new_buffered(sealed)?.decrypt(std::iter::once(identity as &dyn age::Identity))?;
    // Of its final size from the start: a vector that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.read_to_end(&mut text)?;
    Ok(text)
}

/// Reads the passphrase: the file's text without the line end after it.
fn read_passphrase(path: &Path) -> Result<SecretString, Error> {
    let unusable = |reason| Error::PassphraseUnusable {
        path: path.to_owned(),
        reason,
    };
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::PassphraseMissing { path: path.to_owned() },
        _ => Error::Io {
            path: path.to_owned(),
            source,
        },
    };
    // Asked before opening: opening a pipe would wait for someone to write.
    if !fs::metadata(path).map_err(io)?.is_file() {
        return Err(unusable("is not a file"));
    }
    let file = File::open(path).map_err(io)?;
    // Asked of what was opened: the name may mean another file by now.
    let metadata = file.metadata().map_err(io)?;
    check_owner(path, &metadata)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST_PASSPHRASE + 1));
    file.take(LARGEST_PASSPHRASE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() > LARGEST_PASSPHRASE {
        return Err(unusable("is too large"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable("is not text"))?;
    let passphrase = text
        .strip_suffix('\n')
        .map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if passphrase.is_empty() {
        return Err(unusable("is empty"));
    }
    Ok(SecretString::from(passphrase.to_owned()))
}

#[cfg(unix)]
fn check_owner(path: &Path, metadata: &fs::Metadata) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode() & 0o7777;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        Err(Error::PassphraseForeign { path: path.to_owned() })
    } else if mode & !0o600 != 0 {
        Err(Error::PassphraseExposed {
            path: path.to_owned(),
            mode,
        })
    } else {
        Ok(())
    }
}

/// Elsewhere a person's own folders are theirs alone by the system's rules.
#[cfg(not(unix))]
fn check_owner(_: &Path, _: &fs::Metadata) -> Result<(), Error> {
    Ok(())
}

fn read_bounded(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let io = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io(source)),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(Error::Damaged {
            path: path.to_owned(),
            reason: "it is too large".to_owned(),
        });
    }
    Ok(Some(bytes))
}

/// Writes a file that must not be there yet.
pub(super) fn write_new(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    make_folder(folder)?;
    let path = folder.join(name);
    if path.exists() {
        return Err(Error::Io {
            path,
            source: io::ErrorKind::AlreadyExists.into(),
        });
    }
    replace(folder, name, bytes)
}

/// Writes a file whole or not at all: beside it, synced, then renamed over it.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let part = folder.join(format!(".{name}-{}.part", random_letters()?));
    let write = || {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, folder.join(name))
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&part);
        Error::Io {
            path: folder.join(name),
            source,
        }
    })?;
    sync_folder(folder);
    Ok(())
}

/// Makes a rename or a removal durable, where a folder can be synced.
fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

fn make_folder(folder: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|source| Error::Io {
        path: folder.to_owned(),
        source,
    })
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let io = |source| Error::Io {
        path: folder.to_owned(),
        source,
    };
    fs::read_dir(folder)
        .map_err(io)?
        .map(|entry| Ok(entry.map_err(io)?.path()))
        .collect()
}

/// Removes what an earlier start did not finish writing.
fn sweep(folder: &Path) -> Result<(), Error> {
    for path in entries(folder)? {
        if path.extension().is_some_and(|extension| extension == "part") {
            fs::remove_file(&path).map_err(|source| Error::Io { path, source })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
