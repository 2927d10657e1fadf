//! Record paths: `collection/record-key`, the keys of the tree.
//!
//! Source: AT Protocol "Repository" (Repo Paths), "NSID" and "Record Key".

/// The longest path the reference servers accept, in bytes.
pub const MAX_PATH: usize = 1024;

/// Whether `text` is a syntactically valid NSID (`app.bsky.feed.post`).
pub fn is_nsid(text: &[u8]) -> bool {
    if text.len() > 317 {
        return false;
    }
    let mut segments = text.split(|b| *b == b'.');
    let Some(name) = segments.next_back() else { return false };
    let Some(first) = segments.next() else { return false };
    let label = |label: &[u8]| {
        (1..=63).contains(&label.len())
            && label.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
            && label.first() != Some(&b'-')
            && label.last() != Some(&b'-')
    };
    let mut more = 0;
    let domain = label(first)
        && !first[0].is_ascii_digit()
        && segments.all(|segment| {
            more += 1;
            label(segment)
        });
    domain
        && more >= 1
        && text.len() - name.len() - 1 <= 253
        && (1..=63).contains(&name.len())
        && name.iter().all(u8::is_ascii_alphanumeric)
        && !name[0].is_ascii_digit()
}

/// Whether `text` is a syntactically valid record key.
pub fn is_record_key(text: &[u8]) -> bool {
    is_record_key_from(text, 0)
}

/// The same, where the bytes before `from` are known to be ones that a record key may have.
#[inline]
fn is_record_key_from(text: &[u8], from: usize) -> bool {
    (1..=512).contains(&text.len())
        && text[from..].iter().all(|b| RECORD_KEY_BYTES[usize::from(*b)])
        && text != b"."
        && text != b".."
}

/// `[a-zA-Z0-9._~:-]`, as a table: this runs once for every record of a repository.
const RECORD_KEY_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation)] // the loop ends at 256
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b':' | b'-');
        byte += 1;
    }
    table
};

/// The length of the collection in front of the `/`, when `path` is a valid record path.
///
/// `known` is a collection that was found valid before: neighbours in a tree mostly share theirs.
#[inline]
pub(crate) fn collection_len(path: &[u8], known: &[u8]) -> Option<usize> {
    if path.len() > MAX_PATH {
        return None;
    }
    let same = !known.is_empty() && path.starts_with(known) && path.get(known.len()) == Some(&b'/');
    let len = if same {
        known.len()
    } else {
        path.iter().position(|b| *b == b'/')?
    };
    let valid = (same || is_nsid(&path[..len])) && is_record_key(&path[len + 1..]);
    valid.then_some(len)
}

/// Whether a path is valid that shares `shared` bytes with a valid one: its collection, `collection` bytes long, the
/// `/`, and perhaps more.
#[inline]
pub(crate) fn is_valid_beside(path: &[u8], collection: usize, shared: usize) -> bool {
    let key = collection + 1;
    path.len() <= MAX_PATH && is_record_key_from(&path[key..], shared - key)
}

/// The length of the collection in front of the `/` of a path that is known to be valid.
#[inline]
pub(crate) fn collection_end(path: &[u8], known: &[u8]) -> usize {
    if !known.is_empty() && path.starts_with(known) && path.get(known.len()) == Some(&b'/') {
        return known.len();
    }
    path.iter().position(|b| *b == b'/').unwrap_or(path.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nsids() {
        for good in [
            "app.bsky.feed.post",
            "com.example.fooBar",
            "a.b.c",
            "a-0.b-1.c",
            "net.users.bob.ping",
            "one.2.three",
        ] {
            assert!(is_nsid(good.as_bytes()), "{good}");
        }
        let long = format!("com.{}.foo", "a".repeat(64));
        for bad in [
            "",
            "post",
            "com.post",
            "com.example.",
            ".com.example",
            "com..foo",
            "1om.example.foo",
            "com.example.3",
            long.as_str(),
            "com.example.f-o",
            "com.-x.foo",
            "com.x-.foo",
            "com.exa💩ple.thing",
            "com.example.foo ",
        ] {
            assert!(!is_nsid(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn record_keys() {
        let long = "o".repeat(512);
        for good in [
            "self",
            "3jui7kd54zh2y",
            "example.com",
            "~1.2-3_",
            "pre:fix",
            "_",
            "...",
            long.as_str(),
        ] {
            assert!(is_record_key(good.as_bytes()), "{good}");
        }
        let long = "o".repeat(513);
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "@handle",
            "any space",
            "any+space",
            "#extra",
            "(x)",
            "d&ff",
            "ü",
            long.as_str(),
        ] {
            assert!(!is_record_key(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn paths_with_and_without_a_known_collection() {
        let check = |path: &str, known: &str, expected| {
            assert_eq!(collection_len(path.as_bytes(), known.as_bytes()), expected, "{path}")
        };
        check("app.bsky.feed.post/a", "", Some(18));
        check("app.bsky.feed.post/a", "app.bsky.feed.post", Some(18));
        check("app.bsky.feed.postgate/a", "app.bsky.feed.post", Some(22));
        check("app.bsky.feed.post/a/b", "", None);
        check("app.bsky.feed.post/a/b", "app.bsky.feed.post", None);
        check("app.bsky.feed.post/", "app.bsky.feed.post", None);
        check("/a", "", None);
        check("nonsense/a", "", None);
        check("app.bsky.feed.post", "app.bsky.feed.post", None);
        check("", "", None);
    }

    #[test]
    fn paths_beside_a_valid_one() {
        let check = |path: &str, shared, expected| {
            let collection = "app.bsky.feed.post".len();
            assert_eq!(is_valid_beside(path.as_bytes(), collection, shared), expected, "{path}");
        };
        check("app.bsky.feed.post/a", 19, true);
        check("app.bsky.feed.post/ab", 20, true);
        check("app.bsky.feed.post/a b", 20, false);
        check("app.bsky.feed.post/a/b", 20, false);
        check("app.bsky.feed.post/", 19, false);
        check("app.bsky.feed.post/.", 19, false);
        check("app.bsky.feed.post/..", 20, false);
        check("app.bsky.feed.post/...", 20, true);
        check(&format!("app.bsky.feed.post/{}", "o".repeat(512)), 19, true);
        check(&format!("app.bsky.feed.post/{}", "o".repeat(513)), 19, false);
    }
}
