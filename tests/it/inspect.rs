//! `skykeep inspect car`, the program as it is built: it accepts every sound repository, refuses every spoilt one, and
//! says of each what it is. What is expected comes from the maker of the files, which shares no code with the reader.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests fail and speak as tests do

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};
use skykeep_atproto::{Cid, Codec, Curve, Did, SigningKey};
use skykeep_tests::cli::program;
use skykeep_tests::repo_maker::damage::{self, Draft};
use skykeep_tests::repo_maker::seeded::{Seeded, exhaustive};
use skykeep_tests::repo_maker::value::{Value, map, text};
use skykeep_tests::repo_maker::{Order, Repo, car_header, section, tree};
use tempfile::TempDir;

/// Every field of the document.
const FIELDS: [&str; 13] = [
    "blobs",
    "blocks",
    "bytes",
    "complete",
    "did",
    "nodes",
    "problems",
    "records",
    "rev",
    "root",
    "signature",
    "sound",
    "version",
];

/// A folder with files to look at, and a data folder that must never come into being.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("file.car");
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Exit code and both streams.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(program());
        command
            .arg("inspect")
            .args(arguments)
            .stdin(Stdio::null())
            .current_dir(self.0.path());
        // No directory, no host and no key store that it could reach; and no terminal.
        command.env_clear().env("SKYKEEP_DATA_DIR", self.0.path().join("data"));
        command.env("HOME", self.0.path().join("home"));
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        assert!(!self.0.path().join("data").exists() && !self.0.path().join("home").exists());
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// The document about a file, whose fields are all there, and whether its exit code says that it is good.
    fn look_at(&self, path: &Path, more: &[&str]) -> (bool, Json) {
        let arguments = [&["--json", "car", path.to_str().unwrap()], more].concat();
        let (code, out, err) = self.run(&arguments);
        assert!(code == 0 || code == 1, "{code} {err}");
        let seen: Json = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out} {err}"));
        let fields: Vec<&String> = seen.as_object().unwrap().keys().collect();
        assert_eq!(fields, FIELDS, "{seen}");
        for problem in seen["problems"].as_array().unwrap() {
            assert!(
                problem["code"].is_string() && problem["detail"].is_string(),
                "{problem}"
            );
        }
        let good = seen["complete"] == true && seen["sound"] == true && seen["signature"] != "invalid";
        assert_eq!(code == 0, good, "the exit code and the document disagree: {seen}");
        (good, seen)
    }

    fn look(&self, car: &[u8], more: &[&str]) -> (bool, Json) {
        let (good, seen) = self.look_at(&self.put(car), more);
        assert_eq!(seen["bytes"], car.len(), "every byte is read");
        (good, seen)
    }
}

#[test]
fn every_sound_repository_is_accepted_and_told_exactly() {
    let desk = Desk::new();
    let mut seeded = Seeded::of_run();
    let rounds = if exhaustive() { 400 } else { 40 };
    for round in 0..rounds {
        let curve = if seeded.chance(50) { Curve::K256 } else { Curve::P256 };
        let key = key(curve, &mut seeded);
        let did = if seeded.chance(20) {
            "did:web:keep.example.org".parse().unwrap()
        } else {
            plc(&mut seeded)
        };
        let repo = any_repo(&did, &key, round, &mut seeded);
        let order = match seeded.below(3) {
            0 => Order::Tree,
            1 => Order::Shuffled(seeded.number()),
            _ => Order::Pds,
        };
        let (car, remarks) = with_oddities(&repo, order, &mut seeded);
        let name = format!(
            "round {round}: {} records, {curve:?}, {order:?}, {remarks:?}",
            repo.records().len()
        );

        let own = key.did_key().to_string();
        let (older, strange) = (self::key(Curve::P256, &mut seeded), self::key(Curve::K256, &mut seeded));
        let (older, strange) = (older.did_key().to_string(), strange.did_key().to_string());
        let keys: [(&[&str], &str); 5] = [
            (&[], "unchecked"),
            (&[&own], "valid"),
            (&[&own, &older], "valid"),
            (&[&older, &strange, &own], "earlier_key"),
            (&[&older, &strange], "invalid"),
        ];
        let (given, signature) = keys[seeded.index(keys.len())];
        let mut more: Vec<&str> = given.iter().flat_map(|key| ["--signing-key", key]).collect();
        if seeded.chance(50) {
            more.extend(["--did", did.as_str()]);
        }
        let (good, seen) = desk.look(&car, &more);
        assert_eq!(good, signature != "invalid", "{name}: {seen}");
        let expected = expected(&repo, &car, signature, &remarks, &seen);
        assert_eq!(seen, expected, "{name}");

        // The same file as somebody else's.
        let other = plc(&mut seeded);
        let (good, seen) = desk.look(&car, &["--did", other.as_str()]);
        assert!(!good && codes(&seen).contains("wrong_did"), "{name}: {seen}");
    }
}

