//! A real storage server behind a door that says no when a test wants it, or shows half of what is there: what honest
//! servers do seldom, and never on demand.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use skykeep_tests::s3::{Kind, S3Server};

/// What the door does with a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mood {
    /// It is passed on.
    Honest,
    /// It is answered with this status, these headers and the name of this error.
    Refuses(&'static str, &'static str, &'static str),
    /// Of listings every second file is left out; all else is passed on.
    ListsHalf,
}

/// A running server and its door. Ends when dropped.
pub(crate) struct Moody {
    /// rclone keeps plain files, and needs no time to begin.
    pub(crate) server: S3Server,
    port: u16,
    mood: Arc<Mutex<Mood>>,
    over: Arc<AtomicBool>,
}

impl Moody {
    pub(crate) fn start() -> Self {
        let server = S3Server::start(Kind::Rclone).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let moody = Self {
            port: listener.local_addr().unwrap().port(),
            mood: Arc::new(Mutex::new(Mood::Honest)),
            over: Arc::default(),
            server,
        };
        let (behind, mood, over) = (moody.server.port(), Arc::clone(&moody.mood), Arc::clone(&moody.over));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let mood = Arc::clone(&mood);
                // A client that hangs up is its own business.
                std::thread::spawn(move || serve(stream, behind, &mood).ok());
            }
        });
        moody
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

impl Drop for Moody {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

/// One request a connection, so that a mood holds for the next one.
fn serve(mut client: TcpStream, behind: u16, mood: &Mutex<Mood>) -> std::io::Result<()> {
    let head = read_head(&mut client)?;
    let mood = *mood.lock().unwrap();
    let is_listing = head.starts_with("GET ") && head.contains("list-type=2");
    match mood {
        Mood::Refuses(status, headers, code) => {
            let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
            let body = if head.starts_with("HEAD ") { "" } else { &body };
            respond(&mut client, status, headers, body.as_bytes())?;
        }
        Mood::ListsHalf if is_listing => {
            let answer = ask(&head, &mut client, behind)?;
            let text = String::from_utf8_lossy(&answer);
            let (_, body) = text.split_once("\r\n\r\n").unwrap_or_default();
            let mut parts = body.split_inclusive("</Contents>");
            let kept = std::iter::from_fn(|| {
                let first = parts.next()?;
                // What stands before the first file, and behind the last one, is no file.
                let dropped = parts.next().filter(|part| !part.ends_with("</Contents>"));
                Some([first, dropped.unwrap_or_default()].concat())
            });
            let body: String = kept.collect();
            respond(
                &mut client,
                "200 OK",
                "Content-Type: application/xml\r\n",
                body.as_bytes(),
            )?;
        }
        Mood::Honest | Mood::ListsHalf => {
            let answer = ask(&head, &mut client, behind)?;
            client.write_all(&answer)?;
        }
    }
    // What still comes is taken, so that closing does not take the answer away from under the client.
    client.shutdown(Shutdown::Write)?;
    std::io::copy(&mut client, &mut std::io::sink()).map(drop)
}

fn respond(client: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    client.write_all(head.as_bytes())?;
    client.write_all(body)
}

/// Passes a request on as the last one of its connection; the whole answer.
fn ask(head: &str, client: &mut TcpStream, behind: u16) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(("127.0.0.1", behind))?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    // An old version of the protocol, so that the answer comes in one piece and ends with the connection.
    server.write_all(head.replacen(" HTTP/1.1\r\n", " HTTP/1.0\r\n", 1).as_bytes())?;
    let length: u64 = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    std::io::copy(&mut client.take(length), &mut server)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    Ok(answer)
}

fn read_head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
