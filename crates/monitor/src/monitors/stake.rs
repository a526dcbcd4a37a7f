//! Stake requests.

use super::{Findings, Look, Monitor, aged, tell, told::about};
use crate::{Alert, SystemEvent, Task, Topic};
use facilitator_eth::U256;
use facilitator_protocol::{contracts::pool, events::Event, model::Side};

/// Watches requests at the composer.
#[derive(Debug, Clone, Copy)]
pub struct StakeMonitor {
    /// More than this is much.
    pub large: U256,
    /// Blocks after which a request should have been accepted.
    pub unaccepted: u64,
}

impl StakeMonitor {
    async fn large(&self, look: &Look<'_>) -> Result<Vec<SystemEvent>, String> {
        let chain = look.on(Side::Origin)?;
        let seen = chain.events(chain.window).await?;
        let large = seen.iter().filter(|seen| matches!(&seen.event, Event::StakeRequested(e) if e.amount > self.large));
        Ok(large.map(|seen| about(chain, Alert::LargeStake, seen)).collect())
    }

    /// Whoever should have done it.
    async fn unaccepted(&self, look: &Look<'_>) -> Result<Vec<SystemEvent>, String> {
        let chain = look.on(Side::Origin)?;
        let requested =
            |event: &Event| if let Event::StakeRequested(event) = event { Some(event.request_hash) } else { None };
        let old = aged(chain, self.unaccepted, |seen| requested(&seen.event)).await?;
        let views: Vec<_> =
            old.iter().map(|(seen, hash)| (seen.set.composer, pool::stake_request_pending(*hash))).collect();
        let pending = chain.ask(&views).await?;
        let open = old.iter().zip(pending).filter(|(_, pending)| *pending);
        Ok(open.map(|((seen, _), _)| about(chain, Alert::StakeNotAccepted, seen)).collect())
    }
}

impl Monitor for StakeMonitor {
    fn name(&self) -> &'static str {
        Topic::Stake.name()
    }

    fn check<'a>(&'a self, look: &'a Look<'_>) -> Task<'a, Findings> {
        Box::pin(async move {
            let mut findings = Findings::default();
            findings.add(tell(look, Side::Origin, Topic::Stake).await);
            findings.add(self.large(look).await);
            findings.add(self.unaccepted(look).await);
            findings
        })
    }
}
