//! Several people on one place: who is there, how they fare, and how much room they have.
//!
//! Nobody is asked for anything: a place's own signed manifests tell who shares it. What was read is remembered in the
//! catalogue, so that a drive that is away can still be spoken of; once a day, and whenever somebody looks, it is read
//! again. Nothing is ever written to the place for this. Who shares a place is also looked after: [`watch`].

mod judge;
mod leave;
mod members;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use skykeep_atproto::Did;
use skykeep_vault::layout::VaultId;
use tracing::{debug, warn};

use crate::api::{Computer, Family, Late, Member, Room, RoomState};
use crate::catalogue::{Catalogue, Fill, KnownFamily, KnownMember, Subject};
use crate::engine::Inner;
use crate::places::{LOOK_PATIENCE, open_lately};
use crate::settings::Place;
use crate::{Engine, Error, on_heap, problem};

/// How often every place is read by itself.
const DAILY: SignedDuration = SignedDuration::from_hours(22);

/// How long a place that could not be read then is left alone.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// When places were last read by themselves, or were tried; and whether somebody is looked after now.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    tried: Mutex<BTreeMap<VaultId, Timestamp>>,
    watching: tokio::sync::Mutex<()>,
}

impl Looked {
    /// Whether it is time to try again; that counts as having tried.
    fn begin(&self, place: VaultId, now: Timestamp) -> bool {
        let mut looked = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = |tried: &Timestamp| *tried <= now && now.duration_since(*tried) < AGAIN;
        if looked.get(&place).is_some_and(lately) {
            return false;
        }
        looked.insert(place, now);
        true
    }

    async fn watching(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.watching.lock().await
    }
}

impl Engine {
    /// Everyone on a place. `anew` measures what they use, and reads their identities, again; without, both are a day old
    /// at most while the scheduler runs.
    ///
    /// A place that is away is told of as it was last read. Errors: `Unknown`; `Place` where it was never read and cannot
    /// be.
    pub async fn family(&self, place: &str, anew: bool) -> Result<Family, Error> {
        let place = self.find_place(place)?;
        let now = Timestamp::now();
        let known = self.inner.known_family(&place).await?;
        let (known, away) = match on_heap(|| self.inner.read_family(&place, known.clone(), anew, now)).await {
            Ok(read) => (read, false),
            Err(error) => match known {
                Some(known) => (known, true),
                None => return Err(error),
            },
        };
        if anew {
            self.inner.watch(&place, &known.members, true, now).await?;
        }
        self.inner.show_family(&place, known, away, now).await
    }

    /// Everyone on every place that can be read, or was once. Errors: those of the catalogue.
    pub async fn families(&self, anew: bool) -> Result<Vec<Family>, Error> {
        let mut families = Vec::new();
        for place in self.inner.settings().places {
            match self.family(place.vault.as_str(), anew).await {
                Ok(family) => families.push(family),
                Err(error) if error.is_away() => warn!(place = %place.name, %error, "nobody there is known yet"),
                Err(error) => return Err(error),
            }
        }
        Ok(families)
    }

    /// Sets what each account may use of a place before that is said, in bytes; `None` for the same part for everyone.
    ///
    /// Errors: `Unknown`, `Data`.
    pub fn set_share(&self, place: &str, share: Option<u64>) -> Result<(), Error> {
        let place = self.find_place(place)?;
        self.inner.change_settings(|settings| {
            if let Some(known) = settings.places.iter_mut().find(|known| known.vault == place.vault) {
                known.share = share.filter(|share| *share > 0);
            }
        })
    }

    /// Reads, in the background, every place that nobody has read for a day.
    pub(crate) fn look_at_families(&self, now: Timestamp) {
        for place in self.inner.settings().places {
            if self.inner.looked.begin(place.vault, now) {
                let engine = self.clone();
                tokio::spawn(async move {
                    if let Err(error) = on_heap(|| engine.inner.look_at_family(&place, now)).await {
                        // A place that is away is read when it is back.
                        debug!(place = %place.name, %error, "who is on a place could not be read");
                    }
                });
            }
        }
    }
}

impl Inner {
    /// Who is on a place, as it was last read.
    async fn known_family(&self, place: &Place) -> Result<Option<KnownFamily>, Error> {
        let id = place.vault.to_string();
        self.ask(move |catalogue| catalogue.family(&id)).await
    }

    async fn look_at_family(&self, place: &Place, now: Timestamp) -> Result<(), Error> {
        let known = self.known_family(place).await?;
        let lately = |known: &KnownFamily| {
            let read = Timestamp::from_millisecond(known.read).unwrap_or(Timestamp::MIN);
            read <= now && now.duration_since(read) < DAILY
        };
        let members = match known {
            Some(known) if lately(&known) => known.members,
            known => match self.read_family(place, known.clone(), true, now).await {
                Ok(family) => family.members,
                // They are looked after wherever the drive is.
                Err(error) => known.ok_or(error)?.members,
            },
        };
        self.watch(place, &members, false, now).await
    }

