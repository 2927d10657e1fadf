//! jacquard-repo: blocks into its memory store, commit decoded, all leaves listed. It hashes no block.

use std::error::Error;
use std::sync::Arc;

use jacquard_common::DefaultStr;
use jacquard_repo::{MemoryBlockStore, Repository, car::parse_car_bytes};
use skykeep_benches::contestant;

#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    contestant::run(|file| {
        let bytes = std::fs::read(file)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
        let leaves = runtime.block_on(async {
            let car = parse_car_bytes(&bytes).await?;
            let store = Arc::new(MemoryBlockStore::new_from_blocks(car.blocks));
            let repo = Repository::<DefaultStr, _>::from_commit(store, &car.root).await?;
            repo.mst().leaves().await
        })?;
        Ok(leaves.len() as u64)
    })
}
