//! The desktop face: Tauri and the operating system around one engine, and no rule of its own.
//!
//! - There is one Skykeep per session: a second start only shows the first one's window.
//! - The window is a guest. Closing it destroys it, with its web view; the engine and the tray icon stay. What the web view
//!   leaves behind is given back a little later ([`rest`]).
//! - `--hidden` starts without a window, as a start with the system does.
//! - Quit, a signal or the end of the session stop the engine cleanly before the process ends.

mod bindings;
mod commands;
mod desk;
mod events;
mod rest;
mod tray;
mod window;

use std::process::ExitCode;

use tauri::{AppHandle, Manager, RunEvent, Runtime};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::desk::Desk;

/// Start without a window.
const HIDDEN: &str = "--hidden";

/// Runs Skykeep until it is told to quit.
pub fn run() -> ExitCode {
    rest::see_off();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,skykeep=info"));
    let printed = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_filter(filter);
    // Without a home folder there is no log, and the engine says why when it opens.
    let kept = skykeep_engine::location()
        .ok()
        .map(|folder| skykeep_engine::logs::layer(&folder));
    tracing_subscriber::registry().with(printed).with(kept).init();

    let bindings = bindings::builder();
    let app = tauri::Builder::default()
        // First, so that a second start does nothing else.
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _| started_again(app, &arguments)))
        .plugin(tauri_plugin_autostart::Builder::new().arg(HIDDEN).build())
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_opener::init())
        .invoke_handler(bindings.invoke_handler())
        .setup(move |app| {
            bindings.mount_events(app);
            app.manage(Desk::default());
            app.manage(rest::Rest::new());
            tray::build(app.handle())?;
            let hidden = std::env::args().any(|argument| argument == HIDDEN);
            if !hidden {
                window::show(app.handle());
            }
            tauri::async_runtime::spawn(desk::start(app.handle().clone()));
            tauri::async_runtime::spawn(quit_on_signal(app.handle().clone()));
            Ok(())
        })
        .build(tauri::generate_context!());
    match app {
        Ok(app) => {
            app.run(on_event);
            ExitCode::SUCCESS
        }
        Err(error) => {
            if matches!(&error, tauri::Error::PluginInitialization(plugin, _) if plugin == "single-instance") {
                rest::start_once_more();
            }
            tracing::error!(%error, "the window's system did not start");
            ExitCode::FAILURE
        }
    }
}

fn on_event<R: Runtime>(app: &AppHandle<R>, event: RunEvent) {
    match event {
        // The last window was closed: the tray keeps the process. `exit(0)` comes with a code and passes.
        RunEvent::ExitRequested { code: None, api, .. } => {
            api.prevent_exit();
            rest::closed(app);
        }
        RunEvent::ExitRequested {
            code: Some(code), api, ..
        } if !rest::may_end(app, code) => api.prevent_exit(),
        RunEvent::Exit => {
            tauri::async_runtime::block_on(app.state::<Desk>().close());
            rest::begin_anew(app);
        }
        _ => {}
    }
}

fn started_again<R: Runtime>(app: &AppHandle<R>, arguments: &[String]) {
    if !arguments.iter().any(|argument| argument == HIDDEN) {
        window::show(app);
    }
}

#[cfg(unix)]
async fn quit_on_signal<R: Runtime>(app: AppHandle<R>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut end), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return;
    };
    tokio::select! {
        _ = end.recv() => {}
        _ = interrupt.recv() => {}
    }
    rest::quits(&app);
    app.exit(0);
}

#[cfg(not(unix))]
async fn quit_on_signal<R: Runtime>(_: AppHandle<R>) {}
