//! `cargo xtask run`: Skykeep as a person would use it, on the real network.

use std::io::{self, IsTerminal};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::args::Request;
use crate::demo;
use crate::needs::{self, Need};
use crate::process::{self, Outcome, say};
use crate::project::Project;

/// Every account of the usual kind is looked up there: where it is out of reach, so is the network.
const DIRECTORY: &str = "plc.directory:443";

/// Builds the window and opens it with the person's own data folder.
pub(crate) fn run(project: &Project, request: &Request) -> Outcome<()> {
    if !is_reachable(DIRECTORY, Duration::from_secs(5)) {
        say(&format!(
            "The network's directory ({DIRECTORY}) cannot be reached from this computer."
        ));
        say("Skykeep would have nothing to protect. The demo needs no network: cargo xtask demo");
        return match io::stdin().is_terminal() && needs::ask("Open the demo instead?")? {
            true => demo::demo(project, request),
            false => Err("the network cannot be reached".into()),
        };
    }
    if !needs::has_display() {
        return Err("there is no display to open a window on; `cargo xtask demo` brings a virtual one".into());
    }
    needs::make_sure(project, request, &[Need::Compilers, Need::Window, Need::WindowPackages])?;
    demo::build_window(project)?;
    let mut window = process::command(project.built("debug", "skykeep"));
    process::must("Skykeep", window.args(&request.rest))
}

/// Whether a connection comes about in time. Looking the name up has no limit of its own, so a thread does it.
fn is_reachable(host: &str, limit: Duration) -> bool {
    let (send, receive) = channel();
    let host = host.to_owned();
    thread::spawn(move || {
        let addresses = host.to_socket_addrs().into_iter().flatten();
        let connected = addresses
            .take(4)
            .any(|address| TcpStream::connect_timeout(&address, limit).is_ok());
        let _ = send.send(connected);
    });
    receive.recv_timeout(limit).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listening_host_is_reachable_and_a_closed_port_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert!(is_reachable(&address, Duration::from_secs(10)));
        drop(listener);
        assert!(!is_reachable(&address, Duration::from_secs(10)));
    }
}
