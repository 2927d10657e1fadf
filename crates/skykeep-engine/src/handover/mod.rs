//! One engine a data folder: whoever comes second hands its request to the one that runs.
//!
//! A [`Door`] is the engine, opened here or running elsewhere; a [`Request`] goes through it and a [`Reply`] comes back,
//! with progress on the way. Elsewhere means a local socket in the data folder that only its owner can open; both sides
//! speak lines of JSON. No secret crosses it. Closing the connection stops nothing: what was begun goes on.

mod answer;
#[cfg_attr(not(unix), path = "no_socket.rs")]
mod socket;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::api::{
    Account, BucketAddress, Check, CheckHow, Checking, Comparison, Family, Millis, Opened, Place, PlaceTest, Problem,
    Progress, Run, RunEnd, Snapshot, TakenAlong, Whose,
};
use crate::diagnostics::Report;
use crate::settings::Settings;
use crate::{Engine, Error, Exported, Imported, data, words};

/// Whoever holds the lock listens only when it has opened everything, and no longer while it ends: so long one waits.
const LISTENING_PATIENCE: Duration = if cfg!(unix) {
    Duration::from_secs(30)
} else {
    Duration::ZERO
};
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What a face asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// All accounts.
    Accounts,
    /// Begin to keep an account, without running it.
    AddAccount {
        /// Handle, DID or a profile's address.
        text: String,
        /// Whose it is.
        whose: Whose,
    },
    /// Stop keeping an account.
    RemoveAccount {
        /// Its DID or handle.
        account: String,
    },
    /// Pause what is scheduled.
    Pause {
        /// One account by DID or handle; all of them without.
        account: Option<String>,
        /// Until when; until someone says go on without.
        until: Option<Millis>,
    },
    /// End a pause.
    Resume {
        /// One account by DID or handle; all of them without.
        account: Option<String>,
    },
    /// All places.
    Places,
    /// Make a folder a place.
    AddFolder {
        /// The folder, absolute.
        path: PathBuf,
        /// What to call it.
        name: Option<String>,
    },
    /// Make a bucket a place.
    AddBucket {
        /// Where it is.
        bucket: BucketAddress,
        /// The keychain's entry with its keys: see [`crate::HandedIn`].
        keys: String,
        /// What to call it.
        name: Option<String>,
    },
    /// Find out whether backups can go to a place, and what its server can.
    TestPlace {
        /// Its id, name, folder or address.
        place: String,
    },
    /// Set what each account may use of a place before that is said.
    SharePlace {
        /// Its id, name, folder or address.
        place: String,
        /// Bytes; `None`: the same part for everyone.
        share: Option<u64>,
    },
    /// Let backups go to a place no more.
    RetirePlace {
        /// Its id, name, folder or address.
        place: String,
    },
    /// Let them go there again, or call its move off.
    ResumePlace {
        /// Its id, name, folder or address.
        place: String,
    },
    /// Let another place stand in for one, once it has all that this one holds.
    MovePlace {
        /// Its id, name, folder or address.
        place: String,
        /// The same of the other.
        to: String,
    },
    /// Replace the keys to a place's bucket.
    ChangeKeys {
        /// Its id, name or address.
        place: String,
        /// The keychain's entry with its new keys: see [`crate::HandedIn`].
        keys: String,
    },
    /// Forget a place.
    RemovePlace {
        /// Its id, name or folder.
        place: String,
    },
    /// Everyone on a place, or on all.
    Family {
        /// Its id, name or folder.
        place: Option<String>,
        /// Measure what they use again.
        anew: bool,
    },
    /// No longer bring an account to a place.
    LeavePlace {
        /// DID or handle.
        account: String,
        /// The place's id, name or folder.
        place: String,
        /// Also when no other place holds all of it.
        sure: bool,
    },
    /// Bring an account to a place again.
    ReturnToPlace {
        /// DID or handle.
        account: String,
        /// The place's id, name or folder.
        place: String,
    },
    /// Copy what a place holds of an account, whoever keeps it.
    TakeAlong {
        /// DID, handle, or the account's folder there.
        account: String,
        /// The place's id, name or folder.
        place: String,
        /// Where it goes, absolute.
        folder: PathBuf,
    },
    /// Back up now and wait for the end.
    BackUp {
        /// One account by DID or handle; all of them without.
        account: Option<String>,
    },
    /// The snapshots of an account.
    Snapshots {
        /// Its DID or handle.
        account: String,
    },
    /// What changed between two snapshots.
    Compare {
        /// DID or handle.
        account: String,
        /// The earlier snapshot.
        earlier: String,
        /// The later snapshot.
        later: String,
    },
    /// Look at the files of a place, or of all, again.
    Check {
        /// Its id, name or folder.
        place: Option<String>,
        /// How thoroughly.
        #[serde(default)]
        how: CheckHow,
    },
    /// Write a snapshot as plain files.
    Export {
        /// DID or handle.
        account: String,
        /// The snapshot; the newest without.
        snapshot: Option<String>,
        /// The folder, absolute, new or empty.
        folder: PathBuf,
        /// From this place alone: its id, name, folder or address.
        #[serde(default)]
        from: Option<String>,
        /// From what that place, a bucket that keeps versions, held at this time.
        #[serde(default)]
        as_of: Option<Millis>,
    },
    /// Keep what another tool has saved.
    Import {
        /// Handle, DID or a profile's address.
        account: String,
        /// Files and folders, absolute.
        paths: Vec<PathBuf>,
    },
    /// Take over what a vault holds.
    Rebuild {
        /// The vault's folder, absolute.
        vault: PathBuf,
    },
    /// Take over what a vault in a bucket holds.
    RebuildBucket {
        /// Where it is.
        bucket: BucketAddress,
        /// The keychain's entry with its keys: see [`crate::HandedIn`].
        keys: String,
        /// What to call it.
        name: Option<String>,
    },
    /// Copy what a bucket that keeps versions held at a time into a folder, and take that over.
    RebuildPast {
        /// Where it is.
        bucket: BucketAddress,
        /// The keychain's entry with its keys: see [`crate::HandedIn`].
        keys: String,
        /// When.
        as_of: Millis,
        /// The folder, absolute, new or empty, or with a vault.
        folder: PathBuf,
    },
    /// Say what is in a bucket, and change nothing.
    LookIntoBucket {
        /// Where it is.
        bucket: BucketAddress,
        /// The keychain's entry with its keys: see [`crate::HandedIn`].
        keys: String,
        /// What was in it at this time, where it keeps versions.
        as_of: Option<Millis>,
    },
    /// Say what is in a folder or a file, and change nothing.
    LookInto {
        /// The folder or file, absolute.
        path: PathBuf,
    },
    /// How things stand and what happened lately, for somebody who helps.
    Report,
    /// Say that a sudden loss was meant.
    ConfirmShrink {
        /// DID or handle.
        account: String,
    },
    /// The last runs, newest first.
    Runs {
        /// DID or handle; all accounts without.
        account: Option<String>,
        /// How many.
        limit: usize,
    },
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "with", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is named for the type it carries")]
pub enum Reply {
    Done,
    Account(Box<Account>),
    Accounts(Vec<Account>),
    Place(Place),
    Places(Vec<Place>),
    Tested(PlaceTest),
    Families(Vec<Family>),
    TakenAlong(TakenAlong),
    Ended(Vec<Ended>),
    Snapshots(Vec<Snapshot>),
    Comparison(Comparison),
    Checks(Vec<Check>),
    Exported(Exported),
    Imported(Imported),
    Opened(Opened),
    Report(Box<Report>),
    Runs(Vec<Run>),
}

