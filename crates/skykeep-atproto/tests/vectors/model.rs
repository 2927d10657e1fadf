//! The data model: records as JSON, as DAG-CBOR, and under their names.

use data_encoding::BASE64_NOPAD;
use serde_json::Value as Json;
use skykeep_atproto::{Cid, Codec, record};
use skykeep_tests::repo_maker::value::Value;

use crate::{json, vectors};

#[test]
fn records_have_these_bytes_and_these_names() {
    let Some(folder) = vectors() else { return };
    let cases = json(folder.join("interop/data-model/data-model-fixtures.json"));
    let mut blobs = Vec::new();
    for case in cases.as_array().unwrap() {
        let bytes = BASE64_NOPAD
            .decode(case["cbor_base64"].as_str().unwrap().as_bytes())
            .unwrap();
        assert_eq!(
            Cid::of(Codec::DagCbor, &bytes).to_string(),
            case["cid"].as_str().unwrap()
        );
        record::check(&bytes, &mut |blob| {
            blobs.push((blob.cid.to_string(), blob.mime_type.to_owned(), blob.size))
        })
        .unwrap();
        // What our made-up repositories are written with says the same.
        assert_eq!(model(&case["json"]).unwrap().to_bytes(), bytes);
    }
    let cid = "bafkreiccldh766hwcnuxnf2wh6jgzepf2nlu2lvcllt63eww5p6chi4ity".to_owned();
    assert_eq!(blobs, [(cid, "image/jpeg".to_owned(), Some(10_000))]);
    assert_eq!(cases.as_array().unwrap().len(), 3);
}

#[test]
fn what_the_model_allows_is_kept() {
    let Some(folder) = vectors() else { return };
    let cases = json(folder.join("interop/data-model/data-model-valid.json"));
    for case in cases.as_array().unwrap() {
        let bytes = model(&case["json"]).unwrap().to_bytes();
        assert!(record::check(&bytes, &mut |_| ()).is_ok(), "{}", case["note"]);
    }
    assert_eq!(cases.as_array().unwrap().len(), 5);
}

/// A backup keeps what its owner's host let in, lexicon or not: of what the model forbids only that is refused which is
/// no record at all. What JSON cannot bring into DAG-CBOR never reaches a repository.
#[test]
fn what_the_model_forbids_is_known() {
    const VERDICTS: [(&str, Verdict); 12] = [
        ("top-level not an object", Verdict::Refused),
        ("float", Verdict::Kept { blobs: 0 }),
        ("record with $type null", Verdict::Kept { blobs: 0 }),
        ("record with $type wrong type", Verdict::Kept { blobs: 0 }),
        ("record with empty $type string", Verdict::Kept { blobs: 0 }),
        // Its size is nobody's business but the blob's: the name says which bytes they are.
        ("blob with string size", Verdict::Kept { blobs: 1 }),
        ("blob with missing key", Verdict::Kept { blobs: 0 }),
        ("bytes with wrong field type", Verdict::NoSuchBytes),
        ("bytes with extra fields", Verdict::NoSuchBytes),
        ("link with wrong field type", Verdict::NoSuchBytes),
        ("link with bogus CID", Verdict::NoSuchBytes),
        ("link with extra fields", Verdict::NoSuchBytes),
    ];
    let Some(folder) = vectors() else { return };
    let cases = json(folder.join("interop/data-model/data-model-invalid.json"));
    let verdicts: Vec<(String, Verdict)> = cases
        .as_array()
        .unwrap()
        .iter()
        .map(|case| {
            let mut blobs = 0;
            let verdict = match model(&case["json"]) {
                None => Verdict::NoSuchBytes,
                Some(value) => match record::check(&value.to_bytes(), &mut |_| blobs += 1) {
                    Ok(()) => Verdict::Kept { blobs },
                    Err(_) => Verdict::Refused,
                },
            };
            (case["note"].as_str().unwrap().to_owned(), verdict)
        })
        .collect();
    let expected: Vec<(String, Verdict)> = VERDICTS
        .iter()
        .map(|(note, verdict)| ((*note).to_owned(), *verdict))
        .collect();
    assert_eq!(verdicts, expected);
}

/// What becomes of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is no record.
    Refused,
    /// It is kept as it is, with so many blobs.
    Kept { blobs: u32 },
    /// There is no DAG-CBOR for it.
    NoSuchBytes,
}

/// JSON as the data model reads it; `None` when it says nothing.
fn model(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()?) {
            (Some(number), _) => Value::Integer(number.into()),
            // "123.0" is a whole number.
            #[allow(clippy::cast_possible_truncation)] // it has no fraction, and is small
            (None, number) if number.fract() == 0.0 => Value::Integer(number as i128),
            (None, number) => Value::Float(number),
        },
        Json::Array(items) => Value::List(items.iter().map(model).collect::<Option<_>>()?),
        Json::Object(fields) => match (fields.get("$link"), fields.get("$bytes")) {
            (None, None) => {
                let field = |(key, value): (&String, &Json)| Some((key.clone().into(), model(value)?));
                Value::Map(fields.iter().map(field).collect::<Option<_>>()?)
            }
            (Some(Json::String(cid)), None) if fields.len() == 1 => Value::Link(cid.parse().ok()?),
            (None, Some(Json::String(text))) if fields.len() == 1 => {
                let text = text.trim_end_matches('=');
                Value::Bytes(BASE64_NOPAD.decode(text.as_bytes()).ok()?)
            }
            _ => return None,
        },
    })
}
