//! The handle on the test network: what journeys lean on is true of the real servers behind it.

use serde_json::json;
use skykeep_tests::network::{Error, Network, Options, SeedOptions, Server};

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn servers_remember_across_kills() {
    let network = Network::start().await.unwrap();
    let options = SeedOptions {
        large_blob: 100_000,
        ..SeedOptions::new("june.test", 30)
    };
    let account = network.seed(network.a(), options).await.unwrap();
    assert_eq!(account.records, 30);
    assert_eq!(account.collections.values().sum::<u64>(), 30);
    assert!(
        account
            .blobs
            .iter()
            .any(|blob| blob.size == 100_000 && blob.mime_type == "video/mp4")
    );
    assert!(!account.edited.is_empty() && !account.deleted.is_empty());

    let before = network.a().repo(&account.did).await.unwrap();
    network.kill(Server::A).await.unwrap();
    let down = network.a().repo(&account.did).await.unwrap_err();
    assert!(matches!(&down, Error::Http(error) if error.is_connect()), "{down:?}");
    network.start_again(Server::A).await.unwrap();
    assert_eq!(network.a().repo(&account.did).await.unwrap(), before);

    let log = format!("{}/{}/log/audit", network.plc_url(), account.did);
    let created = async || {
        let text = reqwest::get(&log).await.unwrap().text().await.unwrap();
        let entries: serde_json::Value = serde_json::from_str(&text).unwrap();
        entries[0]["createdAt"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    let now = created().await;
    network.backdate(&account.did, 73.0).await.unwrap();
    network.kill(Server::Plc).await.unwrap();
    network.start_again(Server::Plc).await.unwrap();
    assert_eq!(now.duration_since(created().await).as_hours(), 73);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_used_as_people_and_operators_do() {
    let network = Network::start().await.unwrap();
    let pds = network.b();
    let account = pds.create_account("nell.test", None).await.unwrap();
    let session = pds.sign_in(&account).await.unwrap();

    let blob = session
        .upload_blob(vec![7; 6 * MIB], "application/octet-stream")
        .await
        .unwrap();
    assert_eq!(blob["size"], 6 * MIB);
    let note = session
        .create_record("test.skykeep.note", json!({ "attachment": blob }))
        .await
        .unwrap();
    session
        .put_record("test.skykeep.note", note.rkey(), json!({ "text": "changed" }))
        .await
        .unwrap();
    let first = session.post("One").await.unwrap();
    let write = json!({
        "$type": "com.atproto.repo.applyWrites#create",
        "collection": "app.bsky.feed.like",
        "value": { "$type": "app.bsky.feed.like", "subject": first_ref(&first), "createdAt": "2026-05-01T00:00:00Z" },
    });
    session.apply_writes(&[write]).await.unwrap();
    session.delete_record("app.bsky.feed.post", first.rkey()).await.unwrap();
    let status = session
        .query("com.atproto.server.checkAccountStatus", &[])
        .await
        .unwrap();
    assert_eq!(status["indexedRecords"], 2);

    let car = pds.repo(&account.did).await.unwrap();
    session.import_repo(car).await.unwrap();

    session
        .procedure("com.atproto.identity.requestPlcOperationSignature", &json!(null))
        .await
        .unwrap();
    let mails = network.mail(&account.email).await.unwrap();
    assert_eq!(
        mails
            .iter()
            .filter_map(|mail| mail.token.as_deref())
            .map(str::len)
            .collect::<Vec<_>>(),
        [11]
    );

    pds.take_down(&account.did, true).await.unwrap();
    assert_eq!(pds.repo(&account.did).await.unwrap_err().name(), Some("RepoTakendown"));
    pds.take_down(&account.did, false).await.unwrap();
    session.deactivate().await.unwrap();
    assert_eq!(
        pds.repo(&account.did).await.unwrap_err().name(),
        Some("RepoDeactivated")
    );
    session.activate().await.unwrap();
    assert!(pds.repo(&account.did).await.is_ok());
}

fn first_ref(written: &skykeep_tests::network::Written) -> serde_json::Value {
    json!({ "uri": written.uri, "cid": written.cid })
}

#[tokio::test(flavor = "multi_thread")]
async fn several_networks_run_side_by_side() {
    let strict = Options {
        tight: true,
        invites: true,
        ..Options::default()
    };
    let (one, two) = tokio::try_join!(Network::with(strict), Network::start()).unwrap();
    assert_ne!(one.plc_url(), two.plc_url());

    let refused = one.b().create_account("wren.test", None).await.unwrap_err();
    assert_eq!(refused.name(), Some("InvalidInviteCode"));
    let code = one.invite().await.unwrap();
    let wren = one.b().create_account("wren.test", Some(&code)).await.unwrap();
    let session = one.b().sign_in(&wren).await.unwrap();
    let refused = session
        .upload_blob(vec![0; 6 * MIB], "application/octet-stream")
        .await
        .unwrap_err();
    assert_eq!(refused.status(), Some(413));

    // The same handle lives on the other network as somebody else.
    let other = two.b().create_account("wren.test", None).await.unwrap();
    assert_ne!(other.did, wren.did);
    let family = two.seed_family(two.a(), 40).await.unwrap();
    assert_eq!(
        family.iter().map(|member| member.records).collect::<Vec<_>>(),
        [40, 40, 40]
    );

    let folder = two.dir().to_owned();
    drop(two);
    assert!(!folder.exists());
}
