//! Whose a backup is, as it says itself: for an account whose host has never answered here, since it may be gone for good.
//!
//! Name and picture are in the repository, which is proved; the handle is one that the identity claims, and nobody could
//! ask whether it points back. So a face shows these as the backup's word ([`crate::api::Account::from_backup`]), and what a
//! host says takes their place.

use skykeep_atproto::{Cid, Did, DidDocument, Handle, plc, record};
use skykeep_vault::IdentityKind;
use tracing::{debug, warn};

use super::Found;
use crate::accounts::{MAX_AVATAR, data_url};
use crate::{Engine, Error, blocking};

/// Where an account's profile lies in its repository.
const PROFILE: &str = "app.bsky.actor.profile/self";

/// What a profile says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Profile {
    name: Option<String>,
    picture: Option<Cid>,
}

impl Engine {
    /// Remembers name, picture and handle as the newest snapshot has them, unless the account's host has answered before.
    ///
    /// What cannot be read is left out: without it an account is shown by its number. Errors: `Catalogue`.
    pub(crate) async fn face_from_backup(&self, did: &Did) -> Result<(), Error> {
        let account = did.clone();
        let known = self
            .inner
            .ask(move |catalogue| Ok((catalogue.account(&account)?, catalogue.latest(&account)?)));
        let (facts, Some(latest)) = known.await? else {
            return Ok(());
        };
        if facts.is_some_and(|facts| facts.last_seen.is_some()) {
            return Ok(());
        }
        let found = match self.find(did, &latest.id).await {
            Ok(found) => found,
            Err(error) => {
                warn!(%did, %error, "the newest snapshot does not say whose it is");
                return Ok(());
            }
        };
        let handle = found.handle().await.map(|handle| handle.to_string());
        let profile = self.profile(&found).await.unwrap_or_else(|error| {
            warn!(%did, %error, "the newest snapshot's profile cannot be read");
            Profile::default()
        });
        let picture = match profile.picture {
            Some(cid) => found.picture(&cid).await,
            None => None,
        };
        self.inner
            .account_facts(did, move |facts| {
                facts.handle = facts.handle.take().or(handle);
                facts.display_name = profile.name.or(facts.display_name.take());
                facts.avatar = picture.or(facts.avatar.take());
            })
            .await
    }

    /// What the profile in a snapshot says. Errors: `SnapshotBroken`, `Protocol`.
    async fn profile(&self, found: &Found) -> Result<Profile, Error> {
        let (repo, mut files) = self.prove(found).await?;
        blocking(move || {
            let Some(cid) = repo.get(PROFILE) else {
                return Ok(Profile::default());
            };
            Ok(profile(&repo.read_block(cid, &mut files)?))
        })
        .await
    }
}

impl Found {
    /// The handle: confirmed, when this snapshot was taken from the host, else as the identity claims it.
    async fn handle(&self) -> Option<Handle> {
        let body = &self.snapshot.manifest.body;
        if body.handle.is_some() {
            return body.handle.clone();
        }
        let part = |kind| async move { self.identity(kind).await.ok().flatten() };
        if let Some(log) = part(IdentityKind::AuditLog).await {
            let entries = plc::parse_log(&log).ok()?;
            return plc::audit(Some(&body.did), &entries).current()?.handle();
        }
        let document = part(IdentityKind::DidDocument).await?;
        DidDocument::parse(&body.did, &document).ok()?.handle
    }

    /// A picture that the snapshot has, for a window.
    async fn picture(&self, cid: &Cid) -> Option<String> {
        let object = self.contents.blobs.get(cid)?;
        let account = &self.snapshot.manifest.account;
        for vault in self.reach.vaults() {
            match vault.read_object(account, object, MAX_AVATAR).await {
                Ok(bytes) => return data_url(&bytes),
                Err(error) => debug!(%cid, %error, "not the picture"),
            }
        }
        None
    }
}

/// What a profile's record says. One that cannot be read says nothing.
fn profile(bytes: &[u8]) -> Profile {
    let [name] = record::texts(bytes, ["displayName"]).unwrap_or_default();
    Profile {
        name: name.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned),
        picture: record::blob_of(bytes, "avatar").ok().flatten(),
    }
}

#[cfg(test)]
mod tests {
    use skykeep_atproto::Codec;
    use skykeep_tests::repo_maker::value::{Value, text};

    use super::*;

    fn check(fields: Vec<(&'static str, Value)>, expected: (Option<&str>, Option<Cid>)) {
        let record = Value::Map(fields.into_iter().map(|(key, value)| (key.into(), value)).collect());
        let said = profile(&record.to_bytes());
        assert_eq!((said.name.as_deref(), said.picture), expected, "{record:?}");
    }

    #[test]
    fn a_profile_is_read_as_far_as_it_says_something() {
        let cid = Cid::of(Codec::Raw, b"picture");
        let picture = || {
            let fields = [("cid", text(cid.to_string())), ("mimeType", text("image/png"))];
            Value::Map(fields.map(|(key, value)| (key.into(), value)).into_iter().collect())
        };
        check(vec![("displayName", text("Alice"))], (Some("Alice"), None));
        check(
            vec![("avatar", picture()), ("displayName", text("  "))],
            (None, Some(cid)),
        );
        // The banner is no picture of a person.
        check(vec![("banner", picture())], (None, None));
        check(vec![("avatar", text("none"))], (None, None));
        assert_eq!(profile(b"no record"), Profile::default());
    }
}
