//! Everything that can be wrong with a bucket, told apart; and nothing secret in what is told.

use std::net::TcpListener;
use std::time::Duration;

use skykeep_tests::s3::{KEY, Kind, SECRET};
use skykeep_vault::layout::StorePath;
use skykeep_vault::{Content, Depth, Doing, Error, S3Credentials, S3Settings, S3Store, Store, Trouble};

use super::stand_in::StandIn;
use super::{bytes, keys, server, settings, store};
use crate::account::writer_key;
use crate::store_contract::{named, path, read};

/// A place with a person waiting before it.
fn place(settings: &S3Settings, keys: &S3Credentials) -> S3Store {
    let store = S3Store::new(settings, keys, writer_key(1).id(), std::env::temp_dir()).unwrap();
    store.waiting(Duration::from_secs(1))
}

/// What a test of this place says is wrong. Whatever else it says, it says nothing secret.
async fn trouble(settings: &S3Settings, keys: &S3Credentials) -> Trouble {
    let store = place(settings, keys);
    let error = store.examine().await.unwrap_err();
    let probe = store.probe().await.unwrap_err();
    // SeaweedFS makes a bucket for whoever may; a web page is a file that is in the way.
    let put = store.put(named("a/one", b"1"), Content::bytes(&b"1"[..])).await;
    assert!(error.is_of_place() && probe.is_of_place(), "{error:?} {probe:?}");
    let said = format!("{error} {error:?} {probe} {probe:?} {put:?} {store:?} {keys:?}");
    for secret in [SECRET, KEY, "another-secret", "AKIDNOBODY"] {
        assert!(!said.contains(secret), "{said}");
    }
    match error {
        Error::Server { trouble, .. } => trouble,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_servers_troubles_are_told_apart() {
    for kind in Kind::ALL {
        let server = server(kind);
        let good = settings(&server.endpoint(), "trouble");
        let check = async |settings: &S3Settings, keys: S3Credentials, expected: Trouble| {
            assert_eq!(trouble(settings, &keys).await, expected, "{kind:?}");
        };
        check(&good, S3Credentials::new(KEY, "another-secret"), Trouble::WrongSecret).await;
        check(&good, S3Credentials::new("AKIDNOBODY", SECRET), Trouble::UnknownKey).await;
        let elsewhere = S3Settings {
            bucket: "nobody-s".to_owned(),
            ..good.clone()
        };
        check(&elsewhere, keys(), Trouble::NoBucket).await;
        place(&good, &keys()).examine().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_on_the_way_is_told_apart() {
    let check = async |endpoint: &str, expected: Trouble| {
        assert_eq!(trouble(&settings(endpoint, ""), &keys()).await, expected, "{endpoint}");
    };
    // Nobody listens on a port that was just closed.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    check(&format!("http://{closed}"), Trouble::Unreachable).await;
    check("http://no-such-name.invalid", Trouble::NameNotFound).await;
    let stranger = StandIn::with_a_certificate_of_its_own();
    check(&format!("https://localhost:{}", stranger.port()), Trouble::Certificate).await;
    let page = StandIn::that_always_says(
        "404 Not Found",
        "Content-Type: text/html\r\n",
        "<html>nothing here</html>",
    );
    check(&page.endpoint(), Trouble::NotS3).await;
    let welcome = StandIn::that_always_says("200 OK", "Content-Type: text/html\r\n", "<!doctype html><p>It works!");
    check(&welcome.endpoint(), Trouble::NotS3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_servers_say_no_to_is_told_apart() {
    let error = |code: &str, more: &str| format!("<Error><Code>{code}</Code><Message>m</Message>{more}</Error>");
    let check = async |status: &str, headers: &str, body: String, expected: Trouble| {
        let server = StandIn::that_always_says(status, headers, &body);
        assert_eq!(
            trouble(&settings(&server.endpoint(), ""), &keys()).await,
            expected,
            "{status} {body}"
        );
    };
    let moved = Trouble::WrongRegion {
        expected: Some("eu-west-3".to_owned()),
    };
    let body = error("AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>");
    check("400 Bad Request", "", body, moved.clone()).await;
    let header = "x-amz-bucket-region: eu-west-3\r\n";
    check("301 Moved Permanently", header, error("PermanentRedirect", ""), moved).await;
    let forbidden = Trouble::Forbidden { doing: Doing::Listing };
    check("403 Forbidden", "", error("AccessDenied", ""), forbidden).await;
    check("403 Forbidden", "", error("ExpiredToken", ""), Trouble::KeyExpired).await;
    let old = "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n";
    let off = Trouble::ClockOff {
        server_time: Some("1994-11-15T08:12:31Z".parse().unwrap()),
    };
    check("403 Forbidden", old, error("RequestTimeTooSkewed", ""), off).await;
    check("503 Slow Down", "", error("SlowDown", ""), Trouble::Busy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_busy_for_a_while_is_waited_for() {
    let server = server(Kind::Rclone);
    let busy = StandIn::that_is_busy_at_first(server.port(), 5);
    let store = super::at(&busy.endpoint(), "busy");
    store
        .put(named("a/one", b"1"), Content::bytes(&b"1"[..]))
        .await
        .unwrap();
    assert_eq!(read(&store, "a/one").await.unwrap(), b"1");
    assert!(busy.connections() > 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_answer_was_lost_is_not_somebody_else_s() {
    for kind in Kind::ALL {
        let server = server(kind);
        let deaf = StandIn::that_loses_answers_to_uploads(server.port(), 2);
        let store = super::at(&deaf.endpoint(), "lost");
        for (name, expected) in [("a/one", false), ("a/one", true)] {
            let stored = store.put(named(name, b"1"), Content::bytes(&b"1"[..])).await.unwrap();
            assert_eq!(stored.existed, expected, "{kind:?}");
        }
        assert_eq!(read(&store, "a/one").await.unwrap(), b"1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_does_not_copy_is_set_aside_over_this_computer() {
    for kind in Kind::ALL {
        let server = server(kind);
        let unable = StandIn::that_copies_nothing(server.port());
        let store = super::at(&unable.endpoint(), "uncopied");
        for (name, size) in [("small", 1000), ("large", 9 << 20)] {
            let bytes = bytes(size, 5);
            store
                .put(named(name, &bytes), Content::bytes(bytes.clone()))
                .await
                .unwrap();
            let aside = format!("aside/{name}");
            store.set_aside(&path(name), &path(&aside)).await.unwrap();
            assert_eq!(read(&store, name).await, None, "{kind:?}");
            assert!(read(&store, &aside).await.unwrap() == bytes, "{kind:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_taken_up_where_it_broke() {
    let server = server(Kind::Rclone);
    let large = bytes(5_000_000, 3);
    store(&server, "cut")
        .put(named("a/large", &large), Content::bytes(large.clone()))
        .await
        .unwrap();
    let cut = StandIn::that_breaks_off(server.port(), 700_000);
    assert!(read(&super::at(&cut.endpoint(), "cut"), "a/large").await.unwrap() == large);
    assert!(cut.connections() > 5, "{}", cut.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_server_goes_away_in_the_middle_is_not_damaged() {
    let server = server(Kind::Rclone);
    let large = bytes(5_000_000, 4);
    store(&server, "away")
        .put(named("a/large", &large), Content::bytes(large.clone()))
        .await
        .unwrap();
    let cut = StandIn::that_breaks_off(server.port(), 700_000);
    let there = place(&settings(&cut.endpoint(), "away"), &keys());
    let content = there.get(&path("a/large")).await.unwrap().unwrap();
    drop(cut);
    let read = tokio::task::spawn_blocking(move || content.into_bytes("a/large", 1 << 30))
        .await
        .unwrap();
    let error = read.unwrap_err();
    assert!(error.is_of_place() && error.is_transient(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_acknowledges_what_it_does_not_keep_is_found_out() {
    // Every upload "succeeds", and nothing is ever there.
    let empty = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let liar = StandIn::that_always_says("200 OK", "ETag: \"x\"\r\n", empty);
    let store = place(&settings(&liar.endpoint(), ""), &keys());
    assert!(
        store
            .list(&StorePath::root(), Depth::All)
            .await
            .unwrap()
            .files
            .is_empty()
    );
    let put = store.put(named("a/one", b"1"), Content::bytes(&b"1"[..])).await;
    assert!(put.is_err(), "{put:?}");
    let probe = store.probe().await.unwrap_err();
    assert!(
        matches!(
            probe,
            Error::Server {
                trouble: Trouble::Unfaithful,
                ..
            }
        ),
        "{probe:?}"
    );
}
