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