/// What must be said about a file with this repository.
fn expected(repo: &Repo, car: &[u8], signature: &str, remarks: &Remarks, seen: &Json) -> Json {
    let distinct: HashSet<Cid> = repo.records().values().copied().collect();
    let mut blobs = BTreeSet::new();
    for cid in &distinct {
        blobs_in(
            &skykeep_tests::repo_maker::value::read(repo.block(cid).unwrap()).unwrap(),
            &mut blobs,
        );
    }
    let mut expected = json!({
        "did": repo.did().as_str(),
        "rev": repo.rev().to_string(),
        "root": repo.root().to_string(),
        "version": 3,
        "bytes": car.len(),
        "blocks": repo.layout().len() as u64 + remarks.more_blocks,
        "nodes": repo.layout().len() - 1 - distinct.len(),
        "records": repo.records().len(),
        "blobs": blobs.len(),
        "complete": true,
        "sound": true,
        "signature": signature,
    });
    // How problems are worded is free; which there are is not.
    let mut wanted = remarks.codes.clone();
    if signature == "invalid" {
        wanted.insert("bad_signature");
    }
    assert_eq!(codes(seen), wanted.into_iter().map(str::to_owned).collect(), "{seen}");
    expected["problems"] = seen["problems"].clone();
    expected
}

/// Different blobs in a value, in both forms that there are.
fn blobs_in(value: &Value, found: &mut BTreeSet<Vec<u8>>) {
    match value {
        Value::List(items) => items.iter().for_each(|item| blobs_in(item, found)),
        Value::Map(entries) => {
            let get = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| value);
            match (get("$type"), get("ref"), get("cid"), get("mimeType")) {
                // Links are read as they stand: a tag, a head, a zero, and the CID.
                (Some(Value::Text(kind)), Some(Value::Raw(link)), ..) if kind == "blob" => {
                    found.insert(link[5..].to_vec());
                }
                (None, None, Some(Value::Text(cid)), Some(Value::Text(_))) if entries.len() == 2 => {
                    found.insert(cid.parse::<Cid>().unwrap().to_bytes().to_vec());
                }
                _ => {}
            }
            entries.iter().for_each(|(_, value)| blobs_in(value, found));
        }
        _ => {}
    }
}

/// What is odd about a sound file.
#[derive(Debug, Default)]
struct Remarks {
    codes: BTreeSet<&'static str>,
    more_blocks: u64,
}

/// The file, and now and then something in it that does no harm.
fn with_oddities(repo: &Repo, order: Order, seeded: &mut Seeded) -> (Vec<u8>, Remarks) {
    let mut remarks = Remarks::default();
    let mut roots = vec![repo.root()];
    if seeded.chance(20) {
        roots.push(Cid::of(Codec::DagCbor, b"another root"));
        remarks.codes.insert("extra_roots");
    }
    let plain = repo.car(order, None);
    let mut car = car_header(&roots);
    car.extend(&plain[car_header(&roots[..1]).len()..]);
    if seeded.chance(20) {
        let again = repo.layout()[seeded.index(repo.layout().len())];
        section(&mut car, &again.to_bytes(), repo.block(&again).unwrap());
        remarks.codes.insert("duplicate_blocks");
        remarks.more_blocks += 1;
    }
    if seeded.chance(20) {
        let stray = map([("left", text("from an older commit"))]).to_bytes();
        section(&mut car, &Cid::of(Codec::DagCbor, &stray).to_bytes(), &stray);
        remarks.codes.insert("unreachable_blocks");
        remarks.more_blocks += 1;
    }
    (car, remarks)
}