/// How the run of one account ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Whose run it was.
    pub account: String,
    /// How it ended.
    pub end: RunEnd,
}

/// The engine of a data folder, wherever it runs.
#[derive(Debug)]
pub enum Door {
    /// It was opened here.
    Here(Engine),
    /// It runs elsewhere.
    There(There),
}

/// The way to an engine that runs elsewhere.
#[derive(Debug)]
pub struct There {
    socket: PathBuf,
    /// The connection for the first request. Who has it is answered, even when the engine ends meanwhile.
    #[cfg(unix)]
    first: std::sync::Mutex<Option<tokio::net::UnixStream>>,
}

impl Door {
    /// Opens the engine of the usual data folder, or finds the one that runs. Errors as [`Engine::open_at`], but for
    /// `EngineRunning`, which means here that the running one does not listen.
    pub async fn open() -> Result<Self, Error> {
        let folder = crate::location()?;
        // Whoever is handed over puts the answer into words here.
        let chosen = Settings::load(&data::settings_in(&folder));
        words::speak(chosen.ok().and_then(|settings| settings.window.language).as_deref());
        let began = Instant::now();
        loop {
            let running = match Engine::open_at(folder.clone()).await {
                Ok(engine) => return Ok(Self::Here(engine)),
                Err(error @ Error::EngineRunning { .. }) => error,
                Err(error) => return Err(error),
            };
            if let Some(there) = There::connect(socket_path(&folder)).await {
                return Ok(Self::There(there));
            }
            if began.elapsed() >= LISTENING_PATIENCE {
                return Err(running);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Has a request carried out. `progress` hears what the run or the check under way is doing.
    pub async fn ask(&self, request: Request, progress: impl FnMut(UnderWay) + Send) -> Result<Reply, Problem> {
        match self {
            Self::Here(engine) => engine.answer_with(request, progress).await,
            Self::There(there) => there.ask(request, progress).await,
        }
    }
}

/// What is going on while a request is carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnderWay {
    /// A run.
    Run(Progress),
    /// A check of a place.
    Check(Checking),
}

/// One line from the engine that runs elsewhere.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Progress(Progress),
    Checking(Checking),
    Reply(Reply),
    Problem(Problem),
}

/// Where the socket of a data folder is: in it, or, where that path is too long for a socket, in the temporary folder
/// under a name that only this data folder has.
fn socket_path(folder: &Path) -> PathBuf {
    /// The shortest limit among the systems, less some room.
    const LONGEST: usize = 100;
    let inside = folder.join("engine.sock");
    if inside.as_os_str().len() <= LONGEST {
        return inside;
    }
    let hash = skykeep_atproto::Cid::of(skykeep_atproto::Codec::Raw, inside.as_os_str().as_encoded_bytes());
    let name = hash.to_string();
    std::env::temp_dir().join(format!("skykeep-{}.sock", &name[name.len() - 26..]))
}
