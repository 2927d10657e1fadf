//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Skykeep keeps verified backups of AT Protocol (Bluesky) accounts.
#[derive(Debug, Parser)]
#[command(name = "skykeep-cli", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// One JSON document on standard output, as docs/cli.md describes it
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Log to standard error; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Accounts to keep
    Account {
        #[command(subcommand)]
        verb: AccountVerb,
    },
    /// Places to keep them in
    Place {
        #[command(subcommand)]
        verb: PlaceVerb,
    },
    /// Everyone whose backups are on a place, and how much room there is
    Family {
        /// Only this place: its id, name or folder
        place: Option<String>,
        /// Measure what everyone uses again
        #[arg(long)]
        anew: bool,
    },
    /// Back up now and wait for the end
    #[command(group = clap::ArgGroup::new("which").required(true))]
    Backup {
        /// Handle or DID of an account
        #[arg(group = "which")]
        account: Option<String>,
        /// Every account
        #[arg(long, group = "which")]
        all: bool,
    },
    /// How well everything is kept
    Status,
    /// The snapshots of an account, newest first
    Snapshots {
        /// Handle or DID
        account: String,
    },
    /// What changed between two snapshots
    Compare {
        /// Handle or DID
        account: String,
        /// The earlier snapshot
        earlier: String,
        /// The later snapshot
        later: String,
    },
    /// Look whether everything is there, and prove manifests and lists; --read-all hashes every file and mends
    Check {
        /// Only this place: its id, name or folder
        place: Option<String>,
        /// The same, as an option
        #[arg(long = "place", hide = true, conflicts_with = "place")]
        of: Option<String>,
        /// Hash every file again, and write what is damaged anew where another copy is in reach
        #[arg(long)]
        read_all: bool,
    },
    /// Write what is damaged anew where another copy is in reach, and name the rest with what it hurts
    Heal {
        /// Only this place: its id, name or folder
        place: Option<String>,
    },
    /// Write a snapshot as plain files that any other tool reads
    Export {
        /// Handle or DID
        account: String,
        /// The snapshot; the newest without
        #[arg(long)]
        snapshot: Option<String>,
        /// A new or empty folder
        #[arg(long)]
        to: PathBuf,
        /// Read it from this place alone: its id, name, folder or address
        #[arg(long)]
        from: Option<String>,
        /// Read what that place held then (UTC): 2026-11-22, its first moment, or 2026-11-22T14:00; for a bucket that
        /// keeps versions
        #[arg(long, value_name = "WHEN", requires = "from", value_parser = when)]
        as_of: Option<Timestamp>,
    },
    /// Keep what another tool has saved: CAR files and folders of blobs
    Import {
        /// Handle or DID
        account: String,
        /// Files and folders
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Say what is in a vault or another tool's backup, and change nothing
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Look {
        /// A folder or a file
        #[arg(required = true)]
        path: Option<PathBuf>,
        #[command(subcommand)]
        elsewhere: Option<LookElsewhere>,
    },
    /// Take over what a vault holds: one in a folder, or one in a bucket
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Rebuild {
        /// The vault's folder
        #[arg(long, required = true)]
        from: Option<PathBuf>,
        #[command(subcommand)]
        elsewhere: Option<Elsewhere>,
    },
    /// Vaults that are no place yet
    Vault {
        #[command(subcommand)]
        verb: VaultVerb,
    },
    /// Say that a sudden loss was meant
    ConfirmShrink {
        /// Handle or DID
        account: String,
    },
    /// How things stand and what happened lately, for somebody who helps; no secret is in it
    Report,
    /// Back up by the hour until ended: for a server or NAS
    Run,
    /// Look at a file, without engine, data folder or network
    Inspect {
        #[command(subcommand)]
        what: InspectVerb,
    },
}

