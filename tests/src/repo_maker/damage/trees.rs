//! Damage to the tree: its keys, its shape and the bytes of its nodes.

use skykeep_atproto::{Cid, Codec};

use super::super::tree::{Entry, Leaf, Node, Subtree, build, build_of, layer};
use super::super::value::{Value, map, text};
use super::*;

pub(super) fn add(table: &mut Table) {
    let draft = Draft::new(300);
    order(table, &draft);
    layers(table, &draft);
    prefixes(table, &draft);
    empty_nodes(table, &draft);
    paths(table);
    links(table, &draft);
    form(table, &draft);
}

/// All keys of a tree in order.
fn leaves(node: &Node, out: &mut Vec<(Vec<u8>, Cid)>) {
    below(&node.left, out);
    for entry in &node.entries {
        out.push((entry.key.clone(), entry.value));
        below(&entry.right, out);
    }
}

fn below(subtree: &Subtree, out: &mut Vec<(Vec<u8>, Cid)>) {
    if let Subtree::Node(node) = subtree {
        leaves(node, out);
    }
}

fn order(table: &mut Table, draft: &Draft) {
    let mut with = |name: &str, change: &dyn Fn(&mut Draft)| {
        let mut draft = draft.clone();
        change(&mut draft);
        table.add(name, draft, DAMAGE, &["key_order"]);
    };
    with("two keys the wrong way round", &|draft| {
        draft.leaf(2).entries.swap(0, 1)
    });
    with("a key twice in a node", &|draft| {
        let entries = &mut draft.leaf(1).entries;
        entries.insert(0, entries[0].clone());
    });
    with("a key twice in a node, with two records", &|draft| {
        let other = draft.first().value;
        let entries = &mut draft.leaf(1).entries;
        entries.insert(0, entries[0].clone());
        entries[0].value = other;
    });
    // Neighbours at the ends of two leaves, with a key of the layer above between them.
    with("a key twice, in two nodes", &|draft| {
        let parent = draft.node(|node| node.two_leaves().is_some());
        let at = parent.two_leaves().unwrap_or_default();
        let copy = parent.side(at).and_then(|node| node.entries.last().cloned());
        let right = parent.entries[at].right.node_mut();
        if let (Some(copy), Some(right)) = (copy, right) {
            right.entries.insert(0, copy);
        }
    });
    with("two subtrees the wrong way round", &|draft| {
        let parent = draft.node(|node| node.two_leaves().is_some());
        let at = parent.two_leaves().unwrap_or_default();
        let right = std::mem::take(&mut parent.entries[at].right);
        let left = std::mem::replace(parent.side_mut(at), right);
        parent.entries[at].right = left;
    });
    with("a subtree twice", &|draft| {
        let parent = draft.node(|node| !node.is_leaf() && node.entries.len() >= 2 && node.two_leaves() == Some(0));
        let copy = parent.left.clone();
        parent.entries[1].right = copy;
        draft.drop_unreached();
    });
    // One place in the whole tree where two keys do not ascend: at the end of a leaf, or at its beginning.
    for (first, which) in [(true, "first"), (false, "later")] {
        with(
            &format!("a key beyond the {which} one that it lies left of"),
            &|draft| {
                let parent = draft.node(|node| between_leaves(node, first).is_some());
                let at = between_leaves(parent, first).unwrap_or_default();
                let moved = parent.entries[at].right.node_mut().map(|leaf| leaf.entries.remove(0));
                if let (Some(moved), Some(left)) = (moved, parent.side_mut(at).node_mut()) {
                    left.entries.push(moved);
                }
            },
        );
        with(
            &format!("a key before the {which} one that it lies right of"),
            &|draft| {
                let parent = draft.node(|node| between_leaves(node, first).is_some());
                let at = between_leaves(parent, first).unwrap_or_default();
                let moved = parent.side_mut(at).node_mut().and_then(|leaf| leaf.entries.pop());
                if let (Some(moved), Some(right)) = (moved, parent.entries[at].right.node_mut()) {
                    right.entries.insert(0, moved);
                }
            },
        );
    }
}

/// The first key of a node, or a later one, that has leaves of two keys and more on either side.
fn between_leaves(node: &Node, first: bool) -> Option<usize> {
    let mut keys = (0..node.entries.len()).filter(|at| (*at == 0) == first);
    keys.find(|at| {
        let sides = [node.side(*at), node.entries[*at].right.node()];
        let is_leaf = |side: &Node| side.is_leaf() && side.entries.len() >= 2;
        sides.into_iter().all(|side| side.is_some_and(is_leaf))
    })
}

