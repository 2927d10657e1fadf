//! Every way things go wrong, as a person sees it: which problems there are. How they are told is in [`told`].
//!
//! One exhaustive match from [`Error`] to a code; a new error does not compile until it has one. A code is added only
//! where someone would do something else. What goes with it is a name, a number or a [`Word`], never a sentence of ours:
//! that would be in one language.

mod server;
mod told;

use std::io::ErrorKind;
use std::path::Path;

use skykeep_atproto::verify::FindingCode;
use skykeep_net::{ConfigFault, Error as Net, Refusal};
use skykeep_vault::Error as Vault;

use crate::api::{Action, Problem, Severity};
use crate::error::{BucketField, ImportFault, What};
use crate::keys::SettingFault;
use crate::words::Word;
use crate::{Error, catalogue, keys};

pub(crate) use told::Told;

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

/// A place that is full soon; it stands until there is room.
pub(crate) const PLACE_FILLING: &str = "place_filling";

/// Damage that a check found and put right; it stands until a person was told.
pub(crate) const MENDED: &str = "mended";

/// A place whose backups are all in another now; it stands until a person was told.
pub(crate) const MOVED: &str = "moved";

/// A copy that was read back from a place was not whole; it stands until one is.
pub(crate) const SAMPLE_FAILED: &str = "sample_failed";

/// What is known of a place's files and room, whether or not the place is in reach.
pub(crate) const OF_FILES: [&str; 5] = [DAMAGE_FOUND, MENDED, MOVED, SAMPLE_FAILED, PLACE_FILLING];

/// A newer Skykeep left here what this one cannot read: catalogue, staging or settings.
const NEWER: &str = "catalogue_newer";

/// The keychain did not answer when the engine opened; it stands until one does.
pub(crate) const KEYCHAIN_FAILED: &str = "keychain_failed";

use Action::{BackUpNow, ChangeKeys, CheckNow, ChoosePlace, ConfirmShrink, EnterDid, OpenPlace, ShowDetail, TryAgain};
use Severity::{Danger, NeedsYou, Note};

/// What a person reads about a sudden loss.
pub(crate) fn shrunk(records: u64, media: u64) -> Problem {
    Problem::new(SHRUNK, Danger, &[ConfirmShrink])
        .with("records", records)
        .with("media", media)
}

/// What a person reads about a place that lacks snapshots whose files are elsewhere.
pub(crate) fn behind(place: &str, snapshots: usize) -> Problem {
    Problem::new("place_behind", Note, &[ShowDetail])
        .text("place", place)
        .with("snapshots", snapshots)
}

/// What a person reads about a vault that they look into before it is a place.
pub(crate) fn opened_damaged(folder: &Path, files: u64, detail: &str) -> Problem {
    Problem::new("opened_damaged", NeedsYou, &[ShowDetail])
        .with("folder", shown(folder))
        .with("files", files)
        .detail(detail)
}

/// What a person reads about an account that was not backed up for days.
pub(crate) fn overdue(account: &str, days: u64) -> Problem {
    Problem::new(OVERDUE, NeedsYou, &[BackUpNow])
        .text("account", account)
        .with("count", days)
}

/// What a person reads about a drive that was not seen for days.
pub(crate) fn place_away(place: &str, days: u64) -> Problem {
    Problem::new(PLACE_AWAY, NeedsYou, &[])
        .text("place", place)
        .with("count", days)
}

/// What a person reads about a place that is full soon.
pub(crate) fn place_filling(place: &str) -> Problem {
    Problem::new(PLACE_FILLING, Note, &[ChoosePlace]).text("place", place)
}

/// What a person reads about pictures and videos that are in a place which cannot be read now, and so not in an export.
pub(crate) fn media_away(place: &str, count: u64, why: &Error) -> Problem {
    Problem::new("media_away", NeedsYou, &[])
        .text("place", place)
        .with("count", count)
        .detail(chain(why))
}

