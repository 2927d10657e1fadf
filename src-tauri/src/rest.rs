//! Back to the tray, as if the window had never been open.
//!
//! What the web view brings into this process outlives the last window: libraries, caches, a network process. They are more
//! than all the rest of Skykeep, which loads none of them before its first window (`src-tauri/later`). So some seconds after
//! the window was closed the program begins anew, hidden, in the same process (`exec`): its number, its terminal, its place in
//! the session and its environment stay, the memory does not.
//!
//! - Nothing is cut off: it waits until no run, no command of the window or the tray, no request of the command line and no
//!   notification that can still be clicked is in hand.
//! - Nobody is lost: who asks for the window meanwhile, by a second start, the tray or a link, gets it from the program that
//!   begins. The engine's lock, its socket and the name on the bus go at one moment, when the kernel closes them. Who meets
//!   that moment asks again: the command line waits for an engine that listens, a second Skykeep starts once more.
//! - What is due is asked anew by the scheduler that begins.
//!
//! macOS and Windows end the web view's processes with the window, and a program cannot begin anew in its process there (Windows)
//! or lose its place in the dock (macOS): there it stays as it is.

use tauri::{AppHandle, Runtime};

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::*;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

/// The code with which the event loop ends when the program is to begin anew.
pub(crate) const ANEW: i32 = 0x5_6e65;

#[cfg(target_os = "linux")]
mod linux {
    use std::convert::Infallible;
    use std::os::unix::process::CommandExt;
    use std::path::PathBuf;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;
    use std::{env, fs, io, thread};

    use rustix::process::{Pid, WaitOptions, waitpid};
    use tauri::Manager;
    use tauri::async_runtime::JoinHandle;

    use super::{ANEW, AppHandle, Runtime};
    use crate::desk::Desk;
    use crate::{HIDDEN, tray, window};

    /// Who closed the window by mistake has it back at once.
    const GRACE: Duration = Duration::from_secs(2);

    /// Given to a program that has begun anew because the first Skykeep was just going: it does so once.
    const AGAIN: &str = "--again";

    /// What is known between the closing of the window and the new beginning.
    pub(crate) struct Rest {
        /// This program's file, as it was called at the start: an update puts the new one there.
        program: io::Result<PathBuf>,
        /// Somebody has asked for the window since it was closed.
        wanted: AtomicBool,
        /// The event loop ends in order to begin anew.
        anew: AtomicBool,
        waiting: Mutex<Option<JoinHandle<()>>>,
    }

    impl Rest {
        pub(crate) fn new() -> Self {
            Self {
                program: env::current_exe(),
                wanted: AtomicBool::new(false),
                anew: AtomicBool::new(false),
                waiting: Mutex::new(None),
            }
        }
    }

    /// The window is asked for: if the program begins anew now, it does so with the window.
    pub(crate) fn wanted<R: Runtime>(app: &AppHandle<R>) {
        app.state::<Rest>().wanted.store(true, Ordering::SeqCst);
    }

    /// The last window was closed: from now on it is waited for a good moment.
    pub(crate) fn closed<R: Runtime>(app: &AppHandle<R>) {
        let rest = app.state::<Rest>();
        rest.wanted.store(false, Ordering::SeqCst);
        let waits = tauri::async_runtime::spawn(wait(app.clone()));
        let before = rest
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(waits);
        if let Some(before) = before {
            before.abort();
        }
    }

    async fn wait<R: Runtime>(app: AppHandle<R>) {
        let desk = app.state::<Desk>();
        loop {
            // It was closed, if this is not the first time.
            desk.open_door().await;
            tokio::time::sleep(GRACE).await;
            desk.idle().await;
            if window::is_open(&app) {
                return;
            }
            // What came in while it was closing is carried out by now, or in hand.
            desk.close_door().await;
            if desk.is_idle() {
                // Decided where windows are made; when the answer is no, once more.
                app.exit(ANEW);
                tokio::time::sleep(GRACE).await;
            }
        }
    }

    /// The event loop is asked to end. Whether it may: not for a new beginning while there is a window or work.
    pub(crate) fn may_end<R: Runtime>(app: &AppHandle<R>, code: i32) -> bool {
        let anew = code == ANEW;
        if anew && (window::is_open(app) || !app.state::<Desk>().is_idle()) {
            return false;
        }
        app.state::<Rest>().anew.store(anew, Ordering::SeqCst);
        true
    }

    /// Whoever asks to quit while the event loop ends is heard.
    pub(crate) fn quits<R: Runtime>(app: &AppHandle<R>) {
        app.state::<Rest>().anew.store(false, Ordering::SeqCst);
    }

    /// Begins anew in this process, if the event loop has ended for that. The engine must be closed.
    pub(crate) fn begin_anew<R: Runtime>(app: &AppHandle<R>) {
        let rest = app.state::<Rest>();
        if !rest.anew.load(Ordering::SeqCst) {
            return;
        }
        // It leaves a picture in the folder for temporary files otherwise.
        tray::remove(app);
        let wanted = rest.wanted.load(Ordering::SeqCst);
        let arguments: &[&str] = if wanted { &[] } else { &[HIDDEN] };
        let Err(error) = become_program(&rest.program, arguments);
        tracing::error!(%error, "could not begin anew");
    }

    /// A second Skykeep that found the first one, but was not heard by it, starts once more: the first one was just going.
    pub(crate) fn start_once_more() {
        let mut arguments: Vec<_> = env::args_os().skip(1).collect();
        if arguments.iter().any(|argument| argument == AGAIN) {
            return;
        }
        arguments.push(AGAIN.into());
        let Err(error) = become_program(&env::current_exe(), &arguments);
        tracing::error!(%error, "could not start once more");
    }

    fn become_program<A: AsRef<std::ffi::OsStr>>(
        program: &io::Result<PathBuf>,
        arguments: &[A],
    ) -> Result<Infallible, io::Error> {
        // The web view leaves some files open for whoever comes after it, more each time.
        close_fds::set_fds_cloexec_threadsafe(3, &[]);
        if let Ok(program) = program {
            let error = Command::new(program).args(arguments).exec();
            tracing::warn!(%error, program = %program.display(), "gone; the one that runs is taken");
        }
        // An update may have taken the file away and not put another in its place yet.
        Err(Command::new("/proc/self/exe").args(arguments).exec())
    }

    /// Takes leave of the processes that this one had started before it began anew: nobody else waits for them.
    ///
    /// Called first, before anything is started.
    pub(crate) fn see_off() {
        let own = std::process::id();
        // Where the kernel does not say, there are none to see off, or they stay as a line in a list until we end.
        let children = fs::read_to_string(format!("/proc/self/task/{own}/children")).unwrap_or_default();
        for child in children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .filter_map(Pid::from_raw)
        {
            thread::spawn(move || waitpid(Some(child), WaitOptions::empty()));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::{AppHandle, Runtime};

    /// Nothing is remembered.
    pub(crate) struct Rest;

    impl Rest {
        pub(crate) fn new() -> Self {
            Self
        }
    }

    pub(crate) fn wanted<R: Runtime>(_: &AppHandle<R>) {}

    pub(crate) fn closed<R: Runtime>(_: &AppHandle<R>) {}

    pub(crate) fn may_end<R: Runtime>(_: &AppHandle<R>, _code: i32) -> bool {
        true
    }

    pub(crate) fn quits<R: Runtime>(_: &AppHandle<R>) {}

    pub(crate) fn begin_anew<R: Runtime>(_: &AppHandle<R>) {}

    pub(crate) fn start_once_more() {}

    pub(crate) fn see_off() {}
}
