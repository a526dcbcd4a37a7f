//! From one child to another: what each message leads to.

use super::asks::{Answerer, Open, Question, WorkerNo};
use super::clerk::Report;
use super::news::Announcement;
use super::stop::Phase;
use super::{Parent, ParentError, TokenBalance, WorkerBalance};
use crate::connections::Connections;
use crate::messages::{Ask, Balance, FromScanner, FromSender, FromWorker, ToScanner, ToSender, ToWorker, Unfit};
use facilitator_chain::reader::{Answer, Query};
use facilitator_kill::kill_point;
use facilitator_protocol::model::Side;
use facilitator_protocol::secret::SecretInput;
use facilitator_sender::{Failure, Submit, SubmitAnswer};
use facilitator_supervisor::{End, Event};
use std::time::Duration;
use tokio::time::Instant;

/// Pause before the row of a worker that died is taken up again; doubles with each death in a row.
const RESUME: Duration = Duration::from_millis(50);

impl Parent {
    pub(super) fn on_scanner(&mut self, event: Event<Side, FromScanner>) {
        match event {
            Event::Ready { key, pid } => tracing::debug!(side = %key, pid, "scanner started"),
            Event::Message { key, message } => self.scanner_says(key, message),
            Event::Ended { key, end } => {
                self.answer_for_the_dead(Answerer::Scanner(key));
                let follows = self.scanner_ended(key, &end);
                note_end("scanner", key, &end, &follows, self.phase);
            }
        }
    }

    fn scanner_ended(&mut self, side: Side, end: &End) -> String {
        self.pair_lost(side);
        self.connections[side] = None;
        let slot = &mut self.scanners[side];
        if self.phase == Phase::Working {
            slot.died(end, &self.setup.restart)
        } else {
            slot.close();
            "stopped".to_owned()
        }
    }

    fn scanner_says(&mut self, side: Side, message: FromScanner) {
        match message {
            FromScanner::Checked(found) => {
                // Whatever kept it from its preparations is over; what comes later it tells anew.
                self.scanners[side].troubled("scanner", side, None);
                self.discovered(side, found);
            }
            FromScanner::Balances(balances) => self.balances[side] = balances.iter().map(balance_text).collect(),
            FromScanner::Head(head) => self.note_head(side, head),
            FromScanner::Woke => self.claim_wanted = true,
            FromScanner::InStep(in_step) => self.note_step(side, in_step),
            FromScanner::Sync(said) => self.pair_says(side, *said),
            FromScanner::Critical(text) => {
                self.critical[side] = Some(text);
                self.next_heartbeat = Instant::now();
            }
            FromScanner::Elected(index) => self.elected(side, index),
            FromScanner::Connections(connections) => {
                let state = |connections: &Connections| (connections.state.clone(), connections.mode.clone());
                if self.connections[side].as_ref().map(state).as_ref() != Some(&state(&connections)) {
                    // Whoever looks is to see it at once.
                    self.next_heartbeat = Instant::now();
                }
                self.connections[side] = Some(*connections);
            }
            FromScanner::Answers(ask, answers) => {
                if let Some(open) = self.asks.close(ask, Answerer::Scanner(side)) {
                    self.crew.send(open.worker, &ToWorker::Answers(open.ask, answers));
                }
            }
            FromScanner::Trouble(trouble) => self.scanners[side].troubled("scanner", side, trouble),
            FromScanner::Unfit(unfit) => self.unfit(side, unfit),
        }
    }

    pub(super) fn on_sender(&mut self, event: Event<Side, FromSender>) {
        match event {
            Event::Ready { key, pid } => tracing::debug!(side = %key, pid, "sender started"),
            Event::Message { key, message } => self.sender_says(key, message),
            Event::Ended { key, end } => {
                self.answer_for_the_dead(Answerer::Sender(key));
                let follows = self.sender_ended(key, &end);
                note_end("sender", key, &end, &follows, self.phase);
            }
        }
    }

    fn sender_ended(&mut self, side: Side, end: &End) -> String {
        let slot = &mut self.senders[side];
        if self.phase == Phase::Working {
            slot.died(end, &self.setup.restart)
        } else {
            slot.close();
            "stopped".to_owned()
        }
    }

