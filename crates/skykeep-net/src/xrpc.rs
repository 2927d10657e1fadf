//! The one HTTP client: every question that Skykeep asks a stranger goes through here.
//!
//! A question is a GET with a name, a limit and a kind. It waits for its turn in its host's queue, passes the guard, is
//! asked, follows at most three redirects by hand (each one judged and queued as if it were the question), is read
//! under its limits, and ends as bytes or as a typed [`Error`]. Only what is transient is asked again, with full
//! jitter.
//!
//! TLS is rustls with ring, so nothing depends on what the system's OpenSSL can do, and trusts what the system trusts:
//! people who distrust an authority, or run their own, say so once and in one place. HTTP is 1.1 alone: a handful of
//! connections to small hosts gain nothing from HTTP/2, and its framing is one more thing that strangers could abuse.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, LOCATION};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::fs::File;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use url::Url;

use crate::body::{self, Limits, Sink};
use crate::config::{NetConfig, Patience};
use crate::dns::Names;
use crate::error::{Cause, Error, Refusal};
use crate::failure;
use crate::guard::{Guard, GuardedNames, host_of};
use crate::headers;
use crate::question::{Answer, Question};
use crate::queue::{Queues, Weight};

/// More of an error's body is not read.
const ERROR_BODY: u64 = 64 * 1024;

/// Asks strangers. Cheap to clone; clones share connections and queues.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    patience: Patience,
}

#[derive(Debug)]
struct Shared {
    config: NetConfig,
    http: reqwest::Client,
    guard: Guard,
    names: Names,
    queues: Queues,
}

