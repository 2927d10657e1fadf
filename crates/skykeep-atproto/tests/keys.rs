//! Keys and signatures, from outside.

use skykeep_atproto::{Curve, DidKey, SigningKey};

const CURVES: [Curve; 2] = [Curve::K256, Curve::P256];

fn key(curve: Curve, number: u8) -> SigningKey {
    SigningKey::from_bytes(curve, &[number; 32]).unwrap()
}

/// `order - s`, so that a signature stays arithmetically right and becomes high.
fn high_s(curve: Curve, signature: [u8; 64]) -> [u8; 64] {
    let order = data_encoding::HEXLOWER
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
