//! What each event means for the requests.
//!
//! Only what is certain from the event alone is written; everything else is a wake-up, upon which a worker reads the
//! chains (law 1).

use super::{Committed, messages};
use crate::{
    db::{Row, Tx, Value, args},
    error::Result,
    requests::{self, Inserted},
};
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::{
    emitter,
    events::{Event, GatewayProven, Log, RedeemRequested, StakeRequested, StateRootAvailable},
    gateway::GatewaySet,
    model::{Kind, LogPosition, NewRequest, RequestId, Stage, State, Terms},
};

/// Where an event stands, and which contract emitted it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) at: LogPosition,
    pub(super) address: Address,
}

impl Place {
    pub(super) const fn of(chain_id: u64, log: &Log) -> Self {
        let Log { block_number, block_hash, tx_hash, log_index, .. } = *log;
        Self { at: LogPosition { chain_id, block_number, block_hash, tx_hash, log_index }, address: log.address }
    }
}

/// The configured gateway pair that has this contract on this chain in the role that emits the event.
pub(super) fn genuine<'a>(sets: &'a [GatewaySet], place: &Place, event: &Event) -> Option<&'a GatewaySet> {
    emitter::genuine(sets, place.at.chain_id, place.address, event)
}

/// Applies events within a transaction and counts what follows.
pub(super) struct Deriver<'a> {
    pub(super) tx: &'a mut Tx,
    pub(super) now_ms: i64,
    pub(super) committed: &'a mut Committed,
}

