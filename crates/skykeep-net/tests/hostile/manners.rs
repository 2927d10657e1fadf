//! How we behave: who we say we are, how much we ask at once, when we ask again, and where we do not go.

use std::time::{Duration, Instant};

use crate::server::{Act, HostileServer, head, json, reply};
use crate::{blob_cid, client, client_with, config, did, file, kind, never, pds};
use skykeep_net::pds::Pds;
use skykeep_net::{Client, Error, Patience};

const COMMIT: &str =
    r#"{"cid":"bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm","rev":"3jzfcijpj2z2a","more":1}"#;
const CAR: (&str, &str) = ("content-type", "application/vnd.ipld.car");

#[tokio::test]
async fn every_question_says_who_asks() {
    let server = HostileServer::always(json(200, COMMIT)).await;
    pds(&client(), &server)
        .get_latest_commit(&did(), &never())
        .await
        .unwrap();
    let _ = pds(&client(), &server)
        .get_blob(&did(), &blob_cid(), &mut file(), 10, |_| {}, &never())
        .await;
    let asked = server.asked();
    let (small, blob) = (&asked[0], &asked[1]);
    let agent = format!("user-agent: skykeep/{}", env!("CARGO_PKG_VERSION"));
    assert!(
        small.head.contains(&agent) && blob.head.contains(&agent),
        "{}",
        small.head
    );
    assert!(small.head.contains("accept-encoding: gzip\r\n"));
    assert!(blob.head.contains("accept-encoding: identity\r\n"));
    let target = "/xrpc/com.atproto.sync.getLatestCommit?did=did%3Aplc%3Aewvi7nxzyoun6zhxrhs64oiz";
    assert_eq!(small.target, target);
    for private in ["cookie:", "authorization:", "referer:"] {
        assert!(!small.head.contains(private), "{private}");
    }
}

#[tokio::test]
async fn a_host_is_asked_four_questions_at_once_and_eight_a_second() {
    let busy = [vec![Act::Wait(Duration::from_millis(60))], json(200, COMMIT)].concat();
    let server = HostileServer::always(busy).await;
    let client = client();
    // Two accounts, two clients made from one: still one queue.
    let (one, two) = (
        pds(&client, &server),
        pds(&client.with_patience(crate::patience()), &server),
    );
    let (did, cancel) = (did(), never());
    let ask = |pds: Pds| {
        let (did, cancel) = (did.clone(), cancel.clone());
        tokio::spawn(async move { pds.get_latest_commit(&did, &cancel).await.map(drop) })
    };
    let started = Instant::now();
    let tasks: Vec<_> = (0..10).flat_map(|_| [ask(one.clone()), ask(two.clone())]).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 20);
    assert!(server.busiest() <= 4, "{} at once", server.busiest());
    assert!(server.busiest() >= 2, "nothing was asked at once");
    for (after, number) in [(1, 8), (2, 16)] {
        let at = asked[number].at - started;
        assert!(at >= Duration::from_secs(after), "question {number} came after {at:?}");
    }
}

#[tokio::test]
async fn one_repository_comes_at_a_time() {
    let slow = [
        vec![head(200, &[CAR])],
        vec![Act::Wait(Duration::from_millis(150)), Act::Send(vec![7; 10])],
    ]
    .concat();
    let server = HostileServer::start(move |asked| match asked.target.contains("getRepo") {
        true => slow.clone(),
        false => json(200, COMMIT),
    })
    .await;
    let pds = pds(&client(), &server);
    let (did, cancel) = (did(), never());
    let (mut one, mut two) = (file(), file());
    let first = pds.get_repo(&did, None, &mut one, 100, |_| {}, &cancel);
    let second = pds.get_repo(&did, None, &mut two, 100, |_| {}, &cancel);
    let small = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        pds.get_latest_commit(&did, &cancel).await.unwrap();
        Instant::now()
    };
    let (first, second, small) = tokio::join!(first, second, small);
    assert!(first.is_ok() && second.is_ok());
    let repos: Vec<_> = server
        .asked()
        .into_iter()
        .filter(|asked| asked.target.contains("getRepo"))
        .collect();
    assert!(repos[1].at - repos[0].at >= Duration::from_millis(140));
    assert!(small < repos[1].at, "a small question waited for a repository");
}

#[tokio::test]
async fn a_small_question_does_not_wait_for_downloads() {
    let endless = [
        vec![head(200, &[])],
        vec![Act::Send(vec![7; 10]), Act::Wait(Duration::from_secs(3600))],
    ]
    .concat();
    let server = HostileServer::start(move |asked| match asked.target.contains("getBlob") {
        true => endless.clone(),
        false => json(200, COMMIT),
    })
    .await;
    let pds = pds(&client(), &server);
    let stop = never();
    let downloads: Vec<_> = (0..5)
        .map(|_| {
            let (pds, stop) = (pds.clone(), stop.clone());
            let mut file = file();
            tokio::spawn(async move { kind(pds.get_blob(&did(), &blob_cid(), &mut file, 100, |_| {}, &stop).await) })
        })
        .collect();
    while server.asked().len() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    pds.get_latest_commit(&did(), &never()).await.unwrap();
    assert_eq!(server.asked().len(), 4, "three downloads, and the small question");
    stop.cancel();
    for download in downloads {
        assert_eq!(download.await.unwrap(), "Cancelled");
    }
}

