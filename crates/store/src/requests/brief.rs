//! What a worker needs to know beside its row: roots, proofs under way, failures, and what its keys have in flight.
//!
//! Read for all claimed rows together, each question once.

use super::back::Back;
use crate::{
    Store,
    db::{Row, ToValue as _, Value, args},
    error::Result,
};
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::model::{Kind, Request, RequestId, Side, State, Step};
use facilitator_protocol::transfer::accept::InFlight;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Newest roots that a worker is told of.
const MAX_ROOTS: u32 = 64;

/// How often a step of a request has failed, and how last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedStep {
    /// The step.
    pub step: Step,
    /// How often.
    pub count: u32,
    /// How often for what it does, not for what happened to be: it would revert or did, or would do something else.
    pub refused: u32,
    /// The newest error.
    pub error: String,
}

/// Anchored roots by height, and heights that are being proven.
pub(super) type Heights = (Vec<(u64, B256)>, Vec<u64>);

/// A worker key: chain and account.
type Key = (u64, Address);

/// Unfinished requests that are accepted or about to be, by the worker keys that pay for their steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Burdens {
    in_flight: HashMap<Key, InFlight>,
    /// Messages of others that have a transaction under way.
    foreign: HashMap<Key, InFlight>,
    /// Bounties of those whose message is not declared yet, by the key that pays them and the gateway that takes them.
    bounties: HashMap<Key, BTreeMap<Address, U256>>,
}

/// What one request takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    kind: Kind,
    hunted: bool,
    origin: Key,
    auxiliary: Key,
    gateway: Address,
    /// Its bounty, as long as it is not paid.
    bounty: Option<U256>,
}

impl Share {
    /// The key that pays the bounty.
    const fn payer(&self) -> Key {
        match self.kind.source() {
            Side::Origin => self.origin,
            Side::Auxiliary => self.auxiliary,
        }
    }
}

/// What the database knows around a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Brief {
    /// Height and root, newest first: roots of the source chain anchored finally on the target chain, at or above the
    /// request's declaration. Empty for a request that is not declared.
    pub roots: Vec<(u64, B256)>,
    /// Heights of the source chain whose gateway proof is under way or done on the target chain, newest first.
    pub proving: Vec<u64>,
    /// Steps of this request that failed.
    pub failed: Vec<FailedStep>,
    /// Steps of this request whose transaction is queued, in flight, or mined and not final.
    pub alive: Vec<Step>,
    /// The way back, of a foreign message.
    pub back: Option<Back>,
    /// The same for all of one call.
    burdens: Arc<Burdens>,
    /// The request's own part of it.
    own: Option<Share>,
}

impl Brief {
    /// Other unfinished requests that are accepted, or about to be, and that this key has yet to pay steps for.
    /// What others left is not among them: own requests don't wait for it.
    #[must_use]
    pub fn in_flight_of(&self, chain_id: u64, account: Address) -> InFlight {
        self.without_own(&self.burdens.in_flight, false, (chain_id, account))
    }

    /// Other messages of others that this key has transactions under way for.
    #[must_use]
    pub fn foreign_of(&self, chain_id: u64, account: Address) -> InFlight {
        self.without_own(&self.burdens.foreign, true, (chain_id, account))
    }

    fn without_own(&self, all: &HashMap<Key, InFlight>, hunted: bool, key: Key) -> InFlight {
        let mut counted = all.get(&key).copied().unwrap_or_default();
        let own = self.own.filter(|own| own.hunted == hunted && (own.origin == key || own.auxiliary == key));
        match own.map(|own| own.kind) {
            Some(Kind::Stake) => counted.stakes = counted.stakes.saturating_sub(1),
            Some(Kind::Redeem) => counted.redeems = counted.redeems.saturating_sub(1),
            None => {}
        }
        counted
    }

    /// The bounties that this key has yet to pay for them, smallest units, as far as the gateways that take them are
    /// meant: their messages are not declared. A bounty is paid on the source chain alone.
    #[must_use]
    pub fn bounties_of(&self, chain_id: u64, account: Address, meant: impl Fn(Address) -> bool) -> U256 {
        let key = (chain_id, account);
        let takers = self.burdens.bounties.get(&key).into_iter().flatten();
        let sum = takers.filter(|(gateway, _)| meant(**gateway)).fold(U256::ZERO, |sum, (_, b)| sum.saturating_add(*b));
        let own = self.own.filter(|own| own.payer() == key && meant(own.gateway)).and_then(|own| own.bounty);
        sum.saturating_sub(own.unwrap_or(U256::ZERO))
    }
}

