//! Media of a snapshot: which are lacking, and how one gets in.

use std::io::{Read, Seek};

use skykeep_atproto::Cid;
use skykeep_atproto::verify::{BlobUse, VerifiedBlob};

use super::Writer;
use super::again::again;
use crate::Error;
use crate::layout::{AccountFile, Checksum};
use crate::list::{Kind, Object};
use crate::store::Target;

impl Writer {
    /// The blobs, of those that a repository needs, that neither the chain nor this run has put.
    pub fn lacks(&self, needed: &[BlobUse]) -> Vec<BlobUse> {
        needed.iter().filter(|blob| !self.has(&blob.cid)).cloned().collect()
    }

    /// Whether a blob is part of the chain, or was put since.
    pub fn has(&self, cid: &Cid) -> bool {
        let kept = self.chain.as_ref().is_some_and(|chain| chain.blobs.contains_key(cid));
        kept || self.added().blobs.contains_key(cid)
    }

    /// Takes a blob that lies in the vault already and that no list of the chain names: an earlier run put it and was
    /// cut off. It is read and hashed. Answers whether it is there and sound.
    ///
    /// Errors: those of the place.
    pub async fn adopt_blob(&self, blob: &BlobUse) -> Result<bool, Error> {
        if blob.cid.codec() != skykeep_atproto::Codec::Raw {
            return Ok(false);
        }
        let path = self.account.file(&AccountFile::Blob { cid: blob.cid });
        let sum = Checksum(*blob.cid.digest());
        let Some(size) = self.vault.size_if(&path, sum).await? else {
            return Ok(false);
        };
        self.vault.store().confirm(&path).await?;
        self.add_blob(blob, size);
        Ok(true)
    }

    /// Stores a blob. It is hashed again while it is written. May run for several blobs at once.
    ///
    /// Errors: `Damaged` when `from` does not give the bytes that were verified; those of the place.
    pub async fn put_blob<R: Read + Seek + Send + 'static>(
        &self,
        blob: &BlobUse,
        verified: &VerifiedBlob,
        from: R,
    ) -> Result<(), Error> {
        let file = AccountFile::Blob { cid: blob.cid };
        if verified.cid() != blob.cid {
            return Err(Error::invalid(file, "another blob was verified"));
        }
        let content = again(from);
        let path = self.account.file(&file);
        let sum = Checksum(*blob.cid.digest());
        let target = || Target::Named {
            path: path.clone(),
            sum: Some(sum),
        };
        let stored = self.put(target, content).await?;
        self.add_blob(blob, stored.size);
        Ok(())
    }

    fn add_blob(&self, blob: &BlobUse, size: u64) {
        let object = Object {
            name: AccountFile::Blob { cid: blob.cid },
            size,
            sum: Checksum(*blob.cid.digest()),
            kind: Kind::Blob {
                cid: blob.cid,
                mime: blob.mime_type.to_string(),
                record: blob.records.first().cloned().unwrap_or_default(),
            },
        };
        self.added().blobs.insert(blob.cid, object);
    }
}
