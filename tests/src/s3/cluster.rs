//! Real clusters of storage servers: three nodes on loopback, each of which can be killed and started again.
//!
//! **Garage** keeps three copies and needs two nodes to read or write; its requests are sent to the first node.
//! **SeaweedFS** keeps two copies on three volume servers, behind one server that knows what is where.
//! Source: Garage, "Deployment on a cluster"; SeaweedFS, "Replication".

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::running::Running;
use super::{BUCKET, KEY, Kind, SECRET, cache, free_ports, log_end, make_weed_bucket, program, until, weed_identities};

/// The access key of Garage, which makes its own kind of keys.
const GARAGE_KEY: &str = "GK0123456789abcdef01234567";
const GARAGE_SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Which cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterKind {
    /// Needs its program, `garage`, on the path or in the cache folder of Skykeep's tools.
    Garage,
    /// As the single server.
    SeaweedFs,
}

impl ClusterKind {
    /// Every cluster there is.
    pub const ALL: [Self; 2] = [Self::Garage, Self::SeaweedFs];

    /// Whether its program is here.
    pub fn is_installed(self) -> bool {
        self.program().is_ok()
    }

    /// The region that its requests are signed for.
    pub const fn region(self) -> &'static str {
        match self {
            Self::Garage => "garage",
            Self::SeaweedFs => "us-east-1",
        }
    }

    /// The access key that may do everything, and its secret.
    pub const fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::Garage => (GARAGE_KEY, GARAGE_SECRET),
            Self::SeaweedFs => (KEY, SECRET),
        }
    }

    fn program(self) -> io::Result<PathBuf> {
        match self {
            Self::SeaweedFs => program(Kind::SeaweedFs),
            Self::Garage => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let tools = cache().map(|cache| cache.join("tools/bin"));
                let mut folders = std::env::split_paths(&path).chain(tools);
                let found = folders.find_map(|folder| Some(folder.join("garage")).filter(|file| file.is_file()));
                found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "garage is not installed"))
            }
        }
    }
}

/// A running cluster of three nodes with one empty bucket, [`BUCKET`]. Ends when dropped.
#[derive(Debug)]
pub struct Cluster {
    kind: ClusterKind,
    /// What knows the nodes of SeaweedFS, and speaks S3 for them. Never killed.
    front: Option<Running>,
    nodes: Vec<Node>,
    s3: u16,
    folder: tempfile::TempDir,
}

#[derive(Debug)]
struct Node {
    arguments: Vec<String>,
    /// Where it listens when it has begun.
    port: u16,
    running: Option<Running>,
}

