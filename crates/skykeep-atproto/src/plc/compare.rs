//! Whether a log is what an older copy of it has become, or history was rewritten.
//!
//! An honest directory only ever adds entries at the end, and sets `nullified` from false to true because of one that
//! it added. Invalid operations were removed by hand in 2023 and 2025, so a copy from before may have more than the
//! log.

use std::collections::HashMap;

use super::{Fault, LogEntry, LogProblem, Standing, audit};

/// What has happened between two copies of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Entries that are new, by their places in the new copy.
    pub added: Vec<usize>,
    /// Entries that new ones have undone, by their places in the old copy.
    pub nullified: Vec<usize>,
    /// How history was rewritten; empty if it was not. `entry` counts in the old copy, but for
    /// [`Fault::EntriesReordered`] in the new one.
    pub problems: Vec<LogProblem>,
}

/// Compares an older copy of a log with a newer one. Neither needs to be valid; whether the new one is, [`audit`] says.
pub fn compare(old: &[LogEntry], new: &[LogEntry]) -> Comparison {
    let mut comparison = Comparison::default();
    let places: HashMap<&str, usize> = new.iter().enumerate().rev().map(|(i, e)| (e.cid.as_str(), i)).collect();
    let undone_by = undone_by(new);
    let mut known = vec![false; new.len()];
    for (index, before) in old.iter().enumerate() {
        match places.get(before.cid.as_str()) {
            Some(place) => known[*place] = true,
            None => comparison.report(Fault::EntryVanished, index, before),
        }
    }
    comparison.added = (0..new.len()).filter(|place| !known[*place]).collect();
    let is_new = |cid: &str| places.get(cid).is_some_and(|place| !known[*place]);
    for (index, before) in old.iter().enumerate() {
        let Some(after) = places.get(before.cid.as_str()).map(|place| &new[*place]) else {
            continue;
        };
        if !says_the_same(before, after) {
            comparison.report(Fault::EntryChanged, index, before);
        }
        match (before.nullified, after.nullified) {
            (true, false) => comparison.report(Fault::NullificationUndone, index, before),
            (false, true) if undone_by.get(after.cid.as_str()).is_some_and(|by| is_new(by)) => {
                comparison.nullified.push(index);
            }
            (false, true) => comparison.report(Fault::UnjustifiedNullification, index, before),
            _ => {}
        }
    }
    comparison.check_order(old, new, &places, &known);
    comparison
}

impl Comparison {
    /// Whether the new copy only continues the old one.
    pub const fn is_continuation(&self) -> bool {
        self.problems.is_empty()
    }

    /// Walking through the new copy, old entries come in their old order and new ones after all of them.
    fn check_order(&mut self, old: &[LogEntry], new: &[LogEntry], places: &HashMap<&str, usize>, known: &[bool]) {
        let order: Vec<usize> = old
            .iter()
            .filter_map(|entry| places.get(entry.cid.as_str()).copied())
            .collect();
        let last_known = order.iter().copied().max();
        let inserted = (0..new.len()).filter(|place| !known[*place] && Some(*place) < last_known);
        let swapped = order.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[1]);
        for place in inserted.chain(swapped) {
            self.report(Fault::EntriesReordered, place, &new[place]);
        }
    }

    fn report(&mut self, fault: Fault, entry: usize, of: &LogEntry) {
        self.problems.push(LogProblem {
            fault,
            entry: Some(entry),
            detail: format!("{} of {}", of.cid.escape_default(), of.created_at.escape_default()),
        });
    }
}

/// The operations that a log's own operations undo, and by which.
fn undone_by(log: &[LogEntry]) -> HashMap<String, String> {
    let audit = audit(None, log);
    let operations = audit.operations().iter();
    operations
        .filter_map(|operation| match operation.standing {
            Standing::Nullified { by } => Some((operation.cid.to_string(), by.to_string())),
            _ => None,
        })
        .collect()
}

/// Apart from `nullified`. How JSON is spaced and a time is written says nothing.
fn says_the_same(before: &LogEntry, after: &LogEntry) -> bool {
    let value = |entry: &LogEntry| serde_json::from_str::<serde_json::Value>(entry.operation.get()).ok();
    let same_operation = before.operation.get() == after.operation.get() || value(before) == value(after);
    let same_time = match (before.time(), after.time()) {
        (Ok(before), Ok(after)) => before == after,
        _ => before.created_at == after.created_at,
    };
    before.did == after.did && same_time && same_operation
}
