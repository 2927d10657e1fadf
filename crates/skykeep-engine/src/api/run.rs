//! A run: what it waits for, does, and came to.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Millis, Problem};

/// Why a due run does not start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Waiting {
    /// The host did not answer; next try at the given time.
    Host {
        /// Since when it has not answered.
        since: Millis,
        /// When it is asked again.
        until: Millis,
    },
    /// No network.
    Network,
    /// There is no place to keep backups in.
    Place,
    /// The person paused it.
    Paused {
        /// Until when; `None` until someone says go on.
        until: Option<Millis>,
    },
    /// It runs on battery, and that is below the level that settings name.
    Battery {
        /// The level in percent from which it goes on.
        below: u8,
    },
    /// The connection is paid by volume.
    Metered,
    /// It is within quiet hours.
    Quiet {
        /// When they end.
        until: Millis,
    },
}

/// What a run is doing. Sent at most five times a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Progress {
    /// Whose run it is.
    pub did: String,
    /// Which part of it.
    pub phase: Phase,
    /// Items done in this phase (blobs, files).
    pub items: u64,
    /// Items in this phase, when known.
    pub items_total: Option<u64>,
    /// Bytes done in this phase.
    pub bytes: u64,
    /// Bytes in this phase, when known.
    pub bytes_total: Option<u64>,
    /// Seconds left in this phase, when there is an honest estimate.
    pub seconds_left: Option<u32>,
}

/// The parts of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Asking the directory and the host what is new.
    Asking,
    /// Fetching posts, likes and follows.
    Fetching,
    /// Proving every byte.
    Verifying,
    /// Writing what was proved.
    Keeping,
    /// Fetching pictures and videos.
    Media,
    /// Copying to the places.
    Delivering,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RunEnd {
    /// Everything there was to do is done.
    Completed {
        /// Whether there was anything new.
        changed: bool,
    },
    /// Not run, for a reason that is no fault: an unplugged drive, a deactivated account.
    Skipped {
        /// The reason as a Problem of severity `Note`.
        why: Problem,
    },
    /// Ended on request.
    Stopped,
    /// Failed; what was kept before is untouched.
    Failed {
        /// What happened, what it means, what to do.
        problem: Problem,
    },
}

/// One run of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Run {
    /// Whose run it was.
    pub did: String,
    /// When it began.
    pub began: Millis,
    /// When it ended.
    pub ended: Millis,
    /// How it ended.
    pub end: RunEnd,
}
