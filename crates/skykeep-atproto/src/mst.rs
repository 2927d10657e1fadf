//! The Merkle Search Tree: nodes, layers, and the one shape that a set of records has.
//!
//! A key's layer follows from its hash, so the same records always make the same tree. A node is a sorted run of keys
//! of one layer, with subtrees of the layer below between them. Source: AT Protocol "Repository", section "MST
//! Structure".

use std::collections::BTreeMap;

use crate::cbor::{CborFault, Reader, Writer};
use crate::{Cid, Codec, Error, sha256};

/// Layers a key can lie on: SHA-256 has 256 bits, two a layer.
pub const MAX_LAYER: u32 = 128;

/// The layer of a key: leading zero bits of its SHA-256, divided by two.
#[inline]
pub fn layer(key: &[u8]) -> u32 {
    sha256::leading_zeros(key) / 2
}

/// How many bytes two keys share at their beginning.
#[inline]
pub fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// One key of a node. `suffix` follows the first `prefix` bytes of the key before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) prefix: usize,
    pub(crate) suffix: &'a [u8],
    pub(crate) value: Cid,
    pub(crate) right: Option<Cid>,
}

/// Decodes a node into `entries` (cleared first) and returns the leftmost subtree.
///
/// Only the canonical bytes of a node pass, but keys are not looked at: see `verify::walk`. Errors: `Cbor`.
pub(crate) fn decode<'a>(bytes: &'a [u8], entries: &mut Vec<Entry<'a>>) -> Result<Option<Cid>, Error> {
    entries.clear();
    let mut reader = Reader::new(bytes);
    reader.expect(&[0xa2, 0x61, b'e'])?;
    let count = reader.array()?;
    entries.reserve(count.min(bytes.len() / 40));
    for _ in 0..count {
        reader.expect(&[0xa4, 0x61, b'k'])?;
        let suffix = reader.byte_string()?;
        reader.expect(&[0x61, b'p'])?;
        let prefix = usize::try_from(reader.unsigned()?).unwrap_or(usize::MAX);
        reader.expect(&[0x61, b't'])?;
        let right = tree_link(&mut reader)?;
        reader.expect(&[0x61, b'v'])?;
        let value = reader.link()?;
        entries.push(Entry {
            prefix,
            suffix,
            value,
            right,
        });
    }
    reader.expect(&[0x61, b'l'])?;
    let left = tree_link(&mut reader)?;
    reader.end()?;
    Ok(left)
}

/// A subtree must be DAG-CBOR; anything else invalidates the whole repository.
fn tree_link(reader: &mut Reader<'_>) -> Result<Option<Cid>, Error> {
    let offset = reader.offset();
    match reader.link_or_null()? {
        Some(cid) if cid.codec() != Codec::DagCbor => Err(Error::Cbor {
            offset,
            fault: CborFault::BadLink,
        }),
        link => Ok(link),
    }
}

/// One node by itself: its keys, and the subtrees between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its keys, as paths in ascending order; all of one layer in an honest tree, which is not looked at here.
    pub keys: Vec<Vec<u8>>,
    /// The subtrees of the layer below, from left to right.
    pub children: Vec<Cid>,
}

impl Node {
    /// Reads the node of this name. Errors: `HashMismatch`; `Cbor`; `Shape` for a key that builds on none.
    pub fn read(cid: &Cid, bytes: &[u8]) -> Result<Self, Error> {
        if !cid.names(bytes) {
            return Err(Error::HashMismatch { cid: *cid });
        }
        let mut entries = Vec::new();
        let mut node = Self {
            children: decode(bytes, &mut entries)?.into_iter().collect(),
            keys: Vec::with_capacity(entries.len()),
        };
        for entry in &entries {
            let before = node.keys.last().map_or(&[][..], Vec::as_slice);
            let shared = before.get(..entry.prefix).ok_or(Error::Shape {
                what: "MST node",
                reason: "a key shares more than there is with the one before it",
            })?;
            let key = [shared, entry.suffix].concat();
            node.keys.push(key);
            node.children.extend(entry.right);
        }
        Ok(node)
    }
}

/// The whole tree of a set of records.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Name of the root node.
    pub root: Cid,
    /// Every node with its name, in pre-order.
    pub nodes: Vec<(Cid, Vec<u8>)>,
}

/// Builds the one tree that `records` (path to CID) have.
pub fn build(records: &BTreeMap<String, Cid>) -> Tree {
    let keys: Vec<Leaf<'_>> = records
        .iter()
        .map(|(path, cid)| Leaf {
            key: path.as_bytes(),
            value: *cid,
            layer: layer(path.as_bytes()),
        })
        .collect();
    let top = keys.iter().map(|leaf| leaf.layer).max().unwrap_or(0);
    let mut nodes = Vec::new();
    let root = build_node(&keys, top, &mut nodes);
    Tree { root, nodes }
}

struct Leaf<'a> {
    key: &'a [u8],
    value: Cid,
    layer: u32,
}

