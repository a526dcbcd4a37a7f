//! What one chain holds after a block: accounts, books, pool, message boxes, anchor and proven heights.
//!
//! Contracts are modelled as state with the checks of protocol.md §2, as far as an honest or unlucky facilitator can
//! meet them. Either chain has an outbox and an inbox, and a pool whose workers its own organization whitelists.

use crate::names::{self, COIN};
use crate::trie;
use facilitator_eth::{Address, B256, Bytes, U256, rlp};
use facilitator_protocol::hashes::MessageParts;
use facilitator_protocol::model::{Kind, MessageStatus, Side};
use facilitator_protocol::proof::{self, AccountProof, MESSAGE_BOX_OFFSET, StorageProof};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// State roots that an anchor keeps.
pub(crate) const ANCHORED: usize = 8;
/// Storage roots that a gateway keeps.
pub(crate) const PROVEN: usize = 3;

/// A message in a box.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    pub(crate) status: MessageStatus,
    pub(crate) parts: MessageParts,
    pub(crate) amount: u64,
    pub(crate) beneficiary: Address,
    /// Locked with it.
    pub(crate) bounty: u64,
}

impl Message {
    /// What its target leg pays to whom sends it: the confirmation has burnt more gas than the request pays for.
    pub(crate) fn reward(&self) -> u64 {
        let most = self.parts.gas_price.saturating_mul(self.parts.gas_limit);
        most.to_u64().map_or(self.amount, |most| most.min(self.amount))
    }
}

/// A request that waits in the pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) hash: B256,
    /// What the pool holds for it.
    pub(crate) amount: u64,
}

/// Everything after a block.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) nonces: BTreeMap<Address, u64>,
    /// What each account has of base coin and of each token: token and owner.
    pub(crate) books: BTreeMap<(Address, Address), u64>,
    /// Base coin that the workers were given, and that they have paid for gas.
    pub(crate) given: u64,
    /// See there.
    pub(crate) burnt: u64,
    /// What may be taken of an account: token, owner and spender.
    pub(crate) allowances: BTreeMap<(Address, Address, Address), U256>,
    /// Pending requests by sender and gateway.
    pub(crate) pending: BTreeMap<(Address, Address), Pending>,
    /// What an accept locks now.
    pub(crate) bounty: u64,
    /// First block at which a worker may not accept any more; without an entry it may for ever.
    pub(crate) expiries: BTreeMap<Address, u64>,
    /// How often each sender destroyed its proxy.
    pub(crate) destroyed: BTreeMap<Address, u8>,
    /// Senders whose proxy is gone and not deployed again.
    pub(crate) bare: BTreeSet<Address>,
    pub(crate) outbox: BTreeMap<B256, Message>,
    pub(crate) inbox: BTreeMap<B256, Message>,
    pub(crate) out_active: BTreeMap<Address, B256>,
    pub(crate) in_active: BTreeMap<Address, B256>,
    /// Heights of the other chain with the roots anchored for them.
    pub(crate) anchored: VecDeque<(u64, B256)>,
    /// Heights whose storage root stands in the gateway, with the state root that it was proven from.
    pub(crate) proven: VecDeque<(u64, B256)>,
}

impl State {
    pub(crate) fn nonce(&self, account: Address) -> u64 {
        self.nonces.get(&account).copied().unwrap_or(0)
    }

    /// What an account has of a token.
    pub(crate) fn held(&self, token: Address, owner: Address) -> u64 {
        self.books.get(&(token, owner)).copied().unwrap_or(0)
    }

    pub(crate) fn coins(&self, account: Address) -> u64 {
        self.held(COIN, account)
    }

    /// Makes tokens.
    pub(crate) fn give(&mut self, token: Address, to: Address, amount: u64) {
        *self.books.entry((token, to)).or_default() += amount;
    }

    /// Gives a worker base coin.
    pub(crate) fn fund(&mut self, worker: Address, coins: u64) {
        self.give(COIN, worker, coins);
        self.given += coins;
    }

    /// Burns tokens, if there are so many.
    pub(crate) fn burn(&mut self, token: Address, from: Address, amount: u64) -> Option<()> {
        let left = self.held(token, from).checked_sub(amount)?;
        self.books.insert((token, from), left);
        Some(())
    }

    /// Moves tokens, if there are so many.
    pub(crate) fn pay(&mut self, token: Address, from: Address, to: Address, amount: u64) -> Option<()> {
        self.burn(token, from, amount)?;
        self.give(token, to, amount);
        Some(())
    }

    /// The source leg's money: the tokens go to the vault or are burnt, the bounty to whom sent it.
    pub(crate) fn settle_source(&mut self, kind: Kind, message: &Message, to: Address) -> Option<()> {
        let set = names::gateways();
        let at = set.box_on(kind.source());
        match kind {
            Kind::Stake => self.pay(set.value_token, at, set.stake_vault, message.amount)?,
            Kind::Redeem => self.burn(set.utility_token, at, message.amount)?,
        }
        self.pay(names::bounty_token(kind), at, to, message.bounty)
    }

    /// The target leg's money: the vault pays what was redeemed, or OSTPrime the base coin that was staked for.
    pub(crate) fn settle_target(&mut self, kind: Kind, message: &Message, to: Address) -> Option<()> {
        let (token, from) = names::payer(kind);
        let reward = message.reward();
        self.pay(token, from, message.beneficiary, message.amount - reward)?;
        self.pay(token, from, to, reward)
    }

    /// The proxy that a sender has now.
    pub(crate) fn proxy(&self, sender: Address) -> Option<Address> {
        (!self.bare.contains(&sender)).then(|| self.next_proxy(sender))
    }