impl Cluster {
    /// Starts three nodes and waits until they are one.
    ///
    /// Errors: `NotFound` when the program is not here; `TimedOut` with the end of what was said.
    pub fn start(kind: ClusterKind) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("skykeep-cluster-").tempdir()?;
        let mut cluster = Self {
            kind,
            front: None,
            nodes: Vec::new(),
            s3: 0,
            folder,
        };
        match kind {
            ClusterKind::Garage => cluster.start_garage()?,
            ClusterKind::SeaweedFs => cluster.start_seaweed()?,
        }
        Ok(cluster)
    }

    /// Its address, which stays when the second and third node are killed.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.s3)
    }

    /// Ends a node (0, 1 or 2) as a power cut would; what it had kept stays.
    pub fn kill(&mut self, node: usize) -> io::Result<()> {
        self.nodes[node].running.take().map_or(Ok(()), Running::kill)
    }

    /// Starts a node again, and waits until it listens.
    pub fn start_again(&mut self, node: usize) -> io::Result<()> {
        let program = self.kind.program()?;
        let (folder, log) = (self.folder.path(), self.folder.path().join("log"));
        let node = &mut self.nodes[node];
        node.running = Some(Running::start(&program, &node.arguments, folder, &log)?);
        until(&log, || super::listens(node.port))
    }

    fn start_seaweed(&mut self) -> io::Result<()> {
        let folder = self.folder.path().to_owned();
        let [s3, filer, master, ports @ ..] = free_ports::<6>()?;
        fs::create_dir(folder.join("front"))?;
        fs::write(folder.join("s3.json"), weed_identities(false))?;
        let front = format!(
            "server -dir=front -volume=false -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.port={master} \
             -master.defaultReplication=001 -filer -filer.port={filer} -filer.defaultReplicaPlacement=001 -s3 \
             -s3.port={s3} -s3.port.iceberg=0 -s3.port.lance=0 -s3.config=s3.json -master.volumeSizeLimitMB=64 \
             -master.telemetry=false"
        );
        let log = folder.join("log");
        self.s3 = s3;
        self.front = Some(Running::start(&self.kind.program()?, &words(&front), &folder, &log)?);
        for (n, port) in ports.into_iter().enumerate() {
            fs::create_dir(folder.join(format!("node-{n}")))?;
            let node = format!(
                "volume -dir=node-{n} -ip=127.0.0.1 -ip.bind=127.0.0.1 -port={port} -master=127.0.0.1:{master} \
                 -max=200"
            );
            self.add(&node, port)?;
        }
        until(&log, || super::listens(s3))?;
        until(&log, || make_weed_bucket(filer, BUCKET))
    }

    fn start_garage(&mut self) -> io::Result<()> {
        let folder = self.folder.path().to_owned();
        let log = folder.join("log");
        let ports = free_ports::<9>()?;
        for (n, ports) in ports.chunks(3).enumerate() {
            fs::write(folder.join(format!("{n}.toml")), garage_settings(&folder, n, ports))?;
            self.add(&format!("-c {n}.toml server"), ports[0])?;
        }
        self.s3 = ports[0];
        let mut ids = Vec::new();
        for n in 0..3 {
            let id = self.garage(n, "node id -q")?;
            ids.push(id.trim().to_owned());
        }
        for id in &ids[1..] {
            self.garage(0, &format!("node connect {id}"))?;
        }
        for (n, id) in ids.iter().enumerate() {
            let id = id.split('@').next().unwrap_or_default();
            // A node that has just been met may not be known to all yet.
            until(&log, || {
                self.garage(0, &format!("layout assign {id} -z zone-{n} -c 1G"))
                    .map(drop)
            })?;
        }
        self.garage(0, "layout apply --version 1")?;
        until(&log, || {
            self.garage(0, &format!("key import --yes -n tests {GARAGE_KEY} {GARAGE_SECRET}"))
                .map(drop)
        })?;
        self.garage(0, &format!("bucket create {BUCKET}"))?;
        self.garage(
            0,
            &format!("bucket allow --read --write --owner {BUCKET} --key {GARAGE_KEY}"),
        )
        .map(drop)
    }

    fn add(&mut self, arguments: &str, port: u16) -> io::Result<()> {
        self.nodes.push(Node {
            arguments: words(arguments),
            port,
            running: None,
        });
        self.start_again(self.nodes.len() - 1)
    }

    /// Says something to a node of Garage, and answers what it says.
    fn garage(&self, node: usize, arguments: &str) -> io::Result<String> {
        let mut command = Command::new(self.kind.program()?);
        command.args(["-c", &format!("{node}.toml")]).args(words(arguments));
        let output = command
            .current_dir(self.folder.path())
            .env("RUST_LOG", "warn")
            .output()?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(io::Error::other(format!(
                "garage {arguments}: {}; {}",
                String::from_utf8_lossy(&output.stderr),
                log_end(&self.folder.path().join("log"))
            ))),
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Source: Garage, "Configuration file format".
fn garage_settings(folder: &Path, node: usize, ports: &[u16]) -> String {
    let folder = folder.join(format!("node-{node}"));
    let (meta, data) = (folder.join("meta"), folder.join("data"));
    let (s3, rpc, admin) = (ports[0], ports[1], ports[2]);
    format!(
        r#"metadata_dir = {meta:?}
data_dir = {data:?}
db_engine = "lmdb"
replication_factor = 3
consistency_mode = "consistent"
rpc_bind_addr = "127.0.0.1:{rpc}"
rpc_public_addr = "127.0.0.1:{rpc}"
rpc_secret = "{GARAGE_SECRET}"

[s3_api]
s3_region = "garage"
api_bind_addr = "127.0.0.1:{s3}"
root_domain = ".s3.garage"

[admin]
api_bind_addr = "127.0.0.1:{admin}"
"#
    )
}
