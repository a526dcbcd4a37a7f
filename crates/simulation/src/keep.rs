//! The sender's journal on the simulated disk: each call is one commit, with a chance to die before and after it.

use crate::allowance;
use crate::chain::{Author, Tx};
use crate::disk::JournalTable;
use crate::mutation::Mutation;
use crate::names;
use crate::world::{Shared, World, pause};
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::contracts::token;
use facilitator_protocol::model::{Side, Step};
use facilitator_sender::{Keep, policy::fee};
use facilitator_store::StoreError;
use facilitator_store::journal::{Entry, EntryId, Failed, Inclusion, NewEntry, Notify, Queued, Sent, Signature};
use facilitator_store::leases::{Acquired, Lease};
use std::rc::Rc;

type Result<T> = std::result::Result<T, StoreError>;

/// The journal of one chain as one process holds it.
pub(crate) struct Journal {
    pub(crate) world: Shared,
    pub(crate) side: Side,
}

impl Journal {
    /// A commit: both the death before it and the death after it are possible.
    async fn commit<T>(&self, write: impl FnOnce(&mut World) -> Result<T>) -> Result<T> {
        pause().await;
        let done = {
            let mut world = self.world.borrow_mut();
            if world.fault(3) {
                let (name, waited_ms) = ("simulated".to_owned(), 5_000);
                return Err(StoreError::Busy { name, waited_ms });
            }
            match world.disk_refuses() {
                Some(error) => Err(error),
                None => write(&mut world),
            }
        };
        pause().await;
        done
    }

    /// A commit about entries, under the leases of their accounts.
    async fn fenced<T>(
        &self,
        leases: &[Lease],
        ids: impl Iterator<Item = EntryId>,
        write: impl FnOnce(&mut World) -> Result<T>,
    ) -> Result<T> {
        self.commit(|world| {
            if world.mutation != Mutation::NoFencing {
                world.disk.journals[self.side].fence_entries(leases, ids)?;
            }
            write(world)
        })
        .await
    }

    async fn look<T>(&self, read: impl FnOnce(&JournalTable) -> Result<T>) -> Result<T> {
        pause().await;
        read(&self.world.borrow().disk.journals[self.side])
    }

    async fn table<T>(&self, write: impl FnOnce(&mut JournalTable) -> Result<T>) -> Result<T> {
        self.commit(|world| write(&mut world.disk.journals[self.side])).await
    }
}

/// The transaction of a signature that is to be committed. An approval is measured by what waits before the commit: the
/// accepts that it is for may be signed in the same one.
fn transaction(world: &mut World, side: Side, signature: &Signature) -> Option<Tx> {
    let entry = world.disk.journals[side].entries.get(&signature.id)?;
    let tx = Tx {
        hash: signature.hash,
        author: Author::Own,
        intent: entry.intent.clone(),
        from: signature.account,
        nonce: signature.nonce,
        to: entry.to,
        value: entry.value,
        data: call_data(entry, signature)?,
        price: fee::price(signature.fee).to_u64().unwrap_or(u64::MAX),
    };
    let same = |known: &Rc<Tx>| known.from == tx.from && known.nonce == tx.nonce && known.data == tx.data;
    let is_first = !world.signed.values().any(same);
    if let Some(violation) = allowance::allowed(side, &tx, &world.disk).filter(|_| is_first) {
        world.violated(violation.invariant, violation.found);
    }
    Some(tx)
}

/// Remembers what was signed, so that the node knows the bytes when they come.
fn remember(world: &mut World, side: Side, tx: Tx) {
    world.note(|| format!("{side}: signed {} nonce {}", tx.intent, tx.nonce));
    world.signed.insert(tx.hash, Rc::new(tx));
}

/// A secret's call data stands in the signed bytes alone.
fn call_data(entry: &Entry, signature: &Signature) -> Option<facilitator_eth::Bytes> {
    let opened = || facilitator_eth::tx::open(&signature.raw).map(|opened| opened.transaction.data);
    entry.data.clone().or_else(opened)
}

/// [`Mutation::BroadcastBeforeJournal`]: the commit that should have been there before.
pub(crate) fn commit_late(world: &mut World, side: Side, hash: B256) {
    let (late, wall_ms) = (world.truth.uncommitted.remove(&hash), world.wall_ms());
    if let Some(signature) = late {
        // A sender that died since has signed something else; then this one is lost, as it would be.
        let _lost = world.disk.journals[side].sign(&[signature], wall_ms);
    }
}

impl Keep for Journal {
    async fn queue(&self, leases: &[Lease], entries: &[NewEntry], now_ms: i64) -> Result<Vec<Queued>> {
        let chain_id = names::gateways().chain_id(self.side);
        self.commit(|world| {
            if !matches!(world.mutation, Mutation::NoFencing | Mutation::UnfencedIntents) {
                let accounts = entries.iter().filter_map(|entry| entry.account);
                world.disk.journals[self.side].fence(leases, accounts)?;
            }
            let queue = |entry: &NewEntry| {
                let mut entry = entry.clone();
                if world.mutation == Mutation::UnlimitedAllowance && entry.step == Step::Approve {
                    entry.data = token::approve(names::gateways().composer, U256::MAX);
                }
                if world.mutation == Mutation::MoreThanTheBounty && !entry.value.is_zero() {
                    entry.value = entry.value.saturating_add(U256::ONE);
                }
                let known = entry.request_id.is_some_and(|id| world.disk.requests.contains_key(&id));
                world.disk.journals[self.side].queue(&entry, chain_id, now_ms, known)
            };
            Ok(entries.iter().map(queue).collect())
        })
        .await
    }

