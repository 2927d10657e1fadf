//! What is asked of a server beside storing and reading, signed like everything else.
//!
//! object_store lists no names that it could not write itself, shows no stored checksum, and knows no bucket settings;
//! the questions for those are here. Source: Amazon S3, API reference (HeadObject, ListObjectsV2,
//! ListMultipartUploads, GetObjectLockConfiguration).

use std::sync::Arc;

use data_encoding::BASE64;
use futures_util::StreamExt as _;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use object_store::aws::AwsAuthorizer;
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody, HttpResponse};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::keys::Keys;
use super::settings::Address;
use super::wire::{Failed, failed};
use crate::layout::Checksum;

/// A page of a listing has at most 1,000 names of at most 1,024 letters each.
const PAGE: usize = 16 << 20;

/// Signs and asks.
#[derive(Debug)]
pub(super) struct Asker {
    client: HttpClient,
    keys: Arc<Keys>,
    address: Address,
}

/// An object, as its head tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) size: u64,
    /// What the server holds as its SHA-256, base64; for one of several parts that of their checksums, and `-<parts>`.
    pub(super) checksum: Option<String>,
    /// Which version it is; `None` where none are kept.
    pub(super) version: Option<String>,
    /// For how many days from when it was written nobody at all can delete this version; 0 when somebody can. `None`
    /// when that is not told.
    pub(super) locked_days: Option<u32>,
}

/// One page of a listing, keys as they are in the bucket.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) files: Vec<(String, u64)>,
    pub(super) folders: Vec<String>,
    /// Where the next page begins.
    pub(super) next: Option<String>,
}

