//! Claiming: which requests are worked on next, and by whom.

use super::{COLUMNS, request};
use crate::{
    Store,
    db::{Row, Tx, args},
    error::Result,
};
use facilitator_protocol::model::{Request, RequestId};

/// How many rows are claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// All together.
    pub all: u32,
    /// Messages of others that are worked on at one time: claimed, or with a transaction under way.
    pub foreign: u32,
}

/// Own requests.
const OWN: &str = "hunted = 0";

/// Messages of others that have a transaction under way.
const FOREIGN_UNDER_WAY: &str = "hunted = 1 AND EXISTS (SELECT 1 FROM transactions AS t
    WHERE t.request_id = requests.id AND t.state IN ('queued', 'signed', 'broadcast', 'mined'))";

/// All others.
const FOREIGN: &str = "hunted = 1";

/// Whose keys have paid for it, or are about to, matters.
const PAID: &str = "(hash_lock IS NOT NULL AND (declared_block IS NOT NULL OR EXISTS (SELECT 1 FROM transactions AS t
    WHERE t.request_id = requests.id AND t.step = 'accept' AND t.state <> 'failed')))";

/// Messages of others that are worked on.
const BUSY: &str = "SELECT COUNT(*) FROM (
    SELECT id FROM requests WHERE hunted = 1 AND claimed_by IS NOT NULL
    UNION SELECT id FROM requests WHERE hunted = 1 AND id IN (SELECT request_id
        FROM transactions WHERE state IN ('queued', 'signed', 'broadcast', 'mined'))) AS busy";

/// Whether an instance of this name may not work.
const RESTS: &str =
    "SELECT COUNT(*) FROM instances WHERE name = $1 AND status NOT IN ('active', 'request_maintenance')";

impl Store {
    /// [`Store::claim`] for whoever only looks and signs nothing: whatever its instance may do, and as many of others'
    /// messages as there are places.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database; then nothing is claimed.
    pub async fn claim_ready(&self, owner: &str, limit: u32, now_ms: i64) -> Result<Vec<Request>> {
        let mut tx = self.db.begin().await?;
        let claimed = self.take_ready(&mut tx, owner, Places { all: limit, foreign: u32::MAX }, now_ms).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Claims requests that have something to do: first those whose message is declared, since they have money locked,
    /// then the others, then what others left unfinished; each oldest first. Two claimants never get the same one.
    ///
    /// A request whose accept is declared or under way stays with the instance that made it for as long as that one may
    /// work: its keys have paid the bounty, or are about to, and get it back. A secret alone ties it to nobody, since all
    /// derive the same one: whoever can accept does.
    ///
    /// A request whose event a reorg has removed rests until the event appears again, or its message is declared.
    ///
    /// An instance whose status does not let it work gets none.
    ///
    /// A claimant that dies leaves its claims; [`Store::release_claims_of`] or [`Store::release_all_claims`] frees them.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database; then nothing is claimed.
    pub async fn claim(&self, owner: &str, places: Places, now_ms: i64) -> Result<Vec<Request>> {
        if places.all == 0 {
            return Ok(Vec::new());
        }
        let mut tx = self.db.begin().await?;
        // Who learns of its own status a moment late would begin what it may not sign, and keep it from those who may.
        let rests: u64 = tx.fetch_one(RESTS, args![owner]).await?.map_or(Ok(0), |mut row| row.take())?;
        if rests > 0 {
            return Ok(Vec::new());
        }
        let claimed = self.take_ready(&mut tx, owner, places, now_ms).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    async fn take_ready(&self, tx: &mut Tx, owner: &str, places: Places, now_ms: i64) -> Result<Vec<Request>> {
        // Rows that somebody else is changing are left to the next claim rather than waited for.
        let skip = tx.dialect().skip_locked();
        let due = format!(
            "UPDATE requests SET ready = 1, retry_at_ms = NULL
             WHERE id IN (SELECT id FROM requests WHERE done = 0 AND claimed_by IS NULL AND retry_at_ms IS NOT NULL
                     AND retry_at_ms <= $1{skip})"
        );
        tx.execute(due, args![now_ms]).await?;
        let mut claimed = Vec::new();
        let left = |claimed: &Vec<Request>| places.all.saturating_sub(u32::try_from(claimed.len()).unwrap_or(u32::MAX));
        for which in [OWN, FOREIGN_UNDER_WAY] {
            claimed.extend(self.take(tx, owner, which, left(&claimed)).await?);
        }
        if left(&claimed) > 0 {
            let busy: u32 = tx.fetch_one(BUSY, Vec::new()).await?.map_or(Ok(0), |mut row| row.take())?;
            let limit = left(&claimed).min(places.foreign.saturating_sub(busy));
            claimed.extend(self.take(tx, owner, FOREIGN, limit).await?);
        }
        claimed.sort_by_key(|request| (request.hunted, request.declared_block.is_none(), request.id));
        Ok(claimed)
    }

    async fn take(&self, tx: &mut Tx, owner: &str, which: &'static str, limit: u32) -> Result<Vec<Request>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let skip = tx.dialect().skip_locked();
        // Materialised: a plan that ran the inner select more than once would take more than the limit.
        let sql = format!(
            "WITH free AS MATERIALIZED (SELECT id FROM requests WHERE done = 0 AND claimed_by IS NULL AND ready = 1
                     AND (orphaned = 0 OR declared_block IS NOT NULL) AND {which}
                     AND (NOT {PAID} OR holder IS NULL OR holder = $1 OR holder NOT IN (SELECT name
                         FROM instances WHERE status IN ('active', 'request_maintenance')))
                 ORDER BY (declared_block IS NULL), id LIMIT $2{skip})
             UPDATE requests SET claimed_by = $1, holder = $1, claim_seq = claim_seq + 1, ready = 0, retry_at_ms = NULL, wait_kind = 'nothing', waiting_for = NULL
             WHERE id IN (SELECT id FROM free)
             RETURNING {COLUMNS}"
        );
        let mut rows = tx.fetch(sql, args![owner, limit]).await?;
        rows.iter_mut().map(request).collect()
    }

    /// Frees what a claimant held, to be taken up at once; how many.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn release_claims_of(&self, owner: &str) -> Result<u64> {
        let mut tx = self.db.begin_alone().await?;
        let sql = "UPDATE requests SET claimed_by = NULL, pid = NULL, ready = 1 WHERE claimed_by = $1";
        let freed = tx.execute(sql, args![owner]).await?;
        tx.commit().await?;
        Ok(freed)
    }

