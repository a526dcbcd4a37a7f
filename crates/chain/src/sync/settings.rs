//! The numbers of pair synchronisation, and the arithmetic of epochs. On an EVM chain a slot is a block.

use bincode::{Decode, Encode};

/// What may be set for the synchronisation of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Settings {
    /// Blocks of one epoch; 0 counts as 1.
    pub slots_per_epoch: u64,
    /// Milliseconds between two readiness attempts of the coordinator, and between two reports of every machine.
    pub head_sync_ready_interval_ms: u64,
    /// Seconds after which a step of the handshake that nobody goes on with lapses; then it starts over.
    pub head_sync_timeout_secs: u64,
    /// Epochs behind the head from which on a chain synchronises anew; 0 counts as 1.
    pub resync_epochs: u64,
    /// Whether the node's `finalized` block is asked for; if not, or if the node has none, the block two epochs back
    /// counts as finalized.
    pub use_finalized_tag: bool,
    /// Failed handshakes in a row that raise an alarm.
    pub critical_after: u32,
    /// Most anchored roots that one head-sync compares, the newest: an anchor holds far fewer at a time.
    pub max_items: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            slots_per_epoch: 32,
            head_sync_ready_interval_ms: 1_000,
            head_sync_timeout_secs: 120,
            resync_epochs: 2,
            use_finalized_tag: true,
            critical_after: 10,
            max_items: 4_096,
        }
    }
}

impl Settings {
    /// The epoch of a block.
    #[must_use]
    pub const fn epoch(&self, block: u64) -> u64 {
        block / if self.slots_per_epoch == 0 { 1 } else { self.slots_per_epoch }
    }

    /// The last finalized block: the node's word if it has one and is to be asked, else two whole epochs back, 0 on a
    /// chain younger than that.
    #[must_use]
    pub const fn finalized(&self, head: u64, tag: Option<u64>) -> u64 {
        match tag {
            Some(block) if self.use_finalized_tag => block,
            Some(_) | None => self.epoch(head).saturating_sub(2).saturating_mul(self.slots_per_epoch),
        }
    }

    /// Whether a chain that has been followed up to `synced` must synchronise anew under `head`. Never in the first two
    /// epochs.
    #[must_use]
    pub fn is_behind(&self, synced: u64, head: u64) -> bool {
        let current = self.epoch(head);
        current > 1 && self.epoch(synced).saturating_add(self.resync_epochs.max(1)) <= current
    }

    /// [`Self::head_sync_timeout_secs`] in milliseconds.
    #[must_use]
    pub const fn timeout_ms(&self) -> u64 {
        self.head_sync_timeout_secs.saturating_mul(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Settings = Settings {
        slots_per_epoch: 4,
        head_sync_ready_interval_ms: 1_000,
        head_sync_timeout_secs: 120,
        resync_epochs: 2,
        use_finalized_tag: true,
        critical_after: 10,
        max_items: 100,
    };

    #[test]
    fn two_epochs_behind_is_behind_and_one_is_not() {
        for synced in 12..16 {
            assert!(SHORT.is_behind(synced, 20), "epoch 3 of 5: {synced}");
        }
        for synced in 16..=20 {
            assert!(!SHORT.is_behind(synced, 20), "epoch 4 or 5 of 5: {synced}");
        }
        for head in 0..8 {
            assert!(!SHORT.is_behind(0, head), "the first two epochs: {head}");
        }
        assert!(SHORT.is_behind(0, 8));
        assert!(!Settings { resync_epochs: 1, ..SHORT }.is_behind(0, 7), "the first two epochs whatever the setting");
        let odd = Settings { slots_per_epoch: 0, resync_epochs: 0, ..SHORT };
        assert!(odd.is_behind(8, 9) && !odd.is_behind(9, 9), "zeros count as one");
    }

    #[test]
    fn without_the_tag_two_epochs_back_is_finalized() {
        assert_eq!(SHORT.finalized(20, Some(12)), 12);
        assert_eq!(SHORT.finalized(20, None), 12);
        assert_eq!(SHORT.finalized(23, None), 12);
        assert_eq!(SHORT.finalized(11, None), 0);
        assert_eq!(SHORT.finalized(3, None), 0);
        assert_eq!(Settings { use_finalized_tag: false, ..SHORT }.finalized(23, Some(22)), 12);
        assert_eq!(Settings { slots_per_epoch: 0, ..SHORT }.finalized(23, None), 0);
    }
}