#[tokio::test]
async fn only_what_is_transient_is_asked_again() {
    let client = client_with(|patience| patience.tries = 3);
    let check = async |acts: Vec<Act>, tries: usize, expected: &str| {
        let server = HostileServer::always(acts).await;
        let answer = pds(&client, &server).get_latest_commit(&did(), &never()).await;
        assert_eq!(kind(answer), expected);
        assert_eq!(server.asked().len(), tries, "{expected}");
    };
    for status in [500, 502, 503, 504] {
        check(
            json(status, r#"{"error":"InternalServerError"}"#),
            3,
            &format!("Http({status})"),
        )
        .await;
    }
    check(vec![], 3, "Unreachable(Cut)").await;
    check(reply(429, &[("retry-after", "0")], "<html>"), 3, "RateLimited").await;
    for status in [400, 401, 403, 404, 405, 410, 413, 451, 501] {
        check(reply(status, &[], "<html>"), 1, &format!("Http({status})")).await;
    }
    check(
        json(400, r#"{"error":"InvalidRequest","message":"no"}"#),
        1,
        "Xrpc(400 InvalidRequest)",
    )
    .await;
    check(json(200, "{}"), 1, "BadBody(not the JSON that belongs there)").await;
}

#[tokio::test]
async fn asking_again_can_succeed() {
    let client = client_with(|patience| patience.tries = 3);
    let server = HostileServer::start(|asked| match asked.number {
        0 => reply(502, &[("content-type", "text/html")], "<html>"),
        1 => vec![head(200, &[CAR, ("content-length", "10")]), Act::Send(b"seve".to_vec())],
        _ => reply(200, &[CAR], b"the repo"),
    })
    .await;
    let (mut file, mut told) = (file(), Vec::new());
    let pds = pds(&client, &server);
    let done = pds
        .get_repo(&did(), None, &mut file, 100, |bytes| told.push(bytes), &never())
        .await
        .unwrap();
    assert_eq!(done.bytes, 8);
    assert_eq!(crate::contents(&mut file).await, b"the repo");
    assert_eq!(told, [0, 0, 0, 8], "each try begins at nothing");
}

#[tokio::test]
async fn a_long_pause_is_told_and_kept() {
    let check = async |status: u16, headers: &[(&str, &str)], seconds: u64| {
        let server = HostileServer::always(reply(status, headers, "<html>Too many requests</html>")).await;
        let client = client_with(|patience| patience.tries = 6);
        let pds = pds(&client, &server);
        for _ in 0..3 {
            match pds.get_latest_commit(&did(), &never()).await {
                Err(Error::RateLimited { wait, .. }) => {
                    assert!(wait.as_secs().abs_diff(seconds) <= 5, "{wait:?} for {headers:?}");
                }
                other => panic!("{other:?} for {headers:?}"),
            }
        }
        assert_eq!(server.asked().len(), 1, "the pause was not kept for {headers:?}");
    };
    let date = ("date", "Sun, 22 Nov 2026 14:00:00 GMT");
    check(429, &[], 300).await;
    check(429, &[("content-type", "text/html")], 300).await;
    check(429, &[("retry-after", "40")], 40).await;
    check(429, &[date, ("ratelimit-reset", "1795356100")], 100).await;
    check(429, &[("retry-after", "9999999")], 3600).await;
    check(503, &[("retry-after", "77")], 77).await;
}

#[tokio::test]
async fn a_short_pause_is_waited_for() {
    let server = HostileServer::start(|asked| match asked.number {
        0 => reply(429, &[("retry-after", "1")], ""),
        _ => json(200, COMMIT),
    })
    .await;
    let client = client_with(|patience| {
        (patience.tries, patience.longest_wait) = (2, Duration::from_secs(5));
    });
    pds(&client, &server).get_latest_commit(&did(), &never()).await.unwrap();
    let asked = server.asked();
    assert!(asked[1].at - asked[0].at >= Duration::from_millis(990));
}

#[tokio::test]
async fn a_nearly_empty_allowance_slows_us_down() {
    let server = HostileServer::start(|asked| {
        let left = (9 - asked.number).to_string();
        let headers = [
            ("content-type", "application/json"),
            ("ratelimit-limit", "3000"),
            ("ratelimit-remaining", left.as_str()),
            ("ratelimit-reset", "3"),
        ];
        reply(200, &headers, COMMIT)
    })
    .await;
    let patient = client_with(|patience| patience.longest_wait = Duration::from_secs(5));
    let hasty = patient.with_patience(Patience {
        longest_wait: Duration::ZERO,
        ..crate::patience()
    });
    let pds = pds(&patient, &server);
    let started = Instant::now();
    for _ in 0..3 {
        pds.get_latest_commit(&did(), &never()).await.unwrap();
    }
    // Three seconds for nine more questions, then for eight: 300 ms and 333 ms.
    let third = server.asked()[2].at - started;
    assert!(third >= Duration::from_millis(620), "{third:?}");
    let hasty = Pds::new(&hasty, &server.url()).unwrap();
    assert_eq!(kind(hasty.get_latest_commit(&did(), &never()).await), "RateLimited");
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn redirects_are_followed_three_times_and_judged_each_time() {
    let check = async |target: &str, expected: &str| {
        let server = HostileServer::always(reply(302, &[("location", target)], "")).await;
        let answer = pds(&client(), &server).get_latest_commit(&did(), &never()).await;
        assert_eq!(kind(answer), expected, "{target}");
        assert_eq!(server.asked().len(), 1, "{target}");
    };
    check("http://10.0.0.1/", "Refused(PlainHttp)").await;
    check("https://10.0.0.1/", "Refused(PrivateAddress)").await;
    check("https://169.254.169.254/latest/meta-data", "Refused(PrivateAddress)").await;
    check("https://[fd00::1]/", "Refused(PrivateAddress)").await;
    check("https://[::ffff:192.168.0.1]/", "Refused(PrivateAddress)").await;
    check("http://pds.example.com/", "Refused(PlainHttp)").await;
    check("file:///etc/passwd", "Refused(Scheme)").await;
    check("data:application/json,{}", "Refused(Scheme)").await;
    check("https://user:secret@example.com/", "Refused(Address)").await;
    check("http://", "Refused(Redirect)").await;

    let circle = HostileServer::always(reply(307, &[("location", "/again")], "")).await;
    let answer = pds(&client(), &circle).get_latest_commit(&did(), &never()).await;
    assert_eq!(kind(answer), "Refused(Redirect)");
    assert_eq!(circle.asked().len(), 4, "one question and three redirects");

    let store = HostileServer::always(reply(200, &[("content-type", "image/png")], b"a picture")).await;
    let elsewhere = store.url().join("/object?signature=secret").unwrap().to_string();
    let host = HostileServer::always(reply(302, &[("location", &elsewhere)], "")).await;
    let (mut file, client) = (file(), client());
    let pds = pds(&client, &host);
    let done = pds
        .get_blob(&did(), &blob_cid(), &mut file, 100, |_| {}, &never())
        .await
        .unwrap();
    assert_eq!((done.bytes, done.content_type.as_deref()), (9, Some("image/png")));
    assert_eq!(store.asked()[0].target, "/object?signature=secret");
    assert_eq!(
        kind(pds.get_small_blob(&did(), &blob_cid(), 100, &never()).await.map(|_| 1)),
        "Ok(1)"
    );
    // A redirect without a target is no answer either.
    let lost = HostileServer::always(reply(302, &[], "")).await;
    let answer = crate::pds(&client, &lost).get_latest_commit(&did(), &never()).await;
    assert_eq!(kind(answer), "Http(302)");
}

#[tokio::test]
async fn outside_of_test_mode_this_computer_is_out_of_reach() {
    let server = HostileServer::always(json(200, COMMIT)).await;
    let mut config = config();
    config.loopback_http = false;
    let client = Client::new(config).unwrap();
    for (url, expected) in [
        (server.url().to_string(), "Refused(PlainHttp)"),
        (
            format!("https://127.0.0.1:{}/", server.port()),
            "Refused(PrivateAddress)",
        ),
        (
            format!("https://localhost:{}/", server.port()),
            "Refused(PrivateAddress)",
        ),
        ("https://pds.example.com/path".to_owned(), "Refused(Address)"),
        ("https://pds.example.com/?token=1".to_owned(), "Refused(Address)"),
    ] {
        let answer = Pds::new(&client, &url.parse().unwrap());
        assert_eq!(kind(answer.map(|_| ())), expected, "{url}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn errors_tell_no_secrets() {
    let target = "https://user:hunter2@example.com/?X-Amz-Signature=hunter2";
    for acts in [
        reply(302, &[("location", target)], ""),
        reply(302, &[("location", "http://example.com/?token=hunter2")], ""),
        json(401, r#"{"error":"ExpiredToken","message":"hunter2 has expired"}"#),
        reply(500, &[], "hunter2"),
    ] {
        let server = HostileServer::always(acts).await;
        let error = pds(&client(), &server)
            .get_latest_commit(&did(), &never())
            .await
            .unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
