//! repo-stream as fast as it gets: the file is read first, mimalloc, records reduced to their length, strict walk.

use std::error::Error;

use repo_stream::DriverBuilder;
use skykeep_benches::contestant;

#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    contestant::run(|file| {
        let bytes = std::fs::read(file)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let builder = DriverBuilder::new()
            .with_mem_limit_mb(16 * 1024)
            .with_block_processor(|record| record.len().to_ne_bytes().to_vec());
        let mut car = runtime
            .block_on(builder.load_car(&bytes[..]))
            .map_err(|error| error.to_string())?;
        let mut records = 0;
        while let Some(chunk) = car.next_chunk_strict(256)? {
            records += chunk.len() as u64;
        }
        Ok(records)
    })
}