/// What a person reads about damage that a place which cannot be read now may have whole.
pub(crate) fn mend_away(place: &str, count: usize, why: &Error) -> Problem {
    Problem::new("mend_away", NeedsYou, &[])
        .text("place", place)
        .with("count", count)
        .detail(chain(why))
}

/// What a person reads about files that were damaged and are whole again.
pub(crate) fn mended(place: &str, files: usize) -> Problem {
    Problem::new(MENDED, Note, &[])
        .text("place", place)
        .with("count", files)
}

/// What a person reads about a place that another stands in for now.
pub(crate) fn moved(from: &str, path: &str, to: &str) -> Problem {
    Problem::new(MOVED, Note, &[])
        .text("from", from)
        .text("path", path)
        .text("place", to)
}

/// What a person reads about a copy that does not read back.
pub(crate) fn sample_failed(place: &str) -> Problem {
    Problem::new(SAMPLE_FAILED, Danger, &[CheckNow, OpenPlace]).text("place", place)
}

/// What a person reads about damaged files in a place.
pub(crate) fn damage_found(place: &str, files: usize, snapshots: usize) -> Problem {
    Problem::new(DAMAGE_FOUND, Danger, &[CheckNow, OpenPlace])
        .text("place", place)
        .with("files", files)
        .with("snapshots", snapshots)
}

