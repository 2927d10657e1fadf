//! Who may do what until when.

use skykeep_atproto::plc::{self, Audit, Create, Fault, LogEntry, Operation, Standing};
use skykeep_atproto::{Curve, SigningKey};

use crate::log::{HOUR, Log, SECOND, at, key, keys, state};

/// What each operation of an audit came to: its signer's place, `-` for none; in brackets, if it was undone.
fn standings(audit: &Audit) -> String {
    let word = |audited: &plc::Audited| {
        let signer = audited
            .signed_by
            .map_or("-".to_owned(), |signer| signer.index.to_string());
        match audited.standing {
            Standing::Valid => signer,
            Standing::Nullified { .. } => format!("({signer})"),
            Standing::Refused => "!".to_owned(),
        }
    };
    audit.operations().iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn updates_are_signed_by_any_key_of_the_operation_before() {
    for signer in ['a', 'b', 'c'] {
        let mut log = Log::new("abc");
        log.update(SECOND, 0, "xy", signer, &[])
            .update(2 * SECOND, 1, "abc", 'y', &[]);
        let audit = log.check_valid();
        assert_eq!(standings(&audit), format!("0 {} 1", signer as u8 - b'a'));
        let by = audit.operations()[1].signed_by.unwrap();
        assert_eq!(by.key, key(signer).did_key());
        assert_eq!(audit.head().unwrap().cid, log.cid(2));
        assert_eq!(audit.current().unwrap().into_owned(), state("abc"));
        assert_eq!(audit.current().unwrap().rotation_index(&key('b').did_key()), Some(1));
    }
    // A key that the operation itself brings does not sign it; one that it drops does.
    Log::new("ab")
        .update(SECOND, 0, "x", 'x', &[])
        .check_invalid(&["1 bad_signature"]);
    Log::new("ab").update(SECOND, 0, "x", 'b', &[]).check_valid();
}

#[test]
fn a_higher_key_undoes_what_a_lower_one_did() {
    let mut log = Log::new("abc");
    log.update(SECOND, 0, "c", 'b', &[]).update(HOUR, 0, "abc", 'a', &[1]);
    let audit = log.check_valid();
    assert_eq!(standings(&audit), "0 (1) 0");
    assert_eq!(audit.operations()[1].standing, Standing::Nullified { by: log.cid(2) });
    assert_eq!(audit.chain().count(), 2);
    // All that came after it goes with it, whoever signed that.
    let mut log = Log::new("abc");
    log.update(SECOND, 0, "xy", 'c', &[])
        .update(2 * SECOND, 1, "z", 'x', &[])
        .tombstone(3 * SECOND, 2, 'z', &[])
        .update(HOUR, 0, "ab", 'b', &[1, 2, 3])
        .update(2 * HOUR, 4, "abc", 'a', &[]);
    assert_eq!(standings(&log.check_valid()), "0 (2) (0) (0) 1 0");
    // And a recovery is itself undone by a key above it.
    let mut log = Log::new("abc");
    log.update(SECOND, 0, "c", 'c', &[])
        .update(HOUR, 0, "bc", 'b', &[1])
        .update(2 * HOUR, 0, "abc", 'a', &[1, 2]);
    let audit = log.check_valid();
    assert_eq!(standings(&audit), "0 (2) (1) 0");
    assert_eq!(audit.operations()[1].standing, Standing::Nullified { by: log.cid(2) });
    assert_eq!(audit.operations()[2].standing, Standing::Nullified { by: log.cid(3) });
}

#[test]
fn the_same_or_a_lower_key_undoes_nothing() {
    let check = |rotation_keys: &str, disputed: char, recovery: char, code: &str| {
        let mut log = Log::new(rotation_keys);
        log.update(SECOND, 0, "x", disputed, &[])
            .update(HOUR, 0, rotation_keys, recovery, &[1]);
        // The directory's flag is then wrong as well.
        log.check_invalid(&[&format!("2 {code}"), "1 wrong_nullified_flag"]);
        assert_eq!(log.audit().head().unwrap().cid, log.cid(1));
    };
    check("ab", 'b', 'b', "weak_key");
    check("ab", 'a', 'a', "weak_key");
    check("abc", 'b', 'c', "weak_key");
    // A key listed twice stands at its first place, whichever side it is on.
    check("aba", 'a', 'b', "weak_key");
    check("aba", 'a', 'a', "weak_key");
    check("bab", 'b', 'b', "weak_key");
    // A key of the attacker's own list, or of nobody's, has no say.
    check("ab", 'b', 'x', "bad_signature");
    check("ab", 'b', 'q', "bad_signature");
}

#[test]
fn the_window_is_72_hours_from_the_first_operation_undone() {
    let check = |ms: i64, valid: bool| {
        let mut log = Log::new("ab");
        log.update(SECOND, 0, "b", 'b', &[])
            .update(SECOND + ms, 0, "ab", 'a', &[1]);
        match valid {
            true => drop(log.check_valid()),
            false => log.check_invalid(&["2 too_late", "1 wrong_nullified_flag"]),
        }
    };
    check(1, true);
    check(72 * HOUR - 1, true);
    check(72 * HOUR, true);
    check(72 * HOUR + 1, false);
    check(1000 * HOUR, false);

    // The second of two hostile operations is recent, the first is not: the fork before the first comes too late …
    let mut log = Log::new("ab");
    log.update(HOUR, 0, "axb", 'b', &[]).update(60 * HOUR, 1, "x", 'x', &[]);
    let begun = log.entries.clone();
    log.update(74 * HOUR, 0, "ab", 'a', &[1, 2]).check_invalid(&[
        "3 too_late",
        "1 wrong_nullified_flag",
        "2 wrong_nullified_flag",
    ]);
    // … and the fork between them does not, since our key still stands above there.
    log.entries = begun;
    log.update(74 * HOUR, 1, "ab", 'a', &[2]);
    assert_eq!(standings(&log.check_valid()), "0 1 (1) 0");
}

#[test]
fn prev_names_an_operation_that_counts() {
    let mut log = Log::new("ab");
    log.update(SECOND, 0, "b", 'b', &[])
        .update(HOUR, 0, "ab", 'a', &[1])
        .update(2 * HOUR, 1, "b", 'b', &[]);
    log.check_invalid(&["3 nullified_prev"]);
    let mut log = Log::new("ab");
    let elsewhere = Operation::update(state("ab"), Some(Log::new("xy").cid(0))).signed(&key('a'));
    log.push(SECOND, &elsewhere, &[]).check_invalid(&["1 unknown_prev"]);
    let second = Operation::update(state("abc"), None).signed(&key('a'));
    Log::new("ab")
        .push(SECOND, &second, &[])
        .check_invalid(&["1 second_genesis"]);
    // The same operation twice is a fork by the same key.
    let mut log = Log::new("ab");
    log.update(SECOND, 0, "ab", 'a', &[]).update(HOUR, 0, "ab", 'a', &[]);
    log.check_invalid(&["2 weak_key"]);
}

#[test]
fn a_tombstone_ends_everything_unless_it_is_undone() {
    let mut log = Log::new("ab");
    log.tombstone(SECOND, 0, 'b', &[]);
    let audit = log.check_valid();
    assert!(audit.is_tombstoned() && audit.current().is_none());
    log.update(2 * SECOND, 1, "ab", 'a', &[])
        .check_invalid(&["2 after_tombstone"]);
    log.entries.pop();
    log.tombstone(2 * SECOND, 1, 'a', &[])
        .check_invalid(&["2 after_tombstone"]);
    log.entries.pop();
    log.update(HOUR, 0, "ab", 'a', &[1]);
    let audit = log.check_valid();
    assert!(!audit.is_tombstoned() && audit.current().is_some());
    assert_eq!(standings(&audit), "0 (1) 0");
    // A tombstone can itself be the recovery.
    let mut log = Log::new("ab");
    log.update(SECOND, 0, "b", 'b', &[]).tombstone(HOUR, 0, 'a', &[1]);
    assert!(log.check_valid().is_tombstoned());
    // And it keeps to the same rules.
    Log::new("ab")
        .tombstone(SECOND, 0, 'q', &[])
        .check_invalid(&["1 bad_signature"]);
}

#[test]
fn every_operation_is_later_than_the_last() {
    for ms in [0, -1, -HOUR] {
        Log::new("ab")
            .update(ms, 0, "ab", 'a', &[])
            .check_invalid(&["1 time_order"]);
    }
    // A recovery too: later than the last that it undoes, not only than the first.
    let mut log = Log::new("ab");
    log.update(SECOND, 0, "b", 'b', &[])
        .update(HOUR, 1, "b", 'b', &[])
        .update(HOUR, 0, "ab", 'a', &[1, 2]);
    log.check_invalid(&["3 time_order", "1 wrong_nullified_flag", "2 wrong_nullified_flag"]);
}

#[test]
fn the_first_operation_makes_the_did() {
    let log = Log::new("ab");
    let mut stranger = Log::new("ab");
    stranger.did = Log::new("abc").did;
    stranger.check_invalid(&["0 other_did", "0 did_mismatch"]);
    stranger.entries[0].did = stranger.did.to_string();
    stranger.check_invalid(&["0 did_mismatch"]);
    let audit = plc::audit(None, &stranger.entries);
    assert_eq!(audit.problems()[0].fault, Fault::DidMismatch);

    let unsigned = Operation::update(state("ab"), None);
    Log::of(unsigned.clone()).check_invalid(&["0 bad_signature_encoding"]);
    Log::of(unsigned.clone().signed(&key('c'))).check_invalid(&["0 bad_signature"]);
    Log::of(unsigned.signed(&key('b'))).check_valid();
    // The signing key has no right to the identity, only to the repository.
    Log::of(Operation::update(state("ab"), None).signed(&key('s'))).check_invalid(&["0 bad_signature"]);

    let prev = log.cid(0);
    for not_first in [Operation::tombstone(prev), Operation::update(state("ab"), Some(prev))] {
        let mut log = Log::new("ab");
        log.entries[0] = LogEntry::new(&log.did, &not_first.signed(&key('a')), false, at(0));
        log.check_invalid(&["0 bad_genesis"]);
    }
    // Without its beginning a log proves nothing, however good the rest is.
    let mut cut = Log::new("ab");
    cut.update(SECOND, 0, "ab", 'a', &[]).update(HOUR, 1, "ab", 'a', &[]);
    cut.entries.remove(0);
    cut.check_invalid(&["0 bad_genesis", "1 unknown_prev"]);
    let none = plc::audit(Some(&log.did), &[]);
    assert_eq!(none.problems()[0].fault, Fault::Empty);
    assert!(!none.is_valid() && none.current().is_none());
}

#[test]
fn the_old_form_is_a_first_operation() {
    let create = || Create {
        signing_key: keys("s").remove(0),
        recovery_key: keys("r").remove(0),
        handle: "alice.test".to_owned(),
        service: "pds.test".to_owned(),
        sig: String::new(),
    };
    let legacy = |signer| Operation::Create(create()).signed(&key(signer));
    for signer in ['r', 's'] {
        let audit = Log::of(legacy(signer)).check_valid();
        assert_eq!(standings(&audit), if signer == 'r' { "0" } else { "1" });
        let now = audit.current().unwrap().into_owned();
        assert_eq!(now.rotation_keys, keys("rs"));
        assert_eq!(now.signing_key(), Some(key('s').did_key()));
        assert_eq!(now.handle().unwrap().as_str(), "alice.test");
        assert_eq!(now.pds().as_deref(), Some("https://pds.test"));
    }
    Log::of(legacy('q')).check_invalid(&["0 bad_signature"]);
    // The recovery key stands above the signing key.
    let mut log = Log::of(legacy('s'));
    log.update(SECOND, 0, "x", 's', &[]).update(HOUR, 0, "rs", 'r', &[1]);
    assert_eq!(standings(&log.check_valid()), "1 (1) 0");
    let mut log = Log::of(legacy('s'));
    log.update(SECOND, 0, "x", 'r', &[]).update(HOUR, 0, "rs", 's', &[1]);
    log.check_invalid(&["2 weak_key", "1 wrong_nullified_flag"]);
    // Only first, ever.
    Log::new("rs")
        .push(SECOND, &legacy('s'), &[])
        .check_invalid(&["1 second_genesis"]);
    // Whole addresses are taken as they are.
    let with = |handle: &str, service: &str| {
        let mut whole = create();
        (whole.handle, whole.service) = (handle.to_owned(), service.to_owned());
        let state = Operation::Create(whole).state().unwrap().into_owned();
        (
            state.also_known_as[0].clone(),
            state.services["atproto_pds"].endpoint.clone(),
        )
    };
    let same = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        with("at://a.test", "http://h.test"),
        same("at://a.test", "http://h.test")
    );
    assert_eq!(with("a.test", "https://h.test"), same("at://a.test", "https://h.test"));
}

