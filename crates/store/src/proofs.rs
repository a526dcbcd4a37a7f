//! Gateway proofs: made once for a height, used by every request that waits for it.

use crate::{Store, db::args, error::Result};
use facilitator_eth::{Address, B256, Bytes};

/// A gateway's account at a height of its chain, as `proveGateway` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProof {
    /// The proven chain.
    pub chain_id: u64,
    /// The gateway or cogateway.
    pub contract: Address,
    /// Height of the proven chain.
    pub height: u64,
    /// Anchored state root that it starts from.
    pub state_root: Option<B256>,
    /// Storage root that it proves.
    pub storage_root: Option<B256>,
    /// RLP of the account.
    pub rlp_account: Option<Bytes>,
    /// RLP list of the trie nodes.
    pub account_nodes: Option<Bytes>,
    /// Block of the other chain in which it was proven, finally.
    pub proven_block: Option<u64>,
}

impl Store {
    /// Stores the data of a proof; what the scan knows of it stays.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn save_proof(&self, proof: &StoredProof) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let sql =
            "INSERT INTO proofs (chain_id, contract, height, state_root, storage_root, rlp_account, account_nodes,
                proven_block)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (chain_id, contract, height) DO UPDATE SET
                state_root = COALESCE(excluded.state_root, proofs.state_root),
                storage_root = COALESCE(proofs.storage_root, excluded.storage_root),
                rlp_account = COALESCE(excluded.rlp_account, proofs.rlp_account),
                account_nodes = COALESCE(excluded.account_nodes, proofs.account_nodes),
                proven_block = COALESCE(proofs.proven_block, excluded.proven_block)";
        let StoredProof { chain_id, contract, height, state_root, storage_root, rlp_account, account_nodes, .. } =
            proof;
        let args = args![
            chain_id,
            contract,
            height,
            state_root,
            storage_root,
            rlp_account,
            account_nodes,
            proof.proven_block,
        ];
        tx.execute(sql, args).await?;
        tx.commit().await
    }

    /// The proof of a contract at a height, or at the lowest proven height at or above it.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn proof(&self, chain_id: u64, contract: Address, at_least: u64) -> Result<Option<StoredProof>> {
        let sql =
            "SELECT chain_id, contract, height, state_root, storage_root, rlp_account, account_nodes, proven_block
            FROM proofs WHERE chain_id = $1 AND contract = $2 AND height >= $3 ORDER BY height LIMIT 1";
        let found = self.db.fetch(sql, args![chain_id, contract, at_least]).await?;
        let read = |mut row: crate::db::Row| {
            Ok(StoredProof {
                chain_id: row.take()?,
                contract: row.take()?,
                height: row.take()?,
                state_root: row.take()?,
                storage_root: row.take()?,
                rlp_account: row.take()?,
                account_nodes: row.take()?,
                proven_block: row.take()?,
            })
        };
        found.into_iter().next().map(read).transpose()
    }
}
