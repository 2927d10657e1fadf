//! DAG-CBOR values, written without the crate under test, so that the two can disagree.

use std::borrow::Cow;

use skykeep_atproto::Cid;

/// A value of the data model, and the two things outside of it that damage needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A signed number.
    Integer(i64),
    /// Text.
    Text(String),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A link.
    Link(Cid),
    /// An array.
    List(Vec<Value>),
    /// A map; written in canonical order, whatever the order here.
    Map(Vec<(Cow<'static, str>, Value)>),
    /// A 64-bit float, which the AT Protocol forbids and DAG-CBOR allows.
    Float(f64),
    /// Bytes to stand there as they are.
    Raw(Vec<u8>),
}

/// A map of `entries`, in any order.
pub fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    Value::Map(
        entries
            .into_iter()
            .map(|(key, value)| (Cow::Borrowed(key), value))
            .collect(),
    )
}

/// Text.
pub fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

impl Value {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write(&mut out);
        out
    }

    /// Adds the canonical bytes to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0xf6),
            Self::Bool(value) => out.push(0xf4 + u8::from(*value)),
            Self::Integer(value) if *value < 0 => head(out, 1, !*value as u64),
            Self::Integer(value) => head(out, 0, *value as u64),
            Self::Text(text) => {
                head(out, 3, text.len() as u64);
                out.extend(text.as_bytes());
            }
            Self::Bytes(bytes) => {
                head(out, 2, bytes.len() as u64);
                out.extend(bytes);
            }
            Self::Link(cid) => {
                out.extend([0xd8, 42, 0x58, 37, 0]);
                out.extend(cid.to_bytes());
            }
            Self::List(items) => {
                head(out, 4, items.len() as u64);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_unstable_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
                head(out, 5, entries.len() as u64);
                for (key, value) in entries {
                    head(out, 3, key.len() as u64);
                    out.extend(key.as_bytes());
                    value.write(out);
                }
            }
            Self::Float(value) => {
                out.push(0xfb);
                out.extend(value.to_be_bytes());
            }
            Self::Raw(bytes) => out.extend(bytes),
        }
    }
}

/// The shortest head of a major type and its number.
pub fn head(out: &mut Vec<u8>, major: u8, number: u64) {
    let wide = number.to_be_bytes();
    let (info, digits) = match number {
        0..24 => (wide[7], &wide[8..]),
        24..0x100 => (24, &wide[7..]),
        0x100..0x1_0000 => (25, &wide[6..]),
        0x1_0000..0x1_0000_0000 => (26, &wide[4..]),
        _ => (27, &wide[..]),
    };
    out.push(major << 5 | info);
    out.extend(digits);
}
