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

use super::{Line, Reply, Request, There, UnderWay, socket_path};
use crate::api::Problem;
use crate::{CancellationToken, Engine, Error, problem};

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
        let _answering = self.take_in_hand();
        let request: Request = serde_json::from_str(&line)?;
        let (send, mut lines) = mpsc::channel::<Line>(64);
        let (engine, doing) = (self.clone(), self.take_in_hand());
        tokio::spawn(async move {
            let _doing = doing;
            // Progress may be dropped when the other side is slow; the end may not.
            let progress = |now| {
                drop(send.try_send(match now {
                    UnderWay::Run(now) => Line::Progress(now),
                    UnderWay::Check(now) => Line::Checking(now),
                }));
            };
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
        mut progress: impl FnMut(UnderWay) + Send,
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
                Line::Progress(now) => progress(UnderWay::Run(now)),
                Line::Checking(now) => progress(UnderWay::Check(now)),
                Line::Reply(reply) => return Ok(reply),
                Line::Problem(problem) => return Err(problem),
            }
        }
        Err(failed(std::io::ErrorKind::UnexpectedEof.into()))
    }
}