/// What a person reads about an error.
pub fn to_problem(error: &Error) -> Problem {
    match error {
        Error::Net(error) => of_net(error).detail(chain(error)),
        Error::Place { name, source } => of_place(source).text("place", name).detail(chain(source)),
        Error::Staging(source) => of_staging(source).detail(chain(source)),
        Error::Protocol(source) => {
            Problem::new("data_unreadable", NeedsYou, &[TryAgain, ShowDetail]).detail(chain(source))
        }
        Error::Catalogue(source) => of_catalogue(source).detail(chain(source)),
        Error::Keys(source) => of_keys(source).detail(chain(source)),
        Error::Settings { path, reason } => Problem::new("settings_wrong", NeedsYou, &[ShowDetail])
            .with("file", shown(path))
            .detail(reason),
        Error::SettingsNewer { .. } => Problem::new(NEWER, NeedsYou, &[]),
        Error::Preference { field, value } if !value.is_empty() => Problem::new("preference_address", NeedsYou, &[])
            .text("text", value)
            .detail(field),
        Error::Preference { field, .. } => Problem::new("preference_wrong", NeedsYou, &[]).detail(field),
        Error::Data { path, source } if source.kind() == ErrorKind::StorageFull => {
            Problem::new("computer_full", NeedsYou, &[TryAgain])
                .with("folder", shown(path))
                .detail(source)
        }
        Error::Data { path, source } => Problem::new("data_folder", NeedsYou, &[TryAgain])
            .with("folder", shown(path))
            .detail(source),
        Error::EngineRunning { folder } => Problem::new("already_running", Note, &[]).with("folder", shown(folder)),
        Error::Unknown { what, name } => Problem::new("not_found", Note, &[])
            .with("what", of_what(*what))
            .text("name", name),
        // Only a face that is wrong asks for one.
        Error::Calendar { cells, reason } => Problem::new("not_found", Note, &[])
            .with("what", Word::NoCalendar)
            .text("name", *cells)
            .detail(reason),
        Error::NoPlace => Problem::new("no_place", NeedsYou, &[ChoosePlace]),
        Error::PlaceKnown { path } => Problem::new("place_known", Note, &[OpenPlace]).with("folder", shown(path)),
        Error::OnlyThere { name } => Problem::new("only_there", NeedsYou, &[]).text("place", name),
        Error::LastPlace { name } => Problem::new("last_place", Note, &[ChoosePlace]).text("place", name),
        Error::NoMove { name } => Problem::new("no_move", Note, &[ChoosePlace]).text("place", name),
        Error::PlaceKeys { name } => {
            Problem::new("place_keys", NeedsYou, &[ChangeKeys, ShowDetail]).text("place", name)
        }
        Error::PlaceWithoutKeys { name } => Problem::new("place_without_keys", Note, &[]).text("place", name),
        Error::BucketSetting { field } => Problem::new("bucket_setting", NeedsYou, &[]).with("field", of_field(*field)),
        Error::NoHost { did } => Problem::new("no_host", NeedsYou, &[TryAgain]).text("did", did),
        Error::BadIdentityLog { did, reason } => Problem::new("identity_log_bad", Danger, &[TryAgain, ShowDetail])
            .text("did", did)
            .detail(reason),
        Error::Unproved { did, findings, dropped } => {
            let mut all: Vec<String> = findings.iter().map(|f| format!("{}: {}", f.code, f.detail)).collect();
            if *dropped > 0 {
                all.push(format!("dropped to save room: {dropped} earlier answers"));
            }
            Problem::new("repo_unproved", Danger, &[BackUpNow, ShowDetail])
                .text("did", did)
                .detail(all.join("\n"))
        }
        Error::FutureRev { did, rev } => Problem::new("future_rev", NeedsYou, &[TryAgain])
            .text("did", did)
            .text("rev", rev),
        Error::StaleKey { did, operation } => {
            let detail = operation.map_or_else(|| did.to_string(), |cid| format!("{did}, operation {cid}"));
            Problem::new("stale_key", Danger, &[TryAgain, ShowDetail]).detail(detail)
        }
        Error::Import { path, reason } => Problem::new("import_failed", NeedsYou, &[])
            .with("file", shown(path))
            .with("reason", of_import(*reason)),
        Error::NoVaultInBucket { address } => Problem::new("no_backup_bucket", Note, &[]).text("folder", address),
        Error::NoPast { name } => Problem::new("no_past", NeedsYou, &[]).text("place", name),
        Error::NothingThen { address } => Problem::new("nothing_then", Note, &[]).text("place", address),
        Error::NoBackup { path } => Problem::new("no_backup", Note, &[ChoosePlace]).with("folder", shown(path)),
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
            Problem::new(code, NeedsYou, &[ShowDetail])
                .with("file", shown(path))
                .text("did", did)
                .text("other", other.map(ToString::to_string).unwrap_or_default())
                .detail(all.join("\n"))
        }
        Error::ExportNotEmpty { path } => {
            Problem::new("export_not_empty", Note, &[ChoosePlace]).with("folder", shown(path))
        }
        Error::SnapshotBroken { id, reason } => {
            Problem::new("snapshot_broken", Danger, &[CheckNow, ShowDetail]).detail(format!("{id}: {reason}"))
        }
        Error::SnapshotAway { id, places, reason } => Problem::new("snapshot_away", NeedsYou, &[TryAgain, ShowDetail])
            .text("place", places)
            .detail(format!("{id}: {reason}")),
        Error::Stopped => Problem::new("stopped", Note, &[BackUpNow]),
    }
}

