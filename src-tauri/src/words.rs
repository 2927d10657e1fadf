//! The words of the tray and of notifications, from the one file that holds every word people read.

use std::sync::LazyLock;

use serde::Deserialize;

/// What this face says outside of its window.
#[derive(Debug, Deserialize)]
pub(crate) struct Words {
    pub(crate) tray: Tray,
    pub(crate) notification: Notification,
}

/// The tray's menu, and its line on how things stand.
#[derive(Debug, Deserialize)]
pub(crate) struct Tray {
    pub(crate) open: String,
    pub(crate) back_up_now: String,
    pub(crate) quit: String,
    pub(crate) nothing: String,
    pub(crate) kept: String,
    pub(crate) working: String,
    pub(crate) needs_you: String,
}

/// What stands around a problem in a notification.
#[derive(Debug, Deserialize)]
pub(crate) struct Notification {
    pub(crate) open: String,
}

/// The words in English.
pub(crate) fn words() -> &'static Words {
    static WORDS: LazyLock<Words> = LazyLock::new(|| {
        toml::from_str(include_str!("../../assets/text/en.toml")).expect("a test has read the same text")
    });
    &WORDS
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_word_is_there() {
        assert!(!super::words().tray.open.is_empty());
    }
}
