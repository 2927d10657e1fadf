//! Files made to exhaust the reader. Memory is counted by the allocator, time by what the reader says it looked at.
//!
//! A file of n bytes may cost memory and work in proportion to n, and never more than the limits allow.

use std::io::{self, Read};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use peak_alloc::PeakAlloc;
use skykeep_atproto::verify::{Checked, Limits, RepoCheck};
use skykeep_atproto::{Cid, Codec, KeyHistory};
use skykeep_tests::repo_maker::damage::{self, Block, Draft, Kind};
use skykeep_tests::repo_maker::tree::{self, Entry, Node, Subtree};
use skykeep_tests::repo_maker::value::{Value, head, map, text};
use skykeep_tests::repo_maker::{car_header, section, varint};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;

/// Holds the others up: what they build must not be counted.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Checks a file and says how many bytes of memory that took at its height, the file itself not counted.
fn run(source: impl Read + Send, limits: Limits) -> (Checked, usize) {
    static HISTORY: LazyLock<KeyHistory> = LazyLock::new(|| {
        let (did, key) = damage::owner();
        KeyHistory::of_key(did, key.did_key())
    });
    let check = RepoCheck::of(&HISTORY).limits(limits).threads(2);
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let checked = check.run(&mut [source]).expect("memory is read without errors");
    let after = MEMORY.peak_usage();
    (checked, after.saturating_sub(before))
}

fn check(car: &[u8], most: usize) -> Checked {
    let (checked, memory) = run(car, Limits::default());
    assert!(memory <= most, "{memory} bytes of memory, at most {most} expected");
    checked
}

fn codes(checked: &Checked) -> Vec<&'static str> {
    let mut codes: Vec<_> = checked
        .report
        .findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The file of a signed commit, the nodes of a tree and one record.
fn car(tree: Node, others: Vec<Vec<u8>>) -> Vec<u8> {
    let mut draft = Draft::new(0);
    draft.tree = tree;
    draft.records = others;
    draft.into()
}

fn record() -> (Cid, Vec<u8>) {
    let bytes = map([("text", text("one"))]).to_bytes();
    (Cid::of(Codec::DagCbor, &bytes), bytes)
}

fn entry(key: &[u8], right: Subtree) -> Entry {
    Entry {
        key: key.to_vec(),
        value: record().0,
        right,
        written: None,
    }
}

#[test]
fn declared_lengths_cost_nothing() {
    let _alone = alone();
    for declared in [1 << 20, 4 << 20, 10 << 30, 1 << 62] {
        let mut car = Vec::new();
        varint(&mut car, declared);
        let checked = check(&car, 2 * MIB);
        assert_eq!(codes(&checked), ["bad_header"]);

        let mut car = car_header(&[record().0]);
        varint(&mut car, declared);
        let checked = check(&car, 6 * MIB);
        assert!(!checked.report.complete);
    }
    // In a record, and in a node.
    let mut list = Vec::new();
    head(&mut list, 4, 1 << 40);
    let mut draft = Draft::new(3);
    draft.replace(list.clone());
    assert_eq!(codes(&check(&Vec::from(draft), 2 * MIB)), ["bad_record"]);
    let node = [&b"\xa2\x61e"[..], &list, b"\x61l\xf6"].concat();
    let tree = Node {
        bytes: Some(node),
        ..Node::default()
    };
    assert_eq!(codes(&check(&car(tree, Vec::new()), 2 * MIB)), ["bad_node"]);
}

/// The same block again and again, without end.
struct Again {
    block: Vec<u8>,
    at: usize,
}

impl Read for Again {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = (self.block.len() - self.at).min(buffer.len());
        buffer[..len].copy_from_slice(&self.block[self.at..self.at + len]);
        self.at = (self.at + len) % self.block.len();
        Ok(len)
    }
}

#[test]
fn limits_of_bytes_and_memory_are_kept() {
    let _alone = alone();
    let mut block = Vec::new();
    section(&mut block, &record().0.to_bytes(), &record().1);
    for limits in [
        Limits {
            bytes: 20 << 20,
            memory: 1 << 30,
        },
        Limits {
            bytes: 1 << 40,
            memory: 10 << 20,
        },
    ] {
        let endless = io::Cursor::new(car_header(&[record().0])).chain(Again {
            block: block.clone(),
            at: 0,
        });
        let (checked, memory) = run(endless, limits);
        assert!(codes(&checked).contains(&"too_large"));
        assert!(!checked.report.complete);
        assert!(memory <= 48 * MIB, "{memory}");
    }
}

