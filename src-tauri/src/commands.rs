//! Every command the window may call. Each hands an intention to the engine and returns its answer.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use skykeep_engine::api::{
    Account, BucketAddress, Cell, Changes, Check, Extent, Family, Millis, Opened, Person, Place, PlaceTest,
    Preferences, Provider, Run, Snapshot, Spot, Standing, Storage, Stored, TakenAlong, Whose,
};
use skykeep_engine::keys::Secret;
use skykeep_engine::{BucketKeys, Error, Exported, ImportedSnapshot};
use specta::Type;
use tauri::{AppHandle, State, Wry};
use tauri_plugin_autostart::ManagerExt;
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

/// How much there is to keep of an account, about.
#[tauri::command]
#[specta::specta]
pub(crate) async fn extent(app: App, desk: TheDesk<'_>, did: String) -> Answer<Extent> {
    let did = did.parse().map_err(Error::from)?;
    Ok(desk.engine(&app).await?.extent(&did).await?)
}

/// Where backups could go: the usual folder first, then the drives that are connected.
#[tauri::command]
#[specta::specta]
pub(crate) async fn spots(app: App, desk: TheDesk<'_>) -> Answer<Vec<Spot>> {
    Ok(desk.engine(&app).await?.spots().await?)
}

/// Begins to keep an account; its first run starts at once. The folders become places, if they are none.
#[tauri::command]
#[specta::specta]
pub(crate) async fn protect(
    app: App,
    desk: TheDesk<'_>,
    did: String,
    whose: Whose,
    folders: Vec<PathBuf>,
) -> Answer<()> {
    desk.engine(&app).await?.protect(&did, whose, &folders).await?;
    Ok(())
}

/// Stops keeping an account. What is kept of it stays where it is.
#[tauri::command]
#[specta::specta]
pub(crate) async fn stop_protecting(app: App, desk: TheDesk<'_>, did: String) -> Answer<()> {
    let did = did.parse().map_err(Error::from)?;
    Ok(desk.engine(&app).await?.remove_account(&did).await?)
}

/// Pauses the scheduled runs of an account, or of all, until a time or until someone says go on.
#[tauri::command]
#[specta::specta]
pub(crate) async fn pause(app: App, desk: TheDesk<'_>, did: Option<String>, until: Option<Millis>) -> Answer<()> {
    let did = did.map(|did| did.parse()).transpose().map_err(Error::from)?;
    Ok(desk.engine(&app).await?.pause(did.as_ref(), until).await?)
}

