//! Records and blobs as people's repositories have them: likes, posts, follows, and what no lexicon of ours knows.
//!
//! The mix and the sizes follow what was measured in the wild, so that a million of them weigh 249 bytes each.

use jiff::Timestamp;
use skykeep_atproto::{Cid, Codec, Did, Tid};

use super::seeded::Seeded;
use super::value::{Value, map, text};

/// A blob that records refer to. Its bytes follow from its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blob {
    /// Which one: decides its bytes.
    number: u64,
    /// Its name.
    pub cid: Cid,
    /// Its length, in bytes.
    pub size: usize,
}

impl Blob {
    /// What every one of them says it is.
    pub const MIME_TYPE: &'static str = "image/jpeg";

    /// The blob of this number.
    pub fn new(number: u64) -> Self {
        let bytes = blob_bytes(number);
        Self {
            number,
            cid: Cid::of(Codec::Raw, &bytes),
            size: bytes.len(),
        }
    }

    /// Its bytes: the signature of a JPEG, then noise, 200 to 4,000 bytes in all.
    pub fn bytes(&self) -> Vec<u8> {
        blob_bytes(self.number)
    }
}

fn blob_bytes(number: u64) -> Vec<u8> {
    let mut seeded = Seeded::new(number);
    let len = 200 + seeded.index(3_800);
    let mut bytes = seeded.bytes(len);
    bytes[..11].copy_from_slice(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00");
    bytes
}

/// A record before it is placed.
pub(super) struct Made {
    pub(super) collection: &'static str,
    /// `None` asks for the TID of its time.
    pub(super) key: Option<String>,
    pub(super) bytes: Vec<u8>,
}

/// Makes records, one after the other.
pub(super) struct Maker<'a> {
    did: &'a Did,
    seeded: Seeded,
    made: u64,
    blobs: Vec<Blob>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(did: &'a Did, seed: u64) -> Self {
        Self {
            did,
            seeded: Seeded::new(seed),
            made: 0,
            blobs: Vec::new(),
        }
    }

    /// Every blob that was referred to, once.
    pub(super) fn into_blobs(self) -> Vec<Blob> {
        self.blobs
    }

    /// The next record, made at `micros` since 1970. The first is a profile.
    pub(super) fn next(&mut self, micros: u64) -> Made {
        self.made += 1;
        let (collection, key, record) = if self.made == 1 {
            ("app.bsky.actor.profile", Some("self".to_owned()), self.profile(micros))
        } else {
            self.any(micros)
        };
        Made {
            collection,
            key,
            bytes: record.to_bytes(),
        }
    }

    /// A profile, different each time.
    pub(super) fn profile(&mut self, micros: u64) -> Value {
        let (avatar, banner) = (self.blob(), self.blob());
        map([
            ("$type", text("app.bsky.actor.profile")),
            ("displayName", text(self.words(2))),
            ("description", text(self.words(12))),
            ("avatar", avatar),
            ("banner", banner),
            ("createdAt", time(micros)),
        ])
    }

    fn any(&mut self, micros: u64) -> (&'static str, Option<String>, Value) {
        let (collection, record) = match self.seeded.below(1000) {
            0..530 => ("app.bsky.feed.like", self.pointing("app.bsky.feed.like", micros)),
            530..570 => ("app.bsky.feed.repost", self.pointing("app.bsky.feed.repost", micros)),
            570..850 => ("app.bsky.feed.post", self.post(micros)),
            850..980 => ("app.bsky.graph.follow", self.follow(micros)),
            980..982 => ("app.bsky.graph.list", self.list(micros)),
            982..992 => ("app.bsky.graph.listitem", self.list_item(micros)),
            992..995 => {
                // The same few bytes under several paths: one block for many records.
                let record = map([
                    ("$type", text("com.example.garden.flag")),
                    ("on", Value::Bool(self.seeded.chance(50))),
                ]);
                return ("com.example.garden.flag", None, record);
            }
            _ => {
                let key = format!(
                    "plot:{}~{}_{}.x-y",
                    self.made,
                    self.seeded.below(100),
                    self.seeded.below(10)
                );
                return ("com.example.garden.plant", Some(key), self.plant(micros));
            }
        };
        (collection, None, record)
    }

    fn pointing(&mut self, kind: &'static str, micros: u64) -> Value {
        map([
            ("$type", text(kind)),
            ("subject", self.reference()),
            ("createdAt", time(micros)),
        ])
    }

    fn post(&mut self, micros: u64) -> Value {
        let count = 5 + self.seeded.index(48);
        let words = self.words(count);
        let end = words.len() as i128;
        let mut post = vec![
            ("$type".into(), text("app.bsky.feed.post")),
            ("text".into(), text(words)),
            (
                "langs".into(),
                Value::List(vec![text(self.seeded.pick(&["en", "de", "ja", "pt"]))]),
            ),
            ("createdAt".into(), time(micros)),
        ];
        if self.seeded.chance(30) {
            let root = self.reference();
            let parent = if self.seeded.chance(40) {
                root.clone()
            } else {
                self.reference()
            };
            post.push(("reply".into(), map([("root", root), ("parent", parent)])));
        }
        if self.seeded.chance(12) {
            post.push(("facets".into(), Value::List(vec![self.facet(end)])));
        }
        if let Some(embed) = self.embed() {
            post.push(("embed".into(), embed));
        }
        Value::Map(post)
    }

    fn facet(&mut self, end: i128) -> Value {
        let feature = match self.seeded.below(3) {
            0 => map([
                ("$type", text("app.bsky.richtext.facet#mention")),
                ("did", text(self.somebody())),
            ]),
            1 => map([
                ("$type", text("app.bsky.richtext.facet#tag")),
                ("tag", text(self.words(1))),
            ]),
            _ => map([
                ("$type", text("app.bsky.richtext.facet#link")),
                ("uri", text("https://example.com/page")),
            ]),
        };
        let start = i128::from(self.seeded.below(8));
        map([
            (
                "index",
                map([
                    ("byteStart", Value::Integer(start.min(end))),
                    ("byteEnd", Value::Integer(end)),
                ]),
            ),
            ("features", Value::List(vec![feature])),
        ])
    }

    fn embed(&mut self) -> Option<Value> {
        match self.seeded.below(100) {
            0..10 => {
                let count = 1 + self.seeded.below(4);
                let images = (0..count).map(|_| {
                    let ratio = map([("width", Value::Integer(1200)), ("height", Value::Integer(675))]);
                    let alt = text(self.words(4));
                    map([("alt", alt), ("image", self.blob()), ("aspectRatio", ratio)])
                });
                let images = images.collect();
                Some(map([
                    ("$type", text("app.bsky.embed.images")),
                    ("images", Value::List(images)),
                ]))
            }
            10..14 => {
                let external = map([
                    ("uri", text("https://example.com/a-long-read")),
                    ("title", text(self.words(5))),
                    ("description", text(self.words(10))),
                    ("thumb", self.blob()),
                ]);
                Some(map([
                    ("$type", text("app.bsky.embed.external")),
                    ("external", external),
                ]))
            }
            14..18 => Some(map([
                ("$type", text("app.bsky.embed.record")),
                ("record", self.reference()),
            ])),
            // From before blobs had a type: still in old accounts.
            18..19 => {
                let blob = self.any_blob();
                let image = map([("cid", text(blob.cid.to_string())), ("mimeType", text(Blob::MIME_TYPE))]);
                let images = vec![map([("alt", text("")), ("image", image)])];
                Some(map([
                    ("$type", text("app.bsky.embed.images")),
                    ("images", Value::List(images)),
                ]))
            }
            _ => None,
        }
    }

    fn follow(&mut self, micros: u64) -> Value {
        let subject = text(self.somebody());
        map([
            ("$type", text("app.bsky.graph.follow")),
            ("subject", subject),
            ("createdAt", time(micros)),
        ])
    }

    fn list(&mut self, micros: u64) -> Value {
        map([
            ("$type", text("app.bsky.graph.list")),
            ("name", text(self.words(2))),
            ("purpose", text("app.bsky.graph.defs#curatelist")),
            ("description", text(self.words(8))),
            ("createdAt", time(micros)),
        ])
    }

    fn list_item(&mut self, micros: u64) -> Value {
        let list = format!("at://{}/app.bsky.graph.list/{}", self.did, Tid::new(micros, 7));
        map([
            ("$type", text("app.bsky.graph.listitem")),
            ("list", text(list)),
            ("subject", text(self.somebody())),
            ("createdAt", time(micros)),
        ])
    }

    /// One of every type there is, in a lexicon of nobody's.
    fn plant(&mut self, micros: u64) -> Value {
        let leaves = (0..self.seeded.below(5))
            .map(|n| Value::Integer(-i128::from(n) * 1_000_003))
            .collect();
        map([
            ("$type", text("com.example.garden.plant")),
            ("name", text("Löwenzahn 🌼")),
            ("gone", Value::Null),
            ("watered", Value::Bool(self.seeded.chance(50))),
            (
                "height",
                Value::Integer(i128::from(u32::MAX) + i128::from(self.seeded.below(1 << 20))),
            ),
            ("seed", Value::Bytes(self.seeded.bytes(24))),
            (
                "mother",
                Value::Link(Cid::from_digest(Codec::DagCbor, self.seeded.digest())),
            ),
            ("leaves", Value::List(leaves)),
            (
                "notes",
                map([("", text("an empty key")), ("more", Value::List(vec![map([])]))]),
            ),
            ("createdAt", time(micros)),
        ])
    }

    fn blob(&mut self) -> Value {
        let blob = self.any_blob();
        map([
            ("$type", text("blob")),
            ("ref", Value::Link(blob.cid)),
            ("mimeType", text(Blob::MIME_TYPE)),
            ("size", Value::Integer(blob.size as i128)),
        ])
    }

    /// A new blob as a rule, one that was used before now and then.
    fn any_blob(&mut self) -> Blob {
        if !self.blobs.is_empty() && self.seeded.chance(5) {
            return self.blobs[self.seeded.index(self.blobs.len())];
        }
        let blob = Blob::new(self.seeded.number());
        self.blobs.push(blob);
        blob
    }

    /// A post of somebody's.
    fn reference(&mut self) -> Value {
        let cid = Cid::from_digest(Codec::DagCbor, self.seeded.digest());
        let rkey = Tid::new(1_690_000_000_000_000 + self.seeded.below(1 << 45), 3);
        let uri = format!("at://{}/app.bsky.feed.post/{rkey}", self.somebody());
        map([("cid", text(cid.to_string())), ("uri", text(uri))])
    }

    fn somebody(&mut self) -> String {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut did = String::with_capacity(32);
        did.push_str("did:plc:");
        did.extend((0..24).map(|_| char::from(LETTERS[self.seeded.index(32)])));
        did
    }

    fn words(&mut self, count: usize) -> String {
        const WORDS: [&str; 24] = [
            "the", "morning", "tide", "came", "in", "slowly", "and", "a", "heron", "stood", "there", "waiting", "über",
            "Straße", "空", "ほら", "🌊", "nobody", "else", "saw", "it", "who", "knows", "why",
        ];
        let mut words = String::with_capacity(6 * count);
        for n in 0..count {
            if n > 0 {
                words.push(' ');
            }
            words.push_str(self.seeded.pick(&WORDS));
        }
        words
    }
}

fn time(micros: u64) -> Value {
    let time = Timestamp::from_microsecond(micros.cast_signed()).expect("53 bits of microseconds are a time");
    Value::Text(format!("{time:.3}"))
}