#[test]
fn a_million_tiny_blocks_cost_what_their_bytes_cost() {
    let _alone = alone();
    let (cid, bytes) = record();
    let many = |what: &str, most: usize, next: &mut dyn FnMut(u64) -> Vec<u8>| {
        let mut car = car_header(&[cid]);
        for n in 0..1_000_000 {
            let bytes = next(n);
            section(&mut car, &Cid::of(Codec::DagCbor, &bytes).to_bytes(), &bytes);
        }
        let checked = check(&car, most);
        assert_eq!(checked.report.blocks, 1_000_000, "{what}");
        checked
    };
    many("one record a million times", 160 * MIB, &mut |_| bytes.clone());
    many("a million records", 160 * MIB, &mut |n| {
        map([("n", Value::Integer(n.into()))]).to_bytes()
    });
    many("a million that are not canonical", 320 * MIB, &mut |n| {
        n.to_le_bytes().to_vec()
    });
    many("a million that begin like nodes", 160 * MIB, &mut |n| {
        [&b"\xa2\x61e"[..], &n.to_le_bytes()].concat()
    });
    many("a million blob references", 320 * MIB, &mut |n| {
        let digest = Cid::of(Codec::Raw, &n.to_le_bytes());
        map([
            ("$type", text("blob")),
            ("ref", Value::Link(digest)),
            ("mimeType", text("")),
        ])
        .to_bytes()
    });
}

#[test]
fn sections_under_other_names_are_counted_and_not_listed() {
    let _alone = alone();
    let mut car = car_header(&[record().0]);
    for _ in 0..500_000 {
        section(&mut car, &[7; 40], &[]);
    }
    let checked = check(&car, 64 * MIB);
    assert!(checked.report.findings.len() < 50);
    assert!(
        checked
            .report
            .findings
            .iter()
            .any(|finding| finding.detail.starts_with("500000 "))
    );
}

/// The same node below many parents: a walk that enters it each time would never end.
#[test]
fn a_node_is_entered_once() {
    let _alone = alone();
    const WIDE: usize = 100;
    const LAYER_8: &str = "app.bsky.feed.post/9adeb165882c";
    assert_eq!(tree::layer(LAYER_8.as_bytes()), 8);
    for depth in [3, 8] {
        let mut bottom = Node::default();
        bottom.entries.push(entry(b"com.example.a/x", Subtree::None));
        let mut blocks = Vec::new();
        let mut below = seal(&bottom, &mut blocks);
        for at in (0..depth).rev() {
            let key = |n: usize| match (at, n) {
                (0, 0) => LAYER_8.to_owned(),
                _ => format!("com.example.a/{n}"),
            };
            let node = Node {
                left: Subtree::Link(below),
                entries: (0..WIDE)
                    .map(|n| entry(key(n).as_bytes(), Subtree::Link(below)))
                    .collect(),
                bytes: None,
            };
            below = seal(&node, &mut blocks);
        }
        blocks.push(record().1);
        let root = blocks.iter().position(|bytes| below.names(bytes)).expect("just made");
        let tree = Node {
            bytes: Some(blocks.swap_remove(root)),
            ..Node::default()
        };
        let checked = check(&car(tree, blocks), 4 * MIB);
        assert!(
            checked.report.nodes <= checked.report.blocks,
            "{} nodes",
            checked.report.nodes
        );
        assert!(checked.repo.is_none());
        assert!(codes(&checked).contains(&"key_order"), "{:?}", codes(&checked));
    }
}

fn seal(node: &Node, blocks: &mut Vec<Vec<u8>>) -> Cid {
    let bytes = node.to_value().to_bytes();
    let cid = Cid::of(Codec::DagCbor, &bytes);
    blocks.push(bytes);
    cid
}

#[test]
fn a_chain_of_nodes_ends_at_the_lowest_layer() {
    let _alone = alone();
    let mut blocks = Vec::new();
    let mut below = seal(&Node::default(), &mut blocks);
    for _ in 0..100_000 {
        let node = Node {
            left: Subtree::Link(below),
            ..Node::default()
        };
        below = seal(&node, &mut blocks);
    }
    let tree = Node {
        bytes: blocks.pop(),
        ..Node::default()
    };
    let mut draft = Draft::new(0);
    draft.tree = tree;
    let mut parts = draft.seal();
    parts
        .blocks
        .extend(blocks.into_iter().map(|bytes| Block::new(Kind::Node, bytes)));
    let checked = check(&Vec::from(parts), 64 * MIB);
    assert!(checked.report.nodes < 200, "{} nodes", checked.report.nodes);
    assert!(codes(&checked).contains(&"key_layer"));
}

