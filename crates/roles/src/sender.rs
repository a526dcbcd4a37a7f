//! The sender: the only process that signs on its chain. Wires [`facilitator_sender::Sender`] to the parent.
//!
//! Submissions that arrive while the node is being asked are taken together: one journal commit, one request of
//! estimates, one commit of signatures, one request of broadcasts.
//!
//! A database that can't be used for a while ends nothing: submissions wait here, the parent is told why.

use crate::child::{self, ChildError, ms};
use crate::clock::now_ms;
use crate::connections::EndpointCalls;
use crate::messages::{Ask, FromSender, SenderSetup, ToSender};
use crate::pulse;
use crate::terms::Terms;
use facilitator_chain::rpc::Rpc;
use facilitator_eth::tx::SecretKey;
use facilitator_ipc::{FrameReader, FrameSender};
use facilitator_kill::kill_point;
use facilitator_protocol::model::{Kind, Step};
use facilitator_protocol::secret::{self, HashLockKey};
use facilitator_protocol::transfer::expected_gas;
use facilitator_sender::{
    Failure, Gate, Keep, Node, Outcome, Records, Sender, SenderError, Settings, Submit, SubmitAnswer,
};
use facilitator_store::StoreError;
use std::collections::HashMap;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// Name of the role.
pub const ROLE: &str = "sender";

/// Messages that are taken together.
const GATHER: usize = 512;

/// Longest pause between two tries to reach the database or the node at the beginning.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Least time between two words about the calls of this process.
const TELL_CALLS: Duration = Duration::from_secs(2);

/// The answer to what was not journalled: it is submitted again.
const INTERRUPTED: SubmitAnswer = SubmitAnswer::Failed(Failure::Interrupted);

type ToParent = FrameSender<FromSender>;
type FromParent = FrameReader<ToSender, pipe::Receiver>;

/// Runs a sender over standard input and output.
///
/// # Errors
/// [`ChildError`]; the parent starts another one, which begins from the journal.
pub async fn run(terms: &Terms) -> Result<(), ChildError> {
    let (link, first) = child::begin::<FromSender, ToSender>(ROLE).await?;
    let ToSender::Setup(setup) = first else { return Err(ChildError::OutOfTurn) };
    let longest = pulse::longest_pass(ms(setup.chain.rpc_timeout_ms));
    let parent = link.sender.clone();
    let work = serve(*setup, link.sender, link.receiver);
    let result = Box::pin(pulse::beating(work, parent, terms.heartbeat, longest)).await;
    link.writer.finish().await?;
    result
}

async fn serve(setup: SenderSetup, parent: ToParent, mut orders: FromParent) -> Result<(), ChildError> {
    let endpoints = child::clients(&setup.chain)?;
    let Some(mut sender) = prepare(&setup, &endpoints, &parent, &mut orders).await? else { return Ok(()) };
    // Until the parent says otherwise.
    sender.set_gate(Gate::Closed);
    let hash_lock_key = HashLockKey::new(setup.hash_lock_key.0);
    drop(setup);
    parent.send(&FromSender::Trouble(None)).await?;
    parent.send(&FromSender::Ready).await?;
    let mut desk = Desk {
        sender,
        endpoints,
        hash_lock_key,
        parent,
        submits: Vec::new(),
        trouble: None,
        calls: Vec::new(),
        calls_due: Instant::now(),
    };
    desk.work().await?;
    desk.run(orders).await
}

/// Opens the database, looks at the node and takes the accounts; `None`: asked to stop. What is out of reach for a while
/// is tried again.
async fn prepare(
    setup: &SenderSetup,
    endpoints: &[Rpc],
    parent: &ToParent,
    orders: &mut FromParent,
) -> Result<Option<Sender>, ChildError> {
    let pause = ms(setup.chain.poll_interval_ms);
    let open = async || child::open_store(&setup.chain, now_ms()).await.map_err(Obstacle::of_store);
    let Some(store) = until_done(parent, orders, pause, open).await? else { return Ok(None) };
    let look = async || match child::who_serves(endpoints, &setup.chain).await {
        child::Serves::Ours(ours) => Ok(ours.first().copied().unwrap_or(0)),
        child::Serves::Another(unfit) => {
            parent.send(&FromSender::Unfit(unfit.clone())).await.map_err(|error| Obstacle::Lasts(error.into()))?;
            Err(Obstacle::Lasts(ChildError::Unfit(unfit)))
        }
        child::Serves::Unknown(text) => Err(Obstacle::Passes(text)),
    };
    let Some(first) = until_done(parent, orders, pause, look).await? else { return Ok(None) };
    let Some(rpc) = endpoints.get(first).cloned() else { return Err(ChildError::OutOfTurn) };
    let begin = async || {
        let keys = keys(setup).map_err(Obstacle::Lasts)?;
        let sender = Sender::new(&store, rpc.clone(), keys, settings(setup), &setup.instance, now_ms()).await;
        sender.map_err(Obstacle::of_sender)
    };
    until_done(parent, orders, pause, begin).await
}

