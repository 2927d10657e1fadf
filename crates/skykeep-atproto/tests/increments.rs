//! An increment that is proved beside what is kept: it says what a check of everything says, or nothing at all.

use std::collections::{BTreeMap, HashSet};
use std::io::Cursor;
use std::sync::LazyLock;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use skykeep_atproto::verify::{CheckedIncrement, KeptFile, Outline, RepoCheck, VerifiedRepo};
use skykeep_atproto::{Cid, Codec, KeyHistory, car};
use skykeep_tests::repo_maker::damage::{self, Draft};
use skykeep_tests::repo_maker::seeded::Seeded;
use skykeep_tests::repo_maker::tree::{Node, Subtree};
use skykeep_tests::repo_maker::value::{Value, map, text};
use skykeep_tests::repo_maker::{Operation, Order, Repo, car_header, section};

static HISTORY: LazyLock<KeyHistory> = LazyLock::new(|| {
    let (did, key) = damage::owner();
    KeyHistory::of_key(did, key.did_key())
});

fn file(bytes: &[u8]) -> KeptFile {
    KeptFile {
        sha256: *Cid::of(Codec::Raw, bytes).digest(),
        len: bytes.len() as u64,
    }
}

fn cursors<'a>(files: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<Cursor<&'a Vec<u8>>> {
    files.into_iter().map(Cursor::new).collect()
}

/// What is kept of a repository: its files, the commit that they end at, and what the proof of it left.
struct Kept {
    files: Vec<Vec<u8>>,
    head: Cid,
    outline: Outline,
}

/// What both checks said of an increment.
struct Both {
    whole: Option<VerifiedRepo>,
    findings: String,
    beside: Option<CheckedIncrement>,
}

impl Kept {
    fn of(repo: &Repo) -> Self {
        let files = vec![repo.car(Order::Tree, None)];
        let mut sources = cursors(&files);
        let proved = RepoCheck::of(&HISTORY)
            .run(&mut sources)
            .expect("memory")
            .repo
            .expect("whole");
        let outline = Outline::of(&proved, &[file(&files[0])], &mut sources);
        let outline = outline.expect("memory").expect("small enough");
        Self {
            files,
            head: repo.root(),
            outline,
        }
    }

    fn beside(&self, since: &[u8], threads: usize) -> Option<CheckedIncrement> {
        let check = RepoCheck::of(&HISTORY).threads(threads);
        let checked = check.increment(self.outline.clone(), &mut cursors(&self.files), &mut Cursor::new(since));
        checked.expect("memory")
    }

    /// Asks both checks. What the short one proves is what the long one proves.
    fn both(&self, since: &Vec<u8>, threads: usize) -> Both {
        let mut sources = cursors(self.files.iter().chain([since]));
        let whole = RepoCheck::of(&HISTORY).from(self.head).threads(threads);
        let whole = whole.run(&mut sources).expect("memory");
        let beside = self.beside(since, threads);
        if let Some(CheckedIncrement { report, increment }) = &beside {
            let Some(repo) = &whole.repo else {
                panic!("proved beside what is kept, but {:?}", whole.report);
            };
            assert!(
                increment.proof() == repo.proof(),
                "{:?}\n{:?}",
                increment.proof(),
                repo.proof()
            );
            assert_eq!(Some(increment.from()), repo.from());
            let facts = |report: &skykeep_atproto::verify::Report| {
                let counts = (report.nodes, report.records, report.blobs);
                let of = (report.did.clone(), report.rev, report.root, report.version);
                (of, counts, report.complete, report.sound, report.signed_by)
            };
            assert_eq!(facts(report), facts(&whole.report));
            let (mut long, mut short) = (Vec::new(), Vec::new());
            repo.write_increment(&mut sources, &mut long).expect("memory");
            let written = increment
                .write_increment(&mut Cursor::new(since), &mut short)
                .expect("memory");
            assert!(long == short, "{} and {} bytes", long.len(), short.len());
            assert_eq!(written.len, short.len() as u64);
        }
        Both {
            findings: format!("{:?}", whole.report.findings),
            whole: whole.repo,
            beside,
        }
    }

