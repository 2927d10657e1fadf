//! Records: proved canonical without being understood, and the blobs they refer to.
//!
//! Skykeep keeps the bytes of a record as they are, of whatever lexicon; all it needs to know is which blobs belong to
//! it. A blob reference is a map with `$type: "blob"`, a link `ref`, `mimeType` and `size`, or the legacy form: a map
//! with exactly `cid` and `mimeType`, both text. Source: AT Protocol "Data Model", section "blob type".

use crate::cbor::{CborFault, Head, MAX_DEPTH, NotCanonical, Reader};
use crate::{Cid, Codec, Error};

/// A blob that a record refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobRef<'a> {
    /// Name of the blob's bytes (codec raw).
    pub cid: Cid,
    /// What its uploader said it is, as the record has it.
    pub mime_type: &'a str,
    /// Its length in bytes as the record has it; the legacy form has none.
    pub size: Option<u64>,
}

/// Proves that `bytes` are one canonical DAG-CBOR map and hands every blob reference in it to `found`.
///
/// Errors: `Cbor`.
pub fn check<'a>(bytes: &'a [u8], found: &mut impl FnMut(BlobRef<'a>)) -> Result<(), Error> {
    let mut reader = Reader::new(bytes);
    match reader.head()? {
        Head::Map(len) => map(&mut reader, len, 0, found)?,
        _ => return Err(NotCanonical::new(0, CborFault::WrongType).into()),
    }
    Ok(reader.end()?)
}

/// What the named fields of a record say, where they are text; fields inside of others are not looked at.
///
/// Errors: `Cbor`.
pub fn texts<'a, const N: usize>(bytes: &'a [u8], fields: [&str; N]) -> Result<[Option<&'a str>; N], Error> {
    let mut reader = Reader::new(bytes);
    let (entries, mut previous, mut texts) = (reader.map()?, None, [None; N]);
    for _ in 0..entries {
        let key = reader.key(&mut previous)?;
        let mut value = Reader::new(reader.skip(1)?);
        if let Some(place) = fields.iter().position(|field| field.as_bytes() == key) {
            texts[place] = value.text().ok();
        }
    }
    reader.end()?;
    Ok(texts)
}

/// The blob that a field of a record refers to, as `avatar` of a profile does; the first, where there are several.
///
/// Errors: `Cbor`.
pub fn blob_of(bytes: &[u8], field: &str) -> Result<Option<Cid>, Error> {
    let mut reader = Reader::new(bytes);
    let (entries, mut previous, mut blob) = (reader.map()?, None, None);
    for _ in 0..entries {
        let key = reader.key(&mut previous)?;
        let value = reader.skip(1)?;
        if key == field.as_bytes() && matches!(Reader::new(value).head()?, Head::Map(_)) {
            check(value, &mut |found| blob = blob.or(Some(found.cid)))?;
        }
    }
    reader.end()?;
    Ok(blob)
}

/// The part of a value that matters to the map around it.
enum Value<'a> {
    Text(&'a [u8]),
    Link(&'a [u8]),
    Unsigned(u64),
    Other,
}

fn value<'a>(
    reader: &mut Reader<'a>,
    depth: usize,
    found: &mut impl FnMut(BlobRef<'a>),
) -> Result<Value<'a>, NotCanonical> {
    Ok(match reader.head()? {
        Head::Text(len) => Value::Text(reader.utf8_bytes(len)?),
        Head::Unsigned(number) => Value::Unsigned(number),
        Head::Link => Value::Link(reader.link_body()?),
        Head::Bytes(len) => {
            reader.bytes_body(len)?;
            Value::Other
        }
        Head::Array(len) => {
            deeper(reader, depth)?;
            for _ in 0..len {
                value(reader, depth + 1, found)?;
            }
            Value::Other
        }
        Head::Map(len) => {
            deeper(reader, depth)?;
            map(reader, len, depth + 1, found)?;
            Value::Other
        }
        Head::Negative(_) | Head::Bool | Head::Null | Head::Float => Value::Other,
    })
}

fn deeper(reader: &Reader<'_>, depth: usize) -> Result<(), NotCanonical> {
    if depth + 1 >= MAX_DEPTH {
        return Err(NotCanonical::new(reader.offset(), CborFault::TooDeep));
    }
    Ok(())
}

