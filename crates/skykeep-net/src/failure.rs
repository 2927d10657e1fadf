//! What it means when there is no answer, or one that says no.

use std::error::Error as _;
use std::io;

use serde::Deserialize;
use skykeep_atproto::Did;

use crate::error::{Cause, Error, Refusal};
use crate::guard::NameFault;

/// The body of an XRPC error; the PLC directory sends `message` alone.
#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// Source: error names of `com.atproto.sync.*`, and what reference hosts send instead of them.
pub(crate) fn named(host: String, status: u16, body: &[u8], about: Option<&Did>) -> Error {
    let Ok(failure) = serde_json::from_slice::<Failure>(body) else {
        return Error::Http { host, status };
    };
    let name = failure.error.unwrap_or_default();
    let message = failure.message.unwrap_or_default();
    match (name.as_str(), about.cloned()) {
        ("RepoNotFound", Some(did)) => Error::RepoNotFound { host, did },
        ("RepoTakendown" | "AccountTakedown", Some(did)) => Error::RepoTakendown { host, did },
        ("RepoSuspended", Some(did)) => Error::RepoSuspended { host, did },
        ("RepoDeactivated" | "AccountDeactivated", Some(did)) => Error::RepoDeactivated { host, did },
        ("BlobNotFound", _) => Error::BlobNotFound { host },
        ("InvalidRequest", _) if message == "Blob not found" => Error::BlobNotFound { host },
        ("AuthMissing" | "AuthenticationRequired" | "InvalidToken" | "ExpiredToken", _) => Error::AuthRequired { host },
        _ => Error::Xrpc {
            host,
            status,
            name: name.chars().filter(char::is_ascii_alphanumeric).take(64).collect(),
            message: message
                .chars()
                .filter(|letter| !letter.is_control())
                .take(200)
                .collect(),
        },
    }
}

/// What a failure to get any answer means.
pub(crate) fn unreachable(error: &reqwest::Error, host: &str) -> Error {
    let host = host.to_owned();
    let mut cause = if error.is_timeout() {
        Cause::Timeout
    } else if error.is_connect() {
        Cause::Connect
    } else {
        Cause::Cut
    };
    let mut next = error.source();
    while let Some(source) = next {
        match source.downcast_ref::<NameFault>() {
            Some(NameFault::Private) => {
                let reason = Refusal::PrivateAddress;
                return Error::Refused { host, reason };
            }
            Some(NameFault::Unresolved(why)) => cause = *why,
            None => {}
        }
        if source.downcast_ref::<io::Error>().is_some_and(is_about_certificate) {
            cause = Cause::Certificate;
        }
        next = source.source();
    }
    Error::Unreachable { host, cause }
}

/// I/O errors do not name what they hold as their source, and TLS errors sit in two of them.
fn is_about_certificate(error: &io::Error) -> bool {
    let Some(held) = error.get_ref() else {
        return false;
    };
    match held.downcast_ref::<io::Error>() {
        Some(inner) => is_about_certificate(inner),
        None => matches!(held.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))),
    }
}
