//! What can be written more than once: the content of a file whose first writing failed, or that was damaged since.

use std::io::{Read, Seek, Write};
use std::sync::{Arc, Mutex, PoisonError};

use skykeep_atproto::verify::VerifiedRepo;

use crate::Error;
use crate::content::{Content, copy, reading};
use crate::layout::AccountFolder;
use crate::list::{Kind, Object};
use crate::vault::Vault;

/// Writes a damaged or missing base or increment again, byte for byte, from a repository that has its blocks.
///
/// Errors: `Damaged` when the repository makes another file (another commit, or checked against another `from`);
/// those of the place.
pub async fn regenerate<S: Read + Seek + Send + 'static>(
    vault: &Vault,
    account: &AccountFolder,
    object: &Object,
    repo: &Arc<VerifiedRepo>,
    sources: Vec<S>,
) -> Result<(), Error> {
    let whole = matches!(object.kind, Kind::Base { .. });
    let content = car_content(repo, sources, whole);
    let content = || std::future::ready(Ok(content()));
    vault
        .put_object(&account.file(&object.name), object.sum, content)
        .await
        .map(drop)
}

/// Content that can be had more than once: a source that is read from its beginning each time.
pub(super) fn again<R: Read + Seek + Send + 'static>(source: R) -> impl Fn() -> Content {
    let source = Arc::new(Mutex::new(source));
    move || {
        let source = Arc::clone(&source);
        Content::produce(move |out| {
            let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
            source.rewind().map_err(reading)?;
            copy(&mut *source, out)
        })
    }
}

/// A canonical CAR, made while it is stored, as often as it is asked for.
pub(super) fn car_content<S: Read + Seek + Send + 'static>(
    repo: &Arc<VerifiedRepo>,
    sources: Vec<S>,
    whole: bool,
) -> impl Fn() -> Content + use<S> {
    let (repo, sources) = (Arc::clone(repo), Arc::new(Mutex::new(sources)));
    move || {
        let (repo, sources) = (Arc::clone(&repo), Arc::clone(&sources));
        Content::produce(move |mut out: &mut dyn Write| {
            let mut sources = sources.lock().unwrap_or_else(PoisonError::into_inner);
            if whole {
                repo.write_base(&mut sources, &mut out)?;
            } else {
                repo.write_increment(&mut sources, &mut out)?;
            }
            Ok(())
        })
    }
}
