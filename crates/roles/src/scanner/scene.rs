//! What surrounds the follower: the node it reads, the database it fills, the parent it tells.
//!
//! Behind a trait, so that the same follower runs in the daemon and in a simulation.

use super::ToParent;
use crate::child::ChildError;
use crate::clock;
use crate::messages::FromScanner;
use crate::pulse;
use facilitator_chain::reader::Reader;
use facilitator_chain::rpc::Rpc;
use facilitator_chain::scan::{
    FetchError, FetchedRange, HeadWindow, LogFilter, Span, fetch_head, fetch_headers, fetch_range,
};
use facilitator_chain::types::Header;
use facilitator_store::scan::{Block, BlockRef, Committed, RolledBack, ScanCommit};
use facilitator_store::{Store, StoreError};

/// One chain as it is followed. Each change of the database is one commit.
#[expect(async_fn_in_trait, reason = "a scanner is one task: nobody needs the futures to be sent")]
#[expect(missing_docs, reason = "each is the function or method of the same name")]
pub trait Scene {
    async fn fetch_head(&self) -> Result<Header, FetchError>;
    async fn fetch_headers(&self, numbers: &[u64]) -> Result<Vec<Header>, FetchError>;
    async fn fetch_range(
        &self,
        filter: &LogFilter,
        span: Span,
        window: &HeadWindow,
    ) -> Result<FetchedRange, FetchError>;
    async fn checkpoint(&self, chain_id: u64) -> Result<Option<BlockRef>, StoreError>;
    async fn recent_blocks(&self, chain_id: u64, limit: u32) -> Result<Vec<Block>, StoreError>;
    async fn commit_scan(&self, commit: &ScanCommit) -> Result<Committed, StoreError>;
    async fn rollback_to(&self, chain_id: u64, to: BlockRef) -> Result<RolledBack, StoreError>;
    async fn tell(&self, message: FromScanner) -> Result<(), ChildError>;
    fn set_final(&self, height: u64);
}

/// Who hears what a follower has to tell.
pub(crate) trait Audience {
    /// Tells it.
    ///
    /// # Errors
    /// [`ChildError`] if nobody is left to hear it.
    async fn tell(&self, message: FromScanner) -> Result<(), ChildError>;
}

impl Audience for ToParent {
    async fn tell(&self, message: FromScanner) -> Result<(), ChildError> {
        Ok(self.send(&message).await?)
    }
}

/// A real node and a real database.
pub(crate) struct Live<A> {
    pub(crate) store: Store,
    pub(crate) rpc: Rpc,
    pub(crate) reader: Reader,
    pub(crate) audience: A,
}

impl<A: Audience> Scene for Live<A> {
    async fn fetch_head(&self) -> Result<Header, FetchError> {
        fetch_head(&self.rpc).await
    }

    async fn fetch_headers(&self, numbers: &[u64]) -> Result<Vec<Header>, FetchError> {
        pulse::busy();
        fetch_headers(&self.rpc, numbers).await
    }

    async fn fetch_range(
        &self,
        filter: &LogFilter,
        span: Span,
        window: &HeadWindow,
    ) -> Result<FetchedRange, FetchError> {
        // Range by range it comes further: only one of them is to have an end.
        pulse::busy();
        fetch_range(&self.rpc, filter, span, window).await
    }

    async fn checkpoint(&self, chain_id: u64) -> Result<Option<BlockRef>, StoreError> {
        self.store.checkpoint(chain_id).await
    }

    async fn recent_blocks(&self, chain_id: u64, limit: u32) -> Result<Vec<Block>, StoreError> {
        self.store.recent_blocks(chain_id, limit).await
    }

    async fn commit_scan(&self, commit: &ScanCommit) -> Result<Committed, StoreError> {
        pulse::busy();
        self.store.commit_scan(commit, clock::now_ms()).await
    }

    async fn rollback_to(&self, chain_id: u64, to: BlockRef) -> Result<RolledBack, StoreError> {
        self.store.rollback_to(chain_id, to, clock::now_ms()).await
    }

    async fn tell(&self, message: FromScanner) -> Result<(), ChildError> {
        self.audience.tell(message).await
    }

    fn set_final(&self, height: u64) {
        self.reader.set_final(height);
    }
}