    /// Keeps an increment as well, whichever check proved it.
    fn grow(&mut self, since: &Vec<u8>, both: Both) {
        let mut increment = Vec::new();
        let outline = match both {
            Both {
                beside: Some(proved), ..
            } => {
                let mut since = Cursor::new(since);
                let written = proved.increment.write_increment(&mut since, &mut increment);
                written.expect("memory");
                self.head = proved.increment.proof().commit().cid;
                proved.increment.outline(&mut since)
            }
            Both { whole, findings, .. } => {
                let repo = whole.unwrap_or_else(|| panic!("{findings}"));
                let files: Vec<_> = self.files.iter().map(|bytes| file(bytes)).collect();
                let mut sources = cursors(self.files.iter().chain([since]));
                repo.write_increment(&mut sources, &mut increment).expect("memory");
                self.head = repo.commit().cid;
                Outline::of(&repo, &files, &mut sources)
            }
        };
        self.outline = outline.expect("memory").expect("small enough");
        self.files.push(increment);
        let files: Vec<_> = self.files.iter().map(|bytes| file(bytes)).collect();
        assert_eq!((self.outline.files(), self.outline.commit()), (&files[..], self.head));
        let read = Outline::from_bytes(&self.outline.to_bytes());
        assert!(read.as_ref() == Some(&self.outline), "it does not come back");
    }
}

/// A repository's writes, and what its server answers to `since`.
fn since(repo: &mut Repo, writes: &[Operation]) -> Vec<u8> {
    let rev = repo.rev();
    repo.apply(writes);
    repo.car(Order::Pds, Some(rev))
}

fn deletes(repo: &Repo, which: impl Fn(&str) -> bool) -> Vec<Operation> {
    let paths = repo.records().keys().filter(|path| which(path));
    paths.cloned().map(Operation::Delete).collect()
}

fn made(seed: u64, count: usize) -> Repo {
    let (did, key) = damage::owner();
    Repo::new(&did, &key, seed, count)
}

#[test]
fn hours_of_a_lively_account_are_proved_beside_what_is_kept() {
    let mut beside = 0;
    for (seed, count, writes) in [(1, 3_000, 1), (2, 3_000, 40), (3, 400, 60), (4, 40, 5)] {
        let mut repo = made(seed, count);
        let mut kept = Kept::of(&repo);
        for hour in 0..8_u8 {
            let threads = 1 + usize::from(hour) % 3;
            let (writes, before) = (
                repo.writes(seed * 100 + u64::from(hour), writes),
                repo.records().clone(),
            );
            let came = since(&mut repo, &writes);
            let both = kept.both(&came, threads);
            let again = comes_again(&before, repo.records());
            assert!(both.beside.is_some() || again, "{count} records, hour {hour}");
            beside += u32::from(both.beside.is_some());
            kept.grow(&came, both);
        }
        // What is kept is the repository.
        let whole = RepoCheck::of(&HISTORY).run(&mut cursors(&kept.files)).expect("memory");
        let records: BTreeMap<_, _> = whole.repo.expect("whole").records().collect();
        assert_eq!(&records, repo.records());
    }
    assert!(beside > 24, "{beside} of 32 hours");
}

/// Whether a new record has bytes that were there before, or one that goes has bytes that others had too.
fn comes_again(before: &BTreeMap<String, Cid>, after: &BTreeMap<String, Cid>) -> bool {
    let uses = |cid: &Cid| before.values().filter(|value| *value == cid).count();
    let new = after.iter().filter(|(path, cid)| before.get(*path) != Some(cid));
    let lost = before.iter().filter(|(path, cid)| after.get(*path) != Some(cid));
    { new }.any(|(_, cid)| uses(cid) > 0) || { lost }.any(|(_, cid)| uses(cid) > 1)
}

