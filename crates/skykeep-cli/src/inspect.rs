//! `inspect`: a file, proved by itself. No engine, no data folder, no network.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;
use skykeep_atproto::plc::{self, KeyPeriod, LogProblem};
use skykeep_atproto::verify::{Finding, RepoCheck, Report, SignedBy};
use skykeep_atproto::{Cid, Did, DidKey};

use crate::arguments::InspectVerb;
use crate::{output, said};

/// Largest audit log that is read, in bytes.
const MAX_LOG: u64 = 64 << 20;

/// Runs an inspection; whether what was inspected is good. Wrong arguments end the program with code 2.
pub(crate) fn run(what: &InspectVerb, json: bool) -> bool {
    match what {
        InspectVerb::Car { file, did, signing_key } => {
            let did = did.as_deref().map(parse_did);
            let keys: Vec<DidKey> = signing_key.iter().map(|key| parse_key(key)).collect();
            car(file, did, keys, json)
        }
        InspectVerb::PlcLog { file, did } => plc_log(file, did.as_deref().map(parse_did).as_ref(), json),
    }
}

fn parse_did(text: &str) -> Did {
    text.parse()
        .unwrap_or_else(|error| output::wrong_usage(&format!("--did: {error}")))
}

fn parse_key(text: &str) -> DidKey {
    text.parse()
        .unwrap_or_else(|error| output::wrong_usage(&format!("--signing-key: {error}")))
}

/// What `inspect car --json` prints.
#[derive(Debug, Serialize)]
struct CarView<'a> {
    did: Option<&'a Did>,
    rev: Option<String>,
    root: Option<Cid>,
    version: Option<u64>,
    bytes: u64,
    blocks: u64,
    nodes: u64,
    records: u64,
    blobs: u64,
    complete: bool,
    sound: bool,
    signature: &'static str,
    problems: Vec<ProblemView>,
}

impl CarView<'_> {
    /// Of a file that cannot be read there is nothing to say but why.
    fn unreadable(problem: ProblemView) -> Self {
        Self {
            did: None,
            rev: None,
            root: None,
            version: None,
            bytes: 0,
            blocks: 0,
            nodes: 0,
            records: 0,
            blobs: 0,
            complete: false,
            sound: false,
            signature: "unchecked",
            problems: vec![problem],
        }
    }
}

/// Opens a file. A folder can be opened too, on some systems, and then not be read.
fn open(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => File::open(path),
    }
}

fn car(path: &Path, did: Option<Did>, keys: Vec<DidKey>, json: bool) -> bool {
    let mut check = RepoCheck::of_form().keys(periods(keys));
    if let Some(did) = did {
        check = check.did(did);
    }
    let report = match open(path).map_err(Into::into).and_then(|file| check.run(&mut [file])) {
        Ok(checked) => checked.report,
        Err(error) => {
            if json {
                output::document(&CarView::unreadable(ProblemView::unreadable(path, &error)));
            }
            output::note(&format!("{}: {}", path.display(), output::chain(&error)));
            return false;
        }
    };
    let signature = match report.signed_by {
        SignedBy::Current => "valid",
        SignedBy::Earlier { .. } => "earlier_key",
        SignedBy::Unknown => "invalid",
        SignedBy::Unchecked => "unchecked",
    };
    let good = report.complete && report.sound && report.signed_by != SignedBy::Unknown;
    if json {
        output::document(&CarView {
            did: report.did.as_ref(),
            rev: report.rev.map(|rev| rev.to_string()),
            root: report.root,
            version: report.version,
            bytes: report.bytes,
            blocks: report.blocks,
            nodes: report.nodes,
            records: report.records,
            blobs: report.blobs,
            complete: report.complete,
            sound: report.sound,
            signature,
            problems: report.findings.iter().map(ProblemView::of_finding).collect(),
        });
    } else {
        output::text(&describe(&report, good));
    }
    good
}

/// Keys given by hand: the first is the current one.
fn periods(keys: Vec<DidKey>) -> Vec<KeyPeriod> {
    keys.into_iter()
        .map(|key| KeyPeriod {
            key,
            operation: None,
            from: None,
            until: None,
        })
        .collect()
}

fn describe(report: &Report, good: bool) -> String {
    let answer = |yes| if yes { said::inspect_yes() } else { said::inspect_no() };
    let signature = match report.signed_by {
        SignedBy::Current => said::inspect_valid(),
        SignedBy::Earlier { .. } => said::inspect_earlier_key(),
        SignedBy::Unknown => said::inspect_invalid(),
        SignedBy::Unchecked => said::inspect_unchecked(),
    };
    let mut lines = vec![
        said::inspect_account(or_none(report.did.as_ref())),
        said::inspect_revision(or_none(report.rev.as_ref())),
        said::inspect_commit(or_none(report.root.as_ref())),
        said::inspect_records(report.blobs, report.nodes, report.records),
        said::inspect_file(report.blocks, report.bytes),
        said::inspect_complete(answer(report.complete)),
        said::inspect_sound(answer(report.sound)),
        said::inspect_signature(signature),
    ];
    let findings = report.findings.iter();
    lines.extend(findings.map(|finding| format!("  {}: {}", finding.code, finding.detail)));
    lines.push(match good {
        true if report.signed_by == SignedBy::Unchecked => said::inspect_good_of_form(),
        true => said::inspect_good(),
        false => said::inspect_not_good(),
    });
    lines.join("\n")
}

