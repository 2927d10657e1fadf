//! Whom we ask, what is allowed, and how long we wait.
//!
//! Built by the engine from the settings, with the environment on top, so that tests and people who host themselves can
//! point every question elsewhere. An empty `SKYKEEP_HANDLE_RESOLVER` or `SKYKEEP_APPVIEW_URL` means that nobody is
//! asked.
//!
//! No proxy is used, whatever `HTTPS_PROXY` says: a proxy looks names up itself, and the guard against private
//! addresses (see [`crate::Refusal`]) can only judge the addresses that we connect to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use url::Url;

use crate::{ConfigFault, Error};

/// Everything that this crate wants to know about its surroundings.
#[derive(Debug, Clone)]
pub struct NetConfig {
    /// The PLC directory. `SKYKEEP_PLC_URL`.
    pub plc_url: Url,
    /// Who is asked with `com.atproto.identity.resolveHandle` when neither DNS nor the handle's own host knows; in test
    /// mode it answers for `.test` handles alone. `None`: nobody. `SKYKEEP_HANDLE_RESOLVER`.
    pub handle_resolver: Option<Url>,
    /// A DNS resolver that is asked for everything instead of the system's. `SKYKEEP_DNS`, `address` or `address:port`.
    pub dns: Option<SocketAddr>,
    /// The AppView that tells how a profile looks. `None`: nobody is asked. `SKYKEEP_APPVIEW_URL`.
    pub appview_url: Option<Url>,
    /// The relay. `SKYKEEP_RELAY_URL`.
    pub relay_url: Url,
    /// Test mode: plain http to loopback, loopback addresses and `.test` handles are allowed.
    /// `SKYKEEP_LOOPBACK_HTTP=1`.
    pub loopback_http: bool,
    /// How long we wait for strangers, unless [`crate::Client::with_patience`] says otherwise.
    pub patience: Patience,
}

impl Default for NetConfig {
    fn default() -> Self {
        let known = |url: &str| Url::parse(url).expect("a constant address parses");
        Self {
            plc_url: known("https://plc.directory"),
            handle_resolver: Some(known("https://public.api.bsky.app")),
            dns: None,
            appview_url: Some(known("https://public.api.bsky.app")),
            relay_url: known("https://bsky.network"),
            loopback_http: false,
            patience: Patience::default(),
        }
    }
}

impl NetConfig {
    /// The defaults with the environment on top. Errors: `Config`.
    pub fn from_env() -> Result<Self, Error> {
        Self::default().with_env()
    }

    /// These settings with the environment on top. Errors: `Config` for a variable that is set to nonsense.
    pub fn with_env(self) -> Result<Self, Error> {
        self.with_variables(|name| std::env::var(name).ok())
    }

    fn with_variables(mut self, variable: impl Fn(&'static str) -> Option<String>) -> Result<Self, Error> {
        let address = |name: &'static str| variable(name).map(|text| parse_url(name, text.trim())).transpose();
        if let Some(url) = address("SKYKEEP_PLC_URL")?.flatten() {
            self.plc_url = url;
        }
        if let Some(url) = address("SKYKEEP_RELAY_URL")?.flatten() {
            self.relay_url = url;
        }
        if let Some(choice) = address("SKYKEEP_HANDLE_RESOLVER")? {
            self.handle_resolver = choice;
        }
        if let Some(choice) = address("SKYKEEP_APPVIEW_URL")? {
            self.appview_url = choice;
        }
        if let Some(text) = variable("SKYKEEP_DNS") {
            self.dns = parse_dns(text.trim())?;
        }
        if let Some(text) = variable("SKYKEEP_LOOPBACK_HTTP") {
            self.loopback_http = match text.trim() {
                "1" => true,
                "" | "0" => false,
                _ => {
                    return Err(Error::Config {
                        variable: "SKYKEEP_LOOPBACK_HTTP",
                        fault: ConfigFault::NoSwitch,
                    });
                }
            };
        }
        Ok(self)
    }
}

/// `None` for an empty value.
fn parse_url(variable: &'static str, text: &str) -> Result<Option<Url>, Error> {
    let fail = |fault| Error::Config { variable, fault };
    if text.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(text).map_err(|_| fail(ConfigFault::NoWebAddress))?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err(fail(ConfigFault::NoWebAddress));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(fail(ConfigFault::MoreThanAddress));
    }
    Ok(Some(url))
}

