//! Living with a database that can't be used for a while: full, read-only, locked or out of reach.
//!
//! Nothing is signed meanwhile, since nothing can be persisted first (law 2). What failed is tried again after longer
//! and longer pauses. Whether the failed commit took place after all is not known, so the book is read from the journal
//! again before anything else; the first thing tried is to renew the leases, which shows that it can be written to and
//! that the accounts are still ours (law 5).

use super::{Sender, to_ms};
use crate::{SenderError, keep::Keep, node::Ask};
use facilitator_eth::Address;

/// How the database does.
#[derive(Debug, Default)]
pub(super) struct Database {
    /// Why it could not be used; `None` while it is well.
    trouble: Option<String>,
    /// Failures in a row, or nearly: it may take small writes and refuse large ones.
    failures: u32,
    failed_at_ms: i64,
    /// When to try again.
    retry_at_ms: i64,
}

impl Database {
    pub(super) fn is_resting(&self, now_ms: i64) -> bool {
        self.trouble.is_some() && now_ms < self.retry_at_ms
    }

    /// Whatever kept it from being used may be over.
    pub(super) fn try_again_at(&mut self, now_ms: i64) {
        self.failures = 0;
        self.retry_at_ms = self.retry_at_ms.min(now_ms);
    }

    /// The wall clock went back by so much.
    pub(super) fn shift(&mut self, back_ms: i64) {
        self.failed_at_ms = self.failed_at_ms.saturating_sub(back_ms);
        self.retry_at_ms = self.retry_at_ms.saturating_sub(back_ms);
    }

    pub(super) fn retry_at(&self) -> Option<i64> {
        self.trouble.as_ref().map(|_| self.retry_at_ms)
    }
}

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Why the database can't be used at present, in words for the operator. [`Sender::work`] tries again when it is
    /// time ([`Sender::next_wake`]); what is submitted before it is well is likely to be refused.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.database.trouble.as_deref()
    }

    /// Takes note of how work on the database went.
    pub(super) fn note_database<T>(&mut self, done: &Result<T, SenderError>, now_ms: i64) {
        match done {
            Ok(_) => {
                if self.database.trouble.take().is_some() {
                    tracing::info!(chain = self.settings.chain_id, "the database can be used again");
                }
            }
            Err(error) if error.passes() => self.database_failed(error, now_ms),
            // The process ends.
            Err(_) => {}
        }
    }

    fn database_failed(&mut self, error: &SenderError, now_ms: i64) {
        let memory = to_ms(self.settings.retry_max_ms.saturating_mul(2));
        let database = &mut self.database;
        if now_ms.saturating_sub(database.failed_at_ms) > memory {
            database.failures = 0;
        }
        let doublings = database.failures.min(16);
        let wait = self.settings.retry_base_ms.saturating_mul(1 << doublings).min(self.settings.retry_max_ms).max(1);
        database.failures = database.failures.saturating_add(1);
        database.failed_at_ms = now_ms;
        database.retry_at_ms = now_ms.saturating_add(to_ms(wait));
        tracing::warn!(chain = self.settings.chain_id, %error, retry_in_ms = wait, "the sender can't use its database");
        database.trouble = Some(error.to_string());
    }

    /// Brings the book back to what the journal says after the database could not be used.
    pub(super) async fn recover(&mut self, now_ms: i64) -> Result<(), SenderError> {
        if self.database.trouble.is_none() {
            return Ok(());
        }
        let held: Vec<Address> = self.leases().iter().map(|lease| lease.account).collect();
        for account in &held {
            self.renew(*account, now_ms).await?;
        }
        for account in held {
            self.load(account, now_ms).await?;
        }
        self.check_dependencies(now_ms).await
    }
}
