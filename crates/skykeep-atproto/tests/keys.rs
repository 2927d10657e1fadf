//! Keys and signatures, from outside.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)] // helpers of tests count as tests

use data_encoding::HEXLOWER;
use proptest::prelude::*;
use skykeep_atproto::{Curve, DidKey, Error, SigningKey};

const CURVES: [Curve; 2] = [Curve::K256, Curve::P256];

fn key(curve: Curve, number: u8) -> SigningKey {
    SigningKey::from_bytes(curve, &[number; 32]).unwrap()
}

/// `order - s`, so that a signature stays arithmetically right and becomes high.
fn high_s(curve: Curve, signature: [u8; 64]) -> [u8; 64] {
    let order = HEXLOWER
        .decode(match curve {
            Curve::K256 => b"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
            Curve::P256 => b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        })
        .unwrap();
    let mut high = signature;
    let mut borrow = false;
    for i in (0..32).rev() {
        let (rest, first) = order[i].overflowing_sub(signature[32 + i]);
        let (rest, second) = rest.overflowing_sub(u8::from(borrow));
        high[32 + i] = rest;
        borrow = first || second;
    }
    high
}

/// The DER form of the same two numbers.
fn der(signature: [u8; 64]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let mut value = number[zeros..].to_vec();
        if value[0] >= 0x80 {
            value.insert(0, 0);
        }
        [&[2, value.len() as u8], &value[..]].concat()
    };
    let body = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [&[0x30, body.len() as u8], &body[..]].concat()
}

#[test]
fn a_signature_is_64_low_bytes_and_nothing_else() {
    for curve in CURVES {
        // Enough messages that both halves of the numbers occur before they are made low.
        for number in 1..=32 {
            let signer = key(curve, number);
            let message = [number; 40];
            let signature = signer.sign(&message);
            let public = signer.did_key();
            let check = |what: &str, message: &[u8], signature: &[u8], expected| {
                assert_eq!(public.verify(message, signature), expected, "{curve:?} {number} {what}");
            };
            check("as signed", &message, &signature, true);
            check("another message", &[0; 40], &signature, false);
            check("high-S", &message, &high_s(curve, signature), false);
            check(
                "high-S made low again",
                &message,
                &high_s(curve, high_s(curve, signature)),
                true,
            );
            check("DER", &message, &der(signature), false);
            check("a byte short", &message, &signature[..63], false);
            check("a byte long", &message, &[&signature[..], &[0]].concat(), false);
            check("empty", &message, &[], false);
            check("zeros", &message, &[0; 64], false);
            check("ones", &message, &[0xff; 64], false);
            for bit in [0, 255, 256, 511] {
                let mut flipped = signature;
                flipped[bit / 8] ^= 1 << (bit % 8);
                check("a bit flipped", &message, &flipped, false);
            }
            assert!(
                !key(curve, number + 1).did_key().verify(&message, &signature),
                "another key"
            );
            assert_eq!(signer.sign(&message), signature, "the same again");
        }
    }
}

/// The generator of each curve, which is the public half of the private key 1.
const GENERATORS: [(Curve, &str, &str); 2] = [
    (
        Curve::K256,
        "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
    ),
    (
        Curve::P256,
        "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    ),
];

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn multibase(parts: &[&[u8]]) -> String {
    format!("z{}", bs58::encode(parts.concat()).into_string())
}

fn one() -> [u8; 32] {
    let mut number = [0; 32];
    number[31] = 1;
    number
}

#[test]
fn known_keys_have_their_known_text() {
    for (curve, point, _) in GENERATORS {
        let public = SigningKey::from_bytes(curve, &one()).unwrap().did_key();
        assert_eq!(public.as_bytes()[..], hex(point), "{curve:?}");
        assert_eq!(public.curve(), curve);
        let (prefix, begins): (&[u8], _) = match curve {
            Curve::K256 => (&[0xe7, 0x01], "did:key:zQ3s"),
            Curve::P256 => (&[0x80, 0x24], "did:key:zDn"),
        };
        let text = public.to_string();
        assert_eq!(text, format!("did:key:{}", multibase(&[prefix, &hex(point)])));
        assert!(text.starts_with(begins), "{text}");
        assert_eq!(text.parse::<DidKey>().unwrap(), public);
        assert_eq!(DidKey::from_multibase(&public.to_multibase()).unwrap(), public);
        assert_eq!(format!("{public:?}"), text);
        let json = serde_json::to_string(&public).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<DidKey>(&json).unwrap(), public);
        assert!(serde_json::from_str::<DidKey>("\"did:key:z\"").is_err());
    }
}

