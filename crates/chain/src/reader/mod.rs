//! Answers the questions of many askers about one chain with few calls.
//!
//! While one HTTP request is under way, and for a moment before it leaves, questions gather; then all of them go as
//! one batch: equal ones once, proofs of one account and height as one `eth_getProof`, view calls without a sender
//! packed into one `eth_call`, transactions of one function tried out in one `eth_simulateV1`.
//!
//! Invariant: every question gets exactly one answer, in the order asked; one asker's failing question never spoils
//! another's. Answers are not kept: a later question asks the chain again. What the answers mean is the askers' affair.

mod multicall;
mod packing;
mod plan;
mod query;
mod trials;

pub use query::{Answer, At, Query};

use crate::rpc::{Rpc, RpcError};
use packing::Packing;
use plan::{Manner, Most, Open, PackOutcome, Packed, Plan, Settled};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

/// Askers that may wait at once; more wait to be let in.
const MAX_JOBS: usize = 4096;
/// Longest wait that a server's rate limit may impose on a round; a longer one fails the questions.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// How a reader gathers and retries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderOptions {
    /// How long questions gather before a request leaves.
    pub window: Duration,
    /// Most different questions of one round; more wait for the next.
    pub max_questions: usize,
    /// How often a question without a usable answer is asked before it fails.
    pub attempts: u32,
    /// Wait before the second attempt; doubled before each later one.
    pub pause: Duration,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        Self { window: Duration::from_millis(2), max_questions: 2000, attempts: 3, pause: Duration::from_millis(50) }
    }
}

struct Job {
    queries: Vec<Query>,
    reply: oneshot::Sender<Vec<Answer>>,
}

struct State {
    rpc: Rpc,
    /// Counts the endpoints: what is learned of one does not hold for the next.
    generation: u64,
    final_height: Option<u64>,
    views: Packing,
    trials: Packing,
}

impl State {
    fn new(rpc: Rpc, generation: u64, final_height: Option<u64>) -> Self {
        let (views, trials) = (Packing::new(packing::MAX_VIEWS), Packing::new(packing::MAX_TRIALS));
        Self { rpc, generation, final_height, views, trials }
    }

    /// Learns from packed calls of the endpoint of this generation.
    fn learn(&mut self, generation: u64, packs: impl IntoIterator<Item = PackOutcome>) {
        if generation != self.generation {
            return;
        }
        for outcome in packs {
            match outcome {
                PackOutcome::Carried(kind) => self.packing(kind).succeeded(),
                PackOutcome::Refused(kind, calls) | PackOutcome::Unanswered(kind, calls) => {
                    let endpoint = self.rpc.endpoint();
                    tracing::debug!(%endpoint, ?kind, calls, "a packed call was not carried out");
                    self.packing(kind).failed(calls);
                }
                PackOutcome::Unknown(kind) => {
                    tracing::debug!(endpoint = %self.rpc.endpoint(), ?kind, "the endpoint carries out no packed calls");
                    self.packing(kind).unable();
                }
            }
        }
    }

    fn packing(&mut self, of: Packed) -> &mut Packing {
        match of {
            Packed::Views => &mut self.views,
            Packed::Trials => &mut self.trials,
        }
    }
}

/// Asks one chain. Clones share the gathering; it ends with the last clone.
#[derive(Clone)]
pub struct Reader {
    jobs: mpsc::Sender<Job>,
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    /// Starts a reader on the present tokio runtime.
    #[must_use]
    pub fn start(rpc: Rpc, options: ReaderOptions) -> Self {
        let (jobs, queue) = mpsc::channel(MAX_JOBS);
        let state = Arc::new(Mutex::new(State::new(rpc, 0, None)));
        tokio::spawn(gather(queue, state.clone(), options));
        Self { jobs, state }
    }

    /// Asks another endpoint from the next round on.
    pub fn use_endpoint(&self, rpc: Rpc) {
        let mut state = lock(&self.state);
        *state = State::new(rpc, state.generation + 1, state.final_height);
    }

    /// Tells the height that [`At::Final`] means from now on. Without one such questions fail.
    pub fn set_final(&self, height: Option<u64>) {
        lock(&self.state).final_height = height;
    }

    /// The answers to `queries`, in their order. Dropping the future withdraws the questions.
    pub async fn ask(&self, queries: Vec<Query>) -> Vec<Answer> {
        if queries.is_empty() {
            return Vec::new();
        }
        let count = queries.len();
        let (reply, answers) = oneshot::channel();
        let ended = || vec![Answer::Failed("the reader has ended".to_owned()); count];
        if self.jobs.send(Job { queries, reply }).await.is_err() {
            return ended();
        }
        answers.await.unwrap_or_else(|_| ended())
    }

    /// The answer to one question.
    pub async fn ask_one(&self, query: Query) -> Answer {
        let none = || Answer::Failed("no answer".to_owned());
        self.ask(vec![query]).await.pop().unwrap_or_else(none)
    }
}

/// The reader's loop: gather, ask, answer.
async fn gather(mut queue: mpsc::Receiver<Job>, state: Arc<Mutex<State>>, options: ReaderOptions) {
    while let Some(first) = queue.recv().await {
        sleep(options.window).await;
        let mut round = Round::default();
        round.add(first);
        while round.questions.len() < options.max_questions {
            match queue.try_recv() {
                Ok(job) => round.add(job),
                Err(_) => break,
            }
        }
        round.answer(&state, &options).await;
    }
}

/// The questions of one moment.
#[derive(Default)]
struct Round {
    questions: Vec<Query>,
    slots: HashMap<Query, usize>,
    jobs: Vec<(Vec<usize>, oneshot::Sender<Vec<Answer>>)>,
}

