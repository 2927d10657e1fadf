//! A store that fails at the write one asks for, as drives do.
//!
//! It stands before a real store. From the chosen write on the drive is gone, until [`FrailStore::replug`]: every call
//! answers `Missing`. What the chosen write itself leaves behind is its [`Fate`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use skykeep_vault::layout::{Checksum, StorePath};
use skykeep_vault::{Answer, Content, Depth, Error, Listing, Probe, Store, Stored, Target};

/// Largest file that can be torn: it is cut in memory.
const LIMIT: u64 = 1 << 30;

/// What a write that fails leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Nothing,
    /// Half of the bytes, under the final name: the drive had not told the truth about what it had synced.
    Torn,
    /// As many bytes as there should be, all zero, under the final name.
    Zeros,
    /// All of it; only the answer never came.
    Whole,
    /// What a process that is killed at this point leaves: nothing, and no process.
    Killed,
}

impl Fate {
    /// All that a process survives.
    pub const SURVIVABLE: [Self; 4] = [Self::Nothing, Self::Torn, Self::Zeros, Self::Whole];
}

/// A store that fails. Its writes are counted from 0: every `put` and every `set_aside`.
#[derive(Debug)]
pub struct FrailStore {
    inner: Arc<dyn Store>,
    writes: AtomicU64,
    gone: AtomicBool,
    plan: Mutex<Option<(u64, Fate)>>,
}

impl FrailStore {
    /// A store that does not fail yet.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            writes: AtomicU64::new(0),
            gone: AtomicBool::new(false),
            plan: Mutex::new(None),
        }
    }

    /// A store that fails at write `n`.
    pub fn failing_at(inner: Arc<dyn Store>, n: u64, fate: Fate) -> Self {
        let store = Self::new(inner);
        *store.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some((n, fate));
        store
    }

    /// How many writes there were.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// Pulls the cable now.
    pub fn unplug(&self) {
        self.gone.store(true, Ordering::SeqCst);
    }

    /// Puts the drive back; it fails no more.
    pub fn replug(&self) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.gone.store(false, Ordering::SeqCst);
    }

    /// Whether the drive is gone.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    fn there(&self) -> Result<(), Error> {
        if self.is_gone() { Err(Error::Missing) } else { Ok(()) }
    }

    /// Counts a write; says what becomes of it, if it is the one.
    fn next(&self) -> Result<Option<Fate>, Error> {
        self.there()?;
        let n = self.writes.fetch_add(1, Ordering::SeqCst);
        let plan = *self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let fate = plan.filter(|(at, _)| *at == n).map(|(_, fate)| fate);
        if fate == Some(Fate::Killed) {
            kill_this_process();
        }
        if fate.is_some() {
            self.unplug();
        }
        Ok(fate)
    }

    /// Leaves the wrong bytes under the name that the right ones would have had.
    async fn spoil(&self, target: Target, content: Content, spoil: fn(Vec<u8>) -> Vec<u8>) -> Result<(), Error> {
        let whole = tokio::task::spawn_blocking(move || content.into_bytes("torn", LIMIT));
        let whole = whole.await.map_err(|_| Error::Stopped)??;
        let path = match target {
            Target::Named { path, .. } => path,
            Target::Hashed { folder, ending } => folder.join(&format!("{}{ending}", Checksum::of(&whole).name()))?,
        };
        let target = Target::Named { path, sum: None };
        self.inner.put(target, Content::bytes(spoil(whole))).await.map(drop)
    }
}

impl Store for FrailStore {
    fn put(&self, target: Target, content: Content) -> Answer<'_, Stored> {
        Box::pin(async move {
            match self.next()? {
                None => return self.inner.put(target, content).await,
                Some(Fate::Nothing | Fate::Killed) => {}
                Some(Fate::Whole) => drop(self.inner.put(target, content).await),
                Some(Fate::Torn) => drop(self.spoil(target, content, half).await),
                Some(Fate::Zeros) => drop(self.spoil(target, content, zeros).await),
            }
            Err(Error::Missing)
        })
    }

    fn get<'a>(&'a self, path: &'a StorePath) -> Answer<'a, Option<Content>> {
        Box::pin(async move {
            self.there()?;
            self.inner.get(path).await
        })
    }

    fn confirm<'a>(&'a self, path: &'a StorePath) -> Answer<'a, ()> {
        Box::pin(async move {
            self.there()?;
            self.inner.confirm(path).await
        })
    }

    fn list<'a>(&'a self, folder: &'a StorePath, depth: Depth) -> Answer<'a, Listing> {
        Box::pin(async move {
            self.there()?;
            self.inner.list(folder, depth).await
        })
    }

    fn set_aside<'a>(&'a self, from: &'a StorePath, to: &'a StorePath) -> Answer<'a, ()> {
        Box::pin(async move {
            match self.next()? {
                None => return self.inner.set_aside(from, to).await,
                Some(Fate::Whole) => drop(self.inner.set_aside(from, to).await),
                Some(_) => {}
            }
            Err(Error::Missing)
        })
    }

    fn probe(&self) -> Answer<'_, Probe> {
        Box::pin(async move {
            self.there()?;
            self.inner.probe().await
        })
    }

    fn sweep(&self, now: Timestamp) -> Answer<'_, u64> {
        Box::pin(async move {
            self.there()?;
            self.inner.sweep(now).await
        })
    }
}

fn half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

fn zeros(bytes: Vec<u8>) -> Vec<u8> {
    vec![0; bytes.len()]
}

/// SIGKILL, by its number: nothing of this process runs after it, no destructor and no flush.
fn kill_this_process() -> ! {
    let pid = std::process::id().to_string();
    let _ = std::process::Command::new("kill").args(["-9", &pid]).status();
    // The signal may take a moment to arrive.
    loop {
        std::thread::park();
    }
}
