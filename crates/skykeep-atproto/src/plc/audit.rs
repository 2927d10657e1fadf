//! The walk through a log that computes everything again. Rules 3 to 7 of [`super`].
//!
//! An [`Audit`] is a chain that operations are appended to, each judged by what stands there before it: [`audit`] is
//! that, done with every entry of a log. So an operation that nobody has submitted yet is judged by the same rule.

use std::borrow::Cow;

use jiff::Timestamp;

use super::history::{KeyHistory, KeyPeriod};
use super::{Fault, LogEntry, LogProblem, Operation, RECOVERY_WINDOW, State};
use crate::{Cid, Did, DidKey};

/// How many keys are tried in one audit, all signatures together: some seconds of work. Enough for 4,000 operations
/// that were all signed by the last of the five keys that the specification allows.
const MAX_KEYS_TRIED: u32 = 20_000;

/// What a log proves.
#[derive(Debug, Clone)]
pub struct Audit {
    did: Option<Did>,
    operations: Vec<Audited>,
    /// The operations that count, oldest first, by their places in `operations`.
    chain: Vec<usize>,
    problems: Vec<LogProblem>,
    keys_left: u32,
}

/// An operation and the judgement on it.
#[derive(Debug, Clone)]
pub struct Audited {
    /// Its name, computed.
    pub cid: Cid,
    /// When the directory took it in.
    pub created_at: Timestamp,
    /// Whether it counts.
    pub standing: Standing,
    /// Who signed it; `None` only for an operation that was refused.
    pub signed_by: Option<Signer>,
    /// The operation.
    pub operation: Operation,
}

/// Whether an operation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is part of the chain.
    Valid,
    /// It was rightly made, and rightly undone.
    Nullified {
        /// By this operation.
        by: Cid,
    },
    /// It breaks a rule and never counted; the audit's problems say which.
    Refused,
}

/// A rotation key and its place in the list that it was judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signer {
    /// The key.
    pub key: DidKey,
    /// Its (first) place in the rotation keys of the operation before; 0 is the most powerful.
    pub index: usize,
}

impl Audited {
    /// Whether it was undone by a later operation.
    pub const fn nullified(&self) -> bool {
        matches!(self.standing, Standing::Nullified { .. })
    }
}

/// Judges a whole log: does it prove what it says about `did`? Without a DID, the one that the first entry names.
///
/// Never fails: what is wrong is in [`Audit::problems`], and what was judged before it is there all the same. Takes
/// time in proportion to the log, and at most some seconds.
pub fn audit(did: Option<&Did>, entries: &[LogEntry]) -> Audit {
    let named = || entries.first().and_then(|entry| entry.did.parse().ok());
    let mut audit = Audit::new(did.cloned().or_else(named));
    if entries.is_empty() {
        audit.report(None, Fault::Empty, "the log has no operation".to_owned());
    }
    let mut flags = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        if let Some(place) = audit.read(index, entry) {
            flags.push((index, place, entry.nullified));
        }
    }
    for (index, place, flag) in flags {
        let operation = &audit.operations[place];
        if operation.standing != Standing::Refused && operation.nullified() != flag {
            let detail = format!("{} has nullified={flag}, the operations say otherwise", operation.cid);
            audit.report(Some(index), Fault::WrongNullifiedFlag, detail);
        }
    }
    audit
}

impl Audit {
    /// The empty chain of `did`; without one, of whatever DID the first operation makes.
    pub const fn new(did: Option<Did>) -> Self {
        Self {
            did,
            operations: Vec::new(),
            chain: Vec::new(),
            problems: Vec::new(),
            keys_left: MAX_KEYS_TRIED,
        }
    }

    /// Whose log it is; `None` only if nothing says.
    pub const fn did(&self) -> Option<&Did> {
        self.did.as_ref()
    }

