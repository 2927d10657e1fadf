//! Accounts: finding out who somebody is, beginning to keep them, and saying how well they are kept.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use jiff::Timestamp;
use skykeep_atproto::Did;
use skykeep_net::pds::{HostingStatus as NetStatus, Pds};
use skykeep_net::resolve::{Identifier, Identity, Resolver};
use skykeep_net::{CancellationToken, Patience, appview};
use skykeep_vault::Reach;
use skykeep_vault::layout::{AccountFile, AccountFolder};
use tracing::{info, warn};

use crate::api::{self, Account, Event, HostingStatus, Kept, KeptState, Millis, Person, Problem, Whose};
use crate::backup::outline;
use crate::catalogue::{Standing, Subject};
use crate::engine::unknown;
use crate::error::What;
use crate::machine::drive::OnThisComputer;
use crate::schedule::{self, Due};
use crate::{Engine, Error, drives, problem, readiness, settings};

/// Largest picture of a person that is fetched, in bytes.
pub(crate) const MAX_AVATAR: u64 = 2 << 20;

/// Runs that may be missed before what is kept is called stale.
const STALE_AFTER_RUNS: u32 = 3;

impl Engine {
    /// Finds out who is meant by a handle, a DID or a profile's address, checked both ways.
    ///
    /// Name and picture are tried for and left out when they cannot be had. Errors: `Net`; `NoHost`.
    pub async fn look_up(&self, text: &str) -> Result<Person, Error> {
        let cancel = self.inner.shutdown.child_token();
        let client = self.inner.client().with_patience(Patience::interactive());
        let who: Identifier = text.trim().parse().map_err(Error::Net)?;
        let identity = Resolver::new(&client).identify(&who, &cancel).await?;
        let url = identity.pds.clone().ok_or_else(|| Error::NoHost {
            did: identity.did.clone(),
        })?;
        let pds = Pds::new(&client, &url)?;
        let status = hosting_status(&pds, &identity.did, &cancel).await?;
        let (display_name, avatar) = self.face_of(&client, &identity, &pds, &cancel).await?;
        let known = self.inner.settings().account(&identity.did).is_some();
        Ok(Person {
            did: identity.did.to_string(),
            handle: identity.handle.map(|handle| handle.to_string()),
            display_name,
            avatar,
            host: pds.host(),
            status,
            known,
        })
    }

