//! Real S3 servers, held in a hand: SeaweedFS, which can do nearly everything, and rclone, which can do very little.
//!
//! A server lives as long as the value: dropping it ends the server and removes what it kept, and if the test is killed
//! the closing pipe does the same. It listens on 127.0.0.1 alone, on ports that were free.

mod cluster;
mod running;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

pub use self::cluster::{Cluster, ClusterKind};

use self::running::Running;

/// What `tests/s3/setup.mjs` installs; its hash names the folder.
const WANTED: &[u8] = include_bytes!("../s3/requirements.txt");
/// How long a server may take to listen. SeaweedFS takes 3 s when the machine is quiet.
const BEGIN_LIMIT: Duration = Duration::from_secs(120);
/// SeaweedFS listens on each port and on the one this far above it.
const GRPC: u16 = 10_000;

/// The access key that may do everything.
pub const KEY: &str = "AKIDSKYKEEPTESTS";
/// Its secret.
pub const SECRET: &str = "wJalrXUtnFEMI-not-a-real-secret";
/// An access key that may list, read and write, and nothing that concerns the bucket itself: what an app should be
/// given. SeaweedFS alone knows it.
pub const APP_KEY: &str = "AKIDSKYKEEPAPP";
/// Its secret.
pub const APP_SECRET: &str = "cQyuWkjNEXAMPLE-not-a-real-secret";
/// An access key that may only list and read. SeaweedFS alone knows it.
pub const READER_KEY: &str = "AKIDSKYKEEPREADER";
/// Its secret.
pub const READER_SECRET: &str = "bPxRfiCYEXAMPLE-not-a-real-secret";
/// The bucket that every server begins with.
pub const BUCKET: &str = "skykeep";

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Honours conditions, keeps checksums, versions and locks.
    SeaweedFs,
    /// Ignores conditions and checksums; forgets unfinished uploads when it ends.
    Rclone,
}

impl Kind {
    /// Every server there is.
    pub const ALL: [Self; 2] = [Self::SeaweedFs, Self::Rclone];

    const fn program(self) -> &'static str {
        match self {
            Self::SeaweedFs => "weed",
            Self::Rclone => "rclone",
        }
    }
}

/// A running server. Ends when dropped.
#[derive(Debug)]
pub struct S3Server {
    kind: Kind,
    /// S3 first; the others are SeaweedFS's own.
    ports: [u16; 4],
    encrypted: bool,
    /// [`KEY`] is nobody's any more.
    key_ended: bool,
    running: Option<Running>,
    folder: tempfile::TempDir,
}

/// What a server shows who it is with, in PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate, and those that vouch for it.
    pub chain: String,
    /// Its private key.
    pub key: String,
}

impl S3Server {
    /// Starts a server with one empty bucket, [`BUCKET`], and waits until it listens.
    ///
    /// Errors: `NotFound` when `tests/s3/setup.mjs` has not been run; `TimedOut` with the end of what the server said.
    pub fn start(kind: Kind) -> io::Result<Self> {
        Self::begin(kind, None)
    }

    /// A SeaweedFS that speaks TLS alone, and takes a bucket's name in its path as well as in front of `localhost`.
    ///
    /// Errors: as [`S3Server::start`].
    pub fn start_encrypted(certificate: &Certificate) -> io::Result<Self> {
        Self::begin(Kind::SeaweedFs, Some(certificate))
    }

    fn begin(kind: Kind, certificate: Option<&Certificate>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("skykeep-s3-").tempdir()?;
        fs::create_dir(folder.path().join("data"))?;
        if let Some(Certificate { chain, key }) = certificate {
            fs::write(folder.path().join("chain.pem"), chain)?;
            fs::write(folder.path().join("key.pem"), key)?;
        }
        let mut server = Self {
            kind,
            ports: free_ports()?,
            encrypted: certificate.is_some(),
            key_ended: false,
            running: None,
            folder,
        };
        server.start_again()?;
        server.make_bucket(BUCKET)?;
        Ok(server)
    }

    /// One that all tests of this program share, as long as one of them uses it. Errors: as [`S3Server::start`].
    pub fn shared(kind: Kind) -> io::Result<Arc<Self>> {
        static SHARED: [Mutex<Weak<S3Server>>; 2] = [Mutex::new(Weak::new()), Mutex::new(Weak::new())];
        let mut shared = SHARED[kind as usize].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(Self::start(kind)?);
        *shared = Arc::downgrade(&server);
        Ok(server)
    }

