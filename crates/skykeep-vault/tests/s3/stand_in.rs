//! Servers that lie, break off or say no: only what honest servers never do when a test wants it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustls::pki_types::PrivateKeyDer;

/// A listener on loopback whose connections each get a thread; ends with the value.
pub(super) struct StandIn {
    port: u16,
    stopped: Arc<AtomicBool>,
    connections: Arc<AtomicU64>,
}

impl StandIn {
    fn new(serve: impl Fn(TcpStream, u64) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stand_in = Self {
            port: listener.local_addr().unwrap().port(),
            stopped: Arc::default(),
            connections: Arc::default(),
        };
        let (stopped, connections) = (Arc::clone(&stand_in.stopped), Arc::clone(&stand_in.connections));
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (serve, n) = (Arc::clone(&serve), connections.fetch_add(1, Ordering::SeqCst));
                std::thread::spawn(move || serve(stream, n));
            }
        });
        stand_in
    }

    /// Answers every request with this status, these headers and this body, and closes.
    pub(super) fn that_always_says(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        Self::new(move |mut stream, _| {
            if read_head(&mut stream) {
                stream.write_all(answer.as_bytes()).ok();
                drain(stream);
            }
        })
    }

    /// Goes on to a real server, and breaks every connection off after so many bytes of answers.
    pub(super) fn that_breaks_off(server: u16, after: u64) -> Self {
        Self::new(move |stream, _| forward(stream, server, after))
    }

    /// Goes on to a real server after it has said "503 Slow Down" to this many connections.
    pub(super) fn that_is_busy_at_first(server: u16, times: u64) -> Self {
        Self::new(move |mut stream, n| {
            if n >= times {
                return forward(stream, server, u64::MAX);
            }
            if read_head(&mut stream) {
                let body = "<Error><Code>SlowDown</Code></Error>";
                let length = body.len();
                let head = format!("HTTP/1.1 503 Slow Down\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                stream.write_all(format!("{head}{body}").as_bytes()).ok();
                drain(stream);
            }
        })
    }

    /// Goes on to a real server, and copies nothing: what Amazon S3 says to copies of more than 5 GB.
    pub(super) fn that_copies_nothing(server: u16) -> Self {
        Self::new(move |stream, _| {
            forward_judged(stream, server, |request| {
                match contains(request, b"x-amz-copy-source") {
                    true => Verdict::Refuse("400 Bad Request", "<Error><Code>InvalidRequest</Code></Error>"),
                    false => Verdict::Pass,
                }
            });
        })
    }

    /// Goes on to a real server, and gives every answer the number of a version, whatever it is about.
    pub(super) fn that_only_counts_versions(server: u16) -> Self {
        Self::new(move |mut client, _| {
            let Ok(mut upstream) = TcpStream::connect(("127.0.0.1", server)) else {
                return;
            };
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            let up = std::thread::spawn(move || {
                std::io::copy(&mut from_client, &mut to_server).ok();
                to_server.shutdown(Shutdown::Both).ok();
            });
            let mut piece = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = upstream.read(&mut piece) {
                let line = piece[..length].windows(2).position(|end| end == b"\r\n");
                let sent = match line.filter(|_| piece.starts_with(b"HTTP/1.1 ")) {
                    Some(line) => client
                        .write_all(&piece[..line])
                        .and_then(|()| client.write_all(b"\r\nx-amz-version-id: 7"))
                        .and_then(|()| client.write_all(&piece[line..length])),
                    None => client.write_all(&piece[..length]),
                };
                if sent.is_err() {
                    break;
                }
            }
            client.shutdown(Shutdown::Both).ok();
            up.join().ok();
        })
    }

    /// Goes on to a real server, and breaks off instead of answering to the first so many uploads.
    pub(super) fn that_loses_answers_to_uploads(server: u16, times: u64) -> Self {
        let lost = AtomicU64::new(0);
        Self::new(move |stream, _| {
            forward_judged(stream, server, |request| {
                match request.starts_with(b"PUT ") && lost.fetch_add(1, Ordering::SeqCst) < times {
                    true => Verdict::LoseTheAnswer,
                    false => Verdict::Pass,
                }
            });
        })
    }

    /// Speaks TLS with a certificate that nobody vouches for.
    pub(super) fn with_a_certificate_of_its_own() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        Self::new(move |mut stream, _| {
            let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            connection.complete_io(&mut stream).ok();
        })
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections there were.
    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

/// Reads a request's head. Answers whether there was one.
fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

/// Takes what still comes, so that closing does not take the answer away from under the client.
fn drain(mut stream: TcpStream) {
    stream.shutdown(Shutdown::Write).ok();
    std::io::copy(&mut stream, &mut std::io::sink()).ok();
}

fn forward(client: TcpStream, server: u16, limit: u64) {
    let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else {
        return;
    };
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
    let up = std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server).ok());
    let mut to_client = &client;
    std::io::copy(&mut (&upstream).take(limit), &mut to_client).ok();
    client.shutdown(Shutdown::Both).ok();
    upstream.shutdown(Shutdown::Both).ok();
    up.join().ok();
}

/// What becomes of a piece of a request.
enum Verdict {
    Pass,
    /// With this status and this body.
    Refuse(&'static str, &'static str),
    LoseTheAnswer,
}

/// Forwards what `judge` lets pass: it sees each piece as it arrives, heads of requests whole.
fn forward_judged(mut client: TcpStream, server: u16, judge: impl Fn(&[u8]) -> Verdict) {
    let Ok(mut upstream) = TcpStream::connect(("127.0.0.1", server)) else {
        return;
    };
    let lost = Arc::new(AtomicBool::new(false));
    let (mut from_server, mut to_client) = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
    let down = {
        let lost = Arc::clone(&lost);
        std::thread::spawn(move || {
            let mut piece = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = from_server.read(&mut piece) {
                if lost.load(Ordering::SeqCst) || to_client.write_all(&piece[..length]).is_err() {
                    break;
                }
            }
            to_client.shutdown(Shutdown::Both).ok();
        })
    };
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = client.read(&mut piece) {
        match judge(&piece[..length]) {
            Verdict::Pass => {}
            Verdict::LoseTheAnswer => lost.store(true, Ordering::SeqCst),
            Verdict::Refuse(status, body) => {
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                client.write_all(format!("{head}{body}").as_bytes()).ok();
                break;
            }
        }
        if upstream.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    upstream.shutdown(Shutdown::Both).ok();
    down.join().ok();
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
