//! Manifests, lists and folders that somebody made to do harm: every one ends in a typed error.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use skykeep_atproto::{Curve, SigningKey};
use skykeep_vault::layout::{AccountFile, AccountFolder, Checksum, SnapshotName};
use skykeep_vault::{Content, Error, Fault, Finding, List, ListRef, Manifest, Role, Snapshot, Vault, Writer, check};

use crate::account::{Account, folder_vault, now, on, scratch, writer_key};

struct Case {
    root: tempfile::TempDir,
    vault: Vault,
    account: AccountFolder,
    snapshot: Snapshot,
}

async fn case() -> Case {
    let root = scratch();
    let key = writer_key(1);
    let vault = folder_vault(root.path(), &key).await;
    let account = Account::new("alice", 61, 12);
    let snapshot = account.run(&vault, &key, now()).await.unwrap().pop().unwrap();
    Case {
        root,
        vault,
        account: account.folder(),
        snapshot,
    }
}

impl Case {
    fn folder(&self) -> std::path::PathBuf {
        self.root.path().join(self.account.path().as_str())
    }

    /// Puts a list of these lines where its hash says, and answers how a manifest would name it.
    fn list(&self, text: &str) -> ListRef {
        let sum = Checksum::of(text.as_bytes());
        let name = AccountFile::List {
            hash: sum.name(),
            sealed: false,
        };
        fs::write(self.folder().join(name.to_string()), text).unwrap();
        ListRef {
            role: Role::Objects,
            name,
            size: text.len() as u64,
            sum,
        }
    }

    /// A snapshot, properly signed, whose objects are in `list`.
    fn naming(&self, list: ListRef) -> Snapshot {
        let mut snapshot = self.snapshot.clone();
        snapshot.manifest.lists = vec![list];
        snapshot
    }
}

fn header(parent: Value, count: u64) -> String {
    let header =
        json!({"skykeep": "list", "format": 1, "requires": [], "role": "objects", "parent": parent, "count": count});
    format!("{header}\n")
}

fn object(kind: &str, name: &str) -> String {
    let sum = Checksum::of(b"x");
    let cid = "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm";
    let row = json!({
        "kind": kind, "name": name, "size": 1, "sha256": sum, "to": cid, "rev": "3jzfcijpj2z2a", "from": cid,
        "what": "audit_log", "cid": cid, "mime": "", "record": ""});
    format!("{row}\n")
}

#[tokio::test]
async fn lists_that_are_not_lists() {
    let case = case().await;
    let hash = Checksum::of(b"x").name();
    let repo = format!("repo/{hash}.car");
    let (one, base) = (header(Value::Null, 1), object("base", &repo));
    let long = format!("{}{}\n", header(Value::Null, 1), "[".repeat(70_000));
    let deep = format!(
        "{}{}{}\n",
        header(Value::Null, 1),
        "[".repeat(30_000),
        "]".repeat(30_000)
    );
    let cases: Vec<(&str, String)> = vec![
        ("empty", String::new()),
        ("no line", "\n".into()),
        ("no JSON", "hello\n".into()),
        ("no header", base.clone()),
        ("too few lines", header(Value::Null, 2) + &base),
        ("too many lines", header(Value::Null, 0) + &base),
        ("no last line feed", (one.clone() + &base).trim_end().to_owned()),
        ("announces too much", header(Value::Null, u64::MAX)),
        ("long line", long),
        ("deep line", deep),
        ("leads out", one.clone() + &object("base", "../../../../etc/passwd")),
        ("absolute", one.clone() + &object("base", "/etc/passwd")),
        ("backslashes", one.clone() + &object("base", "..\\..\\x")),
        (
            "another account",
            one.clone() + &object("base", &format!("../did_plc_x/repo/{hash}.car")),
        ),
        (
            "another folder",
            one.clone() + &object("base", &format!("identity/{hash}.json")),
        ),
        (
            "a manifest",
            one.clone() + &object("base", &format!("snapshots/20261122t140000z.aaaaaaaa.1.{hash}.json")),
        ),
        (
            "another hash",
            one.clone() + &object("base", &format!("repo/{}.car", Checksum::of(b"y").name())),
        ),
        ("no base", one.clone() + &object("increment", &repo)),
        ("nothing at all", header(Value::Null, 0)),
        ("unknown kind", one.clone() + &object("mailbox", &repo)),
        ("newer", one.replace("\"format\":1", "\"format\":2") + &base),
        (
            "sealed",
            one.replace("\"requires\":[]", "\"requires\":[\"age\"]") + &base,
        ),
        (
            "role",
            one.replace("\"role\":\"objects\"", "\"role\":\"missing\"") + &base,
        ),
        (
            "twice",
            one.replace("\"format\":1", "\"format\":1,\"format\":1") + &base,
        ),
        ("another commit", one + &base),
    ];
    for (name, text) in cases {
        let snapshot = case.naming(case.list(&text));
        let error = case.vault.contents(&snapshot).await.unwrap_err();
        let newer = ["unknown kind", "newer", "sealed"].contains(&name);
        let typed = match error {
            Error::NewerFormat { .. } => newer,
            Error::Invalid { .. } | Error::TooLarge { .. } => !newer,
            _ => false,
        };
        assert!(typed, "{name}: {error}");
    }
}

