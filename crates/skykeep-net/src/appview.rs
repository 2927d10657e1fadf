//! What we ask of an AppView: how a person looks, so that they recognise themselves.
//!
//! Optional: nothing of a backup needs it, and the same can be had from the account's own host
//! ([`crate::pds::Pds::get_profile`]). It still answers when that host is gone. Source: `app.bsky.actor.getProfile`.

use serde::Deserialize;
use skykeep_atproto::{Did, Handle};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::error::Error;
use crate::pds::SmallBlob;
use crate::question::{Kind, Question};
use crate::xrpc::Client;

/// Largest profile, in bytes.
const PROFILE: u64 = 1024 * 1024;

/// A profile as an AppView tells it. Not proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The handle, when the AppView could check it.
    pub handle: Option<Handle>,
    /// At most 64 characters, none of which changes the direction of the text around it.
    pub display_name: Option<String>,
    /// Where the picture is.
    pub avatar: Option<Url>,
}

/// The profile of an account; `None` when no AppView is configured or it has no such profile.
pub async fn profile(client: &Client, did: &Did, cancel: &CancellationToken) -> Result<Option<Profile>, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        handle: Option<String>,
        display_name: Option<String>,
        avatar: Option<String>,
    }
    let Some(base) = &client.config().appview_url else {
        return Ok(None);
    };
    let parameters = [("actor", did.as_str())];
    let question = Question::xrpc(base, "app.bsky.actor.getProfile", &parameters, "profile", PROFILE);
    let answer: Answer = match client.ask_json(&question, cancel).await {
        Ok(answer) => answer,
        Err(Error::Xrpc { status: 400 | 404, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(Profile {
        handle: answer
            .handle
            .and_then(|handle| handle.parse().ok())
            .filter(|handle: &Handle| !handle.is_disallowed()),
        display_name: answer.display_name.as_deref().and_then(spoken),
        avatar: answer.avatar.and_then(|avatar| avatar.parse().ok()),
    }))
}

/// A picture of at most 1 MiB from the address that a profile gives. Errors: `BadBody` when it is no picture.
pub async fn picture(client: &Client, url: &Url, cancel: &CancellationToken) -> Result<SmallBlob, Error> {
    let question = Question {
        url: url.clone(),
        what: "picture",
        kind: Kind::Blob,
        limit: 1024 * 1024,
        redirects: 3,
        about: None,
    };
    let answer = client.ask(&question, cancel).await?;
    if !answer
        .content_type
        .as_deref()
        .is_some_and(|kind| kind.starts_with("image/"))
    {
        return Err(question.bad("wrong content type"));
    }
    Ok(SmallBlob {
        bytes: answer.bytes,
        content_type: answer.content_type,
    })
}

/// A name that strangers gave, fit to stand in a sentence of ours; `None` when nothing of it is.
pub(crate) fn spoken(text: &str) -> Option<String> {
    // These turn the text around them, which could make our own words say something else.
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let kept: String = text
        .chars()
        .filter(|c| !c.is_control() && !turns(*c))
        .take(64)
        .collect();
    Some(kept.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_turn_the_text_around_them() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(spoken(text).as_deref(), expected, "{text:?}");
        check("  Alice 🦋 ", Some("Alice 🦋"));
        check("\u{202e}ecilA\u{202c}\n", Some("ecilA"));
        check(" \u{2066}\t", None);
        check(&"a".repeat(100), Some(&"a".repeat(64)));
    }
}
