//! The nodes as sender and scanner ask them: lagging, forgetful, sometimes silent.

use crate::chain::{Chain, Fate, GAS};
use crate::contracts::{Call, Place, execute};
use crate::mutation::Mutation;
use crate::views;
use crate::world::{Shared, World, lost, pause};
use facilitator_chain::reader::{Answer, At, Query};
use facilitator_chain::rpc::RpcError;
use facilitator_eth::abi::Revert;
use facilitator_eth::{Address, B256, Bytes, U256, keccak256};
use facilitator_protocol::model::Side;
use facilitator_sender::{Answers, Ask, Head, Question, Receipt, Simulate, Simulation, Success, Trial};
use facilitator_store::journal::Inclusion;
use serde_json::{Value, json};

/// The node of one chain.
pub(crate) struct Node {
    pub(crate) world: Shared,
    pub(crate) side: Side,
}

fn server(message: &str) -> RpcError {
    RpcError::Server { code: -32_000, message: message.to_owned(), data: None }
}

fn reverted(revert: &Revert) -> RpcError {
    let message = match revert {
        Revert::Reason(reason) => format!("execution reverted: {reason}"),
        Revert::Panic(_) | Revert::Empty | Revert::Other(_) => "execution reverted".to_owned(),
    };
    RpcError::Server { code: 3, message, data: None }
}

fn one(chain: &Chain, question: Question, head: u64, finalised: u64) -> Result<B256, RpcError> {
    let at = |number| chain.told(number).ok_or_else(|| server("header not found"));
    let word = |number: u64| U256::from(number).to_word();
    Ok(match question {
        Question::Count(account) => word(at(head)?.state.nonce(account)),
        Question::FinalCount(account) => word(at(finalised)?.state.nonce(account)),
        Question::Balance(account) => word(at(head)?.state.coins(account)),
        Question::Allowance(flow) => at(head)?.state.allowance(flow.token, flow.owner, flow.spender).to_word(),
        Question::Tokens { owner, token } => word(at(head)?.state.held(token, owner)),
        Question::GasPrice => word(chain.base_fee),
        Question::BlockHash(number) => at(number)?.hash,
    })
}

impl Node {
    fn tried(world: &World, side: Side, trial: &Simulation, block: Option<u64>) -> Result<Bytes, Revert> {
        let chain = &world.chains[side];
        let number = block.unwrap_or_else(|| chain.head());
        let Some(block) = chain.told(number) else { return Err(Revert::Empty) };
        let place = Place { side, roots: &world.roots, number: number + 1 };
        let call = Call { from: trial.from, to: trial.to, value: trial.value, data: &trial.data };
        views::call(&block.state, &place, call)
    }

    /// One after the other, each on what those before it leave.
    fn in_turn(world: &World, side: Side, sequence: &[Simulation]) -> Vec<Trial> {
        let chain = &world.chains[side];
        let place = Place { side, roots: &world.roots, number: chain.head() + 1 };
        let mut state = chain.told(chain.head()).map(|block| (*block.state).clone()).unwrap_or_default();
        let mut carry_out = |trial: &Simulation| {
            let mut after = state.clone();
            let call = Call { from: trial.from, to: trial.to, value: trial.value, data: &trial.data };
            let Ok(done) = execute(&mut after, &place, call) else { return Trial::Fails };
            state = after;
            // What is refunded is not counted.
            Trial::Succeeds { gas_used: GAS * 3 / 4, returned: done.output }
        };
        sequence.iter().map(&mut carry_out).collect()
    }

    /// A transaction arrives; the answer is in the node's words.
    fn arrive(world: &mut World, side: Side, raw: &Bytes) -> Result<Value, RpcError> {
        let hash = keccak256(&raw.0);
        let Some(tx) = world.signed.get(&hash).cloned() else { return Err(server("invalid sender")) };
        world.note(|| format!("{side}: sent {} nonce {} of {}", tx.intent, tx.nonce, tx.from));
        let World { truth, chains, disk, .. } = world;
        if let Some(violation) = truth.sent(side, &tx, chains, disk) {
            world.violated(violation.invariant, violation.found);
        }
        if world.mutation == Mutation::BroadcastBeforeJournal {
            crate::keep::commit_late(world, side, hash);
        }
        world.chains[side].take(&tx).map_err(server)?;
        Ok(json!(hash))
    }
}

impl Ask for Node {
    /// There is but one.
    fn use_endpoint(&mut self, _rpc: &facilitator_chain::rpc::Rpc) {}

    async fn ask(&self, questions: &[Question], head: u64, finalised: u64) -> Answers<B256> {
        pause().await;
        let mut world = self.world.borrow_mut();
        world.reach()?;
        let mut answers: Vec<Result<B256, RpcError>> =
            questions.iter().map(|question| one(&world.chains[self.side], *question, head, finalised)).collect();
        if world.mutation == Mutation::NonceCounter {
            for (question, answer) in questions.iter().zip(&mut answers) {
                if let Question::Count(account) = question {
                    let used = world.signed.values().filter(|tx| tx.from == *account);
                    let counter = used.map(|tx| tx.nonce + 1).max().unwrap_or(0);
                    *answer = answer.clone().map(|count| count.max(U256::from(counter).to_word()));
                }
            }
        }
        Ok(answers)
    }

    async fn head(&self) -> Result<Head, RpcError> {
        pause().await;
        let mut world = self.world.borrow_mut();
        world.reach()?;
        Ok(head_of(&world.chains[self.side]))
    }

