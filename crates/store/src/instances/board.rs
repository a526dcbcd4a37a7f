//! All instances together: handed out to one who tends them at a time.

use super::row::{COLUMNS, InstanceRow, read, write};
use super::{append_transition, gone};
use crate::{
    Store,
    db::{Tx, args},
    error::Result,
};
use facilitator_heartbeat::{Board, Closed, Member, Moved, Params, Proposal, Tended, Vote, tend};
use std::collections::HashMap;

/// What was done, for the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tending {
    /// Changes of status.
    pub moved: Vec<Moved>,
    /// Proposals that were raised.
    pub raised: Vec<Proposal>,
    /// Proposals that ended.
    pub closed: Vec<Closed>,
    /// Whether a tick was among it.
    pub ticked: bool,
    /// Requests, and intents not yet signed, of who may not work on them any more: free for the others.
    pub freed: u64,
}

impl Store {
    /// Does what is due for all instances, in the name of `me`: who is silent, the tick, proposals, the reward run, and
    /// what they held that may work no longer. One at a time does it; whoever comes later finds it done.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database; then nothing was changed.
    pub async fn tend_instances(&self, me: &str, params: &Params, now_ms: i64) -> Result<Tending> {
        let mut tx = self.db.begin().await?;
        // First of all, so that a second one waits here until the first has committed.
        let sql = "INSERT INTO maintenance (id, tended_at_ms) VALUES (1, $1)
            ON CONFLICT (id) DO UPDATE SET tended_at_ms = excluded.tended_at_ms";
        tx.execute(sql, args![now_ms]).await?;
        let rows = instances(&mut tx).await?;
        let before = board(&mut tx, &rows).await?;
        let after = tend(&before, me, now_ms, params);
        let is_changed = after.board != before;
        if is_changed {
            save(&mut tx, &rows, &before, &after, now_ms).await?;
            gone::give_up_leases(&mut tx, me, &after.moved).await?;
        }
        let freed = gone::free_claims(&mut tx).await?;
        let freed = freed.saturating_add(gone::free_intents(&mut tx, now_ms).await?);
        if !is_changed && freed == 0 {
            // Nothing to be made durable.
            return Ok(Tending::default());
        }
        tx.commit().await?;
        let raised = after.board.proposals.iter().chain(after.closed.iter().map(|closed| &closed.proposal));
        let is_new = |proposal: &&Proposal| !before.proposals.iter().any(|old| old.target == proposal.target);
        let raised = raised.filter(is_new).cloned().collect();
        Ok(Tending { moved: after.moved, raised, closed: after.closed, ticked: after.ticked, freed })
    }
}

async fn instances(tx: &mut Tx) -> Result<Vec<InstanceRow>> {
    let sql = format!("SELECT {COLUMNS} FROM instances ORDER BY name{}", tx.dialect().for_update());
    tx.fetch(sql, Vec::new()).await?.into_iter().map(read).collect()
}

async fn board(tx: &mut Tx, rows: &[InstanceRow]) -> Result<Board> {
    let names: HashMap<i64, &str> = rows.iter().map(|row| (row.id, row.name.as_str())).collect();
    let name = |id: i64| names.get(&id).map_or_else(String::new, |name| (*name).to_owned());
    let mut approvals: HashMap<i64, Vec<String>> = HashMap::new();
    let sql = "SELECT a.proposal_id, a.instance_id FROM proposal_approvals AS a JOIN proposals AS p
        ON p.id = a.proposal_id WHERE p.state = 'open' ORDER BY a.at_ms, a.instance_id";
    for mut row in tx.fetch(sql, Vec::new()).await? {
        let (proposal, instance): (i64, i64) = (row.take()?, row.take()?);
        approvals.entry(proposal).or_default().push(name(instance));
    }
    let sql = "SELECT id, target_id, proposer_id, created_at_ms, ticks FROM proposals WHERE state = 'open' ORDER BY id";
    let mut proposals = Vec::new();
    for mut row in tx.fetch(sql, Vec::new()).await? {
        let id: i64 = row.take()?;
        let (target, proposer): (i64, i64) = (row.take()?, row.take()?);
        proposals.push(Proposal {
            target: name(target),
            proposer: name(proposer),
            created_ms: row.take()?,
            ticks: row.take()?,
            approvals: approvals.remove(&id).unwrap_or_default(),
        });
    }
    let raised = tx.fetch_one("SELECT COUNT(*) FROM proposals", Vec::new()).await?;
    let raised = raised.map_or(Ok(0), |mut row| row.take())?;
    let clock = tx.fetch_one("SELECT next_tick_at_ms, next_reward_at_ms FROM maintenance WHERE id = 1", Vec::new());
    let (next_tick_ms, next_reward_ms) = match clock.await? {
        Some(mut row) => (row.take()?, row.take()?),
        None => (None, None),
    };
    let member = |row: &InstanceRow| Member { name: row.name.clone(), weight: row.weight, instance: row.instance };
    Ok(Board { members: rows.iter().map(member).collect(), proposals, raised, next_tick_ms, next_reward_ms })
}

