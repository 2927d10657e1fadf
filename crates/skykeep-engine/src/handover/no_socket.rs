//! No socket here yet: the second program is told that the first one runs.

use std::path::PathBuf;

use super::{Reply, Request, There, UnderWay};
use crate::api::Problem;
use crate::{CancellationToken, Engine, Error, problem};

impl Engine {
    /// Waits for `cancel`: there is nothing to serve on this system.
    pub async fn serve(&self, cancel: CancellationToken) -> Result<(), Error> {
        cancel.cancelled().await;
        Ok(())
    }
}

impl There {
    pub(super) async fn connect(_socket: PathBuf) -> Option<Self> {
        None
    }

    pub(super) async fn ask(
        &self,
        _request: Request,
        _progress: impl FnMut(UnderWay) + Send,
    ) -> Result<Reply, Problem> {
        let folder = self.socket.parent().map(Into::into).unwrap_or_default();
        Err(problem::to_problem(&Error::EngineRunning { folder }))
    }
}
