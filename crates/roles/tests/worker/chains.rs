//! Two chains as a table of questions and answers. A question that is not in it was not foreseen and fails the test.

use crate::world::{PROXY, SOURCE_WORKER, TARGET_WORKER, gateway, message_of, secret_for, uint};
use facilitator_chain::reader::{Answer, At, Query};
use facilitator_eth::abi::{Revert, Value, encode};
use facilitator_eth::{Address, B256, Bytes, U256, keccak256, rlp};
use facilitator_protocol::contracts::{View, anchor, gateway as gateways, organization, pool, token, vault};
use facilitator_protocol::model::{Kind, MessageStatus, Side};
use facilitator_protocol::proof::{
    AccountProof, StorageProof, inbox_key, outbox_key, serialise_account, serialise_storage,
};
use facilitator_roles::messages::{AnchoredRoot, Job};
use std::collections::HashMap;

/// A message in a box: hash, status, nonce.
pub(crate) type Active = Option<(B256, MessageStatus, u64)>;

/// What both chains answer about a request of one kind.
pub(crate) struct Chains {
    kind: Kind,
    answers: HashMap<(Side, Query), Answer>,
    down: Option<(Side, String)>,
    slow_proofs: bool,
}

impl Default for Chains {
    fn default() -> Self {
        Self::of(Kind::Stake)
    }
}

impl Chains {
    /// Nothing foreseen yet.
    pub(crate) fn of(kind: Kind) -> Self {
        Self { kind, answers: HashMap::new(), down: None, slow_proofs: false }
    }

    /// Everything that the checklist asks, as it must be for an accept.
    pub(crate) fn ready_to_accept(job: &Job) -> Self {
        let (set, terms, kind) = (gateway(), &job.request.terms, job.request.kind);
        let mut chains = Self::of(kind);
        let (source, at_pool) = (kind.source(), job.request.pool);
        let word = |value| Value::Uint(uint(value));
        let listed = organization::expiration_height(SOURCE_WORKER).data;
        let escrow = token::balance_of(at_pool).data;
        chains.say(source, at_pool, &pool::proxy_of(kind, terms.sender).data, &[Value::Address(PROXY)]);
        chains.say(source, set.escrowed_token(kind), &escrow, &[Value::Uint(terms.amount)]);
        chains.say(source, set.organization(kind).unwrap(), &listed, &[word(1_000_000)]);
        match kind {
            Kind::Stake => {
                let exists = token::exists(terms.beneficiary).data;
                chains.say(source, set.gateway, &gateways::activated().data, &[Value::Bool(true)]);
                chains.say(source, set.base_token, &token::balance_of(SOURCE_WORKER).data, &[word(50)]);
                chains.say(Side::Auxiliary, set.utility_token, &exists, &[Value::Bool(true)]);
            }
            Kind::Redeem => chains.vault(1_000_001),
        }
        chains.bounty(50);
        chains.pending(job, true, true);
        chains.active(PROXY, 0, None, None);
        chains.payment(job, data(&[Value::Bool(true)]));
        chains.coin(Side::Origin, 1_000_000_000);
        chains.coin(Side::Auxiliary, 1_000_000_000);
        chains
    }

    /// The contract with the outbox, or that with the inbox.
    fn at_box(&self, side: Side) -> Address {
        gateway().box_on(side)
    }

    /// What the payment to the beneficiary would come to, in the gateway's name: a mint, or out of the vault.
    pub(crate) fn payment(&mut self, job: &Job, answer: Answer) {
        let (set, terms, target) = (gateway(), &job.request.terms, self.kind.target());
        let (to, data) = match self.kind {
            Kind::Stake => (set.utility_token, token::increase_supply(terms.beneficiary, terms.amount)),
            Kind::Redeem => (set.stake_vault, vault::release_to(terms.beneficiary, terms.amount)),
        };
        let query = Query::Trial { from: self.at_box(target), to, data, at: At::Latest };
        self.put(target, query, answer);
    }

