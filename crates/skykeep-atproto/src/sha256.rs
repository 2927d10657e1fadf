//! SHA-256 of bytes that are all there, without the buffer that a stream needs: most blocks are a few hundred bytes.
//!
//! Source: FIPS 180-4; the compression function is that of the `sha2` crate.

use std::slice;

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

/// A hash that is being made, one block at a time.
#[derive(Debug)]
struct Hash<'a> {
    state: [u32; 8],
    whole: &'a [[u8; BLOCK]],
    /// What the whole blocks leave over, a one bit, zeros, and the length in bits at the end of a block.
    tail: [[u8; BLOCK]; 2],
    /// Which block of the tail comes next.
    next: usize,
}

impl<'a> Hash<'a> {
    #[inline]
    fn new(bytes: &'a [u8]) -> Self {
        let (whole, rest) = bytes.as_chunks::<BLOCK>();
        let mut tail = [[0; BLOCK]; 2];
        let next = if rest.len() < BLOCK - 8 { 1 } else { 0 };
        tail[next][..rest.len()].copy_from_slice(rest);
        tail[next][rest.len()] = 0x80;
        tail[1][BLOCK - 8..].copy_from_slice(&(bytes.len() as u64 * 8).to_be_bytes());
        Self {
            state: START,
            whole,
            tail,
            next,
        }
    }

    /// Takes in the next block; false when it was the last.
    #[inline]
    fn step(&mut self) -> bool {
        let block = if let Some((block, rest)) = self.whole.split_first() {
            self.whole = rest;
            block
        } else {
            self.next += 1;
            &self.tail[self.next - 1]
        };
        compress256(&mut self.state, slice::from_ref(block));
        self.next < 2
    }

    /// Takes in all blocks: the digest as eight big-endian words.
    #[inline]
    fn words(mut self) -> [u32; 8] {
        if !self.whole.is_empty() {
            compress256(&mut self.state, self.whole);
        }
        compress256(&mut self.state, &self.tail[self.next..]);
        self.state
    }
}

#[inline]
fn bytes(words: [u32; 8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (out, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *out = word.to_be_bytes();
    }
    digest
}

/// The digest of `bytes`.
#[inline]
pub(crate) fn digest(all: &[u8]) -> [u8; 32] {
    bytes(Hash::new(all).words())
}

/// The digests of many pieces, in their order; `out` is cleared first.
///
/// Two are hashed in turn, a block of each. A block waits for the one before it, but not for those of another piece: so
/// a processor that looks ahead does both at once.
pub(crate) fn digests<'a>(pieces: impl Iterator<Item = &'a [u8]>, out: &mut Vec<[u8; 32]>) {
    out.clear();
    let mut pieces = pieces.enumerate();
    let mut next = |out: &mut Vec<[u8; 32]>| {
        let (n, piece) = pieces.next()?;
        out.push([0; 32]);
        Some((n, Hash::new(piece)))
    };
    let (mut one, mut other) = (next(out), next(out));
    while let (Some((a, first)), Some((b, second))) = (&mut one, &mut other) {
        let (more_a, more_b) = (first.step(), second.step());
        if !more_a {
            out[*a] = bytes(first.state);
            one = next(out);
        }
        if !more_b {
            out[*b] = bytes(second.state);
            other = next(out);
        }
    }
    for (n, hash) in one.into_iter().chain(other) {
        out[n] = bytes(hash.words());
    }
}

/// Zero bits at the beginning of the digest of `bytes`.
#[inline]
pub(crate) fn leading_zeros(bytes: &[u8]) -> u32 {
    let mut zeros = 0;
    for word in Hash::new(bytes).words() {
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
    fn many_pieces_are_hashed_as_each_alone() {
        let bytes: Vec<u8> = (0..300u32).map(|n| (n * 7 % 251).to_le_bytes()[0]).collect();
        let check = |lengths: &[usize]| {
            let mut found = vec![[1; 32]; 3];
            digests(lengths.iter().map(|len| &bytes[..*len]), &mut found);
            let expected: Vec<[u8; 32]> = lengths
                .iter()
                .map(|len| Sha256::digest(&bytes[..*len]).into())
                .collect();
            assert_eq!(found, expected, "{lengths:?}");
        };
        check(&[]);
        check(&[55]);
        check(&[300, 0]);
        check(&[0, 300]);
        check(&[300, 1, 2, 3, 64]);
        check(&[63, 64, 65, 300, 0, 128, 56, 55]);
        check(&(0..300).collect::<Vec<_>>());
        check(&(0..300).rev().collect::<Vec<_>>());
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
