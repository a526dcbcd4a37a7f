//! What is true whatever the processes believe, and the invariants that are measured against it.

#![expect(clippy::wildcard_enum_match_arm, reason = "few events of the contracts tell what is final")]

use crate::boxes::{confirmed, revealed};
use crate::chain::{Author, Chain, Fate, Tx};
use crate::contracts::{accepted, function, words};
use crate::disk::{Disk, Row};
use crate::names::{BOUNTY, FOREIGN_GATEWAY, Pair, bounty_unit};
use crate::state::incoming;
use crate::world::{SIDES, Violation};
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::events::Event;
use facilitator_protocol::hashes;
use facilitator_protocol::model::{Kind, Side};
use facilitator_store::journal::Signature;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A transaction that reached a node.
#[derive(Debug)]
struct Sent {
    side: Side,
    tx: Rc<Tx>,
    effect: Option<String>,
    /// Its journal is lost: nobody knows of it any more but the chain.
    forgotten: bool,
}

/// See the head of the module.
#[derive(Debug)]
pub(crate) struct Truth {
    /// Forks deeper than the confirmations may happen in this run: what they undo is no fault of the product.
    pub(crate) deep: bool,
    /// Signatures that a mutation has not committed.
    pub(crate) uncommitted: BTreeMap<B256, Signature>,
    /// Height up to which final blocks were looked at, and its hash.
    finals: Pair<u64>,
    requests: BTreeSet<B256>,
    /// The transactions that asked for each request hash.
    asked_for: BTreeMap<B256, BTreeSet<B256>>,
    declared: BTreeSet<B256>,
    confirmed: BTreeSet<B256>,
    anchored: BTreeSet<(Side, u64)>,
    revealed: BTreeSet<B256>,
    /// The locks of secrets that everybody knows.
    opened: BTreeSet<B256>,
    sent: Vec<Sent>,
    /// The database was lost: the journal does not tell of all that was done.
    pub(crate) lost: bool,
    /// The bounties that accepts have ever had to lock.
    bounties: Pair<BTreeSet<u64>>,
    /// Where requests stand on the chain as it is: transaction to block.
    pub(crate) asked: Pair<BTreeMap<B256, u64>>,
}

pub(crate) type Found = Option<Violation>;

pub(crate) fn found(invariant: &'static str, found: String) -> Found {
    Some(Violation { invariant, found })
}

impl Truth {
    pub(crate) fn new(deep: bool) -> Self {
        Self {
            deep,
            uncommitted: BTreeMap::new(),
            finals: Pair::default(),
            requests: BTreeSet::new(),
            asked_for: BTreeMap::new(),
            declared: BTreeSet::new(),
            confirmed: BTreeSet::new(),
            anchored: BTreeSet::new(),
            revealed: BTreeSet::new(),
            opened: BTreeSet::new(),
            sent: Vec::new(),
            lost: false,
            bounties: Pair::default(),
            asked: Pair::default(),
        }
    }

    /// A block was mined: notes what became final, and looks for an effect that was reached twice.
    pub(crate) fn mined(&mut self, chain: &Chain) -> Found {
        let side = chain.side;
        if let Some(block) = chain.blocks.last() {
            self.locate(side, &block.events);
            self.bounties[side].insert(block.state.bounty);
        }
        let finals = chain.final_height().unwrap_or(0);
        for number in self.finals[side] + 1..=finals {
            for (_, event) in chain.block(number).into_iter().flat_map(|block| &block.events) {
                self.note_final(side, event);
            }
        }
        self.finals[side] = self.finals[side].max(finals);
        self.reached_twice(chain)
    }

    /// Blocks from here on are others now.
    pub(crate) fn forked(&mut self, chain: &Chain) {
        let side = chain.side;
        self.asked[side].clear();
        for block in &chain.blocks {
            self.locate(side, &block.events);
        }
        if self.deep {
            self.finals[side] = 0;
        }
    }