fn layers(table: &mut Table, draft: &Draft) {
    let mut keys = Vec::new();
    leaves(&draft.tree, &mut keys);
    let mut with = |name: &str, codes: &[&'static str], layer_of: &dyn Fn(u32, usize) -> u32| {
        let mut draft = draft.clone();
        let leaves: Vec<Leaf<'_>> = keys
            .iter()
            .enumerate()
            .map(|(n, (key, cid))| (&key[..], *cid, layer_of(layer(key), n)))
            .collect();
        draft.tree = build_of(&leaves);
        table.add(name, draft, DAMAGE, codes);
    };
    let top = keys.iter().map(|(key, _)| layer(key)).max().unwrap_or(0);
    let first_on = |wanted: u32| {
        keys.iter()
            .position(|(key, _)| layer(key) == wanted)
            .unwrap_or_default()
    };
    let (low, middle) = (first_on(0), first_on(1));
    let wrong = &["key_layer"];
    with("a key one layer too high", wrong, &|layer, n| {
        layer + u32::from(n == low)
    });
    with("a key one layer too low", wrong, &|layer, n| {
        layer - u32::from(n == middle)
    });
    // The root's layer is that of its first key, so there is no room for what lies below.
    let lost = &["key_layer", "unreachable_blocks"];
    with("a key at the top that belongs to the bottom", lost, &|layer, n| {
        if n == low { top } else { layer }
    });
    with("all keys in one node", wrong, &|_, _| 0);
    with("two layers in one node", wrong, &|layer, _| layer.saturating_sub(1));

    let mut with = |name: &str, verdict, codes: &[&'static str], change: &dyn Fn(&mut Draft)| {
        let mut draft = draft.clone();
        change(&mut draft);
        table.add(name, draft, verdict, codes);
    };
    with("a child two layers down", DAMAGE, &["key_layer"], &|draft| {
        let parent = draft.node(|node| node.left.is_between());
        parent.left.skip();
    });
    with(
        "a node in between that does not belong there",
        DAMAGE,
        &["key_layer", "unreachable_blocks"],
        &|draft| {
            let parent = draft.node(|node| node.two_leaves() == Some(0));
            let left = std::mem::take(&mut parent.left);
            parent.left = Subtree::Node(Box::new(Node {
                left,
                ..Node::default()
            }));
        },
    );
    // The lowest layer has none below it, so what hangs there is not even looked for.
    with(
        "a child below the lowest layer",
        DAMAGE,
        &["key_layer", "unreachable_blocks"],
        &|draft| {
            let value = draft.first().value;
            let last = draft.leaf(1).entries.last_mut().expect("a leaf has keys");
            let key = [&last.key[..], b"x"].concat();
            let entries = vec![Entry {
                key,
                value,
                right: Subtree::None,
                written: None,
            }];
            last.right = Subtree::Node(Box::new(Node {
                entries,
                ..Node::default()
            }));
        },
    );
}

fn prefixes(table: &mut Table, draft: &Draft) {
    let mut with = |name: &str, change: &dyn Fn(&mut Node)| {
        let mut draft = draft.clone();
        change(draft.leaf(2));
        table.add(name, draft, DAMAGE, &["key_prefix"]);
    };
    let shared = |node: &Node| {
        let (a, b) = (&node.entries[0].key, &node.entries[1].key);
        a.iter().zip(b).take_while(|(a, b)| a == b).count()
    };
    with("a prefix one shorter than it could be", &|node| {
        let len = shared(node) - 1;
        node.entries[1].written = Some((len as u64, node.entries[1].key[len..].to_vec()));
    });
    with("a prefix that is not used", &|node| {
        node.entries[1].written = Some((0, node.entries[1].key.clone()));
    });
    // All of these give the right key to a reader that takes as much of the key before as there is.
    with("a first prefix that is not zero", &|node| {
        node.entries[0].written = Some((1, node.entries[0].key.clone()));
    });
    for (name, over) in [("one longer than", 1), ("far longer than", 1 << 62)] {
        with(&format!("a prefix {name} the key before"), &|node| {
            let before = node.entries[0].key.clone();
            let key = (0..).map(|n| [&before[..], format!("{n}").as_bytes()].concat());
            let key = key
                .into_iter()
                .find(|key| layer(key) == 0)
                .expect("three of four keys lie on layer 0");
            let written = Some((before.len() as u64 + over, key[before.len()..].to_vec()));
            let entry = Entry {
                key,
                written,
                ..node.entries[0].clone()
            };
            node.entries[0].right = Subtree::None;
            node.entries.insert(1, entry);
        });
    }
}

