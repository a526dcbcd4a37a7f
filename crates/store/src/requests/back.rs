//! What a foreign message needs beside a request's brief: the oldest heights at which it may be proven, and the way back
//! from the target chain to the source chain, where a leg is progressed by proof.

use super::brief::roots_of;
use crate::{Store, db::args, error::Result};
use facilitator_eth::{Address, B256};
use facilitator_protocol::model::{Kind, Request};

/// Oldest roots that a worker is told of beside the newest.
const OLDEST: u32 = 16;

/// The way back from the target chain to the source chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Back {
    /// Block of the target chain in which the message was confirmed.
    pub confirmed_block: Option<u64>,
    /// Height and root, newest first: roots of the target chain anchored finally on the source chain.
    pub roots: Vec<(u64, B256)>,
    /// Heights of the target chain whose gateway proof is under way or done on the source chain, newest first.
    pub proving: Vec<u64>,
}

impl Store {
    /// Adds the oldest roots at or above `lowest`: a message that was progressed early can only be confirmed at an old
    /// height (protocol.md §4.5).
    pub(super) async fn add_oldest_roots(
        &self,
        request: &Request,
        lowest: u64,
        roots: &mut Vec<(u64, B256)>,
    ) -> Result<()> {
        let sql = format!("{} AND height >= $2 ORDER BY height LIMIT $3", roots_of(request.kind));
        for mut row in self.db.fetch(sql, args![request.terms.gateway, lowest, OLDEST]).await? {
            let root = (row.take()?, row.take()?);
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        roots.sort_unstable_by_key(|root| std::cmp::Reverse(root.0));
        Ok(())
    }

    pub(super) async fn back(&self, request: &Request) -> Result<Back> {
        let sql = "SELECT confirmed_block FROM messages
            WHERE kind = $1 AND gateway_address = $2 AND message_hash = $3";
        let found = self.db.fetch(sql, args![request.kind, request.terms.gateway, request.message_hash]).await?;
        let confirmed_block = found.into_iter().next().map_or(Ok(None), |mut row| row.take())?;
        // Seen from the other box it is a message of the other kind that travels here.
        let (other, sql) = match request.kind {
            Kind::Stake => (Kind::Redeem, "SELECT cogateway_address FROM gateways WHERE gateway_address = $1"),
            Kind::Redeem => (Kind::Stake, "SELECT gateway_address FROM gateways WHERE cogateway_address = $1"),
        };
        let found = self.db.fetch(sql, args![request.terms.gateway]).await?;
        let remote: Option<Address> = found.into_iter().next().map(|mut row| row.take()).transpose()?;
        let Some(remote) = remote else { return Ok(Back { confirmed_block, ..Back::default() }) };
        let (roots, proving) = self.heights(other, remote).await?;
        Ok(Back { confirmed_block, roots, proving })
    }
}
