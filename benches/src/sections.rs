//! The sections that need the protocol's room alone.

use std::fs;
use std::path::Path;

use skykeep_benches::inputs::{Input, OPERATIONS, input};

use crate::race::{Contestant, Showing, race, warm};
use crate::table::{Goal, mebibytes, milliseconds, print};
use crate::{Bench, Outcome};

/// The size that the goals speak of.
const WHOLE: usize = 1_000_000;

const MIB: f64 = 1_048_576.0;

fn text(path: &Path) -> Outcome<&str> {
    path.to_str().ok_or_else(|| "a path that is not text".into())
}

/// Verification of a whole repository, beside others.
pub(crate) fn verify(bench: &mut Bench) -> Outcome<()> {
    let mut peaks = Vec::new();
    for records in bench.sizes.clone() {
        let input = input(&bench.files, records)?;
        warm(&[&input.tree, &input.shuffled])?;
        let mut tree_order = None;
        for (order, file) in [("tree order", &input.tree), ("shuffled", &input.shuffled)] {
            let showings = everybody(bench, &input, file)?;
            show(&format!("Verify {records} records, {order}"), file, &showings)?;
            let (ours, one, peer) = (&showings[0], &showings[1], &showings[2]);
            if records == WHOLE {
                let named = |what: &str| format!("1m, {what}, {order}");
                let (ratio, peak) = (ours.ratio(peer), ours.peak() / MIB);
                let ratio_name = || named("2 threads / repo-stream");
                bench.goals.extend([
                    Goal::required(0.20, "", ratio_name(), ratio),
                    Goal::aimed_for(0.15, "", ratio_name(), ratio),
                    Goal::aimed_for(0.33, "", named("1 thread / repo-stream"), one.ratio(peer)),
                    Goal::required(200.0, " MiB", named("memory"), peak),
                ]);
                if order == "tree order" {
                    bench.goals.push(Goal::aimed_for(64.0, " MiB", named("memory"), peak));
                }
            }
            match tree_order.take() {
                None => tree_order = Some(ours.seconds()),
                Some(seconds) if records == WHOLE => {
                    let ratio = ours.seconds() / seconds;
                    bench
                        .goals
                        .push(Goal::aimed_for(1.2, "", "1m, shuffled / tree order", ratio));
                }
                Some(_) => {}
            }
            peaks.push((records as f64, ours.peak()));
        }
    }
    if let (Some(small), Some(large)) = (
        peaks.iter().find(|(n, _)| *n == 1e5),
        peaks.iter().find(|(n, _)| *n == 1e6),
    ) {
        let growth = (large.1 - small.1) / (large.0 - small.0);
        bench
            .goals
            .push(Goal::aimed_for(150.0, " B", "memory a record more", growth));
    }
    Ok(())
}

/// We with two threads and with one, then everybody else.
fn everybody(bench: &Bench, input: &Input, file: &Path) -> Outcome<Vec<Showing>> {
    let path = text(file)?;
    let fast = [
        Contestant::new("skykeep, 2 threads", "ours", &["verify", path, "2"]),
        Contestant::new("skykeep, 1 thread", "ours", &["verify", path, "1"]),
        Contestant::new("repo-stream 0.5.0-alpha.10", "peer-repo-stream", &[path]),
    ];
    let slow = [
        Contestant::new("atrium-repo 0.2.0", "peer-atrium", &[path]),
        Contestant::new("jacquard-repo 0.12.2", "peer-jacquard", &[path]),
    ];
    let rounds = if input.records >= WHOLE { 7 } else { 15 };
    let mut showings = race(bench, &fast, rounds)?;
    let fastest = showings[0].clone();
    let with_us: Vec<_> = slow.into_iter().chain([fast[0].clone()]).collect();
    let mut others = race(bench, &with_us, 3)?;
    let beside = others.pop();
    // Their ratios are to our runs of the same rounds.
    let scale = beside.map_or(1.0, |ours| fastest.seconds() / ours.seconds());
    for other in &mut others {
        other.whole.iter_mut().for_each(|seconds| *seconds *= scale);
    }
    showings.extend(others);
    for showing in &showings {
        if showing.records != input.records as u64 {
            return Err(format!("{} found {} records", showing.name, showing.records).into());
        }
    }
    Ok(showings)
}

fn show(title: &str, file: &Path, showings: &[Showing]) -> Outcome<()> {
    let bytes = fs::metadata(file)?.len() as f64;
    let peer = &showings[2];
    let rows: Vec<_> = showings
        .iter()
        .map(|showing| {
            let paired = if showing.whole.len() == peer.whole.len() {
                showing.ratio(peer)
            } else {
                showing.seconds() / peer.seconds()
            };
            vec![
                showing.name.clone(),
                milliseconds(showing.seconds()),
                format!("{:.0}", bytes / showing.seconds() / 1e6),
                format!("{:.0}", showing.records as f64 / showing.seconds()),
                mebibytes(showing.peak()),
                format!("{paired:.3}"),
            ]
        })
        .collect();
    print(
        title,
        &["who", "time", "MB/s", "records/s", "memory", "/ repo-stream"],
        &rows,
    );
    Ok(())
}

