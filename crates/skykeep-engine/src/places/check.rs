//! Looking at a place again: all of it, a portion, or names alone; and what is damaged written anew.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use skykeep_vault::layout::{AccountFile, AccountFolder, StorePath, VaultFile};
use skykeep_vault::{CheckReport, Fault, Kind, Portion, Reading, Vault};
use tracing::{info, warn};

use super::hurt::Hurt;
use super::open;
use super::under_way::UnderWay;
use crate::api::{Check, CheckHow, CheckStep, Damage, DamagedWhat, Event, Problem};
use crate::catalogue::{Catalogue, PlaceFacts, Subject};
use crate::{Engine, Error, problem, settings};

/// Damaged files that are remembered of a place.
const REMEMBERED: usize = 1_000;
/// Snapshots that are named with each.
const SNAPSHOTS: usize = 20;

/// What was found in a place, after what could be mended was.
pub(crate) struct Inspected {
    pub(crate) report: CheckReport,
    /// What was damaged and is whole again, by path.
    mended: Vec<String>,
    /// What the damage hurts, by the path of the damaged file.
    hurt: BTreeMap<StorePath, Hurt>,
}

impl Engine {
    /// Hashes every file of a place (or of all) again and says what is not as its name says.
    ///
    /// What is damaged is written anew: from staging, from another place, or, what the newest snapshot needs, from the
    /// host. A place that is not there is skipped when all are checked. Errors: `Unknown`, `Place`, `Stopped`.
    pub async fn check(&self, place: Option<&str>) -> Result<Vec<Check>, Error> {
        self.check_as(place, CheckHow::ReadAll).await
    }

