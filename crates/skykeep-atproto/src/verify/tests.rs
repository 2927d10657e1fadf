//! The door itself: one small signed repository, read, written, grown. Single damages are in `tests/damage.rs`.

use std::collections::BTreeMap;
use std::io::Cursor;

use super::*;
use crate::car::CarWriter;
use crate::cbor::Writer;
use crate::keys::{Curve, SigningKey};
use crate::{Codec, Tid, mst};

struct Maker {
    did: Did,
    key: SigningKey,
    records: BTreeMap<String, Vec<u8>>,
}

impl Maker {
    fn new(count: usize) -> Self {
        let did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap();
        let records = (0..count).map(|n| (path(n), text(&format!("post {n}")))).collect();
        Self {
            did,
            key: SigningKey::generate(Curve::K256).unwrap(),
            records,
        }
    }

    fn history(&self) -> KeyHistory {
        KeyHistory::of_key(self.did.clone(), self.key.did_key())
    }

    /// All blocks, commit first, in no further order.
    fn blocks(&self, rev: u64) -> Vec<(Cid, Vec<u8>)> {
        let named: BTreeMap<String, Cid> = self
            .records
            .iter()
            .map(|(path, bytes)| (path.clone(), Cid::of(Codec::DagCbor, bytes)))
            .collect();
        let tree = mst::build(&named);
        let rev = Tid::new(1_700_000_000_000_000 + rev, 0);
        let signature = self.key.sign(&Commit::unsigned_bytes(&self.did, tree.root, rev));
        let commit = Commit::signed_bytes(&self.did, tree.root, rev, &signature);
        let mut blocks = vec![(Cid::of(Codec::DagCbor, &commit), commit)];
        blocks.extend(tree.nodes);
        blocks.extend(self.records.iter().map(|(path, bytes)| (named[path], bytes.clone())));
        blocks
    }
}

fn path(n: usize) -> String {
    format!("app.bsky.feed.post/{}", Tid::new(1_600_000_000_000_000 + n as u64, 0))
}

fn text(text: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    writer
        .map(2)
        .text("text")
        .text(text)
        .text("$type")
        .text("app.bsky.feed.post");
    writer.into_bytes()
}

fn car(root: Cid, blocks: &[(Cid, Vec<u8>)]) -> Cursor<Vec<u8>> {
    let mut out = Vec::new();
    let mut writer = CarWriter::new(&mut out, root);
    for (cid, bytes) in blocks {
        writer.block(*cid, bytes).unwrap();
    }
    writer.finish().unwrap();
    Cursor::new(out)
}

fn rewind(sources: &mut [Cursor<Vec<u8>>]) {
    sources.iter_mut().for_each(|source| source.set_position(0));
}

#[test]
fn a_sound_repository_is_proved_and_written_the_same_from_any_order() {
    for count in [0, 1, 2, 3000] {
        let maker = Maker::new(count);
        let blocks = maker.blocks(1);
        let mut backwards = blocks.clone();
        backwards.reverse();
        let mut written = Vec::new();
        for (order, threads) in [(&blocks, 1), (&backwards, 1), (&backwards, 3)] {
            let mut sources = [car(blocks[0].0, order)];
            let checked = RepoCheck::of(&maker.history())
                .threads(threads)
                .run(&mut sources)
                .unwrap();
            assert!(checked.report.is_proved(), "{:?}", checked.report);
            assert_eq!(checked.report.records, count as u64);
            assert_eq!(checked.report.signed_by, SignedBy::Current);
            assert_eq!(checked.report.findings, []);
            let repo = checked.repo.unwrap();
            let paths: Vec<String> = repo.records().map(|(path, _)| path).collect();
            assert_eq!(paths, maker.records.keys().cloned().collect::<Vec<_>>());
            for (path, bytes) in maker.records.iter().step_by(97) {
                let cid = repo.get(path).unwrap();
                assert_eq!(repo.read_block(cid, &mut sources).unwrap(), *bytes);
            }
            assert_eq!(repo.get("app.bsky.feed.post/none"), None);
            rewind(&mut sources);
            let mut out = Vec::new();
            let facts = repo.write_base(&mut sources, &mut out).unwrap();
            assert_eq!(facts.len, out.len() as u64);
            written.push(out);
        }
        assert!(written.windows(2).all(|pair| pair[0] == pair[1]));
        // What we write is in tree order, and proves the same.
        let mut again = [Cursor::new(written.remove(0))];
        let checked = RepoCheck::of(&maker.history()).run(&mut again).unwrap();
        assert_eq!(checked.report.findings, []);
        assert!(checked.repo.is_some());
    }
}

fn image(n: u64) -> Cid {
    Cid::of(Codec::Raw, &n.to_le_bytes())
}

/// A record with images; one that begins like a tree node is not looked into before it is known to be a record.
fn images(like_node: bool, images: &[u64]) -> Vec<u8> {
    let mut writer = Writer::new();
    if like_node {
        writer.map(2).text("e").null();
    } else {
        writer.map(1);
    }
    writer.text("images").array(images.len());
    for n in images {
        writer.map(4).text("ref").link(image(*n)).text("size").unsigned(*n);
        writer.text("$type").text("blob").text("mimeType").text("image/png");
    }
    writer.into_bytes()
}

