//! How much there is to keep, judged before anything is kept.

use skykeep_atproto::Did;

use crate::api::Extent;
use crate::{Engine, Error};

impl Engine {
    /// About how much there is to keep of an account. Errors: `Net` when nobody answers at all.
    pub async fn extent(&self, _did: &Did) -> Result<Extent, Error> {
        todo!()
    }
}
