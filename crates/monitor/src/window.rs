//! Which blocks a run looks at. Pure.

/// Blocks that a run looks at, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first block.
    pub from: u64,
    /// The last block, not below `from`.
    pub to: u64,
}

impl Window {
    /// From a little before the checkpoint, since forks may have replaced those blocks, to the newest block. Without a
    /// checkpoint, or with one that the chain has not reached (any more), only the last few blocks.
    #[must_use]
    pub fn since(checkpoint: Option<u64>, latest: u64, depth: u64) -> Self {
        let start = checkpoint.filter(|checkpoint| (1..latest).contains(checkpoint)).unwrap_or(latest);
        Self { from: start.saturating_sub(depth), to: latest }
    }

    /// The window so many blocks earlier: what lies in it has reached that age since the window of the run before.
    /// `None` while the chain is too short.
    #[must_use]
    pub fn earlier(self, blocks: u64) -> Option<Self> {
        Some(Self { from: self.from.saturating_sub(blocks), to: self.to.checked_sub(blocks)? })
    }

    /// Whether the block lies in it.
    #[must_use]
    pub const fn contains(self, block: u64) -> bool {
        self.from <= block && block <= self.to
    }
}

/// The checkpoint to store for the last block of a window. Zero would count as none.
#[must_use]
pub fn checkpoint_at(block: u64) -> u64 {
    block.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(checkpoint: u64, latest: u64) -> (u64, u64) {
        let window = Window::since(Some(checkpoint), latest, 12);
        (window.from, window.to)
    }

    #[test]
    fn windows_begin_twelve_blocks_before_the_checkpoint_and_end_at_the_tip() {
        assert_eq!([since(100, 150), since(150, 155), since(155, 200)], [(88, 150), (138, 155), (143, 200)]);
        // Failed runs leave the checkpoint where it is.
        assert_eq!([since(100, 170), since(100, 200), since(200, 250)], [(88, 170), (88, 200), (188, 250)]);
    }

    #[test]
    fn without_a_usable_checkpoint_the_last_blocks_are_looked_at_and_never_block_minus_one() {
        let none = Window::since(None, 50, 12);
        assert_eq!((none.from, none.to), (38, 50));
        assert_eq!([since(0, 50), since(50, 50), since(51, 50)], [(38, 50); 3]);
        assert_eq!([since(5, 50), since(1, 50), since(3, 3), since(0, 0)], [(0, 50), (0, 50), (0, 3), (0, 0)]);
        assert_eq!(checkpoint_at(0), 1, "the first block of all is a checkpoint too");
    }

    #[test]
    fn earlier_windows_follow_each_other_without_a_gap_as_the_windows_do() {
        let windows = [Window { from: 88, to: 150 }, Window { from: 138, to: 155 }];
        let earlier: Vec<_> = windows.iter().filter_map(|window| window.earlier(100)).collect();
        assert_eq!(earlier, [Window { from: 0, to: 50 }, Window { from: 38, to: 55 }]);
        assert_eq!(Window { from: 0, to: 9 }.earlier(10), None);
    }
}