    /// Which one it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its address.
    pub fn endpoint(&self) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port())
    }

    /// Its S3 port.
    pub const fn port(&self) -> u16 {
        self.ports[0]
    }

    /// Makes an empty bucket.
    pub fn make_bucket(&self, name: &str) -> io::Result<()> {
        match self.kind {
            Kind::Rclone => fs::create_dir_all(self.data().join(name)),
            Kind::SeaweedFs => until(&self.log(), || make_weed_bucket(self.ports[1], name)),
        }
    }

    /// Ends it as a power cut would (SIGKILL); what it had kept stays.
    pub fn kill(&mut self) -> io::Result<()> {
        self.running.take().map_or(Ok(()), Running::kill)
    }

    /// Where rclone keeps a file or folder of [`BUCKET`]: what is done to it there, the server has not done. `None` for
    /// SeaweedFS, which has files of its own kind.
    pub fn kept(&self, key: &str) -> Option<PathBuf> {
        (self.kind == Kind::Rclone).then(|| self.data().join(BUCKET).join(key))
    }

    /// What SeaweedFS's filer has in a folder, whoever may see it through S3. Errors: there is no such folder.
    pub fn filer_names(&self, folder: &str) -> io::Result<Vec<String>> {
        let answer = ask(
            self.ports[1],
            "GET",
            &format!("{folder}?pretty=n"),
            "Accept: application/json\r\n",
        )?;
        let names = answer.split("\"FullPath\"").skip(1);
        Ok(names
            .filter_map(|rest| rest.split('"').nth(1).map(str::to_owned))
            .collect())
    }

    /// Ends [`KEY`], as its owner does who fears that it was stolen. SeaweedFS alone. Errors: as [`S3Server::start`].
    pub fn end_key(&mut self) -> io::Result<()> {
        self.key_ended = true;
        self.kill()?;
        self.start_again()
    }

    /// Starts it again, with its old port and everything it kept, and waits until it listens.
    pub fn start_again(&mut self) -> io::Result<()> {
        let program = program(self.kind)?;
        let (arguments, log) = (self.arguments()?, self.log());
        self.running = Some(Running::start(&program, &arguments, self.folder.path(), &log)?);
        until(&log, || listens(self.port()))
    }

    fn arguments(&self) -> io::Result<Vec<String>> {
        let [s3, filer, master, volume] = self.ports;
        let words = match self.kind {
            Kind::Rclone => format!(
                "serve s3 --addr 127.0.0.1:{s3} --auth-key {KEY},{SECRET} --vfs-cache-mode off --config /dev/null data"
            ),
            Kind::SeaweedFs => {
                fs::write(self.folder.path().join("s3.json"), weed_identities(self.key_ended))?;
                let encrypted = match self.encrypted {
                    true => "-s3.cert.file=chain.pem -s3.key.file=key.pem -s3.domainName=localhost",
                    false => "",
                };
                format!(
                    "server -dir=data -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.port={master} -volume.port={volume} \
                     -filer -filer.port={filer} -s3 -s3.port={s3} -s3.port.iceberg=0 -s3.port.lance=0 \
                     -s3.config=s3.json -master.volumeSizeLimitMB=64 -volume.max=400 -master.telemetry=false {encrypted}"
                )
            }
        };
        Ok(words.split_whitespace().map(str::to_owned).collect())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

/// Tries until it works. Errors: `TimedOut`, with the end of what was said.
fn until(log: &Path, mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let began = Instant::now();
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) if began.elapsed() > BEGIN_LIMIT => {
                let text = format!("{error}; {}", log_end(log));
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn log_end(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let end: Vec<&str> = log.lines().rev().take(20).collect();
    format!("what was said, last line first: {}", end.join("\n"))
}

fn listens(port: u16) -> io::Result<()> {
    TcpStream::connect(("127.0.0.1", port)).map(drop)
}

/// Who may do what. Source: SeaweedFS, "Amazon S3 API", static configuration.
fn weed_identities(key_ended: bool) -> String {
    let identity = |name: &str, key: &str, secret: &str, actions: &str| {
        format!(
            r#"{{"name":"{name}","credentials":[{{"accessKey":"{key}","secretKey":"{secret}"}}],"actions":[{actions}]}}"#
        )
    };
    let admin = identity("admin", KEY, SECRET, r#""Admin","Read","Write","List","Tagging""#);
    let app = identity("app", APP_KEY, APP_SECRET, r#""Read","Write","List""#);
    let reader = identity("reader", READER_KEY, READER_SECRET, r#""Read","List""#);
    let known = match key_ended {
        true => vec![app, reader],
        false => vec![admin, app, reader],
    };
    format!(r#"{{"identities":[{}]}}"#, known.join(","))
}

/// A bucket is a folder of its filer.
fn make_weed_bucket(filer: u16, name: &str) -> io::Result<()> {
    ask(filer, "POST", &format!("/buckets/{name}/"), "").map(drop)
}

/// The rclone that was installed, to copy with. Errors: `NotFound` when `tests/s3/setup.mjs` has not been run.
pub fn rclone() -> io::Result<PathBuf> {
    program(Kind::Rclone)
}

/// An installed program. Errors: `NotFound`.
fn program(kind: Kind) -> io::Result<PathBuf> {
    let hash = Sha256::digest(WANTED);
    let name: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let program = cache().map(|cache| cache.join("s3-servers").join(name).join("bin"));
    let program = program
        .map(|folder| folder.join(kind.program()))
        .filter(|program| program.exists());
    program.ok_or_else(|| {
        let text = "the S3 servers are not installed; run: node tests/s3/setup.mjs";
        io::Error::new(io::ErrorKind::NotFound, text)
    })
}

/// Where Skykeep keeps what it installs for its tests.
fn cache() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|text| !text.is_empty())
        .map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    Some(cache.or_else(home)?.join("skykeep"))
}

/// Ports that are free now, with those above them that SeaweedFS takes too.
fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::new();
    for port in &mut ports {
        *port = loop {
            let candidate = TcpListener::bind(("127.0.0.1", 0))?;
            let number = candidate.local_addr()?.port();
            // Into a range whose upper partners exist, and out of the one that the system hands out by itself.
            let number = 10_000 + number % 10_000;
            let both = TcpListener::bind(("127.0.0.1", number))
                .and_then(|low| Ok((low, TcpListener::bind(("127.0.0.1", number + GRPC))?)));
            if let Ok(both) = both {
                held.push(both);
                break number;
            }
        };
    }
    Ok(ports)
}

/// Asks SeaweedFS's filer, and answers what it says. Errors: anything but success.
fn ask(port: u16, method: &str, path: &str, headers: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let end = "Content-Length: 0\r\nConnection: close\r\n\r\n";
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}{end}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.starts_with("HTTP/1.1 2") {
        true => Ok(answer),
        false => Err(io::Error::other(answer.lines().next().unwrap_or_default().to_owned())),
    }
}