/// Repositories of every shape: people's own, none, one, deep ones, the longest paths, the largest and oddest records.
fn any_repo(did: &Did, key: &SigningKey, round: u64, seeded: &mut Seeded) -> Repo {
    let post = |n: u64| map([("$type", text("app.bsky.feed.post")), ("n", Value::Integer(n.into()))]).to_bytes();
    let of = |records: Vec<(String, Vec<u8>)>| Repo::of(did, key, records);
    match round % 10 {
        0 => of(Vec::new()),
        1 => of(vec![(longest_path(seeded), post(1))]),
        2 => of(odd_records(seeded)),
        3 => {
            // Keys that lie high above the others, so that nodes without keys come in between.
            let path = |n: u64| format!("app.bsky.feed.like/{n}");
            let mut high: Vec<u64> = (0..60_000).filter(|n| tree::layer(path(*n).as_bytes()) >= 5).collect();
            seeded.shuffle(&mut high);
            high.truncate(1 + seeded.index(4));
            let low = (0..seeded.below(12)).map(|_| 100_000 + seeded.below(1000));
            let chosen: BTreeSet<u64> = low.chain(high).collect();
            of(chosen.into_iter().map(|n| (path(n), post(n))).collect())
        }
        4 => {
            // The same record under many paths is one block.
            let count = 2 + seeded.below(200);
            of((0..count)
                .map(|n| (format!("com.example.same/{n}"), post(n % 3)))
                .collect())
        }
        5 => {
            // What a server leaves after a while of edits and deletions.
            let mut repo = Repo::new(did, key, seeded.number(), 30 + seeded.index(200));
            for _ in 0..1 + seeded.below(4) {
                let writes = repo.writes(seeded.number(), 1 + seeded.index(40));
                repo.apply(&writes);
            }
            repo
        }
        6 => Repo::new(did, key, seeded.number(), 2000 + seeded.index(3000)),
        _ => Repo::new(did, key, seeded.number(), 1 + seeded.index(300)),
    }
}

/// A path at the limits of what a collection and a record key may be.
fn longest_path(seeded: &mut Seeded) -> String {
    const KEY: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~:-";
    let segment = |letter: &str| letter.repeat(63);
    // 253 letters before the name: four segments and three points, and a short one.
    let authority = [segment("a"), segment("b"), segment("c"), "d".repeat(61)].join(".");
    assert_eq!(authority.len(), 253);
    let name = segment("N");
    let rkey: String = (0..512).map(|_| char::from(KEY[seeded.index(KEY.len())])).collect();
    format!("{authority}.{name}/{rkey}")
}