    /// Reads who is on a place, and remembers it.
    async fn read_family(
        &self,
        place: &Place,
        known: Option<KnownFamily>,
        anew: bool,
        now: Timestamp,
    ) -> Result<KnownFamily, Error> {
        let vault = open_lately(self, place, LOOK_PATIENCE).await?;
        let at_place = |source| Error::Place {
            name: place.name.clone(),
            source,
        };
        let members = known.map(|known| known.members).unwrap_or_default();
        let members = members::read(&vault, members, anew, now).await.map_err(at_place)?;
        // A look must not write into a bucket, and learns nothing there.
        let probe = match place.folder() {
            Some(_) => vault.store().probe().await.ok(),
            None => None,
        };
        let family = KnownFamily {
            read: now.as_millisecond(),
            free: probe.and_then(|probe| probe.free),
            total: probe.and_then(|probe| probe.total),
            members,
        };
        let (id, kept) = (place.vault.to_string(), family.clone());
        self.ask(move |catalogue| catalogue.set_family(&id, &kept)).await?;
        self.tell_of_room(place, &family, now).await?;
        Ok(family)
    }

    /// How much room there is on a place, and for how long.
    async fn room(&self, place: &Place, known: &KnownFamily, now: Timestamp) -> Result<Room, Error> {
        let id = place.vault.to_string();
        let since = now
            .checked_sub(SignedDuration::from_hours(24 * judge::PACE_DAYS))
            .unwrap_or(Timestamp::MIN);
        let fills = self.ask(move |catalogue| catalogue.fills(&id, since)).await?;
        let fills: Vec<(Timestamp, u64)> = fills.iter().map(|Fill { at, used }| (*at, *used)).collect();
        let used = known.used();
        let full_in = judge::full_in(&fills, known.free);
        Ok(Room {
            used,
            free: known.free,
            share: judge::share(place.share, used, known.free, known.members.len()),
            share_set: place.share.is_some(),
            full_in,
            state: judge::state(known.free, known.total, full_in),
        })
    }

    /// Lets it be known that a place is full soon, or no longer.
    async fn tell_of_room(&self, place: &Place, known: &KnownFamily, now: Timestamp) -> Result<(), Error> {
        let subject = Subject::Place(place.vault.to_string());
        match self.room(place, known, now).await?.state {
            RoomState::Enough => {
                let over = move |catalogue: &Catalogue| catalogue.clear(&subject, problem::PLACE_FILLING).map(drop);
                self.ask(over).await
            }
            RoomState::Little | RoomState::Soon => {
                let filling = problem::place_filling(&place.name);
                self.raise_problem(&subject, filling, now).await
            }
        }
    }

    async fn show_family(
        &self,
        place: &Place,
        known: KnownFamily,
        away: bool,
        now: Timestamp,
    ) -> Result<Family, Error> {
        let room = self.room(place, &known, now).await?;
        let own = self.writer_key.id().to_string();
        let settings = self.settings();
        let mut members = Vec::new();
        for member in known.members {
            let did = member.did.as_deref().and_then(|did| did.parse::<Did>().ok());
            let account = did.as_ref().and_then(|did| settings.account(did));
            let watched = match &did {
                Some(did) if account.is_none() => self.watched(did).await?,
                _ => None,
            };
            members.push(Member {
                kept_here: account.is_some(),
                left: account.is_some_and(|account| account.left.contains(&place.vault)),
                watched: watched.as_ref().map(|watched| watched.asked.as_millisecond()),
                findings: watched.map_or_else(Vec::new, |watched| judge::recent(watched.findings, now)),
                ..show(member, &own, &room, now)
            });
        }
        members.sort_by(|a, b| {
            let name = |member: &Member| (member.did.is_none(), member.handle.is_none(), member.handle.clone());
            name(a).cmp(&name(b)).then_with(|| a.folder.cmp(&b.folder))
        });
        Ok(Family {
            place: place.vault.to_string(),
            name: place.name.clone(),
            read: known.read,
            away,
            members,
            room,
        })
    }
}

/// What was read of a member, as faces see it; what is known of it here is for whoever knows that.
fn show(known: KnownMember, own: &str, room: &Room, now: Timestamp) -> Member {
    let last = known.last.and_then(|last| Timestamp::from_millisecond(last).ok());
    let late = match known.did {
        Some(_) => judge::late(last, now),
        None => Late::Unknown,
    };
    Member {
        kept_here: false,
        left: false,
        watched: None,
        findings: Vec::new(),
        did: known.did,
        handle: known.handle,
        last_backup: known.last,
        late,
        snapshots: known.snapshots,
        bytes: known.bytes,
        over_share: room.share.is_some_and(|share| known.bytes > share),
        computers: known
            .computers
            .into_iter()
            .map(|computer| Computer {
                this: computer.writer == own,
                writer: computer.writer,
                last: computer.last,
            })
            .collect(),
        disbelieved: known.disbelieved,
        folder: known.folder,
    }
}
