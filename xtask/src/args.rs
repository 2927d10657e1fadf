//! What was asked for on the command line.

use std::collections::BTreeSet;

/// Shown for `help` and after a mistake.
pub(crate) const USAGE: &str = "\
cargo xtask VERB [OPTIONS]

  demo      a made-up network on this computer, and Skykeep protecting an account on it
              --headless   on the command line instead of in the window
              --once       operate it, and end when the first account is kept
  run       open Skykeep on the real network
  test      all tests, with the minutes of each suite
              --release-gate   also what is exhaustive, long, or needs the installed package
              --only=WORDS     only the suites whose names hold these words
  check     before a commit: format, lints, quick tests, generated files unchanged
  bench     the verifier beside other libraries, and the window; words after -- go to the benchmark
  package   build the Debian package and check it
              --rpm        and the .rpm
  bindings  write the window's types anew from the engine's

  --yes         install what is missing without asking (implied when standard input is no terminal)
  --no-install  install nothing, look for nothing: the computer is known to be ready";

/// One of the things `cargo xtask` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Help,
    Demo,
    Run,
    Test,
    Check,
    Bench,
    Package,
    Bindings,
}

impl Verb {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "help" | "--help" | "-h" => Self::Help,
            "demo" => Self::Demo,
            "run" => Self::Run,
            "test" => Self::Test,
            "check" => Self::Check,
            "bench" => Self::Bench,
            "package" => Self::Package,
            "bindings" => Self::Bindings,
            _ => return None,
        })
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Demo => &["--headless", "--once"],
            Self::Test => &["--release-gate", "--only"],
            Self::Package => &["--rpm"],
            _ => &[],
        }
    }
}

/// A verb with its options, all of them known to that verb.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) verb: Verb,
    options: BTreeSet<String>,
    /// The words after `--`; only `bench` and `run` take any.
    pub(crate) rest: Vec<String>,
}

impl Request {
    /// Errors: one sentence for the person who typed it.
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let Some((first, others)) = words.split_first() else {
            return Ok(Self {
                verb: Verb::Help,
                options: BTreeSet::new(),
                rest: Vec::new(),
            });
        };
        let verb = Verb::parse(first).ok_or_else(|| format!("xtask: there is no verb \"{first}\""))?;
        let cut = others.iter().position(|word| word == "--").unwrap_or(others.len());
        let rest: Vec<String> = others.iter().skip(cut + 1).cloned().collect();
        if !rest.is_empty() && !matches!(verb, Verb::Bench | Verb::Run) {
            return Err(format!("xtask: \"{first}\" takes no words after --"));
        }
        let options: BTreeSet<String> = others[..cut].iter().cloned().collect();
        for option in &options {
            let common = ["--yes", "--no-install"];
            let name = option.split_once('=').map_or(option.as_str(), |(name, _)| name);
            if (name == "--only") != option.contains('=') || ![&common, verb.options()].concat().contains(&name) {
                return Err(format!("xtask: \"{first}\" does not know \"{option}\""));
            }
        }
        Ok(Self { verb, options, rest })
    }

    /// The words that `--only=WORDS` gave.
    pub(crate) fn only(&self) -> Option<&str> {
        self.options.iter().find_map(|option| option.strip_prefix("--only="))
    }

    /// Whether `option` (with its dashes) was given.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.contains(option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, String> {
        Request::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn verbs_and_their_options_are_known() {
        let request = parse("demo --headless --once --yes").unwrap();
        assert_eq!(request.verb, Verb::Demo);
        assert!(request.has("--headless") && request.has("--once") && request.has("--yes"));
        assert!(!request.has("--release-gate"));
        assert_eq!(request.only(), None);
        assert_eq!(parse("test --only=rooms").unwrap().only(), Some("rooms"));
        assert_eq!(parse("").unwrap().verb, Verb::Help);
        assert_eq!(parse("--help").unwrap().verb, Verb::Help);
        assert_eq!(parse("bench -- --records 1000").unwrap().rest, ["--records", "1000"]);
    }

    #[test]
    fn a_mistake_is_named() {
        assert!(parse("dmeo").unwrap_err().contains("\"dmeo\""));
        assert!(parse("test --headless").unwrap_err().contains("\"--headless\""));
        assert!(parse("test --only").unwrap_err().contains("\"--only\""));
        assert!(parse("demo --once=yes").unwrap_err().contains("\"--once=yes\""));
        assert!(parse("demo now").unwrap_err().contains("\"now\""));
        assert!(parse("test -- something").unwrap_err().contains("after --"));
    }
}
