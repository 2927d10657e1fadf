//! The kernel's table of processes: who is alive, and who started whom. Source: proc(5).

use std::fs;
use std::path::Path;

/// A line of the kernel's process table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) name: String,
    state: char,
    parent: i32,
    pub(super) group: i32,
}

impl Process {
    /// Reads `/proc/<pid>/stat`. The name stands in brackets and may itself hold brackets and spaces. Source: proc(5).
    fn parse(stat: &str) -> Option<Self> {
        let open = stat.find('(')?;
        let close = stat.rfind(')')?;
        let mut fields = stat.get(close + 1..)?.split_whitespace();
        Some(Self {
            pid: stat.get(..open)?.trim().parse().ok()?,
            name: stat.get(open + 1..close)?.to_owned(),
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    }

    /// Name and number, for a person.
    pub(super) fn label(&self) -> String {
        format!("{} ({})", self.name, self.pid)
    }

    /// A zombie only waits for its parent to notice.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

/// All processes, as they are at this moment.
pub(super) fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir(Path::new("/proc")) else {
        return Vec::new();
    };
    let numbered = entries
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit());
    numbered
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(|stat| Process::parse(&stat))
        .collect()
}

/// All processes that descend from `root`, without it.
pub(super) fn below(mut all: Vec<Process>, root: u32) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![i32::try_from(root).unwrap_or(i32::MAX)];
    while let Some(parent) = parents.pop() {
        let (children, others) = all.into_iter().partition(|process| process.parent == parent);
        all = others;
        parents.extend(children.iter().map(|process: &Process| process.pid));
        found.extend(children);
    }
    found
}

/// Whether a process is in one of the groups, or descends from one of their leaders.
pub(super) fn belongs(all: &[Process], process: &Process, leaders: &[i32]) -> bool {
    let mut current = process;
    loop {
        if leaders.contains(&current.group) || leaders.contains(&current.pid) {
            return true;
        }
        match all.iter().find(|candidate| candidate.pid == current.parent) {
            Some(parent) => current = parent,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, group: i32) -> Process {
        Process {
            pid,
            name: format!("p{pid}"),
            state: 'S',
            parent,
            group,
        }
    }

    #[test]
    fn a_process_name_may_hold_brackets_and_spaces() {
        let read = Process::parse("17 (a) b (c)) Z 3 17 17 0 -1 4194560").unwrap();
        assert_eq!(
            read,
            Process {
                pid: 17,
                name: "a) b (c)".into(),
                state: 'Z',
                parent: 3,
                group: 17
            }
        );
        assert!(!read.is_alive());
        assert_eq!(Process::parse("17 (cut"), None);
    }

    #[test]
    fn descendants_are_found_at_every_depth_and_strangers_are_not() {
        let all = [
            process(1, 0, 1),
            process(10, 1, 10),
            process(11, 10, 10),
            process(12, 11, 12),
            process(20, 1, 20),
        ];
        let mut pids: Vec<i32> = below(all.to_vec(), 10).iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [11, 12]);
        assert!(belongs(&all, &all[3], &[11]));
        assert!(!belongs(&all, &all[4], &[10]));
    }
}
