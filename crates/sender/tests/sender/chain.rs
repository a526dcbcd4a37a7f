//! A chain that is only as true as the sender needs: counts, balances, allowances, a pool with the usual rules, blocks
//! that are mined on command, reorgs, and nodes that lose, delay or refuse things. Whatever works on it is tried on
//! real nodes elsewhere; here faults are injected.

use crate::http::Fault;
use facilitator_eth::{
    Address, B256, Bytes, U256,
    abi::{self, Value as Abi},
    keccak256,
    tx::{self, Fee, Opened},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// The receiver of all test transactions.
pub(crate) const TARGET: Address = Address([0xc0; 20]);
/// The token whose allowance some of them spend.
pub(crate) const TOKEN: Address = Address([0x70; 20]);
/// Gas of every transaction.
pub(crate) const GAS: u64 = 50_000;

/// Call data that does nothing but succeed; `tag` tells transactions apart.
pub(crate) fn fine(tag: u64) -> Bytes {
    abi::call(abi::selector("fine(uint256)"), &[Abi::Uint(U256::from(tag))])
}

/// Call data that takes tokens by the allowance, and reverts without a reason if there is too little.
pub(crate) fn spend(amount: u64) -> Bytes {
    abi::call(abi::selector("spend(uint256)"), &[Abi::Uint(U256::from(amount))])
}

/// Call data that reverts whenever it's simulated.
pub(crate) fn hopeless() -> Bytes {
    abi::call(abi::selector("hopeless()"), &[])
}

/// Call data that succeeds when simulated at the newest block and reverts when mined.
pub(crate) fn unlucky() -> Bytes {
    abi::call(abi::selector("unlucky()"), &[])
}

#[derive(Clone)]
pub(crate) struct Mined {
    pub(crate) hash: B256,
    pub(crate) opened: Opened,
    pub(crate) success: bool,
}

/// What is known after a block.
#[derive(Clone, Default)]
struct Snapshot {
    counts: BTreeMap<Address, u64>,
    allowances: BTreeMap<(Address, Address), U256>,
    /// Those of accounts that were given or took any; others have plenty.
    tokens: BTreeMap<Address, U256>,
}

impl Snapshot {
    fn tokens(&self, owner: Address) -> U256 {
        self.tokens.get(&owner).copied().unwrap_or_else(|| U256::exp10(24))
    }
}

#[derive(Clone)]
struct Block {
    hash: B256,
    mined: Vec<Mined>,
    after: Snapshot,
}

pub(crate) struct Chain {
    blocks: Vec<Block>,
    pub(crate) pool: BTreeMap<(Address, u64), (B256, Opened)>,
    pub(crate) balances: BTreeMap<Address, U256>,
    pub(crate) base_fee: Option<u64>,
    pub(crate) gas_price: u64,
    /// Most transactions of a block.
    pub(crate) capacity: usize,
    /// Lowest price that the pool takes.
    pub(crate) pool_price: u64,
    pub(crate) knows_block_receipts: bool,
    pub(crate) knows_sequences: bool,
    /// Old receipts are gone.
    pub(crate) forgets_receipts: bool,
    /// Error that every estimate gets.
    pub(crate) estimate_error: Option<&'static str>,
    pub(crate) http_requests: usize,
    /// Every call in order.
    pub(crate) calls: Vec<String>,
    /// Every distinct transaction that was ever handed over, in order.
    pub(crate) seen: Vec<(B256, Opened)>,
    faults: VecDeque<(&'static str, Fault)>,
    salt: u64,
}

impl Chain {
    pub(crate) fn new(base_fee: Option<u64>) -> Self {
        let genesis = Block { hash: keccak256(b"genesis"), mined: Vec::new(), after: Snapshot::default() };
        Self {
            blocks: vec![genesis],
            pool: BTreeMap::new(),
            balances: BTreeMap::new(),
            base_fee,
            gas_price: 100,
            capacity: 1000,
            pool_price: 0,
            knows_block_receipts: true,
            knows_sequences: true,
            forgets_receipts: false,
            estimate_error: None,
            http_requests: 0,
            calls: Vec::new(),
            seen: Vec::new(),
            faults: VecDeque::new(),
            salt: 0,
        }
    }

    pub(crate) fn head(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    fn last(&self) -> &Block {
        self.blocks.last().unwrap()
    }

    /// The next HTTP request with this method meets the fault.
    pub(crate) fn break_next(&mut self, method: &'static str, fault: Fault) {
        self.faults.push_back((method, fault));
    }

    pub(crate) fn take_fault(&mut self, methods: &[&str]) -> Option<Fault> {
        let (method, fault) = *self.faults.front()?;
        methods.contains(&method).then(|| {
            self.faults.pop_front();
            fault
        })
    }

    pub(crate) fn mined(&self) -> Vec<Mined> {
        self.blocks.iter().flat_map(|block| block.mined.clone()).collect()
    }

    /// Mined and successful transactions with this call data.
    pub(crate) fn effects(&self, data: &Bytes) -> usize {
        self.mined().iter().filter(|m| m.success && m.opened.transaction.data == *data).count()
    }

    pub(crate) fn count(&self, account: Address) -> u64 {
        self.last().after.counts.get(&account).copied().unwrap_or(0)
    }

    pub(crate) fn allowance(&self, owner: Address, spender: Address) -> U256 {
        self.last().after.allowances.get(&(owner, spender)).copied().unwrap_or(U256::ZERO)
    }

    /// Gives an account so many tokens, from the newest block on.
    pub(crate) fn set_tokens(&mut self, owner: Address, amount: u64) {
        self.blocks.last_mut().unwrap().after.tokens.insert(owner, U256::from(amount));
    }

    pub(crate) fn method_count(&self, method: &str) -> usize {
        self.calls.iter().filter(|call| *call == method).count()
    }

    pub(crate) fn mine(&mut self) {
        let mut after = self.last().after.clone();
        let mut mined = Vec::new();
        let price_now = U256::from(self.base_fee.unwrap_or(0));
        for ((account, nonce), (hash, opened)) in self.pool.clone() {
            let count = after.counts.entry(account).or_default();
            if nonce != *count || mined.len() >= self.capacity || price(opened.transaction.fee) < price_now {
                continue;
            }
            *count += 1;
            let success = execute(&opened, &mut after) && opened.transaction.data != unlucky();
            mined.push(Mined { hash, opened, success });
            self.pool.remove(&(account, nonce));
        }
        self.salt += 1;
        let hash = keccak256([self.last().hash.0.as_slice(), &self.salt.to_be_bytes()].concat());
        self.blocks.push(Block { hash, mined, after });
    }

    /// Takes the newest blocks away. Their transactions return to the pool if `keep` says so.
    pub(crate) fn undo(&mut self, depth: usize, keep: impl Fn(&Opened) -> bool) {
        for _ in 0..depth {
            for m in self.blocks.pop().unwrap().mined {
                if keep(&m.opened) {
                    self.pool.insert((m.opened.sender, m.opened.transaction.nonce), (m.hash, m.opened));
                }
            }
        }
    }

    /// A transaction that this sender knows nothing of.
    pub(crate) fn put(&mut self, transaction: &tx::Transaction, key: &tx::SecretKey) {
        let signed = tx::sign(transaction, key).unwrap();
        let opened = tx::open(&signed.raw).unwrap();
        self.pool.insert((opened.sender, transaction.nonce), (signed.hash, opened));
    }

    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Result<Value, Value> {
        self.calls.push(method.to_owned());
        let at = |index: usize| self.block_of(&params[index]);
        let account = |index: usize| params[index].as_str().unwrap().parse::<Address>().unwrap();
        match method {
            "eth_getBlockByNumber" => Ok(at(0).map_or(Value::Null, |n| self.header(n))),
            "eth_getTransactionCount" => {
                let block = at(1).ok_or_else(|| error("header not found"))?;
                let count = self.blocks[block].after.counts.get(&account(0)).copied().unwrap_or(0);
                Ok(json!(format!("{count:#x}")))
            }
            "eth_getBalance" => Ok(json!(self.balance(account(0)).to_quantity())),
            "eth_gasPrice" => Ok(json!(format!("{:#x}", self.gas_price))),
            "eth_call" => self.eth_call(params),
            "eth_estimateGas" => self.estimate(&params[0]),
            "eth_simulateV1" if self.knows_sequences => self.sequence(&params[0]["blockStateCalls"][0]["calls"]),
            "eth_sendRawTransaction" => self.send(&params[0]),
            "eth_getTransactionReceipt" if self.forgets_receipts => Ok(Value::Null),
            "eth_getTransactionReceipt" => {
                let hash: B256 = params[0].as_str().unwrap().parse().unwrap();
                Ok(self.receipts().into_iter().find(|(h, _)| *h == hash).map_or(Value::Null, |(_, receipt)| receipt))
            }
            "eth_getBlockReceipts" if self.knows_block_receipts => {
                let block = at(0).ok_or_else(|| error("header not found"))?;
                Ok(self.blocks[block].mined.iter().map(|m| self.receipt(block, m)).collect())
            }
            _ => Err(json!({ "code": -32601, "message": "the method does not exist/is not available" })),
        }
    }

    fn block_of(&self, tag: &Value) -> Option<usize> {
        match tag.as_str()? {
            "latest" => Some(self.blocks.len() - 1),
            number => {
                let number = usize::from_str_radix(number.trim_start_matches("0x"), 16).unwrap();
                (number < self.blocks.len()).then_some(number)
            }
        }
    }

    fn header(&self, number: usize) -> Value {
        let mut header = json!({ "number": format!("{number:#x}"), "hash": self.blocks[number].hash });
        if let Some(base_fee) = self.base_fee {
            header["baseFeePerGas"] = json!(format!("{base_fee:#x}"));
        }
        header
    }

    fn balance(&self, account: Address) -> U256 {
        self.balances.get(&account).copied().unwrap_or_else(|| U256::exp10(18))
    }

    fn eth_call(&self, params: &Value) -> Result<Value, Value> {
        let (from, to, data) = parts(&params[0]);
        let block = self.block_of(&params[1]).ok_or_else(|| error("header not found"))?;
        if to == TOKEN {
            let mut words = abi::Words::new(&data.0[4..]);
            if data.0.starts_with(&abi::selector("balanceOf(address)")) {
                return Ok(json!(self.blocks[block].after.tokens(words.address().unwrap()).to_word()));
            }
            let pair = (words.address().unwrap(), words.address().unwrap());
            let allowance = self.blocks[block].after.allowances.get(&pair).copied().unwrap_or(U256::ZERO);
            return Ok(json!(allowance.to_word()));
        }
        // A replay names its gas and meets the bad luck again.
        let is_replay = params[0].get("gas").is_some();
        self.simulate(from, to, &data, block, is_replay)?;
        Ok(json!(keccak256(&data.0)))
    }

    fn estimate(&self, params: &Value) -> Result<Value, Value> {
        if let Some(text) = self.estimate_error {
            return Err(error(text));
        }
        let (from, to, data) = parts(params);
        self.simulate(from, to, &data, self.blocks.len() - 1, false)?;
        Ok(json!(format!("{GAS:#x}")))
    }

    /// Each call on what those before it leave.
    fn sequence(&self, calls: &Value) -> Result<Value, Value> {
        if let Some(text) = self.estimate_error {
            return Err(error(text));
        }
        let mut after = self.last().after.clone();
        let result = |call: &Value| {
            let (from, to, data) = parts(call);
            let before = after.clone();
            let succeeds = data != hopeless() && execute(&unsigned(from, to, &data), &mut after);
            if !succeeds {
                after = before;
            }
            let (status, returned) =
                if succeeds { ("0x1", keccak256(&data.0).to_string()) } else { ("0x0", "0x".into()) };
            let gas = format!("{:#x}", GAS * 3 / 4);
            json!({ "status": status, "gasUsed": gas, "returnData": returned, "logs": [] })
        };
        let results: Vec<Value> = calls.as_array().unwrap().iter().map(result).collect();
        Ok(json!([{ "number": "0x1", "calls": results }]))
    }

    fn simulate(&self, from: Address, to: Address, data: &Bytes, block: usize, is_replay: bool) -> Result<(), Value> {
        let fails = *data == hopeless() || (is_replay && *data == unlucky());
        if fails {
            let reason = Bytes(b"Stake request must exists.".to_vec());
            let data = abi::call(abi::selector("Error(string)"), &[Abi::Bytes(reason)]);
            return Err(json!({ "code": 3, "message": "execution reverted", "data": data }));
        }
        let mut after = self.blocks[block].after.clone();
        match execute(&unsigned(from, to, data), &mut after) {
            true => Ok(()),
            false => Err(json!({ "code": 3, "message": "execution reverted", "data": "0x" })),
        }
    }

    fn send(&mut self, raw: &Value) -> Result<Value, Value> {
        let raw: Bytes = raw.as_str().unwrap().parse().unwrap();
        let (hash, opened) = (keccak256(&raw.0), tx::open(&raw).unwrap());
        let key = (opened.sender, opened.transaction.nonce);
        let offered = price(opened.transaction.fee);
        if !self.seen.iter().any(|(h, _)| *h == hash) {
            self.seen.push((hash, opened.clone()));
        }
        if key.1 < self.count(key.0) {
            return Err(error("nonce too low"));
        }
        if offered < U256::from(self.pool_price) {
            return Err(error("transaction underpriced"));
        }
        match self.pool.get(&key) {
            Some((known, _)) if *known == hash => return Err(error("already known")),
            Some((_, old)) => {
                let least = price(old.transaction.fee).saturating_mul(U256::from(110u64));
                if offered.saturating_mul(U256::from(100u64)) < least {
                    return Err(error("replacement transaction underpriced"));
                }
            }
            None => {}
        }
        self.pool.insert(key, (hash, opened));
        Ok(json!(hash))
    }

    fn receipts(&self) -> Vec<(B256, Value)> {
        let all = self.blocks.iter().enumerate();
        all.flat_map(|(n, block)| block.mined.iter().map(move |m| (m.hash, self.receipt(n, m)))).collect()
    }

    fn receipt(&self, block: usize, mined: &Mined) -> Value {
        json!({
            "transactionHash": mined.hash, "blockNumber": format!("{block:#x}"), "blockHash": self.blocks[block].hash,
            "status": if mined.success { "0x1" } else { "0x0" }, "gasUsed": format!("{GAS:#x}"),
            // Nodes without a base fee may not tell what was paid.
            "effectiveGasPrice": self.base_fee.map(|_| price(mined.opened.transaction.fee).to_quantity()),
        })
    }
}

fn error(message: &str) -> Value {
    json!({ "code": -32000, "message": message })
}

fn parts(call: &Value) -> (Address, Address, Bytes) {
    let address = |field: &str| call[field].as_str().map_or(Address::ZERO, |text| text.parse().unwrap());
    (address("from"), address("to"), call["data"].as_str().unwrap().parse().unwrap())
}

pub(crate) fn price(fee: Fee) -> U256 {
    match fee {
        Fee::Legacy { gas_price } => gas_price,
        Fee::Dynamic { max_fee, .. } => max_fee,
    }
}

/// A call as if it were a transaction.
fn unsigned(sender: Address, to: Address, data: &Bytes) -> Opened {
    let (value, fee) = (U256::ZERO, Fee::Legacy { gas_price: U256::ZERO });
    let transaction = tx::Transaction { chain_id: 1, nonce: 0, to, value, data: data.clone(), gas_limit: GAS, fee };
    Opened { transaction, sender }
}

/// Whether it succeeds, with what it does to the allowances.
fn execute(opened: &Opened, after: &mut Snapshot) -> bool {
    let (owner, call) = (opened.sender, &opened.transaction);
    if call.gas_limit < GAS {
        return false;
    }
    let argument = |index: usize| call.data.0.get(4 + index * 32..36 + index * 32);
    let number = |index| argument(index).map(|word| U256::from_be_bytes(word.try_into().unwrap()));
    if call.to == TOKEN {
        let spender = Address(argument(0).unwrap()[12..].try_into().unwrap());
        after.allowances.insert((owner, spender), number(1).unwrap());
        return true;
    }
    if !call.data.0.starts_with(&abi::selector("spend(uint256)")) {
        return true;
    }
    let amount = number(0).unwrap();
    let left = after.tokens(owner).checked_sub(amount);
    let allowance = after.allowances.entry((owner, TARGET)).or_default();
    match (allowance.checked_sub(amount), left) {
        (Some(rest), Some(left)) => {
            *allowance = rest;
            after.tokens.insert(owner, left);
            true
        }
        _ => false,
    }
}