impl Store {
    /// The briefs of some requests, in their order.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn brief(&self, requests: &[Request]) -> Result<Vec<Brief>> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let burdens = Arc::new(self.burdens().await?);
        let mut own = self.shares(requests).await?;
        let mut failed = self.failed_steps(requests).await?;
        let mut alive = self.alive_steps(requests).await?;
        let mut briefs = Vec::with_capacity(requests.len());
        let mut heights: HashMap<(Kind, Address), Heights> = HashMap::new();
        for request in requests {
            let mut brief = Brief { burdens: burdens.clone(), ..Brief::default() };
            brief.own = own.remove(&request.id);
            brief.failed = failed.remove(&request.id).unwrap_or_default();
            brief.alive = alive.remove(&request.id).unwrap_or_default();
            let is_declared = request.state != State::Requested || request.declared_block.is_some() || request.hunted;
            if request.message_hash.is_some() && !request.state.is_end() && is_declared {
                let key = (request.kind, request.terms.gateway);
                if let std::collections::hash_map::Entry::Vacant(place) = heights.entry(key) {
                    place.insert(self.heights(request.kind, request.terms.gateway).await?);
                }
                let lowest = request.declared_block.unwrap_or(request.position.block_number);
                if let Some((roots, proving)) = heights.get(&key) {
                    brief.roots = roots.iter().copied().filter(|(height, _)| *height >= lowest).collect();
                    brief.proving = proving.iter().copied().filter(|height| *height >= lowest).collect();
                }
                if request.hunted {
                    self.add_oldest_roots(request, lowest, &mut brief.roots).await?;
                    brief.back = Some(self.back(request).await?);
                }
            }
            briefs.push(brief);
        }
        Ok(briefs)
    }

    pub(super) async fn heights(&self, kind: Kind, gateway: Address) -> Result<Heights> {
        Ok((self.roots(kind, gateway).await?, self.proving(kind, gateway).await?))
    }

    /// The newest roots of the source chain in the anchor that the request's gateway pair has on the target chain.
    async fn roots(&self, kind: Kind, gateway_address: Address) -> Result<Vec<(u64, B256)>> {
        let sql = format!("{} ORDER BY height DESC LIMIT $2", roots_of(kind));
        let mut rows = self.db.fetch(sql, args![gateway_address, MAX_ROOTS]).await?;
        rows.iter_mut().map(|row| Ok((row.take()?, row.take()?))).collect()
    }

    /// Heights out of the intents `prove:<contract>:<height>` that are alive or succeeded.
    async fn proving(&self, kind: Kind, gateway_address: Address) -> Result<Vec<u64>> {
        let (contract, gateway, target) = match kind {
            Kind::Stake => ("cogateway_address", "gateway_address", "auxiliary_chain_id"),
            Kind::Redeem => ("gateway_address", "cogateway_address", "origin_chain_id"),
        };
        // By chain too: a gateway and the cogateway of another one may have the same address on their chains.
        let sql = format!(
            "SELECT intent FROM transactions WHERE step = $1 AND state <> 'failed'
                AND chain_id = (SELECT MIN({target}) FROM gateways WHERE {gateway} = $2)
                AND to_address IN (SELECT {contract} FROM gateways WHERE {gateway} = $2)
             ORDER BY id DESC LIMIT $3"
        );
        let mut rows = self.db.fetch(sql, args![Step::ProveGateway.as_str(), gateway_address, MAX_ROOTS]).await?;
        let intents: Vec<String> = rows.iter_mut().map(Row::take).collect::<Result<_>>()?;
        let height = |intent: &String| intent.rsplit(':').next().and_then(|height| height.parse().ok());
        let mut heights: Vec<u64> = intents.iter().filter_map(height).collect();
        heights.sort_unstable_by(|a, b| b.cmp(a));
        Ok(heights)
    }

    async fn alive_steps(&self, requests: &[Request]) -> Result<HashMap<RequestId, Vec<Step>>> {
        let (places, args) = id_list(requests)?;
        let sql = format!(
            "SELECT DISTINCT request_id, step FROM transactions
             WHERE state IN ('queued', 'signed', 'broadcast', 'mined') AND request_id IN ({places})"
        );
        let mut found: HashMap<RequestId, Vec<Step>> = HashMap::new();
        for mut row in self.db.fetch(sql, args).await? {
            let id: RequestId = row.take()?;
            found.entry(id).or_default().push(row.take()?);
        }
        Ok(found)
    }

    /// A leg that was handed over behind a confirmation that failed was not tried.
    async fn failed_steps(&self, requests: &[Request]) -> Result<HashMap<RequestId, Vec<FailedStep>>> {
        let (places, args) = id_list(requests)?;
        let sql = format!(
            "SELECT t.request_id, t.step, COUNT(*), MAX(t.id),
                SUM(CASE WHEN t.failure_kind IN ('would_revert', 'reverted', 'unexpected') THEN 1 ELSE 0 END)
             FROM transactions AS t JOIN requests AS r ON r.id = t.request_id
             WHERE t.state = 'failed' AND t.request_id IN ({places})
               AND NOT (t.failure_kind = 'dependency_failed' AND t.after_intent LIKE 'confirm:%')
               AND (r.retried_at_ms IS NULL OR t.updated_at_ms > r.retried_at_ms)
             GROUP BY t.request_id, t.step"
        );
        let mut found: HashMap<RequestId, Vec<FailedStep>> = HashMap::new();
        for mut row in self.db.fetch(sql, args).await? {
            let (id, step, count): (RequestId, String, u32) = (row.take()?, row.take()?, row.take()?);
            let (newest, refused): (i64, u32) = (row.take()?, row.take()?);
            let step: Step = step
                .parse()
                .map_err(|problem: facilitator_protocol::model::UnknownName| row.damaged(&problem.to_string()))?;
            let error = self.failure_of(newest).await?;
            found.entry(id).or_default().push(FailedStep { step, count, refused, error });
        }
        Ok(found)
    }

    async fn failure_of(&self, transaction: i64) -> Result<String> {
        let rows = self.db.fetch("SELECT failure FROM transactions WHERE id = $1", args![transaction]).await?;
        let text: Option<String> = rows.into_iter().next().map_or(Ok(None), |mut row| row.take())?;
        Ok(text.unwrap_or_else(|| "no reason was kept".to_owned()))
    }

    async fn burdens(&self) -> Result<Burdens> {
        let sql = format!("SELECT {SHARE}, COUNT(*) FROM requests WHERE {IN_FLIGHT} GROUP BY {SHARE}");
        let mut found = Burdens::default();
        for mut row in self.db.fetch(sql, Vec::new()).await? {
            let share = read_share(&mut row)?;
            let count: u64 = row.take()?;
            let all = if share.hunted { &mut found.foreign } else { &mut found.in_flight };
            for key in [share.origin, share.auxiliary] {
                let counted = all.entry(key).or_default();
                match share.kind {
                    Kind::Stake => counted.stakes += count,
                    Kind::Redeem => counted.redeems += count,
                }
            }
            let unpaid = share.bounty.unwrap_or(U256::ZERO).saturating_mul(U256::from(count));
            let sum = found.bounties.entry(share.payer()).or_default().entry(share.gateway).or_default();
            *sum = sum.saturating_add(unpaid);
        }
        Ok(found)
    }

    /// What these requests themselves take part in.
    async fn shares(&self, requests: &[Request]) -> Result<HashMap<RequestId, Share>> {
        let (places, args) = id_list(requests)?;
        let sql = format!("SELECT {SHARE}, id FROM requests WHERE {IN_FLIGHT} AND id IN ({places})");
        let mut rows = self.db.fetch(sql, args).await?;
        let read = |row: &mut Row| {
            let own = read_share(row)?;
            Ok((row.take()?, own))
        };
        rows.iter_mut().map(read).collect()
    }
}

