//! What strangers do: stakers ask and take back, another facilitator accepts and finishes, an organization anchors.

use crate::chain::Deed;
use crate::contracts::{declared, parts_of, source_progressed};
use crate::names::{self, FOREIGN_GATEWAY};
use crate::state::{Message, State};
use facilitator_eth::{Address, B256, U256, keccak256};
use facilitator_protocol::events as ev;
use facilitator_protocol::events::Event;
use facilitator_protocol::hashes;
use facilitator_protocol::model::{Kind, MessageStatus, Terms};

/// What is special about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trait {
    Ordinary,
    /// Pays less than the operator's minimum.
    Cheap,
    /// Names a gateway that is not configured.
    Foreign,
}

/// A staker or redeemer asks.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    pub(crate) sender: Address,
    pub(crate) special: Trait,
    /// Number of the request whose amount it has: its own, or an earlier one's.
    pub(crate) amount_of: u64,
}

fn tx_hash(what: &str, number: u64) -> B256 {
    keccak256([what.as_bytes(), &number.to_be_bytes()].concat())
}

impl Asked {
    pub(crate) fn gateway(&self) -> Address {
        if self.special == Trait::Foreign { FOREIGN_GATEWAY } else { names::gateways().box_on(self.kind.source()) }
    }

    /// The terms in this state: the nonce is the next one of the sender's proxy.
    pub(crate) fn terms(&self, state: &State) -> Terms {
        let sender_proxy = state.next_proxy(self.sender);
        let mut terms = Terms {
            amount: U256::from(1_000_000 + self.amount_of),
            beneficiary: Address([0x77; 20]),
            gas_price: U256::from(if self.special == Trait::Cheap { 0_u64 } else { 2 }),
            gas_limit: U256::from(1_000_u64),
            nonce: state.next_out(sender_proxy),
            sender: self.sender,
            sender_proxy,
            gateway: self.gateway(),
            request_hash: B256::ZERO,
        };
        terms.request_hash = hashes::request_hash(self.kind, names::pool(self.kind), &terms);
        terms
    }
}

impl Deed for Asked {
    fn hash(&self) -> B256 {
        tx_hash("request", self.number)
    }

    fn act(&self, state: &mut State) -> Option<Vec<(Address, Event)>> {
        let key = (self.sender, self.gateway());
        if state.pending.contains_key(&key) {
            return None;
        }
        state.bare.remove(&self.sender);
        let terms = self.terms(state);
        state.pending.insert(key, terms.request_hash);
        Some(vec![(names::pool(self.kind), requested(self.kind, &terms))])
    }
}

fn requested(kind: Kind, terms: &Terms) -> Event {
    let Terms { amount, beneficiary, gas_price, gas_limit, nonce, sender, sender_proxy, gateway, request_hash } =
        *terms;
    match kind {
        Kind::Stake => {
            let (staker, staker_proxy) = (sender, sender_proxy);
            ev::StakeRequested {
                staker,
                amount,
                beneficiary,
                gas_price,
                gas_limit,
                nonce,
                staker_proxy,
                gateway,
                request_hash,
            }
            .into()
        }
        Kind::Redeem => {
            let (redeemer, redeemer_proxy, cogateway) = (sender, sender_proxy, gateway);
            ev::RedeemRequested {
                redeemer,
                amount,
                beneficiary,
                gas_price,
                gas_limit,
                nonce,
                redeemer_proxy,
                cogateway,
                request_hash,
            }
            .into()
        }
    }
}

/// The sender takes its request back.
#[derive(Debug)]
pub(crate) struct TakenBack(pub(crate) Asked);

impl Deed for TakenBack {
    fn hash(&self) -> B256 {
        tx_hash("revoke", self.0.number)
    }

    fn act(&self, state: &mut State) -> Option<Vec<(Address, Event)>> {
        let asked = &self.0;
        let request_hash = state.pending.remove(&(asked.sender, asked.gateway()))?;
        let event: Event = match asked.kind {
            Kind::Stake => ev::StakeRevoked { staker: asked.sender, request_hash }.into(),
            Kind::Redeem => ev::RedeemRevoked { redeemer: asked.sender, request_hash }.into(),
        };
        Some(vec![(names::pool(asked.kind), event)])
    }
}

