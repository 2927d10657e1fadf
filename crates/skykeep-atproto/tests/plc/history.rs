//! Which signing key was in force when.

use skykeep_atproto::plc::{KeyHistory, Operation};
use skykeep_atproto::{Did, DidKey};

use crate::log::{HOUR, Log, at, key, keys, state};

/// A log that begins with the signing key of `s`.
fn begin() -> Log {
    Log::new("ab")
}

/// Adds an update that sets the signing key, or takes it away.
fn set_key(log: &mut Log, hours: i64, after: usize, signing: Option<&str>, signer: char, undone: &[usize]) {
    let mut next = state("ab");
    match signing.map(keys) {
        Some(mut key) => next.verification_methods.insert("atproto".to_owned(), key.remove(0)),
        None => next.verification_methods.remove("atproto"),
    };
    let operation = Operation::update(next, Some(log.cid(after))).signed(&key(signer));
    log.push(hours * HOUR, &operation, undone);
}

/// `key from..until @entry`, newest first; hours; undone ones in brackets.
fn told(log: &Log) -> Vec<String> {
    let history = log.check_valid().key_history().unwrap();
    assert_eq!(history.did, log.did);
    let hours = |time: Option<jiff::Timestamp>| match time {
        Some(time) => (time.duration_since(at(0)).as_hours()).to_string(),
        None => String::new(),
    };
    let letter = |key_: &DidKey| ('a'..='z').find(|letter| key(*letter).did_key() == *key_).unwrap();
    let tell = |period: &skykeep_atproto::KeyPeriod| {
        let entry = log
            .entries
            .iter()
            .position(|e| Some(e.cid.parse().unwrap()) == period.operation)
            .unwrap();
        format!(
            "{} {}..{} @{entry}",
            letter(&period.key),
            hours(period.from),
            hours(period.until)
        )
    };
    let undone = history.undone.iter().map(|period| format!("({})", tell(period)));
    history.keys.iter().map(tell).chain(undone).collect()
}

#[test]
fn a_period_lasts_until_another_key_is_set() {
    let mut log = begin();
    assert_eq!(told(&log), ["s 0.. @0"]);
    log.update(HOUR, 0, "abc", 'a', &[]);
    assert_eq!(
        told(&log),
        ["s 0.. @0"],
        "an operation that leaves the key alone sets none"
    );
    set_key(&mut log, 2, 1, Some("t"), 'a', &[]);
    set_key(&mut log, 3, 2, None, 'a', &[]);
    assert_eq!(told(&log), ["t 2..3 @2", "s 0..2 @0"]);
    assert_eq!(log.audit().key_history().unwrap().current(), None);
    set_key(&mut log, 4, 3, Some("s"), 'a', &[]);
    log.tombstone(5 * HOUR, 4, 'a', &[]);
    assert_eq!(told(&log), ["s 4..5 @4", "t 2..3 @2", "s 0..2 @0"]);
}

#[test]
fn a_key_that_was_undone_was_never_in_force_but_is_known() {
    let mut log = begin();
    set_key(&mut log, 1, 0, Some("x"), 'b', &[]);
    set_key(&mut log, 2, 1, Some("x"), 'b', &[]);
    set_key(&mut log, 3, 2, Some("y"), 'b', &[]);
    set_key(&mut log, 4, 3, Some("s"), 'b', &[]);
    set_key(&mut log, 5, 0, Some("t"), 'a', &[1, 2, 3, 4]);
    assert_eq!(told(&log), ["t 5.. @5", "s 0..5 @0", "(y 3..5 @3)", "(x 1..5 @1)"]);
    let history = log.audit().key_history().unwrap();
    let signed = |letter| key(letter).sign(b"commit");
    let check = |letter, valid: bool, undone: bool| {
        assert_eq!(history.signer(b"commit", &signed(letter)).is_some(), valid, "{letter}");
        assert_eq!(
            history.undone_signer(b"commit", &signed(letter)).is_some(),
            undone,
            "{letter}"
        );
        assert_eq!(history.find(&key(letter).did_key()).is_some(), valid, "{letter}");
    };
    check('t', true, false);
    check('s', true, false);
    check('y', false, true);
    check('x', false, true);
    check('a', false, false);
    assert_eq!(history.current().unwrap().key, key('t').did_key());
    assert!(history.signer(b"another", &signed('t')).is_none());
}

#[test]
fn a_recovery_that_keeps_the_key_breaks_no_period() {
    let mut log = begin();
    set_key(&mut log, 1, 0, Some("x"), 'b', &[]);
    set_key(&mut log, 2, 0, Some("s"), 'a', &[1]);
    assert_eq!(told(&log), ["s 0.. @0", "(x 1..2 @1)"]);
}

#[test]
fn one_key_by_hand_is_a_history() {
    let did: Did = "did:web:alice.test".parse().unwrap();
    let history = KeyHistory::of_key(did.clone(), key('s').did_key());
    let current = history.current().unwrap();
    assert_eq!((current.operation, current.from, current.until), (None, None, None));
    assert!(history.signer(b"m", &key('s').sign(b"m")).is_some());
    assert!(history.signer(b"m", &key('t').sign(b"m")).is_none());
    assert_eq!(KeyHistory::unknown(did).current(), None);
    let json = serde_json::to_string(&history).unwrap();
    assert_eq!(serde_json::from_str::<KeyHistory>(&json).unwrap(), history);
}