#[test]
fn blobs_have_the_same_uses_whoever_gathers_them() {
    let mut maker = Maker::new(0);
    let mut expected: BTreeMap<Cid, (u64, Vec<String>)> = BTreeMap::new();
    for n in 0..5000 {
        // The last ones have the same bytes as the first, so that nothing is said of them.
        let same = n as u64 % 4500;
        // One that two records have far from each other, one that neighbours have, and the first again.
        let blobs = [same % 2300, 10_000 + same / 2, same % 2300];
        maker.records.insert(path(n), images(same.is_multiple_of(7), &blobs));
        if n < 4500 {
            for blob in &blobs[..2] {
                let (_, records) = expected.entry(image(*blob)).or_insert((*blob, Vec::new()));
                records.push(path(n));
            }
        }
    }
    let blocks = maker.blocks(1);
    let uses: Vec<BlobUse> = expected
        .into_iter()
        .map(|(cid, (size, records))| BlobUse {
            cid,
            mime_type: "image/png".into(),
            size: Some(size),
            records,
        })
        .collect();
    for threads in [1, 2, 3, 8] {
        let check = RepoCheck::of(&maker.history()).threads(threads);
        let checked = check.run(&mut [car(blocks[0].0, &blocks)]).unwrap();
        let repo = checked.repo.unwrap_or_else(|| panic!("{:?}", checked.report));
        assert!(repo.blobs() == uses, "{threads} threads");
        assert!(
            checked.needs.iter().eq(uses.iter().map(|blob| &blob.cid)),
            "{threads} threads"
        );
    }
}

#[test]
fn blocks_that_come_again_change_nothing_wherever_they_stand() {
    let mut maker = Maker::new(2000);
    maker
        .records
        .extend((0..2000).step_by(3).map(|n| (path(n), text("the same"))));
    let blocks = maker.blocks(1);
    let root = blocks[0].0;
    let prove = |order: &[(Cid, Vec<u8>)], threads| {
        let mut sources = [car(root, order)];
        let check = RepoCheck::of(&maker.history()).threads(threads);
        let checked = check.run(&mut sources).unwrap();
        let repo = checked.repo.unwrap_or_else(|| panic!("{:?}", checked.report));
        rewind(&mut sources);
        let mut out = Vec::new();
        repo.write_base(&mut sources, &mut out).unwrap();
        (out, repo.records().collect::<Vec<_>>(), checked.report.findings)
    };
    // In tree order, every record wherever a path names it.
    let named: BTreeMap<Cid, Vec<u8>> = blocks.iter().cloned().collect();
    let in_order = |cids: &[Cid]| -> Vec<_> { cids.iter().map(|cid| (*cid, named[cid].clone())).collect() };
    let mut again = Vec::new();
    in_tree_order(&named, root, &mut again);
    let mut once = again.clone();
    let mut seen = std::collections::HashSet::new();
    once.retain(|cid| seen.insert(*cid));
    let (base, records, findings) = prove(&in_order(&once), 1);
    assert_eq!(findings, []);
    assert_eq!(base, car(root, &in_order(&once)).into_inner());
    assert!(again.len() > once.len() + 600);
    let twice: Vec<Cid> = once.iter().flat_map(|cid| [*cid, *cid]).collect();
    let in_a_row = [once.clone(), again.clone(), once.clone()].concat();
    for (cids, threads) in [(&again, 1), (&twice, 2), (&in_a_row, 2)] {
        let (same_base, same_records, findings) = prove(&in_order(cids), threads);
        assert!(same_base == base && same_records == records);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].code, FindingCode::DuplicateBlocks);
        assert_eq!(findings[0].detail, format!("{} blocks", cids.len() - once.len()));
    }
}

#[test]
fn the_same_bytes_under_another_codec_are_another_block() {
    let maker = Maker::new(200);
    let blocks = maker.blocks(1);
    let raw: Vec<_> = blocks
        .iter()
        .map(|(_, bytes)| (Cid::of(Codec::Raw, bytes), bytes.clone()))
        .collect();
    for order in [
        [raw.clone(), blocks.clone()].concat(),
        [blocks.clone(), raw.clone()].concat(),
    ] {
        let mut sources = [car(blocks[0].0, &order)];
        let checked = RepoCheck::of(&maker.history()).run(&mut sources).unwrap();
        assert_eq!(checked.report.findings.len(), 1, "{:?}", checked.report);
        assert_eq!(checked.report.findings[0].code, FindingCode::UnreachableBlocks);
        assert_eq!(checked.report.findings[0].detail, format!("{} blocks", raw.len()));
        assert!(checked.repo.is_some());
    }
}

