//! Members who share a place keep an eye on each other: their computers read each other's public identity logs too.
//!
//! A laptop that sleeps watches nothing; the others on the same place do. Once a day, and when somebody looks again, the
//! directory is asked for the log of every account found there that this computer does not keep itself (those are read with
//! every run), one after the other. A log has to prove itself and to continue the one that is known: at first the one that
//! lies in the member's own backups, then the last one that was read. What is new in it is a finding, which is remembered
//! and shown.
//!
//! Asking tells the directory that this computer cares for these accounts, which is why it can be switched off.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use skykeep_atproto::Did;
use skykeep_atproto::did::Method;
use skykeep_atproto::plc::{self, Audited, LogEntry, Standing, State};
use skykeep_net::plc::Directory;
use skykeep_vault::IdentityKind;
use skykeep_vault::layout::AccountFolder;
use tracing::{debug, info};

use crate::Error;
use crate::api::{Finding, FindingWhat};
use crate::catalogue::{KnownMember, Watched};
use crate::engine::Inner;
use crate::places::{LOOK_PATIENCE, open_lately};
use crate::settings::Place;
use crate::snapshots::identity_part;

/// How often an identity is asked for by itself.
const DAILY: SignedDuration = SignedDuration::from_hours(22);

/// How often at most, however often somebody looks again.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// Accounts that are asked for in one look.
const AT_ONCE: usize = 50;

/// Findings of one account that are remembered, the newest ones.
const MOST: usize = 20;

impl Inner {
    /// Looks after everyone on a place whom nobody here keeps. `anew` does not wait for the next day.
    ///
    /// Errors: those of the catalogue; `Stopped`.
    pub(super) async fn watch(
        &self,
        place: &Place,
        members: &[KnownMember],
        anew: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        let settings = self.settings();
        if !settings.family.watch {
            return Ok(());
        }
        // Somebody on two places is asked for once.
        let _alone = self.looked.watching().await;
        let mut due = Vec::new();
        for member in members {
            let Some(did) = member.did.as_deref().and_then(|did| did.parse::<Did>().ok()) else {
                continue;
            };
            // A did:web has no log, only a document that says what it says today.
            if did.method() != Method::Plc || settings.account(&did).is_some() {
                continue;
            }
            let before = self.watched(&did).await?;
            let lately = |watched: &Watched| {
                let since = now.duration_since(watched.asked);
                !since.is_negative() && since < if anew { AGAIN } else { DAILY }
            };
            if !before.as_ref().is_some_and(lately) {
                due.push((before, did, member));
            }
        }
        // Whoever can write to a place can put a thousand names there: those who waited longest come first.
        due.sort_by_key(|(before, ..)| before.as_ref().map(|before| before.asked));
        for (before, did, member) in due.into_iter().take(AT_ONCE) {
            match self.look_after(place, member, &did, before, now).await {
                Ok(()) => {}
                Err(error) if error.is_stop() => return Err(error),
                // A directory that does not answer answers nobody else either.
                Err(Error::Net(error)) if error.is_transient() => {
                    debug!(%did, %error, "identities could not be looked at");
                    break;
                }
                // Next time is soon enough.
                Err(error) => debug!(%did, %error, "an identity could not be looked at"),
            }
        }
        Ok(())
    }

    /// What is known of the identity of somebody who shares a place.
    pub(super) async fn watched(&self, did: &Did) -> Result<Option<Watched>, Error> {
        let did = did.to_string();
        self.ask(move |catalogue| catalogue.watched(&did)).await
    }

