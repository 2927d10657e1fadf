//! Secrets in the operating system's keychain: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
//!
//! Each is one entry of service `app.skykeep.desktop`, named `<secret>.<data folder>`. Linux's kernel keyrings are not
//! used: they forget at every restart.
//!
//! A keychain may ask a person to unlock it, and D-Bus may start one first. So every call runs on a thread of its own
//! and is waited for with an end. A connection that failed is made anew at the next call: the keychain may have been
//! started, or started again, meanwhile.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use keyring::Error as Refusal;
use keyring_core::{CredentialStore, Entry};
use zeroize::Zeroizing;

use super::{Error, KeyStore, Kind, LARGEST, Secret, SecretName};

/// Under which all our entries are filed.
pub(super) const SERVICE: &str = "app.skykeep.desktop";
/// How long a person has to unlock the keychain when it asks.
const PATIENCE: Duration = Duration::from_secs(90);

/// The operating system's keychain, for one data folder.
#[derive(Debug)]
pub struct OsKeychain {
    folder: String,
    patience: Duration,
    connection: Mutex<Option<Arc<CredentialStore>>>,
}

impl OsKeychain {
    /// The keychain, for the data folder of this id. Nothing is asked of it yet.
    pub(super) fn new(folder: String) -> Self {
        Self {
            folder,
            patience: PATIENCE,
            connection: Mutex::new(None),
        }
    }

    /// Asks something of one entry. `None`: there is no such entry.
    fn ask<T: Send + 'static>(
        &self,
        name: &SecretName,
        question: impl Fn(&Entry) -> Result<T, Refusal> + Clone + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let known = self.connection.lock().unwrap_or_else(PoisonError::into_inner).take();
        match known {
            // The keychain may have been started again since: what failed on a connection from before is asked anew.
            Some(known) => match self.ask_once(name, Some(known), question.clone()) {
                Err(Error::Keychain(_)) => self.ask_once(name, None, question),
                answer => answer,
            },
            None => self.ask_once(name, None, question),
        }
    }

    /// Asks on a thread of its own, and keeps the connection when it served.
    fn ask_once<T: Send + 'static>(
        &self,
        name: &SecretName,
        known: Option<Arc<CredentialStore>>,
        question: impl FnOnce(&Entry) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let user = format!("{name}.{}", self.folder);
        let (sender, receiver) = mpsc::sync_channel(1);
        let work = move || {
            let store = known
                .map_or_else(connect, Ok)
                .map_err(|refusal| Error::NoKeychain(Box::new(refusal)))?;
            let answer = store.build(SERVICE, &user, None).and_then(|entry| question(&entry));
            Ok((store, answer))
        };
        thread::Builder::new()
            .name("keychain".to_owned())
            // When the answer comes too late nobody waits any more: it is dropped.
            .spawn(move || drop(sender.send(work())))
            .map_err(|source| Error::Keychain(Box::new(source)))?;
        let too_late = |_| Error::NoAnswer { waited: self.patience };
        let (store, answer) = receiver.recv_timeout(self.patience).map_err(too_late)??;
        match answer {
            Ok(answer) => {
                self.keep(store);
                Ok(Some(answer))
            }
            Err(Refusal::NoEntry) => {
                self.keep(store);
                Ok(None)
            }
            Err(Refusal::NoStorageAccess(source)) => Err(Error::Locked(source)),
            Err(Refusal::Ambiguous(_)) => Err(Error::Ambiguous { name: name.clone() }),
            // Some of them carry the bytes they are about: only their words go further.
            Err(refusal) => Err(Error::Keychain(refusal.to_string().into())),
        }
    }

    fn keep(&self, store: Arc<CredentialStore>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(store);
    }

    fn read(&self, name: &SecretName) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.ask(name, |entry| entry.get_secret().map(Zeroizing::new))
    }
}

impl KeyStore for OsKeychain {
    fn kind(&self) -> Kind {
        Kind::OsKeychain
    }

    fn get(&self, name: &SecretName) -> Result<Option<Secret>, Error> {
        Ok(self
            .read(name)?
            .map(|mut secret| Secret::new(std::mem::take(&mut *secret))))
    }

    fn set(&self, name: &SecretName, secret: &Secret) -> Result<(), Error> {
        if secret.expose().len() > LARGEST {
            return Err(Error::TooLarge {
                name: name.clone(),
                size: secret.expose().len(),
            });
        }
        let given = secret.clone();
        self.ask(name, move |entry| entry.set_secret(given.expose()))?;
        match self.read(name)? {
            Some(kept) if *kept == *secret.expose() => Ok(()),
            _ => Err(Error::NotKept { name: name.clone() }),
        }
    }

    fn remove(&self, name: &SecretName) -> Result<bool, Error> {
        Ok(self.ask(name, Entry::delete_credential)?.is_some())
    }
}

#[cfg(target_os = "macos")]
fn connect() -> Result<Arc<CredentialStore>, Refusal> {
    let store = apple_native_keyring_store::keychain::Store::new()?;
    Ok(store)
}

#[cfg(windows)]
fn connect() -> Result<Arc<CredentialStore>, Refusal> {
    let store = windows_native_keyring_store::Store::new()?;
    Ok(store)
}

#[cfg(all(unix, not(target_os = "macos")))]
fn connect() -> Result<Arc<CredentialStore>, Refusal> {
    let store = zbus_secret_service_keyring_store::Store::new()?;
    Ok(store)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
