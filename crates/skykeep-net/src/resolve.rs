//! From what a person typed to an identity that was checked both ways.
//!
//! A handle names a DID, and the DID's document names a handle: only when both agree is the handle the account's. What
//! cannot be reached is never called unknown. Sources: AT Protocol "Handle" and "DID"; did:web.

use skykeep_atproto::did::Method;
use skykeep_atproto::{Did, Handle};
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

use crate::error::Error;
use crate::guard::is_localhost;
use crate::handle;
use crate::plc::{DOCUMENT, Directory};
use crate::question::{Kind, Question};
use crate::xrpc::Client;

pub use crate::identifier::Identifier;
pub use crate::plc::Document;

/// Asks who somebody is.
#[derive(Debug, Clone)]
pub struct Resolver {
    client: Client,
    directory: Directory,
}

/// Who an account is, as of now.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The account.
    pub did: Did,
    /// Its handle, when handle and DID point to each other.
    pub handle: Option<Handle>,
    /// The handle that its document names, checked or not.
    pub claimed_handle: Option<Handle>,
    /// Why there is no `handle`. Only when the account was asked for by its DID: by handle this is an error.
    pub handle_problem: Option<HandleProblem>,
    /// The DID document.
    pub document: Document,
    /// Its host, when the document names one at an address that can be asked: the argument of [`crate::pds::Pds::new`].
    pub pds: Option<Url>,
}

/// Why the handle that a document names is not the account's, or not known to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandleProblem {
    /// The document names none.
    Unclaimed,
    /// It points to another account.
    PointsElsewhere(Did),
    /// It points nowhere.
    NotFound,
    /// Those who should know could not be asked.
    Unreachable,
}

impl Resolver {
    /// Asks whom the configuration names.
    pub fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            directory: Directory::new(client),
        }
    }

    /// Who is meant: DID, document, and handle checked both ways.
    ///
    /// Errors: those of [`Resolver::resolve_handle`] and [`Resolver::document`]; `HandleMismatch` when the account that
    /// a handle points to names another one. An account asked for by DID has no such errors: see
    /// [`Identity::handle_problem`].
    pub async fn identify(&self, who: &Identifier, cancel: &CancellationToken) -> Result<Identity, Error> {
        match who {
            Identifier::Handle(handle) => {
                let did = self.resolve_handle(handle, cancel).await?;
                let document = self.document(&did, cancel).await?;
                if document.parsed.handle.as_ref() != Some(handle) {
                    return Err(Error::HandleMismatch {
                        handle: handle.clone(),
                        did,
                        says: document.parsed.handle,
                    });
                }
                Ok(identity(did, document, None))
            }
            Identifier::Did(did) => {
                let document = self.document(did, cancel).await?;
                let problem = match &document.parsed.handle {
                    None => Some(HandleProblem::Unclaimed),
                    Some(handle) => match self.resolve_handle(handle, cancel).await {
                        Ok(found) if found == *did => None,
                        Ok(found) => Some(HandleProblem::PointsElsewhere(found)),
                        Err(Error::Cancelled) => return Err(Error::Cancelled),
                        Err(Error::HandleNotFound { .. }) => Some(HandleProblem::NotFound),
                        Err(_) => Some(HandleProblem::Unreachable),
                    },
                };
                Ok(identity(did.clone(), document, problem))
            }
        }
    }

    /// The DID that a handle points to, not checked the other way.
    ///
    /// Errors: `HandleNotFound` when those who should know were asked and do not; `HandleUnreachable` when they could not
    /// be asked, which says nothing about the handle.
    pub async fn resolve_handle(&self, handle: &Handle, cancel: &CancellationToken) -> Result<Did, Error> {
        handle::resolve(&self.client, handle, cancel).await
    }

    /// The document of a DID: did:plc from the directory, did:web from its host.
    ///
    /// Errors: `DidNotFound`, `DidTombstoned`, `DidUnsupported`, `Malformed`, and what the network does.
    pub async fn document(&self, did: &Did, cancel: &CancellationToken) -> Result<Document, Error> {
        match did.method() {
            Method::Plc => self.directory.document(did, cancel).await,
            Method::Web => self.web_document(did, cancel).await,
            Method::Other => Err(Error::DidUnsupported { did: did.clone() }),
        }
    }

    async fn web_document(&self, did: &Did, cancel: &CancellationToken) -> Result<Document, Error> {
        let url = web_address(did, self.client.guard().loopback);
        let question = Question {
            url: url.ok_or_else(|| Error::DidUnsupported { did: did.clone() })?,
            what: "DID document",
            kind: Kind::File,
            limit: DOCUMENT,
            redirects: 0,
            about: None,
        };
        let answer = self.client.ask(&question, cancel).await.map_err(|error| match error {
            Error::Http { status: 404 | 410, .. } | Error::Xrpc { status: 404 | 410, .. } => {
                Error::DidNotFound { did: did.clone() }
            }
            other => other,
        })?;
        question.document(did, answer.bytes)
    }
}

fn identity(did: Did, document: Document, problem: Option<HandleProblem>) -> Identity {
    let claimed = document.parsed.handle.clone();
    Identity {
        did,
        handle: claimed.clone().filter(|_| problem.is_none()),
        claimed_handle: claimed,
        handle_problem: problem,
        pds: document.parsed.pds.as_deref().and_then(|address| address.parse().ok()),
        document,
    }
}

/// Where the document of a did:web is. Ports, plain http and `localhost` belong together, and to test mode.
///
/// Source: did:web, "Read (Resolve)"; AT Protocol "DID" allows host names without a path, and ports for localhost
/// alone.
fn web_address(did: &Did, test_mode: bool) -> Option<Url> {
    let authority = did.id().replace("%3A", ":").replace("%3a", ":");
    let host = authority.split(':').next()?;
    let scheme = if is_localhost(host) { "http" } else { "https" };
    if (is_localhost(host) && !test_mode) || (host != authority && !is_localhost(host)) {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{authority}/.well-known/did.json")).ok()?;
    matches!(url.host(), Some(Host::Domain(name)) if name == host).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_did_is_a_host_and_nothing_more() {
        let check = |did: &str, test_mode, expected: Option<&str>| {
            let url = web_address(&did.parse().unwrap(), test_mode);
            assert_eq!(url.as_ref().map(Url::as_str), expected, "{did}");
        };
        let document = "https://example.com/.well-known/did.json";
        check("did:web:example.com", false, Some(document));
        check("did:web:example.com", true, Some(document));
        check("did:web:example.com%3A8443", false, None);
        check("did:web:example.com%3A8443", true, None);
        check("did:web:localhost%3A2583", false, None);
        check(
            "did:web:localhost%3A2583",
            true,
            Some("http://localhost:2583/.well-known/did.json"),
        );
        check("did:web:127.0.0.1", true, None);
        check("did:web:example.com%2Fpath", false, None);
        check("did:web:a%40example.com", false, None);
        check("did:web:2130706433", false, None);
    }
}
