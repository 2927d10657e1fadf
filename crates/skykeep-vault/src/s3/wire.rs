//! The HTTP client below the object store: its own, so that every refusal is read once and stays typed.
//!
//! object_store tells refusals apart by status alone. Here an answer that is none becomes a [`Refusal`] with the
//! server's own code, which travels through object_store as the source of its error and is found again by [`failed`].
//! Nothing is retried here and no redirect is followed: signatures hold for one address only.
//!
//! TLS is rustls with ring and trusts what the system trusts, as everywhere in Skykeep.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use http::StatusCode;
use http::header::{CONTENT_RANGE, DATE, HeaderMap};
use jiff::{SignedDuration, Timestamp};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::Deserialize;

use crate::trouble::{Doing, Trouble};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(20);
/// How long a server may be silent in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(60);
/// More of a refusal's body is not read.
const REFUSAL: usize = 64 * 1024;
/// What signatures allow clocks to differ. Source: AWS Signature Version 4.
const SKEW: SignedDuration = SignedDuration::from_mins(15);

/// The client, as object_store calls it.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    http: reqwest::Client,
}

impl Wire {
    /// Errors: no trusted roots for TLS on this computer.
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        // Somebody else may have chosen the same for the whole program already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("Skykeep/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Names))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .http1_only()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            // Servers close idle connections after 5 to 60 s; one that is closed as we write costs a retry.
            .pool_idle_timeout(Duration::from_secs(4))
            .build()?;
        Ok(Self { http })
    }

    pub(super) fn client(&self) -> HttpClient {
        HttpClient::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.client())
    }
}

impl HttpService for Wire {
    /// An answer of success, or an error that holds a [`Refusal`].
    fn call<'a, 'f>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let mut response = HttpService::call(&self.http, request).await?;
            // rclone sends a part of an object as if it were the whole; only this header tells.
            if response.status() == StatusCode::OK && response.headers().contains_key(CONTENT_RANGE) {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            }
            if response.status().is_success() {
                return Ok(response);
            }
            let (parts, body) = response.into_parts();
            let mut text = Vec::new();
            let mut stream = body.bytes_stream();
            while let Some(Ok(piece)) = stream.next().await {
                text.extend_from_slice(&piece);
                if text.len() > REFUSAL {
                    break;
                }
            }
            let refusal = Refusal::read(parts.status.as_u16(), &parts.headers, &String::from_utf8_lossy(&text));
            // Of this kind object_store retries nothing: we do.
            Err(HttpError::new(HttpErrorKind::Unknown, refusal))
        })
    }
}

/// The system's names, with an error that can be told from a server that does not answer. What ends in `.localhost`
/// is this computer, also where the system does not know it. Source: RFC 6761, section 6.3.
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            if name.as_str().ends_with(".localhost") {
                let here = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
                return Ok(Box::new(here.map(|address| SocketAddr::new(address, 0)).into_iter()) as Addrs);
            }
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<_> = found.map(Iterator::collect).unwrap_or_default();
            if found.is_empty() {
                return Err(Box::new(NoSuchName) as Box<dyn StdError + Send + Sync>);
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no address for this name")]
struct NoSuchName;

/// An answer that says no.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The server's name for it; empty when it gave none.
    pub(super) code: String,
    message: String,
    region: Option<String>,
    /// The server's time, when it differs too much from ours.
    off: Option<Timestamp>,
    /// There was no body at all: the answer to a HEAD.
    bare: bool,
}

/// Source: Amazon S3, "REST error responses".
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    region: Option<String>,
}

impl Refusal {
    fn read(status: u16, headers: &HeaderMap, text: &str) -> Self {
        let header = |name: &str| headers.get(name)?.to_str().ok();
        let body: Body = quick_xml::de::from_str(text).unwrap_or_default();
        let date = header(DATE.as_str()).and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        let date = date.map(|date| date.timestamp());
        Self {
            status,
            code: printable(&body.code, 64),
            message: printable(&body.message, 200),
            region: body.region.or_else(|| header("x-amz-bucket-region").map(str::to_owned)),
            off: date.filter(|date| date.duration_since(Timestamp::now()).abs() > SKEW),
            bare: text.is_empty(),
        }
    }

    /// Whether the object that was asked for is not there.
    fn is_absent(&self) -> bool {
        self.status == 404 && (self.bare || matches!(self.code.as_str(), "NoSuchKey" | "NotFound"))
    }

