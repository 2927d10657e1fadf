//! atrium-repo: its indexed store over the file in memory, which hashes every block, then all entries listed.

use std::error::Error;
use std::io::Cursor;

use atrium_repo::Repository;
use atrium_repo::blockstore::CarStore;
use futures::TryStreamExt;
use skykeep_benches::contestant;

#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    contestant::run(|file| {
        let bytes = std::fs::read(file)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async {
            let store = CarStore::open(Cursor::new(bytes)).await?;
            let root = store.roots().next().ok_or("no root")?;
            let mut repo = Repository::open(store, root).await?;
            let mut tree = repo.tree();
            let records = tree.entries().try_fold(0, async |count, _| Ok(count + 1)).await?;
            Ok(records)
        })
    })
}