impl Client {
    /// Makes the client; the program needs one. Errors: `Setup` when this computer has no trusted roots for TLS.
    pub fn new(config: NetConfig) -> Result<Self, Error> {
        // Somebody else may have chosen the same for the whole program already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let guard = Guard {
            loopback: config.loopback_http,
        };
        let names = Names::new(config.dns, config.patience.connect);
        let http = reqwest::Client::builder()
            .user_agent(user_agent())
            .dns_resolver(GuardedNames {
                guard,
                names: names.clone(),
            })
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .http1_only()
            .http1_max_headers(100)
            .connect_timeout(config.patience.connect)
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(4)
            .build()
            .map_err(|error| Error::Setup {
                reason: root_cause(&error),
            })?;
        Ok(Self {
            patience: config.patience.clone(),
            shared: Arc::new(Shared {
                config,
                http,
                guard,
                names,
                queues: Queues::default(),
            }),
        })
    }

    /// What it was made with.
    pub fn config(&self) -> &NetConfig {
        &self.shared.config
    }

    /// The same client, the same connections and queues, with more or less patience.
    ///
    /// The time to connect stays what the configuration says.
    pub fn with_patience(&self, patience: Patience) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            patience,
        }
    }

    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }

    pub(crate) fn guard(&self) -> Guard {
        self.shared.guard
    }

    pub(crate) fn names(&self) -> &Names {
        &self.shared.names
    }

    /// Asks, and holds the answer in memory.
    pub(crate) async fn ask(&self, question: &Question, cancel: &CancellationToken) -> Result<Answer, Error> {
        until(cancel, async {
            let mut sink = Sink::memory();
            let content_type = self.persist(question, &mut sink).await?;
            Ok(Answer {
                bytes: sink.into_memory(),
                content_type,
            })
        })
        .await
    }

    /// Asks for JSON of a known shape; fields that are not known are ignored. Errors: also `BadBody`.
    pub(crate) async fn ask_json<T>(&self, question: &Question, cancel: &CancellationToken) -> Result<T, Error>
    where
        T: DeserializeOwned,
    {
        let answer = self.ask(question, cancel).await?;
        question.json(&answer.bytes)
    }

    /// Asks, and writes the answer to a file, which is emptied first. Returns its length and media type.
    pub(crate) async fn download(
        &self,
        question: &Question,
        file: &mut File,
        progress: &mut (dyn FnMut(u64) + Send),
        cancel: &CancellationToken,
    ) -> Result<(u64, Option<String>), Error> {
        until(cancel, async {
            let mut sink = Sink::file(file, progress);
            let content_type = self.persist(question, &mut sink).await?;
            Ok((sink.bytes(), content_type))
        })
        .await
    }

    /// Asks again while it makes sense.
    async fn persist(&self, question: &Question, sink: &mut Sink<'_>) -> Result<Option<String>, Error> {
        let mut attempt = 1;
        loop {
            sink.restart().await?;
            let error = match self.ask_once(question, sink).await {
                Ok(content_type) => {
                    let host = host_of(&question.url);
                    debug!(host, what = question.what, bytes = sink.bytes(), attempt, "answered");
                    return Ok(content_type);
                }
                Err(error) => error,
            };
            let Some(wait) = self.patience.wait(attempt, &error) else {
                return Err(error);
            };
            warn!(%error, what = question.what, attempt, wait_ms = wait.as_millis(), "asking again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Asks once, redirects included.
    async fn ask_once(&self, question: &Question, sink: &mut Sink<'_>) -> Result<Option<String>, Error> {
        let mut url = question.url.clone();
        let mut redirects = question.redirects;
        self.shared.guard.check(&url)?;
        loop {
            let host = host_of(&url);
            let queue = self.shared.queues.of(&host);
            let limited = |wait| Error::RateLimited {
                host: host.clone(),
                wait,
            };
            let turn = queue.turn(question.kind.weight(), self.patience.longest_wait);
            let _turn = turn.await.map_err(limited)?;
            let asked = Instant::now();
            let response = self.send(&url, question, &host).await?;
            if let Some((limit, remaining, reset)) = headers::allowance(response.headers()) {
                queue.allowance(limit, remaining, reset);
            }
            if let Some(wait) = headers::pause(response.status(), response.headers()) {
                queue.close_for(wait);
                return Err(limited(wait));
            }
            match response.status() {
                status if status.is_redirection() && response.headers().contains_key(LOCATION) => {
                    let next = next_hop(&url, &response, redirects)?;
                    self.shared.guard.check_hop(&url, &next)?;
                    url = next;
                    redirects -= 1;
                }
                StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => {
                    let content_type = headers::media_type(response.headers());
                    if !question.kind.accepts(content_type.as_deref()) {
                        return Err(question.bad_from(host, "wrong content type"));
                    }
                    let limits = self.limits(question, asked);
                    body::read(response, &host, limits, sink).await?;
                    return Ok(content_type);
                }
                _ => return Err(self.failure(response, question, host, asked).await),
            }
        }
    }

    async fn send(&self, url: &Url, question: &Question, host: &str) -> Result<Response, Error> {
        let request = self
            .shared
            .http
            .get(url.clone())
            .header(ACCEPT, question.kind.accept())
            .header(ACCEPT_ENCODING, question.kind.accept_encoding());
        match tokio::time::timeout(self.patience.first_byte, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(failure::unreachable(&error, host)),
            Err(_) => Err(Error::Unreachable {
                host: host.to_owned(),
                cause: Cause::Timeout,
            }),
        }
    }

    fn limits(&self, question: &Question, asked: Instant) -> Limits {
        let small = question.kind.weight() == Weight::Small;
        Limits {
            what: question.what,
            bytes: question.limit,
            idle: self.patience.idle,
            until: small.then(|| asked + self.patience.whole),
        }
    }

    /// Reads what a host says about its refusal, if it is JSON; error pages of proxies are not read at all.
    async fn failure(&self, response: Response, question: &Question, host: String, asked: Instant) -> Error {
        let status = response.status();
        let unnamed = |host| Error::Http {
            host,
            status: status.as_u16(),
        };
        let json = headers::media_type(response.headers()).is_some_and(|kind| headers::is_json(&kind));
        if !json || status.is_server_error() {
            return unnamed(host);
        }
        let limits = Limits {
            what: "error",
            bytes: ERROR_BODY,
            idle: self.patience.idle,
            until: Some(asked + self.patience.whole),
        };
        let mut sink = Sink::memory();
        match body::read(response, &host, limits, &mut sink).await {
            Ok(()) => failure::named(host, status.as_u16(), &sink.into_memory(), question.about.as_ref()),
            Err(_) => unnamed(host),
        }
    }
}

/// Ends with `Cancelled` as soon as the token says so.
pub(crate) async fn until<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    cancel.run_until_cancelled(work).await.unwrap_or(Err(Error::Cancelled))
}

impl Patience {
    /// How long to wait before asking again; `None` when it is not worth it.
    fn wait(&self, attempt: u32, error: &Error) -> Option<Duration> {
        if attempt >= self.tries || !error.is_transient() {
            return None;
        }
        let asked = match error {
            Error::RateLimited { wait, .. } if *wait > self.longest_wait => return None,
            Error::RateLimited { wait, .. } => *wait,
            _ => Duration::ZERO,
        };
        let ceiling = self
            .first_wait
            .saturating_mul(1 << (attempt - 1).min(16))
            .min(self.longest_wait);
        Some(asked + ceiling.mul_f64(chance()))
    }
}

/// A random number from 0 up to 1. Without randomness there is no jitter, and nothing worse.
fn chance() -> f64 {
    let number = getrandom::u32().unwrap_or(u32::MAX);
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

fn user_agent() -> String {
    let product = concat!("Skykeep/", env!("CARGO_PKG_VERSION"));
    match env!("CARGO_PKG_HOMEPAGE") {
        "" => product.to_owned(),
        contact => format!("{product} (+{contact})"),
    }
}

fn next_hop(from: &Url, response: &Response, left: u32) -> Result<Url, Error> {
    let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let target = target.filter(|_| left > 0).and_then(|text| from.join(text).ok());
    target.ok_or_else(|| Error::Refused {
        host: host_of(from),
        reason: Refusal::Redirect,
    })
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
