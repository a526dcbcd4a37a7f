//! Closing gaps of nonces: nothing above a missing nonce can be mined.

use super::Sender;
use crate::{SenderError, book::Flight, keep::Keep, node::Ask, policy::nonce, types::Head};
use facilitator_eth::{Address, Bytes, U256};
use facilitator_kill::kill_point;
use facilitator_protocol::model::Step;
use facilitator_store::journal::{Entry, EntryState, NewEntry, Visibility};

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Fills every gap that was there at an earlier head already. One head's patience, because a node behind the others
    /// reports a lower count for a moment.
    ///
    /// What the journal has as final at such a nonce was undone by a reorg deeper than the confirmations: the same
    /// bytes are sent again. Else a transfer of nothing to oneself fills it, which is journalled, estimated and
    /// signed like everything else.
    pub(super) async fn close_gaps(&mut self, head: Head, now_ms: i64) -> Result<(), SenderError> {
        let mut cancels: Vec<(Address, u64)> = Vec::new();
        for (account, nonce) in self.lasting_gaps(head) {
            tracing::warn!(%account, nonce, "closing a gap of nonces");
            match self.journal.holding(account, nonce).await? {
                Some(entry) => self.revive(entry, account, now_ms).await?,
                None => cancels.push((account, nonce)),
            }
        }
        if cancels.is_empty() {
            return Ok(());
        }
        let entries: Vec<NewEntry> = cancels.iter().map(|(account, nonce)| cancel(*account, *nonce)).collect();
        let queued = self.journal.queue(&self.leases(), &entries, now_ms).await?;
        kill_point!("sender.gap_queued");
        for ((account, nonce), queued) in cancels.into_iter().zip(queued) {
            let mut flight = Flight::new(queued.entry, account);
            flight.fixed_nonce = Some(nonce);
            self.book.insert(flight);
        }
        Ok(())
    }

    fn lasting_gaps(&mut self, head: Head) -> Vec<(Address, u64)> {
        let mut found = Vec::new();
        for (address, account) in &mut self.accounts {
            let Some(count) = self.survey.count(*address) else { continue };
            let mut taken = self.book.nonces(*address);
            // What was final must be there too: the nonce after it bounds the gap.
            taken.extend(account.highest_final.filter(|highest| *highest >= count).map(|highest| highest + 1));
            let gaps = nonce::gaps(count, &taken);
            if gaps.is_empty() {
                account.gap_since = None;
            } else if head.number > *account.gap_since.get_or_insert(head.number)
                && account.lease.is_some()
                && account.key.is_some()
            {
                found.extend(gaps.into_iter().map(|nonce| (*address, nonce)));
            }
        }
        found
    }

    async fn revive(&mut self, mut entry: Entry, account: Address, now_ms: i64) -> Result<(), SenderError> {
        if entry.state == EntryState::Final {
            self.journal.reopen(&self.leases(), &[entry.id], now_ms).await?;
            kill_point!("sender.gap_reopened");
            entry.state = EntryState::Broadcast;
            entry.inclusion = None;
            self.book.insert(Flight::new(entry, account));
        }
        Ok(())
    }
}

fn cancel(account: Address, nonce: u64) -> NewEntry {
    NewEntry {
        intent: format!("cancel:{}:{nonce}", account.to_lower_hex()),
        request_id: None,
        step: Step::Cancel,
        account: Some(account),
        to: account,
        value: U256::ZERO,
        data: Bytes::default(),
        visibility: Visibility::Public,
        after: None,
        allowance: None,
        expect: None,
    }
}