/// What money is needed for: the message is declared; or its lock is stored, and a worker is about to hand the accept
/// over, or it is on its way. A lock alone, left by an accept that failed or was put off, needs nothing: else such
/// requests would hold each other up though there is money for one after the other. Of a request whose event a reorg has
/// removed only a declared message will be worked on. A message of others has nothing of ours locked: it counts while a
/// transaction of it is under way.
const IN_FLIGHT: &str = "done = 0 AND hash_lock IS NOT NULL
    AND ((hunted = 0 AND (declared_block IS NOT NULL OR (orphaned = 0 AND (claimed_by IS NOT NULL OR EXISTS (SELECT 1
            FROM transactions AS t WHERE t.request_id = requests.id AND t.step = 'accept' AND t.state <> 'failed')))))
        OR (hunted = 1 AND EXISTS (SELECT 1 FROM transactions AS t WHERE t.request_id = requests.id
            AND t.state IN ('queued', 'signed', 'broadcast', 'mined'))))
    AND origin_worker_address IS NOT NULL AND auxiliary_worker_address IS NOT NULL";

/// The columns of [`read_share`].
const SHARE: &str =
    "kind, hunted, origin_chain_id, origin_worker_address, auxiliary_chain_id, auxiliary_worker_address,
    gateway_address, CASE WHEN declared_block IS NULL THEN bounty ELSE NULL END";

fn read_share(row: &mut Row) -> Result<Share> {
    Ok(Share {
        kind: row.take()?,
        hunted: row.take()?,
        origin: (row.take()?, row.take()?),
        auxiliary: (row.take()?, row.take()?),
        gateway: row.take()?,
        bounty: row.take()?,
    })
}

/// The roots of the source chain in the anchor that the gateway pair of the box `$1` has on the target chain.
pub(super) fn roots_of(kind: Kind) -> String {
    let (anchor, chain, gateway) = match kind {
        Kind::Stake => ("co_anchor_address", "auxiliary_chain_id", "gateway_address"),
        Kind::Redeem => ("anchor_address", "origin_chain_id", "cogateway_address"),
    };
    format!(
        "SELECT height, root FROM anchored_roots
         WHERE chain_id = (SELECT MIN({chain}) FROM gateways WHERE {gateway} = $1)
           AND anchor = (SELECT MIN({anchor}) FROM gateways WHERE {gateway} = $1)"
    )
}

/// The row numbers of some requests as the places of a list, and their values.
fn id_list(requests: &[Request]) -> Result<(String, Vec<Value>)> {
    let values = requests.iter().map(|request| request.id.to_value()).collect::<Result<Vec<_>>>()?;
    let places: Vec<String> = (1..=values.len()).map(|place| format!("${place}")).collect();
    Ok((places.join(", "), values))
}
