//! Clusters that lose nodes in the middle of a backup.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use skykeep_tests::s3::{Cluster, ClusterKind};
use skykeep_tests::skipped;
use skykeep_vault::{
    Content, Error, Progress, S3Credentials, S3Settings, S3Store, Store, Trouble, Vault, check, deliver,
};

use super::{bytes, settings};
use crate::account::{Account, folder_vault, now, on, read_back, scratch, writer_key};
use crate::store_contract::{keeps_the_contract, named, read};

fn place(cluster: &Cluster, kind: ClusterKind, prefix: &str) -> S3Store {
    let settings = S3Settings {
        region: kind.region().to_owned(),
        ..settings(&cluster.endpoint(), prefix)
    };
    let (key, secret) = kind.keys();
    let keys = S3Credentials::new(key, secret);
    S3Store::new(&settings, &keys, writer_key(1).id(), std::env::temp_dir()).unwrap()
}

/// It keeps the contract; then one node dies in the middle of a delivery, and another one; then both come back.
async fn loses_nodes_and_nothing_else(kind: ClusterKind) {
    let mut cluster = Cluster::start(kind).unwrap();
    let store = place(&cluster, kind, "family");
    keeps_the_contract(&place(&cluster, kind, "contract")).await;
    let found = store.examine().await.unwrap();
    let expected = (kind == ClusterKind::SeaweedFs, true, false, Some(0));
    assert_eq!(
        (found.conditions, found.checksums, found.versioning, found.locked_days),
        expected,
        "{kind:?}: {found:?}"
    );

    let folder = scratch();
    let staging = folder_vault(folder.path(), &writer_key(1)).await;
    let mut account = Account::new("alice", 44, 150);
    account.run(&staging, &writer_key(1), now()).await.unwrap();
    let vault = Vault::create(Arc::new(store.clone()), &writer_key(1), now())
        .await
        .unwrap();
    let large = bytes(20 << 20, 44);
    store
        .put(named("large/before", &large), Content::bytes(large.clone()))
        .await
        .unwrap();

    let mut killed_at = None;
    let mut watch = |progress: Progress| {
        if progress.files >= progress.of_files / 3 && progress.files > 0 && killed_at.is_none() {
            cluster.kill(2).unwrap();
            killed_at = Some(progress.files);
        }
        ControlFlow::Continue(())
    };
    let delivered = deliver(&[&staging], &vault, &account.folder(), &mut watch)
        .await
        .unwrap();
    assert!(
        killed_at.is_some_and(|files| files < delivered.files),
        "{kind:?}: {killed_at:?}"
    );
    store
        .put(named("large/after", &large), Content::bytes(large.clone()))
        .await
        .unwrap();
    // With one node gone, everything that was acknowledged before and after can be read.
    let snapshot = vault.snapshots(&account.folder()).await.unwrap().sound.pop().unwrap();
    assert!(read_back(&vault, &snapshot).await.unwrap() == account.car(), "{kind:?}");
    let report = check(&vault, &mut on).await.unwrap();
    assert!(report.is_sound() && report.files > 10, "{kind:?}: {report:?}");
    for name in ["large/before", "large/after"] {
        assert!(read(&store, name).await.unwrap() == large, "{kind:?} {name}");
    }

    // With two gone it cannot keep what it promises, and says so.
    cluster.kill(1).unwrap();
    let hurried = place(&cluster, kind, "family").waiting(Duration::from_secs(2));
    let put = hurried
        .put(named("large/two-down", b"1"), Content::bytes(&b"1"[..]))
        .await;
    let error = put.unwrap_err();
    assert!(error.is_of_place() && error.is_transient(), "{kind:?}: {error:?}");
    assert!(
        matches!(
            &error,
            Error::Server {
                trouble: Trouble::Busy | Trouble::Unreachable,
                ..
            }
        ),
        "{kind:?}: {error:?}"
    );

    // The next run needs nobody's help.
    cluster.start_again(1).unwrap();
    cluster.start_again(2).unwrap();
    account.post(1, 3);
    let snapshot = account
        .run(&staging, &writer_key(1), now())
        .await
        .unwrap()
        .pop()
        .unwrap();
    deliver(&[&staging], &vault, &account.folder(), &mut on).await.unwrap();
    assert!(read_back(&vault, &snapshot).await.unwrap() == account.car(), "{kind:?}");
    let report = check(&vault, &mut on).await.unwrap();
    assert!(report.is_sound(), "{kind:?}: {report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seaweedfs_cluster_loses_nodes_and_nothing_else() {
    loses_nodes_and_nothing_else(ClusterKind::SeaweedFs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_garage_cluster_loses_nodes_and_nothing_else() {
    if !ClusterKind::Garage.is_installed() {
        skipped(
            "a_garage_cluster_loses_nodes_and_nothing_else",
            "needs the program garage",
        );
        return;
    }
    loses_nodes_and_nothing_else(ClusterKind::Garage).await;
}
