//! Repositories of every sound shape, and files that are odd and still good.

use std::collections::BTreeSet;

use skykeep_atproto::{Cid, Codec, Did, SigningKey};
use skykeep_tests::repo_maker::seeded::Seeded;
use skykeep_tests::repo_maker::value::{Value, map, text};
use skykeep_tests::repo_maker::{Order, Repo, car_header, section, tree};

/// What is odd about a sound file.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    /// Codes of what must be remarked.
    pub(crate) codes: BTreeSet<&'static str>,
    /// Blocks beside those of the repository.
    pub(crate) more_blocks: u64,
}

/// The file, and now and then something in it that does no harm.
pub(crate) fn with_oddities(repo: &Repo, order: Order, seeded: &mut Seeded) -> (Vec<u8>, Remarks) {
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
pub(crate) fn any_repo(did: &Did, key: &SigningKey, round: u64, seeded: &mut Seeded) -> Repo {
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
