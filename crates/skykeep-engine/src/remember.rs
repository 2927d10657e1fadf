//! What is remembered, written in one place: what was learnt of accounts, places and snapshots, and the problems that stand.
//!
//! Most of it is in the catalogue, which is made anew from staging when it was lost.

use jiff::Timestamp;
use skykeep_atproto::{Cid, Did, Handle};
use skykeep_vault::layout::AccountFolder;
use skykeep_vault::{Vault, Writer};
use tracing::info;

use crate::api::{Event, Problem};
use crate::catalogue::{AccountFacts, SnapshotRow, Subject};
use crate::engine::Inner;
use crate::settings::Place;
use crate::{Engine, Error, problem};

impl Engine {
    /// Brings the catalogue in line with staging: at the first start after it was lost, all of it.
    pub(crate) async fn take_stock(&self, lost: bool) -> Result<(), Error> {
        let inner = &self.inner;
        for account in inner.settings().accounts {
            let did = account.did.clone();
            let known = inner.ask(move |catalogue| catalogue.is_measured(&did)).await?;
            if !known || lost {
                inner.rebuild_account(&account.did).await?;
            }
        }
        if lost {
            info!("the catalogue was rebuilt from staging");
        }
        Ok(())
    }
}

impl Inner {
    /// Fills the catalogue with the snapshots of an account that staging holds.
    pub(crate) async fn rebuild_account(&self, did: &Did) -> Result<(), Error> {
        let folder = AccountFolder::of(did).map_err(Error::Staging)?;
        let (rows, identity_read) = crate::rows::of_account(&self.staging, &folder)
            .await
            .map_err(Error::Staging)?;
        // What another tool has saved was never compared with the host.
        let captured = rows.iter().rev().find(|row| !row.snapshot.imported);
        let latest = captured.map(|row| row.snapshot.taken);
        let did_row = did.clone();
        self.ask(move |catalogue| catalogue.replace_snapshots(&did_row, &rows))
            .await?;
        if let Some(taken) = latest.and_then(|taken| Timestamp::from_millisecond(taken).ok()) {
            self.account_facts(did, move |facts| {
                facts.last_checked = facts.last_checked.max(Some(taken));
                facts.identity_read = facts.identity_read.max(identity_read);
            })
            .await?;
        }
        Ok(())
    }

    /// Changes what is remembered of an account.
    pub(crate) async fn account_facts(
        &self,
        did: &Did,
        change: impl FnOnce(&mut AccountFacts) + Send + 'static,
    ) -> Result<(), Error> {
        let did = did.clone();
        self.ask(move |catalogue| {
            let mut facts = catalogue.account(&did)?.unwrap_or_default();
            change(&mut facts);
            catalogue.set_account(&did, &facts)
        })
        .await
    }

    /// The host answered for this account.
    pub(crate) async fn seen(
        &self,
        did: &Did,
        handle: &Option<Handle>,
        host: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (handle, name) = (handle.as_ref().map(ToString::to_string), host.to_owned());
        self.account_facts(did, move |facts| {
            facts.handle = handle;
            facts.host = Some(name);
            facts.status = crate::api::HostingStatus::Active;
            facts.last_seen = Some(now);
        })
        .await?;
        let host = host.to_owned();
        self.ask(move |catalogue| catalogue.host_answered(&host).map(drop))
            .await
    }

    /// The record of the identity was read and held together.
    pub(crate) async fn identity_read(&self, did: &Did, now: Timestamp) -> Result<(), Error> {
        self.account_facts(did, move |facts| facts.identity_read = Some(now))
            .await
    }

    /// What is kept was confirmed against the host.
    pub(crate) async fn checked(&self, did: &Did, now: Timestamp) -> Result<(), Error> {
        self.account_facts(did, move |facts| facts.last_checked = Some(now))
            .await
    }

    /// Everything was asked for, not only what is new.
    pub(crate) async fn fetched_whole(&self, did: &Did, now: Timestamp) -> Result<(), Error> {
        self.account_facts(did, move |facts| facts.last_full = Some(now)).await
    }

    /// Missing media were asked for.
    pub(crate) async fn media_tried(&self, did: &Did, now: Timestamp) -> Result<(), Error> {
        self.account_facts(did, move |facts| facts.last_media_try = Some(now))
            .await
    }

    /// Remembers a snapshot that staging holds.
    pub(crate) async fn remember_snapshot(&self, did: &Did, row: SnapshotRow) -> Result<(), Error> {
        let did = did.clone();
        self.ask(move |catalogue| catalogue.add_snapshot(&did, &row)).await
    }

    /// Remembers which snapshots of an account a place holds, verified.
    pub(crate) async fn confirmed(
        &self,
        did: &Did,
        place: &Place,
        snapshots: Vec<String>,
        vault: &Vault,
        now: Timestamp,
    ) -> Result<(), Error> {
        // A bucket does not say, and a look would write into it.
        let free = match place.folder() {
            Some(_) => vault.store().probe().await.ok().and_then(|probe| probe.free),
            None => None,
        };
        let (id, did) = (place.vault.to_string(), did.clone());
        self.ask(move |catalogue| {
            let names: Vec<&str> = snapshots.iter().map(String::as_str).collect();
            catalogue.relist(&id, &did, &names, now)?;
            let mut facts = catalogue.place(&id)?.unwrap_or_default();
            facts.last_seen = Some(now);
            facts.last_listed = Some(now);
            facts.free = free;
            catalogue.set_place(&id, &facts)?;
            catalogue.clear_except(&Subject::Place(id), &problem::OF_FILES)
        })
        .await?;
        let _ = self.events.send(Event::Places);
        Ok(())
    }

    /// Whether a commit is in a snapshot already.
    pub(crate) async fn knows_commit(&self, writer: &Writer, commit: Cid) -> Result<bool, Error> {
        let Some(snapshot) = writer.previous() else {
            return Ok(false);
        };
        let all = self
            .staging
            .snapshots(&snapshot.manifest.account)
            .await
            .map_err(Error::Staging)?;
        Ok(all
            .sound
            .iter()
            .any(|snapshot| snapshot.manifest.body.commit.cid == commit))
    }

    /// Holds a snapshot until someone says that a loss was meant.
    pub(crate) fn pin(&self, did: &Did, snapshot: &str) -> Result<(), Error> {
        self.change_settings(|settings| {
            if let Some(account) = settings.accounts.iter_mut().find(|account| account.did == *did)
                && !account.pinned.iter().any(|pinned| pinned == snapshot)
            {
                account.pinned.push(snapshot.to_owned());
            }
        })
    }

    /// A problem stands until it is cleared. Whether a person is told is decided by [`crate::notice`].
    pub(crate) async fn raise(&self, subject: &Subject, error: &Error, now: Timestamp) -> Result<(), Error> {
        self.raise_problem(subject, problem::to_problem(error), now).await
    }

    /// A sudden loss stands until someone says that it was meant.
    pub(crate) async fn raise_shrink(&self, did: &Did, shrink: &Problem, now: Timestamp) -> Result<(), Error> {
        self.raise_problem(&Subject::Account(did.clone()), shrink.clone(), now)
            .await
    }

    pub(crate) async fn raise_problem(&self, subject: &Subject, problem: Problem, now: Timestamp) -> Result<(), Error> {
        let subject = subject.clone();
        self.ask(move |catalogue| catalogue.raise(&subject, &problem, now).map(drop))
            .await?;
        self.listen_changed();
        Ok(())
    }

    /// Says that what is known of accounts has changed.
    pub(crate) fn listen_changed(&self) {
        let _ = self.events.send(Event::Accounts);
    }
}
