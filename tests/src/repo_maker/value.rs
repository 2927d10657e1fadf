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
    /// A number from -2^64 to 2^64-1.
    Integer(i128),
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
            Self::Integer(value) => {
                let (major, number) = if *value < 0 { (1, !*value) } else { (0, *value) };
                head(out, major, u64::try_from(number).expect("64 bits and a sign"));
            }
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

/// What `bytes` say, read without any strictness but what is needed to make sense of them: long heads, keys out of order
/// and repeated, anything as a link. What it cannot read is no value that [`Value::to_bytes`] writes.
pub fn read(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = read_value(&mut rest, 200)?;
    rest.is_empty().then_some(value)
}

fn read_value(rest: &mut &[u8], deeper: usize) -> Option<Value> {
    let deeper = deeper.checked_sub(1)?;
    let first = *rest.split_off_first()?;
    let digits = match first & 0x1f {
        0..24 => 0,
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let number = match digits {
        0 => u64::from(first & 0x1f),
        _ => rest
            .split_off(..digits)?
            .iter()
            .fold(0, |number, digit| number << 8 | u64::from(*digit)),
    };
    let len = || usize::try_from(number).ok();
    let read_text = |rest: &mut &[u8], len| String::from_utf8(rest.split_off(..len)?.to_vec()).ok();
    Some(match first >> 5 {
        0 => Value::Integer(number.into()),
        1 => Value::Integer(!i128::from(number)),
        2 => Value::Bytes(rest.split_off(..len()?)?.to_vec()),
        3 => Value::Text(read_text(rest, len()?)?),
        4 => Value::List((0..number).map(|_| read_value(rest, deeper)).collect::<Option<_>>()?),
        5 => {
            let entry = |_| match read_value(rest, deeper)? {
                Value::Text(key) => Some((key.into(), read_value(rest, deeper)?)),
                _ => None,
            };
            Value::Map((0..number).map(entry).collect::<Option<_>>()?)
        }
        6 => match (number, read_value(rest, deeper)?) {
            (42, Value::Bytes(cid)) => {
                let mut link = vec![0xd8, 42];
                Value::Bytes(cid).write(&mut link);
                Value::Raw(link)
            }
            _ => return None,
        },
        _ => match (first & 0x1f, digits) {
            (20, _) => Value::Bool(false),
            (21, _) => Value::Bool(true),
            (22, _) => Value::Null,
            (27, _) => Value::Float(f64::from_bits(number)),
            _ => return None,
        },
    })
}