#[test]
fn lists_that_nobody_should_write_are_read() {
    // A key twice.
    let mut log = Log::new("aa");
    log.update(SECOND, 0, "abab", 'a', &[]).update(HOUR, 1, "aa", 'b', &[]);
    assert_eq!(standings(&log.check_valid()), "0 0 1");
    // No key at all: final, unless a higher key undoes it in time.
    let mut log = Log::new("ab");
    log.update(SECOND, 0, "", 'b', &[]);
    assert_eq!(log.check_valid().current().unwrap().rotation_keys.len(), 0);
    log.update(HOUR, 1, "ab", 'a', &[]).check_invalid(&["2 bad_signature"]);
    log.entries.pop();
    log.update(HOUR, 0, "ab", 'a', &[1]).check_valid();
    // Keys that cannot be read hold their place and verify nothing.
    let mut odd = state("ab");
    odd.rotation_keys
        .insert(0, "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp".to_owned());
    odd.rotation_keys.insert(2, "not a key".to_owned());
    odd.rotation_keys.insert(2, format!("did:key:z{}", "1".repeat(10_000)));
    odd.verification_methods
        .insert("atproto".to_owned(), "did:key:zUnknown".to_owned());
    let mut log = Log::of(Operation::update(odd, None).signed(&key('b')));
    log.update(SECOND, 0, "b", 'b', &[]).update(HOUR, 0, "ab", 'a', &[1]);
    let audit = log.check_valid();
    assert_eq!(standings(&audit), "4 (4) 1");
    assert_eq!(audit.operations()[0].operation.state().unwrap().signing_key(), None);
}

