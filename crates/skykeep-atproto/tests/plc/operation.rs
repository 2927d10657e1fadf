//! Shapes, bytes, names and signatures of single operations.

use data_encoding::BASE64URL_NOPAD;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use skykeep_atproto::plc::{Create, Operation, Service, State, Tombstone, Update};
use skykeep_atproto::{Cid, Codec, Curve, SigningKey, cbor};

use crate::log::{key, keys, state};

fn update() -> Operation {
    Operation::update(state("ab"), Some(cid(1))).signed(&key('a'))
}

fn cid(number: u8) -> Cid {
    Cid::of(Codec::DagCbor, &[number])
}

fn create() -> Operation {
    let text = |text: &str| text.to_owned();
    Operation::Create(Create {
        signing_key: keys("s").remove(0),
        recovery_key: keys("r").remove(0),
        handle: text("alice.test"),
        service: text("https://pds.test"),
        sig: String::new(),
    })
    .signed(&key('s'))
}

#[test]
fn bytes_are_canonical_and_as_the_specification_says() {
    // Written by hand: {"sig": "abc", "prev": null, "type": …} with every map shorter keys first, then bytewise.
    let text = |text: &str| [&[0x60 | text.len() as u8], text.as_bytes()].concat();
    let long = |text: &str| [&[0x78, text.len() as u8], text.as_bytes()].concat();
    let service =
        |kind: &str, endpoint: &str| [vec![0xa2], text("type"), text(kind), text("endpoint"), text(endpoint)].concat();
    let made = |kind: &str, endpoint: &str| Service {
        kind: kind.to_owned(),
        endpoint: endpoint.to_owned(),
    };
    let operation = Operation::Update(Update {
        state: State {
            rotation_keys: vec!["k2".to_owned(), "k1".to_owned()],
            verification_methods: [("bb", "3"), ("a", "2"), ("aa", "1"), ("é", "4")]
                .map(|(name, key)| (name.to_owned(), key.to_owned()))
                .into(),
            also_known_as: vec![],
            services: [("z".to_owned(), made("t", "u")), ("aa".to_owned(), made("", "e"))].into(),
        },
        prev: None,
        sig: "abc".to_owned(),
    });
    let body = [
        text("prev"),
        vec![0xf6],
        text("type"),
        text("plc_operation"),
        text("services"),
        [vec![0xa2], text("z"), service("t", "u"), text("aa"), service("", "e")].concat(),
        text("alsoKnownAs"),
        vec![0x80],
        text("rotationKeys"),
        [vec![0x82], text("k2"), text("k1")].concat(),
        text("verificationMethods"),
        vec![0xa4],
        [
            text("a"),
            text("2"),
            text("aa"),
            text("1"),
            text("bb"),
            text("3"),
            text("é"),
            text("4"),
        ]
        .concat(),
    ]
    .concat();
    let whole = [vec![0xa7], text("sig"), text("abc"), body.clone()].concat();
    assert_eq!(operation.unsigned_bytes(), [vec![0xa6], body].concat());
    assert_eq!(operation.bytes(), whole);
    assert_eq!(operation.cid(), Cid::of(Codec::DagCbor, &whole));

    // prev is text, not a link.
    let prev = cid(9);
    let tombstone = Operation::tombstone(prev);
    let body = [
        text("prev"),
        long(&prev.to_string()),
        text("type"),
        text("plc_tombstone"),
    ]
    .concat();
    assert_eq!(tombstone.unsigned_bytes(), [vec![0xa2], body.clone()].concat());
    assert_eq!(tombstone.bytes(), [vec![0xa3], text("sig"), text(""), body].concat());

    let create = Operation::Create(Create {
        signing_key: "s".to_owned(),
        recovery_key: "r".to_owned(),
        handle: "h".to_owned(),
        service: "e".to_owned(),
        sig: "x".to_owned(),
    });
    let expected = [
        vec![0xa7],
        [
            text("sig"),
            text("x"),
            text("prev"),
            vec![0xf6],
            text("type"),
            text("create"),
        ]
        .concat(),
        [text("handle"), text("h"), text("service"), text("e")].concat(),
        [text("signingKey"), text("s"), text("recoveryKey"), text("r")].concat(),
    ];
    assert_eq!(create.bytes(), expected.concat());
}

#[test]
fn the_did_is_the_beginning_of_the_first_operations_hash() {
    for first in [Operation::update(state("ab"), None).signed(&key('a')), create()] {
        let hash = data_encoding::BASE32_NOPAD
            .encode(&Sha256::digest(first.bytes()))
            .to_lowercase();
        assert_eq!(
            first.genesis_did().unwrap().as_str(),
            format!("did:plc:{}", &hash[..24])
        );
        assert_eq!(first.genesis_did().unwrap().method(), skykeep_atproto::did::Method::Plc);
    }
    assert_eq!(update().genesis_did(), None);
    assert_eq!(Operation::tombstone(cid(1)).genesis_did(), None);
}

