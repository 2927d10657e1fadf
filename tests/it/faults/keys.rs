//! Who vouches for a snapshot: the identity's own log, and nobody who can merely write into a place.

use std::fs::File;
use std::sync::Arc;

use skykeep_atproto::verify::RepoCheck;
use skykeep_atproto::{Curve, KeyHistory, SigningKey};
use skykeep_engine::to_problem;
use skykeep_tests::repo_maker::{Order, Repo};
use skykeep_vault::{Facts, FolderStore, IdentityKind, Origin, Vault, Writer, WriterKey};

use super::liar::Liar;
use super::{completes, kept, newest, reads_back};

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_only_its_writer_vouches_for_is_refused() {
    let host = Liar::start(40);
    let keep = kept(&host).await;
    let (engine, did) = (&keep.engine, host.did());
    let good = newest(engine, did).await;

    // Somebody who can write into the place puts a snapshot there: sound in itself, signed by a key of their own.
    let writer_key = WriterKey::generate().unwrap();
    let store = FolderStore::open(keep.place(), writer_key.id()).await.unwrap();
    let vault = Vault::open(Arc::new(store), None).await.unwrap();
    let key = SigningKey::from_bytes(Curve::K256, &[66; 32]).unwrap();
    let forged = Repo::new(did, &key, 3, 40);
    let path = keep.spare("forged.car");
    std::fs::write(&path, forged.car(Order::Pds, None)).unwrap();
    let history = KeyHistory::of_key(did.clone(), key.did_key());
    let mut files = vec![File::open(&path).unwrap()];
    let repo = Arc::new(RepoCheck::of(&history).run(&mut files).unwrap().repo.unwrap());
    let log = kept_log(&keep.place());
    for with_log in [true, false] {
        let mut writer = Writer::begin(&vault, did, &WriterKey::generate().unwrap())
            .await
            .unwrap();
        let sources = vec![File::open(&path).unwrap()];
        writer.put_base(&repo, &history, sources).await.unwrap();
        let bytes = if with_log { log.clone() } else { b"[]".to_vec() };
        writer.put_identity(IdentityKind::AuditLog, bytes).await.unwrap();
        let snapshot = writer.commit(facts()).await.unwrap();
        let id = snapshot.name.to_string();
        let error = engine.export(did, Some(&id), &keep.spare(&id)).await.unwrap_err();
        assert_eq!(to_problem(&error).code, "snapshot_broken", "{error}");
        let error = engine.compare(did, &good.id, &id).await.unwrap_err();
        assert_eq!(to_problem(&error).code, "snapshot_broken", "{error}");
    }
    // What is the account's goes on as before.
    reads_back(engine, did, &good).await;
    host.post(1);
    completes(engine, did).await;
    assert_eq!(newest(engine, did).await.records, host.records());
}

/// The audit log as it was kept.
fn kept_log(place: &std::path::Path) -> Vec<u8> {
    let files = super::of_kind(place, "identity");
    let mut logs = files.iter().map(|name| std::fs::read(place.join(name)).unwrap());
    logs.find(|bytes| bytes.starts_with(b"[")).unwrap()
}

fn facts() -> Facts {
    Facts {
        captured: jiff::Timestamp::now(),
        server_time: None,
        handle: None,
        host: "http://127.0.0.1".to_owned(),
        host_did: None,
        server_rev: None,
        audit_head: None,
        origin: Origin::Captured,
        missing: Vec::new(),
        pending: 0,
    }
}
