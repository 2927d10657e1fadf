//! What the window and this program agree on: commands, events and their types, written to TypeScript.
//!
//! `ui/src/lib/bindings/index.ts` is made from this and never edited. The test below fails when it has drifted;
//! with `UPDATE_BINDINGS=1` it writes the file anew.

use tauri::Wry;
use tauri_specta::{Builder, collect_commands, collect_events};

use crate::commands;
use crate::events::EngineEvent;

/// Every command and event that crosses to the window.
pub(crate) fn builder() -> Builder<Wry> {
    Builder::<Wry>::new()
        .commands(collect_commands![
            commands::look_up,
            commands::extent,
            commands::spots,
            commands::protect,
            commands::stop_protecting,
            commands::pause,
            commands::resume,
            commands::accounts,
            commands::snapshots,
            commands::changes,
            commands::calendar,
            commands::runs,
            commands::storage,
            commands::standing,
            commands::places,
            commands::family,
            commands::set_share,
            commands::leave_place,
            commands::return_to_place,
            commands::take_along,
            commands::add_folder,
            commands::providers,
            commands::try_bucket,
            commands::add_bucket,
            commands::test_place,
            commands::retire_place,
            commands::resume_place,
            commands::move_place,
            commands::change_keys,
            commands::remove_place,
            commands::open_place,
            commands::back_up,
            commands::stop_run,
            commands::check,
            commands::confirm_shrink,
            commands::look_into,
            commands::take_over,
            commands::look_into_bucket,
            commands::take_over_bucket,
            commands::take_over_past,
            commands::import,
            commands::export,
            commands::preferences,
            commands::set_preferences,
            commands::stored,
            commands::report,
            commands::save_report,
            commands::starts_with_system,
            commands::set_starts_with_system,
        ])
        .events(collect_events![EngineEvent])
        // Milliseconds and byte counts stay far below 2^53, where a JavaScript number is still exact.
        .dangerously_cast_bigints_to_number()
        // One TypeScript type for each of ours: what is sent is what is read.
        .disable_serde_phases()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use specta_typescript::Typescript;

    const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ui/src/lib/bindings/index.ts");

    #[test]
    fn bindings_are_as_checked_in() {
        let fresh = std::env::temp_dir().join(format!("skykeep-bindings-{}.ts", std::process::id()));
        super::builder()
            .export(Typescript::default(), &fresh)
            .expect("every type can be exported");
        let written = fs::read_to_string(&fresh).expect("just written");
        fs::remove_file(&fresh).expect("just written");
        if std::env::var_os("UPDATE_BINDINGS").is_some() {
            fs::create_dir_all(Path::new(CHECKED_IN).parent().expect("a file in a folder")).unwrap();
            fs::write(CHECKED_IN, &written).unwrap();
        }
        let kept = fs::read_to_string(CHECKED_IN).unwrap_or_default();
        assert!(
            kept == written,
            "{CHECKED_IN} is not what the commands say: run `cargo xtask bindings`"
        );
    }
}
