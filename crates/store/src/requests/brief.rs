//! What a worker needs to know beside its row: roots, proofs under way, failures, and what its keys have in flight.
//!
//! Read for all claimed rows together, each question once.

use crate::{
    Store,
    db::{ToValue as _, Value, args},
    error::Result,
};
use facilitator_eth::{Address, B256};
use facilitator_protocol::model::{Kind, Request, RequestId, State, Step};
use std::collections::HashMap;
use std::sync::Arc;

/// Newest roots that a worker is told of.
const MAX_ROOTS: u32 = 16;

/// How often a step of a request has failed, and how last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedStep {
    /// The step.
    pub step: Step,
    /// How often.
    pub count: u32,
    /// The newest error.
    pub error: String,
}

/// Anchored roots by height, and heights that are being proven.
type Heights = (Vec<(u64, B256)>, Vec<u64>);

/// Unfinished accepted requests by the worker that pays for their steps.
type InFlight = HashMap<(u64, Address), u64>;

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
    /// The same for all of one call.
    in_flight: Arc<InFlight>,
}

impl Brief {
    /// Unfinished accepted requests that this key has yet to pay steps for.
    #[must_use]
    pub fn in_flight_of(&self, chain_id: u64, account: Address) -> u64 {
        self.in_flight.get(&(chain_id, account)).copied().unwrap_or(0)
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
        let in_flight = Arc::new(self.in_flight().await?);
        let mut failed = self.failed_steps(requests).await?;
        let mut briefs = Vec::with_capacity(requests.len());
        let mut heights: HashMap<(Kind, Address), Heights> = HashMap::new();
        for request in requests {
            let mut brief = Brief { in_flight: in_flight.clone(), ..Brief::default() };
            brief.failed = failed.remove(&request.id).unwrap_or_default();
            if request.message_hash.is_some() && !request.state.is_end() && request.state != State::Requested {
                let key = (request.kind, request.terms.gateway);
                if let std::collections::hash_map::Entry::Vacant(place) = heights.entry(key) {
                    place.insert((self.roots(request).await?, self.proving(request).await?));
                }
                let lowest = request.declared_block.unwrap_or(request.position.block_number);
                if let Some((roots, proving)) = heights.get(&key) {
                    brief.roots = roots.iter().copied().filter(|(height, _)| *height >= lowest).collect();
                    brief.proving = proving.iter().copied().filter(|height| *height >= lowest).collect();
                }
            }
            briefs.push(brief);
        }
        Ok(briefs)
    }

    /// The newest roots of the source chain in the anchor that the request's gateway pair has on the target chain.
    async fn roots(&self, request: &Request) -> Result<Vec<(u64, B256)>> {
        let (anchor, chain, gateway) = match request.kind {
            Kind::Stake => ("co_anchor_address", "auxiliary_chain_id", "gateway_address"),
            Kind::Redeem => ("anchor_address", "origin_chain_id", "cogateway_address"),
        };
        let sql = format!(
            "SELECT height, root FROM anchored_roots
             WHERE chain_id = (SELECT MIN({chain}) FROM gateways WHERE {gateway} = $1)
               AND anchor = (SELECT MIN({anchor}) FROM gateways WHERE {gateway} = $1)
             ORDER BY height DESC LIMIT $2"
        );
        let mut rows = self.db.fetch(sql, args![request.terms.gateway, MAX_ROOTS]).await?;
        rows.iter_mut().map(|row| Ok((row.take()?, row.take()?))).collect()
    }

    /// Heights out of the intents `prove:<contract>:<height>` that are alive or succeeded.
    async fn proving(&self, request: &Request) -> Result<Vec<u64>> {
        let (contract, gateway) = match request.kind {
            Kind::Stake => ("cogateway_address", "gateway_address"),
            Kind::Redeem => ("gateway_address", "cogateway_address"),
        };
        let sql = format!(
            "SELECT intent FROM transactions WHERE step = $1 AND state <> 'failed' AND to_address IN
                (SELECT {contract} FROM gateways WHERE {gateway} = $2)
             ORDER BY id DESC LIMIT $3"
        );
        let mut rows = self.db.fetch(sql, args![Step::ProveGateway.as_str(), request.terms.gateway, MAX_ROOTS]).await?;
        let intents: Vec<String> = rows.iter_mut().map(crate::db::Row::take).collect::<Result<_>>()?;
        let height = |intent: &String| intent.rsplit(':').next().and_then(|height| height.parse().ok());
        let mut heights: Vec<u64> = intents.iter().filter_map(height).collect();
        heights.sort_unstable_by(|a, b| b.cmp(a));
        Ok(heights)
    }

    async fn failed_steps(&self, requests: &[Request]) -> Result<HashMap<RequestId, Vec<FailedStep>>> {
        let mut args: Vec<Value> = Vec::with_capacity(requests.len());
        let mut places = Vec::with_capacity(requests.len());
        for request in requests {
            args.push(request.id.to_value()?);
            places.push(format!("${}", args.len()));
        }
        let sql = format!(
            "SELECT request_id, step, COUNT(*), MAX(id) FROM transactions
             WHERE state = 'failed' AND request_id IN ({}) GROUP BY request_id, step",
            places.join(", ")
        );
        let mut found: HashMap<RequestId, Vec<FailedStep>> = HashMap::new();
        for mut row in self.db.fetch(sql, args).await? {
            let (id, step, count): (RequestId, String, u32) = (row.take()?, row.take()?, row.take()?);
            let newest: i64 = row.take()?;
            let step: Step = step
                .parse()
                .map_err(|problem: facilitator_protocol::model::UnknownName| row.damaged(&problem.to_string()))?;
            let error = self.failure_of(newest).await?;
            found.entry(id).or_default().push(FailedStep { step, count, error });
        }
        Ok(found)
    }

    async fn failure_of(&self, transaction: i64) -> Result<String> {
        let rows = self.db.fetch("SELECT failure FROM transactions WHERE id = $1", args![transaction]).await?;
        let text: Option<String> = rows.into_iter().next().map_or(Ok(None), |mut row| row.take())?;
        Ok(text.unwrap_or_else(|| "no reason was kept".to_owned()))
    }

    async fn in_flight(&self) -> Result<InFlight> {
        let sql =
            "SELECT origin_chain_id, origin_worker_address, auxiliary_chain_id, auxiliary_worker_address, COUNT(*)
            FROM requests WHERE done = 0 AND declared_block IS NOT NULL AND origin_worker_address IS NOT NULL
                AND auxiliary_worker_address IS NOT NULL
            GROUP BY origin_chain_id, origin_worker_address, auxiliary_chain_id, auxiliary_worker_address";
        let mut found = InFlight::new();
        for mut row in self.db.fetch(sql, Vec::new()).await? {
            let origin: (u64, Address) = (row.take()?, row.take()?);
            let auxiliary: (u64, Address) = (row.take()?, row.take()?);
            let count: u64 = row.take()?;
            *found.entry(origin).or_default() += count;
            *found.entry(auxiliary).or_default() += count;
        }
        Ok(found)
    }
}