    fn locate(&mut self, side: Side, events: &[(facilitator_protocol::events::Log, Event)]) {
        let asks = |event: &Event| matches!(event, Event::StakeRequested(_) | Event::RedeemRequested(_));
        for (log, event) in events.iter().filter(|(_, event)| asks(event)) {
            self.asked[side].insert(log.tx_hash, log.block_number);
            self.asked_for.entry(event.request_hash().unwrap_or_default()).or_default().insert(log.tx_hash);
        }
    }

    /// A request that is made again after a withdrawal, or by way of another proxy, has the same hash, and each is a
    /// request of its own.
    fn is_repeated(&self, request_hash: B256) -> bool {
        self.asked_for.get(&request_hash).is_some_and(|asked| asked.len() > 1)
    }

    /// Whether any hash was asked for more than once.
    pub(crate) fn repeated(&self) -> bool {
        self.asked_for.values().any(|asked| asked.len() > 1)
    }

    /// The database is lost, and with it what is known about transactions on their way.
    pub(crate) fn forget(&mut self) {
        self.lost = true;
        for sent in &mut self.sent {
            sent.forgotten = true;
        }
    }

    /// Whether a transaction in a pool is any sender's business.
    pub(crate) fn is_ours(&self, tx: &Tx) -> bool {
        let forgotten = || self.sent.iter().any(|sent| sent.tx.hash == tx.hash && sent.forgotten);
        tx.author == Author::Own && !forgotten()
    }

    fn note_final(&mut self, side: Side, event: &Event) {
        match event {
            Event::StakeRequested(_) | Event::RedeemRequested(_) => self.requests.extend(event.request_hash()),
            Event::StakeIntentDeclared(_) | Event::RedeemIntentDeclared(_) => {
                self.declared.extend(event.message_hash())
            }
            Event::StakeIntentConfirmed(_) | Event::RedeemIntentConfirmed(_) => {
                self.confirmed.extend(event.message_hash());
            }
            Event::StateRootAvailable(root) => {
                self.anchored.insert((side, root.block_height));
            }
            _ => {}
        }
    }

    fn reached_twice(&self, chain: &Chain) -> Found {
        let block = chain.blocks.last()?;
        for (tx, _) in block.mined.iter().filter(|(_, fate)| *fate == Fate::Succeeded) {
            // A storage root may be pushed out of the gateway's buffer; then it is proven once more.
            let Some(effect) = effect(tx).filter(|effect| !effect.starts_with("proveGateway")) else { continue };
            let succeeded = |sent: &&Sent| {
                sent.side == chain.side
                    && sent.effect.as_ref() == Some(&effect)
                    && sent.tx.hash != tx.hash
                    && chain.index.get(&sent.tx.hash).is_some_and(|(_, fate)| *fate == Fate::Succeeded)
            };
            let others: Vec<&Sent> = self.sent.iter().filter(succeeded).collect();
            if let Some(other) = others.last().filter(|_| others.len() >= self.times(&effect)) {
                return found("one effect, one transaction", format!("{} and {}", tx.intent, other.tx.intent));
            }
        }
        None
    }

    /// A transaction reaches a node: whatever it shows is shown from now on.
    pub(crate) fn sent(&mut self, side: Side, tx: &Rc<Tx>, chains: &Pair<Chain>, disk: &Disk) -> Found {
        if self.sent.iter().any(|sent| sent.tx.hash == tx.hash) {
            return None;
        }
        let effect = effect(tx);
        let verdict = self
            .committed(side, tx, disk)
            .or_else(|| self.same_nonce(side, tx))
            .or_else(|| self.same_effect(&chains[side], tx, effect.as_deref()))
            .or_else(|| self.valued(side, tx))
            .or_else(|| self.timely(side, tx, disk));
        if function(&tx.data).starts_with("progress")
            && let Ok((message, secret)) = revealed(&tx.data)
        {
            self.revealed.insert(message);
            self.opened.insert(hashes::hash_lock(&secret.0));
        }
        self.sent.push(Sent { side, tx: Rc::clone(tx), effect, forgotten: false });
        verdict
    }

    /// Law 2.
    fn committed(&self, side: Side, tx: &Tx, disk: &Disk) -> Found {
        if disk.journals[side].has_signed(tx.hash) {
            return None;
        }
        found("persist, then act", format!("{} was sent before its bytes were committed", tx.intent))
    }

