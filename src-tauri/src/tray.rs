//! The tray icon: one picture for how things stand, and a menu of what is always possible.
//!
//! Its first line says in words what the picture shows. The menu is made anew when that changes, or the language does.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use skykeep_engine::api::{Account, KeptState, Severity, Waiting};
use skykeep_engine::{Engine, words};
use tauri::image::Image;
use tauri::include_image;
use tauri::menu::{Menu, MenuBuilder, MenuEvent, MenuItemBuilder, SubmenuBuilder};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Manager, Runtime};

use crate::desk::Desk;
use crate::{rest, window};

const TRAY: &str = "keep";
const OPEN: &str = "open";
const BACK_UP: &str = "back-up";
const PAUSE_HOUR: &str = "pause-hour";
const PAUSE_TOMORROW: &str = "pause-tomorrow";
const GO_ON: &str = "go-on";
const QUIT: &str = "quit";

/// How things stand, over all accounts. The later ones outweigh the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Nothing is known yet.
    Opening,
    Nothing,
    Kept,
    Working,
    NeedsYou,
}

/// What the tray shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    standing: Standing,
    /// Whether nothing scheduled runs for any account, because a person said so.
    paused: bool,
}

/// What the tray shows now.
struct Shown(Mutex<Option<Look>>);

/// Puts the icon into the tray. Where the desktop has no tray, nothing is seen and nothing fails.
pub(crate) fn build<R: Runtime>(app: &AppHandle<R>) -> tauri::Result<()> {
    let look = Look {
        standing: Standing::Opening,
        paused: false,
    };
    app.manage(Shown(Mutex::new(Some(look))));
    TrayIconBuilder::with_id(TRAY)
        .icon(picture(look))
        .tooltip(line(look))
        .menu(&menu(app, look)?)
        .on_menu_event(chosen)
        .build(app)?;
    Ok(())
}

fn say(key: &str) -> String {
    words(&["tray"], key, &[])
}

fn menu<R: Runtime>(app: &AppHandle<R>, look: Look) -> tauri::Result<Menu<R>> {
    let status = MenuItemBuilder::new(line(look)).enabled(false).build(app)?;
    let menu = MenuBuilder::new(app)
        .item(&status)
        .separator()
        .text(OPEN, say("open"))
        .text(BACK_UP, say("back_up_now"));
    let menu = if look.paused {
        menu.text(GO_ON, say("go_on"))
    } else {
        let pause = SubmenuBuilder::new(app, say("pause"))
            .text(PAUSE_HOUR, say("pause_hour"))
            .text(PAUSE_TOMORROW, say("pause_tomorrow"))
            .build()?;
        menu.item(&pause)
    };
    menu.separator().text(QUIT, say("quit")).build()
}

fn line(look: Look) -> String {
    say(match look {
        Look {
            standing: Standing::NeedsYou,
            ..
        } => "needs_you",
        Look {
            standing: Standing::Working,
            ..
        } => "working",
        Look { paused: true, .. } => "paused",
        Look {
            standing: Standing::Opening,
            ..
        } => "opening",
        Look {
            standing: Standing::Nothing,
            ..
        } => "nothing",
        Look {
            standing: Standing::Kept,
            ..
        } => "kept",
    })
}

/// Takes the icon out of the tray.
pub(crate) fn remove<R: Runtime>(app: &AppHandle<R>) {
    drop(app.remove_tray_by_id(TRAY));
}

/// Shows how all accounts stand.
pub(crate) async fn refresh<R: Runtime>(app: &AppHandle<R>, engine: &Engine) {
    let accounts = engine.accounts().await;
    let look = accounts.map_or(
        Look {
            standing: Standing::NeedsYou,
            paused: false,
        },
        |accounts| Look {
            standing: accounts.iter().map(standing).max().unwrap_or(Standing::Nothing),
            paused: !accounts.is_empty() && accounts.iter().all(is_paused),
        },
    );
    show(app, look);
}

/// Shows that a run is under way.
pub(crate) fn working<R: Runtime>(app: &AppHandle<R>) {
    change(app, Standing::Working);
}

