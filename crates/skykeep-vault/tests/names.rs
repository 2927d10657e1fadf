//! Names: strict, portable, and the same printed as parsed.

use proptest::prelude::*;
use skykeep_atproto::{Cid, Codec, Did};
use skykeep_vault::layout::{AccountFile, AccountFolder, Checksum, SnapshotName, StorePath, VaultFile};

fn sum(n: u8) -> Checksum {
    Checksum::of(&[n])
}

/// One name of every kind.
fn every_name() -> Vec<String> {
    let (hash, id) = (sum(1).name(), sum(2).name());
    let cid = Cid::of(Codec::Raw, b"blob").to_string();
    let end = &cid[cid.len() - 2..];
    let account = format!("accounts/did_plc_{}", &id.as_str()[..24]);
    let writer = &id.as_str()[..8];
    let mut names = vec![
        "README.txt".to_owned(),
        "recover.py".to_owned(),
        format!("vault.{id}.{hash}.json"),
        format!("damaged/README.txt/{hash}"),
        format!("damaged/vault.{id}.{hash}.json/unread-{}", &hash.as_str()[..16]),
    ];
    let files = [
        format!("snapshots/20261122t140000z.{writer}.1.{hash}.json"),
        format!("snapshots/20240229t235959z.{writer}.999999.{hash}.json"),
        format!("lists/{hash}.jsonl"),
        format!("lists/{hash}.jsonl.age"),
        format!("repo/{hash}.car"),
        format!("repo/{hash}.car.age"),
        format!("blobs/{end}/{cid}"),
        format!("blobs/{}/{hash}.age", &hash.as_str()[24..]),
        format!("identity/{hash}.json"),
        format!("identity/{hash}.json.age"),
        format!("private/{hash}.age"),
        format!("keys/1.device-ab12.{hash}.age"),
        format!("recovery/{id}/12.{hash}.age"),
        format!("rejected/{hash}.car"),
        format!("rejected/{hash}.json"),
        format!("damaged/repo/{hash}.car/{id}"),
        format!("damaged/blobs/{cid}/unread-{}", &hash.as_str()[..16]),
        format!("damaged/blobs/{hash}.age/{id}"),
        format!("damaged/recovery/12.{hash}.age/{id}"),
        format!("damaged/snapshots/20261122t140000z.{writer}.1.{hash}.json/{id}"),
    ];
    names.extend(files.iter().map(|file| format!("{account}/{file}")));
    names
}

#[test]
fn every_name_of_the_format_parses_and_prints_as_it_was() {
    for name in every_name() {
        let file: VaultFile = name.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(file.to_string(), name);
        assert_eq!(name.parse::<StorePath>().unwrap().as_str(), name);
        let portable = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
        assert!(
            name.ends_with("README.txt") || name.contains("README.txt/") || name.chars().all(portable),
            "{name}"
        );
        assert!(
            name.len() < 200 && name.split('/').all(|part| part.len() <= 64),
            "{name}"
        );
    }
}

#[test]
fn everything_else_is_refused() {
    let hash = sum(1).name();
    let writer = &hash.as_str()[..8];
    let account = format!("accounts/did_plc_{}", &hash.as_str()[..24]);
    let cid = Cid::of(Codec::Raw, b"blob").to_string();
    let record = Cid::of(Codec::DagCbor, b"record").to_string();
    for bad in [
        "",
        "/",
        "..",
        "../README.txt",
        "/etc/passwd",
        "readme.txt",
        "accounts",
        "accounts/../../x",
        "vault.json",
        &account,
        &format!("{account}/../README.txt"),
        &format!("{account}/lists/../repo/{hash}.car"),
        &format!("{account}/lists//{hash}.jsonl"),
        &format!("{account}/lists/{hash}.JSONL"),
        &format!("{account}/lists/{}.jsonl", hash.as_str().to_ascii_uppercase()),
        &format!("{account}/lists/{hash}.jsonl/"),
        &format!("{account}/lists/{hash}.jsonl.age.age"),
        &format!("{account}/lists/{}.jsonl", &hash.as_str()[1..]),
        &format!("{account}/blobs/zz/{cid}"),
        &format!("{account}/blobs/{cid}"),
        &format!("{account}/blobs/{}/{record}", &record[57..]),
        &format!("{account}/snapshots/20261122t140000z.{writer}.01.{hash}.json"),
        &format!("{account}/snapshots/20261122t140000z.{writer}.0.{hash}.json"),
        &format!("{account}/snapshots/20261122t140000z.{writer}.1000000.{hash}.json"),
        &format!("{account}/snapshots/20261322t140000z.{writer}.1.{hash}.json"),
        &format!("{account}/snapshots/20230229t140000z.{writer}.1.{hash}.json"),
        &format!("{account}/snapshots/20261122T140000Z.{writer}.1.{hash}.json"),
        &format!("{account}/snapshots/20261122t140000z.{writer}.1.{hash}.json.json"),
        &format!("{account}/keys/0.device.{hash}.age"),
        &format!("{account}/keys/1.DEVICE.{hash}.age"),
        &format!("{account}/damaged/../x/{hash}"),
        &format!("{account}/damaged/repo/con/{hash}"),
        &format!("{account}/damaged/repo/{hash}.jsonl/{hash}"),
        &format!("{account}/damaged/elsewhere/{hash}.car/{hash}"),
        &format!("{account}/damaged/damaged/{hash}.car/{hash}"),
        &format!("damaged/notes.txt/{hash}"),
        &format!("{account}/secret/{hash}.age"),
        &format!("accounts/did_plc_1/lists/{hash}.jsonl"),
        &format!("accounts/did_web_A_{hash}/lists/{hash}.jsonl"),
        &format!("accounts/did_web_{}_{hash}/lists/{hash}.jsonl", "a".repeat(30)),
        &format!("accounts/sealed_1/lists/{hash}.jsonl"),
    ] {
        assert!(bad.parse::<VaultFile>().is_err(), "{bad:?}");
    }
}

