//! What we ask of the host of an account: its head, its repository, its blobs, what it says of itself.
//!
//! All of it is public and asked without a sign-in. Nothing that comes back is believed here: a repository is proved by
//! its signature, a blob by its name, both elsewhere. Source: AT Protocol lexicons `com.atproto.sync.*`,
//! `com.atproto.server.describeServer` and `com.atproto.repo.getRecord`.

use serde::Deserialize;
use skykeep_atproto::{Cid, Did, Tid};
use tokio::fs::File;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use url::Url;

use crate::appview::spoken;
use crate::error::{Error, Refusal};
use crate::guard::host_of;
use crate::question::{Kind, Question};
use crate::xrpc::Client;

/// Largest small answer, in bytes.
const SMALL: u64 = 100 * 1024;
/// Largest page of blob names: 1,000 of them are 63 KB.
const PAGE: u64 = 1024 * 1024;
/// Largest answer of a few blocks: tree nodes of a kilobyte or two each.
const BLOCKS: u64 = 2 * 1024 * 1024;
/// Pages of a list of blobs that we read at most: five million blobs.
const PAGES: u32 = 5000;
/// Largest record: 1 MiB of CBOR is at most twice that in JSON.
const RECORD: u64 = 2 * 1024 * 1024;

/// One host.
#[derive(Debug, Clone)]
pub struct Pds {
    client: Client,
    url: Url,
}

/// The head of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct LatestCommit {
    /// Of the signed commit.
    pub cid: Cid,
    /// The host's rev of it. After a move it may be later than the rev inside the commit, which is the one for `since`.
    pub rev: Tid,
}

/// What a host says about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoStatus {
    /// Whether the host serves the account. This counts, whatever `status` says.
    pub active: bool,
    /// Why not, most often.
    pub status: Option<HostingStatus>,
    /// The head's rev, when active.
    pub rev: Option<Tid>,
}

/// Why an account is not served, or is served late. Source: `com.atproto.sync.getRepoStatus`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum HostingStatus {
    /// By the operator.
    Takendown,
    /// By the operator, for a while.
    Suspended,
    /// By its owner or the operator.
    Deleted,
    /// By its owner.
    Deactivated,
    /// The host has lost track of it; may be active.
    Desynchronized,
    /// The host slows it down; may be active.
    Throttled,
    /// A word that is newer than this program, at most 64 letters.
    Other(String),
}

impl From<String> for HostingStatus {
    fn from(word: String) -> Self {
        match word.as_str() {
            "takendown" => Self::Takendown,
            "suspended" => Self::Suspended,
            "deleted" => Self::Deleted,
            "deactivated" => Self::Deactivated,
            "desynchronized" => Self::Desynchronized,
            "throttled" => Self::Throttled,
            _ => Self::Other(word.chars().filter(char::is_ascii_alphanumeric).take(64).collect()),
        }
    }
}

/// What a host says about itself.
#[derive(Debug, Clone)]
pub struct ServerDescription {
    /// The service's DID: the audience of tokens that are made for it.
    pub did: Did,
    /// Endings of the handles that it gives, each with its leading dot.
    pub user_domains: Vec<String>,
    /// Largest blob that it takes, in bytes.
    pub blob_upload_limit: Option<u64>,
    /// Whether a new account needs an invitation.
    pub invite_code_required: bool,
    /// The whole answer as it was served: JSON.
    pub bytes: Vec<u8>,
}

/// What was written to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// Its length.
    pub bytes: u64,
    /// Media type as the host gave it, without parameters, in lower case. Untrusted.
    pub content_type: Option<String>,
}

/// A blob that fits in memory, and matches its CID.
#[derive(Debug, Clone)]
pub struct SmallBlob {
    /// The blob.
    pub bytes: Vec<u8>,
    /// Media type as the host gave it. Untrusted.
    pub content_type: Option<String>,
}

/// The Bluesky profile as it stands in the account's own repository. Not proved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileRecord {
    /// At most 64 characters, none of which changes the direction of the text around it.
    pub display_name: Option<String>,
    /// A blob of the account.
    pub avatar: Option<Cid>,
}

