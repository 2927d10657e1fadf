//! What goes over the wire, counted: a relay before a server on loopback that changes nothing.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

/// A sum of several relays, or what one of them has seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) requests: u64,
    /// From the server, heads included.
    pub(crate) received: u64,
    /// To the server, heads included.
    pub(crate) sent: u64,
}

impl Traffic {
    /// What came since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            received: self.received - before.received,
            sent: self.sent - before.sent,
        }
    }
}

/// How a request begins.
const METHODS: [&[u8]; 5] = [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE "];

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

/// A relay; it lives as long as the process.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Its base URL.
    pub(crate) url: String,
    counters: Arc<Counters>,
}

impl Relay {
    /// Listens before the server at `url` (`http://HOST:PORT`).
    pub(crate) fn before(url: &str) -> io::Result<Self> {
        let port = url
            .rsplit(':')
            .next()
            .and_then(|port| port.trim_end_matches('/').parse().ok());
        let port: u16 = port.ok_or_else(|| io::Error::other(format!("no port in {url}")))?;
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let relay = Self {
            url: format!("http://localhost:{}", listener.local_addr()?.port()),
            counters: Arc::default(),
        };
        let counters = Arc::clone(&relay.counters);
        let server = SocketAddr::from(([127, 0, 0, 1], port));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is down is a connection that closes.
                let _ = connect(client, server, &counters);
            }
        });
        Ok(relay)
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.counters.requests.load(Relaxed),
            received: self.counters.received.load(Relaxed),
            sent: self.counters.sent.load(Relaxed),
        }
    }
}

/// All relays together.
pub(crate) fn traffic(relays: &[Relay]) -> Traffic {
    relays
        .iter()
        .map(Relay::traffic)
        .fold(Traffic::default(), |sum, one| Traffic {
            requests: sum.requests + one.requests,
            received: sum.received + one.received,
            sent: sum.sent + one.sent,
        })
}

fn connect(client: TcpStream, server: SocketAddr, counters: &Arc<Counters>) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    for end in [&client, &server] {
        end.set_nodelay(true)?;
    }
    let (up, down) = (Arc::clone(counters), Arc::clone(counters));
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        pass(from_client, to_server, |bytes| {
            up.sent.fetch_add(bytes.len() as u64, Relaxed);
            // A head is written at once, after the answer to the request before.
            if METHODS.iter().any(|method| bytes.starts_with(method)) {
                up.requests.fetch_add(1, Relaxed);
            }
        });
    });
    thread::spawn(move || {
        pass(server, client, |bytes| {
            down.received.fetch_add(bytes.len() as u64, Relaxed);
        });
    });
    Ok(())
}

fn pass(mut from: TcpStream, mut to: TcpStream, seen: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        seen(&buffer[..len]);
        if to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
