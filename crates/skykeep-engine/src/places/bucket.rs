//! Places in buckets of S3-compatible storage: what they are tested for, and the way to them.
//!
//! A bucket that was opened stays open for a while, so that an hour without news does not ask it who it is again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use skykeep_vault::layout::VaultId;
use skykeep_vault::{Abilities, Addressing, Endpoint, PROVIDERS, S3Settings, S3Store, Trouble, Vault};
use tracing::info;

use super::keys::BucketKeys;
use super::open;
use crate::api::{AddressOf, BucketAbilities, BucketAddress, Place, PlaceTest, Provider};
use crate::engine::Inner;
use crate::error::BucketField;
use crate::keys::{self, SecretName};
use crate::settings::{self, At, Role};
use crate::{Engine, Error, blocking, problem};

/// For how long an open bucket is believed to be the one it was.
const OPEN_FOR: Duration = Duration::from_secs(600);
/// For how long nobody who only looks something up waits for a server that did not answer.
const GONE_FOR: Duration = Duration::from_secs(60);
/// How long a run waits for a server to answer at all.
const OPEN_PATIENCE: Duration = Duration::from_secs(20);
/// How long a person who sets a place up waits for its server.
const TEST_PATIENCE: Duration = Duration::from_secs(30);

/// Buckets that were opened lately, and those that could not be.
#[derive(Debug, Default)]
pub(crate) struct Buckets(Mutex<BTreeMap<VaultId, (Instant, Lately)>>);

#[derive(Debug, Clone)]
enum Lately {
    Open(Vault),
    Gone {
        server: String,
        trouble: Trouble,
        said: String,
    },
}

impl Buckets {
    /// The vault in a bucket. Errors: `Place`, `Keys`, `PlaceKeys`.
    pub(super) async fn open(
        &self,
        inner: &Inner,
        place: &settings::Place,
        settings: &S3Settings,
    ) -> Result<Vault, Error> {
        if let Some(Lately::Open(vault)) = self.lately(&place.vault, OPEN_FOR) {
            return Ok(vault);
        }
        let keys = inner.bucket_keys(place).await?;
        let opened = open_with(inner, place, settings, &keys, OPEN_PATIENCE).await;
        self.remember(place, &opened);
        opened
    }

    /// The same, without waiting for longer than that, and not again for a server that did not answer. Errors as
    /// [`Buckets::open`].
    pub(super) async fn open_lately(
        &self,
        inner: &Inner,
        place: &settings::Place,
        settings: &S3Settings,
        patience: Duration,
    ) -> Result<Vault, Error> {
        match self.lately(&place.vault, OPEN_FOR) {
            Some(Lately::Open(vault)) => return Ok(vault),
            Some(Lately::Gone { server, trouble, said }) if self.lately(&place.vault, GONE_FOR).is_some() => {
                return Err(at(place)(skykeep_vault::Error::Server { server, trouble, said }));
            }
            _ => {}
        }
        // A keychain may take its time, which says nothing about the server.
        let keys = inner.bucket_keys(place).await?;
        let opened = tokio::time::timeout(patience, open_with(inner, place, settings, &keys, patience)).await;
        let opened = opened.unwrap_or_else(|_| {
            Err(at(place)(skykeep_vault::Error::Server {
                server: settings.endpoint.clone(),
                trouble: Trouble::Unreachable,
                said: String::new(),
            }))
        });
        self.remember(place, &opened);
        opened
    }

    /// What was found out, if it is not older than that.
    fn lately(&self, vault: &VaultId, age: Duration) -> Option<Lately> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, lately) = all.get(vault)?;
        (since.elapsed() < age).then(|| lately.clone())
    }

    /// Remembers what came of opening it.
    fn remember(&self, place: &settings::Place, opened: &Result<Vault, Error>) {
        let lately = match opened {
            Ok(vault) => Lately::Open(vault.clone()),
            Err(Error::Place {
                source: skykeep_vault::Error::Server { server, trouble, said },
                ..
            }) if trouble.is_transient() => Lately::Gone {
                server: server.clone(),
                trouble: trouble.clone(),
                said: said.clone(),
            },
            Err(_) => return self.forget(&place.vault),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(place.vault, (Instant::now(), lately));
    }

    /// Believes nothing of what was found out about a bucket.
    pub(crate) fn forget(&self, vault: &VaultId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(vault);
    }
}

/// Opens a bucket with its keys; `patience` is how long its server is waited for.
async fn open_with(
    inner: &Inner,
    place: &settings::Place,
    settings: &S3Settings,
    keys: &BucketKeys,
    patience: Duration,
) -> Result<Vault, Error> {
    // Whether anybody is there is found out soon; what is under way then outlasts a server that starts anew.
    let brief = inner.store(settings, keys, &place.name)?.waiting(patience);
    Vault::open(Arc::new(brief), Some(&place.vault))
        .await
        .map_err(at(place))?;
    let store = inner.store(settings, keys, &place.name)?;
    Vault::open(Arc::new(store), Some(&place.vault))
        .await
        .map_err(at(place))
}

