//! What has happened over time, for the calendar and for growth.
//!
//! A face divides time as its owner's clock does and asks for the cells; here they are only counted. See
//! [`crate::catalogue::Happened`] for what counts as one event.

use std::collections::BTreeMap;

use jiff::Timestamp;
use skykeep_atproto::Did;

use crate::api::{Cell, Growth, Millis, Storage, StoredAccount};
use crate::catalogue::{Happened, Outcome, Size};
use crate::engine::unknown;
use crate::error::What;
use crate::{Engine, Error};

/// Parts of time at most: eight weeks of hours are 1,344, five years of days 1,827.
const MAX_CELLS: usize = 2_000;

impl Engine {
    /// What happened in each cell of a calendar, of one account or of all. Cells begin at `starts`, oldest first; each
    /// ends where the next begins, and the last one now.
    ///
    /// Errors: `Unknown`; `Calendar` for more than 2,000 cells, or such as are not in order.
    pub async fn calendar(&self, did: Option<&Did>, starts: &[Millis]) -> Result<Vec<Cell>, Error> {
        in_order(starts)?;
        let settings = self.inner.settings();
        let dids = match did {
            Some(did) => vec![
                settings
                    .account(did)
                    .ok_or_else(|| unknown(What::Account, did))?
                    .did
                    .clone(),
            ],
            None => settings.accounts.into_iter().map(|account| account.did).collect(),
        };
        let Some(first) = starts.first() else {
            return Ok(Vec::new());
        };
        let from = Timestamp::from_millisecond(*first).map_err(|_| refused(starts, "beyond all times"))?;
        let happened = self.inner.ask(move |catalogue| {
            let mut all = Vec::new();
            for did in dids {
                all.extend(catalogue.happened(&did, from)?);
            }
            Ok(all)
        });
        Ok(cells(starts, &happened.await?, Timestamp::now().as_millisecond()))
    }

    /// How much is kept, by account and over time. Days begin at `starts`, oldest first; what was before the first of them
    /// is a day of its own.
    ///
    /// Errors: `Calendar` for more than 2,000 days, or such as are not in order.
    pub async fn storage(&self, starts: &[Millis]) -> Result<Storage, Error> {
        in_order(starts)?;
        let starts = starts.to_vec();
        let accounts = self.inner.settings().accounts;
        self.inner
            .ask(move |catalogue| {
                let (mut stored, mut sizes) = (Vec::new(), Vec::new());
                for account in accounts {
                    if let Some((bytes, media_bytes)) = catalogue.newest_size(&account.did)? {
                        let did = account.did.to_string();
                        stored.push(StoredAccount {
                            did,
                            bytes,
                            media_bytes,
                        });
                        sizes.push(catalogue.sizes(&account.did, &starts)?);
                    }
                }
                stored.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.did.cmp(&b.did)));
                Ok(Storage {
                    accounts: stored,
                    growth: growth(&sizes),
                })
            })
            .await
    }
}

/// Whether a face divided time as it may. Errors: `Calendar`.
fn in_order(starts: &[Millis]) -> Result<(), Error> {
    if starts.len() > MAX_CELLS {
        return Err(refused(starts, "too many"));
    }
    if !starts.is_sorted() {
        return Err(refused(starts, "not in order"));
    }
    Ok(())
}

const fn refused(starts: &[Millis], reason: &'static str) -> Error {
    Error::Calendar {
        cells: starts.len(),
        reason,
    }
}

/// Counts what happened before `now` by cells that begin at `starts`, which are in order.
fn cells(starts: &[Millis], happened: &[Happened], now: Millis) -> Vec<Cell> {
    let mut cells = vec![Cell::default(); starts.len()];
    for Happened { at, what } in happened.iter().filter(|happened| happened.at <= now) {
        let after = starts.partition_point(|start| start <= at);
        let Some(cell) = after.checked_sub(1).and_then(|place| cells.get_mut(place)) else {
            continue;
        };
        let count = match what {
            Outcome::Kept => &mut cell.kept,
            Outcome::Unchanged => &mut cell.unchanged,
            Outcome::Skipped => &mut cell.skipped,
            Outcome::Failed => &mut cell.failed,
        };
        *count = count.saturating_add(1);
    }
    cells
}

