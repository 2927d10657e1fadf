//! Damage to a record, under its right name and reached by its path.

use super::super::value::{Value, map, text};
use super::*;

pub(super) fn add(table: &mut Table) {
    let draft = Draft::new(40);
    let mut with = |name: &str, bytes: Vec<u8>, verdict, codes: &[&'static str]| {
        let mut draft = draft.clone();
        draft.replace(bytes);
        table.add(format!("record: {name}"), draft, verdict, codes);
    };
    let raw = |bytes: &[u8]| map([("$type", text("com.example.a")), ("x", Value::Raw(bytes.to_vec()))]).to_bytes();
    let plain = raw(&[0]);

    let mut fine = |name: &str, bytes: Vec<u8>| with(name, bytes, FINE, &[]);
    fine("an empty map", vec![0xa0]);
    fine("one without a type", map([("text", text("x"))]).to_bytes());
    fine("a finite float", raw(&Value::Float(1.5).to_bytes()));
    fine(
        "numbers beyond what JSON can say",
        raw(&[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    );
    fine(
        "something like a tree node",
        map([("e", Value::List(Vec::new())), ("l", Value::Null)]).to_bytes(),
    );
    fine(
        "something that begins like a node",
        map([("e", Value::List(Vec::new())), ("m", text("x"))]).to_bytes(),
    );
    let like_a_commit = [
        ("did", text("x")),
        ("rev", text("y")),
        ("data", Value::Null),
        ("prev", Value::Null),
    ];
    fine("something like a commit", map(like_a_commit).to_bytes());
    fine("30 levels", raw(&[[0x81; 30].as_slice(), &[0]].concat()));
    fine("a megabyte of text", raw(&text("x".repeat(1_000_000)).to_bytes()));

    let mut bad = |name: &str, bytes: Vec<u8>| with(name, bytes, DAMAGE, &["bad_record"]);
    bad("no bytes at all", Vec::new());
    bad("not a map but a list", vec![0x80]);
    bad("not a map but text", text("{}").to_bytes());
    bad("not a map but a number", vec![0]);
    bad("JSON", br#"{"$type":"app.bsky.feed.post","text":"hello"}"#.to_vec());
    bad("a byte too few", plain[..plain.len() - 1].to_vec());
    bad("a byte too many", [&plain[..], &[0]].concat());
    bad("two maps", [&plain[..], &plain].concat());
    bad("an entry too few", [&[0xa3], &plain[1..]].concat());
    bad("keys in another order", b"\xa2\x61b\x00\x61a\x00".to_vec());
    bad("a longer key before a shorter one", b"\xa2\x62aa\x00\x61b\x00".to_vec());
    bad("a key twice", b"\xa2\x61a\x00\x61a\x01".to_vec());
    bad("a key that is a number", vec![0xa1, 0, 0]);
    bad("a key that is a byte string", vec![0xa1, 0x41, b'a', 0]);
    for (name, value) in [
        ("a number longer than needed, 1 byte", &[0x18, 23][..]),
        ("a number longer than needed, 2 bytes", &[0x19, 0, 255]),
        ("a number longer than needed, 4 bytes", &[0x1a, 0, 0, 255, 255]),
        (
            "a number longer than needed, 8 bytes",
            &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255],
        ),
        ("a negative number longer than needed", &[0x38, 5]),
        ("a length longer than needed", &[0x78, 1, b'x']),
        ("an indefinite list", &[0x9f, 0xff]),
        ("an indefinite map", &[0xbf, 0xff]),
        ("indefinite text", &[0x7f, 0x61, b'x', 0xff]),
        ("a reserved head", &[0x1c]),
        ("a stop without a start", &[0xff]),
        ("text that is not UTF-8", &[0x62, 0xc3, 0x28]),
        ("text with a surrogate", &[0x63, 0xed, 0xa0, 0x80]),
        ("a tag that is not 42", &[0xc1, 0]),
        ("a link around a number", &[0xd8, 42, 0]),
        ("a link around text", &[0xd8, 42, 0x61, b'x']),
        ("a link without its zero", &[0xd8, 42, 0x42, 1, 0x71]),
        ("an empty link", &[0xd8, 42, 0x40]),
        ("undefined", &[0xf7]),
        ("a simple value", &[0xe0]),
        ("a simple value of two bytes", &[0xf8, 32]),
        ("a float of 2 bytes", &[0xf9, 0x3e, 0]),
        ("a float of 4 bytes", &[0xfa, 0x3f, 0xc0, 0, 0]),
        ("not a number", &[0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]),
        ("infinity", &[0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0]),
        ("minus infinity", &[0xfb, 0xff, 0xf0, 0, 0, 0, 0, 0, 0]),
        ("a list of 2^40", &[0x9b, 0, 0, 1, 0, 0, 0, 0, 0]),
        ("a map of 2^62", &[0xbb, 0x40, 0, 0, 0, 0, 0, 0, 0]),
        ("text of 4 GB", &[0x7a, 0xff, 0xff, 0xff, 0xff]),
    ] {
        bad(name, raw(value));
    }
    bad("200 levels", raw(&[[0x81; 200].as_slice(), &[0]].concat()));
    bad("100,000 levels", raw(&[vec![0x81; 100_000], vec![0]].concat()));
    bad(
        "something like a tree node and a byte",
        [&b"\xa2\x61e\x80\x61l\xf6"[..], &[0]].concat(),
    );
    bad("the beginning of a tree node", b"\xa2\x61e\x82".to_vec());
}
