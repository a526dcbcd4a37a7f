//! What surrounds the follower: the endpoints it reads, the database it fills, the parent it tells.
//!
//! Behind a trait, so that the same follower runs in the daemon and in a simulation.

use super::ToParent;
use super::endpoints::Endpoints;
use crate::child::ChildError;
use crate::clock;
use crate::messages::FromScanner;
use crate::pulse;
use facilitator_chain::connector::EndpointId;
use facilitator_chain::reader::Reader;
use facilitator_chain::rpc::RpcError;
use facilitator_chain::scan::{
    FetchError, FetchedRange, LogFilter, Span, fetch_chain_id, fetch_events, fetch_gas_price, fetch_hash, fetch_head,
    fetch_headers, fetch_range,
};
use facilitator_chain::types::Header;
use facilitator_eth::U256;
use facilitator_store::scan::{Block, BlockRef, Committed, Rewound, RolledBack, ScanCommit};
use facilitator_store::{Store, StoreError};
use std::time::Instant;

/// One chain as it is followed. Each change of the database is one commit.
#[expect(async_fn_in_trait, reason = "a scanner is one task: nobody needs the futures to be sent")]
pub trait Scene {
    /// Milliseconds of a clock that never goes back.
    fn now(&self) -> u64;
    /// An endpoint's newest block; with the chain that it serves, if that is to be asked.
    async fn head(&self, endpoint: EndpointId, with_chain_id: bool) -> Result<(Option<u64>, Header), RpcError>;
    /// An endpoint's hash at a height; `None` if it does not have the block.
    async fn hash(&self, endpoint: EndpointId, number: u64) -> Result<Option<facilitator_eth::B256>, RpcError>;
    /// What an endpoint suggests to pay for a unit of gas.
    async fn gas_price(&self, endpoint: EndpointId) -> Result<U256, RpcError>;
    /// An endpoint's headers, in the order of the heights.
    async fn headers(&self, endpoint: EndpointId, numbers: &[u64]) -> Result<Vec<Header>, FetchError>;
    /// The events of a range, with the headers of its ends and of the blocks that have some.
    async fn range(&self, endpoint: EndpointId, filter: &LogFilter, span: Span) -> Result<FetchedRange, FetchError>;
    /// All events of some blocks, ascending, whose headers are known and agreed on.
    async fn events(
        &self,
        endpoint: EndpointId,
        filter: &LogFilter,
        headers: &[Header],
    ) -> Result<FetchedRange, FetchError>;
    /// As [`Store::checkpoint`].
    async fn checkpoint(&self, chain_id: u64) -> Result<Option<BlockRef>, StoreError>;
    /// As [`Store::recent_blocks`].
    async fn recent_blocks(&self, chain_id: u64, limit: u32) -> Result<Vec<Block>, StoreError>;
    /// As [`Store::commit_scan`].
    async fn commit_scan(&self, commit: &ScanCommit) -> Result<Committed, StoreError>;
    /// As [`Store::rollback_to`].
    async fn rollback_to(&self, chain_id: u64, to: BlockRef) -> Result<RolledBack, StoreError>;
    /// As [`Store::rewind`].
    async fn rewind(&self, chain_id: u64, to: u64) -> Result<Option<Rewound>, StoreError>;
    /// As [`Store::remember_blocks`].
    async fn remember_blocks(&self, chain_id: u64, blocks: &[Block]) -> Result<(), StoreError>;
    /// As [`Store::forget_blocks`].
    async fn forget_blocks(&self, chain_id: u64, above: u64) -> Result<(), StoreError>;
    /// Tells the parent.
    async fn tell(&self, message: FromScanner) -> Result<(), ChildError>;
    /// Blocks up to this height are final; `None`: it is not known which.
    fn set_final(&self, height: Option<u64>);
    /// Questions of workers go to this endpoint from now on.
    fn set_client(&self, endpoint: EndpointId);
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

/// Real nodes and a real database.
pub(crate) struct Live<A> {
    pub(crate) store: Store,
    pub(crate) endpoints: Endpoints,
    pub(crate) reader: Reader,
    pub(crate) audience: A,
    pub(crate) began: Instant,
}

/// Headers that are asked for in one go; of more, half is asked for while the other half is on its way.
const ONE_AFTER_THE_OTHER: usize = 100;

/// Does a read on a task of its own, so that it comes further while the database is written.
async fn aside<T: Send + 'static>(
    read: impl Future<Output = Result<T, FetchError>> + Send + 'static,
) -> Result<T, FetchError> {
    // Range by range it comes further: only one of them is to have an end.
    pulse::busy();
    let read = Aside(tokio::spawn(read));
    let done = read.await;
    done.unwrap_or_else(|_| Err(RpcError::malformed("the read was given up").into()))
}