/// What keeps the sender from beginning.
enum Obstacle {
    /// It may be gone at the next try.
    Passes(String),
    /// The process ends.
    Lasts(ChildError),
}

impl Obstacle {
    fn of_store(error: StoreError) -> Self {
        if error.passes() { Self::Passes(error.to_string()) } else { Self::Lasts(error.into()) }
    }

    fn of_sender(error: SenderError) -> Self {
        if error.passes() { Self::Passes(error.to_string()) } else { Self::Lasts(error.into()) }
    }
}

/// Tries until it is done, with longer and longer pauses, and tells the parent what keeps it; `None`: asked to stop.
async fn until_done<T>(
    parent: &ToParent,
    orders: &mut FromParent,
    pause: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T, Obstacle>,
) -> Result<Option<T>, ChildError> {
    let mut pause = pause.min(MAX_PAUSE);
    loop {
        pulse::busy();
        match attempt().await {
            Ok(done) => return Ok(Some(done)),
            Err(Obstacle::Lasts(error)) => return Err(error),
            Err(Obstacle::Passes(text)) => parent.send(&FromSender::Trouble(Some(text))).await?,
        }
        let over = tokio::time::sleep(pause);
        tokio::pin!(over);
        pulse::idle();
        loop {
            tokio::select! {
                () = &mut over => break,
                order = orders.next() => match order? {
                    Some(ToSender::Stop) | None => return Ok(None),
                    Some(ToSender::Log(filter)) => child::log_by(&filter),
                    // Nothing is asked of a sender that is not ready, and heads come again.
                    Some(
                        ToSender::Setup(_)
                        | ToSender::Submit(..)
                        | ToSender::Secret(..)
                        | ToSender::Head(_)
                        | ToSender::Endpoint(_)
                        | ToSender::Gate(_),
                    ) => {}
                },
            }
        }
        pause = (pause * 2).min(MAX_PAUSE);
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
    let accepts = |kind: &Kind| kind.source() == setup.chain.side;
    let after_accept = |kind: &Kind| expected_gas(*kind, Step::ProgressSource);
    Settings {
        min_balance: setup.min_balance,
        gas_after_accept: Kind::ALL.iter().filter(|kind| accepts(kind)).map(after_accept).max().unwrap_or(0),
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

struct Desk<N = Node, K = Records> {
    sender: Sender<N, K>,
    endpoints: Vec<Rpc>,
    hash_lock_key: HashLockKey,
    parent: ToParent,
    /// Not in the journal yet, oldest first. They wait here while the database can't be used.
    submits: Vec<(Ask, Submit)>,
    /// What the parent was told last of the database.
    trouble: Option<String>,
    /// What it was told last of the calls of this process, and when it is told again if there are more.
    calls: Vec<EndpointCalls>,
    calls_due: Instant,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Next {
    On,
    Stop,
}

impl<N: facilitator_sender::Ask, K: Keep> Desk<N, K> {
    async fn run(mut self, mut orders: FromParent) -> Result<(), ChildError> {
        let mut terminated = signal(SignalKind::terminate()).map_err(ChildError::Signals)?;
        loop {
            let wake = self.sender.next_wake();
            pulse::idle();
            let next = tokio::select! {
                order = orders.next() => self.take(order?, &mut orders).await?,
                _ = terminated.recv() => self.take_the_rest(&mut orders).await?,
                () = sleep_until_ms(wake), if wake.is_some() => Next::On,
            };
            if next == Next::Stop {
                return self.end().await;
            }
            self.work().await?;
        }
    }

    /// Takes a message and whatever else has arrived by now.
    async fn take(&mut self, first: Option<ToSender>, orders: &mut FromParent) -> Result<Next, ChildError> {
        let mut message = first;
        for _ in 0..GATHER {
            match message {
                None => return Err(ChildError::ParentGone),
                Some(ToSender::Submit(ask, submit)) => self.take_submit(ask, *submit).await?,
                Some(ToSender::Secret(ask, input)) => {
                    let secret = secret::derive(&self.hash_lock_key, &input);
                    kill_point!("sender.secret_derived");
                    self.parent.send(&FromSender::Secret(ask, secret)).await?;
                    kill_point!("sender.secret_told");
                }
                Some(ToSender::Head(head)) => self.sender.on_head(head, now_ms()),
                Some(ToSender::Endpoint(index)) => self.use_endpoint(index),
                Some(ToSender::Gate(open)) => self.set_gate(open).await?,
                Some(ToSender::Log(filter)) => child::log_by(&filter),
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

    /// What waits for the database while the gate closes is not kept: another instance may work on its request by the time
    /// that it opens again.
    async fn set_gate(&mut self, open: bool) -> Result<(), ChildError> {
        self.sender.set_gate(if open { Gate::Open } else { Gate::Closed });
        if !open {
            self.hand_back().await?;
        }
        Ok(())
    }

    async fn hand_back(&mut self) -> Result<(), ChildError> {
        for (ask, _) in std::mem::take(&mut self.submits) {
            self.parent.send(&FromSender::Answer(ask, INTERRUPTED)).await?;
        }
        Ok(())
    }

    fn use_endpoint(&mut self, index: u64) {
        let chosen = usize::try_from(index).ok().and_then(|index| self.endpoints.get(index));
        if let Some(rpc) = chosen {
            self.sender.use_endpoint(rpc);
        }
    }

    /// Before the end: what is in the pipe already was handed over.
    async fn take_the_rest(&mut self, orders: &mut FromParent) -> Result<Next, ChildError> {
        match tokio::time::timeout(Duration::from_millis(1), orders.next()).await {
            Ok(Ok(Some(first))) => match self.take(Some(first), orders).await {
                Ok(_) | Err(ChildError::ParentGone) => Ok(Next::Stop),
                Err(error) => Err(error),
            },
            Ok(Ok(None)) | Err(_) => Ok(Next::Stop),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    /// A worker that has waited too long leaves, and the next one submits the same again: that one takes its place.
    async fn take_submit(&mut self, ask: Ask, submit: Submit) -> Result<(), ChildError> {
        let is_same = |(_, held): &&mut (Ask, Submit)| {
            submit.request_id.is_some() && (held.request_id, &held.intent) == (submit.request_id, &submit.intent)
        };
        let held = if self.sender.trouble().is_some() { self.submits.iter_mut().find(is_same) } else { None };
        let Some(held) = held else {
            self.submits.push((ask, submit));
            return Ok(());
        };
        let (former, _) = std::mem::replace(held, (ask, submit));
        Ok(self.parent.send(&FromSender::Answer(former, INTERRUPTED)).await?)
    }

    /// Journals what was submitted, does all that is due, and answers with how far each has come by then.
    async fn work(&mut self) -> Result<(), ChildError> {
        pulse::busy();
        let mut woke = false;
        if self.sender.trouble().is_some() {
            // Tries the database again, if it is time. What is submitted comes after that.
            woke = !self.sender.work(now_ms()).await?.is_empty();
        }
        let answers = self.submit().await?;
        let outcomes = self.sender.work(now_ms()).await?;
        woke |= !outcomes.is_empty();
        let mut newest: HashMap<String, _> = HashMap::with_capacity(outcomes.len());
        for Outcome { intent, answer, .. } in outcomes {
            newest.insert(intent, answer);
        }
        for (ask, intent, answer) in answers {
            let answer = newest.get(&intent).cloned().unwrap_or(answer);
            self.parent.send(&FromSender::Answer(ask, answer)).await?;
            kill_point!("sender.answered");
        }
        if woke {
            kill_point!("sender.has_news");
            self.parent.send(&FromSender::Woke).await?;
            kill_point!("sender.woke");
        }
        self.tell_calls().await?;
        self.tell_trouble().await
    }

    /// Hands what waits to the journal. It goes on waiting if the database can't be used.
    async fn submit(&mut self) -> Result<Vec<(Ask, String, SubmitAnswer)>, ChildError> {
        if self.submits.is_empty() || self.sender.trouble().is_some() {
            return Ok(Vec::new());
        }
        let submits = self.submits.iter().map(|(_, submit)| submit.clone()).collect();
        match self.sender.submit(submits, now_ms()).await {
            Ok(answers) => {
                let taken = self.submits.drain(..).zip(answers);
                Ok(taken.map(|((ask, submit), answer)| (ask, submit.intent, answer)).collect())
            }
            Err(error) if error.passes() => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the parent what the endpoints were asked, not more often than that is looked at.
    async fn tell_calls(&mut self) -> Result<(), ChildError> {
        if Instant::now() < self.calls_due {
            return Ok(());
        }
        let calls = EndpointCalls::of(&self.endpoints);
        if calls != self.calls {
            self.calls_due = Instant::now() + TELL_CALLS;
            self.calls.clone_from(&calls);
            self.parent.send(&FromSender::Calls(calls)).await?;
        }
        Ok(())
    }

    /// Tells the parent how the database does, whenever that has changed.
    async fn tell_trouble(&mut self) -> Result<(), ChildError> {
        let trouble = self.sender.trouble();
        if trouble != self.trouble.as_deref() {
            self.trouble = trouble.map(ToOwned::to_owned);
            self.parent.send(&FromSender::Trouble(self.trouble.clone())).await?;
        }
        Ok(())
    }

    /// Sees through what was handed over, so that of two legs that leave together none is dropped (protocol.md R4), and
    /// gives the leases back. What is signed and journalled stays.
    async fn end(mut self) -> Result<(), ChildError> {
        if !self.submits.is_empty() {
            self.work().await?;
        }
        self.hand_back().await?;
        match self.sender.close().await {
            // The leases run out by themselves.
            Err(error) if error.passes() => tracing::warn!(%error, "the accounts could not be given back"),
            closed => closed?,
        }
        Ok(())
    }
}

/// Ends early where it is far away: the wall clock may have gone back meanwhile.
async fn sleep_until_ms(at: Option<i64>) {
    let wait = at.map_or(0, |at| at.saturating_sub(now_ms()));
    tokio::time::sleep(ms(u64::try_from(wait).unwrap_or(0)).min(MAX_PAUSE)).await;
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
