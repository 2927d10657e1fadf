//! A vault on this computer and its way to a place, one thing at a time, as a process of its own:
//!
//!     ours-deliver make VAULT PICTURES             an account with that many pictures, kept in an empty folder
//!     ours-deliver post VAULT PICTURES HOURS       the same account that many hours later, three posts in each
//!     ours-deliver to-folder VAULT FOLDER          all of it delivered to a folder
//!     ours-deliver to-bucket VAULT SERVER PREFIX   all of it delivered to a bucket
//!
//! What a delivery says in place of records is the number of files that it copied.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use skykeep_atproto::verify::{BlobUse, RepoCheck, VerifiedBlob};
use skykeep_atproto::{Cid, Codec, Curve, Did, KeyHistory, KeyPeriod, SigningKey, Tid};
use skykeep_benches::contestant::say;
use skykeep_tests::repo_maker::seeded::Seeded;
use skykeep_tests::repo_maker::value::{Value, map, text};
use skykeep_tests::repo_maker::{Operation, Order, Repo};
use skykeep_tests::s3;
use skykeep_vault::layout::AccountFolder;
use skykeep_vault::{
    Addressing, Facts, FolderStore, IdentityKind, Origin, Reach, S3Credentials, S3Settings, S3Store, Store, Vault,
    Writer, WriterKey,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Records beside those that show pictures.
const OTHERS: usize = 10_000;
/// Sizes of pictures, in bytes: what a host takes is at most a million.
const SMALLEST: usize = 20_000;
const SPREAD: usize = 560_000;
/// The first hour's posts, in microseconds since 1970.
const HOUR: u64 = 1_790_000_000_000_000;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", vault, pictures] => keep(vault, &Account::new(pictures.parse()?, 0)).await,
        ["post", vault, pictures, hours] => keep(vault, &Account::new(pictures.parse()?, hours.parse()?)).await,
        ["to-folder", vault, folder] => deliver(vault, FolderStore::open(Path::new(folder), key().id()).await?).await,
        ["to-bucket", vault, server, prefix] => deliver(vault, bucket(server, prefix)?).await,
        _ => Err(
            "ours-deliver make VAULT PICTURES | post VAULT PICTURES HOURS | to-folder VAULT FOLDER | \
                  to-bucket VAULT SERVER PREFIX"
                .into(),
        ),
    }
}

fn key() -> WriterKey {
    WriterKey::from_bytes(&[1; 32])
}

fn did() -> Did {
    "did:plc:bench222222222222222222g"
        .parse()
        .expect("24 letters are a did:plc")
}

fn bucket(server: &str, prefix: &str) -> Outcome<S3Store> {
    let settings = S3Settings {
        endpoint: server.to_owned(),
        bucket: s3::BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        prefix: prefix.to_owned(),
        addressing: Addressing::Path,
    };
    let keys = S3Credentials::new(s3::KEY, s3::SECRET);
    Ok(S3Store::new(&settings, &keys, key().id(), env::temp_dir())?)
}

/// As an hour does it: the place is opened, and gets what it lacks.
async fn deliver(from: &str, to: impl Store + 'static) -> Outcome<()> {
    let start = Instant::now();
    let now = Timestamp::now();
    let from = Vault::open(Arc::new(FolderStore::open(Path::new(from), key().id()).await?), None).await?;
    let to = Vault::create(Arc::new(to), &key(), now).await?;
    let account = AccountFolder::of(&did())?;
    let delivered = skykeep_vault::deliver(&[&from], &to, &account, &mut |_| ControlFlow::Continue(())).await?;
    match delivered.undelivered.first() {
        None => say(delivered.files, start.elapsed().as_secs_f64()),
        Some((name, error)) => Err(format!("{name}: {error}").into()),
    }
}

/// A made-up account with pictures of a size that people's have.
struct Account {
    repo: Repo,
    pictures: usize,
}

impl Account {
    fn new(pictures: usize, hours: u64) -> Self {
        let did = did();
        let key = SigningKey::from_bytes(Curve::K256, &[7; 32]).expect("a small number is a key");
        let made = Repo::new(&did, &key, 1, OTHERS);
        // Likes and follows: what refers to no pictures of its own.
        let plain = made.records().iter().filter_map(|(path, cid)| {
            let kept = path.starts_with("app.bsky.feed.like/") || path.starts_with("app.bsky.graph.follow/");
            kept.then(|| Some((path.clone(), made.block(cid)?.to_vec())))?
        });
        let shown = (0..pictures).map(|n| post(n as u64, Some(&picture(n))));
        let mut repo = Repo::of(&did, &key, plain.chain(shown));
        for hour in 0..hours {
            let posts: Vec<_> = (0..3)
                .map(|n| post(HOUR / 1_000_000 + 3 * hour + n, None))
                .map(|(path, bytes)| Operation::Put(path, bytes))
                .collect();
            repo.apply(&posts);
        }
        Self { repo, pictures }
    }

