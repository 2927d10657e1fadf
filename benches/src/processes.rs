//! What the kernel says of running programs. Linux; source: proc(5).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::Outcome;

/// Ticks of a process's times, a second; the same on every Linux that we build for.
const TICKS: f64 = 100.0;

/// Memory, as shared fairly among those who share it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// All of it, in bytes.
    pub(crate) whole: f64,
    /// What is in no file: heap and stacks.
    pub(crate) anonymous: f64,
    pub(crate) processes: usize,
}

/// Everybody who runs this program file now.
pub(crate) fn running(program: &Path) -> Vec<u32> {
    let runs = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
    all().filter(runs).collect()
}

/// A process and all below it that live.
pub(crate) fn family(root: u32) -> BTreeSet<u32> {
    let parents: Vec<(u32, u32)> = all().filter_map(|pid| Some((pid, stat(pid)?.parent))).collect();
    let mut family = BTreeSet::from([root]);
    loop {
        let before = family.len();
        family.extend(
            parents
                .iter()
                .filter(|(_, parent)| family.contains(parent))
                .map(|(pid, _)| *pid)
                .collect::<Vec<_>>(),
        );
        if family.len() == before {
            return family;
        }
    }
}

/// What a process and all below it take up.
pub(crate) fn memory(root: u32) -> Outcome<Memory> {
    let mut memory = Memory::default();
    for pid in family(root) {
        // One that has just ended takes up nothing.
        let Ok(text) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
            continue;
        };
        let bytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok())
                .map_or(0.0, |kibibytes| kibibytes * 1024.0)
        };
        memory.whole += bytes("Pss");
        memory.anonymous += bytes("Pss_Anon");
        memory.processes += 1;
    }
    match memory.processes {
        0 => Err("it has ended".into()),
        _ => Ok(memory),
    }
}

/// The most memory that a process has had so far, in bytes; `None` once it has ended.
pub(crate) fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// How often each thread of a process and of all below it has gone to sleep so far: each time something had woken it.
pub(crate) fn switches(root: u32) -> BTreeMap<PathBuf, u64> {
    let threads = family(root).into_iter().flat_map(|pid| {
        fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
    });
    threads
        .filter_map(|thread| {
            let status = fs::read_to_string(thread.path().join("status")).ok()?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            Some((thread.path(), line?.trim().parse().ok()?))
        })
        .collect()
}

/// When a process was started, to a hundredth of a second.
pub(crate) fn started(pid: u32) -> Outcome<SystemTime> {
    let began = stat(pid).ok_or("it has ended")?.began;
    let uptime = fs::read_to_string("/proc/uptime")?;
    let now = SystemTime::now();
    let up: f64 = uptime.split_whitespace().next().ok_or("no uptime")?.parse()?;
    Ok(now - Duration::try_from_secs_f64(up - began / TICKS)?)
}

struct Stat {
    parent: u32,
    /// Ticks after the machine's start.
    began: f64,
}

/// `None` for one that has ended, waited for or not.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    (*fields.first()? != "Z").then_some(())?;
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        began: fields.get(19)?.parse().ok()?,
    })
}

fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