/// Builds the node that holds `leaves` (all of layers up to `at`) and pushes it before its subtrees.
fn build_node(leaves: &[Leaf<'_>], at: u32, nodes: &mut Vec<(Cid, Vec<u8>)>) -> Cid {
    let place = nodes.len();
    nodes.push((Cid::of(Codec::DagCbor, &[]), Vec::new()));
    let own: Vec<usize> = (0..leaves.len()).filter(|i| leaves[*i].layer == at).collect();
    let mut subtree = |from: usize, to: usize| (from < to).then(|| build_node(&leaves[from..to], at - 1, nodes));
    let left = subtree(0, own.first().copied().unwrap_or(leaves.len()));
    let mut writer = Writer::new();
    writer.map(2).text("e").array(own.len());
    let mut previous: &[u8] = &[];
    for (n, i) in own.iter().enumerate() {
        let leaf = &leaves[*i];
        let right = subtree(i + 1, own.get(n + 1).copied().unwrap_or(leaves.len()));
        let prefix = common_prefix(previous, leaf.key);
        writer
            .map(4)
            .text("k")
            .byte_string(&leaf.key[prefix..])
            .text("p")
            .unsigned(prefix as u64);
        writer.text("t").link_or_null(right).text("v").link(leaf.value);
        previous = leaf.key;
    }
    writer.text("l").link_or_null(left);
    let bytes = writer.into_bytes();
    let cid = Cid::of(Codec::DagCbor, &bytes);
    nodes[place] = (cid, bytes);
    cid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_of_known_keys() {
        let check = |key: &str, expected| assert_eq!(layer(key.as_bytes()), expected, "{key}");
        check("", 0);
        check("asdf", 0);
        check("2653ae71", 0);
        check("blue", 1);
        check("app.bsky.feed.post/454397e440ec", 4);
        check("app.bsky.feed.post/9adeb165882c", 8);
    }

    #[test]
    fn known_trees() {
        let value: Cid = "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"
            .parse()
            .unwrap();
        let check = |keys: &[&str], expected: &str| {
            let records = keys.iter().map(|key| ((*key).to_owned(), value)).collect();
            assert_eq!(build(&records).root.to_string(), expected);
        };
        check(&[], "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm");
        check(
            &["com.example.record/3jqfcqzm3fo2j"],
            "bafyreibj4lsc3aqnrvphp5xmrnfoorvru4wynt6lwidqbm2623a6tatzdu",
        );
        check(
            &["com.example.record/3jqfcqzm3fx2j"],
            "bafyreih7wfei65pxzhauoibu3ls7jgmkju4bspy4t2ha2qdjnzqvoy33ai",
        );
        check(
            &[
                "com.example.record/3jqfcqzm3fp2j",
                "com.example.record/3jqfcqzm3fr2j",
                "com.example.record/3jqfcqzm3fs2j",
                "com.example.record/3jqfcqzm3ft2j",
                "com.example.record/3jqfcqzm4fc2j",
            ],
            "bafyreicmahysq4n6wfuxo522m6dpiy7z7qzym3dzs756t5n7nfdgccwq7m",
        );
    }

    #[test]
    fn nodes_read_by_themselves_lead_to_every_record() {
        let records: BTreeMap<String, Cid> = (0..500)
            .map(|n| (format!("app.bsky.feed.post/{n:013}"), Cid::of(Codec::DagCbor, &[1])))
            .collect();
        let tree = build(&records);
        let blocks: BTreeMap<Vec<u8>, &Vec<u8>> = tree
            .nodes
            .iter()
            .map(|(cid, bytes)| (cid.to_bytes().to_vec(), bytes))
            .collect();
        let (mut left, mut keys) = (vec![tree.root], Vec::new());
        while let Some(cid) = left.pop() {
            let node = Node::read(&cid, blocks[&cid.to_bytes().to_vec()]).unwrap();
            keys.extend(node.keys.into_iter().map(|key| String::from_utf8(key).unwrap()));
            left.extend(node.children);
        }
        keys.sort();
        assert!(keys.iter().eq(records.keys()), "{} keys", keys.len());
        let other = Cid::of(Codec::DagCbor, b"other");
        assert!(matches!(
            Node::read(&other, &tree.nodes[0].1),
            Err(Error::HashMismatch { .. })
        ));
    }

    #[test]
    fn nodes_decode_to_what_was_built() {
        let records: BTreeMap<String, Cid> = (0..500)
            .map(|n| {
                (
                    format!("app.bsky.feed.post/{n:013}"),
                    Cid::of(Codec::DagCbor, format!("{n}").as_bytes()),
                )
            })
            .collect();
        let tree = build(&records);
        let mut found = 0;
        for (cid, bytes) in &tree.nodes {
            assert!(cid.names(bytes));
            let mut entries = Vec::new();
            decode(bytes, &mut entries).unwrap();
            found += entries.len();
            for len in 0..bytes.len() {
                assert!(decode(&bytes[..len], &mut Vec::new()).is_err());
            }
        }
        assert_eq!(found, records.len());
    }
}
