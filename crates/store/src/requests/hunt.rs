//! Messages that others left unfinished become rows of the same table: from there the same calendar, journal and
//! rollback hold for them as for requests.

use crate::{
    Store,
    db::{Row, Tx, args},
    error::{Result, StoreError},
    gateways, scan,
};
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::{
    events::Event,
    gateway::GatewaySet,
    model::{Kind, LogPosition, RequestId, State},
};

/// When a message counts as left, and how often one that does not pay is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hunting {
    /// Blocks since the last step of its life, on the chain of that step.
    pub after_blocks: u64,
    /// Milliseconds after which one that was left alone is judged anew.
    pub recheck_ms: i64,
    /// Most rows that wait to be claimed after a call: what can't be worked on yet is found by a later one.
    pub limit: u32,
}

/// A message without a row of its own that was left unfinished.
struct Left {
    kind: Kind,
    gateway: Address,
    hash: B256,
    sender: Address,
    nonce: U256,
    source_chain_id: u64,
}

/// The last step of a message's life lies back for more than `$1` blocks, and neither a row nor a request that may still
/// turn out to be its origin stands for it.
const LEFT: &str = "SELECT m.kind, m.gateway_address, m.message_hash, m.sender, m.nonce, m.source_chain_id
    FROM messages AS m
    JOIN checkpoints AS source ON source.chain_id = m.source_chain_id
    JOIN checkpoints AS target ON target.chain_id = m.target_chain_id
    WHERE m.declared_block IS NOT NULL AND m.reverted_block IS NULL
      AND (m.source_progressed_block IS NULL OR m.target_progressed_block IS NULL)
      AND m.declared_block + $1 < source.block_number
      AND (m.source_progressed_block IS NULL OR m.source_progressed_block + $1 < source.block_number)
      AND (m.confirmed_block IS NULL OR m.confirmed_block + $1 < target.block_number)
      AND (m.target_progressed_block IS NULL OR m.target_progressed_block + $1 < target.block_number)
      AND NOT EXISTS (SELECT 1 FROM requests AS own
        WHERE own.message_hash = m.message_hash AND own.gateway_address = m.gateway_address)
      AND NOT EXISTS (SELECT 1 FROM requests AS asked
        WHERE asked.gateway_address = m.gateway_address AND asked.sender_proxy = m.sender AND asked.nonce = m.nonce
          AND asked.kind = m.kind AND asked.done = 0)
    ORDER BY m.declared_block LIMIT $2";

impl Store {
    /// Makes rows of messages that others left unfinished, and takes up those again that were left alone for long; how
    /// many have something to do now. A death before this returns leaves everything for the next call.
    ///
    /// # Errors
    /// [`StoreError`] of the database; then nothing is changed.
    pub async fn hunt(&self, hunting: &Hunting, now_ms: i64) -> Result<u64> {
        // Alone: what was left is looked for first, and two that look at the same time would take it up twice.
        let mut tx = self.db.begin_alone().await?;
        let sql = "SELECT COUNT(*) FROM requests WHERE done = 0 AND claimed_by IS NULL AND ready = 1 AND hunted = 1";
        let waiting: u32 = tx.fetch_one(sql, Vec::new()).await?.map_or(Ok(0), |mut row| row.take())?;
        let room = hunting.limit.saturating_sub(waiting);
        let mut rows = tx.fetch(LEFT, args![hunting.after_blocks, room]).await?;
        let left: Vec<Left> = rows.iter_mut().map(left).collect::<Result<_>>()?;
        let sets = if left.is_empty() { Vec::new() } else { gateways::read(&mut tx).await? };
        let mut found = 0;
        for message in &left {
            found += u64::from(adopt(&mut tx, &sets, message, now_ms).await?);
        }
        let sql = "UPDATE requests SET state = $1, done = 0, ready = 1, wakes = wakes + 1, updated_at_ms = $2
            WHERE id IN (SELECT id FROM requests WHERE hunted = 1 AND done = 1 AND state = $3 AND updated_at_ms <= $4
                ORDER BY updated_at_ms LIMIT $5)";
        let [accepted, skipped] = [State::Accepted, State::Skipped].map(|state| state.name(Kind::Stake));
        let before = now_ms.saturating_sub(hunting.recheck_ms);
        let room = u64::from(room).saturating_sub(found);
        found += tx.execute(sql, args![accepted, now_ms, skipped, before, room]).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Ends what was queued for messages that others left and was never signed: nobody hunts any more. `accounts` are the
    /// keys of this instance, by chain; those of another one are its own affair. A gateway proof that an own request waits
    /// for as well stays. To be called before a sender begins; how many ended.
    ///
    /// # Errors
    /// [`StoreError`] of the database; then nothing is changed.
    pub async fn end_queued_hunts(&self, accounts: &[(u64, Address)], now_ms: i64) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let mut ended = 0;
        for (chain_id, account) in accounts {
            let sql = "UPDATE transactions SET state = 'failed', waiting_for = NULL, updated_at_ms = $3,
                    failure_kind = 'interrupted', failure = 'finishing what others left was turned off (`hunter.enabled`)'
                WHERE chain_id = $1 AND account = $2 AND state = 'queued'
                  AND EXISTS (SELECT 1 FROM requests AS r WHERE r.id = transactions.request_id AND r.hunted = 1)
                  AND NOT EXISTS (SELECT 1 FROM waiters AS w JOIN requests AS own ON own.id = w.request_id
                    WHERE w.transaction_id = transactions.id AND own.hunted = 0)
                RETURNING id";
            for mut row in tx.fetch(sql, args![chain_id, account, now_ms]).await? {
                let id: i64 = row.take()?;
                let sql = "UPDATE requests SET wakes = wakes + 1, ready = 1
                    WHERE id IN (SELECT request_id FROM waiters WHERE transaction_id = $1)";
                tx.execute(sql, args![id]).await?;
                ended += 1;
            }
        }
        tx.commit().await?;
        Ok(ended)
    }
}

