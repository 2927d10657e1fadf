//! The section that needs an engine: a first backup from a real host, then hours with and without news.
//!
//! A reference PDS holds a generated account; relays before it, before the directory and before the resolver count what
//! goes over the wire. Pictures are left out: one request each, they would measure the host.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::json;
use skykeep_atproto::{Curve, Did, SigningKey, record};
use skykeep_benches::contestant::Said;
use skykeep_tests::network::{Account, Network, Session};
use skykeep_tests::repo_maker::{Order, Repo};

use crate::race::median;
use crate::relay::{Relay, Traffic, traffic};
use crate::table::{Goal, kibibytes, mebibytes, milliseconds, print};
use crate::{Bench, Outcome};

const POSTS: [&str; 3] = [
    "The first of this hour",
    "The second",
    "And a third, somewhat longer than the others",
];

/// What one run cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    seconds: f64,
    traffic: Traffic,
    /// Files that are new or other in staging and in the place.
    files: u64,
    /// Their bytes.
    written: u64,
    peak: u64,
    records: u64,
}

/// Prints all three: first backup, three new posts, nothing new.
pub(crate) fn keep(bench: &mut Bench) -> Outcome<()> {
    let quick = bench.sizes.len() < 3;
    let (records, rounds) = if quick { (10_000, 3) } else { (100_000, 5) };
    let runtime = tokio::runtime::Runtime::new()?;
    let stage = runtime.block_on(Stage::set(records))?;

    let (mut firsts, mut plain) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        plain.push(runtime.block_on(stage.download())?);
        firsts.push(stage.first(round)?);
    }
    let clock = &mut 0;
    let asked = runtime.block_on(stage.ask(9))?;
    let unchanged = (0..9).map(|_| stage.hour(clock)).collect::<Outcome<Vec<_>>>()?;
    let mut posts = Vec::new();
    for _ in 0..rounds {
        for text in POSTS {
            runtime.block_on(stage.session.post(text))?;
        }
        posts.push(stage.hour(clock)?);
    }
    let (first, plain) = (middle(&firsts), middle(&plain));
    let (unchanged, posts) = (middle(&unchanged), middle(&posts));
    check_records(&first, records as u64)?;
    check_records(&posts, records as u64 + (POSTS.len() * rounds) as u64)?;

    let row = |name: &str, cost: &Cost| {
        vec![
            name.to_owned(),
            cost.traffic.requests.to_string(),
            kibibytes(cost.traffic.received as f64),
            kibibytes(cost.traffic.sent as f64),
            format!("{:.1} ms", cost.seconds * 1e3),
            cost.files.to_string(),
            kibibytes(cost.written as f64),
            if cost.peak == 0 {
                String::new()
            } else {
                mebibytes(cost.peak as f64)
            },
        ]
    };
    print(
        &format!("Keep an account of {records} records (medians; catalogue included, without media)"),
        &[
            "what",
            "requests",
            "received",
            "sent",
            "time",
            "files written",
            "bytes written",
            "memory",
        ],
        &[
            row("the host alone: getRepo, read and dropped", &plain),
            row("first backup: received, proved, kept in staging and in a place", &first),
            row("an hour with three new posts", &posts),
            row("the host alone: getLatestCommit", &asked),
            row("an hour without news", &unchanged),
        ],
    );
    println!(
        "\nFirst backup / the host alone: {:.2} ({} of our own). Three posts / first backup: {:.3} of the time, {:.5} of \
         the bytes received. No news / getLatestCommit alone: {:.1}.",
        first.seconds / plain.seconds,
        milliseconds((first.seconds - plain.seconds).max(0.0)),
        posts.seconds / first.seconds,
        posts.traffic.received as f64 / first.traffic.received as f64,
        unchanged.seconds / asked.seconds,
    );
    let what = "files written by an hour without news";
    bench.goals.push(Goal::required(0.0, "", what, unchanged.files as f64));
    Ok(())
}

