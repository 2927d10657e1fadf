//! Getting a repository and proving it.
//!
//! What is new is asked for with `since`. It is proved beside what is kept, where the last proof left an outline
//! ([`outline`]), else or in doubt together with what is kept, here or in a place. Where that does not hold, everything is
//! asked for; where even that does not hold, the bytes are set aside with the reasons and what was kept stands. A host
//! reads its blocks while its owner goes on writing, so a whole answer with gaps is asked for again before it is judged.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use skykeep_atproto::plc::KeyHistory;
use skykeep_atproto::verify::{
    BlobUse, Checked, CheckedIncrement, KeptFile, Outline, Proof, RepoCheck, Report, SignedBy, VerifiedIncrement,
    VerifiedRepo,
};
use skykeep_atproto::{Cid, Tid};
use skykeep_net::pds::{LatestCommit, Pds};
use skykeep_vault::{PutRepo, Reach, Writer};
use tracing::{info, warn};

use super::identity::Identity;
use super::outline;
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
pub(super) enum Proved {
    /// All of it; the files that are kept, if they were among the sources, which are they and what came.
    Whole {
        repo: Arc<VerifiedRepo>,
        kept: Vec<KeptFile>,
        sources: Vec<File>,
    },
    /// What is new, beside what is kept.
    Beside {
        increment: Arc<VerifiedIncrement>,
        since: File,
    },
}

impl Proved {
    fn proof(&self) -> &Proof {
        match self {
            Self::Whole { repo, .. } => repo.proof(),
            Self::Beside { increment, .. } => increment.proof(),
        }
    }
}

/// Stages what was proved, and remembers its outline. Answers how it is kept, and which blobs are not.
///
/// Errors: `Staging`.
pub(super) async fn put(
    inner: &Inner,
    writer: &mut Writer,
    identity: &Identity,
    proved: Proved,
) -> Result<(PutRepo, Vec<BlobUse>), Error> {
    let history = &identity.history;
    let again = |file: &File| file.try_clone().map_err(Error::data("staging"));
    let put = match &proved {
        Proved::Whole { repo, sources, .. } => {
            let sources = sources.iter().map(again).collect::<Result<_, _>>()?;
            writer.put_repo(repo, history, sources).await
        }
        Proved::Beside { increment, since } => writer.put_beside(increment, history, again(since)?).await,
    };
    let put = put.map_err(Error::Staging)?;
    let (commit, records) = (proved.proof().commit().rev, proved.proof().record_count());
    info!(did = %identity.did, rev = ?commit, records, ?put, "proved and staged");
    let lacking = writer.lacks(proved.proof().blobs());
    if let PutRepo::Increment { .. } = put {
        let (data, account) = (&inner.data, writer.account());
        match proved {
            Proved::Whole { repo, kept, sources } => {
                let make = move |sources: &mut [File]| Outline::of(&repo, &kept, sources);
                outline::write(data, account, sources, make).await;
            }
            Proved::Beside { increment, since } => {
                let make = move |since: &mut [File]| match since {
                    [since] => increment.outline(since),
                    _ => Ok(None),
                };
                outline::write(data, account, vec![since], make).await;
            }
        }
    }
    Ok((put, lacking))
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
        if let Some((_, _, files)) = &kept
            && let Some(outline) = outline::read(&inner.data, writer).await
            && let Some((proved, report)) = prove_beside(reporter, &identity.history, outline, files, &download).await?
        {
            return accept(inner, writer, identity, proved, &report, latest, now)
                .await
                .map(Some);
        }
        let checked = prove(reporter, writer, &identity.history, kept.as_ref(), &download, true).await?;
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
            let checked = prove(reporter, writer, &identity.history, kept.as_ref(), &download, with_kept).await?;
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

/// Proves a download beside what is kept; `None` when that is not to be had.
async fn prove_beside(
    reporter: &Reporter,
    history: &KeyHistory,
    outline: Outline,
    kept: &[File],
    download: &Download,
) -> Result<Option<(Proved, Report)>, Error> {
    reporter.phase(Phase::Verifying, None, None);
    let files: Result<Vec<File>, _> = kept.iter().map(File::try_clone).collect();
    let (mut files, mut since) = (files.map_err(Error::data("staging"))?, download.open()?);
    let check = RepoCheck::of(history);
    blocking(move || {
        let checked = check.increment(outline, &mut files, &mut since)?;
        Ok(checked.map(|CheckedIncrement { report, increment }| {
            let increment = Arc::new(increment);
            (Proved::Beside { increment, since }, report)
        }))
    })
    .await
}

async fn prove(
    reporter: &Reporter,
    writer: &Writer,
    history: &KeyHistory,
    kept: Option<&(Cid, Tid, Vec<File>)>,
    download: &Download,
    with_kept: bool,
) -> Result<Attempt, Error> {
    reporter.phase(Phase::Verifying, None, None);
    let (mut sources, mut names) = (Vec::new(), Vec::new());
    let mut check = RepoCheck::of(history);
    if let Some((head, _, files)) = kept.filter(|_| with_kept) {
        check = check.from(*head);
        names = outline::kept_files(writer);
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
        proved: repo.map(|repo| Proved::Whole {
            repo: Arc::new(repo),
            kept: names,
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
    let proof = proved.proof();
    let Some(rev) = proof.commit().rev else {
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
        let known = inner.knows_commit(writer, proof.commit().cid).await?;
        // Right after an import the host serves the old commit under a rev of its own.
        let imported = latest.rev != rev;
        let in_force = proof
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
