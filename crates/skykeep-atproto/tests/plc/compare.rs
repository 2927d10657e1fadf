//! Whether a directory rewrote history.

use skykeep_atproto::plc::compare;

use crate::log::{HOUR, Log, SECOND};

fn three() -> Log {
    let mut log = Log::new("ab");
    log.update(SECOND, 0, "ab", 'a', &[]).update(HOUR, 1, "ab", 'b', &[]);
    log
}

/// What `change` does to an older log is seen as these problems, as `entry code`.
fn check(change: impl Fn(&mut Log), expected: &[&str]) {
    let (old, mut new) = (three(), three());
    change(&mut new);
    let comparison = compare(&old.entries, &new.entries);
    let found: Vec<String> = comparison
        .problems
        .iter()
        .map(|problem| format!("{} {}", problem.entry.unwrap(), problem.fault))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(comparison.is_continuation(), expected.is_empty());
}

#[test]
fn an_honest_directory_only_adds() {
    let (old, mut new) = (three(), three());
    let same = compare(&old.entries, &new.entries);
    assert!(same.is_continuation() && same.added.is_empty() && same.nullified.is_empty());
    new.update(2 * HOUR, 2, "ab", 'a', &[]);
    let added = compare(&old.entries, &new.entries);
    assert!(added.is_continuation());
    assert_eq!((added.added, added.nullified), (vec![3], vec![]));
    new.entries.pop();
    new.update(3 * HOUR, 1, "ab", 'a', &[2]);
    let recovered = compare(&old.entries, &new.entries);
    assert!(recovered.is_continuation(), "{recovered:?}");
    assert_eq!((recovered.added, recovered.nullified), (vec![3], vec![2]));
    assert!(compare(&[], &new.entries).is_continuation());
    // How JSON is spaced and how exactly a time is written says nothing.
    check(
        |log| log.entries[1].created_at = log.entries[1].created_at.replace("123Z", "123000+00:00"),
        &[],
    );
    let spaced = |log: &mut Log| {
        let value: serde_json::Value = serde_json::from_str(log.entries[1].operation.get()).unwrap();
        let text = serde_json::to_string_pretty(&value).unwrap();
        log.entries[1].operation = serde_json::value::RawValue::from_string(text).unwrap();
    };
    check(spaced, &[]);
}

#[test]
fn anything_else_is_history_rewritten() {
    check(|log| drop(log.entries.remove(2)), &["2 entry_vanished"]);
    check(|log| drop(log.entries.remove(0)), &["0 entry_vanished"]);
    check(
        |log| log.entries.clear(),
        &["0 entry_vanished", "1 entry_vanished", "2 entry_vanished"],
    );
    check(|log| log.entries.swap(1, 2), &["1 entries_reordered"]);
    check(
        |log| log.entries[0].created_at = "2026-03-01T10:00:00.122Z".to_owned(),
        &["0 entry_changed"],
    );
    check(
        |log| log.entries[1].did = Log::new("xy").did.to_string(),
        &["1 entry_changed"],
    );
    check(
        |log| log.entries[1].operation = log.entries[0].operation.clone(),
        &["1 entry_changed"],
    );
    check(|log| log.entries[2].nullified = true, &["2 unjustified_nullification"]);
    // Another operation under the place of an old one.
    let replaced = |log: &mut Log| {
        log.entries.pop();
        log.update(HOUR, 1, "abc", 'b', &[]);
    };
    check(replaced, &["2 entry_vanished"]);
    // An entry that was never there before, among those that were.
    let inserted = |log: &mut Log| {
        let stranger = Log::new("xy").entries.remove(0);
        log.entries.insert(1, stranger);
    };
    check(inserted, &["1 entries_reordered"]);
    // A new operation that has no right to undo justifies nothing.
    let weak = |log: &mut Log| {
        log.update(2 * HOUR, 1, "ab", 'b', &[2]);
    };
    check(weak, &["2 unjustified_nullification"]);
    // Nor does one that was there before.
    let mut old = three();
    old.update(2 * HOUR, 1, "ab", 'a', &[]);
    let mut new = three();
    new.update(2 * HOUR, 1, "ab", 'a', &[2]);
    let faults = |old: &Log, new: &Log| compare(&old.entries, &new.entries).problems[0].fault.code();
    assert_eq!(faults(&old, &new), "unjustified_nullification");
    assert_eq!(faults(&new, &old), "nullification_undone");
}
