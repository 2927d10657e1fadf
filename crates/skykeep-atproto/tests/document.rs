//! DID documents, in the forms in which they are served.

#![allow(clippy::unwrap_used)] // helpers of tests count as tests

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use skykeep_atproto::plc::{Service, State};
use skykeep_atproto::{Curve, Did, DidDocument, DidKey, Error, SigningKey};

const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

fn did() -> Did {
    DID.parse().unwrap()
}

fn key(curve: Curve) -> DidKey {
    SigningKey::from_bytes(curve, &[7; 32]).unwrap().did_key()
}

/// As a PLC directory renders it: methods with the whole id, services without.
fn document() -> Value {
    json!({
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": DID,
        "alsoKnownAs": ["at://alice.test"],
        "verificationMethod": [{
            "id": format!("{DID}#atproto"),
            "type": "Multikey",
            "controller": DID,
            "publicKeyMultibase": key(Curve::K256).to_multibase(),
        }],
        "service": [{
            "id": "#atproto_pds",
            "type": "AtprotoPersonalDataServer",
            "serviceEndpoint": "https://pds.test",
        }],
    })
}

fn read(document: &Value) -> DidDocument {
    DidDocument::parse(&did(), document.to_string().as_bytes()).unwrap()
}

/// The document after `change`.
fn with(path: &str, value: Value) -> DidDocument {
    let mut document = document();
    *document.pointer_mut(path).unwrap() = value;
    read(&document)
}

#[test]
fn every_form_says_the_same() {
    let whole = read(&document());
    assert_eq!(whole.id, did());
    assert_eq!(whole.handle.as_ref().unwrap().as_str(), "alice.test");
    assert_eq!(whole.signing_key, Some(key(Curve::K256)));
    assert_eq!(whole.pds.as_deref(), Some("https://pds.test"));
    assert_eq!(whole.also_known_as, ["at://alice.test"]);
    // A replica: no context, all ids whole; and what others write by hand.
    let mut replica = document();
    replica.as_object_mut().unwrap().remove("@context");
    replica["service"][0]["id"] = json!(format!("{DID}#atproto_pds"));
    assert_eq!(read(&replica), whole);
    assert_eq!(with("/verificationMethod/0/id", json!("#atproto")), whole);
    let mut bare = document();
    bare["verificationMethod"][0]
        .as_object_mut()
        .unwrap()
        .remove("controller");
    assert_eq!(read(&bare), whole);
    assert_eq!(with("/service/0/serviceEndpoint", json!("https://pds.test/")), whole);
}

#[test]
fn keys_of_each_kind_are_read() {
    let check = |kind: &str, text: String, expected: Option<DidKey>| {
        let mut document = document();
        document["verificationMethod"][0]["type"] = json!(kind);
        document["verificationMethod"][0]["publicKeyMultibase"] = json!(text);
        assert_eq!(read(&document).signing_key, expected, "{kind} {text}");
    };
    let (k256, p256) = (key(Curve::K256), key(Curve::P256));
    let bare = |key: DidKey| format!("z{}", bs58::encode(key.as_bytes()).into_string());
    check("Multikey", k256.to_multibase(), Some(k256));
    check("Multikey", p256.to_multibase(), Some(p256));
    check("EcdsaSecp256k1VerificationKey2019", bare(k256), Some(k256));
    check("EcdsaSecp256r1VerificationKey2019", bare(p256), Some(p256));
    check("EcdsaSecp256k1VerificationKey2019", k256.to_multibase(), None);
    check("Multikey", bare(k256), None);
    check("Multikey", k256.to_string(), None);
    check(
        "Multikey",
        "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp".to_owned(),
        None,
    );
    check("JsonWebKey2020", k256.to_multibase(), None);
    check("Ed25519VerificationKey2020", k256.to_multibase(), None);
    // The form of 2022, as it was: an uncompressed point.
    let uncompressed = "zQYEBzXeuTM9UR3rfvNag6L3RNAs5pQZyYPsomTsgQhsxLdEgCrPTLgFna8yqCnxPpNT7DBk6Ym3dgPKNu86vt9GR";
    let known = "did:key:zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF";
    check(
        "EcdsaSecp256k1VerificationKey2019",
        uncompressed.to_owned(),
        Some(known.parse().unwrap()),
    );
}

