//! Where the engine stands: opened once, asked by every command, closed before the process ends.
//!
//! When the engine cannot be opened (another one holds the data folder, the disk is full), every command answers with
//! that problem, and the next command tries again: a person mends it and goes on, without starting Skykeep anew.

use std::time::Duration;

use skykeep_engine::api::Problem;
use skykeep_engine::{Engine, EngineConfig};
use tauri::{AppHandle, Manager, Runtime};
use tokio::sync::{Mutex, OnceCell};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{events, tray};

/// How long the end waits for a run to stop between two files.
const PATIENCE: Duration = Duration::from_secs(10);

/// The one engine of this process, and what runs beside it.
#[derive(Default)]
pub(crate) struct Desk {
    engine: OnceCell<Engine>,
    scheduler: Mutex<Option<JoinHandle<()>>>,
    cancel: CancellationToken,
}

impl Desk {
    /// The engine, opened now if it was not.
    ///
    /// Errors: why it cannot be opened.
    pub(crate) async fn engine<R: Runtime>(&self, app: &AppHandle<R>) -> Result<&Engine, Problem> {
        self.engine
            .get_or_try_init(|| async {
                let engine = open().await?;
                tauri::async_runtime::spawn(events::forward(app.clone(), engine.clone()));
                let (runner, cancel) = (engine.clone(), self.cancel.clone());
                let scheduler = tokio::spawn(async move { runner.run_until(cancel).await });
                *self.scheduler.lock().await = Some(scheduler);
                Ok(engine)
            })
            .await
    }

    /// Stops what runs, and waits for it, but not for ever: the vault is whole at any moment.
    pub(crate) async fn close(&self) {
        self.cancel.cancel();
        if let Some(scheduler) = self.scheduler.lock().await.take()
            && tokio::time::timeout(PATIENCE, scheduler).await.is_err()
        {
            tracing::warn!("a run did not stop in time");
        }
        if let Some(engine) = self.engine.get() {
            engine.shutdown();
        }
    }
}

/// Opens the engine at the start, and tells the person when that fails.
pub(crate) async fn start<R: Runtime>(app: AppHandle<R>) {
    match app.state::<Desk>().engine(&app).await {
        Ok(engine) => tray::refresh(&app, engine).await,
        Err(problem) => {
            tracing::error!(code = problem.code, detail = problem.detail, "the engine did not open");
            tray::needs_you(&app);
            events::notify(&app, problem);
        }
    }
}

/// Opening reads files and may migrate the catalogue, so it leaves the asynchronous threads alone.
async fn open() -> Result<Engine, Problem> {
    tokio::task::spawn_blocking(|| Engine::open(EngineConfig::from_env()?))
        .await
        .expect("opening the engine does not panic")
}
