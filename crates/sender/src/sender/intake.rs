//! Taking submissions: into the journal once per intent, whoever and however many ask.

use super::Sender;
use crate::{
    SenderError,
    book::{DependencyDone, Flight, answer_of},
    keep::Keep,
    node::Ask,
    policy::account,
    types::{Failure, Submit, SubmitAnswer, Visibility},
};
use facilitator_eth::Address;
use facilitator_kill::kill_point;
use facilitator_store::journal::{self, EntryState, NewEntry};
use std::collections::BTreeMap;

/// What a submission leads to before the journal is written.
enum Verdict {
    /// Answered already.
    Known(SubmitAnswer),
    /// To be queued, signed by this account.
    Queue(Address),
}

/// How far an intent is that is not in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// It has its effect.
    Done,
    /// Another instance's key signs it.
    UnderWay,
    /// It has failed, or was never asked for.
    Nowhere,
}

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Takes submissions, all in one database transaction, and answers each in order. Follow with [`Sender::work`].
    ///
    /// If the process dies right after, public ones are found in the journal by the next sender; those that reveal a
    /// secret end there as [`Failure::Interrupted`], which wakes their request, and are submitted again.
    ///
    /// # Errors
    /// [`SenderError::Store`]. If it [`SenderError::passes`], submit the same again once [`Sender::trouble`] is over.
    pub async fn submit(&mut self, submits: Vec<Submit>, now_ms: i64) -> Result<Vec<SubmitAnswer>, SenderError> {
        self.note_time(now_ms);
        let done = self.take_in(&submits, now_ms).await;
        self.note_database(&done, now_ms);
        done
    }

    async fn take_in(&mut self, submits: &[Submit], now_ms: i64) -> Result<Vec<SubmitAnswer>, SenderError> {
        if self.trouble().is_some() {
            self.keep_leases(now_ms).await?;
            self.recover(now_ms).await?;
        }
        let ended = self.ended(submits, now_ms).await?;
        let mut answers: Vec<Option<SubmitAnswer>> = Vec::with_capacity(submits.len());
        let mut chosen: BTreeMap<String, Address> = BTreeMap::new();
        let mut queue: Vec<(usize, &Submit)> = Vec::new();
        for (index, submit) in submits.iter().enumerate() {
            match self.judge(submit, &chosen, &ended).await? {
                Verdict::Known(answer) => answers.push(Some(answer)),
                Verdict::Queue(account) => {
                    chosen.entry(submit.intent.clone()).or_insert(account);
                    queue.push((index, submit));
                    answers.push(None);
                }
            }
        }
        let entries: Vec<NewEntry> =
            queue.iter().map(|(_, submit)| new_entry(submit, chosen.get(&submit.intent).copied())).collect();
        kill_point!("sender.submitted");
        let queued =
            if entries.is_empty() { Vec::new() } else { self.journal.queue(&self.leases(), &entries, now_ms).await? };
        kill_point!("sender.queued");
        for ((index, submit), queued) in queue.into_iter().zip(queued) {
            if let Some(slot) = answers.get_mut(index) {
                *slot = Some(self.adopt(queued.entry, submit));
            }
        }
        if self.waits_for_others() {
            self.check_dependencies(now_ms).await?;
        }
        // Every slot was answered above or by the journal, which returns one entry for each asked.
        Ok(answers.into_iter().map(|answer| answer.unwrap_or(SubmitAnswer::Queued)).collect())
    }

    /// The answers for intents that are over and well.
    async fn ended(&mut self, submits: &[Submit], now_ms: i64) -> Result<BTreeMap<String, SubmitAnswer>, SenderError> {
        let mut intents: BTreeMap<&String, u64> = BTreeMap::new();
        for submit in submits {
            let seen = intents.entry(&submit.intent).or_default();
            *seen = submit.seen.max(*seen);
        }
        let mut finals = Vec::new();
        for (intent, seen) in intents {
            if self.book.by_intent(intent).is_none() {
                let entry = self.journal.by_intent(intent).await?.filter(|entry| entry.state == EntryState::Final);
                finals.extend(entry.map(|entry| (entry, seen)));
            }
        }
        self.recheck(finals, now_ms).await
    }

    async fn judge(
        &mut self,
        submit: &Submit,
        chosen: &BTreeMap<String, Address>,
        ended: &BTreeMap<String, SubmitAnswer>,
    ) -> Result<Verdict, SenderError> {
        if let Some(flight) = self.book.by_intent_mut(&submit.intent) {
            if flight.data.is_none() {
                flight.data = Some(submit.data.clone());
            }
            let known = submit.request_id.is_none_or(|id| flight.waiters.contains(&id));
            let account = flight.account;
            return Ok(if known { Verdict::Known(flight.answer()) } else { Verdict::Queue(account) });
        }
        if let Some(account) = chosen.get(&submit.intent) {
            return Ok(Verdict::Queue(*account));
        }
        if let Some(answer) = ended.get(&submit.intent) {
            return Ok(Verdict::Known(answer.clone()));
        }
        if self.book.len() + chosen.len() >= self.settings.max_live {
            return Ok(fail(Failure::Busy { limit: self.settings.max_live }));
        }
        if let Some(after) = &submit.after
            && !chosen.contains_key(after)
            && self.book.by_intent(after).is_none()
            && self.elsewhere(after).await? == Elsewhere::Nowhere
        {
            return Ok(fail(Failure::DependencyFailed(format!("`{after}` is neither alive nor done"))));
        }
        Ok(match self.choose(submit.from, chosen) {
            Ok(account) => Verdict::Queue(account),
            Err(reason) => fail(Failure::NoAccount(reason)),
        })
    }

    /// What the journal says of an intent that is not in the book.
    pub(super) async fn elsewhere(&self, intent: &str) -> Result<Elsewhere, SenderError> {
        let Some(entry) = self.journal.by_intent(intent).await? else { return Ok(Elsewhere::Nowhere) };
        Ok(match entry.state {
            EntryState::Final | EntryState::Mined => Elsewhere::Done,
            EntryState::Queued | EntryState::Signed | EntryState::Broadcast
                if entry.account.is_some_and(|account| !self.may_sign(account)) =>
            {
                Elsewhere::UnderWay
            }
            EntryState::Queued | EntryState::Signed | EntryState::Broadcast | EntryState::Failed => Elsewhere::Nowhere,
        })
    }

    fn choose(&mut self, from: Option<Address>, chosen: &BTreeMap<String, Address>) -> Result<Address, String> {
        if let Some(from) = from {
            return match self.accounts.get(&from) {
                Some(account) if account.key.is_none() => Err(self.not_ours(from)),
                None => Err(self.not_ours(from)),
                Some(account) if account.lease.is_none() => Err(format!("another process signs for {from}")),
                Some(_) => Ok(from),
            };
        }
        let load = |address: &Address| {
            self.book.of(*address).count() + chosen.values().filter(|account| *account == address).count()
        };
        let usable: Vec<(Address, usize)> =
            self.accounts.keys().filter(|a| self.may_sign(**a)).map(|a| (*a, load(a))).collect();
        let account = account::choose(&usable, self.last_chosen)
            .ok_or_else(|| "another process signs for all workers of this chain".to_owned())?;
        self.last_chosen = Some(account);
        Ok(account)
    }

    fn not_ours(&self, account: Address) -> String {
        format!("{account} is none of the workers of chain {}", self.settings.chain_id)
    }

    /// Takes what the journal has for a submission into the book.
    fn adopt(&mut self, entry: journal::Entry, submit: &Submit) -> SubmitAnswer {
        let answer = answer_of(&entry);
        if let Some(flight) = self.book.get_mut(entry.id) {
            flight.waiters.extend(submit.request_id);
            return answer;
        }
        // An entry of another instance's account stays theirs: it is only reported.
        let Some(account) = entry.account.filter(|account| self.accounts.contains_key(account)) else { return answer };
        let mut flight = Flight::new(entry, account);
        flight.waiters.extend(submit.request_id);
        flight.data.get_or_insert_with(|| submit.data.clone());
        if flight.entry.after.is_none() {
            flight.dependency_done = DependencyDone::Yes;
        }
        self.book.insert(flight);
        answer
    }
}

fn fail(failure: Failure) -> Verdict {
    Verdict::Known(SubmitAnswer::Failed(failure))
}

fn new_entry(submit: &Submit, account: Option<Address>) -> NewEntry {
    NewEntry {
        intent: submit.intent.clone(),
        request_id: submit.request_id,
        step: submit.step,
        account,
        to: submit.to,
        value: submit.value,
        data: submit.data.clone(),
        visibility: match submit.visibility {
            Visibility::Public => journal::Visibility::Public,
            Visibility::Reveals => journal::Visibility::Reveals,
        },
        after: submit.after.clone(),
        allowance: submit.allowance.map(|allowance| journal::Allowance {
            token: allowance.token,
            spender: allowance.spender,
            amount: allowance.amount,
        }),
        expect: submit.expect,
    }
}
