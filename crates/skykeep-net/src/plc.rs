//! What we ask of the PLC directory: audit logs, documents, whether it is there.
//!
//! The log proves itself (signatures and hashes), so any directory or replica will do. Source: did:plc, "DID PLC
//! Directory Server"; the reference server answers 404 where its OpenAPI file says 410, so both are read.

use serde::Deserialize;
use skykeep_atproto::Did;
use skykeep_atproto::did::Method;
use skykeep_atproto::document::DidDocument;
use skykeep_atproto::plc::{LogEntry, parse_log};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::error::Error;
use crate::guard::host_of;
use crate::question::{Kind, Question, below};
use crate::xrpc::Client;

/// Largest DID document, in bytes.
pub(crate) const DOCUMENT: u64 = 1024 * 1024;
/// Largest audit log: about a thousand of the largest operations.
const LOG: u64 = 4 * 1024 * 1024;

/// The directory that the configuration names.
#[derive(Debug, Clone)]
pub struct Directory {
    client: Client,
    url: Url,
}

/// An audit log as it was served, not yet audited.
#[derive(Debug, Clone)]
pub struct AuditLog {
    /// The answer itself: JSON.
    pub bytes: Vec<u8>,
    /// Its entries, oldest first.
    pub entries: Vec<LogEntry>,
}

/// A DID document as it was served, and what it says.
#[derive(Debug, Clone)]
pub struct Document {
    /// The answer itself: JSON.
    pub bytes: Vec<u8>,
    /// What AT Protocol reads in it.
    pub parsed: DidDocument,
}

impl Directory {
    /// The directory at [`crate::NetConfig::plc_url`].
    pub fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            url: client.config().plc_url.clone(),
        }
    }

    /// Every operation of an identity, the nullified ones too. Answered for ended identities as well.
    ///
    /// Errors: `DidNotFound`, `DidUnsupported` for other methods, `Malformed`, and what the network does.
    pub async fn audit_log(&self, did: &Did, cancel: &CancellationToken) -> Result<AuditLog, Error> {
        let question = self.question(did, &["log", "audit"], "audit log", LOG)?;
        let answer = self
            .client
            .ask(&question, cancel)
            .await
            .map_err(|error| absent(error, did))?;
        let entries = parse_log(&answer.bytes).map_err(|source| question.malformed(source))?;
        Ok(AuditLog {
            bytes: answer.bytes,
            entries,
        })
    }

    /// The DID document.
    ///
    /// Errors: `DidNotFound`, `DidTombstoned`, `DidUnsupported` for other methods, `Malformed`, and what the network
    /// does.
    pub async fn document(&self, did: &Did, cancel: &CancellationToken) -> Result<Document, Error> {
        let question = self.question(did, &[], "DID document", DOCUMENT)?;
        let answer = self
            .client
            .ask(&question, cancel)
            .await
            .map_err(|error| absent(error, did))?;
        question.document(did, answer.bytes)
    }

    /// The version of the directory's program: whether it is there at all.
    pub async fn health(&self, cancel: &CancellationToken) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Health {
            version: String,
        }
        let question = self.ask_for(&["_health"], "health", 4096);
        let health: Health = self.client.ask_json(&question, cancel).await?;
        Ok(health
            .version
            .chars()
            .filter(|letter| !letter.is_control())
            .take(64)
            .collect())
    }

    /// Its name, with the port if that is unusual: what errors call it.
    pub fn host(&self) -> String {
        host_of(&self.url)
    }

    fn question(&self, did: &Did, rest: &[&str], what: &'static str, limit: u64) -> Result<Question, Error> {
        if did.method() != Method::Plc {
            return Err(Error::DidUnsupported { did: did.clone() });
        }
        let mut segments = vec![did.as_str()];
        segments.extend_from_slice(rest);
        Ok(self.ask_for(&segments, what, limit))
    }

    fn ask_for(&self, segments: &[&str], what: &'static str, limit: u64) -> Question {
        Question {
            url: below(&self.url, segments),
            what,
            kind: Kind::Json,
            limit,
            redirects: 3,
            about: None,
        }
    }
}

/// Tells an unknown DID from an ended one, and both from a 404 of somebody who is no directory.
fn absent(error: Error, did: &Did) -> Error {
    match error {
        Error::Http { status: 410, .. } | Error::Xrpc { status: 410, .. } => Error::DidTombstoned { did: did.clone() },
        Error::Xrpc {
            status: 404, message, ..
        } if message.starts_with("DID not available") => Error::DidTombstoned { did: did.clone() },
        Error::Xrpc { status: 404, .. } => Error::DidNotFound { did: did.clone() },
        other => other,
    }
}