#[test]
fn the_form_of_before_2023_is_the_bare_point() {
    for (curve, point, y) in GENERATORS {
        let public = SigningKey::from_bytes(curve, &one()).unwrap().did_key();
        let (point, y) = (hex(point), hex(y));
        let check = |what: &str, text: String, good: bool| {
            let read = DidKey::from_legacy_multibase(curve, &text);
            assert_eq!(read.is_ok_and(|key| key == public), good, "{curve:?} {what}");
        };
        check("uncompressed", multibase(&[&[4], &point[1..], &y]), true);
        check("compressed", multibase(&[&point]), true);
        check("not on the curve", multibase(&[&[4], &point[1..], &point[1..]]), false);
        check("hybrid", multibase(&[&[6 + (y[31] & 1)], &point[1..], &y]), false);
        check("without its first byte", multibase(&[&point[1..], &y]), false);
        check("a byte short", multibase(&[&[4], &point[1..], &y[..31]]), false);
        check("a byte long", multibase(&[&[4], &point[1..], &y, &[0]]), false);
        check("a Multikey", public.to_multibase(), false);
        check("empty", "z".to_owned(), false);
        // A Multikey is compressed, always.
        let prefix: &[u8] = if curve == Curve::K256 {
            &[0xe7, 0x01]
        } else {
            &[0x80, 0x24]
        };
        assert!(DidKey::from_multibase(&multibase(&[prefix, &[4], &point[1..], &y])).is_err());
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let point = hex(GENERATORS[0].1);
    let good = multibase(&[&[0xe7, 0x01], &point]);
    assert!(DidKey::from_multibase(&good).is_ok());
    let check = |what: &str, text: &str| {
        assert!(DidKey::from_multibase(text).is_err(), "{what}");
        assert!(format!("did:key:{text}").parse::<DidKey>().is_err(), "{what}");
    };
    check("empty", "");
    check("no letters", "z");
    check("another base", &good.replacen('z', "f", 1));
    check("no base", &good[1..]);
    check("a letter that base58 has not", &good.replacen('Q', "0", 1));
    check("Ed25519", "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp");
    check("the private prefix", &multibase(&[&[0x81, 0x26], &point]));
    check("one byte", &multibase(&[&[0xe7]]));
    check("prefix alone", &multibase(&[&[0xe7, 0x01]]));
    check("a byte short", &multibase(&[&[0xe7, 0x01], &point[..32]]));
    check("a byte long", &multibase(&[&[0xe7, 0x01], &point, &[0]]));
    check("the identity", &multibase(&[&[0xe7, 0x01], &[0; 33]]));
    check("first byte 5", &multibase(&[&[0xe7, 0x01], &[5], &point[1..]]));
    // x = 5 is on no point of secp256k1, x = 2^256 - 1 is no number of either field.
    let mut five = [0; 33];
    (five[0], five[32]) = (2, 5);
    check("not on the curve", &multibase(&[&[0xe7, 0x01], &five]));
    let mut large = [0xff; 33];
    large[0] = 2;
    check("too large for the field", &multibase(&[&[0xe7, 0x01], &large]));
    check("too large for the field", &multibase(&[&[0x80, 0x24], &large]));
    check("endless", &format!("z{}", "Q".repeat(1 << 20)));
    for text in [
        &good[..],
        "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
        "",
        "did:key:",
        "DID:KEY:zQ3sh",
        "did:key: z",
    ] {
        assert!(text.parse::<DidKey>().is_err(), "{text}");
    }
    assert!(format!("did:key:{good} ").parse::<DidKey>().is_err());
    assert!(format!("did:key:{good}#atproto").parse::<DidKey>().is_err());
}

/// RFC 6979, appendix A.2.5: P-256 with SHA-256.
#[test]
fn signing_is_deterministic_as_published() {
    let number = hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
    let signer = SigningKey::from_bytes(Curve::P256, &number.try_into().unwrap()).unwrap();
    let low = "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367\
               019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083";
    assert_eq!(signer.sign(b"test")[..], hex(low));
    // The published one is high: ours is the same, made low.
    let high = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
                f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    let high: [u8; 64] = hex(high).try_into().unwrap();
    assert_eq!(signer.sign(b"sample"), high_s(Curve::P256, high));
    assert!(!signer.did_key().verify(b"sample", &high));
}

#[test]
fn private_keys_are_written_and_read() {
    for (curve, prefix) in [(Curve::K256, [0x81, 0x26]), (Curve::P256, [0x86, 0x26])] {
        let signer = key(curve, 42);
        assert_eq!(signer.to_bytes()[..], [42; 32]);
        assert_eq!(*signer.to_multibase(), multibase(&[&prefix, &[42; 32]]));
        let read: SigningKey = signer.to_multibase().parse().unwrap();
        assert_eq!((read.curve(), read.did_key()), (curve, signer.did_key()));
        let refused = |what: &str, text: &str| {
            let error = text.parse::<SigningKey>().unwrap_err().to_string();
            assert!(
                !error.contains(&text[..text.len().min(8)]) || text.is_empty(),
                "{what} is told: {error}"
            );
        };
        refused("a byte short", &multibase(&[&prefix, &[42; 31]]));
        refused("a byte long", &multibase(&[&prefix, &[42; 33]]));
        refused("prefix alone", &multibase(&[&prefix]));
        refused("zero", &multibase(&[&prefix, &[0; 32]]));
        refused("above the order", &multibase(&[&prefix, &[0xff; 32]]));
        refused("a public key", &signer.did_key().to_multibase());
        refused("without z", &signer.to_multibase()[1..]);
        assert!(SigningKey::from_bytes(curve, &[0; 32]).is_err());
        assert!(SigningKey::from_bytes(curve, &[0xff; 32]).is_err());
    }
    let number = "2a".repeat(32);
    for text in [number.clone(), number.to_uppercase()] {
        let read: SigningKey = text.parse().unwrap();
        assert_eq!(
            (read.curve(), read.did_key()),
            (Curve::K256, key(Curve::K256, 42).did_key())
        );
    }
    for bad in [
        "",
        "2a",
        &number[1..],
        &format!("{number}2a"),
        &format!("0x{number}"),
        &"g".repeat(64),
    ] {
        assert!(matches!(bad.parse::<SigningKey>(), Err(Error::Syntax { .. })), "{bad}");
    }
    assert!("00".repeat(32).parse::<SigningKey>().is_err());
}

#[test]
fn new_keys_differ_and_tell_nothing_of_themselves() {
    for curve in CURVES {
        let (one, other) = (
            SigningKey::generate(curve).unwrap(),
            SigningKey::generate(curve).unwrap(),
        );
        assert_ne!(one.did_key(), other.did_key());
        assert_eq!(one.curve(), curve);
        assert_eq!(format!("{one:?} {other:#?}"), "<secret> <secret>");
        assert!(one.did_key().verify(b"m", &one.sign(b"m")));
    }
}

proptest! {
    #[test]
    fn no_text_or_signature_makes_a_key_panic(
        text in "(did:key:)?z?[1-9A-HJ-NP-Za-km-z]{0,60}|\\PC{0,80}",
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        numbers in prop::array::uniform32(any::<u8>()),
    ) {
        let likely = multibase(&[&[0xe7, 1, 2], &numbers]);
        let read = [text.parse(), DidKey::from_multibase(&text), DidKey::from_multibase(&likely)];
        for key in read.into_iter().flatten() {
            prop_assert_eq!(key.to_string().parse::<DidKey>().unwrap(), key);
            prop_assert!(!key.verify(&bytes, &[numbers, numbers].concat()));
        }
        let _ = (text.parse::<SigningKey>(), DidKey::from_legacy_multibase(Curve::P256, &multibase(&[&bytes])));
        for curve in CURVES {
            prop_assert!(!key(curve, 3).did_key().verify(b"m", &bytes));
            prop_assert!(!key(curve, 3).did_key().verify(b"m", &[numbers, numbers].concat()));
        }
    }

    #[test]
    fn every_signature_verifies(number in 1u8..255, message in prop::collection::vec(any::<u8>(), 0..200)) {
        for curve in CURVES {
            let signer = key(curve, number);
            prop_assert!(signer.did_key().verify(&message, &signer.sign(&message)));
        }
    }
}
