//! Getting a repository and proving it.
//!
//! What is new is asked for with `since` and proved together with what is kept, here or in a place. Where that does not hold, everything is
//! asked for; where even that does not hold, the bytes are set aside with the reasons and what was kept stands. A host
//! reads its blocks while its owner goes on writing, so a whole answer with gaps is asked for again before it is judged.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use skykeep_atproto::plc::KeyHistory;
use skykeep_atproto::verify::{Checked, RepoCheck, Report, SignedBy, VerifiedRepo};
use skykeep_atproto::{Cid, Tid};
use skykeep_net::pds::{LatestCommit, Pds};
use skykeep_vault::{Reach, Writer};
use tracing::{info, warn};

use super::identity::Identity;
use crate::api::Phase;
use crate::engine::Inner;
use crate::runs::Reporter;
use crate::{Error, blocking};

/// Largest repository that is downloaded, in bytes.
const MAX_CAR: u64 = 16 << 30;

/// How often a whole answer with gaps is asked for.
const WHOLE_TRIES: u32 = 3;

/// A commit whose rev lies further ahead is not trusted. Source: the reference relay's bound.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);

/// A proved repository, and the files that its bytes are in.
pub(super) struct Proved {
    pub(super) repo: Arc<VerifiedRepo>,
    pub(super) sources: Vec<File>,
}

/// Fetches and proves the account's repository. `None` when the answer is the commit that is kept already.
///
/// Errors: `Net`, `Staging`, `Unproved`, `FutureRev`, `StaleKey`, `Stopped`.
#[allow(clippy::too_many_arguments)] // one call, from the one run
pub(super) async fn fetch(
    inner: &Inner,
    reporter: &Reporter,
    reach: &Reach,
    writer: &Writer,
    identity: &Identity,
    pds: &Pds,
    latest: &LatestCommit,
    whole: bool,
    now: Timestamp,
) -> Result<Option<Proved>, Error> {
    let kept = kept_files(inner, reach, writer).await;
    if let (Some((head, rev, _)), false) = (&kept, whole) {
        let download = Download::get(inner, reporter, identity, pds, Some(rev)).await?;
        let checked = prove(reporter, &identity.history, kept.as_ref(), &download, true).await?;
        // An answer that is no repository has no root of its own: only one that was proved says that nothing is new.
        if checked.report.root == Some(*head) && checked.proved.is_some() {
            return Ok(None);
        }
        if let Some(proved) = checked.proved {
            return accept(inner, writer, identity, proved, &checked.report, latest, now)
                .await
                .map(Some);
        }
        info!(did = %identity.did, findings = ?checked.report.findings.first(), "the increment does not hold; asking for everything");
    }
    let mut last = None;
    for _ in 0..WHOLE_TRIES {
        let download = Download::get(inner, reporter, identity, pds, None).await?;
        // With what is kept first, so that only what is new is written; alone when what is kept does not hold.
        for with_kept in [true, false] {
            if with_kept && kept.is_none() {
                continue;
            }
            let checked = prove(reporter, &identity.history, kept.as_ref(), &download, with_kept).await?;
            if let Some(proved) = checked.proved {
                return accept(inner, writer, identity, proved, &checked.report, latest, now)
                    .await
                    .map(Some);
            }
            let gaps_only = checked.report.sound && !checked.report.complete;
            last = Some((download.open()?, checked.report, gaps_only));
        }
        if last.as_ref().is_some_and(|(_, _, gaps_only)| !gaps_only) {
            break;
        }
    }
    let Some((file, report, _)) = last else {
        return Err(Error::Stopped);
    };
    Err(reject(inner, writer, identity, file, report, now).await)
}

/// The commit that is kept, proved again from its files: for media that are still to come.
pub(super) async fn read_back(
    inner: &Inner,
    reach: &Reach,
    writer: &Writer,
    identity: &Identity,
) -> Result<Option<Arc<VerifiedRepo>>, Error> {
    let Some((head, _, mut files)) = kept_files(inner, reach, writer).await else {
        return Ok(None);
    };
    let history = identity.history.clone();
    let checked = blocking(move || Ok(RepoCheck::of(&history).root(head).run(&mut files)?)).await?;
    Ok(checked.repo.map(Arc::new))
}

/// Head, its rev and the files of what is kept, from staging or a place; `None` when nothing is, or none can be read.
async fn kept_files(inner: &Inner, reach: &Reach, writer: &Writer) -> Option<(Cid, Tid, Vec<File>)> {
    let rev = writer.previous()?.manifest.body.commit.rev;
    let head = writer.head()?;
    let scratch = inner.data.incoming();
    match reach.repo_files(writer.account(), writer.chain()?, &scratch).await {
        Ok(files) => Some((head, rev, files)),
        Err(error) => {
            warn!(%error, "what is kept cannot be read; a new base follows");
            None
        }
    }
}