    async fn look_after(
        &self,
        place: &Place,
        member: &KnownMember,
        did: &Did,
        before: Option<Watched>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (known, mut findings) = match before {
            Some(before) => (before.log, before.findings),
            // What cannot be read now may be read next time; without it a change before today would be missed for good.
            None => (self.kept_log(place, member).await?.unwrap_or_default(), Vec::new()),
        };
        let read = Directory::new(&self.client()).audit_log(did, &self.shutdown).await?;
        let old = plc::parse_log(&known).unwrap_or_default();
        let news = judge(did, &old, &read.entries, now);
        let log = match news.iter().any(|finding| finding.what == FindingWhat::Rewritten) {
            // What was known stays what is compared with.
            true => known,
            false => read.bytes,
        };
        for finding in news {
            if !findings.contains(&finding) && !is_same_alarm(&findings, &finding) {
                info!(%did, what = ?finding.what, "an identity on a shared place has changed");
                findings.push(finding);
            }
        }
        findings.drain(..findings.len().saturating_sub(MOST));
        let watched = Watched {
            asked: now,
            log,
            findings,
        };
        let did = did.to_string();
        self.ask(move |catalogue| catalogue.set_watched(&did, &watched)).await
    }

    /// The log that lies in a member's own newest backup, which still has to prove itself; `None` when there is none.
    ///
    /// Errors: `Place`, when it cannot be read.
    async fn kept_log(&self, place: &Place, member: &KnownMember) -> Result<Option<Vec<u8>>, Error> {
        let at_place = |source| Error::Place {
            name: place.name.clone(),
            source,
        };
        let vault = open_lately(self, place, LOOK_PATIENCE).await?;
        let folder: AccountFolder = member.folder.parse().map_err(at_place)?;
        let Some(newest) = vault.latest(&folder, None).await.map_err(at_place)? else {
            return Ok(None);
        };
        let contents = vault.contents(&newest).await.map_err(at_place)?;
        let log = identity_part(&vault, &newest, &contents, IdentityKind::AuditLog).await;
        log.map_err(at_place)
    }
}

/// A log that stays rewritten is found every day, and is one finding.
fn is_same_alarm(findings: &[Finding], new: &Finding) -> bool {
    new.what == FindingWhat::Rewritten && findings.iter().any(|known| known.what == FindingWhat::Rewritten)
}

/// What has happened to an identity since `old`, oldest first.
///
/// Without an older log, or with one that proves nothing, there is nothing to compare with, and only a log that fails its
/// own proof is a finding.
fn judge(did: &Did, old: &[LogEntry], new: &[LogEntry], now: Timestamp) -> Vec<Finding> {
    let finding = |at: Timestamp, what, now| Finding {
        at: at.as_millisecond(),
        what,
        now,
    };
    let rewritten = finding(now, FindingWhat::Rewritten, None);
    let audit = plc::audit(Some(did), new);
    if !audit.is_valid() {
        return vec![rewritten];
    }
    let before = plc::audit(Some(did), old);
    if old.is_empty() || !before.is_valid() {
        return Vec::new();
    }
    let mut state = before.current().map(Cow::into_owned);
    let comparison = plc::compare(old, new);
    if !comparison.is_continuation() {
        // What it says now is told too: it may be all that the rewriting was for.
        let now_says = audit.current().map(Cow::into_owned);
        let at = audit.head().map_or(now, |head| head.created_at);
        let changed = differences(state.as_ref(), now_says.as_ref()).into_iter();
        return std::iter::once(rewritten)
            .chain(changed.map(|(what, value)| finding(at, what, value)))
            .collect();
    }
    let added: Vec<&LogEntry> = comparison.added.iter().filter_map(|place| new.get(*place)).collect();
    let is_new = |operation: &&Audited| added.iter().any(|entry| entry.cid == operation.cid.to_string());
    let mut findings = Vec::new();
    for operation in audit.operations().iter().filter(is_new) {
        if operation.standing != Standing::Valid {
            // Made and undone between two looks: nothing of it is left but that it happened.
            findings.push(finding(operation.created_at, FindingWhat::Undone, None));
            continue;
        }
        let next = operation.operation.state().map(Cow::into_owned);
        let changed = differences(state.as_ref(), next.as_ref()).into_iter();
        findings.extend(changed.map(|(what, value)| finding(operation.created_at, what, value)));
        state = next;
    }
    findings
}

