//! A file on its way into a folder: written and hashed under a name of its own, then renamed.
//!
//! A part is gone again unless it was renamed; what a killed process leaves is swept. Source: FORMAT.md, section 2.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::layout::{Checksum, Letters, WriterId};

/// Parts that this process is writing now, by file name: never swept, whichever store began them.
static ACTIVE: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

pub(crate) fn active() -> std::sync::MutexGuard<'static, BTreeSet<String>> {
    ACTIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that is being written, gone again unless it is renamed.
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    name: String,
    pub(crate) file: File,
    hasher: Sha256,
    pub(crate) size: u64,
    /// What the place said when it refused; a source's own errors do not come here.
    pub(crate) error: Option<io::Error>,
    pub(crate) renamed: bool,
}

impl Part {
    pub(crate) fn create(folder: &Path, writer: &WriterId) -> io::Result<Self> {
        let random = Letters::<16>::random().map_err(|_| io::Error::other("no randomness"))?;
        let name = format!(".{writer}-{random}.part");
        let path = folder.join(&name);
        active().insert(name.clone());
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        match file {
            Ok(file) => Ok(Self {
                path,
                name,
                file,
                hasher: Sha256::new(),
                size: 0,
                error: None,
                renamed: false,
            }),
            Err(error) => {
                active().remove(&name);
                Err(error)
            }
        }
    }

    /// The SHA-256 of what was written so far.
    pub(crate) fn sum(&self) -> Checksum {
        Checksum(self.hasher.clone().finalize().into())
    }

    /// Whether the file system agrees about the length of what it took.
    pub(crate) fn settle(&self) -> io::Result<()> {
        if fs::metadata(&self.path)?.len() == self.size {
            Ok(())
        } else {
            Err(io::Error::other("the file is shorter than what was written"))
        }
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write(bytes) {
            Ok(n) => {
                self.hasher.update(&bytes[..n]);
                self.size += n as u64;
                Ok(n)
            }
            Err(error) => {
                let told = io::Error::from(error.kind());
                if error.kind() != io::ErrorKind::Interrupted {
                    self.error = Some(error);
                }
                Err(told)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.renamed {
            // If this fails the next sweep does it.
            let _ = fs::remove_file(&self.path);
        }
        active().remove(&self.name);
    }
}

/// `.<writer>-<random>.part`.
pub(crate) fn is_part(name: &str) -> bool {
    let parts = name.strip_prefix('.').and_then(|name| name.strip_suffix(".part"));
    parts
        .and_then(|name| name.split_once('-'))
        .is_some_and(|(writer, random)| writer.parse::<WriterId>().is_ok() && random.parse::<Letters<16>>().is_ok())
}

/// Renames to a name that must be free. Errors: `AlreadyExists`.
///
/// Where the system cannot refuse by itself we look first, one writer after the other: on exFAT a file that another one
/// is renamed over is gone for a moment, and whoever reads it then would miss it. What still slips between the look and
/// the rename is another program's file of the same name, which has the same bytes.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    static TURN: Mutex<()> = Mutex::new(());
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
    }
}

/// File systems that have no sync say so in many ways (SMB, FUSE, some network drives).
pub(crate) fn cannot_sync(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let ways = [
            Errno::INVAL,
            Errno::NOTSUP,
            Errno::OPNOTSUPP,
            Errno::NOTTY,
            Errno::NOSYS,
        ];
        let code = error.raw_os_error();
        code.is_some_and(|code| ways.iter().any(|errno| errno.raw_os_error() == code))
    }
    #[cfg(not(unix))]
    {
        error.kind() == io::ErrorKind::Unsupported
    }
}
