//! Secrets come by prompt or through an open file descriptor: arguments and the environment are for everybody to see.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::PathBuf;

use console::Term;
use skykeep_engine::BucketKeys;
use skykeep_engine::keys::Secret;

use crate::said;

/// Longest that both keys together are, in bytes.
const MAX_KEYS: usize = 2_048;

/// The keys to a bucket, from a file descriptor or from whoever sits at the terminal.
///
/// Errors: `InvalidInput` without a terminal, or when a line is missing; those of reading.
pub(crate) fn bucket_keys(from: Option<u32>) -> io::Result<BucketKeys> {
    match from {
        Some(number) => {
            let file = File::open(PathBuf::from(format!("/dev/fd/{number}")))?;
            read(BufReader::new(io::Read::take(file, MAX_KEYS as u64)))
        }
        None => {
            let term = Term::stderr();
            if !term.is_term() {
                return Err(io::Error::new(ErrorKind::InvalidInput, said::secrets_no_terminal()));
            }
            term.write_str(&said::secrets_access())?;
            let access = term.read_line()?;
            term.write_str(&said::secrets_secret())?;
            Ok(BucketKeys::new(&access, Secret::new(term.read_secure_line()?)))
        }
    }
}

fn read(mut lines: impl BufRead) -> io::Result<BucketKeys> {
    let mut line = || -> io::Result<Secret<String>> {
        let mut text = String::with_capacity(MAX_KEYS);
        lines.read_line(&mut text)?;
        match text.trim() {
            "" => Err(io::Error::new(ErrorKind::InvalidInput, said::secrets_two_lines())),
            _ => Ok(Secret::new(text)),
        }
    };
    let (access, secret) = (line()?, line()?);
    Ok(BucketKeys::new(access.expose(), secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_are_two_keys_and_fewer_are_none() {
        let check = |text: &str, good: bool| assert_eq!(read(text.as_bytes()).is_ok(), good, "{text:?}");
        check("access\nsecret\n", true);
        check("access\r\nsecret", true);
        check("access\n", false);
        check("access\n\n", false);
        check("", false);
    }
}
