//! Writes a made-up repository to a file, for servers that import it.
//!
//!     make-repo --did DID --records N --out FILE [--key-file FILE] [--seed N] [--order tree|shuffled|pds] [--blobs DIR]
//!
//! The key file holds a private key as `goat` writes it, or 64 hexadecimal digits; without one the key follows from the
//! seed. `--blobs` fills a folder with the blobs that the records refer to, each named by its CID. One line of JSON says
//! what was made.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use skykeep_atproto::{Curve, Did, SigningKey};
use skykeep_tests::repo_maker::{Blob, Order, Repo, seeded::Seeded};

struct Wish {
    did: Did,
    records: usize,
    out: PathBuf,
    key_file: Option<PathBuf>,
    seed: u64,
    order: String,
    blobs: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let wish = wish()?;
    let key = match &wish.key_file {
        Some(file) => fs::read_to_string(file)?.trim().parse()?,
        None => SigningKey::from_bytes(Curve::K256, &Seeded::new(wish.seed).digest())?,
    };
    let order = match wish.order.as_str() {
        "tree" => Order::Tree,
        "shuffled" => Order::Shuffled(wish.seed),
        "pds" => Order::Pds,
        other => return Err(format!("no such order: {other}").into()),
    };
    let repo = Repo::new(&wish.did, &key, wish.seed, wish.records);
    let mut out = BufWriter::new(File::create(&wish.out)?);
    repo.write_car(order, None, &mut out)?;
    out.into_inner()?.sync_all()?;
    if let Some(folder) = &wish.blobs {
        fs::create_dir_all(folder)?;
        for blob in repo.blobs() {
            fs::write(folder.join(blob.cid.to_string()), blob.bytes())?;
        }
    }
    let line = format!(
        r#"{{"did":"{}","commit":"{}","rev":"{}","signing_key":"{}","records":{},"blocks":{},"blobs":{},"blob_type":"{}"}}"#,
        repo.did(),
        repo.root(),
        repo.rev(),
        key.did_key(),
        repo.records().len(),
        repo.layout().len(),
        repo.blobs().len(),
        Blob::MIME_TYPE,
    );
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}

fn wish() -> Result<Wish, Box<dyn Error>> {
    let (mut did, mut records, mut out) = (None, None, None);
    let (mut key_file, mut seed, mut order, mut blobs) = (None, 1, "tree".to_owned(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--did" => did = Some(value.parse()?),
            "--records" => records = Some(value.parse()?),
            "--out" => out = Some(value.into()),
            "--key-file" => key_file = Some(value.into()),
            "--seed" => seed = value.parse()?,
            "--order" => order = value,
            "--blobs" => blobs = Some(value.into()),
            _ => return Err(format!("no such option: {name}").into()),
        }
    }
    Ok(Wish {
        did: did.ok_or("--did is missing")?,
        records: records.ok_or("--records is missing")?,
        out: out.ok_or("--out is missing")?,
        key_file,
        seed,
        order,
        blobs,
    })
}
