//! Operations: the three shapes, their bytes, names and signatures. Rules 1 and 2 of [`super`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::state::{Service, State};
use crate::cbor::Writer;
use crate::{Cid, Codec, Did, DidKey, Error, SigningKey};

/// One step in the life of an identity. Made with an empty signature, it is given one by [`Operation::signed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `plc_operation`: the whole new state.
    Update(Update),
    /// `plc_tombstone`: the identity ends.
    Tombstone(Tombstone),
    /// `create`: the form that the first operations had until 2023.
    Create(Create),
}

/// A `plc_operation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Everything that the identity says from now on.
    pub state: State,
    /// The operation it follows; `None` for the first.
    pub prev: Option<Cid>,
    /// The signature as it is written, which may be none at all.
    pub sig: String,
}

/// A `plc_tombstone`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The operation it follows.
    pub prev: Cid,
    /// The signature as it is written, which may be none at all.
    pub sig: String,
}

/// A `create`, whose `prev` is always null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// The `did:key` of the repository, which may also sign the next operation.
    pub signing_key: String,
    /// The `did:key` with the highest right to sign the next operation.
    pub recovery_key: String,
    /// The handle, with or without `at://`.
    pub handle: String,
    /// The host, with or without `https://`.
    pub service: String,
    /// The signature as it is written, which may be none at all.
    pub sig: String,
}

impl Operation {
    /// An unsigned operation that makes `state` follow `prev`.
    pub const fn update(state: State, prev: Option<Cid>) -> Self {
        let sig = String::new();
        Self::Update(Update { state, prev, sig })
    }

    /// An unsigned operation that ends the identity after `prev`.
    pub const fn tombstone(prev: Cid) -> Self {
        let sig = String::new();
        Self::Tombstone(Tombstone { prev, sig })
    }

    /// Reads an operation that has all the fields of its shape and no other. The signature is not judged.
    ///
    /// Errors: `Shape`.
    pub fn from_json(value: &Value) -> Result<Self, Error> {
        read(value).map_err(|reason| Error::Shape {
            what: "PLC operation",
            reason,
        })
    }