impl Round {
    fn add(&mut self, job: Job) {
        // An asker that is gone, such as a worker that was killed, costs no call.
        if job.reply.is_closed() {
            return;
        }
        let slots = job.queries.into_iter().map(|query| {
            *self.slots.entry(query).or_insert_with_key(|query| {
                self.questions.push(query.clone());
                self.questions.len() - 1
            })
        });
        let slots = slots.collect();
        self.jobs.push((slots, job.reply));
    }

    async fn answer(self, state: &Mutex<State>, options: &ReaderOptions) {
        let answers = ask_all(&self.questions, state, options).await;
        for (slots, reply) in self.jobs {
            let none = || Answer::Failed("no answer".to_owned());
            let own = slots.into_iter().map(|slot| answers.get(slot).cloned().flatten().unwrap_or_else(none));
            // The asker may have gone in the meantime.
            let _ = reply.send(own.collect());
        }
    }
}

/// Asks until every question is settled or the attempts are used up.
async fn ask_all(questions: &[Query], state: &Mutex<State>, options: &ReaderOptions) -> Vec<Option<Answer>> {
    let mut answers: Vec<Option<Answer>> = vec![None; questions.len()];
    let mut open: Vec<Open<'_>> =
        questions.iter().enumerate().map(|(slot, query)| Open { slot, query, manner: Manner::Shared }).collect();
    let mut doubts = Vec::new();
    let mut attempt = 1;
    while !open.is_empty() {
        let Asked { settled, trouble, is_doubtful } = ask_once(&open, state, &mut doubts).await;
        let again = attempt < options.attempts;
        let pause = trouble.as_ref().map(|error| pause(error, attempt, options));
        open.retain_mut(|question| match settled.get(&question.slot) {
            Some(Settled::Answer(answer)) => {
                answers[question.slot] = Some(answer.clone());
                false
            }
            Some(Settled::Alone) => {
                question.manner = Manner::Alone;
                true
            }
            Some(Settled::Again(error)) if !again || pause == Some(None) => {
                answers[question.slot] = Some(Answer::Failed(error.to_string()));
                false
            }
            // The next round has fewer sequences, so this ends.
            Some(Settled::Again(_) | Settled::Without) => true,
            None => false,
        });
        if let Some(Some(pause)) = pause {
            attempt += 1;
            if !open.is_empty() {
                sleep(pause).await;
            }
        } else if is_doubtful {
            // It may be the endpoint's trouble all the same.
            sleep(options.pause).await;
        }
    }
    answers
}

/// How long to wait after `error`; `None` if that is too long for those who wait.
fn pause(error: &RpcError, attempt: u32, options: &ReaderOptions) -> Option<Duration> {
    let usual = options.pause.saturating_mul(2u32.saturating_pow(attempt - 1));
    match error {
        RpcError::RateLimited { retry_after: Some(wait), .. } => (*wait <= MAX_PAUSE).then_some(*wait),
        RpcError::RateLimited { .. }
        | RpcError::Endpoint { .. }
        | RpcError::Transport { .. }
        | RpcError::Timeout { .. }
        | RpcError::Denied { .. }
        | RpcError::TooManyResults { .. }
        | RpcError::RangeTooWide { .. }
        | RpcError::TooLarge { .. }
        | RpcError::Unsupported { .. }
        | RpcError::Malformed { .. }
        | RpcError::Server { .. } => Some(usual),
    }
}

/// A sequence without an answer, and the generation of the endpoint that gave none.
type Doubt = (u64, PackOutcome);

/// What one batch has brought.
struct Asked {
    settled: HashMap<usize, Settled>,
    /// The error of those that must be asked again, if any.
    trouble: Option<RpcError>,
    /// Whether sequences had no answer: refused, or the endpoint is in trouble.
    is_doubtful: bool,
}

/// One batch for all open questions. `doubts` are those of the rounds before; they are resolved once anything is answered.
async fn ask_once(open: &[Open<'_>], state: &Mutex<State>, doubts: &mut Vec<Doubt>) -> Asked {
    let (rpc, generation, final_height, most) = {
        let mut state = lock(state);
        let most = Most { views: state.views.begin(), trials: state.trials.begin() };
        (state.rpc.clone(), state.generation, state.final_height, most)
    };
    let plan = Plan::new(open, final_height, most);
    let outcomes = match rpc.batch(plan.calls()).await {
        Ok(outcomes) => outcomes,
        Err(error) => plan.calls().iter().map(|_| Err(error.clone())).collect(),
    };
    let (settled, packs) = plan.settle(outcomes);
    let (unanswered, told): (Vec<_>, Vec<_>) =
        packs.into_iter().partition(|outcome| matches!(outcome, PackOutcome::Unanswered(..)));
    {
        let mut state = lock(state);
        state.learn(generation, told);
        if settled.iter().any(|(_, settled)| is_of_the_chain(settled)) {
            doubts.drain(..).for_each(|(generation, outcome)| state.learn(generation, [outcome]));
        }
    }
    let is_doubtful = !unanswered.is_empty();
    doubts.extend(unanswered.into_iter().map(|outcome| (generation, outcome)));
    let trouble = settled.iter().find_map(|(_, settled)| match settled {
        Settled::Again(error) => Some(error.clone()),
        Settled::Answer(_) | Settled::Alone | Settled::Without => None,
    });
    Asked { settled: settled.into_iter().collect(), trouble, is_doubtful }
}

/// Whether the endpoint has answered this, so that it is not in trouble.
fn is_of_the_chain(settled: &Settled) -> bool {
    matches!(settled, Settled::Answer(answer) if !matches!(answer, Answer::Failed(_)))
}
