//! What a bucket that keeps versions has kept, and deleting one of them. Source: Amazon S3, API reference
//! (ListObjectVersions, DeleteObject).

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;

use super::question::{Asker, decoded, encoded};
use super::wire::Failed;

/// One version of an object, or the mark that it was deleted then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) key: String,
    pub(super) id: String,
    /// When it was written; many servers tell whole seconds.
    pub(super) time: Timestamp,
    /// Its length in bytes; `None` for the mark.
    pub(super) size: Option<u64>,
}

/// One page of versions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) versions: Vec<Version>,
    pub(super) next: Option<Marker>,
}

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marker {
    key: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    is_truncated: Option<bool>,
    next_key_marker: Option<String>,
    next_version_id_marker: Option<String>,
    encoding_type: Option<String>,
    #[serde(default)]
    version: Vec<ListedVersion>,
    #[serde(default)]
    delete_marker: Vec<ListedVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedVersion {
    key: String,
    version_id: String,
    last_modified: Timestamp,
    size: Option<u64>,
}

impl Asker {
    /// One page of all versions of what begins with `prefix`, and of the marks that they were deleted.
    ///
    /// Errors: an answer that is no such list, from a server that does not know the question.
    pub(super) async fn versions(&self, prefix: &str, from: Option<&Marker>) -> Result<Versions, Failed> {
        let mut query = vec![("encoding-type", "url".to_owned())];
        query.extend(from.map(|from| ("key-marker", from.key.clone())));
        query.push(("prefix", prefix.to_owned()));
        query.extend(from.map(|from| ("version-id-marker", from.version.clone())));
        query.push(("versions", String::new()));
        read(&self.ask_for_text(&query).await?, from)
    }

    /// Deletes one version for good.
    pub(super) async fn delete_version(&self, key: &str, id: &str) -> Result<(), Failed> {
        let url = format!("{}?versionId={}", self.url(key), encoded(id));
        self.send(Method::DELETE, &url, &[]).await.map(drop)
    }
}

fn read(text: &str, from: Option<&Marker>) -> Result<Versions, Failed> {
    // Who ignores the question answers with the list of what is there now, which would read as no versions at all.
    if !text.contains("<ListVersionsResult") {
        return Err(Failed::unusable("no list of versions"));
    }
    let listed: Listed = quick_xml::de::from_str(text).map_err(Failed::unusable)?;
    let encoded = listed.encoding_type.as_deref() == Some("url");
    let plain = |text: String| if encoded { decoded(&text) } else { text };
    let next = match (listed.is_truncated, listed.next_key_marker) {
        (Some(true), None) => return Err(Failed::unusable("a list of versions that ends and goes on")),
        (Some(true), Some(key)) => Some(Marker {
            key: plain(key),
            version: listed.next_version_id_marker.unwrap_or_default(),
        }),
        _ => None,
    };
    if next.is_some() && next.as_ref() == from {
        return Err(Failed::unusable("a list of versions without an end"));
    }
    let version = |size: fn(&ListedVersion) -> Option<u64>| {
        move |found: ListedVersion| Version {
            size: size(&found),
            key: plain(found.key),
            id: found.version_id,
            time: found.last_modified,
        }
    };
    let kept = listed
        .version
        .into_iter()
        .map(version(|found| Some(found.size.unwrap_or(0))));
    let marks = listed.delete_marker.into_iter().map(version(|_| None));
    Ok(Versions {
        versions: kept.chain(marks).collect(),
        next,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: &str = "<Version><Key>a%2Fone</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest>\
                        <LastModified>2026-11-22T14:00:00Z</LastModified><Size>5</Size></Version>";
    const MARK: &str = "<DeleteMarker><Key>a%2Fone</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest>\
                        <LastModified>2026-11-22T15:00:00.5Z</LastModified></DeleteMarker>";

    fn page(inner: &str, from: Option<&Marker>) -> Result<Versions, Failed> {
        let url = "<EncodingType>url</EncodingType>";
        read(&format!("<ListVersionsResult>{url}{inner}</ListVersionsResult>"), from)
    }

    #[test]
    fn versions_and_marks_are_read_in_any_order() {
        let expected = [
            ("v1", "2026-11-22T14:00:00Z", Some(5)),
            ("v2", "2026-11-22T15:00:00.5Z", None),
        ];
        for inner in [format!("{KEPT}{MARK}"), format!("{MARK}{KEPT}")] {
            let page = page(&inner, None).unwrap();
            assert_eq!(page.next, None);
            for (found, (id, time, size)) in page.versions.iter().zip(expected) {
                assert_eq!((found.key.as_str(), found.id.as_str(), found.size), ("a/one", id, size));
                assert_eq!(found.time, time.parse().unwrap());
            }
            assert_eq!(page.versions.len(), 2);
        }
    }

    #[test]
    fn pages_follow_each_other_and_end() {
        let more = "<IsTruncated>true</IsTruncated><NextKeyMarker>a%2Fone</NextKeyMarker>\
                    <NextVersionIdMarker>v1</NextVersionIdMarker>";
        let next = page(more, None).unwrap().next.unwrap();
        assert_eq!((next.key.as_str(), next.version.as_str()), ("a/one", "v1"));
        assert!(page(more, Some(&next)).is_err(), "without an end");
        assert!(page("<IsTruncated>true</IsTruncated>", None).is_err());
    }

    #[test]
    fn a_list_of_what_is_there_now_is_no_list_of_versions() {
        assert!(read("<ListBucketResult><Name>b</Name></ListBucketResult>", None).is_err());
        assert!(read("", None).is_err());
    }
}
