//! The one window: made when it is asked for, destroyed when it is closed.

use tauri::{AppHandle, Manager, Runtime, Url, WebviewUrl, WebviewWindowBuilder};

/// The window's label, which its capability names.
const MAIN: &str = "main";

/// Brings the window to the front, made anew if it was closed.
pub(crate) fn show<R: Runtime>(app: &AppHandle<R>) {
    let shown = match app.get_webview_window(MAIN) {
        Some(window) => window
            .unminimize()
            .and_then(|()| window.show())
            .and_then(|()| window.set_focus()),
        None => WebviewWindowBuilder::new(app, MAIN, WebviewUrl::default())
            .title("Skykeep")
            .inner_size(980.0, 700.0)
            .min_inner_size(720.0, 520.0)
            .zoom_hotkeys_enabled(true)
            .on_navigation(is_ours)
            .build()
            .map(|_| ()),
    };
    if let Err(error) = shown {
        tracing::error!(%error, "the window did not open");
    }
}

/// The window shows Skykeep's own pages and nothing else.
fn is_ours(address: &Url) -> bool {
    address.scheme() == "tauri" || matches!(address.host_str(), Some("tauri.localhost" | "localhost"))
}
