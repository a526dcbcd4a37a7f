//! What a ledger is made from, read back: transactions that were mined, and the events that moved bounties and rewards.
//!
//! Nothing is kept for it but what journal and events say anyway, so it is right after any restart and any reorg: what
//! the one takes back or the other removes is not in it (law 6).

use crate::{
    Store,
    db::{Row, Tx, Value, args},
    error::Result,
    gateways::{mints, mints_name},
    scan::stored_event,
};
use facilitator_eth::{Address, U256};
use facilitator_protocol::{
    events::Event,
    gateway::GatewaySet,
    ledger::{Assets, BountyChange, Effect, Happening, Ledger, Paid, Party, Place, build},
    model::{RequestId, Step},
};
use std::collections::HashMap;

/// The columns of [`paid`], in its order.
const PAID: &str = "t.id, t.chain_id, t.step, t.account, t.nonce, t.to_address, t.value, t.intent, t.allowance_token,
    t.allowance_spender, t.hash, t.gas_used, t.gas_price, t.created_at_ms";

/// The columns of [`effect`], in its order, and where they come from. The message's request is the newest of its hash.
const EFFECT: &str =
    "SELECT e.chain_id, e.address, e.tx_hash, a.transaction_id, e.message_hash, r.id, r.gateway_address,
        r.bounty, d.block_number, d.log_index, e.data
    FROM events e
    LEFT JOIN requests r ON r.id = (SELECT MAX(id) FROM requests WHERE message_hash = e.message_hash)
    LEFT JOIN events d ON d.message_hash = e.message_hash
        AND d.name IN ('StakeIntentDeclared', 'RedeemIntentDeclared')";

/// The events that move money.
const MOVING: &str = "e.name IN ('StakeIntentDeclared', 'RedeemIntentDeclared', 'StakeProgressed', 'RedeemProgressed',
    'MintProgressed', 'UnstakeProgressed')";

