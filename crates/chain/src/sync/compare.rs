//! The comparisons of the handshake: anchored roots against blocks. Pure functions.

use super::event::{AnchoredRoot, BlockFacts};
use super::message::{Checkpoint, Difference, Refusal};
use facilitator_protocol::model::Side;

/// The newest block that is finalized here and anchored there, in a block at or below `anchored_at_most`; `None` if
/// there is no such root, so that the genesis block has to do.
pub(super) fn choose(roots: &[AnchoredRoot], finalized: u64, anchored_at_most: Option<u64>) -> Option<u64> {
    let firm = |root: &&AnchoredRoot| anchored_at_most.is_none_or(|limit| root.anchored_in <= limit);
    roots.iter().filter(firm).map(|root| root.number).filter(|number| *number <= finalized).max()
}

/// Whether the follower knows the coordinator's checkpoint. The genesis block needs no proof. `side` is the
/// coordinator's; `roots` are those of its blocks; `finalized` is the follower's.
pub(super) fn validate(
    side: Side,
    checkpoint: &Checkpoint,
    roots: &[AnchoredRoot],
    finalized: u64,
) -> Result<(), Refusal> {
    if checkpoint.hash.is_zero() || checkpoint.state_root.is_zero() {
        return Err(Refusal::BadParams);
    }
    if checkpoint.number == 0 {
        return Ok(());
    }
    match equal(side, checkpoint, roots) {
        Ok(()) => {}
        Err(Refusal::UnknownSpineHash) if roots.iter().any(|root| root.root == checkpoint.state_root) => {
            return Err(Refusal::BadNumber);
        }
        Err(refusal) => return Err(refusal),
    }
    let firm = |root: &AnchoredRoot| root.number == checkpoint.number && root.anchored_in <= finalized;
    if roots.iter().any(firm) { Ok(()) } else { Err(Refusal::NotFinalized { finalized }) }
}

/// Whether every block's root is the one in the other chain's anchors. `side` is that of the blocks.
pub(super) fn compare(side: Side, blocks: &[Checkpoint], roots: &[AnchoredRoot]) -> Result<(), Refusal> {
    blocks.iter().try_for_each(|block| equal(side, block, roots))
}

/// Every anchor that holds the height must hold the block's root, and one must hold it.
fn equal(side: Side, block: &Checkpoint, roots: &[AnchoredRoot]) -> Result<(), Refusal> {
    let mut anchored = roots.iter().filter(|root| root.number == block.number).peekable();
    if anchored.peek().is_none() {
        return Err(Refusal::UnknownSpineHash);
    }
    match anchored.find(|root| root.root != block.state_root) {
        None => Ok(()),
        Some(root) => Err(Refusal::Differs(Difference {
            side,
            number: block.number,
            found: block.state_root,
            anchor: root.anchor,
            anchored: root.root,
        })),
    }
}

/// Sorts by number and drops repetitions; gives the numbers that were repeated.
pub(super) fn tidy(items: &mut Vec<Checkpoint>) -> Result<Vec<u64>, Refusal> {
    items.sort_by_key(|item| item.number);
    let mut repeated = Vec::new();
    for pair in items.windows(2) {
        if let [a, b] = pair
            && a.number == b.number
        {
            if a != b {
                return Err(Refusal::BadParams);
            }
            repeated.push(a.number);
        }
    }
    items.dedup();
    repeated.dedup();
    Ok(repeated)
}

/// Heights that follow `after` and do not exceed `head`, ascending, each once.
pub(super) fn heights(roots: &[AnchoredRoot], after: u64, head: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        roots.iter().map(|root| root.number).filter(|number| after < *number && *number <= head).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The blocks of `numbers`, in their order, if the endpoint has all and none contradicts what was scanned.
pub(super) fn blocks(numbers: &[u64], found: &[BlockFacts]) -> Result<Vec<Checkpoint>, Refusal> {
    let one = |number: &u64| {
        let facts = found.iter().find(|facts| facts.block.number == *number);
        let facts = facts.ok_or_else(|| Refusal::LookUp(format!("the node does not have block {number}")))?;
        match facts.stored {
            Some(stored) if stored != facts.block.hash => Err(Refusal::LookUp(format!(
                "block {number} has hash {} by the node and {stored} as scanned",
                facts.block.hash
            ))),
            Some(_) | None => Ok(facts.block),
        }
    };
    numbers.iter().map(one).collect()
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
