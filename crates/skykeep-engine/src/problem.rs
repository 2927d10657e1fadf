//! Every way things go wrong, as a person sees it: what happened, what it means, what to do.
//!
//! One exhaustive match from [`Error`] to a code; a new error does not compile until it has one. The words are in
//! `assets/text/<locale>.toml`, section `problem.<code>`. A code is added only where someone would do something else.

use std::io::ErrorKind;
use std::path::Path;

use skykeep_atproto::verify::FindingCode;
use skykeep_net::{Error as Net, Refusal};
use skykeep_vault::Error as Vault;

use crate::api::{Action, Problem, Severity};
use crate::words::words;
use crate::{Error, catalogue, keys};

/// Damage that a check found; it stands until a check finds none.
pub(crate) const DAMAGE_FOUND: &str = "damage_found";

/// A place whose folder holds something else than its vault: what it held is not there.
pub(crate) const PLACE_LOST: [&str; 2] = ["place_not_vault", "place_other"];

/// A sudden loss; it stands until someone says that it was meant.
pub(crate) const SHRUNK: &str = "shrunk";

/// What says that the record of an identity does not hold, or says that there is none any more.
pub(crate) const IDENTITY_BAD: [&str; 2] = ["identity_log_bad", "identity_ended"];

/// No backup was good for days.
pub(crate) const OVERDUE: &str = "overdue";

/// A drive was not seen for a while.
pub(crate) const PLACE_AWAY: &str = "place_away";

/// Nothing fits into a place any more.
pub(crate) const PLACE_FULL: &str = "place_full";

/// Damage that a check found and put right; it stands until a person was told.
pub(crate) const MENDED: &str = "mended";

/// The keychain did not answer when the engine opened; it stands until one does.
pub(crate) const KEYCHAIN_FAILED: &str = "keychain_failed";

