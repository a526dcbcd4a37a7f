//! The parent as a script: it answers what the worker asks from the table of [`Chains`], and keeps every word.

use crate::chains::Chains;
use crate::world::{WAKES, secret_of};
use facilitator_eth::B256;
use facilitator_ipc::{FrameReader, FrameSender, WriterOptions, start_writer};
use facilitator_protocol::model::{Park, Step, Update};
use facilitator_protocol::secret::UnlockSecret;
use facilitator_roles::messages::{FromWorker, Job, ToWorker};
use facilitator_roles::worker::{Desk, Leave, drive};
use facilitator_sender::{Submit, SubmitAnswer};
use std::collections::HashMap;
use tokio::io::{DuplexStream, duplex};

/// Room of the pipes in memory.
const PIPE: usize = 64 << 10;

/// What the parent does other than answering truthfully.
pub(crate) struct Script {
    pub(crate) chains: Chains,
    /// Answers of the senders; [`SubmitAnswer::Queued`] if none is given.
    pub(crate) submits: HashMap<Step, SubmitAnswer>,
    /// Answers that many messages, then says `Stop` before the next answer.
    pub(crate) stop_after: Option<usize>,
    /// Answers that many messages, then is gone.
    pub(crate) gone_after: Option<usize>,
    /// Another hash-lock key than that with which the message was accepted.
    pub(crate) another_key: bool,
}

impl Script {
    pub(crate) fn new(chains: Chains) -> Self {
        Self { chains, submits: HashMap::new(), stop_after: None, gone_after: None, another_key: false }
    }

    pub(crate) fn answering(mut self, step: Step, answer: SubmitAnswer) -> Self {
        self.submits.insert(step, answer);
        self
    }

    /// A worker's whole life, from the green light until its park is committed.
    pub(crate) async fn run(self, job: Job) -> Played {
        let (near, far) = duplex(PIPE);
        let (from_parent, to_worker) = tokio::io::split(near);
        let (from_worker, to_parent) = tokio::io::split(far);
        let (sender, _writer) = start_writer::<FromWorker, _>(to_worker, None, WriterOptions::default());
        let (answers, _writer) = start_writer::<ToWorker, _>(to_parent, None, WriterOptions::default());
        let parent = Parent { script: self, answers, heard: Vec::new(), told: String::new() };
        let parent = tokio::spawn(parent.play(FrameReader::new(from_worker), job));
        let result = {
            let mut desk = Desk::new(sender, FrameReader::new(from_parent));
            life(&mut desk).await
        };
        let (heard, told) = parent.await.unwrap();
        Played { result, heard, told }
    }
}

type Reading = tokio::io::ReadHalf<DuplexStream>;

async fn life(desk: &mut Desk<Reading>) -> Result<(), Leave> {
    let job = desk.job().await?;
    let park = drive(desk, job).await?;
    desk.park(park).await
}

struct Parent {
    script: Script,
    answers: FrameSender<ToWorker>,
    heard: Vec<FromWorker>,
    /// Everything that went over the pipes, as a log would show it.
    told: String,
}

impl Parent {
    async fn play(mut self, mut worker: FrameReader<FromWorker, Reading>, job: Job) -> (Vec<FromWorker>, String) {
        self.tell(ToWorker::Job(Box::new(job))).await;
        while let Some(message) = worker.next().await.unwrap() {
            self.told.push_str(&format!("{message:?}\n"));
            let parked = matches!(message, FromWorker::Park(_));
            self.heard.push(message);
            if self.script.gone_after.is_some_and(|count| self.heard.len() > count) {
                break;
            }
            if self.script.stop_after == Some(self.heard.len() - 1) {
                self.tell(ToWorker::Stop).await;
            }
            // Answers that are on their way when the stop comes arrive all the same.
            let answer = self.answer();
            self.tell(answer).await;
            if parked {
                break;
            }
        }
        (self.heard, self.told)
    }

    async fn tell(&mut self, message: ToWorker) {
        self.told.push_str(&format!("{message:?}\n"));
        // A worker that left early has not heard it.
        let _left = self.answers.send(&message).await;
    }

    fn answer(&self) -> ToWorker {
        match self.heard.last().unwrap() {
            FromWorker::Read(ask, side, queries) => {
                ToWorker::Answers(*ask, self.script.chains.answer_all(*side, queries))
            }
            FromWorker::Submit(ask, _, submit) => {
                let answer = self.script.submits.get(&submit.step).cloned().unwrap_or(SubmitAnswer::Queued);
                ToWorker::Submitted(*ask, answer)
            }
            FromWorker::Secret(ask, _) if self.script.another_key => {
                ToWorker::Secret(*ask, UnlockSecret::public(B256([1; 32])))
            }
            FromWorker::Secret(ask, input) => ToWorker::Secret(*ask, secret_of(input)),
            FromWorker::Save(ask, _) => ToWorker::Saved(*ask),
            FromWorker::Park(_) => ToWorker::Parked,
        }
    }
}

/// What came of it.
pub(crate) struct Played {
    pub(crate) result: Result<(), Leave>,
    pub(crate) heard: Vec<FromWorker>,
    /// Everything that was said in both directions, as `Debug` shows it.
    pub(crate) told: String,
}

impl Played {
    /// Each message in a word or two, in order.
    pub(crate) fn outline(&self) -> Vec<String> {
        self.heard.iter().map(outline).collect()
    }

    /// How the request is left: the last word.
    #[track_caller]
    pub(crate) fn park(&self) -> &Park {
        self.result.as_ref().unwrap();
        match self.heard.last() {
            Some(FromWorker::Park(park)) => {
                assert_eq!(park.wakes_seen, WAKES, "what happens meanwhile would be slept through");
                park
            }
            other => panic!("not parked: {other:?}"),
        }
    }

    pub(crate) fn saves(&self) -> Vec<&Update> {
        self.heard.iter().filter_map(saved).collect()
    }

    pub(crate) fn submits(&self) -> Vec<&Submit> {
        self.heard.iter().filter_map(submitted).collect()
    }
}

fn saved(message: &FromWorker) -> Option<&Update> {
    if let FromWorker::Save(_, update) = message { Some(update) } else { None }
}

fn submitted(message: &FromWorker) -> Option<&Submit> {
    if let FromWorker::Submit(_, _, submit) = message { Some(submit) } else { None }
}

fn outline(message: &FromWorker) -> String {
    match message {
        FromWorker::Read(_, side, _) => format!("read {side}"),
        FromWorker::Submit(_, side, submit) => format!("submit {side} {}", submit.step),
        FromWorker::Secret(..) => "secret".to_owned(),
        FromWorker::Save(..) => "save".to_owned(),
        FromWorker::Park(_) => "park".to_owned(),
    }
}