impl Verb {
    /// What has two names, under the one that is carried out.
    pub(crate) fn plain(self) -> Self {
        match self {
            Self::Vault {
                verb: VaultVerb::Open { folder, elsewhere },
            } => Self::Rebuild {
                from: folder,
                elsewhere,
            },
            verb => verb,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum VaultVerb {
    /// Take over what a vault holds, and go on with it from here: as `rebuild`
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Open {
        /// The vault's folder
        #[arg(required = true)]
        folder: Option<PathBuf>,
        #[command(subcommand)]
        elsewhere: Option<Elsewhere>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountVerb {
    /// Begin to keep an account
    Add {
        /// Handle, DID or the address of a profile
        account: String,
        /// It is somebody else's, who asked for it
        #[arg(long)]
        theirs: bool,
    },
    /// List the accounts
    List,
    /// Pause what is scheduled; `backup` goes on
    #[command(group = clap::ArgGroup::new("whom").required(true))]
    Pause {
        /// Handle or DID
        #[arg(group = "whom")]
        account: Option<String>,
        /// Every account
        #[arg(long, group = "whom")]
        all: bool,
        /// For so many hours; until `account resume` without
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=8760))]
        hours: Option<u32>,
    },
    /// End a pause
    #[command(group = clap::ArgGroup::new("whom").required(true))]
    Resume {
        /// Handle or DID
        #[arg(group = "whom")]
        account: Option<String>,
        /// Every account
        #[arg(long, group = "whom")]
        all: bool,
    },
    /// No longer bring an account to a place; what is there stays
    Leave {
        /// Handle or DID
        account: String,
        /// The place's id, name or folder
        place: String,
        /// Also when no other place holds all of it
        #[arg(long)]
        sure: bool,
    },
    /// Bring an account to a place again
    Return {
        /// Handle or DID
        account: String,
        /// The place's id, name or folder
        place: String,
    },
    /// Copy everything that a place holds of an account, whoever keeps it, into a vault of its own
    TakeAlong {
        /// Handle, DID, or the account's folder there
        account: String,
        /// The place's id, name or folder
        place: String,
        /// A new or empty folder, or a vault
        #[arg(long)]
        to: PathBuf,
    },
    /// Stop keeping an account; its backups stay
    Remove {
        /// Handle or DID
        account: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlaceVerb {
    /// Make something a place
    Add {
        #[command(subcommand)]
        kind: PlaceKind,
    },
    /// List the places
    List,
    /// Find out whether backups can go to a place, and what its server can
    Test {
        /// Its id, name, folder or address
        place: String,
    },
    /// Let backups go to a place no more; what it holds is read as ever
    Retire {
        /// Its id, name, folder or address
        place: String,
    },
    /// Say what each account may use of a place before that is said; nothing is ever refused
    Share {
        /// Its id, name, folder or address
        place: String,
        /// Whole gigabytes; without, the same part for everyone
        #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        gigabytes: Option<u64>,
    },
    /// Let backups go there again, or call its move off
    Resume {
        /// Its id, name, folder or address
        place: String,
    },
    /// Let another place stand in for it, once that one has all that this one holds
    Move {
        /// Its id, name, folder or address
        place: String,
        /// The other place: its id, name, folder or address
        #[arg(long)]
        to: String,
    },
    /// Give a bucket other keys: they are asked for, tried, and kept in the keychain instead of the old ones
    Keys {
        /// Its id, name or address
        place: String,
        /// Read the access key and the secret key, a line each, from this open file descriptor instead of asking
        #[arg(long, value_name = "FD")]
        secrets_from: Option<u32>,
    },
    /// Forget a place; what it holds stays
    Remove {
        /// Its id, name or folder
        place: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlaceKind {
    /// A folder, here or on a drive
    Folder {
        /// The folder; it is made if it is not there
        path: PathBuf,
        /// What to call it; the folder's name without
        #[arg(long)]
        name: Option<String>,
    },
    /// A bucket of S3-compatible storage; its keys are asked for, and kept in the keychain
    S3(BucketArguments),
}

/// Where a vault is that is in no folder.
#[derive(Debug, Subcommand)]
pub(crate) enum Elsewhere {
    /// A vault in a bucket of S3-compatible storage; its keys are asked for, and kept in the keychain
    S3 {
        #[command(flatten)]
        bucket: BucketArguments,
        /// Bring back what it held then (UTC): 2026-11-22, its first moment, or 2026-11-22T14:00; for a bucket that keeps
        /// versions. It is only read then, and what it held is copied to a folder
        #[arg(long, value_name = "WHEN", requires = "to", conflicts_with = "name", value_parser = when)]
        as_of: Option<Timestamp>,
        /// The folder for it: new, empty, or with a vault. It becomes a place
        #[arg(long, requires = "as_of")]
        to: Option<PathBuf>,
    },
}

/// What can be looked into that is in no folder.
#[derive(Debug, Subcommand)]
pub(crate) enum LookElsewhere {
    /// A bucket of S3-compatible storage; its keys are asked for, and not kept
    S3 {
        #[command(flatten)]
        bucket: BucketArguments,
        /// What it held then (UTC): 2026-11-22, its first moment, or 2026-11-22T14:00; for a bucket that keeps versions
        #[arg(long, value_name = "WHEN", value_parser = when)]
        as_of: Option<Timestamp>,
    },
}

/// A day, by its first moment, or a time; in UTC unless it says otherwise.
fn when(text: &str) -> Result<Timestamp, String> {
    let at = |time: DateTime| time.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    let read = text.parse::<Timestamp>().or_else(|_| text.parse().and_then(at));
    read.map_err(|_| "neither a date, as 2026-11-22, nor a time, as 2026-11-22T14:00".to_owned())
}

#[derive(Debug, clap::Args)]
pub(crate) struct BucketArguments {
    /// The server, as https://s3.example.org
    #[arg(long)]
    pub(crate) endpoint: String,
    /// The bucket; it must exist
    #[arg(long)]
    pub(crate) bucket: String,
    /// The region that requests are signed for
    #[arg(long, default_value = "us-east-1")]
    pub(crate) region: String,
    /// A folder in the bucket
    #[arg(long, default_value = "")]
    pub(crate) prefix: String,
    /// Ask for https://BUCKET.SERVER instead of https://SERVER/BUCKET
    #[arg(long)]
    pub(crate) in_host: bool,
    /// What to call it; the bucket's name without
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Read the access key and the secret key, a line each, from this open file descriptor instead of asking
    #[arg(long, value_name = "FD")]
    pub(crate) secrets_from: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum InspectVerb {
    /// Prove a repository
    Car {
        /// The CAR file
        file: PathBuf,
        /// Expect it to be this account's
        #[arg(long)]
        did: Option<String>,
        /// Judge the signature by this key; again for earlier keys, newest first
        #[arg(long)]
        signing_key: Vec<String>,
    },
    /// Audit the history of an identity
    PlcLog {
        /// The answer of a directory's /log/audit
        file: PathBuf,
        /// Expect it to be this account's
        #[arg(long)]
        did: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_or_a_moment_of_utc() {
        let check = |text: &str, expected: Option<&str>| {
            let read = when(text).ok().map(|at| at.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        };
        check("2026-11-22", Some("2026-11-22T00:00:00Z"));
        check("2026-11-22T14:00", Some("2026-11-22T14:00:00Z"));
        check("2026-11-22 14:00:30", Some("2026-11-22T14:00:30Z"));
        check("2026-11-22T14:00:00Z", Some("2026-11-22T14:00:00Z"));
        check("2026-11-22T14:00:00+02:00", Some("2026-11-22T12:00:00Z"));
        check("2026-11-31", None);
        check("yesterday", None);
        check("", None);
    }

    #[test]
    fn what_was_is_read_only_where_it_can_be() {
        let bucket = ["--endpoint", "https://s3.example.org", "--bucket", "b"];
        let check = |verb: &[&str], at: &[&str], expected: bool| {
            let typed = [&["skykeep-cli"], verb, at].concat();
            assert_eq!(Arguments::try_parse_from(&typed).is_ok(), expected, "{typed:?}");
        };
        let then = ["--as-of", "2026-11-22"];
        check(&["look", "s3"], &bucket, true);
        check(&["look", "s3"], &[&bucket[..], &then].concat(), true);
        check(&["look", "/media/drive"], &[], true);
        check(&["look"], &[], false);
        check(&["look", "/media/drive"], &then, false);
        check(&["rebuild", "s3"], &bucket, true);
        check(&["rebuild", "s3"], &[&bucket[..], &then, &["--to", "x"]].concat(), true);
        check(&["rebuild", "s3"], &[&bucket[..], &then].concat(), false);
        check(&["rebuild", "s3"], &[&bucket[..], &["--to", "x"]].concat(), false);
        check(&["vault", "open", "s3"], &bucket, true);
        check(&["vault", "open", "s3"], &[&bucket[..], &then].concat(), false);
        check(&["vault", "open", "/media/drive"], &[], true);
        check(&["vault", "open"], &[], false);
        check(&["export", "a.test", "--to", "x", "--from", "Cloud"], &then, true);
        check(&["export", "a.test", "--to", "x"], &then, false);
    }
}
