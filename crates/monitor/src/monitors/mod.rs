//! What is watched. One module a monitor.

mod facilitator;
mod gateway;
mod judge;
mod message;
mod redeem;
mod stake;
mod supply;
mod told;

pub use facilitator::FacilitatorMonitor;
pub use gateway::GatewayMonitor;
pub use message::MessageMonitor;
pub use redeem::RedeemMonitor;
pub use stake::StakeMonitor;
pub use supply::SupplyMonitor;

use crate::{
    Persistence, SystemEvent, Task, Topic, Window,
    chains::{Chain, Seen},
    recall::{Condition, Noted, recall},
};
use facilitator_protocol::model::Side;

/// What a run has to look at.
pub struct Look<'a> {
    /// The origin chain, or why it can't be seen.
    pub origin: Result<Chain, String>,
    /// The auxiliary chain, or why it can't be seen.
    pub auxiliary: Result<Chain, String>,
    /// What monitors remember.
    pub memory: &'a dyn Persistence,
}

impl Look<'_> {
    /// One of the chains.
    ///
    /// # Errors
    /// Why it can't be seen.
    pub fn on(&self, side: Side) -> Result<&Chain, String> {
        let chain = match side {
            Side::Origin => &self.origin,
            Side::Auxiliary => &self.auxiliary,
        };
        chain.as_ref().map_err(Clone::clone)
    }

    /// Tells what holds now, or held until just now, as what it was when it began.
    async fn recall(&self, name: &str, present: Vec<Condition>, window: Window) -> Result<Vec<SystemEvent>, String> {
        let noted: Vec<Noted> = self.memory(name).await?.unwrap_or_default();
        let (kept, told) = recall(noted.clone(), present, window);
        if kept != noted {
            self.remember(name, &kept).await?;
        }
        Ok(told)
    }

    async fn memory<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, String> {
        let text = self.memory.memory(name).await.map_err(|error| error.to_string())?;
        let read = |text: String| serde_json::from_str(&text).map_err(|error| format!("memory `{name}`: {error}"));
        text.map(read).transpose()
    }

    async fn remember(&self, name: &str, value: &impl serde::Serialize) -> Result<(), String> {
        let text = serde_json::to_string(value).map_err(|error| error.to_string())?;
        self.memory.remember(name, &text).await.map_err(|error| error.to_string())
    }
}

/// What a monitor has found, and what it could not look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// System events.
    pub events: Vec<SystemEvent>,
    /// What went wrong, in words.
    pub errors: Vec<String>,
}

impl Findings {
    /// Adds what one part of the monitor found.
    pub fn add(&mut self, part: Result<Vec<SystemEvent>, String>) {
        match part {
            Ok(events) => self.events.extend(events),
            // A chain that can't be seen is one error, however much there would be to look at.
            Err(error) if self.errors.contains(&error) => {}
            Err(error) => self.errors.push(error),
        }
    }
}

/// Observes the system.
pub trait Monitor: Send + Sync {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Looks at the windows of a run. What it can't look at is told beside what it has found.
    fn check<'a>(&'a self, look: &'a Look<'_>) -> Task<'a, Findings>;
}

/// The events of a chain's window that belong to a monitor, as system events.
async fn tell(look: &Look<'_>, side: Side, topic: Topic) -> Result<Vec<SystemEvent>, String> {
    let chain = look.on(side)?;
    let seen = chain.events(chain.window).await?;
    Ok(seen.iter().filter_map(|seen| told::told(chain, seen, topic)).collect())
}

/// The events of a chain that have just reached an age, with what `pick` makes of them.
async fn aged<T>(chain: &Chain, blocks: u64, pick: impl Fn(&Seen) -> Option<T>) -> Result<Vec<(Seen, T)>, String> {
    let seen = chain.events_aged(blocks).await?;
    Ok(seen.iter().filter_map(|seen| pick(seen).map(|picked| (seen.clone(), picked))).collect())
}