impl Inner {
    /// A bucket as a store. Errors: `BucketSetting`; `Place`, when this computer trusts no certificates at all.
    pub(super) fn store(&self, settings: &S3Settings, keys: &BucketKeys, name: &str) -> Result<S3Store, Error> {
        let writer = self.writer_key.id();
        S3Store::new(settings, &keys.credentials(), writer, self.data.incoming()).map_err(|source| {
            let field = match &source {
                skykeep_vault::Error::Invalid { name, .. } => BucketField::of(name),
                _ => None,
            };
            match field {
                Some(field) => Error::BucketSetting { field },
                None => Error::Place {
                    name: name.to_owned(),
                    source,
                },
            }
        })
    }

    /// The vault in a bucket, which need not be a place. Errors: `BucketSetting`, `Place`; `NoVaultInBucket` when there is none.
    pub(crate) async fn open_bucket(
        &self,
        settings: &S3Settings,
        keys: &BucketKeys,
        name: &str,
        patience: Option<Duration>,
    ) -> Result<Vault, Error> {
        let store = self.store(settings, keys, name)?;
        let store = match patience {
            Some(patience) => store.waiting(patience),
            None => store,
        };
        Vault::open(Arc::new(store), None).await.map_err(|source| match source {
            skykeep_vault::Error::NotAVault { .. } | skykeep_vault::Error::Missing => Error::NoVaultInBucket {
                address: settings::bucket_address(settings),
            },
            source => Error::Place {
                name: name.to_owned(),
                source,
            },
        })
    }

    /// A store that was tested, and what its server can. Errors: `BucketSetting`, `Place`.
    pub(super) async fn examine(
        &self,
        settings: &S3Settings,
        keys: &BucketKeys,
        name: &str,
    ) -> Result<(S3Store, Abilities), Error> {
        let store = self.store(settings, keys, name)?.waiting(TEST_PATIENCE);
        match store.examine().await {
            Ok(abilities) => Ok((store, abilities)),
            Err(source) => Err(Error::Place {
                name: name.to_owned(),
                source,
            }),
        }
    }
}

impl Engine {
    /// Tests a bucket before it becomes a place: what it answers, and what it can. Leaves nothing there.
    ///
    /// What is wrong is in the answer.
    pub async fn try_bucket(&self, bucket: &BucketAddress, keys: &BucketKeys) -> PlaceTest {
        let examined = self.inner.examine(&settings_of(bucket), keys, &bucket.bucket).await;
        tested(examined.map(|(_, abilities)| Some(abilities)))
    }

    /// The vault in a bucket that is no place yet; the bucket is tested first. Errors: `Place`, `BucketSetting`;
    /// `NoVaultInBucket` when there is none.
    pub(super) async fn vault_in_bucket(&self, bucket: &BucketAddress, keys: &BucketKeys) -> Result<Vault, Error> {
        let settings = settings_of(bucket);
        self.inner.examine(&settings, keys, &bucket.bucket).await?;
        self.inner.open_bucket(&settings, keys, &bucket.bucket, None).await
    }

    /// Tests a place that is set up. What is wrong is in the answer. Errors: `Unknown`, `Keys`, `PlaceKeys`.
    pub async fn test_place(&self, id: &str) -> Result<PlaceTest, Error> {
        let place = self.find_place(id)?;
        let inner = &self.inner;
        inner.buckets.forget(&place.vault);
        let vault = match open(inner, &place).await {
            Ok(vault) => vault,
            Err(error) => return Ok(tested(Err(error))),
        };
        let abilities = match &place.at {
            At::Folder { .. } => vault.store().probe().await.map(|_| None).map_err(at(&place)),
            At::S3(settings) => {
                let keys = inner.bucket_keys(&place).await?;
                inner
                    .examine(settings, &keys, &place.name)
                    .await
                    .map(|(_, can)| Some(can))
            }
        };
        Ok(tested(abilities))
    }