impl Deriver<'_> {
    /// Applies an event of a genuine contract of `set`. An event of a message may be applied again: that changes nothing
    /// but a wake-up.
    pub(super) async fn apply(&mut self, set: &GatewaySet, place: &Place, event: &Event) -> Result<()> {
        if let Some(hash) = event.message_hash() {
            messages::record(self.tx, set, hash, event, place).await?;
            self.reconsider(hash).await?;
            self.note(hash, event, place).await?;
        }
        match event {
            Event::StakeRequested(e) => self.request(set, Kind::Stake, stake_terms(e), place).await,
            Event::RedeemRequested(e) => self.request(set, Kind::Redeem, redeem_terms(e), place).await,
            Event::StakeRevoked(e) => self.withdraw(Kind::Stake, State::Revoked, e.request_hash, place).await,
            Event::StakeRejected(e) => self.withdraw(Kind::Stake, State::Rejected, e.request_hash, place).await,
            Event::RedeemRevoked(e) => self.withdraw(Kind::Redeem, State::Revoked, e.request_hash, place).await,
            Event::RedeemRejected(e) => self.withdraw(Kind::Redeem, State::Rejected, e.request_hash, place).await,
            Event::StakeIntentDeclared(e) => {
                self.declared(set, Kind::Stake, e.message_hash, (e.staker, e.nonce), place).await
            }
            Event::RedeemIntentDeclared(e) => {
                self.declared(set, Kind::Redeem, e.message_hash, (e.redeemer, e.nonce), place).await
            }
            Event::StakeProgressed(e) => {
                self.source_progressed(Kind::Stake, e.message_hash, public(e.proof_progress, e.unlock_secret)).await
            }
            Event::RedeemProgressed(e) => {
                self.source_progressed(Kind::Redeem, e.message_hash, public(e.proof_progress, e.unlock_secret)).await
            }
            Event::MintProgressed(e) => {
                let paid = (e.minted_amount, e.reward_amount);
                self.target_progressed(e.message_hash, public(e.proof_progress, e.unlock_secret), paid).await
            }
            Event::UnstakeProgressed(e) => {
                let paid = (e.unstake_amount, e.reward_amount);
                self.target_progressed(e.message_hash, public(e.proof_progress, e.unlock_secret), paid).await
            }
            Event::StakeIntentConfirmed(_)
            | Event::RedeemIntentConfirmed(_)
            | Event::RevertStakeIntentDeclared(_)
            | Event::StakeReverted(_)
            | Event::RevertRedeemIntentConfirmed(_)
            | Event::RevertRedeemComplete(_)
            | Event::RevertStakeIntentConfirmed(_)
            | Event::RevertStakeProgressed(_)
            | Event::RevertRedeemDeclared(_)
            | Event::RedeemReverted(_) => self.wake(event.message_hash()).await,
            Event::StateRootAvailable(e) => self.root(e, place).await,
            Event::GatewayProven(e) => self.proven(set, e, place).await,
            // For the record; what they change is read from the contracts before each accept.
            Event::BountyChangeInitiated(_)
            | Event::BountyChangeConfirmed(_)
            | Event::WorkerSet(_)
            | Event::WorkerUnset(_) => Ok(()),
        }
    }

    /// A foreign message that was left alone: what has happened to it may have changed that.
    async fn reconsider(&mut self, hash: B256) -> Result<()> {
        let sql =
            "UPDATE requests SET state = $2, done = 0, failures = 0, holds = 0, retried_at_ms = $3, retry_at_ms = NULL,
                wakes = wakes + 1, ready = 1
            WHERE message_hash = $1 AND hunted = 1 AND state = $4";
        let [accepted, skipped] = [State::Accepted, State::Skipped].map(|state| state.name(Kind::Stake));
        self.count(sql, args![hash, accepted, self.now_ms, skipped]).await
    }

    /// A line in the life of the message's request, once for each event. Whose transaction it was is known by the
    /// journal: our own are in it before they are sent (law 2).
    async fn note(&mut self, hash: B256, event: &Event, place: &Place) -> Result<()> {
        let LogPosition { chain_id, block_number, tx_hash, .. } = place.at;
        let own = self.tx.fetch_one("SELECT 1 FROM attempts WHERE hash = $1", args![tx_hash]).await?.is_some();
        let whose = if own { "" } else { ", which is none of our journal" };
        let text =
            format!("{} in block {block_number} of chain {chain_id}, transaction {tx_hash}{whose}", event.name());
        let sql = "INSERT INTO request_log (request_id, at_ms, state, text)
            SELECT id, $2, state, $3 FROM requests WHERE message_hash = $1 AND NOT EXISTS
                (SELECT 1 FROM request_log AS known WHERE known.request_id = requests.id AND known.text = $3)";
        self.tx.execute(sql, args![hash, self.now_ms, text]).await.map(drop)
    }

    async fn request(&mut self, set: &GatewaySet, kind: Kind, terms: Terms, place: &Place) -> Result<()> {
        let new = NewRequest {
            kind,
            origin_chain_id: set.origin_chain_id,
            auxiliary_chain_id: set.auxiliary_chain_id,
            pool: place.address,
            terms,
            position: place.at,
        };
        match requests::insert(self.tx, &new, self.now_ms).await? {
            Inserted::New(id) => {
                self.committed.requests.push(id);
                let text = format!("requested in block {} of chain {}", place.at.block_number, place.at.chain_id);
                self.log(id, &text).await
            }
            Inserted::Moved(id) => {
                self.committed.woken += 1;
                self.log(id, &format!("its event stands in block {} after a reorg", place.at.block_number)).await
            }
            Inserted::Known => Ok(()),
        }
    }

    /// The tokens went back to their sender. Only requests that were made before and never became a message: the same
    /// request hash may come again (protocol.md R6).
    async fn withdraw(&mut self, kind: Kind, end: State, request_hash: B256, place: &Place) -> Result<()> {
        // Also where a worker was faster than the scan, and took it for accepted by somebody else: its nonce is used.
        let open = [State::Requested, State::Failed(Stage::Accept), State::Skipped, State::TakenByOther];
        let open = open.map(|state| state.name(kind));
        let sql = "UPDATE requests SET state = $1, done = 1, ready = 0, wakes = wakes + 1, retry_at_ms = NULL,
                waiting_for = NULL, updated_at_ms = $2
            WHERE kind = $3 AND pool_address = $4 AND request_hash = $5
              AND state IN ($6, $7, $8, $11) AND declared_block IS NULL
              AND (event_block_number < $9 OR (event_block_number = $9 AND event_log_index < $10))
            RETURNING id";
        let args = args![
            end.name(kind),
            self.now_ms,
            kind,
            place.address,
            request_hash,
            open[0],
            open[1],
            open[2],
            place.at.block_number,
            place.at.log_index,
            open[3],
        ];
        let by = if end == State::Revoked { "revoked by its sender" } else { "rejected by a worker" };
        self.changed(sql, args, &format!("{by} in block {}", place.at.block_number)).await
    }

    /// A message stands in the outbox. If it is a foreign one for the place of one of our requests, that one is woken:
    /// somebody else accepted it. If it is that of a request that was given up, our accept had been on its way all the
    /// time: the bounty is locked, so the request is taken up again.
    async fn declared(
        &mut self,
        set: &GatewaySet,
        kind: Kind,
        hash: B256,
        (sender, nonce): (Address, U256),
        place: &Place,
    ) -> Result<()> {
        self.revive(hash, place).await?;
        let ends = requests::given_up();
        let sql = "UPDATE requests SET declared_block = $1, message_sender = $2, updated_at_ms = $3
            WHERE message_hash = $4 AND state NOT IN ($5, $6, $7, $8)";
        let args = args![place.at.block_number, sender, self.now_ms, hash, ends[0], ends[1], ends[2], ends[3]];
        self.tx.execute(sql, args).await?;
        // There is one at most: a message has one accept.
        let waits = self.await_root(set, kind, hash, place).await?;
        let sql = "UPDATE requests SET wakes = wakes + 1, ready = 1
            WHERE message_hash = $1 AND state NOT IN ($2, $3, $4, $5) AND id <> $6";
        let nobody = RequestId(0);
        self.count(sql, args![hash, ends[0], ends[1], ends[2], ends[3], waits.unwrap_or(nobody)]).await?;
        let sql =
            "UPDATE requests SET orphaned = 0, event_block_number = $2, event_block_hash = $3, event_tx_hash = $4,
                event_log_index = $5
            WHERE message_hash = $1 AND hunted = 1 AND orphaned = 1";
        let at = &place.at;
        self.tx.execute(sql, args![hash, at.block_number, at.block_hash, at.tx_hash, at.log_index]).await?;
        let sql = "UPDATE requests SET wakes = wakes + 1, ready = 1
            WHERE gateway_address = $2 AND sender_proxy = $3 AND nonce = $4 AND kind = $1 AND done = 0
              AND declared_block IS NULL AND (message_hash IS NULL OR message_hash <> $5)";
        self.count(sql, args![kind, place.address, sender, nonce, hash]).await
    }

    /// Not if the same request was made again before the declaration, which gives the same message: then that one's
    /// accept was mined.
    async fn revive(&mut self, hash: B256, place: &Place) -> Result<()> {
        let sql = "UPDATE requests SET state = $2, done = 0, failures = 0, holds = 0, retried_at_ms = $3,
                retry_at_ms = NULL, waiting_for = NULL
            WHERE message_hash = $1 AND state IN ($4, $5, $6, $7)
              AND NOT EXISTS (SELECT 1 FROM requests AS later
                WHERE later.request_hash = requests.request_hash AND later.pool_address = requests.pool_address
                  AND later.id > requests.id AND later.orphaned = 0
                  AND (later.event_block_number < $8
                    OR (later.event_block_number = $8 AND later.event_log_index < $9)))
            RETURNING id";
        let (accepted, ends) = (State::Accepted.name(Kind::Stake), requests::given_up());
        let at = &place.at;
        let args =
            args![hash, accepted, self.now_ms, ends[0], ends[1], ends[2], ends[3], at.block_number, at.log_index];
        for row in &mut self.tx.fetch(sql, args).await? {
            self.log(row.take()?, "our own accept was mined after all").await?;
        }
        Ok(())
    }

    /// The target leg is progressed, and with it all that was asked for is paid.
    async fn target_progressed(&mut self, hash: B256, secret: Option<B256>, paid: (U256, U256)) -> Result<()> {
        let (paid_out, reward) = paid;
        let sql = "UPDATE requests SET unlock_secret = COALESCE(unlock_secret, $1), paid_out = $2, reward = $3,
                wakes = wakes + 1, ready = 1, updated_at_ms = $4
            WHERE message_hash = $5";
        self.count(sql, args![secret, paid_out, reward, self.now_ms, hash]).await
    }

    async fn wake(&mut self, message_hash: Option<B256>) -> Result<()> {
        let sql = "UPDATE requests SET wakes = wakes + 1, ready = 1 WHERE message_hash = $1";
        self.count(sql, args![message_hash]).await
    }

    async fn root(&mut self, root: &StateRootAvailable, place: &Place) -> Result<()> {
        let sql = "INSERT INTO anchored_roots (chain_id, anchor, height, root, block_number, block_hash)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (chain_id, anchor, height) DO UPDATE SET root = excluded.root,
                block_number = excluded.block_number, block_hash = excluded.block_hash";
        let Place { at: LogPosition { chain_id, block_number, block_hash, .. }, address } = *place;
        let args = args![chain_id, address, root.block_height, root.state_root, block_number, block_hash];
        self.tx.execute(sql, args).await?;
        let sql = "UPDATE requests SET wakes = wakes + 1, ready = 1
            WHERE done = 0 AND wait_kind = 'root' AND wait_chain_id = $1 AND wait_anchor = $2 AND wait_block <= $3";
        self.count(sql, args![chain_id, address, root.block_height]).await
    }

    /// The source gateway's storage root stands on this chain, whoever proved it.
    async fn proven(&mut self, set: &GatewaySet, proven: &GatewayProven, place: &Place) -> Result<()> {
        let (kind, source) = if place.at.chain_id == set.chain_id(Kind::Stake.target()) {
            (Kind::Stake, set.chain_id(Kind::Stake.source()))
        } else {
            (Kind::Redeem, set.chain_id(Kind::Redeem.source()))
        };
        let sql = "INSERT INTO proofs (chain_id, contract, height, storage_root, proven_block)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (chain_id, contract, height) DO UPDATE SET storage_root = excluded.storage_root,
                proven_block = COALESCE(proofs.proven_block, excluded.proven_block)";
        let height = proven.block_height;
        self.tx.execute(sql, args![source, proven.gateway, height, proven.storage_root, place.at.block_number]).await?;
        // Only who waits to try the proof again has something to do: the others' confirmation follows by itself.
        let sql = "UPDATE requests SET state = $1, updated_at_ms = $2,
                wakes = CASE WHEN state = $7 THEN wakes + 1 ELSE wakes END,
                ready = CASE WHEN state = $7 THEN 1 ELSE ready END
            WHERE kind = $3 AND gateway_address = $4 AND proof_height = $5 AND done = 0 AND state IN ($6, $7)
            RETURNING id";
        let args = args![
            State::AccountProven.name(kind),
            self.now_ms,
            kind,
            proven.gateway,
            height,
            State::Accepted.name(kind),
            State::Failed(Stage::Prove).name(kind),
        ];
        self.changed(sql, args, &format!("gateway proven at height {height} in block {}", place.at.block_number)).await
    }

    pub(super) async fn count(&mut self, sql: &'static str, args: Vec<Value>) -> Result<()> {
        self.committed.woken += self.tx.execute(sql, args).await?;
        Ok(())
    }

    /// Runs a statement that returns the requests it changed, and adds a line to the life of each.
    async fn changed(&mut self, sql: &'static str, args: Vec<Value>, text: &str) -> Result<()> {
        let mut rows = self.tx.fetch(sql, args).await?;
        let ids: Vec<RequestId> = rows.iter_mut().map(Row::take).collect::<Result<_>>()?;
        for id in ids {
            self.committed.woken += 1;
            self.log(id, text).await?;
        }
        Ok(())
    }

    async fn log(&mut self, id: RequestId, text: &str) -> Result<()> {
        requests::log::append(self.tx, id, text, self.now_ms).await
    }
}

/// The secret that a progress published. Progress by proof publishes none and must not erase one (protocol.md R26).
fn public(by_proof: bool, secret: B256) -> Option<B256> {
    (!by_proof && !secret.is_zero()).then_some(secret)
}

fn stake_terms(asked: &StakeRequested) -> Terms {
    Terms {
        amount: asked.amount,
        beneficiary: asked.beneficiary,
        gas_price: asked.gas_price,
        gas_limit: asked.gas_limit,
        nonce: asked.nonce,
        sender: asked.staker,
        sender_proxy: asked.staker_proxy,
        gateway: asked.gateway,
        request_hash: asked.request_hash,
    }
}

fn redeem_terms(asked: &RedeemRequested) -> Terms {
    Terms {
        amount: asked.amount,
        beneficiary: asked.beneficiary,
        gas_price: asked.gas_price,
        gas_limit: asked.gas_limit,
        nonce: asked.nonce,
        sender: asked.redeemer,
        sender_proxy: asked.redeemer_proxy,
        gateway: asked.cogateway,
        request_hash: asked.request_hash,
    }
}