fn of_net(error: &Net) -> Problem {
    match error {
        Net::RepoNotFound { host, .. } => Problem::new("account_missing", Danger, &[TryAgain]).text("host", host),
        Net::RepoTakendown { host, .. } => Problem::new("account_takendown", NeedsYou, &[]).text("host", host),
        Net::RepoSuspended { host, .. } => Problem::new("account_suspended", NeedsYou, &[]).text("host", host),
        Net::RepoDeactivated { host, .. } => Problem::new("account_deactivated", Note, &[]).text("host", host),
        Net::AuthRequired { host } => Problem::new("sign_in_needed", NeedsYou, &[TryAgain]).text("host", host),
        Net::RateLimited { host, .. } => Problem::new("host_busy", Note, &[]).text("host", host),
        Net::Unreachable { host, .. } | Net::Stalled { host } => {
            Problem::new("host_unreachable", Note, &[TryAgain, EnterDid, ShowDetail]).text("host", host)
        }
        Net::BlobNotFound { host }
        | Net::Xrpc { host, .. }
        | Net::Http { host, .. }
        | Net::TooLarge { host, .. }
        | Net::BadBody { host, .. }
        | Net::Malformed { host, .. } => {
            Problem::new("host_error", NeedsYou, &[TryAgain, ShowDetail]).text("host", host)
        }
        Net::Refused { host, reason } => match reason {
            Refusal::PrivateAddress | Refusal::PlainHttp | Refusal::Downgrade | Refusal::Redirect => {
                Problem::new("host_unsafe", NeedsYou, &[ShowDetail]).text("host", host)
            }
            Refusal::Scheme | Refusal::Address => {
                Problem::new("host_address", NeedsYou, &[ShowDetail]).text("host", host)
            }
        },
        Net::Input { text } => Problem::new("not_an_account", Note, &[TryAgain]).text("text", text),
        Net::HandleNotFound { handle } => {
            Problem::new("handle_not_found", Note, &[TryAgain, EnterDid]).text("handle", handle)
        }
        Net::HandleUnreachable { handle, .. } => {
            Problem::new("handle_unreachable", Note, &[TryAgain, EnterDid, ShowDetail]).text("handle", handle)
        }
        Net::HandleMismatch { handle, .. } => {
            Problem::new("handle_mismatch", NeedsYou, &[EnterDid, ShowDetail]).text("handle", handle)
        }
        Net::DidNotFound { did } => Problem::new("identity_not_found", Note, &[TryAgain]).text("did", did),
        Net::DidTombstoned { did } => Problem::new("identity_ended", Danger, &[ShowDetail]).text("did", did),
        Net::DidUnsupported { did } => Problem::new("identity_unsupported", Note, &[]).text("did", did),
        Net::Config { variable, fault } => Problem::new("setting_wrong", NeedsYou, &[])
            .text("name", variable)
            .with("reason", of_setting(*fault)),
        Net::Setup { .. } => Problem::new("no_secure_network", NeedsYou, &[ShowDetail]),
        Net::File(source) if source.kind() == ErrorKind::StorageFull => {
            Problem::new("computer_full", NeedsYou, &[TryAgain]).with("folder", "")
        }
        Net::File(_) => Problem::new("data_folder", NeedsYou, &[TryAgain, ShowDetail]).with("folder", ""),
        Net::Cancelled => Problem::new("stopped", Note, &[BackUpNow]),
    }
}

fn of_place(error: &Vault) -> Problem {
    match error {
        Vault::Missing => Problem::new("place_missing", Note, &[TryAgain, ChoosePlace]),
        Vault::ReadOnly => Problem::new("place_read_only", NeedsYou, &[TryAgain, ChoosePlace]),
        Vault::Full { .. } => Problem::new(PLACE_FULL, NeedsYou, &[TryAgain, ChoosePlace]),
        Vault::FileTooLarge { .. } => Problem::new("place_file_too_large", NeedsYou, &[ChoosePlace, ShowDetail]),
        Vault::NotAVault { .. } => Problem::new("place_not_vault", NeedsYou, &[ChoosePlace, TryAgain]),
        Vault::NotEmpty => Problem::new("place_not_empty", NeedsYou, &[ChoosePlace]),
        Vault::OtherVault { .. } => Problem::new("place_other", NeedsYou, &[ChoosePlace, TryAgain]),
        Vault::NewerFormat { .. } => Problem::new("vault_newer", NeedsYou, &[ShowDetail]),
        Vault::Stopped => Problem::new("stopped", Note, &[BackUpNow]),
        Vault::NameTaken { .. }
        | Vault::Damaged { .. }
        | Vault::Absent { .. }
        | Vault::Invalid { .. }
        | Vault::TooLarge { .. }
        | Vault::NotAFile { .. } => Problem::new("place_damaged", Danger, &[CheckNow, ShowDetail]),
        Vault::Server { server, trouble, .. } => server::of_server(server, trouble),
        Vault::Io { .. }
        | Vault::WrongFrom { .. }
        | Vault::OtherAccount { .. }
        | Vault::UnsupportedDid { .. }
        | Vault::Protocol(_)
        | Vault::Random => Problem::new("place_failed", NeedsYou, &[TryAgain, ShowDetail]),
    }
}

