//! Trees: layers and prefixes, every subset of seven keys, what changes between two of them, and old repositories.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::Path;

use serde_json::Value as Json;
use skykeep_atproto::plc::KeyPeriod;
use skykeep_atproto::verify::{RepoCheck, Report, SignedBy};
use skykeep_atproto::{Cid, Codec, Curve, Did, DidDocument, SigningKey, Tid, car, mst};
use skykeep_tests::repo_maker::value::{Value, read as cbor};
use skykeep_tests::repo_maker::{section, signed_commit, tree};

use crate::{json, lines, read, vectors};

/// A tree as a set of records.
type Records = BTreeMap<String, Cid>;

#[test]
fn layers_of_keys() {
    let Some(folder) = vectors() else { return };
    let cases = json(folder.join("interop/mst/key_heights.json"));
    for case in cases.as_array().unwrap() {
        let key = case["key"].as_str().unwrap().as_bytes();
        assert_eq!(u64::from(mst::layer(key)), case["height"].as_u64().unwrap(), "{case}");
        assert_eq!(
            tree::layer(key),
            mst::layer(key),
            "our made-up trees follow the same rule"
        );
    }
    assert_eq!(cases.as_array().unwrap().len(), 9);
}

#[test]
fn what_keys_share() {
    let Some(folder) = vectors() else { return };
    let cases = json(folder.join("interop/mst/common_prefix.json"));
    for case in cases.as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap().as_bytes();
        let shared = mst::common_prefix(text("left"), text("right")) as u64;
        assert_eq!(shared, case["len"].as_u64().unwrap(), "{case}");
    }
    assert_eq!(cases.as_array().unwrap().len(), 13);
}

#[test]
fn a_set_of_keys_has_one_tree_however_it_came_about() {
    let Some(folder) = vectors() else { return };
    let keys = lines(folder.join("interop/mst/example_keys.txt"));
    assert_eq!(keys.len(), 156);
    for step in [1, 2, 3, 7, 50] {
        let some = keys.iter().step_by(step);
        let records: Records = some
            .map(|key| (key.clone(), Cid::of(Codec::DagCbor, key.as_bytes())))
            .collect();
        let other = tree::build(records.iter().map(|(key, cid)| (key.as_bytes(), *cid)));
        assert_eq!(
            mst::build(&records).root,
            other.seal(&mut Vec::new()),
            "every {step}th key"
        );
    }
}

#[test]
fn every_subset_of_seven_keys_is_built_and_accepted() {
    let Some(folder) = vectors() else { return };
    let mut sizes = BTreeSet::new();
    for n in 0..128 {
        let name = format!("cars/exhaustive/exhaustive_{n:03}.car");
        let file = tree_file(&folder, &name);
        let built = mst::build(&file.records);
        assert_eq!(built.root, file.root, "{name}");
        let nodes: BTreeMap<Cid, Vec<u8>> = built.nodes.into_iter().collect();
        assert_eq!(nodes, file.nodes, "{name}");
        sizes.insert(file.records.len());

        // Under a commit the same nodes pass every rule of trees; paths and records are not what these files are about.
        let report = under_a_commit(&file);
        let codes: BTreeSet<&str> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
        let expected: &[&str] = match file.records.is_empty() {
            true => &[],
            false => &["bad_path", "missing_record"],
        };
        assert!(codes.iter().eq(expected), "{name}: {:?}", report.findings);
        assert_eq!(
            (report.nodes, report.signed_by),
            (nodes.len() as u64, SignedBy::Current),
            "{name}"
        );
    }
    assert_eq!(sizes, (0..=7).collect());
}