#[test]
fn flags_are_checked_against_the_operations() {
    let recovered = || {
        let mut log = Log::new("ab");
        log.update(SECOND, 0, "b", 'b', &[]).update(HOUR, 0, "ab", 'a', &[1]);
        log
    };
    recovered().check_valid();
    for (place, expected) in [(0, "0"), (1, "1"), (2, "2")] {
        let mut log = recovered();
        log.entries[place].nullified ^= true;
        log.check_invalid(&[&format!("{expected} wrong_nullified_flag")]);
        // The operations decide, not the flag.
        assert_eq!(standings(&log.audit()), "0 (1) 0");
    }
}

#[test]
fn what_an_entry_says_of_its_operation_is_checked() {
    let spoil = |change: &dyn Fn(&mut LogEntry), expected: &[&str]| {
        let mut log = Log::new("ab");
        log.update(SECOND, 0, "ab", 'a', &[]).update(HOUR, 1, "ab", 'b', &[]);
        change(&mut log.entries[1]);
        log.check_invalid(expected);
    };
    spoil(&|entry| entry.did = Log::new("xy").did.to_string(), &["1 other_did"]);
    spoil(&|entry| entry.did.push('\n'), &["1 other_did"]);
    spoil(
        &|entry| entry.cid = Log::new("xy").cid(0).to_string(),
        &["1 cid_mismatch"],
    );
    spoil(&|entry| entry.cid.make_ascii_uppercase(), &["1 cid_mismatch"]);
    spoil(&|entry| entry.cid.clear(), &["1 cid_mismatch"]);
    // Without the operation, the next one hangs in the air.
    spoil(
        &|entry| entry.created_at = "yesterday".to_owned(),
        &["1 bad_time", "2 unknown_prev"],
    );
    spoil(&|entry| entry.created_at.clear(), &["1 bad_time", "2 unknown_prev"]);
    let json = |text: &str| serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
    for text in ["{}", "null", "[]", "7", r#"{"type":"plc_operation"}"#] {
        spoil(
            &|entry| entry.operation = json(text),
            &["1 bad_shape", "2 unknown_prev"],
        );
    }
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    spoil(
        &|entry| entry.operation = json(&deep),
        &["1 bad_shape", "2 unknown_prev"],
    );
    let spaced = |entry: &mut LogEntry| {
        entry.operation = json(&format!("{{{}{}", " ".repeat(300_000), &entry.operation.get()[1..]))
    };
    spoil(&spaced, &["1 bad_shape", "2 unknown_prev"]);
}

