//! What the chain's counts, receipts and block hashes say about a transaction in flight.
//!
//! Invariant: a transaction is over only when confirmations can no longer take it back; until then whatever a reorg
//! undoes is in flight again with the same bytes. Never are two different transactions of one intent able to take
//! effect: a nonce that another transaction used counts as lost only once that is final.

use facilitator_eth::B256;

/// How an account's transaction count stands to a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// At the newest block.
    pub latest: u64,
    /// At the newest final block; `None` if it wasn't asked.
    pub finalised: Option<u64>,
}

/// What to do about a transaction that was not known to be mined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// Its nonce is not used yet.
    Wait,
    /// Its nonce is used: ask for the receipts of its attempts.
    Ask,
    /// The nonce is used but by none of its attempts: ask for the count at the final block too.
    Suspect,
    /// Another transaction used the nonce, finally: the intent needs a new one.
    Superseded,
}

/// Decides by the counts, where `receipts` says whether its attempts' receipts were asked for at this head and none
/// was there.
#[must_use]
pub fn pending(nonce: u64, counts: Counts, receipts: Receipts) -> Pending {
    if nonce >= counts.latest {
        return Pending::Wait;
    }
    match (receipts, counts.finalised) {
        (Receipts::NotAsked, _) => Pending::Ask,
        (Receipts::Missing, Some(finalised)) if nonce < finalised => Pending::Superseded,
        (Receipts::Missing, Some(_)) => Pending::Wait,
        (Receipts::Missing, None) => Pending::Suspect,
    }
}

/// Whether receipts were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipts {
    /// Not yet at this head.
    NotAsked,
    /// They were, and there is none for any attempt.
    Missing,
}

/// What to do about a transaction that was seen in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mined {
    /// Not enough confirmations yet.
    Wait,
    /// A reorg took it out: it is in flight again.
    Vanished,
    /// Enough confirmations: compare the hash of its block.
    Check,
    /// Final.
    Final,
    /// Its block was replaced: ask for the receipts again.
    Ask,
}

/// Decides for a transaction seen in block `block` with hash `hash`, at the newest block `head`, where `canonical` is
/// the hash that the chain has at that height now, if asked.
#[must_use]
pub fn mined(
    nonce: u64,
    counts: Counts,
    (block, hash): (u64, B256),
    head: u64,
    confirmations: u64,
    canonical: Option<B256>,
) -> Mined {
    if nonce >= counts.latest {
        return Mined::Vanished;
    }
    if head < block.saturating_add(confirmations) {
        return Mined::Wait;
    }
    match canonical {
        None => Mined::Check,
        Some(found) if found == hash => Mined::Final,
        Some(_) => Mined::Ask,
    }
}

/// From where receipts come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// All receipts of the blocks from the first to the last.
    Blocks(u64, u64),
    /// One call per attempt.
    Single,
}

/// Most blocks whose receipts are fetched as a whole.
const MAX_BLOCKS: u64 = 8;
/// A block's receipts are worth a call only for several transactions: most of them are strangers'.
const WORTH: u64 = 4;

/// Chooses for `wanted` attempts that were mined after block `before`, at the newest block `head`.
#[must_use]
pub fn source(wanted: usize, before: Option<u64>, head: u64) -> Source {
    let Some(before) = before else { return Source::Single };
    let blocks = head.saturating_sub(before);
    let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
    if blocks == 0 || blocks > MAX_BLOCKS || wanted < blocks.saturating_mul(WORTH) {
        return Source::Single;
    }
    Source::Blocks(before + 1, head)
}

/// Most single receipts that are asked for on the mere expectation that they are there.
pub const FEW: usize = 8;

/// Blocks after an account got somewhere in which its transactions are expected to be mined at each block.
const SOON: u64 = 2;

/// Whether what happened at block `then` makes it likely that block `head` holds transactions of the same account.
#[must_use]
pub const fn is_recent(then: u64, head: u64) -> bool {
    head <= then.saturating_add(SOON)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: B256 = B256([1; 32]);
    const B: B256 = B256([2; 32]);

    #[test]
    fn a_pending_transaction_follows_the_counts() {
        let counts = |latest, finalised| Counts { latest, finalised };
        for (nonce, counts, receipts, expected) in [
            (5, counts(5, None), Receipts::NotAsked, Pending::Wait),
            (5, counts(6, None), Receipts::NotAsked, Pending::Ask),
            // A node whose index lags behind its head, or a foreign transaction: only finality tells.
            (5, counts(6, None), Receipts::Missing, Pending::Suspect),
            (5, counts(6, Some(5)), Receipts::Missing, Pending::Wait),
            (5, counts(6, Some(6)), Receipts::Missing, Pending::Superseded),
            // A reorg lowered the count below the final one that was asked before.
            (5, counts(5, Some(6)), Receipts::Missing, Pending::Wait),
        ] {
            assert_eq!(pending(nonce, counts, receipts), expected, "{nonce} {counts:?} {receipts:?}");
        }
    }

    #[test]
    fn a_mined_transaction_is_over_when_it_is_final_in_the_same_block() {
        let table = [
            (6, 100, 6, None, Mined::Wait),
            (6, 105, 6, None, Mined::Wait),
            (6, 106, 6, None, Mined::Check),
            (6, 106, 6, Some(A), Mined::Final),
            (6, 106, 6, Some(B), Mined::Ask),
            (6, 100, 0, Some(A), Mined::Final),
            // The count fell: a reorg took it out, whatever the height.
            (5, 100, 6, None, Mined::Vanished),
            (5, 200, 6, Some(A), Mined::Vanished),
        ];
        for (latest, head, confirmations, canonical, expected) in table {
            let counts = Counts { latest, finalised: None };
            assert_eq!(mined(5, counts, (100, A), head, confirmations, canonical), expected, "{latest} {head}");
        }
    }

    #[test]
    fn many_receipts_of_few_blocks_come_by_block() {
        for (wanted, before, head, expected) in [
            (100, Some(10), 11, Source::Blocks(11, 11)),
            (4, Some(10), 11, Source::Blocks(11, 11)),
            (3, Some(10), 11, Source::Single),
            (100, Some(10), 18, Source::Blocks(11, 18)),
            (100, Some(10), 19, Source::Single),
            (100, Some(10), 10, Source::Single),
            (100, Some(12), 10, Source::Single),
            (100, None, 10, Source::Single),
        ] {
            assert_eq!(source(wanted, before, head), expected, "{wanted} {before:?} {head}");
        }
    }
}