/// What one operation changed, and what that is now where a person can read it.
fn differences(before: Option<&State>, after: Option<&State>) -> Vec<(FindingWhat, Option<String>)> {
    let Some(after) = after else {
        return vec![(FindingWhat::Ended, None)];
    };
    let host = |state: &State| state.pds();
    let handle = |state: &State| state.handle().map(|handle| handle.to_string());
    let key = |state: &State| state.signing_key();
    let mut found = Vec::new();
    if before.and_then(host) != host(after) {
        found.push((FindingWhat::Host, host(after)));
    }
    if before.and_then(handle) != handle(after) {
        found.push((FindingWhat::Handle, handle(after)));
    }
    if before.and_then(key) != key(after) {
        found.push((FindingWhat::Key, None));
    }
    if before.map(|state| &state.rotation_keys) != Some(&after.rotation_keys) {
        found.push((FindingWhat::RecoveryKeys, None));
    }
    found
}

#[cfg(test)]
mod tests {
    use skykeep_atproto::plc::{Operation, Service};
    use skykeep_atproto::{Curve, SigningKey};

    use super::*;

    const AT: i64 = 1_795_000_000;

    fn key(n: u8) -> SigningKey {
        SigningKey::from_bytes(Curve::K256, &[n; 32]).unwrap()
    }

    fn state() -> State {
        let service = Service {
            kind: "AtprotoPersonalDataServer".to_owned(),
            endpoint: "https://one.example".to_owned(),
        };
        State {
            rotation_keys: [1, 2].map(|n| key(n).did_key().to_string()).into(),
            verification_methods: [("atproto".to_owned(), key(3).did_key().to_string())].into(),
            also_known_as: vec!["at://alice.example".to_owned()],
            services: [("atproto_pds".to_owned(), service)].into(),
        }
    }

    /// A log: its first state, and what each later operation makes of the state before, an hour apart; `None` ends it.
    struct Made {
        did: Did,
        entries: Vec<LogEntry>,
        state: State,
    }

    impl Made {
        fn new() -> Self {
            let first = Operation::update(state(), None).signed(&key(1));
            let did = first.genesis_did().unwrap();
            let mut made = Self {
                did,
                entries: Vec::new(),
                state: state(),
            };
            made.push(&first);
            made
        }

        fn push(&mut self, operation: &Operation) {
            let hours = i64::try_from(self.entries.len()).unwrap();
            let at = Timestamp::from_second(AT + hours * 3_600).unwrap();
            let entry = LogEntry::new(&self.did, operation, false, at);
            self.entries.push(entry);
        }

        fn change(&mut self, change: impl FnOnce(&mut State)) -> &mut Self {
            change(&mut self.state);
            let prev = self.entries.last().unwrap().operation().unwrap().cid();
            let operation = Operation::update(self.state.clone(), Some(prev)).signed(&key(1));
            self.push(&operation);
            self
        }

        fn end(&mut self) -> &mut Self {
            let prev = self.entries.last().unwrap().operation().unwrap().cid();
            let operation = Operation::tombstone(prev).signed(&key(1));
            self.push(&operation);
            self
        }
    }

    fn check(did: &Did, old: &[LogEntry], new: &[LogEntry], expected: &[(i64, FindingWhat, Option<&str>)]) {
        let now = Timestamp::from_second(AT + 99 * 3_600).unwrap();
        let found = judge(did, old, new, now);
        let found: Vec<_> = found
            .iter()
            .map(|finding| ((finding.at / 1_000 - AT) / 3_600, finding.what, finding.now.as_deref()))
            .collect();
        assert_eq!(found, expected);
    }

    fn host(state: &mut State) {
        state.services.get_mut("atproto_pds").unwrap().endpoint = "https://two.example".to_owned();
    }

