//! Answers that are too large, too slow, cut, packed to burst, or something else altogether.

use std::time::{Duration, Instant};

use crate::server::{Act, HostileServer, gzip, head, json, reply};
use crate::{blob_cid, client, client_with, contents, did, file, kind, never, pds};
use skykeep_net::plc::Directory;
use skykeep_net::{CancellationToken, Client};

const MIB: u64 = 1024 * 1024;
const CAR: (&str, &str) = ("content-type", "application/vnd.ipld.car");
const JSON: (&str, &str) = ("content-type", "application/json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const DAMAGED: &str = "BadBody(gzip is damaged or ends too early)";
const CHUNKED: (&str, &str) = ("transfer-encoding", "chunked");

/// What becomes of a repository of at most 8 MiB that is served like this.
async fn repo(client: &Client, acts: Vec<Act>, expected: &str) {
    let server = HostileServer::always(acts).await;
    let answer = pds(client, &server)
        .get_repo(&did(), None, &mut file(), 8 * MIB, |_| {}, &never())
        .await;
    assert_eq!(kind(answer.map(|done| done.bytes)), expected);
    assert_eq!(server.asked().len(), 1, "asked again, for {expected}");
}

/// What becomes of a small answer that is served like this.
async fn commit(client: &Client, acts: Vec<Act>, expected: &str) {
    let server = HostileServer::always(acts).await;
    let answer = pds(client, &server).get_latest_commit(&did(), &never()).await;
    assert_eq!(kind(answer), expected);
}

#[tokio::test]
async fn sizes_are_limited_whatever_is_announced() {
    let client = client();
    repo(
        &client,
        vec![head(200, &[CAR]), Act::Endless(vec![7; 65536])],
        "TooLarge",
    )
    .await;
    let announced = ("content-length", "99999999999");
    repo(
        &client,
        vec![head(200, &[CAR, announced]), Act::Send(vec![7; 100])],
        "TooLarge",
    )
    .await;
    repo(&client, reply(200, &[CAR], vec![7; 8 << 20]), "Ok(8388608)").await;
    repo(&client, reply(200, &[CAR], vec![7; (8 << 20) + 1]), "TooLarge").await;
    let chunk = [b"10000\r\n".as_slice(), &[7; 65536], b"\r\n"].concat();
    repo(
        &client,
        vec![head(200, &[CAR, CHUNKED]), Act::Endless(chunk)],
        "TooLarge",
    )
    .await;
    commit(
        &client,
        vec![head(200, &[JSON]), Act::Endless(b" ".repeat(65536))],
        "TooLarge",
    )
    .await;
}

#[tokio::test]
async fn packed_answers_are_limited_unpacked() {
    let client = client();
    let zeros = [0; 65536];
    // 6 MiB in 27 KB: not accepted, though it fits the limit.
    repo(
        &client,
        reply(200, &[CAR, GZIP], gzip(&zeros, 96)),
        "BadBody(unpacks to far more than was sent)",
    )
    .await;
    commit(&client, reply(200, &[JSON, GZIP], gzip(&zeros, 96)), "TooLarge").await;
    // What honest hosts send.
    repo(&client, reply(200, &[CAR, GZIP], gzip(b"small", 1)), "Ok(5)").await;
    repo(&client, reply(200, &[CAR, GZIP], gzip(&zeros, 8)), "Ok(524288)").await;
    repo(&client, reply(200, &[CAR, GZIP], b""), "Ok(0)").await;
    // Empty blocks without an end, which unpack to nothing.
    let start = Act::Send(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]);
    let nothing = Act::Endless([0, 0, 0, 0xff, 0xff].repeat(10_000));
    repo(&client, vec![head(200, &[CAR, GZIP]), start, nothing], "TooLarge").await;
    // An endless name inside the gzip header.
    let name = [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0], b"a".repeat(100_000).as_slice()].concat();
    repo(&client, vec![head(200, &[CAR, GZIP]), Act::Send(name)], DAMAGED).await;
}

#[tokio::test]
async fn damaged_packing_is_noticed() {
    let client = client();
    let whole = gzip(b"all of it", 1000);
    let cut = &whole[..whole.len() - 4];
    repo(&client, reply(200, &[CAR, GZIP], cut), DAMAGED).await;
    let mut spoilt = whole.clone();
    let last = spoilt.len() - 6;
    spoilt[last] ^= 1;
    repo(&client, reply(200, &[CAR, GZIP], &spoilt), DAMAGED).await;
    repo(&client, reply(200, &[CAR, GZIP], b"<html>not packed at all"), DAMAGED).await;
    repo(
        &client,
        reply(200, &[CAR, GZIP], [&whole, &whole[..]].concat()),
        DAMAGED,
    )
    .await;
    repo(
        &client,
        reply(200, &[CAR, GZIP], [&whole, b"tail".as_slice()].concat()),
        DAMAGED,
    )
    .await;
    let brotli = ("content-encoding", "br");
    repo(
        &client,
        reply(200, &[CAR, brotli], b"x"),
        "BadBody(packed in a way not asked for)",
    )
    .await;
}