#[test]
fn whatever_is_written_the_answers_are_the_same() {
    let check = |name: &str, proved: bool, writes: &dyn Fn(&Repo) -> Vec<Operation>| {
        let mut repo = made(9, 500);
        let kept = Kept::of(&repo);
        let writes = writes(&repo);
        let came = since(&mut repo, &writes);
        let both = kept.both(&came, 2);
        assert!(both.whole.is_some(), "{name}: {}", both.findings);
        assert_eq!(both.beside.is_some(), proved, "{name}");
    };
    let put = |path: &str, bytes: &[u8]| Operation::Put(path.to_owned(), bytes.to_vec());
    let new = |n: i128| map([("n", Value::Integer(n))]).to_bytes();
    let bytes = |repo: &Repo, n: usize| {
        let cid = repo.records().values().nth(n).expect("so many");
        repo.block(cid).expect("its own").to_vec()
    };
    let nth = |repo: &Repo, n: usize| repo.records().keys().nth(n).expect("so many").clone();
    check("nothing but another commit", true, &|_| Vec::new());
    check("the first key", true, &|_| vec![put("a.a.a/a", &new(1))]);
    check("the last key", true, &|_| vec![put("zz.zz.zz/zz", &new(1))]);
    check("the first and the last go", true, &|repo| {
        vec![Operation::Delete(nth(repo, 0)), Operation::Delete(nth(repo, 499))]
    });
    check("all of a collection goes", true, &|repo| {
        deletes(repo, |path| path.starts_with("app.bsky.feed.like/"))
    });
    check("all goes", true, &|repo| deletes(repo, |_| true));
    check("one is another", true, &|repo| vec![put(&nth(repo, 77), &new(1))]);
    check("two new ones have the same bytes", true, &|_| {
        vec![
            put("a.a.a/a", &new(1)),
            put("a.a.a/b", &new(1)),
            put("zz.zz.zz/z", &new(1)),
        ]
    });
    check("bytes that are there already", true, &|repo| {
        vec![put("a.a.a/a", &bytes(repo, 3))]
    });
    check("one moves", true, &|repo| {
        vec![Operation::Delete(nth(repo, 3)), put("a.a.a/a", &bytes(repo, 3))]
    });
    let plain = |repo: &Repo| {
        let images = |bytes: &[u8]| bytes.windows(8).any(|bytes| bytes == b"mimeType");
        (0..500)
            .find(|n| !images(&bytes(repo, *n)))
            .expect("not all have images")
    };
    check("bytes that are there already", true, &|repo| {
        vec![put("a.a.a/a", &bytes(repo, plain(repo)))]
    });
    check("one moves", true, &|repo| {
        let n = plain(repo);
        vec![Operation::Delete(nth(repo, n)), put("a.a.a/a", &bytes(repo, n))]
    });
    // These are left to the check of everything.
    check("bytes with an image that are there already", false, &|repo| {
        let images = |n: &usize| bytes(repo, *n).windows(8).any(|bytes| bytes == b"mimeType");
        let n = (0..500).find(images).expect("some have images");
        vec![put("a.a.a/a", &bytes(repo, n))]
    });
    check("one is left, in a node that was there before", false, &|repo| {
        deletes(repo, |path| path != nth(repo, 250))
    });
}

#[test]
fn one_of_two_records_with_the_same_images_goes() {
    let image = |n: u8| {
        let link = Value::Link(Cid::of(Codec::Raw, &[n]));
        let blob = [
            ("ref", link),
            ("size", Value::Integer(n.into())),
            ("$type", text("blob")),
            ("mimeType", text("image/png")),
        ];
        map([("image", map(blob))]).to_bytes()
    };
    let (did, key) = damage::owner();
    let records = (0..40).map(|n| (format!("com.example.a/{n:03}"), image(if n == 30 { 5 } else { n })));
    for (gone, proved) in [(5, false), (30, true), (6, true)] {
        let mut repo = Repo::of(&did, &key, records.clone());
        let kept = Kept::of(&repo);
        let came = since(&mut repo, &[Operation::Delete(format!("com.example.a/{gone:03}"))]);
        assert_eq!(kept.both(&came, 1).beside.is_some(), proved, "{gone}");
    }
}