    /// Value tokens in the vault.
    pub(crate) fn vault(&mut self, tokens: u64) {
        let set = gateway();
        let view = token::balance_of(set.stake_vault).data;
        self.say(Side::Origin, set.value_token, &view, &[Value::Uint(uint(tokens))]);
    }

    /// Base coin of the worker of a side.
    pub(crate) fn coin(&mut self, side: Side, wei: u64) {
        let address = if side == self.kind.source() { SOURCE_WORKER } else { TARGET_WORKER };
        self.put(side, Query::Balance { address, at: At::Latest }, Answer::Number(uint(wei)));
    }

    /// How many digits of a token stand behind the point.
    pub(crate) fn say_decimals(&mut self, side: Side, token: Address, decimals: u64) {
        self.say(side, token, &token::decimals().data, &[Value::Uint(uint(decimals))]);
    }

    /// What an accept locks.
    pub(crate) fn bounty(&mut self, bounty: u64) {
        let source = self.kind.source();
        self.say(source, self.at_box(source), &gateways::bounty().data, &[Value::Uint(uint(bounty))]);
    }

    /// Only where the message stands, at the newest block and at the newest final one: outbox, inbox.
    pub(crate) fn at(outbox: (MessageStatus, MessageStatus), inbox: (MessageStatus, MessageStatus)) -> Self {
        Self::at_of(Kind::Stake, outbox, inbox)
    }

    /// The same of either kind.
    pub(crate) fn at_of(
        kind: Kind,
        outbox: (MessageStatus, MessageStatus),
        inbox: (MessageStatus, MessageStatus),
    ) -> Self {
        let mut chains = Self::of(kind);
        chains.statuses(outbox, inbox);
        chains
    }

    /// As [`Chains::at`], where the newest block says nothing new.
    pub(crate) fn settled(outbox: MessageStatus, inbox: MessageStatus) -> Self {
        Self::settled_of(Kind::Stake, outbox, inbox)
    }

    /// The same of either kind.
    pub(crate) fn settled_of(kind: Kind, outbox: MessageStatus, inbox: MessageStatus) -> Self {
        Self::at_of(kind, (outbox, outbox), (inbox, inbox))
    }

    pub(crate) fn statuses(&mut self, outbox: (MessageStatus, MessageStatus), inbox: (MessageStatus, MessageStatus)) {
        let message = message_of(self.kind, 0);
        let (of_outbox, of_inbox) = (gateways::outbox_status(message), gateways::inbox_status(message));
        self.status(self.kind.source(), &of_outbox, outbox);
        self.status(self.kind.target(), &of_inbox, inbox);
    }

    fn status(&mut self, side: Side, view: &View<MessageStatus>, status: (MessageStatus, MessageStatus)) {
        let to = self.at_box(side);
        for (at, status) in [(At::Latest, status.0), (At::Final, status.1)] {
            let query = Query::Call { from: None, to, data: view.data.clone(), at };
            self.put(side, query, data(&[Value::Uint(uint(number(status)))]));
        }
    }

    /// Whether the request stands in composer or pool, at the newest block and at the newest final one.
    pub(crate) fn pending(&mut self, job: &Job, latest: bool, finally: bool) {
        let (to, terms) = (job.request.pool, &job.request.terms);
        let view = pool::request_hash_of(self.kind, terms.sender, terms.gateway);
        for (at, pending) in [(At::Latest, latest), (At::Final, finally)] {
            let hash = if pending { terms.request_hash } else { B256::ZERO };
            let query = Query::Call { from: None, to, data: view.data.clone(), at };
            self.put(self.kind.source(), query, data(&[Value::Word(hash)]));
        }
        self.own_message(0, MessageStatus::Undeclared);
        self.own_message(1, MessageStatus::Undeclared);
    }

    /// Where the message of an attempt stands in the outbox, at the newest block.
    pub(crate) fn own_message(&mut self, attempt: u32, status: MessageStatus) {
        let (view, source) = (gateways::outbox_status(message_of(self.kind, attempt)).data, self.kind.source());
        self.say(source, self.at_box(source), &view, &[Value::Uint(uint(number(status)))]);
    }

