//! What changed, so that a face asks again.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Checking, Problem, Progress};

/// What changed, so that a face asks again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "topic", rename_all = "snake_case")]
pub enum Event {
    /// Accounts, or what is known of one.
    Accounts,
    /// Places, or what is known of one.
    Places,
    /// A run began, went on or ended.
    Run {
        /// Whose run it is.
        did: String,
        /// The state of the run; `None` when it has ended.
        progress: Option<Progress>,
    },
    /// A check of a place began, went on or ended.
    Check {
        /// The place's id.
        place: String,
        /// How far it is; `None` when it has ended.
        progress: Option<Checking>,
    },
    /// Something that a person should be told about now.
    Notify {
        /// What it concerns: the page that helps.
        about: About,
        /// What to say.
        problem: Problem,
    },
    /// What a person has chosen in settings.
    Preferences,
}

/// What something concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum About {
    /// Skykeep itself.
    App,
    /// An account.
    Account {
        /// Whose.
        did: String,
    },
    /// A place.
    Place {
        /// Its id.
        id: String,
    },
}
