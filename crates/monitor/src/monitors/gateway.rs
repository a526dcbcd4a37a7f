//! Gateways and anchors: state roots, proofs, bounties, activation.

use super::{Findings, Look, Monitor, tell, told::about};
use crate::{Alert, SystemEvent, Task, Topic, recall::Condition};
use facilitator_protocol::{
    contracts::{anchor, gateway},
    events::Event,
    model::Side,
};

/// Watches the gateways and anchors of both chains.
#[derive(Debug, Clone, Copy)]
pub struct GatewayMonitor {
    /// Blocks of a chain after which a root of it should have been anchored.
    pub stale_root: u64,
}

impl GatewayMonitor {
    /// Deactivation leaves no event.
    async fn deactivated(&self, look: &Look<'_>) -> Result<Vec<SystemEvent>, String> {
        let chain = look.on(Side::Origin)?;
        let gateways: Vec<_> = chain.sets().iter().map(|set| (set.gateway, gateway::activated())).collect();
        let activated = chain.ask(&gateways).await?;
        let off = gateways.iter().zip(activated).filter(|(_, activated)| !activated);
        let present = off.map(|((address, _), _)| {
            let event = SystemEvent::new(Alert::GatewayDeactivated, chain.chain_id, chain.window.to);
            Condition::new(address.to_string(), event.with("gateway", address))
        });
        look.recall(&format!("gateway/deactivated/{}", chain.chain_id), present.collect(), chain.window).await
    }

    /// Roots that an anchor says are of the other chain, and are not.
    async fn false_roots(&self, look: &Look<'_>, side: Side) -> Result<Vec<SystemEvent>, String> {
        let (chain, other) = (look.on(side)?, look.on(side.other())?);
        let seen = chain.events(chain.window).await?;
        let root = |event: &Event| {
            if let Event::StateRootAvailable(event) = event {
                Some((event.block_height, event.state_root))
            } else {
                None
            }
        };
        let roots: Vec<_> = seen.iter().filter_map(|seen| Some((seen, root(&seen.event)?))).collect();
        let heights: Vec<u64> = roots.iter().map(|(_, (height, _))| *height).collect();
        let headers = other.headers(&heights).await?;
        let mut present = Vec::new();
        for ((seen, (_, root)), header) in roots.iter().zip(headers) {
            let own = header.map(|header| header.state_root);
            if own != Some(*root) {
                let own = own.map_or_else(|| "there is no such block".to_owned(), |own| own.to_string());
                let event = about(chain, Alert::FalseStateRoot, seen)
                    .with("other_chain", other.chain_id)
                    .with("block_root", own);
                present.push(Condition::new(format!("{}/{}", seen.log.tx_hash, seen.log.log_index), event));
            }
        }
        look.recall(&format!("gateway/false-root/{}", chain.chain_id), present, chain.window).await
    }

    async fn stale_roots(&self, look: &Look<'_>, side: Side) -> Result<Vec<SystemEvent>, String> {
        let (chain, other) = (look.on(side)?, look.on(side.other())?);
        let mut anchors: Vec<_> = chain.sets().iter().map(|set| set.anchor_on(side)).collect();
        anchors.sort_unstable();
        anchors.dedup();
        let views: Vec<_> =
            anchors.iter().map(|anchor| (*anchor, anchor::get_latest_state_root_block_height())).collect();
        let latest = chain.ask(&views).await?;
        let stale = anchors.iter().zip(latest);
        let stale = stale.filter(|(_, latest)| other.window.to.saturating_sub(*latest) > self.stale_root);
        let present = stale.map(|(anchor, latest)| {
            let event = SystemEvent::new(Alert::NoNewStateRoot, chain.chain_id, chain.window.to);
            let event = event.with("anchor", anchor).with("other_chain", other.chain_id).with("latest_height", latest);
            Condition::new(anchor.to_string(), event)
        });
        look.recall(&format!("gateway/stale-root/{}", chain.chain_id), present.collect(), chain.window).await
    }
}

impl Monitor for GatewayMonitor {
    fn name(&self) -> &'static str {
        Topic::Gateway.name()
    }

    fn check<'a>(&'a self, look: &'a Look<'_>) -> Task<'a, Findings> {
        Box::pin(async move {
            let mut findings = Findings::default();
            for side in [Side::Origin, Side::Auxiliary] {
                findings.add(tell(look, side, Topic::Gateway).await);
                findings.add(self.false_roots(look, side).await);
                findings.add(self.stale_roots(look, side).await);
            }
            findings.add(self.deactivated(look).await);
            findings
        })
    }
}
