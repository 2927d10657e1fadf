//! What a person should know: what happened, what it means for them, what to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use specta::Type;

use super::{About, Millis};
use crate::problem::Told;
use crate::words::Value;

/// Something that a person should know: its code, and what its words are filled in with.
///
/// The words themselves ([`Problem::happened`], [`Problem::means`], [`Problem::todo`]) are made when they are asked for,
/// in the language of that moment. As a document it has them too, and reading one back keeps only what they are made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Told", from = "Told")]
pub struct Problem {
    /// Stable name, for programs.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// What its words are filled in with, by name.
    pub values: BTreeMap<String, Value>,
    /// What a face can offer.
    pub actions: Vec<Action>,
    /// What a server or the system said, for those who ask.
    pub detail: Option<String>,
    /// What it said when another version told it, which this one cannot put into words.
    pub(crate) said: Option<Said>,
}

/// The three texts of a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) happened: String,
    pub(crate) means: String,
    pub(crate) todo: String,
}

impl Type for Problem {
    fn definition(types: &mut specta::Types) -> specta::datatype::DataType {
        Told::definition(types)
    }
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
    /// Give a bucket that is a place other keys.
    ChangeKeys,
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