    fn sender_says(&mut self, side: Side, message: FromSender) {
        match message {
            FromSender::Ready => {
                self.senders[side].ready = true;
                self.senders[side].trouble = None;
                self.brief_again(side);
                self.claim_wanted = true;
            }
            FromSender::Answer(ask, answer) => {
                kill_point!("parent.answer_routed");
                if let Some(open) = self.asks.close(ask, Answerer::Sender(side)) {
                    self.crew.send(open.worker, &ToWorker::Submitted(open.ask, answer));
                }
            }
            FromSender::Secret(ask, secret) => {
                kill_point!("parent.secret_routed");
                if let Some(open) = self.asks.close(ask, Answerer::Sender(side)) {
                    self.crew.send(open.worker, &ToWorker::Secret(open.ask, secret));
                }
            }
            FromSender::Woke => {
                kill_point!("parent.woken_by_sender");
                self.claim_wanted = true;
            }
            FromSender::Trouble(trouble) => self.senders[side].troubled("sender", side, trouble),
            FromSender::Calls(calls) => self.sender_calls[side] = calls,
            FromSender::Unfit(unfit) => self.unfit(side, unfit),
        }
    }

    /// Before the first `ready` the operator is told at once; later a node that was replaced or is syncing anew must not
    /// end what is under way: the child is started again until it is well.
    pub(super) fn unfit(&mut self, side: Side, unfit: Unfit) {
        let error = ParentError::Unfit { side, unfit };
        if self.readiness == Announcement::Due {
            return self.give_up(error);
        }
        tracing::error!(%error, "a chain can't be worked on; trying again");
        self.scanners[side].trouble = Some(error.to_string());
    }

    pub(super) fn on_worker(&mut self, event: Event<WorkerNo, FromWorker>) {
        match event {
            Event::Ready { .. } => {}
            Event::Message { key, message } => self.worker_says(key, message),
            Event::Ended { key, end } => self.worker_ended(key, &end),
        }
    }

    fn worker_says(&mut self, no: WorkerNo, message: FromWorker) {
        let Some(hand) = self.crew.get_mut(no) else { return };
        let claim = hand.claim;
        hand.open = hand.open.saturating_add(1);
        match message {
            FromWorker::Read(..) | FromWorker::Submit(..) => self.gathering.hold((no, message), Instant::now()),
            FromWorker::Secret(ask, of) => self.secret(no, ask, of),
            FromWorker::Save(ask, update) => self.clerk.save(no, ask, claim, *update),
            FromWorker::Park(park) => {
                hand.parking = true;
                self.clerk.park(no, claim, *park);
            }
        }
    }

    /// Routes the questions that were held. What a worker that is gone wanted to read is nobody's any more; what it
    /// submitted goes on as if it had died a moment later, since the other leg of a revealed secret may be gone already
    /// (protocol.md R4).
    pub(super) fn ask_what_is_held(&mut self) {
        for (no, message) in self.gathering.take() {
            match message {
                FromWorker::Read(..) if self.crew.get_mut(no).is_none() => {}
                FromWorker::Read(ask, side, queries) => self.read(no, ask, side, queries),
                FromWorker::Submit(ask, side, submit) => self.submit(no, ask, side, submit),
                FromWorker::Secret(..) | FromWorker::Save(..) | FromWorker::Park(_) => {}
            }
        }
    }

    fn read(&mut self, worker: WorkerNo, ask: Ask, side: Side, queries: Vec<Query>) {
        let answerer = Answerer::Scanner(side);
        let question = Question::Read { queries: queries.len() };
        let Some(scanner) = self.scanners[side].ready_child() else {
            let answers = vec![Answer::Failed("its scanner is being restarted".to_owned()); queries.len()];
            return self.crew.send(worker, &ToWorker::Answers(ask, answers));
        };
        let named = self.asks.note(Open { worker, ask, answerer, question });
        kill_point!("parent.read_routed");
        if let Err(error) = scanner.send(&ToScanner::Read(named, queries)) {
            tracing::debug!(%side, %error, "a read was not delivered");
            self.give_back(named, answerer);
        }
    }

