//! Damage in what another computer keeps on a shared place: this one has no copy of it, and says what it hurts.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use skykeep_atproto::Did;
use skykeep_engine::Engine;
use skykeep_engine::api::{CheckHow, Damage, RunEnd, Whose};
use skykeep_tests::keep::{Keep, files_below};
use skykeep_tests::network::{Network, SeedOptions};

/// The file of this kind that was not there before.
fn newest(vault: &Path, kind: &str, before: &[String]) -> PathBuf {
    let mut new = files_below(vault)
        .into_iter()
        .filter(|name| name.contains(kind) && !before.contains(name));
    let name = new.next().unwrap();
    assert_eq!(new.next(), None);
    vault.join(name)
}

/// The damage that a whole check finds, by what it is about, without what was damaged before.
async fn damages(engine: &Engine, how: CheckHow) -> Vec<Damage> {
    engine.check_as(None, how).await.unwrap().remove(0).damaged
}

fn texts(damage: &Damage) -> Vec<&str> {
    damage.hurt.iter().map(|record| record.text.as_str()).collect()
}

/// Turns one bit over where a piece of a text begins, or in the middle.
fn flip(path: &Path, at: Option<&str>) {
    let mut bytes = fs::read(path).unwrap();
    let found = at.map(|text| {
        bytes
            .windows(text.len())
            .position(|window| window == text.as_bytes())
            .unwrap()
    });
    let place = found.unwrap_or(bytes.len() / 2);
    bytes[place] ^= 1;
    let mut permissions = fs::metadata(path).unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false)]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).unwrap();
    fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_mended_is_named_by_the_words_of_the_posts_it_hurts() {
    let network = Network::start().await.unwrap();
    let account = network
        .seed(network.a(), SeedOptions::new("bob.test", 40))
        .await
        .unwrap();
    let did: Did = account.did.parse().unwrap();
    let bob = Keep::with_place(&network).await;
    let person = bob.engine.look_up("bob.test").await.unwrap();
    bob.engine.add_account(&person, Whose::Mine).await.unwrap();
    assert!(matches!(
        bob.engine.back_up(&did).await.unwrap(),
        RunEnd::Completed { .. }
    ));
    let vault = bob.place();
    let before = files_below(&vault);

    // Six posts in one increment; the first with a picture.
    let session = network.a().sign_in(&account).await.unwrap();
    let picture = session.upload_blob(vec![7; 40_000], "image/png").await.unwrap();
    let long = format!("The gulls are back {}", "over the harbour ".repeat(10));
    let post = json!({
        "$type": "app.bsky.feed.post", "text": &long, "createdAt": "2026-11-22T10:00:00.000Z",
        "embed": { "$type": "app.bsky.embed.images", "images": [{ "alt": "", "image": picture }] },
    });
    session.create_record("app.bsky.feed.post", post).await.unwrap();
    for hour in 11..17 {
        let (text, created) = (format!("At {hour}."), format!("2026-11-22T{hour}:00:00.000Z"));
        let post = json!({ "$type": "app.bsky.feed.post", "text": text, "createdAt": created });
        session.create_record("app.bsky.feed.post", post).await.unwrap();
    }
    assert!(matches!(
        bob.engine.back_up(&did).await.unwrap(),
        RunEnd::Completed { .. }
    ));
    let (blob, car) = (newest(&vault, "/blobs/", &before), newest(&vault, "/repo/", &before));

    let alice = Keep::empty(&network).await;
    alice.engine.add_folder(&vault, None).await.unwrap();
    let found = |damaged: &Path, damages: &[Damage]| {
        let name = damaged.strip_prefix(&vault).unwrap().to_str().unwrap();
        damages.iter().find(|damage| damage.name == name).unwrap().clone()
    };
    assert_eq!(damages(&alice.engine, CheckHow::ReadAll).await, []);

    // A picture is named by the post that shows it, whether it is damaged or gone.
    flip(&blob, None);
    let damage = found(&blob, &damages(&alice.engine, CheckHow::ReadAll).await);
    let words = "The gulls are back over the harbour over the harbour over the harbour over the…";
    assert_eq!(texts(&damage), [words]);
    assert_eq!(damage.hurt[0].created, Some(1_795_341_600_000));
    assert_eq!(alice.engine.places().await.unwrap()[0].damaged, [damage]);

    // Posts are named as far as the file still has them. The one that the flipped bit is in is not among them.
    flip(&car, Some("At 12."));
    let damage = found(&car, &damages(&alice.engine, CheckHow::ReadAll).await);
    assert_eq!(texts(&damage), ["At 16.", "At 15.", "At 14.", "At 13.", "At 11."]);
    assert_eq!(damage.hurt_more, 1);

    // Now the post of the picture cannot be proved; what was told before is told still.
    let shown = found(&blob, &damages(&alice.engine, CheckHow::Names).await);
    assert_eq!(texts(&shown), [words]);
    // Whoever has not seen it before has the record's path.
    let carol = Keep::empty(&network).await;
    carol.engine.add_folder(&vault, None).await.unwrap();
    let shown = found(&blob, &damages(&carol.engine, CheckHow::ReadAll).await);
    assert_eq!(texts(&shown), [] as [&str; 0]);
    assert!(shown.record.unwrap().starts_with("app.bsky.feed.post/"));

    // Whoever keeps the account mends both, and there is nothing left to tell.
    let check = bob.engine.check_as(None, CheckHow::ReadAll).await.unwrap().remove(0);
    assert_eq!((check.mended.len(), check.damaged), (2, vec![]));
    assert_eq!(damages(&alice.engine, CheckHow::ReadAll).await, []);
}