    /// Whether the same request may be answered later. Source: Amazon S3, "Error responses".
    fn is_transient(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504)
            || matches!(
                self.code.as_str(),
                "ConditionalRequestConflict" | "OperationAborted" | "RequestTimeout" | "SlowDown" | "InternalError"
            )
    }

    fn trouble(&self, doing: Doing) -> Trouble {
        let says = |text: &str| self.message.to_lowercase().contains(text);
        match self.code.as_str() {
            "InvalidAccessKeyId" | "InvalidClientTokenId" | "InvalidAccessKeyID" => Trouble::UnknownKey,
            "RequestTimeTooSkewed" | "RequestExpired" => Trouble::ClockOff { server_time: self.off },
            "ExpiredToken" | "TokenRefreshRequired" | "InvalidToken" => Trouble::KeyExpired,
            "NoSuchBucket" => Trouble::NoBucket,
            "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "TemporaryRedirect"
            | "IllegalLocationConstraintException" => Trouble::WrongRegion {
                expected: self.region.clone(),
            },
            _ if self.is_transient() => Trouble::Busy,
            _ if matches!(self.status, 301 | 307 | 308) && (self.region.is_some() || !self.code.is_empty()) => {
                Trouble::WrongRegion {
                    expected: self.region.clone(),
                }
            }
            _ if matches!(self.status, 300..400) => Trouble::NotS3,
            _ if matches!(self.status, 401 | 403) && self.off.is_some() => Trouble::ClockOff { server_time: self.off },
            "SignatureDoesNotMatch" => Trouble::WrongSecret,
            // Garage has one code for all of these. Source: garage, `src/api/common/signature`.
            "AccessDenied" if says("no such key") => Trouble::UnknownKey,
            "AccessDenied" if says("invalid signature") => Trouble::WrongSecret,
            _ if matches!(self.status, 401 | 403) => Trouble::Forbidden { doing },
            _ if self.code.is_empty() => Trouble::NotS3,
            _ => Trouble::Refused {
                status: self.status,
                code: self.code.clone(),
            },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = [self.status.to_string(), self.code.clone(), self.message.clone()];
        let parts: Vec<&str> = text
            .iter()
            .map(String::as_str)
            .filter(|text| !text.is_empty())
            .collect();
        f.write_str(&parts.join(" "))
    }
}

impl StdError for Refusal {}

/// Why a request came to nothing.
#[derive(Debug, Clone)]
pub(super) enum Failed {
    /// The server said no.
    Refused(Refusal),
    /// It said nothing, or nothing that can be used.
    NoAnswer {
        /// What is wrong.
        trouble: Trouble,
        /// What the connection says.
        said: String,
    },
}

impl Failed {
    /// An answer that cannot be used.
    pub(super) fn unusable(said: impl fmt::Display) -> Self {
        Self::NoAnswer {
            trouble: Trouble::NotS3,
            said: said.to_string(),
        }
    }

    /// No answer within its time.
    pub(super) fn timeout() -> Self {
        Self::NoAnswer {
            trouble: Trouble::Unreachable,
            said: "no answer in time".to_owned(),
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is_absent())
    }

    /// The status, when the server said no.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            Self::NoAnswer { .. } => None,
        }
    }

    /// The server's name for it; empty when there is none.
    pub(super) fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.code,
            Self::NoAnswer { .. } => "",
        }
    }

    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_transient(),
            Self::NoAnswer { trouble, .. } => trouble.is_transient(),
        }
    }

    pub(super) fn trouble(&self, doing: Doing) -> Trouble {
        match self {
            Self::Refused(refusal) => refusal.trouble(doing),
            Self::NoAnswer { trouble, .. } => trouble.clone(),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NoAnswer { said, .. } => f.write_str(said),
        }
    }
}

/// What an error of object_store or of the client below it means.
pub(super) fn failed(error: &(dyn StdError + 'static)) -> Failed {
    let mut trouble = Trouble::Unreachable;
    let mut said = error.to_string();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return Failed::Refused(refusal.clone());
        }
        if error.is::<NoSuchName>() {
            trouble = Trouble::NameNotFound;
        }
        if error.downcast_ref::<io::Error>().is_some_and(is_about_certificate) {
            trouble = Trouble::Certificate;
        }
        said = error.to_string();
        next = error.source();
    }
    Failed::NoAnswer {
        trouble,
        said: printable(&said, 200),
    }
}

/// I/O errors do not name what they hold as their source, and TLS errors sit in two of them.
fn is_about_certificate(error: &io::Error) -> bool {
    let Some(held) = error.get_ref() else {
        return false;
    };
    match held.downcast_ref::<io::Error>() {
        Some(inner) => is_about_certificate(inner),
        None => matches!(held.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))),
    }
}