    /// Law 2: after a restart the same bytes, never others.
    fn same_nonce(&self, side: Side, tx: &Tx) -> Found {
        let other = |sent: &&Sent| {
            let same = sent.side == side && sent.tx.from == tx.from && sent.tx.nonce == tx.nonce;
            !sent.forgotten && same && (sent.tx.data != tx.data || sent.tx.to != tx.to || sent.tx.value != tx.value)
        };
        let other = self.sent.iter().find(other).filter(|_| !self.deep)?;
        found("one nonce, one content", format!("nonce {}: {} after {}", tx.nonce, tx.intent, other.tx.intent))
    }

    /// Never two transactions for one effect that may both be mined.
    fn same_effect(&self, chain: &Chain, tx: &Tx, effect: Option<&str>) -> Found {
        let effect = effect.filter(|_| !self.deep)?;
        let rivals = self.sent.iter().filter(|sent| {
            let other = !sent.forgotten && (sent.tx.from != tx.from || sent.tx.nonce != tx.nonce);
            sent.side == chain.side && sent.effect.as_deref() == Some(effect) && other
        });
        let finals = chain.final_height().unwrap_or(0);
        let is_alive = |rival: &&Tx| {
            let dead = match chain.index.get(&rival.hash) {
                // A storage root may be pushed out of the gateway's buffer; then it is proven once more.
                Some((block, Fate::Succeeded)) => effect.starts_with("proveGateway") && *block <= finals,
                Some((block, Fate::Reverted)) => *block <= finals,
                None => chain.block(finals).is_some_and(|block| block.state.nonce(rival.from) > rival.nonce),
            };
            !dead
        };
        let alive: Vec<&Tx> = rivals.map(|sent| &*sent.tx).filter(is_alive).collect();
        // Those of one nonce are one transaction at several fees.
        let places: BTreeSet<(Address, u64)> = alive.iter().map(|rival| (rival.from, rival.nonce)).collect();
        let rival = alive.last().filter(|_| places.len() >= self.times(effect))?;
        let text = format!("{} with nonce {} while {} with nonce {}", tx.intent, tx.nonce, rival.intent, rival.nonce);
        found("one effect, one transaction", text)
    }

    /// How often an effect may be reached: an accept once for each time that its request was made.
    fn times(&self, effect: &str) -> usize {
        let of = |hash: &B256| effect.starts_with("accept") && effect.ends_with(&hash.to_string());
        self.asked_for.iter().find(|(hash, _)| of(hash)).map_or(1, |(_, asked)| asked.len())
    }

    fn timely(&self, side: Side, tx: &Tx, disk: &Disk) -> Found {
        match function(&tx.data) {
            "acceptStakeRequest" => self.accepting(Kind::Stake, tx, disk),
            "acceptRedeemRequest" => self.accepting(Kind::Redeem, tx, disk),
            "proveGateway" => {
                let height = words(&tx.data).uint64().unwrap_or(0);
                let early = !self.anchored.contains(&(side, height));
                early.then(|| found("nothing before it is final", format!("{}: the root is not", tx.intent))).flatten()
            }
            "confirmStakeIntent" | "confirmRedeemIntent" => {
                let said = confirmed(incoming(side), &tx.data);
                let known = said.is_ok_and(|said| self.declared.contains(&hashes::message_hash(&said.parts)));
                (!known).then(|| found("nothing before it is final", format!("{}: not declared", tx.intent))).flatten()
            }
            name if name.starts_with("progress") => self.revealing(tx),
            _ => None,
        }
    }

    /// Law 4.
    fn revealing(&self, tx: &Tx) -> Found {
        let Ok((message, _)) = revealed(&tx.data) else { return None };
        let ripe = self.declared.contains(&message) && self.confirmed.contains(&message);
        if ripe || self.revealed.contains(&message) {
            return None;
        }
        found("never reveal early", format!("{}: the inbox was never final", tx.intent))
    }