/// Ends a pause of an account, or of all.
#[tauri::command]
#[specta::specta]
pub(crate) async fn resume(app: App, desk: TheDesk<'_>, did: Option<String>) -> Answer<()> {
    let did = did.map(|did| did.parse()).transpose().map_err(Error::from)?;
    Ok(desk.engine(&app).await?.resume(did.as_ref()).await?)
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

/// What a snapshot changed beside the one before it.
#[tauri::command]
#[specta::specta]
pub(crate) async fn changes(app: App, desk: TheDesk<'_>, did: String, snapshot: String) -> Answer<Changes> {
    let did = did.parse().map_err(Error::from)?;
    Ok(desk.engine(&app).await?.changes(&did, &snapshot).await?)
}

/// What happened in each cell of the calendar, of one account or of all. `starts` are the times at which the cells
/// begin, oldest first; the last one ends now.
#[tauri::command]
#[specta::specta]
pub(crate) async fn calendar(
    app: App,
    desk: TheDesk<'_>,
    did: Option<String>,
    starts: Vec<Millis>,
) -> Answer<Vec<Cell>> {
    let did = did.map(|did| did.parse()).transpose().map_err(Error::from)?;
    Ok(desk.engine(&app).await?.calendar(did.as_ref(), &starts).await?)
}

/// Runs of the past, newest first.
#[tauri::command]
#[specta::specta]
pub(crate) async fn runs(app: App, desk: TheDesk<'_>, did: Option<String>, limit: u32) -> Answer<Vec<Run>> {
    let did = did.map(|did| did.parse()).transpose().map_err(Error::from)?;
    Ok(desk.engine(&app).await?.runs(did.as_ref(), limit as usize).await?)
}

/// How much is kept, by account and over time. `starts` are the times at which days begin, oldest first.
#[tauri::command]
#[specta::specta]
pub(crate) async fn storage(app: App, desk: TheDesk<'_>, starts: Vec<Millis>) -> Answer<Storage> {
    Ok(desk.engine(&app).await?.storage(&starts).await?)
}

/// Every problem that stands, most severe first.
#[tauri::command]
#[specta::specta]
pub(crate) async fn standing(app: App, desk: TheDesk<'_>) -> Answer<Vec<Standing>> {
    Ok(desk.engine(&app).await?.standing().await?)
}

/// Where backups go.
#[tauri::command]
#[specta::specta]
pub(crate) async fn places(app: App, desk: TheDesk<'_>) -> Answer<Vec<Place>> {
    Ok(desk.engine(&app).await?.places().await?)
}

/// Everyone whose backups are on a place; `anew` measures what they use again.
#[tauri::command]
#[specta::specta]
pub(crate) async fn family(app: App, desk: TheDesk<'_>, place: String, anew: bool) -> Answer<Family> {
    Ok(desk.engine(&app).await?.family(&place, anew).await?)
}

/// What each account may use of a place before that is said, in bytes; the same part for everyone without.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_share(app: App, desk: TheDesk<'_>, place: String, gigabytes: Option<u32>) -> Answer<()> {
    let share = gigabytes.map(|share| u64::from(share) * 1_000_000_000);
    Ok(desk.engine(&app).await?.set_share(&place, share)?)
}

/// No longer brings an account to a place. What is there stays. Refused as `only_there` when no other place holds all of
/// it, unless the person is sure.
#[tauri::command]
#[specta::specta]
pub(crate) async fn leave_place(app: App, desk: TheDesk<'_>, did: String, place: String, sure: bool) -> Answer<()> {
    let did = did.parse().map_err(Error::from)?;
    Ok(desk.engine(&app).await?.leave_place(&did, &place, sure).await?)
}

/// Brings an account to a place again.
#[tauri::command]
#[specta::specta]
pub(crate) async fn return_to_place(app: App, desk: TheDesk<'_>, did: String, place: String) -> Answer<()> {
    let did = did.parse().map_err(Error::from)?;
    Ok(desk.engine(&app).await?.return_to_place(&did, &place).await?)
}

/// Copies what a place holds of an account, by its folder there, into a folder that the person chose.
#[tauri::command]
#[specta::specta]
pub(crate) async fn take_along(
    app: App,
    desk: TheDesk<'_>,
    account: String,
    place: String,
    folder: PathBuf,
) -> Answer<TakenAlong> {
    Ok(desk.engine(&app).await?.take_along(&account, &place, &folder).await?)
}

/// Makes a folder, chosen by the person, a place.
#[tauri::command]
#[specta::specta]
pub(crate) async fn add_folder(app: App, desk: TheDesk<'_>, path: String) -> Answer<Place> {
    Ok(desk.engine(&app).await?.add_folder(Path::new(&path), None).await?)
}

/// The keys to a bucket, as they were typed. They go to the keychain and nowhere else.
#[derive(Deserialize, Type)]
pub(crate) struct TypedKeys {
    access: String,
    secret: String,
}

impl From<TypedKeys> for BucketKeys {
    fn from(typed: TypedKeys) -> Self {
        Self::new(&typed.access, Secret::new(typed.secret))
    }
}

/// Who keeps buckets, as ready-made entries of the form.
#[tauri::command]
#[specta::specta]
pub(crate) fn providers() -> Vec<Provider> {
    skykeep_engine::providers()
}