fn empty_nodes(table: &mut Table, draft: &Draft) {
    let empty = || Subtree::Node(Box::default());
    let mut with = |name: &str, codes: &[&'static str], change: &dyn Fn(&mut Draft)| {
        let mut draft = draft.clone();
        change(&mut draft);
        table.add(name, draft, DAMAGE, codes);
    };
    with("an empty node on the lowest layer", &["empty_node"], &|draft| {
        draft
            .node(|node| node.two_leaves().is_some() && node.left == Subtree::None)
            .left = empty();
    });
    with("an empty node at the end of a chain", &["empty_node"], &|draft| {
        let parent = draft.node(|node| node.left.is_between());
        let between = parent.left.node_mut().expect("asked for just now");
        let below = between.left.node_mut().expect("a node in between has one");
        // Its keys go with it, so that only the empty node is left to find.
        *below = Node::default();
        draft.drop_unreached();
    });
    with("an empty node above the root", &["empty_node", "key_layer"], &|draft| {
        let left = Subtree::Node(Box::new(std::mem::take(&mut draft.tree)));
        draft.tree = Node {
            left,
            ..Node::default()
        };
    });
    let mut nothing = Draft::new(0);
    nothing.tree = Node {
        left: empty(),
        ..Node::default()
    };
    table.add("two empty nodes", nothing, DAMAGE, &["empty_node"]);
}

fn paths(table: &mut Table) {
    let record = map([("text", text("somewhere"))]).to_bytes();
    let mut with = |path: &[u8], verdict, codes: &[&'static str]| {
        let mut draft = Draft::new(0);
        let cid = draft.add(record.clone());
        draft.tree = build([(path, cid)]);
        let name = String::from_utf8_lossy(&path[..path.len().min(60)]).into_owned();
        table.add(format!("path {name:?} ({} bytes)", path.len()), draft, verdict, codes);
    };
    let long = |len: usize| format!("com.example.{}/", "a".repeat(len)).into_bytes();
    let at_most = [&long(63)[..], &[b'x'; 512]].concat();
    for good in [
        &b"com.example.a/x"[..],
        b"com.example.fooBar/self",
        b"a.b.c/~.-_:",
        b"com.example.a/...",
        &at_most,
    ] {
        with(good, FINE, &[]);
    }
    let bad: [&[u8]; 24] = [
        b"",
        b"/",
        b"self",
        b"com.example.a",
        b"com.example.a/",
        b"/self",
        b"com.example.a/b/c",
        b"com.example.a//b",
        b"com.example.a/.",
        b"com.example.a/..",
        b"com.example.a/a b",
        b"com.example.a/a+b",
        b"com.example.a/@alice",
        b"com.example.a/a\0",
        b"com.example.a/\xc3\xbc",
        b"com.example.a/\xff",
        b"com/self",
        b"com.example/self",
        b"com..a/self",
        b".com.example.a/self",
        b"1com.example.a/self",
        b"com.example.3/self",
        b"com.example.a-b/self",
        b"com.exa_mple.a/self",
    ];
    for path in bad {
        with(path, DAMAGE, &["bad_path"]);
    }
    with(&[&long(64)[..], b"x"].concat(), DAMAGE, &["bad_path"]);
    with(&[&b"com.example.a/"[..], &[b'x'; 513]].concat(), DAMAGE, &["bad_path"]);
    with(
        &[&b"com.example.a/"[..], &[b'x'; 1025 - 14]].concat(),
        DAMAGE,
        &["bad_path"],
    );
}

fn links(table: &mut Table, draft: &Draft) {
    let raw = |node: &Node| Subtree::Link(Cid::from_digest(Codec::Raw, *node.seal(&mut Vec::new()).digest()));
    let mut with = |name: &str, verdict, codes: &[&'static str], change: &dyn Fn(&mut Draft)| {
        let mut changed = draft.clone();
        change(&mut changed);
        table.add(name, changed, verdict, codes);
    };
    with(
        "a raw link to a left subtree",
        BOTH,
        &["bad_node", "unreachable_blocks"],
        &|draft| {
            let parent = draft.node(|node| node.two_leaves() == Some(0));
            parent.left = parent.left.node_mut().map_or(Subtree::None, |node| raw(node));
        },
    );
    with(
        "a raw link to a right subtree",
        BOTH,
        &["bad_node", "unreachable_blocks"],
        &|draft| {
            let right = &mut draft.node(|node| node.two_leaves() == Some(0)).entries[0].right;
            *right = right.node_mut().map_or(Subtree::None, |node| raw(node));
        },
    );
    with(
        "a link to a subtree that is a record",
        BOTH,
        &["bad_node", "unreachable_blocks"],
        &|draft| {
            let record = draft.first().value;
            draft.node(|node| node.two_leaves() == Some(0)).left = Subtree::Link(record);
        },
    );
    with(
        "a link to a subtree that is nowhere",
        GAP,
        &["missing_node", "unreachable_blocks"],
        &|draft| {
            draft.node(|node| node.two_leaves() == Some(0)).left = Subtree::Link(Cid::of(Codec::DagCbor, b"nowhere"));
        },
    );
    with(
        "a link to a record that is nowhere",
        GAP,
        &["missing_record", "unreachable_blocks"],
        &|draft| {
            draft.first().value = Cid::of(Codec::DagCbor, b"nowhere");
        },
    );
}

