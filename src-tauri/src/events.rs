//! The engine's events, carried to the window, the tray and the desktop's notifications.

use notify_rust::{Hint, Notification, Urgency};
use serde::{Deserialize, Serialize};
use skykeep_engine::api::{About, Event, Problem, Severity};
use skykeep_engine::{Engine, words};
use specta::Type;
use tauri::{AppHandle, Manager, Runtime};
use tauri_specta::Event as _;
use tokio::sync::broadcast::error::RecvError;

use crate::desk::Desk;
use crate::{tray, window};

/// An event of the engine on its way to the window.
#[derive(Debug, Clone, Serialize, Deserialize, Type, tauri_specta::Event)]
pub(crate) struct EngineEvent(pub(crate) Event);

/// Carries events until the engine is gone.
pub(crate) async fn forward<R: Runtime>(app: AppHandle<R>, engine: Engine) {
    let mut events = engine.events();
    loop {
        match events.recv().await {
            Ok(event) => carry(&app, &engine, event).await,
            // Some were lost: whoever listens asks for everything again.
            Err(RecvError::Lagged(_)) => {
                carry(&app, &engine, Event::Accounts).await;
                carry(&app, &engine, Event::Places).await;
            }
            Err(RecvError::Closed) => return,
        }
    }
}

async fn carry<R: Runtime>(app: &AppHandle<R>, engine: &Engine, event: Event) {
    if let Err(error) = EngineEvent(event.clone()).emit(app) {
        tracing::warn!(%error, "an event did not reach the window");
    }
    match event {
        Event::Run { progress: Some(_), .. } => tray::working(app),
        Event::Run { progress: None, .. } | Event::Accounts => tray::refresh(app, engine).await,
        Event::Preferences => {
            // Perhaps in another language.
            tray::reword(app);
            tray::refresh(app, engine).await;
        }
        Event::Places | Event::Check { .. } => {}
        Event::Notify { about, problem } => notify(app, about, problem),
    }
}

/// Shows a problem as a desktop notification; choosing it opens the page that helps.
///
/// It waits on a thread of its own for as long as the notification stands, which is how the desktop reports the choice.
pub(crate) fn notify<R: Runtime>(app: &AppHandle<R>, about: About, problem: Problem) {
    let app = app.clone();
    // As long as it can be clicked, there is somebody to hear it.
    let in_hand = app.state::<Desk>().take_in_hand();
    std::thread::spawn(move || {
        let _in_hand = in_hand;
        let urgency = if problem.severity == Severity::Danger {
            Urgency::Critical
        } else {
            Urgency::Normal
        };
        let shown = Notification::new()
            .appname("Skykeep")
            .icon("skykeep")
            .summary(&problem.happened())
            .body(&format!("{}\n{}", problem.means(), problem.todo()))
            .hint(Hint::DesktopEntry("Skykeep".into()))
            .urgency(urgency)
            .action("default", &words(&["notification"], "open", &[]))
            .show();
        match shown {
            Ok(handle) => handle.wait_for_action(|action| {
                if action == "default" {
                    window::show_page(&app, &about);
                }
            }),
            Err(error) => tracing::warn!(%error, code = problem.code, "the desktop took no notification"),
        }
    });
}
