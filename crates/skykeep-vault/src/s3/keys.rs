//! The keys while they are in use: handed to whoever signs, wiped with the store.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use zeroize::Zeroize as _;

use super::settings::S3Credentials;

/// What signs requests.
pub(super) struct Keys(Arc<AwsCredential>);

impl Keys {
    pub(super) fn new(credentials: &S3Credentials) -> Self {
        Self(Arc::new(AwsCredential {
            key_id: credentials.expose_key().to_owned(),
            secret_key: credentials.expose_secret().to_owned(),
            token: None,
        }))
    }

    pub(super) fn credential(&self) -> &AwsCredential {
        &self.0
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // object_store's own type does not; no request is under way any more when this is dropped.
        if let Some(credential) = Arc::get_mut(&mut self.0) {
            credential.key_id.zeroize();
            credential.secret_key.zeroize();
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl CredentialProvider for Keys {
    type Credential = AwsCredential;

    fn get_credential<'a, 'f>(
        &'a self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(ready(Ok(Arc::clone(&self.0))))
    }
}
