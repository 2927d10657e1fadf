//! Timestamp identifiers: revs and most record keys.
//!
//! Source: AT Protocol "TID": 13 letters, 53 bits of microseconds since 1970 and 10 bits of clock id; text order is
//! time order.

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::as_text::as_text;

/// A valid TID. Order is time order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tid([u8; 13]);

const ALPHABET: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

impl Tid {
    /// The TID of `micros` microseconds since 1970 (53 bits) and `clock` (10 bits).
    pub fn new(micros: u64, clock: u16) -> Self {
        let value = (micros & ((1 << 53) - 1)) << 10 | u64::from(clock & 0x3ff);
        let mut letters = [0; 13];
        for (i, letter) in letters.iter_mut().enumerate() {
            #[allow(clippy::cast_possible_truncation)] // masked to five bits
            let index = (value >> (60 - 5 * i)) as usize & 31;
            *letter = ALPHABET[index];
        }
        Self(letters)
    }

    /// The 13 letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only letters of the alphabet get in")
    }

    /// When it says it was made, in microseconds since 1970. A claim: nothing proves it.
    pub fn micros(&self) -> u64 {
        let value = self.0.iter().fold(0u64, |value, letter| {
            value << 5
                | ALPHABET
                    .iter()
                    .position(|a| a == letter)
                    .expect("only letters of the alphabet get in") as u64
        });
        value >> 10
    }
}

impl FromStr for Tid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let letters: [u8; 13] = text.as_bytes().try_into().map_err(|_| Error::syntax("TID", text))?;
        // The top bit of the 64 is always 0, so the first letter is of the first half.
        let valid = ALPHABET[..16].contains(&letters[0]) && letters.iter().all(|l| ALPHABET.contains(l));
        if valid {
            Ok(Self(letters))
        } else {
            Err(Error::syntax("TID", text))
        }
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

as_text!(Tid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_is_checked() {
        for good in ["3jzfcijpj2z2a", "7777777777777", "2222222222222", "jzzzzzzzzzzzz"] {
            assert_eq!(good.parse::<Tid>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "3jzfcijpj2z21",
            "0000000000000",
            "3jzfcijpj2z2aa",
            "3jzfcijpj2z2",
            "3jzf-cij-pj2z-2a",
            "kjzfcijpj2z2a",
        ] {
            assert!(bad.parse::<Tid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn text_order_is_time_order() {
        let micros = 1_700_000_000_000_000;
        let early = Tid::new(micros, 1023);
        let late = Tid::new(micros + 1, 0);
        assert!(early < late && early.as_str() < late.as_str());
        assert_eq!(early.micros(), micros);
        assert_eq!(early.as_str().parse::<Tid>().unwrap(), early);
    }
}