#[tokio::test]
async fn lists_that_lie_about_their_size_are_not_read_on() {
    let case = case().await;
    let good = case.snapshot.manifest.objects().clone();
    for size in [good.size - 1, good.size + 1, 0] {
        let snapshot = case.naming(ListRef { size, ..good.clone() });
        let error = case.vault.contents(&snapshot).await.unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
    }
    let snapshot = case.naming(ListRef {
        size: u64::MAX,
        ..good.clone()
    });
    assert!(matches!(
        case.vault.contents(&snapshot).await,
        Err(Error::TooLarge { .. })
    ));
    // As long as it should be, and every line well formed: only the hash tells.
    let path = case.folder().join(good.name.to_string());
    let text = fs::read_to_string(&path).unwrap();
    let changed = text.replacen("\"mime\":\"image/jpeg\"", "\"mime\":\"image/webp\"", 1);
    assert!(changed != text && changed.len() == text.len());
    fs::write(&path, changed).unwrap();
    let error = case.vault.contents(&case.snapshot).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    fs::write(&path, text).unwrap();
    case.vault.contents(&case.snapshot).await.unwrap();
    // Endless: as long as it is not what was named, only as much is read as was named.
    let endless = Content::reader(std::io::repeat(b'{'));
    assert!(matches!(List::read(&good, endless), Err(Error::Damaged { .. })));
}

#[tokio::test]
async fn a_chain_of_lists_has_an_end() {
    let case = case().await;
    // No hash can name itself, so a chain that never ends is a long one.
    let mut parent = Value::Null;
    let mut last = None;
    for _ in 0..=skykeep_vault::MAX_CHAIN {
        let list = case.list(&header(parent, 0));
        parent = serde_json::to_value(&list).unwrap();
        last = Some(list);
    }
    let error = case.vault.contents(&case.naming(last.unwrap())).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
}

/// Signs a changed manifest anew, as a hostile writer with a key of its own could.
fn signed_anew(manifest: &Manifest, change: impl Fn(&mut Manifest)) -> Result<(SnapshotName, Vec<u8>), Error> {
    let mut manifest = manifest.clone();
    change(&mut manifest);
    manifest.to_bytes(&writer_key(1))
}

