//! What the last proof of an account left, so that the next increment is proved beside what is kept.
//!
//! One file an account in the data folder, written anew with each increment and never needed: one that is not there, not
//! whole, or of other files than are kept now means that everything is proved again. So it is with every 24th increment,
//! which an active account reaches in a day: what is kept is not believed for ever without being read.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::path::PathBuf;

use skykeep_atproto::verify::{KeptFile, Outline};
use skykeep_vault::Writer;
use skykeep_vault::layout::AccountFolder;
use tracing::{debug, warn};

use crate::data::{DataFolder, create_private};
use crate::{Error, blocking};

/// With how many increments on its base, and with each multiple, what is kept is read and proved again.
const READ_AGAIN: usize = 24;

/// The files that hold what is kept, as an outline names them.
pub(super) fn kept_files(writer: &Writer) -> Vec<KeptFile> {
    let objects = writer.chain().into_iter().flat_map(|chain| chain.repo());
    let file = objects.map(|object| KeptFile {
        sha256: object.sum.0,
        len: object.size,
    });
    file.collect()
}

/// The outline of what is kept, if there is one and an increment may follow.
pub(super) async fn read(data: &DataFolder, writer: &Writer) -> Option<Outline> {
    let (head, files) = (writer.head()?, kept_files(writer));
    if !writer.takes_increment() || files.len() % READ_AGAIN == 0 {
        return None;
    }
    let path = path(data, writer.account());
    let read = blocking(move || match fs::read(&path) {
        Ok(bytes) => Ok(Outline::from_bytes(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::data(path)(error)),
    });
    let outline = read.await.unwrap_or_else(|error| {
        warn!(%error, "the outline of what is kept cannot be read");
        None
    })?;
    let fits = outline.commit() == head && outline.files() == files;
    debug!(fits, "the outline of what is kept");
    fits.then_some(outline)
}

/// Remembers the outline that `make` makes of `sources`; without one the next proof is of everything.
pub(super) async fn write(
    data: &DataFolder,
    account: &AccountFolder,
    mut sources: Vec<File>,
    make: impl FnOnce(&mut [File]) -> Result<Option<Outline>, skykeep_atproto::Error> + Send + 'static,
) {
    let path = path(data, account);
    let written = blocking(move || {
        let explain = Error::data(&path);
        for source in &mut sources {
            source.seek(SeekFrom::Start(0)).map_err(Error::data("staging"))?;
        }
        let Some(outline) = make(&mut sources)? else {
            return Ok(());
        };
        let part = path.with_extension("part");
        let write = || {
            path.parent().map_or(Ok(()), create_private)?;
            // Neither is synced: its own hash says whether it is whole.
            fs::write(&part, outline.to_bytes())?;
            fs::rename(&part, &path)
        };
        write().map_err(explain)
    });
    if let Err(error) = written.await {
        warn!(%error, "the outline of what is kept cannot be written");
    }
}

/// Forgets the outline of an account that is kept no more.
pub(crate) async fn forget(data: &DataFolder, account: &AccountFolder) -> Result<(), Error> {
    let path = path(data, account);
    blocking(move || match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::data(path)(error)),
        _ => Ok(()),
    })
    .await
}

fn path(data: &DataFolder, account: &AccountFolder) -> PathBuf {
    data.outlines().join(format!("{account}.outline"))
}
