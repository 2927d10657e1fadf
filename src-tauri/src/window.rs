//! The one window: made when it is asked for, destroyed when it is closed.

use skykeep_engine::api::About;
use tauri::{AppHandle, Manager, Runtime, Url, WebviewUrl, WebviewWindowBuilder};

use crate::rest;

/// The window's label, which its capability names.
const MAIN: &str = "main";

/// Whether the window is there.
pub(crate) fn is_open<R: Runtime>(app: &AppHandle<R>) -> bool {
    app.get_webview_window(MAIN).is_some()
}

/// Brings the window to the front, made anew if it was closed.
pub(crate) fn show<R: Runtime>(app: &AppHandle<R>) {
    rest::wanted(app);
    match app.get_webview_window(MAIN) {
        Some(window) => {
            let shown = window
                .unminimize()
                .and_then(|()| window.show())
                .and_then(|()| window.set_focus());
            told(shown);
        }
        None => open(app, WebviewUrl::default()),
    }
}

fn open<R: Runtime>(app: &AppHandle<R>, page: WebviewUrl) {
    let opened = WebviewWindowBuilder::new(app, MAIN, page)
        .title("Skykeep")
        .inner_size(980.0, 700.0)
        .min_inner_size(720.0, 520.0)
        .zoom_hotkeys_enabled(true)
        .on_navigation(is_ours)
        .build();
    told(opened.map(|_| ()));
}

fn told(shown: tauri::Result<()>) {
    if let Err(error) = shown {
        tracing::error!(%error, "the window did not open");
    }
}

/// Brings the window to the front, on the page that helps with something.
///
/// The page is in the address's hash, which the window follows; a new window begins there.
pub(crate) fn show_page<R: Runtime>(app: &AppHandle<R>, about: &About) {
    let hash = match about {
        About::App => "#/".to_owned(),
        // A DID holds nothing that would have to be escaped in a hash.
        About::Account { did } => format!("#/account/{did}"),
        About::Place { .. } => "#/places".to_owned(),
    };
    let there = app.get_webview_window(MAIN);
    if there.is_none() {
        open(app, WebviewUrl::App(format!("index.html{hash}").into()));
        return;
    }
    show(app);
    let script = serde_json::to_string(&hash).map(|hash| format!("location.hash = {hash}"));
    if let (Some(window), Ok(script)) = (there, script)
        && let Err(error) = window.eval(script)
    {
        tracing::warn!(%error, "the window did not turn to the page");
    }
}

/// The window shows Skykeep's own pages and nothing else.
fn is_ours(address: &Url) -> bool {
    address.scheme() == "tauri" || matches!(address.host_str(), Some("tauri.localhost" | "localhost"))
}