#[tokio::test]
async fn manifests_that_are_not_what_they_seem() {
    let case = case().await;
    let good = &case.snapshot;
    let (name, bytes) = signed_anew(&good.manifest, |_| ()).unwrap();
    assert_eq!((name, Checksum::of(&bytes)), (good.name, good.sum));
    let read = |name: &SnapshotName, bytes: &[u8]| Manifest::from_bytes(&case.account, name, bytes);
    assert_eq!(read(&name, &bytes).unwrap(), good.manifest);

    // Any change at all is damage, as long as the name is the old one.
    for at in (0..bytes.len()).step_by(13) {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert!(matches!(read(&name, &bad), Err(Error::Damaged { .. })));
        assert!(matches!(read(&name, &bad[..at]), Err(Error::Damaged { .. })));
    }
    // Renamed to fit: then the signature is in the way, or the form.
    let renamed = |bytes: &[u8]| SnapshotName {
        hash: Checksum::of(bytes).name(),
        ..name
    };
    let text = String::from_utf8(bytes.clone()).unwrap();
    let changes: Vec<(&str, String)> = vec![
        ("did", text.replace("did:plc:alice", "did:plc:malice")),
        ("commit", text.replace("\"rev\":\"3", "\"rev\":\"2")),
        ("sequence", text.replace("\"sequence\":2", "\"sequence\":3")),
        ("space", text.replacen(':', ": ", 1)),
        ("second line", text.clone() + "\n"),
        ("no line feed", text.trim_end().to_owned()),
        ("signature cut", text.replace("\"}\n", "}\n")),
        (
            "no signature",
            text.split(",\"signature\"").next().unwrap().to_owned() + "}\n",
        ),
        ("signature of zeros", {
            let at = text.len() - 131;
            format!("{}{}\"}}\n", &text[..at], "0".repeat(128))
        }),
        ("empty", String::new()),
        ("nested", "[".repeat(100_000)),
        ("large", format!("{{\"a\":\"{}\"}}\n", "a".repeat(1 << 20))),
        ("newer", text.replace("\"format\":1", "\"format\":2")),
        ("sealed", text.replace("\"requires\":[]", "\"requires\":[\"age\"]")),
        (
            "a list",
            text.replace("\"skykeep\":\"manifest\"", "\"skykeep\":\"list\""),
        ),
    ];
    for (what, text) in changes {
        let error = read(&renamed(text.as_bytes()), text.as_bytes()).unwrap_err();
        let typed = match error {
            Error::NewerFormat { .. } => ["newer", "sealed"].contains(&what),
            Error::Damaged { .. } | Error::Invalid { .. } | Error::TooLarge { .. } => true,
            _ => false,
        };
        assert!(typed, "{what}: {error}");
    }
    // Signed properly, by a key that says it is another writer's; and under names that say something else.
    let others = signed_anew(&good.manifest, |manifest| manifest.writer = writer_key(2).public()).unwrap();
    assert!(matches!(read(&others.0, &others.1), Err(Error::Damaged { .. })));
    let mine = |change: fn(&mut SnapshotName)| {
        let mut other = name;
        change(&mut other);
        read(&other, &bytes)
    };
    assert!(matches!(mine(|name| name.sequence = 7), Err(Error::Invalid { .. })));
    assert!(matches!(
        mine(|name| name.time = jiff::Timestamp::UNIX_EPOCH),
        Err(Error::Invalid { .. })
    ));
    assert!(matches!(
        mine(|name| name.writer = writer_key(3).id()),
        Err(Error::Invalid { .. })
    ));
    let bob = Account::new("bob", 1, 1).folder();
    assert!(matches!(
        Manifest::from_bytes(&bob, &name, &bytes),
        Err(Error::Invalid { .. })
    ));
    // What no reader takes, no writer makes.
    type Change = fn(&mut Manifest);
    let refused: Vec<(&str, Change)> = vec![
        ("no list", |manifest| manifest.lists.clear()),
        ("two lists", |manifest| manifest.lists.push(manifest.lists[0].clone())),
        ("sequence 0", |manifest| manifest.sequence = 0),
        ("sequence too large", |manifest| manifest.sequence = 1_000_000),
        ("first with one before", |manifest| manifest.sequence = 1),
        ("another's folder", |manifest| {
            manifest.body.did = "did:plc:2222222222222222222222bb".parse().unwrap()
        }),
        ("half seconds", |manifest| {
            manifest.captured += jiff::SignedDuration::from_millis(500)
        }),
        ("list under another name", |manifest| {
            manifest.lists[0].sum = Checksum::of(b"other")
        }),
        ("identity that is no object", |manifest| {
            manifest.body.identity[0].name = manifest.lists[0].name.clone()
        }),
        ("too large", |manifest| manifest.body.host = "h".repeat(1 << 20)),
    ];
    for (what, change) in refused {
        let result = signed_anew(&good.manifest, change);
        assert!(
            matches!(result, Err(Error::Invalid { .. } | Error::TooLarge { .. })),
            "{what}"
        );
    }
}

#[tokio::test]
async fn one_bad_manifest_hides_no_other() {
    let case = case().await;
    let snapshots = case.folder().join("snapshots");
    let (newer_name, newer) = {
        let text = fs::read_to_string(snapshots.join(case.snapshot.name.to_string())).unwrap();
        let text = text.replace("\"format\":1", "\"format\":9");
        (
            SnapshotName {
                hash: Checksum::of(text.as_bytes()).name(),
                ..case.snapshot.name
            },
            text,
        )
    };
    fs::write(snapshots.join(newer_name.to_string()), newer).unwrap();
    let half = SnapshotName {
        sequence: 77,
        ..case.snapshot.name
    };
    fs::write(snapshots.join(half.to_string()), "{\"skykeep\":").unwrap();
    let folder = SnapshotName {
        sequence: 78,
        ..case.snapshot.name
    };
    fs::create_dir(snapshots.join(folder.to_string())).unwrap();
    let found = case.vault.snapshots(&case.account).await.unwrap();
    assert_eq!(found.sound.len(), 2);
    let is = |expected: fn(&Finding) -> bool| found.findings.iter().any(expected);
    assert!(is(|finding| matches!(
        finding,
        Finding::Unreadable {
            error: Error::NewerFormat { .. },
            ..
        }
    )));
    assert!(is(|finding| matches!(
        finding,
        Finding::Unreadable {
            error: Error::Damaged { .. },
            ..
        }
    )));
    assert!(is(|finding| matches!(finding, Finding::Foreign { .. })));
    let latest = case.vault.latest(&case.account, None).await.unwrap().unwrap();
    assert_eq!(latest, case.snapshot);
    let report = check(&case.vault, &mut on).await.unwrap();
    assert!(report.damages.iter().any(|damage| damage.fault == Fault::Refused));
    assert!(
        report.accounts[0]
            .snapshots
            .iter()
            .all(skykeep_vault::SnapshotHealth::is_whole)
    );
}