/// A task that ends when nobody waits for it any more.
struct Aside<T>(tokio::task::JoinHandle<T>);

impl<T> Future for Aside<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for Aside<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a head that cannot be had means for the endpoint.
fn no_block(error: FetchError) -> RpcError {
    match error {
        FetchError::Rpc(error) => error,
        FetchError::Missing { .. } | FetchError::Inconsistent { .. } | FetchError::Lied { .. } => {
            RpcError::malformed(error.to_string())
        }
    }
}

impl<A: Audience> Scene for Live<A> {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn head(&self, endpoint: EndpointId, with_chain_id: bool) -> Result<(Option<u64>, Header), RpcError> {
        let rpc = self.endpoints.get(endpoint);
        if !with_chain_id {
            return Ok((None, fetch_head(&rpc).await.map_err(no_block)?));
        }
        let chain_id = fetch_chain_id(&rpc).await?;
        Ok((Some(chain_id), fetch_head(&rpc).await.map_err(no_block)?))
    }

    async fn hash(&self, endpoint: EndpointId, number: u64) -> Result<Option<facilitator_eth::B256>, RpcError> {
        fetch_hash(&self.endpoints.get(endpoint), number).await
    }

    async fn gas_price(&self, endpoint: EndpointId) -> Result<U256, RpcError> {
        fetch_gas_price(&self.endpoints.get(endpoint)).await
    }

    async fn headers(&self, endpoint: EndpointId, numbers: &[u64]) -> Result<Vec<Header>, FetchError> {
        let (rpc, numbers) = (self.endpoints.get(endpoint), numbers.to_vec());
        aside(async move {
            if numbers.len() <= ONE_AFTER_THE_OTHER {
                return fetch_headers(&rpc, &numbers).await;
            }
            let (low, high) = numbers.split_at(numbers.len() / 2);
            let (mut headers, high) = tokio::try_join!(fetch_headers(&rpc, low), fetch_headers(&rpc, high))?;
            headers.extend(high);
            Ok(headers)
        })
        .await
    }

    async fn range(&self, endpoint: EndpointId, filter: &LogFilter, span: Span) -> Result<FetchedRange, FetchError> {
        let (rpc, filter) = (self.endpoints.get(endpoint), filter.clone());
        aside(async move { fetch_range(&rpc, &filter, span).await }).await
    }

    async fn events(
        &self,
        endpoint: EndpointId,
        filter: &LogFilter,
        headers: &[Header],
    ) -> Result<FetchedRange, FetchError> {
        let (rpc, filter, headers) = (self.endpoints.get(endpoint), filter.clone(), headers.to_vec());
        aside(async move { fetch_events(&rpc, &filter, headers).await }).await
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

    async fn rewind(&self, chain_id: u64, to: u64) -> Result<Option<Rewound>, StoreError> {
        self.store.rewind(chain_id, to, clock::now_ms()).await
    }

    async fn remember_blocks(&self, chain_id: u64, blocks: &[Block]) -> Result<(), StoreError> {
        self.store.remember_blocks(chain_id, blocks).await
    }

    async fn forget_blocks(&self, chain_id: u64, above: u64) -> Result<(), StoreError> {
        self.store.forget_blocks(chain_id, above).await
    }

    async fn tell(&self, message: FromScanner) -> Result<(), ChildError> {
        self.audience.tell(message).await
    }

    fn set_final(&self, height: Option<u64>) {
        self.reader.set_final(height);
    }

    fn set_client(&self, endpoint: EndpointId) {
        self.reader.use_endpoint(self.endpoints.get(endpoint));
    }
}
