//! Vaults of before: a drive or a bucket whose backups this computer continues.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use skykeep_atproto::Did;
use skykeep_vault::layout::AccountFolder;
use skykeep_vault::{FolderStore, Vault};

use crate::api::{Account, BucketAddress, Event, HostingStatus, Person};
use crate::places::BucketKeys;
use crate::{Engine, Error};

impl Engine {
    /// Takes over what a vault holds: its accounts are kept from now on, its snapshots are known and continued, and it
    /// becomes a place if it was none. Nothing in it is changed but for what later runs add.
    ///
    /// Errors: `Place`, `Staging`, `Stopped`. Answers the accounts that it holds.
    pub async fn take_over(&self, folder: &Path) -> Result<Vec<Account>, Error> {
        let folder = std::path::absolute(folder).map_err(Error::data(folder))?;
        let name = folder.display().to_string();
        let opened = async {
            let store = FolderStore::open(&folder, self.inner.writer_key.id()).await?;
            Vault::open(Arc::new(store), None).await
        };
        let vault = opened.await.map_err(at(&name))?;
        let dids = self.adopt(&vault, &name).await?;
        match self.add_folder(&folder, None).await {
            Ok(_) | Err(Error::PlaceKnown { .. }) => {}
            Err(error) => return Err(error),
        }
        self.continue_at(&vault, &name, dids).await
    }

    /// The same with what is in a bucket. The bucket is tested first: keys that may only read are refused before
    /// anything is taken over.
    ///
    /// Errors: as [`Engine::take_over`], `BucketSetting`, `Keys`; `NoVaultInBucket`.
    pub async fn take_over_bucket(
        &self,
        bucket: &BucketAddress,
        keys: &BucketKeys,
        name: Option<String>,
    ) -> Result<Vec<Account>, Error> {
        let vault = self.vault_in_bucket(bucket, keys).await?;
        let dids = self.adopt(&vault, &bucket.bucket).await?;
        match self.add_bucket(bucket, keys, name).await {
            Ok(_) | Err(Error::PlaceKnown { .. }) => {}
            Err(error) => return Err(error),
        }
        self.continue_at(&vault, &bucket.bucket, dids).await
    }

    /// Keeps the accounts of a vault from now on, and knows what it holds of them.
    async fn adopt(&self, vault: &Vault, name: &str) -> Result<Vec<Did>, Error> {
        let inner = &self.inner;
        let mut dids = Vec::new();
        for account in vault.accounts().await.map_err(at(name))? {
            let Some(latest) = vault.latest(&account, None).await.map_err(at(name))? else {
                continue;
            };
            let body = &latest.manifest.body;
            let cancel = inner.shutdown.clone();
            let mut watch = move |_| {
                if cancel.is_cancelled() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            inner
                .staging
                .adopt(vault, &account, &mut watch)
                .await
                .map_err(at(name))?;
            let host = url::Url::parse(&body.host)
                .ok()
                .and_then(|url| url.host_str().map(str::to_owned));
            let person = Person {
                did: body.did.to_string(),
                handle: body.handle.as_ref().map(ToString::to_string),
                display_name: None,
                avatar: None,
                host: host.unwrap_or_default(),
                status: HostingStatus::Unknown,
                known: false,
            };
            let known = inner.settings().account(&body.did).map(|account| account.whose);
            self.add_account(&person, known.unwrap_or_default()).await?;
            dids.push(body.did.clone());
        }
        Ok(dids)
    }

    /// Writes down what the vault, a place by now, holds of its accounts.
    async fn continue_at(&self, vault: &Vault, name: &str, dids: Vec<Did>) -> Result<Vec<Account>, Error> {
        let place = self.find_place(vault.id().as_str())?;
        let mut accounts = Vec::new();
        for did in dids {
            let account = AccountFolder::of(&did).map_err(Error::Staging)?;
            let (names, _) = vault.snapshot_names(&account).await.map_err(at(name))?;
            let names = names.iter().map(ToString::to_string).collect();
            self.inner
                .confirmed(&did, &place, names, vault, Timestamp::now())
                .await?;
            self.face_from_backup(&did).await?;
            accounts.push(self.account(&did).await?);
        }
        // Whoever looked in between saw accounts that no place had yet.
        let _ = self.inner.events.send(Event::Accounts);
        Ok(accounts)
    }
}

fn at(name: &str) -> impl Fn(skykeep_vault::Error) -> Error {
    move |source| Error::Place {
        name: name.to_owned(),
        source,
    }
}