#[tokio::test]
async fn a_cut_answer_is_not_an_answer() {
    let client = client();
    let promised = ("content-length", "1000");
    repo(
        &client,
        vec![head(200, &[CAR, promised]), Act::Send(vec![7; 999])],
        "Unreachable(Cut)",
    )
    .await;
    let chunk = b"5\r\nhello\r\n".to_vec();
    repo(
        &client,
        vec![head(200, &[CAR, CHUNKED]), Act::Send(chunk)],
        "Unreachable(Cut)",
    )
    .await;
    repo(
        &client,
        vec![Act::Send(b"HTTP/1.1 200 OK\r\ncontent-type: appl".to_vec())],
        "Unreachable(Cut)",
    )
    .await;
    repo(
        &client,
        vec![Act::Send(b"220 mail.example.com ESMTP\r\n".to_vec())],
        "Unreachable(Cut)",
    )
    .await;
    repo(&client, vec![], "Unreachable(Cut)").await;
    commit(
        &client,
        vec![head(200, &[JSON, promised]), Act::Send(br#"{"cid":""#.to_vec())],
        "Unreachable(Cut)",
    )
    .await;
}

#[tokio::test]
async fn other_kinds_of_content_are_not_read() {
    let client = client();
    let html = ("content-type", "text/html; charset=utf-8");
    repo(&client, reply(200, &[html], "<html>"), "BadBody(wrong content type)").await;
    repo(&client, json(200, "{}"), "BadBody(wrong content type)").await;
    repo(&client, reply(200, &[], "no type"), "BadBody(wrong content type)").await;
    repo(
        &client,
        reply(200, &[("content-type", "application/octet-stream")], "car"),
        "Ok(3)",
    )
    .await;
    commit(
        &client,
        reply(200, &[html], r#"{"cid":"x"}"#),
        "BadBody(wrong content type)",
    )
    .await;
    commit(&client, json(200, "<html>"), "BadBody(not the JSON that belongs there)").await;
    commit(&client, json(200, "[]"), "BadBody(not the JSON that belongs there)").await;
    commit(
        &client,
        json(200, &"[".repeat(90_000)),
        "BadBody(not the JSON that belongs there)",
    )
    .await;
    commit(
        &client,
        json(200, r#"{"cid":"bafyno","rev":"3jzfcijpj2z2a"}"#),
        "BadBody(not the JSON that belongs there)",
    )
    .await;
    // A range nobody asked for, and an empty answer, are not the whole.
    repo(&client, reply(206, &[CAR], "part"), "Http(206)").await;
    repo(&client, reply(204, &[CAR], ""), "Http(204)").await;
    repo(&client, reply(404, &[html], "<html>".repeat(100_000)), "Http(404)").await;
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let client = client();
    let flood = b"x-flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(1000);
    let start = b"HTTP/1.1 200 OK\r\n".to_vec();
    repo(
        &client,
        vec![Act::Send(start.clone()), Act::Endless(flood)],
        "Unreachable(Cut)",
    )
    .await;
    let line = [b"x-flood: ".as_slice(), &b"a".repeat(65536)].concat();
    repo(
        &client,
        vec![Act::Send(start), Act::Send(line), Act::Endless(b"a".repeat(65536))],
        "Unreachable(Cut)",
    )
    .await;
}

#[tokio::test]
async fn who_stalls_is_left() {
    let client = client_with(|patience| {
        patience.first_byte = Duration::from_secs(1);
        patience.idle = Duration::from_millis(300);
    });
    let hour = Duration::from_secs(3600);
    let check = async |acts: Vec<Act>, expected: &str| {
        let server = HostileServer::always(acts).await;
        let pds = pds(&client, &server);
        let (did, cid, mut file, never) = (did(), blob_cid(), file(), never());
        let work = pds.get_blob(&did, &cid, &mut file, MIB, |_| {}, &never);
        match tokio::time::timeout(Duration::from_secs(8), work).await {
            Ok(answer) => assert_eq!(kind(answer), expected),
            Err(_) => panic!("still waiting for {expected}"),
        }
    };
    check(vec![Act::Wait(hour)], "Unreachable(Timeout)").await;
    check(
        vec![Act::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Act::Wait(hour)],
        "Unreachable(Timeout)",
    )
    .await;
    check(vec![head(200, &[]), Act::Wait(hour)], "Stalled").await;
    check(
        vec![head(200, &[]), Act::Send(vec![7; 10_000]), Act::Wait(hour)],
        "Stalled",
    )
    .await;
    // A byte now and then keeps nobody waiting.
    let drip = Act::Drip(vec![7; 100_000], Duration::from_millis(20));
    check(vec![head(200, &[]), drip], "Stalled").await;
}

#[tokio::test]
async fn who_is_slow_and_steady_is_waited_for() {
    let client = client_with(|patience| patience.idle = Duration::from_secs(1));
    // In all longer than the longest wait, and never that long for the next 4 KiB.
    let steady = std::iter::repeat_n([Act::Send(vec![7; 4096]), Act::Wait(Duration::from_millis(150))], 10);
    let acts = [head(200, &[CAR])].into_iter().chain(steady.flatten()).collect();
    let server = HostileServer::always(acts).await;
    let answer = pds(&client, &server)
        .get_repo(&did(), None, &mut file(), MIB, |_| {}, &never())
        .await;
    assert_eq!(kind(answer.map(|done| done.bytes)), "Ok(40960)");
}

#[tokio::test]
async fn a_small_answer_must_be_whole_in_time() {
    let client = client_with(|patience| patience.whole = Duration::from_millis(400));
    // Fast enough for any stall detector, and endless all the same.
    let trickle = std::iter::repeat_n(
        [Act::Send(b" ".repeat(4096)), Act::Wait(Duration::from_millis(100))],
        1000,
    );
    let acts = [head(200, &[JSON])].into_iter().chain(trickle.flatten()).collect();
    let server = HostileServer::always(acts).await;
    let answer = pds(&client, &server).get_latest_commit(&did(), &never()).await;
    assert_eq!(kind(answer), "Stalled");
}

#[tokio::test]
async fn a_slow_disk_or_listener_is_not_a_stalled_host() {
    let client = client_with(|patience| patience.idle = Duration::from_millis(300));
    let server = HostileServer::always(reply(200, &[CAR], vec![7; 3 << 20])).await;
    let slow = |_| std::thread::sleep(Duration::from_millis(50));
    let answer = pds(&client, &server)
        .get_repo(&did(), None, &mut file(), 8 * MIB, slow, &never())
        .await;
    assert_eq!(kind(answer.map(|done| done.bytes)), "Ok(3145728)");
}

#[tokio::test]
async fn what_arrives_is_what_the_file_holds() {
    let body: Vec<u8> = (0..1_000_003_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let packed = reply(200, &[CAR, GZIP], gzip(&body, 1));
    for acts in [reply(200, &[CAR], &body), packed] {
        let server = HostileServer::always(acts).await;
        let (mut file, mut told) = (file(), Vec::new());
        tokio::io::AsyncWriteExt::write_all(&mut file, b"what was there before, longer or shorter")
            .await
            .unwrap();
        let progress = |bytes| told.push(bytes);
        let done = pds(&client(), &server)
            .get_repo(&did(), None, &mut file, 8 * MIB, progress, &never())
            .await
            .unwrap();
        assert_eq!(done.bytes, body.len() as u64);
        assert_eq!(done.content_type.as_deref(), Some("application/vnd.ipld.car"));
        assert!(contents(&mut file).await == body);
        assert!(told.is_sorted() && told.len() >= 4, "{told:?}");
        assert_eq!(told.last(), Some(&done.bytes));
    }
}

#[tokio::test]
async fn a_ten_megabyte_document_is_not_read() {
    let acts = reply(
        200,
        &[("content-type", "application/did+ld+json")],
        vec![b' '; 10 << 20],
    );
    let server = HostileServer::always(acts).await;
    let mut config = crate::config();
    config.plc_url = server.url();
    let directory = Directory::new(&Client::new(config).unwrap());
    assert_eq!(kind(directory.document(&did(), &never()).await), "TooLarge");
    assert_eq!(kind(directory.audit_log(&did(), &never()).await), "TooLarge");
}

#[tokio::test]
async fn cancelling_ends_every_wait() {
    let hour = Duration::from_secs(3600);
    let client = client_with(|patience| {
        (patience.tries, patience.first_wait, patience.longest_wait) = (6, hour, hour);
        (patience.first_byte, patience.idle) = (hour, hour);
    });
    for acts in [
        vec![Act::Wait(hour)],
        vec![head(200, &[CAR]), Act::Send(vec![7; 1000]), Act::Wait(hour)],
        reply(503, &[], ""),
        reply(429, &[("retry-after", "3000")], ""),
    ] {
        let server = HostileServer::always(acts).await;
        let cancel = CancellationToken::new();
        let pds = pds(&client, &server);
        let (mut file, did) = (file(), did());
        let work = pds.get_repo(&did, None, &mut file, MIB, |_| {}, &cancel);
        let stop = async {
            while server.asked().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            cancel.cancel();
            Instant::now()
        };
        let (answer, stopped) = tokio::join!(work, stop);
        assert_eq!(kind(answer), "Cancelled");
        assert!(stopped.elapsed() < Duration::from_secs(2));
    }
    let cancel = CancellationToken::new();
    cancel.cancel();
    let server = HostileServer::always(vec![]).await;
    assert_eq!(
        kind(pds(&client, &server).get_latest_commit(&did(), &cancel).await),
        "Cancelled"
    );
    assert_eq!(server.connections(), 0);
}
