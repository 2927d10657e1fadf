//! Where an S3-compatible place is, and the keys to it.
//!
//! Settings are for everyone to read; keys are a type of their own, which is never printed and wiped when dropped.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::Error;

/// What is needed to find a bucket. Nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Settings {
    /// The server, as `https://s3.example.org`; without a scheme it is `https`. Plain `http` is for servers at home.
    pub endpoint: String,
    /// The bucket's name.
    pub bucket: String,
    /// The region that requests are signed for. Servers of one's own have one too: `garage`, `us-east-1`.
    pub region: String,
    /// What the names of our objects begin with, as `family/skykeep`; may be empty.
    #[serde(default)]
    pub prefix: String,
    /// How the bucket is named in requests.
    #[serde(default)]
    pub addressing: Addressing,
}

/// How a bucket is named in a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressing {
    /// `https://server/bucket/…`: every server understands it.
    #[default]
    Path,
    /// `https://bucket.server/…`.
    VirtualHost,
}

/// The keys to a bucket: access key and secret. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct S3Credentials {
    key: Zeroizing<String>,
    secret: Zeroizing<String>,
}

impl S3Credentials {
    /// Takes the keys; blanks around them, which come with copying, are left out.
    pub fn new(key: &str, secret: &str) -> Self {
        Self {
            key: Zeroizing::new(key.trim().to_owned()),
            secret: Zeroizing::new(secret.trim().to_owned()),
        }
    }

    /// The access key, on the line that uses it.
    pub(super) fn expose_key(&self) -> &str {
        &self.key
    }

    /// The secret, on the line that uses it.
    pub(super) fn expose_secret(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Credentials(<secret>)")
    }
}

/// Settings that were looked at: every part is what it should be.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// The server's host name, for people.
    pub(super) server: String,
    /// `https://server/bucket` or `https://bucket.server`, without a slash at its end.
    pub(super) base: String,
    pub(super) bucket: String,
    pub(super) region: String,
    /// Empty, or ends with a slash.
    pub(super) prefix: String,
}

impl S3Settings {
    /// Whether what is sent is encrypted on its way.
    pub fn is_encrypted(&self) -> bool {
        self.server().is_ok_and(|server| server.scheme() == "https")
    }

    fn server(&self) -> Result<Url, Error> {
        let invalid = |reason: &str| Error::invalid("endpoint", reason);
        let text = self.endpoint.trim().trim_end_matches('/');
        let text = match text.contains("://") {
            true => text.to_owned(),
            false => format!("https://{text}"),
        };
        let url = Url::parse(&text).map_err(|error| invalid(&error.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
            return Err(invalid("not the address of a server"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("keys do not belong into the address"));
        }
        if url.query().is_some() || url.fragment().is_some() || url.path() != "/" {
            return Err(invalid("more than the address of a server"));
        }
        Ok(url)
    }

    /// Looks at every part. Errors: `Invalid` naming the part.
    pub(super) fn address(&self) -> Result<Address, Error> {
        let url = self.server()?;
        let server = url.host_str().unwrap_or_default().to_owned();
        let (bucket, region) = (self.bucket.trim(), self.region.trim());
        let plain = |text: &str, more: &str| {
            let letter = |letter: char| letter.is_ascii_alphanumeric() || more.contains(letter);
            !text.is_empty() && text.chars().all(letter)
        };
        // Source: Amazon S3, "Bucket naming rules", and those of before 2018.
        if !plain(bucket, ".-_") || !(3..=255).contains(&bucket.len()) || bucket.starts_with('.') {
            return Err(Error::invalid("bucket", "not the name of a bucket"));
        }
        if !plain(region, "-_.") || region.len() > 64 {
            return Err(Error::invalid("region", "not the name of a region"));
        }
        let prefix = self.prefix.trim().trim_matches('/');
        let part = |part: &str| plain(part, "._-") && part != "." && part != "..";
        if !prefix.is_empty() && (prefix.len() > 200 || !prefix.split('/').all(part)) {
            return Err(Error::invalid("prefix", "not a folder's name"));
        }
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let base = match self.addressing {
            Addressing::Path => format!("{}://{authority}/{bucket}", url.scheme()),
            Addressing::VirtualHost => format!("{}://{bucket}.{authority}", url.scheme()),
        };
        Ok(Address {
            server,
            base,
            bucket: bucket.to_owned(),
            region: region.to_owned(),
            prefix: if prefix.is_empty() {
                String::new()
            } else {
                format!("{prefix}/")
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(endpoint: &str, bucket: &str, prefix: &str) -> S3Settings {
        S3Settings {
            endpoint: endpoint.to_owned(),
            bucket: bucket.to_owned(),
            region: "eu-west-1".to_owned(),
            prefix: prefix.to_owned(),
            addressing: Addressing::Path,
        }
    }

    #[test]
    fn addresses_are_put_together() {
        let check = |endpoint: &str, prefix: &str, base: &str, in_front: &str| {
            let address = settings(endpoint, "family", prefix).address().unwrap();
            assert_eq!((address.base.as_str(), address.prefix.as_str()), (base, in_front));
        };
        check("https://s3.example.org", "", "https://s3.example.org/family", "");
        check(" s3.example.org/ ", "/a/b/", "https://s3.example.org/family", "a/b/");
        check("http://192.168.1.5:3900", "x", "http://192.168.1.5:3900/family", "x/");
        check("http://[::1]:80", "", "http://[::1]/family", "");
        let mut hosted = settings("https://s3.example.org:444", "family", "");
        hosted.addressing = Addressing::VirtualHost;
        assert_eq!(hosted.address().unwrap().base, "https://family.s3.example.org:444");
    }

    #[test]
    fn what_is_no_place_is_refused_by_its_part() {
        let check = |endpoint: &str, bucket: &str, prefix: &str, part: &str| {
            let error = settings(endpoint, bucket, prefix).address().unwrap_err();
            assert!(matches!(&error, Error::Invalid { name, .. } if name == part), "{error}");
        };
        check("", "family", "", "endpoint");
        check("ftp://s3.example.org", "family", "", "endpoint");
        check("https://key:secret@s3.example.org", "family", "", "endpoint");
        check("https://s3.example.org/family", "family", "", "endpoint");
        check("https://s3.example.org?x=1", "family", "", "endpoint");
        check("https://s3.example.org", "", "", "bucket");
        check("https://s3.example.org", "a/b", "", "bucket");
        check("https://s3.example.org", "..a", "", "bucket");
        check("https://s3.example.org", "family", "a//b", "prefix");
        check("https://s3.example.org", "family", "a/../b", "prefix");
        check("https://s3.example.org", "family", "über", "prefix");
        let mut nowhere = settings("https://s3.example.org", "family", "");
        nowhere.region = String::new();
        assert!(matches!(nowhere.address(), Err(Error::Invalid { name, .. }) if name == "region"));
    }

    #[test]
    fn encryption_is_told_by_the_scheme() {
        assert!(settings("s3.example.org", "family", "").is_encrypted());
        assert!(!settings("http://s3.example.org", "family", "").is_encrypted());
        assert!(!settings("not an address", "family", "").is_encrypted());
    }

    #[test]
    fn keys_are_not_printed() {
        let keys = S3Credentials::new(" AKIDEXAMPLE\n", "wJalrXUtnFEMI");
        assert_eq!(format!("{keys:?}"), "S3Credentials(<secret>)");
        assert_eq!(
            (keys.expose_key(), keys.expose_secret()),
            ("AKIDEXAMPLE", "wJalrXUtnFEMI")
        );
    }
}
