//! Names: addresses of hosts, and the TXT records in which handles name their accounts.
//!
//! Addresses come from the system (its hosts file, its VPN, its caches), TXT records from the same name servers through
//! hickory; when a resolver is configured, it is asked for both. The system's list of name servers is read again for
//! every TXT question, because it changes when a laptop moves to another network, and the questions are rare. "Nothing
//! there" is an answer; whatever else goes wrong is not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use tracing::debug;

use crate::error::Cause;
use crate::guard::is_localhost;

/// Who is asked about names, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    server: Option<SocketAddr>,
    /// For one try of two.
    timeout: Duration,
}

impl Names {
    /// Asks `server`, or the system's when there is none. `patience` is the time for a connection.
    pub(crate) fn new(server: Option<SocketAddr>, patience: Duration) -> Self {
        Self {
            server,
            timeout: patience.min(Duration::from_secs(5)),
        }
    }

    /// The addresses of a host, not judged. Errors: `Name` when it has none or nobody answers.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Cause> {
        if is_localhost(host) {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let found: Vec<_> = if self.server.is_some() {
            self.ask_addresses(host).await?.unwrap_or_default()
        } else {
            let found = tokio::net::lookup_host((host, 0)).await.map_err(|_| Cause::Name)?;
            found.map(|address| address.ip()).collect()
        };
        if found.is_empty() { Err(Cause::Name) } else { Ok(found) }
    }

    /// Whether a name server says that the host has no address at all. An error of any kind is "no, it does not say
    /// so".
    pub(crate) async fn denies(&self, host: &str) -> bool {
        matches!(self.ask_addresses(host).await, Ok(None))
    }

    async fn ask_addresses(&self, host: &str) -> Result<Option<Vec<IpAddr>>, Cause> {
        let resolver = self.resolver()?;
        let found = self.limited(resolver.lookup_ip(rooted(host))).await?;
        Ok(found.map(|lookup| lookup.iter().collect()))
    }

    /// The TXT records of a name, the chunks of each joined; `None` when the name servers say that there are none.
    ///
    /// Errors: `Timeout`, or `Name` when the answer is an error or cannot be read.
    pub(crate) async fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Cause> {
        let resolver = self.resolver()?;
        let found = self.limited(resolver.txt_lookup(rooted(name))).await?;
        let text = |data: &RData| match data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        };
        Ok(found.map(|lookup| lookup.answers().iter().filter_map(|r| text(&r.data)).collect()))
    }

    async fn limited<T>(&self, answer: impl Future<Output = Result<T, NetError>>) -> Result<Option<T>, Cause> {
        // Two tries over UDP and, for long answers, one over TCP.
        match tokio::time::timeout(self.timeout * 3, answer).await {
            Ok(Ok(found)) => Ok(Some(found)),
            Ok(Err(error)) if error.is_no_records_found() => Ok(None),
            Ok(Err(NetError::Timeout)) | Err(_) => Err(Cause::Timeout),
            Ok(Err(error)) => {
                debug!(%error, "name lookup failed");
                Err(Cause::Name)
            }
        }
    }

    fn resolver(&self) -> Result<TokioResolver, Cause> {
        let mut builder = match self.server {
            None => TokioResolver::builder_tokio().map_err(|_| Cause::Name)?,
            Some(server) => {
                let mut config = NameServerConfig::udp_and_tcp(server.ip());
                for connection in &mut config.connections {
                    connection.port = server.port();
                }
                let config = ResolverConfig::from_name_servers(vec![config]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.timeout = self.timeout;
        options.attempts = 2;
        options.cache_size = 0;
        builder.build().map_err(|_| Cause::Name)
    }
}

/// With the final dot that keeps the system's search domains out of it.
fn rooted(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}