    fn history(&self) -> KeyHistory {
        let period = KeyPeriod {
            key: self.repo.key().did_key(),
            operation: None,
            from: None,
            until: None,
        };
        KeyHistory {
            did: self.repo.did().clone(),
            keys: vec![period],
            undone: Vec::new(),
        }
    }
}

/// Noise, as a picture is to whoever would press it smaller.
fn picture(number: usize) -> Vec<u8> {
    let mut seeded = Seeded::new(number as u64);
    let len = SMALLEST + seeded.index(SPREAD);
    seeded.bytes(len)
}

/// The `n`th post, a second after the one before.
fn post(n: u64, picture: Option<&[u8]>) -> (String, Vec<u8>) {
    let path = format!("app.bsky.feed.post/{}", Tid::new(n * 1_000_000, 5));
    let mut post = vec![
        ("$type".into(), text("app.bsky.feed.post")),
        ("text".into(), text(format!("What I saw on day {n}"))),
        ("createdAt".into(), text("2026-11-22T14:00:00.000Z")),
    ];
    if let Some(bytes) = picture {
        let blob = map([
            ("$type", text("blob")),
            ("ref", Value::Link(Cid::of(Codec::Raw, bytes))),
            ("mimeType", text("image/jpeg")),
            ("size", Value::Integer(bytes.len() as i128)),
        ]);
        let images = Value::List(vec![map([("alt", text("")), ("image", blob)])]);
        post.push((
            "embed".into(),
            map([("$type", text("app.bsky.embed.images")), ("images", images)]),
        ));
    }
    (path, Value::Map(post).to_bytes())
}

/// A run as an engine makes it, without a host.
async fn keep(folder: &str, account: &Account) -> Outcome<()> {
    let start = Instant::now();
    let now = Timestamp::now();
    fs::create_dir_all(folder)?;
    let store = FolderStore::open(Path::new(folder), key().id()).await?;
    let vault = Vault::create(Arc::new(store), &key(), now).await?;
    let reach = Reach::from(&vault);
    let mut writer = Writer::begin_within(&reach, account.repo.did(), &key()).await?;
    let scratch = tempfile::tempdir()?;
    let mut files = match writer.chain().filter(|_| writer.head().is_some()) {
        Some(contents) => reach.repo_files(writer.account(), contents, scratch.path()).await?,
        None => Vec::new(),
    };
    let fetched = scratch.path().join("fetched.car");
    fs::write(&fetched, account.repo.car(Order::Pds, None))?;
    files.push(File::open(fetched)?);
    let history = account.history();
    let mut check = RepoCheck::of(&history).root(account.repo.root());
    if let Some(head) = writer.head() {
        check = check.from(head);
    }
    let checked = check.run(&mut files)?;
    let repo = checked.repo.ok_or_else(|| format!("{:?}", checked.report.findings))?;
    let lacking = writer.lacks(repo.blobs());
    let records = checked.report.records;
    writer.put_repo(&Arc::new(repo), &history, files).await?;
    writer.put_identity(IdentityKind::AuditLog, b"[]".to_vec()).await?;
    let lacking: HashMap<Cid, &BlobUse> = lacking.iter().map(|blob| (blob.cid, blob)).collect();
    // Nothing is made that is kept already.
    for number in 0..account.pictures.min(lacking.len()) {
        let bytes = picture(number);
        let blob = lacking[&Cid::of(Codec::Raw, &bytes)];
        let verified = VerifiedBlob::copy(blob.cid, bytes.as_slice(), std::io::sink(), 1 << 20)?;
        writer.put_blob(blob, &verified, Cursor::new(bytes)).await?;
    }
    let facts = Facts {
        captured: now,
        server_time: None,
        handle: None,
        host: "http://localhost".to_owned(),
        host_did: None,
        server_rev: Some(account.repo.rev()),
        audit_head: None,
        origin: Origin::Captured,
        missing: Vec::new(),
        pending: 0,
    };
    writer.commit(facts).await?;
    say(records, start.elapsed().as_secs_f64())
}