#[test]
fn the_first_entry_of_a_name_is_the_one() {
    let mut two = document();
    let mut other = two["verificationMethod"][0].clone();
    other["publicKeyMultibase"] = json!(key(Curve::P256).to_multibase());
    two["verificationMethod"].as_array_mut().unwrap().insert(0, other);
    assert_eq!(read(&two).signing_key, Some(key(Curve::P256)));
    for id in [
        "#atproto_label",
        "atproto",
        "",
        "did:plc:other#atproto",
        &format!("{DID}#x#atproto"),
        &format!("{DID}atproto"),
    ] {
        two["verificationMethod"][0]["id"] = json!(id);
        assert_eq!(read(&two).signing_key, Some(key(Curve::K256)), "{id}");
    }
    assert_eq!(
        with("/verificationMethod/0/controller", json!("did:plc:other")).signing_key,
        None
    );
    assert_eq!(with("/verificationMethod/0/controller", json!(7)).signing_key, None);
    let names = json!([
        "https://alice.test",
        7,
        "at://",
        "at://not a handle",
        "at://did:plc:x",
        "at://Alice.Test",
        "at://b.test"
    ]);
    assert_eq!(with("/alsoKnownAs", names).handle.unwrap().as_str(), "alice.test");
    assert_eq!(with("/alsoKnownAs", json!(["at://alice.test/path"])).handle, None);
}

#[test]
fn a_host_is_a_scheme_a_name_and_perhaps_a_port() {
    let check = |endpoint: &str, expected: Option<&str>| {
        let found = with("/service/0/serviceEndpoint", json!(endpoint)).pds;
        assert_eq!(found.as_deref(), expected, "{endpoint}");
    };
    let same = |endpoint: &str| check(endpoint, Some(endpoint));
    same("https://pds.test");
    same("https://Morel.us-east.host.bsky.network");
    same("https://pds.test:8443");
    same("http://localhost:2583");
    same("http://127.0.0.1:2583");
    same("http://[::1]:2583");
    same("https://[2001:db8::1]");
    check("https://pds.test:443/", Some("https://pds.test:443"));
    let long = format!("https://{}.test", "a".repeat(600));
    for bad in [
        "",
        "/",
        "https://",
        "https:///",
        "pds.test",
        "ftp://pds.test",
        "HTTPS://pds.test",
        "https://pds.test/xrpc",
        "https://pds.test//",
        "https://pds.test?x",
        "https://pds.test#x",
        "https://user@pds.test",
        "https://user:pass@pds.test",
        "https://pds.test:",
        "https://pds.test:0",
        "https://pds.test:65536",
        "https://pds.test:+80",
        "https://pds.test:80:80",
        "https://:80",
        "https://[::1",
        "https://[]",
        "https://[pds]:80",
        "https://pds test",
        "https://pds.test\n",
        " https://pds.test",
        "https://pds.test\\@evil.test",
        "https://pds%2Etest",
        "https://пдс.test",
        &long,
    ] {
        check(bad, None);
    }
    assert_eq!(with("/service/0/type", json!("BskyFeedGenerator")).pds, None);
    assert_eq!(with("/service/0/id", json!("#bsky_fg")).pds, None);
    assert_eq!(
        with("/service/0/serviceEndpoint", json!({"uri": "https://pds.test"})).pds,
        None
    );
    assert_eq!(
        with("/service/0/serviceEndpoint", json!(["https://pds.test"])).pds,
        None
    );
}

