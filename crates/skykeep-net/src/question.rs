//! What we ask: an address, a sort of answer, and how large that may be.

use serde::de::DeserializeOwned;
use skykeep_atproto::Did;
use skykeep_atproto::document::DidDocument;
use url::Url;

use crate::error::Error;
use crate::guard::host_of;
use crate::headers;
use crate::plc::Document;
use crate::queue::Weight;

/// A GET, with everything that its answer must obey.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) url: Url,
    /// What is asked for, for errors and the log.
    pub(crate) what: &'static str,
    pub(crate) kind: Kind,
    /// Of the unpacked answer, in bytes.
    pub(crate) limit: u64,
    /// How many redirects may be followed.
    pub(crate) redirects: u32,
    /// Whose account it is about.
    pub(crate) about: Option<Did>,
}

/// The sorts of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// JSON, served as JSON.
    Json,
    /// A small file of somebody's web server, whatever type that gives it.
    File,
    /// A whole repository, or what changed in it: a CAR.
    Repo,
    /// A blob of any type. Media are packed already: asking for gzip would only cost time.
    Blob,
}

impl Kind {
    pub(crate) fn accept(self) -> &'static str {
        match self {
            Self::Json => "application/json, application/did+ld+json;q=0.9, application/did+json;q=0.9",
            Self::Repo => "application/vnd.ipld.car",
            Self::File | Self::Blob => "*/*",
        }
    }

    pub(crate) fn accept_encoding(self) -> &'static str {
        if self == Self::Blob { "identity" } else { "gzip" }
    }

    pub(crate) fn weight(self) -> Weight {
        match self {
            Self::Json | Self::File => Weight::Small,
            Self::Blob => Weight::Download,
            Self::Repo => Weight::Repo,
        }
    }

    pub(crate) fn accepts(self, media_type: Option<&str>) -> bool {
        match self {
            Self::Json => media_type.is_some_and(headers::is_json),
            // Static copies of a repository are served as plain bytes.
            Self::Repo => matches!(
                media_type,
                Some("application/vnd.ipld.car" | "application/octet-stream")
            ),
            Self::File | Self::Blob => true,
        }
    }
}

/// An answer in memory.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_type: Option<String>,
}

impl Question {
    /// JSON from `nsid` at a host of the protocol.
    pub(crate) fn xrpc(base: &Url, nsid: &str, parameters: &[(&str, &str)], what: &'static str, limit: u64) -> Self {
        let mut url = below(base, &["xrpc", nsid]);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        Self {
            url,
            what,
            kind: Kind::Json,
            limit,
            redirects: 3,
            about: None,
        }
    }

    /// The same question about an account, so that refusals can name it.
    pub(crate) fn about(mut self, did: &Did) -> Self {
        self.about = Some(did.clone());
        self
    }

    /// The same question with another kind of answer.
    pub(crate) fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Reads JSON of a known shape; fields that are not known are ignored. Errors: `BadBody`.
    pub(crate) fn json<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(bytes).map_err(|_| self.bad("not the JSON that belongs there"))
    }

    /// Reads a DID document. Errors: `Malformed`.
    pub(crate) fn document(&self, did: &Did, bytes: Vec<u8>) -> Result<Document, Error> {
        let parsed = DidDocument::parse(did, &bytes).map_err(|source| self.malformed(source))?;
        Ok(Document { bytes, parsed })
    }

    /// The error for an answer that the protocol's own parser refuses.
    pub(crate) fn malformed(&self, source: skykeep_atproto::Error) -> Error {
        Error::Malformed {
            host: host_of(&self.url),
            what: self.what,
            source,
        }
    }

    /// The error for an answer that breaks a rule.
    pub(crate) fn bad(&self, reason: &'static str) -> Error {
        self.bad_from(host_of(&self.url), reason)
    }

    pub(crate) fn bad_from(&self, host: String, reason: &'static str) -> Error {
        Error::BadBody {
            host,
            what: self.what,
            reason,
        }
    }
}

/// `base` with more path segments, each of them escaped.
pub(crate) fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}
