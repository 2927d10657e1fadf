//! Contestants in turn, round after round.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use skykeep_benches::contestant::Said;

use crate::{Bench, Outcome};

/// A program and what it is given.
#[derive(Debug, Clone)]
pub(crate) struct Contestant {
    /// As the table calls it.
    pub(crate) name: String,
    program: &'static str,
    arguments: Vec<String>,
}

impl Contestant {
    pub(crate) fn new(name: &str, program: &'static str, arguments: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            program,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        }
    }
}

/// What one contestant showed, a value for each round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Showing {
    pub(crate) name: String,
    /// Seconds of the whole process.
    pub(crate) whole: Vec<f64>,
    /// Seconds of the part that it measured itself.
    pub(crate) part: Vec<f64>,
    /// Bytes of memory at its height.
    pub(crate) peak: Vec<f64>,
    pub(crate) records: u64,
}

impl Showing {
    pub(crate) fn seconds(&self) -> f64 {
        median(&self.whole)
    }

    pub(crate) fn part_seconds(&self) -> f64 {
        median(&self.part)
    }

    pub(crate) fn peak(&self) -> f64 {
        median(&self.peak)
    }

    /// How long this took for each second of the other, round by round.
    pub(crate) fn ratio(&self, other: &Self) -> f64 {
        paired(&self.whole, &other.whole)
    }

    /// The same of the parts that they measured themselves.
    pub(crate) fn part_ratio(&self, other: &Self) -> f64 {
        paired(&self.part, &other.part)
    }
}

fn paired(these: &[f64], others: &[f64]) -> f64 {
    median(
        &these
            .iter()
            .zip(others)
            .map(|(this, other)| this / other)
            .collect::<Vec<_>>(),
    )
}

/// The middle one, or halfway between both.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Reads files once, so that they are in the system's cache.
pub(crate) fn warm(files: &[&Path]) -> Outcome<()> {
    for file in files {
        io::copy(&mut File::open(file)?, &mut io::sink())?;
    }
    Ok(())
}

/// Lets everybody run once a round; who begins changes from round to round.
pub(crate) fn race(bench: &Bench, contestants: &[Contestant], rounds: usize) -> Outcome<Vec<Showing>> {
    let name = |contestant: &Contestant| Showing {
        name: contestant.name.clone(),
        ..Showing::default()
    };
    let mut showings: Vec<Showing> = contestants.iter().map(name).collect();
    for round in 0..rounds {
        for turn in 0..contestants.len() {
            let at = (round + turn) % contestants.len();
            let (whole, said) = run(bench, &contestants[at])?;
            let showing = &mut showings[at];
            showing.whole.push(whole);
            showing.part.push(said.seconds);
            showing.peak.push(said.peak as f64);
            showing.records = said.records;
        }
    }
    Ok(showings)
}

fn run(bench: &Bench, contestant: &Contestant) -> Outcome<(f64, Said)> {
    let start = Instant::now();
    let output = Command::new(bench.programs.join(contestant.program))
        .args(&contestant.arguments)
        .output()?;
    let whole = start.elapsed().as_secs_f64();
    let name = &contestant.name;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name} failed: {error}").into());
    }
    Ok((whole, String::from_utf8_lossy(&output.stdout).parse()?))
}
