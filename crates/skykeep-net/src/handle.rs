//! From a handle to the DID that it points to; whether that points back is asked in [`crate::resolve`].
//!
//! 1. The TXT record `did=…` of `_atproto.<handle>` and the file `https://<handle>/.well-known/atproto-did` are asked
//!    for at the same time; when they differ, DNS wins. Exactly one such record counts, and the file's first line.
//! 2. When neither knows, the configured resolver is asked.
//! 3. "No such handle" is said only when both places of 1 were there to be asked and say so. When one of them could not
//!    be reached and nobody else knew, the handle is unreachable: the host may be dead, and the handle right.
//! 4. Reserved names are never asked for. `.test` names are, in test mode only, and when a resolver is configured, only
//!    from that.
//!
//! Source: AT Protocol "Handle", sections "Handle Resolution" and "Additional Non-Syntax Restrictions".

use std::pin::pin;

use serde::Deserialize;
use skykeep_atproto::{Did, Handle};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use url::Url;

use crate::config::Patience;
use crate::error::{Cause, Error};
use crate::question::{Kind, Question};
use crate::xrpc::{Client, until};

/// Largest file that may hold a DID, in bytes: a DID has at most 2 KiB.
const FILE: u64 = 2 * 1024;

/// What one of those who may know a handle said.
#[derive(Debug)]
enum Told {
    Did(Did),
    /// Was there, and does not know it.
    Nothing,
    /// Was not there.
    Unheard(Error),
}

/// The DID that the handle points to.
///
/// Errors: `HandleNotFound`, `HandleUnreachable` with what kept those who might know from answering, `Cancelled`.
pub(crate) async fn resolve(client: &Client, handle: &Handle, cancel: &CancellationToken) -> Result<Did, Error> {
    until(cancel, async {
        let told = ask(client, handle, cancel).await;
        debug!(%handle, ?told, "asked for a handle");
        match told {
            Told::Did(did) => Ok(did),
            Told::Unheard(error) => Err(Error::HandleUnreachable {
                handle: handle.clone(),
                source: Box::new(error),
            }),
            Told::Nothing => Err(Error::HandleNotFound { handle: handle.clone() }),
        }
    })
    .await
}

async fn ask(client: &Client, handle: &Handle, cancel: &CancellationToken) -> Told {
    // Many places are asked, so none gets the patience that a backup has.
    let client = &client.with_patience(Patience::interactive().no_longer_than(client.patience()));
    let for_tests = handle.as_str().ends_with(".test");
    if handle.is_disallowed() || (for_tests && !client.guard().loopback) {
        return Told::Nothing;
    }
    let resolver = client.config().handle_resolver.as_ref();
    if let (true, Some(base)) = (for_tests, resolver) {
        return by_resolver(client, base, handle, cancel).await;
    }
    let (mut dns, mut web) = (pin!(by_dns(client, handle)), pin!(by_web(client, handle, cancel)));
    let (dns, web) = tokio::select! {
        dns = &mut dns => match dns {
            Told::Did(_) => return dns,
            _ => (dns, web.await),
        },
        web = &mut web => (dns.await, web),
    };
    match (dns, web) {
        (Told::Did(did), _) | (_, Told::Did(did)) => Told::Did(did),
        (dns, web) => {
            let told = match resolver {
                Some(base) => by_resolver(client, base, handle, cancel).await,
                None => Told::Nothing,
            };
            match (told, web, dns) {
                (Told::Did(did), ..) => Told::Did(did),
                (_, Told::Unheard(error), _) | (_, _, Told::Unheard(error)) => Told::Unheard(error),
                _ => Told::Nothing,
            }
        }
    }
}

async fn by_dns(client: &Client, handle: &Handle) -> Told {
    let name = format!("_atproto.{handle}");
    if name.len() > 253 {
        return Told::Nothing;
    }
    match client.names().texts(&name).await {
        Ok(texts) => only_did(texts.unwrap_or_default().iter().map(String::as_str)),
        Err(cause) => Told::Unheard(Error::Unreachable {
            host: handle.to_string(),
            cause,
        }),
    }
}

/// The one record that begins with `did=`; several of them cancel each other out.
fn only_did<'a>(texts: impl Iterator<Item = &'a str>) -> Told {
    let mut dids = texts.filter_map(|text| text.strip_prefix("did="));
    match (dids.next().map(|text| text.trim().parse()), dids.next()) {
        (Some(Ok(did)), None) => Told::Did(did),
        _ => Told::Nothing,
    }
}