fn or_none(value: Option<&impl ToString>) -> String {
    value.map_or_else(said::inspect_none, ToString::to_string)
}

/// What `inspect plc-log --json` prints.
#[derive(Debug, Serialize)]
struct LogView {
    did: Option<Did>,
    valid: bool,
    operations: Vec<OperationView>,
    current: Option<CurrentView>,
    problems: Vec<ProblemView>,
}

impl LogView {
    /// Of what is no log there is nothing to say but why.
    fn without(did: Option<&Did>, problem: ProblemView) -> Self {
        Self {
            did: did.cloned(),
            valid: false,
            operations: Vec::new(),
            current: None,
            problems: vec![problem],
        }
    }
}

#[derive(Debug, Serialize)]
struct OperationView {
    cid: Cid,
    created_at: String,
    nullified: bool,
    signed_by: Option<DidKey>,
}

#[derive(Debug, Serialize)]
struct CurrentView {
    rotation_keys: Vec<String>,
    signing_key: Option<String>,
    handle: Option<String>,
    pds: Option<String>,
}

#[derive(Debug, Serialize)]
struct ProblemView {
    code: &'static str,
    detail: String,
}

impl ProblemView {
    fn of_finding(finding: &Finding) -> Self {
        Self {
            code: finding.code.as_str(),
            detail: finding.detail.clone(),
        }
    }

    fn unreadable(path: &Path, error: &dyn Error) -> Self {
        Self {
            code: "unreadable",
            detail: format!("{}: {}", path.display(), output::chain(error)),
        }
    }

    fn of(problem: &LogProblem) -> Self {
        let place = problem
            .entry
            .map(|entry| format!("entry {entry}: "))
            .unwrap_or_default();
        Self {
            code: problem.fault.code(),
            detail: format!("{place}{}", problem.detail),
        }
    }
}

fn plc_log(path: &Path, did: Option<&Did>, json: bool) -> bool {
    let bytes = open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(MAX_LOG + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > MAX_LOG {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => Ok(bytes),
        }
    });
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            if json {
                output::document(&LogView::without(did, ProblemView::unreadable(path, &error)));
            }
            output::note(&format!("{}: {error}", path.display()));
            return false;
        }
    };
    let view = match plc::parse_log(&bytes) {
        Ok(entries) => audited(did, &entries),
        Err(error) => {
            let (code, detail) = ("not_a_log", output::chain(&error));
            LogView::without(did, ProblemView { code, detail })
        }
    };
    let valid = view.valid;
    if json {
        output::document(&view);
    } else {
        output::text(&describe_log(&view));
    }
    valid
}

fn audited(did: Option<&Did>, entries: &[plc::LogEntry]) -> LogView {
    let audit = plc::audit(did, entries);
    let current = audit.current().map(|state| CurrentView {
        rotation_keys: state.rotation_keys.clone(),
        signing_key: state.signing_key().map(|key| key.to_string()),
        handle: state.handle().map(|handle| handle.to_string()),
        pds: state.pds(),
    });
    let operations = audit.operations().iter().map(|operation| OperationView {
        cid: operation.cid,
        created_at: format!("{:.3}", operation.created_at),
        nullified: operation.nullified(),
        signed_by: operation.signed_by.as_ref().map(|signer| signer.key),
    });
    LogView {
        did: audit.did().cloned(),
        valid: audit.is_valid(),
        operations: operations.collect(),
        current,
        problems: audit.problems().iter().map(ProblemView::of).collect(),
    }
}

fn describe_log(view: &LogView) -> String {
    let mut lines = vec![said::inspect_account(or_none(view.did.as_ref()))];
    for operation in &view.operations {
        let mut name = operation.cid.to_string();
        if operation.nullified {
            name = said::inspect_undone(name);
        }
        let signer = operation.signed_by.as_ref().map(ToString::to_string);
        let signer = signer.map_or_else(said::inspect_signed_by_nobody, said::inspect_signed_by);
        lines.push(format!("{}  {name}\n  {signer}", operation.created_at));
    }
    match &view.current {
        Some(current) => {
            lines.push(said::inspect_handle(or_none(current.handle.as_ref())));
            lines.push(said::inspect_host(or_none(current.pds.as_ref())));
            lines.push(said::inspect_signing_key(or_none(current.signing_key.as_ref())));
            let keys = current.rotation_keys.iter().enumerate();
            lines.extend(keys.map(|(place, key)| said::inspect_rotation_key(place, key.as_str())));
        }
        None => lines.push(said::inspect_ended()),
    }
    let problems = view.problems.iter();
    lines.extend(problems.map(|problem| format!("  {}: {}", problem.code, problem.detail)));
    lines.push(if view.valid {
        said::inspect_log_valid()
    } else {
        said::inspect_log_not_valid()
    });
    lines.join("\n")
}
