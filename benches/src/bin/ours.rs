//! What Skykeep does, one thing at a time: `ours THING FILE [FILE] [THREADS]`.
//!
//! `verify` is measured whole. Of the others only what comes after the check is measured.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Instant;

use skykeep_atproto::verify::{RepoCheck, VerifiedRepo};
use skykeep_benches::contestant::say;
use skykeep_benches::inputs::history;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let threads = |n: usize| arguments.get(n).map_or(Ok(2), |text| text.parse());
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["verify", file, ..] => verify(file, threads(2)?),
        ["copy", file, to] => copy(file, to),
        ["write-base", file, to] => write_base(file, to),
        ["apply", base, since, ..] => apply(base, since, threads(3)?),
        ["write-increment", base, since] => write_increment(base, since),
        _ => Err("ours verify|copy|write-base|apply|write-increment FILE …".into()),
    }
}

fn check<S: Read + Send>(check: RepoCheck, sources: &mut [S]) -> Outcome<VerifiedRepo> {
    let checked = check.run(sources)?;
    checked
        .repo
        .ok_or_else(|| format!("not proved: {:?}", checked.report).into())
}

fn verify(file: &str, threads: usize) -> Outcome<()> {
    let start = Instant::now();
    let repo = check(RepoCheck::of(&history()).threads(threads), &mut [File::open(file)?])?;
    say(repo.record_count(), start.elapsed().as_secs_f64())
}

/// Reads and writes as many bytes as `write_base` does, and syncs them: the speed of the disk.
fn copy(file: &str, to: &str) -> Outcome<()> {
    let start = Instant::now();
    let mut from = File::open(file)?;
    let mut out = File::create(to)?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            len => out.write_all(&buffer[..len])?,
        }
    }
    out.sync_all()?;
    say(0, start.elapsed().as_secs_f64())
}

fn write_base(file: &str, to: &str) -> Outcome<()> {
    let mut sources = [File::open(file)?];
    let repo = check(RepoCheck::of(&history()), &mut sources)?;
    rewind(&mut sources)?;
    let start = Instant::now();
    let mut out = File::create(to)?;
    let written = repo.write_base(&mut sources, &mut out)?;
    out.sync_all()?;
    let seconds = start.elapsed().as_secs_f64();
    if written.len != out.metadata()?.len() {
        return Err(format!("{written:?} is not what was written").into());
    }
    say(repo.record_count(), seconds)
}

/// A base that is kept, what the server sent since, and the proof of both together.
fn apply(base: &str, since: &str, threads: usize) -> Outcome<()> {
    let start = Instant::now();
    let mut sources = [File::open(base)?, File::open(since)?];
    let repo = check(RepoCheck::of(&history()).threads(threads), &mut sources)?;
    say(repo.record_count(), start.elapsed().as_secs_f64())
}

fn write_increment(base: &str, since: &str) -> Outcome<()> {
    let mut sources = [File::open(base)?, File::open(since)?];
    let from = root(Path::new(base))?;
    let repo = check(RepoCheck::of(&history()).from(from), &mut sources)?;
    rewind(&mut sources)?;
    let start = Instant::now();
    repo.write_increment(&mut sources, std::io::sink())?;
    say(repo.record_count(), start.elapsed().as_secs_f64())
}

/// The root that a file's header names.
fn root(file: &Path) -> Outcome<skykeep_atproto::Cid> {
    let mut head = [0; 59];
    File::open(file)?.read_exact(&mut head)?;
    let roots = skykeep_atproto::car::read_header(&head[1..])?;
    roots.first().copied().ok_or_else(|| "no root".into())
}

fn rewind(sources: &mut [File]) -> Outcome<()> {
    for source in sources {
        source.rewind()?;
    }
    Ok(())
}
