//! Damage to the file and its blocks, below what a repository is.

use skykeep_atproto::{Cid, Codec};

use super::super::seeded::Seeded;
use super::super::value::{Value, head, map, text};
use super::super::{car_header, section, varint};
use super::*;

pub(super) fn add(table: &mut Table) {
    let whole = Draft::new(300).seal();
    table.add("nothing", whole.clone(), FINE, &[]);
    for (name, count) in [("no records", 0), ("one record", 1), ("two records", 2)] {
        table.add(name, Draft::new(count), FINE, &[]);
    }
    blocks(table, &whole);
    headers(table, &whole);
    sections(table, &whole);
    names(table, &whole);
}

fn blocks(table: &mut Table, whole: &Parts) {
    let kinds = [
        ("a record", Kind::Record, GAP, BOTH, &["missing_record"][..]),
        ("a node", Kind::Node, GAP, BOTH, &["missing_node", "unreachable_blocks"]),
        (
            "the commit",
            Kind::Commit,
            NO_COMMIT_THERE,
            NO_COMMIT,
            &["missing_commit"],
        ),
    ];
    for (name, kind, gap, both, codes) in kinds {
        let at = whole.last(kind);
        let mut flipped = whole.clone();
        let bytes = &mut flipped.blocks[at].bytes;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        table.add(
            format!("one bit flipped in {name}"),
            flipped,
            both,
            &[&["hash_mismatch"], codes].concat(),
        );
        let mut shorter = whole.clone();
        shorter.blocks[at].bytes.pop();
        table.add(
            format!("one byte less in {name}"),
            shorter,
            both,
            &[&["hash_mismatch"], codes].concat(),
        );
        let mut missing = whole.clone();
        missing.blocks.remove(at);
        table.add(format!("{name} is missing"), missing, gap, codes);
    }
    let mut parts = whole.clone();
    parts.blocks.remove(1);
    table.add(
        "the root of the tree is missing",
        parts,
        GAP,
        &["missing_node", "unreachable_blocks"],
    );

    let mut parts = whole.clone();
    let at = whole.last(Kind::Record);
    parts.blocks[at - 1].bytes = parts.blocks[at].bytes.clone();
    table.add(
        "a record's bytes under another's name",
        parts,
        BOTH,
        &["hash_mismatch", "missing_record"],
    );

    let stranger = Block::new(Kind::Record, map([("text", text("not here"))]).to_bytes());
    let mut parts = whole.clone();
    parts.blocks.push(stranger.clone());
    table.add("a block that nothing reaches", parts, FINE, &["unreachable_blocks"]);
    let mut parts = whole.clone();
    parts.blocks.insert(0, stranger.clone());
    table.add(
        "a block that nothing reaches, first",
        parts,
        FINE,
        &["unreachable_blocks"],
    );
    let mut parts = whole.clone();
    let mut foreign = stranger;
    foreign.bytes = b"bytes of a blob".to_vec();
    foreign.name = Cid::of(Codec::Raw, &foreign.bytes).to_bytes().to_vec();
    parts.blocks.push(foreign.clone());
    table.add("a raw block that nothing reaches", parts, FINE, &["unreachable_blocks"]);
    let mut parts = whole.clone();
    foreign.bytes[0] ^= 1;
    parts.blocks.push(foreign);
    table.add("a spoilt block that nothing reaches", parts, DAMAGE, &["hash_mismatch"]);

    let mut parts = whole.clone();
    parts.blocks.push(whole.blocks[whole.last(Kind::Record)].clone());
    table.add("a record twice", parts, FINE, &["duplicate_blocks"]);
    let mut parts = whole.clone();
    parts.blocks.extend(whole.blocks.clone());
    table.add("every block twice", parts, FINE, &["duplicate_blocks"]);
    let mut parts = whole.clone();
    parts.blocks.reverse();
    table.add("backwards", parts, FINE, &[]);
    let mut parts = whole.clone();
    Seeded::new(3).shuffle(&mut parts.blocks);
    table.add("shuffled", parts, FINE, &[]);
}

fn headers(table: &mut Table, whole: &Parts) {
    let mut parts = whole.clone();
    parts.roots.clear();
    table.add("no roots", parts, NO_COMMIT_THERE, &["no_root"]);
    let mut parts = whole.clone();
    parts.roots.push(Cid::of(Codec::DagCbor, b"another"));
    table.add("two roots", parts.clone(), FINE, &["extra_roots"]);
    parts.roots.reverse();
    table.add(
        "two roots, the wrong one first",
        parts,
        NO_COMMIT_THERE,
        &["extra_roots", "missing_commit"],
    );
    let mut parts = whole.clone();
    parts.roots = vec![Cid::of(Codec::DagCbor, &whole.blocks[1].bytes)];
    table.add("the root is a tree node", parts, NO_COMMIT, &["bad_commit"]);

    let roots = || Value::List(whole.roots.iter().map(|root| Value::Link(*root)).collect());
    let mut bad = |name: &str, header: Vec<u8>| {
        let mut car = Vec::new();
        varint(&mut car, header.len() as u64);
        car.extend(header);
        car.extend(whole.body());
        table.add(name, car, NO_COMMIT, &["bad_header"]);
    };
    let one = Value::Integer(1);
    bad(
        "header of version 2",
        map([("roots", roots()), ("version", Value::Integer(2))]).to_bytes(),
    );
    bad("header without version", map([("roots", roots())]).to_bytes());
    bad("header without roots", map([("version", one.clone())]).to_bytes());
    bad(
        "header with a third field",
        map([("roots", roots()), ("version", one.clone()), ("x", Value::Null)]).to_bytes(),
    );
    bad(
        "header with a number for roots",
        map([("roots", one.clone()), ("version", one.clone())]).to_bytes(),
    );
    bad("header that is not a map", Value::List(vec![roots(), one]).to_bytes());
    bad("header without bytes", Vec::new());
    bad(
        "header and one byte more",
        [&car_header(&whole.roots)[1..], &[0]].concat(),
    );
    let late = [b"\xa2\x67version\x01\x65roots".to_vec(), roots().to_bytes()].concat();
    bad("header with its keys the wrong way round", late);
    let mut huge = Vec::new();
    varint(&mut huge, 10 << 30);
    for (name, car) in [
        ("an empty file", Vec::new()),
        ("a file of zeros", vec![0; 4096]),
        (
            "a file of text",
            b"<html><body>502 Bad Gateway</body></html>".repeat(40),
        ),
        ("a header of 10 GB", [huge, whole.body()].concat()),
        ("a header whose length never ends", vec![0xff; 4096]),
    ] {
        table.add(name, car, NO_COMMIT, &["bad_header"]);
    }
}

