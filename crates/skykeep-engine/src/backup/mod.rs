//! One run of one account: ask, prove, stage, deliver, record.
//!
//! The order is the promise: nothing is written before it is proved, posts come before media, the manifest comes last,
//! and what was kept before is never touched. A run may be cut off anywhere; the next one finds what is already there.
//!
//! 1. Who is it: audit log, keys, host ([`identity`]). Signatures are judged by this.
//! 2. What is new: the host's latest commit. The same as kept, and the identity too: nothing is written, whoever asked
//!    for the run, but once a day a manifest says "still the same, checked".
//! 3. Fetch what is new, or everything, and prove it with what is kept ([`repo`]). What is kept is staged, or in a place;
//!    when neither is in reach everything is fetched, and so is what a place lacks and nobody in reach has.
//! 4. Stage it and commit a manifest with media pending; deliver, so that posts are safe within seconds.
//! 5. Fetch media in batches, each proved against its CID, each loss recorded ([`media`]); commit; deliver; what every
//!    place has then leaves staging ([`deliver`]).
//!
//! A run that cannot capture still delivers what is staged: a drive that is back need not wait for a host that is gone.

mod deliver;
pub(crate) mod identity;
mod media;
pub(crate) mod outline;
mod repo;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use skykeep_atproto::verify::BlobUse;
use skykeep_atproto::{Cid, Did};
use skykeep_net::pds::{LatestCommit, Pds};
use skykeep_vault::layout::{AccountFile, Checksum, VaultId};
use skykeep_vault::{Contents, Facts, IdentityKind, MissingBlob, Origin, PutRepo, Reach, Snapshot, Vault, Writer};
use tracing::{info, warn};

use self::identity::{Identity, Remembered};
use crate::api::Phase;
use crate::engine::Inner;
use crate::runs::Reporter;
use crate::snapshots::identity_part;
use crate::{Error, problem, rows, schedule};

pub(crate) use self::deliver::{Delivery, Told, deliver};

/// What a run did.
#[derive(Debug)]
pub(crate) struct Done {
    /// Whether there was anything new.
    pub(crate) changed: bool,
    /// How the places fared.
    pub(crate) delivery: Delivery,
}

/// Everything that the steps of a run share.
struct Run<'a> {
    inner: &'a Arc<Inner>,
    reporter: &'a Reporter,
    did: &'a Did,
    now: Timestamp,
    /// Asked for by a person: nothing that is only asked for now and then is left out.
    by_hand: bool,
    /// Files that a place has damaged and nobody in reach has whole: the host is asked for them again.
    again: &'a BTreeSet<AccountFile>,
}

/// Runs one account. Errors: whatever kept it from being captured; what kept it from a place is in [`Delivery`].
pub(crate) async fn run(
    inner: &Arc<Inner>,
    reporter: &Reporter,
    now: Timestamp,
    by_hand: bool,
    again: &BTreeSet<AccountFile>,
) -> Result<Done, Error> {
    let run = Run {
        inner,
        reporter,
        did: reporter.did(),
        now,
        by_hand,
        again,
    };
    let captured = run.capture().await;
    if let Err(error) = &captured
        && error.is_stop()
    {
        return captured.map(|changed| Done {
            changed,
            delivery: Delivery::default(),
        });
    }
    reporter.phase(Phase::Delivering, None, None);
    let delivery = deliver(inner, reporter, now, Told::Yes).await;
    let changed = captured?;
    Ok(Done {
        changed,
        delivery: delivery?,
    })
}