    /// A proxy's next nonce at the newest final block.
    pub(crate) fn final_nonce(&mut self, proxy: Address, nonce: u64) {
        let source = self.kind.source();
        let (to, call) = (self.at_box(source), gateways::get_nonce(proxy).data);
        self.put(source, Query::Call { from: None, to, data: call, at: At::Final }, data(&[Value::Uint(uint(nonce))]));
    }

    /// A proxy's next nonce, and its last message in outbox and inbox: hash, status, nonce.
    pub(crate) fn active(&mut self, proxy: Address, next_nonce: u64, outbox: Active, inbox: Active) {
        let (source, target) = (self.kind.source(), self.kind.target());
        self.say(source, self.at_box(source), &gateways::get_nonce(proxy).data, &[Value::Uint(uint(next_nonce))]);
        self.final_nonce(proxy, next_nonce);
        let boxes = [
            (source, gateways::outbox_active_process(proxy).data, outbox),
            (target, gateways::inbox_active_process(proxy).data, inbox),
        ];
        for (side, view, active) in boxes {
            self.last_in(side, &view, active);
        }
    }

    fn last_in(&mut self, side: Side, view: &Bytes, active: Active) {
        let to = self.at_box(side);
        let (hash, status, nonce) = active.unwrap_or((B256::ZERO, MessageStatus::Undeclared, 0));
        self.say(side, to, view, &[Value::Word(hash), Value::Uint(uint(number(status)))]);
        let mut stored = vec![Value::Uint(U256::ZERO); 7];
        stored[1] = Value::Uint(uint(nonce));
        self.say(side, to, &gateways::messages(hash).data, &stored);
    }

    /// Whether a height is proven on the target chain already.
    pub(crate) fn proven(&mut self, height: u64, proven: bool) {
        let target = self.kind.target();
        let (to, data_of) = (self.at_box(target), gateways::probe_proven(height));
        let answer = if proven { data(&[Value::Bool(true)]) } else { Answer::Reverted(Revert::Empty) };
        self.put(target, Query::Call { from: None, to, data: data_of, at: At::Latest }, answer);
    }

    /// What `eth_getProof` says of the message at a height.
    pub(crate) fn proof(&mut self, height: u64, answer: Answer) {
        let source = self.kind.source();
        let key = outbox_slot(self.kind);
        self.put(source, Query::Proof { address: self.at_box(source), key, height }, answer);
    }

    /// A chain whose block at `height` has the message at `status`, and the root that proves it.
    pub(crate) fn block(&mut self, height: u64, status: MessageStatus) -> AnchoredRoot {
        let source = self.at_box(self.kind.source());
        let (account, root) = account_with(source, outbox_slot(self.kind), height, status);
        self.proof(height, Answer::Proof(account));
        AnchoredRoot { height, root }
    }

    /// The same on the target chain, of the inbox.
    pub(crate) fn target_block(&mut self, height: u64, status: MessageStatus) -> AnchoredRoot {
        let target = self.kind.target();
        let (address, message) = (self.at_box(target), message_of(self.kind, 0));
        let key = inbox_key(message, gateway().message_box_offset);
        let (account, root) = account_with(address, key, height, status);
        self.put(target, Query::Proof { address, key, height }, Answer::Proof(account));
        AnchoredRoot { height, root }
    }

    /// Whether a height of the target chain is proven already on the source chain.
    pub(crate) fn proven_back(&mut self, height: u64, proven: bool) {
        let source = self.kind.source();
        let (to, data) = (self.at_box(source), gateways::probe_proven(height));
        let answer = if proven { self::data(&[Value::Bool(true)]) } else { Answer::Reverted(Revert::Empty) };
        self.put(source, Query::Call { from: None, to, data, at: At::Latest }, answer);
    }

    /// Whether the target chain's anchor still has a root.
    pub(crate) fn in_anchor(&mut self, root: AnchoredRoot, kept: bool) {
        let (target, value) = (self.kind.target(), if kept { root.root } else { B256::ZERO });
        self.say(target, gateway().anchor_on(target), &anchor::get_state_root(root.height).data, &[Value::Word(value)]);
    }