fn sections(table: &mut Table, whole: &Parts) {
    let car: Vec<u8> = whole.clone().into();
    let mut after = |name: &str, tail: &[u8], code| table.add(name, [&car[..], tail].concat(), BOTH, &[code]);
    after("zeros behind the last section", &[0; 100], "bad_section");
    after(
        "a section shorter than a CID",
        &[&[20][..], &[7; 20]].concat(),
        "bad_section",
    );
    after(
        "a section without a CID",
        &[&[60][..], &[7; 60]].concat(),
        "bad_section",
    );
    after("a length that does not end", &[0xff; 12], "bad_section");
    after(
        "a length longer than needed",
        &[&[0xa5, 0x80, 0x00][..], &[1; 40]].concat(),
        "bad_section",
    );
    after("a length cut in two", &[0x80], "truncated");
    after(
        "a section longer than the file",
        &[&[0x80, 0x01][..], &[1; 40]].concat(),
        "truncated",
    );
    let huge = |bytes: u64| {
        let mut tail = Vec::new();
        varint(&mut tail, bytes);
        [&tail[..], &[1; 40]].concat()
    };
    after("a section of 10 GB", &huge(10 << 30), "bad_section");
    after("a section of 2^62 bytes", &huge(1 << 62), "bad_section");
    after("a section of 3 MB that is not there", &huge(3 << 20), "truncated");

    // In the middle everything behind it is lost as well.
    let middle = whole.blocks.len() / 2;
    let mut front = whole.clone();
    let back = front.blocks.split_off(middle);
    let mut car: Vec<u8> = front.into();
    car.extend([0xff; 12]);
    car.extend(
        Parts {
            roots: Vec::new(),
            blocks: back,
        }
        .body(),
    );
    let codes = ["bad_section", "missing_node", "missing_record"];
    table.add("a length that does not end, in the middle", car, BOTH, &codes);
}

/// Blocks under names that other formats have, and that AT Protocol does not.
fn names(table: &mut Table, whole: &Parts) {
    let at = whole.last(Kind::Record);
    let digest = &whole.blocks[at].name[4..];
    let names = [
        ("codec dag-pb", [&[1, 0x70, 0x12, 0x20], digest].concat()),
        ("codec dag-json", [&[1, 0xa9, 0x02, 0x12, 0x20], digest].concat()),
        ("hash blake3", [&[1, 0x71, 0x1e, 0x20], digest].concat()),
        ("hash sha2-512", [&[1, 0x71, 0x13, 0x40], digest, digest].concat()),
        ("hash cut to 20 bytes", [&[1, 0x71, 0x12, 0x14], &digest[..20]].concat()),
        ("the identity hash", vec![1, 0x71, 0, 4, 1, 2, 3, 4]),
        ("CID version 0", [&[0x12, 0x20], digest].concat()),
        ("CID version 2", [&[2, 0x71, 0x12, 0x20], digest].concat()),
    ];
    for (name, cid) in names {
        let mut parts = whole.clone();
        parts.blocks[at].name = cid;
        table.add(
            format!("a record under {name}"),
            parts,
            BOTH,
            &["bad_section", "missing_record"],
        );
    }
    for (what, kind, codes) in [
        ("a record", Kind::Record, &["missing_record", "unreachable_blocks"][..]),
        ("a node", Kind::Node, &["missing_node", "unreachable_blocks"]),
    ] {
        let mut parts = whole.clone();
        let at = whole.last(kind);
        parts.blocks[at].name[1] = 0x55;
        table.add(format!("{what} under a raw name"), parts, GAP, codes);
    }
    let mut parts = whole.clone();
    parts.blocks[0].name[1] = 0x55;
    table.add(
        "the commit under a raw name",
        parts,
        NO_COMMIT_THERE,
        &["missing_commit"],
    );
    // A record's CID is not looked into: what it names is a section like any other.
    let mut deep = Vec::new();
    head(&mut deep, 4, 1 << 40);
    let mut parts = whole.clone();
    parts.blocks.push(Block::new(Kind::Record, deep));
    table.add(
        "a block that nothing reaches and nobody can read",
        parts,
        FINE,
        &["unreachable_blocks"],
    );
    let mut car: Vec<u8> = whole.clone().into();
    section(&mut car, &whole.blocks[at].name, &[]);
    table.add("an empty block under a record's name", car, DAMAGE, &["hash_mismatch"]);
}
