//! A host that does what honest ones never do: raw bytes over TCP, told by a script what to send and when to stop.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// One thing that the server does on a connection. After the last one it closes it.
#[derive(Clone)]
pub(crate) enum Act {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes again and again, until the other side has had enough.
    Endless(Vec<u8>),
    /// Sends one byte at a time with this pause between.
    Drip(Vec<u8>, Duration),
    /// Does nothing for a while.
    Wait(Duration),
}

/// What a client asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// How many questions came before.
    pub(crate) number: usize,
    /// Path and query.
    pub(crate) target: String,
    /// The whole head, in lower case.
    pub(crate) head: String,
    /// When it was complete.
    pub(crate) at: Instant,
}

type Script = dyn Fn(&Asked) -> Vec<Act> + Send + Sync;

/// Listens on loopback until it is dropped.
pub(crate) struct HostileServer {
    url: Url,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    script: Box<Script>,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    busy: AtomicUsize,
    busiest: AtomicUsize,
}

impl HostileServer {
    /// Answers every question as `script` says.
    pub(crate) async fn start(script: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let state = Arc::new(State {
            script: Box::new(script),
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            busiest: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { url, state, task }
    }

    /// Answers every question with the same.
    pub(crate) async fn always(acts: Vec<Act>) -> Self {
        Self::start(move |_| acts.clone()).await
    }

    /// Its address, a number.
    pub(crate) fn url(&self) -> Url {
        self.url.clone()
    }

    pub(crate) fn port(&self) -> u16 {
        self.url.port().unwrap()
    }

    /// Every question so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The most questions that were being answered at once.
    pub(crate) fn busiest(&self) -> usize {
        self.state.busiest.load(Ordering::SeqCst)
    }
}

impl Drop for HostileServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let acts = {
        let mut all = state.asked.lock().unwrap();
        let asked = Asked {
            number: all.len(),
            target: head.split(' ').nth(1).unwrap_or_default().to_owned(),
            head: head.to_lowercase(),
            at: Instant::now(),
        };
        all.push(asked.clone());
        (state.script)(&asked)
    };
    let busy = state.busy.fetch_add(1, Ordering::SeqCst) + 1;
    state.busiest.fetch_max(busy, Ordering::SeqCst);
    let answer = act(&mut stream, acts).await;
    state.busy.fetch_sub(1, Ordering::SeqCst);
    answer
}

async fn act(stream: &mut TcpStream, acts: Vec<Act>) -> std::io::Result<()> {
    for act in acts {
        match act {
            Act::Send(bytes) => stream.write_all(&bytes).await?,
            Act::Endless(bytes) => loop {
                stream.write_all(&bytes).await?;
            },
            Act::Drip(bytes, pause) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(pause).await;
                }
            }
            Act::Wait(time) => tokio::time::sleep(time).await,
        }
    }
    stream.shutdown().await
}

/// Status line and headers; the body ends when the connection does.
pub(crate) fn head(status: u16, headers: &[(&str, &str)]) -> Act {
    let mut text = format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    Act::Send((text + "\r\n").into_bytes())
}

/// A whole answer with its length.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<Act> {
    let length = body.as_ref().len().to_string();
    let headers = [headers, &[("content-length", length.as_str())]].concat();
    vec![head(status, &headers), Act::Send(body.as_ref().to_vec())]
}

/// A whole answer of JSON.
pub(crate) fn json(status: u16, body: &str) -> Vec<Act> {
    reply(status, &[("content-type", "application/json; charset=utf-8")], body)
}

/// `bytes` packed, `times` over.
pub(crate) fn gzip(bytes: &[u8], times: usize) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..times {
        packer.write_all(bytes).unwrap();
    }
    packer.finish().unwrap()
}
