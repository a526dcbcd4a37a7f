//! How many connections each address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Counts = HashMap<IpAddr, usize>;

/// Counts the connections of each address up to a limit.
pub(super) struct Peers {
    limit: usize,
    open: Arc<Mutex<Counts>>,
}

/// A connection that is counted until this is dropped.
pub(super) struct Admitted {
    peer: IpAddr,
    open: Arc<Mutex<Counts>>,
}

impl Peers {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, open: Arc::default() }
    }

    /// `None`: this one has as many as it may have.
    pub(super) fn admit(&self, peer: IpAddr) -> Option<Admitted> {
        let peer = peer.to_canonical();
        let mut open = lock(&self.open);
        let count = open.entry(peer).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Admitted { peer, open: Arc::clone(&self.open) })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        if let Some(count) = open.get_mut(&self.peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// Nothing that panics is done under the lock.
fn lock(open: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}
