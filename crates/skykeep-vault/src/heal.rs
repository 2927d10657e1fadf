//! Healing: good files are written anew, bad ones are moved aside.
//!
//! It never deletes, and never writes a byte that was not proved to be the right one. Source: FORMAT.md, section 9.

use std::ops::ControlFlow;

use crate::Error;
use crate::check::{CheckReport, Damage, Fault};
use crate::content::{Content, is_of_source};
use crate::deliver::Progress;
use crate::folder::run;
use crate::layout::{Checksum, VaultFile};
use crate::vault::{GUIDES, Vault};

/// What healing did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Healed {
    /// Files that are sound now.
    pub healed: Vec<VaultFile>,
    /// Files that no source had.
    pub remaining: Vec<VaultFile>,
}

/// Writes what a check found damaged or missing anew from other vaults; what was there is moved to `damaged/`.
///
/// What remains can still come from the host: media by fetching them again ([`crate::Writer::put_blob`]),
/// repositories by [`crate::regenerate`]. `watch` as for [`check`]. Errors: those of the place that is healed.
pub async fn heal(
    vault: &Vault,
    report: &CheckReport,
    sources: &[&Vault],
    watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
) -> Result<Healed, Error> {
    let mut healed = Healed::default();
    let mut progress = Progress {
        of_files: report.damages.len() as u64,
        ..Progress::default()
    };
    for damage in &report.damages {
        if heal_one(vault, damage, sources).await? {
            healed.healed.push(damage.file.clone());
        } else {
            healed.remaining.push(damage.file.clone());
        }
        progress.files += 1;
        if watch(progress).is_break() {
            return Err(Error::Stopped);
        }
    }
    Ok(healed)
}

async fn heal_one(vault: &Vault, damage: &Damage, sources: &[&Vault]) -> Result<bool, Error> {
    let path = damage.file.path();
    if damage.fault == Fault::Refused {
        return Ok(false);
    }
    if let Some((_, text)) = GUIDES.iter().find(|(file, _)| *file == damage.file) {
        let sum = Checksum::of(text.as_bytes());
        vault.put_anew(&damage.file, sum, text.as_bytes().to_vec()).await?;
        return Ok(true);
    }
    for source in sources {
        let sound = match source.store().get(&path).await {
            Ok(Some(content)) => run(move || content.checksum()).await.ok(),
            _ => None,
        };
        let expected = |sum: &Checksum| match &damage.object {
            Some(object) => object.sum == *sum,
            None => damage.file.admits(sum),
        };
        let Some((size, sum)) = sound.filter(|(_, sum)| expected(sum)) else {
            continue;
        };
        let content = || async {
            let content: Option<Content> = source.store().get(&path).await?;
            let content = content.ok_or_else(|| Error::Absent { name: path.to_string() })?;
            Ok(content.expecting(path.to_string(), size, sum))
        };
        match vault.put_object(&path, sum, content).await {
            Ok(_) => return Ok(true),
            Err(error) if is_of_source(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}
