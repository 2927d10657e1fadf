//! What logind says of sleep: shortly before the machine goes to sleep, and when it is awake again.
//!
//! A hint. Where nobody says so, or the word comes too late, the clocks tell a sleep afterwards ([`super::slept`]). Nothing
//! is asked in between. Source: the D-Bus interface `org.freedesktop.login1.Manager`, signal `PrepareForSleep`.

#[cfg(target_os = "linux")]
use futures_util::StreamExt;
#[cfg(target_os = "linux")]
use tokio::{sync::mpsc, task::JoinHandle};
#[cfg(target_os = "linux")]
use zbus::{MatchRule, MessageStream, connection::Builder, message::Type};

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Sleeps {
    #[cfg(target_os = "linux")]
    said: mpsc::Receiver<bool>,
    #[cfg(target_os = "linux")]
    listener: JoinHandle<()>,
}

impl Sleeps {
    /// Begins to listen. Needs a tokio runtime.
    pub(crate) fn watch() -> Self {
        #[cfg(target_os = "linux")]
        return Self::watch_on(Builder::system());
        #[cfg(not(target_os = "linux"))]
        Self {}
    }

    /// Waits for the next word: true when the machine is about to sleep, false when it is awake again. For ever where
    /// nobody says so.
    pub(crate) async fn next(&mut self) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(soon) = self.said.recv().await {
            return soon;
        }
        std::future::pending().await
    }
}

#[cfg(target_os = "linux")]
impl Sleeps {
    fn watch_on(bus: zbus::Result<Builder<'static>>) -> Self {
        let (tell, said) = mpsc::channel(4);
        let listener = tokio::spawn(async move {
            if let Err(error) = listen(bus, tell).await {
                tracing::debug!(%error, "nobody says when the machine sleeps");
            }
        });
        Self { said, listener }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Sleeps {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

#[cfg(target_os = "linux")]
async fn listen(bus: zbus::Result<Builder<'static>>, tell: mpsc::Sender<bool>) -> zbus::Result<()> {
    let bus = bus?.build().await?;
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender("org.freedesktop.login1")?
        .path("/org/freedesktop/login1")?
        .interface("org.freedesktop.login1.Manager")?
        .member("PrepareForSleep")?
        .build();
    let mut words = MessageStream::for_match_rule(rule, &bus, None).await?;
    while let Some(word) = words.next().await {
        let soon = word?.body().deserialize()?;
        tracing::info!(soon, "the machine sleeps");
        if tell.send(soon).await.is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::machine::mock::Mock;
    use crate::testing::skipped;

    #[tokio::test]
    async fn logind_is_heard() {
        let Some(mock) = Mock::start(&["logind"]) else {
            return skipped("logind_is_heard", "no dbus-daemon or python3-dbusmock");
        };
        let mut sleeps = Sleeps::watch_on(Builder::address(mock.address()));
        // It takes a moment until somebody listens.
        let mut heard = None;
        for _ in 0..200 {
            mock.sleeps(true);
            heard = tokio::time::timeout(Duration::from_millis(100), sleeps.next())
                .await
                .ok();
            if heard.is_some() {
                break;
            }
        }
        assert_eq!(heard, Some(true));
        mock.sleeps(false);
        // Words said twice above may still be on their way.
        let awake = async { while sleeps.next().await {} };
        tokio::time::timeout(Duration::from_secs(20), awake).await.unwrap();
    }

    #[tokio::test]
    async fn where_nobody_says_so_nothing_is_heard() {
        let mut sleeps = Sleeps::watch_on(Builder::address("unix:path=/nowhere/bus"));
        (&mut sleeps.listener).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_millis(50), sleeps.next()).await;
        assert!(heard.is_err());
    }
}