fn map<'a>(
    reader: &mut Reader<'a>,
    len: usize,
    depth: usize,
    found: &mut impl FnMut(BlobRef<'a>),
) -> Result<(), NotCanonical> {
    let mut previous = None;
    let (mut typed, mut target, mut mime_type, mut size, mut legacy) = (false, None, None, None, None);
    for _ in 0..len {
        let key = reader.key(&mut previous)?;
        let value = value(reader, depth, found)?;
        match (key, value) {
            (b"ref", Value::Link(cid)) => target = Cid::from_binary(cid),
            (b"$type", Value::Text(b"blob")) => typed = true,
            (b"mimeType", Value::Text(text)) => mime_type = Some(text),
            (b"size", Value::Unsigned(number)) => size = Some(number),
            (b"cid", Value::Text(text)) if len == 2 => legacy = Some(text),
            _ => {}
        }
    }
    // Links to records have a `cid` too, so it is read only where it stands beside a `mimeType`.
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let cid = match (legacy, mime_type) {
        _ if typed => target,
        (Some(cid), Some(_)) => text(cid).parse().ok(),
        _ => None,
    };
    if let Some(cid) = cid.filter(|cid| cid.codec() == Codec::Raw) {
        found(BlobRef {
            cid,
            mime_type: mime_type.map_or("", text),
            size: size.filter(|_| typed),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::Writer;

    fn blobs(bytes: &[u8]) -> Vec<(Cid, String, Option<u64>)> {
        let mut all = Vec::new();
        check(bytes, &mut |blob| {
            all.push((blob.cid, blob.mime_type.to_owned(), blob.size))
        })
        .unwrap();
        all
    }

    fn image() -> Cid {
        Cid::of(Codec::Raw, b"image")
    }

    fn typed(writer: &mut Writer, cid: Cid) {
        writer.map(4).text("ref").link(cid).text("size").unsigned(5);
        writer.text("$type").text("blob").text("mimeType").text("image/png");
    }

    #[test]
    fn fields_that_are_text_are_read_and_no_others() {
        let mut writer = Writer::new();
        writer.map(4).text("name").unsigned(7).text("text").text("Ça va 🦋");
        writer.text("embed").map(1).text("alt").text("not this");
        writer.text("empty").text("");
        let bytes = writer.into_bytes();
        let fields = ["text", "name", "alt", "empty", "none"];
        assert_eq!(
            texts(&bytes, fields).unwrap(),
            [Some("Ça va 🦋"), None, None, Some(""), None]
        );
        for len in 0..bytes.len() {
            assert!(texts(&bytes[..len], fields).is_err(), "{len}");
        }
        assert!(texts(b"\x80", ["text"]).is_err());
    }

    #[test]
    fn both_forms_are_found_at_any_depth() {
        let mut writer = Writer::new();
        writer.map(2).text("a").array(1).map(1).text("embed");
        typed(&mut writer, image());
        writer
            .text("avatar")
            .map(2)
            .text("cid")
            .text(image().to_string())
            .text("mimeType")
            .text("image/jpeg");
        let expected = [
            (image(), "image/png".to_owned(), Some(5)),
            (image(), "image/jpeg".to_owned(), None),
        ];
        assert_eq!(blobs(&writer.into_bytes()), expected);
    }

    #[test]
    fn the_blob_of_a_field_is_that_fields_own() {
        let other = Cid::of(Codec::Raw, b"banner");
        let mut writer = Writer::new();
        writer.map(3).text("alt").text("avatar").text("avatar");
        typed(&mut writer, image());
        writer.text("banner");
        typed(&mut writer, other);
        let bytes = writer.into_bytes();
        let check = |field, expected| assert_eq!(blob_of(&bytes, field).unwrap(), expected, "{field}");
        check("avatar", Some(image()));
        check("banner", Some(other));
        check("alt", None);
        check("ref", None);
        assert!(blob_of(&bytes[..bytes.len() - 1], "avatar").is_err());
    }

    #[test]
    fn what_only_looks_like_a_blob_is_not_one() {
        let cid = image().to_string();
        let check = |build: &dyn Fn(&mut Writer)| {
            let mut writer = Writer::new();
            writer.map(1).text("x");
            build(&mut writer);
            assert_eq!(blobs(&writer.into_bytes()), []);
        };
        // A link to a record, a legacy form with a third field, a `ref` without the type, text instead of a link.
        check(&|w| typed(w, Cid::of(Codec::DagCbor, b"record")));
        check(&|w| {
            _ = w
                .map(3)
                .text("cid")
                .text(&cid)
                .text("uri")
                .text("at://x")
                .text("mimeType")
                .text("a/b")
        });
        check(&|w| _ = w.map(2).text("ref").link(image()).text("mimeType").text("a/b"));
        check(&|w| _ = w.map(2).text("ref").text(&cid).text("$type").text("blob"));
    }

    #[test]
    fn a_record_is_one_canonical_map() {
        let refused = |hex: &str| {
            let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
            assert!(check(&bytes, &mut |_| {}).is_err(), "{hex}");
        };
        for bad in [
            "",
            "80",
            "00",
            "a0a0",
            "a261620061610a",
            "a16161fb7ff8000000000000",
            "a161611817",
            "bf616100ff",
        ] {
            refused(bad);
        }
        refused(&format!("a16161{}00", "81".repeat(100_000)));
        refused(&format!("{}00", "a16161".repeat(100_000)));
        assert!(check(&[0xa0], &mut |_| {}).is_ok());
    }
}
