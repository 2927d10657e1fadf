//! Logs that nobody honest would write end soon, with an error or a problem, and never in a panic.

use proptest::prelude::*;
use skykeep_atproto::Error;
use skykeep_atproto::plc::{Fault, MAX_LOG_BYTES, Operation, audit, compare, parse_log};

use crate::log::{HOUR, Log, SECOND, at, key, keys, state};

fn bytes(log: &Log) -> Vec<u8> {
    serde_json::to_vec(&log.entries).unwrap()
}

fn recovered() -> Log {
    let mut log = Log::new("abc");
    log.update(SECOND, 0, "abc", 'b', &[])
        .tombstone(HOUR, 1, 'c', &[])
        .update(2 * HOUR, 1, "ab", 'a', &[2]);
    log
}

#[test]
fn a_log_survives_writing_and_reading() {
    let log = recovered();
    let read = parse_log(&bytes(&log)).unwrap();
    assert!(compare(&log.entries, &read).is_continuation());
    assert!(audit(Some(&log.did), &read).is_valid());
    // Directories may say more about an entry than we know.
    let more = String::from_utf8(bytes(&log))
        .unwrap()
        .replace("\"nullified\"", "\"seq\":7,\"nullified\"");
    assert!(audit(None, &parse_log(more.as_bytes()).unwrap()).is_valid());
}

#[test]
fn what_is_no_log_is_an_error() {
    let entry = String::from_utf8(bytes(&Log::new("a"))).unwrap();
    for bad in [
        "",
        "{}",
        "[",
        "[{}]",
        "[null]",
        "[[]]",
        "null",
        "[]x",
        &entry.replace("\"did\"", "\"DID\""),
        &entry.replace("false", "\"false\""),
        &entry.replace("false", "0"),
        &entry.replace("\"nullified\":false", "\"nullified\":false,\"nullified\":true"),
        &entry[..entry.len() - 1],
    ] {
        assert!(matches!(parse_log(bad.as_bytes()), Err(Error::Json { .. })), "{bad}");
    }
    assert!(matches!(parse_log(b"[\"\xff\"]"), Err(Error::Json { .. })));
    let deep = "[".repeat(1 << 20);
    assert!(matches!(parse_log(deep.as_bytes()), Err(Error::Json { .. })));
    let large = vec![b' '; usize::try_from(MAX_LOG_BYTES).unwrap() + 1];
    assert!(matches!(parse_log(&large), Err(Error::TooLarge { .. })));
    let short = r#"{"did":"","operation":0,"cid":"","nullified":true,"createdAt":""}"#;
    let many = format!("[{}]", [short; 10_001].join(","));
    assert!(matches!(parse_log(many.as_bytes()), Err(Error::Shape { .. })));
    let all = parse_log(format!("[{}]", [short; 10_000].join(",")).as_bytes()).unwrap();
    assert!(!audit(None, &all).is_valid());
}

/// Thousands of keys, each of which would have to be tried for each of thousands of operations.
#[test]
fn a_log_cannot_make_its_reader_work_for_hours() {
    let mut wide = state("a");
    let strange = vec!["did:key:zUnreadable".to_owned(); 3998];
    wide.rotation_keys = [strange, keys("a")].concat();
    let mut log = Log::of(Operation::update(wide, None).signed(&key('a')));
    log.update(SECOND, 0, "a", 'a', &[]);
    for n in 2..1000 {
        log.update(n * SECOND, 0, "a", 'x', &[]);
    }
    let read = audit(None, &parse_log(&bytes(&log)).unwrap());
    // 20,000 keys are five times the list: two signatures that hold, three that do not, and then nothing is tried.
    let faults: Vec<_> = read.problems().iter().map(|problem| problem.fault).collect();
    assert_eq!(faults[..3], [Fault::BadSignature; 3]);
    assert_eq!(faults[3..], [Fault::TooMuchWork; 995]);
    assert_eq!(read.operations()[1].signed_by.unwrap().index, 3998);
    assert_eq!(read.operations().len(), 1000);
}

/// A real identity at its busiest stays far below every limit.
#[test]
fn a_long_honest_log_is_judged_to_its_end() {
    let mut log = Log::new("abcde");
    for n in 1..300 {
        log.update(n * HOUR, n as usize - 1, "abcde", 'e', &[]);
    }
    assert_eq!(log.audit().problems(), []);
    assert_eq!(log.audit().chain().count(), 300);
}

#[test]
fn a_changed_letter_of_an_operation_counts() {
    let log = recovered();
    for (place, entry) in log.entries.iter().enumerate() {
        let text = entry.operation.get();
        // Every fifth, beginning elsewhere each time: all kinds of places, in a second.
        for i in (place..text.len()).step_by(5) {
            let mut changed = text.as_bytes().to_vec();
            changed[i] = if changed[i] == b'x' { b'y' } else { b'x' };
            let Ok(raw) = serde_json::value::RawValue::from_string(String::from_utf8(changed).unwrap()) else {
                continue;
            };
            let mut spoilt = log.entries.clone();
            spoilt[place].operation = raw;
            assert!(!audit(Some(&log.did), &spoilt).is_valid(), "entry {place}, byte {i}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(entries) = parse_log(&bytes) {
            let _ = audit(None, &entries);
        }
    }

    /// A log with a few bytes replaced is refused, or judged without a panic; and never claims another DID is sound.
    #[test]
    fn no_damage_makes_the_auditor_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let log = recovered();
        let mut text = bytes(&log);
        for (place, byte) in damage {
            let place = place.index(text.len());
            text[place] = byte;
        }
        if let Ok(entries) = parse_log(&text) {
            let audit = audit(None, &entries);
            let _ = (audit.key_history(), audit.current().map(|state| state.into_owned()), audit.is_tombstoned());
            let _ = compare(&log.entries, &entries);
            prop_assert!(!audit.is_valid() || audit.did() == Some(&log.did));
        }
    }

    /// Whatever is appended in whatever order, the chain keeps to the rules that can be seen from outside.
    #[test]
    fn a_chain_stays_a_chain(
        steps in prop::collection::vec((any::<prop::sample::Index>(), 0usize..3, 0i64..50, any::<bool>()), 1..12),
    ) {
        let mut log = Log::new("abc");
        let mut audit = log.check_valid();
        let mut now = 0;
        for (after, signer, hours, tombstone) in steps {
            now += hours * HOUR;
            let after = after.index(log.entries.len());
            let signer = key(['a', 'b', 'c'][signer]);
            let prev = log.cid(after);
            let next = if tombstone { Operation::tombstone(prev) } else { Operation::update(state("abc"), Some(prev)) };
            let next = next.signed(&signer);
            if audit.append(next.clone(), at(now)).is_ok() {
                log.push(now, &next, &[]);
            }
        }
        for (entry, audited) in log.entries.iter_mut().zip(audit.operations()) {
            entry.nullified = audited.nullified();
        }
        // The log of what was accepted is valid, in the eyes of an auditor that sees it for the first time.
        log.check_valid();
        let chain: Vec<_> = audit.chain().collect();
        for pair in chain.windows(2) {
            prop_assert_eq!(pair[1].operation.prev(), Some(pair[0].cid));
            prop_assert!(pair[1].created_at > pair[0].created_at);
            prop_assert!(pair[0].operation.state().is_some());
        }
        prop_assert!(!audit.operations()[0].nullified());
    }
}
