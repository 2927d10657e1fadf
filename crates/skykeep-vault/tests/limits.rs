//! A file system that holds no large files, as FAT with its 4 GiB: a limit on this process stands in for it.

use std::path::Path;
use std::process::Command;

use skykeep_vault::{Content, Error, Store as _};

use crate::store_contract::{folder, named, read};

/// What the child may write into one file, in bytes.
const LIMIT: usize = 1 << 20;

#[tokio::test]
async fn a_file_that_the_file_system_cannot_hold_is_named_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let this = std::env::current_exe().unwrap();
    // The signal would end the child; without it the kernel says that the file is too large, as it does on FAT.
    let limited = Command::new("bash")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f $1; exec \"$2\" --exact limits::child --ignored",
            "bash",
        ])
        .arg((LIMIT / 1024).to_string())
        .arg(this)
        .env("SKYKEEP_CHILD_LIMITED", root.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stdout);
    assert!(limited.status.success() && said.contains("1 passed"), "{said}");
    assert!(root.path().join("a/small").is_file(), "the child did nothing: {said}");
}

#[tokio::test]
#[ignore = "is run by the test that limits it"]
async fn child() {
    let Some(root) = std::env::var_os("SKYKEEP_CHILD_LIMITED") else {
        return;
    };
    let store = folder(Path::new(&root)).await;
    let large = vec![7; LIMIT + 1];
    let refused = store.put(named("a/large", &large), Content::bytes(large.clone())).await;
    let Err(Error::FileTooLarge { size, .. }) = &refused else {
        panic!("{refused:?}");
    };
    assert!(*size <= LIMIT as u64, "{refused:?}");
    assert!(!refused.unwrap_err().is_transient(), "trying again would not help");
    let left: Vec<_> = std::fs::read_dir(Path::new(&root).join("a"))
        .into_iter()
        .flatten()
        .collect();
    assert!(left.is_empty(), "{left:?}");
    // What fits goes in as before.
    let small = vec![7; LIMIT];
    store
        .put(named("a/small", &small), Content::bytes(small.clone()))
        .await
        .unwrap();
    assert!(read(&store, "a/small").await.unwrap() == small);
}
