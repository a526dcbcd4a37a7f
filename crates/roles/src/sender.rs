//! The sender: the only process that signs on its chain. Wires [`facilitator_sender::Sender`] to the parent.
//!
//! Submissions that arrive while the node is being asked are taken together: one journal commit, one request of
//! estimates, one commit of signatures, one request of broadcasts.

use crate::child::{self, ChildError, ms};
use crate::clock::now_ms;
use crate::messages::{Ask, FromSender, SenderSetup, ToSender};
use facilitator_chain::rpc::Rpc;
use facilitator_eth::tx::SecretKey;
use facilitator_ipc::{FrameReader, FrameSender};
use facilitator_protocol::secret::{self, HashLockKey};
use facilitator_sender::{Outcome, Sender, Settings, Submit};
use std::collections::HashMap;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};

/// Name of the role.
pub const ROLE: &str = "sender";

/// Messages that are taken together.
const GATHER: usize = 512;

/// Longest pause between two tries to reach the node at the beginning.
const MAX_PAUSE: Duration = Duration::from_secs(10);

type ToParent = FrameSender<FromSender>;
type FromParent = FrameReader<ToSender, pipe::Receiver>;

/// Runs a sender over standard input and output.
///
/// # Errors
/// [`ChildError`]; the parent starts another one, which begins from the journal.
pub async fn run() -> Result<(), ChildError> {
    let (link, first) = child::begin::<FromSender, ToSender>(ROLE).await?;
    let ToSender::Setup(setup) = first else { return Err(ChildError::OutOfTurn) };
    let result = serve(*setup, link.sender, link.receiver).await;
    link.writer.finish().await?;
    result
}

async fn serve(setup: SenderSetup, parent: ToParent, mut orders: FromParent) -> Result<(), ChildError> {
    let store = child::open_store(&setup.chain, now_ms()).await?;
    let rpc = child::client(&setup.chain)?;
    if !node_is_right(&setup, &rpc, &parent, &mut orders).await? {
        return Ok(());
    }
    let hash_lock_key = HashLockKey::new(setup.hash_lock_key.0);
    let settings = settings(&setup);
    let keys = keys(&setup)?;
    let sender = Sender::new(&store, rpc, keys, settings, &setup.instance, now_ms()).await?;
    drop(setup);
    parent.send(&FromSender::Ready).await?;
    let mut desk = Desk { sender, hash_lock_key, parent, submits: Vec::new() };
    desk.work(Vec::new()).await?;
    desk.run(orders).await
}

/// Asks the node for its chain until it answers; `false`: asked to stop.
async fn node_is_right(
    setup: &SenderSetup,
    rpc: &Rpc,
    parent: &ToParent,
    orders: &mut FromParent,
) -> Result<bool, ChildError> {
    let mut pause = ms(setup.chain.poll_interval_ms).min(MAX_PAUSE);
    loop {
        match child::wrong_chain(rpc, &setup.chain).await {
            Ok(None) => {
                parent.send(&FromSender::Trouble(None)).await?;
                return Ok(true);
            }
            Ok(Some(unfit)) => {
                parent.send(&FromSender::Unfit(unfit.clone())).await?;
                return Err(ChildError::Unfit(unfit));
            }
            Err(error) => parent.send(&FromSender::Trouble(Some(error.to_string()))).await?,
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(MAX_PAUSE),
            order = orders.next() => match order? {
                Some(ToSender::Stop) | None => return Ok(false),
                // Nothing is asked of a sender that is not ready, and heads come again.
                Some(ToSender::Setup(_) | ToSender::Submit(..) | ToSender::Secret(..) | ToSender::Head(_)) => {}
            },
        }
    }
}

fn keys(setup: &SenderSetup) -> Result<Vec<SecretKey>, ChildError> {
    let key = |bytes: &crate::messages::KeyBytes| SecretKey::from_bytes(&bytes.0);
    let keys: Result<Vec<SecretKey>, _> = setup.keys.iter().map(|(_, bytes)| key(bytes)).collect();
    // The parent has unlocked and checked them.
    keys.map_err(|_| ChildError::OutOfTurn)
}