impl Store {
    /// Everything that was earned and spent.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn ledger(&self) -> Result<Ledger> {
        let mut waiting = self.parties("w.transaction_id > 0", Vec::new()).await?;
        let sql = format!("SELECT {PAID} FROM transactions t WHERE t.block_number IS NOT NULL ORDER BY t.id");
        let mut rows = self.db.fetch(sql, Vec::new()).await?;
        let paid = rows.iter_mut().map(|row| paid(row, &mut waiting)).collect::<Result<Vec<_>>>()?;
        let sql = format!("{EFFECT} JOIN attempts a ON a.hash = e.tx_hash WHERE {MOVING} ORDER BY e.id");
        let effects = self.effects(sql, Vec::new()).await?;
        Ok(build(&paid, &effects, &self.bounty_changes().await?, &self.gateway_assets().await?))
    }

    /// What was earned and spent for one request, its shares in what others needed too included.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn ledger_of(&self, request: RequestId) -> Result<Ledger> {
        let sql = format!(
            "SELECT {PAID} FROM waiters w JOIN transactions t ON t.id = w.transaction_id
             WHERE w.request_id = $1 AND t.block_number IS NOT NULL ORDER BY t.id"
        );
        let own = "w.transaction_id IN (SELECT transaction_id FROM waiters WHERE request_id = $1)";
        let mut waiting = self.parties(own, args![request]).await?;
        let mut rows = self.db.fetch(sql, args![request]).await?;
        let mut all = rows.iter_mut().map(|row| paid(row, &mut waiting)).collect::<Result<Vec<_>>>()?;
        let accepts: Vec<Paid> = all.iter().filter(|one| one.step == Step::Accept).cloned().collect();
        for accept in &accepts {
            for one in self.approved_with(accept).await? {
                if all.iter().all(|known| known.id != one.id) {
                    all.push(one);
                }
            }
        }
        let sql = format!(
            "{EFFECT} LEFT JOIN attempts a ON a.hash = e.tx_hash
             WHERE e.message_hash = (SELECT message_hash FROM requests WHERE id = $1) AND {MOVING} ORDER BY e.id"
        );
        let effects = self.effects(sql, args![request]).await?;
        let mut ledger = build(&all, &effects, &self.bounty_changes().await?, &self.gateway_assets().await?);
        ledger.lines.retain(|line| line.request == Some(request));
        Ok(ledger)
    }

    /// The approval that an accept took from, and all accepts that took from the same one: from the last approval before
    /// it up to the next one.
    async fn approved_with(&self, accept: &Paid) -> Result<Vec<Paid>> {
        let Some((token, spender)) = accept.allowance else { return Ok(Vec::new()) };
        let intent = format!("approve:{}:{}:%", token.to_lower_hex(), spender.to_lower_hex());
        let sql = format!(
            "SELECT {PAID} FROM transactions t
             WHERE t.chain_id = $1 AND t.account = $2 AND t.block_number IS NOT NULL
               AND (t.intent LIKE $4 OR (t.step = 'accept' AND t.allowance_token = $5 AND t.allowance_spender = $6))
               AND t.nonce >= (SELECT b.nonce FROM transactions b
                    WHERE b.chain_id = $1 AND b.account = $2 AND b.block_number IS NOT NULL AND b.nonce < $3
                      AND b.intent LIKE $4 ORDER BY b.nonce DESC LIMIT 1)
               AND t.nonce < COALESCE((SELECT b.nonce FROM transactions b
                    WHERE b.chain_id = $1 AND b.account = $2 AND b.block_number IS NOT NULL AND b.nonce > $3
                      AND b.intent LIKE $4 ORDER BY b.nonce LIMIT 1), $7)
             ORDER BY t.id"
        );
        let args = args![accept.chain_id, accept.account, accept.nonce, intent, token, spender, i64::MAX];
        let mut rows = self.db.fetch(sql, args).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &mut rows {
            let mut one = paid(row, &mut HashMap::new())?;
            let mut waiting = self.parties("w.transaction_id = $1", args![one.id]).await?;
            one.parties = waiting.remove(&one.id).unwrap_or_default();
            found.push(one);
        }
        Ok(found)
    }

    /// The requests that asked for transactions, by row number of both.
    async fn parties(&self, condition: &str, args: Vec<Value>) -> Result<HashMap<i64, Vec<Party>>> {
        let sql = format!(
            "SELECT w.transaction_id, r.id, r.gateway_address FROM waiters w JOIN requests r ON r.id = w.request_id
             WHERE {condition} ORDER BY w.transaction_id, r.id"
        );
        let mut waiting: HashMap<i64, Vec<Party>> = HashMap::new();
        for row in &mut self.db.fetch(sql, args).await? {
            let (id, request, gateway) = (row.take()?, row.take()?, row.take()?);
            waiting.entry(id).or_default().push(Party { request, gateway });
        }
        Ok(waiting)
    }

    async fn effects(&self, sql: String, args: Vec<Value>) -> Result<Vec<Effect>> {
        let mut rows = self.db.fetch(sql, args).await?;
        rows.iter_mut().filter_map(|row| effect(row).transpose()).collect()
    }

    async fn bounty_changes(&self) -> Result<Vec<BountyChange>> {
        let sql = "SELECT chain_id, address, block_number, log_index, data FROM events
            WHERE name = 'BountyChangeConfirmed' ORDER BY chain_id, block_number";
        let mut changes = Vec::new();
        for row in &mut self.db.fetch(sql, Vec::new()).await? {
            let (chain_id, box_address) = (row.take()?, row.take()?);
            let at = Place { block_number: row.take()?, log_index: row.take()? };
            if let Event::BountyChangeConfirmed(change) = stored_event(row)? {
                let (before, after) = (change.current_bounty, change.changed_bounty);
                changes.push(BountyChange { chain_id, box_address, at, before, after });
            }
        }
        Ok(changes)
    }

    /// What each gateway pair moves that was ever configured, the present ones first.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn gateway_assets(&self) -> Result<Vec<Assets>> {
        let sql = format!(
            "SELECT {ASSETS} FROM gateway_assets a LEFT JOIN gateways g ON g.gateway_address = a.gateway_address
                AND g.cogateway_address = a.cogateway_address
             ORDER BY CASE WHEN g.gateway_address IS NULL THEN 1 ELSE 0 END, a.gateway_address, a.cogateway_address"
        );
        let assets = |row: &mut Row| {
            Ok(Assets {
                origin_chain_id: row.take()?,
                auxiliary_chain_id: row.take()?,
                gateway: row.take()?,
                cogateway: row.take()?,
                composer: row.take()?,
                redeem_pool: row.take()?,
                value_token: row.take()?,
                base_token: row.take()?,
                utility_token: row.take()?,
                mints: mints(row)?,
            })
        };
        self.db.fetch(sql, Vec::new()).await?.iter_mut().map(assets).collect()
    }
}

