//! The sender's process: the product's sender between its letters and the parent.

use crate::keep::Journal;
use crate::mutation::Mutation;
use crate::names;
use crate::node::Node;
use crate::parent::{Letter, Said};
use crate::world::{Mail, Shared, pause, until};
use facilitator_eth::U256;
use facilitator_eth::tx::SecretKey;
use facilitator_protocol::model::Side;
use facilitator_protocol::secret::{self, HashLockKey, SecretInput};
use facilitator_sender::{Head, Outcome, Sender, SenderError, Settings, Submit};
use std::collections::HashMap;

/// A letter to the sender.
#[derive(Debug)]
pub(crate) enum Order {
    Submit(u64, usize, Box<Submit>),
    Secret(u64, SecretInput),
    Head(Head),
}

/// The knobs of both senders.
pub(crate) fn settings(chain_id: u64, confirmations: u64) -> Settings {
    Settings {
        confirmations,
        max_fee_per_gas: U256::from(2_000_u64),
        max_priority_fee_per_gas: U256::from(2_u64),
        poll_interval_ms: 300,
        retry_base_ms: 50,
        retry_max_ms: 500,
        resend_after_blocks: 2,
        ..Settings::new(chain_id)
    }
}

/// Wake-ups without a reason that are let pass.
const SPINS: u32 = 20;

struct Desk {
    world: Shared,
    side: Side,
    life: u64,
    sender: Sender<Node, Journal>,
    key: HashLockKey,
}

/// The life of a sender; it returns when the process ends by itself.
pub(crate) async fn sender(world: Shared, side: Side, life: u64, mail: Mail<Order>) {
    let ended = serve(world.clone(), side, life, mail).await;
    if let Err(error) = ended {
        world.borrow_mut().note(|| format!("{side}: the sender ends: {error}"));
    }
}

async fn serve(world: Shared, side: Side, life: u64, mail: Mail<Order>) -> Result<(), SenderError> {
    let (settings, now_ms, count, key) = {
        let world = world.borrow();
        let settings = settings(names::gateways().chain_id(side), world.chains[side].confirmations);
        let own = u8::try_from(life % 251).unwrap_or(0);
        let key = if world.mutation == Mutation::NewSecretAfterRestart { own } else { 9 };
        (settings, world.wall_ms(), world.workers[side].len(), HashLockKey::new([key; 32]))
    };
    let keys: Vec<SecretKey> =
        (0..count).filter_map(|number| names::key(side, u8::try_from(number).unwrap_or(0))).collect();
    let (node, journal) = (Node { world: world.clone(), side }, Journal { world: world.clone(), side });
    let sender = Sender::over(node, journal, keys, settings, "the instance", now_ms).await?;
    let mut desk = Desk { world, side, life, sender, key };
    desk.say(Said::Ready);
    desk.work(Vec::new()).await?;
    // How often in a row it had nothing to read and no time passed.
    let mut spins = 0;
    loop {
        let wake = desk.sender.next_wake();
        let begun = desk.world.borrow().now_ms;
        let due = || wake.is_some_and(|at| at <= desk.world.borrow().wall_ms());
        until(|| !mail.borrow().is_empty() || due()).await;
        let orders: Vec<Order> = mail.borrow_mut().drain(..).collect();
        spins = if orders.is_empty() && desk.world.borrow().now_ms == begun { spins + 1 } else { 0 };
        if spins > SPINS {
            desk.world
                .borrow_mut()
                .violated("nobody spins", format!("{side}: the sender's wake-up {wake:?} stays due"));
            pause().await;
        }
        let submits = desk.take(orders);
        desk.work(submits).await?;
    }
}

impl Desk {
    fn say(&self, said: Said) {
        self.world.borrow_mut().parent.post(Letter::Sender(self.side, self.life, said));
    }

    fn take(&mut self, orders: Vec<Order>) -> Vec<(u64, usize, Submit)> {
        let mut submits = Vec::new();
        for order in orders {
            match order {
                Order::Submit(worker, place, submit) => submits.push((worker, place, *submit)),
                Order::Secret(worker, input) => self.say(Said::Secret(worker, secret::derive(&self.key, &input))),
                Order::Head(head) => {
                    let now_ms = self.world.borrow().wall_ms();
                    self.sender.on_head(head, now_ms);
                }
            }
        }
        submits
    }

    /// As the role's: journals what was submitted, does what is due, answers with how far each has come by then.
    async fn work(&mut self, submits: Vec<(u64, usize, Submit)>) -> Result<(), SenderError> {
        let asks: Vec<(u64, usize, String)> =
            submits.iter().map(|(worker, place, submit)| (*worker, *place, submit.intent.clone())).collect();
        let submits: Vec<Submit> = submits.into_iter().map(|(_, _, submit)| submit).collect();
        let now_ms = self.world.borrow().wall_ms();
        let answers = if submits.is_empty() { Vec::new() } else { self.sender.submit(submits, now_ms).await? };
        let now_ms = self.world.borrow().wall_ms();
        let outcomes = self.sender.work(now_ms).await?;
        let woke = !outcomes.is_empty();
        let newest: HashMap<String, _> =
            outcomes.into_iter().map(|Outcome { intent, answer, .. }| (intent, answer)).collect();
        for ((worker, place, intent), answer) in asks.into_iter().zip(answers) {
            let answer = newest.get(&intent).cloned().unwrap_or(answer);
            self.say(Said::Answer(worker, place, answer));
        }
        if woke {
            self.say(Said::Woke);
        }
        Ok(())
    }
}