/// The same file as it would come: without what is kept.
fn without_kept(bytes: &[u8], repo: &Repo) -> Option<Vec<u8>> {
    let kept: HashSet<Cid> = repo.layout().iter().copied().collect();
    let blocks = car::blocks(bytes).ok()?;
    let mut out = car_header(&[blocks.first()?.0]);
    for (cid, data) in blocks.iter().filter(|(cid, _)| !kept.contains(cid)) {
        section(&mut out, &cid.to_bytes(), data);
    }
    Some(out)
}

#[test]
fn each_damage_is_kept_out() {
    let (mut proved, mut short) = (0, 0);
    for count in [40, 300] {
        // What is kept is later, so that all commits are new.
        let mut repo = made(7, count);
        repo.apply(&repo.writes(1, 10));
        let kept = Kept::of(&repo);
        for case in damage::cases() {
            proved += usize::from(kept.both(&case.car, 2).beside.is_some());
            if let Some(came) = without_kept(&case.car, &repo) {
                short += usize::from(kept.both(&came, 2).beside.is_some());
            }
        }
    }
    // Those in which nothing is wrong are not refused for being odd.
    assert!(proved > 5 && short > 5, "{proved} and {short}");
}

#[test]
fn what_is_damaged_where_it_is_read_proves_nothing() {
    let mut repo = made(5, 600);
    let kept = Kept::of(&repo);
    let path = repo.records().keys().nth(300).unwrap().clone();
    let came = since(&mut repo, &[Operation::Delete(path)]);
    assert!(kept.beside(&came, 1).is_some());
    // Each byte of what comes.
    for at in 0..came.len() {
        let mut spoilt = came.clone();
        spoilt[at] ^= 1;
        assert!(kept.beside(&spoilt, 1).is_none(), "byte {at}");
        assert!(kept.beside(&came[..at], 1).is_none(), "cut at {at}");
    }
    // Each block that is left out.
    let blocks = car::blocks(&came).unwrap();
    for left_out in 0..blocks.len() {
        let mut short = car_header(&[repo.root()]);
        for (n, (cid, data)) in blocks.iter().enumerate() {
            if n != left_out {
                section(&mut short, &cid.to_bytes(), data);
            }
        }
        assert!(kept.beside(&short, 1).is_none(), "block {left_out}");
    }
    // Each block of the base: those that are not read are not needed, and the others are hashed.
    let mut needed = 0;
    for (cid, data) in car::blocks(&kept.files[0]).unwrap() {
        let at = data.as_ptr() as usize - kept.files[0].as_ptr() as usize;
        let mut files = kept.files.clone();
        files[0][at + data.len() / 2] ^= 1;
        let spoilt = Kept {
            files,
            head: kept.head,
            outline: kept.outline.clone(),
        };
        match spoilt.beside(&came, 1) {
            Some(proved) => assert_eq!(
                proved.increment.proof(),
                kept.beside(&came, 1).unwrap().increment.proof()
            ),
            None => needed += 1,
        }
        assert!(cid.names(data));
    }
    assert!((2..100).contains(&needed), "{needed}");
}

