//! What damage hurts, as a person knows it: posts by their first words, a picture by the post that shows it.
//!
//! A picture's post is read from the newest snapshot that needs the picture, wherever that can be proved. Posts that lie in a
//! damaged file are read from the file itself: what of it still hashes to its name was there, though nothing is kept from
//! it. Where neither can be read, the record's path has to do. This tells; it decides nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use skykeep_atproto::{car, record};
use skykeep_vault::layout::{AccountFolder, SnapshotName, StorePath, VaultFile};
use skykeep_vault::{CheckReport, Kind, Vault};
use tracing::info;

use crate::api::HurtRecord;
use crate::{Engine, Error, blocking, changes, settings};

/// Damaged files whose records are named.
const FILES: usize = 100;
/// Snapshots that are proved for it.
const SNAPSHOTS: usize = 8;
/// Records that are named of each file.
const NAMED: usize = 5;
/// Bytes of a damaged file that are looked through, in memory.
const LOOKED_THROUGH: u64 = 64 << 20;
/// Characters of what a record says.
const WORDS: usize = 80;

/// What the damage of one file hurts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hurt {
    pub(crate) records: Vec<HurtRecord>,
    /// Others, which are not named.
    pub(crate) more: u64,
}

impl Engine {
    /// What the damage that a check of a place found hurts, by the path of the damaged file, as far as it can be told.
    pub(crate) async fn hurt_by(
        &self,
        place: &settings::Place,
        vault: &Vault,
        report: &CheckReport,
    ) -> BTreeMap<StorePath, Hurt> {
        let (id, mut hurt) = (place.vault.to_string(), BTreeMap::new());
        // It was told before, perhaps while more could be read than now.
        let round = self.inner.ask(move |catalogue| catalogue.round(&id)).await;
        let known = round.map(|round| round.damaged).unwrap_or_default();
        let mut pictures: BTreeMap<(&AccountFolder, &SnapshotName), Vec<(StorePath, String)>> = BTreeMap::new();
        for damage in report.damages.iter().take(FILES) {
            let (path, kind) = (damage.file.path(), damage.object.as_ref().map(|object| &object.kind));
            let name = path.to_string();
            if let Some(told) = known.iter().find(|told| told.name == name && !told.hurt.is_empty()) {
                let (records, more) = (told.hurt.clone(), told.hurt_more);
                hurt.insert(path, Hurt { records, more });
                continue;
            }
            match (kind, &damage.file, damage.snapshots.last()) {
                (Some(Kind::Blob { record, .. }), VaultFile::Account { account, .. }, Some(snapshot)) => {
                    let shown = pictures.entry((account, snapshot)).or_default();
                    shown.push((path, record.clone()));
                }
                (Some(Kind::Base { .. } | Kind::Increment { .. }), ..) => {
                    hurt.extend(in_file(vault, &damage.file).await.map(|found| (path, found)));
                }
                _ => {}
            }
        }
        for ((account, snapshot), shown) in pictures.into_iter().take(SNAPSHOTS) {
            if self.inner.shutdown.is_cancelled() {
                break;
            }
            match self.shown_by(vault, account, snapshot, shown).await {
                Ok(found) => hurt.extend(found),
                Err(error) => info!(place = %place.name, %snapshot, %error, "which posts damage hurts cannot be read"),
            }
        }
        hurt
    }

    /// What the records say that show pictures. Errors: `Place`, `Unknown`, `SnapshotBroken`.
    async fn shown_by(
        &self,
        vault: &Vault,
        account: &AccountFolder,
        snapshot: &SnapshotName,
        shown: Vec<(StorePath, String)>,
    ) -> Result<Vec<(StorePath, Hurt)>, Error> {
        let manifest = vault
            .snapshot(account, snapshot)
            .await
            .map_err(Error::Staging)?
            .manifest;
        let (repo, mut files) = self.read_files(&manifest.body.did, &snapshot.to_string()).await?;
        blocking(move || {
            let read = |(path, record): (StorePath, String)| {
                let bytes = repo.read_block(repo.get(&record)?, &mut files).ok()?;
                let records = vec![says(&bytes)?];
                Some((path, Hurt { records, more: 0 }))
            };
            Ok(shown.into_iter().filter_map(read).collect())
        })
        .await
    }
}

/// The posts that can still be read in a damaged file, newest first; `None` when there are none, or it is too large.
async fn in_file(vault: &Vault, file: &VaultFile) -> Option<Hurt> {
    let bytes = vault.read_unproved(file, LOOKED_THROUGH).await.ok()??;
    let found = blocking(move || {
        let posts = car::salvage(&bytes).filter(|(_, block)| is_post(block));
        Ok::<_, Error>(posts.filter_map(|(_, block)| says(block)).collect::<Vec<_>>())
    });
    let mut records = found.await.ok()?;
    records.sort_by_key(|record| std::cmp::Reverse(record.created));
    let more = records.len().saturating_sub(NAMED) as u64;
    records.truncate(NAMED);
    (!records.is_empty()).then_some(Hurt { records, more })
}

fn is_post(block: &[u8]) -> bool {
    matches!(record::texts(block, ["$type"]), Ok([Some("app.bsky.feed.post")]))
}

/// What a record says, if it says something.
fn says(bytes: &[u8]) -> Option<HurtRecord> {
    let (text, created) = changes::says(bytes);
    Some(HurtRecord {
        text: first_words(text?),
        created: created.map(Timestamp::as_millisecond),
    })
}

/// A text on one line, cut between two words where it is long.
fn first_words(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((end, _)) = line.char_indices().nth(WORDS) else {
        return line;
    };
    // A language that is written without spaces is cut where it is.
    let words = line[..end].rfind(' ').filter(|space| *space > end / 2).unwrap_or(end);
    format!("{}…", line[..words].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(first_words(text), expected);
    }

    #[test]
    fn a_long_text_is_cut_between_two_words() {
        check("Gulls.", "Gulls.");
        check("  Two\nlines ", "Two lines");
        check(&"word ".repeat(16), "word ".repeat(16).trim_end());
        check(&"word ".repeat(40), &format!("{}…", "word ".repeat(16).trim_end()));
        check(&"鴎".repeat(80), &"鴎".repeat(80));
        check(&"鴎".repeat(81), &format!("{}…", "鴎".repeat(80)));
        check(&format!("a {}", "b".repeat(100)), &format!("a {}…", "b".repeat(78)));
    }
}
