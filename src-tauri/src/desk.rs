//! Where the engine stands: opened once, asked by every command, closed before the process ends.
//!
//! When the engine cannot be opened (another one holds the data folder, the disk is full), every command answers with
//! that problem, and the next command tries again: a person mends it and goes on, without starting Skykeep anew.

use std::time::Duration;

use serde::Serialize;
use skykeep_engine::api::{About, Problem};
use skykeep_engine::{CancellationToken, Engine, Error, to_problem};
use specta::Type;
use tauri::{AppHandle, Manager, Runtime};
use tokio::sync::{Mutex, OnceCell};
use tokio::task::JoinHandle;

use crate::{events, tray};

/// How long the end waits for a run to stop between two files.
const PATIENCE: Duration = Duration::from_secs(10);

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
    cancel: CancellationToken,
}

impl Desk {
    /// The engine, opened now if it was not, with its scheduler running and its door open to the command line.
    ///
    /// Errors: why it cannot be opened.
    pub(crate) async fn engine<R: Runtime>(&self, app: &AppHandle<R>) -> Result<&Engine, Error> {
        self.engine
            .get_or_try_init(|| async {
                let engine = Engine::open().await?;
                tokio::spawn(events::forward(app.clone(), engine.clone()));
                let (scheduled, cancel) = (engine.clone(), self.cancel.clone());
                *self.scheduler.lock().await = Some(tokio::spawn(async move { scheduled.run_until(cancel).await }));
                let (served, cancel) = (engine.clone(), self.cancel.clone());
                tokio::spawn(async move {
                    if let Err(error) = served.serve(cancel).await {
                        tracing::warn!(%error, "the command line will not find this engine");
                    }
                });
                Ok(engine)
            })
            .await
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
pub(crate) async fn start<R: Runtime>(app: AppHandle<R>) {
    match app.state::<Desk>().engine(&app).await {
        Ok(engine) => tray::refresh(&app, engine).await,
        Err(error) => {
            tracing::error!(%error, "the engine did not open");
            tray::needs_you(&app);
            events::notify(&app, About::App, to_problem(&error));
        }
    }
}
