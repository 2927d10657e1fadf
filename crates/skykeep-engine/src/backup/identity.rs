//! Who the account is now: its audit log, its document, its keys, its host.
//!
//! The log is asked for on every run, because it is what the signature is judged by; the document, the handle and the
//! host's description of itself follow when the log has changed or a day has passed. When the directory does not answer,
//! a log that was kept before still tells every key up to then, so posts go on being kept.

use skykeep_atproto::did::Method;
use skykeep_atproto::plc::{self, Audit, KeyHistory, LogEntry};
use skykeep_atproto::{Cid, Did, Handle};
use skykeep_net::pds::{Pds, ServerDescription};
use skykeep_net::plc::Directory;
use skykeep_net::resolve::{HandleProblem, Identifier, Resolver};
use skykeep_net::{CancellationToken, Client};
use skykeep_vault::Snapshot;
use url::Url;

use crate::Error;

/// What a run knows about the account it keeps.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) did: Did,
    pub(crate) history: KeyHistory,
    /// The audit log as served, and its last valid operation. None for did:web.
    pub(crate) log: Option<Log>,
    /// The DID document as served, when it was asked for.
    pub(crate) document: Option<Vec<u8>>,
    pub(crate) host: Url,
    pub(crate) handle: Option<Handle>,
    /// Whether what was kept before had to do, because the directory did not answer.
    pub(crate) remembered: bool,
}

/// An audit log that holds.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) bytes: Vec<u8>,
    pub(crate) head: Option<Cid>,
}

/// What the last snapshot remembers of an identity.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// The audit log as it was kept.
    pub(crate) log: Option<Vec<u8>>,
    pub(crate) handle: Option<Handle>,
    pub(crate) audit_head: Option<Cid>,
}

impl Remembered {
    /// What `snapshot` says, with the log that was read beside it.
    pub(crate) fn of(snapshot: &Snapshot, log: Option<Vec<u8>>) -> Self {
        let body = &snapshot.manifest.body;
        Self {
            log,
            handle: body.handle.clone(),
            audit_head: body.audit_head,
        }
    }
}

/// Asks who the account is. `thorough` asks for the document and the handle even when the log is as it was.
///
/// Errors: `Net`; `BadIdentityLog` when the log breaks a rule or what was kept of it is gone; `NoHost`.
pub(crate) async fn ask(
    client: &Client,
    did: &Did,
    before: &Remembered,
    thorough: bool,
    cancel: &CancellationToken,
) -> Result<Identity, Error> {
    match did.method() {
        Method::Plc => ask_directory(client, did, before, thorough, cancel).await,
        Method::Web | Method::Other => ask_document(client, did, cancel).await,
    }
}

async fn ask_directory(
    client: &Client,
    did: &Did,
    before: &Remembered,
    thorough: bool,
    cancel: &CancellationToken,
) -> Result<Identity, Error> {
    let kept = before.log.as_deref().map(plc::parse_log).transpose()?;
    let (bytes, entries, remembered) = match Directory::new(client).audit_log(did, cancel).await {
        Ok(log) => (log.bytes, log.entries, false),
        Err(error) => match (&before.log, kept.clone()) {
            (Some(bytes), Some(entries)) if error.is_transient() => (bytes.clone(), entries, true),
            _ => return Err(error.into()),
        },
    };
    let audit = hold_to_account(did, kept.as_deref().unwrap_or_default(), &entries)?;
    let history = audit
        .key_history()
        .ok_or_else(|| bad_log(did, "it names no signing key"))?;
    let state = audit
        .current()
        .ok_or(skykeep_net::Error::DidTombstoned { did: did.clone() })?;
    let pds = state
        .pds()
        .and_then(|pds| Url::parse(&pds).ok())
        .ok_or(Error::NoHost { did: did.clone() })?;
    let head = audit.head().map(|operation| operation.cid);
    let (mut document, mut handle) = (None, before.handle.clone());
    if !remembered && (thorough || head != before.audit_head) {
        let known = before
            .handle
            .clone()
            .filter(|handle| state.handle().as_ref() == Some(handle));
        (document, handle) = confirm(client, did, known, cancel).await?;
    }
    Ok(Identity {
        did: did.clone(),
        history,
        log: Some(Log { bytes, head }),
        document,
        host: pds,
        handle,
        remembered,
    })
}

/// Proves a log, and that nothing of the one that was kept is gone from it.
fn hold_to_account(did: &Did, kept: &[LogEntry], entries: &[LogEntry]) -> Result<Audit, Error> {
    let audit = plc::audit(Some(did), entries);
    if let Some(problem) = audit.problems().first() {
        return Err(bad_log(did, &format!("{} ({})", problem.fault.code(), problem.detail)));
    }
    let comparison = plc::compare(kept, entries);
    if !comparison.is_continuation() {
        return Err(bad_log(
            did,
            "operations that were kept are gone or changed: history was rewritten",
        ));
    }
    Ok(audit)
}

fn bad_log(did: &Did, reason: &str) -> Error {
    Error::BadIdentityLog {
        did: did.clone(),
        reason: reason.to_owned(),
    }
}

/// The document as served, and the handle when it points back. When nobody can be asked, a handle that was confirmed
/// before and is still claimed (`known`) stands.
async fn confirm(
    client: &Client,
    did: &Did,
    known: Option<Handle>,
    cancel: &CancellationToken,
) -> Result<(Option<Vec<u8>>, Option<Handle>), Error> {
    let who = Identifier::Did(did.clone());
    match Resolver::new(client).identify(&who, cancel).await {
        Ok(identity) => {
            let unasked = identity.handle_problem == Some(HandleProblem::Unreachable);
            let handle = if unasked { known } else { identity.handle };
            Ok((Some(identity.document.bytes), handle))
        }
        Err(error) if error.is_transient() => Ok((None, known)),
        Err(error) => Err(error.into()),
    }
}

async fn ask_document(client: &Client, did: &Did, cancel: &CancellationToken) -> Result<Identity, Error> {
    let who = Identifier::Did(did.clone());
    let identity = Resolver::new(client).identify(&who, cancel).await?;
    let key = identity.document.parsed.signing_key;
    let history = key.map_or_else(
        || KeyHistory::unknown(did.clone()),
        |key| KeyHistory::of_key(did.clone(), key),
    );
    let host = identity.pds.ok_or(Error::NoHost { did: did.clone() })?;
    Ok(Identity {
        did: did.clone(),
        history,
        log: None,
        document: Some(identity.document.bytes),
        host,
        handle: identity.handle,
        remembered: false,
    })
}

/// What the host says of itself; `None` when it does not say.
pub(crate) async fn describe(pds: &Pds, cancel: &CancellationToken) -> Result<Option<ServerDescription>, Error> {
    match pds.describe_server(cancel).await {
        Ok(description) => Ok(Some(description)),
        Err(skykeep_net::Error::Cancelled) => Err(Error::Stopped),
        Err(_) => Ok(None),
    }
}
