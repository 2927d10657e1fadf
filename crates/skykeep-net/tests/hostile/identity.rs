//! Handles, DIDs and documents: who points to whom, who is not there, and who lies.

use std::time::Duration;

use crate::names::{HostileNames, Say};
use crate::server::{HostileServer, json, reply};
use crate::{config, did, kind, never};
use skykeep_atproto::Handle;
use skykeep_net::plc::Directory;
use skykeep_net::resolve::{HandleProblem, Identifier, Identity, Resolver};
use skykeep_net::{Client, Error, NetConfig};

const OTHER: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const FOUND: &str = "did=did:plc:ewvi7nxzyoun6zhxrhs64oiz";

/// Names are asked of `names` alone.
fn config_with(names: &HostileNames) -> NetConfig {
    NetConfig {
        dns: Some(names.address()),
        ..config()
    }
}

async fn resolve(config: NetConfig, handle: &str) -> String {
    let resolver = Resolver::new(&Client::new(config).unwrap());
    let answer = resolver.resolve_handle(&handle.parse().unwrap(), &never()).await;
    kind(answer.map(|did| did.to_string()))
}

/// What a handle resolves to when its TXT records are these, and its host does not exist.
async fn by_txt(say: Say, expected: &str) {
    let unheard = matches!(say, Say::Silence | Say::Garbage);
    let names = HostileNames::start(move |_| say.clone(), |_| Say::NoSuchName).await;
    let mut config = config_with(&names);
    if unheard {
        config.patience.connect = Duration::from_millis(200);
    }
    assert_eq!(resolve(config, "alice.test").await, expected);
    assert!(
        names.asked().contains(&"_atproto.alice.test".to_owned()),
        "{:?}",
        names.asked()
    );
}

#[tokio::test]
async fn a_txt_record_names_the_account() {
    let found = format!("Ok({:?})", did().to_string());
    by_txt(Say::Texts(vec![vec![FOUND]]), &found).await;
    by_txt(
        Say::Texts(vec![vec!["did=did:plc:ewvi7n", "xzyoun6zhx", "rhs64oiz"]]),
        &found,
    )
    .await;
    by_txt(
        Say::Texts(vec![vec!["v=spf1 -all"], vec![FOUND], vec!["other"]]),
        &found,
    )
    .await;
}

#[tokio::test]
async fn anything_else_in_dns_names_nobody() {
    let nobody = "HandleNotFound";
    by_txt(
        Say::Texts(vec![vec![FOUND], vec!["did=did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"]]),
        nobody,
    )
    .await;
    by_txt(Say::Texts(vec![vec![FOUND], vec![FOUND]]), nobody).await;
    by_txt(Say::Texts(vec![vec!["did:plc:ewvi7nxzyoun6zhxrhs64oiz"]]), nobody).await;
    by_txt(Say::Texts(vec![vec!["did=nonsense"]]), nobody).await;
    by_txt(Say::Texts(vec![vec![""]]), nobody).await;
    by_txt(Say::Nothing, nobody).await;
    by_txt(Say::NoSuchName, nobody).await;
}

#[tokio::test]
async fn a_name_server_that_fails_says_nothing_about_the_handle() {
    by_txt(Say::Failure, "Unreachable(Name)").await;
    by_txt(Say::Silence, "Unreachable(Timeout)").await;
    by_txt(Say::Garbage, "Unreachable(Timeout)").await;
    // Nobody listens there at all.
    let mut config = config();
    config.patience.connect = Duration::from_millis(200);
    assert!(resolve(config, "alice.test").await.starts_with("Unreachable("));
}

#[tokio::test]
async fn a_dead_host_is_unreachable_and_its_handle_not_unknown() {
    // The host exists, on this computer, and nobody listens on its port 443.
    let names = HostileNames::start(|_| Say::Nothing, |_| Say::Address([127, 77, 7, 7])).await;
    assert_eq!(resolve(config_with(&names), "alice.test").await, "Unreachable(Connect)");
    // Nobody can say whether the host exists.
    let names = HostileNames::start(|_| Say::Nothing, |_| Say::Failure).await;
    assert_eq!(resolve(config_with(&names), "alice.test").await, "Unreachable(Name)");
}

