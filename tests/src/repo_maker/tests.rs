//! What is made is what it should be, as far as single rules of the crate under test can tell.

use skykeep_atproto::commit::Commit;
use skykeep_atproto::{Curve, car, mst, record};

use super::*;

fn repo(seed: u64, count: usize) -> Repo {
    let did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap();
    Repo::new(
        &did,
        &SigningKey::from_bytes(Curve::P256, &[9; 32]).unwrap(),
        seed,
        count,
    )
}

/// The names of a CAR's blocks, in its order; the header is known to have 59 bytes.
fn names(car: &[u8]) -> Vec<Cid> {
    let mut names = Vec::new();
    let mut rest = &car[59..];
    while !rest.is_empty() {
        let (mut len, mut shift) = (0, 0);
        loop {
            let byte = rest[0];
            rest = &rest[1..];
            len |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        let (section, after) = rest.split_at(len);
        let cid = Cid::from_bytes(&section[..36]).unwrap();
        assert!(cid.names(&section[36..]));
        names.push(cid);
        rest = after;
    }
    names
}

#[test]
fn the_same_seed_makes_the_same_repository() {
    assert_eq!(repo(5, 200).car(Order::Tree, None), repo(5, 200).car(Order::Tree, None));
    assert_ne!(repo(5, 200).root(), repo(6, 200).root());
}

#[test]
fn commit_and_tree_are_as_the_crate_under_test_has_them() {
    for count in [0, 1, 2, 30, 3_000] {
        let repo = repo(1, count);
        assert_eq!(repo.records().len(), count);
        let commit = Commit::decode(repo.block(&repo.root()).unwrap()).unwrap();
        let tree = mst::build(repo.records());
        assert_eq!(commit.data, tree.root);
        assert!(
            tree.nodes
                .iter()
                .all(|(cid, bytes)| repo.block(cid) == Some(&bytes[..]))
        );
        assert!(repo.key().did_key().verify(&commit.unsigned, &commit.signature));
        assert_eq!((commit.did, commit.rev), (repo.did().clone(), Some(repo.rev())));
        assert_eq!(repo.car(Order::Tree, None)[..59], car::header(repo.root()));
        let distinct: HashSet<_> = repo.records().values().collect();
        assert_eq!(repo.layout().len(), 1 + tree.nodes.len() + distinct.len());
    }
}

#[test]
fn records_are_canonical_and_weigh_what_real_ones_weigh() {
    let repo = repo(2, 20_000);
    let (mut bytes, mut blobs) = (0, HashSet::new());
    for cid in repo.records().values() {
        let block = repo.block(cid).unwrap();
        bytes += block.len();
        let mut found = |blob: record::BlobRef<'_>| {
            blobs.insert(blob.cid);
        };
        record::check(block, &mut found).unwrap();
    }
    let mean = bytes / repo.records().len();
    assert!((244..=254).contains(&mean), "{mean}");
    assert_eq!(blobs, repo.blobs().iter().map(|blob| blob.cid).collect());
    assert!(
        repo.blobs()
            .iter()
            .all(|blob| blob.cid.names(&blob.bytes()) && blob.bytes().len() == blob.size)
    );
}

#[test]
fn orders_hold_the_same_blocks() {
    let repo = repo(3, 500);
    let sorted = |order| {
        let mut names = names(&repo.car(order, None));
        names.sort();
        names
    };
    assert_eq!(names(&repo.car(Order::Tree, None)), repo.layout());
    assert_ne!(names(&repo.car(Order::Shuffled(1), None)), repo.layout());
    assert_eq!(sorted(Order::Tree), sorted(Order::Shuffled(1)));
    assert_eq!(sorted(Order::Tree), sorted(Order::Pds));
    let revs: Vec<_> = names(&repo.car(Order::Pds, None))
        .into_iter()
        .map(|cid| (repo.blocks[&cid].0, cid.to_string()))
        .collect();
    assert!(revs.is_sorted_by(|a, b| a > b));
}

#[test]
fn an_increment_is_what_the_commit_before_did_not_reach() {
    let mut repo = repo(4, 2_000);
    let before = repo.rev();
    let (old, records): (HashSet<_>, _) = (repo.layout().iter().copied().collect(), repo.records().clone());
    let writes = repo.writes(1, 100);
    let change = repo.apply(&writes);
    let expected: Vec<_> = repo.layout().iter().copied().filter(|cid| !old.contains(cid)).collect();
    assert_eq!(names(&repo.car(Order::Tree, Some(before))), expected);
    assert_eq!(names(&repo.car(Order::Tree, Some(repo.rev()))), []);
    assert_eq!(change.added.len() + change.changed.len() + change.removed.len(), 100);
    assert_eq!(repo.records().len(), 2_000 + change.added.len() - change.removed.len());
    assert!(change.changed.iter().all(|path| repo.records()[path] != records[path]));
}

#[test]
fn a_block_that_left_and_came_back_is_sent_again() {
    let mut repo = repo(5, 50);
    let (path, cid) = repo
        .records()
        .first_key_value()
        .map(|(path, cid)| (path.clone(), *cid))
        .unwrap();
    let (before, bytes) = (repo.rev(), repo.block(&cid).unwrap().to_vec());
    let full = repo.root();
    repo.apply(&[Operation::Delete(path.clone())]);
    assert!(repo.block(&cid).is_none());
    repo.apply(&[Operation::Put(path, bytes.clone())]);
    assert!(names(&repo.car(Order::Pds, Some(before))).contains(&cid));
    assert_ne!(repo.root(), full);
    // Moved under another path in one commit, it keeps the rev it had.
    let before = repo.rev();
    repo.apply(&[Operation::Put("com.example.moved/x".to_owned(), bytes)]);
    assert!(!names(&repo.car(Order::Pds, Some(before))).contains(&cid));
}
