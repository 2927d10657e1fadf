//! The files that everybody gets: made once, the same on every machine, kept beside the build.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use skykeep_atproto::{Curve, Did, KeyHistory, SigningKey};
use skykeep_tests::repo_maker::{Order, Repo};

/// Changes when the files would come out differently.
const VERSION: u32 = 1;

/// Writes in the increment.
pub const OPERATIONS: usize = 5_000;

/// A repository in the forms that the bench reads.
#[derive(Debug, Clone)]
pub struct Input {
    /// How many records it has.
    pub records: usize,
    /// The file in tree order.
    pub tree: PathBuf,
    /// The same blocks, shuffled.
    pub shuffled: PathBuf,
    /// What a server answers to `since` after [`OPERATIONS`] writes.
    pub since: PathBuf,
}

/// Whose repositories they are.
pub fn history() -> KeyHistory {
    let (did, key) = owner();
    KeyHistory::of_key(did, key.did_key())
}

fn owner() -> (Did, SigningKey) {
    let did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().expect("a DID");
    let key = SigningKey::from_bytes(Curve::K256, &[7; 32]).expect("a small number is a key");
    (did, key)
}

/// The repository of `records` records, made if it is not there yet.
///
/// # Errors
/// When files cannot be written.
pub fn input(folder: &Path, records: usize) -> io::Result<Input> {
    fs::create_dir_all(folder)?;
    let name = |what: &str| folder.join(format!("{records}-{what}.v{VERSION}.car"));
    let input = Input {
        records,
        tree: name("tree"),
        shuffled: name("shuffled"),
        since: name("since"),
    };
    // The last one written says that all are there.
    if input.since.exists() {
        return Ok(input);
    }
    eprintln!("making a repository of {records} records");
    let (did, key) = owner();
    let mut repo = Repo::new(&did, &key, 1, records);
    write(&input.tree, &repo, Order::Tree, None)?;
    write(&input.shuffled, &repo, Order::Shuffled(1), None)?;
    let (rev, writes) = (repo.rev(), repo.writes(1, OPERATIONS));
    repo.apply(&writes);
    write(&input.since, &repo, Order::Pds, Some(rev))?;
    Ok(input)
}

fn write(file: &Path, repo: &Repo, order: Order, since: Option<skykeep_atproto::Tid>) -> io::Result<()> {
    let part = file.with_extension("part");
    repo.write_car(order, since, &mut BufWriter::new(File::create(&part)?))?;
    fs::rename(part, file)
}
