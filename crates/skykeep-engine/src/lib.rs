//! What decides: accounts, places, runs, and what people are told about them.
//!
//! One [`Engine`] works with one data folder. It brings together what the rooms below can do (ask strangers, prove bytes,
//! keep them) and is the only one that schedules and remembers. The window and the command line are two faces of it and
//! hold no rule of their own; what crosses to them is in [`api`]. It does not know Tauri.

mod accounts;
pub mod api;
mod backup;
pub mod catalogue;
mod changes;
mod data;
mod diagnostics;
mod drives;
mod engine;
mod error;
mod extent;
mod family;
mod handover;
mod history;
mod import;
mod in_hand;
pub mod keys;
pub mod logs;
pub mod machine;
mod notice;
mod opened;
mod pause;
mod places;
mod preferences;
mod problem;
mod readiness;
mod remember;
mod rounds;
mod rows;
mod runner;
mod runs;
pub mod schedule;
mod settings;
mod snapshots;
mod spots;
#[cfg(test)]
mod testing;
mod words;

use std::pin::Pin;

pub use data::{default_place, location};
pub use diagnostics::Report;
pub use engine::Engine;
pub use error::{Error, ImportFault, What};
pub use handover::{Door, Ended, Reply, Request, There, UnderWay};
pub use import::{Imported, ImportedSnapshot};
pub use in_hand::InHand;
pub use places::{BucketKeys, HandedIn, providers};
pub use problem::to_problem;
pub use skykeep_net::CancellationToken;
pub use snapshots::Exported;
pub use words::{Value, Word, language, list, number, sentences, size, speak_to_programs, words};

/// Makes a future where it does not weigh on the stack: those of whole verbs and runs are large, and threads of the
/// runtime have two megabytes. A closure, so that it is not made in the caller's frame first.
#[inline(never)]
pub(crate) fn on_heap<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::pin(make())
}

/// Runs work that blocks (hashing, SQLite, folders) where it keeps nobody waiting: the one seam of this crate.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Cancelled: the runtime is going down.
        Err(_) => Err(Error::Stopped),
    }
}
