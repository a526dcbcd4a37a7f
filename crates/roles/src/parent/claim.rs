//! Which claim on a row a worker works under.

use facilitator_protocol::model::{Request, RequestId};
use facilitator_store::requests::Lost;

/// A claim on a row: the row and the how many-th claim on it this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) request: RequestId,
    pub(super) seq: i64,
}

impl Claim {
    pub(super) const fn of(request: &Request) -> Self {
        Self { request: request.id, seq: request.claim_seq }
    }

    /// Whether it is the one that is told to be lost, not a later one on the same row.
    pub(super) fn is_lost_by(self, lost: Lost) -> bool {
        self.request == lost.request && lost.seq.is_none_or(|seq| seq == self.seq)
    }
}