impl Run<'_> {
    /// Brings staging up to date; true when there was anything new.
    async fn capture(&self) -> Result<bool, Error> {
        let cancel = self.reporter.cancel();
        let reach = self.inner.reach().await;
        let mut writer = Writer::begin_within(&reach, self.did, &self.inner.writer_key)
            .await
            .map_err(Error::Staging)?;
        let previous = writer.previous().cloned();
        let history = self.inner.history(self.did).await?;
        let policy = self.inner.policy(self.did, self.now)?;
        let due = previous.is_none() || schedule::wants_manifest(&policy, &history, self.now);
        let before = self.remembered(&writer).await?;
        let known_missing = writer.chain().map(|chain| chain.missing.clone()).unwrap_or_default();
        let thorough = due || self.by_hand;
        let identity = identity::ask(&self.inner.client(), self.did, &before, thorough, cancel).await?;
        if !identity.remembered {
            self.inner.identity_read(self.did, self.now).await?;
        }
        let pds = Pds::new(&self.inner.client(), &identity.host)?;
        let latest = pds.get_latest_commit(self.did, cancel).await?;
        self.inner
            .seen(self.did, &identity.handle, &pds.host(), self.now)
            .await?;

        let facts = self.inner.machine_facts(self.now).await?;
        let full = schedule::wants_full(&policy, &history, &facts, self.now);
        let same_commit = writer.chain().map(Contents::commit) == Some(latest.cid);
        let moved = previous
            .as_ref()
            .is_some_and(|snapshot| snapshot.manifest.body.host != identity.host.as_str());
        let unfinished = previous.as_ref().is_some_and(|snapshot| {
            let media = snapshot.manifest.body.media;
            media.pending > 0 || media.missing > 0 && self.by_hand
        });
        let retry_media = unfinished || schedule::wants_media_retry(&policy, &history, &facts, self.now);
        let mut lost = lost(&reach, &writer, &self.left()).await?;
        lost.extend(self.again.iter().cloned());
        if !lost.is_empty() {
            warn!(did = %self.did, files = lost.len(), "nobody in reach has these whole; the host is asked again");
            writer.lost(&lost);
        }

        let (mut lacking, mut new_commit) = (None, false);
        if !same_commit || full || !lost.is_empty() {
            let whole = full || moved || !lost.is_empty();
            if let Some((put, blobs)) = self.fetch(&reach, &mut writer, &identity, &pds, &latest, whole).await? {
                new_commit = put != PutRepo::Unchanged;
                lacking = Some(blobs);
            }
            if full {
                self.inner.fetched_whole(self.did, self.now).await?;
            }
        }
        if lacking.is_none() && retry_media {
            let repo = repo::read_back(self.inner, &reach, &writer, &identity).await?;
            lacking = repo.map(|repo| writer.lacks(repo.blobs()));
        }
        let changed = new_commit || moved || previous.is_none() || !is_known(&identity, &before, &writer);
        let mut host_did = previous
            .as_ref()
            .and_then(|snapshot| snapshot.manifest.body.host_did.clone());
        if changed || due {
            let describe = previous.is_none() || moved || due;
            let told = self.put_identity(&mut writer, &identity, &pds, describe).await?;
            host_did = told.or(host_did);
        }
        let facts = |missing: Vec<MissingBlob>, pending: u64| Facts {
            captured: self.now,
            server_time: None,
            handle: identity.handle.clone(),
            host: identity.host.to_string(),
            host_did: host_did.clone(),
            server_rev: Some(latest.rev),
            audit_head: identity.log.as_ref().and_then(|log| log.head),
            origin: Origin::Captured,
            missing,
            pending,
        };
        let mut missing = known_missing;
        let mut pending = previous
            .as_ref()
            .map_or(0, |snapshot| snapshot.manifest.body.media.pending);
        let mut news = changed;
        if let Some(lacking) = lacking {
            let known = if retry_media { Vec::new() } else { missing };
            let media = self
                .fetch_media(&mut writer, lacking, &pds, known, new_commit, &facts)
                .await?;
            news |= media.news;
            (missing, pending) = (media.missing, 0);
        }
        if news || due {
            self.commit(&mut writer, facts(missing, pending)).await?;
        } else {
            info!(did = %self.did, rev = %latest.rev, "unchanged");
        }
        if let Some(previous) = &previous {
            self.report_shrink(previous, &writer).await?;
        }
        self.inner.checked(self.did, self.now).await?;
        Ok(news)
    }

    /// Fetches, proves and stages the repository, and says how, and which blobs of it are not kept; `None` when the host's
    /// answer turned out to be what is kept.
    async fn fetch(
        &self,
        reach: &Reach,
        writer: &mut Writer,
        identity: &Identity,
        pds: &Pds,
        latest: &LatestCommit,
        whole: bool,
    ) -> Result<Option<(PutRepo, Vec<BlobUse>)>, Error> {
        let fetched = repo::fetch(
            self.inner,
            self.reporter,
            reach,
            writer,
            identity,
            pds,
            latest,
            whole,
            self.now,
        )
        .await?;
        let Some(proved) = fetched else { return Ok(None) };
        self.reporter.phase(Phase::Keeping, None, None);
        repo::put(self.inner, writer, identity, proved).await.map(Some)
    }

    /// Fetches media that the repository needs and that are not kept. `known` could not be had lately and wait for
    /// their daily retry. With `posts_first` what was proved is committed and delivered before.
    async fn fetch_media(
        &self,
        writer: &mut Writer,
        mut lacking: Vec<BlobUse>,
        pds: &Pds,
        known: Vec<MissingBlob>,
        posts_first: bool,
        facts: &impl Fn(Vec<MissingBlob>, u64) -> Facts,
    ) -> Result<Media, Error> {
        let cids = |missing: &[MissingBlob]| -> BTreeSet<Cid> { missing.iter().map(|missing| missing.cid).collect() };
        let told = writer.chain().map(|chain| cids(&chain.missing)).unwrap_or_default();
        let mut missing = known;
        missing.retain(|old| lacking.iter().any(|blob| blob.cid == old.cid));
        let waiting = cids(&missing);
        lacking.retain(|blob| !waiting.contains(&blob.cid));
        let mut kept = 0;
        if !lacking.is_empty() {
            if posts_first {
                self.commit(writer, facts(missing.clone(), lacking.len() as u64))
                    .await?;
                self.inner.listen_changed();
                let early = deliver(self.inner, self.reporter, self.now, Told::No).await?;
                info!(did = %self.did, places = early.reached, pending = lacking.len(), "posts kept");
            }
            let fetched = media::fetch(self, writer, pds, lacking, &missing, facts).await?;
            missing.extend(fetched.missing);
            kept = fetched.kept;
            self.inner.media_tried(self.did, self.now).await?;
        }
        missing.sort_by_key(|missing| missing.cid);
        if !missing.is_empty() {
            warn!(did = %self.did, missing = missing.len(), "media that the host does not give");
        }
        let pending = writer
            .previous()
            .is_some_and(|snapshot| snapshot.manifest.body.media.pending > 0);
        Ok(Media {
            news: kept > 0 || pending || cids(&missing) != told,
            missing,
        })
    }

    /// Commits a manifest and remembers it.
    async fn commit(&self, writer: &mut Writer, facts: Facts) -> Result<(), Error> {
        let snapshot = writer.commit(facts).await.map_err(Error::Staging)?;
        let contents = self.inner.staging.contents(&snapshot).await.map_err(Error::Staging)?;
        let row = rows::snapshot(&snapshot, &contents);
        self.inner.remember_snapshot(self.did, row).await
    }

    /// Stores what is known of the identity; the host's own DID, when it said.
    async fn put_identity(
        &self,
        writer: &mut Writer,
        identity: &Identity,
        pds: &Pds,
        describe: bool,
    ) -> Result<Option<Did>, Error> {
        let mut host_did = writer
            .previous()
            .and_then(|snapshot| snapshot.manifest.body.host_did.clone());
        let mut parts = Vec::new();
        if let Some(log) = identity.log.as_ref().filter(|_| !identity.remembered) {
            parts.push((IdentityKind::AuditLog, log.bytes.clone()));
        }
        parts.extend(
            identity
                .document
                .clone()
                .map(|bytes| (IdentityKind::DidDocument, bytes)),
        );
        if describe && let Some(description) = identity::describe(pds, self.reporter.cancel()).await? {
            host_did = Some(description.did);
            parts.push((IdentityKind::Host, description.bytes));
        }
        for (kind, bytes) in parts {
            writer.put_identity(kind, bytes).await.map_err(Error::Staging)?;
        }
        Ok(host_did)
    }

    async fn remembered(&self, writer: &Writer) -> Result<Remembered, Error> {
        let Some(snapshot) = writer.previous() else {
            return Ok(Remembered::default());
        };
        let log = match writer.chain() {
            Some(contents) => identity_part(&self.inner.staging, snapshot, contents, IdentityKind::AuditLog).await,
            None => Ok(None),
        };
        // A log that cannot be read back is fetched anew.
        let log = log.unwrap_or_else(|error| {
            warn!(%error, "the staged audit log cannot be read");
            None
        });
        Ok(Remembered::of(snapshot, log))
    }

    /// The places that the account is not brought to.
    fn left(&self) -> Vec<VaultId> {
        let settings = self.inner.settings();
        settings
            .account(self.did)
            .map(|account| account.left.clone())
            .unwrap_or_default()
    }

    /// A sudden loss is reported, and what was before it is held until someone says that it was meant.
    async fn report_shrink(&self, previous: &Snapshot, writer: &Writer) -> Result<(), Error> {
        let Some(latest) = writer.previous() else { return Ok(()) };
        let (old, new) = (&previous.manifest.body, &latest.manifest.body);
        let media = |body: &skykeep_vault::Body| body.media.kept + body.media.missing + body.media.pending;
        if let Some(lost) = shrink((old.records, media(old)), (new.records, media(new))) {
            self.inner.pin(self.did, &previous.name.to_string())?;
            self.inner
                .raise_shrink(self.did, &problem::shrunk(lost.records, lost.media), self.now)
                .await?;
        }
        Ok(())
    }
}