    #[test]
    fn what_is_new_in_a_log_is_found_and_when() {
        use FindingWhat::{Ended, Handle, Host, Key, RecoveryKeys};
        let mut made = Made::new();
        made.change(host)
            .change(|state| state.also_known_as = vec!["at://bob.example".to_owned()])
            .change(|state| {
                let other = key(4).did_key().to_string();
                state.verification_methods.insert("atproto".to_owned(), other);
            })
            .change(|state| state.rotation_keys.swap(0, 1))
            .end();
        let (did, log) = (&made.did, &made.entries);
        let all = [
            (1, Host, Some("https://two.example")),
            (2, Handle, Some("bob.example")),
            (3, Key, None),
            (4, RecoveryKeys, None),
            (5, Ended, None),
        ];
        for known in 1..=log.len() {
            check(did, &log[..known], log, &all[known - 1..]);
        }
        // With nothing to compare with there is nothing new.
        check(did, &[], log, &[]);
        // One operation may change several things, and one that changes nothing is nothing.
        let mut made = Made::new();
        made.change(|_| {}).change(|state| {
            host(state);
            state.also_known_as.clear();
        });
        let (did, log) = (&made.did, &made.entries);
        check(
            did,
            &log[..1],
            log,
            &[(2, Host, Some("https://two.example")), (2, Handle, None)],
        );
    }

    #[test]
    fn an_attack_that_was_undone_between_two_looks_is_found() {
        let mut made = Made::new();
        let first = made.entries[0].operation().unwrap().cid();
        let mut stolen = state();
        host(&mut stolen);
        // By the lower key, and undone by the higher one an hour later.
        made.push(&Operation::update(stolen, Some(first)).signed(&key(2)));
        made.push(&Operation::update(state(), Some(first)).signed(&key(1)));
        made.entries[1].nullified = true;
        let (did, log) = (&made.did, &made.entries);
        check(did, &log[..1], log, &[(1, FindingWhat::Undone, None)]);
        // Seen while it stood, its undoing is a change back.
        let mut seen = log[..2].to_vec();
        seen[1].nullified = false;
        check(did, &seen, log, &[(2, FindingWhat::Host, Some("https://one.example"))]);
    }

    #[test]
    fn a_log_that_is_not_what_it_was_is_found() {
        let rewritten = [(99, FindingWhat::Rewritten, None)];
        let (mut one, mut other) = (Made::new(), Made::new());
        one.change(host);
        other.change(|state| state.also_known_as.clear());
        let (did, log) = (&one.did, &one.entries);
        let home = Some("https://one.example");
        check(did, log, &log[..1], &[rewritten[0], (0, FindingWhat::Host, home)]);
        let all = [
            rewritten[0],
            (1, FindingWhat::Host, home),
            (1, FindingWhat::Handle, None),
        ];
        check(did, log, &other.entries, &all);
        check(did, log, &[], &rewritten);
        // One that breaks its own rules, whatever was known.
        let mut broken = log.clone();
        broken.swap(0, 1);
        check(did, &[], &broken, &rewritten);
        check(did, log, &broken, &rewritten);
        // What was known and proves nothing is no reproach to the one that does.
        check(did, &broken, log, &[]);
    }

    #[test]
    fn a_log_that_stays_rewritten_is_one_finding() {
        let finding = |at, what| Finding { at, what, now: None };
        let known = [finding(1, FindingWhat::Host), finding(2, FindingWhat::Rewritten)];
        assert!(is_same_alarm(&known, &finding(3, FindingWhat::Rewritten)));
        let later = [
            known.clone(),
            [finding(3, FindingWhat::Key), finding(4, FindingWhat::Ended)],
        ]
        .concat();
        assert!(is_same_alarm(&later, &finding(5, FindingWhat::Rewritten)));
        assert!(!is_same_alarm(&known[..1], &finding(3, FindingWhat::Rewritten)));
        assert!(!is_same_alarm(&known, &finding(3, FindingWhat::Host)));
    }
}