    fn submit(&mut self, worker: WorkerNo, ask: Ask, side: Side, submit: Box<Submit>) {
        let answerer = Answerer::Sender(side);
        let sender = self.senders[side].ready_child().filter(|_| self.is_open());
        let Some(sender) = sender else {
            let answer = SubmitAnswer::Failed(Failure::Interrupted);
            return self.crew.send(worker, &ToWorker::Submitted(ask, answer));
        };
        let named = self.asks.note(Open { worker, ask, answerer, question: Question::Submit });
        kill_point!("parent.submit_routed");
        if let Err(error) = sender.send(&ToSender::Submit(named, submit)) {
            tracing::debug!(%side, %error, "a transaction was not handed over");
            self.give_back(named, answerer);
        }
    }

    /// Secrets are derived by the sender of the origin chain; both hold the key, one is enough.
    fn secret(&mut self, worker: WorkerNo, ask: Ask, of: SecretInput) {
        let answerer = Answerer::Sender(Side::Origin);
        let named = self.asks.note(Open { worker, ask, answerer, question: Question::Secret });
        let sent = self.senders[Side::Origin].ready_child().map(|sender| sender.send(&ToSender::Secret(named, of)));
        match sent {
            Some(Ok(())) => {}
            Some(Err(_)) | None => self.give_back(named, answerer),
        }
    }

    fn give_back(&mut self, named: Ask, answerer: Answerer) {
        if let Some(open) = self.asks.close(named, answerer) {
            self.crew.answer_for_the_dead(open);
        }
    }

    fn worker_ended(&mut self, no: WorkerNo, end: &End) {
        self.asks.forget(no);
        let Some(hand) = self.crew.bury(no) else { return };
        self.claim_wanted = true;
        if hand.parking {
            // What it said last is with the clerk: the row is parked whether the worker saw it or not.
            return;
        }
        let deaths = self.crew.count_death(hand.claim.request);
        let doublings = deaths.saturating_sub(1).min(20);
        let pause = RESUME.saturating_mul(1 << doublings).min(self.setup.restart.max);
        tracing::warn!(request = %hand.hash, pid = end.pid, %end, ?pause, "a worker died; its request is resumed");
        self.clerk.put_back(hand.claim, &format!("its worker died: {end}"), pause);
    }

    pub(super) fn on_clerk(&mut self, report: Report) {
        match report {
            Report::Saved(no, ask) => self.crew.send(no, &ToWorker::Saved(ask)),
            Report::Parked(no) => {
                kill_point!("parent.park_receipted");
                self.crew.parked(no);
                self.claim_wanted = true;
            }
            Report::Gateways(sets) => self.gateways_stored(sets),
            Report::Addresses(side) => self.addresses_stored(side),
            Report::Lost(lost) => self.crew.dismiss(lost),
            Report::Replaced => self.give_up(ParentError::Replaced { instance: self.setup.instance.clone() }),
            Report::Claimed(claimed, reveals) => {
                self.clerk.claimed();
                self.hire(claimed, reveals);
            }
            Report::Life(status) => {
                self.clerk.pulsed();
                if let Some(status) = status {
                    self.lives_as(status);
                }
            }
            Report::Announced => self.announced(),
            Report::Trouble(trouble) => self.database_trouble = trouble,
            Report::Broken(error) => self.give_up(error.into()),
        }
    }
}

fn balance_text(balance: &Balance) -> WorkerBalance {
    let tokens = balance.bounty_tokens.iter();
    let bounty_tokens: Vec<TokenBalance> =
        tokens.map(|(token, held)| TokenBalance { token: token.to_string(), amount: text(*held) }).collect();
    WorkerBalance {
        address: balance.address.to_string(),
        coin: text(balance.coin),
        bounty_token: bounty_tokens.first().and_then(|first| first.amount.clone()),
        bounty_tokens,
    }
}

fn text<T: ToString>(amount: Option<T>) -> Option<String> {
    amount.map(|amount| amount.to_string())
}

fn note_end(role: &str, side: Side, end: &End, follows: &str, phase: Phase) {
    if phase == Phase::Working {
        tracing::warn!(child = role, %side, pid = end.pid, %end, follows, "a child process ended");
    } else {
        tracing::debug!(child = role, %side, pid = end.pid, %end, "a child process ended");
    }
}