#[test]
fn a_shape_has_its_fields_and_no_other() {
    let refused = |value: &Value| assert!(Operation::from_json(value).is_err(), "{value}");
    for whole in [update(), Operation::tombstone(cid(1)).signed(&key('a')), create()] {
        let json = whole.to_json();
        assert_eq!(Operation::from_json(&json).unwrap(), whole);
        for name in json.as_object().unwrap().keys() {
            let mut less = json.clone();
            less.as_object_mut().unwrap().remove(name);
            refused(&less);
            for wrong in [
                json!(7),
                json!([7]),
                json!({"a": 7}),
                json!(true),
                json!(["a", null]),
                json!({"a": {}}),
            ] {
                let mut other = json.clone();
                other[name] = wrong;
                refused(&other);
            }
        }
        for (name, value) in [
            ("extra", json!(null)),
            ("cid", json!("x")),
            ("", json!("")),
            ("handles", json!([])),
        ] {
            let mut more = json.clone();
            more[name] = value;
            refused(&more);
        }
        for kind in ["", "plc_update", "PLC_OPERATION", "plc_operation "] {
            let mut other = json.clone();
            other["type"] = json!(kind);
            refused(&other);
        }
    }
    let change = |path: &str, value: Value| {
        let mut json = update().to_json();
        *json.pointer_mut(path).unwrap() = value;
        json
    };
    for prev in [
        "",
        "bafy",
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
        &cid(1).to_string().to_uppercase(),
    ] {
        refused(&change("/prev", json!(prev)));
    }
    refused(&change("/services/atproto_pds", json!({"type": "t"})));
    refused(&change(
        "/services/atproto_pds",
        json!({"type": "t", "endpoint": "e", "extra": "x"}),
    ));
    refused(&change("/services/atproto_pds", json!({"type": "t", "endpoint": null})));
    let mut tombstone = Operation::tombstone(cid(1)).to_json();
    tombstone["prev"] = Value::Null;
    refused(&tombstone);
    let mut create = create().to_json();
    create["prev"] = json!(cid(1).to_string());
    refused(&create);
}

#[test]
fn a_signature_has_one_way_to_be_written() {
    for curve in [Curve::K256, Curve::P256] {
        let signer = SigningKey::from_bytes(curve, &[7; 32]).unwrap();
        let signed = update().signed(&signer);
        let listed = [keys("ab"), vec![signer.did_key().to_string()], keys("c")].concat();
        let check = |what: &str, sig: String, expected: Option<usize>| {
            let mut json = signed.to_json();
            json["sig"] = json!(sig);
            let operation = Operation::from_json(&json).unwrap();
            assert_eq!(operation.verify(&listed), expected, "{curve:?}: {what}");
        };
        let sig = signed.sig().to_owned();
        let bytes = BASE64URL_NOPAD.decode(sig.as_bytes()).unwrap();
        assert_eq!((sig.len(), bytes.len()), (86, 64));
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        check("as signed", sig.clone(), Some(2));
        check("padded once", format!("{sig}="), None);
        check("padded twice", format!("{sig}=="), None);
        check("newline after", format!("{sig}\n"), None);
        check("newline inside", format!("{}\n{}", &sig[..40], &sig[40..]), None);
        check(
            "carriage return inside",
            format!("{}\r\n{}", &sig[..40], &sig[40..]),
            None,
        );
        check("space before", format!(" {sig}"), None);
        check("a letter short", sig[..85].to_owned(), None);
        check("empty", String::new(), None);
        check("a byte short", encode(&bytes[..63]), None);
        check("a byte long", encode(&[&bytes[..], &[0]].concat()), None);
        check(
            "the other alphabet",
            data_encoding::BASE64_NOPAD.encode(&[0xff; 64]),
            None,
        );
        check("DER", encode(&der(&bytes)), None);
        check("hexadecimal", data_encoding::HEXLOWER.encode(&bytes), None);
        // 86 letters hold four bits more than 64 bytes: they have to be zero.
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = alphabet.find(&sig[85..]).unwrap();
        assert_eq!(last % 16, 0);
        for spare in 1..16 {
            check(
                "spare bits",
                format!("{}{}", &sig[..85], &alphabet[last + spare..=last + spare]),
                None,
            );
        }
        // High-S and any other signature are tried and found wrong.
        check("all ones", encode(&[0xff; 64]), None);
        check("halves swapped", encode(&[&bytes[32..], &bytes[..32]].concat()), None);
        let other = Operation::update(state("ba"), Some(cid(1))).signed(&signer);
        check("of another operation", other.sig().to_owned(), None);
        assert_eq!(signed.verify(&keys("abc")), None);
        assert_eq!(signed.verify(&[]), None);
    }
}

fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| [&[2, 33, 0], number].concat();
    let body = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [&[0x30, body.len() as u8], &body[..]].concat()
}

