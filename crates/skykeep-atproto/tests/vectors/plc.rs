//! Audit logs, real and made to be wrong.

use std::collections::BTreeSet;

use skykeep_atproto::plc::{audit, parse_log};

use crate::{read, vectors};

/// A file's verdict: how many entries, and which fault, if any, is the reason.
const LOGS: [(&str, usize, Option<&str>); 20] = [
    ("bskyapp", 2, None),
    ("bnewbold_robocracy", 2, None),
    ("legacy_dholms", 5, None),
    ("tombstone", 2, None),
    ("nullification", 3, None),
    ("nullification_nontrivial", 8, None),
    ("nullification_at_exactly_72h", 4, None),
    ("nullified_tombstone", 4, None),
    ("empty_rotation_keys", 2, None),
    ("duplicate_rotation_keys", 1, None),
    ("invalid_nullification_reused_key", 3, Some("weak_key")),
    ("invalid_nullification_too_slow", 3, Some("too_late")),
    ("invalid_update_nullified", 5, Some("nullified_prev")),
    ("invalid_update_tombstoned", 3, Some("after_tombstone")),
    ("invalid_sig_b64_padding_chars", 1, Some("bad_signature_encoding")),
    ("invalid_sig_b64_padding_bits", 1, Some("bad_signature_encoding")),
    ("invalid_sig_b64_newline", 1, Some("bad_signature_encoding")),
    ("invalid_sig_der", 1, Some("bad_signature")), // of 64 bytes, as it happens
    ("invalid_sig_k256_high_s", 1, Some("bad_signature")),
    ("invalid_sig_p256_high_s", 1, Some("bad_signature")),
];

#[test]
fn every_audit_log_gets_its_verdict() {
    let Some(folder) = vectors() else { return };
    for (name, entries, fault) in LOGS {
        let log = parse_log(&read(folder.join(format!("plc/log_{name}.json")))).unwrap();
        assert_eq!(log.len(), entries, "{name}");
        let audit = audit(None, &log);
        let faults: Vec<_> = audit.problems().iter().map(|problem| problem.fault.code()).collect();
        assert_eq!(faults.first().copied(), fault, "{name}: {:?}", audit.problems());
        assert_eq!(audit.is_valid(), fault.is_none(), "{name}");
        // What an entry is called and whether it counts is computed, and comes out as the directory says.
        for (entry, operation) in log.iter().zip(audit.operations()) {
            assert_eq!(operation.cid.to_string(), entry.cid, "{name}");
            assert!(!audit.is_valid() || operation.nullified() == entry.nullified, "{name}");
        }
        assert_eq!(
            audit.is_tombstoned(),
            ["tombstone", "invalid_update_tombstoned"].contains(&name),
            "{name}"
        );
        assert_eq!(audit.did().unwrap().as_str(), log[0].did, "{name}");
    }
}

#[test]
fn no_audit_log_is_left_out() {
    let Some(folder) = vectors() else { return };
    let files = std::fs::read_dir(folder.join("plc")).unwrap();
    let there: BTreeSet<String> = files
        .filter_map(|file| file.unwrap().file_name().into_string().ok())
        .filter(|name| name.starts_with("log_"))
        .collect();
    let known: BTreeSet<String> = LOGS.iter().map(|(name, ..)| format!("log_{name}.json")).collect();
    assert_eq!(there, known);
}

#[test]
fn a_real_account_has_its_known_history() {
    let Some(folder) = vectors() else { return };
    let log = parse_log(&read(folder.join("plc/log_legacy_dholms.json"))).unwrap();
    let audit = audit(Some(&"did:plc:yk4dd2qkboz2yv6tpubpc6co".parse().unwrap()), &log);
    assert!(audit.is_valid(), "{:?}", audit.problems());
    let state = audit.current().unwrap();
    assert_eq!(state.handle().unwrap().as_str(), "dholms.xyz");
    assert_eq!(state.pds().unwrap(), "https://bsky.social");
    let history = audit.key_history().unwrap();
    let first = &history.keys.last().unwrap();
    assert_eq!(
        first.key.to_string(),
        "did:key:zQ3shP5TBe1sQfSttXty15FAEHV1DZgcxRZNxvEWnPfLFwLxJ"
    );
    assert_eq!(first.operation.unwrap().to_string(), log[0].cid);
    assert_eq!(history.current().unwrap().key, state.signing_key().unwrap());
    assert!(history.keys.windows(2).all(|pair| pair[1].until == pair[0].from));
}
