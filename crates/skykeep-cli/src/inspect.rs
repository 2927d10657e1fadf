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
use crate::output;

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
        output::text(&describe(&report, signature, good));
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

fn describe(report: &Report, signature: &str, good: bool) -> String {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    let mut lines = vec![
        format!("account    {}", or_none(report.did.as_ref().map(ToString::to_string))),
        format!("revision   {}", or_none(report.rev.map(|rev| rev.to_string()))),
        format!("commit     {}", or_none(report.root.map(|root| root.to_string()))),
        format!(
            "records    {} in {} nodes, {} different blobs needed",
            report.records, report.nodes, report.blobs
        ),
        format!("file       {} bytes, {} blocks", report.bytes, report.blocks),
        format!("complete   {}", if report.complete { "yes" } else { "no" }),
        format!("sound      {}", if report.sound { "yes" } else { "no" }),
        format!("signature  {signature}"),
    ];
    lines.extend(
        report
            .findings
            .iter()
            .map(|finding| format!("  {}: {}", finding.code, finding.detail)),
    );
    lines.push(match good {
        true if report.signed_by == SignedBy::Unchecked => {
            "whole and undamaged; whose it is was not checked".to_owned()
        }
        true => "good".to_owned(),
        false => "NOT good".to_owned(),
    });
    lines.join("\n")
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
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let mut lines = vec![format!(
        "account        {}",
        or_none(&view.did.as_ref().map(ToString::to_string))
    )];
    for operation in &view.operations {
        let undone = if operation.nullified { "  (undone)" } else { "" };
        let signer = operation
            .signed_by
            .as_ref()
            .map_or_else(|| "nobody known".to_owned(), ToString::to_string);
        lines.push(format!(
            "{}  {}{undone}\n  signed by {signer}",
            operation.created_at, operation.cid
        ));
    }
    match &view.current {
        Some(current) => {
            lines.push(format!("handle         {}", or_none(&current.handle)));
            lines.push(format!("host           {}", or_none(&current.pds)));
            lines.push(format!("signing key    {}", or_none(&current.signing_key)));
            lines.extend(
                current
                    .rotation_keys
                    .iter()
                    .enumerate()
                    .map(|(n, key)| format!("rotation key {n} {key}")),
            );
        }
        None => lines.push("the identity has been ended, or never began".to_owned()),
    }
    lines.extend(
        view.problems
            .iter()
            .map(|problem| format!("  {}: {}", problem.code, problem.detail)),
    );
    lines.push(if view.valid { "valid" } else { "NOT valid" }.to_owned());
    lines.join("\n")
}