/// Tests a bucket before it becomes a place. What is wrong is in the answer; nothing is kept.
#[tauri::command]
#[specta::specta]
pub(crate) async fn try_bucket(
    app: App,
    desk: TheDesk<'_>,
    bucket: BucketAddress,
    keys: TypedKeys,
) -> Answer<PlaceTest> {
    Ok(desk.engine(&app).await?.try_bucket(&bucket, &keys.into()).await)
}

/// Makes a bucket a place, and keeps its keys in the keychain.
#[tauri::command]
#[specta::specta]
pub(crate) async fn add_bucket(
    app: App,
    desk: TheDesk<'_>,
    bucket: BucketAddress,
    keys: TypedKeys,
    name: Option<String>,
) -> Answer<Place> {
    Ok(desk.engine(&app).await?.add_bucket(&bucket, &keys.into(), name).await?)
}

/// Tests a place that is set up. What is wrong is in the answer.
#[tauri::command]
#[specta::specta]
pub(crate) async fn test_place(app: App, desk: TheDesk<'_>, id: String) -> Answer<PlaceTest> {
    Ok(desk.engine(&app).await?.test_place(&id).await?)
}

/// Lets backups go to a place no more. What it holds is read as ever.
#[tauri::command]
#[specta::specta]
pub(crate) async fn retire_place(app: App, desk: TheDesk<'_>, id: String) -> Answer<Place> {
    Ok(desk.engine(&app).await?.retire_place(&id).await?)
}

/// Lets backups go to a place again, or calls its move off.
#[tauri::command]
#[specta::specta]
pub(crate) async fn resume_place(app: App, desk: TheDesk<'_>, id: String) -> Answer<Place> {
    Ok(desk.engine(&app).await?.resume_place(&id).await?)
}

/// Lets another place stand in for one, once it has all that this one holds.
#[tauri::command]
#[specta::specta]
pub(crate) async fn move_place(app: App, desk: TheDesk<'_>, id: String, to: String) -> Answer<Place> {
    Ok(desk.engine(&app).await?.move_place(&id, &to).await?)
}

/// Replaces the keys to a place's bucket, once the new ones were tried.
#[tauri::command]
#[specta::specta]
pub(crate) async fn change_keys(app: App, desk: TheDesk<'_>, id: String, keys: TypedKeys) -> Answer<()> {
    Ok(desk.engine(&app).await?.change_keys(&id, &keys.into()).await?)
}

