//! Pictures and videos: each fetched once, proved against its CID, and each loss recorded with what needs it.

use std::io::{Seek, SeekFrom};
use std::sync::Mutex;
use std::sync::PoisonError;

use futures_util::{StreamExt, stream};
use skykeep_atproto::verify::{BlobUse, VerifiedBlob};
use skykeep_net::Error as Net;
use skykeep_net::pds::Pds;
use skykeep_vault::{Facts, MissingBlob, Writer};
use tracing::debug;

use super::Run;
use crate::api::Phase;
use crate::{Error, blocking};

/// Blobs fetched at once; the host's queue holds them to its own bound.
const AT_ONCE: usize = 3;

/// Largest blob that is fetched, in bytes. Hosts allow 100 MB.
const MAX_BLOB: u64 = 1 << 30;

/// Blobs after which a manifest is committed and delivered, so that a long first backup keeps what it has.
const BATCH: usize = 1000;

/// Fetches what is lacking and stages it. Answers what could not be had.
///
/// `known` is missing already and stays in the manifests in between. Errors: those that stop the run; a blob that the
/// host does not give is no error.
pub(super) async fn fetch(
    run: &Run<'_>,
    writer: &mut Writer,
    pds: &Pds,
    lacking: Vec<BlobUse>,
    known: &[MissingBlob],
    facts: &impl Fn(Vec<MissingBlob>, u64) -> Facts,
) -> Result<Vec<MissingBlob>, Error> {
    // The host's sizes are claims, but good enough for an estimate; without all of them there is none.
    let total: Option<u64> = lacking.iter().map(|blob| blob.size).sum();
    let mut left = lacking.len();
    run.reporter.phase(Phase::Media, Some(left as u64), total);
    let mut missing = Vec::new();
    let mut lacking = lacking.into_iter().peekable();
    while lacking.peek().is_some() {
        let batch: Vec<BlobUse> = lacking.by_ref().take(BATCH).collect();
        left -= batch.len();
        let lost = Mutex::new(Vec::new());
        let shared = &*writer;
        let mut going = stream::iter(batch)
            .map(|blob| {
                let lost = &lost;
                async move {
                    if let Some(reason) = keep(run, shared, pds, &blob).await? {
                        lost.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(MissingBlob::new(&blob, reason));
                    }
                    Ok::<(), Error>(())
                }
            })
            .buffer_unordered(AT_ONCE);
        while let Some(outcome) = going.next().await {
            outcome?;
        }
        drop(going);
        missing.extend(lost.into_inner().unwrap_or_else(PoisonError::into_inner));
        if left > 0 {
            let so_far = known.iter().chain(&missing).cloned().collect();
            run.commit(writer, facts(so_far, left as u64)).await?;
        }
    }
    Ok(missing)
}

/// Keeps one blob; the reason when it cannot be had.
async fn keep(run: &Run<'_>, writer: &Writer, pds: &Pds, blob: &BlobUse) -> Result<Option<&'static str>, Error> {
    if writer.adopt_blob(blob).await.map_err(Error::Staging)? {
        run.reporter.add(1, blob.size.unwrap_or(0));
        return Ok(None);
    }
    let mut reason = None;
    // Bytes that do not match may have been spoilt on the way: once more, then the blob is missing.
    for _ in 0..2 {
        reason = match fetch_one(run, writer, pds, blob).await {
            Ok(()) => None,
            Err(Error::Net(error)) if reason_of(&error).is_some() => reason_of(&error),
            Err(Error::Protocol(skykeep_atproto::Error::HashMismatch { cid })) => {
                debug!(%cid, "the host's bytes are not this blob");
                reason = Some("mismatch");
                continue;
            }
            Err(error) => return Err(error),
        };
        break;
    }
    run.reporter.add(1, 0);
    Ok(reason)
}

/// Why one blob cannot be had, when it is about this blob and not about the host.
fn reason_of(error: &Net) -> Option<&'static str> {
    match error {
        Net::BlobNotFound { .. } => Some("not_found"),
        Net::TooLarge { .. } => Some("too_large"),
        Net::AuthRequired { .. } => Some("forbidden"),
        Net::Xrpc { status: 400..500, .. } | Net::Http { status: 400..500, .. } => Some("refused"),
        Net::Xrpc { .. } | Net::Http { .. } => Some("host_error"),
        Net::BadBody { .. } | Net::Malformed { .. } => Some("unusable"),
        _ => None,
    }
}

async fn fetch_one(run: &Run<'_>, writer: &Writer, pds: &Pds, blob: &BlobUse) -> Result<(), Error> {
    let path = run.inner.incoming("blob")?;
    let limit = MAX_BLOB;
    let fetched = async {
        let mut options = tokio::fs::OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .await
            .map_err(Error::data(&path))?;
        let mut told = 0;
        let progress = |bytes: u64| {
            run.reporter.add(0, bytes.saturating_sub(told));
            told = told.max(bytes);
        };
        pds.get_blob(run.did, &blob.cid, &mut file, limit, progress, run.reporter.cancel())
            .await?;
        let mut file = file.into_std().await;
        let cid = blob.cid;
        let data_error = Error::data(path.clone());
        let (verified, file) = blocking(move || {
            let rewind = |file: &mut std::fs::File| file.seek(SeekFrom::Start(0)).map(drop);
            rewind(&mut file).map_err(data_error)?;
            let verified = VerifiedBlob::copy(cid, &file, std::io::sink(), limit)?;
            rewind(&mut file).map_err(skykeep_atproto::Error::from)?;
            Ok((verified, file))
        })
        .await?;
        writer.put_blob(blob, &verified, file).await.map_err(Error::Staging)
    };
    let outcome = fetched.await;
    // Swept at the next start in any case.
    let _ = tokio::fs::remove_file(&path).await;
    outcome
}
