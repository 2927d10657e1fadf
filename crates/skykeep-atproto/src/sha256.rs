//! SHA-256 of bytes that are all there, without the buffer that a stream needs: most blocks are a few hundred bytes.
//!
//! Source: FIPS 180-4; the compression function is that of the `sha2` crate.

use sha2::block_api::compress256;

const BLOCK: usize = 64;

const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The digest of `bytes` as eight big-endian words.
#[inline]
fn words(bytes: &[u8]) -> [u32; 8] {
    let mut state = START;
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    if !blocks.is_empty() {
        compress256(&mut state, blocks);
    }
    // What is left, a one bit, zeros, and the length in bits at the end of a block.
    let mut tail = [[0; BLOCK]; 2];
    tail[0][..rest.len()].copy_from_slice(rest);
    tail[0][rest.len()] = 0x80;
    let used = if rest.len() < BLOCK - 8 { 1 } else { 2 };
    tail[used - 1][BLOCK - 8..].copy_from_slice(&(bytes.len() as u64 * 8).to_be_bytes());
    compress256(&mut state, &tail[..used]);
    state
}

/// The digest of `bytes`.
#[inline]
pub(crate) fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (out, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(words(bytes)) {
        *out = word.to_be_bytes();
    }
    digest
}

/// Zero bits at the beginning of the digest of `bytes`.
#[inline]
pub(crate) fn leading_zeros(bytes: &[u8]) -> u32 {
    let mut zeros = 0;
    for word in words(bytes) {
        zeros += word.leading_zeros();
        if word != 0 {
            break;
        }
    }
    zeros
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn every_length_around_a_block_is_right() {
        let bytes: Vec<u8> = (0..300u32).map(|n| (n * 7 % 251).to_le_bytes()[0]).collect();
        for len in 0..bytes.len() {
            assert_eq!(digest(&bytes[..len])[..], Sha256::digest(&bytes[..len])[..], "{len}");
        }
    }

    #[test]
    fn zeros_are_counted_from_the_front() {
        // SHA-256 of these begins with 0x00, 0x0…, and a one bit.
        for bytes in [&b"app.bsky.feed.post/9adeb165882c"[..], b"blue", b"asdf"] {
            let expected = Sha256::digest(bytes);
            let whole = expected.iter().take_while(|b| **b == 0).count();
            let zeros = u32::try_from(whole).unwrap() * 8 + expected[whole].leading_zeros();
            assert_eq!(leading_zeros(bytes), zeros);
        }
    }
}