    /// Begins to keep an account. The first run starts at once, in the background.
    ///
    /// Each folder becomes a place, if it is none. Without any, and when no place is set up yet, `~/Skykeep` becomes one.
    /// Keeping an account twice is no error. Errors: `Net`, `Place`, `NoPlace` (there is no home folder), `Data`.
    pub async fn protect(&self, text: &str, whose: Whose, folders: &[PathBuf]) -> Result<Did, Error> {
        let person = self.look_up(text).await?;
        let did: Did = person.did.parse()?;
        for folder in folders {
            match self.add_folder(folder, None).await {
                Ok(_) | Err(Error::PlaceKnown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if self.inner.settings().places.is_empty() {
            let home = crate::default_place().ok_or(Error::NoPlace)?;
            self.add_folder(&home, None).await?;
        }
        self.add_account(&person, whose).await?;
        self.start_back_up(&did);
        Ok(did)
    }

    /// Adds an account to those that are kept, without running it. Adding it twice is no error; whose it is, is what was
    /// said last.
    pub async fn add_account(&self, person: &Person, whose: Whose) -> Result<(), Error> {
        let did: Did = person.did.parse()?;
        let handle = person.handle.as_deref().and_then(|handle| handle.parse().ok());
        let now = Timestamp::now();
        let account = settings::Account::new(did.clone(), handle, now);
        self.inner
            .change_settings(|settings| match settings.account_mut(&account.did) {
                Some(known) => known.whose = whose,
                None => settings.accounts.push(settings::Account { whose, ..account }),
            })?;
        let seen = person.clone();
        self.inner
            .account_facts(&did, move |facts| {
                facts.handle = seen.handle;
                facts.display_name = seen.display_name.or(facts.display_name.take());
                facts.avatar = seen.avatar.or(facts.avatar.take());
                facts.host = Some(seen.host);
                facts.status = seen.status;
                if seen.status != HostingStatus::Unknown {
                    facts.last_seen = Some(now);
                }
            })
            .await?;
        // What staging holds of it from an earlier time counts at once.
        self.inner.rebuild_account(&did).await?;
        info!(%did, "account added");
        self.inner.listen_changed();
        Ok(())
    }

    /// All accounts that are kept, in the order they were added.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        let now = Timestamp::now();
        let mut accounts = Vec::new();
        for account in self.inner.settings().accounts {
            accounts.push(self.account_at(&account, now).await?);
        }
        Ok(accounts)
    }

    /// One account. Errors: `Unknown`.
    pub async fn account(&self, did: &Did) -> Result<Account, Error> {
        let settings = self.inner.settings();
        let account = settings.account(did).ok_or_else(|| unknown(What::Account, did))?;
        self.account_at(account, Timestamp::now()).await
    }

    /// The account that is kept under this DID or handle. Errors: `Unknown`.
    pub async fn find_account(&self, name: &str) -> Result<Did, Error> {
        let plain = name.trim().trim_start_matches('@').to_ascii_lowercase();
        for account in self.accounts().await? {
            if account.did == name.trim() || account.handle.as_deref() == Some(plain.as_str()) {
                return Ok(account.did.parse()?);
            }
        }
        Err(unknown(What::Account, name))
    }

    /// Stops keeping an account. What is kept of it stays where it is. Errors: `Unknown`, `Data`.
    pub async fn remove_account(&self, did: &Did) -> Result<(), Error> {
        self.inner
            .settings()
            .account(did)
            .ok_or_else(|| unknown(What::Account, did))?;
        self.inner.runs.stop(did);
        self.inner
            .change_settings(|settings| settings.accounts.retain(|account| account.did != *did))?;
        let gone = did.clone();
        self.inner.ask(move |catalogue| catalogue.forget_account(&gone)).await?;
        if let Ok(account) = AccountFolder::of(did) {
            outline::forget(&self.inner.data, &account).await?;
        }
        info!(%did, "account removed; its backups stay");
        self.inner.listen_changed();
        Ok(())
    }

    /// Says that a sudden loss was meant: what was before it is no longer held. Errors: `Unknown`, `Data`.
    pub async fn confirm_shrink(&self, did: &Did) -> Result<(), Error> {
        let found = self
            .inner
            .change_settings(|settings| settings.account_mut(did).map(|account| account.pinned.clear()))?;
        found.ok_or_else(|| unknown(What::Account, did))?;
        let subject = Subject::Account(did.clone());
        self.inner
            .ask(move |catalogue| catalogue.clear(&subject, problem::SHRUNK).map(drop))
            .await?;
        self.inner.listen_changed();
        Ok(())
    }

    /// Asks again for names, pictures and handles that may have changed. Silent when nobody answers.
    pub(crate) async fn refresh_face(&self, did: &Did) {
        if let Ok(person) = self.look_up(did.as_str()).await {
            let _ = self
                .inner
                .account_facts(did, move |facts| {
                    facts.display_name = person.display_name.or(facts.display_name.take());
                    facts.avatar = person.avatar.or(facts.avatar.take());
                })
                .await;
            let _ = self.inner.events.send(Event::Accounts);
        }
    }

    async fn account_at(&self, account: &settings::Account, now: Timestamp) -> Result<Account, Error> {
        let inner = &self.inner;
        let did = account.did.clone();
        let subject = Subject::Account(did.clone());
        let (facts, latest, standing, sample) = inner
            .ask(move |catalogue| {
                let facts = catalogue.account(&did)?.unwrap_or_default();
                let sample = catalogue.sample(&did)?;
                Ok((facts, catalogue.latest(&did)?, catalogue.problems()?, sample))
            })
            .await?;
        let history = inner.history(&account.did).await?;
        let policy = inner.policy(&account.did, now)?;
        let due = schedule::due(&policy, &history, &inner.machine_facts(now).await?, now);
        let next_due = schedule::next_due(&policy, &history, now).map(millis);
        let settings = inner.settings();
        // A place that was emptied, or that another one lies in the stead of, holds nothing any more.
        let lost = |place: &settings::Place| {
            let subject = Subject::Place(place.vault.to_string());
            let mut own = standing.iter().filter(|standing| standing.subject == subject);
            own.any(|standing| problem::PLACE_LOST.contains(&standing.problem.code.as_str()))
        };
        let places: Vec<&settings::Place> = settings.places.iter().filter(|place| !lost(place)).collect();
        let holding: Vec<&settings::Place> = latest.as_ref().map_or_else(Vec::new, |snapshot| {
            let held = |place: &&settings::Place| snapshot.places.iter().any(|held| *held == place.vault.as_str());
            places.iter().copied().filter(held).collect()
        });
        let unseen = match &latest {
            Some(_) if holding.is_empty() => self.unseen(&account.did, &places).await?,
            _ => None,
        };
        let home = crate::default_place().unwrap_or_default();
        let here = |place: &&settings::Place| drives::on_this_computer(place, &home) == OnThisComputer::Yes;
        let every = i64::from(settings.schedule.every_minutes) * 60_000;
        let last_checked = facts.last_checked;
        // Until the first run has ended, what it has kept so far is as old as its snapshot.
        let confirmed = last_checked
            .map(millis)
            .or(latest.as_ref().map(|snapshot| snapshot.taken));
        let stale = confirmed.is_none_or(|confirmed| millis(now) - confirmed > every * i64::from(STALE_AFTER_RUNS));
        let kept = match &latest {
            None => Kept {
                state: KeptState::Nothing,
                last_checked: None,
                ..Kept::nothing()
            },
            Some(snapshot) => Kept {
                state: match (unseen, stale, snapshot.media_pending) {
                    (Some(unseen), ..) => unseen,
                    (None, true, _) => KeptState::Stale,
                    (None, false, 0) => KeptState::Complete,
                    (None, false, _) => KeptState::PostsOnly,
                },
                last_checked: last_checked.map(millis),
                last_snapshot: Some(snapshot.taken),
                places: u32::try_from(holding.len()).unwrap_or(u32::MAX),
                this_computer_only: holding.iter().all(here),
                records: snapshot.records,
                media: snapshot.media,
                media_missing: snapshot.media_missing.len() as u64,
                media_pending: snapshot.media_pending,
                bytes: snapshot.bytes,
            },
        };
        let readiness = readiness::of(
            &readiness::Facts {
                kept: &kept,
                holding: self
                    .holding(&account.did, &holding, latest.as_ref(), &standing, &home)
                    .await?,
                identity_read: facts.identity_read.map(millis),
                read_back: sample.filter(|sample| sample.whole).map(|sample| millis(sample.at)),
                identity_bad: standing.iter().any(|standing| {
                    standing.subject == subject && problem::IDENTITY_BAD.contains(&standing.problem.code.as_str())
                }),
            },
            millis(now),
        );
        // What concerns a place concerns every account that is kept there.
        let mut problems: Vec<Problem> = standing
            .into_iter()
            .filter(|s| s.subject == subject || !matches!(s.subject, Subject::Account(_)))
            .map(|standing| standing.problem)
            .collect();
        problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        let waiting = match due {
            Due::Waiting(waiting) => Some(waiting),
            Due::Now | Due::At(_) | Due::Running => None,
        };
        let says_who = facts.handle.is_some() || facts.display_name.is_some() || facts.avatar.is_some();
        Ok(Account {
            did: account.did.to_string(),
            from_backup: says_who && facts.last_seen.is_none() && latest.is_some(),
            handle: facts
                .handle
                .or_else(|| account.handle.as_ref().map(ToString::to_string)),
            display_name: facts.display_name,
            avatar: facts.avatar,
            host: facts.host,
            whose: account.whose,
            added: millis(account.added),
            kept,
            readiness,
            run: inner.runs.progress(&account.did),
            next_due,
            waiting,
            problems,
        })
    }

    /// What is known of the places that hold the newest snapshot.
    async fn holding(
        &self,
        did: &Did,
        places: &[&settings::Place],
        latest: Option<&api::Snapshot>,
        standing: &[Standing],
        home: &Path,
    ) -> Result<Vec<readiness::Holding>, Error> {
        let (did, newest) = (did.clone(), latest.map(|snapshot| snapshot.id.clone()));
        let ids: Vec<String> = places.iter().map(|place| place.vault.to_string()).collect();
        let known = self.inner.ask(move |catalogue| {
            let confirmed = newest.map(|newest| catalogue.confirmed_at(&did, &newest)).transpose()?;
            let facts = ids
                .iter()
                .map(|id| catalogue.place(id))
                .collect::<Result<Vec<_>, _>>()?;
            Ok((confirmed.unwrap_or_default(), facts))
        });
        let (confirmed, facts) = known.await?;
        Ok(places
            .iter()
            .zip(facts)
            .map(|(place, facts)| {
                let id = place.vault.to_string();
                let of_place = Subject::Place(id.clone());
                readiness::Holding {
                    apart: drives::on_this_computer(place, home) == OnThisComputer::No,
                    confirmed: confirmed.get(&id).copied().map(millis),
                    checked: facts.and_then(|facts| facts.last_checked).map(millis),
                    damaged: standing
                        .iter()
                        .any(|standing| standing.subject == of_place && standing.problem.code == problem::DAMAGE_FOUND),
                }
            })
            .collect())
    }

    /// What cannot be found of the newest snapshot, which none of `places` has: `None` when all of it is somewhere.
    async fn unseen(&self, did: &Did, places: &[&settings::Place]) -> Result<Option<KeptState>, Error> {
        // What left staging is in every place that has an earlier snapshot, in one that is away too.
        let account = did.clone();
        let holding = self.inner.ask(move |catalogue| catalogue.places_of(&account)).await?;
        if places
            .iter()
            .any(|place| holding.iter().any(|id| id == place.vault.as_str()))
        {
            return Ok(None);
        }
        let staging = &*self.inner.staging;
        let lacking = async {
            let account = AccountFolder::of(did)?;
            let Some(latest) = staging.latest(&account, None).await? else {
                return Ok(None);
            };
            let contents = staging.contents(&latest).await?;
            Reach::from(staging).lacks(&account, &contents).await.map(Some)
        };
        Ok(match lacking.await {
            Ok(Some(lacking)) if lacking.is_empty() => None,
            Ok(Some(lacking)) if !lacking.iter().any(|file| matches!(file, AccountFile::Repo { .. })) => {
                Some(KeptState::MediaUnseen)
            }
            Ok(_) => Some(KeptState::Unseen),
            Err(error) => {
                let error: skykeep_vault::Error = error;
                warn!(%did, %error, "what is staged cannot be looked at");
                Some(KeptState::Unseen)
            }
        })
    }

    /// Name and picture: from the host's own record, else from the AppView.
    async fn face_of(
        &self,
        client: &skykeep_net::Client,
        identity: &Identity,
        pds: &Pds,
        cancel: &CancellationToken,
    ) -> Result<(Option<String>, Option<String>), Error> {
        let did = &identity.did;
        let record = pds.get_profile(did, cancel).await.ok().flatten();
        let (mut name, mut picture) = (None, None);
        if let Some(record) = record {
            name = record.display_name;
            if let Some(cid) = record.avatar {
                picture = pds.get_small_blob(did, &cid, MAX_AVATAR, cancel).await.ok();
            }
        }
        if (name.is_none() || picture.is_none())
            && let Ok(Some(profile)) = appview::profile(client, did, cancel).await
        {
            name = name.or(profile.display_name);
            if let (None, Some(url)) = (&picture, &profile.avatar) {
                picture = appview::picture(client, url, cancel).await.ok();
            }
        }
        if cancel.is_cancelled() {
            return Err(Error::Stopped);
        }
        Ok((
            name.filter(|name| !name.trim().is_empty()),
            picture.as_ref().and_then(|picture| data_url(&picture.bytes)),
        ))
    }
}

impl Kept {
    /// Nothing is kept.
    pub(crate) fn nothing() -> Self {
        Self {
            state: KeptState::Nothing,
            last_checked: None,
            last_snapshot: None,
            places: 0,
            this_computer_only: false,
            records: 0,
            media: 0,
            media_missing: 0,
            media_pending: 0,
            bytes: 0,
        }
    }
}

/// What the host says of an account. Not being answered is a state; being refused an answer is an error.
async fn hosting_status(pds: &Pds, did: &Did, cancel: &CancellationToken) -> Result<HostingStatus, Error> {
    use skykeep_net::Error as Net;
    match pds.get_repo_status(did, cancel).await {
        Ok(status) if status.active => Ok(HostingStatus::Active),
        Ok(status) => Ok(match status.status {
            Some(NetStatus::Deactivated) => HostingStatus::Deactivated,
            Some(NetStatus::Takendown) => HostingStatus::Takendown,
            Some(NetStatus::Suspended) => HostingStatus::Suspended,
            Some(NetStatus::Deleted) => HostingStatus::Deleted,
            _ => HostingStatus::Unknown,
        }),
        Err(Net::RepoNotFound { .. }) => Ok(HostingStatus::Missing),
        Err(Net::RepoDeactivated { .. }) => Ok(HostingStatus::Deactivated),
        Err(Net::RepoTakendown { .. }) => Ok(HostingStatus::Takendown),
        Err(Net::RepoSuspended { .. }) => Ok(HostingStatus::Suspended),
        Err(Net::Cancelled) => Err(Error::Stopped),
        Err(error) if error.is_transient() => Ok(HostingStatus::Unknown),
        Err(error) => Err(error.into()),
    }
}

/// A picture that a window can show: only what really is one, whatever the server called it.
pub(crate) fn data_url(picture: &[u8]) -> Option<String> {
    let mime = match picture {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => return None,
    };
    Some(format!("data:{mime};base64,{}", BASE64.encode(picture)))
}

fn millis(time: Timestamp) -> Millis {
    time.as_millisecond()
}