async fn by_web(client: &Client, handle: &Handle, cancel: &CancellationToken) -> Told {
    let Ok(url) = Url::parse(&format!("https://{handle}/.well-known/atproto-did")) else {
        return Told::Nothing;
    };
    match by_file(client, url, cancel).await {
        // The name itself may not exist: then its host is not down, there is none.
        Told::Unheard(Error::Unreachable { cause: Cause::Name, .. })
            if client.names().denies(handle.as_str()).await =>
        {
            Told::Nothing
        }
        told => told,
    }
}

async fn by_file(client: &Client, url: Url, cancel: &CancellationToken) -> Told {
    let question = Question {
        url,
        what: "handle file",
        kind: Kind::File,
        limit: FILE,
        redirects: 3,
        about: None,
    };
    match client.ask(&question, cancel).await {
        Ok(answer) => {
            let text = String::from_utf8_lossy(&answer.bytes);
            match text.lines().next().unwrap_or_default().trim().parse() {
                Ok(did) => Told::Did(did),
                Err(_) => Told::Nothing,
            }
        }
        Err(error) if error.is_transient() || matches!(error, Error::Unreachable { .. }) => Told::Unheard(error),
        // Some web page or other, or a refusal: the host is there, and this handle is not.
        Err(_) => Told::Nothing,
    }
}

async fn by_resolver(client: &Client, base: &Url, handle: &Handle, cancel: &CancellationToken) -> Told {
    #[derive(Deserialize)]
    struct Answer {
        did: Did,
    }
    let parameters = [("handle", handle.as_str())];
    let question = Question::xrpc(base, "com.atproto.identity.resolveHandle", &parameters, "handle", 4096);
    match client.ask_json::<Answer>(&question, cancel).await {
        Ok(answer) => Told::Did(answer.did),
        // HandleNotFound, or InvalidRequest "Unable to resolve handle".
        Err(Error::Xrpc { .. }) => Told::Nothing,
        Err(error) => Told::Unheard(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NetConfig;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// What is made of a host that answers the question for the handle's file with these bytes.
    async fn told(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/.well-known/atproto-did", listener.local_addr().unwrap());
        let serve = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        };
        let mut config = NetConfig {
            loopback_http: true,
            ..NetConfig::default()
        };
        config.patience.tries = 1;
        let (client, never) = (Client::new(config).unwrap(), CancellationToken::new());
        tokio::select! {
            told = by_file(&client, url.parse().unwrap(), &never) => format!("{told:?}"),
            () = serve => unreachable!("it serves for ever"),
        }
    }

    #[tokio::test]
    async fn the_first_line_of_the_file_names_the_account() {
        let check = async |answer, expected: &str| assert_eq!(told(answer).await, expected, "{answer}");
        let found = "Did(did:web:example.com)";
        check("HTTP/1.0 200 OK\r\n\r\ndid:web:example.com", found).await;
        check("HTTP/1.0 200 OK\r\n\r\n \tdid:web:example.com \r\nmore\n", found).await;
        let html = "HTTP/1.0 200 OK\r\ncontent-type: text/html\r\n\r\n";
        check(html.to_owned().leak(), "Nothing").await;
        check((html.to_owned() + "<html>did:web:example.com</html>").leak(), "Nothing").await;
        check((html.to_owned() + &" ".repeat(3000)).leak(), "Nothing").await;
        check("HTTP/1.0 404 Not Found\r\n\r\ndid:web:example.com", "Nothing").await;
        check("HTTP/1.0 302 Found\r\nlocation: https://10.0.0.1/\r\n\r\n", "Nothing").await;
        assert!(
            told("HTTP/1.0 502 Bad Gateway\r\n\r\n")
                .await
                .starts_with("Unheard(Http")
        );
        assert!(told("").await.starts_with("Unheard(Unreachable"));
    }

    #[test]
    fn only_one_record_counts() {
        let check = |texts: &[&str], found: bool| {
            let told = only_did(texts.iter().copied());
            assert_eq!(matches!(told, Told::Did(_)), found, "{texts:?}");
        };
        check(&["did=did:web:example.com"], true);
        check(&["did=did:web:example.com "], true);
        check(&["other", "did=did:web:example.com", "did:web:example.com"], true);
        check(&["did=did:web:example.com", "did=did:web:example.com"], false);
        check(&["did=did:web:example.com", "did="], false);
        check(&["DID=did:web:example.com"], false);
        check(&[], false);
    }
}
