//! A keep of one's own: an engine with its own data folder and one place, pointed at the test network.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use skykeep_engine::Engine;
use tempfile::TempDir;

use crate::network::Network;

/// An engine and the folders it works with; all of it goes away when this is dropped.
#[derive(Debug)]
pub struct Keep {
    /// The engine.
    pub engine: Engine,
    home: TempDir,
}

impl Keep {
    /// An engine without accounts and places.
    pub async fn empty(network: &Network) -> Self {
        Self::pointed_at(network.plc_url(), network.resolver_url()).await
    }

    /// An engine without accounts and places, which knows no other directory and resolver than these.
    pub async fn pointed_at(plc_url: &str, resolver_url: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        write_settings_of(&home.path().join("data"), plc_url, resolver_url);
        let engine = Engine::open_at(home.path().join("data"))
            .await
            .expect("the engine opens");
        Self { engine, home }
    }

    /// An engine with one place, the folder [`Keep::place`].
    pub async fn with_place(network: &Network) -> Self {
        let keep = Self::empty(network).await;
        keep.engine
            .add_folder(&keep.place(), None)
            .await
            .expect("the place is made");
        keep
    }

    /// Ends the engine and opens another one on the same folders.
    pub async fn reopen(self) -> Self {
        self.reopen_after(|_| ()).await
    }

    /// Ends the engine, lets something happen to its folders, and opens another one on them.
    pub async fn reopen_after(self, happens: impl FnOnce(&Path)) -> Self {
        let Self { engine, home } = self;
        drop(engine);
        happens(home.path());
        let engine = Engine::open_at(home.path().join("data"))
            .await
            .expect("the engine opens again");
        Self { engine, home }
    }

    /// The folder of the place.
    pub fn place(&self) -> PathBuf {
        self.home.path().join("place")
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A path of this keep's own that nothing is at yet.
    pub fn spare(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

/// Settings that point an engine at the network.
pub fn write_settings(data: &Path, network: &Network) {
    write_settings_of(data, network.plc_url(), network.resolver_url());
}

/// Settings that point an engine at this directory and this resolver, and at nobody outside this computer.
pub fn write_settings_of(data: &Path, plc_url: &str, resolver_url: &str) {
    fs::create_dir_all(data).expect("the data folder is made");
    // Not the keychain of whoever runs the tests.
    let passphrase = data.join("passphrase");
    let mut options = fs::OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&passphrase);
    file.and_then(|mut file| file.write_all(b"a passphrase of tests\n"))
        .expect("the passphrase is written");
    let text = format!(
        "format = 1\n[network]\nplc_url = {plc_url:?}\nhandle_resolver = {resolver_url:?}\n\
         appview_url = {resolver_url:?}\ndns = \"127.0.0.1:9\"\nloopback_http = true\n\
         [keys]\nstore = \"file\"\npassphrase_file = {passphrase:?}\n",
    );
    fs::write(data.join("settings.toml"), text).expect("the settings are written");
}

/// Names of all files below a folder, relative to it, sorted.
pub fn files_below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(name) = path.strip_prefix(folder) {
                names.push(name.display().to_string());
            }
        }
    }
    names.sort();
    names
}