#[test]
fn what_changes_between_two_trees() {
    let Some(folder) = vectors() else { return };
    let mut files = BTreeMap::new();
    let cases = lines(folder.join("interop/mst-suite/diff-cases.jsonl"));
    for case in &cases {
        let case: Json = serde_json::from_str(case).unwrap();
        let mut built = |name: &str| {
            let path = case["inputs"][name]
                .as_str()
                .unwrap()
                .trim_start_matches("./")
                .to_owned();
            let file = files.entry(path.clone()).or_insert_with(|| tree_file(&folder, &path));
            let nodes: BTreeSet<Cid> = mst::build(&file.records)
                .nodes
                .into_iter()
                .map(|(cid, _)| cid)
                .collect();
            (file.records.clone(), nodes)
        };
        let ((before, old), (after, new)) = (built("mst_a"), built("mst_b"));
        let set = |name: &str| -> BTreeSet<Cid> {
            let cids = case["results"][name].as_array().unwrap().iter();
            cids.map(|cid| cid.as_str().unwrap().parse().unwrap()).collect()
        };
        let name = case["source_file"].as_str().unwrap();
        assert_eq!(&new - &old, set("created_nodes"), "{name}");
        assert_eq!(&old - &new, set("deleted_nodes"), "{name}");
        let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let differ = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
        let ours: BTreeSet<_> = differ
            .map(|path| {
                let cid = |records: &Records| records.get(path).map(ToString::to_string);
                (path.clone(), cid(&before), cid(&after))
            })
            .collect();
        let theirs: BTreeSet<_> = case["results"]["record_ops"]
            .as_array()
            .unwrap()
            .iter()
            .map(|op| {
                let text = |name: &str| op[name].as_str().map(str::to_owned);
                (text("rpath").unwrap(), text("old_value"), text("new_value"))
            })
            .collect();
        assert_eq!(ours, theirs, "{name}");
        // What proves a change is part of the tree after it.
        assert!(set("proof_nodes").is_subset(&new), "{name}");
    }
    assert_eq!((cases.len(), files.len()), (1499, 128));
}

#[test]
fn commits_change_trees_as_told() {
    let Some(folder) = vectors() else { return };
    let cases = json(folder.join("interop/firehose/commit-proof-fixtures.json"));
    for case in cases.as_array().unwrap() {
        let value: Cid = case["leafValue"].as_str().unwrap().parse().unwrap();
        let list = |name: &str| -> Vec<String> {
            let items = case[name].as_array().unwrap().iter();
            items.map(|item| item.as_str().unwrap().to_owned()).collect()
        };
        let mut records: Records = list("keys").into_iter().map(|key| (key, value)).collect();
        assert_eq!(
            mst::build(&records).root.to_string(),
            case["rootBeforeCommit"],
            "{}",
            case["comment"]
        );
        records.extend(list("adds").into_iter().map(|key| (key, value)));
        for key in list("dels") {
            assert!(records.remove(&key).is_some(), "{key}");
        }
        let after = mst::build(&records);
        assert_eq!(after.root.to_string(), case["rootAfterCommit"], "{}", case["comment"]);
        let nodes: BTreeSet<String> = after.nodes.iter().map(|(cid, _)| cid.to_string()).collect();
        let proof: BTreeSet<String> = list("blocksInProof").into_iter().collect();
        assert!(proof.is_subset(&nodes), "{}: {:?}", case["comment"], &proof - &nodes);
    }
    assert_eq!(cases.as_array().unwrap().len(), 6);
}

/// Format version 2: read to its end, told for what it is, and its signatures are not made better than they are.
#[test]
fn old_repositories_are_read_and_told() {
    let Some(folder) = vectors() else { return };
    let check = |name: &str, did: &str, root: &str, (blocks, nodes, records): (u64, u64, u64)| {
        let folder = folder.join("interop/cars-synthetic");
        let did: Did = did.parse().unwrap();
        let document = name.replace(".repo", "").replace(".car", ".didDoc.json");
        let key = DidDocument::parse(&did, &read(folder.join(document)))
            .unwrap()
            .signing_key
            .unwrap();
        let bytes = read(folder.join(name));
        let report = report(&bytes, RepoCheck::of_form().did(did.clone()).keys(vec![current(key)]));
        assert_eq!(report.root.unwrap().to_string(), root, "{name}");
        assert_eq!(
            (report.did, report.version, report.rev),
            (Some(did), Some(2), None),
            "{name}"
        );
        assert_eq!(
            (report.blocks, report.nodes, report.records),
            (blocks, nodes, records),
            "{name}"
        );
        // Whole and undamaged but for its age, and signed by nobody that a strict reader believes.
        assert!(report.complete && !report.sound, "{name}");
        assert_eq!(report.signed_by, SignedBy::Unknown, "{name}");
        let codes: BTreeSet<&str> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
        // Older commits and their nodes lie in it too, some of them twice.
        let remarks = ["duplicate_blocks", "unreachable_blocks"];
        let damage: BTreeSet<&str> = codes.into_iter().filter(|code| !remarks.contains(code)).collect();
        assert_eq!(damage, BTreeSet::from(["bad_signature", "old_format"]), "{name}");
    };
    check(
        "fakermaker.repo.car",
        "did:plc:dpg45vsnuir2vqqqadsn6afg",
        "bafyreia4dc3fd74u673yvxw4ytedf4h6hlodeorgrq6bf5v42g2mdn2xcy",
        (690, 33, 142),
    );
    check(
        "z5vnbioquyhivxirw3bbljmu.car",
        "did:plc:z5vnbioquyhivxirw3bbljmu",
        "bafyreieovfuizojpw3zresz7sx3nk4trm2by23pt5rxbey3jme4uo5ogiu",
        (10, 2, 6),
    );
}