fn settings(setup: &SenderSetup) -> Settings {
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Settings {
        confirmations: setup.chain.confirmations,
        max_fee_per_gas: setup.max_fee_per_gas,
        max_priority_fee_per_gas: setup.max_priority_fee_per_gas,
        gas_margin_percent: narrow(setup.gas_margin_percent),
        resend_after_blocks: setup.resend_after_blocks,
        replace_bump_percent: narrow(setup.replace_bump_percent),
        max_replacements: narrow(setup.max_replacements),
        poll_interval_ms: setup.chain.poll_interval_ms,
        ..Settings::new(setup.chain.chain_id)
    }
}

struct Desk {
    sender: Sender,
    hash_lock_key: HashLockKey,
    parent: ToParent,
    submits: Vec<(Ask, Submit)>,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Next {
    On,
    Stop,
}

impl Desk {
    async fn run(mut self, mut orders: FromParent) -> Result<(), ChildError> {
        let mut terminated = signal(SignalKind::terminate()).map_err(ChildError::Signals)?;
        loop {
            let wake = self.sender.next_wake();
            let next = tokio::select! {
                order = orders.next() => self.take(order?, &mut orders).await?,
                _ = terminated.recv() => Next::Stop,
                () = sleep_until_ms(wake), if wake.is_some() => Next::On,
            };
            if next == Next::Stop {
                // What is signed and journalled stays; the leases are given back.
                return Ok(self.sender.close().await?);
            }
            let submits = std::mem::take(&mut self.submits);
            self.work(submits).await?;
        }
    }

    /// Takes a message and whatever else has arrived by now.
    async fn take(&mut self, first: Option<ToSender>, orders: &mut FromParent) -> Result<Next, ChildError> {
        let mut message = first;
        for _ in 0..GATHER {
            match message {
                None => return Err(ChildError::ParentGone),
                Some(ToSender::Submit(ask, submit)) => self.submits.push((ask, *submit)),
                Some(ToSender::Secret(ask, input)) => {
                    let secret = secret::derive(&self.hash_lock_key, &input);
                    self.parent.send(&FromSender::Secret(ask, secret)).await?;
                }
                Some(ToSender::Head(head)) => self.sender.on_head(head, now_ms()),
                Some(ToSender::Stop) => return Ok(Next::Stop),
                Some(ToSender::Setup(_)) => return Err(ChildError::OutOfTurn),
            }
            // What is in the pipe already belongs to the same round.
            match tokio::time::timeout(Duration::from_millis(1), orders.next()).await {
                Ok(next) => message = next?,
                Err(_) => break,
            }
        }
        Ok(Next::On)
    }

    /// Journals what was submitted, does all that is due, and answers with how far each has come by then.
    async fn work(&mut self, submits: Vec<(Ask, Submit)>) -> Result<(), ChildError> {
        let (asks, submits): (Vec<Ask>, Vec<Submit>) = submits.into_iter().unzip();
        let intents: Vec<String> = submits.iter().map(|submit| submit.intent.clone()).collect();
        let answers = if submits.is_empty() { Vec::new() } else { self.sender.submit(submits, now_ms()).await? };
        let outcomes = self.sender.work(now_ms()).await?;
        let woke = !outcomes.is_empty();
        let mut newest: HashMap<String, _> = HashMap::with_capacity(outcomes.len());
        for Outcome { intent, answer, .. } in outcomes {
            newest.insert(intent, answer);
        }
        for ((ask, intent), answer) in asks.into_iter().zip(intents).zip(answers) {
            let answer = newest.get(&intent).cloned().unwrap_or(answer);
            self.parent.send(&FromSender::Answer(ask, answer)).await?;
        }
        if woke {
            self.parent.send(&FromSender::Woke).await?;
        }
        Ok(())
    }
}

async fn sleep_until_ms(at: Option<i64>) {
    let wait = at.map_or(0, |at| at.saturating_sub(now_ms()));
    tokio::time::sleep(ms(u64::try_from(wait).unwrap_or(0))).await;
}
