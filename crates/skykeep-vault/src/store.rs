//! What a place can do: keep files under names, and nothing else.
//!
//! Two real things stand behind it: a folder or drive ([`crate::FolderStore`]) and a bucket of S3-compatible storage
//! ([`crate::S3Store`]), of which any call may also fail with `Server`. The promises:
//!
//! 1. When `put` has answered, the file is there, whole, under its name, and stays there after a power cut.
//! 2. Before that, nobody sees a part of it under that name.
//! 3. Nothing is ever overwritten: a name that is taken by the same bytes is success, by other bytes `NameTaken`.
//! 4. Memory is bounded whatever the file's size.
//!
//! There is no way to delete: the only change to a stored file is [`Store::set_aside`].

use std::fmt;
use std::pin::Pin;

use jiff::Timestamp;

use crate::Error;
use crate::content::Content;
use crate::layout::{Checksum, StorePath};

/// What a store answers when it is done.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A place that keeps files. See the promises at the top of the module.
pub trait Store: Send + Sync + fmt::Debug {
    /// Stores a file, and hashes it on its way.
    ///
    /// Errors: `NameTaken`; `Damaged` when the bytes are not those that the target asks for (nothing is stored then);
    /// the content's own error; `Missing`, `ReadOnly`, `Full`, `FileTooLarge`, `Io` of the place.
    fn put(&self, target: Target, content: Content) -> Answer<'_, Stored>;

    /// A file's bytes, or `None` when there is none of that name. Nothing is checked here: readers hash what they read.
    ///
    /// Errors: `NotAFile` for links and folders; `Missing`, `Io`.
    fn get<'a>(&'a self, path: &'a StorePath) -> Answer<'a, Option<Content>>;

    /// Makes sure that a file that is there stays there: whoever put it may have been stopped before it was durable.
    ///
    /// Errors: `Absent`, `NotAFile`; `Missing`, `Io`.
    fn confirm<'a>(&'a self, path: &'a StorePath) -> Answer<'a, ()>;

    /// What is in a folder; a folder that does not exist is empty. Parts being written are not listed.
    ///
    /// Errors: `Missing`, `Io`.
    fn list<'a>(&'a self, folder: &'a StorePath, depth: Depth) -> Answer<'a, Listing>;

    /// Moves a file that does not match its name to `damaged/`. Where that takes two steps (a bucket: copy, compare,
    /// delete), whoever was stopped in between goes on with the same bytes.
    ///
    /// Errors: `NameTaken` when something else is there already; as [`Store::put`].
    fn set_aside<'a>(&'a self, from: &'a StorePath, to: &'a StorePath) -> Answer<'a, ()>;

    /// Whether the place is there and can be written, and how much room it has. Leaves nothing behind.
    ///
    /// Errors: `Missing`, `ReadOnly`, `Full`, `Io`.
    fn probe(&self) -> Answer<'_, Probe>;

    /// Removes what stopped writers left unfinished: our own at once where the place tells whose they are, all others
    /// after a day. Answers how many.
    ///
    /// Errors: `Missing`, `Io`.
    fn sweep(&self, now: Timestamp) -> Answer<'_, u64>;
}

/// Where a file goes, and what it must be to get there.
#[derive(Debug, Clone)]
pub enum Target {
    /// Under this name; with `sum`, only if the bytes have that SHA-256.
    Named {
        /// Where it goes.
        path: StorePath,
        /// What its bytes must hash to.
        sum: Option<Checksum>,
    },
    /// In this folder, named by the hash of its bytes.
    Hashed {
        /// Where it goes.
        folder: StorePath,
        /// What follows the hash: `.car`.
        ending: &'static str,
    },
}

/// A file that a store holds now, durably.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where it is.
    pub path: StorePath,
    /// Its length, in bytes.
    pub size: u64,
    /// Its SHA-256, computed while it was written.
    pub sum: Checksum,
    /// It was there already.
    pub existed: bool,
}

/// How far a listing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What is directly in the folder.
    Here,
    /// Everything below it.
    All,
}

/// What is in a folder, ordered by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Plain files with portable names, and their lengths in bytes.
    pub files: Vec<(StorePath, u64)>,
    /// Folders with portable names; empty with [`Depth::All`], which looks into them.
    pub folders: Vec<StorePath>,
    /// Paths that are neither: links, devices, names that the format does not allow. For people: they may hold
    /// anything.
    pub foreign: Vec<String>,
    /// Folders and files that the system would not show. What is in them is not known to be absent.
    pub unreadable: Vec<String>,
}

impl Listing {
    /// Ordered by name, as whoever lists promises.
    pub(crate) fn in_order(mut self) -> Self {
        self.files.sort_unstable();
        self.folders.sort_unstable();
        self.foreign.sort_unstable();
        self
    }
}

/// How a place is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Bytes that can still be written, where the system tells.
    pub free: Option<u64>,
    /// Bytes in all, where the system tells.
    pub total: Option<u64>,
    /// Whether the system accepts to sync a file; without that only unplugging it properly makes it sure.
    pub syncs: bool,
}
