//! The second statement: whether an account's owner could get it back today.

use crate::api::Readiness;

pub(crate) fn todo() -> Readiness {
    todo!()
}