    /// Whether the log proves all that it says. If not, nothing else here is to be relied on.
    pub const fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }

    /// Everything that is wrong, in the log's order; flags last.
    pub fn problems(&self) -> &[LogProblem] {
        &self.problems
    }

    /// Every operation that could be read, in the log's order, those included that were undone or refused.
    pub fn operations(&self) -> &[Audited] {
        &self.operations
    }

    /// The operations that count, oldest first.
    pub fn chain(&self) -> impl DoubleEndedIterator<Item = &Audited> {
        self.chain.iter().map(|place| &self.operations[*place])
    }

    /// The last operation that counts: the one that a new one has to name.
    pub fn head(&self) -> Option<&Audited> {
        self.chain.last().map(|place| &self.operations[*place])
    }

    /// What the identity says now; `None` when it has ended, or never began.
    pub fn current(&self) -> Option<Cow<'_, State>> {
        self.head()?.operation.state()
    }

    /// Whether the identity has ended.
    pub fn is_tombstoned(&self) -> bool {
        matches!(self.head(), Some(head) if head.operation.state().is_none())
    }

    /// Adds an operation that the directory takes in at `time`, if the rules allow it.
    ///
    /// What it undoes becomes nullified. Errors: which rule it breaks; the audit stays as it was.
    pub fn append(&mut self, operation: Operation, time: Timestamp) -> Result<&Audited, LogProblem> {
        let cid = operation.cid();
        let mut keys_left = self.keys_left;
        let judged = self.judge(&operation, time, &mut keys_left);
        self.keys_left = keys_left;
        let (place, signer) = judged.map_err(|(fault, detail)| LogProblem {
            fault,
            entry: None,
            detail,
        })?;
        for undone in self.chain.drain(place..) {
            self.operations[undone].standing = Standing::Nullified { by: cid };
        }
        self.chain.push(self.operations.len());
        if self.did.is_none() {
            self.did = operation.genesis_did();
        }
        self.operations.push(Audited {
            cid,
            created_at: time,
            standing: Standing::Valid,
            signed_by: Some(signer),
            operation,
        });
        Ok(self.operations.last().expect("one was just pushed"))
    }

    /// Which signing key was in force when. Of an invalid log it tells only what was valid in it.
    pub fn key_history(&self) -> Option<KeyHistory> {
        let mut history = KeyHistory::unknown(self.did.clone()?);
        for operation in self.chain() {
            continue_history(&mut history.keys, operation);
        }
        for undone in &self.operations {
            let Standing::Nullified { by } = undone.standing else {
                continue;
            };
            let Some(key) = signing_key(undone).filter(|key| history.find(key).is_none()) else {
                continue;
            };
            if history.undone.last().is_none_or(|last| last.key != key) {
                let end = self.operations.iter().find(|other| other.cid == by);
                history.undone.push(KeyPeriod {
                    key,
                    operation: Some(undone.cid),
                    from: Some(undone.created_at),
                    until: end.map(|end| end.created_at),
                });
            }
        }
        history.keys.reverse();
        history.undone.reverse();
        Some(history)
    }

    /// Takes one entry of a log. Returns the operation's place, if there was one to read.
    fn read(&mut self, index: usize, entry: &LogEntry) -> Option<usize> {
        let at = Some(index);
        if self.did.as_ref().is_none_or(|did| did.as_str() != entry.did) {
            self.report(at, Fault::OtherDid, format!("the entry is of {}", shown(&entry.did)));
        }
        let operation = match entry.operation() {
            Ok(operation) => operation,
            Err(error) => {
                self.report(at, Fault::BadShape, error.to_string());
                return None;
            }
        };
        let time = match entry.time() {
            Ok(time) => time,
            Err(error) => {
                self.report(at, Fault::BadTime, error.to_string());
                return None;
            }
        };
        let cid = operation.cid();
        if entry.cid != cid.to_string() {
            let detail = format!("the entry says {}, the operation is {cid}", shown(&entry.cid));
            self.report(at, Fault::CidMismatch, detail);
        }
        // Judged as it stands, so that the entries after it can be judged too; the log is invalid in any case.
        if let Err(problem) = self.append(operation.clone(), time) {
            self.report(at, problem.fault, problem.detail);
            self.operations.push(Audited {
                cid,
                created_at: time,
                standing: Standing::Refused,
                signed_by: None,
                operation,
            });
        }
        Some(self.operations.len() - 1)
    }

    /// Where in the chain the operation goes, and who signed it.
    fn judge(&self, operation: &Operation, time: Timestamp, keys_left: &mut u32) -> Result<(usize, Signer), Refusal> {
        if *keys_left == 0 {
            return refuse(Fault::TooMuchWork, "not judged");
        }
        let Some(last) = self.head() else {
            return self.judge_genesis(operation, keys_left);
        };
        let Some(prev) = operation.prev() else {
            return refuse(Fault::SecondGenesis, "a later operation has no prev");
        };
        let Some(place) = self.chain.iter().rposition(|place| self.operations[*place].cid == prev) else {
            let undone = self
                .operations
                .iter()
                .any(|other| other.cid == prev && other.nullified());
            let fault = if undone {
                Fault::NullifiedPrev
            } else {
                Fault::UnknownPrev
            };
            return refuse(fault, format!("prev is {prev}"));
        };
        let Some(state) = self.operations[self.chain[place]].operation.state() else {
            return refuse(Fault::AfterTombstone, format!("prev is {prev}"));
        };
        let signer = find_signer(operation, &state.rotation_keys, keys_left)?;
        if time <= last.created_at {
            return refuse(Fault::TimeOrder, format!("{time} is not after {}", last.created_at));
        }
        if let Some(first_undone) = self.chain.get(place + 1) {
            judge_recovery(signer, time, &self.operations[*first_undone])?;
        }
        Ok((place + 1, signer))
    }

    fn judge_genesis(&self, operation: &Operation, keys_left: &mut u32) -> Result<(usize, Signer), Refusal> {
        let (Some(state), Some(made)) = (operation.state(), operation.genesis_did()) else {
            return match operation.prev() {
                Some(prev) if !self.operations.is_empty() => refuse(Fault::UnknownPrev, format!("prev is {prev}")),
                _ => refuse(Fault::BadGenesis, "the first operation is a tombstone or has a prev"),
            };
        };
        match &self.did {
            Some(did) if *did != made => refuse(Fault::DidMismatch, format!("it makes {made}, not {did}")),
            _ => Ok((0, find_signer(operation, &state.rotation_keys, keys_left)?)),
        }
    }

    fn report(&mut self, entry: Option<usize>, fault: Fault, detail: String) {
        self.problems.push(LogProblem { fault, entry, detail });
    }
}

