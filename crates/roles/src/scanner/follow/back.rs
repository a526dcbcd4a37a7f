//! Going back: forks are undone, the operator's rewinding is followed, and what was read with a gap is read again.

use super::{Follower, Scene, remembered};
use crate::child::ChildError;
use crate::messages::FromScanner;
use facilitator_chain::connector::Event;
use facilitator_chain::scan::Checkpoint;
use facilitator_kill::kill_point;
use facilitator_store::scan::BlockRef;

impl<'s, S: Scene + 's> Follower<'s, S> {
    /// Forgets blocks that are no longer on the chain, and undoes what was derived from them.
    pub(super) async fn delete_above(&mut self, to: Checkpoint, undo_events: bool) -> Result<(), ChildError> {
        if self.release.target().is_some_and(|target| target.number > to.number) {
            self.scene.set_final(Some(to.number));
        }
        self.release.back_to(to);
        self.gaps.back_to(to.number.saturating_add(1));
        self.early.clear();
        self.unsaved.retain(|block| block.number <= to.number);
        let target = BlockRef { number: to.number, hash: to.hash };
        kill_point!("scanner.fork_found");
        // What was released but not stored needs no undoing.
        let stored = undo_events && self.checkpoint.is_some_and(|block| block.number > to.number);
        let done = if stored {
            let undone = self.scene.rollback_to(self.chain_id, target).await;
            undone.map(|undone| tracing::warn!(chain = self.chain_id, block = to.number, ?undone, "followed a fork"))
        } else {
            self.scene.forget_blocks(self.chain_id, to.number).await
        };
        match done {
            Ok(()) => {
                kill_point!("scanner.rolled_back");
                if stored {
                    self.checkpoint = Some(target);
                    self.scene.tell(FromScanner::Woke).await?;
                } else {
                    tracing::info!(chain = self.chain_id, block = to.number, "the head is on another branch");
                }
                self.told.database(None);
                self.feed(Event::Deleted { to });
                Ok(())
            }
            Err(error) => {
                self.feed(Event::DeleteFailed);
                self.store_refused(error).await
            }
        }
    }

    /// Forgets all blocks, none of which is on the chain any more, and undoes what was derived from them.
    pub(super) async fn delete_all(&mut self, below: u64) -> Result<(), ChildError> {
        self.scene.set_final(None);
        self.release.forget();
        self.gaps.back_to(0);
        self.early.clear();
        self.unsaved.clear();
        let done = match self.checkpoint {
            Some(_) => self.scene.rewind(self.chain_id, below).await.map(drop),
            None => self.scene.forget_blocks(self.chain_id, below).await,
        };
        match done {
            Ok(()) => {
                tracing::warn!(chain = self.chain_id, "every block so far was replaced: reading again from the first");
                self.checkpoint = None;
                self.scene.tell(FromScanner::Woke).await?;
                self.feed(Event::Rewound { blocks: Vec::new(), released: None });
                Ok(())
            }
            Err(error) => {
                self.feed(Event::DeleteFailed);
                self.store_refused(error).await
            }
        }
    }

    /// While a fork is refused nothing is written, so that only a look tells whether the operator has rewound.
    pub(super) async fn look_for_rewind(&mut self) -> Result<(), ChildError> {
        if !self.told.fork_is_refused() || self.is_resting() {
            return Ok(());
        }
        match self.rewound().await {
            Ok(_) => Ok(()),
            Err(ChildError::Store(error)) if error.passes() => self.store_refused(error).await,
            Err(error) => Err(error),
        }
    }

    /// Whether the checkpoint in the database is below the one that is known here: then goes on from there.
    pub(super) async fn rewound(&mut self) -> Result<bool, ChildError> {
        let stored = self.scene.checkpoint(self.chain_id).await?;
        let below = match (stored, self.checkpoint) {
            (Some(stored), Some(known)) => stored.number < known.number,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if !below {
            return Ok(false);
        }
        let released = stored.map(|block| block.number);
        tracing::warn!(
            chain = self.chain_id,
            ?released,
            "the chain was rewound, by the operator or after a fork that another instance saw: scanning again"
        );
        self.go_on_at(stored).await?;
        Ok(true)
    }

    /// Whether another instance has stored blocks that are not stored from here: then goes on behind them. Where it has
    /// read another branch than this one, what is remembered is taken from the database.
    pub(super) async fn overtaken(&mut self) -> Result<bool, ChildError> {
        let Some(stored) = self.scene.checkpoint(self.chain_id).await? else { return Ok(false) };
        if self.checkpoint == Some(stored) {
            // Moved there and back: the next commit fits again.
            return Ok(true);
        }
        if self.checkpoint.is_some_and(|known| known.number > stored.number) {
            return Ok(false);
        }
        tracing::debug!(chain = self.chain_id, block = stored.number, "another instance has stored more");
        // Its requests may be worked on from here too.
        self.scene.tell(FromScanner::Woke).await?;
        let block = Checkpoint { number: stored.number, hash: stored.hash };
        if self.connector.local().contradicts(block) {
            self.go_on_at(Some(stored)).await?;
            return Ok(true);
        }
        self.checkpoint = Some(stored);
        self.unsaved.retain(|block| block.number > stored.number);
        self.headers.forget_below(stored.number);
        // What messages there were in between is not known here.
        self.gaps.back_to(0);
        self.told.database(None);
        Ok(true)
    }

    /// Undoes what was read from a block on, so that it is read again; `false`: not now.
    pub(super) async fn go_back(&mut self, from: u64) -> Result<bool, ChildError> {
        match self.scene.rewind(self.chain_id, from.saturating_sub(1)).await {
            Ok(_) => {
                kill_point!("scanner.gone_back");
                let stored = self.scene.checkpoint(self.chain_id).await?;
                self.scene.tell(FromScanner::Woke).await?;
                self.go_on_at(stored).await?;
                Ok(true)
            }
            Err(error) => {
                self.store_refused(error).await?;
                Ok(false)
            }
        }
    }

    /// Goes on at another checkpoint than before, as it is in the database.
    async fn go_on_at(&mut self, stored: Option<BlockRef>) -> Result<(), ChildError> {
        let blocks = remembered(&*self.scene, self.chain_id).await?;
        let released = stored.map(|block| block.number);
        self.scene.set_final(released);
        self.checkpoint = stored;
        self.unsaved.clear();
        self.early.clear();
        self.release.forget();
        self.gaps.back_to(self.next_block());
        self.feed(Event::Rewound { blocks, released });
        Ok(())
    }
}
