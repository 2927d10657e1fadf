//! The tray icon: one picture for how things stand, and a menu of what is always possible.

use std::sync::Mutex;

use skykeep_engine::Engine;
use skykeep_engine::api::{Account, KeptState, Severity};
use tauri::image::Image;
use tauri::include_image;
use tauri::menu::{MenuBuilder, MenuEvent, MenuItem, MenuItemBuilder};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Manager, Runtime};

use crate::desk::Desk;
use crate::window;
use crate::words::words;

const TRAY: &str = "keep";
const OPEN: &str = "open";
const BACK_UP: &str = "back-up";
const QUIT: &str = "quit";

/// How things stand, over all accounts. The later ones outweigh the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Nothing,
    Kept,
    Working,
    NeedsYou,
}

/// What the tray shows now, and the menu's first line, which says in words what the picture shows.
struct Shown<R: Runtime> {
    line: MenuItem<R>,
    standing: Mutex<Standing>,
}

/// Puts the icon into the tray. Where the desktop has no tray, nothing is seen and nothing fails.
pub(crate) fn build<R: Runtime>(app: &AppHandle<R>) -> tauri::Result<()> {
    let words = &words().tray;
    let status = MenuItemBuilder::new(&words.nothing).enabled(false).build(app)?;
    let menu = MenuBuilder::new(app)
        .item(&status)
        .separator()
        .text(OPEN, &words.open)
        .text(BACK_UP, &words.back_up_now)
        .separator()
        .text(QUIT, &words.quit)
        .build()?;
    app.manage(Shown {
        line: status,
        standing: Mutex::new(Standing::Nothing),
    });
    TrayIconBuilder::with_id(TRAY)
        .icon(picture(Standing::Nothing))
        .tooltip(&words.nothing)
        .menu(&menu)
        .on_menu_event(chosen)
        .build(app)?;
    Ok(())
}

/// Shows how all accounts stand.
pub(crate) async fn refresh<R: Runtime>(app: &AppHandle<R>, engine: &Engine) {
    match engine.accounts().await {
        Ok(accounts) => show(app, accounts.iter().map(standing).max().unwrap_or(Standing::Nothing)),
        Err(_) => show(app, Standing::NeedsYou),
    }
}

/// Shows that a run is under way.
pub(crate) fn working<R: Runtime>(app: &AppHandle<R>) {
    show(app, Standing::Working);
}

/// Shows that nothing goes on without a person.
pub(crate) fn needs_you<R: Runtime>(app: &AppHandle<R>) {
    show(app, Standing::NeedsYou);
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

fn show<R: Runtime>(app: &AppHandle<R>, standing: Standing) {
    let shown = app.state::<Shown<R>>();
    // Progress comes five times a second; a picture that is already there is not sent again.
    let before = shown
        .standing
        .lock()
        .map(|mut now| std::mem::replace(&mut *now, standing));
    if before.is_ok_and(|before| before == standing) {
        return;
    }
    let words = &words().tray;
    let line = match standing {
        Standing::Nothing => &words.nothing,
        Standing::Kept => &words.kept,
        Standing::Working => &words.working,
        Standing::NeedsYou => &words.needs_you,
    };
    let changed = app.tray_by_id(TRAY).map(|tray| {
        tray.set_icon(Some(picture(standing)))?;
        tray.set_tooltip(Some(line))?;
        shown.line.set_text(line)
    });
    if let Some(Err(error)) = changed {
        tracing::warn!(%error, "the tray did not change");
    }
}

fn picture(standing: Standing) -> Image<'static> {
    match standing {
        Standing::Nothing => include_image!("./assets/tray/nothing.png"),
        Standing::Kept => include_image!("./assets/tray/kept.png"),
        Standing::Working => include_image!("./assets/tray/working.png"),
        Standing::NeedsYou => include_image!("./assets/tray/needs-you.png"),
    }
}

fn chosen<R: Runtime>(app: &AppHandle<R>, event: MenuEvent) {
    match event.id().as_ref() {
        OPEN => window::show(app),
        BACK_UP => drop(tauri::async_runtime::spawn(back_up_all(app.clone()))),
        QUIT => app.exit(0),
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
