//! Where the engine stands: opened once, asked by every command, closed before the process ends.
//!
//! When the engine cannot be opened (another one holds the data folder, the disk is full), every command answers with
//! that problem, and the next command tries again: a person mends it and goes on, without starting Skykeep anew.

use std::ops::Deref;
use std::time::{Duration, Instant};

use serde::Serialize;
use skykeep_engine::api::{About, Problem};
use skykeep_engine::{CancellationToken, Engine, Error, InHand, to_problem};
use specta::Type;
use tauri::{AppHandle, Manager, Runtime};
use tokio::sync::{Mutex, OnceCell};
use tokio::task::JoinHandle;

use crate::{events, tray};

/// How long the end waits for a run to stop between two files, and a closing door for whoever has just come in.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long another program may hold the data folder, as the command line does on an errand, before a person is told.
const ERRAND: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What a command answers when the engine refused: the problem, as a person reads it.
#[derive(Debug, Serialize, Type)]
#[serde(transparent)]
pub(crate) struct Refused(Problem);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        tracing::info!(%error, "refused");
        Self(to_problem(&error))
    }
}

/// The one engine of this process, and what runs beside it.
#[derive(Default)]
pub(crate) struct Desk {
    engine: OnceCell<Engine>,
    scheduler: Mutex<Option<JoinHandle<()>>>,
    door: Mutex<Option<(CancellationToken, JoinHandle<()>)>>,
    cancel: CancellationToken,
}

/// The engine for one errand, which is in hand until this is dropped.
pub(crate) struct AtWork<'a> {
    engine: &'a Engine,
    _in_hand: InHand,
}

impl Deref for AtWork<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.engine
    }
}

impl Desk {
    /// The engine, opened now if it was not, with its scheduler running and its door open to the command line.
    ///
    /// Errors: why it cannot be opened.
    pub(crate) async fn engine<R: Runtime>(&self, app: &AppHandle<R>) -> Result<AtWork<'_>, Error> {
        let engine = self
            .engine
            .get_or_try_init(|| async {
                let engine = Engine::open().await?;
                tokio::spawn(events::forward(app.clone(), engine.clone()));
                let (scheduled, cancel) = (engine.clone(), self.cancel.clone());
                *self.scheduler.lock().await = Some(tokio::spawn(async move { scheduled.run_until(cancel).await }));
                self.open_door_of(&engine).await;
                Ok::<_, Error>(engine)
            })
            .await?;
        Ok(AtWork {
            engine,
            _in_hand: engine.take_in_hand(),
        })
    }

    /// Something that is not to be cut off; nothing while there is no engine.
    pub(crate) fn take_in_hand(&self) -> Option<InHand> {
        self.engine.get().map(Engine::take_in_hand)
    }

    /// Whether nothing is in hand.
    pub(crate) fn is_idle(&self) -> bool {
        self.engine.get().is_none_or(Engine::is_idle)
    }

    /// Waits until nothing is in hand.
    pub(crate) async fn idle(&self) {
        if let Some(engine) = self.engine.get() {
            engine.idle().await;
        }
    }

    /// Lets the command line in, if it is not.
    pub(crate) async fn open_door(&self) {
        if let Some(engine) = self.engine.get() {
            self.open_door_of(engine).await;
        }
    }

    async fn open_door_of(&self, engine: &Engine) {
        let mut door = self.door.lock().await;
        if door.is_some() {
            return;
        }
        let (engine, closing) = (engine.clone(), self.cancel.child_token());
        let closed = closing.clone();
        let serves = tokio::spawn(async move {
            if let Err(error) = engine.serve(closed).await {
                tracing::warn!(%error, "the command line will not find this engine");
            }
        });
        *door = Some((closing, serves));
    }

    /// Lets nobody in any more. Who has come in is served to the end; when that takes long, it is in hand.
    pub(crate) async fn close_door(&self) {
        if let Some((closing, serves)) = self.door.lock().await.take() {
            closing.cancel();
            let _ = tokio::time::timeout(PATIENCE, serves).await;
        }
    }

    /// Stops what runs, and waits for it, but not for ever: the vault is whole at any moment.
    pub(crate) async fn close(&self) {
        self.cancel.cancel();
        if let Some(engine) = self.engine.get() {
            engine.shut_down();
        }
        if let Some(scheduler) = self.scheduler.lock().await.take()
            && tokio::time::timeout(PATIENCE, scheduler).await.is_err()
        {
            tracing::warn!("a run did not stop in time");
        }
    }
}

/// Opens the engine at the start, and tells the person when that fails.
///
/// Another program that holds the data folder is waited for: nobody may come by to try again.
pub(crate) async fn start<R: Runtime>(app: AppHandle<R>) {
    let began = Instant::now();
    let mut told = false;
    loop {
        let error = match app.state::<Desk>().engine(&app).await {
            Ok(engine) => return tray::refresh(&app, &engine).await,
            Err(error) => error,
        };
        let waits = matches!(error, Error::EngineRunning { .. });
        if !told && (!waits || began.elapsed() >= ERRAND) {
            told = true;
            tracing::error!(%error, "the engine did not open");
            tray::needs_you(&app);
            events::notify(&app, About::App, to_problem(&error));
        }
        if !waits {
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
