//! Tree nodes that are sound by themselves, in the short form in which they are kept.
//!
//! Keys share their beginnings only within a node, so most of what makes a node right can be told from it alone, while
//! its bytes are at hand: that it is canonical, and that its keys are valid record paths, ascend, share exactly what
//! they say, and lie on one layer. What is left for the walk is which layer that should be, and the keys around it.
//! Anything else that begins like a node is kept as it is, and the walk says what is wrong with it if it gets there.
//!
//! The form: number of entries (u32), layer (u8), the links (the left one, then value and right one of each entry, u32
//! each), and for each entry prefix and length of the suffix (u16 each) and the suffix. All of it stands together, as a
//! walk through a file in no order waits for memory each time that it looks elsewhere.

use super::batch::{Block, NO_BLOCK};
use crate::mst::{self, Entry};
use crate::path;

/// Judges nodes; remembers the last key's collection, which the next one likely has too.
#[derive(Debug, Default)]
pub(super) struct Judge {
    key: Vec<u8>,
    collection: Vec<u8>,
}

impl Judge {
    /// The layer of all keys of a node, if the node has keys and is sound by itself.
    pub(super) fn judge(&mut self, entries: &[Entry<'_>]) -> Option<u8> {
        let Self { key, collection } = self;
        key.clear();
        let mut layer = None;
        for entry in entries {
            let (next, shared) = (entry.suffix.first()?, key.get(entry.prefix));
            // The longest shared beginning, and the byte after it is greater.
            if entry.prefix > key.len() || shared.is_some_and(|byte| byte >= next) {
                return None;
            }
            key.truncate(entry.prefix);
            key.extend_from_slice(entry.suffix);
            // One that shares the collection with the key before it, and the `/`, has nothing new but what follows.
            if entry.prefix > collection.len() {
                if !path::is_valid_beside(key, collection.len(), entry.prefix) {
                    return None;
                }
            } else {
                let len = path::collection_len(key, collection)?;
                if key[..len] != **collection {
                    collection.clear();
                    collection.extend_from_slice(&key[..len]);
                }
            }
            let own = mst::layer(key);
            if *layer.get_or_insert(own) != own {
                return None;
            }
        }
        u8::try_from(layer?).ok()
    }
}

const HEAD: usize = 5;

/// Bytes of a link.
const LINK: usize = 4;

/// Bytes that come from memory together.
const CACHE_LINE: usize = 64;

/// Most lines of a node that are asked for.
const MOST_LINES: usize = 8;

/// Appends the short form of a sound node, with links that lead nowhere yet.
#[allow(clippy::cast_possible_truncation)] // sound keys are at most MAX_PATH long
pub(super) fn write(out: &mut Vec<u8>, layer: u8, entries: &[Entry<'_>]) {
    out.extend((entries.len() as u32).to_le_bytes());
    out.push(layer);
    out.resize(out.len() + LINK * links(entries.len()), 0xff);
    for entry in entries {
        out.extend((entry.prefix as u16).to_le_bytes());
        out.extend((entry.suffix.len() as u16).to_le_bytes());
        out.extend(entry.suffix);
    }
}

/// Number of links of a node with so many entries.
const fn links(entries: usize) -> usize {
    1 + 2 * entries
}

/// Where the links are of the node that begins at `at`.
pub(super) fn places(bytes: &[u8], at: usize) -> impl Iterator<Item = usize> + use<> {
    let entries = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    let count = entries.map_or(0, |entries| links(u32::from_le_bytes(*entries) as usize));
    (0..count).map(move |n| at + HEAD + LINK * n)
}

/// A sound node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    /// The layer of its keys.
    pub(super) layer: u32,
    /// Where the left link is in the bytes that the node was read from.
    first: usize,
    links: &'a [[u8; LINK]],
    entries: &'a [u8],
}

/// Where a link of a node leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link(u32);

const PLAIN: u32 = 1 << 31;

impl Link {
    /// There is no link, or its block is not known (yet).
    pub(super) const NONE: Self = Self(NO_BLOCK);

