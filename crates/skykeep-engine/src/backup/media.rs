//! Pictures and videos: each fetched once, proved against its CID, and each loss recorded with what needs it.

use std::io::{Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use skykeep_atproto::verify::{BlobUse, VerifiedBlob};
use skykeep_net::Error as Net;
use skykeep_net::pds::Pds;
use skykeep_vault::{Facts, MissingBlob, Writer};
use tracing::debug;

use super::{Run, Told, deliver};
use crate::api::Phase;
use crate::{Error, blocking};

/// Blobs under way at once, most of them waiting for a disk to sync; the host's queue holds requests to its own bound.
const AT_ONCE: usize = 8;

/// Largest blob that is fetched, in bytes. Hosts allow 100 MB.
const MAX_BLOB: u64 = 1 << 30;

/// Blobs after which a manifest is committed and delivered, and what every place has leaves staging: a first backup of
/// any size keeps what it has when it is cut off, and passes through a small part of this computer's disk.
const BATCH: usize = 1000;
/// The same in bytes.
const BATCH_BYTES: u64 = 512 << 20;

/// Part of the disk, and bytes, that no media are staged into when the places do not take them.
const SPARE: (u64, u64) = (20, 1 << 30);

/// What became of media.
pub(super) struct Fetched {
    /// How many are kept now.
    pub(super) kept: u64,
    /// What could not be had.
    pub(super) missing: Vec<MissingBlob>,
}

/// Fetches what is lacking and stages it.
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
) -> Result<Fetched, Error> {
    // The host's sizes are claims, but good enough for an estimate; without all of them there is none.
    let total: Option<u64> = lacking.iter().map(|blob| blob.size).sum();
    run.reporter.phase(Phase::Media, Some(lacking.len() as u64), total);
    let mut fetched = Fetched {
        kept: 0,
        missing: Vec::new(),
    };
    let mut lacking = lacking.into_iter();
    while lacking.len() > 0 {
        let (batch, left) = (Batch::default(), Mutex::new(lacking));
        let next = || {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            batch.has_room().then(|| left.next()).flatten()
        };
        let shared = &*writer;
        let mut going = stream::iter(std::iter::from_fn(next))
            .map(|blob| keep(run, shared, pds, blob, &batch))
            .buffer_unordered(AT_ONCE);
        while let Some(outcome) = going.next().await {
            outcome?;
        }
        drop(going);
        lacking = left.into_inner().unwrap_or_else(PoisonError::into_inner);
        let kept = batch.kept.into_inner();
        fetched.kept += kept;
        fetched
            .missing
            .extend(batch.lost.into_inner().unwrap_or_else(PoisonError::into_inner));
        if lacking.len() > 0 && kept > 0 {
            let so_far = known.iter().chain(&fetched.missing).cloned().collect();
            run.commit(writer, facts(so_far, lacking.len() as u64)).await?;
            let delivery = deliver(run.inner, run.reporter, run.now, Told::No).await?;
            if delivery.reached == 0 {
                has_room(run).await?;
            }
        }
    }
    Ok(fetched)
}

/// What one batch came to.
#[derive(Default)]
struct Batch {
    begun: AtomicUsize,
    bytes: AtomicU64,
    kept: AtomicU64,
    lost: Mutex<Vec<MissingBlob>>,
}

impl Batch {
    /// Whether one more begins in this batch; it counts as begun then.
    fn has_room(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) < BATCH_BYTES && self.begun.fetch_add(1, Ordering::Relaxed) < BATCH
    }
}

/// Media that no place takes fill this computer's disk only so far.
///
/// Errors: `Staging` (`Full`) when no more should be staged.
async fn has_room(run: &Run<'_>) -> Result<(), Error> {
    let probe = run.inner.staging.store().probe().await.map_err(Error::Staging)?;
    let (Some(free), Some(total)) = (probe.free, probe.total) else {
        return Ok(());
    };
    let (part, bytes) = SPARE;
    if free < bytes.min(total / part) {
        return Err(Error::Staging(skykeep_vault::Error::Full { needed: None }));
    }
    Ok(())
}

/// Keeps one blob, or notes why it cannot be had.
async fn keep(run: &Run<'_>, writer: &Writer, pds: &Pds, blob: BlobUse, batch: &Batch) -> Result<(), Error> {
    let kept = |bytes: u64| {
        batch.kept.fetch_add(1, Ordering::Relaxed);
        batch.bytes.fetch_add(bytes, Ordering::Relaxed);
    };
    if writer.adopt_blob(&blob).await.map_err(Error::Staging)? {
        run.reporter.add(1, blob.size.unwrap_or(0));
        kept(blob.size.unwrap_or(0));
        return Ok(());
    }
    let mut reason = None;
    // Bytes that do not match may have been spoilt on the way: once more, then the blob is missing.
    for _ in 0..2 {
        reason = match fetch_one(run, writer, pds, &blob).await {
            Ok(bytes) => {
                kept(bytes);
                None
            }
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
    if let Some(reason) = reason {
        let mut lost = batch.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.push(MissingBlob::new(&blob, reason));
    }
    Ok(())
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

/// Fetches, proves and stages one blob; its length in bytes.
async fn fetch_one(run: &Run<'_>, writer: &Writer, pds: &Pds, blob: &BlobUse) -> Result<u64, Error> {
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
        writer.put_blob(blob, &verified, file).await.map_err(Error::Staging)?;
        Ok(verified.len())
    };
    let outcome = fetched.await;
    // Swept at the next start in any case.
    let _ = tokio::fs::remove_file(&path).await;
    outcome
}