    /// Frees every claim: for who is alone on this database.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn release_all_claims(&self) -> Result<u64> {
        let mut tx = self.db.begin_alone().await?;
        let sql = "UPDATE requests SET claimed_by = NULL, pid = NULL, ready = 1 WHERE claimed_by IS NOT NULL";
        let freed = tx.execute(sql, Vec::new()).await?;
        tx.commit().await?;
        Ok(freed)
    }

    /// Makes requests claimable whatever they wait for.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn wake(&self, requests: &[RequestId]) -> Result<()> {
        let mut tx = self.db.begin().await?;
        super::lock(&mut tx, requests.iter().copied()).await?;
        for id in requests {
            let sql = "UPDATE requests SET wakes = wakes + 1, ready = 1 WHERE id = $1";
            tx.execute(sql, args![id]).await?;
        }
        tx.commit().await
    }

    /// Brings what is dated further ahead than anything may wait, `longest_ms`, back within that: the wall clock has gone
    /// back since. How many requests waited so.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn mend_calendar(&self, longest_ms: i64, now_ms: i64) -> Result<u64> {
        let furthest = now_ms.saturating_add(longest_ms);
        let mut tx = self.db.begin_alone().await?;
        let sql = "UPDATE requests SET retry_at_ms = $1
            WHERE done = 0 AND claimed_by IS NULL AND retry_at_ms IS NOT NULL AND retry_at_ms > $1";
        let mended = tx.execute(sql, args![furthest]).await?;
        // Else what fails from now on would count as having failed before the retry.
        let sql = "UPDATE requests SET retried_at_ms = $1 WHERE done = 0 AND retried_at_ms > $1";
        tx.execute(sql, args![now_ms]).await?;
        tx.commit().await?;
        Ok(mended)
    }

    /// When the next request has to be looked at by the clock alone, Unix time in milliseconds.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn next_retry_at(&self) -> Result<Option<i64>> {
        let sql = "SELECT MIN(retry_at_ms) FROM requests
            WHERE done = 0 AND claimed_by IS NULL AND retry_at_ms IS NOT NULL";
        self.db.fetch(sql, Vec::new()).await?.first_mut().map_or(Ok(None), Row::take)
    }
}