/// All blocks of a repository, each as often as it is named.
fn in_tree_order(blocks: &BTreeMap<Cid, Vec<u8>>, cid: Cid, order: &mut Vec<Cid>) {
    order.push(cid);
    let bytes = &blocks[&cid];
    if let Ok(commit) = Commit::decode(bytes) {
        return in_tree_order(blocks, commit.data, order);
    }
    let mut entries = Vec::new();
    let Ok(left) = mst::decode(bytes, &mut entries) else {
        return;
    };
    let links = entries.iter().flat_map(|entry| [Some(entry.value), entry.right]);
    for link in [left].into_iter().chain(links).flatten() {
        in_tree_order(blocks, link, order);
    }
}

#[test]
fn an_increment_holds_what_is_new_and_proves_with_its_base() {
    let mut maker = Maker::new(2000);
    let old = maker.blocks(1);
    let old_root = old[0].0;
    maker.records.remove(&path(7));
    maker.records.insert(path(9), text("edited"));
    for n in 2000..2010 {
        maker.records.insert(path(n), text("new"));
    }
    let new = maker.blocks(2);
    let known: std::collections::HashSet<Cid> = old.iter().map(|(cid, _)| *cid).collect();
    let diff: Vec<_> = new.iter().filter(|(cid, _)| !known.contains(cid)).cloned().collect();
    let mut sources = [car(old_root, &old), car(new[0].0, &diff)];
    let checked = RepoCheck::of(&maker.history())
        .from(old_root)
        .run(&mut sources)
        .unwrap();
    let repo = checked.repo.expect("base and increment are whole");
    assert_eq!(repo.from(), Some(old_root));
    let mut increment = Vec::new();
    rewind(&mut sources);
    let facts = repo.write_increment(&mut sources, &mut increment).unwrap();
    // Ten records with one and the same text are one block.
    let expected: std::collections::HashSet<Cid> = diff.iter().map(|(cid, _)| *cid).collect();
    assert_eq!(facts.blocks, expected.len() as u64);

    let mut base = Vec::new();
    rewind(&mut sources);
    let mut old_sources = [car(old_root, &old)];
    let before = RepoCheck::of(&maker.history())
        .run(&mut old_sources)
        .unwrap()
        .repo
        .unwrap();
    before.write_base(&mut old_sources, &mut base).unwrap();
    let mut kept = [Cursor::new(base), Cursor::new(increment)];
    let read_back = RepoCheck::of(&maker.history()).run(&mut kept).unwrap();
    let now = read_back.repo.unwrap();
    assert!(now.records().eq(repo.records()));
    let changes = before.compare(&now);
    assert_eq!(changes.removed, [path(7)]);
    assert_eq!(changes.changed, [path(9)]);
    assert_eq!(changes.added, (2000..2010).map(path).collect::<Vec<_>>());
    // The increment alone is not a repository.
    let alone = RepoCheck::of(&maker.history()).run(&mut kept[1..]);
    assert!(alone.is_ok_and(|checked| checked.repo.is_none()));
}

#[test]
fn earlier_keys_strangers_and_missing_keys_are_told_apart() {
    let maker = Maker::new(3);
    let blocks = maker.blocks(1);
    let stranger = SigningKey::generate(Curve::P256).unwrap().did_key();
    let judge = |keys: Vec<KeyPeriod>| {
        let check = RepoCheck::of_form().did(maker.did.clone()).keys(keys);
        let checked = check.run(&mut [car(blocks[0].0, &blocks)]).unwrap();
        (checked.report.signed_by, checked.repo.is_some())
    };
    let period = |key| KeyHistory::of_key(maker.did.clone(), key).keys.remove(0);
    let (own, other) = (period(maker.key.did_key()), period(stranger));
    assert_eq!(judge(vec![own.clone()]), (SignedBy::Current, true));
    assert_eq!(
        judge(vec![other.clone(), own]),
        (SignedBy::Earlier { operation: None }, true)
    );
    assert_eq!(judge(vec![other]), (SignedBy::Unknown, false));
    assert_eq!(judge(vec![]), (SignedBy::Unchecked, false));
}

#[test]
fn a_cut_at_any_byte_is_noticed() {
    let maker = Maker::new(12);
    let blocks = maker.blocks(1);
    let whole = car(blocks[0].0, &blocks).into_inner();
    for len in 0..whole.len() {
        let checked = RepoCheck::of(&maker.history()).run(&mut [&whole[..len]]).unwrap();
        assert!(!checked.report.complete, "{len}");
        assert!(checked.repo.is_none());
    }
}

#[test]
fn bytes_that_change_between_check_and_copy_are_noticed() {
    let maker = Maker::new(40);
    let blocks = maker.blocks(1);
    let mut sources = [car(blocks[0].0, &blocks)];
    let repo = RepoCheck::of(&maker.history()).run(&mut sources).unwrap().repo.unwrap();
    let last = sources[0].get_ref().len() - 1;
    sources[0].get_mut()[last] ^= 1;
    assert!(matches!(
        repo.write_base(&mut sources, std::io::sink()),
        Err(Error::HashMismatch { .. })
    ));
    sources[0].get_mut().truncate(200);
    assert!(matches!(
        repo.write_base(&mut sources, std::io::sink()),
        Err(Error::Missing { .. })
    ));
}