    /// The object that a directory takes and gives.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Update(Update { state, prev, sig }) => json!({
                "type": "plc_operation",
                "rotationKeys": state.rotation_keys,
                "verificationMethods": state.verification_methods,
                "alsoKnownAs": state.also_known_as,
                "services": state.services,
                "prev": prev,
                "sig": sig,
            }),
            Self::Tombstone(Tombstone { prev, sig }) => json!({ "type": "plc_tombstone", "prev": prev, "sig": sig }),
            Self::Create(create) => json!({
                "type": "create",
                "signingKey": create.signing_key,
                "recoveryKey": create.recovery_key,
                "handle": create.handle,
                "service": create.service,
                "prev": null,
                "sig": create.sig,
            }),
        }
    }

    /// What is signed: DAG-CBOR of the object without `sig`.
    pub fn unsigned_bytes(&self) -> Vec<u8> {
        self.encode(false)
    }

    /// What is hashed: DAG-CBOR of the whole object.
    pub fn bytes(&self) -> Vec<u8> {
        self.encode(true)
    }

    /// The name that the next operation calls it by.
    pub fn cid(&self) -> Cid {
        Cid::of(Codec::DagCbor, &self.bytes())
    }

    /// The DID that begins with this operation, if it is a first one.
    pub fn genesis_did(&self) -> Option<Did> {
        if self.prev().is_some() {
            return None;
        }
        let mut hash = BASE32_NOPAD.encode(&Sha256::digest(self.bytes()));
        hash.make_ascii_lowercase();
        format!("did:plc:{}", &hash[..24]).parse().ok()
    }

    /// The operation it follows; `None` for a first one.
    pub const fn prev(&self) -> Option<Cid> {
        match self {
            Self::Update(update) => update.prev,
            Self::Tombstone(tombstone) => Some(tombstone.prev),
            Self::Create(_) => None,
        }
    }

    /// Everything that the identity says after this operation; `None` after a tombstone.
    pub fn state(&self) -> Option<Cow<'_, State>> {
        match self {
            Self::Update(update) => Some(Cow::Borrowed(&update.state)),
            Self::Tombstone(_) => None,
            Self::Create(create) => Some(Cow::Owned(create.state())),
        }
    }

    /// The signature as it is written.
    pub fn sig(&self) -> &str {
        match self {
            Self::Update(Update { sig, .. })
            | Self::Tombstone(Tombstone { sig, .. })
            | Self::Create(Create { sig, .. }) => sig,
        }
    }

    /// The signature's 64 bytes, if they are written in the only way there is.
    pub fn signature(&self) -> Option<[u8; 64]> {
        // The decoder refuses padding, newlines and spare bits; 64 bytes are 86 letters and nothing else.
        BASE64URL_NOPAD.decode(self.sig().as_bytes()).ok()?.try_into().ok()
    }

    /// The same operation, signed by `key`. An earlier signature is replaced.
    pub fn signed(mut self, key: &SigningKey) -> Self {
        let signature = BASE64URL_NOPAD.encode(&key.sign(&self.unsigned_bytes()));
        match &mut self {
            Self::Update(Update { sig, .. })
            | Self::Tombstone(Tombstone { sig, .. })
            | Self::Create(Create { sig, .. }) => *sig = signature,
        }
        self
    }

    /// The first of `keys` that made the signature, by its place; a key that cannot be read made none.
    pub fn verify(&self, keys: &[String]) -> Option<usize> {
        self.signer(keys, &mut u32::MAX.clone()).map(|(index, _)| index)
    }

    /// As [`Operation::verify`], but tries at most `budget` keys and takes those it tried off it.
    pub(super) fn signer(&self, keys: &[String], budget: &mut u32) -> Option<(usize, DidKey)> {
        let signature = self.signature()?;
        let digest = Sha256::digest(self.unsigned_bytes()).into();
        for (index, text) in keys.iter().enumerate() {
            *budget = budget.checked_sub(1)?;
            if let Ok(key) = text.parse::<DidKey>()
                && key.verify_digest(&digest, &signature)
            {
                return Some((index, key));
            }
        }
        None
    }

    /// Map keys are written in canonical order: shorter first, then bytewise.
    fn encode(&self, with_sig: bool) -> Vec<u8> {
        let mut writer = Writer::new();
        let fields = match self {
            Self::Update(_) => 6,
            Self::Tombstone(_) => 2,
            Self::Create(_) => 6,
        };
        writer.map(fields + usize::from(with_sig));
        if with_sig {
            writer.text("sig").text(self.sig());
        }
        writer.text("prev");
        match self.prev() {
            Some(prev) => writer.text(prev.to_string()),
            None => writer.null(),
        };
        match self {
            Self::Update(update) => {
                writer.text("type").text("plc_operation");
                write_services(&mut writer, &update.state.services);
                write_list(writer.text("alsoKnownAs"), &update.state.also_known_as);
                write_list(writer.text("rotationKeys"), &update.state.rotation_keys);
                writer.text("verificationMethods");
                writer.map(update.state.verification_methods.len());
                for (name, key) in canonical(&update.state.verification_methods) {
                    writer.text(name).text(key);
                }
            }
            Self::Tombstone(_) => {
                writer.text("type").text("plc_tombstone");
            }
            Self::Create(create) => {
                writer.text("type").text("create");
                writer.text("handle").text(&create.handle);
                writer.text("service").text(&create.service);
                writer.text("signingKey").text(&create.signing_key);
                writer.text("recoveryKey").text(&create.recovery_key);
            }
        }
        writer.into_bytes()
    }
}

fn write_services(writer: &mut Writer, services: &BTreeMap<String, Service>) {
    writer.text("services").map(services.len());
    for (name, service) in canonical(services) {
        writer.text(name).map(2);
        writer.text("type").text(&service.kind);
        writer.text("endpoint").text(&service.endpoint);
    }
}

fn write_list(writer: &mut Writer, list: &[String]) {
    writer.array(list.len());
    for item in list {
        writer.text(item);
    }
}