#[test]
fn only_what_a_directory_takes_is_submitted() {
    let check = |change: &dyn Fn(&mut State), good: bool| {
        let mut next = state("abc");
        change(&mut next);
        let operation = Operation::update(next, Some(cid(1))).signed(&key('a'));
        assert_eq!(operation.check_submittable().is_ok(), good, "{operation:?}");
    };
    check(&|_| {}, true);
    check(&|state| state.rotation_keys = keys("a"), true);
    check(&|state| state.rotation_keys = keys("abcde"), true);
    check(&|state| state.rotation_keys = keys("abcdef"), false);
    check(&|state| state.rotation_keys.clear(), false);
    check(&|state| state.rotation_keys = keys("aba"), false);
    check(
        &|state| state.rotation_keys[1] = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp".to_owned(),
        false,
    );
    check(
        &|state| state.also_known_as = (0..10).map(|n| format!("at://a{n}.test")).collect(),
        true,
    );
    check(
        &|state| state.also_known_as = (0..11).map(|n| format!("at://a{n}.test")).collect(),
        false,
    );
    check(&|state| state.also_known_as.push("at://alice.test".to_owned()), false);
    check(&|state| state.also_known_as[0] = "x".repeat(259), false);
    let method = |id: usize, key: &str| {
        let (id, key) = ("m".repeat(id), key.to_owned());
        move |state: &mut State| drop(state.verification_methods.insert(id.clone(), key.clone()))
    };
    check(&method(32, "did:key:z6Mk"), true);
    check(&method(33, "did:key:z6Mk"), false);
    check(&method(3, "zQ3sh"), false);
    check(&method(3, &format!("did:key:z{}", "a".repeat(248))), false);
    let service = |kind: usize, endpoint: usize| {
        let (kind, endpoint) = ("t".repeat(kind), "e".repeat(endpoint));
        move |state: &mut State| {
            let (kind, endpoint) = (kind.clone(), endpoint.clone());
            state.services.insert("other".to_owned(), Service { kind, endpoint });
        }
    };
    check(&service(256, 512), true);
    check(&service(257, 512), false);
    check(&service(256, 513), false);
    let many = |state: &mut State| {
        for n in 0..8 {
            let (kind, endpoint) = ("t".repeat(200), "e".repeat(400));
            state.services.insert(n.to_string(), Service { kind, endpoint });
        }
    };
    check(&many, false); // 4,000 bytes in all
    assert!(
        Operation::update(state("a"), Some(cid(1))).check_submittable().is_err(),
        "unsigned"
    );
    assert!(
        Operation::tombstone(cid(1))
            .signed(&key('a'))
            .check_submittable()
            .is_ok()
    );
    assert!(create().check_submittable().is_err());
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z:/.]{0,12}", "\\PC{0,40}", "[a-z]{250,300}"]
}

prop_compose! {
    fn any_state()(
        rotation_keys in prop::collection::vec(any_text(), 0..6),
        verification_methods in prop::collection::btree_map(any_text(), any_text(), 0..6),
        also_known_as in prop::collection::vec(any_text(), 0..6),
        services in prop::collection::btree_map(any_text(), (any_text(), any_text()), 0..6),
    ) -> State {
        let services = services.into_iter();
        State {
            rotation_keys, verification_methods, also_known_as,
            services: services.map(|(name, (kind, endpoint))| (name, Service { kind, endpoint })).collect(),
        }
    }
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let created = (any_text(), any_text(), any_text(), any_text(), any_text());
    prop_oneof![
        (any_state(), any::<Option<u8>>(), any_text()).prop_map(|(state, prev, sig)| {
            let prev = prev.map(cid);
            Operation::Update(Update { state, prev, sig })
        }),
        (any::<u8>(), any_text()).prop_map(|(prev, sig)| Operation::Tombstone(Tombstone { prev: cid(prev), sig })),
        created.prop_map(|(signing_key, recovery_key, handle, service, sig)| {
            Operation::Create(Create {
                signing_key,
                recovery_key,
                handle,
                service,
                sig,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_again(operation in any_operation()) {
        let text = operation.to_json().to_string();
        let read = Operation::from_json(&serde_json::from_str(&text).unwrap()).unwrap();
        prop_assert_eq!(&read, &operation);
        prop_assert_eq!(read.cid(), operation.cid());
        for bytes in [operation.bytes(), operation.unsigned_bytes()] {
            prop_assert!(cbor::check(&bytes).is_ok());
        }
        // Never panics, whatever the text is.
        let _ = operation.verify(&[operation.sig().to_owned()]);
        let _ = (operation.check_submittable(), operation.genesis_did());
        if let Some(state) = operation.state() {
            let _ = (state.handle(), state.pds(), state.signing_key());
        }
    }

    #[test]
    fn a_signed_operation_verifies_by_its_signers_place(operation in any_operation(), number in 1u8..255) {
        let curve = if number % 2 == 0 { Curve::K256 } else { Curve::P256 };
        let signer = SigningKey::from_bytes(curve, &[number; 32]).unwrap();
        let signed = operation.signed(&signer);
        let listed = [keys("ab"), vec![signer.did_key().to_string(); 2]].concat();
        let place = listed.iter().position(|key| *key == signer.did_key().to_string());
        prop_assert_eq!(signed.verify(&listed), place);
        prop_assert_eq!(signed.signature().map(|bytes| BASE64URL_NOPAD.encode(&bytes)), Some(signed.sig().to_owned()));
    }
}