/// Another facilitator of the organization accepts.
#[derive(Debug)]
pub(crate) struct Snatched(pub(crate) Asked);

impl Snatched {
    fn secret(&self) -> B256 {
        tx_hash("their secret", self.0.number)
    }
}

impl Deed for Snatched {
    fn hash(&self) -> B256 {
        tx_hash("their accept", self.0.number)
    }

    fn act(&self, state: &mut State) -> Option<Vec<(Address, Event)>> {
        let asked = &self.0;
        if asked.special == Trait::Foreign {
            return None;
        }
        let key = (asked.sender, asked.gateway());
        let proxy = state.proxy(asked.sender)?;
        let terms = asked.terms(state);
        let last = state.out_active.get(&proxy).map(|hash| state.outbox_status(*hash));
        if state.pending.get(&key) != Some(&terms.request_hash) || last == Some(MessageStatus::Declared) {
            return None;
        }
        let parts = parts_of(asked.kind, &terms, hashes::hash_lock(&self.secret().0));
        let hash = hashes::message_hash(&parts);
        // They are quick: both chains' legs follow at once, here by decree (see `Finished`).
        state.declare(
            asked.sender,
            terms.gateway,
            hash,
            Message { status: MessageStatus::Progressed, parts, bounty: 0 },
        );
        let box_of = names::gateways().box_on(asked.kind.source());
        let progressed = source_progressed(asked.kind, hash, &parts, self.secret());
        Some(vec![(box_of, declared(asked.kind, hash, &terms)), (box_of, progressed)])
    }
}

/// The other facilitator's message, finished on the target chain.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    pub(crate) message: Message,
}

impl Deed for Finished {
    fn hash(&self) -> B256 {
        tx_hash("their mint", self.number)
    }

    fn act(&self, state: &mut State) -> Option<Vec<(Address, Event)>> {
        if state.next_in(self.message.parts.sender) != self.message.parts.nonce {
            return None;
        }
        state.in_active.insert(self.message.parts.sender, self.hash);
        state
            .inbox
            .insert(self.hash, Message { status: MessageStatus::Progressed, parts: self.message.parts, bounty: 0 });
        Some(Vec::new())
    }
}

/// The organization anchors a root of the other chain.
#[derive(Debug)]
pub(crate) struct Anchored {
    pub(crate) anchor: Address,
    pub(crate) height: u64,
    pub(crate) root: B256,
}

impl Deed for Anchored {
    fn hash(&self) -> B256 {
        keccak256([b"anchor".as_slice(), &self.root.0].concat())
    }

    fn act(&self, state: &mut State) -> Option<Vec<(Address, Event)>> {
        let (block_height, state_root) = (self.height, self.root);
        let taken = state.anchor(block_height, state_root);
        taken.then(|| vec![(self.anchor, ev::StateRootAvailable { block_height, state_root }.into())])
    }
}

/// The organization or a sender changes what requests meet later.
#[derive(Debug)]
pub(crate) enum Change {
    /// An accept locks so much from now on.
    Bounty { number: u64, bounty: u64 },
    /// A worker may accept no more from a block on; `None`: it may for ever.
    Whitelist { number: u64, worker: Address, until: Option<u64> },
    /// A sender destroys its proxy, whatever is pending or declared.
    Destroyed { number: u64, sender: Address },
}

impl Deed for Change {
    fn hash(&self) -> B256 {
        let (Self::Bounty { number, .. } | Self::Whitelist { number, .. } | Self::Destroyed { number, .. }) = self;
        tx_hash("change", *number)
    }

    fn act(&self, state: &mut State) -> Option<Vec<(Address, Event)>> {
        match self {
            Self::Bounty { bounty, .. } => state.bounty = *bounty,
            Self::Whitelist { worker, until: Some(block), .. } => {
                state.expiries.insert(*worker, *block);
            }
            Self::Whitelist { worker, until: None, .. } => {
                state.expiries.remove(worker);
            }
            Self::Destroyed { sender, .. } => {
                if state.bare.insert(*sender) {
                    *state.destroyed.entry(*sender).or_default() += 1;
                }
            }
        }
        Some(Vec::new())
    }
}
