//! The newest headers, linked by their parents. Pure.
//!
//! Invariant: the headers in the window are consecutive and each is the parent of the next, so that a block of the
//! window is on the branch of the newest head without asking again. Nothing is derived from the window alone: forks
//! deeper than the confirmations show at the checkpoint.

use crate::types::Header;
use std::collections::VecDeque;

/// What a new head means for the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advance {
    /// It is the first one, or the child of the last.
    Extended,
    /// It is the last one again.
    Repeated,
    /// Headers between the last one and it are missing: fetch these, push them in order, then push it again. The
    /// window is unchanged.
    Gap {
        /// The first missing block.
        from: u64,
        /// The last missing block.
        to: u64,
    },
    /// It is too far ahead for the gap to be filled: the window begins anew with it.
    Restarted,
    /// It is below the last one but on its branch: the endpoint lags. The window is unchanged.
    Behind,
    /// It is on another branch: blocks from this height on are replaced. The window begins anew with it.
    Forked {
        /// The lowest block known to be replaced; lower ones may be as well.
        at: u64,
    },
}

/// The newest headers of a chain.
#[derive(Debug, Clone)]
pub struct HeadWindow {
    headers: VecDeque<Header>,
    capacity: usize,
}

impl HeadWindow {
    /// Keeps at most `capacity` headers, at least two: a few more than the confirmations serve best.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { headers: VecDeque::new(), capacity: capacity.max(2) }
    }

    /// Takes a head, or a header that [`Advance::Gap`] named.
    pub fn push(&mut self, header: Header) -> Advance {
        let Some(last) = self.headers.back() else { return self.append(header, Advance::Extended) };
        if header.hash == last.hash {
            return Advance::Repeated;
        }
        if header.number > last.number {
            let missing = header.number - last.number - 1;
            if missing > 0 && u64::try_from(self.capacity).is_ok_and(|capacity| missing < capacity) {
                return Advance::Gap { from: last.number + 1, to: header.number - 1 };
            }
            if missing > 0 {
                return self.restart(header, Advance::Restarted);
            }
            if header.parent_hash == last.hash {
                return self.append(header, Advance::Extended);
            }
            let at = last.number;
            return self.restart(header, Advance::Forked { at });
        }
        if self.get(header.number).is_some_and(|known| known.hash == header.hash) {
            return Advance::Behind;
        }
        let at = header.number;
        self.restart(header, Advance::Forked { at })
    }

    /// The header at a height, if it is in the window.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Header> {
        let first = self.headers.front()?.number;
        self.headers.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// The newest header.
    #[must_use]
    pub fn head(&self) -> Option<&Header> {
        self.headers.back()
    }

    /// Forgets everything, e.g. when another endpoint is read from now on.
    pub fn clear(&mut self) {
        self.headers.clear();
    }

    fn append(&mut self, header: Header, advance: Advance) -> Advance {
        if self.headers.len() == self.capacity {
            self.headers.pop_front();
        }
        self.headers.push_back(header);
        advance
    }

    fn restart(&mut self, header: Header, advance: Advance) -> Advance {
        self.clear();
        self.append(header, advance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::test_header as header;

    #[test]
    fn heads_extend_repeat_lag_skip_and_fork() {
        let mut window = HeadWindow::new(4);
        assert_eq!(window.push(header(10, 1, 0)), Advance::Extended);
        assert_eq!(window.push(header(10, 1, 0)), Advance::Repeated);
        assert_eq!(window.push(header(11, 2, 1)), Advance::Extended);
        assert_eq!(window.push(header(10, 1, 0)), Advance::Behind);
        assert_eq!(window.push(header(14, 5, 4)), Advance::Gap { from: 12, to: 13 });
        assert_eq!(window.push(header(12, 3, 2)), Advance::Extended);
        assert_eq!(window.push(header(13, 4, 3)), Advance::Extended);
        assert_eq!(window.push(header(14, 5, 4)), Advance::Extended);
        assert_eq!(window.get(10), None, "only four are kept");
        assert_eq!(window.get(11).map(|h| h.hash), Some(header(11, 2, 1).hash));
        assert_eq!(window.push(header(13, 9, 3)), Advance::Forked { at: 13 });
        assert_eq!(window.get(12), None, "what lies below a fork must be asked again");
        assert_eq!(window.push(header(14, 8, 7)), Advance::Forked { at: 13 });
        assert_eq!(window.push(header(18, 9, 1)), Advance::Gap { from: 15, to: 17 });
        assert_eq!(window.push(header(19, 9, 1)), Advance::Restarted);
        assert_eq!(window.head().map(|h| h.number), Some(19));
        assert_eq!(window.push(header(3, 1, 9)), Advance::Forked { at: 3 });
    }
}
