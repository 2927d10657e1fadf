//! What Skykeep does by the hour, one thing at a time, as a process of its own:
//!
//!     ours-keep add DATA PLACE HANDLE      begins to keep an account in an empty folder
//!     ours-keep first DATA DID             its first backup
//!     ours-keep hour DATA DID HOURS        its scheduled run, that many hours from now
//!
//! Only the run is measured, not the opening. The environment says where the network is.

use std::env;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use skykeep_atproto::Did;
use skykeep_benches::contestant::say;
use skykeep_engine::Engine;
use skykeep_engine::api::{KeptState, RunEnd};
use tokio::task::JoinSet;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["add", data, place, handle] => add(data, place, handle).await,
        ["first", data, did] => first(data, &did.parse()?).await,
        ["hour", data, did, hours] => hour(data, &did.parse()?, hours.parse()?).await,
        _ => Err("ours-keep add DATA PLACE HANDLE | first DATA DID | hour DATA DID HOURS".into()),
    }
}

async fn open(data: &str) -> Outcome<Engine> {
    let engine = Engine::open_at(data.into()).await?;
    // Unsealing the key took more memory than a run does: the peak is counted from here (Linux: proc(5), clear_refs).
    std::fs::write("/proc/self/clear_refs", "5")?;
    Ok(engine)
}

async fn add(data: &str, place: &str, handle: &str) -> Outcome<()> {
    let start = Instant::now();
    let engine = open(data).await?;
    engine.add_folder(Path::new(place), None).await?;
    engine.protect(handle, skykeep_engine::api::Whose::Mine, &[]).await?;
    say(0, start.elapsed().as_secs_f64())
}

async fn first(data: &str, did: &Did) -> Outcome<()> {
    let engine = open(data).await?;
    let start = Instant::now();
    let end = engine.back_up(did).await?;
    finish(&engine, did, start, end).await
}

/// As the scheduler does it; its clock is set ahead, and goes on a minute at a time until the account's turn comes.
async fn hour(data: &str, did: &Did, hours: i64) -> Outcome<()> {
    let engine = open(data).await?;
    let mut now = Timestamp::now() + SignedDuration::from_hours(hours);
    for _ in 0..90 {
        let mut going = JoinSet::new();
        let start = Instant::now();
        engine.tick(now, &mut going).await?;
        if let Some(end) = going.join_next().await {
            return finish(&engine, did, start, end?).await;
        }
        now += SignedDuration::from_mins(1);
    }
    Err("its turn did not come".into())
}

async fn finish(engine: &Engine, did: &Did, start: Instant, end: RunEnd) -> Outcome<()> {
    let seconds = start.elapsed().as_secs_f64();
    let kept = engine.account(did).await?.kept;
    match end {
        RunEnd::Completed { .. } if kept.state == KeptState::Complete => say(kept.records, seconds),
        other => Err(format!("{other:?}, {:?}", kept.state).into()),
    }
}
