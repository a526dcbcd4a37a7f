//! Which keys pay for legs that reveal a secret, or are about to.
//!
//! A secret that is public in one leg must not wait for money in the other one (protocol.md R4). Whoever looks at a key's
//! balance before it reveals must know of those that look at the same balance, or have spent of it what no block shows.

use crate::{
    Store,
    db::{ToValue as _, args},
    error::Result,
};
use facilitator_eth::Address;
use facilitator_protocol::model::{Kind, Request};
use facilitator_protocol::transfer::accept::InFlight;
use std::collections::HashMap;

/// By chain and key, the requests with such a leg on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reveals(HashMap<(u64, Address), InFlight>);

impl Reveals {
    /// Those of one key.
    #[must_use]
    pub fn of(&self, chain_id: u64, account: Address) -> InFlight {
        self.0.get(&(chain_id, account)).copied().unwrap_or_default()
    }

    /// One more.
    pub fn add(&mut self, chain_id: u64, account: Address, kind: Kind) {
        self.add_many(chain_id, account, kind, 1);
    }

    fn add_many(&mut self, chain_id: u64, account: Address, kind: Kind, count: u64) {
        let known = self.0.entry((chain_id, account)).or_default();
        *known = known.plus(InFlight::many(kind, count));
    }
}

impl Store {
    /// The legs that are on their way and in no block yet, and those that workers have in hand, beside the workers of
    /// `requests`: they are yet to be told of each other.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn reveals(&self, requests: &[Request]) -> Result<Reveals> {
        let mut found = Reveals::default();
        if requests.is_empty() {
            return Ok(found);
        }
        let pair = self.pair();
        for (chain_id, worker) in
            [(pair.origin_chain_id, "origin_worker_address"), (pair.auxiliary_chain_id, "auxiliary_worker_address")]
        {
            let places: Vec<String> = (2..=requests.len() + 1).map(|place| format!("${place}")).collect();
            let mut values = args![chain_id];
            for request in requests {
                values.push(request.id.to_value()?);
            }
            let sql = format!(
                "SELECT kind, {worker}, COUNT(*) FROM requests
                 WHERE done = 0 AND declared_block IS NOT NULL AND {worker} IS NOT NULL
                   AND ((claimed_by IS NOT NULL AND hunted = 0 AND unlock_secret IS NULL AND id NOT IN ({}))
                     OR id IN (SELECT request_id FROM transactions
                        WHERE chain_id = $1 AND step IN ('progress_source', 'progress_target')
                          AND state IN ('queued', 'signed', 'broadcast', 'mined') AND state <> 'mined'))
                 GROUP BY kind, {worker}",
                places.join(", ")
            );
            for mut row in self.db.fetch(sql, values).await? {
                let (kind, account, count): (Kind, Address, u64) = (row.take()?, row.take()?, row.take()?);
                found.add_many(chain_id, account, kind, count);
            }
        }
        Ok(found)
    }
}