/// The sum over accounts, each with the newest snapshot that it had by then: a point for each day on which it changed.
fn growth(accounts: &[Vec<Size>]) -> Vec<Growth> {
    let mut days: BTreeMap<usize, Vec<(usize, Size)>> = BTreeMap::new();
    for (account, sizes) in accounts.iter().enumerate() {
        for size in sizes {
            days.entry(size.day).or_default().push((account, *size));
        }
    }
    let mut newest: Vec<Option<Size>> = vec![None; accounts.len()];
    let mut points: Vec<Growth> = Vec::new();
    for sizes in days.values() {
        for (account, size) in sizes {
            // An older backup that was imported does not take the place of a newer one.
            if newest[*account].is_none_or(|known| size.position > known.position) {
                newest[*account] = Some(*size);
            }
        }
        let at = sizes.iter().map(|(_, size)| size.at).max().unwrap_or_default();
        let bytes = newest.iter().flatten().map(|size| size.bytes).sum();
        if points.last().is_none_or(|last| last.bytes != bytes) {
            points.push(Growth { at, bytes });
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_falls_into_the_cell_that_it_began_in() {
        let check = |starts: &[Millis], happened: &[(Millis, Outcome)], expected: &[[u32; 4]]| {
            let happened: Vec<Happened> = happened
                .iter()
                .map(|(at, what)| Happened { at: *at, what: *what })
                .collect();
            let counted: Vec<[u32; 4]> = cells(starts, &happened, 1000)
                .iter()
                .map(|cell| [cell.kept, cell.unchanged, cell.skipped, cell.failed])
                .collect();
            assert_eq!(counted, expected, "{starts:?} {happened:?}");
        };
        use Outcome::{Failed, Kept, Skipped, Unchanged};
        check(&[], &[(5, Kept)], &[]);
        check(
            &[10],
            &[(9, Kept), (10, Kept), (1000, Kept), (1001, Kept)],
            &[[2, 0, 0, 0]],
        );
        check(
            &[10, 20, 30],
            &[(19, Failed), (20, Skipped), (29, Unchanged), (29, Unchanged), (5, Kept)],
            &[[0, 0, 0, 1], [0, 2, 1, 0], [0, 0, 0, 0]],
        );
        // An hour that is there twice, when clocks are set back, is two cells; one that is empty has nothing in it.
        check(&[10, 10, 20], &[(10, Kept)], &[[0; 4], [1, 0, 0, 0], [0; 4]]);
    }

    #[test]
    fn growth_has_a_point_for_each_day_that_changed_something() {
        let size = |day, at, position, bytes| Size {
            day,
            at,
            position,
            bytes,
        };
        let check = |accounts: &[Vec<Size>], expected: &[(Millis, u64)]| {
            let points: Vec<(Millis, u64)> = growth(accounts).iter().map(|point| (point.at, point.bytes)).collect();
            assert_eq!(points, expected);
        };
        check(&[], &[]);
        check(&[vec![size(0, 5, 1, 100)]], &[(5, 100)]);
        check(
            &[
                vec![size(0, 5, 1, 100), size(1, 15, 2, 100), size(2, 25, 3, 150)],
                vec![size(2, 29, 1, 7), size(4, 40, 2, 6)],
            ],
            &[(5, 100), (29, 157), (40, 156)],
        );
        // What was imported is older than what was kept before it, and not the newest by order either.
        check(
            &[vec![size(1, 5, 1, 40), size(2, 15, 9, 100), size(3, 25, 2, 50)]],
            &[(5, 40), (15, 100)],
        );
    }
}