fn check_records(cost: &Cost, expected: u64) -> Outcome<()> {
    match cost.records == expected {
        true => Ok(()),
        false => Err(format!("{} records were kept, not {expected}", cost.records).into()),
    }
}

/// The median of every figure by itself; the worst of what was written, and the records of the last.
fn middle(costs: &[Cost]) -> Cost {
    let of = |figure: fn(&Cost) -> f64| median(&costs.iter().map(figure).collect::<Vec<_>>());
    Cost {
        seconds: of(|cost| cost.seconds),
        traffic: Traffic {
            requests: of(|cost| cost.traffic.requests as f64) as u64,
            received: of(|cost| cost.traffic.received as f64) as u64,
            sent: of(|cost| cost.traffic.sent as f64) as u64,
        },
        files: costs.iter().map(|cost| cost.files).max().unwrap_or(0),
        written: of(|cost| cost.written as f64) as u64,
        peak: of(|cost| cost.peak as f64) as u64,
        records: costs.last().map_or(0, |cost| cost.records),
    }
}

/// The network with its account.
struct Stage {
    /// The directory's, the resolver's and the host's.
    relays: [Relay; 3],
    account: Account,
    session: Session,
    client: reqwest::Client,
    programs: PathBuf,
    home: tempfile::TempDir,
    // Last: everything above speaks to it.
    _network: Network,
}

impl Stage {
    async fn set(records: usize) -> Outcome<Self> {
        eprintln!("starting the test network, and moving {records} records there");
        let network = Network::start().await?;
        let relays = [
            Relay::before(network.plc_url())?,
            Relay::before(network.resolver_url())?,
            Relay::before(network.a().url())?,
        ];
        let account = network.a().create_account("bench.test", None).await?;
        let session = network.a().sign_in(&account).await?;
        let did: Did = account.did.parse()?;
        // All but the post that makes the host sign.
        session.import_repo(without_pictures(&did, records - 1)).await?;
        session.post("Everything is here now.").await?;
        move_behind(&network, &account, &session, &relays[2].url).await?;
        let home = tempfile::tempdir()?;
        let passphrase = home.path().join("passphrase");
        fs::write(&passphrase, "for this bench only\n")?;
        owner_only(&passphrase)?;
        Ok(Self {
            relays,
            account,
            session,
            client: reqwest::Client::builder().no_proxy().build()?,
            programs: std::env::current_exe()?.with_file_name("ours-keep"),
            home,
            _network: network,
        })
    }

    /// A first backup into a new data folder and a new place.
    fn first(&self, round: usize) -> Outcome<Cost> {
        let folder = self.home.path().join(round.to_string());
        fs::create_dir(&folder)?;
        let place = folder.join("place");
        let data = folder.join("data");
        self.run(&folder, &["add", utf8(&data)?, utf8(&place)?, &self.account.handle])?;
        self.run(&folder, &["first", utf8(&data)?, &self.account.did])
    }

    /// The scheduled run of the next hour, in the first of the folders.
    fn hour(&self, clock: &mut u32) -> Outcome<Cost> {
        *clock += 1;
        let folder = self.home.path().join("0");
        let hours = (*clock).to_string();
        self.run(
            &folder,
            &["hour", utf8(&folder.join("data"))?, &self.account.did, &hours],
        )
    }

