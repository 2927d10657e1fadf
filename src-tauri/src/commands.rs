//! Every command the window may call. Each hands an intention to the engine and returns its answer.

use std::path::Path;

use skykeep_engine::Error;
use skykeep_engine::api::{Account, Check, Person, Place, Snapshot};
use tauri::{AppHandle, State, Wry};
use tauri_plugin_opener::OpenerExt;

use crate::desk::{Desk, Refused};

type Answer<T> = Result<T, Refused>;
type App = AppHandle<Wry>;
type TheDesk<'a> = State<'a, Desk>;

/// Who is behind a handle, a DID or a profile address.
#[tauri::command]
#[specta::specta]
pub(crate) async fn look_up(app: App, desk: TheDesk<'_>, text: String) -> Answer<Person> {
    Ok(desk.engine(&app).await?.look_up(&text).await?)
}

/// Begins to keep an account; its first run starts at once.
#[tauri::command]
#[specta::specta]
pub(crate) async fn protect(app: App, desk: TheDesk<'_>, did: String) -> Answer<()> {
    desk.engine(&app).await?.protect(&did).await?;
    Ok(())
}

/// All accounts that are kept.
#[tauri::command]
#[specta::specta]
pub(crate) async fn accounts(app: App, desk: TheDesk<'_>) -> Answer<Vec<Account>> {
    Ok(desk.engine(&app).await?.accounts().await?)
}

/// What is kept of one account, newest first.
#[tauri::command]
#[specta::specta]
pub(crate) async fn snapshots(app: App, desk: TheDesk<'_>, did: String) -> Answer<Vec<Snapshot>> {
    let did = did.parse().map_err(Error::from)?;
    Ok(desk.engine(&app).await?.snapshots(&did).await?)
}

/// Where backups go.
#[tauri::command]
#[specta::specta]
pub(crate) async fn places(app: App, desk: TheDesk<'_>) -> Answer<Vec<Place>> {
    Ok(desk.engine(&app).await?.places().await?)
}

/// Makes a folder, chosen by the person, a place.
#[tauri::command]
#[specta::specta]
pub(crate) async fn add_folder(app: App, desk: TheDesk<'_>, path: String) -> Answer<Place> {
    Ok(desk.engine(&app).await?.add_folder(Path::new(&path), None).await?)
}

/// Opens a place's folder in the system's file manager; false when none could be started.
#[tauri::command]
#[specta::specta]
pub(crate) async fn open_place(app: App, desk: TheDesk<'_>, id: String) -> Answer<bool> {
    let places = desk.engine(&app).await?.places().await?;
    let place = places.iter().find(|place| place.id == id);
    Ok(place.is_some_and(|place| app.opener().open_path(&place.path, None::<&str>).is_ok()))
}

/// Starts a run and does not wait for it.
#[tauri::command]
#[specta::specta]
pub(crate) async fn back_up(app: App, desk: TheDesk<'_>, did: String) -> Answer<()> {
    let did = did.parse().map_err(Error::from)?;
    desk.engine(&app).await?.start_back_up(&did);
    Ok(())
}

/// Stops an account's run between two files; false when there was none.
#[tauri::command]
#[specta::specta]
pub(crate) async fn stop_run(app: App, desk: TheDesk<'_>, did: String) -> Answer<bool> {
    let did = did.parse().map_err(Error::from)?;
    Ok(desk.engine(&app).await?.stop_run(&did))
}

/// Hashes every file of one place, or of all, again.
#[tauri::command]
#[specta::specta]
pub(crate) async fn check(app: App, desk: TheDesk<'_>, place: Option<String>) -> Answer<Vec<Check>> {
    Ok(desk.engine(&app).await?.check(place.as_deref()).await?)
}

/// Takes the person's word that a sudden loss was meant.
#[tauri::command]
#[specta::specta]
pub(crate) async fn confirm_shrink(app: App, desk: TheDesk<'_>, did: String) -> Answer<()> {
    let did = did.parse().map_err(Error::from)?;
    Ok(desk.engine(&app).await?.confirm_shrink(&did).await?)
}