fn canonical<T>(map: &BTreeMap<String, T>) -> Vec<(&String, &T)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(name, _)| (name.len(), *name));
    entries
}

impl Create {
    /// What a `plc_operation` with the same meaning would say.
    fn state(&self) -> State {
        let with_scheme = |text: &String, scheme: &str, known: &[&str]| match known.iter().any(|s| text.starts_with(s))
        {
            true => text.clone(),
            false => format!("{scheme}{text}"),
        };
        let service = Service {
            kind: "AtprotoPersonalDataServer".to_owned(),
            endpoint: with_scheme(&self.service, "https://", &["https://", "http://"]),
        };
        State {
            rotation_keys: vec![self.recovery_key.clone(), self.signing_key.clone()],
            verification_methods: BTreeMap::from([("atproto".to_owned(), self.signing_key.clone())]),
            also_known_as: vec![with_scheme(&self.handle, "at://", &["at://"])],
            services: BTreeMap::from([("atproto_pds".to_owned(), service)]),
        }
    }
}

/// The field's reason for being refused is all that the caller learns: the rest is a stranger's text.
fn read(value: &Value) -> Result<Operation, &'static str> {
    let object = value.as_object().ok_or("it is not an object")?;
    let sig = text(object, "sig")?;
    Ok(match object.get("type").and_then(Value::as_str) {
        Some("plc_operation") => {
            only(object, 7)?;
            Operation::Update(Update {
                state: State {
                    rotation_keys: texts(object, "rotationKeys")?,
                    verification_methods: entries(object, "verificationMethods", |key| {
                        key.as_str().map(str::to_owned)
                    })?,
                    also_known_as: texts(object, "alsoKnownAs")?,
                    services: entries(object, "services", read_service)?,
                },
                prev: match object.get("prev") {
                    Some(Value::Null) => None,
                    _ => Some(read_prev(object)?),
                },
                sig,
            })
        }
        Some("plc_tombstone") => {
            only(object, 3)?;
            let prev = read_prev(object)?;
            Operation::Tombstone(Tombstone { prev, sig })
        }
        Some("create") => {
            only(object, 7)?;
            if object.get("prev") != Some(&Value::Null) {
                return Err("prev of a create is not null");
            }
            Operation::Create(Create {
                signing_key: text(object, "signingKey")?,
                recovery_key: text(object, "recoveryKey")?,
                handle: text(object, "handle")?,
                service: text(object, "service")?,
                sig,
            })
        }
        _ => return Err("its type is not one of the three"),
    })
}

/// With every field of a shape present, a field too many is one more than the shape has.
fn only(object: &Map<String, Value>, fields: usize) -> Result<(), &'static str> {
    if object.len() > fields {
        return Err("it has a field that its type does not have");
    }
    Ok(())
}

fn read_prev(object: &Map<String, Value>) -> Result<Cid, &'static str> {
    let prev = object.get("prev").and_then(Value::as_str);
    prev.and_then(|text| text.parse().ok()).ok_or("prev is not a CID")
}

fn text(object: &Map<String, Value>, name: &str) -> Result<String, &'static str> {
    match object.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => Err("a field is missing, or not text"),
    }
}

fn texts(object: &Map<String, Value>, name: &str) -> Result<Vec<String>, &'static str> {
    let list = object.get(name).and_then(Value::as_array);
    list.and_then(|list| list.iter().map(|item| item.as_str().map(str::to_owned)).collect())
        .ok_or("a field is missing, or not a list of texts")
}

fn entries<T>(
    object: &Map<String, Value>,
    name: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<BTreeMap<String, T>, &'static str> {
    let map = object.get(name).and_then(Value::as_object);
    map.and_then(|map| {
        map.iter()
            .map(|(name, value)| Some((name.clone(), read(value)?)))
            .collect()
    })
    .ok_or("a field is missing, or not a map of the right things")
}

fn read_service(value: &Value) -> Option<Service> {
    let object = value.as_object().filter(|object| object.len() == 2)?;
    Some(Service {
        kind: object.get("type")?.as_str()?.to_owned(),
        endpoint: object.get("endpoint")?.as_str()?.to_owned(),
    })
}
