//! The did:plc identity: operations, audit logs, who had the right to do what, and which signing key was valid when.
//!
//! An identity is a chain of signed **operations** kept by a directory; its DID is the hash of the first. Nobody has
//! to trust the directory for more than the clock: [`audit`] computes everything else again from its log. The rules,
//! as the directory's own source has them (did:plc v0.3.0; where text and source differ, logs follow the source):
//!
//! 1. Shape. An operation is exactly a `plc_operation`, a `plc_tombstone` or, first in a log only, the old `create`; a
//!    field more or less makes it another thing. Hash and signature are over canonical DAG-CBOR of the object as it is
//!    written, with and without `sig`; `prev` is text, and null is written.
//! 2. Signature. 86 characters of base64url without padding, newline or spare bits, for 64 bytes `r‖s`, low-S.
//! 3. Genesis. The first operation has no `prev`, is no tombstone, hashes to the DID and is signed by one of its own
//!    keys.
//! 4. Update. `prev` names the last operation of the chain, which is no tombstone; one of *its* rotation keys signs.
//! 5. Recovery. `prev` names an earlier operation G of the chain, no tombstone, and F is the one after it. The signer
//!    stands in G's list strictly above F's signer (an equal key listed twice stands at its first place), and no more
//!    than 72 hours lie between F and the recovery. F and all that follow are then **nullified**: the 72 hours run
//!    from the *first* operation that is undone, and the list that counts is the one *before* it.
//! 6. Time. Every accepted operation is later than the last of the chain it was added to.
//! 7. The log's `nullified` flags say the same. A rotation key that cannot be read verifies nothing; lists that are
//!    empty or name a key twice exist and are accepted here, but never written ([`Operation::check_submittable`]).

mod audit;
mod compare;
pub mod history;
mod log;
mod operation;
mod state;
mod submit;

pub use audit::{Audit, Audited, Signer, Standing, audit};
pub use compare::{Comparison, compare};
pub use history::{KeyHistory, KeyPeriod};
pub use log::{Fault, LogEntry, LogProblem, MAX_LOG_BYTES, parse_log};
pub use operation::{Create, Operation, Tombstone, Update};
pub use state::{Service, State};

use jiff::SignedDuration;

/// How long an operation can be undone by a higher key, counted by the directory's clock; the last moment included.
pub const RECOVERY_WINDOW: SignedDuration = SignedDuration::from_hours(72);