async fn save(tx: &mut Tx, rows: &[InstanceRow], before: &Board, after: &Tended, now_ms: i64) -> Result<()> {
    let ids: HashMap<&str, i64> = rows.iter().map(|row| (row.name.as_str(), row.id)).collect();
    let id = |name: &str| ids.get(name).copied();
    for (row, member) in rows.iter().zip(&after.board.members) {
        if row.instance != member.instance {
            write(tx, row.id, &member.instance).await?;
        }
    }
    for Moved { name, from, to, reason } in &after.moved {
        if let Some(id) = id(name) {
            append_transition(tx, id, (*from, *to), reason, now_ms).await?;
        }
    }
    for (name, signed) in after.rewarded.iter().flatten() {
        if let Some(id) = id(name) {
            let sql = "INSERT INTO reward_payouts (instance_id, at_ms, txs_signed) VALUES ($1, $2, $3)";
            tx.execute(sql, args![id, now_ms, signed]).await?;
        }
    }
    for proposal in after.board.proposals.iter().chain(after.closed.iter().map(|closed| &closed.proposal)) {
        if let (Some(target), Some(proposer)) = (id(&proposal.target), id(&proposal.proposer)) {
            save_proposal(tx, (target, proposer), proposal, before, id, now_ms).await?;
        }
    }
    for Closed { proposal, vote } in &after.closed {
        let sql = "UPDATE proposals SET state = $2, closed_at_ms = $3 WHERE target_id = $1 AND state = 'open'";
        tx.execute(sql, args![id(&proposal.target), vote_name(*vote), now_ms]).await?;
    }
    let sql = "UPDATE maintenance SET next_tick_at_ms = $1, next_reward_at_ms = $2 WHERE id = 1";
    tx.execute(sql, args![after.board.next_tick_ms, after.board.next_reward_ms]).await.map(drop)
}

async fn save_proposal(
    tx: &mut Tx,
    (target, proposer): (i64, i64),
    proposal: &Proposal,
    before: &Board,
    id: impl Fn(&str) -> Option<i64>,
    now_ms: i64,
) -> Result<()> {
    if !before.proposals.iter().any(|old| old.target == proposal.target) {
        let sql = "INSERT INTO proposals (target_id, proposer_id, created_at_ms, ticks, state)
            VALUES ($1, $2, $3, $4, 'open')";
        tx.execute(sql, args![target, proposer, proposal.created_ms, proposal.ticks]).await?;
    }
    let sql = "UPDATE proposals SET ticks = $2 WHERE target_id = $1 AND state = 'open'";
    tx.execute(sql, args![target, proposal.ticks]).await?;
    for instance in proposal.approvals.iter().filter_map(|name| id(name)) {
        let sql = "INSERT INTO proposal_approvals (proposal_id, instance_id, at_ms)
            SELECT id, $2, $3 FROM proposals WHERE target_id = $1 AND state = 'open'
            ON CONFLICT (proposal_id, instance_id) DO NOTHING";
        tx.execute(sql, args![target, instance, now_ms]).await?;
    }
    Ok(())
}

/// The stored name of an end.
const fn vote_name(vote: Vote) -> &'static str {
    match vote {
        Vote::Approved => "approved",
        Vote::Dropped => "dropped",
        Vote::Expired => "expired",
        Vote::Pending => "open",
    }
}
