//! One file for each single kind of damage: what is found, what is not, and that nothing spoilt gets through the door.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::LazyLock;

use skykeep_atproto::KeyHistory;
use skykeep_atproto::verify::{Checked, RepoCheck, SignedBy};
use skykeep_tests::repo_maker::damage::{self, Case, Draft, FINE, Verdict};
use skykeep_tests::repo_maker::seeded::{Seeded, exhaustive};

fn run(car: &[u8], threads: usize) -> Checked {
    static HISTORY: LazyLock<KeyHistory> = LazyLock::new(|| {
        let (did, key) = damage::owner();
        KeyHistory::of_key(did, key.did_key())
    });
    RepoCheck::of(&HISTORY)
        .threads(threads)
        .run(&mut [Cursor::new(car)])
        .expect("memory is read without errors")
}

fn verdict(checked: &Checked) -> Verdict {
    Verdict {
        complete: checked.report.complete,
        sound: checked.report.sound,
        signature: match checked.report.signed_by {
            SignedBy::Current | SignedBy::Earlier { .. } => "valid",
            SignedBy::Unknown => "invalid",
            SignedBy::Unchecked => "unchecked",
        },
    }
}

#[test]
fn each_damage_is_named_and_kept_out() {
    let mut wrong = Vec::new();
    for Case {
        name,
        car,
        verdict: expected,
        codes,
    } in damage::cases()
    {
        for threads in [1, 3] {
            let checked = run(&car, threads);
            let found: BTreeSet<_> = checked
                .report
                .findings
                .iter()
                .map(|finding| finding.code.as_str())
                .collect();
            let same = verdict(&checked) == expected && found.iter().eq(codes.iter());
            if !same || checked.repo.is_some() != (expected == FINE) {
                let found = (verdict(&checked), &checked.report.findings);
                wrong.push(format!(
                    "{name}, {threads} threads: {expected:?} {codes:?}\n    but {found:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let cases = damage::cases();
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len());
    let files: BTreeSet<_> = cases.iter().map(|case| &case.car).collect();
    assert_eq!(files.len(), cases.len(), "two cases are the same file");
}

/// A file that ends between two sections is a file like any other: only the walk can tell.
#[test]
fn a_cut_at_any_byte_is_noticed() {
    let car: Vec<u8> = Draft::new(25).into();
    for len in 0..car.len() {
        let checked = run(&car[..len], 1);
        assert!(!checked.report.complete, "cut to {len} bytes");
        assert!(checked.repo.is_none(), "cut to {len} bytes");
    }
    assert!(run(&car, 1).repo.is_some());
}

/// A hash covers every byte behind it, the header and the lengths are covered by what they lead to.
#[test]
fn one_bit_anywhere_is_noticed() {
    let car: Vec<u8> = Draft::new(12).into();
    let mut seeded = Seeded::of_run();
    for at in 0..car.len() {
        let one = seeded.below(8);
        for bit in (0..8).filter(|bit| *bit == one || exhaustive()) {
            let mut flipped = car.clone();
            flipped[at] ^= 1 << bit;
            let checked = run(&flipped, 1);
            assert!(checked.repo.is_none(), "bit {bit} of byte {at}: {:?}", checked.report);
            assert!(
                !checked.report.complete || !checked.report.sound,
                "bit {bit} of byte {at}"
            );
        }
    }
}
