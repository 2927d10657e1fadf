//! A name server on loopback that answers as it is told: raw packets, made by hand.
//!
//! Source of the layout: RFC 1035, section 4.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// What it says to one question.
#[derive(Clone)]
pub(crate) enum Say {
    /// TXT records, each of one or more chunks.
    Texts(Vec<Vec<&'static str>>),
    /// An IPv4 address.
    Address([u8; 4]),
    /// The name exists and has nothing of the kind.
    Nothing,
    /// The name does not exist.
    NoSuchName,
    /// An error of the server's own.
    Failure,
    /// Bytes that are no answer at all.
    Garbage,
    /// No answer.
    Silence,
}

/// Listens on loopback until it is dropped.
pub(crate) struct HostileNames {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

const A: u16 = 1;
const TXT: u16 = 16;

impl HostileNames {
    /// Answers TXT questions with `texts` and questions for an IPv4 address with `addresses`.
    pub(crate) async fn start(
        texts: impl Fn(&str) -> Say + Send + 'static,
        addresses: impl Fn(&str) -> Say + Send + 'static,
    ) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut packet = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let Some((name, kind, end)) = question(&packet[..length]) else {
                    continue;
                };
                seen.lock().unwrap().push(name.clone());
                let say = match kind {
                    TXT => texts(&name),
                    A => addresses(&name),
                    // No host has an IPv6 address, so that the other answer decides.
                    _ => match addresses(&name) {
                        Say::Address(_) => Say::Nothing,
                        other => other,
                    },
                };
                if let Some(answer) = answer(&packet[..end], &say) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self { address, asked, task }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every name that was asked for, without the final dot.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for HostileNames {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Name, kind and end of the one question in a packet.
fn question(packet: &[u8]) -> Option<(String, u16, usize)> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while *packet.get(at)? != 0 {
        let length = usize::from(packet[at]);
        labels.push(String::from_utf8_lossy(packet.get(at + 1..at + 1 + length)?).to_lowercase());
        at += 1 + length;
    }
    let kind = u16::from_be_bytes(packet.get(at + 1..at + 3)?.try_into().ok()?);
    Some((labels.join("."), kind, at + 5))
}

/// `asked` is the packet up to the end of its question.
fn answer(asked: &[u8], say: &Say) -> Option<Vec<u8>> {
    let (code, kind, records): (u8, u16, Vec<Vec<u8>>) = match say {
        Say::Texts(texts) => (0, TXT, texts.iter().map(|chunks| text(chunks)).collect()),
        Say::Address(address) => (0, A, vec![address.to_vec()]),
        Say::Nothing => (0, A, vec![]),
        Say::NoSuchName => (3, A, vec![]),
        Say::Failure => (2, A, vec![]),
        Say::Garbage => return Some(vec![0x55; 40]),
        Say::Silence => return None,
    };
    let count = u8::try_from(records.len()).unwrap();
    let mut packet = asked.to_vec();
    // An answer, recursion available, then how many questions, answers, authorities and additions.
    packet[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    for record in records {
        packet.extend_from_slice(&[0xc0, 12]);
        packet.extend_from_slice(&kind.to_be_bytes());
        packet.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
        packet.extend_from_slice(&u16::try_from(record.len()).unwrap().to_be_bytes());
        packet.extend_from_slice(&record);
    }
    Some(packet)
}

fn text(chunks: &[&str]) -> Vec<u8> {
    let chunk = |text: &&str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    chunks.iter().flat_map(chunk).collect()
}
