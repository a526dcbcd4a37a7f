//! A worker's step without its effects: what it would find, and what it would hand to the senders first.
//!
//! The same step as the daemon's, so that what is foretold is what happens, unless the chains move on meanwhile.

use super::case::Case;
use super::desk::{Errands, Leave};
use super::step;
use crate::messages::Job;
use facilitator_chain::reader::{Answer, Query};
use facilitator_protocol::model::{Park, Side, Step, Update};
use facilitator_protocol::secret::{SecretInput, UnlockSecret};
use facilitator_sender::{Submit, SubmitAnswer};

/// What a worker found.
#[derive(Debug)]
pub struct Rehearsed {
    /// Facts to be stored, in order, before the park. None if something would be submitted: what belongs to an attempt is
    /// stored when it is made.
    pub saves: Vec<Update>,
    /// How it leaves the request. If something would be submitted, the request stays ready.
    pub park: Park,
    /// The steps that it would hand to the senders now.
    pub would_send: Vec<Step>,
}

/// As [`super::drive`], but nothing is submitted and nothing saved.
///
/// # Errors
/// [`Leave`] if the chains can't be asked at all.
pub async fn rehearse<D: Errands>(desk: &mut D, job: Job) -> Result<Rehearsed, Leave> {
    let mut case = Case::new(job);
    let mut stage = Rehearsal { desk, would_send: Vec::new(), saves: Vec::new() };
    let ended = step(&mut stage, &mut case).await;
    let Rehearsal { would_send, saves, .. } = stage;
    if !would_send.is_empty() {
        let park = case.ready_to_send(&would_send);
        return Ok(Rehearsed { saves: Vec::new(), park, would_send });
    }
    let park = match ended {
        Ok(park) => park,
        Err(Leave::Stopped) => case.hand_back(),
        Err(Leave::Unreadable { side, text }) => case.unreadable(side, &text),
        Err(fatal) => return Err(fatal),
    };
    Ok(Rehearsed { saves, park, would_send })
}

struct Rehearsal<'a, D> {
    desk: &'a mut D,
    would_send: Vec<Step>,
    saves: Vec<Update>,
}

impl<D: Errands> Errands for Rehearsal<'_, D> {
    async fn read_many(&mut self, reads: Vec<(Side, Vec<Query>)>) -> Result<Vec<Vec<Answer>>, Leave> {
        self.desk.read_many(reads).await
    }

    async fn submit_many(&mut self, submits: Vec<(Side, Submit)>) -> Result<Vec<SubmitAnswer>, Leave> {
        self.would_send = submits.iter().map(|(_, submit)| submit.step).collect();
        Err(Leave::Stopped)
    }

    async fn secret(&mut self, of: SecretInput) -> Result<UnlockSecret, Leave> {
        self.desk.secret(of).await
    }

    async fn save(&mut self, update: Update) -> Result<(), Leave> {
        self.saves.push(update);
        Ok(())
    }
}
