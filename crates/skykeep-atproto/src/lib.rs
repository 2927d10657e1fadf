//! The protocol's truth: identifiers, CAR files, trees, commits, signatures, PLC logs.
//!
//! Pure and synchronous: no files of its own, no network, no clock. The same bytes give the same answer, every parser
//! ends on hostile input with a typed error and bounded memory, and only [`verify`] can make the types that the vault
//! accepts. Sources: the AT Protocol specifications (Repository, Data Model, DID, Handle, Cryptography) and did:plc.

mod as_text;
pub mod car;
pub mod cbor;
pub mod cid;
pub mod commit;
pub mod did;
pub mod document;
mod error;
pub mod handle;
pub mod keys;
pub mod mst;
pub mod path;
pub mod plc;
pub mod record;
mod sha256;
pub mod tid;
pub mod verify;

pub use cid::{Cid, Codec};
pub use did::Did;
pub use document::DidDocument;
pub use error::Error;
pub use handle::Handle;
pub use keys::{Curve, DidKey, SigningKey};
pub use plc::{KeyHistory, KeyPeriod};
pub use tid::Tid;