    async fn simulate(&self, asked: &[Simulate<'_>]) -> Answers<Value> {
        pause().await;
        let mut world = self.world.borrow_mut();
        world.reach()?;
        let answer = |asked: &Simulate<'_>| match asked {
            Simulate::Estimate(trial) => {
                Self::tried(&world, self.side, trial, None).map(|_| json!(format!("{GAS:#x}")))
            }
            Simulate::Call(trial) => Self::tried(&world, self.side, trial, None).map(|data| json!(data)),
            Simulate::Replay(trial, block, _) => {
                Self::tried(&world, self.side, trial, Some(*block)).map(|data| json!(data))
            }
        };
        Ok(asked.iter().map(|asked| answer(asked).map_err(|revert| reverted(&revert))).collect())
    }

    async fn rehearse(&self, sequences: &[Vec<Simulation>]) -> Answers<Vec<Trial>> {
        pause().await;
        let mut world = self.world.borrow_mut();
        world.reach()?;
        if !world.rehearses {
            return Ok(vec![Err(RpcError::Unsupported { message: "eth_simulateV1".to_owned() }); sequences.len()]);
        }
        Ok(sequences.iter().map(|sequence| Ok(Self::in_turn(&world, self.side, sequence))).collect())
    }

    async fn send(&self, raw: &[&Bytes]) -> Answers<Value> {
        pause().await;
        let answers = {
            let mut world = self.world.borrow_mut();
            world.reach()?;
            let mut answers = Vec::with_capacity(raw.len());
            for raw in raw {
                // On the way there or on the way back.
                let answer = if world.fault(30) { Err(lost()) } else { Self::arrive(&mut world, self.side, raw) };
                answers.push(if world.fault(30) { Err(lost()) } else { answer });
            }
            answers
        };
        pause().await;
        Ok(answers)
    }

    async fn receipts(&self, hashes: &[B256]) -> Answers<Option<Receipt>> {
        pause().await;
        let mut world = self.world.borrow_mut();
        world.reach()?;
        let chain = &world.chains[self.side];
        Ok(hashes.iter().map(|hash| Ok(receipt(chain, *hash))).collect())
    }

    async fn block_receipts(&self, first: u64, last: u64) -> Result<Vec<Receipt>, RpcError> {
        pause().await;
        let mut world = self.world.borrow_mut();
        world.reach()?;
        let chain = &world.chains[self.side];
        let mut found = Vec::new();
        for number in first..=last {
            let block = chain.told(number).ok_or_else(|| server("header not found"))?;
            found.extend(block.mined.iter().filter_map(|(tx, _)| receipt(chain, tx.hash)));
        }
        Ok(found)
    }
}

/// The newest block that the node tells of.
pub(crate) fn head_of(chain: &Chain) -> Head {
    let number = chain.head();
    let base_fee = chain.block(number).map(|block| U256::from(block.base_fee));
    Head { number, base_fee, gas_price: None }
}

fn receipt(chain: &Chain, hash: B256) -> Option<Receipt> {
    let (number, fate) = *chain.index.get(&hash)?;
    let block = chain.told(number)?;
    let success = match fate {
        Fate::Succeeded => Success::Yes,
        Fate::Reverted => Success::Reverted,
    };
    let gas_price = U256::from(block.base_fee);
    let inclusion = Inclusion { hash, block_number: number, block_hash: block.hash, gas_used: GAS, gas_price };
    Some(Receipt { inclusion, success })
}

/// Answers a worker's question as the scanner's reader does.
pub(crate) fn read(world: &mut World, side: Side, query: &Query) -> Answer {
    if world.fault(20) {
        return Answer::Failed("lost".to_owned());
    }
    let asks_inbox = |data: &Bytes| crate::contracts::signature(data) == "getInboxMessageStatus(bytes32)";
    let chain = &world.chains[side];
    let number = |at: At| match at {
        At::Latest => Some(chain.head()),
        At::Final => world.finals[side],
        At::Block(number) => Some(number),
    };
    let unknown = || Answer::Failed("header not found".to_owned());
    let from = match query {
        Query::Call { from, .. } => from.unwrap_or_default(),
        Query::Trial { from, .. } => *from,
        Query::Balance { .. } | Query::Code { .. } | Query::Proof { .. } | Query::StateRoot { .. } => Address::ZERO,
    };
    match query {
        Query::Call { to, data, at, .. } | Query::Trial { to, data, at, .. } => {
            let eager = world.mutation == Mutation::ProgressBeforeFinal && asks_inbox(data);
            let at = if eager { At::Latest } else { *at };
            let Some(block) = number(at).and_then(|number| chain.told(number)) else { return unknown() };
            let call = Call { from, to: *to, value: U256::ZERO, data };
            let place = Place { side, roots: &world.roots, number: block.number };
            match views::call(&block.state, &place, call) {
                Ok(data) => Answer::Data(data),
                Err(revert) => Answer::Reverted(revert),
            }
        }
        Query::Balance { address, at } => match number(*at).and_then(|number| chain.told(number)) {
            Some(block) => Answer::Number(U256::from(block.state.coins(*address))),
            None => unknown(),
        },
        Query::Proof { key, height, .. } => match chain.snapshot(*height) {
            Some(snapshot) => Answer::Proof(snapshot.prove(*key)),
            None => unknown(),
        },
        Query::StateRoot { height } => match chain.snapshot(*height) {
            Some(snapshot) => Answer::Root(snapshot.root()),
            None => unknown(),
        },
        Query::Code { .. } => Answer::Data(Bytes(vec![1])),
    }
}
