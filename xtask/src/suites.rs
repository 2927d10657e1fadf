//! The ledger of a test run: suite after suite, how long each took and what it came to.

use std::time::{Duration, Instant};

use crate::counts::{Counts, minutes};
use crate::process::{self, Outcome, say};

/// All suites so far.
#[derive(Debug)]
pub(crate) struct Ledger {
    began: Instant,
    suites: Vec<Suite>,
    /// Only suites whose names hold these words are run.
    only: Option<String>,
}

#[derive(Debug)]
struct Suite {
    name: String,
    time: Duration,
    counts: Counts,
}

impl Ledger {
    /// A ledger for all suites, or for those whose names hold the words `only`.
    pub(crate) fn open(only: Option<&str>) -> Self {
        Self {
            began: Instant::now(),
            suites: Vec::new(),
            only: only.map(str::to_owned),
        }
    }

    /// Runs a suite and writes it down. Whatever it forgot to stop is a failure of that suite, and is stopped.
    ///
    /// Returns whether nothing failed. Errors: only an interruption; a suite that could not run has failed.
    pub(crate) fn suite(&mut self, name: &str, run: impl FnOnce() -> Outcome<Counts>) -> Outcome<bool> {
        if self.only.as_ref().is_some_and(|only| !name.contains(only)) {
            return Ok(true);
        }
        say(&format!("\n== {name}"));
        let began = Instant::now();
        let mut counts = match run() {
            Ok(counts) => counts,
            Err(process::Failure::Interrupted) => return Err(process::Failure::Interrupted),
            Err(process::Failure::Said(problem)) => {
                say(&format!("{name}: {problem}"));
                Counts {
                    failed: 1,
                    failures: vec![format!("{name}: {problem}")],
                    ..Counts::default()
                }
            }
        };
        counts.blame(name, &process::strays());
        process::end_strays();
        let sound = counts.failed == 0;
        let time = began.elapsed();
        say(&format!("== {name}: {} ({})", counts.line(), minutes(time)));
        self.suites.push(Suite {
            name: name.to_owned(),
            time,
            counts,
        });
        Ok(sound)
    }

    /// A check that is one thing: it holds or it does not.
    pub(crate) fn check(&mut self, name: &str, command: &mut std::process::Command) -> Outcome<bool> {
        self.suite(name, || {
            let ran = process::run(name, command)?;
            let mut counts = Counts::of_check(name, ran.success);
            counts.blame(name, &ran.left_behind);
            Ok(counts)
        })
    }

    /// Prints the table, then what was skipped and what failed, and last the one line that counts everything.
    ///
    /// Errors: a sentence when anything failed.
    pub(crate) fn close(self, footnote: &str) -> Outcome<()> {
        let mut total = Counts::default();
        say("");
        for suite in &self.suites {
            say(&format!(
                "{:<34} {:>9}   {}",
                suite.name,
                minutes(suite.time),
                suite.counts.line()
            ));
            total += &suite.counts;
        }
        say(&format!("{:<34} {:>9}", "everything", minutes(self.began.elapsed())));
        if !footnote.is_empty() {
            say(footnote);
        }
        list("skipped", &total.reasons);
        list("failed", &total.failures);
        say("");
        say(&total.line());
        match total.failed {
            0 => Ok(()),
            1 => Err("one thing failed".into()),
            many => Err(format!("{many} things failed").into()),
        }
    }
}

fn list(title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    say(&format!("\n{title}:"));
    lines.iter().for_each(|line| say(&format!("  {line}")));
}