impl Pds {
    /// A host by its address: `https://host[:port]`, or plain http to loopback in test mode. Errors: `Refused`.
    pub fn new(client: &Client, url: &Url) -> Result<Self, Error> {
        client.guard().check(url)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(Error::Refused {
                host: host_of(url),
                reason: Refusal::Address,
            });
        }
        Ok(Self {
            client: client.clone(),
            url: url.clone(),
        })
    }

    /// Its address.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its name, with the port if that is unusual: what errors call it.
    pub fn host(&self) -> String {
        host_of(&self.url)
    }

    /// The head of the repository: the cheap question whether anything changed.
    ///
    /// Errors: `RepoNotFound`, `RepoTakendown`, `RepoSuspended`, `RepoDeactivated`, and what the network does.
    pub async fn get_latest_commit(&self, did: &Did, cancel: &CancellationToken) -> Result<LatestCommit, Error> {
        let question = self.question("com.atproto.sync.getLatestCommit", did, &[], "latest commit", SMALL);
        self.client.ask_json(&question, cancel).await
    }

    /// Whether the host serves the account; answered for accounts that it does not serve, too. Errors: `RepoNotFound`.
    pub async fn get_repo_status(&self, did: &Did, cancel: &CancellationToken) -> Result<RepoStatus, Error> {
        #[derive(Deserialize)]
        struct Answer {
            active: bool,
            status: Option<HostingStatus>,
            rev: Option<String>,
        }
        let question = self.question("com.atproto.sync.getRepoStatus", did, &[], "status", SMALL);
        let answer: Answer = self.client.ask_json(&question, cancel).await?;
        Ok(RepoStatus {
            active: answer.active,
            status: answer.status,
            rev: answer.rev.and_then(|rev| rev.parse().ok()),
        })
    }

    /// Writes the repository to a file as a CAR: all of it, or the blocks written after `since`.
    ///
    /// `since` is the rev inside the last commit that is held; hosts may send more than was asked for. The file is
    /// emptied first and before each new try. `progress` is told the bytes so far, every quarter MiB, and 0 at each new
    /// try. On success the file holds exactly [`Download::bytes`] bytes, handed to the system and not synced; after an
    /// error what it holds is worthless. A CAR that ends too early can still come back as success: only proving it
    /// tells.
    ///
    /// Errors: as [`Pds::get_latest_commit`]; `TooLarge` past `limit` bytes; `Stalled`; `BadBody`; `File`.
    pub async fn get_repo(
        &self,
        did: &Did,
        since: Option<&Tid>,
        file: &mut File,
        limit: u64,
        mut progress: impl FnMut(u64) + Send,
        cancel: &CancellationToken,
    ) -> Result<Download, Error> {
        let since = since.map(|rev| ("since", rev.as_str()));
        let question = self.question("com.atproto.sync.getRepo", did, since.as_slice(), "repository", limit);
        let question = question.kind(Kind::Repo);
        let (bytes, content_type) = self.client.download(&question, file, &mut progress, cancel).await?;
        Ok(Download { bytes, content_type })
    }

    /// Single blocks of the repository, as a CAR without roots: at most 60 of them, so that the address stays short.
    ///
    /// Nothing is compared with what was asked for. Errors: as [`Pds::get_latest_commit`]; `Xrpc` when one of them is not
    /// there.
    pub async fn get_blocks(&self, did: &Did, cids: &[Cid], cancel: &CancellationToken) -> Result<Vec<u8>, Error> {
        let names: Vec<String> = cids.iter().take(60).map(ToString::to_string).collect();
        let parameters: Vec<(&str, &str)> = names.iter().map(|name| ("cids", name.as_str())).collect();
        let question = self.question("com.atproto.sync.getBlocks", did, &parameters, "blocks", BLOCKS);
        let answer = self.client.ask(&question.kind(Kind::Repo), cancel).await?;
        Ok(answer.bytes)
    }

    /// The blobs that records of the account refer to: all, or those of records written after `since`.
    pub fn list_blobs(&self, did: &Did, since: Option<&Tid>) -> BlobList {
        BlobList {
            pds: self.clone(),
            did: did.clone(),
            since: since.copied(),
            cursor: None,
            pages: 0,
            ended: false,
        }
    }

    /// Writes one blob to a file, which is emptied first. The bytes are not compared with the CID: whoever keeps them
    /// does.
    ///
    /// `progress` as for [`Pds::get_repo`]. Errors: `BlobNotFound` when the host has lost or hidden it, and as
    /// [`Pds::get_repo`].
    pub async fn get_blob(
        &self,
        did: &Did,
        cid: &Cid,
        file: &mut File,
        limit: u64,
        mut progress: impl FnMut(u64) + Send,
        cancel: &CancellationToken,
    ) -> Result<Download, Error> {
        let question = self.blob(did, cid, limit);
        let (bytes, content_type) = self.client.download(&question, file, &mut progress, cancel).await?;
        Ok(Download { bytes, content_type })
    }

    /// One blob of at most `limit` bytes, held in memory: an avatar.
    ///
    /// Errors: as [`Pds::get_blob`]; `BadBody` when the bytes do not match the CID.
    pub async fn get_small_blob(
        &self,
        did: &Did,
        cid: &Cid,
        limit: u64,
        cancel: &CancellationToken,
    ) -> Result<SmallBlob, Error> {
        let question = self.blob(did, cid, limit);
        let answer = self.client.ask(&question, cancel).await?;
        if !cid.names(&answer.bytes) {
            return Err(question.bad("does not match its CID"));
        }
        Ok(SmallBlob {
            bytes: answer.bytes,
            content_type: answer.content_type,
        })
    }

    /// What the host says about itself. Errors: `BadBody` when it does not even name its DID.
    pub async fn describe_server(&self, cancel: &CancellationToken) -> Result<ServerDescription, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Description {
            did: Did,
            #[serde(default)]
            available_user_domains: Vec<String>,
            blob_upload_limit: Option<u64>,
            #[serde(default)]
            invite_code_required: bool,
        }
        let question = Question::xrpc(
            &self.url,
            "com.atproto.server.describeServer",
            &[],
            "description",
            SMALL,
        );
        let answer = self.client.ask(&question, cancel).await?;
        let description: Description = question.json(&answer.bytes)?;
        Ok(ServerDescription {
            did: description.did,
            user_domains: description.available_user_domains,
            blob_upload_limit: description.blob_upload_limit,
            invite_code_required: description.invite_code_required,
            bytes: answer.bytes,
        })
    }

    /// The account's Bluesky profile, straight from its host; `None` when it has none.
    pub async fn get_profile(&self, did: &Did, cancel: &CancellationToken) -> Result<Option<ProfileRecord>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            value: serde_json::Value,
        }
        let parameters = [
            ("repo", did.as_str()),
            ("collection", "app.bsky.actor.profile"),
            ("rkey", "self"),
        ];
        let question =
            Question::xrpc(&self.url, "com.atproto.repo.getRecord", &parameters, "profile", RECORD).about(did);
        let value = match self.client.ask_json::<Answer>(&question, cancel).await {
            Ok(answer) => answer.value,
            Err(Error::Xrpc { name, .. }) if name == "RecordNotFound" => return Ok(None),
            Err(error) => return Err(error),
        };
        let avatar = &value["avatar"];
        let cid = avatar["ref"]["$link"].as_str().or(avatar["cid"].as_str());
        Ok(Some(ProfileRecord {
            display_name: value["displayName"].as_str().and_then(spoken),
            avatar: cid.and_then(|cid| cid.parse().ok()),
        }))
    }

    fn blob(&self, did: &Did, cid: &Cid, limit: u64) -> Question {
        let cid = cid.to_string();
        self.question("com.atproto.sync.getBlob", did, &[("cid", &cid)], "blob", limit)
            .kind(Kind::Blob)
    }

    fn question(&self, nsid: &str, did: &Did, parameters: &[(&str, &str)], what: &'static str, limit: u64) -> Question {
        let mut all = vec![("did", did.as_str())];
        all.extend_from_slice(parameters);
        Question::xrpc(&self.url, nsid, &all, what, limit).about(did)
    }
}

