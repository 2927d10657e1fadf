//! One contestant is one process: it does one thing to one file and says how it went, in one line.

use std::error::Error;
use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

/// What a contestant says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// Records that it met; all contestants must agree.
    pub records: u64,
    /// How long the part took that is measured, in seconds.
    pub seconds: f64,
    /// The most memory it ever had, in bytes.
    pub peak: u64,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.records, self.seconds, self.peak)
    }
}

impl FromStr for Said {
    type Err = Box<dyn Error>;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let mut parts = line.split_whitespace();
        let mut part = || {
            parts
                .next()
                .ok_or_else(|| format!("not what a contestant says: {line:?}"))
        };
        Ok(Self {
            records: part()?.parse()?,
            seconds: part()?.parse()?,
            peak: part()?.parse()?,
        })
    }
}

/// Does `work` to the file that the first argument names, and says how long all of it took.
///
/// # Errors
/// Those of `work`.
pub fn run(work: impl FnOnce(&Path) -> Result<u64, Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).ok_or("which file?")?;
    let start = Instant::now();
    let records = work(Path::new(&file))?;
    say(records, start.elapsed().as_secs_f64())
}

/// Says how it went.
///
/// # Errors
/// When the system does not tell the peak.
pub fn say(records: u64, seconds: f64) -> Result<(), Box<dyn Error>> {
    let said = Said {
        records,
        seconds,
        peak: peak()?,
    };
    println!("{said}");
    Ok(())
}

/// The most memory that this process ever had in the machine's, in bytes (Linux: `VmHWM`).
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
    Ok(kib.parse::<u64>()? * 1024)
}
