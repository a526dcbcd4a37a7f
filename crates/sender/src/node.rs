//! What the sender asks a node, each kind of question for many transactions in one HTTP request.
//!
//! Invariant: an answer of the wrong form is an error of that question alone. What the answers mean is decided in
//! [`crate::policy`]; when to ask again by the loop.

use facilitator_chain::rpc::{Call, Rpc, RpcError};
use facilitator_eth::{Address, B256, Bytes, U256, abi};
use facilitator_store::journal::Inclusion;
use serde_json::{Value, json};

/// A question about the state at a given block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Transactions of the account.
    Count(Address),
    /// Transactions of the account at the newest final block.
    FinalCount(Address),
    /// Base coin of the account, wei.
    Balance(Address),
    /// What the spender may take of the owner's tokens.
    Allowance(TokenFlow),
    /// Tokens of the owner, of the kind.
    Tokens {
        /// Whose.
        owner: Address,
        /// Which.
        token: Address,
    },
    /// What the node suggests to pay for gas.
    GasPrice,
    /// The hash of the block at a height.
    BlockHash(u64),
}

/// Whose tokens of which kind may be taken by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenFlow {
    /// Whose tokens.
    pub owner: Address,
    /// Which.
    pub token: Address,
    /// Taken by whom.
    pub spender: Address,
}

/// A transaction as it is simulated.
#[derive(Clone)]
pub struct Simulation {
    /// Who signs.
    pub from: Address,
    /// The contract.
    pub to: Address,
    /// Base coin sent along, wei.
    pub value: U256,
    /// Call data.
    pub data: Bytes,
}

/// A receipt: where a transaction was mined and whether it succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Where.
    pub inclusion: Inclusion,
    /// Whether it did what it was for.
    pub success: Success,
}

/// The status of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Success {
    /// It did.
    Yes,
    /// It was mined in vain.
    Reverted,
}

/// What a transaction does behind others that are no more mined than itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    /// It succeeds.
    Succeeds {
        /// Units of gas that it is charged for: without those that are refunded at its end.
        gas_used: u64,
        /// What it returns.
        returned: Bytes,
    },
    /// It fails.
    Fails,
}

/// The answers to one batch: the outer error says that the node answered nothing at all.
pub type Answers<T> = Result<Vec<Result<T, RpcError>>, RpcError>;

/// Which receipts are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptsOf {
    /// All of the blocks from the first to the last.
    Blocks(u64, u64),
    /// Those of these transactions.
    Transactions(Vec<B256>),
}

/// Answers, and the receipts that were asked for with them.
#[derive(Debug)]
pub struct Told {
    /// To the questions, in their order.
    pub answers: Vec<Result<B256, RpcError>>,
    /// As far as there are any.
    pub receipts: Result<Vec<Receipt>, RpcError>,
}

/// Those that there are, if it is known of each whether there is one.
fn present(receipts: Vec<Result<Option<Receipt>, RpcError>>) -> Result<Vec<Receipt>, RpcError> {
    receipts.into_iter().filter_map(Result::transpose).collect()
}

/// The node behind one endpoint.
#[derive(Debug, Clone)]
pub struct Node {
    rpc: Rpc,
}

impl Node {
    /// The node that a client speaks to.
    #[must_use]
    pub fn new(rpc: Rpc) -> Self {
        Self { rpc }
    }
}

/// A node as the sender asks it: over JSON-RPC, or a simulated one.
#[expect(async_fn_in_trait, reason = "a sender is one task: nobody needs the futures to be sent")]
pub trait Ask {
    /// Speaks to another endpoint of the same chain from now on.
    fn use_endpoint(&mut self, rpc: &Rpc);

    /// Answers as words: numbers as they are, hashes as bytes. All of the state at the height `head`, but for the
    /// transactions at the newest final block, which is at `finalised`.
    async fn ask(&self, questions: &[Question], head: u64, finalised: u64) -> Answers<B256>;