    /// The gateway's storage root of this height is not there: the confirmation would revert.
    pub(crate) fn confirmation_reverts(&mut self, job: &Job, hash_lock: B256, height: u64) {
        let source = self.at_box(self.kind.source());
        let (account, _) = account_with(source, outbox_slot(self.kind), height, MessageStatus::Declared);
        let nodes = serialise_storage(&account.storage[0]);
        let terms = &job.request.terms;
        let intent = gateways::Intent {
            sender: PROXY,
            nonce: terms.nonce,
            beneficiary: terms.beneficiary,
            amount: terms.amount,
            gas_price: terms.gas_price,
            gas_limit: terms.gas_limit,
            hash_lock,
        };
        let data = gateways::confirm(self.kind, &intent, height, &nodes);
        let target = self.kind.target();
        let query = Query::Call { from: None, to: self.at_box(target), data, at: At::Latest };
        self.put(target, query, Answer::Reverted(Revert::Reason("Storage root must not be zero".into())));
    }

    /// What is asked about a foreign message: what both contracts keep of it, gas that counts already, and the bounty; that
    /// it is its turn, and that it can be paid out.
    pub(crate) fn kept(&mut self, job: &Job, hash_lock: B256, counted: u64, bounty: u64) {
        let (source, target, message) = (self.kind.source(), self.kind.target(), message_of(self.kind, 0));
        let terms = &job.request.terms;
        let stored = |counted| {
            let numbers = [terms.nonce, terms.gas_price, terms.gas_limit].map(Value::Uint);
            let ends = [Value::Address(PROXY), Value::Word(hash_lock), Value::Uint(uint(counted))];
            [vec![Value::Word(B256::ZERO)], numbers.to_vec(), ends.to_vec()].concat()
        };
        let (call, at_source) = (gateways::messages(message).data, self.at_box(source));
        self.say(source, at_source, &call, &stored(0));
        self.say(target, self.at_box(target), &call, &stored(counted));
        match self.kind {
            Kind::Stake => {
                let penalty = Value::Uint(uint(bounty * 3 / 2));
                self.say(source, at_source, &gateways::penalty(message).data, &[penalty]);
            }
            Kind::Redeem => {
                let redeem = [Value::Uint(terms.amount), Value::Address(terms.beneficiary), Value::Uint(uint(bounty))];
                self.say(source, at_source, &gateways::redeems(message).data, &redeem);
            }
        }
        self.coin(Side::Origin, 1_000_000_000);
        self.coin(Side::Auxiliary, 1_000_000_000);
        let set = gateway();
        match self.kind {
            Kind::Stake => {
                let exists = token::exists(terms.beneficiary).data;
                self.say(target, set.utility_token, &exists, &[Value::Bool(true)]);
                self.say_decimals(source, set.base_token, 18);
            }
            Kind::Redeem => {
                self.vault(1_000_001);
                self.say_decimals(target, set.value_token, 18);
            }
        }
        self.payment(job, data(&[Value::Bool(true)]));
        self.last_in_inbox(None);
    }

    /// The sender's last message in the inbox: hash, status, nonce.
    pub(crate) fn last_in_inbox(&mut self, last: Active) {
        self.last_in(self.kind.target(), &gateways::inbox_active_process(PROXY).data, last);
    }

    /// What a simulation of a leg says.
    pub(crate) fn leg(&mut self, leg: gateways::Leg, answer: Answer) {
        let side = match leg {
            gateways::Leg::Source => self.kind.source(),
            gateways::Leg::Target => self.kind.target(),
        };
        self.coin(side, 1_000_000_000);
        let to = self.at_box(side);
        let data = gateways::progress(self.kind, leg, message_of(self.kind, 0), &secret_for(self.kind, 0));
        self.put(side, Query::Call { from: None, to, data, at: At::Latest }, answer);
    }

