//! A thief with the app's own key: what a bucket that keeps and locks versions still has, and how it is read.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpRequest};
use skykeep_tests::s3::{APP_KEY, APP_SECRET, KEY, Kind, S3Server, SECRET};
use skykeep_vault::layout::StorePath;
use skykeep_vault::{
    Content, Depth, Error, S3Credentials, S3Past, S3Settings, S3Store, Store, Trouble, Vault, check, deliver,
};

use super::stand_in::StandIn;
use super::{bytes, server, settings};
use crate::account::{Account, folder_vault, now, on, read_back, scratch, writer_key};
use crate::store_contract::{keeps_the_contract, named, path};

/// Somebody with keys who asks a server directly, without Skykeep.
struct Somebody {
    endpoint: String,
    keys: AwsCredential,
    client: HttpClient,
}

impl Somebody {
    fn with(server: &S3Server, key: &str, secret: &str) -> Self {
        // Whoever makes a client first chooses for all; a store chooses the same.
        rustls::crypto::ring::default_provider().install_default().ok();
        Self {
            endpoint: server.endpoint(),
            keys: AwsCredential {
                key_id: key.to_owned(),
                secret_key: secret.to_owned(),
                token: None,
            },
            client: HttpClient::new(reqwest::Client::new()),
        }
    }

