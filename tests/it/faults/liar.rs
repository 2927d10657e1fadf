//! A host, a directory and a resolver in one, on loopback, that answers as it is told: honestly at first.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use skykeep_atproto::plc::{LogEntry, Operation, Service, State};
use skykeep_atproto::{Cid, Curve, Did, SigningKey, Tid};
use skykeep_tests::repo_maker::value::{map, text};
use skykeep_tests::repo_maker::{Blob, Operation as Write, Order, Repo};

/// What the host says instead of the truth.
#[derive(Debug, Clone, Default)]
pub(crate) enum Lie {
    /// Nothing: it is honest.
    #[default]
    None,
    /// This is the repository, this its commit and its rev.
    Repo { car: Vec<u8>, cid: Cid, rev: Tid },
    /// These are the blocks since then. Asked for everything, it is honest.
    Since(Vec<u8>),
    /// These are the bytes of every blob.
    Blobs(Vec<u8>),
}

/// What the host knows.
pub(crate) struct World {
    pub(crate) repo: Repo,
    pub(crate) lie: Lie,
    /// What its clock says, as a `Date` header.
    pub(crate) date: Option<&'static str>,
    did: Did,
    log: Vec<u8>,
    document: Value,
    media: HashMap<String, Blob>,
    posts: u64,
    /// Repositories and blobs that were asked for.
    pub(crate) repos_asked: usize,
    pub(crate) blobs_asked: usize,
}

