//! The worker's desk: its errands become letters to the parent. The worker itself is the product's.

use crate::parent::Letter;
use crate::world::{Mail, Shared, until};
use facilitator_chain::reader::{Answer, Query};
use facilitator_protocol::model::{Park, Side, Update};
use facilitator_protocol::secret::{SecretInput, UnlockSecret};
use facilitator_roles::messages::Job;
use facilitator_roles::worker::{Errands, Leave, drive};
use facilitator_sender::{Submit, SubmitAnswer};

/// What a worker asks.
#[derive(Debug)]
pub(crate) enum Errand {
    Read(usize, Side, Vec<Query>),
    Submit(usize, Side, Box<Submit>),
    Secret(SecretInput),
    Save(Box<Update>),
    Park(Box<Park>),
}

/// What it hears.
#[derive(Debug)]
pub(crate) enum Reply {
    Answers(usize, Vec<Answer>),
    Submitted(usize, SubmitAnswer),
    Secret(UnlockSecret),
    Saved,
    Parked,
}

struct Desk {
    world: Shared,
    number: u64,
    mail: Mail<Reply>,
}

impl Desk {
    fn ask(&self, errand: Errand) {
        self.world.borrow_mut().parent.post(Letter::Worker(self.number, errand));
    }

    async fn reply(&self) -> Reply {
        loop {
            until(|| !self.mail.borrow().is_empty()).await;
            if let Some(reply) = self.mail.borrow_mut().pop_front() {
                return reply;
            }
        }
    }

    /// Waits for one reply for each of `count` questions.
    async fn replies<T>(&self, count: usize, pick: impl Fn(Reply) -> Option<(usize, T)>) -> Result<Vec<T>, Leave> {
        let mut found: Vec<(usize, T)> = Vec::with_capacity(count);
        while found.len() < count {
            let reply = self.reply().await;
            found.push(pick(reply).ok_or(Leave::OutOfTurn("another reply"))?);
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(found.into_iter().map(|(_, reply)| reply).collect())
    }
}

impl Errands for Desk {
    async fn read_many(&mut self, reads: Vec<(Side, Vec<Query>)>) -> Result<Vec<Vec<Answer>>, Leave> {
        let count = reads.len();
        for (place, (side, queries)) in reads.into_iter().enumerate() {
            self.ask(Errand::Read(place, side, queries));
        }
        let pick = |reply| if let Reply::Answers(place, answers) = reply { Some((place, answers)) } else { None };
        self.replies(count, pick).await
    }

    async fn submit_many(&mut self, submits: Vec<(Side, Submit)>) -> Result<Vec<SubmitAnswer>, Leave> {
        let count = submits.len();
        for (place, (side, submit)) in submits.into_iter().enumerate() {
            self.ask(Errand::Submit(place, side, Box::new(submit)));
        }
        let pick = |reply| if let Reply::Submitted(place, answer) = reply { Some((place, answer)) } else { None };
        self.replies(count, pick).await
    }

    async fn secret(&mut self, of: SecretInput) -> Result<UnlockSecret, Leave> {
        self.ask(Errand::Secret(of));
        if let Reply::Secret(secret) = self.reply().await { Ok(secret) } else { Err(Leave::OutOfTurn("no secret")) }
    }

    async fn save(&mut self, update: Update) -> Result<(), Leave> {
        self.ask(Errand::Save(Box::new(update)));
        if let Reply::Saved = self.reply().await { Ok(()) } else { Err(Leave::OutOfTurn("not saved")) }
    }
}

/// The life of a worker: the product's decision, then its park.
pub(crate) async fn worker(world: Shared, number: u64, mail: Mail<Reply>, job: Job) {
    let mut desk = Desk { world, number, mail };
    let Ok(park) = drive(&mut desk, job).await else { return };
    desk.ask(Errand::Park(Box::new(park)));
    while !matches!(desk.reply().await, Reply::Parked) {}
}
