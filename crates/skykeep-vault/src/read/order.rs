//! The order of snapshots, and what is missing between them.
//!
//! Source: FORMAT.md, section 4, "Order".

use std::collections::{BTreeMap, BTreeSet};

use skykeep_atproto::Tid;

use super::{Finding, Snapshot};
use crate::key::WriterPublic;
use crate::manifest::Origin;

/// How far ahead of its capture a rev may lie and still be trusted for order, in microseconds.
const REV_AHEAD: u64 = 5 * 60 * 1_000_000;

/// Orders snapshots by sequence and rev, and finds what is missing between them.
pub(super) fn in_order(snapshots: Vec<Snapshot>) -> (Vec<Snapshot>, Vec<Finding>) {
    let mut by_writer: BTreeMap<WriterPublic, Vec<Snapshot>> = BTreeMap::new();
    for snapshot in snapshots {
        by_writer.entry(snapshot.manifest.writer).or_default().push(snapshot);
    }
    let mut findings = Vec::new();
    let mut ordered = Vec::new();
    for (writer, mut snapshots) in by_writer {
        snapshots.sort_by_key(|snapshot| (snapshot.manifest.sequence, snapshot.name.hash));
        let mut before = 0;
        let mut sums = BTreeSet::new();
        let mut reached: Option<Tid> = None;
        for snapshot in snapshots {
            let manifest = &snapshot.manifest;
            let sequence = manifest.sequence;
            if sequence == before {
                findings.push(Finding::Fork {
                    writer: writer.id(),
                    sequence,
                });
            } else if manifest.previous.is_some_and(|previous| !sums.contains(&previous)) {
                findings.push(Finding::Gap {
                    writer: writer.id(),
                    after: before,
                    before: sequence,
                });
            }
            before = sequence;
            sums.insert(snapshot.sum);
            let rev = manifest.body.commit.rev;
            let time = u64::try_from(manifest.captured.as_microsecond()).unwrap_or_default();
            if rev.micros() <= time.saturating_add(REV_AHEAD) {
                reached = reached.max(Some(rev));
            }
            // What other tools left has no more than the host gave, and often less.
            let captured = manifest.body.origin == Origin::Captured;
            ordered.push((reached, captured, writer, sequence, snapshot));
        }
    }
    ordered.sort_by_key(|(reached, captured, writer, sequence, snapshot)| {
        (*reached, *captured, *writer, *sequence, snapshot.name.hash)
    });
    let ordered = ordered.into_iter().map(|(.., snapshot)| snapshot).collect();
    (ordered, findings)
}
