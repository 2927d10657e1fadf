//! Where we go, and where nobody sends us.
//!
//! Addresses come from strangers: from DID documents, DNS and redirects. So every address that is about to be asked,
//! and every hop of a redirect, passes three rules:
//!
//! 1. https only; plain http only in test mode, and only to this computer by name or number.
//! 2. A host given as a number must be public. A host given as a name is looked up by our own resolver, which hands out
//!    public addresses only, so what was judged is what is connected to and a second lookup cannot change it.
//! 3. A redirect never goes from https to http.
//!
//! Public means: in the global unicast ranges of the IANA special-purpose address registries, and in none of the ranges
//! for special purposes. An address that a NAT64 gateway made from a public IPv4 address is public: on networks without
//! IPv4 the system's resolver answers with nothing else. Test mode adds loopback, and nothing more.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::dns::Names;
use crate::error::{Cause, Error, Refusal};

/// The rules of this module for one configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    /// Test mode.
    pub(crate) loopback: bool,
}

impl Guard {
    /// Judges the address of a question before it is asked. Errors: `Refused`.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Error> {
        self.judge(url).map_err(|reason| Error::Refused {
            host: host_of(url),
            reason,
        })
    }

    /// Judges a redirect. Errors: `Refused`.
    pub(crate) fn check_hop(&self, from: &Url, to: &Url) -> Result<(), Error> {
        if from.scheme() == "https" && to.scheme() == "http" {
            return Err(Error::Refused {
                host: host_of(to),
                reason: Refusal::Downgrade,
            });
        }
        self.check(to)
    }

    /// Whether a connection to this address may be made.
    pub(crate) fn allows(&self, ip: IpAddr) -> bool {
        is_public(ip) || (self.loopback && ip.is_loopback())
    }

    fn judge(&self, url: &Url) -> Result<(), Refusal> {
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Refusal::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Address);
        }
        let (number, here) = match url.host() {
            None => return Err(Refusal::Address),
            Some(Host::Domain(name)) => (None, is_localhost(name)),
            Some(Host::Ipv4(ip)) => (Some(IpAddr::V4(ip)), ip.is_loopback()),
            Some(Host::Ipv6(ip)) => (Some(IpAddr::V6(ip)), ip.is_loopback()),
        };
        if url.scheme() == "http" && !(self.loopback && here) {
            return Err(Refusal::PlainHttp);
        }
        if number.is_some_and(|ip| !self.allows(ip)) || (here && !self.loopback) {
            return Err(Refusal::PrivateAddress);
        }
        Ok(())
    }
}

/// `name` or `name:port`, for people and as the name of a queue.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// `localhost` and what is below it, which never leave this computer. Source: RFC 6761, 6.3.
pub(crate) fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// Source: IANA IPv4 Special-Purpose Address Registry (RFC 6890 and later), multicast (RFC 5771) and class E.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    !matches!(
        ip.octets(),
        [0 | 10 | 127, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [224..=255, ..]
    )
}

/// Source: IANA IPv6 Special-Purpose Address Registry; global unicast is 2000::/3, NAT64 is 64:ff9b::/96 (RFC 6052).
fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Teredo, ORCHID, benchmarking and other protocol assignments; documentation; 6to4; documentation.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// The resolver of the HTTP client: looks names up and hands out allowed addresses only.
pub(crate) struct GuardedNames {
    pub(crate) guard: Guard,
    pub(crate) names: Names,
}

/// Why a name gave no address that may be connected to; found again in the HTTP client's error by [`crate::xrpc`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameFault {
    #[error("every address of the name is private")]
    Private,
    #[error("{0}")]
    Unresolved(Cause),
}

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, names) = (self.guard, self.names.clone());
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await.map_err(NameFault::Unresolved)?;
            let allowed: Vec<_> = found.into_iter().filter(|ip| guard.allows(*ip)).collect();
            if allowed.is_empty() {
                return Err(NameFault::Private.into());
            }
            Ok(Box::new(allowed.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_special_addresses_are_told_from_public_ones() {
        let check = |text: &str, public| assert_eq!(is_public(text.parse().unwrap()), public, "{text}");
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "64:ff9b::101:101",
        ] {
            check(public, true);
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::101:101",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            check(private, false);
        }
    }

    fn verdict(loopback: bool, url: &str) -> Option<Refusal> {
        match (Guard { loopback }).check(&Url::parse(url).unwrap()) {
            Ok(()) => None,
            Err(Error::Refused { reason, .. }) => Some(reason),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn addresses_are_judged_before_anything_is_asked() {
        let check = |url: &str, expected| assert_eq!(verdict(false, url), expected, "{url}");
        check("https://pds.example.com/xrpc", None);
        check("https://1.1.1.1/", None);
        check("http://pds.example.com/", Some(Refusal::PlainHttp));
        check("http://localhost:2583/", Some(Refusal::PlainHttp));
        check("https://localhost/", Some(Refusal::PrivateAddress));
        check("https://a.LOCALHOST./", Some(Refusal::PrivateAddress));
        check("https://127.0.0.1/", Some(Refusal::PrivateAddress));
        check("https://2130706433/", Some(Refusal::PrivateAddress));
        check("https://0x7f.1/", Some(Refusal::PrivateAddress));
        check("https://[::1]/", Some(Refusal::PrivateAddress));
        check("https://[::ffff:10.0.0.1]/", Some(Refusal::PrivateAddress));
        check(
            "https://169.254.169.254/latest/meta-data",
            Some(Refusal::PrivateAddress),
        );
        check("https://user@pds.example.com/", Some(Refusal::Address));
        check("file:///etc/passwd", Some(Refusal::Scheme));
        check("ftp://pds.example.com/", Some(Refusal::Scheme));
    }

    #[test]
    fn test_mode_opens_this_computer_and_nothing_else() {
        let check = |url: &str, expected| assert_eq!(verdict(true, url), expected, "{url}");
        check("http://localhost:2583/", None);
        check("http://127.0.0.1:2583/", None);
        check("http://[::1]:2583/", None);
        check("https://localhost/", None);
        check("http://pds.example.com/", Some(Refusal::PlainHttp));
        check("http://10.0.0.1/", Some(Refusal::PlainHttp));
        check("https://10.0.0.1/", Some(Refusal::PrivateAddress));
        check("https://169.254.169.254/", Some(Refusal::PrivateAddress));
        check("https://[::ffff:127.0.0.1]/", Some(Refusal::PrivateAddress));
    }

    #[test]
    fn a_redirect_never_leaves_https() {
        let guard = Guard { loopback: true };
        let hop = |from: &str, to: &str| guard.check_hop(&Url::parse(from).unwrap(), &Url::parse(to).unwrap());
        assert!(hop("https://a.example.com/", "https://b.example.com/").is_ok());
        assert!(hop("http://localhost/", "http://localhost:1/").is_ok());
        assert!(hop("http://localhost/", "https://a.example.com/").is_ok());
        for (from, to) in [
            ("https://a.example.com/", "http://a.example.com/"),
            ("https://a.example.com/", "http://localhost/"),
        ] {
            let answer = hop(from, to);
            assert!(
                matches!(
                    answer,
                    Err(Error::Refused {
                        reason: Refusal::Downgrade,
                        ..
                    })
                ),
                "{to}"
            );
        }
    }
}
