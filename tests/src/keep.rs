//! A keep of one's own: an engine with its own data folder and one place, pointed at the test network.

use std::fs;
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
        let home = tempfile::tempdir().expect("a temporary folder");
        write_settings(&home.path().join("data"), network);
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
        let Self { engine, home } = self;
        drop(engine);
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
    fs::create_dir_all(data).expect("the data folder is made");
    let text = format!(
        "format = 1\n[network]\nplc_url = {:?}\nhandle_resolver = {:?}\nloopback_http = true\n",
        network.plc_url(),
        network.resolver_url(),
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