/// An upload in parts that nobody has finished.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Unfinished {
    pub(super) key: String,
    pub(super) upload_id: String,
    pub(super) initiated: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    is_truncated: Option<bool>,
    next_continuation_token: Option<String>,
    encoding_type: Option<String>,
    #[serde(default)]
    contents: Vec<ListedObject>,
    #[serde(default)]
    common_prefixes: Vec<ListedPrefix>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedObject {
    key: String,
    size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedPrefix {
    prefix: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Uploads {
    #[serde(default)]
    upload: Vec<Unfinished>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ObjectLock {
    object_lock_enabled: Option<String>,
    rule: Option<LockRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LockRule {
    default_retention: Option<Retention>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Retention {
    mode: Option<String>,
    days: Option<u32>,
    years: Option<u32>,
}

impl Asker {
    pub(super) fn new(client: HttpClient, keys: Arc<Keys>, address: Address) -> Self {
        Self { client, keys, address }
    }

    /// An object's head, with its stored checksum where the server keeps one; `None` when there is no such object.
    pub(super) async fn head(&self, key: &str) -> Result<Option<Head>, Failed> {
        let url = self.url(key);
        let response = match self
            .send(Method::HEAD, &url, &[("x-amz-checksum-mode", "ENABLED")])
            .await
        {
            Ok(response) => response,
            Err(failed) if failed.is_absent() => return Ok(None),
            // A head has no words. Another question tells why: about the bucket, the key, the clock.
            Err(failed) if failed.code().is_empty() && failed.status().is_some_and(|status| status < 500) => {
                self.page("", true, None, 1).await?;
                return Err(failed);
            }
            Err(failed) => return Err(failed),
        };
        let header = |name: &str| text(response.headers(), name);
        let size = header("content-length").and_then(|text| text.parse().ok());
        Ok(Some(Head {
            size: size.ok_or_else(|| Failed::unusable("a head without a length"))?,
            checksum: header("x-amz-checksum-sha256").map(str::to_owned),
            version: header("x-amz-version-id").filter(|id| *id != "null").map(str::to_owned),
            locked_days: locked_days(header),
        }))
    }

    /// Stores nothing under this name, with the SHA-256 of something else: whoever compares refuses that.
    pub(super) async fn put_wrong(&self, key: &str) -> Result<(), Failed> {
        let url = self.url(key);
        let wrong = BASE64.encode(&Checksum::of(b"something else").0);
        let headers = [("content-length", "0"), ("x-amz-checksum-sha256", wrong.as_str())];
        self.send(Method::PUT, &url, &headers).await.map(drop)
    }

    /// One page of what begins with `prefix`; with `folders`, only up to the next slash.
    pub(super) async fn page(
        &self,
        prefix: &str,
        folders: bool,
        from: Option<&str>,
        limit: u32,
    ) -> Result<Page, Failed> {
        let mut query = vec![
            ("encoding-type", "url".to_owned()),
            ("list-type", "2".to_owned()),
            ("max-keys", limit.to_string()),
            ("prefix", prefix.to_owned()),
        ];
        query.extend(folders.then(|| ("delimiter", "/".to_owned())));
        query.extend(from.map(|from| ("continuation-token", from.to_owned())));
        self.ask::<Listed>(&query).await?.page(from)
    }

    /// The first thousand unfinished uploads below the prefix; more come when these are gone.
    pub(super) async fn unfinished(&self) -> Result<Vec<Unfinished>, Failed> {
        let query = [("prefix", self.address.prefix.clone()), ("uploads", String::new())];
        Ok(self.ask::<Uploads>(&query).await?.upload)
    }

    /// For how many days what is written can be deleted by nobody, when there is such a rule; 0 when the bucket could
    /// have one and has none.
    pub(super) async fn lock(&self) -> Result<Option<u32>, Failed> {
        let lock: ObjectLock = self.ask(&[("object-lock", String::new())]).await?;
        Ok(lock.days())
    }

    /// Where an object is.
    pub(super) fn url(&self, key: &str) -> String {
        format!("{}/{key}", self.address.base)
    }

    /// A question about the bucket.
    async fn ask<T: DeserializeOwned>(&self, query: &[(&str, String)]) -> Result<T, Failed> {
        quick_xml::de::from_str(&self.ask_for_text(query).await?)
            .map_err(|error| Failed::unusable(format!("an answer that is not understood: {error}")))
    }

    pub(super) async fn ask_for_text(&self, query: &[(&str, String)]) -> Result<String, Failed> {
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| match value.is_empty() && *name != "prefix" {
                true => format!("{name}="),
                false => format!("{name}={}", encoded(value)),
            })
            .collect();
        let url = format!("{}?{}", self.address.base, query.join("&"));
        let response = self.send(Method::GET, &url, &[]).await?;
        let mut body = Vec::new();
        let mut stream = response.into_body().bytes_stream();
        while let Some(piece) = stream.next().await {
            body.extend_from_slice(&piece.map_err(|error| failed(&error))?);
            if body.len() > PAGE {
                return Err(Failed::unusable("an answer that is too long"));
            }
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<HttpResponse, Failed> {
        let mut builder = http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let mut request: HttpRequest = builder.body(HttpRequestBody::empty()).map_err(Failed::unusable)?;
        AwsAuthorizer::new(self.keys.credential(), "s3", &self.address.region)
            .try_authorize(&mut request, None)
            .map_err(Failed::unusable)?;
        self.client.execute(request).await.map_err(|error| failed(&error))
    }
}

impl Listed {
    /// The page that follows `from`. Errors: one that says that more follows, and not where.
    fn page(self, from: Option<&str>) -> Result<Page, Failed> {
        let encoded = self.encoding_type.as_deref() == Some("url");
        let plain = |text: String| if encoded { decoded(&text) } else { text };
        let next = match (self.is_truncated, self.next_continuation_token) {
            (Some(true), None) => return Err(Failed::unusable("a listing that ends and goes on")),
            (Some(true), Some(next)) if from == Some(next.as_str()) => {
                return Err(Failed::unusable("a listing without an end"));
            }
            (Some(true), next) => next,
            _ => None,
        };
        let files = self.contents.into_iter().map(|object| (plain(object.key), object.size));
        let folders = self.common_prefixes.into_iter().map(|prefix| plain(prefix.prefix));
        Ok(Page {
            files: files.collect(),
            folders: folders.collect(),
            next,
        })
    }
}

impl ObjectLock {
    /// As [`Asker::lock`] answers. A rule that some may override protects from nobody who has the keys.
    fn days(self) -> Option<u32> {
        if self.object_lock_enabled.as_deref() != Some("Enabled") {
            return None;
        }
        let retention = self.rule.and_then(|rule| rule.default_retention);
        let strict = retention.filter(|retention| retention.mode.as_deref() == Some("COMPLIANCE"));
        let days = strict.map(|strict| strict.days.unwrap_or(0) + strict.years.unwrap_or(0).saturating_mul(365));
        Some(days.unwrap_or(0))
    }
}

/// As [`Head::locked_days`], from an object's headers. A lock that some may open protects from nobody who has the keys.
fn locked_days<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<u32> {
    if header("x-amz-object-lock-mode")? != "COMPLIANCE" {
        return Some(0);
    }
    let until: Timestamp = header("x-amz-object-lock-retain-until-date")?.parse().ok()?;
    let written = jiff::fmt::rfc2822::parse(header("last-modified")?).ok()?.timestamp();
    // Rounded: servers lock from when they began to write.
    let hours = until.duration_since(written).as_hours() + 12;
    u32::try_from(hours / 24).ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Percent-encodes everything but what signatures leave alone. Source: AWS Signature Version 4, "UriEncode".
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Undoes percent-encoding; `+` is a blank. What is no UTF-8 shows as such.
pub(super) fn decoded(text: &str) -> String {
    let pair = format!("key={text}");
    let value = url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned());
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(inner: &str, from: Option<&str>) -> Result<Page, Failed> {
        let xml = format!("<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3/\">{inner}</ListBucketResult>");
        quick_xml::de::from_str::<Listed>(&xml).unwrap().page(from)
    }

    #[test]
    fn pages_are_read_as_servers_write_them() {
        let file = |key: &str| format!("<Contents><Key>{key}</Key><Size>3</Size><ETag>x</ETag></Contents>");
        let folder = |key: &str| format!("<CommonPrefixes><Prefix>{key}</Prefix></CommonPrefixes>");
        let check = |inner: String, files: &[&str], folders: &[&str], next: Option<&str>| {
            let page = page(&inner, None).unwrap();
            let names: Vec<&str> = page.files.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!((names.as_slice(), page.next.as_deref()), (files, next), "{inner}");
            assert_eq!(page.folders, folders, "{inner}");
            assert!(page.files.iter().all(|(_, size)| *size == 3));
        };
        check(String::new(), &[], &[], None);
        check(
            "<IsTruncated>false</IsTruncated>".to_owned() + &file("a/b"),
            &["a/b"],
            &[],
            None,
        );
        // Mixed, as some servers order them.
        check(file("a") + &folder("b/") + &file("c"), &["a", "c"], &["b/"], None);
        let url = "<EncodingType>url</EncodingType>";
        check(format!("{url}{}", file("a+b%2Bc/%C3%BC%26")), &["a b+c/ü&"], &[], None);
        check(file("a+b%2Bc &amp; d"), &["a+b%2Bc & d"], &[], None);
        let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t1</NextContinuationToken>";
        check(file("a") + more, &["a"], &[], Some("t1"));
    }

    #[test]
    fn a_listing_that_goes_nowhere_is_no_listing() {
        assert!(page("<IsTruncated>true</IsTruncated>", None).is_err());
        let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t1</NextContinuationToken>";
        assert!(page(more, Some("t1")).is_err());
        assert!(page(more, Some("t0")).is_ok());
    }

    #[test]
    fn locks_count_only_when_nobody_can_open_them() {
        let check = |inner: &str, expected: Option<u32>| {
            let xml = format!("<ObjectLockConfiguration>{inner}</ObjectLockConfiguration>");
            assert_eq!(
                quick_xml::de::from_str::<ObjectLock>(&xml).unwrap().days(),
                expected,
                "{inner}"
            );
        };
        let on = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>";
        let rule = |rule: &str| format!("{on}<Rule><DefaultRetention>{rule}</DefaultRetention></Rule>");
        check("", None);
        check(on, Some(0));
        check(&rule("<Mode>COMPLIANCE</Mode><Days>30</Days>"), Some(30));
        check(&rule("<Mode>COMPLIANCE</Mode><Years>2</Years>"), Some(730));
        check(&rule("<Mode>GOVERNANCE</Mode><Days>30</Days>"), Some(0));
    }

    #[test]
    fn an_object_tells_how_long_it_is_locked() {
        let check = |mode: Option<&'static str>, until: &'static str, expected: Option<u32>| {
            let found = locked_days(|name| match name {
                "x-amz-object-lock-mode" => mode,
                "x-amz-object-lock-retain-until-date" => Some(until),
                "last-modified" => Some("Sun, 22 Nov 2026 14:00:01 GMT"),
                _ => None,
            });
            assert_eq!(found, expected, "{mode:?} {until}");
        };
        check(None, "2026-12-22T14:00:00Z", None);
        check(Some("COMPLIANCE"), "2026-12-22T14:00:00Z", Some(30));
        check(Some("COMPLIANCE"), "2026-11-23T14:00:00.25Z", Some(1));
        check(Some("COMPLIANCE"), "2025-11-23T14:00:00Z", None);
        check(Some("COMPLIANCE"), "soon", None);
        check(Some("GOVERNANCE"), "2026-12-22T14:00:00Z", Some(0));
    }

    #[test]
    fn unfinished_uploads_are_read_with_their_times() {
        let xml = "<ListMultipartUploadsResult><Bucket>b</Bucket><Upload><Key>a/b</Key><UploadId>u1</UploadId>\
                   <Initiated>2026-11-22T14:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>";
        let uploads = quick_xml::de::from_str::<Uploads>(xml).unwrap().upload;
        let expected = Unfinished {
            key: "a/b".to_owned(),
            upload_id: "u1".to_owned(),
            initiated: Some("2026-11-22T14:00:00Z".parse().unwrap()),
        };
        assert_eq!(uploads, [expected]);
    }
}