#[test]
fn an_operation_is_judged_before_anyone_submits_it() {
    let mut log = Log::new("ab");
    log.update(SECOND, 0, "b", 'b', &[]);
    let mut audit = log.check_valid();
    let recovery = Operation::update(state("ab"), Some(log.cid(0))).signed(&key('a'));
    let late = audit.append(recovery.clone(), at(SECOND + 72 * HOUR + 1)).unwrap_err();
    assert_eq!((late.fault, late.entry), (Fault::TooLate, None));
    let weak = Operation::update(state("ab"), Some(log.cid(0))).signed(&key('b'));
    assert_eq!(audit.append(weak, at(HOUR)).unwrap_err().fault, Fault::WeakKey);
    // A refusal leaves everything as it was.
    assert_eq!((standings(&audit).as_str(), audit.is_valid()), ("0 1", true));
    let added = audit.append(recovery, at(HOUR)).unwrap();
    assert_eq!(added.signed_by.unwrap().index, 0);
    assert_eq!(standings(&audit), "0 (1) 0");
    // A chain can begin with an operation too, and then has its DID.
    let mut audit = Audit::new(None);
    audit.append(log.entries[0].operation().unwrap(), at(0)).unwrap();
    assert_eq!(audit.did(), Some(&log.did));
}

#[test]
fn a_new_key_of_either_curve_leads_an_identity() {
    for curve in [Curve::K256, Curve::P256] {
        let new = SigningKey::generate(curve).unwrap();
        let mut mine = state("a");
        mine.rotation_keys.insert(0, new.did_key().to_string());
        let mut log = Log::new("a");
        log.push(
            SECOND,
            &Operation::update(mine.clone(), Some(log.cid(0))).signed(&key('a')),
            &[],
        );
        log.update(HOUR, 1, "a", 'a', &[]);
        log.push(2 * HOUR, &Operation::update(mine, Some(log.cid(1))).signed(&new), &[2]);
        assert_eq!(standings(&log.check_valid()), "0 0 (1) 0");
    }
}