/// A running host. Ends when dropped.
pub(crate) struct Liar {
    world: Arc<Mutex<World>>,
    did: Did,
    url: String,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The key of every account here.
pub(crate) fn key() -> SigningKey {
    SigningKey::from_bytes(Curve::K256, &[7; 32]).unwrap()
}

/// The seed of every repository here.
pub(crate) const SEED: u64 = 71;

impl Liar {
    /// A host of one account with so many records.
    pub(crate) fn start(records: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}");
        let (did, log, document) = identity(&url);
        let repo = Repo::new(&did, &key(), SEED, records);
        let media = repo.blobs().iter().map(|blob| (blob.cid.to_string(), *blob)).collect();
        let world = Arc::new(Mutex::new(World {
            repo,
            lie: Lie::None,
            date: None,
            did: did.clone(),
            log,
            document,
            media,
            posts: 0,
            repos_asked: 0,
            blobs_asked: 0,
        }));
        let over = Arc::new(AtomicBool::new(false));
        let (shared, ends) = (Arc::clone(&world), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let world = Arc::clone(&shared);
                // A client that hangs up is its own business.
                std::thread::spawn(move || serve(&stream, &world).ok());
            }
        });
        Self {
            world,
            did,
            url,
            over,
            thread: Some(thread),
        }
    }

    pub(crate) fn did(&self) -> &Did {
        &self.did
    }

    /// Its address: host, directory and resolver.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(crate) fn says(&self, lie: Lie) {
        self.world().lie = lie;
    }

    /// The account's owner writes so many posts.
    pub(crate) fn post(&self, count: u64) {
        let mut world = self.world();
        let writes: Vec<Write> = (0..count)
            .map(|_| {
                world.posts += 1;
                let rkey = Tid::new(1_770_000_000_000_000 + world.posts, 3);
                let post = map([
                    ("$type", text("app.bsky.feed.post")),
                    ("text", text(format!("Post {}", world.posts))),
                    ("createdAt", text("2026-01-01T00:00:00.000Z")),
                ]);
                Write::Put(format!("app.bsky.feed.post/{rkey}"), post.to_bytes())
            })
            .collect();
        world.repo.apply(&writes);
    }

    pub(crate) fn records(&self) -> u64 {
        self.world().repo.records().len() as u64
    }

    pub(crate) fn media(&self) -> u64 {
        self.world().media.len() as u64
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the loop.
        drop(TcpStream::connect(self.url.trim_start_matches("http://")));
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// An identity that lives at `url`: its DID, its audit log, its document.
fn identity(url: &str) -> (Did, Vec<u8>, Value) {
    let (rotation, key) = (SigningKey::from_bytes(Curve::P256, &[9; 32]).unwrap(), key().did_key());
    let service = Service {
        kind: "AtprotoPersonalDataServer".to_owned(),
        endpoint: url.to_owned(),
    };
    let state = State {
        rotation_keys: vec![rotation.did_key().to_string()],
        verification_methods: [("atproto".to_owned(), key.to_string())].into(),
        also_known_as: vec!["at://alice.test".to_owned()],
        services: [("atproto_pds".to_owned(), service)].into(),
    };
    let genesis = Operation::update(state, None).signed(&rotation);
    let did = genesis.genesis_did().unwrap();
    let entry = LogEntry::new(&did, &genesis, false, "2025-01-01T00:00:00Z".parse().unwrap());
    let document = json!({
        "id": did,
        "alsoKnownAs": ["at://alice.test"],
        "verificationMethod": [{
            "id": format!("{did}#atproto"), "type": "Multikey", "controller": did,
            "publicKeyMultibase": key.to_multibase(),
        }],
        "service": [{ "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": url }],
    });
    (did, serde_json::to_vec(&[entry]).unwrap(), document)
}

/// Answers one request.
fn serve(mut stream: &TcpStream, world: &Mutex<World>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let target = request.split(' ').nth(1).unwrap_or_default().replace("%3A", ":");
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (status, kind, body, date) = {
        let mut world = world.lock().unwrap();
        let (status, kind, body) = world.answer(path, query);
        (status, kind, body, world.date)
    };
    let date = date.map(|date| format!("Date: {date}\r\n")).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} .\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{date}Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

const CAR: &str = "application/vnd.ipld.car";
const JSON: &str = "application/json";

impl World {
    /// A lie made of the honest repository's own bytes.
    pub(crate) fn lie_of(&self, car: Vec<u8>) -> Lie {
        let (cid, rev) = (self.repo.root(), self.repo.rev());
        Lie::Repo { car, cid, rev }
    }

    /// The whole repository, as an honest host sends it.
    pub(crate) fn car(&self) -> Vec<u8> {
        self.repo.car(Order::Pds, None)
    }

    fn answer(&mut self, path: &str, query: &str) -> (u16, &'static str, Vec<u8>) {
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        let json = |value: &Value| (200, JSON, value.to_string().into_bytes());
        let refuse = |error: &str| {
            (
                400,
                JSON,
                json!({ "error": error, "message": error }).to_string().into_bytes(),
            )
        };
        let did = self.did.as_str();
        if path == format!("/{did}/log/audit") {
            return (200, JSON, self.log.clone());
        }
        if path == format!("/{did}") {
            return json(&self.document);
        }
        match path.trim_start_matches("/xrpc/") {
            "com.atproto.sync.getLatestCommit" => {
                let (cid, rev) = match &self.lie {
                    Lie::Repo { cid, rev, .. } => (*cid, *rev),
                    _ => (self.repo.root(), self.repo.rev()),
                };
                json(&json!({ "cid": cid.to_string(), "rev": rev.to_string() }))
            }
            "com.atproto.sync.getRepo" => {
                self.repos_asked += 1;
                let since = parameter("since").and_then(|rev| rev.parse().ok());
                let car = match (&self.lie, since) {
                    (Lie::Repo { car, .. }, _) => car.clone(),
                    (Lie::Since(car), Some(_)) => car.clone(),
                    (_, since) => self.repo.car(Order::Pds, since),
                };
                (200, CAR, car)
            }
            "com.atproto.sync.getBlob" => {
                self.blobs_asked += 1;
                let blob = parameter("cid").and_then(|cid| self.media.get(&cid));
                match (&self.lie, blob) {
                    (Lie::Blobs(bytes), _) => (200, "image/jpeg", bytes.clone()),
                    (_, Some(blob)) => (200, "image/jpeg", blob.bytes()),
                    (_, None) => refuse("BlobNotFound"),
                }
            }
            "com.atproto.sync.getRepoStatus" => json(&json!({ "did": did, "active": true })),
            "com.atproto.server.describeServer" => {
                json(&json!({ "did": "did:web:localhost", "availableUserDomains": [] }))
            }
            "com.atproto.identity.resolveHandle" => json(&json!({ "did": did })),
            "com.atproto.repo.getRecord" => refuse("RecordNotFound"),
            _ => (404, JSON, json!({ "error": "NotFound" }).to_string().into_bytes()),
        }
    }
}