#[tokio::test]
async fn names_that_lead_into_private_networks_are_not_followed() {
    for address in [
        [10, 0, 0, 1],
        [169, 254, 169, 254],
        [192, 168, 1, 1],
        [100, 64, 0, 1],
        [0, 0, 0, 0],
    ] {
        let names = HostileNames::start(|_| Say::Nothing, move |_| Say::Address(address)).await;
        let client = Client::new(config_with(&names)).unwrap();
        let resolver = Resolver::new(&client);
        let answer = resolver.document(&"did:web:pds.test".parse().unwrap(), &never()).await;
        assert_eq!(kind(answer.map(|_| ())), "Refused(PrivateAddress)", "{address:?}");
        // Its owner put nothing there that we could read.
        assert_eq!(resolve(config_with(&names), "alice.test").await, "HandleNotFound");
    }
    let names = HostileNames::start(|_| Say::Nothing, |_| Say::Address([127, 0, 0, 1])).await;
    let mut config = config_with(&names);
    config.loopback_http = false;
    let resolver = Resolver::new(&Client::new(config).unwrap());
    let answer = resolver.document(&"did:web:pds.test".parse().unwrap(), &never()).await;
    assert_eq!(kind(answer.map(|_| ())), "Refused(PrivateAddress)");
}

#[tokio::test]
async fn reserved_names_are_never_asked_for() {
    let names = HostileNames::start(|_| Say::Texts(vec![vec![FOUND]]), |_| Say::NoSuchName).await;
    for handle in ["alice.local", "alice.onion", "handle.invalid", "alice.example"] {
        assert_eq!(resolve(config_with(&names), handle).await, "HandleNotFound");
    }
    let mut config = config_with(&names);
    config.loopback_http = false;
    assert_eq!(resolve(config, "alice.test").await, "HandleNotFound");
    assert_eq!(names.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn in_test_mode_the_resolver_alone_knows_test_handles() {
    let names = HostileNames::start(|_| Say::Texts(vec![vec![FOUND]]), |_| Say::NoSuchName).await;
    let check = async |status: u16, body: &str, expected: &str| {
        let server = HostileServer::always(json(status, body)).await;
        let mut config = config_with(&names);
        config.handle_resolver = Some(server.url());
        assert_eq!(resolve(config, "alice.test").await, expected, "{body}");
        let target = "/xrpc/com.atproto.identity.resolveHandle?handle=alice.test";
        assert_eq!(server.asked()[0].target, target);
    };
    check(200, &format!(r#"{{"did":"{OTHER}"}}"#), &format!("Ok({OTHER:?})")).await;
    check(400, r#"{"error":"HandleNotFound"}"#, "HandleNotFound").await;
    check(
        400,
        r#"{"error":"InvalidRequest","message":"Unable to resolve handle"}"#,
        "HandleNotFound",
    )
    .await;
    check(500, "{}", "Http(500)").await;
    check(200, r#"{"did":"nonsense"}"#, "BadBody(not the JSON that belongs there)").await;
    assert_eq!(names.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn the_resolver_is_asked_last() {
    let server = HostileServer::always(json(200, &format!(r#"{{"did":"{OTHER}"}}"#))).await;
    let check = async |texts: Say, expected: &str, asked: usize| {
        let names = HostileNames::start(move |_| texts.clone(), |_| Say::NoSuchName).await;
        let mut config = config_with(&names);
        config.handle_resolver = Some(server.url());
        let before = server.asked().len();
        assert_eq!(resolve(config, "alice.invented-for-tests.com").await, expected);
        assert_eq!(server.asked().len() - before, asked, "{expected}");
    };
    check(
        Say::Texts(vec![vec![FOUND]]),
        &format!("Ok({:?})", did().to_string()),
        0,
    )
    .await;
    check(Say::NoSuchName, &format!("Ok({OTHER:?})"), 1).await;
    check(Say::Failure, &format!("Ok({OTHER:?})"), 1).await;

    // When the resolver is down, a handle that nobody else knows is still unknown, and one that nobody could be asked
    // about is still unreachable.
    for (texts, expected) in [(Say::NoSuchName, "HandleNotFound"), (Say::Failure, "Unreachable(Name)")] {
        let names = HostileNames::start(move |_| texts.clone(), |_| Say::NoSuchName).await;
        let mut config = config_with(&names);
        config.handle_resolver = Some("http://127.0.0.1:1".parse().unwrap());
        assert_eq!(resolve(config, "alice.invented-for-tests.com").await, expected);
    }
}

/// The document of `did` with this handle and host.
fn document(did: &str, handle: &str, pds: &str) -> String {
    serde_json::json!({
        "id": did,
        "alsoKnownAs": ["https://elsewhere.test", format!("at://{handle}")],
        "verificationMethod": [],
        "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": pds}],
    })
    .to_string()
}

/// Directory and resolver in one: `alice.test` is the account's, `mallory.test` claims to be, `stray.test` is
/// another's.
async fn network() -> (HostileServer, Resolver) {
    let server = HostileServer::start(|asked| {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let did = did().to_string();
        match (path, query.split_once('=').map(|(_, handle)| handle)) {
            (_, Some("alice.test" | "mallory.test")) => json(200, &format!(r#"{{"did":"{did}"}}"#)),
            (_, Some("stray.test")) => json(200, &format!(r#"{{"did":"{OTHER}"}}"#)),
            (_, Some("broken.test")) => json(500, "{}"),
            (_, Some(_)) => json(400, r#"{"error":"HandleNotFound"}"#),
            (path, None) => {
                let (asked, handle) = match path.trim_start_matches('/') {
                    "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb" => ("did:plc:bbbbbbbbbbbbbbbbbbbbbbbb", "alice.test"),
                    "did:plc:cccccccccccccccccccccccc" => ("did:plc:cccccccccccccccccccccccc", "gone.test"),
                    "did:plc:dddddddddddddddddddddddd" => ("did:plc:dddddddddddddddddddddddd", "broken.test"),
                    "did:plc:eeeeeeeeeeeeeeeeeeeeeeee" => ("did:plc:eeeeeeeeeeeeeeeeeeeeeeee", "not a handle"),
                    path if path == did => (did.as_str(), "alice.test"),
                    _ => return json(404, r#"{"message":"DID not registered: x"}"#),
                };
                json(200, &document(asked, handle, "https://pds.test"))
            }
        }
    })
    .await;
    let mut config = config();
    config.plc_url = server.url();
    config.handle_resolver = Some(server.url());
    let resolver = Resolver::new(&Client::new(config).unwrap());
    (server, resolver)
}

#[tokio::test]
async fn a_handle_counts_when_it_points_both_ways() {
    let (_server, resolver) = network().await;
    let identify = async |text: &str| resolver.identify(&text.parse().unwrap(), &never()).await;
    let expected_pds = "https://pds.test/";
    let check = |identity: Identity| {
        assert_eq!(identity.did, did());
        assert_eq!(identity.handle.unwrap().as_str(), "alice.test");
        assert_eq!(identity.handle_problem, None);
        assert_eq!(identity.pds.unwrap().as_str(), expected_pds);
        assert!(identity.document.bytes.starts_with(b"{"));
    };
    check(identify("@Alice.test").await.unwrap());
    check(identify("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz").await.unwrap());
    check(identify("https://bsky.app/profile/alice.test").await.unwrap());
    match identify("mallory.test").await {
        Err(Error::HandleMismatch {
            handle,
            did: points,
            says,
        }) => {
            assert_eq!((handle.as_str(), points), ("mallory.test", did()));
            assert_eq!(says.as_ref().map(Handle::as_str), Some("alice.test"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(kind(identify("nobody.test").await), "HandleNotFound");
    assert_eq!(kind(identify("broken.test").await), "Http(500)");
    assert_eq!(kind(identify("stray.test").await), "DidNotFound");
    assert_eq!(kind(identify("did:key:zQ3sh").await), "DidUnsupported");
}

#[tokio::test]
async fn an_account_asked_for_by_its_did_says_what_is_wrong_with_its_handle() {
    let (_server, resolver) = network().await;
    let check = async |did: &str, claimed: Option<&str>, problem: HandleProblem| {
        let who = Identifier::Did(did.parse().unwrap());
        let identity = resolver.identify(&who, &never()).await.unwrap();
        assert_eq!(identity.handle, None);
        assert_eq!(identity.claimed_handle.as_ref().map(Handle::as_str), claimed);
        assert_eq!(identity.handle_problem, Some(problem));
    };
    let elsewhere = HandleProblem::PointsElsewhere(did());
    check("did:plc:bbbbbbbbbbbbbbbbbbbbbbbb", Some("alice.test"), elsewhere).await;
    check(
        "did:plc:cccccccccccccccccccccccc",
        Some("gone.test"),
        HandleProblem::NotFound,
    )
    .await;
    check(
        "did:plc:dddddddddddddddddddddddd",
        Some("broken.test"),
        HandleProblem::Unreachable,
    )
    .await;
    check("did:plc:eeeeeeeeeeeeeeeeeeeeeeee", None, HandleProblem::Unclaimed).await;
}

#[tokio::test]
async fn directories_tell_unknown_from_ended_and_strangers_tell_neither() {
    let check = async |status: u16, body: &str, expected: &str| {
        let acts = match body.starts_with('{') {
            true => json(status, body),
            false => reply(status, &[("content-type", "text/html")], body),
        };
        let server = HostileServer::always(acts).await;
        let mut config = config();
        config.plc_url = server.url().join("/mirror/").unwrap();
        let directory = Directory::new(&Client::new(config).unwrap());
        assert_eq!(
            kind(directory.document(&did(), &never()).await.map(|_| ())),
            expected,
            "{status} {body}"
        );
        let target = &server.asked()[0].target;
        assert_eq!(target, "/mirror/did:plc:ewvi7nxzyoun6zhxrhs64oiz");
    };
    check(404, r#"{"message":"DID not registered: did:plc:x"}"#, "DidNotFound").await;
    check(404, r#"{"message":"DID not available: did:plc:x"}"#, "DidTombstoned").await;
    check(410, r#"{"message":"DID not available: did:plc:x"}"#, "DidTombstoned").await;
    check(404, "<html>", "Http(404)").await;
    check(200, "<html>", "BadBody(wrong content type)").await;
    check(200, "{}", "Malformed").await;
    check(200, &document(OTHER, "alice.test", "https://pds.test"), "Malformed").await;
    check(
        200,
        &document(did().as_str(), "alice.test", "https://pds.test"),
        "Ok(())",
    )
    .await;
}

#[tokio::test]
async fn logs_are_read_as_they_were_served() {
    let entry = serde_json::json!({
        "did": did(), "cid": "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm", "nullified": false,
        "createdAt": "2026-11-22T14:00:00.000Z", "operation": {"type": "plc_tombstone", "prev": "x", "sig": "y"},
    });
    let body = serde_json::json!([entry]).to_string();
    let served = body.clone();
    let server = HostileServer::start(move |asked| match asked.target.as_str() {
        "/did:plc:ewvi7nxzyoun6zhxrhs64oiz/log/audit" => json(200, &served),
        "/_health" => json(200, r#"{"version":"1.2.3"}"#),
        _ => json(200, "{}"),
    })
    .await;
    let mut config = config();
    config.plc_url = server.url();
    let directory = Directory::new(&Client::new(config).unwrap());
    let log = directory.audit_log(&did(), &never()).await.unwrap();
    assert_eq!((log.bytes, log.entries.len()), (body.into_bytes(), 1));
    assert_eq!(directory.health(&never()).await.unwrap(), "1.2.3");
    let other = directory.audit_log(&OTHER.parse().unwrap(), &never()).await;
    assert_eq!(kind(other.map(|_| ())), "Malformed");
    let web = directory
        .audit_log(&"did:web:pds.test".parse().unwrap(), &never())
        .await;
    assert_eq!(kind(web.map(|_| ())), "DidUnsupported");
}

#[tokio::test]
async fn web_dids_are_read_from_their_host_and_follow_nobody() {
    let check = async |script: fn(&str) -> Vec<crate::server::Act>, expected: &str| {
        let server = HostileServer::start(move |asked| {
            assert_eq!(asked.target, "/.well-known/did.json");
            script(
                asked
                    .head
                    .split("localhost:")
                    .nth(1)
                    .unwrap()
                    .split("\r\n")
                    .next()
                    .unwrap(),
            )
        })
        .await;
        let resolver = Resolver::new(&Client::new(config()).unwrap());
        let did = format!("did:web:localhost%3A{}", server.port());
        let answer = resolver.document(&did.parse().unwrap(), &never()).await;
        assert_eq!(kind(answer.map(|_| ())), expected);
        assert_eq!(server.asked().len(), 1);
    };
    check(|port| json(200, &web_document(port)), "Ok(())").await;
    // Somebody's static web server, which knows no better type.
    check(
        |port| reply(200, &[("content-type", "text/plain")], web_document(port)),
        "Ok(())",
    )
    .await;
    check(|_| json(200, &web_document("1")), "Malformed").await;
    check(|_| reply(200, &[("content-type", "text/html")], "<html>"), "Malformed").await;
    check(|_| reply(404, &[], "<html>"), "DidNotFound").await;
    check(|_| reply(301, &[("location", "/other.json")], ""), "Refused(Redirect)").await;
    check(|_| reply(200, &[], vec![b' '; 10 << 20]), "TooLarge").await;
}

fn web_document(port: &str) -> String {
    document(&format!("did:web:localhost%3A{port}"), "alice.test", "https://pds.test")
}