/// Shows that nothing goes on without a person.
pub(crate) fn needs_you<R: Runtime>(app: &AppHandle<R>) {
    change(app, Standing::NeedsYou);
}

/// Says all of it anew at the next change: the language may be another one.
pub(crate) fn reword<R: Runtime>(app: &AppHandle<R>) {
    *app.state::<Shown>().0.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

fn is_paused(account: &Account) -> bool {
    matches!(account.waiting, Some(Waiting::Paused { .. }))
}

fn standing(account: &Account) -> Standing {
    if account
        .problems
        .iter()
        .any(|problem| problem.severity >= Severity::NeedsYou)
        || matches!(account.kept.state, KeptState::MediaUnseen | KeptState::Unseen)
    {
        Standing::NeedsYou
    } else if account.run.is_some() {
        Standing::Working
    } else if account.kept.state == KeptState::Nothing {
        Standing::Nothing
    } else {
        Standing::Kept
    }
}

fn change<R: Runtime>(app: &AppHandle<R>, standing: Standing) {
    let paused = {
        let shown = app.state::<Shown>();
        let shown = shown.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.is_some_and(|look| look.paused)
    };
    show(app, Look { standing, paused });
}

fn show<R: Runtime>(app: &AppHandle<R>, look: Look) {
    let before = {
        let shown = app.state::<Shown>();
        let mut shown = shown.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.replace(look)
    };
    // Progress comes five times a second; a picture that is already there is not sent again.
    if before == Some(look) {
        return;
    }
    let changed = app.tray_by_id(TRAY).map(|tray| {
        tray.set_icon(Some(picture(look)))?;
        tray.set_tooltip(Some(line(look)))?;
        tray.set_menu(Some(menu(app, look)?))
    });
    if let Some(Err(error)) = changed {
        tracing::warn!(%error, "the tray did not change");
    }
}

fn picture(look: Look) -> Image<'static> {
    match look {
        Look {
            standing: Standing::Working,
            ..
        } => include_image!("./assets/tray/working.png"),
        Look {
            standing: Standing::NeedsYou,
            ..
        } => include_image!("./assets/tray/needs-you.png"),
        Look {
            standing: Standing::Opening | Standing::Nothing,
            ..
        }
        | Look { paused: true, .. } => {
            include_image!("./assets/tray/nothing.png")
        }
        Look {
            standing: Standing::Kept,
            ..
        } => include_image!("./assets/tray/kept.png"),
    }
}

fn chosen<R: Runtime>(app: &AppHandle<R>, event: MenuEvent) {
    match event.id().as_ref() {
        OPEN => window::show(app),
        BACK_UP => drop(tauri::async_runtime::spawn(back_up_all(app.clone()))),
        PAUSE_HOUR | PAUSE_TOMORROW | GO_ON => {
            drop(tauri::async_runtime::spawn(pause(app.clone(), event.id().0.clone())));
        }
        QUIT => {
            rest::quits(app);
            app.exit(0);
        }
        _ => {}
    }
}

async fn back_up_all<R: Runtime>(app: AppHandle<R>) {
    let desk = app.state::<Desk>();
    let Ok(engine) = desk.engine(&app).await else { return };
    for account in engine.accounts().await.unwrap_or_default() {
        if let Ok(did) = account.did.parse() {
            engine.start_back_up(&did);
        }
    }
}

async fn pause<R: Runtime>(app: AppHandle<R>, chosen: String) {
    let desk = app.state::<Desk>();
    let Ok(engine) = desk.engine(&app).await else { return };
    let done = match chosen.as_str() {
        PAUSE_HOUR => {
            let until = Timestamp::now() + SignedDuration::from_hours(1);
            engine.pause(None, Some(until.as_millisecond())).await
        }
        PAUSE_TOMORROW => engine.pause_until_tomorrow().await,
        _ => engine.resume(None).await,
    };
    if let Err(error) = done {
        tracing::warn!(%error, chosen, "the pause did not change");
    }
}
