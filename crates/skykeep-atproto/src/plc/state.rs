//! What an identity says at one moment: its keys, names and services.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Did, DidKey, Handle, document};

/// The data of an identity after an operation, as text: logs also hold keys and names that cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// The `did:key`s that may sign the next operation, most powerful first.
    pub rotation_keys: Vec<String>,
    /// `did:key`s by name; `atproto` is the account's signing key.
    pub verification_methods: BTreeMap<String, String>,
    /// URIs; the first valid `at://` one is the handle.
    pub also_known_as: Vec<String>,
    /// Services by name; `atproto_pds` is the account's host.
    pub services: BTreeMap<String, Service>,
}

/// A service of an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// `AtprotoPersonalDataServer` for a host.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its address.
    pub endpoint: String,
}

impl State {
    /// The key that signs the repository; `None` when there is none, or one of a kind that AT Protocol does not know.
    pub fn signing_key(&self) -> Option<DidKey> {
        self.verification_methods.get("atproto")?.parse().ok()
    }

    /// The handle that the identity claims; it is true only if the handle points back.
    pub fn handle(&self) -> Option<Handle> {
        document::first_handle(self.also_known_as.iter().map(String::as_str))
    }

    /// The host's address, `https://host[:port]`.
    pub fn pds(&self) -> Option<String> {
        let service = self.services.get("atproto_pds")?;
        document::pds_endpoint(&service.kind, &service.endpoint)
    }

    /// Where `key` stands in the list of rotation keys; 0 is the most powerful place.
    pub fn rotation_index(&self, key: &DidKey) -> Option<usize> {
        let text = key.to_string();
        self.rotation_keys.iter().position(|listed| *listed == text)
    }

    /// Reads `/{did}/data`, which a directory derives from the log. Errors: `Json`; `Shape`, when it is of another DID.
    pub fn parse_data(did: &Did, bytes: &[u8]) -> Result<Self, crate::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            did: Did,
            rotation_keys: Vec<String>,
            verification_methods: BTreeMap<String, String>,
            also_known_as: Vec<String>,
            services: BTreeMap<String, Service>,
        }
        let data: Data = serde_json::from_slice(bytes).map_err(|source| crate::Error::Json {
            what: "PLC data",
            source,
        })?;
        if data.did != *did {
            return Err(crate::Error::Shape {
                what: "PLC data",
                reason: "it is of another DID",
            });
        }
        Ok(Self {
            rotation_keys: data.rotation_keys,
            verification_methods: data.verification_methods,
            also_known_as: data.also_known_as,
            services: data.services,
        })
    }
}
