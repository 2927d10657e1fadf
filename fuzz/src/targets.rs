//! What is tried with arbitrary bytes. Nothing may panic; and what is accepted must be what it says.

use std::io::Cursor;
use std::sync::LazyLock;

use skykeep_atproto::commit::Commit;
use skykeep_atproto::plc::{Operation, audit, parse_log};
use skykeep_atproto::verify::{Checked, Limits, RepoCheck};
use skykeep_atproto::{Cid, Codec, KeyHistory, cbor, record as records};
use skykeep_tests::repo_maker::value::{self, Value};
use skykeep_tests::repo_maker::{car_header, damage, section, signed_commit};

static HISTORY: LazyLock<KeyHistory> = LazyLock::new(|| {
    let (did, key) = damage::owner();
    KeyHistory::of_key(did, key.did_key())
});

fn check(car: &[u8]) -> Checked {
    let limits = Limits {
        bytes: 64 << 20,
        memory: 64 << 20,
    };
    let check = RepoCheck::of(&HISTORY).threads(1).limits(limits);
    check
        .run(&mut [Cursor::new(car)])
        .expect("memory is read without errors")
}

/// A whole file. One that proves is written canonically, and that proves as the same repository.
pub fn car(bytes: &[u8]) {
    let checked = check(bytes);
    assert!(checked.report.nodes <= checked.report.blocks);
    let Some(repo) = checked.repo else { return };
    assert!(checked.report.complete && checked.report.sound);
    let mut written = Vec::new();
    repo.write_base(&mut [Cursor::new(bytes)], &mut written)
        .expect("what was proved can be written");
    let again = check(&written).repo.expect("what was written proves");
    assert!(again.records().eq(repo.records()));
    assert_eq!(again.record_count(), repo.record_count());
    for (path, cid) in repo.records() {
        assert_eq!(again.get(&path), Some(cid));
    }
}

/// The root of a tree. Its name is right, so only its content can be wrong.
pub fn node(bytes: &[u8]) {
    let (did, _) = damage::owner();
    let data = Cid::of(Codec::DagCbor, bytes);
    let rev = "3jzfcijpj2z2a".parse().expect("a TID");
    let commit = Commit::signed_bytes(&did, data, rev, &[1; 64]);
    let root = Cid::of(Codec::DagCbor, &commit);
    let mut car = car_header(&[root]);
    section(&mut car, &root.to_bytes(), &commit);
    section(&mut car, &data.to_bytes(), bytes);
    let checked = check(&car);
    assert!(checked.repo.is_none(), "nobody signed it");
    if checked.report.sound {
        let value = value::read(bytes).expect("a node is canonical");
        assert_eq!(value.to_bytes(), bytes);
    }
}

/// The block of a commit. What passes is canonical, and was signed as it stands there without its signature.
pub fn commit(bytes: &[u8]) {
    let Ok(commit) = Commit::decode(bytes) else { return };
    let Some(Value::Map(mut fields)) = value::read(bytes) else {
        panic!("a commit is a map");
    };
    assert_eq!(Value::Map(fields.clone()).to_bytes(), bytes);
    fields.retain(|(key, _)| key != "sig");
    assert_eq!(Value::Map(fields).to_bytes(), commit.unsigned);
    if let Some(rev) = commit.rev {
        let (_, key) = damage::owner();
        let signed = signed_commit(&commit.did, commit.data, rev, &key);
        Commit::decode(&signed).expect("its fields make a commit");
    }
}

/// A record. What passes is one canonical map, and every blob in it has a name of the right kind.
pub fn record(bytes: &[u8]) {
    let canonical = cbor::check(bytes).is_ok();
    let passed = records::check(bytes, &mut |blob| assert_eq!(blob.cid.codec(), Codec::Raw)).is_ok();
    let value = value::read(bytes);
    if canonical {
        assert_eq!(value.as_ref().map(Value::to_bytes).as_deref(), Some(bytes));
    }
    assert_eq!(passed, canonical && matches!(value, Some(Value::Map(_))));
}

/// A PLC operation as JSON. What passes says the same when it is written and read again.
pub fn operation(bytes: &[u8]) {
    let Ok(json) = serde_json::from_slice(bytes) else {
        return;
    };
    let Ok(operation) = Operation::from_json(&json) else {
        return;
    };
    let again = Operation::from_json(&operation.to_json()).expect("what it writes it reads");
    assert_eq!(again.cid(), operation.cid());
    assert_eq!(again.unsigned_bytes(), operation.unsigned_bytes());
    cbor::check(&operation.bytes()).expect("an operation is canonical");
    let _ = (operation.genesis_did(), operation.check_submittable());
}

/// An audit log. What is valid says so however often it is asked, and its keys are found again.
pub fn log(bytes: &[u8]) {
    let Ok(entries) = parse_log(bytes) else { return };
    let audited = audit(None, &entries);
    assert_eq!(audited.is_valid(), audited.problems().is_empty());
    assert!(audited.operations().len() <= entries.len());
    let _ = (audited.current(), audited.head(), audited.is_tombstoned());
    if let Some(history) = audited.key_history() {
        assert!(history.keys.iter().all(|period| history.find(&period.key).is_some()));
    }
}