/// A node in other bytes than the canonical ones, under the name of these bytes.
fn form(table: &mut Table, draft: &Draft) {
    let mut with = |name: &str, change: &dyn Fn(Vec<u8>, Value) -> Vec<u8>| {
        let mut draft = draft.clone();
        let leaf = draft.leaf(2);
        let value = leaf.to_value();
        leaf.bytes = Some(change(value.to_bytes(), value));
        let name = format!("node: {name}");
        table.add(name, draft, BOTH, &["bad_node", "unreachable_blocks"]);
    };
    with("a byte too many", &|bytes, _| [&bytes[..], &[0]].concat());
    with("a byte too few", &|bytes, _| bytes[..bytes.len() - 1].to_vec());
    with("no bytes at all", &|_, _| Vec::new());
    with("an indefinite map", &|bytes, _| {
        [&[0xbf], &bytes[1..], &[0xff]].concat()
    });
    with("an indefinite list", &|bytes, _| {
        let end = bytes.len() - 3;
        [&bytes[..3], &[0x9f], &bytes[4..end], &[0xff], &bytes[end..]].concat()
    });
    with("a length longer than needed", &|bytes, _| {
        [&bytes[..3], &[0x98, bytes[3] & 0x1f], &bytes[4..]].concat()
    });
    with("a list longer than it is", &|bytes, _| {
        [&bytes[..3], &[bytes[3] + 1], &bytes[4..]].concat()
    });
    with("a list of 2^40", &|bytes, _| {
        [&bytes[..3], &[0x9b, 0, 0, 1, 0, 0, 0, 0, 0], &bytes[4..]].concat()
    });
    with("keys the wrong way round", &|_, value| {
        let entries = field(&value, "e").to_bytes();
        [&b"\xa2\x61l\xf6\x61e"[..], &entries].concat()
    });
    with("a field that is not known", &|_, value| {
        set(value, "x", Some(Value::Null)).to_bytes()
    });
    with("no l", &|_, value| set(value, "l", None).to_bytes());
    with("no e", &|_, value| set(value, "e", None).to_bytes());
    with("an l that is undefined", &|_, value| {
        set(value, "l", Some(Value::Raw(vec![0xf7]))).to_bytes()
    });
    with("an l that is false", &|_, value| {
        set(value, "l", Some(Value::Bool(false))).to_bytes()
    });
    with("an e that is a map", &|_, value| {
        set(value, "e", Some(map([]))).to_bytes()
    });
    let changes: [(&str, &str, Option<Value>); 14] = [
        ("an entry with a field that is not known", "x", Some(Value::Null)),
        ("an entry without k", "k", None),
        ("an entry without p", "p", None),
        ("an entry without t", "t", None),
        ("an entry without v", "v", None),
        ("a k that is text", "k", Some(text("app.bsky.feed.post/x"))),
        ("a p that is negative", "p", Some(Value::Integer(-1))),
        ("a p longer than needed", "p", Some(Value::Raw(vec![0x18, 0]))),
        ("a p that is a float", "p", Some(Value::Float(0.0))),
        ("a p that is null", "p", Some(Value::Null)),
        ("a t that is text", "t", Some(text("bafy"))),
        ("a v that is null", "v", Some(Value::Null)),
        ("a v of another hash", "v", Some(Value::Raw(other_hash()))),
        ("a v whose tag is not 42", "v", Some(Value::Raw(vec![0xc1, 0]))),
    ];
    for (name, key, change) in changes {
        with(name, &|_, value| {
            let Value::List(mut entries) = field(&value, "e") else {
                return Vec::new();
            };
            let first = entries.remove(0);
            entries.insert(0, set(first, key, change.clone()));
            set(value, "e", Some(Value::List(entries))).to_bytes()
        });
    }
}

/// A link with a SHA-512.
fn other_hash() -> Vec<u8> {
    let mut link = vec![0xd8, 42, 0x58, 69, 0, 1, 0x71, 0x13, 0x40];
    link.extend([7; 64]);
    link
}

fn field(map: &Value, name: &str) -> Value {
    match map {
        Value::Map(entries) => entries
            .iter()
            .find(|(key, _)| key == name)
            .map_or(Value::Null, |(_, value)| value.clone()),
        _ => Value::Null,
    }
}

/// Sets a field of a map, or takes it away.
fn set(map: Value, name: &'static str, value: Option<Value>) -> Value {
    match map {
        Value::Map(mut entries) => {
            entries.retain(|(key, _)| key != name);
            entries.extend(value.map(|value| (name.into(), value)));
            Value::Map(entries)
        }
        other => other,
    }
}
