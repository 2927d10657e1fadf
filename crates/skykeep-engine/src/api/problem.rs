//! What a person should know, in words.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::{About, Millis};

/// Something that a person should know, in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Problem {
    /// Stable name, for programs.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// What happened.
    pub happened: String,
    /// What it means for them.
    pub means: String,
    /// What to do, if anything.
    pub todo: String,
    /// What a face can offer.
    pub actions: Vec<Action>,
    /// What a server or the system said, for those who ask.
    pub detail: Option<String>,
}

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know; nothing to do.
    Note,
    /// A person is needed, nothing is lost.
    NeedsYou,
    /// Something may be lost.
    Danger,
}

/// What a face can offer beside a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Run the backup again.
    BackUpNow,
    /// Ask again who that is.
    TryAgain,
    /// Choose another folder.
    ChoosePlace,
    /// Open the folder.
    OpenPlace,
    /// Hash every file again.
    CheckNow,
    /// Show what a server said.
    ShowDetail,
    /// Say that a sudden loss was meant.
    ConfirmShrink,
    /// Type a DID or a profile address instead.
    EnterDid,
    /// Go on although it was paused.
    Resume,
}

/// A problem that stands until it is settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Standing {
    /// What it concerns.
    pub about: About,
    /// Since when.
    pub since: Millis,
    /// What happened, what it means, what to do.
    pub problem: Problem,
}
