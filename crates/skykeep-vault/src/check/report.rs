//! What a check says.

use super::Reached;
use crate::layout::{AccountFolder, SnapshotName, VaultFile};
use crate::list::Object;
use crate::read::Finding;

/// What a check found.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// Files that were read.
    pub files: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Files that the vault has.
    pub of_files: u64,
    /// Their bytes.
    pub of_bytes: u64,
    /// Where the reading ended.
    pub reached: Reached,
    /// Everything that is not as it should be, ordered by path.
    pub damages: Vec<Damage>,
    /// Files, folders and links that are not the vault's. Harmless; nobody looks into them.
    pub foreign: Vec<String>,
    /// Folders that the system would not show.
    pub hidden: Vec<String>,
    /// How the snapshots of each account are.
    pub accounts: Vec<AccountHealth>,
}

impl CheckReport {
    /// Whether nothing is wrong: every file sound, every snapshot whole, none missing.
    pub fn is_sound(&self) -> bool {
        let harmless = |finding: &Finding| matches!(finding, Finding::Foreign { .. });
        let account = |account: &AccountHealth| {
            account.findings.iter().all(harmless) && account.snapshots.iter().all(SnapshotHealth::is_whole)
        };
        let damaged = self.damages.iter().any(|damage| damage.fault != Fault::Abandoned);
        !damaged && self.hidden.is_empty() && self.accounts.iter().all(account)
    }
}

/// A file that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Which.
    pub file: VaultFile,
    /// What is wrong.
    pub fault: Fault,
    /// What a list says that it is, if one names it.
    pub object: Option<Object>,
    /// The snapshots that need it.
    pub snapshots: Vec<SnapshotName>,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its bytes are not those of its name, or of the list that names it.
    Damaged,
    /// It is named and not there.
    Missing,
    /// The system cannot read it, or it is a folder or a link.
    Unreadable,
    /// Its bytes are those of its name and break the format's rules, or need a newer version.
    Refused,
    /// A manifest that cannot be read and that its writer went on without: it was never completed. Nothing needs it.
    Abandoned,
}

/// How an account's snapshots are.
#[derive(Debug)]
pub struct AccountHealth {
    /// Which account.
    pub account: AccountFolder,
    /// Every snapshot with a sound manifest, oldest first.
    pub snapshots: Vec<SnapshotHealth>,
    /// What is wrong among the manifests.
    pub findings: Vec<Finding>,
}

/// How one snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotHealth {
    /// Which.
    pub name: SnapshotName,
    /// Its lists and its repository are whole: every post can be read back.
    pub posts_whole: bool,
    /// What is known about the identity is whole.
    pub identity_whole: bool,
    /// Media that are damaged or missing here.
    pub media_hurt: u64,
}

impl SnapshotHealth {
    /// Whether nothing of it is hurt.
    pub fn is_whole(&self) -> bool {
        self.posts_whole && self.identity_whole && self.media_hurt == 0
    }
}