/// Writing a base in canonical order, from either order, beside copying the file.
pub(crate) fn write(bench: &mut Bench) -> Outcome<()> {
    let mut rows = Vec::new();
    for records in bench.sizes.clone() {
        let input = input(&bench.files, records)?;
        warm(&[&input.tree, &input.shuffled])?;
        let out = bench.files.join("written.car");
        let (tree, shuffled, to) = (text(&input.tree)?, text(&input.shuffled)?, text(&out)?);
        let contestants = [
            Contestant::new("copy of the file", "ours", &["copy", tree, to]),
            Contestant::new("base, from tree order", "ours", &["write-base", tree, to]),
            Contestant::new("base, from shuffled", "ours", &["write-base", shuffled, to]),
        ];
        let showings = race(bench, &contestants, 5)?;
        let same = fs::read(&out)? == fs::read(&input.tree)?;
        fs::remove_file(&out)?;
        if !same {
            return Err("a base is not the file in tree order".into());
        }
        let bytes = fs::metadata(&input.tree)?.len() as f64;
        for showing in &showings {
            let seconds = showing.part_seconds();
            rows.push(vec![
                format!("{records}: {}", showing.name),
                milliseconds(seconds),
                format!("{:.0}", bytes / seconds / 1e6),
                mebibytes(showing.peak()),
                format!("{:.2}", showing.part_ratio(&showings[0])),
            ]);
        }
        if records == WHOLE {
            let ratio = showings[1].part_ratio(&showings[0]);
            bench
                .goals
                .push(Goal::aimed_for(1.5, "", "1m, base / copy of the file", ratio));
            let peak = showings[1].peak().max(showings[2].peak()) / MIB;
            bench
                .goals
                .push(Goal::required(200.0, " MiB", "1m, memory while writing", peak));
        }
    }
    let head = ["write and sync (after the check)", "time", "MB/s", "memory", "/ copy"];
    print("Write a base", &head, &rows);
    Ok(())
}

/// A base and what came since, beside the whole.
pub(crate) fn increment(bench: &mut Bench) -> Outcome<()> {
    let mut rows = Vec::new();
    for records in bench.sizes.clone() {
        let input = input(&bench.files, records)?;
        warm(&[&input.tree, &input.since])?;
        let (outline, next) = (bench.files.join("base.outline"), bench.files.join("next.outline"));
        let (tree, since) = (text(&input.tree)?, text(&input.since)?);
        let (outline_text, next_text) = (text(&outline)?, text(&next)?);
        let left = Contestant::new("outline the base", "ours", &["outline", tree, outline_text]);
        let left = race(bench, &[left], 3)?;
        let beside = ["apply-beside", tree, since, outline_text, "2"];
        let on = ["apply-and-outline", tree, since, outline_text, next_text];
        let contestants = [
            Contestant::new("verify the whole", "ours", &["verify", tree, "2"]),
            Contestant::new("apply and prove beside the base", "ours", &beside),
            Contestant::new("the same, and the next outline", "ours", &on),
            Contestant::new("apply and prove with the base", "ours", &["apply", tree, since, "2"]),
            Contestant::new(
                "write the increment, proved so",
                "ours",
                &["write-increment", tree, since],
            ),
        ];
        let showings = race(bench, &contestants, if records >= WHOLE { 7 } else { 15 })?;
        for showing in &showings {
            rows.push(vec![
                format!("{records}: {}", showing.name),
                milliseconds(showing.part_seconds()),
                mebibytes(showing.peak()),
                format!("{:.3}", showing.part_ratio(&showings[0])),
            ]);
        }
        rows.push(vec![
            format!(
                "{records}: outline the base, once ({} MiB)",
                fs::metadata(&outline)?.len() >> 20
            ),
            milliseconds(left[0].part_seconds()),
            mebibytes(left[0].peak()),
            String::new(),
        ]);
        fs::remove_file(&outline)?;
        fs::remove_file(&next)?;
        if records == WHOLE {
            let ratio = showings[1].part_ratio(&showings[0]);
            let what = format!("1m, apply {OPERATIONS} writes and prove / verify the whole");
            bench.goals.push(Goal::aimed_for(0.25, "", what, ratio));
        }
    }
    let title = format!("Apply {OPERATIONS} writes to a base that is kept");
    print(&title, &["what", "time", "memory", "/ whole"], &rows);
    Ok(())
}
