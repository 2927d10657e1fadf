//! What hosts say about accounts, and lists that do not end.

use crate::server::{Act, HostileServer, json, reply};
use crate::{blob_cid, client, did, file, kind, never, pds};
use skykeep_atproto::{Cid, Codec};
use skykeep_net::pds::{HostingStatus, RepoStatus};
use skykeep_net::{Client, appview};

#[tokio::test]
async fn refusals_have_names() {
    let client = client();
    let check = async |status: u16, body: &str, expected: &str| {
        let server = HostileServer::always(json(status, body)).await;
        let answer = pds(&client, &server)
            .get_repo(&did(), None, &mut file(), 100, |_| {}, &never())
            .await;
        assert_eq!(kind(answer), expected, "{body}");
    };
    check(
        400,
        r#"{"error":"RepoNotFound","message":"Could not find repo"}"#,
        "RepoNotFound",
    )
    .await;
    check(404, r#"{"error":"RepoNotFound"}"#, "RepoNotFound").await;
    check(400, r#"{"error":"RepoTakendown"}"#, "RepoTakendown").await;
    check(400, r#"{"error":"RepoSuspended"}"#, "RepoSuspended").await;
    check(400, r#"{"error":"RepoDeactivated"}"#, "RepoDeactivated").await;
    check(401, r#"{"error":"AccountTakedown"}"#, "RepoTakendown").await;
    check(401, r#"{"error":"AuthMissing"}"#, "AuthRequired").await;
    check(400, r#"{"error":"ExpiredToken"}"#, "AuthRequired").await;
    check(400, r#"{"error":"BlobNotFound"}"#, "BlobNotFound").await;
    check(
        400,
        r#"{"error":"InvalidRequest","message":"Blob not found"}"#,
        "BlobNotFound",
    )
    .await;
    check(
        400,
        r#"{"error":"InvalidRequest","message":"Other"}"#,
        "Xrpc(400 InvalidRequest)",
    )
    .await;
    check(400, r#"{"message":"\u001b[31mred"}"#, "Xrpc(400 )").await;
    check(400, r#"{"error":7}"#, "Http(400)").await;
    check(400, "not json", "Http(400)").await;
    check(500, r#"{"error":"RepoNotFound"}"#, "Http(500)").await;
    check(
        400,
        &format!(r#"{{"error":"A","message":"{}"}}"#, "x".repeat(1 << 20)),
        "Http(400)",
    )
    .await;
}

#[tokio::test]
async fn the_words_of_a_host_are_cleaned() {
    let body = format!(r#"{{"error":"Odd <name>","message":"\u001b[31m{}"}}"#, "x".repeat(1000));
    let server = HostileServer::always(json(400, &body)).await;
    match pds(&client(), &server).get_latest_commit(&did(), &never()).await {
        Err(skykeep_net::Error::Xrpc { name, message, .. }) => {
            assert_eq!(name, "Oddname");
            assert_eq!(message.len(), 200);
            assert!(message.starts_with("[31mxx"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn statuses_are_understood_and_unknown_ones_borne() {
    let check = async |body: &str, active, status: Option<HostingStatus>, rev: Option<&str>| {
        let server = HostileServer::always(json(200, body)).await;
        let expected = RepoStatus {
            active,
            status,
            rev: rev.map(|rev| rev.parse().unwrap()),
        };
        let answer = pds(&client(), &server).get_repo_status(&did(), &never()).await;
        assert_eq!(answer.unwrap(), expected, "{body}");
    };
    let rev = Some("3jzfcijpj2z2a");
    check(
        r#"{"did":"did:plc:x","active":true,"rev":"3jzfcijpj2z2a"}"#,
        true,
        None,
        rev,
    )
    .await;
    check(
        r#"{"active":false,"status":"deactivated"}"#,
        false,
        Some(HostingStatus::Deactivated),
        None,
    )
    .await;
    check(
        r#"{"active":true,"status":"throttled","rev":"x"}"#,
        true,
        Some(HostingStatus::Throttled),
        None,
    )
    .await;
    let other = HostingStatus::Other("paused".to_owned());
    check(r#"{"active":false,"status":"paused"}"#, false, Some(other), None).await;
}

/// A page of a list of blobs.
fn page(cids: &[&str], cursor: Option<&str>) -> Vec<Act> {
    let body = match cursor {
        Some(cursor) => serde_json::json!({"cids": cids, "cursor": cursor}),
        None => serde_json::json!({"cids": cids}),
    };
    json(200, &body.to_string())
}

/// All that a host lists, or the error that ends it.
async fn listed(server: &HostileServer) -> Result<Vec<Cid>, String> {
    let (pds, cancel) = (pds(&client(), server), never());
    let mut list = pds.list_blobs(&did(), Some(&"3jzfcijpj2z2a".parse().unwrap()));
    let mut all = Vec::new();
    loop {
        match list.next(&cancel).await {
            Ok(Some(page)) => all.extend(page.cids),
            Ok(None) => {
                assert_eq!(list.next(&cancel).await.unwrap(), None, "an ended list stays ended");
                return Ok(all);
            }
            Err(error) => return Err(kind::<()>(Err(error))),
        }
    }
}

#[tokio::test]
async fn lists_are_read_to_their_end() {
    let names: Vec<String> = (0..3_u8).map(|i| Cid::of(Codec::Raw, &[i]).to_string()).collect();
    let cids: Vec<Cid> = names.iter().map(|name| name.parse().unwrap()).collect();
    // As the reference host does it: the last page with anything on it has a cursor, too.
    let all = names.clone();
    let server = HostileServer::start(move |asked| match asked.number {
        0 => page(&[&all[0], &all[1]], Some("one")),
        1 => page(&[&all[2], "not a CID"], Some("two&more=1")),
        _ => page(&[], None),
    })
    .await;
    assert_eq!(listed(&server).await.as_ref(), Ok(&cids));
    let asked: Vec<_> = server.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(asked.len(), 3);
    assert!(
        asked[0].contains("&limit=1000&since=3jzfcijpj2z2a") && !asked[0].contains("cursor"),
        "{}",
        asked[0]
    );
    assert!(
        asked[1].ends_with("&cursor=one") && asked[2].ends_with("&cursor=two%26more%3D1"),
        "{asked:?}"
    );
    // And as the specification has it: no cursor, no further page.
    let server = HostileServer::always(page(&[&names[0]], None)).await;
    assert_eq!(listed(&server).await, Ok(vec![cids[0]]));
    assert_eq!(server.asked().len(), 1);
    let server = HostileServer::always(page(&[], Some("more"))).await;
    assert_eq!(listed(&server).await, Ok(vec![]));
}

#[tokio::test]
async fn a_cursor_that_stands_still_ends_the_list() {
    let name = blob_cid().to_string();
    let server = HostileServer::always(page(&[&name], Some("same"))).await;
    assert_eq!(
        listed(&server).await,
        Err("BadBody(its cursor stands still)".to_owned())
    );
    assert_eq!(server.asked().len(), 2);
    let server = HostileServer::always(page(&[name.as_str(); 20_000], None)).await;
    assert_eq!(listed(&server).await, Err("TooLarge".to_owned()));
}

#[tokio::test]
async fn a_small_blob_is_compared_with_its_name() {
    let check = async |body: &[u8], expected: &str| {
        let server = HostileServer::always(reply(200, &[("content-type", "image/png")], body)).await;
        let answer = pds(&client(), &server)
            .get_small_blob(&did(), &blob_cid(), 100, &never())
            .await;
        assert_eq!(kind(answer.map(|blob| blob.bytes.len())), expected);
    };
    check(b"a picture", "Ok(9)").await;
    check(b"another picture", "BadBody(does not match its CID)").await;
    check(&[7; 101], "TooLarge").await;
}

#[tokio::test]
async fn hosts_and_people_describe_themselves() {
    let server = HostileServer::start(|asked| {
        let avatar = blob_cid().to_string();
        match asked.target.split('?').next().unwrap() {
            "/xrpc/com.atproto.server.describeServer" => json(
                200,
                r#"{"did":"did:web:pds.test","availableUserDomains":[".pds.test"],"blobUploadLimit":100,"links":{}}"#,
            ),
            "/xrpc/com.atproto.repo.getRecord" => {
                let value = serde_json::json!({
                    "displayName": "\u{202e}Alice", "avatar": {"$type": "blob", "ref": {"$link": avatar}},
                });
                json(200, &serde_json::json!({"uri": "at://x", "value": value}).to_string())
            }
            _ => json(404, "{}"),
        }
    })
    .await;
    let pds_here = pds(&client(), &server);
    let described = pds_here.describe_server(&never()).await.unwrap();
    assert_eq!(described.did.as_str(), "did:web:pds.test");
    assert_eq!(described.user_domains, [".pds.test"]);
    assert_eq!(
        (described.blob_upload_limit, described.invite_code_required),
        (Some(100), false)
    );
    assert!(described.bytes.starts_with(b"{\"did\""));
    let profile = pds_here.get_profile(&did(), &never()).await.unwrap().unwrap();
    assert_eq!(profile.display_name.as_deref(), Some("Alice"));
    assert_eq!(profile.avatar, Some(blob_cid()));

    let none = HostileServer::always(json(
        400,
        r#"{"error":"RecordNotFound","message":"Could not locate record"}"#,
    ));
    assert_eq!(
        pds(&client(), &none.await).get_profile(&did(), &never()).await.unwrap(),
        None
    );
    let nameless = HostileServer::always(json(200, "{}")).await;
    let answer = pds(&client(), &nameless).describe_server(&never()).await;
    assert_eq!(kind(answer.map(|_| ())), "BadBody(not the JSON that belongs there)");
}

#[tokio::test]
async fn an_appview_is_asked_if_there_is_one() {
    let server = HostileServer::start(|asked| match asked.target.as_str() {
        "/xrpc/app.bsky.actor.getProfile?actor=did%3Aplc%3Aewvi7nxzyoun6zhxrhs64oiz" => json(
            200,
            r#"{"did":"x","handle":"alice.test","displayName":" Alice ","avatar":"https://cdn.test/a.jpg"}"#,
        ),
        "/picture" => reply(200, &[("content-type", "image/jpeg")], b"a picture"),
        "/page" => reply(200, &[("content-type", "text/html")], b"<html>"),
        "/large" => reply(200, &[("content-type", "image/jpeg")], vec![7; (1 << 20) + 1]),
        _ => json(400, r#"{"error":"InvalidRequest","message":"Profile not found"}"#),
    })
    .await;
    let mut config = crate::config();
    config.appview_url = Some(server.url());
    let asking = Client::new(config).unwrap();
    let profile = appview::profile(&asking, &did(), &never()).await.unwrap().unwrap();
    assert_eq!(profile.handle.unwrap().as_str(), "alice.test");
    assert_eq!(profile.display_name.as_deref(), Some("Alice"));
    assert_eq!(profile.avatar.unwrap().as_str(), "https://cdn.test/a.jpg");
    let unknown = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap();
    assert_eq!(appview::profile(&asking, &unknown, &never()).await.unwrap(), None);
    assert_eq!(
        appview::profile(&client(), &did(), &never()).await.unwrap(),
        None,
        "none is configured"
    );

    let picture = async |path: &str| {
        let url = server.url().join(path).unwrap();
        kind(
            appview::picture(&asking, &url, &never())
                .await
                .map(|picture| picture.bytes.len()),
        )
    };
    assert_eq!(picture("picture").await, "Ok(9)");
    assert_eq!(picture("page").await, "BadBody(wrong content type)");
    assert_eq!(picture("large").await, "TooLarge");
}