#[test]
fn paths_that_a_file_system_changes_are_refused() {
    for bad in [
        "a/../b",
        "/a",
        "a/",
        "a//b",
        ".a",
        "a.",
        "A",
        "a b",
        "a:b",
        "ä",
        "con",
        "nul.txt",
        "com1.json",
        "lpt9",
        "a\\b",
        "a\0",
    ] {
        assert!(bad.parse::<StorePath>().is_err(), "{bad:?}");
    }
    assert!("a".repeat(65).parse::<StorePath>().is_err());
    assert!(vec!["a".repeat(60); 4].join("/").parse::<StorePath>().is_err());
    for good in ["a", "a/b-c_d.e", "README.txt", "console", "com", "com10", "nulls.txt"] {
        assert!(good.parse::<StorePath>().is_ok(), "{good:?}");
    }
}

#[test]
fn accounts_get_readable_folders_of_their_own() {
    let check = |did: &str, expected: &str| {
        let folder = AccountFolder::of(&did.parse().unwrap()).unwrap();
        assert!(folder.as_str().starts_with(expected), "{folder}");
        assert_eq!(folder.as_str().parse::<AccountFolder>().unwrap(), folder);
        assert!(folder.fits(&did.parse().unwrap()));
        folder
    };
    check("did:plc:ewvi7nxzyoun6zhxrhs64oiz", "did_plc_ewvi7nxzyoun6zhxrhs64oiz");
    let plain = check("did:web:example.com", "did_web_example.com_");
    let upper = check("did:web:Example.com", "did_web_example.com_");
    assert_ne!(plain, upper);
    assert!(!plain.fits(&"did:web:Example.com".parse().unwrap()));
    check("did:web:localhost%3A2583", "did_web_localhost_3a2583_");
    check(
        &format!("did:web:{}.example.com", "a".repeat(60)),
        "did_web_aaaaaaaaaaaaaaaaaaaaaaaaaaaaa_",
    );
    for other in ["did:key:zQ3sh", "did:web:example.com:user", "did:plc:short"] {
        let did: Did = other.parse().unwrap();
        assert!(AccountFolder::of(&did).is_err(), "{other}");
    }
}

#[test]
fn a_name_admits_only_its_own_bytes() {
    let bytes = b"some bytes";
    let (good, bad) = (Checksum::of(bytes), sum(9));
    let cid = Cid::of(Codec::Raw, bytes);
    for file in [
        AccountFile::Blob { cid },
        AccountFile::Repo {
            hash: good.name(),
            sealed: false,
        },
    ] {
        assert!(file.admits(&good) && !file.admits(&bad), "{file}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic_and_what_parses_prints_the_same(text in ".{0,120}") {
        if let Ok(file) = text.parse::<VaultFile>() { prop_assert_eq!(file.to_string(), text.clone()); }
        if let Ok(file) = text.parse::<AccountFile>() { prop_assert_eq!(file.to_string(), text.clone()); }
        if let Ok(name) = text.parse::<SnapshotName>() { prop_assert_eq!(name.to_string(), text.clone()); }
        if let Ok(path) = text.parse::<StorePath>() { prop_assert_eq!(path.as_str(), &text); }
    }

    /// Close to right is where parsers err: one letter of a good name is changed, added or dropped.
    #[test]
    fn what_is_nearly_a_name_is_the_same_printed_or_refused(
        which in 0usize..25,
        at in 0usize..200,
        letter in any::<char>(),
        kind in 0..3,
    ) {
        let mut name: Vec<char> = every_name()[which].chars().collect();
        let at = at % name.len();
        match kind {
            0 => name[at] = letter,
            1 => name.insert(at, letter),
            _ => drop(name.remove(at)),
        }
        let name: String = name.into_iter().collect();
        if let Ok(file) = name.parse::<VaultFile>() {
            prop_assert_eq!(file.to_string(), name.clone());
            prop_assert!(!name.contains("..") && !name.starts_with('/'));
        }
    }

    #[test]
    fn snapshot_names_survive_a_round_trip(
        seconds in 0i64..253_402_300_799,
        sequence in 1u32..=999_999,
        n in any::<u8>(),
    ) {
        let hash = sum(n).name();
        let name = SnapshotName {
            time: jiff::Timestamp::from_second(seconds).unwrap(),
            writer: hash.as_str()[..8].parse().unwrap(),
            sequence,
            hash,
        };
        let text = name.to_string();
        prop_assert!(text.len() <= 64);
        prop_assert_eq!(text.parse::<SnapshotName>().unwrap(), name);
    }
}
