//! DID documents: what an identity says of itself to the world.
//!
//! Read from wherever they come: a PLC directory (method ids absolute, service ids relative, the older key types
//! before 2023), its replicas (no `@context`, all ids absolute) and hand-written did:web documents. What cannot be
//! read is left out; only a document that is no JSON, or of another DID, is an error. Source: AT Protocol "DID", "DID
//! Documents".

use serde_json::Value;

use crate::plc::State;
use crate::{Curve, Did, DidKey, Error, Handle};

/// What AT Protocol reads in a DID document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DidDocument {
    /// Whose document it is.
    pub id: Did,
    /// The first valid `at://` name. A claim, until the handle points back to the DID.
    pub handle: Option<Handle>,
    /// The key of `#atproto`, which signs the repository.
    pub signing_key: Option<DidKey>,
    /// The address of `#atproto_pds`: `https://host[:port]`. It may be `http`, which only tests should follow.
    pub pds: Option<String>,
    /// All names, as they are written.
    pub also_known_as: Vec<String>,
}

impl DidDocument {
    /// Reads the document that was asked for under `did`. The caller bounds its size.
    ///
    /// Errors: `Json`; `Shape`, when it is not an object whose `id` is `did`.
    pub fn parse(did: &Did, bytes: &[u8]) -> Result<Self, Error> {
        let what = "DID document";
        let document: Value = serde_json::from_slice(bytes).map_err(|source| Error::Json { what, source })?;
        if document["id"] != did.as_str() {
            let reason = "its id is not the DID that was asked for";
            return Err(Error::Shape { what, reason });
        }
        let names = document["alsoKnownAs"].as_array().into_iter().flatten();
        let also_known_as: Vec<String> = names.filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self {
            id: did.clone(),
            handle: first_handle(also_known_as.iter().map(String::as_str)),
            signing_key: find(did, &document["verificationMethod"], "#atproto").and_then(|key| read_key(did, key)),
            pds: find(did, &document["service"], "#atproto_pds")
                .and_then(|service| pds_endpoint(service["type"].as_str()?, service["serviceEndpoint"].as_str()?)),
            also_known_as,
        })
    }

    /// In which of key, host and names it contradicts what the audit log proves; none for an honest directory.
    pub fn contradictions(&self, state: &State) -> Vec<&'static str> {
        [
            ("signing key", self.signing_key == state.signing_key()),
            ("host", self.pds == state.pds()),
            ("names", self.also_known_as == state.also_known_as),
        ]
        .into_iter()
        .filter_map(|(what, same)| (!same).then_some(what))
        .collect()
    }
}

/// The first entry whose id is `fragment`, alone or after the DID.
fn find<'a>(did: &Did, list: &'a Value, fragment: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|entry| {
        let id = entry["id"].as_str().unwrap_or_default();
        id.strip_prefix(did.as_str()).unwrap_or(id) == fragment
    })
}

/// The key of a verification method, unless it is said to be someone else's.
fn read_key(did: &Did, method: &Value) -> Option<DidKey> {
    match method.get("controller") {
        None => {}
        Some(controller) if controller == did.as_str() => {}
        Some(_) => return None,
    }
    let key = method["publicKeyMultibase"].as_str()?;
    match method["type"].as_str()? {
        "Multikey" => DidKey::from_multibase(key),
        "EcdsaSecp256k1VerificationKey2019" => DidKey::from_legacy_multibase(Curve::K256, key),
        "EcdsaSecp256r1VerificationKey2019" => DidKey::from_legacy_multibase(Curve::P256, key),
        _ => return None,
    }
    .ok()
}

/// The handle among an identity's names: the first that is a valid `at://` one.
pub(crate) fn first_handle<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<Handle> {
    names.find_map(|name| name.strip_prefix("at://")?.parse().ok())
}

/// The address of a service, if it is that of a host: scheme and host, perhaps a port, no path and nothing else.
///
/// A last slash, which people write by hand, is taken off.
pub(crate) fn pds_endpoint(kind: &str, endpoint: &str) -> Option<String> {
    let address = endpoint.strip_suffix('/').unwrap_or(endpoint);
    let authority = address
        .strip_prefix("https://")
        .or_else(|| address.strip_prefix("http://"))?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_name = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    let is_ipv6 = || {
        let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inner.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
    };
    let is_port =
        |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    let good = kind == "AtprotoPersonalDataServer"
        && address.len() <= 512
        && (is_name || is_ipv6())
        && port.is_none_or(is_port);
    good.then(|| address.to_owned())
}