/// A CAR that was just downloaded, in a file that goes away with it.
struct Download {
    path: PathBuf,
}

impl Download {
    async fn get(
        inner: &Inner,
        reporter: &Reporter,
        identity: &Identity,
        pds: &Pds,
        since: Option<&Tid>,
    ) -> Result<Self, Error> {
        reporter.phase(Phase::Fetching, None, None);
        let path = inner.incoming("car")?;
        let download = Self { path: path.clone() };
        let mut file = tokio::fs::File::create(&path).await.map_err(Error::data(&path))?;
        let progress = |bytes| reporter.done(0, bytes);
        pds.get_repo(&identity.did, since, &mut file, MAX_CAR, progress, reporter.cancel())
            .await?;
        Ok(download)
    }

    fn open(&self) -> Result<File, Error> {
        File::open(&self.path).map_err(Error::data(&self.path))
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // Swept at the next start in any case.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What a check of a download came to.
struct Attempt {
    report: Report,
    proved: Option<Proved>,
}

async fn prove(
    reporter: &Reporter,
    history: &KeyHistory,
    kept: Option<&(Cid, Tid, Vec<File>)>,
    download: &Download,
    with_kept: bool,
) -> Result<Attempt, Error> {
    reporter.phase(Phase::Verifying, None, None);
    let mut sources = Vec::new();
    let mut check = RepoCheck::of(history);
    if let Some((head, _, files)) = kept.filter(|_| with_kept) {
        check = check.from(*head);
        for file in files {
            sources.push(file.try_clone().map_err(Error::data("staging"))?);
        }
    }
    sources.push(download.open()?);
    let (checked, sources) = blocking(move || {
        for source in &mut sources {
            source.seek(SeekFrom::Start(0)).map_err(Error::data("staging"))?;
        }
        Ok((check.run(&mut sources)?, sources))
    })
    .await?;
    let Checked { report, repo, .. } = checked;
    Ok(Attempt {
        report,
        proved: repo.map(|repo| Proved {
            repo: Arc::new(repo),
            sources,
        }),
    })
}

/// Takes a proved repository, unless its rev or its key says that it should not be believed yet.
async fn accept(
    inner: &Inner,
    writer: &Writer,
    identity: &Identity,
    proved: Proved,
    report: &Report,
    latest: &LatestCommit,
    now: Timestamp,
) -> Result<Proved, Error> {
    let Some(rev) = proved.repo.commit().rev else {
        return Ok(proved);
    };
    let dated = Timestamp::from_microsecond(i64::try_from(rev.micros()).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX);
    if dated > now + CLOCKS_DIFFER {
        return Err(Error::FutureRev {
            did: identity.did.clone(),
            rev,
        });
    }
    if let SignedBy::Earlier { operation } = report.signed_by {
        let known = inner.knows_commit(writer, proved.repo.commit().cid).await?;
        // Right after an import the host serves the old commit under a rev of its own.
        let imported = latest.rev != rev;
        let in_force = proved
            .repo
            .proof()
            .signer()
            .and_then(|period| period.until)
            .is_some_and(|until| dated <= until + CLOCKS_DIFFER);
        let first = writer.previous().is_none();
        if !(known || in_force && (imported || first)) {
            return Err(Error::StaleKey {
                did: identity.did.clone(),
                operation,
            });
        }
    }
    Ok(proved)
}

/// Sets the bytes aside with the reasons. A host that lies each hour does not fill the disk with it.
async fn reject(
    inner: &Inner,
    writer: &Writer,
    identity: &Identity,
    file: File,
    report: Report,
    now: Timestamp,
) -> Error {
    let reason = json!({
        "did": identity.did,
        "host": identity.host.as_str(),
        "root": report.root,
        "rev": report.rev,
        "complete": report.complete,
        "sound": report.sound,
        "findings": report.findings,
    });
    let aside = async {
        let file = writer.put_rejected(file, now, &reason).await?;
        let dropped = inner.staging.trim_rejected(writer.account()).await?;
        Ok::<_, skykeep_vault::Error>((file, dropped))
    };
    let dropped = match aside.await {
        Ok((file, dropped)) => {
            warn!(did = %identity.did, %file, dropped, "what failed its proof is set aside");
            dropped
        }
        Err(error) => {
            warn!(%error, "what failed its proof could not be set aside");
            0
        }
    };
    Error::Unproved {
        did: identity.did.clone(),
        findings: report.findings,
        dropped,
    }
}