#[tokio::test]
async fn a_newer_vault_is_left_alone() {
    let case = case().await;
    let file = fs::read_dir(case.root.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("vault."))
        .unwrap();
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace("\"format\":1", "\"format\":2");
    fs::remove_file(&file).unwrap();
    let hash = Checksum::of(text.as_bytes()).name();
    fs::write(
        case.root.path().join(format!("vault.{}.{hash}.json", case.vault.id())),
        text,
    )
    .unwrap();
    let store = skykeep_vault::FolderStore::open(case.root.path(), writer_key(1).id())
        .await
        .unwrap();
    let error = Vault::open(std::sync::Arc::new(store), None).await.unwrap_err();
    assert!(matches!(error, Error::NewerFormat { format: Some(2), .. }), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn links_in_a_vault_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let outside = scratch();
    let key = writer_key(1);
    let replace = |path: &Path, with: &Path| {
        fs::rename(path, with).unwrap();
        symlink(with, path).unwrap();
    };
    for (n, folder) in ["snapshots", "lists", "repo", "identity"].into_iter().enumerate() {
        let case = case().await;
        replace(&case.folder().join(folder), &outside.path().join(n.to_string()));
        let before = crate::account::files(outside.path()).len();
        let result = case.vault.contents(&case.snapshot).await;
        assert!(
            folder != "lists" || matches!(result, Err(Error::NotAFile { .. })),
            "{folder}: {result:?}"
        );
        let report = check(&case.vault, &mut on).await;
        assert!(!report.is_ok_and(|report| report.is_sound()), "{folder}");
        // A writer does not follow them either.
        let account = Account::new("alice", 61, 12);
        let result = account.run(&case.vault, &key, now()).await;
        let untouched = ["repo", "identity"].contains(&folder);
        assert!(untouched || result.is_err(), "{folder}");
        assert_eq!(crate::account::files(outside.path()).len(), before, "{folder}");
    }
    let case = case().await;
    let objects = case.vault.contents(&case.snapshot).await.unwrap();
    let base = case.folder().join(objects.base.name.to_string());
    replace(&base, &outside.path().join("base"));
    let scratch = scratch();
    let error = case
        .vault
        .repo_files(&case.account, &objects, scratch.path())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
    let writer = Writer::begin(&case.vault, &case.snapshot.manifest.body.did, &key)
        .await
        .unwrap();
    assert!(writer.head().is_none(), "a base must follow");
}

#[cfg(unix)]
#[tokio::test]
async fn one_members_folder_does_not_end_the_check_of_the_others() {
    use std::os::unix::fs::symlink;
    let case = case().await;
    let bob = Account::new("bob", 62, 12);
    bob.run(&case.vault, &writer_key(2), now()).await.unwrap();
    let folder = case.root.path().join(bob.folder().path().as_str());
    fs::rename(folder.join("snapshots"), case.root.path().join("elsewhere")).unwrap();
    symlink(case.root.path().join("elsewhere"), folder.join("snapshots")).unwrap();
    let report = check(&case.vault, &mut on).await.unwrap();
    assert!(!report.is_sound());
    for health in &report.accounts {
        let hidden = health
            .findings
            .iter()
            .any(|finding| matches!(finding, Finding::Hidden { .. }));
        assert_eq!(hidden, health.account == bob.folder(), "{health:?}");
        assert_eq!(health.snapshots.len(), if hidden { 0 } else { 2 });
    }
}

#[tokio::test]
async fn a_repository_signed_by_a_key_of_the_writers_own_is_no_proof() {
    let case = case().await;
    let scratch = scratch();
    let account = Account::new("alice", 61, 12);
    case.vault
        .prove(&case.snapshot, &account.history, scratch.path())
        .await
        .unwrap();
    // The account's audit log names another key than the one that the vault's writer vouches for.
    let mut history = account.history.clone();
    history.keys[0].key = SigningKey::generate(Curve::K256).unwrap().did_key();
    let error = case
        .vault
        .prove(&case.snapshot, &history, scratch.path())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}
