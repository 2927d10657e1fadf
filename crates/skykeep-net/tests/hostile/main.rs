//! Strangers of every kind, and what this crate makes of them.

#![allow(clippy::unwrap_used)]

mod identity;
mod limits;
mod manners;
mod names;
mod pds;
mod server;
mod tls;

use std::time::Duration;

use skykeep_atproto::{Cid, Codec, Did};
use skykeep_net::pds::Pds;
use skykeep_net::{CancellationToken, Client, Error, NetConfig, Patience};

use server::HostileServer;

/// Long enough for a busy machine, and no test that succeeds waits for any of it.
fn patience() -> Patience {
    Patience {
        connect: Duration::from_secs(5),
        first_byte: Duration::from_secs(10),
        idle: Duration::from_secs(10),
        whole: Duration::from_secs(20),
        tries: 1,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(100),
    }
}

/// Loopback allowed, nobody outside asked.
fn config() -> NetConfig {
    NetConfig {
        plc_url: "http://127.0.0.1:1".parse().unwrap(),
        handle_resolver: None,
        appview_url: None,
        relay_url: "http://127.0.0.1:1".parse().unwrap(),
        // Nobody answers there, and nobody listens: a name that a test forgot goes nowhere.
        dns: Some("127.0.0.1:9".parse().unwrap()),
        loopback_http: true,
        patience: patience(),
    }
}

fn client() -> Client {
    Client::new(config()).unwrap()
}

fn client_with(change: impl FnOnce(&mut Patience)) -> Client {
    let mut patience = patience();
    change(&mut patience);
    client().with_patience(patience)
}

fn pds(client: &Client, server: &HostileServer) -> Pds {
    Pds::new(client, &server.url()).unwrap()
}

fn did() -> Did {
    "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap()
}

fn blob_cid() -> Cid {
    Cid::of(Codec::Raw, b"a picture")
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

/// An empty file that is gone when the test is.
fn file() -> tokio::fs::File {
    tokio::fs::File::from_std(tempfile::tempfile().unwrap())
}

/// All of a file, from its beginning.
async fn contents(file: &mut tokio::fs::File) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncSeekExt};
    let mut bytes = Vec::new();
    file.rewind().await.unwrap();
    file.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// The error's variant and nothing else: `TooLarge`, `Http(503)`, `Refused(PlainHttp)`.
fn kind<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Ok(value) => format!("Ok({value:?})"),
        Err(Error::Http { status, .. }) => format!("Http({status})"),
        Err(Error::Refused { reason, .. }) => format!("Refused({reason:?})"),
        // Of a handle it counts what kept the one who may know it.
        Err(Error::HandleUnreachable { source, .. }) => kind::<T>(Err(*source)),
        Err(Error::Unreachable { cause, .. }) => format!("Unreachable({cause:?})"),
        Err(Error::BadBody { reason, .. }) => format!("BadBody({reason})"),
        Err(Error::Xrpc { status, name, .. }) => format!("Xrpc({status} {name})"),
        Err(error) => {
            let text = format!("{error:?}");
            text.split([' ', '(']).next().unwrap_or_default().to_owned()
        }
    }
}
