//! The same two numbers in forms that must not count.

use skykeep_atproto::Curve;

/// The orders of the curves, big-endian.
const K256: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc,
    0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];
const P256: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The other signature of the same message: `s` is replaced by the curve's order less `s`.
pub fn high_s(curve: Curve, signature: [u8; 64]) -> [u8; 64] {
    let order = match curve {
        Curve::K256 => K256,
        Curve::P256 => P256,
    };
    let mut high = signature;
    let mut borrow = 0;
    for (digit, whole) in high[32..].iter_mut().zip(order).rev() {
        let rest = i16::from(whole) - i16::from(*digit) - borrow;
        borrow = i16::from(rest < 0);
        *digit = rest.to_le_bytes()[0];
    }
    high
}

/// The ASN.1 form of a signature.
pub fn der(signature: [u8; 64]) -> Vec<u8> {
    let mut body = Vec::new();
    for number in signature.chunks(32) {
        let digits: Vec<u8> = number.iter().copied().skip_while(|digit| *digit == 0).collect();
        let sign: &[u8] = if digits.first().is_none_or(|digit| *digit >= 0x80) {
            &[0]
        } else {
            &[]
        };
        section(&mut body, 0x02, &[sign, &digits].concat());
    }
    let mut out = Vec::new();
    section(&mut out, 0x30, &body);
    out
}

fn section(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    out.extend([kind, u8::try_from(body.len()).expect("two numbers of 33 bytes at most")]);
    out.extend(body);
}