#[test]
fn a_node_of_fifty_thousand_keys_is_looked_at_once() {
    let _alone = alone();
    let entries = (0..50_000)
        .map(|n| entry(format!("com.example.a/{n:05}").as_bytes(), Subtree::None))
        .collect();
    let tree = Node {
        entries,
        ..Node::default()
    };
    let checked = check(&car(tree, vec![record().1]), 32 * MIB);
    assert_eq!(checked.report.records, 50_000);
    assert_eq!(codes(&checked), ["key_layer"]);
    // Larger ones are not read at all.
    let entries = (0..100_000)
        .map(|n| entry(format!("com.example.a/{n:06}").as_bytes(), Subtree::None))
        .collect();
    let tree = Node {
        entries,
        ..Node::default()
    };
    assert!(codes(&check(&car(tree, vec![record().1]), 8 * MIB)).contains(&"bad_section"));
}

/// Keys of two megabytes, each a byte away from the one before.
#[test]
fn long_keys_are_not_hashed() {
    let _alone = alone();
    let long = [b"com.example.a/".to_vec(), vec![b'x'; 2 * MIB]].concat();
    let mut entries = vec![entry(&long, Subtree::None)];
    for n in 0..20_000_u32 {
        let mut next = entry(b"", Subtree::None);
        next.written = Some((long.len() as u64, n.to_be_bytes().to_vec()));
        entries.push(next);
    }
    let tree = Node {
        entries,
        ..Node::default()
    };
    let checked = check(&car(tree, vec![record().1]), 32 * MIB);
    assert_eq!(checked.report.records, 20_001);
    assert!(codes(&checked).contains(&"bad_path"));
    assert!(
        checked
            .report
            .findings
            .iter()
            .all(|finding| finding.detail.len() <= 1100)
    );
}

/// One record of ten thousand blobs under fifty thousand paths: their product must not be kept.
#[test]
fn blobs_of_one_record_are_listed_once() {
    let _alone = alone();
    let blob = |n: u64| {
        let cid = Cid::of(Codec::Raw, &n.to_le_bytes());
        map([
            ("$type", text("blob")),
            ("ref", Value::Link(cid)),
            ("mimeType", text("a/b")),
        ])
    };
    let bytes = map([("all", Value::List((0..10_000).map(blob).collect()))]).to_bytes();
    let cid = Cid::of(Codec::DagCbor, &bytes);
    let paths: Vec<_> = (0..50_000).map(|n| format!("com.example.a/{n:05}")).collect();
    let tree = tree::build(paths.iter().map(|path| (path.as_bytes(), cid)));
    let checked = check(&car(tree, vec![bytes]), 64 * MIB);
    let repo = checked.repo.expect("it is sound");
    assert_eq!(repo.record_count(), 50_000);
    assert_eq!(repo.blobs().len(), 10_000);
    assert!(repo.blobs().iter().all(|blob| blob.records == [paths[0].clone()]));
}

/// Records that are all wrong, found by every path in turn.
#[test]
fn many_faults_in_one_batch_are_found_quickly() {
    let _alone = alone();
    let bad = |n: u64| n.to_be_bytes().to_vec();
    let records: Vec<_> = (0..100_000)
        .map(|n| (format!("com.example.a/{n:06}"), bad(n)))
        .collect();
    let tree = tree::build(
        records
            .iter()
            .map(|(path, bytes)| (path.as_bytes(), Cid::of(Codec::DagCbor, bytes))),
    );
    let mut draft = Draft::new(0);
    draft.tree = tree;
    let mut parts = draft.seal();
    parts
        .blocks
        .extend(records.into_iter().map(|(_, bytes)| Block::new(Kind::Record, bytes)));
    let checked = check(&Vec::from(parts), 96 * MIB);
    assert_eq!(codes(&checked), ["bad_record"]);
    assert!(
        checked
            .report
            .findings
            .iter()
            .any(|finding| finding.detail == "100000 in all")
    );
}
