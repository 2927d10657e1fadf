//! Secure connections: with hosts that this computer trusts, and with no others.

use std::process::Command;
use std::sync::Arc;

use crate::{client, did, kind, never};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use skykeep_net::pds::Pds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Names the address for the second half of the test, which must run in a process of its own: what is trusted is read
/// from the environment when a program makes its first connection.
const TRUSTED: &str = "SKYKEEP_TEST_TRUSTED_HOST";

#[tokio::test(flavor = "multi_thread")]
async fn only_trusted_certificates_are_accepted() {
    if let Ok(url) = std::env::var(TRUSTED) {
        let pds = Pds::new(&client(), &url.parse().unwrap()).unwrap();
        assert_eq!(kind(pds.get_latest_commit(&did(), &never()).await), "Http(404)");
        return;
    }
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let url = serve(&made).await;
    let pds = Pds::new(&client(), &url.parse().unwrap()).unwrap();
    assert_eq!(
        kind(pds.get_latest_commit(&did(), &never()).await),
        "Unreachable(Certificate)"
    );

    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, made.cert.pem()).unwrap();
    let again = |url: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tls::only_trusted_certificates_are_accepted"])
            .env("SSL_CERT_FILE", &roots)
            .env_remove("SSL_CERT_DIR")
            .env(TRUSTED, url)
            .output()
            .unwrap()
    };
    let output = again(&url);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    // The certificate names localhost, and nothing else.
    let output = again(&url.replace("localhost", "127.0.0.1"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Unreachable(Certificate)"));
}

/// Answers everything with 404, over TLS.
async fn serve(made: &rcgen::CertifiedKey<rcgen::KeyPair>) -> String {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                    .await;
                let _ = stream.shutdown().await;
            }
        }
    });
    format!("https://localhost:{port}/")
}
