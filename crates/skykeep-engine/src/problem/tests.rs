//! Every problem that people can meet, in every language.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use skykeep_atproto::verify::Finding;
use skykeep_net::Cause;
use skykeep_vault::{Doing, Trouble};

use super::*;
use crate::words::{self, problem_codes};

/// One error for every code that people can meet.
fn every_error() -> Vec<Error> {
    let did = || -> skykeep_atproto::Did { "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap() };
    let handle = || -> skykeep_atproto::Handle { "alice.test".parse().unwrap() };
    let host = || "pds.example.org".to_owned();
    let config = |fault| Net::Config {
        variable: "SKYKEEP_DNS",
        fault,
    };
    let net = vec![
        Net::RepoNotFound {
            host: host(),
            did: did(),
        },
        Net::RepoTakendown {
            host: host(),
            did: did(),
        },
        Net::RepoSuspended {
            host: host(),
            did: did(),
        },
        Net::RepoDeactivated {
            host: host(),
            did: did(),
        },
        Net::AuthRequired { host: host() },
        Net::RateLimited {
            host: host(),
            wait: Duration::from_secs(5),
        },
        Net::Unreachable {
            host: host(),
            cause: Cause::Connect,
        },
        Net::Http {
            host: host(),
            status: 500,
        },
        Net::Refused {
            host: host(),
            reason: Refusal::PrivateAddress,
        },
        Net::Refused {
            host: host(),
            reason: Refusal::Address,
        },
        Net::Input {
            text: "what".to_owned(),
        },
        Net::HandleNotFound { handle: handle() },
        Net::HandleUnreachable {
            handle: handle(),
            source: Box::new(Net::Stalled { host: host() }),
        },
        Net::HandleMismatch {
            handle: handle(),
            did: did(),
            says: None,
        },
        Net::DidNotFound { did: did() },
        Net::DidTombstoned { did: did() },
        Net::DidUnsupported { did: did() },
        config(ConfigFault::NoIp),
        config(ConfigFault::NoSwitch),
        config(ConfigFault::NoWebAddress),
        config(ConfigFault::MoreThanAddress),
        Net::Setup {
            reason: "no certificates".to_owned(),
        },
        Net::Cancelled,
    ];
    let vault_id = || skykeep_vault::layout::VaultId::random().unwrap();
    let place = vec![
        Vault::Missing,
        Vault::ReadOnly,
        Vault::Full { needed: None },
        Vault::FileTooLarge {
            path: "blob".to_owned(),
            size: 5,
        },
        Vault::NotAVault { empty: true },
        Vault::NotEmpty,
        Vault::OtherVault {
            expected: vault_id(),
            found: vault_id(),
        },
        Vault::NewerFormat {
            name: "x".to_owned(),
            format: Some(2),
            requires: None,
        },
        Vault::Damaged {
            name: "x".to_owned(),
            reason: "y",
        },
        Vault::Random,
    ];
    let server = |trouble| Vault::Server {
        server: "s3.example.org".to_owned(),
        trouble,
        said: "no".to_owned(),
    };
    let place = place.into_iter().chain([
        server(Trouble::NameNotFound),
        server(Trouble::Unreachable),
        server(Trouble::Certificate),
        server(Trouble::NotS3),
        server(Trouble::UnknownKey),
        server(Trouble::WrongSecret),
        server(Trouble::KeyExpired),
        server(Trouble::NoBucket),
        server(Trouble::WrongRegion {
            expected: Some("eu-west-1".to_owned()),
        }),
        server(Trouble::WrongRegion { expected: None }),
        server(Trouble::Forbidden { doing: Doing::Listing }),
        server(Trouble::Forbidden { doing: Doing::Reading }),
        server(Trouble::Forbidden { doing: Doing::Writing }),
        server(Trouble::Forbidden { doing: Doing::Deleting }),
        server(Trouble::ClockOff { server_time: None }),
        server(Trouble::Unfaithful),
        server(Trouble::Busy),
        server(Trouble::Refused {
            status: 418,
            code: "Teapot".to_owned(),
        }),
    ]);
    let unknown = |what| Error::Unknown {
        what,
        name: "bob".to_owned(),
    };
    let import = |reason| Error::Import {
        path: PathBuf::from("/home/alice/x"),
        reason,
    };
    let setting = |fault| {
        Error::Keys(keys::Error::Setting {
            variable: "SKYKEEP_KEYSTORE",
            fault,
        })
    };
    let io = |kind: ErrorKind| std::io::Error::from(kind);
    let path = || PathBuf::from("/home/alice/x");
    let mut all: Vec<Error> = net.into_iter().map(Error::Net).collect();
    all.extend(place.map(|source| Error::Place {
        name: "Drive".to_owned(),
        source,
    }));
    all.extend([
        Error::Staging(Vault::Damaged {
            name: "x".to_owned(),
            reason: "y",
        }),
        Error::Protocol(skykeep_atproto::Error::Signature { what: "x" }),
        Error::Catalogue(catalogue::Error::Newer { found: 9, known: 1 }),
        Error::Catalogue(catalogue::Error::Busy),
        setting(SettingFault::NoFile),
        setting(SettingFault::NoStore),
        Error::Keys(keys::Error::PassphraseMissing { path: path() }),
        Error::Keys(keys::Error::PassphraseExposed {
            path: path(),
            mode: 0o644,
        }),
        Error::Keys(keys::Error::PassphraseForeign { path: path() }),
        Error::Keys(keys::Error::PassphraseUnusable {
            path: path(),
            reason: "is empty",
        }),
        Error::Keys(keys::Error::WrongPassphrase { path: path() }),
        Error::Keys(keys::Error::NoRandomness),
        Error::Settings {
            path: path(),
            reason: "a typo".to_owned(),
        },
        Error::Preference {
            field: "plc_url",
            value: "plc".to_owned(),
        },
        Error::Preference {
            field: "quiet",
            value: String::new(),
        },
        Error::Data {
            path: path(),
            source: io(ErrorKind::StorageFull),
        },
        Error::Data {
            path: path(),
            source: io(ErrorKind::PermissionDenied),
        },
        Error::EngineRunning { folder: path() },
        unknown(What::Account),
        unknown(What::Place),
        unknown(What::Snapshot),
        Error::Calendar {
            cells: 5000,
            reason: "too many",
        },
        Error::SettingsNewer { path: path() },
        Error::NoPlace,
        Error::PlaceKnown { path: path() },
        Error::OnlyThere {
            name: "Family drive".to_owned(),
        },
        Error::LastPlace {
            name: "Cloud".to_owned(),
        },
        Error::NoMove {
            name: "Cloud".to_owned(),
        },
        Error::PlaceKeys {
            name: "Cloud".to_owned(),
        },
        Error::PlaceWithoutKeys {
            name: "Home".to_owned(),
        },
        Error::BucketSetting {
            field: BucketField::Endpoint,
        },
        Error::BucketSetting {
            field: BucketField::Bucket,
        },
        Error::BucketSetting {
            field: BucketField::Region,
        },
        Error::BucketSetting {
            field: BucketField::Prefix,
        },
        Error::NoHost { did: did() },
        Error::BadIdentityLog {
            did: did(),
            reason: "x".to_owned(),
        },
        Error::Unproved {
            did: did(),
            findings: Vec::new(),
            dropped: 3,
        },
        Error::FutureRev {
            did: did(),
            rev: skykeep_atproto::Tid::new(1, 1),
        },
        Error::StaleKey {
            did: did(),
            operation: None,
        },
        import(ImportFault::NoRepository),
        import(ImportFault::UnderWay),
        import(ImportFault::TooManyFiles),
        Error::NoBackup { path: path() },
        Error::NoVaultInBucket {
            address: "s3.example.org/family".to_owned(),
        },
        Error::NoPast {
            name: "s3.example.org/family".to_owned(),
        },
        Error::NothingThen {
            address: "s3.example.org/family".to_owned(),
        },
        unproved_import(Some("did:plc:44ybard66vv44zksje25o7dz".parse().unwrap()), false, None),
        unproved_import(None, true, None),
        unproved_import(None, false, None),
        unproved_import(None, false, Some(FindingCode::OldFormat)),
        Error::ExportNotEmpty { path: path() },
        Error::SnapshotBroken {
            id: "x".to_owned(),
            reason: "y".to_owned(),
        },
        Error::SnapshotAway {
            id: "x".to_owned(),
            places: "Family drive".to_owned(),
            reason: "y".to_owned(),
        },
    ]);
    all
}

fn unproved_import(says: Option<skykeep_atproto::Did>, whole: bool, code: Option<FindingCode>) -> Error {
    let detail = "x".to_owned();
    Error::ImportUnproved {
        path: PathBuf::from("/home/alice/x"),
        did: "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap(),
        says,
        whole,
        findings: code.map(|code| Finding { code, detail }).into_iter().collect(),
    }
}

#[test]
fn every_code_has_its_three_texts_filled_and_plain() {
    const LOCALES: [&str; 4] = ["en", "de", "ja", "pt-BR"];
    const KEYS: [&str; 3] = ["happened", "means", "todo"];
    /// Words that nobody should have to know.
    const JARGON: [&str; 12] = [
        "PDS",
        "CAR",
        "blob",
        "repository",
        "DID ",
        "PLC",
        "rotation",
        "commit",
        "errno",
        "null",
        "MST",
        "CBOR",
    ];
    let mut problems: Vec<Problem> = every_error().iter().map(to_problem).collect();
    problems.push(shrunk(60, 3));
    problems.push(damage_found("Drive", 2, 1));
    problems.push(behind("Drive", 3));
    problems.push(overdue("alice.test", 1));
    problems.push(place_away("Drive", 8));
    problems.push(place_filling("Drive"));
    let away = || Error::Place {
        name: "Drive".to_owned(),
        source: Vault::Missing,
    };
    problems.push(media_away("Drive", 2, &away()));
    problems.push(mend_away("Drive", 2, &away()));
    problems.push(mended("Drive", 2));
    problems.push(moved("Drive", "/media/drive", "Cloud"));
    problems.push(sample_failed("Drive"));
    problems.push(opened_damaged(Path::new("/media/drive"), 2, "a list"));
    let mut seen = BTreeSet::new();
    for problem in problems {
        for (locale, key) in LOCALES.iter().flat_map(|name| KEYS.map(|key| (*name, key))) {
            let text = problem.say(words::locale(locale), key);
            let at = format!("{locale}, {}: {text}", problem.code);
            assert!(
                !text.is_empty() && !text.contains("problem.") && !text.contains("word."),
                "{at}"
            );
            assert!(!text.contains(['{', '}', '!', '！']), "{at}");
            for word in JARGON {
                assert!(!text.contains(word), "{word} in {at}");
            }
        }
        seen.insert(problem.code);
    }
    let written: BTreeSet<String> = problem_codes().into_iter().collect();
    assert_eq!(
        seen, written,
        "words without a problem, or a problem that this test does not know"
    );
}

#[test]
fn what_an_account_did_is_not_said_to_be_the_readers_doing() {
    // It may be somebody else's, who asked that it be kept.
    let check = |problem: Problem, code: &str| {
        assert_eq!(problem.code, code);
        for key in ["happened", "means", "todo"] {
            let text = problem.say(words::locale("en"), key).to_lowercase();
            let spoken_to = text
                .split(|c: char| !c.is_alphabetic())
                .any(|word| word.starts_with("you"));
            assert!(!spoken_to, "{code}: {text}");
        }
    };
    let all: Vec<Problem> = every_error().iter().map(to_problem).collect();
    check(shrunk(60, 3), "shrunk");
    for code in [
        "account_missing",
        "account_takendown",
        "account_suspended",
        "account_deactivated",
        "identity_ended",
        "identity_log_bad",
        "no_host",
        "repo_unproved",
        "stale_key",
    ] {
        let problem = all.iter().find(|problem| problem.code == code).unwrap();
        check(problem.clone(), code);
    }
}
