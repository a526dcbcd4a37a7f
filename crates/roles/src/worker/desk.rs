//! The worker's one connection: asks the parent and waits for the answer.
//!
//! A worker does one thing at a time, so an answer that belongs to no open question is a fault of the peer. Everything
//! waits at most [`ANSWER_LIMIT`]: a parent that is silent for longer is hung, and the row is resumed by the next one.

#![expect(clippy::wildcard_enum_match_arm, reason = "every message but the one waited for is out of turn")]

use crate::messages::{Ask, FromWorker, Job, ToWorker};
use facilitator_chain::reader::{Answer, Query};
use facilitator_ipc::{FrameReader, FrameSender, IpcError};
use facilitator_protocol::model::{Park, Side, Update};
use facilitator_protocol::secret::{SecretInput, UnlockSecret};
use facilitator_sender::{Submit, SubmitAnswer};
use std::time::Duration;
use tokio::io::AsyncRead;

/// Longest wait for one answer; calls to nodes have shorter limits of their own.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// Why a worker leaves without having parked by its own decision.
#[derive(Debug, thiserror::Error)]
pub enum Leave {
    /// The facilitator stops; what is in hand is handed back.
    #[error("the facilitator stops")]
    Stopped,
    /// The parent is gone; the row is resumed by the next one.
    #[error("the parent process is gone")]
    ParentGone,
    /// The parent did not answer in time.
    #[error("no answer from the parent process for {} s", ANSWER_LIMIT.as_secs())]
    Silent,
    /// The connection broke.
    #[error(transparent)]
    Ipc(#[from] IpcError),
    /// The parent answered something else than what was asked.
    #[error("the parent process answered out of turn: {0}")]
    OutOfTurn(&'static str),
    /// A chain could not be read; to be tried again.
    #[error("{side} chain: {text}")]
    Unreadable {
        /// The chain.
        side: Side,
        /// What is wrong with it.
        text: String,
    },
}

/// The worker's end of its connection.
pub struct Desk<R> {
    sender: FrameSender<FromWorker>,
    receiver: FrameReader<ToWorker, R>,
    last_ask: u64,
    /// Asked to stop while something was being seen through.
    stopped: bool,
}

/// What a worker asks of the world. In the daemon its parent answers; a simulation may answer in its place.
#[expect(async_fn_in_trait, reason = "a worker is one task: nobody needs the futures to be sent")]
pub trait Errands {
    /// Reads several chains at the same time; answers in the order of the questions.
    ///
    /// # Errors
    /// [`Leave`] if the parent is gone or stops, or sends another number of answers than were asked for.
    async fn read_many(&mut self, reads: Vec<(Side, Vec<Query>)>) -> Result<Vec<Vec<Answer>>, Leave>;

    /// Hands over one transaction for each side and waits for both answers. They leave together, so that neither leg of
    /// a revealed secret waits for the other (protocol.md R4).
    ///
    /// # Errors
    /// [`Leave`] if the parent is gone or stops.
    async fn submit_many(&mut self, submits: Vec<(Side, Submit)>) -> Result<Vec<SubmitAnswer>, Leave>;

    /// Gets the secret of an attempt of the own request.
    ///
    /// # Errors
    /// [`Leave`] if the parent is gone or stops.
    async fn secret(&mut self, of: SecretInput) -> Result<UnlockSecret, Leave>;

    /// Commits a change of the row. When this returns, it is on disk (law 2).
    ///
    /// # Errors
    /// [`Leave`] if the parent is gone or stops; the change may or may not be committed then.
    async fn save(&mut self, update: Update) -> Result<(), Leave>;

    /// Reads one chain.
    ///
    /// # Errors
    /// [`Leave`] if the parent is gone or stops.
    async fn read(&mut self, side: Side, queries: Vec<Query>) -> Result<Vec<Answer>, Leave> {
        let mut both = self.read_many(vec![(side, queries)]).await?;
        Ok(both.pop().unwrap_or_default())
    }
}

impl<R: AsyncRead + Unpin> Desk<R> {
    /// Sits down at a connection.
    pub fn new(sender: FrameSender<FromWorker>, receiver: FrameReader<ToWorker, R>) -> Self {
        Self { sender, receiver, last_ask: 0, stopped: false }
    }

    /// Waits for the green light.
    ///
    /// # Errors
    /// [`Leave`] if the parent sends something else or nothing.
    pub async fn job(&mut self) -> Result<Job, Leave> {
        match self.next().await? {
            ToWorker::Job(job) => Ok(*job),
            other => Err(out_of_turn(&other)),
        }
    }

    /// Commits how the request is left, and waits until it is committed.
    ///
    /// # Errors
    /// [`Leave`] if the parent is gone.
    pub async fn park(&mut self, park: Park) -> Result<(), Leave> {
        self.sender.send(&FromWorker::Park(Box::new(park))).await?;
        loop {
            match self.receive().await? {
                ToWorker::Parked => return Ok(()),
                // It is leaving already, and after a stop the answers to its last questions may still come.
                ToWorker::Stop
                | ToWorker::Answers(..)
                | ToWorker::Submitted(..)
                | ToWorker::Secret(..)
                | ToWorker::Log(_)
                | ToWorker::Saved(_) => {}
                other @ ToWorker::Job(_) => return Err(out_of_turn(&other)),
            }
        }
    }

    fn next_ask(&mut self) -> Ask {
        self.last_ask += 1;
        Ask(self.last_ask)
    }

    async fn next(&mut self) -> Result<ToWorker, Leave> {
        if self.stopped {
            return Err(Leave::Stopped);
        }
        match self.receive().await? {
            ToWorker::Stop => Err(Leave::Stopped),
            message => Ok(message),
        }
    }

    async fn receive(&mut self) -> Result<ToWorker, Leave> {
        loop {
            let received = tokio::time::timeout(ANSWER_LIMIT, self.receiver.next()).await;
            match received.map_err(|_| Leave::Silent)??.ok_or(Leave::ParentGone)? {
                ToWorker::Log(filter) => crate::child::log_by(&filter),
                message => return Ok(message),
            }
        }
    }
}

impl<R: AsyncRead + Unpin> Errands for Desk<R> {
    async fn read_many(&mut self, reads: Vec<(Side, Vec<Query>)>) -> Result<Vec<Vec<Answer>>, Leave> {
        let mut open = Vec::with_capacity(reads.len());
        for (side, queries) in reads {
            let ask = self.next_ask();
            open.push((ask, queries.len(), None));
            self.sender.send(&FromWorker::Read(ask, side, queries)).await?;
        }
        while open.iter().any(|(_, _, answers)| answers.is_none()) {
            match self.next().await? {
                ToWorker::Answers(ask, answers) => fill(&mut open, ask, answers)?,
                other => return Err(out_of_turn(&other)),
            }
        }
        Ok(open.into_iter().map(|(_, _, answers)| answers.unwrap_or_default()).collect())
    }

    async fn submit_many(&mut self, submits: Vec<(Side, Submit)>) -> Result<Vec<SubmitAnswer>, Leave> {
        let mut open = Vec::with_capacity(submits.len());
        for (side, submit) in submits {
            let ask = self.next_ask();
            open.push((ask, None));
            tracing::info!(intent = submit.intent, %side, "handing a transaction over");
            self.sender.send(&FromWorker::Submit(ask, side, Box::new(submit))).await?;
        }
        while open.iter().any(|(_, answer)| answer.is_none()) {
            match self.receive().await? {
                // What is handed over is seen through: leaving now could drop one leg of a revealed secret (R4).
                ToWorker::Stop => self.stopped = true,
                ToWorker::Submitted(ask, answer) => {
                    let slot = open.iter_mut().find(|(asked, _)| *asked == ask);
                    slot.ok_or(Leave::OutOfTurn("an answer to no open question"))?.1 = Some(answer);
                }
                other => return Err(out_of_turn(&other)),
            }
        }
        Ok(open.into_iter().filter_map(|(_, answer)| answer).collect())
    }

    async fn secret(&mut self, of: SecretInput) -> Result<UnlockSecret, Leave> {
        let ask = self.next_ask();
        self.sender.send(&FromWorker::Secret(ask, of)).await?;
        match self.next().await? {
            ToWorker::Secret(answered, secret) if answered == ask => Ok(secret),
            other => Err(out_of_turn(&other)),
        }
    }

    async fn save(&mut self, update: Update) -> Result<(), Leave> {
        let ask = self.next_ask();
        self.sender.send(&FromWorker::Save(ask, Box::new(update))).await?;
        match self.next().await? {
            ToWorker::Saved(answered) if answered == ask => Ok(()),
            other => Err(out_of_turn(&other)),
        }
    }
}

type OpenRead = (Ask, usize, Option<Vec<Answer>>);

fn fill(open: &mut [OpenRead], ask: Ask, answers: Vec<Answer>) -> Result<(), Leave> {
    let slot = open.iter_mut().find(|(asked, _, _)| *asked == ask);
    let (_, expected, place) = slot.ok_or(Leave::OutOfTurn("an answer to no open question"))?;
    if answers.len() != *expected {
        return Err(Leave::OutOfTurn("another number of answers than questions"));
    }
    *place = Some(answers);
    Ok(())
}

/// Names what came, never what is in it: it may be a secret.
fn out_of_turn(message: &ToWorker) -> Leave {
    Leave::OutOfTurn(match message {
        ToWorker::Job(_) => "a job",
        ToWorker::Answers(..) => "answers",
        ToWorker::Submitted(..) => "the end of a transaction",
        ToWorker::Secret(..) => "a secret",
        ToWorker::Saved(_) => "a committed update",
        ToWorker::Parked => "a committed park",
        ToWorker::Log(_) => "a log filter",
        ToWorker::Stop => "a stop",
    })
}