/// The pages of a list of blobs, in the host's order.
#[derive(Debug)]
pub struct BlobList {
    pds: Pds,
    did: Did,
    since: Option<Tid>,
    cursor: Option<String>,
    pages: u32,
    ended: bool,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobPage {
    /// As listed; a host may list one twice.
    pub cids: Vec<Cid>,
    /// How many names on the page are not CIDs of this protocol.
    pub unreadable: usize,
}

impl BlobList {
    /// Whether the last page was the last one, as far as the host has said.
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    /// The next page, never empty; `None` after the last one.
    ///
    /// Errors: as [`Pds::get_latest_commit`]; `BadBody` when the list cannot end, because its cursor stands still or it
    /// has over 5,000 pages. After an error the same page is asked for again.
    pub async fn next(&mut self, cancel: &CancellationToken) -> Result<Option<BlobPage>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            cursor: Option<String>,
            cids: Vec<String>,
        }
        if self.ended {
            return Ok(None);
        }
        let mut parameters = vec![("limit", "1000")];
        parameters.extend(self.since.as_ref().map(|rev| ("since", rev.as_str())));
        parameters.extend(self.cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let question = self.pds.question(
            "com.atproto.sync.listBlobs",
            &self.did,
            &parameters,
            "list of blobs",
            PAGE,
        );
        let answer: Answer = self.pds.client.ask_json(&question, cancel).await?;
        if answer.cids.is_empty() {
            self.ended = true;
            return Ok(None);
        }
        self.pages += 1;
        if answer.cursor.is_some() && answer.cursor == self.cursor {
            return Err(question.bad("its cursor stands still"));
        }
        if self.pages >= PAGES {
            return Err(question.bad("it does not end"));
        }
        self.ended = answer.cursor.is_none();
        self.cursor = answer.cursor;
        let cids: Vec<Cid> = answer.cids.iter().filter_map(|cid| cid.parse().ok()).collect();
        let unreadable = answer.cids.len() - cids.len();
        if unreadable > 0 {
            warn!(host = self.pds.host(), did = %self.did, unreadable, "listed blobs with names that are no CIDs");
        }
        Ok(Some(BlobPage { cids, unreadable }))
    }
}
