//! What the parent is told: heads, troubles, whether the chain may be acted upon, whom to ask.

use super::{Follower, Heard, Scene};
use crate::child::ChildError;
use crate::messages::FromScanner;
use facilitator_chain::connector::{Alarm, AlarmKind, EndpointId, Health, Mode};
use facilitator_chain::rpc::RpcError;
use facilitator_chain::scan::Checkpoint;
use facilitator_eth::U256;
use facilitator_kill::kill_point;
use facilitator_sender::Head;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What was told last, and what is to be told.
#[derive(Default)]
pub(super) struct Told {
    alarms: BTreeMap<AlarmKind, String>,
    database: Option<String>,
    trouble: Option<String>,
    head: Option<Checkpoint>,
    /// What gas costs by the endpoint that is read, on a chain whose blocks do not say so.
    gas_price: Option<U256>,
    /// Who has been asked for it.
    asking: Option<EndpointId>,
    client: Option<EndpointId>,
    in_step: Option<bool>,
}

impl Told {
    pub(super) fn over(&mut self, kind: AlarmKind) {
        self.alarms.remove(&kind);
    }

    pub(super) fn database(&mut self, trouble: Option<String>) {
        self.database = trouble;
    }

    pub(super) fn fork_is_refused(&self) -> bool {
        self.alarms.contains_key(&AlarmKind::ForkProtection)
    }

    /// What the connector can't go on with by itself, the worst first.
    pub(super) fn alarms(&self) -> Option<String> {
        let all: Vec<&str> = self.alarms.values().map(String::as_str).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// All that keeps the scanner from its work, the worst first.
    fn present(&self) -> Option<String> {
        let all: Vec<&str> = self.alarms.values().chain(&self.database).map(String::as_str).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

impl<'s, S: Scene + 's> Follower<'s, S> {
    pub(super) fn alarmed(&mut self, alarm: &Alarm) {
        let unwell: Vec<String> = self
            .connector
            .book()
            .iter()
            .filter_map(|(_, endpoint)| match &endpoint.health {
                Health::SetAside { reason, .. } => Some(format!("{}: {reason}", endpoint.name)),
                Health::Unknown | Health::Well => None,
            })
            .collect();
        let text = match alarm {
            Alarm::BelowMinimum { .. } | Alarm::NoQuorum { .. } if !unwell.is_empty() => {
                format!("{alarm} ({})", unwell.join("; "))
            }
            Alarm::BelowMinimum { .. } | Alarm::NoQuorum { .. } | Alarm::ForkProtection { .. } => alarm.to_string(),
        };
        match alarm {
            Alarm::ForkProtection { .. } => tracing::error!(chain = self.chain_id, "{text}"),
            Alarm::BelowMinimum { .. } | Alarm::NoQuorum { .. } => tracing::warn!(chain = self.chain_id, "{text}"),
        }
        self.told.alarms.insert(alarm.kind(), text);
    }

    /// Tells what has changed.
    pub(super) async fn tell_all(&mut self) -> Result<(), ChildError> {
        self.tell_client().await?;
        self.tell_head().await?;
        let trouble = self.told.present();
        if trouble != self.told.trouble {
            self.told.trouble.clone_from(&trouble);
            self.scene.tell(FromScanner::Trouble(trouble)).await?;
        }
        self.tell_mode().await
    }

    async fn tell_client(&mut self) -> Result<(), ChildError> {
        let client = self.connector.the_client();
        if client.is_none() || client == self.told.client {
            return Ok(());
        }
        self.told.client = client;
        if let Some(client) = client {
            self.scene.set_client(client);
            let index = u64::try_from(client.0).unwrap_or(u64::MAX);
            self.scene.tell(FromScanner::Elected(index)).await?;
        }
        Ok(())
    }

    async fn tell_head(&mut self) -> Result<(), ChildError> {
        let Some(head) = self.connector.local().head() else { return Ok(()) };
        if self.told.head == Some(head) {
            return Ok(());
        }
        let Some(base_fee) = self.headers.get(head).map(|header| header.base_fee) else { return Ok(()) };
        if base_fee.is_none()
            && let Some(client) = self.connector.the_client()
        {
            self.ask_gas_price(client);
            return Ok(());
        }
        self.announce(head, base_fee).await
    }

    async fn announce(&mut self, head: Checkpoint, base_fee: Option<U256>) -> Result<(), ChildError> {
        self.told.head = Some(head);
        let gas_price = if base_fee.is_none() { self.told.gas_price } else { None };
        kill_point!("scanner.head_seen");
        self.scene.tell(FromScanner::Head(Head { number: head.number, base_fee, gas_price })).await?;
        kill_point!("scanner.head_told");
        Ok(())
    }

    /// Without a base fee a head is told with what the sender will pay, so that funds and profit are judged by the same.
    /// One question at a time, and one to whoever is read from now on.
    fn ask_gas_price(&mut self, endpoint: EndpointId) {
        if self.told.asking == Some(endpoint) {
            return;
        }
        self.told.asking = Some(endpoint);
        let scene = Rc::clone(&self.scene);
        self.tasks.add(async move { Heard::GasPrice(endpoint, scene.gas_price(endpoint).await) });
    }

    /// The newest head goes out with it, however many came meanwhile; with the last known price if there is no answer.
    pub(super) async fn gas_price_came(
        &mut self,
        endpoint: EndpointId,
        answer: Result<U256, RpcError>,
    ) -> Result<(), ChildError> {
        if self.told.asking != Some(endpoint) {
            return Ok(());
        }
        self.told.asking = None;
        match answer {
            Ok(price) => self.told.gas_price = Some(price),
            Err(error) => tracing::warn!(chain = self.chain_id, %error, "the node does not say what gas costs"),
        }
        let Some(head) = self.connector.local().head().filter(|head| self.told.head != Some(*head)) else {
            return Ok(());
        };
        match self.headers.get(head).map(|header| header.base_fee) {
            Some(base_fee) => self.announce(head, base_fee).await,
            None => Ok(()),
        }
    }

    /// It counts as in step once everything final is read, and as out of step only when the connector says so.
    async fn tell_mode(&mut self) -> Result<(), ChildError> {
        let was = self.told.in_step == Some(true);
        let is = if was { self.connector.mode() == Mode::Normal } else { self.is_in_step() };
        if self.told.in_step != Some(is) {
            self.told.in_step = Some(is);
            self.scene.tell(FromScanner::InStep(is)).await?;
        }
        Ok(())
    }
}