/// The columns of what a pair moves.
const ASSETS: &str = "a.origin_chain_id, a.auxiliary_chain_id, a.gateway_address, a.cogateway_address,
    a.composer_address, a.redeem_pool_address, a.value_token_address, a.base_token_address, a.utility_token_address,
    a.mints";

/// Remembers what a gateway pair moves, once its contracts have said it: for ever, since it may not stay configured.
pub(crate) async fn remember(tx: &mut Tx, set: &GatewaySet) -> Result<()> {
    if set.value_token.is_zero() {
        return Ok(());
    }
    let sql = "INSERT INTO gateway_assets (origin_chain_id, auxiliary_chain_id, gateway_address, cogateway_address,
            composer_address, redeem_pool_address, value_token_address, base_token_address, utility_token_address, mints)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (origin_chain_id, auxiliary_chain_id, gateway_address, cogateway_address)
        DO UPDATE SET composer_address = excluded.composer_address, redeem_pool_address = excluded.redeem_pool_address,
            value_token_address = excluded.value_token_address, base_token_address = excluded.base_token_address,
            utility_token_address = excluded.utility_token_address, mints = excluded.mints";
    let args = args![
        set.origin_chain_id,
        set.auxiliary_chain_id,
        set.gateway,
        set.cogateway,
        set.composer,
        set.redeem_pool,
        set.value_token,
        set.base_token,
        set.utility_token,
        mints_name(set.mints),
    ];
    tx.execute(sql, args).await.map(drop)
}

fn paid(row: &mut Row, waiting: &mut HashMap<i64, Vec<Party>>) -> Result<Paid> {
    let (id, chain_id, step, account, nonce): (i64, _, Step, _, _) =
        (row.take()?, row.take()?, row.take()?, row.take()?, row.take()?);
    let (to, value, intent): (Address, U256, String) = (row.take()?, row.take()?, row.take()?);
    let spent: (Option<Address>, Option<Address>) = (row.take()?, row.take()?);
    let allowance = if step == Step::Approve { approved(&intent) } else { spent.0.zip(spent.1) };
    let hash = row.take()?;
    let (gas_used, gas_price): (u64, U256) = (row.take()?, row.take()?);
    let cost = U256::from(gas_used).checked_mul(gas_price);
    let cost = cost.ok_or_else(|| row.damaged("gas by its price is beyond 256 bits"))?;
    let (at_ms, parties) = (row.take()?, waiting.remove(&id).unwrap_or_default());
    Ok(Paid { id, chain_id, step, account, nonce, to, value, allowance, hash, cost, at_ms, parties })
}

/// Token and spender of an approval, which stand in its name.
fn approved(intent: &str) -> Option<(Address, Address)> {
    let mut parts = intent.strip_prefix("approve:")?.split(':');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// `None` for an event that moves nothing after all.
fn effect(row: &mut Row) -> Result<Option<Effect>> {
    let (chain_id, box_address, tx_hash, paid_by, message_hash) =
        (row.take()?, row.take()?, row.take()?, row.take()?, row.take()?);
    let (request, gateway, bounty): (Option<RequestId>, Option<Address>, Option<U256>) =
        (row.take()?, row.take()?, row.take()?);
    let request = request.zip(gateway).map(|(request, gateway)| (Party { request, gateway }, bounty));
    let (block, index): (Option<u64>, Option<u64>) = (row.take()?, row.take()?);
    let declared = block.zip(index).map(|(block_number, log_index)| Place { block_number, log_index });
    let Some(happening) = Happening::of(&stored_event(row)?) else { return Ok(None) };
    Ok(Some(Effect { chain_id, box_address, tx_hash, paid_by, message_hash, request, declared, happening }))
}