/// A stranger's words, fit for a log.
fn printable(text: &str, limit: usize) -> String {
    text.trim()
        .chars()
        .filter(|letter| !letter.is_control())
        .take(limit)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str, headers: &[(&'static str, &str)]) -> Refusal {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Refusal::read(status, &map, body)
    }

    fn xml(code: &str, message: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message><RequestId>1</RequestId></Error>"
        )
    }

    #[test]
    fn refusals_are_told_apart() {
        let check = |status: u16, code: &str, message: &str, expected: Trouble| {
            let found = refusal(status, &xml(code, message), &[]).trouble(Doing::Writing);
            assert_eq!(found, expected, "{status} {code} {message}");
        };
        let forbidden = || Trouble::Forbidden { doing: Doing::Writing };
        check(403, "InvalidAccessKeyId", "", Trouble::UnknownKey);
        check(403, "SignatureDoesNotMatch", "", Trouble::WrongSecret);
        check(403, "AccessDenied", "Forbidden: No such key: GK12", Trouble::UnknownKey);
        check(
            403,
            "AccessDenied",
            "Forbidden: Invalid signature",
            Trouble::WrongSecret,
        );
        check(403, "AccessDenied", "Access Denied", forbidden());
        check(401, "Unauthorized", "", forbidden());
        check(400, "ExpiredToken", "", Trouble::KeyExpired);
        check(404, "NoSuchBucket", "", Trouble::NoBucket);
        check(503, "SlowDown", "", Trouble::Busy);
        check(500, "InternalError", "", Trouble::Busy);
        check(301, "PermanentRedirect", "", Trouble::WrongRegion { expected: None });
        check(403, "RequestTimeTooSkewed", "", Trouble::ClockOff { server_time: None });
        check(
            501,
            "NotImplemented",
            "",
            Trouble::Refused {
                status: 501,
                code: "NotImplemented".to_owned(),
            },
        );
    }

    #[test]
    fn regions_are_read_from_body_and_header() {
        let expected = Trouble::WrongRegion {
            expected: Some("eu-west-3".to_owned()),
        };
        let body =
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>x</Message><Region>eu-west-3</Region></Error>";
        assert_eq!(refusal(400, body, &[]).trouble(Doing::Reading), expected);
        let header = [("x-amz-bucket-region", "eu-west-3")];
        assert_eq!(refusal(301, "", &header).trouble(Doing::Reading), expected);
    }

    #[test]
    fn a_clock_that_is_off_explains_a_signature_that_is_not_accepted() {
        let date = [("date", "Tue, 15 Nov 1994 08:12:31 GMT")];
        let server_time = Some("1994-11-15T08:12:31Z".parse().unwrap());
        for code in ["SignatureDoesNotMatch", "AccessDenied"] {
            let found = refusal(403, &xml(code, ""), &date).trouble(Doing::Reading);
            assert_eq!(found, Trouble::ClockOff { server_time }, "{code}");
        }
        // It says nothing about a bucket that is not there.
        let found = refusal(404, &xml("NoSuchBucket", ""), &date).trouble(Doing::Reading);
        assert_eq!(found, Trouble::NoBucket);
    }

    #[test]
    fn what_is_no_s3_server_is_said_to_be_none() {
        let check = |status: u16, body: &str| {
            let found = refusal(status, body, &[]).trouble(Doing::Listing);
            assert_eq!(found, Trouble::NotS3, "{status} {body}");
        };
        check(404, "<html><body>Not Found</body></html>");
        check(404, "404 page not found");
        check(400, "");
        check(302, "");
        check(405, "{\"error\":\"method\"}");
    }

    #[test]
    fn an_object_is_absent_only_when_the_server_says_so() {
        let absent = |status, body: &str| refusal(status, body, &[]).is_absent();
        assert!(absent(404, "") && absent(404, &xml("NoSuchKey", "")));
        assert!(!absent(404, "<html>not found</html>"));
        assert!(!absent(404, &xml("NoSuchBucket", "")) && !absent(403, "") && !absent(410, ""));
    }

    #[test]
    fn a_stranger_s_words_are_cut_and_cleaned() {
        let said = refusal(400, &xml("Bad", &format!("a\u{1b}[31m{}", "x".repeat(500))), &[]).to_string();
        assert!(said.starts_with("400 Bad a[31mxxx") && said.len() < 250, "{said}");
    }
}
