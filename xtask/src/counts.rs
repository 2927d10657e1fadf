//! Reading what test runners print: how many passed, failed and were skipped, and which.

use std::ops::AddAssign;
use std::time::Duration;

/// What a suite came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// Names of tests that failed, as their runner prints them.
    pub(crate) failures: Vec<String>,
    /// Tests that were skipped, with the reason where one was given.
    pub(crate) reasons: Vec<String>,
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend_from_slice(&other.failures);
        self.reasons.extend_from_slice(&other.reasons);
    }
}

impl Counts {
    /// A check that is a whole: format, lints, types.
    pub(crate) fn of_check(name: &str, success: bool) -> Self {
        let failures = if success { Vec::new() } else { vec![name.to_owned()] };
        Self {
            passed: u64::from(success),
            failed: u64::from(!success),
            failures,
            ..Self::default()
        }
    }

    /// Reads the output of `cargo test`, over all its test programs.
    pub(crate) fn of_cargo(printed: &str) -> Self {
        let mut counts = Self::default();
        for line in printed.lines() {
            if let Some(result) = line.strip_prefix("test result: ") {
                counts.passed += number_before(result, " passed");
                counts.failed += number_before(result, " failed");
                counts.skipped += number_before(result, " ignored");
            } else if let Some(test) = line.strip_prefix("test ") {
                if let Some(name) = test.strip_suffix(" ... FAILED") {
                    counts.failures.push(name.to_owned());
                } else if let Some((name, reason)) = test.split_once(" ... ignored") {
                    counts
                        .reasons
                        .push(format!("{name}: {}", reason.trim_start_matches([',', ' '])));
                }
            }
        }
        counts
    }

    /// Reads the output of `vitest run`: the line that begins with "Tests".
    pub(crate) fn of_vitest(printed: &str) -> Self {
        let mut counts = Self::default();
        for line in printed.lines().map(without_colour) {
            if let Some(result) = line.trim_start().strip_prefix("Tests ") {
                counts.passed += number_before(result, " passed");
                counts.failed += number_before(result, " failed");
                counts.skipped += number_before(result, " skipped") + number_before(result, " todo");
            } else if let Some(name) = line.trim_start().strip_prefix("FAIL ") {
                counts.failures.push(name.trim().to_owned());
            }
        }
        counts
    }

    /// Reads the output of `node --test` with the reporter "spec".
    pub(crate) fn of_node(printed: &str) -> Self {
        let mut counts = Self::default();
        // The failures are printed a second time, in full, below the sums.
        for line in printed
            .lines()
            .map(without_colour)
            .take_while(|line| line != "✖ failing tests:")
        {
            if let Some((kind, number)) = line.strip_prefix("ℹ ").and_then(|sum| sum.split_once(' ')) {
                let Ok(number) = number.trim().parse::<u64>() else {
                    continue;
                };
                match kind {
                    "pass" => counts.passed += number,
                    "fail" | "cancelled" => counts.failed += number,
                    "skipped" | "todo" => counts.skipped += number,
                    _ => {}
                }
            } else if let Some(test) = line.trim_start().strip_prefix("✖ ") {
                counts.failures.push(without_time(test).to_owned());
            } else if let Some((test, reason)) = line
                .trim_start()
                .strip_prefix("﹣ ")
                .and_then(|test| test.split_once(" # "))
            {
                counts.reasons.push(format!("{}: {reason}", without_time(test)));
            }
        }
        counts
    }

    /// Takes tests that skipped themselves out of the passed ones. `noted` holds a line `name TAB reason` for each.
    pub(crate) fn set_aside(&mut self, noted: &str) {
        for line in noted.lines().filter(|line| !line.trim().is_empty()) {
            let (name, reason) = line.split_once('\t').unwrap_or((line, "no reason given"));
            self.reasons.push(format!("{name}: {reason}"));
            self.skipped += 1;
            self.passed = self.passed.saturating_sub(1);
        }
    }

    /// Counts something that could not be tried here.
    pub(crate) fn set_apart(&mut self, name: &str, reason: &str) {
        self.skipped += 1;
        self.reasons.push(format!("{name}: {reason}"));
    }

    /// A test that leaves a process running has failed, whatever it says.
    pub(crate) fn blame(&mut self, suite: &str, left_behind: &[String]) {
        if !left_behind.is_empty() {
            self.failed += 1;
            self.failures
                .push(format!("{suite}: it left processes behind: {}", left_behind.join(", ")));
        }
    }

    /// A runner that failed without a failed test (it crashed, or did not compile) counts as one failure.
    pub(crate) fn settle(&mut self, suite: &str, success: bool) {
        if !success && self.failed == 0 {
            self.failed = 1;
            self.failures.push(format!("{suite}: it ended badly"));
        }
    }