/// Records as they should not be written and are found all the same; all of them are canonical DAG-CBOR.
fn odd_records(seeded: &mut Seeded) -> Vec<(String, Vec<u8>)> {
    let blob = |n: u64| Cid::of(Codec::Raw, &n.to_be_bytes());
    let current = |n: u64| {
        map([
            ("$type", text("blob")),
            ("ref", Value::Link(blob(n))),
            ("mimeType", text("image/png")),
            ("size", Value::Integer(8)),
        ])
    };
    let legacy = |n: u64| map([("cid", text(blob(n).to_string())), ("mimeType", text("image/png"))]);
    let mut deep = text("the ground");
    for n in 0..30 {
        deep = if n % 2 == 0 {
            Value::List(vec![deep])
        } else {
            map([("deeper", deep)])
        };
    }
    let values = [
        ("big", Value::Integer(i128::from(u64::MAX))),
        ("negative", Value::Integer(-(1 << 64))),
        ("beyond-json", Value::Integer((1 << 53) + 1)),
        ("float", Value::Float(0.5)),
        ("minus-zero", Value::Float(-0.0)),
        ("null", Value::Null),
        (
            "not-nfc",
            text("e\u{301}\u{327} \u{212b} \u{1f469}\u{200d}\u{1f467} \u{0}"),
        ),
        ("huge", text("x".repeat(1_000_000 + seeded.index(40_000)))),
        ("bytes", Value::Bytes(seeded.bytes(300))),
        ("deep", deep),
        ("link", Value::Link(Cid::of(Codec::DagCbor, b"nowhere"))),
        ("list", Value::List((0..500).map(Value::Integer).collect())),
        ("current-blob", current(1)),
        ("legacy-blob", legacy(2)),
        (
            "same-blob-in-both-forms",
            Value::List(vec![current(1), legacy(1), current(3)]),
        ),
        (
            "no-blob",
            map([
                ("cid", text("not a CID")),
                ("mimeType", text("image/png")),
                ("more", Value::Null),
            ]),
        ),
        (
            "reply",
            map([
                ("cid", text(Cid::of(Codec::DagCbor, b"post").to_string())),
                ("uri", text("at://x")),
            ]),
        ),
    ];
    let mut records: Vec<(String, Vec<u8>)> = values
        .into_iter()
        .map(|(name, value)| (format!("com.example.odd/{name}"), map([("value", value)]).to_bytes()))
        .collect();
    records.push(("com.example.odd/empty".to_owned(), map([]).to_bytes()));
    records.push((
        "a.b.c/.-_~:".to_owned(),
        map([("\u{fc}\u{df}", Value::Bool(true)), ("", Value::Null)]).to_bytes(),
    ));
    seeded.shuffle(&mut records);
    records
}

