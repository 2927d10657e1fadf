//! What must hold for every input: nothing panics, what is written is read back, and one repository has one file.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::LazyLock;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use skykeep_atproto::car::{CarWriter, read_header};
use skykeep_atproto::commit::Commit;
use skykeep_atproto::verify::{Checked, RepoCheck, VerifiedRepo};
use skykeep_atproto::{Cid, Codec, KeyHistory, Tid, cbor, mst, record};
use skykeep_tests::repo_maker::damage::{self, Draft};
use skykeep_tests::repo_maker::seeded::Seeded;
use skykeep_tests::repo_maker::value::{self, Value};
use skykeep_tests::repo_maker::{Operation, Order, Repo, car_header, difference, section};

static HISTORY: LazyLock<KeyHistory> = LazyLock::new(|| {
    let (did, key) = damage::owner();
    KeyHistory::of_key(did, key.did_key())
});

fn check(cars: &[Vec<u8>], threads: usize) -> Checked {
    let mut sources: Vec<_> = cars.iter().map(Cursor::new).collect();
    let check = RepoCheck::of(&HISTORY).threads(threads);
    check.run(&mut sources).expect("memory is read without errors")
}

fn proved(cars: &[Vec<u8>], threads: usize) -> VerifiedRepo {
    let checked = check(cars, threads);
    checked.repo.unwrap_or_else(|| panic!("{:?}", checked.report))
}

fn base(repo: &VerifiedRepo, cars: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut sources: Vec<_> = cars.iter().map(Cursor::new).collect();
    let written = repo.write_base(&mut sources, &mut out).expect("memory");
    assert_eq!(written.len, out.len() as u64);
    out
}

fn records(repo: &VerifiedRepo) -> BTreeMap<String, Cid> {
    repo.records().collect()
}

fn repo(records: BTreeMap<String, Vec<u8>>) -> Repo {
    let (did, key) = damage::owner();
    Repo::of(&did, &key, records)
}

fn any_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(i128::from),
        any::<u64>().prop_map(i128::from),
        any::<u64>().prop_map(|number| !i128::from(number)),
        select(
            &[
                0,
                23,
                24,
                255,
                256,
                65_535,
                65_536,
                1 << 32,
                (1 << 32) - 1,
                -24,
                -25,
                -256,
                -257
            ][..]
        ),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number.prop_map(Value::Integer),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Value::Float),
        ".{0,40}".prop_map(Value::Text),
        vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
        any::<([u8; 32], bool)>().prop_map(|(digest, raw)| {
            Value::Link(Cid::from_digest(if raw { Codec::Raw } else { Codec::DagCbor }, digest))
        }),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::List),
            btree_map("[a-z$]{0,30}", inner, 0..6).prop_map(to_map),
        ]
    })
}

fn to_map(entries: BTreeMap<String, Value>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn any_record() -> impl Strategy<Value = Vec<u8>> {
    btree_map("[a-zA-Z$]{1,12}", any_value(), 0..5).prop_map(|entries| to_map(entries).to_bytes())
}

fn any_path() -> impl Strategy<Value = String> {
    let collection = select(
        &[
            "app.bsky.feed.post",
            "app.bsky.feed.postgate",
            "app.bsky.feed.like",
            "com.example.a",
        ][..],
    );
    (collection, "[a-zA-Z0-9_~:-]{1,20}").prop_map(|(collection, key)| format!("{collection}/{key}"))
}

fn any_records(most: usize) -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    btree_map(any_path(), any_record(), 0..most)
}