/// How the media of a repository stand.
struct Media {
    /// Whether the next manifest says something else than the last.
    news: bool,
    /// All that could not be had.
    missing: Vec<MissingBlob>,
}

/// Whether what was asked of the identity is what the last snapshot says.
fn is_known(identity: &Identity, before: &Remembered, writer: &Writer) -> bool {
    let same_log = identity.log.as_ref().is_none_or(|log| log.head == before.audit_head);
    let parts = writer
        .previous()
        .into_iter()
        .flat_map(|snapshot| &snapshot.manifest.body.identity);
    let document = parts
        .filter(|part| part.what == IdentityKind::DidDocument.as_str())
        .map(|part| &part.name)
        .next();
    let held = |bytes: &[u8]| {
        let sum = Checksum::of(bytes);
        let objects = writer.chain().into_iter().flat_map(|chain| &chain.identity);
        objects
            .filter(|object| Some(&object.name) == document)
            .any(|object| object.sum == sum)
    };
    same_log && identity.document.as_deref().is_none_or(held)
}

/// What the last snapshot needs and nobody in reach has, when a place in reach does not have that snapshot: it can only
/// come from the host again. A place that is away is waited for otherwise, one that the account has left is not.
async fn lost(reach: &Reach, writer: &Writer, left: &[VaultId]) -> Result<BTreeSet<AccountFile>, Error> {
    let (Some(previous), Some(chain)) = (writer.previous(), writer.chain()) else {
        return Ok(BTreeSet::new());
    };
    let mut behind = false;
    let goes = |place: &&Vault| !left.iter().any(|id| place.is(id));
    for place in reach.vaults().iter().skip(1).filter(goes) {
        match place.snapshot_names(writer.account()).await {
            Ok((names, _)) => behind |= !names.contains(&previous.name),
            Err(error) => warn!(%error, "a place cannot be looked at"),
        }
    }
    if behind {
        reach.lacks(writer.account(), chain).await.map_err(Error::Staging)
    } else {
        Ok(BTreeSet::new())
    }
}

/// What went away at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shrink {
    pub(crate) records: u64,
    pub(crate) media: u64,
}

/// A sudden shrink: more than a tenth of the records and more than 50, or more than 20 media.
fn shrink(old: (u64, u64), new: (u64, u64)) -> Option<Shrink> {
    let records = old.0.saturating_sub(new.0);
    let media = old.1.saturating_sub(new.1);
    let sudden = (records > 50 && records > old.0 / 10) || media > 20;
    sudden.then_some(Shrink { records, media })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sudden_shrink_is_more_than_tidying_up() {
        let check = |old, new, expected: Option<(u64, u64)>| {
            assert_eq!(
                shrink(old, new),
                expected.map(|(records, media)| Shrink { records, media }),
                "{old:?} {new:?}"
            );
        };
        check((1000, 100), (1010, 100), None);
        check((1000, 100), (950, 100), None);
        check((1000, 100), (900, 100), None);
        check((1000, 100), (899, 100), Some((101, 0)));
        check((100, 0), (49, 0), Some((51, 0)));
        check((100, 0), (50, 0), None);
        check((40, 0), (0, 0), None);
        check((1000, 100), (1000, 80), None);
        check((1000, 100), (1000, 79), Some((0, 21)));
    }
}
