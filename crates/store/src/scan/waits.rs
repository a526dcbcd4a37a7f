//! Events that need no worker, since what comes next is another event. Each of them wakes whoever could do something
//! else; and whoever sleeps too long all the same is woken by the clock.

use super::derive::{Deriver, Place};
use crate::{
    db::{Row, args},
    error::Result,
};
use facilitator_eth::B256;
use facilitator_protocol::{
    gateway::GatewaySet,
    model::{Kind, RequestId, State, Step, awaited_root},
};

impl Deriver<'_> {
    /// Our own accept was mined, and its request waits for nothing else: what comes next is a state root that holds the
    /// message, for which no worker is needed unless there is one. Not where the target chain knows the message already, as
    /// one that was declared before a reorg: then it can go on at once. The request that waits now.
    pub(super) async fn await_root(
        &mut self,
        set: &GatewaySet,
        kind: Kind,
        hash: B256,
        place: &Place,
    ) -> Result<Option<RequestId>> {
        let (declared, target) = (place.at.block_number, kind.target());
        let sql = "UPDATE requests SET state = $1, failures = 0, holds = 0, wait_kind = 'root', wait_chain_id = $2,
                wait_anchor = $3, wait_block = $4, waiting_for = $5
            WHERE message_hash = $6 AND state = $7 AND wait_kind = 'happening' AND ready = 0
              AND hunted = 0 AND orphaned = 0
              AND EXISTS (SELECT 1 FROM waiters AS w JOIN transactions AS t ON t.id = w.transaction_id
                WHERE w.request_id = requests.id AND t.step = $8 AND t.state <> 'failed')
              AND NOT EXISTS (SELECT 1 FROM anchored_roots
                WHERE chain_id = $2 AND anchor = $3 AND height >= $4)
              AND NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.kind = requests.kind
                AND m.gateway_address = requests.gateway_address AND m.message_hash = requests.message_hash
                AND (m.confirmed_block IS NOT NULL OR m.target_progressed_block IS NOT NULL))
            RETURNING id";
        let args = args![
            State::Accepted.name(kind),
            set.chain_id(target),
            set.anchor_on(target),
            declared,
            awaited_root(kind.source(), declared),
            hash,
            State::Requested.name(kind),
            Step::Accept,
        ];
        self.tx.fetch_one(sql, args).await?.map(|mut row: Row| row.take()).transpose()
    }

    /// The source leg is progressed: its secret is public unless it was progressed by proof.
    ///
    /// Whoever waits for nothing but a transaction of the other leg has nothing to do now: the event of that one wakes, and
    /// its failure does.
    pub(super) async fn source_progressed(&mut self, kind: Kind, hash: B256, secret: Option<B256>) -> Result<()> {
        let sql = "UPDATE requests SET unlock_secret = COALESCE(unlock_secret, $1), updated_at_ms = $2,
                state = CASE WHEN state = $4 THEN $5 ELSE state END
            WHERE message_hash = $3";
        let (before, after) = (State::IntentConfirmed.name(kind), State::SourceProgressed.name(kind));
        self.tx.execute(sql, args![secret, self.now_ms, hash, before, after]).await?;
        let sql = "UPDATE requests SET wakes = wakes + 1, ready = 1
            WHERE message_hash = $1 AND (wait_kind <> 'happening' OR paid_out IS NOT NULL OR NOT EXISTS (SELECT 1
                FROM waiters AS w JOIN transactions AS t ON t.id = w.transaction_id
                WHERE w.request_id = requests.id AND t.step = $2
                  AND t.state IN ('queued', 'signed', 'broadcast', 'mined')))";
        self.count(sql, args![hash, Step::ProgressTarget]).await
    }
}