    /// Signs and asks. The status and the body of the answer.
    async fn ask(&self, method: &str, place: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let uri = format!("{}/{place}", self.endpoint);
        let mut builder = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let mut request: HttpRequest = builder.body(body.to_owned().into()).unwrap();
        let signer = AwsAuthorizer::new(&self.keys, "s3", "us-east-1");
        signer.try_authorize(&mut request, None).unwrap();
        let response = self.client.execute(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().bytes().await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    async fn must(&self, method: &str, place: &str, headers: &[(&str, &str)], body: &str) -> String {
        let (status, said) = self.ask(method, place, headers, body).await;
        assert!((200..300).contains(&status), "{method} {place}: {status} {said}");
        said
    }

    /// The names and versions below a prefix, also those that mark something as deleted.
    async fn versions(&self, bucket: &str, prefix: &str) -> Vec<(String, String)> {
        let said = self
            .must("GET", &format!("{bucket}?prefix={prefix}%2F&versions="), &[], "")
            .await;
        let between = |text: &str, tag: &str| {
            let rest = text.split_once(&format!("<{tag}>")).unwrap().1;
            rest.split_once('<').unwrap().0.to_owned()
        };
        assert!(!said.contains("<IsTruncated>true"), "one page is enough");
        let entries = said.split("<Key>").skip(1);
        entries
            .map(|entry| (entry.split('<').next().unwrap().to_owned(), between(entry, "VersionId")))
            .collect()
    }
}

/// The bucket's owner, who has other keys than the app.
fn owner(server: &S3Server) -> Somebody {
    Somebody::with(server, KEY, SECRET)
}

/// Makes a bucket whose versions are locked for a day.
async fn lock_up(server: &S3Server, bucket: &str) {
    let owner = owner(server);
    let lock = [("x-amz-bucket-object-lock-enabled", "true")];
    owner.must("PUT", bucket, &lock, "").await;
    let rule = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                <Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    owner.must("PUT", &format!("{bucket}?object-lock="), &[], rule).await;
}

/// Makes a bucket that keeps versions, and locks none.
async fn keep_versions(server: &S3Server, bucket: &str) {
    let owner = owner(server);
    owner.must("PUT", bucket, &[], "").await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    owner.must("PUT", &format!("{bucket}?versioning="), &[], enabled).await;
}

fn place(server: &S3Server, bucket: &str, prefix: &str, keys: &S3Credentials) -> S3Store {
    let settings = S3Settings {
        bucket: bucket.to_owned(),
        ..settings(&server.endpoint(), prefix)
    };
    S3Store::new(&settings, keys, writer_key(1).id(), std::env::temp_dir()).unwrap()
}

fn app() -> S3Credentials {
    S3Credentials::new(APP_KEY, APP_SECRET)
}

/// A moment after everything that was written and before everything that will be: versions carry whole seconds.
async fn moment() -> Timestamp {
    let at = Timestamp::now();
    while Timestamp::now().as_second() == at.as_second() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    at
}

async fn all_of(store: &impl Store) -> Vec<(StorePath, Vec<u8>)> {
    let mut all = Vec::new();
    for (path, _) in store.list(&StorePath::root(), Depth::All).await.unwrap().files {
        let content = store.get(&path).await.unwrap().unwrap();
        let name = path.to_string();
        let read = tokio::task::spawn_blocking(move || content.into_bytes(&name, 1 << 30));
        all.push((path, read.await.unwrap().unwrap()));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_with_the_app_s_key_destroys_nothing_that_is_locked() {
    let server = server(Kind::SeaweedFs);
    lock_up(&server, "locked").await;
    let store = place(&server, "locked", "family", &app());
    let vault = Vault::create(Arc::new(store.clone()), &writer_key(1), now())
        .await
        .unwrap();
    let mut account = Account::new("alice", 43, 120);
    account.run(&vault, &writer_key(1), now()).await.unwrap();
    account.post(1, 3);
    let snapshot = account.run(&vault, &writer_key(1), now()).await.unwrap().pop().unwrap();
    // One that went up in parts, too.
    let large = bytes(9 << 20, 43);
    store
        .put(named("large/one", &large), Content::bytes(large))
        .await
        .unwrap();
    let acknowledged = all_of(&store).await;
    assert!(acknowledged.len() > 10);
    let at = moment().await;

    let thief = Somebody::with(&server, APP_KEY, APP_SECRET);
    for (path, _) in &acknowledged {
        let object = format!("locked/family/{path}");
        thief.must("PUT", &object, &[], "pay me").await;
        thief.must("DELETE", &object, &[], "").await;
    }
    let mut refused = 0;
    for (key, version) in thief.versions("locked", "family").await {
        let place = format!("locked/{key}?versionId={version}");
        for headers in [&[][..], &[("x-amz-bypass-governance-retention", "true")]] {
            let (status, _) = thief.ask("DELETE", &place, headers, "").await;
            refused += usize::from(status == 403);
        }
    }
    assert!(refused >= 2 * acknowledged.len(), "refused {refused} times");
    let off = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let no_rule = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
    for (method, place, body) in [
        ("PUT", "locked?versioning=", off),
        ("PUT", "locked?object-lock=", no_rule),
        ("DELETE", "locked", ""),
    ] {
        let (status, said) = thief.ask(method, place, &[], body).await;
        assert!((400..500).contains(&status), "{method} {place}: {status} {said}");
    }

    // Nothing can be seen any more of what was there.
    for (path, bytes) in all_of(&store).await {
        assert!(acknowledged.iter().all(|known| *known != (path.clone(), bytes.clone())));
    }
    let spoilt = Vault::open(Arc::new(store.clone()), None).await;
    if let Ok(spoilt) = spoilt {
        assert!(spoilt.snapshots(&account.folder()).await.unwrap().sound.is_empty());
    }

    // And all of it is there as it was.
    let past = store.as_it_was(at);
    assert!(all_of(&past).await == acknowledged);
    let then = Vault::open(Arc::new(past), Some(vault.id())).await.unwrap();
    let report = check(&then, &mut on).await.unwrap();
    assert!(report.is_sound() && report.files > 10, "{report:?}");
    assert!(read_back(&then, &snapshot).await.unwrap() == account.car());
    let folder = scratch();
    let elsewhere = folder_vault(folder.path(), &writer_key(1)).await;
    deliver(&[&then], &elsewhere, &account.folder(), &mut on).await.unwrap();
    assert!(check(&elsewhere, &mut on).await.unwrap().is_sound());
    assert!(read_back(&elsewhere, &snapshot).await.unwrap() == account.car());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_locks_what_it_has_keeps_the_contract() {
    let server = server(Kind::SeaweedFs);
    lock_up(&server, "locked-contract").await;
    keeps_the_contract(&place(&server, "locked-contract", "contract", &app())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_listed_read_and_never_written() {
    let server = server(Kind::SeaweedFs);
    keep_versions(&server, "versions").await;
    let store = place(&server, "versions", "past", &app());
    let before = moment().await;
    for (name, content) in [("a/one", "1"), ("a/b/two", "22"), ("top", "333")] {
        let bytes = content.as_bytes();
        store
            .put(named(name, bytes), Content::bytes(bytes.to_vec()))
            .await
            .unwrap();
    }
    let then = moment().await;
    store.set_aside(&path("a/one"), &path("aside/one")).await.unwrap();
    store
        .put(named("a/later", b"4"), Content::bytes(&b"4"[..]))
        .await
        .unwrap();
    let check = async |past: &S3Past, folder: &StorePath, depth: Depth, files: &[&str], folders: &[&str]| {
        let listing = past.list(folder, depth).await.unwrap();
        let names: Vec<&str> = listing.files.iter().map(|(path, _)| path.as_str()).collect();
        let below: Vec<&str> = listing.folders.iter().map(StorePath::as_str).collect();
        assert_eq!(
            (names.as_slice(), below.as_slice()),
            (files, folders),
            "{past:?} {folder}"
        );
    };
    let (root, past) = (StorePath::root(), store.as_it_was(then));
    assert!(past.keeps_versions().await.unwrap());
    check(&past, &root, Depth::All, &["a/b/two", "a/one", "top"], &[]).await;
    check(&past, &root, Depth::Here, &["top"], &["a"]).await;
    check(&past, &path("a"), Depth::Here, &["a/one"], &["a/b"]).await;
    check(&store.as_it_was(before), &root, Depth::All, &[], &[]).await;
    let now = store.as_it_was(moment().await);
    check(
        &now,
        &root,
        Depth::All,
        &["a/b/two", "a/later", "aside/one", "top"],
        &[],
    )
    .await;
    assert!(past.get(&path("a/later")).await.unwrap().is_none());
    past.confirm(&path("a/one")).await.unwrap();
    let absent = past.confirm(&path("a/later")).await;
    assert!(matches!(absent, Err(Error::Absent { .. })), "{absent:?}");
    let put = past.put(named("a/new", b"5"), Content::bytes(&b"5"[..])).await;
    assert!(matches!(put, Err(Error::ReadOnly)), "{put:?}");
    let aside = past.set_aside(&path("a/one"), &path("aside/two")).await;
    assert!(matches!(aside, Err(Error::ReadOnly)), "{aside:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_versions_does_not_look_like_an_empty_past() {
    for kind in Kind::ALL {
        let server = server(kind);
        let store = super::store(&server, "no-past");
        store
            .put(named("a/one", b"1"), Content::bytes(&b"1"[..]))
            .await
            .unwrap();
        let past = store.as_it_was(moment().await);
        match past.list(&StorePath::root(), Depth::All).await {
            Err(Error::Server { trouble, .. }) => {
                assert!(
                    matches!(trouble, Trouble::Refused { .. } | Trouble::NotS3),
                    "{trouble:?}"
                );
            }
            // Or it tells of what is there now, and that there is nothing else.
            listing => {
                assert_eq!(listing.unwrap().files, [(path("a/one"), 1)]);
                assert!(!past.keeps_versions().await.unwrap(), "{kind:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bucket_keeps_and_locks_is_found_out_and_left_clean() {
    let server = server(Kind::SeaweedFs);
    keep_versions(&server, "can-version").await;
    lock_up(&server, "can-lock").await;
    let check = async |bucket: &str, keys: S3Credentials, versioning, locked_days, deletes| {
        let store = place(&server, bucket, "can", &keys);
        let found = store.examine().await.unwrap();
        assert_eq!(
            (found.versioning, found.locked_days, found.deletes),
            (versioning, locked_days, deletes),
            "{bucket}: {found:?}"
        );
        assert!(found.conditions && found.checksums, "{bucket}: {found:?}");
        store.probe().await.unwrap();
        let listing = store.list(&StorePath::root(), Depth::All).await.unwrap();
        assert!(listing.files.is_empty() && listing.foreign.is_empty(), "{listing:?}");
    };
    let all = || S3Credentials::new(KEY, SECRET);
    check("can-version", all(), true, Some(0), true).await;
    check("can-version", app(), true, Some(0), true).await;
    assert_eq!(owner(&server).versions("can-version", "can").await, []);
    // The app may not ask for the bucket's rule: what was written tells.
    check("can-lock", app(), true, Some(1), false).await;
    check("can-lock", all(), true, Some(1), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_only_counts_versions_keeps_none() {
    for kind in Kind::ALL {
        let server = server(kind);
        let counts = StandIn::that_only_counts_versions(server.port());
        let found = super::at(&counts.endpoint(), "counted").examine().await.unwrap();
        assert_eq!(
            (found.versioning, found.locked_days, found.deletes),
            (false, Some(0), true),
            "{kind:?}: {found:?}"
        );
    }
}