    async fn sign(&self, leases: &[Lease], signed: &[Signature], now_ms: i64) -> Result<()> {
        self.commit(|world| {
            if world.mutation != Mutation::NoFencing {
                world.disk.journals[self.side].check_leases(leases, signed, now_ms)?;
            }
            let transactions: Vec<Tx> =
                signed.iter().filter_map(|signature| transaction(world, self.side, signature)).collect();
            if world.mutation == Mutation::BroadcastBeforeJournal {
                let late = signed.iter().map(|signature| (signature.hash, signature.clone()));
                world.truth.uncommitted.extend(late);
            } else {
                world.disk.journals[self.side].sign(signed, now_ms)?;
            }
            for tx in transactions {
                remember(world, self.side, tx);
            }
            Ok(())
        })
        .await
    }

    async fn sent(&self, leases: &[Lease], sent: &[Sent], _now_ms: i64) -> Result<()> {
        self.fenced(leases, sent.iter().map(|mark| mark.id), |world| {
            let table = &mut world.disk.journals[self.side];
            table.sent(sent);
            Ok(())
        })
        .await
    }

    async fn mined(
        &self,
        leases: &[Lease],
        mined: &[(EntryId, Inclusion)],
        _notify: Notify,
        _now_ms: i64,
    ) -> Result<()> {
        self.fenced(leases, mined.iter().map(|(id, _)| *id), |world| world.disk.journals[self.side].mined(mined)).await
    }

    async fn finalise(&self, leases: &[Lease], ids: &[EntryId], _notify: Notify, _now_ms: i64) -> Result<()> {
        self.fenced(leases, ids.iter().copied(), |world| world.disk.journals[self.side].finalise(ids)).await
    }

    async fn reopen(&self, leases: &[Lease], ids: &[EntryId], _now_ms: i64) -> Result<()> {
        self.fenced(leases, ids.iter().copied(), |world| world.disk.journals[self.side].reopen(ids)).await
    }

    async fn supersede(&self, leases: &[Lease], ids: &[EntryId], _now_ms: i64) -> Result<()> {
        self.fenced(leases, ids.iter().copied(), |world| {
            let table = &mut world.disk.journals[self.side];
            table.supersede(ids);
            Ok(())
        })
        .await
    }

    async fn requeue(&self, leases: &[Lease], ids: &[EntryId], _now_ms: i64) -> Result<()> {
        self.fenced(leases, ids.iter().copied(), |world| world.disk.journals[self.side].requeue(ids)).await
    }

    async fn fail(&self, leases: &[Lease], failed: &[Failed], now_ms: i64) -> Result<()> {
        self.fenced(leases, failed.iter().map(|failed| failed.id), |world| {
            let woken = world.disk.journals[self.side].fail(failed, now_ms)?;
            for failed in failed {
                world.note(|| format!("journal: {} failed: {}", failed.id.0, failed.failure.message));
            }
            world.disk.wake(&woken);
            Ok(())
        })
        .await
    }

    async fn note(&self, _leases: &[Lease], _notes: &[(EntryId, Option<String>)], _now_ms: i64) -> Result<()> {
        pause().await;
        Ok(())
    }

    async fn live(&self) -> Result<Vec<Entry>> {
        self.look(|table| Ok(table.live())).await
    }

    async fn by_intent(&self, intent: &str) -> Result<Option<Entry>> {
        self.look(|table| Ok(table.by_intent(intent))).await
    }

    async fn highest_nonce(&self, account: Address) -> Result<Option<u64>> {
        self.look(|table| Ok(table.highest_nonce(account))).await
    }

    async fn holding(&self, account: Address, nonce: u64) -> Result<Option<Entry>> {
        self.look(|table| Ok(table.holding(account, nonce))).await
    }

    async fn last_account(&self) -> Result<Option<Address>> {
        self.look(|table| Ok(table.last_account())).await
    }

    async fn orphans(&self) -> Result<Vec<Address>> {
        // One instance works alone.
        Ok(Vec::new())
    }

    async fn acquire_lease(&self, account: Address, owner: &str, ttl_ms: i64, now_ms: i64) -> Result<Acquired> {
        let chain_id = names::gateways().chain_id(self.side);
        self.table(|table| Ok(table.acquire(chain_id, account, owner, ttl_ms, now_ms))).await
    }

    async fn renew_lease(&self, lease: &Lease, ttl_ms: i64, now_ms: i64) -> Result<Lease> {
        self.table(|table| table.renew(lease, ttl_ms, now_ms)).await
    }

    async fn release_lease(&self, _lease: &Lease) -> Result<()> {
        Ok(())
    }
}