    fn run(&self, folder: &Path, words: &[&str]) -> Outcome<Cost> {
        let (before, files) = (traffic(&self.relays), files_below(folder)?);
        let output = Command::new(&self.programs)
            .args(words)
            .env("SKYKEEP_KEYSTORE", "file")
            .env("SKYKEEP_PASSPHRASE_FILE", self.home.path().join("passphrase"))
            .env("SKYKEEP_PLC_URL", &self.relays[0].url)
            .env("SKYKEEP_HANDLE_RESOLVER", &self.relays[1].url)
            .env("SKYKEEP_APPVIEW_URL", "")
            .env("SKYKEEP_LOOPBACK_HTTP", "1")
            .output()?;
        if !output.status.success() {
            return Err(format!("{words:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let said: Said = String::from_utf8_lossy(&output.stdout).parse()?;
        let after = files_below(folder)?;
        let new = after.iter().filter(|(path, facts)| files.get(*path) != Some(facts));
        let (count, written) = new.fold((0, 0), |(count, bytes), (_, facts)| (count + 1, bytes + facts.0));
        Ok(Cost {
            seconds: said.seconds,
            traffic: traffic(&self.relays).since(before),
            files: count,
            written,
            peak: said.peak,
            records: said.records,
        })
    }

    /// Receives the repository as any client would, and keeps nothing.
    async fn download(&self) -> Outcome<Cost> {
        self.get("com.atproto.sync.getRepo").await
    }

    /// Asks for the latest commit that many times.
    async fn ask(&self, times: usize) -> Outcome<Cost> {
        let mut costs = Vec::new();
        for _ in 0..times {
            costs.push(self.get("com.atproto.sync.getLatestCommit").await?);
        }
        Ok(middle(&costs))
    }

    async fn get(&self, method: &str) -> Outcome<Cost> {
        let before = traffic(&self.relays);
        let start = Instant::now();
        let url = format!("{}/xrpc/{method}?did={}", self.relays[2].url, self.account.did);
        let mut answer = self.client.get(url).send().await?.error_for_status()?;
        while answer.chunk().await?.is_some() {}
        Ok(Cost {
            seconds: start.elapsed().as_secs_f64(),
            traffic: traffic(&self.relays).since(before),
            ..Cost::default()
        })
    }
}

/// A generated account whose records name no pictures.
fn without_pictures(did: &Did, records: usize) -> Vec<u8> {
    let key = SigningKey::from_bytes(Curve::K256, &[7; 32]).expect("a small number is a key");
    // About one in seven has pictures.
    let made = Repo::new(did, &key, 1, records + records / 3 + 10);
    let plain = made.records().iter().filter_map(|(path, cid)| {
        let bytes = made.block(cid)?;
        let mut pictures = 0;
        record::check(bytes, &mut |_| pictures += 1).ok()?;
        (pictures == 0).then(|| (path.clone(), bytes.to_vec()))
    });
    Repo::of(did, &key, plain.take(records)).car(Order::Pds, None)
}

/// Lets the directory name the relay as the account's host.
async fn move_behind(network: &Network, account: &Account, session: &Session, url: &str) -> Outcome<()> {
    session
        .procedure(
            "com.atproto.identity.requestPlcOperationSignature",
            &serde_json::Value::Null,
        )
        .await?;
    let mail = network.mail(&account.email).await?;
    let token = mail
        .last()
        .and_then(|mail| mail.token.clone())
        .ok_or("no mail with a token")?;
    let services = json!({ "atproto_pds": { "type": "AtprotoPersonalDataServer", "endpoint": url } });
    let body = json!({ "token": token, "services": services });
    let signed = session
        .procedure("com.atproto.identity.signPlcOperation", &body)
        .await?;
    network.submit_operation(&account.did, &signed["operation"]).await?;
    Ok(())
}

/// Size and time of change of every file that is kept: staging and places, without the catalogue.
fn files_below(folder: &Path) -> Outcome<BTreeMap<PathBuf, (u64, std::time::SystemTime)>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.join("place"), folder.join("data/staging")];
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries {
            let entry = entry?;
            let facts = entry.metadata()?;
            if facts.is_dir() {
                folders.push(entry.path());
            } else {
                files.insert(entry.path(), (facts.len(), facts.modified()?));
            }
        }
    }
    Ok(files)
}

fn owner_only(file: &Path) -> Outcome<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o600))?)
}

fn utf8(path: &Path) -> Outcome<&str> {
    path.to_str().ok_or_else(|| "a path that is not text".into())
}