#[test]
fn every_damage_is_refused_and_named() {
    let desk = Desk::new();
    let (did, key) = damage::owner();
    let own = key.did_key().to_string();
    let cases = damage::cases();
    assert!(cases.len() > 200, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let path = desk.put(&case.car);
        let (good, seen) = desk.look_at(&path, &["--did", did.as_str(), "--signing-key", &own]);
        let verdict = case.verdict;
        let same = seen["complete"] == verdict.complete
            && seen["sound"] == verdict.sound
            && seen["signature"] == verdict.signature
            && codes(&seen) == case.codes.iter().map(|code| (*code).to_owned()).collect()
            && good == (verdict == damage::FINE);
        if !same {
            wrong.push(format!("{}: {verdict:?} {:?}, but {seen}", case.name, case.codes));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_that_ends_too_soon_or_too_late_is_refused() {
    let desk = Desk::new();
    let mut seeded = Seeded::of_run();
    let (did, key) = damage::owner();
    let repo = Repo::new(&did, &key, seeded.number(), 60);
    let car = repo.car(Order::Shuffled(5), None);
    let (good, _) = desk.look(&car, &[]);
    assert!(good);

    // Between two sections nothing but the walk can tell that something is missing.
    let mut ends = vec![car_header(&[repo.root()]).len()];
    while *ends.last().unwrap() < car.len() {
        let at = *ends.last().unwrap();
        let (len, digits) = varint(&car[at..]);
        ends.push(at + digits + len);
    }
    assert_eq!((ends.pop(), ends.len()), (Some(car.len()), repo.layout().len()));
    for end in &ends {
        let (good, seen) = desk.look(&car[..*end], &[]);
        assert!(!good && seen["complete"] == false, "cut at {end}: {seen}");
        assert!(
            !codes(&seen).contains("truncated"),
            "cut between sections at {end}: {seen}"
        );
    }
    for _ in 0..40 {
        let end = seeded.index(car.len());
        let (good, seen) = desk.look(&car[..end], &[]);
        assert!(!good && seen["complete"] == false, "cut at {end}: {seen}");
    }
    for tail in [&b"\0"[..], b"\n", b"trailing", &[0; 4096], &car[..50]] {
        let (good, seen) = desk.look(&[&car, tail].concat(), &[]);
        assert!(!good, "{tail:?}: {seen}");
    }
    for _ in 0..60 {
        let (at, bit) = (seeded.index(car.len()), seeded.below(8));
        let mut flipped = car.clone();
        flipped[at] ^= 1 << bit;
        let (good, seen) = desk.look_at(&desk.put(&flipped), &[]);
        assert!(!good, "bit {bit} of byte {at}: {seen}");
    }
}

#[test]
fn what_is_no_file_is_a_problem_and_what_is_no_argument_is_wrong_usage() {
    let desk = Desk::new();
    let folder = desk.0.path().join("a folder");
    fs::create_dir(&folder).unwrap();
    for path in [folder.as_path(), &desk.0.path().join("nowhere.car")] {
        let (good, seen) = desk.look_at(path, &[]);
        assert!(
            !good && codes(&seen) == BTreeSet::from(["unreadable".to_owned()]),
            "{seen}"
        );
        assert_eq!(
            (&seen["did"], &seen["root"], &seen["signature"]),
            (&Json::Null, &Json::Null, &json!("unchecked"))
        );
        let (code, out, err) = desk.run(&["car", path.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains(path.to_str().unwrap()), "{err}");
        let (code, out, _) = desk.run(&["--json", "plc-log", path.to_str().unwrap()]);
        let seen: Json = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (code, &seen["valid"], &seen["problems"][0]["code"]),
            (1, &json!(false), &json!("unreadable"))
        );
    }
    let (good, seen) = desk.look(&[], &[]);
    assert!(
        !good && codes(&seen) == BTreeSet::from(["bad_header".to_owned()]),
        "{seen}"
    );

    let (did, key) = damage::owner();
    let car = desk.put(&Vec::from(Draft::new(3)));
    let car = car.to_str().unwrap();
    let own = key.did_key().to_string();
    let (code, out, _) = desk.run(&["car", car]);
    assert!(
        code == 0 && out.contains(did.as_str()) && out.contains("not checked"),
        "{out}"
    );
    let (code, out, _) = desk.run(&["car", car, "--signing-key", &own]);
    assert!(code == 0 && out.trim_end().ends_with("good"), "{out}");
    for wrong in [
        &["car"][..],
        &["car", car, "--did", "alice.test"],
        &["car", car, "--did"],
        &["car", car, "--signing-key", "did:key:zQ3sh"],
        &["car", car, "--signing-key", &own[8..]],
        &["car", car, car],
        &["car", car, "--no-such-option"],
        &["cat", car],
        &["plc-log"],
        &["plc-log", car, "--did", "did:"],
    ] {
        let (code, out, err) = desk.run(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?} {err}");
        assert!(!err.is_empty());
    }
}

fn codes(seen: &Json) -> BTreeSet<String> {
    let problems = seen["problems"].as_array().unwrap();
    problems
        .iter()
        .map(|problem| problem["code"].as_str().unwrap().to_owned())
        .collect()
}

fn key(curve: Curve, seeded: &mut Seeded) -> SigningKey {
    SigningKey::from_bytes(curve, &seeded.digest()).unwrap()
}

fn plc(seeded: &mut Seeded) -> Did {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
    let id: String = (0..24).map(|_| char::from(LETTERS[seeded.index(32)])).collect();
    format!("did:plc:{id}").parse().unwrap()
}

/// A number in LEB128, and how many bytes it takes.
fn varint(bytes: &[u8]) -> (usize, usize) {
    let len = bytes.iter().position(|byte| *byte < 0x80).unwrap() + 1;
    let number = bytes[..len]
        .iter()
        .rev()
        .fold(0, |number, byte| number << 7 | usize::from(byte & 0x7f));
    (number, len)
}