#[test]
fn an_outline_of_something_else_proves_nothing() {
    let mut repo = made(5, 300);
    let before = Kept::of(&repo);
    repo.apply(&repo.writes(3, 30));
    let kept = Kept::of(&repo);
    let writes = repo.writes(4, 30);
    let came = since(&mut repo, &writes);
    assert!(kept.beside(&came, 1).is_some());
    let other = |outline: &Outline, files: &[Vec<u8>]| Kept {
        files: files.to_vec(),
        head: kept.head,
        outline: outline.clone(),
    };
    // Of an earlier commit, of other files, of files that are gone.
    assert!(before.beside(&came, 1).is_none());
    assert!(other(&kept.outline, &before.files).beside(&came, 1).is_none());
    assert!(other(&kept.outline, &[]).beside(&came, 1).is_none());
    // Of another account.
    let stranger = made(6, 300);
    assert!(
        other(&Kept::of(&stranger).outline, &kept.files)
            .beside(&came, 1)
            .is_none()
    );
    // No byte of it may change.
    let bytes = kept.outline.to_bytes();
    assert_eq!(Outline::from_bytes(&bytes), Some(kept.outline.clone()));
    for at in 0..bytes.len() {
        let mut spoilt = bytes.clone();
        spoilt[at] ^= 1;
        assert_eq!(Outline::from_bytes(&spoilt), None, "byte {at}");
    }
    for len in 0..bytes.len() {
        assert_eq!(Outline::from_bytes(&bytes[..len]), None, "cut at {len}");
    }
    // Of a large one, which is hashed while it is read.
    let large = Kept::of(&made(7, 20_000)).outline;
    let bytes = large.to_bytes();
    assert!(bytes.len() > 256 << 10 && Outline::from_bytes(&bytes) == Some(large));
    for at in (0..bytes.len()).step_by(bytes.len() / 50) {
        let mut spoilt = bytes.clone();
        spoilt[at] ^= 1;
        assert_eq!(Outline::from_bytes(&spoilt), None, "byte {at}");
        assert_eq!(Outline::from_bytes(&bytes[..at]), None, "cut at {at}");
    }
}

#[test]
fn nobody_else_signs_it() {
    let (did, _) = damage::owner();
    let mut repo = made(5, 60);
    let kept = Kept::of(&repo);
    let writes = repo.writes(4, 3);
    let came = since(&mut repo, &writes);
    let ask = |check: RepoCheck| {
        let mut files = cursors(&kept.files);
        let checked = check.increment(kept.outline.clone(), &mut files, &mut Cursor::new(&came));
        checked.unwrap().is_some()
    };
    let other = skykeep_atproto::SigningKey::generate(skykeep_atproto::Curve::P256).unwrap();
    let stranger = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap();
    assert!(ask(RepoCheck::of(&HISTORY)));
    assert!(!ask(RepoCheck::of(&KeyHistory::of_key(did, other.did_key()))));
    assert!(!ask(RepoCheck::of(&HISTORY).did(stranger)));
    assert!(!ask(RepoCheck::of_form()));
    assert!(!ask(RepoCheck::of(&HISTORY).keys(Vec::new())));
}

fn any_path() -> impl Strategy<Value = String> {
    let collection = select(&["app.bsky.feed.post", "app.bsky.feed.postgate", "com.example.a"][..]);
    (collection, "[a-z0-9]{1,3}").prop_map(|(collection, key)| format!("{collection}/{key}"))
}

/// Few different ones, so that bytes come again.
fn any_record() -> impl Strategy<Value = Vec<u8>> {
    (0_u32..400, 0_u8..6).prop_map(|(n, blob)| {
        let blob = map([
            ("ref", Value::Link(Cid::of(Codec::Raw, &[blob]))),
            ("size", Value::Integer(i128::from(n % 3 + 1))),
            ("$type", text("blob")),
            ("mimeType", text(if n % 2 == 0 { "image/png" } else { "image/jpeg" })),
        ]);
        let number = ("n", Value::Integer(n.into()));
        let fields = if n % 3 == 0 {
            map([number, ("image", blob)])
        } else {
            map([number])
        };
        fields.to_bytes()
    })
}