    /// The one line that build machines read.
    pub(crate) fn line(&self) -> String {
        format!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// For our own tests: counts this one as skipped, as [`Counts::set_aside`] reads it.
#[cfg(test)]
pub(crate) fn note_skipped(name: &str, reason: &str) {
    use std::io::Write;
    println!("SKIPPED {name}: {reason}");
    let Some(path) = std::env::var_os("SKYKEEP_SKIPPED") else {
        return;
    };
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(format!("{name}\t{reason}\n").as_bytes()).unwrap();
}

/// Minutes with one decimal, as in "12.3 min".
pub(crate) fn minutes(time: Duration) -> String {
    let tenths = (time.as_millis() + 3_000) / 6_000;
    format!("{}.{} min", tenths / 10, tenths % 10)
}

/// The number that stands before `word`; 0 when the word is not there.
fn number_before(text: &str, word: &str) -> u64 {
    let Some(end) = text.find(word) else { return 0 };
    let digits = text[..end]
        .rfind(|letter: char| !letter.is_ascii_digit())
        .map_or(0, |at| at + 1);
    text[digits..end].parse().unwrap_or(0)
}

/// `it works (1.5ms)` -> `it works`
fn without_time(test: &str) -> &str {
    test.rsplit_once(" (").map_or(test, |(name, _)| name)
}

/// Takes terminal colour sequences out of a line.
fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' {
            plain.push(letter);
            continue;
        }
        letters.by_ref().find(char::is_ascii_alphabetic);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triple(counts: &Counts) -> (u64, u64, u64) {
        (counts.passed, counts.failed, counts.skipped)
    }

    #[test]
    fn cargo_test_is_summed_over_its_programs() {
        let printed = "\
running 3 tests
test cid::tests::a ... ok
test car::tests::b ... FAILED
test folder::tests::exfat ... ignored, needs a loop device
test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

running 12 tests
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 1.20s
";
        let counts = Counts::of_cargo(printed);
        assert_eq!(triple(&counts), (13, 1, 1));
        assert_eq!(counts.failures, ["car::tests::b"]);
        assert_eq!(counts.reasons, ["folder::tests::exfat: needs a loop device"]);
    }

    #[test]
    fn vitest_is_read_through_its_colours() {
        let printed = " FAIL  src/a.test.ts > adds\n\u{1b}[2m      Tests \u{1b}[22m \u{1b}[31m1 failed\u{1b}[39m | \
                       \u{1b}[32m12 passed\u{1b}[39m | 2 skipped (15)\n Test Files  3 passed (3)\n";
        let counts = Counts::of_vitest(printed);
        assert_eq!(triple(&counts), (12, 1, 2));
        assert_eq!(counts.failures, ["src/a.test.ts > adds"]);
    }

    #[test]
    fn node_is_read_up_to_its_repeated_failures() {
        let printed = "\
✔ good (0.9ms)
✖ bad one (14.0ms)
  AssertionError: 1 == 2
﹣ late (0.1ms) # needs root
▶ outer
  ✖ inner bad (37.8ms)
ℹ tests 5
ℹ pass 1
ℹ fail 2
ℹ cancelled 0
ℹ skipped 1
ℹ duration_ms 531.08

✖ failing tests:

✖ bad one (14.0ms)
";
        let counts = Counts::of_node(printed);
        assert_eq!(triple(&counts), (1, 2, 1));
        assert_eq!(counts.failures, ["bad one", "inner bad"]);
        assert_eq!(counts.reasons, ["late: needs root"]);
    }

    #[test]
    fn a_test_that_skipped_itself_did_not_pass() {
        let mut counts = Counts {
            passed: 5,
            ..Counts::default()
        };
        counts.set_aside("exfat_place\tneeds loop devices\n\nwindow\n");
        assert_eq!(triple(&counts), (3, 0, 2));
        assert_eq!(
            counts.reasons,
            ["exfat_place: needs loop devices", "window: no reason given"]
        );
    }

    #[test]
    fn a_crash_without_a_failed_test_is_a_failure() {
        let mut counts = Counts {
            passed: 5,
            ..Counts::default()
        };
        counts.settle("Rust tests", false);
        assert_eq!(counts.line(), "5 passed, 1 failed, 0 skipped");
        counts.blame("Rust tests", &["node (17)".to_owned()]);
        assert_eq!(counts.failures[1], "Rust tests: it left processes behind: node (17)");
        let mut sound = Counts {
            passed: 5,
            ..Counts::default()
        };
        sound.settle("Rust tests", true);
        assert_eq!(sound.line(), "5 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn minutes_are_rounded_to_a_tenth() {
        for (seconds, text) in [
            (0, "0.0 min"),
            (3, "0.1 min"),
            (59, "1.0 min"),
            (90, "1.5 min"),
            (2_700, "45.0 min"),
        ] {
            assert_eq!(minutes(Duration::from_secs(seconds)), text);
        }
    }
}
