//! Accounts with something in them, made by `tests/network/seed.mjs`: see there for what it writes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{Error, Pds, Result, node};

/// What to put into an account.
#[derive(Debug, Clone)]
pub struct SeedOptions {
    /// `NAME.test`; 3 to 18 letters before the dot.
    pub handle: String,
    /// How many records stay: 10 to 10,000.
    pub records: u32,
    /// The same seed writes the same records.
    pub seed: String,
    /// Size in bytes of one video; 0 for none.
    pub large_blob: u32,
    /// How many posts carry pictures; a twentieth of the records when not given.
    pub pictures: Option<u32>,
    /// For B with `Options::invites`.
    pub invite: Option<String>,
}

impl SeedOptions {
    /// `records` records for `handle`, without a video.
    pub fn new(handle: &str, records: u32) -> Self {
        Self {
            handle: handle.to_owned(),
            records,
            seed: handle.to_owned(),
            large_blob: 0,
            pictures: None,
            invite: None,
        }
    }
}

/// An account of the network, and what it held when it was made.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// `did:plc:…`
    pub did: String,
    /// `NAME.test`
    pub handle: String,
    /// Where its mail goes; see [`super::Network::mail`].
    pub email: String,
    /// Its full password.
    pub password: String,
    /// Base URL of its host.
    pub pds: String,
    /// How many records it held.
    #[serde(default)]
    pub records: u64,
    /// How many of which collection.
    #[serde(default)]
    pub collections: BTreeMap<String, u64>,
    /// The blobs that its records need.
    #[serde(default)]
    pub blobs: Vec<Blob>,
    /// Addresses of records that are not as they were first written.
    #[serde(default)]
    pub edited: Vec<String>,
    /// Addresses of records that are gone.
    #[serde(default)]
    pub deleted: Vec<String>,
}

/// A blob that an account holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blob {
    /// Its CID.
    pub cid: String,
    /// What it says it is.
    pub mime_type: String,
    /// In bytes.
    pub size: u64,
}

pub(super) async fn account(pds: &Pds, options: SeedOptions) -> Result<Account> {
    let mut command = seeder("account", pds)?;
    command.args(["--handle", &options.handle, "--seed", &options.seed]);
    command.args(["--records", &options.records.to_string()]);
    command.args(["--large-blob", &options.large_blob.to_string()]);
    if let Some(pictures) = options.pictures {
        command.args(["--pictures", &pictures.to_string()]);
    }
    if let Some(code) = options.invite {
        command.args(["--invite", &code]);
    }
    one(accounts(command).await?)
}

pub(super) async fn family(pds: &Pds, records: u32) -> Result<Vec<Account>> {
    let mut command = seeder("family", pds)?;
    command.args(["--records", &records.to_string(), "--large-blob", "0"]);
    accounts(command).await
}

impl Pds {
    /// Gives the account's host the CAR in `file`, and makes one write, so that the host signs a commit of its own.
    ///
    /// For repositories above 10,000 records: the CAR must name the account's DID, so make the account first
    /// ([`Pds::create_account`]). About seven seconds for 30,000 records.
    pub async fn import(&self, account: &Account, file: &Path) -> Result<Account> {
        let mut command = seeder("import", self)?;
        command
            .args(["--did", &account.did, "--password", &account.password, "--import"])
            .arg(file);
        one(accounts(command).await?)
    }
}

fn seeder(verb: &str, pds: &Pds) -> Result<Command> {
    let mut command = node("seed.mjs")?;
    command.args([verb, "--pds", pds.url()]).stdin(Stdio::null());
    Ok(command)
}

/// Runs the seeder off the async threads; each line that it prints is an account.
async fn accounts(mut command: Command) -> Result<Vec<Account>> {
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .map_err(std::io::Error::other)??;
    if !output.status.success() {
        return Err(Error::Start(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let lines = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let accounts: std::result::Result<_, _> = lines.map(serde_json::from_slice).collect();
    accounts.map_err(|error| Error::Answer {
        method: "seed.mjs".into(),
        error,
    })
}

fn one(accounts: Vec<Account>) -> Result<Account> {
    accounts
        .into_iter()
        .next()
        .ok_or_else(|| Error::Start("the seeder said nothing".into()))
}