#[test]
fn what_is_missing_is_missing_and_the_rest_is_read() {
    let fields = ["alsoKnownAs", "verificationMethod", "service"];
    for field in fields {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!("x"),
            json!([null, 7, "x", [], {}]),
        ] {
            let mut less = document();
            less[field] = value.clone();
            let read_ = read(&less);
            assert_eq!(read_.handle.is_none(), field == "alsoKnownAs", "{field} {value}");
            assert_eq!(
                read_.signing_key.is_none(),
                field == "verificationMethod",
                "{field} {value}"
            );
            assert_eq!(read_.pds.is_none(), field == "service", "{field} {value}");
        }
        let mut less = document();
        less.as_object_mut().unwrap().remove(field);
        let _ = read(&less);
    }
}

#[test]
fn the_document_is_of_the_did_that_was_asked_for() {
    let parse = |text: &str| DidDocument::parse(&did(), text.as_bytes());
    for id in [
        json!("did:plc:z72i7hdynmk6r22z27h6tvur"),
        json!(null),
        json!([DID]),
        json!(format!("{DID} ")),
    ] {
        let mut other = document();
        other["id"] = id;
        assert!(matches!(parse(&other.to_string()), Err(Error::Shape { .. })), "{other}");
    }
    for text in ["null", "[]", "7", "\"x\"", "{}"] {
        assert!(matches!(parse(text), Err(Error::Shape { .. })), "{text}");
    }
    let deep = "[".repeat(1 << 20);
    for text in ["", "{", "<html>", &deep] {
        assert!(matches!(parse(text), Err(Error::Json { .. })));
    }
    let web: Did = "did:web:alice.test".parse().unwrap();
    let text = document().to_string().replace(DID, web.as_str());
    assert_eq!(
        DidDocument::parse(&web, text.as_bytes()).unwrap().signing_key,
        Some(key(Curve::K256))
    );
}

#[test]
fn a_document_is_held_against_the_log() {
    let service = Service {
        kind: "AtprotoPersonalDataServer".to_owned(),
        endpoint: "https://pds.test".to_owned(),
    };
    let state = State {
        rotation_keys: vec![],
        verification_methods: BTreeMap::from([("atproto".to_owned(), key(Curve::K256).to_string())]),
        also_known_as: vec!["at://alice.test".to_owned()],
        services: BTreeMap::from([("atproto_pds".to_owned(), service)]),
    };
    assert!(read(&document()).contradictions(&state).is_empty());
    let check = |path: &str, value: Value, expected: &str| {
        assert_eq!(with(path, value).contradictions(&state), [expected]);
    };
    let other = key(Curve::P256).to_multibase();
    check("/verificationMethod/0/publicKeyMultibase", json!(other), "signing key");
    check("/verificationMethod", json!([]), "signing key");
    check("/service/0/serviceEndpoint", json!("https://evil.test"), "host");
    check("/alsoKnownAs", json!(["at://evil.test"]), "names");

    let data = json!({
        "did": DID,
        "rotationKeys": state.rotation_keys,
        "verificationMethods": state.verification_methods,
        "alsoKnownAs": state.also_known_as,
        "services": state.services,
    });
    assert_eq!(State::parse_data(&did(), data.to_string().as_bytes()).unwrap(), state);
    let other: Did = "did:plc:z72i7hdynmk6r22z27h6tvur".parse().unwrap();
    assert!(matches!(
        State::parse_data(&other, data.to_string().as_bytes()),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(State::parse_data(&did(), b"{}"), Err(Error::Json { .. })));
}

proptest! {
    #[test]
    fn no_document_makes_the_reader_panic(
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        endpoint in "(https://)?[\\PC]{0,20}[:/\\[\\]]{0,3}[0-9]{0,6}",
    ) {
        let _ = DidDocument::parse(&did(), &noise);
        let mut text = document().to_string().into_bytes();
        let place = place.index(text.len());
        text[place] = byte;
        if let Ok(read) = DidDocument::parse(&did(), &text) {
            prop_assert_eq!(read.id, did());
        }
        if let Some(pds) = with("/service/0/serviceEndpoint", json!(endpoint)).pds {
            let rest = pds.split_once("://").unwrap().1;
            prop_assert!(!rest.contains(['/', '?', '#', '@', '\\', ' ', '%']), "{}", pds);
        }
    }
}
