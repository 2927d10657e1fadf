//! A reference PDS as its users and its operator speak to it: XRPC, with nothing of Skykeep in between.

use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Account, Error, Result};

/// A PDS of the network. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pds {
    url: String,
    admin_password: String,
    http: reqwest::Client,
}

/// A record that was written.
#[derive(Debug, Clone, Deserialize)]
pub struct Written {
    /// `at://DID/COLLECTION/RKEY`
    pub uri: String,
    /// The record's CID.
    pub cid: String,
}

impl Written {
    /// The last part of the address.
    pub fn rkey(&self) -> &str {
        self.uri.rsplit('/').next().unwrap_or_default()
    }
}

impl Pds {
    pub(super) fn new(url: &str, admin_password: &str, http: reqwest::Client) -> Self {
        Self {
            url: url.to_owned(),
            admin_password: admin_password.to_owned(),
            http,
        }
    }

    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A query: `GET`, JSON out.
    pub async fn query(&self, method: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        answer(method, self.http.get(self.xrpc(method)).query(parameters)).await
    }

    /// A procedure without a session: `POST`, JSON in and out.
    pub async fn procedure(&self, method: &str, body: &Value) -> Result<Value> {
        answer(method, self.http.post(self.xrpc(method)).json(body)).await
    }

    /// A query that answers with bytes, such as com.atproto.sync.getRepo.
    pub async fn download(&self, method: &str, parameters: &[(&str, &str)]) -> Result<Vec<u8>> {
        let response = self.http.get(self.xrpc(method)).query(parameters).send().await?;
        Ok(accepted(method, response).await?.bytes().await?.into())
    }

    /// The whole repository as a CAR.
    pub async fn repo(&self, did: &str) -> Result<Vec<u8>> {
        self.download("com.atproto.sync.getRepo", &[("did", did)]).await
    }

    /// An empty account; mail goes to `NAME@skykeep.test`. `invite` is needed on B with `Options::invites`.
    pub async fn create_account(&self, handle: &str, invite: Option<&str>) -> Result<Account> {
        let name = handle.split('.').next().unwrap_or(handle);
        let (email, password) = (format!("{name}@skykeep.test"), format!("{name}-keeps-it"));
        let mut body = json!({ "handle": handle, "email": email, "password": password });
        if let Some(code) = invite {
            body["inviteCode"] = code.into();
        }
        let mut account = self.procedure("com.atproto.server.createAccount", &body).await?;
        account["email"] = email.into();
        account["password"] = password.into();
        account["pds"] = self.url.as_str().into();
        read("com.atproto.server.createAccount", account)
    }

    /// Signs in with the account's password.
    pub async fn sign_in(&self, account: &Account) -> Result<Session> {
        let method = "com.atproto.server.createSession";
        let body = json!({ "identifier": account.did, "password": account.password });
        let Tokens { did, access_jwt } = read(method, self.procedure(method, &body).await?)?;
        Ok(Session {
            pds: self.clone(),
            did,
            access_jwt,
        })
    }

    /// Takes in an account of another host, deactivated and empty. `service_auth` is the token that its owner's host
    /// signed for com.atproto.server.createAccount here.
    pub async fn take_in(&self, account: &Account, service_auth: &str) -> Result<Session> {
        let method = "com.atproto.server.createAccount";
        let body = json!({
            "did": account.did,
            "handle": account.handle,
            "email": account.email,
            "password": account.password,
        });
        let request = self.http.post(self.xrpc(method)).bearer_auth(service_auth).json(&body);
        let Tokens { did, access_jwt } = read(method, answer(method, request).await?)?;
        Ok(Session {
            pds: self.clone(),
            did,
            access_jwt,
        })
    }

    /// Takes the account down, or gives it back, as the host's operator: `getRepo` then answers `RepoTakendown`.
    pub async fn take_down(&self, did: &str, applied: bool) -> Result<()> {
        let method = "com.atproto.admin.updateSubjectStatus";
        let subject = json!({ "$type": "com.atproto.admin.defs#repoRef", "did": did });
        let body = json!({ "subject": subject, "takedown": { "applied": applied, "ref": "test" } });
        self.as_operator(method, &body).await.map(drop)
    }

    /// A procedure with the operator's password.
    pub async fn as_operator(&self, method: &str, body: &Value) -> Result<Value> {
        let request = self
            .http
            .post(self.xrpc(method))
            .basic_auth("admin", Some(&self.admin_password));
        answer(method, request.json(body)).await
    }

    fn xrpc(&self, method: &str) -> String {
        format!("{}/xrpc/{method}", self.url)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    did: String,
    access_jwt: String,
}

/// Somebody who is signed in with their full password. Lasts two hours.
#[derive(Debug, Clone)]
pub struct Session {
    pds: Pds,
    did: String,
    access_jwt: String,
}

impl Session {
    /// Whose session it is.
    pub fn did(&self) -> &str {
        &self.did
    }

