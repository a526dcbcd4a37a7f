//! What the operator is shown of the endpoints: told to the parent whenever it has changed.

use super::{Endpoints, Follower, Live, ToParent};
use crate::child::ChildError;
use crate::connections::Connections;
use crate::messages::{FromScanner, ScannerSetup};
use facilitator_chain::rpc::{Rpc, RpcStats};

/// What was shown last.
pub(super) struct Board {
    endpoints: Endpoints,
    minimum: usize,
    shown: Option<Connections>,
}

impl Board {
    pub(super) fn new(setup: &ScannerSetup, endpoints: Endpoints) -> Self {
        Self { endpoints, minimum: setup.connector.minimum_connections, shown: None }
    }

    /// Shows at once what an operator waits for: another state or mode.
    pub(super) async fn look(
        &mut self,
        follower: &Follower<'static, Live<ToParent>>,
        parent: &ToParent,
    ) -> Result<(), ChildError> {
        let (state, mode) = (follower.connector().state().name(), follower.connector().mode().name());
        let shown = self.shown.as_ref().map(|shown| (shown.state.as_str(), shown.mode.as_str()));
        if shown == Some((state, mode)) { Ok(()) } else { self.show(follower, parent).await }
    }

    pub(super) async fn show(
        &mut self,
        follower: &Follower<'static, Live<ToParent>>,
        parent: &ToParent,
    ) -> Result<(), ChildError> {
        let stats: Vec<RpcStats> = self.endpoints.iter().map(Rpc::stats).collect();
        let (scanned, _) = follower.reached();
        let (note, now) = (follower.note(), follower.now());
        let now = Connections::of(follower.connector(), self.minimum, scanned, note, &stats, now);
        if self.shown.as_ref() != Some(&now) {
            parent.send(&FromScanner::Connections(Box::new(now.clone()))).await?;
            self.shown = Some(now);
        }
        Ok(())
    }
}
