//! Reading a place again: every file hashed, and what is damaged written anew.

use std::collections::BTreeSet;

use jiff::Timestamp;
use skykeep_vault::layout::{AccountFile, AccountFolder, VaultFile};
use skykeep_vault::{CheckReport, Fault, Vault};
use tracing::{info, warn};

use super::open;
use super::under_way::UnderWay;
use crate::api::{Check, CheckStep, Damage, Event};
use crate::catalogue::{PlaceFacts, Subject};
use crate::{Engine, Error, problem, settings};

impl Engine {
    /// Hashes every file of a place (or of all) again and says what is not as its name says.
    ///
    /// What is damaged is written anew: from staging, from another place, or, what the newest snapshot needs, from the
    /// host. A place that is not there is skipped when all are checked. Errors: `Unknown`, `Place`, `Stopped`.
    pub async fn check(&self, place: Option<&str>) -> Result<Vec<Check>, Error> {
        let (places, all) = match place {
            Some(id) => (vec![self.find_place(id)?], false),
            None => (self.inner.settings().places, true),
        };
        let mut checks = Vec::new();
        for place in places {
            match self.check_place(&place).await {
                Ok(check) => checks.push(check),
                Err(error) if all && error.is_away() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(checks)
    }

    async fn check_place(&self, place: &settings::Place) -> Result<Check, Error> {
        let inner = &self.inner;
        let vault = open(inner, place).await?;
        let mut under_way = UnderWay::begin(inner, place.vault);
        let at_place = |source| Error::Place {
            name: place.name.clone(),
            source,
        };
        let mut report = skykeep_vault::check(&vault, &mut |progress| under_way.go_on(progress))
            .await
            .map_err(at_place)?;
        report.damages.retain(|damage| damage.fault != Fault::Abandoned);
        let found: Vec<VaultFile> = report.damages.iter().map(|damage| damage.file.clone()).collect();
        self.mend(place, &vault, &mut report, &mut under_way).await?;
        // What the host gives is delivered like anything new, and what no delivery put right comes from staging.
        if self.ask_hosts_again(&report, &mut under_way).await? {
            self.mend(place, &vault, &mut report, &mut under_way).await?;
        }
        if !found.is_empty() {
            under_way.step(CheckStep::Again);
            report = skykeep_vault::check(&vault, &mut |progress| under_way.go_on(progress))
                .await
                .map_err(at_place)?;
        }
        let still = |file: &VaultFile| report.damages.iter().any(|damage| damage.file == *file);
        let mended = found
            .iter()
            .filter(|file| !still(file))
            .map(|file| file.path().to_string());
        let mended: Vec<String> = mended.collect();
        let put_right = (!mended.is_empty()).then(|| problem::mended(&place.name, mended.len()));
        let check = Check {
            mended,
            ..to_check(place, &report)
        };
        let now = Timestamp::now();
        let id = place.vault.to_string();
        let found = (!check.damaged.is_empty())
            .then(|| problem::damage_found(&place.name, check.damaged.len(), check.touched_snapshots.len()));
        inner
            .ask(move |catalogue| {
                let facts = catalogue.place(&id)?.unwrap_or_default();
                catalogue.set_place(
                    &id,
                    &PlaceFacts {
                        last_checked: Some(now),
                        last_seen: Some(now),
                        ..facts
                    },
                )?;
                let subject = Subject::Place(id);
                if let Some(problem) = put_right {
                    catalogue.raise(&subject, &problem, now)?;
                }
                match found {
                    Some(problem) => catalogue.raise(&subject, &problem, now).map(drop),
                    None => catalogue.clear(&subject, problem::DAMAGE_FOUND).map(drop),
                }
            })
            .await?;
        inner.wake.notify_one();
        let _ = inner.events.send(Event::Places);
        Ok(check)
    }

    /// Writes what a check found damaged anew, from staging or from another place; that leaves the report.
    ///
    /// What cannot be mended stays as it is. Errors: `Stopped`.
    async fn mend(
        &self,
        place: &settings::Place,
        vault: &Vault,
        report: &mut CheckReport,
        under_way: &mut UnderWay<'_>,
    ) -> Result<(), Error> {
        if report.damages.is_empty() {
            return Ok(());
        }
        under_way.step(CheckStep::Mending);
        let reach = self.inner.reach().await;
        let sources: Vec<&Vault> = reach.vaults().iter().filter(|source| !source.is(vault.id())).collect();
        match skykeep_vault::heal(vault, report, &sources, &mut |progress| under_way.go_on(progress)).await {
            Ok(healed) => {
                info!(place = %place.name, healed = healed.healed.len(), remaining = healed.remaining.len(), "mended");
                report.damages.retain(|damage| healed.remaining.contains(&damage.file));
                Ok(())
            }
            Err(skykeep_vault::Error::Stopped) => Err(Error::Stopped),
            Err(error) => {
                warn!(place = %place.name, %error, "what is damaged cannot be written anew");
                Ok(())
            }
        }
    }

    /// Asks the hosts for what is damaged and nobody in reach has whole, as far as newest snapshots need it: staging has
    /// it then. Whether there was anything to ask for.
    ///
    /// What only older snapshots need is nowhere else: a host hands out the account as it is now. Errors: `Staging`.
    async fn ask_hosts_again(&self, report: &CheckReport, under_way: &mut UnderWay<'_>) -> Result<bool, Error> {
        let inner = &self.inner;
        let mut asked = false;
        for account in inner.settings().accounts {
            let folder = AccountFolder::of(&account.did).map_err(Error::Staging)?;
            let damaged = report.damages.iter().filter_map(|damage| match &damage.file {
                VaultFile::Account { account, file } if *account == folder => Some(file.clone()),
                _ => None,
            });
            let mut damaged: BTreeSet<AccountFile> = damaged.collect();
            let Some(latest) = inner.staging.latest(&folder, None).await.map_err(Error::Staging)? else {
                continue;
            };
            let contents = inner.staging.contents(&latest).await.map_err(Error::Staging)?;
            let needed: BTreeSet<&AccountFile> = contents.objects().map(|object| &object.name).collect();
            damaged.retain(|file| needed.contains(file));
            if damaged.is_empty() {
                continue;
            }
            if !asked {
                under_way.step(CheckStep::Asking);
            }
            info!(did = %account.did, files = damaged.len(), "the host is asked for what is damaged");
            asked |= self.fetch_again(&account.did, damaged).await.is_some();
        }
        Ok(asked)
    }
}

fn to_check(place: &settings::Place, report: &CheckReport) -> Check {
    let damaged: Vec<Damage> = report
        .damages
        .iter()
        // What a writer gave up itself is nobody's loss.
        .filter(|damage| damage.fault != Fault::Abandoned)
        .map(|damage| Damage {
            name: damage.file.path().to_string(),
            state: match damage.fault {
                Fault::Damaged | Fault::Refused | Fault::Abandoned => "damaged",
                Fault::Missing => "missing",
                Fault::Unreadable => "unreadable",
            }
            .to_owned(),
            snapshots: damage.snapshots.iter().map(ToString::to_string).collect(),
        })
        .collect();
    let snapshots = || report.accounts.iter().flat_map(|account| &account.snapshots);
    Check {
        place: place.vault.to_string(),
        sound: report.files - damaged.len().min(usize::try_from(report.files).unwrap_or(usize::MAX)) as u64,
        bytes: report.bytes,
        damaged,
        mended: Vec::new(),
        whole_snapshots: snapshots().filter(|snapshot| snapshot.is_whole()).count() as u64,
        touched_snapshots: snapshots()
            .filter(|s| !s.is_whole())
            .map(|s| s.name.to_string())
            .collect(),
    }
}