    /// As [`Ask::ask`], with receipts: in one HTTP request, if the node can be asked that way. That these could not be had is
    /// an error of its own.
    ///
    /// # Errors
    /// When the node answered nothing at all.
    async fn ask_with_receipts(
        &self,
        questions: &[Question],
        (head, finalised): (u64, u64),
        of: &ReceiptsOf,
    ) -> Result<Told, RpcError> {
        let answers = self.ask(questions, head, finalised).await?;
        let receipts = match of {
            ReceiptsOf::Blocks(first, last) => self.block_receipts(*first, *last).await,
            ReceiptsOf::Transactions(hashes) => self.receipts(hashes).await.and_then(present),
        };
        Ok(Told { answers, receipts })
    }

    /// Number and base fee of the newest block.
    async fn head(&self) -> Result<crate::Head, RpcError>;

    /// Trials at the newest block, or where they say.
    async fn simulate(&self, asked: &[Simulate<'_>]) -> Answers<Value>;

    /// What becomes of sequences of transactions at the newest block: each finds what those before it in its sequence
    /// leave behind. An error of a sequence says nothing about its transactions.
    async fn rehearse(&self, sequences: &[Vec<Simulation>]) -> Answers<Vec<Trial>>;

    /// Hands over signed transactions in this order.
    async fn send(&self, raw: &[&Bytes]) -> Answers<Value>;

    /// The receipts of these transactions; `None` where there is none.
    async fn receipts(&self, hashes: &[B256]) -> Answers<Option<Receipt>>;

    /// All receipts of some blocks.
    ///
    /// # Errors
    /// When any of the blocks could not be read as a whole.
    async fn block_receipts(&self, first: u64, last: u64) -> Result<Vec<Receipt>, RpcError>;
}

impl Ask for Node {
    fn use_endpoint(&mut self, rpc: &Rpc) {
        self.rpc = rpc.clone();
    }

    async fn ask(&self, questions: &[Question], head: u64, finalised: u64) -> Answers<B256> {
        let answers = self.rpc.batch(&calls_of(questions, head, finalised)).await?;
        Ok(words_of(questions, answers))
    }

    async fn ask_with_receipts(
        &self,
        questions: &[Question],
        (head, finalised): (u64, u64),
        of: &ReceiptsOf,
    ) -> Result<Told, RpcError> {
        let mut calls = calls_of(questions, head, finalised);
        match of {
            ReceiptsOf::Blocks(first, last) => calls.extend((*first..=*last).map(block_receipts_call)),
            ReceiptsOf::Transactions(hashes) => calls.extend(hashes.iter().map(receipt_call)),
        }
        let mut answers = self.rpc.batch(&calls).await?;
        let rest = answers.split_off(questions.len().min(answers.len()));
        let receipts = match of {
            ReceiptsOf::Blocks(..) => all_receipts(rest),
            ReceiptsOf::Transactions(_) => present(rest.into_iter().map(|answer| receipt(&answer?)).collect()),
        };
        Ok(Told { answers: words_of(questions, answers), receipts })
    }

    async fn head(&self) -> Result<crate::Head, RpcError> {
        let block = self.rpc.call("eth_getBlockByNumber", json!(["latest", false])).await?;
        let number = parse::<U256>(&block["number"])?.to_u64().ok_or_else(|| malformed("a block number"))?;
        let base_fee = if block["baseFeePerGas"].is_null() { None } else { Some(parse(&block["baseFeePerGas"])?) };
        Ok(crate::Head { number, base_fee, gas_price: None })
    }

    async fn simulate(&self, asked: &[Simulate<'_>]) -> Answers<Value> {
        let calls: Vec<Call> = asked.iter().map(Simulate::call).collect();
        self.rpc.batch(&calls).await
    }

    async fn rehearse(&self, sequences: &[Vec<Simulation>]) -> Answers<Vec<Trial>> {
        let calls: Vec<Call> = sequences.iter().map(|sequence| sequence_call(sequence)).collect();
        let answers = self.rpc.batch(&calls).await?;
        let read = |(sequence, answer): (&Vec<Simulation>, Result<Value, RpcError>)| trials(&answer?, sequence.len());
        Ok(sequences.iter().zip(answers).map(read).collect())
    }

    async fn send(&self, raw: &[&Bytes]) -> Answers<Value> {
        let calls: Vec<Call> = raw.iter().map(|raw| Call::new("eth_sendRawTransaction", json!([raw]))).collect();
        self.rpc.batch(&calls).await
    }

    async fn receipts(&self, hashes: &[B256]) -> Answers<Option<Receipt>> {
        let calls: Vec<Call> = hashes.iter().map(receipt_call).collect();
        let answers = self.rpc.batch(&calls).await?;
        Ok(answers.into_iter().map(|answer| receipt(&answer?)).collect())
    }

    async fn block_receipts(&self, first: u64, last: u64) -> Result<Vec<Receipt>, RpcError> {
        let calls: Vec<Call> = (first..=last).map(block_receipts_call).collect();
        all_receipts(self.rpc.batch(&calls).await?)
    }
}

/// One way to try a transaction out.
pub enum Simulate<'a> {
    /// How much gas it needs at the newest block.
    Estimate(&'a Simulation),
    /// What it returns at the newest block.
    Call(&'a Simulation),
    /// What it returns on top of the given block, with so much gas.
    Replay(&'a Simulation, u64, u64),
}

impl Simulate<'_> {
    fn call(&self) -> Call {
        match self {
            Self::Estimate(simulation) => Call::new("eth_estimateGas", json!([simulation.params(), "latest"])),
            Self::Call(simulation) => Call::new("eth_call", json!([simulation.params(), "latest"])),
            Self::Replay(simulation, block, gas) => {
                let mut params = simulation.params();
                params["gas"] = json!(quantity(*gas));
                Call::new("eth_call", json!([params, quantity(*block)]))
            }
        }
    }
}

impl Simulation {
    fn params(&self) -> Value {
        let data = self.data.to_string();
        // `data` beside `input` is for nodes of old; those that know both want them equal.
        json!({ "from": address(self.from), "to": address(self.to), "value": self.value.to_quantity(), "data": data })
    }
}

/// Without validation: nonces are those of the sequence and nothing is paid for, as in `eth_estimateGas`.
fn sequence_call(sequence: &[Simulation]) -> Call {
    let calls: Vec<Value> = sequence.iter().map(Simulation::params).collect();
    Call::new("eth_simulateV1", json!([{ "blockStateCalls": [{ "calls": calls }], "validation": false }, "latest"]))
}

/// The trials of one simulated block of so many transactions.
fn trials(answer: &Value, count: usize) -> Result<Vec<Trial>, RpcError> {
    let calls = answer[0]["calls"].as_array().filter(|calls| calls.len() == count);
    calls.ok_or_else(|| malformed("a block with a result for each call"))?.iter().map(trial).collect()
}

fn trial(call: &Value) -> Result<Trial, RpcError> {
    let status = parse::<U256>(&call["status"])?;
    if status != U256::ONE {
        return Ok(Trial::Fails);
    }
    Ok(Trial::Succeeds { gas_used: gas(&call["gasUsed"])?, returned: returned(&call["returnData"])? })
}

fn call_of(question: Question, head: u64, finalised: u64) -> Call {
    let at = quantity(head);
    match question {
        Question::Count(account) => Call::new("eth_getTransactionCount", json!([address(account), at])),
        Question::FinalCount(account) => {
            Call::new("eth_getTransactionCount", json!([address(account), quantity(finalised)]))
        }
        Question::Balance(account) => Call::new("eth_getBalance", json!([address(account), at])),
        Question::Allowance(TokenFlow { owner, token, spender }) => {
            let arguments = [abi::Value::Address(owner), abi::Value::Address(spender)];
            let data = abi::call(abi::selector("allowance(address,address)"), &arguments).to_string();
            Call::new("eth_call", json!([{ "to": address(token), "data": data }, at]))
        }
        Question::Tokens { owner, token } => {
            let data = abi::call(abi::selector("balanceOf(address)"), &[abi::Value::Address(owner)]).to_string();
            Call::new("eth_call", json!([{ "to": address(token), "data": data }, at]))
        }
        Question::GasPrice => Call::new("eth_gasPrice", json!([])),
        Question::BlockHash(number) => Call::new("eth_getBlockByNumber", json!([quantity(number), false])),
    }
}

fn word_of(question: Question, answer: &Value) -> Result<B256, RpcError> {
    match question {
        Question::Count(_) | Question::FinalCount(_) | Question::Balance(_) | Question::GasPrice => {
            Ok(parse::<U256>(answer)?.to_word())
        }
        Question::Allowance(_) | Question::Tokens { .. } => {
            let data: Bytes = parse(answer)?;
            data.as_slice().try_into().map(B256).map_err(|_| malformed("an amount of tokens of 32 bytes"))
        }
        Question::BlockHash(_) => parse(&answer["hash"]),
    }
}

fn calls_of(questions: &[Question], head: u64, finalised: u64) -> Vec<Call> {
    questions.iter().map(|question| call_of(*question, head, finalised)).collect()
}

fn words_of(questions: &[Question], answers: Vec<Result<Value, RpcError>>) -> Vec<Result<B256, RpcError>> {
    let read = |(question, answer): (&Question, Result<Value, RpcError>)| word_of(*question, &answer?);
    questions.iter().zip(answers).map(read).collect()
}

fn receipt_call(hash: &B256) -> Call {
    Call::new("eth_getTransactionReceipt", json!([hash]))
}

fn block_receipts_call(number: u64) -> Call {
    Call::new("eth_getBlockReceipts", json!([quantity(number)]))
}

/// The receipts in the answers about whole blocks.
fn all_receipts(answers: Vec<Result<Value, RpcError>>) -> Result<Vec<Receipt>, RpcError> {
    let mut found = Vec::new();
    for answer in answers {
        let answer = answer?;
        let list = answer.as_array().ok_or_else(|| malformed("a list of receipts"))?;
        for value in list {
            found.extend(receipt(value)?);
        }
    }
    Ok(found)
}

/// The gas of an estimate.
pub(crate) fn gas(answer: &Value) -> Result<u64, RpcError> {
    parse::<U256>(answer)?.to_u64().ok_or_else(|| malformed("an amount of gas"))
}

/// The bytes that a call returned.
pub(crate) fn returned(answer: &Value) -> Result<Bytes, RpcError> {
    parse(answer)
}

fn receipt(value: &Value) -> Result<Option<Receipt>, RpcError> {
    // Some nodes know the transaction before they know its block.
    if value.is_null() || value["blockHash"].is_null() {
        return Ok(None);
    }
    let number = |field: &str| parse::<U256>(&value[field])?.to_u64().ok_or_else(|| malformed("a receipt's number"));
    let gas_price = if value["effectiveGasPrice"].is_null() { U256::ZERO } else { parse(&value["effectiveGasPrice"])? };
    let inclusion = Inclusion {
        hash: parse(&value["transactionHash"])?,
        block_number: number("blockNumber")?,
        block_hash: parse(&value["blockHash"])?,
        gas_used: number("gasUsed")?,
        gas_price,
    };
    let success = match number("status")? {
        0 => Success::Reverted,
        _ => Success::Yes,
    };
    Ok(Some(Receipt { inclusion, success }))
}

fn parse<T: std::str::FromStr>(value: &Value) -> Result<T, RpcError> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| malformed(std::any::type_name::<T>()))
}

fn malformed(wanted: &str) -> RpcError {
    RpcError::Malformed { message: format!("expected {wanted}") }
}

fn quantity(number: u64) -> String {
    format!("{number:#x}")
}

/// Lower case: some nodes refuse a checksum they don't like.
fn address(address: Address) -> String {
    address.to_lower_hex()
}
