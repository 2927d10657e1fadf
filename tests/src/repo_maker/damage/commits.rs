//! Damage to the commit: its fields, its form and its signature.

use skykeep_atproto::{Cid, Codec};

use super::super::value::{Value, text};
use super::*;

pub(super) fn add(table: &mut Table) {
    let draft = Draft::new(40);
    let whole = draft.seal();
    fields(table, &draft, &whole);
    signatures(table, &draft, &whole);
    form(table, &draft, &whole);
}

fn fields(table: &mut Table, draft: &Draft, whole: &Parts) {
    let (_, key) = owner();
    let mut with = |name: &str, fields: Fields, verdict, codes: &[&'static str]| {
        table.add(
            name,
            whole.clone().with_commit(fields.signed(&key).to_bytes()),
            verdict,
            codes,
        );
    };
    let fields = || draft.fields();
    let link = |what: &[u8]| Value::Link(Cid::of(Codec::DagCbor, what));
    with(
        "a field that is not known",
        fields().with("note", text("kept")),
        FINE,
        &[],
    );
    with(
        "a commit that names the one before",
        fields().with("prev", link(b"before")),
        FINE,
        &[],
    );

    with(
        "another account's",
        fields().with("did", text("did:plc:ewvi7nxzyoun6zhxrhs64oiz")),
        DAMAGE,
        &["wrong_did"],
    );
    with(
        "format version 2",
        fields().with("version", Value::Integer(2)),
        DAMAGE,
        &["old_format"],
    );
    let old = fields()
        .with("version", Value::Integer(2))
        .without("rev")
        .without("prev");
    with("format version 2, without rev and prev", old, DAMAGE, &["old_format"]);
    with(
        "format version 4",
        fields().with("version", Value::Integer(4)),
        DAMAGE,
        &["old_format"],
    );

    for name in ["did", "version", "data", "rev", "prev"] {
        with(
            &format!("no {name}"),
            fields().without(name),
            NO_COMMIT,
            &["bad_commit"],
        );
        let what = format!("a list for {name}");
        with(
            &what,
            fields().with(name, Value::List(Vec::new())),
            NO_COMMIT,
            &["bad_commit"],
        );
    }
    for rev in [
        "",
        "3JZFCIJPJ2Z2A",
        "3jzf-cij-pj2z-2a",
        "kjzfcijpj2z2a",
        "3jzfcijpj2z2aa",
        "0000000000000",
    ] {
        with(
            &format!("rev {rev:?}"),
            fields().with("rev", text(rev)),
            NO_COMMIT,
            &["bad_commit"],
        );
    }
    for did in ["", "alice.example", "did:plc:", "DID:plc:44ybard66vv44zksje25o7dz"] {
        with(
            &format!("did {did:?}"),
            fields().with("did", text(did)),
            NO_COMMIT,
            &["bad_commit"],
        );
    }
    with(
        "version as text",
        fields().with("version", text("3")),
        NO_COMMIT,
        &["bad_commit"],
    );
    with(
        "data as text",
        fields().with("data", text("bafy")),
        NO_COMMIT,
        &["bad_commit"],
    );
    let raw = Value::Link(Cid::from_digest(Codec::Raw, *root(draft).digest()));
    with(
        "a raw link to the tree",
        fields().with("data", raw),
        NO_COMMIT,
        &["bad_commit"],
    );
    let record = Value::Link(Cid::of(Codec::DagCbor, &whole.blocks[whole.last(Kind::Record)].bytes));
    with(
        "a record for a tree",
        fields().with("data", record),
        BOTH,
        &["bad_node", "unreachable_blocks"],
    );
    with(
        "no tree where it should be",
        fields().with("data", link(b"x")),
        GAP,
        &["missing_node", "unreachable_blocks"],
    );
}

fn root(draft: &Draft) -> Cid {
    draft.tree.seal(&mut Vec::new())
}

