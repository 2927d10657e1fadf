//! One engine a data folder: whoever comes second hands its request to the one that runs.
//!
//! A [`Door`] is the engine, opened here or running elsewhere; a [`Request`] goes through it and a [`Reply`] comes back,
//! with progress on the way. Elsewhere means a local socket in the data folder that only its owner can open; both sides
//! speak lines of JSON. No secret crosses it. Closing the connection stops nothing: what was begun goes on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use skykeep_atproto::Did;

use crate::api::{Account, Check, Comparison, Millis, Opened, Place, Problem, Progress, Run, RunEnd, Snapshot, Whose};
use crate::{CancellationToken, Engine, Error, Exported, Imported, on_heap, problem};

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
    /// Forget a place.
    RemovePlace {
        /// Its id, name or folder.
        place: String,
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
    /// Hash every file of a place, or of all, again.
    Check {
        /// Its id, name or folder.
        place: Option<String>,
    },
    /// Write a snapshot as plain files.
    Export {
        /// DID or handle.
        account: String,
        /// The snapshot; the newest without.
        snapshot: Option<String>,
        /// The folder, absolute, new or empty.
        folder: PathBuf,
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
    Ended(Vec<Ended>),
    Snapshots(Vec<Snapshot>),
    Comparison(Comparison),
    Checks(Vec<Check>),
    Exported(Exported),
    Imported(Imported),
    Opened(Opened),
    Report(String),
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

    /// Has a request carried out. `progress` hears what the run under way is doing.
    pub async fn ask(&self, request: Request, progress: impl FnMut(Progress) + Send) -> Result<Reply, Problem> {
        match self {
            Self::Here(engine) => engine.answer_with(request, progress).await,
            Self::There(there) => there.ask(request, progress).await,
        }
    }
}

impl Engine {
    /// Carries out a request, and tells `progress` what runs are doing meanwhile.
    pub async fn answer_with(
        &self,
        request: Request,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Reply, Problem> {
        let mut events = self.events();
        let mut answer = on_heap(|| self.answer(request));
        loop {
            tokio::select! {
                biased;
                reply = &mut answer => return reply.map_err(|error| problem::to_problem(&error)),
                event = events.recv() => {
                    if let Ok(crate::api::Event::Run { progress: Some(now), .. }) = event {
                        progress(now);
                    }
                }
            }
        }
    }

    async fn answer(&self, request: Request) -> Result<Reply, Error> {
        Ok(match request {
            Request::Accounts => Reply::Accounts(on_heap(|| self.accounts()).await?),
            Request::AddAccount { text, whose } => {
                let person = on_heap(|| self.look_up(&text)).await?;
                on_heap(|| self.add_account(&person, whose)).await?;
                Reply::Account(Box::new(self.account(&person.did.parse::<Did>()?).await?))
            }
            Request::RemoveAccount { account } => {
                self.remove_account(&self.find_account(&account).await?).await?;
                Reply::Done
            }
            Request::Pause { account, until } => {
                let did = self.one_or_all(account.as_deref()).await?;
                self.pause(did.as_ref(), until).await?;
                Reply::Done
            }
            Request::Resume { account } => {
                let did = self.one_or_all(account.as_deref()).await?;
                self.resume(did.as_ref()).await?;
                Reply::Done
            }
            Request::LookInto { path } => Reply::Opened(on_heap(|| self.look_into(&path)).await?),
            Request::Report => Reply::Report(on_heap(|| self.report()).await?),
            Request::Places => Reply::Places(self.places().await?),
            Request::AddFolder { path, name } => Reply::Place(on_heap(|| self.add_folder(&path, name)).await?),
            Request::RemovePlace { place } => {
                self.remove_place(&place).await?;
                Reply::Done
            }
            Request::BackUp { account } => Reply::Ended(on_heap(|| self.back_up_each(account.as_deref())).await?),
            Request::Snapshots { account } => {
                Reply::Snapshots(self.snapshots(&self.find_account(&account).await?).await?)
            }
            Request::Compare {
                account,
                earlier,
                later,
            } => {
                let did = self.find_account(&account).await?;
                Reply::Comparison(on_heap(|| self.compare(&did, &earlier, &later)).await?)
            }
            Request::Check { place } => Reply::Checks(on_heap(|| self.check(place.as_deref())).await?),
            Request::Export {
                account,
                snapshot,
                folder,
            } => {
                let did = self.find_account(&account).await?;
                Reply::Exported(on_heap(|| self.export(&did, snapshot.as_deref(), &folder)).await?)
            }
            Request::Import { account, paths } => Reply::Imported(on_heap(|| self.import(&account, &paths)).await?),
            Request::Rebuild { vault } => Reply::Accounts(on_heap(|| self.take_over(&vault)).await?),
            Request::ConfirmShrink { account } => {
                self.confirm_shrink(&self.find_account(&account).await?).await?;
                Reply::Done
            }
            Request::Runs { account, limit } => {
                let did = self.one_or_all(account.as_deref()).await?;
                Reply::Runs(self.runs(did.as_ref(), limit).await?)
            }
        })
    }

    /// The account that is meant; `None` when all are.
    async fn one_or_all(&self, account: Option<&str>) -> Result<Option<Did>, Error> {
        match account {
            Some(account) => Ok(Some(self.find_account(account).await?)),
            None => Ok(None),
        }
    }

    async fn back_up_each(&self, account: Option<&str>) -> Result<Vec<Ended>, Error> {
        let dids = match account {
            Some(account) => vec![self.find_account(account).await?],
            None => self
                .inner
                .settings()
                .accounts
                .into_iter()
                .map(|account| account.did)
                .collect(),
        };
        let mut ends = Vec::new();
        for did in dids {
            ends.push(Ended {
                account: did.to_string(),
                end: self.back_up(&did).await?,
            });
        }
        Ok(ends)
    }
}

/// One line from the engine that runs elsewhere.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Progress(Progress),
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

#[cfg(unix)]
mod socket {
    //! Unix sockets: the folder is its owner's alone, the socket too, and who connects is asked for besides.

    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    use futures_util::StreamExt;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{UnixListener, UnixStream};
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;
    use tracing::{debug, warn};

    use super::{
        CancellationToken, Engine, Error, Line, Problem, Progress, Reply, Request, There, problem, socket_path,
    };

    /// Longest line that is read, in bytes: the paths of a million changed records fit.
    const MAX_LINE: u64 = 128 << 20;

    /// How long an engine that ends waits for the request of somebody who has come in.
    const LAST_WORDS: Duration = Duration::from_secs(2);

    impl Engine {
        /// Answers requests from other programs of the same person until `cancel`, and those that came before it to
        /// their end.
        ///
        /// Errors: `Data` when the socket cannot be made.
        pub async fn serve(&self, cancel: CancellationToken) -> Result<(), Error> {
            let path = socket_path(self.data_folder());
            // The lock says that no other engine of this folder runs: what is there is left over.
            let _ = std::fs::remove_file(&path);
            let listener = UnixListener::bind(&path).map_err(Error::data(&path))?;
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&path, private).map_err(Error::data(&path))?;
            let owner = std::fs::metadata(&path).map_err(Error::data(&path))?.uid();
            let mut talks = JoinSet::new();
            loop {
                let accepted = tokio::select! {
                    biased;
                    accepted = listener.accept() => accepted,
                    // Only when nobody is waiting to come in.
                    () = cancel.cancelled() => break,
                    () = self.inner.shutdown.cancelled() => break,
                    Some(_) = talks.join_next() => continue,
                };
                match accepted {
                    Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| peer.uid() == owner) => {
                        let (engine, cancel) = (self.clone(), cancel.clone());
                        talks.spawn(async move {
                            if let Err(error) = engine.converse(stream, &cancel).await {
                                debug!(%error, "a conversation ended early");
                            }
                        });
                    }
                    Ok(_) => warn!("somebody else tried to use the socket"),
                    Err(error) => warn!(%error, "the socket failed"),
                }
            }
            drop(listener);
            let _ = std::fs::remove_file(&path);
            while talks.join_next().await.is_some() {}
            Ok(())
        }

        /// One request and what comes back. The request goes on when nobody listens any more.
        async fn converse(&self, stream: UnixStream, cancel: &CancellationToken) -> std::io::Result<()> {
            let (read, mut write) = stream.into_split();
            let mut line = String::new();
            let mut read = BufReader::new(read).take(MAX_LINE);
            tokio::select! {
                biased;
                read = read.read_line(&mut line) => drop(read?),
                () = self.inner.shutdown.cancelled() => return Ok(()),
                () = async {
                    cancel.cancelled().await;
                    tokio::time::sleep(LAST_WORDS).await;
                } => return Ok(()),
            }
            if line.is_empty() {
                // Somebody only looked whether anybody listens.
                return Ok(());
            }
            let request: Request = serde_json::from_str(&line)?;
            let (send, mut lines) = mpsc::channel::<Line>(64);
            let engine = self.clone();
            tokio::spawn(async move {
                // Progress may be dropped when the other side is slow; the end may not.
                let progress = |now| drop(send.try_send(Line::Progress(now)));
                let end = match engine.answer_with(request, progress).await {
                    Ok(reply) => Line::Reply(reply),
                    Err(problem) => Line::Problem(problem),
                };
                let _ = send.send(end).await;
            });
            while let Some(line) = lines.recv().await {
                let mut text = serde_json::to_vec(&line)?;
                text.push(b'\n');
                write.write_all(&text).await?;
            }
            write.shutdown().await
        }
    }

    impl There {
        /// The way to whoever listens; `None` when nobody does.
        pub(super) async fn connect(socket: PathBuf) -> Option<Self> {
            let first = Mutex::new(Some(UnixStream::connect(&socket).await.ok()?));
            Some(Self { socket, first })
        }

        pub(super) async fn ask(
            &self,
            request: Request,
            mut progress: impl FnMut(Progress) + Send,
        ) -> Result<Reply, Problem> {
            let failed = |source: std::io::Error| problem::to_problem(&Error::data(&self.socket)(source));
            let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
            let stream = match first {
                Some(stream) => stream,
                None => UnixStream::connect(&self.socket).await.map_err(failed)?,
            };
            let (read, mut write) = stream.into_split();
            let mut text = serde_json::to_vec(&request).map_err(|error| failed(error.into()))?;
            text.push(b'\n');
            write.write_all(&text).await.map_err(failed)?;
            let lines = BufReader::new(read.take(MAX_LINE)).lines();
            let mut lines = std::pin::pin!(futures_util::stream::unfold(lines, async |mut lines| {
                lines.next_line().await.transpose().map(|line| (line, lines))
            }));
            while let Some(line) = lines.next().await {
                match serde_json::from_str(&line.map_err(failed)?).map_err(|error| failed(error.into()))? {
                    Line::Progress(now) => progress(now),
                    Line::Reply(reply) => return Ok(reply),
                    Line::Problem(problem) => return Err(problem),
                }
            }
            Err(failed(std::io::ErrorKind::UnexpectedEof.into()))
        }
    }
}

#[cfg(not(unix))]
mod socket {
    //! No socket here yet: the second program is told that the first one runs.

    use std::path::PathBuf;

    use super::{CancellationToken, Engine, Error, Problem, Progress, Reply, Request, There, problem};

    impl Engine {
        /// Waits for `cancel`: there is nothing to serve on this system.
        pub async fn serve(&self, cancel: CancellationToken) -> Result<(), Error> {
            cancel.cancelled().await;
            Ok(())
        }
    }

    impl There {
        pub(super) async fn connect(_socket: PathBuf) -> Option<Self> {
            None
        }

        pub(super) async fn ask(
            &self,
            _request: Request,
            _progress: impl FnMut(Progress) + Send,
        ) -> Result<Reply, Problem> {
            let folder = self.socket.parent().map(Into::into).unwrap_or_default();
            Err(problem::to_problem(&Error::EngineRunning { folder }))
        }
    }
}
