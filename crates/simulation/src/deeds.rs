//! What strangers do: stakers ask and take back, another facilitator accepts and finishes, an organization anchors.

use crate::boxes::source_progressed;
use crate::chain::{Deed, RICH};
use crate::contracts::{declared, message_of};
use crate::names::{self, FOREIGN_GATEWAY};
use crate::state::{Message, Pending, State};
use facilitator_eth::{Address, B256, U256, keccak256};
use facilitator_protocol::events as ev;
use facilitator_protocol::events::Event;
use facilitator_protocol::hashes;
use facilitator_protocol::model::{Kind, MessageStatus, Terms};

const BENEFICIARY: Address = Address([0x77; 20]);
/// Another facilitator of the organization.
const RIVAL: Address = Address([0x66; 20]);

/// What is special about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trait {
    Ordinary,
    /// Pays less than the operator's minimum.
    Cheap,
    /// Names a gateway that is not configured.
    Foreign,
    /// Nobody gets the tokens. The composer refuses that; the pool and the cogateway take it, and no gateway can ever
    /// confirm it (protocol.md R11 b).
    Nobody,
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
            beneficiary: if self.special == Trait::Nobody { Address::ZERO } else { BENEFICIARY },
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
        if state.pending.contains_key(&key) || (self.kind == Kind::Stake && self.special == Trait::Nobody) {
            return None;
        }
        let terms = self.terms(state);
        // A foreign gateway names the genuine tokens, too.
        let (token, amount) = (names::gateways().escrowed_token(self.kind), terms.amount.to_u64()?);
        state.pay(token, self.sender, names::pool(self.kind), amount)?;
        state.bare.remove(&self.sender);
        state.pending.insert(key, Pending { hash: terms.request_hash, amount });
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

/// Who gives the tokens of a pending request back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Sender,
    /// A worker of the organization that is not ours.
    Worker,
}

/// A request is taken back, or rejected.
#[derive(Debug)]
pub(crate) struct TakenBack(pub(crate) Asked, pub(crate) By);

impl Deed for TakenBack {
    fn hash(&self) -> B256 {
        tx_hash("revoke", self.0.number)
    }

    fn act(&self, state: &mut State) -> Option<Vec<(Address, Event)>> {
        let Asked { kind, sender, .. } = self.0;
        let Pending { hash: request_hash, .. } = state.release(kind, (sender, self.0.gateway()), sender)?;
        let event: Event = match (kind, self.1) {
            (Kind::Stake, By::Sender) => ev::StakeRevoked { staker: sender, request_hash }.into(),
            (Kind::Stake, By::Worker) => ev::StakeRejected { staker: sender, request_hash }.into(),
            (Kind::Redeem, By::Sender) => ev::RedeemRevoked { redeemer: sender, request_hash }.into(),
            (Kind::Redeem, By::Worker) => ev::RedeemRejected { redeemer: sender, request_hash }.into(),
        };
        Some(vec![(names::pool(kind), event)])
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
        match asked.special {
            // They know better, too.
            Trait::Foreign | Trait::Nobody => return None,
            Trait::Ordinary | Trait::Cheap => {}
        }
        let (kind, key) = (asked.kind, (asked.sender, asked.gateway()));
        let proxy = state.proxy(asked.sender)?;
        let terms = asked.terms(state);
        let last = state.out_active.get(&proxy).map(|hash| state.outbox_status(*hash));
        let pending = state.pending.get(&key).is_some_and(|pending| pending.hash == terms.request_hash);
        if !pending || last == Some(MessageStatus::Declared) {
            return None;
        }
        // They are quick: both chains' legs follow at once, here by decree (see `Finished`).
        let declared_message = message_of(kind, &terms, hashes::hash_lock(&self.secret().0), 0);
        let hash = hashes::message_hash(&declared_message.parts);
        let message = Message { status: MessageStatus::Progressed, ..declared_message };
        state.release(kind, key, terms.gateway)?;
        state.settle_source(kind, &message, RIVAL)?;
        state.declare(hash, message);
        let progressed = source_progressed(kind, hash, &message, self.secret());
        Some(vec![(terms.gateway, declared(kind, hash, &terms)), (terms.gateway, progressed)])
    }
}

/// The other facilitator's message, finished on the target chain.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    pub(crate) hash: B256,
    pub(crate) message: Message,
}

impl Deed for Finished {
    fn hash(&self) -> B256 {
        tx_hash("their mint", self.number)
    }

    fn act(&self, state: &mut State) -> Option<Vec<(Address, Event)>> {
        let Self { kind, hash, message, .. } = *self;
        if state.next_in(message.parts.sender) != message.parts.nonce {
            return None;
        }
        state.settle_target(kind, &message, RIVAL)?;
        state.in_active.insert(message.parts.sender, hash);
        state.inbox.insert(hash, Message { status: MessageStatus::Progressed, bounty: 0, ..message });
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
    /// The operator sends a worker base coin.
    Funded { number: u64, worker: Address },
}

impl Deed for Change {
    fn hash(&self) -> B256 {
        let (Self::Bounty { number, .. }
        | Self::Whitelist { number, .. }
        | Self::Destroyed { number, .. }
        | Self::Funded { number, .. }) = self;
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
            Self::Funded { worker, .. } => state.fund(*worker, RICH),
            Self::Destroyed { sender, .. } => {
                if state.bare.insert(*sender) {
                    *state.destroyed.entry(*sender).or_default() += 1;
                }
            }
        }
        Some(Vec::new())
    }
}
