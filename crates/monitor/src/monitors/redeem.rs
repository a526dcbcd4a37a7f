//! Redeem requests and the redeem messages that follow them.

use super::{Findings, Look, Monitor, aged, tell, told::about};
use crate::{Alert, SystemEvent, Task, Topic, chains::Seen};
use facilitator_eth::U256;
use facilitator_protocol::{
    contracts::{gateway, pool},
    events::Event,
    model::{Kind, MessageStatus, Side},
};

/// Watches redeems at the pool and the cogateway.
#[derive(Debug, Clone, Copy)]
pub struct RedeemMonitor {
    /// More than this is much.
    pub large: U256,
    /// Blocks after which a request should have been accepted.
    pub unaccepted: u64,
    /// Blocks after which a declared redeem should have got further.
    pub stale: u64,
}

impl RedeemMonitor {
    async fn large(&self, look: &Look<'_>) -> Result<Vec<SystemEvent>, String> {
        let chain = look.on(Side::Auxiliary)?;
        let seen = chain.events(chain.window).await?;
        let is_large = |event: &Event| matches!(event, Event::RedeemIntentDeclared(e) if e.amount > self.large);
        let large = seen.iter().filter(|seen| is_large(&seen.event));
        Ok(large.map(|seen| about(chain, Alert::LargeRedeem, seen)).collect())
    }

    async fn stale(&self, look: &Look<'_>) -> Result<Vec<SystemEvent>, String> {
        let chain = look.on(Side::Auxiliary)?;
        let declared = |event: &Event| {
            if let Event::RedeemIntentDeclared(event) = event { Some(event.message_hash) } else { None }
        };
        let old = aged(chain, self.stale, |seen| declared(&seen.event)).await?;
        let views: Vec<_> =
            old.iter().map(|(seen, hash)| (seen.set.cogateway, gateway::outbox_status(*hash))).collect();
        let status = chain.ask(&views).await?;
        let stale = old.iter().zip(status).filter(|(_, status)| *status == MessageStatus::Declared);
        Ok(stale.map(|((seen, _), _)| about(chain, Alert::StaleRedeem, seen)).collect())
    }

    async fn unaccepted(&self, look: &Look<'_>) -> Result<Vec<SystemEvent>, String> {
        let chain = look.on(Side::Auxiliary)?;
        let requested = |event: &Event| {
            if let Event::RedeemRequested(event) = event { Some((event.redeemer, event.request_hash)) } else { None }
        };
        let old = aged(chain, self.unaccepted, |seen| requested(&seen.event)).await?;
        // The pool tells the present request of an account alone.
        let view = |seen: &Seen, sender| pool::request_hash_of(Kind::Redeem, sender, seen.set.cogateway);
        let views: Vec<_> = old.iter().map(|(seen, (sender, _))| (seen.log.address, view(seen, *sender))).collect();
        let present = chain.ask(&views).await?;
        let open = old.iter().zip(present).filter(|((_, (_, hash)), present)| hash == present);
        Ok(open.map(|((seen, _), _)| about(chain, Alert::RedeemNotAccepted, seen)).collect())
    }
}

impl Monitor for RedeemMonitor {
    fn name(&self) -> &'static str {
        Topic::Redeem.name()
    }

    fn check<'a>(&'a self, look: &'a Look<'_>) -> Task<'a, Findings> {
        Box::pin(async move {
            let mut findings = Findings::default();
            findings.add(tell(look, Side::Auxiliary, Topic::Redeem).await);
            findings.add(self.large(look).await);
            findings.add(self.unaccepted(look).await);
            findings.add(self.stale(look).await);
            findings
        })
    }
}