fn parse_dns(text: &str) -> Result<Option<SocketAddr>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)))
        .map(Some)
        .map_err(|_| Error::Config {
            variable: "SKYKEEP_DNS",
            fault: ConfigFault::NoIp,
        })
}

/// How long we wait for a stranger, and how often we try. Nothing has a total limit but small answers.
///
/// Source of the defaults: the projects that serve this network publish connect 10 s, first byte 30 s, idle 60 s, and
/// back-off with full jitter from 1 s in at most 6 tries.
#[derive(Debug, Clone)]
pub struct Patience {
    /// For a connection to stand, TLS included. Taken from the configuration alone.
    pub connect: Duration,
    /// From asking to the first byte of the answer, the connection included.
    pub first_byte: Duration,
    /// The longest wait for 4 KiB more of a long answer, or for its end.
    pub idle: Duration,
    /// For the whole of a small answer: anything but repositories and blobs.
    pub whole: Duration,
    /// How often a question is asked at most.
    pub tries: u32,
    /// The wait before the second try is random between nothing and this; each later one up to twice as long.
    pub first_wait: Duration,
    /// A longer pause than this is not waited for: it becomes [`Error::RateLimited`].
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            whole: Duration::from_secs(120),
            tries: 6,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
        }
    }
}

impl Patience {
    /// For a person who is looking at the window: an answer or an error within half a minute.
    pub fn interactive() -> Self {
        Self {
            first_byte: Duration::from_secs(12),
            idle: Duration::from_secs(10),
            whole: Duration::from_secs(15),
            tries: 2,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(2),
            ..Self::default()
        }
    }

    /// The smaller of each.
    pub(crate) fn no_longer_than(&self, other: &Self) -> Self {
        Self {
            connect: self.connect.min(other.connect),
            first_byte: self.first_byte.min(other.first_byte),
            idle: self.idle.min(other.idle),
            whole: self.whole.min(other.whole),
            tries: self.tries.min(other.tries),
            first_wait: self.first_wait.min(other.first_wait),
            longest_wait: self.longest_wait.min(other.longest_wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<NetConfig, Error> {
        NetConfig::default().with_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_set_changes_nothing() {
        let config = read(&[]).unwrap();
        assert_eq!(config.plc_url.as_str(), "https://plc.directory/");
        assert!(config.handle_resolver.is_some() && config.appview_url.is_some());
        assert!(config.dns.is_none() && !config.loopback_http);
    }

    #[test]
    fn every_variable_is_read() {
        let config = read(&[
            ("SKYKEEP_PLC_URL", "http://localhost:2582"),
            ("SKYKEEP_HANDLE_RESOLVER", " http://localhost:2583 "),
            ("SKYKEEP_DNS", "127.0.0.1:5353"),
            ("SKYKEEP_APPVIEW_URL", ""),
            ("SKYKEEP_RELAY_URL", "https://relay.test/base"),
            ("SKYKEEP_LOOPBACK_HTTP", "1"),
        ])
        .unwrap();
        assert_eq!(config.plc_url.port(), Some(2582));
        assert_eq!(config.handle_resolver.unwrap().port(), Some(2583));
        assert_eq!(config.dns, Some("127.0.0.1:5353".parse().unwrap()));
        assert_eq!(config.appview_url, None);
        assert_eq!(config.relay_url.path(), "/base");
        assert!(config.loopback_http);
        let config = read(&[("SKYKEEP_DNS", "::1")]).unwrap();
        assert_eq!(config.dns, Some("[::1]:53".parse().unwrap()));
    }

    #[test]
    fn nonsense_is_named() {
        use ConfigFault::{MoreThanAddress, NoIp, NoSwitch, NoWebAddress};
        let check = |name: &'static str, value: &str, expected: ConfigFault| match read(&[(name, value)]) {
            Err(Error::Config { variable, fault }) => assert_eq!((variable, fault), (name, expected), "{value}"),
            other => panic!("{name}={value}: {other:?}"),
        };
        check("SKYKEEP_PLC_URL", "plc.directory", NoWebAddress);
        check("SKYKEEP_PLC_URL", "file:///etc/passwd", NoWebAddress);
        check("SKYKEEP_PLC_URL", "https://user:secret@plc.directory", MoreThanAddress);
        check("SKYKEEP_HANDLE_RESOLVER", "https://a.test/?token=1", MoreThanAddress);
        check("SKYKEEP_DNS", "localhost:53", NoIp);
        check("SKYKEEP_LOOPBACK_HTTP", "yes", NoSwitch);
    }
}
