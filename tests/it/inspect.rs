//! `skykeep inspect car`, the program as it is built: it accepts every sound repository, refuses every spoilt one, and
//! says of each what it is. What is expected comes from the maker of the files, which shares no code with the reader.

#[path = "inspect/shapes.rs"]
mod shapes;

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};
use skykeep_atproto::{Cid, Curve, Did, SigningKey};
use skykeep_tests::cli::program;
use skykeep_tests::repo_maker::damage::{self, Draft};
use skykeep_tests::repo_maker::seeded::{Seeded, exhaustive};
use skykeep_tests::repo_maker::value::Value;
use skykeep_tests::repo_maker::{Order, Repo, car_header};
use tempfile::TempDir;

use shapes::{Remarks, any_repo, with_oddities};

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
