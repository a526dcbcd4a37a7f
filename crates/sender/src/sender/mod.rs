//! The loop's object: one sender signs for some accounts of one chain.
//!
//! The caller feeds it submissions, heads and the time, and calls [`Sender::work`] after each of them and at
//! [`Sender::next_wake`]. Everything that is due is then done in a few HTTP requests: one for what is known at this
//! head, the receipts of the newest block with it where many are awaited, one for all estimates, one for all broadcasts;
//! and one database commit for all signatures before any of them leaves (law 2).
//!
//! Dying anywhere is harmless: the journal holds what was intended and signed, and a new sender begins by sending the
//! same bytes again. Decisions are in [`crate::policy`]; this module only carries them out.

mod ahead;
mod broadcast;
mod end;
mod finals;
mod gaps;
mod intake;
mod lease;
mod observe;
mod orphans;
mod prepare;
mod receipts;
mod settle;
mod sign;
mod start;
mod survey;
mod time;
mod trouble;

use crate::{
    SenderError, Settings,
    book::Book,
    keep::{Keep, Records},
    node::{Answers, Ask, Node, Question, ReceiptsOf},
    policy::fee::{self, Market},
    types::{Head, Outcome},
};
use facilitator_chain::rpc::{Rpc, RpcError};
use facilitator_eth::{Address, U256, tx::SecretKey};
use facilitator_store::leases::Lease;
use std::collections::{BTreeMap, BTreeSet};
use survey::Survey;
use trouble::Database;

/// Rounds of preparing within one call of [`Sender::work`]: an approval may follow accepts and precede others.
const MAX_ROUNDS: usize = 8;

/// An account that this sender signs for, or whose transactions it sees through.
struct Account {
    /// `None` of one whose instance may not work: what that one has signed is sent and followed, nothing more is signed.
    key: Option<SecretKey>,
    /// The right to sign; `None` while another process holds it.
    lease: Option<Lease>,
    /// When to try for a lease that another process holds, Unix milliseconds.
    retry_at_ms: i64,
    /// Transaction count when last asked.
    count: Option<u64>,
    /// Head at which the count last moved.
    progress: u64,
    /// Highest nonce of a transaction that was final: below it nothing is signed.
    highest_final: Option<u64>,
    /// Head at which a gap of nonces was first seen.
    gap_since: Option<u64>,
}

/// Whether a step of [`Sender::work`] changed something that another round may build upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Made,
    Idle,
}

/// Whether the node answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Ok,
    Down,
}

/// Whether anything may be signed or sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// It may not: the chains are not known to be in step, or whoever knows says nothing.
    Closed,
}

/// Whether the node knows a method that not every node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Support {
    Assumed,
    Refused,
}

/// Signs and sends for some accounts of one chain. See the module's head.
pub struct Sender<N = Node, K = Records> {
    journal: K,
    node: N,
    settings: Settings,
    owner: String,
    accounts: BTreeMap<Address, Account>,
    book: Book,
    database: Database,
    survey: Survey,
    head: Option<Head>,
    head_at_ms: i64,
    /// The time when last told.
    now_ms: i64,
    /// Head up to which all receipts of our transactions were looked for.
    observed: Option<u64>,
    last_chosen: Option<Address>,
    /// Of `eth_getBlockReceipts`.
    block_receipts: Support,
    /// Of `eth_simulateV1`.
    rehearsals: Support,
    unanswered_trials: u32,
    node_failures: u32,
    node_retry_at_ms: Option<i64>,
    outcomes: Vec<Outcome>,
    gate: Gate,
    /// It was opened or closed since the book was last compared with the journal.
    gate_moved: bool,
    /// When to look for orphans again, Unix milliseconds.
    orphans_at_ms: i64,
}