/// Bends a tree at some nodes: subtrees change places, go, come twice, or hang where others hung before.
fn bend(root: &mut Node, kept: &[Subtree], seeded: &mut Seeded) {
    let mut nodes = 0;
    count(root, &mut nodes);
    let mut at = seeded.index(nodes);
    let node = nth(root, &mut at).expect("so many");
    let sides = node.entries.len() + 1;
    let (one, two) = (seeded.index(sides), seeded.index(sides));
    match seeded.below(6) {
        0 => {
            let taken = std::mem::take(node.side_mut(one));
            let other = std::mem::replace(node.side_mut(two), taken);
            *node.side_mut(one) = other;
        }
        1 => *node.side_mut(one) = Subtree::None,
        2 => *node.side_mut(one) = node.side_mut(two).clone(),
        3 => *node.side_mut(one) = kept[seeded.index(kept.len())].clone(),
        4 if sides > 1 => drop(node.entries.remove(one.min(sides - 2))),
        _ if sides > 2 => node.entries.swap(one.min(sides - 2), two.min(sides - 2)),
        _ => *node.side_mut(one) = kept[seeded.index(kept.len())].clone(),
    }
}

fn count(node: &Node, nodes: &mut usize) {
    *nodes += 1;
    for at in 0..=node.entries.len() {
        if let Some(below) = node.side(at) {
            count(below, nodes);
        }
    }
}

fn nth<'a>(node: &'a mut Node, left: &mut usize) -> Option<&'a mut Node> {
    if *left == 0 {
        return Some(node);
    }
    *left -= 1;
    let Node {
        left: side, entries, ..
    } = node;
    let sides = std::iter::once(side).chain(entries.iter_mut().map(|entry| &mut entry.right));
    sides.filter_map(Subtree::node_mut).find_map(|below| nth(below, left))
}

/// Every subtree of a tree.
fn subtrees(node: &Node, all: &mut Vec<Subtree>) {
    for at in 0..=node.entries.len() {
        if let Some(below) = node.side(at) {
            all.push(Subtree::Node(Box::new(below.clone())));
            subtrees(below, all);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// In every field, round after round, whichever of both made the outline.
    #[test]
    fn what_is_proved_beside_is_what_is_proved_whole(
        before in btree_map(any_path(), any_record(), 0..80),
        rounds in vec((btree_map(any_path(), any_record(), 0..6), vec(any::<Index>(), 0..6)), 1..5),
        threads in 1_usize..3,
    ) {
        let (did, key) = damage::owner();
        let mut repo = Repo::of(&did, &key, before);
        let mut kept = Kept::of(&repo);
        for (puts, deleted) in rounds {
            let paths: Vec<_> = repo.records().keys().cloned().collect();
            let mut writes: Vec<_> = puts.into_iter().map(|(path, bytes)| Operation::Put(path, bytes)).collect();
            if !paths.is_empty() {
                writes.extend(deleted.iter().map(|at| Operation::Delete(paths[at.index(paths.len())].clone())));
            }
            let came = since(&mut repo, &writes);
            let both = kept.both(&came, threads);
            prop_assert!(both.whole.is_some(), "{}", both.findings);
            kept.grow(&came, both);
        }
    }

    /// Trees of any shape over subtrees that are kept: nothing is proved that a check of everything refuses.
    #[test]
    fn a_bent_tree_is_never_proved(seed in any::<u64>(), bends in 1_usize..4, adds in 0_usize..4) {
        let mut seeded = Seeded::new(seed);
        let mut repo = made(seed % 5, 120);
        let kept = Kept::of(&repo);
        let mut all = Vec::new();
        subtrees(&Draft::of(&repo).tree, &mut all);
        repo.apply(&repo.writes(seed, adds));
        let mut draft = Draft::of(&repo);
        for _ in 0..bends {
            bend(&mut draft.tree, &all, &mut seeded);
        }
        let bent: Vec<u8> = draft.into();
        let mut base = made(seed % 5, 120);
        let came = without_kept(&bent, &base).expect("a file");
        kept.both(&came, 1);
        // The same beside what is kept after some more hours.
        base.apply(&base.writes(seed, adds + 1));
        kept.both(&without_kept(&bent, &base).expect("a file"), 1);
    }
}
