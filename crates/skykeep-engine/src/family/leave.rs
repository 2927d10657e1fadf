//! Going one's own way: an account no longer goes to a place, or its folder is taken along.
//!
//! Nothing is deleted by either. What a place holds stays there, because nothing that a manifest names is ever deleted by
//! this version; whoever wants it gone is told the folder and may delete it by hand. So leaving harms nobody: it ends
//! what this computer brings, for one account, and other computers go on as they did.

use std::path::Path;

use skykeep_atproto::Did;
use skykeep_vault::layout::{AccountFolder, VaultId};
use tracing::info;

use crate::api::{Event, Member, TakenAlong};
use crate::engine::unknown;
use crate::error::What;
use crate::places::open;
use crate::settings::Place;
use crate::{Engine, Error};

impl Engine {
    /// No longer brings an account to a place. What is there stays. Doing so twice is no error.
    ///
    /// Errors: `OnlyThere` when no other place holds the account's newest backup with all its media and nobody has said
    /// that they are `sure`; `Unknown`, `Data`.
    pub async fn leave_place(&self, did: &Did, place: &str, sure: bool) -> Result<(), Error> {
        let place = self.find_place(place)?;
        if !sure && !self.is_whole_elsewhere(did, &place).await? {
            return Err(Error::OnlyThere {
                name: place.name.clone(),
            });
        }
        self.change_left(did, |left| {
            if !left.contains(&place.vault) {
                left.push(place.vault);
            }
        })?;
        info!(%did, place = %place.name, "no longer brought there; what is there stays");
        self.said();
        Ok(())
    }

    /// Brings an account to a place again, and what it lacks since. Errors: `Unknown`, `Data`.
    pub async fn return_to_place(&self, did: &Did, place: &str) -> Result<(), Error> {
        let place = self.find_place(place)?;
        self.change_left(did, |left| left.retain(|id| *id != place.vault))?;
        self.inner.place_added(&place);
        self.said();
        Ok(())
    }

    /// Copies everything that a place holds of an account, whoever keeps it, into a folder: a vault of its own, and
    /// every file of it is read again there. `who` is a DID, a handle or the name of the account's folder.
    ///
    /// The folder is made if it is not there; it must be empty, or hold a vault, to which the account is added. When it is
    /// cut off, the next time goes on. Errors: `Unknown`, `Place` (of either side), `PlaceKnown` when the folder is the
    /// place itself, or staging, `Data`, `Stopped`.
    pub async fn take_along(&self, who: &str, place: &str, to: &Path) -> Result<TakenAlong, Error> {
        let place = self.find_place(place)?;
        let _in_hand = self.take_in_hand();
        let from = open(&self.inner, &place).await?;
        let account = self.folder_of(who, &place).await?;
        let to = std::path::absolute(to).map_err(Error::data(to))?;
        let vault = self.vault_to_fill(&to, &from).await?;
        let copied = self
            .copy_accounts((&from, &place.name), (&vault, &to), std::slice::from_ref(&account))
            .await?;
        let health = copied.report.accounts.iter().find(|health| health.account == account);
        let whole =
            |health: &skykeep_vault::AccountHealth| health.snapshots.iter().filter(|one| one.is_whole()).count();
        let at_folder = |source| Error::Place {
            name: to.display().to_string(),
            source,
        };
        let bytes = super::members::size(&vault, &account).await.map_err(at_folder)?;
        info!(account = account.as_str(), place = %place.name, to = %to.display(), "taken along");
        Ok(TakenAlong {
            folder: to.display().to_string(),
            snapshots: health.map_or(0, |health| whole(health) as u64),
            bytes,
            left_behind: copied.left_behind,
        })
    }

    /// Whether another place that the account goes to holds its newest backup, confirmed, with all media.
    async fn is_whole_elsewhere(&self, did: &Did, place: &Place) -> Result<bool, Error> {
        let settings = self.inner.settings();
        let asked = did.clone();
        let (latest, holding) = self
            .inner
            .ask(move |catalogue| {
                let Some(latest) = catalogue.latest(&asked)? else {
                    return Ok((None, Vec::new()));
                };
                let holding = catalogue.confirmed_places(&asked, &latest.id)?;
                Ok((Some(latest), holding))
            })
            .await?;
        let whole = latest.is_some_and(|latest| latest.media_pending == 0);
        let others = settings.places_of(did).filter(|other| other.vault != place.vault);
        Ok(whole
            && others
                .into_iter()
                .any(|other| holding.iter().any(|id| *id == other.vault.as_str())))
    }

    fn change_left(&self, did: &Did, change: impl FnOnce(&mut Vec<VaultId>)) -> Result<(), Error> {
        let known = self.inner.change_settings(|settings| {
            let account = settings.account_mut(did);
            account.map(|account| change(&mut account.left))
        })?;
        known.ok_or_else(|| unknown(What::Account, did))
    }

    /// The folder of an account on a place, by any of its names.
    async fn folder_of(&self, who: &str, place: &Place) -> Result<AccountFolder, Error> {
        let name = who.trim().trim_start_matches('@').to_lowercase();
        let family = self.family(place.vault.as_str(), false).await?;
        let is_meant = |member: &&Member| {
            let names = [
                member.did.as_deref(),
                member.handle.as_deref(),
                Some(member.folder.as_str()),
            ];
            names.into_iter().flatten().any(|known| known == name)
        };
        let member = family.members.iter().find(is_meant);
        let folder = member.and_then(|member| member.folder.parse().ok());
        folder.ok_or_else(|| unknown(What::Account, who))
    }

    fn said(&self) {
        let _ = self.inner.events.send(Event::Places);
        self.inner.listen_changed();
    }
}
