//! Copying accounts from a vault into a folder: what a place holds taken along, or what a bucket once held brought back.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use skykeep_vault::layout::{AccountFolder, VaultFile};
use skykeep_vault::{CheckReport, Damage, Fault, FolderStore, Vault};

use crate::{Engine, Error};

/// What was copied.
pub(crate) struct Copied {
    /// How the vault is that was copied to: every file of it was read.
    pub(crate) report: CheckReport,
    /// Snapshots that could not come along.
    pub(crate) left_behind: u64,
}

impl Engine {
    /// A vault in a folder, to copy to. The folder is made if it is not there; it must be empty, or hold a vault.
    ///
    /// Errors: `PlaceKnown` when that is the vault to copy from, or staging; `Place`, `Data`.
    pub(crate) async fn vault_to_fill(&self, to: &Path, from: &Vault) -> Result<Vault, Error> {
        std::fs::create_dir_all(to).map_err(Error::data(to))?;
        let writer_key = &self.inner.writer_key;
        let store = FolderStore::open(to, writer_key.id()).await.map_err(at(to.display()))?;
        let vault = Vault::create(Arc::new(store), writer_key, Timestamp::now())
            .await
            .map_err(at(to.display()))?;
        if vault.is(from.id()) || vault.is(self.inner.staging.id()) {
            return Err(Error::PlaceKnown { path: to.to_owned() });
        }
        Ok(vault)
    }

    /// Copies everything that a vault holds of some accounts into one in a folder, and reads every file again there.
    /// When it is cut off, the next time goes on. Vaults come with what to call them.
    ///
    /// Errors: `Place` (of either side), `Stopped`.
    pub(crate) async fn copy_accounts(
        &self,
        (from, name): (&Vault, &str),
        (vault, to): (&Vault, &Path),
        accounts: &[AccountFolder],
    ) -> Result<Copied, Error> {
        let mut watch = |_| match self.inner.shutdown.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let mut left_behind = 0;
        for account in accounts {
            match skykeep_vault::deliver(&[from], vault, account, &mut watch).await {
                Ok(delivered) => left_behind += delivered.undelivered.len() + delivered.findings.len(),
                // Which of the two it was, nobody says.
                Err(source) if from.accounts().await.is_err() => return Err(at(name)(source)),
                Err(source) => return Err(at(to.display())(source)),
            }
        }
        let report = skykeep_vault::check(vault, &mut watch)
            .await
            .map_err(at(to.display()))?;
        let copied: BTreeSet<&AccountFolder> = accounts.iter().collect();
        let is_hurt = |damage: &&Damage| match &damage.file {
            VaultFile::Account { account, .. } => damage.fault != Fault::Abandoned && copied.contains(account),
            _ => false,
        };
        if let Some(damage) = report.damages.iter().find(is_hurt) {
            return Err(at(to.display())(skykeep_vault::Error::Damaged {
                name: damage.file.to_string(),
                reason: "it is not as it was copied",
            }));
        }
        Ok(Copied {
            report,
            left_behind: left_behind as u64,
        })
    }
}

fn at(name: impl ToString) -> impl FnOnce(skykeep_vault::Error) -> Error {
    let name = name.to_string();
    move |source| Error::Place { name, source }
}