fn signatures(table: &mut Table, draft: &Draft, whole: &Parts) {
    let (_, key) = owner();
    let mut with = |name: &str, signature: Value, verdict, codes: &[&'static str]| {
        let commit = draft.fields().with("sig", signature);
        table.add(name, whole.clone().with_commit(commit.to_bytes()), verdict, codes);
    };
    let right = key.sign(&draft.fields().to_bytes());
    let mut forged = |name: &str, signature: &[u8]| {
        with(name, Value::Bytes(signature.to_vec()), FORGED, &["bad_signature"]);
    };
    let curves = [("K-256", Curve::K256), ("P-256", Curve::P256)];
    for (name, curve) in curves {
        let stranger = SigningKey::from_bytes(curve, &[6; 32]).expect("a small number is a key");
        forged(
            &format!("a stranger's signature ({name})"),
            &stranger.sign(&draft.fields().to_bytes()),
        );
    }
    forged("a high signature", &high_s(Curve::K256, right));
    forged("a signature in DER", &der(right));
    forged("a signature of 63 bytes", &right[..63]);
    forged("a signature of 65 bytes", &[&right[..], &[0]].concat());
    forged("an empty signature", &[]);
    forged("a signature of zeros", &[0; 64]);
    forged("a signature of ones", &[0xff; 64]);
    forged("a signature whose r is zero", &[&[0; 32], &right[32..]].concat());
    forged(
        "a signature whose halves are swapped",
        &[&right[32..], &right[..32]].concat(),
    );
    let before = draft.fields().with("rev", text("3jzfcijpj2z2a"));
    forged("the signature of another rev", &key.sign(&before.to_bytes()));
    forged("a signature of the signature's place too", &{
        let with_empty = draft.fields().with("sig", Value::Bytes(Vec::new()));
        key.sign(&with_empty.to_bytes())
    });
    let mut flipped = right;
    flipped[40] ^= 1;
    forged("one bit flipped in the signature", &flipped);
    with("a signature as text", text("sig"), NO_COMMIT, &["bad_commit"]);
    with("no signature, null", Value::Null, NO_COMMIT, &["bad_commit"]);
    table.add(
        "no signature",
        whole.clone().with_commit(draft.fields().to_bytes()),
        NO_COMMIT,
        &["bad_commit"],
    );
    let later = draft.fields().signed(&key).with("note", text("added later"));
    table.add(
        "a field added after signing",
        whole.clone().with_commit(later.to_bytes()),
        FORGED,
        &["bad_signature"],
    );
}

/// The same commit, signed, in other bytes than the canonical ones.
fn form(table: &mut Table, draft: &Draft, whole: &Parts) {
    let (_, key) = owner();
    let signed = draft.fields().signed(&key);
    let bytes = signed.to_bytes();
    let mut spoilt = |name: &str, bytes: Vec<u8>| {
        table.add(
            format!("commit: {name}"),
            whole.clone().with_commit(bytes),
            NO_COMMIT,
            &["bad_commit"],
        );
    };
    let mut turned = signed.clone();
    turned.0.sort_by(|(a, _), (b, _)| b.cmp(a));
    let entries = turned
        .0
        .iter()
        .map(|(key, value)| [text(key.as_ref()).to_bytes(), value.to_bytes()].concat());
    spoilt(
        "keys in another order",
        [vec![0xa6], entries.collect::<Vec<_>>().concat()].concat(),
    );
    let twice = [
        &[0xa7],
        &text("did").to_bytes()[..],
        &text(owner().0.as_str()).to_bytes(),
        &bytes[1..],
    ]
    .concat();
    spoilt("a key twice", twice);
    let long = Value::Raw(vec![0x18, 3]);
    spoilt(
        "a number longer than needed",
        signed.clone().with("version", long).to_bytes(),
    );
    spoilt(
        "the version as a float",
        signed.clone().with("version", Value::Float(3.0)).to_bytes(),
    );
    spoilt("an indefinite map", [&[0xbf], &bytes[1..], &[0xff]].concat());
    spoilt("a byte too many", [&bytes[..], &[0]].concat());
    spoilt("a byte too few", bytes[..bytes.len() - 1].to_vec());
    spoilt("an entry too few", [&[0xa7], &bytes[1..]].concat());
    spoilt(
        "an undefined prev",
        signed.clone().with("prev", Value::Raw(vec![0xf7])).to_bytes(),
    );
    spoilt(
        "an unknown tag",
        signed.clone().with("prev", Value::Raw(vec![0xc1, 0])).to_bytes(),
    );
    let text_link = Value::Raw(vec![0xd8, 42, 0x61, b'x']);
    spoilt("a link around text", signed.clone().with("prev", text_link).to_bytes());
    let not_utf8 = Value::Raw(vec![0x61, 0xff]);
    spoilt("text that is not UTF-8", signed.with("note", not_utf8).to_bytes());
    spoilt("nothing but null", vec![0xf6]);
    spoilt("no bytes at all", Vec::new());
}