/// Rule 5, for an operation whose signer is known to stand in the right list.
fn judge_recovery(signer: Signer, time: Timestamp, first_undone: &Audited) -> Result<(), Refusal> {
    let disputed = first_undone.signed_by.map_or(0, |signer| signer.index);
    if signer.index >= disputed {
        let detail = format!("signed by key {}, to undo what key {disputed} signed", signer.index);
        return refuse(Fault::WeakKey, detail);
    }
    if time.duration_since(first_undone.created_at) > RECOVERY_WINDOW {
        let detail = format!("{time} is more than 72 hours after {}", first_undone.created_at);
        return refuse(Fault::TooLate, detail);
    }
    Ok(())
}

fn find_signer(operation: &Operation, keys: &[String], keys_left: &mut u32) -> Result<Signer, Refusal> {
    if operation.signature().is_none() {
        let detail = format!("{} letters", operation.sig().len());
        return refuse(Fault::BadSignatureEncoding, detail);
    }
    match operation.signer(keys, keys_left) {
        Some((index, key)) => Ok(Signer { key, index }),
        None if *keys_left == 0 => refuse(Fault::TooMuchWork, "not judged to the end"),
        None => refuse(Fault::BadSignature, format!("none of {} keys made it", keys.len())),
    }
}

/// Why an operation is not taken in.
type Refusal = (Fault, String);

fn refuse<T>(fault: Fault, detail: impl Into<String>) -> Result<T, Refusal> {
    Err((fault, detail.into()))
}

/// Continues the history with what the next valid operation says.
fn continue_history(periods: &mut Vec<KeyPeriod>, next: &Audited) {
    let key = signing_key(next);
    if let Some(open) = periods.last_mut().filter(|period| period.until.is_none()) {
        if key == Some(open.key) {
            return;
        }
        open.until = Some(next.created_at);
    }
    periods.extend(key.map(|key| KeyPeriod {
        key,
        operation: Some(next.cid),
        from: Some(next.created_at),
        until: None,
    }));
}

fn signing_key(audited: &Audited) -> Option<DidKey> {
    audited.operation.state()?.signing_key()
}

/// Text of a stranger, bounded.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(128).collect::<String>())
}