/// Forgets a place. What it holds stays.
#[tauri::command]
#[specta::specta]
pub(crate) async fn remove_place(app: App, desk: TheDesk<'_>, id: String) -> Answer<()> {
    Ok(desk.engine(&app).await?.remove_place(&id).await?)
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

/// What is in a folder or a file that a person opened. Looking changes nothing.
#[tauri::command]
#[specta::specta]
pub(crate) async fn look_into(app: App, desk: TheDesk<'_>, path: PathBuf) -> Answer<Opened> {
    Ok(desk.engine(&app).await?.look_into(&path).await?)
}

/// Takes over a place of Skykeep's: its accounts are kept from now on.
#[tauri::command]
#[specta::specta]
pub(crate) async fn take_over(app: App, desk: TheDesk<'_>, path: PathBuf) -> Answer<Vec<Account>> {
    Ok(desk.engine(&app).await?.take_over(&path).await?)
}

/// What is in a bucket, or was at a time. Looking changes nothing, and keeps no keys.
#[tauri::command]
#[specta::specta]
pub(crate) async fn look_into_bucket(
    app: App,
    desk: TheDesk<'_>,
    bucket: BucketAddress,
    keys: TypedKeys,
    as_of: Option<Millis>,
) -> Answer<Opened> {
    Ok(desk
        .engine(&app)
        .await?
        .look_into_bucket(&bucket, &keys.into(), as_of)
        .await?)
}

/// Takes over a place of Skykeep's in a bucket, and keeps its keys in the keychain.
#[tauri::command]
#[specta::specta]
pub(crate) async fn take_over_bucket(
    app: App,
    desk: TheDesk<'_>,
    bucket: BucketAddress,
    keys: TypedKeys,
    name: Option<String>,
) -> Answer<Vec<Account>> {
    let engine = desk.engine(&app).await?;
    Ok(engine.take_over_bucket(&bucket, &keys.into(), name).await?)
}

/// Copies what a bucket held at a time into a folder, and takes that over. The bucket is only read.
#[tauri::command]
#[specta::specta]
pub(crate) async fn take_over_past(
    app: App,
    desk: TheDesk<'_>,
    bucket: BucketAddress,
    keys: TypedKeys,
    as_of: Millis,
    folder: PathBuf,
) -> Answer<Vec<Account>> {
    let engine = desk.engine(&app).await?;
    Ok(engine.take_over_past(&bucket, &keys.into(), as_of, &folder).await?)
}

/// Imports another tool's backup of an account.
#[tauri::command]
#[specta::specta]
pub(crate) async fn import(
    app: App,
    desk: TheDesk<'_>,
    name: String,
    paths: Vec<PathBuf>,
) -> Answer<Vec<ImportedSnapshot>> {
    Ok(desk.engine(&app).await?.import(&name, &paths).await?.snapshots)
}

/// Makes a portable copy of a snapshot, or of the newest one, in a folder that any other tool can read.
#[tauri::command]
#[specta::specta]
pub(crate) async fn export(
    app: App,
    desk: TheDesk<'_>,
    did: String,
    snapshot: Option<String>,
    folder: PathBuf,
) -> Answer<Exported> {
    let did = did.parse().map_err(Error::from)?;
    Ok(desk
        .engine(&app)
        .await?
        .export(&did, snapshot.as_deref(), &folder)
        .await?)
}

/// What the person has chosen.
#[tauri::command]
#[specta::specta]
pub(crate) async fn preferences(app: App, desk: TheDesk<'_>) -> Answer<Preferences> {
    Ok(desk.engine(&app).await?.preferences())
}

/// Takes what the person has chosen.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_preferences(app: App, desk: TheDesk<'_>, preferences: Preferences) -> Answer<()> {
    Ok(desk.engine(&app).await?.set_preferences(preferences).await?)
}

/// What Skykeep stores on this computer, and where.
#[tauri::command]
#[specta::specta]
pub(crate) async fn stored(app: App, desk: TheDesk<'_>) -> Answer<Vec<Stored>> {
    Ok(desk.engine(&app).await?.stored().await?)
}

/// What a person could send to somebody who helps: how things stand and what happened lately. No secret is in it.
#[tauri::command]
#[specta::specta]
pub(crate) async fn report(app: App, desk: TheDesk<'_>) -> Answer<String> {
    Ok(desk.engine(&app).await?.report().await?)
}

/// Saves a report, as the person has read it, where they chose.
#[tauri::command]
#[specta::specta]
pub(crate) async fn save_report(app: App, desk: TheDesk<'_>, path: PathBuf, text: String) -> Answer<()> {
    Ok(desk.engine(&app).await?.save_report(&path, &text).await?)
}

/// Whether Skykeep starts with the system, without its window.
#[tauri::command]
#[specta::specta]
pub(crate) async fn starts_with_system(app: App) -> bool {
    app.autolaunch().is_enabled().unwrap_or(false)
}

/// Lets Skykeep start with the system, or not; whether it does now.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_starts_with_system(app: App, starts: bool) -> bool {
    let manager = app.autolaunch();
    let set = if starts { manager.enable() } else { manager.disable() };
    if let Err(error) = set {
        tracing::warn!(%error, starts, "the system did not take it");
    }
    manager.is_enabled().unwrap_or(false)
}