/// A code and what goes with it, before the words are looked up.
struct Draft {
    code: &'static str,
    severity: Severity,
    actions: &'static [Action],
    values: Vec<(&'static str, String)>,
    detail: Option<String>,
}

use Action::{BackUpNow, CheckNow, ChoosePlace, ConfirmShrink, EnterDid, OpenPlace, ShowDetail, TryAgain};
use Severity::{Danger, NeedsYou, Note};

fn draft(code: &'static str, severity: Severity, actions: &'static [Action]) -> Draft {
    Draft {
        code,
        severity,
        actions,
        values: Vec::new(),
        detail: None,
    }
}

impl Draft {
    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    fn detail(mut self, detail: impl ToString) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    fn into_problem(self) -> Problem {
        let say = |key| words(&["problem", self.code], key, &self.values);
        Problem {
            happened: say("happened"),
            means: say("means"),
            todo: say("todo"),
            code: self.code.to_owned(),
            severity: self.severity,
            actions: self.actions.to_vec(),
            detail: self.detail,
        }
    }
}

/// What a person reads about an error.
pub fn to_problem(error: &Error) -> Problem {
    of(error).into_problem()
}

/// What a person reads about a sudden loss.
pub(crate) fn shrunk(records: u64, media: u64) -> Problem {
    draft(SHRUNK, Danger, &[ConfirmShrink])
        .with("records", records)
        .with("media", media)
        .into_problem()
}

/// What a person reads about a place that lacks snapshots whose files are elsewhere.
pub(crate) fn behind(place: &str, snapshots: usize) -> Problem {
    draft("place_behind", Note, &[ShowDetail])
        .with("place", place)
        .with("snapshots", snapshots)
        .into_problem()
}

/// What a person reads about a vault that they look into before it is a place.
pub(crate) fn opened_damaged(folder: &Path, files: u64, detail: &str) -> Problem {
    draft("opened_damaged", NeedsYou, &[ShowDetail])
        .with("folder", shown(folder))
        .with("files", files)
        .detail(detail)
        .into_problem()
}

/// What a person reads about an account that was not backed up for days.
pub(crate) fn overdue(account: &str, days: i64) -> Problem {
    draft(OVERDUE, NeedsYou, &[BackUpNow])
        .with("account", account)
        .with("count", days)
        .into_problem()
}

/// What a person reads about a drive that was not seen for days.
pub(crate) fn place_away(place: &str, days: i64) -> Problem {
    draft(PLACE_AWAY, NeedsYou, &[])
        .with("place", place)
        .with("count", days)
        .into_problem()
}

/// What a person reads about files that were damaged and are whole again.
pub(crate) fn mended(place: &str, files: usize) -> Problem {
    draft(MENDED, Note, &[])
        .with("place", place)
        .with("count", files)
        .into_problem()
}

/// What a person reads about damaged files in a place.
pub(crate) fn damage_found(place: &str, files: usize, snapshots: usize) -> Problem {
    draft(DAMAGE_FOUND, Danger, &[CheckNow, OpenPlace])
        .with("place", place)
        .with("files", files)
        .with("snapshots", snapshots)
        .into_problem()
}

fn of(error: &Error) -> Draft {
    match error {
        Error::Net(error) => of_net(error).detail(chain(error)),
        Error::Place { name, source } => of_place(name, source).with("place", name).detail(chain(source)),
        Error::Staging(source) => of_staging(source).detail(chain(source)),
        Error::Protocol(source) => draft("data_unreadable", NeedsYou, &[TryAgain, ShowDetail]).detail(chain(source)),
        Error::Catalogue(source) => of_catalogue(source).detail(chain(source)),
        Error::Keys(source) => of_keys(source).detail(chain(source)),
        Error::Settings { path, reason } => draft("settings_wrong", NeedsYou, &[])
            .with("file", shown(path))
            .with("reason", reason),
        Error::Preference { field, value } if !value.is_empty() => draft("preference_address", NeedsYou, &[])
            .with("text", value)
            .detail(field),
        Error::Preference { field, .. } => draft("preference_wrong", NeedsYou, &[]).detail(field),
        Error::Data { path, source } if source.kind() == ErrorKind::StorageFull => {
            draft("computer_full", NeedsYou, &[TryAgain])
                .with("folder", shown(path))
                .detail(source)
        }
        Error::Data { path, source } => draft("data_folder", NeedsYou, &[TryAgain])
            .with("folder", shown(path))
            .detail(source),
        Error::EngineRunning { folder } => draft("already_running", Note, &[]).with("folder", shown(folder)),
        Error::Unknown { what, name } => draft("not_found", Note, &[]).with("what", what).with("name", name),
        // Only a face that is wrong asks for one.
        Error::Calendar { cells, reason } => draft("not_found", Note, &[])
            .with("what", "calendar")
            .with("name", format!("{cells} cells"))
            .detail(reason),
        Error::NoPlace => draft("no_place", NeedsYou, &[ChoosePlace]),
        Error::PlaceKnown { path } => draft("place_known", Note, &[OpenPlace]).with("folder", shown(path)),
        Error::NoHost { did } => draft("no_host", NeedsYou, &[TryAgain]).with("did", did),
        Error::BadIdentityLog { did, reason } => draft("identity_log_bad", Danger, &[TryAgain, ShowDetail])
            .with("did", did)
            .detail(reason),
        Error::Unproved { did, findings, dropped } => {
            let mut all: Vec<String> = findings.iter().map(|f| format!("{}: {}", f.code, f.detail)).collect();
            if *dropped > 0 {
                all.push(format!("dropped to save room: {dropped} earlier answers"));
            }
            draft("repo_unproved", Danger, &[BackUpNow, ShowDetail])
                .with("did", did)
                .detail(all.join("\n"))
        }
        Error::FutureRev { did, rev } => draft("future_rev", NeedsYou, &[TryAgain])
            .with("did", did)
            .with("rev", rev),
        Error::StaleKey { did, operation } => {
            let detail = operation.map_or_else(|| did.to_string(), |cid| format!("{did}, operation {cid}"));
            draft("stale_key", Danger, &[TryAgain, ShowDetail]).detail(detail)
        }
        Error::Import { path, reason } => draft("import_failed", NeedsYou, &[])
            .with("file", shown(path))
            .with("reason", reason),
        Error::NoBackup { path } => draft("no_backup", Note, &[ChoosePlace]).with("folder", shown(path)),
        Error::ImportUnproved {
            path,
            did,
            says,
            whole,
            findings,
        } => {
            let all: Vec<String> = findings.iter().map(|f| format!("{}: {}", f.code, f.detail)).collect();
            let other = says.as_ref().filter(|says| *says != did);
            let old = findings.iter().any(|finding| finding.code == FindingCode::OldFormat);
            let code = match (other, whole) {
                _ if old => "import_old",
                (Some(_), _) => "import_other",
                (None, true) => "import_forged",
                (None, false) => "import_damaged",
            };
            draft(code, NeedsYou, &[ShowDetail])
                .with("file", shown(path))
                .with("did", did)
                .with("other", other.map(ToString::to_string).unwrap_or_default())
                .detail(all.join("\n"))
        }
        Error::ExportNotEmpty { path } => draft("export_not_empty", Note, &[ChoosePlace]).with("folder", shown(path)),
        Error::SnapshotBroken { id, reason } => {
            draft("snapshot_broken", Danger, &[CheckNow, ShowDetail]).detail(format!("{id}: {reason}"))
        }
        Error::Stopped => draft("stopped", Note, &[BackUpNow]),
    }
}

fn of_net(error: &Net) -> Draft {
    match error {
        Net::RepoNotFound { host, .. } => draft("account_missing", Danger, &[TryAgain]).with("host", host),
        Net::RepoTakendown { host, .. } => draft("account_takendown", NeedsYou, &[]).with("host", host),
        Net::RepoSuspended { host, .. } => draft("account_suspended", NeedsYou, &[]).with("host", host),
        Net::RepoDeactivated { host, .. } => draft("account_deactivated", Note, &[]).with("host", host),
        Net::AuthRequired { host } => draft("sign_in_needed", NeedsYou, &[TryAgain]).with("host", host),
        Net::RateLimited { host, .. } => draft("host_busy", Note, &[]).with("host", host),
        Net::Unreachable { host, .. } | Net::Stalled { host } => {
            draft("host_unreachable", Note, &[TryAgain, EnterDid, ShowDetail]).with("host", host)
        }
        Net::BlobNotFound { host }
        | Net::Xrpc { host, .. }
        | Net::Http { host, .. }
        | Net::TooLarge { host, .. }
        | Net::BadBody { host, .. }
        | Net::Malformed { host, .. } => draft("host_error", NeedsYou, &[TryAgain, ShowDetail]).with("host", host),
        Net::Refused { host, reason } => match reason {
            Refusal::PrivateAddress | Refusal::PlainHttp | Refusal::Downgrade | Refusal::Redirect => {
                draft("host_unsafe", NeedsYou, &[ShowDetail]).with("host", host)
            }
            Refusal::Scheme | Refusal::Address => draft("host_address", NeedsYou, &[ShowDetail]).with("host", host),
        },
        Net::Input { text } => draft("not_an_account", Note, &[TryAgain]).with("text", text),
        Net::HandleNotFound { handle } => draft("handle_not_found", Note, &[TryAgain, EnterDid]).with("handle", handle),
        Net::HandleUnreachable { handle, .. } => {
            draft("handle_unreachable", Note, &[TryAgain, EnterDid, ShowDetail]).with("handle", handle)
        }
        Net::HandleMismatch { handle, .. } => {
            draft("handle_mismatch", NeedsYou, &[EnterDid, ShowDetail]).with("handle", handle)
        }
        Net::DidNotFound { did } => draft("identity_not_found", Note, &[TryAgain]).with("did", did),
        Net::DidTombstoned { did } => draft("identity_ended", Danger, &[ShowDetail]).with("did", did),
        Net::DidUnsupported { did } => draft("identity_unsupported", Note, &[]).with("did", did),
        Net::Config { variable, fault } => draft("setting_wrong", NeedsYou, &[])
            .with("name", variable)
            .with("reason", fault),
        Net::Setup { .. } => draft("no_secure_network", NeedsYou, &[ShowDetail]),
        Net::File(source) if source.kind() == ErrorKind::StorageFull => {
            draft("computer_full", NeedsYou, &[TryAgain]).with("folder", "")
        }
        Net::File(_) => draft("data_folder", NeedsYou, &[TryAgain, ShowDetail]).with("folder", ""),
        Net::Cancelled => draft("stopped", Note, &[BackUpNow]),
    }
}

fn of_place(name: &str, error: &Vault) -> Draft {
    match error {
        Vault::Missing => draft("place_missing", Note, &[TryAgain, ChoosePlace]),
        Vault::ReadOnly => draft("place_read_only", NeedsYou, &[TryAgain, ChoosePlace]),
        Vault::Full { .. } => draft(PLACE_FULL, NeedsYou, &[TryAgain, ChoosePlace]),
        Vault::FileTooLarge { .. } => draft("place_file_too_large", NeedsYou, &[ChoosePlace, ShowDetail]),
        Vault::NotAVault { .. } => draft("place_not_vault", NeedsYou, &[ChoosePlace, TryAgain]),
        Vault::NotEmpty => draft("place_not_empty", NeedsYou, &[ChoosePlace]),
        Vault::OtherVault { .. } => draft("place_other", NeedsYou, &[ChoosePlace, TryAgain]),
        Vault::NewerFormat { .. } => draft("vault_newer", NeedsYou, &[ShowDetail]),
        Vault::Stopped => draft("stopped", Note, &[BackUpNow]),
        Vault::NameTaken { .. }
        | Vault::Damaged { .. }
        | Vault::Absent { .. }
        | Vault::Invalid { .. }
        | Vault::TooLarge { .. }
        | Vault::NotAFile { .. } => draft("place_damaged", Danger, &[CheckNow, ShowDetail]),
        Vault::Io { .. }
        | Vault::WrongFrom { .. }
        | Vault::OtherAccount { .. }
        | Vault::UnsupportedDid { .. }
        | Vault::Protocol(_)
        | Vault::Random => draft("place_failed", NeedsYou, &[TryAgain, ShowDetail]),
    }
    .with("name", name)
}

fn of_staging(error: &Vault) -> Draft {
    match error {
        Vault::Full { .. } => draft("computer_full", NeedsYou, &[TryAgain]).with("folder", ""),
        Vault::UnsupportedDid { did } => draft("identity_unsupported", Note, &[]).with("did", did),
        Vault::NewerFormat { .. } => {
            draft("vault_newer", NeedsYou, &[ShowDetail]).with("place", "Skykeep's own folder")
        }
        Vault::Stopped => draft("stopped", Note, &[BackUpNow]),
        Vault::Missing | Vault::ReadOnly | Vault::FileTooLarge { .. } | Vault::Io { .. } => {
            draft("data_folder", NeedsYou, &[TryAgain, ShowDetail]).with("folder", "")
        }
        Vault::NotAVault { .. }
        | Vault::NotEmpty
        | Vault::OtherVault { .. }
        | Vault::NameTaken { .. }
        | Vault::Damaged { .. }
        | Vault::Absent { .. }
        | Vault::Invalid { .. }
        | Vault::TooLarge { .. }
        | Vault::NotAFile { .. }
        | Vault::WrongFrom { .. }
        | Vault::OtherAccount { .. }
        | Vault::Protocol(_)
        | Vault::Random => draft("staging_damaged", NeedsYou, &[BackUpNow, ShowDetail]),
    }
}

fn of_catalogue(error: &catalogue::Error) -> Draft {
    match error {
        catalogue::Error::Newer { .. } => draft("catalogue_newer", NeedsYou, &[]),
        catalogue::Error::Full => draft("computer_full", NeedsYou, &[TryAgain]).with("folder", ""),
        _ => draft("catalogue_failed", NeedsYou, &[TryAgain, ShowDetail]),
    }
}

fn of_keys(error: &keys::Error) -> Draft {
    if is_about_setup(error) {
        draft("passphrase_wrong", NeedsYou, &[ShowDetail]).with("reason", error)
    } else {
        draft(KEYCHAIN_FAILED, NeedsYou, &[TryAgain, ShowDetail])
    }
}

/// Whether the key store was set up wrongly, which only a person can mend; else it may answer another time.
pub(crate) const fn is_about_setup(error: &keys::Error) -> bool {
    use keys::Error as Keys;
    matches!(
        error,
        Keys::Setting { .. }
            | Keys::PassphraseMissing { .. }
            | Keys::PassphraseExposed { .. }
            | Keys::PassphraseForeign { .. }
            | Keys::PassphraseUnusable { .. }
            | Keys::WrongPassphrase { .. }
    )
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// An error and what caused it, in one line for those who ask.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