/// How an account stands, for the status page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// The account.
    pub account: Address,
    /// Base coin in wei when last asked at the present head.
    pub balance: Option<U256>,
    /// Transaction count when last asked.
    pub count: Option<u64>,
    /// Entries alive: queued, in flight, or mined and not final.
    pub live: usize,
    /// Transactions signed and not mined.
    pub in_flight: usize,
}

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Takes note of a new newest block, as the scanner tells it; also of another one at the same height. Follow with
    /// [`Sender::work`].
    pub fn on_head(&mut self, head: Head, now_ms: i64) {
        self.note_time(now_ms);
        self.head_at_ms = now_ms;
        // The scanner reached the node: no reason to go on waiting.
        self.node_retry_at_ms = None;
        self.set_head(head);
    }

    fn set_head(&mut self, head: Head) {
        self.head = Some(head);
        self.survey.clear();
    }

    /// Whether anything may be signed or sent from now on. While it may not, what is in flight is followed all the same.
    pub fn set_gate(&mut self, gate: Gate) {
        if self.gate == Gate::Closed && gate == Gate::Open {
            // Whoever closed it may have been the reason why the database refused.
            self.database.try_again_at(self.now_ms);
        }
        self.gate_moved |= self.gate != gate;
        self.gate = gate;
    }

    /// Asks another endpoint of the same chain from now on.
    pub fn use_endpoint(&mut self, rpc: &Rpc) {
        self.node.use_endpoint(rpc);
        self.rehearsals = Support::Assumed;
        self.unanswered_trials = 0;
        self.survey.clear();
        self.node_retry_at_ms = None;
    }

    /// Does everything that is due and returns what has happened to intents since the last call.
    ///
    /// A node that doesn't answer is no error: what is due is tried again at [`Sender::next_wake`] or the next head. Nor
    /// is a database that can't be used for a while ([`Sender::trouble`]).
    ///
    /// # Errors
    /// [`SenderError`] that does not pass: the process must end and start again from the journal.
    pub async fn work(&mut self, now_ms: i64) -> Result<Vec<Outcome>, SenderError> {
        self.note_time(now_ms);
        if !self.database.is_resting(now_ms) {
            let done = self.do_what_is_due(now_ms).await;
            self.note_database(&done, now_ms);
            if let Err(error) = done
                && !error.passes()
            {
                return Err(error);
            }
        }
        Ok(std::mem::take(&mut self.outcomes))
    }

    async fn do_what_is_due(&mut self, now_ms: i64) -> Result<(), SenderError> {
        self.keep_leases(now_ms).await?;
        self.recover(now_ms).await?;
        if self.gate_moved {
            self.forget_freed().await?;
            self.gate_moved = false;
        }
        self.look_after_orphans(now_ms).await?;
        if self.waits_for_others() {
            self.check_dependencies(now_ms).await?;
        }
        if self.gate == Gate::Closed {
            self.hand_secrets_back(now_ms).await?;
        }
        if !self.node_is_resting(now_ms) && !self.book.is_empty() {
            // The pause is over: left there, it would be a wake-up in the past where nothing has to be asked again.
            self.node_retry_at_ms = None;
            self.act(now_ms).await?;
        }
        Ok(())
    }

    async fn act(&mut self, now_ms: i64) -> Result<(), SenderError> {
        let Some(head) = self.ensure_head(now_ms).await else { return Ok(()) };
        if self.look(head, now_ms).await == Reach::Down {
            return Ok(());
        }
        self.observe(head, now_ms).await?;
        if self.gate == Gate::Closed {
            return Ok(());
        }
        self.give_up_the_keyless(head, now_ms).await?;
        self.close_gaps(head, now_ms).await?;
        for _ in 0..MAX_ROUNDS {
            // What a round queued or ended may raise new questions at the same head.
            if self.look(head, now_ms).await == Reach::Down || self.prepare(head, now_ms).await? == Progress::Idle {
                break;
            }
        }
        self.broadcast(head, now_ms).await
    }

    /// When to call [`Sender::work`] even if nothing arrives, Unix milliseconds; `None` while there is nothing to do.
    #[must_use]
    pub fn next_wake(&self) -> Option<i64> {
        if let Some(at) = self.database.retry_at() {
            return Some(at);
        }
        let renewal = self.next_renewal();
        if self.book.is_empty() || self.gate == Gate::Closed {
            return renewal;
        }
        let work = self.node_retry_at_ms.unwrap_or_else(|| self.head_at_ms.saturating_add(self.silence_ms()));
        Some(renewal.map_or(work, |renewal| renewal.min(work)))
    }

    /// The accounts with what is known about them.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountView> {
        let view = |(address, account): (&Address, &Account)| AccountView {
            account: *address,
            balance: self.survey.balance(*address),
            count: account.count,
            live: self.book.of(*address).count(),
            in_flight: self.book.in_flight(*address).len(),
        };
        self.accounts.iter().map(view).collect()
    }

    /// How long without a head until the sender asks by itself.
    fn silence_ms(&self) -> i64 {
        to_ms(self.settings.poll_interval_ms.saturating_mul(3))
    }

    /// The head as told; asked for if nobody tells it.
    async fn ensure_head(&mut self, now_ms: i64) -> Option<Head> {
        // While the gate is closed nobody's word but the scanner's is taken for a head.
        let asks = self.gate == Gate::Open;
        if asks && (self.head.is_none() || now_ms >= self.head_at_ms.saturating_add(self.silence_ms())) {
            match self.node.head().await {
                Ok(head) => {
                    self.node_answered();
                    self.head_at_ms = now_ms;
                    self.set_head(head);
                }
                Err(error) => {
                    self.node_failed(&error, now_ms);
                    return None;
                }
            }
        }
        self.head
    }

    /// Asks what the next decisions need and isn't known at this head yet.
    async fn look(&mut self, head: Head, now_ms: i64) -> Reach {
        let wanted = survey::needs(&self.book, head, self.settings.confirmations);
        self.ask(wanted, head, now_ms).await
    }

    async fn ask(&mut self, wanted: BTreeSet<Question>, head: Head, now_ms: i64) -> Reach {
        let mut questions = self.survey.missing(wanted);
        if questions.is_empty() {
            return Reach::Ok;
        }
        let with = self.foreseen(&questions, head);
        let newest = Question::BlockHash(head.number);
        let is_single = matches!(with, Some(ReceiptsOf::Transactions(_)));
        if self.settings.confirmations == 0 && is_single && !questions.contains(&newest) {
            // What is mined there is final at once.
            questions.push(newest);
        }
        let Some(answers) = self.answers(&questions, with, head, now_ms).await else { return Reach::Down };
        for (question, answer) in questions.into_iter().zip(answers) {
            match answer {
                Ok(answer) => self.survey.put(question, answer),
                Err(error) => {
                    tracing::debug!(?question, %error, "the node could not answer");
                    self.node_failed(&error, now_ms);
                }
            }
        }
        Reach::Ok
    }

    /// Notes whether the node answered at all.
    fn reached<T>(&mut self, answers: Answers<T>, now_ms: i64) -> Option<Vec<Result<T, RpcError>>> {
        match answers {
            Ok(answers) => {
                self.node_answered();
                Some(answers)
            }
            Err(error) => {
                self.node_failed(&error, now_ms);
                None
            }
        }
    }

    fn node_answered(&mut self) {
        self.node_failures = 0;
        self.node_retry_at_ms = None;
    }

    /// Leaves the node alone for a while, longer with every failure in a row, and as long as it asks for.
    fn node_failed(&mut self, error: &RpcError, now_ms: i64) {
        if self.node_is_resting(now_ms) {
            // Many questions of one batch may fail: that is one failure.
            return;
        }
        let doublings = self.node_failures.min(16);
        self.node_failures = self.node_failures.saturating_add(1);
        let own = self.settings.retry_base_ms.saturating_mul(1 << doublings).min(self.settings.retry_max_ms).max(1);
        let wait = own.max(asked_wait_ms(error));
        self.node_retry_at_ms = Some(now_ms.saturating_add(to_ms(wait)));
        tracing::warn!(chain = self.settings.chain_id, %error, retry_in_ms = wait, "the node did not answer the sender");
    }

    fn node_is_resting(&self, now_ms: i64) -> bool {
        self.node_retry_at_ms.is_some_and(|at| now_ms < at)
    }

    fn market(&self, head: Head) -> Option<Market> {
        match head.base_fee {
            Some(base_fee) => Some(Market::Dynamic { base_fee }),
            // Whoever announces the head has mostly asked already, and judges funds and profit by the same price.
            None => head.gas_price.or_else(|| self.survey.gas_price()).map(|gas_price| Market::Legacy { gas_price }),
        }
    }

    fn fee_limits(&self) -> fee::Limits {
        fee::Limits {
            cap: self.settings.max_fee_per_gas,
            priority: self.settings.max_priority_fee_per_gas,
            bump_percent: self.settings.replace_bump_percent,
        }
    }

    fn may_sign(&self, account: Address) -> bool {
        self.accounts.get(&account).is_some_and(|account| account.lease.is_some() && account.key.is_some())
    }

    fn is_held(&self, account: Address) -> bool {
        self.accounts.get(&account).is_some_and(|account| account.lease.is_some())
    }
}

impl<N, K> std::fmt::Debug for Sender<N, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("chain_id", &self.settings.chain_id)
            .field("accounts", &self.accounts.keys())
            .field("head", &self.head)
            .field("live", &self.book.len())
            .finish_non_exhaustive()
    }
}

fn to_ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn asked_wait_ms(error: &RpcError) -> u64 {
    match error {
        RpcError::RateLimited { retry_after: Some(wait), .. } => u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        RpcError::RateLimited { retry_after: None, .. }
        | RpcError::Endpoint { .. }
        | RpcError::Transport { .. }
        | RpcError::Timeout { .. }
        | RpcError::Denied { .. }
        | RpcError::TooManyResults { .. }
        | RpcError::RangeTooWide { .. }
        | RpcError::TooLarge { .. }
        | RpcError::Unsupported { .. }
        | RpcError::Malformed { .. }
        | RpcError::Server { .. } => 0,
    }
}