    /// To a block. `plain` says that it is known to be one that the walk has nothing to ask about.
    pub(super) const fn to(block: Block, plain: bool) -> Self {
        Self(if plain { block | PLAIN } else { block })
    }

    #[inline]
    pub(super) fn block(self) -> Option<Block> {
        (self != Self::NONE).then_some(self.0 & !PLAIN)
    }

    /// The link that is written at `at`.
    #[inline]
    pub(super) fn read(bytes: &[u8], at: usize) -> Self {
        let link = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
        link.map_or(Self::NONE, |link| Self(u32::from_le_bytes(*link)))
    }

    /// Writes the link to `at`, where one is.
    #[inline]
    pub(super) fn write(self, bytes: &mut [u8], at: usize) {
        if let Some(link) = bytes.get_mut(at..).and_then(|bytes| bytes.first_chunk_mut()) {
            *link = self.0.to_le_bytes();
        }
    }

    /// Whether the block needs no second look; if not, it is unknown.
    #[inline]
    pub(super) const fn is_plain(self) -> bool {
        self.0 & PLAIN != 0
    }
}

/// A key of a sound node, and the links beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) prefix: usize,
    pub(super) suffix: &'a [u8],
    pub(super) value: Link,
    pub(super) right: Link,
}

fn link(bytes: [u8; LINK]) -> Link {
    Link(u32::from_le_bytes(bytes))
}

impl<'a> Node<'a> {
    /// Reads what [`write`] wrote at `at`.
    #[inline]
    pub(super) fn open(bytes: &'a [u8], at: usize) -> Option<Self> {
        let (head, rest) = bytes.get(at..)?.split_first_chunk::<HEAD>()?;
        let [a, b, c, d, layer] = *head;
        let count = links(u32::from_le_bytes([a, b, c, d]) as usize);
        let (links, entries) = rest.split_at_checked(LINK * count)?;
        Some(Self {
            layer: u32::from(layer),
            first: at + HEAD,
            links: links.as_chunks().0,
            entries,
        })
    }

    /// Where a link is, counted from the left one.
    #[inline]
    pub(super) const fn place(&self, link: usize) -> usize {
        self.first + LINK * link
    }

    /// The leftmost subtree.
    #[inline]
    pub(super) fn left(&self) -> Link {
        self.links.first().map_or(Link::NONE, |left| link(*left))
    }

    /// Its subtrees from left to right.
    #[inline]
    pub(super) fn subtrees(&self) -> impl Iterator<Item = Block> + use<'a> {
        self.links.iter().step_by(2).filter_map(|right| link(*right).block())
    }

    /// Number of its keys.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.links.len() / 2
    }

    /// Looks at every part that will be needed of a node of the usual size, and answers nothing of use.
    #[inline]
    pub(super) fn touch(&self) -> u8 {
        let lines = self.entries.iter().step_by(CACHE_LINE);
        let lines = lines.take(MOST_LINES.min(1 + self.links.len() / 4));
        let lines = lines.fold(0, |all, byte| all ^ byte);
        let links = self.links.iter().step_by(CACHE_LINE / LINK).take(MOST_LINES);
        links.fold(lines, |all, link| all ^ link[0])
    }

    /// Its keys in order.
    #[inline]
    pub(super) fn keys(&self) -> impl Iterator<Item = Key<'a>> + use<'a> {
        let mut rest = self.entries;
        let links = self.links.get(1..).unwrap_or_default();
        links.as_chunks().0.iter().map_while(move |[value, right]| {
            let ([a, b, c, d], after) = rest.split_first_chunk()?;
            let len = usize::from(u16::from_le_bytes([*c, *d]));
            let (suffix, after) = after.split_at_checked(len)?;
            rest = after;
            Some(Key {
                prefix: usize::from(u16::from_le_bytes([*a, *b])),
                suffix,
                value: link(*value),
                right: link(*right),
            })
        })
    }
}