/// A file with some of its bytes changed, left out, or put in.
fn spoil(mut bytes: Vec<u8>, changes: &[(Index, u8, u8)]) -> Vec<u8> {
    for (at, how, byte) in changes {
        if bytes.is_empty() {
            return bytes;
        }
        let at = at.index(bytes.len());
        match how % 5 {
            0 => bytes[at] ^= byte | 1,
            1 => bytes.insert(at, *byte),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            _ => {
                let end = bytes.len().min(at + usize::from(*byte));
                bytes.extend_from_within(at..end);
            }
        }
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(Index, u8, u8)>> {
    vec(any::<(Index, u8, u8)>(), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_has_one_encoding(value in any_value()) {
        let bytes = value.to_bytes();
        prop_assert!(cbor::check(&bytes).is_ok(), "{value:?}");
        let again = value::read(&bytes).expect("it was just written");
        prop_assert_eq!(again.to_bytes(), bytes);
    }

    /// Whatever passes is what would be written for what it says.
    #[test]
    fn bytes_that_pass_are_canonical(value in any_record(), changes in changes()) {
        let bytes = spoil(value, &changes);
        if cbor::check(&bytes).is_ok() {
            prop_assert_eq!(value::read(&bytes).map(|value| value.to_bytes()), Some(bytes.clone()));
        }
        let is_record = record::check(&bytes, &mut |_| {}).is_ok();
        prop_assert_eq!(is_record, cbor::check(&bytes).is_ok() && matches!(value::read(&bytes), Some(Value::Map(_))));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = cbor::check(&bytes);
        let _ = Commit::decode(&bytes);
        let _ = read_header(&bytes);
        prop_assert!(check(std::slice::from_ref(&bytes), 1).repo.is_none());
        let mut car = car_header(&[Cid::of(Codec::DagCbor, &bytes)]);
        section(&mut car, &Cid::of(Codec::DagCbor, &bytes).to_bytes(), &bytes);
        prop_assert!(check(&[car], 1).repo.is_none());
    }

    #[test]
    fn a_commit_comes_back(digest in any::<[u8; 32]>(), micros in 0_u64..1 << 53, clock in 0_u16..1024, half in any::<[u8; 32]>()) {
        let (did, _) = damage::owner();
        let (data, rev) = (Cid::from_digest(Codec::DagCbor, digest), Tid::new(micros, clock));
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&half);
        let bytes = Commit::signed_bytes(&did, data, rev, &signature);
        let commit = Commit::decode(&bytes).expect("it was just written");
        prop_assert_eq!(commit.unsigned, Commit::unsigned_bytes(&did, data, rev));
        prop_assert_eq!((commit.did, commit.data, commit.rev), (did, data, Some(rev)));
        prop_assert_eq!((commit.signature, commit.cid), (signature.to_vec(), Cid::of(Codec::DagCbor, &bytes)));
    }

    #[test]
    fn what_the_writer_writes_is_a_car(blocks in vec(vec(any::<u8>(), 0..2000), 1..30)) {
        let named: Vec<_> = blocks.iter().map(|bytes| (Cid::of(Codec::DagCbor, bytes), bytes)).collect();
        let mut out = Vec::new();
        let mut writer = CarWriter::new(&mut out, named[0].0);
        let mut expected = car_header(&[named[0].0]);
        for (cid, bytes) in &named {
            writer.block(*cid, bytes).expect("memory");
            section(&mut expected, &cid.to_bytes(), bytes);
        }
        let written = writer.finish().expect("memory");
        prop_assert_eq!(written.blocks, blocks.len() as u64);
        prop_assert_eq!(Cid::of(Codec::Raw, &out), Cid::from_digest(Codec::Raw, written.sha256));
        prop_assert_eq!(out, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_set_of_records_has_one_tree_and_one_file(records_in in any_records(60), seed in any::<u64>(), cut in any::<Index>()) {
        let made = repo(records_in);
        let canonical = made.car(Order::Tree, None);
        let tree = mst::build(made.records());
        let whole = proved(std::slice::from_ref(&canonical), 1);
        prop_assert_eq!(tree.root, whole.commit().data);
        prop_assert_eq!(&records(&whole), made.records());
        for (path, cid) in made.records() {
            prop_assert_eq!(whole.get(path), Some(*cid));
            let absent = format!("{path}0");
            prop_assert_eq!(whole.get(&absent), made.records().get(&absent).copied());
        }
        // In two files, in any order, with strangers and with blocks that come twice.
        let mut seeded = Seeded::new(seed);
        let mut blocks = made.layout().to_vec();
        blocks.extend_from_within(..cut.index(blocks.len()));
        seeded.shuffle(&mut blocks);
        let mut files = [car_header(&[made.root()]), car_header(&[made.root()])];
        for cid in &blocks {
            section(&mut files[seeded.index(2)], &cid.to_bytes(), made.block(cid).expect("its own"));
        }
        let stranger = Value::Map(vec![("stranger".into(), Value::Integer(seed.into()))]).to_bytes();
        section(&mut files[1], &Cid::of(Codec::DagCbor, &stranger).to_bytes(), &stranger);
        for threads in [1, 2, 5] {
            let other = proved(&files, threads);
            prop_assert_eq!(&base(&other, &files), &canonical);
            prop_assert_eq!(other.blobs(), whole.blobs());
            prop_assert_eq!(other.collections(), whole.collections());
        }
    }

    #[test]
    fn an_increment_is_what_is_new_and_proves_with_its_base(
        before in any_records(40),
        puts in any_records(12),
        deleted in vec(any::<Index>(), 0..8),
        threads in 1_usize..4,
    ) {
        let mut made = repo(before);
        let (old, old_rev, old_root) = (made.records().clone(), made.rev(), made.root());
        let old_car = made.car(Order::Tree, None);
        let paths: Vec<_> = old.keys().cloned().collect();
        let mut writes: Vec<_> = puts.into_iter().map(|(path, bytes)| Operation::Put(path, bytes)).collect();
        if !paths.is_empty() {
            writes.extend(deleted.iter().map(|at| Operation::Delete(paths[at.index(paths.len())].clone())));
        }
        let change = made.apply(&writes);
        let files = [old_car.clone(), made.car(Order::Pds, Some(old_rev))];
        let mut sources: Vec<_> = files.iter().map(Cursor::new).collect();
        let check = RepoCheck::of(&HISTORY).from(old_root).threads(threads);
        let now = check.run(&mut sources).expect("memory").repo.expect("a base and what came since");
        prop_assert_eq!(now.from(), Some(old_root));
        let mut increment = Vec::new();
        now.write_increment(&mut sources, &mut increment).expect("memory");
        prop_assert_eq!(&increment, &made.car(Order::Tree, Some(old_rev)));
        // What is kept proves the same again, and the differences are those that asking for every path finds.
        let kept = [old_car.clone(), increment];
        let again = proved(&kept, threads);
        prop_assert_eq!(&records(&again), made.records());
        prop_assert_eq!(base(&again, &kept), made.car(Order::Tree, None));
        let changes = proved(&[old_car], 1).compare(&again);
        prop_assert_eq!(&change, &difference(&old, made.records()));
        prop_assert_eq!((changes.added, changes.changed, changes.removed), (change.added, change.changed, change.removed));
    }

    /// A spoilt file is refused, or it is still the same repository.
    #[test]
    fn a_spoilt_file_is_refused_or_harmless(changes in changes(), threads in 1_usize..3) {
        static WHOLE: LazyLock<(Vec<u8>, BTreeMap<String, Cid>)> = LazyLock::new(|| {
            let car = Vec::from(Draft::new(40));
            let records = records(&proved(std::slice::from_ref(&car), 1));
            (car, records)
        });
        let spoilt = spoil(WHOLE.0.clone(), &changes);
        let checked = check(std::slice::from_ref(&spoilt), threads);
        if let Some(repo) = checked.repo {
            prop_assert!(checked.report.complete && checked.report.sound);
            prop_assert_eq!(&records(&repo), &WHOLE.1);
            prop_assert_eq!(&base(&repo, &[spoilt]), &WHOLE.0);
        }
    }

    #[test]
    fn a_long_history_of_increments_ends_at_the_same_file(seed in any::<u64>(), rounds in 1_usize..6) {
        let (did, key) = damage::owner();
        let mut made = Repo::new(&did, &key, seed, 50);
        let mut kept = vec![made.car(Order::Tree, None)];
        for round in 0..rounds {
            let (rev, root) = (made.rev(), made.root());
            made.apply(&made.writes(seed ^ round as u64, 20));
            let fetched = made.car(Order::Pds, Some(rev));
            let mut sources: Vec<_> = kept.iter().chain([&fetched]).map(Cursor::new).collect();
            let check = RepoCheck::of(&HISTORY).from(root);
            let now = check.run(&mut sources).expect("memory").repo.expect("base, increments and what came since");
            let mut increment = Vec::new();
            now.write_increment(&mut sources, &mut increment).expect("memory");
            kept.push(increment);
        }
        let now = proved(&kept, 2);
        prop_assert_eq!(base(&now, &kept), made.car(Order::Tree, None));
    }
}