fn of_staging(error: &Vault) -> Problem {
    match error {
        Vault::Full { .. } => Problem::new("computer_full", NeedsYou, &[TryAgain]).with("folder", ""),
        Vault::UnsupportedDid { did } => Problem::new("identity_unsupported", Note, &[]).text("did", did),
        Vault::NewerFormat { .. } => Problem::new(NEWER, NeedsYou, &[ShowDetail]),
        Vault::Stopped => Problem::new("stopped", Note, &[BackUpNow]),
        Vault::Missing | Vault::ReadOnly | Vault::FileTooLarge { .. } | Vault::Server { .. } | Vault::Io { .. } => {
            Problem::new("data_folder", NeedsYou, &[TryAgain, ShowDetail]).with("folder", "")
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
        | Vault::Random => Problem::new("staging_damaged", NeedsYou, &[BackUpNow, ShowDetail]),
    }
}

fn of_catalogue(error: &catalogue::Error) -> Problem {
    match error {
        catalogue::Error::Newer { .. } => Problem::new(NEWER, NeedsYou, &[]),
        catalogue::Error::Full => Problem::new("computer_full", NeedsYou, &[TryAgain]).with("folder", ""),
        _ => Problem::new("catalogue_failed", NeedsYou, &[TryAgain, ShowDetail]),
    }
}

fn of_keys(error: &keys::Error) -> Problem {
    use keys::Error as Keys;
    let passphrase = |reason| Problem::new("passphrase_wrong", NeedsYou, &[ShowDetail]).with("reason", reason);
    match error {
        Keys::Setting { variable, fault } => Problem::new("setting_wrong", NeedsYou, &[])
            .text("name", variable)
            .with(
                "reason",
                match fault {
                    SettingFault::NoFile => Word::NoFileNamed,
                    SettingFault::NoStore => Word::NoKeyStore,
                },
            ),
        Keys::PassphraseMissing { .. } => passphrase(Word::PassphraseMissing),
        Keys::PassphraseExposed { .. } => passphrase(Word::PassphraseExposed),
        Keys::PassphraseForeign { .. } => passphrase(Word::PassphraseForeign),
        Keys::PassphraseUnusable { .. } => passphrase(Word::PassphraseUnusable),
        Keys::WrongPassphrase { .. } => passphrase(Word::PassphraseOther),
        Keys::NoKeychain(_)
        | Keys::Locked(_)
        | Keys::NoAnswer { .. }
        | Keys::Keychain(_)
        | Keys::Ambiguous { .. }
        | Keys::Name { .. }
        | Keys::TooLarge { .. }
        | Keys::NotKept { .. }
        | Keys::Damaged { .. }
        | Keys::NoRandomness
        | Keys::Io { .. } => Problem::new(KEYCHAIN_FAILED, NeedsYou, &[TryAgain, ShowDetail]),
    }
}

const fn of_what(what: What) -> Word {
    match what {
        What::Account => Word::NoAccount,
        What::Place => Word::NoPlace,
        What::Snapshot => Word::NoSnapshot,
    }
}

const fn of_field(field: BucketField) -> Word {
    match field {
        BucketField::Endpoint => Word::Endpoint,
        BucketField::Bucket => Word::Bucket,
        BucketField::Region => Word::Region,
        BucketField::Prefix => Word::Prefix,
    }
}

const fn of_setting(fault: ConfigFault) -> Word {
    match fault {
        ConfigFault::NoSwitch => Word::NoSwitch,
        ConfigFault::NoWebAddress => Word::NoWebAddress,
        ConfigFault::MoreThanAddress => Word::MoreThanAddress,
        ConfigFault::NoIp => Word::NoIp,
    }
}

const fn of_import(fault: ImportFault) -> Word {
    match fault {
        ImportFault::NoRepository => Word::NoRepository,
        ImportFault::UnderWay => Word::UnderWay,
        ImportFault::TooManyFiles => Word::TooManyFiles,
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
