//! Identifiers, keys, signatures and DID documents.

use std::str::FromStr;

use data_encoding::{BASE64_NOPAD, HEXLOWER};
use skykeep_atproto::{Curve, Did, DidDocument, DidKey, Handle, SigningKey, Tid};

use crate::{json, lines, read, vectors};

fn check_syntax<T: FromStr>(name: &str) {
    let Some(folder) = vectors() else { return };
    let cases = |kind: &str| lines(folder.join(format!("interop/syntax/{name}_syntax_{kind}.txt")));
    let (valid, invalid) = (cases("valid"), cases("invalid"));
    assert!(valid.len() > 3 && invalid.len() > 3, "{name}: too few cases");
    for case in valid {
        assert!(case.parse::<T>().is_ok(), "{name} {case:?} is valid");
    }
    for case in invalid {
        assert!(case.parse::<T>().is_err(), "{name} {case:?} is invalid");
    }
}

#[test]
fn dids() {
    check_syntax::<Did>("did");
}

#[test]
fn handles() {
    check_syntax::<Handle>("handle");
}

#[test]
fn tids() {
    check_syntax::<Tid>("tid");
}

#[test]
fn signatures() {
    let Some(folder) = vectors() else { return };
    let cases = json(folder.join("interop/crypto/signature-fixtures.json"));
    for case in cases.as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap();
        let bytes = |name: &str| BASE64_NOPAD.decode(text(name).as_bytes()).unwrap();
        let key: DidKey = text("publicKeyDid").parse().unwrap();
        let curve = match text("algorithm") {
            "ES256" => Curve::P256,
            _ => Curve::K256,
        };
        assert_eq!(key.curve(), curve);
        assert_eq!(key.to_string(), text("publicKeyDid"));
        let legacy = DidKey::from_legacy_multibase(curve, text("publicKeyMultibase")).unwrap();
        assert_eq!(legacy, key);
        let valid = key.verify(&bytes("messageBase64"), &bytes("signatureBase64"));
        assert_eq!(valid, case["validSignature"].as_bool().unwrap(), "{}", case["comment"]);
    }
    assert_eq!(cases.as_array().unwrap().len(), 6);
}

#[test]
fn private_keys() {
    let Some(folder) = vectors() else { return };
    let check = |curve, bytes: Vec<u8>, case: &serde_json::Value| {
        let key = SigningKey::from_bytes(curve, &bytes.try_into().unwrap()).unwrap();
        assert_eq!(key.did_key().to_string(), case["publicDidKey"].as_str().unwrap());
    };
    for case in json(folder.join("interop/crypto/w3c_didkey_K256.json"))
        .as_array()
        .unwrap()
    {
        let hex = case["privateKeyBytesHex"].as_str().unwrap();
        check(Curve::K256, HEXLOWER.decode(hex.as_bytes()).unwrap(), case);
        assert_eq!(
            hex.parse::<SigningKey>().unwrap().did_key().to_string(),
            case["publicDidKey"]
        );
    }
    for case in json(folder.join("interop/crypto/w3c_didkey_P256.json"))
        .as_array()
        .unwrap()
    {
        let base58 = case["privateKeyBytesBase58"].as_str().unwrap();
        check(Curve::P256, bs58::decode(base58).into_vec().unwrap(), case);
    }
}

#[test]
fn did_documents() {
    let Some(folder) = vectors() else { return };
    let check = |name: &str, did: &str| {
        let bytes = read(folder.join("interop/indigo/identity").join(name));
        DidDocument::parse(&did.parse().unwrap(), &bytes).unwrap()
    };
    let new = check("did_plc_doc.json", "did:plc:ewvi7nxzyoun6zhxrhs64oiz");
    assert_eq!(new.handle.as_ref().unwrap().as_str(), "atproto.com");
    assert_eq!(new.pds.as_deref(), Some("https://bsky.social"));
    let key = "did:key:zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF";
    assert_eq!(new.signing_key.unwrap().to_string(), key);
    // The form of before 2023 says the same.
    assert_eq!(
        check("did_plc_doc_legacy.json", "did:plc:ewvi7nxzyoun6zhxrhs64oiz"),
        new
    );
    let service = check("did_web_doc.json", "did:web:discover.bsky.social");
    assert_eq!((service.handle, service.signing_key, service.pds), (None, None, None));
}

#[test]
fn did_documents_of_the_old_repositories() {
    let Some(folder) = vectors() else { return };
    let check = |name: &str, did: &str, curve: Curve| {
        let bytes = read(folder.join("interop/cars-synthetic").join(name));
        let document = DidDocument::parse(&did.parse().unwrap(), &bytes).unwrap();
        assert_eq!(document.signing_key.unwrap().curve(), curve);
        assert!(document.handle.is_some() && document.pds.unwrap().starts_with("http://localhost:"));
    };
    check(
        "fakermaker.didDoc.json",
        "did:plc:dpg45vsnuir2vqqqadsn6afg",
        Curve::P256,
    );
    let did = "did:plc:z5vnbioquyhivxirw3bbljmu";
    check("z5vnbioquyhivxirw3bbljmu.didDoc.json", did, Curve::K256);
}