    /// Makes a bucket a place: tests it, makes a vault in it or finds the one that is there, and keeps the keys.
    ///
    /// Every account is delivered to it with its next run, which starts at once. Errors: `Place`, `PlaceKnown`, `Keys`,
    /// `Data`; then nothing is kept, and the bucket holds at most an empty vault.
    pub async fn add_bucket(
        &self,
        bucket: &BucketAddress,
        keys: &BucketKeys,
        name: Option<String>,
    ) -> Result<Place, Error> {
        let (inner, now, settings) = (&self.inner, Timestamp::now(), settings_of(bucket));
        let name = name.filter(|name| !name.trim().is_empty());
        let name = name.unwrap_or_else(|| settings.bucket.trim().to_owned());
        let at_place = |source| Error::Place {
            name: name.clone(),
            source,
        };
        let (store, _) = inner.examine(&settings, keys, &name).await?;
        let vault = Vault::create(Arc::new(store), &inner.writer_key, now)
            .await
            .map_err(at_place)?;
        let place = settings::Place {
            vault: *vault.id(),
            name,
            at: At::S3(settings),
            added: now,
            share: None,
            role: Role::Active,
        };
        if inner.settings().place(place.vault.as_str()).is_some() {
            return Err(Error::PlaceKnown {
                path: place.address().into(),
            });
        }
        let (root, choice) = (inner.data.root().to_owned(), inner.settings().keys);
        let (entry, secret) = (SecretName::place(&place.vault), keys.to_secret());
        blocking(move || Ok(keys::open(&root, &choice)?.set(&entry, &secret)?)).await?;
        inner.change_settings(|settings| settings.places.push(place.clone()))?;
        info!(place = %place.name, "place added");
        inner.place_added(&place);
        self.place_now(&place).await
    }
}

/// Companies and programs that keep buckets, in the order of a form.
pub fn providers() -> Vec<Provider> {
    let all = PROVIDERS.iter().map(|provider| {
        let (address, of) = match provider.endpoint {
            Endpoint::OfRegion { template } => (template, AddressOf::Region),
            Endpoint::OfAccount { template } => (template, AddressOf::Account),
            Endpoint::Own { example } => (example, AddressOf::Own),
        };
        Provider {
            id: provider.id.to_owned(),
            name: provider.name.to_owned(),
            address: address.to_owned(),
            of,
            region: provider.region.to_owned(),
            regions: provider.regions.iter().map(|&region| region.to_owned()).collect(),
            in_host: provider.addressing == Addressing::VirtualHost,
        }
    });
    all.collect()
}

/// Whether its server runs on this computer: then it is lost with it.
pub(crate) fn is_here(settings: &S3Settings) -> bool {
    let endpoint = settings.endpoint.trim();
    let server = match endpoint.contains("://") {
        true => url::Url::parse(endpoint),
        false => url::Url::parse(&format!("https://{endpoint}")),
    };
    match server.as_ref().ok().and_then(url::Url::host) {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

pub(crate) fn settings_of(bucket: &BucketAddress) -> S3Settings {
    S3Settings {
        endpoint: bucket.endpoint.clone(),
        bucket: bucket.bucket.clone(),
        region: bucket.region.clone(),
        prefix: bucket.prefix.clone(),
        addressing: match bucket.in_host {
            true => Addressing::VirtualHost,
            false => Addressing::Path,
        },
    }
}

fn tested(abilities: Result<Option<Abilities>, Error>) -> PlaceTest {
    match abilities {
        Ok(abilities) => PlaceTest {
            problem: None,
            abilities: abilities.map(|can| BucketAbilities {
                versioning: can.versioning,
                locked_days: can.locked_days,
                conditions: can.conditions,
                checksums: can.checksums,
                deletes: can.deletes,
                encrypted: can.encrypted,
            }),
        },
        Err(error) => PlaceTest {
            problem: Some(problem::to_problem(&error)),
            abilities: None,
        },
    }
}

fn at(place: &settings::Place) -> impl Fn(skykeep_vault::Error) -> Error {
    let name = place.name.clone();
    move |source| Error::Place {
        name: name.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_this_computer_is_known_by_its_address() {
        let check = |endpoint: &str, expected: bool| {
            let settings = S3Settings {
                endpoint: endpoint.to_owned(),
                bucket: "family".to_owned(),
                region: "us-east-1".to_owned(),
                prefix: String::new(),
                addressing: Addressing::Path,
            };
            assert_eq!(is_here(&settings), expected, "{endpoint}");
        };
        check("http://127.0.0.1:8333", true);
        check(" localhost:8333 ", true);
        check("https://[::1]/", true);
        check("https://localhost.example.org", false);
        check("http://192.168.1.10:3900", false);
        check("s3.example.org", false);
        check("", false);
    }

    #[test]
    fn every_provider_fills_a_form() {
        for provider in providers() {
            let hole = match provider.of {
                AddressOf::Region => "{region}",
                AddressOf::Account => "{account}",
                AddressOf::Own => "http",
            };
            assert!(provider.address.contains(hole), "{provider:?}");
            assert!(provider.region.is_empty() || provider.regions.contains(&provider.region));
        }
    }
}