    /// As [`Engine::check`], as thoroughly as is asked.
    pub async fn check_as(&self, place: Option<&str>, how: CheckHow) -> Result<Vec<Check>, Error> {
        let (places, all) = match place {
            Some(id) => (vec![self.find_place(id)?], false),
            None => (self.inner.settings().places, true),
        };
        let mut checks = Vec::new();
        for place in places {
            match self.check_place(&place, how).await {
                Ok(check) => checks.push(check),
                Err(error) if all && error.is_away() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(checks)
    }

    async fn check_place(&self, place: &settings::Place, how: CheckHow) -> Result<Check, Error> {
        let inner = &self.inner;
        let began = Timestamp::now();
        let id = place.vault.to_string();
        let mut round = inner.ask(move |catalogue| catalogue.round(&id)).await?;
        let vault = open(inner, place).await?;
        let portion = Portion {
            first: inner.damaged_before(&round),
            ..Portion::default()
        };
        let reading = match how {
            CheckHow::ReadAll => Reading::All,
            CheckHow::Names | CheckHow::Heal => Reading::Portion(&portion),
        };
        let stops = || inner.shutdown.is_cancelled();
        let inspected = self
            .inspect(place, &vault, reading, how != CheckHow::Names, &stops)
            .await?;
        let mut check = to_check(place, how, &inspected);
        inner.say_who_is_away(&mut check).await?;
        let now = Timestamp::now();
        round.damaged = inspected.standing();
        if how == CheckHow::ReadAll {
            (round.began, round.reached, round.bytes) = (None, None, 0);
            (round.last, round.of_bytes) = (Some(now), inspected.report.of_bytes);
            round.whole = Some((began, now));
        }
        let last_checked = (how == CheckHow::ReadAll).then_some(now);
        let (found, mended) = inspected.problems(place);
        let id = place.vault.to_string();
        inner
            .ask(move |catalogue| {
                catalogue.set_round(&id, &round)?;
                let facts = catalogue.place(&id)?.unwrap_or_default();
                let facts = PlaceFacts {
                    last_checked: last_checked.or(facts.last_checked),
                    last_seen: Some(now),
                    ..facts
                };
                catalogue.set_place(&id, &facts)?;
                in_catalogue(catalogue, id, found, mended, now)
            })
            .await?;
        inner.wake.notify_one();
        let _ = inner.events.send(Event::Places);
        Ok(check)
    }

    /// Reads what is to be read of a place and, where that is wanted, writes anew what is damaged; what was damaged is
    /// read once more then. Where `stops` says so, it ends between two files.
    ///
    /// Errors: `Place`, `Staging`, `Stopped`.
    pub(crate) async fn inspect(
        &self,
        place: &settings::Place,
        vault: &Vault,
        reading: Reading<'_>,
        mends: bool,
        stops: &(dyn Fn() -> bool + Sync),
    ) -> Result<Inspected, Error> {
        let (report, mended) = self.read_and_mend(place, vault, reading, mends, stops).await?;
        let hurt = match report.damages.is_empty() {
            true => BTreeMap::new(),
            false => self.hurt_by(place, vault, &report).await,
        };
        Ok(Inspected { report, mended, hurt })
    }

    /// What is damaged still, and the paths of what was.
    async fn read_and_mend(
        &self,
        place: &settings::Place,
        vault: &Vault,
        reading: Reading<'_>,
        mends: bool,
        stops: &(dyn Fn() -> bool + Sync),
    ) -> Result<(CheckReport, Vec<String>), Error> {
        let at_place = |source| Error::Place {
            name: place.name.clone(),
            source,
        };
        let step = match reading {
            Reading::All => CheckStep::Reading,
            Reading::Names | Reading::Portion(_) => CheckStep::Portion,
        };
        let mut under_way = UnderWay::begin(&self.inner, place.vault, step);
        let mut report = skykeep_vault::check_some(vault, reading, &mut |progress| under_way.go_on(progress, stops))
            .await
            .map_err(at_place)?;
        // What a writer gave up itself is nobody's loss.
        report.damages.retain(|damage| damage.fault != Fault::Abandoned);
        if report.damages.is_empty() || !mends {
            return Ok((report, Vec::new()));
        }
        let paths: BTreeSet<StorePath> = report.damages.iter().map(|damage| damage.file.path()).collect();
        self.mend(place, vault, &mut report, &mut under_way).await?;
        // What the host gives is delivered like anything new, and what no delivery put right comes from staging.
        if self.ask_hosts_again(&report, &mut under_way).await? {
            self.mend(place, vault, &mut report, &mut under_way).await?;
        }
        under_way.step(CheckStep::Again);
        let damaged = Portion {
            first: paths.clone(),
            ..Portion::default()
        };
        let again = Reading::Portion(&damaged);
        let mut after = skykeep_vault::check_some(vault, again, &mut |progress| under_way.go_on(progress, &|| false))
            .await
            .map_err(at_place)?;
        after.damages.retain(|damage| damage.fault != Fault::Abandoned);
        (after.files, after.bytes) = (report.files, report.bytes);
        after.reached = report.reached;
        let still: BTreeSet<StorePath> = after.damages.iter().map(|damage| damage.file.path()).collect();
        let mended = paths.difference(&still).map(ToString::to_string).collect();
        Ok((after, mended))
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
        let stops = || self.inner.shutdown.is_cancelled();
        let mut watch = |progress| under_way.go_on(progress, &stops);
        match skykeep_vault::heal(vault, report, &sources, &mut watch).await {
            Ok(healed) => {
                info!(place = %place.name, healed = healed.healed.len(), remaining = healed.remaining.len(), "mended");
                report.damages.retain(|damage| healed.remaining.contains(&damage.file));
            }
            Err(skykeep_vault::Error::Stopped) => return Err(Error::Stopped),
            Err(error) => warn!(place = %place.name, %error, "what is damaged cannot be written anew"),
        }
        // The vault's own file is nowhere else, and says nothing that this computer does not know.
        let own = |damage: &skykeep_vault::Damage| matches!(damage.file, VaultFile::Vault { .. });
        if report.damages.iter().any(own) {
            match vault.renew(&self.inner.writer_key, Timestamp::now()).await {
                Ok(_) => info!(place = %place.name, "the vault's own file is written anew"),
                Err(error) => warn!(place = %place.name, %error, "the vault's own file cannot be written anew"),
            }
        }
        Ok(())
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

impl Inspected {
    /// What is damaged still, as it is remembered: that many files, and that many snapshots of each.
    pub(crate) fn standing(&self) -> Vec<Damage> {
        let mut standing = self.damages(REMEMBERED);
        for damage in &mut standing {
            damage.snapshots.truncate(SNAPSHOTS);
        }
        standing
    }

    /// What is damaged still: at most so many files.
    fn damages(&self, at_most: usize) -> Vec<Damage> {
        let damages = self.report.damages.iter().take(at_most);
        damages
            .map(|damage| to_damage(damage, self.hurt.get(&damage.file.path()).cloned().unwrap_or_default()))
            .collect()
    }

    /// What a person reads about damage that stands, and about what was mended.
    pub(crate) fn problems(&self, place: &settings::Place) -> (Option<Problem>, Option<Problem>) {
        let (damaged, touched) = (self.report.damages.len(), touched(&self.report).len());
        let found = (damaged > 0).then(|| problem::damage_found(&place.name, damaged, touched));
        let mended = (!self.mended.is_empty()).then(|| problem::mended(&place.name, self.mended.len()));
        (found, mended)
    }
}

/// Raises what was found in a place, or clears what stood.
pub(crate) fn in_catalogue(
    catalogue: &Catalogue,
    place: String,
    found: Option<Problem>,
    mended: Option<Problem>,
    now: Timestamp,
) -> Result<(), crate::catalogue::Error> {
    if found.is_some() || mended.is_some() {
        catalogue.forget_read_there(&place)?;
    }
    let subject = Subject::Place(place);
    if let Some(problem) = mended {
        catalogue.raise(&subject, &problem, now)?;
    }
    match found {
        Some(problem) => catalogue.raise(&subject, &problem, now).map(drop),
        None => catalogue.clear(&subject, problem::DAMAGE_FOUND).map(drop),
    }
}

pub(crate) fn to_check(place: &settings::Place, how: CheckHow, inspected: &Inspected) -> Check {
    let report = &inspected.report;
    let damaged = inspected.damages(usize::MAX);
    let snapshots = report.accounts.iter().flat_map(|account| &account.snapshots);
    Check {
        place: place.vault.to_string(),
        how,
        files: report.of_files,
        sound: report.files.saturating_sub(damaged.len() as u64),
        bytes: report.bytes,
        damaged,
        mended: inspected.mended.clone(),
        whole_snapshots: snapshots.filter(|snapshot| snapshot.is_whole()).count() as u64,
        touched_snapshots: touched(report),
        problems: Vec::new(),
    }
}

fn touched(report: &CheckReport) -> Vec<String> {
    let snapshots = report.accounts.iter().flat_map(|account| &account.snapshots);
    let hurt = snapshots.filter(|snapshot| !snapshot.is_whole());
    hurt.map(|snapshot| snapshot.name.to_string()).collect()
}

fn to_damage(damage: &skykeep_vault::Damage, hurt: Hurt) -> Damage {
    let kind = damage.object.as_ref().map(|object| &object.kind);
    Damage {
        name: damage.file.path().to_string(),
        state: match damage.fault {
            Fault::Damaged | Fault::Refused | Fault::Abandoned => "damaged",
            Fault::Missing => "missing",
            Fault::Unreadable => "unreadable",
        }
        .to_owned(),
        snapshots: damage.snapshots.iter().map(ToString::to_string).collect(),
        what: match kind {
            Some(Kind::Blob { .. }) => DamagedWhat::Media,
            Some(Kind::Base { .. } | Kind::Increment { .. }) => DamagedWhat::Posts,
            Some(Kind::Identity(_)) => DamagedWhat::Identity,
            Some(Kind::Private { .. }) | None => DamagedWhat::Other,
        },
        record: match kind {
            Some(Kind::Blob { record, .. }) => Some(record.clone()),
            _ => None,
        },
        hurt: hurt.records,
        hurt_more: hurt.more,
    }
}
