//! Tree nodes that are sound by themselves, in the short form in which they are kept.
//!
//! Keys share their beginnings only within a node, so most of what makes a node right can be told from it alone, while
//! its bytes are at hand: that it is canonical, and that its keys are valid record paths, ascend, share exactly what
//! they say, and lie on one layer. What is left for the walk is which layer that should be, and the keys around it.
//! Anything else that begins like a node is kept as it is, and the walk says what is wrong with it if it gets there.
//!
//! The form: number of the first link (u32), number of entries (u32), layer (u8), and for each entry prefix and length
//! of the suffix (u16 each) and the suffix. Links stand apart: the left one, then value and right one of each entry.

use super::batch::{Block, NO_BLOCK};
use crate::mst::{self, Entry};
use crate::path;

/// Judges nodes; remembers the last collection, which the next key likely has too.
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
            let len = path::collection_len(key, collection)?;
            if len != collection.len() || key[..len] != **collection {
                collection.clear();
                collection.extend_from_slice(&key[..len]);
            }
            let own = mst::layer(key);
            if *layer.get_or_insert(own) != own {
                return None;
            }
        }
        u8::try_from(layer?).ok()
    }
}

const HEAD: usize = 9;

/// Bytes that come from memory together.
const CACHE_LINE: usize = 64;

/// Lines of a node's keys that are asked for.
const MOST_LINES: usize = 8;

/// Appends the short form of a sound node.
#[allow(clippy::cast_possible_truncation)] // sound keys are at most MAX_PATH long, and batches a few megabytes
pub(super) fn write(out: &mut Vec<u8>, layer: u8, entries: &[Entry<'_>], first_link: usize) {
    out.extend((first_link as u32).to_le_bytes());
    out.extend((entries.len() as u32).to_le_bytes());
    out.push(layer);
    for entry in entries {
        out.extend((entry.prefix as u16).to_le_bytes());
        out.extend((entry.suffix.len() as u16).to_le_bytes());
        out.extend(entry.suffix);
    }
}

/// A sound node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    /// The layer of its keys.
    pub(super) layer: u32,
    /// Which of its batch's links is the left one.
    pub(super) first_link: usize,
    entries: &'a [u8],
    links: &'a [Link],
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

    /// Whether the block needs no second look; if not, it is unknown.
    #[inline]
    pub(super) const fn is_plain(self) -> bool {
        self.0 & PLAIN != 0
    }
}

/// A key of a sound node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) prefix: usize,
    pub(super) suffix: &'a [u8],
}

impl<'a> Node<'a> {
    /// Reads what [`write`] wrote, where it begins.
    #[inline]
    pub(super) fn open(bytes: &'a [u8], links: &'a [Link]) -> Option<Self> {
        let (head, entries) = bytes.split_first_chunk::<HEAD>()?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let first_link = number(0);
        Some(Self {
            layer: u32::from(head[8]),
            first_link,
            entries,
            links: links.get(first_link..=first_link + 2 * number(4))?,
        })
    }

    /// Left link, then value and right link of each key.
    #[inline]
    pub(super) const fn links(&self) -> &'a [Link] {
        self.links
    }

    /// Looks at every part that will be needed of a node of the usual size, and answers nothing of use.
    #[inline]
    pub(super) fn touch(&self) -> u8 {
        let last = self.links.last().is_some_and(|link| link.is_plain());
        let lines = self
            .entries
            .iter()
            .step_by(CACHE_LINE)
            .take(MOST_LINES.min(1 + self.links.len() / 4));
        lines.fold(u8::from(last), |all, byte| all ^ byte)
    }

    /// Its keys in order.
    #[inline]
    pub(super) fn keys(&self) -> impl Iterator<Item = Key<'a>> + use<'a> {
        let mut rest = self.entries;
        (0..self.links.len() / 2).map_while(move |_| {
            let (head, after) = rest.split_first_chunk::<4>()?;
            let prefix = usize::from(u16::from_le_bytes([head[0], head[1]]));
            let len = usize::from(u16::from_le_bytes([head[2], head[3]]));
            let (suffix, after) = after.split_at_checked(len)?;
            rest = after;
            Some(Key { prefix, suffix })
        })
    }
}