fn left(row: &mut Row) -> Result<Left> {
    Ok(Left {
        kind: row.take()?,
        gateway: row.take()?,
        hash: row.take()?,
        sender: row.take()?,
        nonce: row.take()?,
        source_chain_id: row.take()?,
    })
}

/// What the declaration says of a message.
struct Declaration {
    at: LogPosition,
    amount: U256,
    beneficiary: Address,
}

async fn declaration(tx: &mut Tx, message: &Left) -> Result<Option<Declaration>> {
    let sql = "SELECT chain_id, block_number, block_hash, tx_hash, log_index, data FROM events
        WHERE message_hash = $1 AND chain_id = $2 AND address = $3
          AND name IN ('StakeIntentDeclared', 'RedeemIntentDeclared') ORDER BY id DESC LIMIT 1";
    let args = args![message.hash, message.source_chain_id, message.gateway];
    let Some(mut row) = tx.fetch_one(sql, args).await? else { return Ok(None) };
    let at = LogPosition {
        chain_id: row.take()?,
        block_number: row.take()?,
        block_hash: row.take()?,
        tx_hash: row.take()?,
        log_index: row.take()?,
    };
    let json: String = row.take()?;
    let damaged = |problem: String| StoreError::Damaged { name: "event".to_owned(), problem };
    let event = serde_json::from_str::<Event>(&json).map_err(|problem| damaged(problem.to_string()))?;
    let (amount, beneficiary) = if let Event::StakeIntentDeclared(event) = event {
        (event.amount, event.beneficiary)
    } else if let Event::RedeemIntentDeclared(event) = event {
        (event.amount, event.beneficiary)
    } else {
        return Err(damaged(format!("{} stands where a declaration should", event.name())));
    };
    Ok(Some(Declaration { at, amount, beneficiary }))
}

/// Makes the row of a message; whether it is new. Gas price, gas limit and hash lock are not known yet.
async fn adopt(tx: &mut Tx, sets: &[GatewaySet], message: &Left, now_ms: i64) -> Result<bool> {
    let Left { kind, gateway, hash, sender, nonce, .. } = *message;
    let Some(set) = sets.iter().find(|set| set.box_on(kind.source()) == gateway) else { return Ok(false) };
    let Some(Declaration { at, amount, beneficiary }) = declaration(tx, message).await? else { return Ok(false) };
    let asked = asked(tx, message).await?;
    let zero = U256::ZERO;
    let sql = "INSERT INTO requests (kind, state, origin_chain_id, auxiliary_chain_id, pool_address, amount, beneficiary,
            gas_price, gas_limit, nonce, sender, sender_proxy, gateway_address, request_hash,
            event_chain_id, event_block_number, event_block_hash, event_tx_hash, event_log_index,
            message_hash, message_sender, hunted, created_at_ms, updated_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11, $5, $12, $13, $14, $15, $16, $17, $12, $11, 1, $18, $18)
        ON CONFLICT (event_chain_id, pool_address, event_tx_hash, event_log_index) DO NOTHING RETURNING id";
    let owner = asked.as_ref().map_or(sender, |(staker, _)| *staker);
    let args = args![
        kind,
        State::Accepted.name(kind),
        set.origin_chain_id,
        set.auxiliary_chain_id,
        gateway,
        amount,
        beneficiary,
        zero,
        nonce,
        owner,
        sender,
        hash,
        at.chain_id,
        at.block_number,
        at.block_hash,
        at.tx_hash,
        at.log_index,
        now_ms,
    ];
    let Some(mut row) = tx.fetch_one(sql, args).await? else { return Ok(false) };
    let id: RequestId = row.take()?;
    let whose = match asked {
        Some((_, request)) => format!("another facilitator accepted it for request {request}"),
        None => format!("{sender} declared it without a request that is known here"),
    };
    super::log::append(tx, id, &format!("found unfinished: {whose}, and no step followed for long"), now_ms).await?;
    scan::catch_up(tx, hash, now_ms).await?;
    Ok(true)
}

/// The request that the message is the answer to: its staker or redeemer, and its hash.
async fn asked(tx: &mut Tx, message: &Left) -> Result<Option<(Address, B256)>> {
    let sql = "SELECT sender, request_hash FROM requests
        WHERE gateway_address = $1 AND sender_proxy = $2 AND nonce = $3 AND kind = $4 AND hunted = 0
        ORDER BY id DESC LIMIT 1";
    let found = tx.fetch_one(sql, args![message.gateway, message.sender, message.nonce, message.kind]).await?;
    found.map(|mut row| Ok((row.take()?, row.take()?))).transpose()
}
