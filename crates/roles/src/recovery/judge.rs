//! The worker's step for every unfinished request, with nothing sent.

use super::desk::Desk;
use super::{Progress, Reach, RecoveryError, Tell};
use crate::clock::now_ms;
use crate::messages::Job;
use crate::parent::briefing::{Booked, Briefing};
use crate::parent::{PerSide, Setup};
use crate::worker::{Leave, Rehearsed, rehearse};
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{RequestId, Step, Wait};
use facilitator_protocol::secret::HashLockKey;
use facilitator_sender::Head;
use facilitator_store::requests::{Change, Filter, Record};
use facilitator_store::{Store, StoreError};
use std::collections::HashMap;
use tokio::task::JoinSet;

/// Requests that are looked at at the same time: their reads gather into few calls.
const AT_ONCE: u32 = 64;

/// Most looks at one request: one recognises its message, the next says what is to be done.
const MOST_LOOKS: u32 = 4;

/// Rows in one read of the list.
const PAGE: u32 = 10_000;

/// One request, and what comes next for it.
#[derive(Debug)]
pub struct Outlook {
    /// Its row as it is stored now.
    pub record: Record,
    /// The steps that the next start sends at once.
    pub next: Vec<Step>,
}

impl Outlook {
    /// Whether its message was declared under the lock that our own key gives (law 3).
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.record.request.hash_lock.is_some() && !self.record.request.hunted
    }
}

pub(super) async fn all(
    setup: &Setup,
    store: &Store,
    reach: &PerSide<Reach>,
    gateways: &[GatewaySet],
    heads: &PerSide<Option<Head>>,
    key: &HashLockKey,
    tell: Tell<'_>,
) -> Result<Vec<Outlook>, RecoveryError> {
    store.release_all_claims().await?;
    let of = unfinished(store).await?;
    let mut judging =
        Judging { store, owner: &setup.instance, looks: HashMap::new(), next: HashMap::new(), held: vec![] };
    let mut turns = PerSide::default();
    loop {
        let claimed = store.claim_ready(&setup.instance, AT_ONCE, now_ms()).await?;
        if claimed.is_empty() {
            break;
        }
        let briefs = store.brief(&claimed).await?;
        let mut booked = Booked::default();
        let mut briefing = Briefing { setup, gateways, heads, turns: &mut turns, booked: &mut booked };
        let mut looks = JoinSet::new();
        for (request, brief) in claimed.into_iter().zip(briefs) {
            if let Some(job) = briefing.job(request, &brief) {
                looks.spawn_local(look(Desk { reach: reach.clone(), key: key.clone() }, job));
            }
        }
        while let Some(looked) = looks.join_next().await {
            let (id, found) = looked.map_err(|error| RecoveryError::Broken(error.to_string()))?;
            judging.keep(id, found.map_err(|leave| RecoveryError::Broken(leave.to_string()))?).await?;
        }
        tell(Progress::Judging { done: judging.looks.len().min(of), of });
    }
    judging.leave_the_ready().await?;
    Ok(outlooks(store, judging.next).await?)
}

async fn look(mut desk: Desk, job: Job) -> (RequestId, Result<Rehearsed, Leave>) {
    (job.request.id, rehearse(&mut desk, job).await)
}

async fn unfinished(store: &Store) -> Result<usize, StoreError> {
    let counts = store.counts().await?;
    let open: u64 = counts.iter().filter(|count| !count.state.is_end()).map(|count| count.count).sum();
    Ok(usize::try_from(open).unwrap_or(usize::MAX))
}

struct Judging<'a> {
    store: &'a Store,
    owner: &'a str,
    looks: HashMap<RequestId, u32>,
    next: HashMap<RequestId, Vec<Step>>,
    /// Parks of those that have something to do: stored last, because stored they are ready to be claimed again.
    held: Vec<Change>,
}

impl Judging<'_> {
    async fn keep(&mut self, id: RequestId, found: Rehearsed) -> Result<(), StoreError> {
        let looks = self.looks.entry(id).or_default();
        *looks += 1;
        let has_something_to_do = !found.would_send.is_empty() || *looks >= MOST_LOOKS;
        let Rehearsed { saves, park, would_send } = found;
        let mut changes: Vec<Change> = saves.into_iter().map(|update| Change::Update { id, update }).collect();
        let retry_at_ms = park.retry_in_ms.map(|wait| now_ms().saturating_add_unsigned(wait));
        let ended = park.wait == Wait::End;
        let park = Change::Park { id, park, retry_at_ms };
        if has_something_to_do && !ended {
            self.next.insert(id, would_send);
            self.held.push(park);
        } else {
            changes.push(park);
        }
        self.store.save(self.owner, &changes, now_ms()).await.map(drop)
    }

    async fn leave_the_ready(&mut self) -> Result<(), StoreError> {
        self.store.save(self.owner, &self.held, now_ms()).await.map(drop)
    }
}

async fn outlooks(store: &Store, mut next: HashMap<RequestId, Vec<Step>>) -> Result<Vec<Outlook>, StoreError> {
    let mut found = Vec::new();
    let mut filter = Filter { limit: PAGE, ..Filter::default() };
    loop {
        let page = store.list(&filter).await?;
        let Some(last) = page.last() else { return Ok(found) };
        filter.after = Some(last.request.id);
        let outlook = |record: Record| Outlook { next: next.remove(&record.request.id).unwrap_or_default(), record };
        found.extend(page.into_iter().map(outlook));
    }
}
