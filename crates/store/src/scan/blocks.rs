//! Checkpoints and the block hashes by which reorgs are noticed.

use crate::{
    Store,
    db::{Row, Tx, args},
    error::Result,
};
use facilitator_eth::{Address, B256};
use std::fmt;

/// Blocks behind the checkpoint whose hashes are remembered: far more than the deepest reorg that is followed.
const KEPT: u64 = 4_096;

/// Old blocks are forgotten each time the checkpoint enters a further stretch of so many.
const PRUNE_EVERY: u64 = 256;

/// A block by number and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockRef {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
}

impl fmt::Display for BlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {} ({})", self.number, self.hash)
    }
}

/// A block with its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// Hash of the block before.
    pub parent_hash: B256,
}

impl Store {
    /// The last block whose events are stored.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn checkpoint(&self, chain_id: u64) -> Result<Option<BlockRef>> {
        let found = self.db.fetch(CHECKPOINT, args![chain_id]).await?;
        found.into_iter().next().map(|mut row| block_ref(&mut row)).transpose()
    }

    /// Remembered blocks, newest first, at most `limit`: where a common ancestor is looked for.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn recent_blocks(&self, chain_id: u64, limit: u32) -> Result<Vec<Block>> {
        let sql = "SELECT number, hash, parent_hash FROM blocks WHERE chain_id = $1 ORDER BY number DESC LIMIT $2";
        let mut rows = self.db.fetch(sql, args![chain_id, limit]).await?;
        let block = |row: &mut Row| Ok(Block { number: row.take()?, hash: row.take()?, parent_hash: row.take()? });
        rows.iter_mut().map(block).collect()
    }

    /// Remembers blocks above the checkpoint, whose events are not stored yet: forks among them are noticed.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn remember_blocks(&self, chain_id: u64, blocks: &[Block]) -> Result<()> {
        let mut tx = self.db.begin_alone().await?;
        insert(&mut tx, chain_id, blocks).await?;
        tx.commit().await
    }

    /// Forgets blocks above a height that were replaced by a fork before their events were stored.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn forget_blocks(&self, chain_id: u64, above: u64) -> Result<()> {
        let mut tx = self.db.begin_alone().await?;
        let sql = "DELETE FROM blocks WHERE chain_id = $1 AND number > $2
            AND number > (SELECT COALESCE(MAX(block_number), -1) FROM checkpoints WHERE chain_id = $1)";
        tx.execute(sql, args![chain_id, above]).await?;
        tx.commit().await
    }

    /// Forgets blocks below a height; their events stay.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn prune_blocks(&self, chain_id: u64, below: u64) -> Result<u64> {
        let mut tx = self.db.begin_alone().await?;
        let pruned = prune(&mut tx, chain_id, below).await?;
        tx.commit().await?;
        Ok(pruned)
    }

    /// The newest root that an anchor has published finally, as height and root.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn newest_root(&self, chain_id: u64, anchor: Address) -> Result<Option<(u64, B256)>> {
        let sql = "SELECT height, root FROM anchored_roots WHERE chain_id = $1 AND anchor = $2
            ORDER BY height DESC LIMIT 1";
        let found = self.db.fetch(sql, args![chain_id, anchor]).await?;
        found.into_iter().next().map(|mut row| Ok((row.take()?, row.take()?))).transpose()
    }

    /// The `limit` roots of the greatest heights that these anchors of a chain have published finally, highest first.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn anchored_roots(&self, chain_id: u64, anchors: &[Address], limit: u32) -> Result<Vec<PublishedRoot>> {
        let mut roots = Vec::new();
        for anchor in anchors {
            let sql = "SELECT height, root, block_number FROM anchored_roots WHERE chain_id = $1 AND anchor = $2
                ORDER BY height DESC LIMIT $3";
            for mut row in self.db.fetch(sql, args![chain_id, *anchor, limit]).await? {
                let (height, root, published_in) = (row.take()?, row.take()?, row.take()?);
                roots.push(PublishedRoot { anchor: *anchor, height, root, published_in });
            }
        }
        roots.sort_by_key(|root| std::cmp::Reverse(root.height));
        roots.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(roots)
    }
}

/// A state root that an anchor has published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedRoot {
    /// The anchor.
    pub anchor: Address,
    /// Height of the other chain's block whose root it is.
    pub height: u64,
    /// The root.
    pub root: B256,
    /// Block of the anchor's chain in which it was published.
    pub published_in: u64,
}

const CHECKPOINT: &str = "SELECT block_number, block_hash FROM checkpoints WHERE chain_id = $1";

pub(super) async fn checkpoint(tx: &mut Tx, chain_id: u64) -> Result<Option<BlockRef>> {
    tx.fetch_one(CHECKPOINT, args![chain_id]).await?.map(|mut row| block_ref(&mut row)).transpose()
}

/// The newest remembered block that is not above a height.
pub(super) async fn at_or_below(tx: &mut Tx, chain_id: u64, number: u64) -> Result<Option<BlockRef>> {
    let sql = "SELECT number, hash FROM blocks WHERE chain_id = $1 AND number <= $2 ORDER BY number DESC LIMIT 1";
    tx.fetch_one(sql, args![chain_id, number]).await?.map(|mut row| block_ref(&mut row)).transpose()
}

pub(super) async fn clear_checkpoint(tx: &mut Tx, chain_id: u64) -> Result<()> {
    tx.execute("DELETE FROM checkpoints WHERE chain_id = $1", args![chain_id]).await.map(drop)
}

fn block_ref(row: &mut Row) -> Result<BlockRef> {
    Ok(BlockRef { number: row.take()?, hash: row.take()? })
}

pub(super) async fn set_checkpoint(tx: &mut Tx, chain_id: u64, to: BlockRef, now_ms: i64) -> Result<()> {
    let sql = "INSERT INTO checkpoints (chain_id, block_number, block_hash, updated_at_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT (chain_id) DO UPDATE SET block_number = excluded.block_number, block_hash = excluded.block_hash,
            updated_at_ms = excluded.updated_at_ms";
    tx.execute(sql, args![chain_id, to.number, to.hash, now_ms]).await.map(drop)
}

async fn prune(tx: &mut Tx, chain_id: u64, below: u64) -> Result<u64> {
    let sql = "DELETE FROM blocks WHERE chain_id = $1 AND number < $2";
    tx.execute(sql, args![chain_id, below]).await
}

/// Forgets blocks that no reorg reaches, now and then as the checkpoint moves.
pub(super) async fn prune_old(tx: &mut Tx, chain_id: u64, from: Option<BlockRef>, to: BlockRef) -> Result<()> {
    if from.is_some_and(|from| from.number / PRUNE_EVERY == to.number / PRUNE_EVERY) {
        return Ok(());
    }
    prune(tx, chain_id, to.number.saturating_sub(KEPT)).await.map(drop)
}

pub(super) async fn insert(tx: &mut Tx, chain_id: u64, blocks: &[Block]) -> Result<()> {
    for block in blocks {
        let sql = "INSERT INTO blocks (chain_id, number, hash, parent_hash) VALUES ($1, $2, $3, $4)
            ON CONFLICT (chain_id, number) DO UPDATE SET hash = excluded.hash, parent_hash = excluded.parent_hash";
        tx.execute(sql, args![chain_id, block.number, block.hash, block.parent_hash]).await?;
    }
    Ok(())
}