/// A CAR whose root is a tree and which holds nothing but its nodes.
struct TreeFile {
    root: Cid,
    nodes: BTreeMap<Cid, Vec<u8>>,
    records: Records,
}

fn tree_file(folder: &Path, name: &str) -> TreeFile {
    let bytes = read(folder.join("interop/mst-suite").join(name));
    let (len, digits) = varint(&bytes);
    let (header, mut rest) = bytes.split_at(digits + len);
    let roots = car::read_header(&header[digits..]).unwrap();
    let mut nodes = BTreeMap::new();
    while !rest.is_empty() {
        let (len, digits) = varint(rest);
        let (cid, node) = rest[digits..digits + len].split_at(36);
        let cid = Cid::from_bytes(cid).unwrap();
        assert_eq!(cid, Cid::of(Codec::DagCbor, node));
        nodes.insert(cid, node.to_vec());
        rest = &rest[digits + len..];
    }
    let mut records = Records::new();
    collect(&nodes, &roots[0], &mut records);
    TreeFile {
        root: roots[0],
        nodes,
        records,
    }
}

/// Reads a tree as the format page describes it, without the crate's own reader.
fn collect(nodes: &BTreeMap<Cid, Vec<u8>>, root: &Cid, records: &mut Records) {
    let field = |value: &Value, name: &str| match value {
        Value::Map(entries) => entries.iter().find(|(key, _)| key == name).unwrap().1.clone(),
        _ => panic!("{value:?}"),
    };
    let link = |value: &Value| match value {
        Value::Raw(link) => Some(Cid::from_bytes(&link[5..]).unwrap()),
        _ => None,
    };
    let node = cbor(&nodes[root]).unwrap();
    if let Some(left) = link(&field(&node, "l")) {
        collect(nodes, &left, records);
    }
    let Value::List(entries) = field(&node, "e") else {
        panic!("{node:?}")
    };
    let mut key = Vec::new();
    for entry in entries {
        let (Value::Integer(shared), Value::Bytes(suffix)) = (field(&entry, "p"), field(&entry, "k")) else {
            panic!("{entry:?}")
        };
        key.truncate(usize::try_from(shared).unwrap());
        key.extend(suffix);
        records.insert(
            String::from_utf8(key.clone()).unwrap(),
            link(&field(&entry, "v")).unwrap(),
        );
        if let Some(right) = link(&field(&entry, "t")) {
            collect(nodes, &right, records);
        }
    }
}

fn under_a_commit(file: &TreeFile) -> Report {
    let did: Did = "did:plc:44ybard66vv44zksje25o7dz".parse().unwrap();
    let key = SigningKey::from_bytes(Curve::K256, &[5; 32]).unwrap();
    let commit = signed_commit(&did, file.root, Tid::new(1, 0), &key);
    let root = Cid::of(Codec::DagCbor, &commit);
    let mut car = car::header(root);
    section(&mut car, &root.to_bytes(), &commit);
    for (cid, node) in &file.nodes {
        section(&mut car, &cid.to_bytes(), node);
    }
    report(&car, RepoCheck::of_form().did(did).keys(vec![current(key.did_key())]))
}

fn report(bytes: &[u8], check: RepoCheck) -> Report {
    check.run(&mut [Cursor::new(bytes)]).unwrap().report
}

fn current(key: skykeep_atproto::DidKey) -> KeyPeriod {
    KeyPeriod {
        key,
        operation: None,
        from: None,
        until: None,
    }
}

fn varint(bytes: &[u8]) -> (usize, usize) {
    let len = bytes.iter().position(|byte| *byte < 0x80).unwrap() + 1;
    let number = bytes[..len]
        .iter()
        .rev()
        .fold(0, |number, byte| number << 7 | usize::from(byte & 0x7f));
    (number, len)
}