    /// Law 10 in base coin: it goes along with the accept of a redeem alone, and is a bounty that the cogateway asked for.
    /// That it is the one of now the pool sees to.
    fn valued(&self, side: Side, tx: &Tx) -> Found {
        let of_redeem = function(&tx.data) == "acceptRedeemRequest";
        let exact = match tx.value.to_u64() {
            Some(value) if of_redeem => {
                value == BOUNTY * bounty_unit(Kind::Redeem) || self.bounties[side].contains(&value)
            }
            Some(value) => value == 0,
            None => false,
        };
        (!exact).then(|| found("the value is the bounty", format!("{} takes {} along", tx.intent, tx.value))).flatten()
    }

    /// Laws 2, 3, 6 and 10 for an accept.
    fn accepting(&self, kind: Kind, tx: &Tx, disk: &Disk) -> Found {
        let Ok((terms, hash_lock)) = accepted(kind, &tx.data) else { return None };
        if terms.gateway == FOREIGN_GATEWAY {
            return found("only configured gateways", tx.intent.clone());
        }
        if terms.beneficiary.is_zero() {
            return found("what is accepted can be finished", format!("{}: nobody is to get it", tx.intent));
        }
        if !self.requests.contains(&terms.request_hash) {
            return found("nothing before it is final", format!("{}: the request is not", tx.intent));
        }
        let of = |row: &&Row| row.request.terms.request_hash == terms.request_hash;
        let known = disk.requests.values().filter(of).any(|row| row.request.hash_lock == Some(hash_lock));
        if !known && !self.deep {
            return found("persist, then act", format!("{}: its lock is not committed", tx.intent));
        }
        let others = self.sent.iter().filter_map(|sent| accepted(kind, &sent.tx.data).ok());
        let other = |(rival, lock): &(_, B256)| {
            let rival: &facilitator_protocol::model::Terms = rival;
            rival.request_hash == terms.request_hash && *lock != hash_lock && !self.opened.contains(lock)
        };
        let repeated = self.is_repeated(terms.request_hash);
        if !repeated && others.filter(other).count() > 0 {
            return found("one secret for a request", format!("{}: another lock was sent before", tx.intent));
        }
        None
    }
}

/// What a transaction is for, whatever its intent is called; `None` for what may be done again.
fn effect(tx: &Tx) -> Option<String> {
    let name = function(&tx.data);
    let message = match name {
        "acceptStakeRequest" => accepted(Kind::Stake, &tx.data).ok()?.0.request_hash,
        "acceptRedeemRequest" => accepted(Kind::Redeem, &tx.data).ok()?.0.request_hash,
        "confirmStakeIntent" => hashes::message_hash(&confirmed(Kind::Stake, &tx.data).ok()?.parts),
        "confirmRedeemIntent" => hashes::message_hash(&confirmed(Kind::Redeem, &tx.data).ok()?.parts),
        "progressStake" | "progressRedeem" | "progressMint" | "progressUnstake" => revealed(&tx.data).ok()?.0,
        "proveGateway" => U256::from(words(&tx.data).uint64().ok()?).to_word(),
        _ => return None,
    };
    Some(format!("{name}:{message}"))
}

/// What holds at every step where the checkpoint is on the chain: every request up to it has a row, and nothing is left of
/// removed blocks (law 6).
pub(crate) fn always(truth: &Truth, chains: &Pair<Chain>, disk: &Disk) -> Found {
    for side in SIDES {
        let Some(checkpoint) = disk.checkpoints[side] else { continue };
        let canonical = chains[side].block(checkpoint.number).is_some_and(|block| block.hash == checkpoint.hash);
        if !canonical {
            continue;
        }
        let standing = |number, hash| chains[side].block(number).is_some_and(|block| block.hash == hash);
        if let Some((log, _)) = disk.events[side].iter().find(|(log, _)| !standing(log.block_number, log.block_hash)) {
            let text = format!("{side}: an event of block {} stayed, checkpoint {checkpoint}", log.block_number);
            return found("a reorg undoes what followed", text);
        }
        for (tx, block) in &truth.asked[side] {
            let scanned = *block <= checkpoint.number;
            if scanned && !disk.all().any(|request| request.position.tx_hash == *tx) {
                return found("no request lost", format!("{side}: {tx} in block {block}, checkpoint {checkpoint}"));
            }
        }
    }
    None
}