    /// A view call at the newest block.
    pub(crate) fn say(&mut self, side: Side, to: Address, call: &Bytes, values: &[Value]) {
        self.put(side, Query::Call { from: None, to, data: call.clone(), at: At::Latest }, data(values));
    }

    pub(crate) fn put(&mut self, side: Side, query: Query, answer: Answer) {
        self.answers.insert((side, query), answer);
    }

    /// From now on this chain answers nothing.
    pub(crate) fn go_down(&mut self, side: Side, why: &str) {
        self.down = Some((side, why.to_owned()));
    }

    /// From now on proofs take longer than anybody waits, and so does the request that they are part of.
    pub(crate) fn slow_proofs(&mut self) {
        self.slow_proofs = true;
    }

    /// The answers to the questions of one request.
    pub(crate) fn answer_all(&self, side: Side, queries: &[Query]) -> Vec<Answer> {
        if self.slow_proofs && queries.iter().any(|query| matches!(query, Query::Proof { .. })) {
            return vec![Answer::Failed("gave up after 10000 ms".to_owned()); queries.len()];
        }
        queries.iter().map(|query| self.answer(side, query)).collect()
    }

    pub(crate) fn answer(&self, side: Side, query: &Query) -> Answer {
        if let Some((_, why)) = self.down.as_ref().filter(|(down, _)| *down == side) {
            return Answer::Failed(why.clone());
        }
        let known = self.answers.get(&(side, query.clone())).or_else(|| self.answers.get(&(side, anonymous(query))));
        known.unwrap_or_else(|| panic!("not foreseen on the {side} chain: {query:?}")).clone()
    }
}

/// The same question in nobody's name: where it does not matter who asks.
fn anonymous(query: &Query) -> Query {
    match query.clone() {
        Query::Call { to, data, at, .. } | Query::Trial { to, data, at, .. } => {
            Query::Call { from: None, to, data, at }
        }
        other @ (Query::Balance { .. } | Query::Code { .. } | Query::Proof { .. } | Query::StateRoot { .. }) => other,
    }
}

pub(crate) fn data(values: &[Value]) -> Answer {
    Answer::Data(Bytes(encode(values)))
}

const fn number(status: MessageStatus) -> u64 {
    match status {
        MessageStatus::Undeclared => 0,
        MessageStatus::Declared => 1,
        MessageStatus::Progressed => 2,
        MessageStatus::DeclaredRevocation => 3,
        MessageStatus::Revoked => 4,
    }
}

fn outbox_slot(kind: Kind) -> B256 {
    outbox_key(message_of(kind, 0), gateway().message_box_offset)
}

/// A gateway's account at a height with one slot: the message's status in a box. Both tries have one leaf.
fn account_with(address: Address, key: B256, height: u64, status: MessageStatus) -> (AccountProof, B256) {
    let value = uint(number(status));
    let leaf = leaf(&keccak256(key), &rlp::uint(value));
    let mut account = AccountProof {
        address,
        height,
        state_root: None,
        balance: U256::ZERO,
        nonce: U256::ONE,
        code_hash: B256([0xc0; 32]),
        storage_root: keccak256(&leaf),
        account_nodes: vec![],
        storage: vec![StorageProof { key, value, nodes: vec![leaf] }],
    };
    let leaf = self::leaf(&keccak256(address), &serialise_account(&account).0);
    let root = keccak256(&leaf);
    account.account_nodes = vec![leaf];
    account.state_root = Some(root);
    (account, root)
}

/// A trie of one entry: a leaf with the whole path.
fn leaf(path: &B256, value: &[u8]) -> Bytes {
    let prefixed = [[0x20].as_slice(), path.as_bytes()].concat();
    rlp::list_of_raw(&[string(&prefixed), string(value)])
}

fn string(bytes: &[u8]) -> Bytes {
    let length = u8::try_from(bytes.len()).unwrap();
    let header = match (bytes, length) {
        ([single], _) if *single < 0x80 => vec![],
        (_, 0..=55) => vec![0x80 + length],
        (_, 56..) => vec![0xb8, length],
    };
    Bytes([header.as_slice(), bytes].concat())
}
