//! A real server that speaks TLS and names buckets in its host name; what is wrong with certificates.

use std::path::Path;
use std::process::Command;

use skykeep_tests::s3::{BUCKET, Certificate, S3Server};
use skykeep_vault::{Addressing, Content, Error, S3Settings, S3Store, Store, Trouble};

use super::{bytes, keys, settings};
use crate::account::{scratch, writer_key};
use crate::store_contract::{keeps_the_contract, named, read};

/// A certificate for these names, signed by one that is its own, and when it ends.
fn certificate(names: &[&str], ends: (i32, u8, u8)) -> (Certificate, String) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority_made = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(ends.0, ends.1, ends.2);
    let key = rcgen::KeyPair::generate().unwrap();
    let made = params.signed_by(&key, &issuer).unwrap();
    let certificate = Certificate {
        chain: made.pem(),
        key: key.serialize_pem(),
    };
    (certificate, authority_made.pem())
}

fn hosted(server: &S3Server) -> S3Settings {
    S3Settings {
        endpoint: format!("https://localhost:{}", server.port()),
        addressing: Addressing::VirtualHost,
        ..settings("", "hosted")
    }
}

/// What the child process does: talks to the server with the certificates that its environment trusts.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is run by the tests that start servers"]
async fn child() {
    let Ok(port) = std::env::var("SKYKEEP_CHILD_PORT") else {
        return;
    };
    for addressing in [Addressing::VirtualHost, Addressing::Path] {
        let settings = S3Settings {
            addressing,
            ..settings(
                &format!("https://localhost:{port}"),
                &format!("{addressing:?}").to_lowercase(),
            )
        };
        let store = S3Store::new(&settings, &keys(), writer_key(1).id(), std::env::temp_dir()).unwrap();
        let found = store.examine().await;
        if let Err(Error::Server { trouble, .. }) = &found {
            println!("trouble {trouble:?}");
            continue;
        }
        assert!(found.unwrap().encrypted);
        keeps_the_contract(&store).await;
        let large = bytes(20_000_000, 45);
        store
            .put(named("large", &large), Content::bytes(large.clone()))
            .await
            .unwrap();
        assert!(read(&store, "large").await.unwrap() == large);
        println!("kept {addressing:?}");
    }
}

/// What a child says that trusts the certificates in this file, and no others.
fn child_that_trusts(file: &Path, server: &S3Server) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "s3::tls::child",
            "--ignored",
            "--test-threads",
            "1",
            "--nocapture",
        ])
        .env("SKYKEEP_CHILD_PORT", server.port().to_string())
        .env("SSL_CERT_FILE", file)
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_trusted_certificate_is_used_under_both_kinds_of_address() {
    let (certificate, authority) = certificate(&["localhost", &format!("{BUCKET}.localhost")], (2100, 1, 1));
    let server = S3Server::start_encrypted(&certificate).unwrap();
    let folder = scratch();
    let trusted = folder.path().join("authority.pem");
    std::fs::write(&trusted, authority).unwrap();
    let said = child_that_trusts(&trusted, &server);
    assert!(
        said.contains("kept VirtualHost") && said.contains("kept Path"),
        "{said}"
    );

    // Whoever does not know the authority is told that it is the certificate.
    let store = S3Store::new(&hosted(&server), &keys(), writer_key(1).id(), folder.path()).unwrap();
    let error = store.examine().await.unwrap_err();
    let expected = matches!(
        &error,
        Error::Server {
            trouble: Trouble::Certificate,
            ..
        }
    );
    assert!(expected && !error.is_transient(), "{error:?}");
    // Without TLS the same server is no S3 server.
    let plain = S3Store::new(
        &settings(&format!("http://localhost:{}", server.port()), ""),
        &keys(),
        writer_key(1).id(),
        folder.path(),
    );
    let error = plain.unwrap().examine().await.unwrap_err();
    assert!(
        matches!(
            &error,
            Error::Server {
                trouble: Trouble::NotS3,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_another_name_or_time_are_refused() {
    let folder = scratch();
    for (name, ends) in [("elsewhere.example", (2100, 1, 1)), ("localhost", (2021, 1, 1))] {
        let (certificate, authority) = certificate(&[name, &format!("{BUCKET}.{name}")], ends);
        let server = S3Server::start_encrypted(&certificate).unwrap();
        let trusted = folder.path().join(name);
        std::fs::write(&trusted, authority).unwrap();
        let said = child_that_trusts(&trusted, &server);
        assert_eq!(said.matches("trouble Certificate").count(), 2, "{name}: {said}");
    }
}