    /// The same, or the one that its next request deploys.
    pub(crate) fn next_proxy(&self, sender: Address) -> Address {
        names::proxy(sender, self.destroyed.get(&sender).copied().unwrap_or(0))
    }

    /// First block at which a worker may not accept any more.
    pub(crate) fn expires_at(&self, worker: Address) -> U256 {
        self.expiries.get(&worker).map_or(U256::MAX, |block| U256::from(*block))
    }

    pub(crate) fn allowance(&self, token: Address, owner: Address, spender: Address) -> U256 {
        self.allowances.get(&(token, owner, spender)).copied().unwrap_or(U256::ZERO)
    }

    /// Takes a pending request's tokens out of the pool, for its message or back to its sender.
    pub(crate) fn release(&mut self, kind: Kind, key: (Address, Address), to: Address) -> Option<Pending> {
        let pending = self.pending.remove(&key)?;
        self.pay(names::gateways().escrowed_token(kind), names::pool(kind), to, pending.amount)?;
        Some(pending)
    }

    pub(crate) fn outbox_status(&self, message: B256) -> MessageStatus {
        self.outbox.get(&message).map_or(MessageStatus::Undeclared, |message| message.status)
    }

    pub(crate) fn inbox_status(&self, message: B256) -> MessageStatus {
        self.inbox.get(&message).map_or(MessageStatus::Undeclared, |message| message.status)
    }

    /// The nonce that a proxy's next message has in the outbox.
    pub(crate) fn next_out(&self, proxy: Address) -> U256 {
        let last = self.out_active.get(&proxy).and_then(|hash| self.outbox.get(hash));
        last.map_or(U256::ZERO, |message| message.parts.nonce.saturating_add(U256::ONE))
    }

    /// The same in the inbox.
    pub(crate) fn next_in(&self, proxy: Address) -> U256 {
        let last = self.in_active.get(&proxy).and_then(|hash| self.inbox.get(hash));
        last.map_or(U256::ZERO, |message| message.parts.nonce.saturating_add(U256::ONE))
    }

    /// Declares a message in the outbox.
    pub(crate) fn declare(&mut self, hash: B256, message: Message) {
        self.out_active.insert(message.parts.sender, hash);
        self.outbox.insert(hash, message);
    }

    /// Anchors a root of the other chain; heights only grow.
    pub(crate) fn anchor(&mut self, height: u64, root: B256) -> bool {
        if self.anchored.back().is_some_and(|(last, _)| *last >= height) {
            return false;
        }
        self.anchored.push_back((height, root));
        if self.anchored.len() > ANCHORED {
            self.anchored.pop_front();
        }
        true
    }
}

pub(crate) const fn number_of(status: MessageStatus) -> u64 {
    match status {
        MessageStatus::Undeclared => 0,
        MessageStatus::Declared => 1,
        MessageStatus::Progressed => 2,
        MessageStatus::DeclaredRevocation => 3,
        MessageStatus::Revoked => 4,
    }
}

/// A block as anchors and proofs know it.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) side: Side,
    pub(crate) height: u64,
    pub(crate) hash: B256,
    pub(crate) state: Rc<State>,
}

impl Snapshot {
    /// The account of the gateway with one slot of its storage, proven from the state root that comes with it.
    pub(crate) fn prove(&self, key: B256) -> AccountProof {
        let address = names::gateways().box_on(self.side);
        let values: Vec<(Vec<u8>, Vec<u8>)> = self.state.outbox.iter().map(slot).collect();
        let (storage_root, nodes) = trie::prove(&values, &key.0);
        let value = self.state.outbox.iter().find(|(hash, _)| proof::outbox_key(**hash, MESSAGE_BOX_OFFSET) == key);
        let value = value.map_or(U256::ZERO, |(_, message)| U256::from(number_of(message.status)));
        // Every block has a state root of its own, as in the world, where something always changes.
        let balance = self.hash.0.iter().take(7).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let mut account = AccountProof {
            address,
            height: self.height,
            state_root: None,
            balance: U256::from(balance),
            nonce: U256::ONE,
            code_hash: B256([0xcd; 32]),
            storage_root,
            account_nodes: Vec::new(),
            storage: vec![StorageProof { key, value, nodes }],
        };
        let accounts = [(address.0.to_vec(), proof::serialise_account(&account).0.clone())];
        let (root, nodes) = trie::prove(&accounts, &address.0);
        account.state_root = Some(root);
        account.account_nodes = nodes;
        account
    }

    pub(crate) fn root(&self) -> B256 {
        self.prove(B256::ZERO).state_root.unwrap_or_default()
    }

    pub(crate) fn declared(&self, message: B256) -> bool {
        self.state.outbox_status(message) == MessageStatus::Declared
    }

    /// The proof of a message's slot, as the contracts take it.
    pub(crate) fn nodes_of(&self, message: B256) -> Option<Bytes> {
        let account = self.prove(proof::outbox_key(message, MESSAGE_BOX_OFFSET));
        account.storage.first().map(proof::serialise_storage)
    }
}

fn slot((hash, message): (&B256, &Message)) -> (Vec<u8>, Vec<u8>) {
    let value = rlp::uint(U256::from(number_of(message.status)));
    (proof::outbox_key(*hash, MESSAGE_BOX_OFFSET).0.to_vec(), value)
}

/// The direction whose source is this chain.
pub(crate) const fn outgoing(side: Side) -> Kind {
    match side {
        Side::Origin => Kind::Stake,
        Side::Auxiliary => Kind::Redeem,
    }
}

/// The direction whose target is this chain.
pub(crate) const fn incoming(side: Side) -> Kind {
    outgoing(side.other())
}
