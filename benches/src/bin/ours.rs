//! What Skykeep does, one thing at a time: `ours THING FILE [FILE] [THREADS]`.
//!
//! `verify` is measured whole. Of the others only what comes after the check is measured.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Instant;

use skykeep_atproto::verify::{KeptFile, Outline, RepoCheck, VerifiedRepo};
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
        ["outline", base, to] => outline(base, to),
        ["apply-beside", base, since, outline, ..] => apply_beside(base, since, outline, threads(4)?, None),
        ["apply-and-outline", base, since, outline, to] => apply_beside(base, since, outline, threads(5)?, Some(to)),
        ["write-increment", base, since] => write_increment(base, since),
        _ => Err(
            "ours verify|copy|write-base|apply|outline|apply-beside|apply-and-outline|write-increment FILE …".into(),
        ),
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

/// What a proof of the base leaves for the next one.
fn outline(base: &str, to: &str) -> Outcome<()> {
    let mut sources = [File::open(base)?];
    let repo = check(RepoCheck::of(&history()), &mut sources)?;
    let start = Instant::now();
    // The name of the file is for whoever keeps several; here there is one.
    let file = KeptFile {
        sha256: [0; 32],
        len: sources[0].metadata()?.len(),
    };
    let outline = Outline::of(&repo, &[file], &mut sources)?.ok_or("no outline")?;
    fs::write(to, outline.to_bytes())?;
    say(repo.record_count(), start.elapsed().as_secs_f64())
}

/// A base that is kept and was proved before, what the server sent since, and the proof of that beside it. With `to` the
/// outline for the next time too.
fn apply_beside(base: &str, since: &str, outline: &str, threads: usize, to: Option<&str>) -> Outcome<()> {
    let start = Instant::now();
    let mut since = File::open(since)?;
    let kept = Outline::from_bytes(&fs::read(outline)?).ok_or("no outline")?;
    let check = RepoCheck::of(&history()).threads(threads);
    let checked = check.increment(kept, &mut [File::open(base)?], &mut since)?;
    let increment = checked.ok_or("not proved")?.increment;
    if let Some(to) = to {
        let outline = increment.outline(&mut since)?.ok_or("no outline")?;
        fs::write(to, outline.to_bytes())?;
    }
    say(increment.proof().record_count(), start.elapsed().as_secs_f64())
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