    /// The access token, for calls that are not here.
    pub fn access_jwt(&self) -> &str {
        &self.access_jwt
    }

    /// A query of this person's.
    pub async fn query(&self, method: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        answer(
            method,
            self.pds
                .http
                .get(self.pds.xrpc(method))
                .query(parameters)
                .bearer_auth(&self.access_jwt),
        )
        .await
    }

    /// A procedure of this person's; `Value::Null` sends no body, as procedures without input want it.
    pub async fn procedure(&self, method: &str, body: &Value) -> Result<Value> {
        let request = self.pds.http.post(self.pds.xrpc(method)).bearer_auth(&self.access_jwt);
        answer(method, if body.is_null() { request } else { request.json(body) }).await
    }

    /// Writes a record; `$type` is added to it. The host chooses the key.
    pub async fn create_record(&self, collection: &str, record: Value) -> Result<Written> {
        self.write("createRecord", collection, None, record).await
    }

    /// Writes a record at a key, whether or not there is one.
    pub async fn put_record(&self, collection: &str, rkey: &str, record: Value) -> Result<Written> {
        self.write("putRecord", collection, Some(rkey), record).await
    }

    /// A post with this text, written now.
    pub async fn post(&self, text: &str) -> Result<Written> {
        let record = json!({ "text": text, "createdAt": jiff::Timestamp::now().to_string() });
        self.create_record("app.bsky.feed.post", record).await
    }

    /// Deletes a record.
    pub async fn delete_record(&self, collection: &str, rkey: &str) -> Result<()> {
        let body = json!({ "repo": self.did, "collection": collection, "rkey": rkey });
        self.procedure("com.atproto.repo.deleteRecord", &body).await.map(drop)
    }

    /// Several writes in one commit, each with its `$type` (`com.atproto.repo.applyWrites#create`, ...); at most 200.
    pub async fn apply_writes(&self, writes: &[Value]) -> Result<Value> {
        let body = json!({ "repo": self.did, "writes": writes });
        self.procedure("com.atproto.repo.applyWrites", &body).await
    }

    /// Uploads a blob and returns the reference to put into a record. Without a record the host forgets it.
    pub async fn upload_blob(&self, bytes: Vec<u8>, mime_type: &str) -> Result<Value> {
        let answer = self.upload("com.atproto.repo.uploadBlob", bytes, mime_type).await?;
        Ok(answer["blob"].clone())
    }

    /// Replaces the repository by this CAR. The host signs it only with the next write.
    pub async fn import_repo(&self, car: Vec<u8>) -> Result<()> {
        self.upload("com.atproto.repo.importRepo", car, "application/vnd.ipld.car")
            .await
            .map(drop)
    }

    /// Deactivates the account: `getRepo` then answers `RepoDeactivated` to others.
    pub async fn deactivate(&self) -> Result<()> {
        self.procedure("com.atproto.server.deactivateAccount", &json!({}))
            .await
            .map(drop)
    }

    /// Activates the account again.
    pub async fn activate(&self) -> Result<()> {
        self.procedure("com.atproto.server.activateAccount", &Value::Null)
            .await
            .map(drop)
    }

    async fn upload(&self, method: &str, bytes: Vec<u8>, mime_type: &str) -> Result<Value> {
        let request = self.pds.http.post(self.pds.xrpc(method)).bearer_auth(&self.access_jwt);
        answer(method, request.header(CONTENT_TYPE, mime_type).body(bytes)).await
    }

    async fn write(&self, verb: &str, collection: &str, rkey: Option<&str>, mut record: Value) -> Result<Written> {
        record["$type"] = collection.into();
        let mut body = json!({ "repo": self.did, "collection": collection, "record": record });
        if let Some(rkey) = rkey {
            body["rkey"] = rkey.into();
        }
        let method = format!("com.atproto.repo.{verb}");
        read(&method, self.procedure(&method, &body).await?)
    }
}

/// Sends a request and reads JSON; an empty answer is null.
pub(super) async fn answer(method: &str, request: RequestBuilder) -> Result<Value> {
    let bytes = accepted(method, request.send().await?).await?.bytes().await?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|error| Error::Answer {
        method: method.to_owned(),
        error,
    })
}

async fn accepted(method: &str, response: reqwest::Response) -> Result<reqwest::Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await?;
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| json!({ "message": text }));
    let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (method, error, message) = (method.to_owned(), field("error"), field("message"));
    Err(Error::Refused {
        method,
        status: status.as_u16(),
        error,
        message,
    })
}

fn read<T: DeserializeOwned>(method: &str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| Error::Answer {
        method: method.to_owned(),
        error,
    })
}
