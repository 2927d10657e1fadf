//! Every command the window may call. Each hands an intention to the engine and returns its answer.

use skykeep_engine::api::{Account, Check, Person, Place, Problem, Snapshot};
use tauri::{AppHandle, State, Wry};
use tauri_plugin_opener::OpenerExt;

use crate::desk::Desk;

/// Who is behind a handle, a DID or a profile address.
#[tauri::command]
#[specta::specta]
pub(crate) async fn look_up(app: AppHandle<Wry>, desk: State<'_, Desk>, text: String) -> Result<Person, Problem> {
    desk.engine(&app).await?.look_up(&text).await
}

/// Begins to keep an account; its first run starts at once.
#[tauri::command]
#[specta::specta]
pub(crate) async fn protect(app: AppHandle<Wry>, desk: State<'_, Desk>, did: String) -> Result<(), Problem> {
    desk.engine(&app).await?.protect(&did).await
}

/// All accounts that are kept.
#[tauri::command]
#[specta::specta]
pub(crate) async fn accounts(app: AppHandle<Wry>, desk: State<'_, Desk>) -> Result<Vec<Account>, Problem> {
    desk.engine(&app).await?.accounts().await
}

/// What is kept of one account, newest first.
#[tauri::command]
#[specta::specta]
pub(crate) async fn snapshots(
    app: AppHandle<Wry>,
    desk: State<'_, Desk>,
    did: String,
) -> Result<Vec<Snapshot>, Problem> {
    desk.engine(&app).await?.snapshots(&did).await
}

/// Where backups go.
#[tauri::command]
#[specta::specta]
pub(crate) async fn places(app: AppHandle<Wry>, desk: State<'_, Desk>) -> Result<Vec<Place>, Problem> {
    desk.engine(&app).await?.places().await
}

/// Makes a folder, chosen by the person, a place.
#[tauri::command]
#[specta::specta]
pub(crate) async fn add_folder(app: AppHandle<Wry>, desk: State<'_, Desk>, path: String) -> Result<Place, Problem> {
    desk.engine(&app).await?.add_folder(&path, None).await
}

/// Opens a place's folder in the system's file manager; false when none could be started.
#[tauri::command]
#[specta::specta]
pub(crate) async fn open_place(app: AppHandle<Wry>, desk: State<'_, Desk>, id: String) -> Result<bool, Problem> {
    let places = desk.engine(&app).await?.places().await?;
    let place = places.iter().find(|place| place.id == id);
    Ok(place.is_some_and(|place| app.opener().open_path(&place.path, None::<&str>).is_ok()))
}

/// Starts a run and does not wait for it.
#[tauri::command]
#[specta::specta]
pub(crate) async fn back_up(app: AppHandle<Wry>, desk: State<'_, Desk>, did: String) -> Result<(), Problem> {
    desk.engine(&app).await?.start_back_up(&did);
    Ok(())
}

/// Stops an account's run between two files.
#[tauri::command]
#[specta::specta]
pub(crate) async fn stop_run(app: AppHandle<Wry>, desk: State<'_, Desk>, did: String) -> Result<(), Problem> {
    desk.engine(&app).await?.stop_run(&did);
    Ok(())
}

/// Hashes every file of one place, or of all, again.
#[tauri::command]
#[specta::specta]
pub(crate) async fn check(
    app: AppHandle<Wry>,
    desk: State<'_, Desk>,
    place: Option<String>,
) -> Result<Vec<Check>, Problem> {
    desk.engine(&app).await?.check(place.as_deref()).await
}

/// Takes the person's word that a sudden loss was meant.
#[tauri::command]
#[specta::specta]
pub(crate) async fn confirm_shrink(app: AppHandle<Wry>, desk: State<'_, Desk>, did: String) -> Result<(), Problem> {
    desk.engine(&app).await?.confirm_shrink(&did).await
}
