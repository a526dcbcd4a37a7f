//! Requests that were refused because nobody served their gateway, once somebody does.

use crate::{
    db::{Row, Tx, args},
    error::Result,
};
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{Kind, RequestId, State};

/// Takes up the requests that a gateway pair serves and none of `before` did: each was refused without a look, for its
/// gateway alone (law 10). Whatever else speaks against one its next worker finds.
pub(crate) async fn take_up(tx: &mut Tx, before: &[GatewaySet], set: &GatewaySet, now_ms: i64) -> Result<()> {
    for kind in Kind::ALL.iter().copied() {
        let (gateway, Some(pool)) = (set.box_on(kind.source()), pool_of(set, kind)) else { continue };
        if before.iter().any(|known| known.serves(kind, gateway, pool)) {
            continue;
        }
        let sql = "UPDATE requests SET state = $1, done = 0, ready = 1, wakes = wakes + 1, failures = 0, holds = 0,
                retried_at_ms = $2, retry_at_ms = NULL, last_error = NULL, updated_at_ms = $2
            WHERE kind = $3 AND state = $4 AND hunted = 0 AND declared_block IS NULL
                AND gateway_address = $5 AND pool_address = $6 RETURNING id";
        let args = args![State::Requested.name(kind), now_ms, kind, State::Skipped.name(kind), gateway, pool];
        let ids: Vec<RequestId> = tx.fetch(sql, args).await?.iter_mut().map(Row::take).collect::<Result<_>>()?;
        for id in ids {
            super::log::append(tx, id, "taken up again: its gateway is configured now", now_ms).await?;
        }
    }
    Ok(())
}

const fn pool_of(set: &GatewaySet, kind: Kind) -> Option<facilitator_eth::Address> {
    match kind {
        Kind::Stake => Some(set.composer),
        Kind::Redeem => set.redeem_pool,
    }
}
