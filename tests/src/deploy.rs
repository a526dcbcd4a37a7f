//! The whole Mosaic set on two nodes, in the order in which real deployments go.
//!
//! Addresses follow from the deployer and its nonce, so both chains are deployed at once and each contract is handed
//! the addresses of those that come later. Every transaction is checked to have succeeded at its foreseen address.

mod contracts;

pub use contracts::{Auxiliary, Contracts, Mints, Origin, Pair};

use crate::{
    artifacts::Artifacts,
    calls::{address, bytes, call, no_addresses, read_uint, uint, word},
    node::Node,
};
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{Address, B256, Bytes, U256, abi::Value, keccak256};
use serde_json::{Value as Json, json};

/// Gas for a plain call of the set-up.
const CALL_GAS: u64 = 300_000;
/// Gas to create a contract, whatever its size, and for each byte of its code.
const CREATE_GAS: (u64, u64) = (300_000, 260);
/// Supply of OSTPrime, whole tokens of 18 decimals: `initialize` wants exactly this.
const PRIME_SUPPLY: u64 = 800_000_000;
/// Supply of the tokens on the origin chain, whole tokens of 18 decimals.
pub const TOKEN_SUPPLY: u64 = 800_000_000;

/// What a deployment can be chosen to be.
#[derive(Debug, Clone)]
pub struct DeployOptions {
    /// Bounty of the gateway in wei of the base token.
    pub gateway_bounty: U256,
    /// Bounty of the cogateway in wei of the auxiliary base coin.
    pub cogateway_bounty: U256,
    /// Whether a second pair of gateways stands beside the first: a plain token, minted as an EIP-20 token.
    pub second_pair: bool,
    /// Places in each ring buffer of state roots (anchors) and storage roots (gateways).
    pub ring_items: u64,
}

impl Default for DeployOptions {
    fn default() -> Self {
        Self { gateway_bounty: U256::exp10(18), cogateway_bounty: U256::exp10(17), second_pair: false, ring_items: 100 }
    }
}

/// The parties that the nodes sign for.
#[derive(Debug, Clone, Copy)]
pub struct Parties {
    /// Deploys, owns every organization, and holds all tokens at first.
    pub owner: Address,
    /// Admin of the anchors' organizations: the only one to use this account, so that its nonces don't mix.
    pub anchorer: Address,
    /// Receives penalties.
    pub burner: Address,
}

/// The transactions of one chain, and the addresses that they lead to.
struct Plan<'a> {
    artifacts: &'a Artifacts,
    owner: Address,
    transactions: Vec<Json>,
    created: Vec<(usize, &'static str, Address)>,
}

impl<'a> Plan<'a> {
    fn new(artifacts: &'a Artifacts, owner: Address) -> Self {
        Self { artifacts, owner, transactions: vec![], created: vec![] }
    }

    fn push(&mut self, mut transaction: Json, gas: u64) {
        transaction["from"] = json!(self.owner);
        transaction["gas"] = json!(format!("{gas:#x}"));
        transaction["nonce"] = json!(format!("{:#x}", self.transactions.len()));
        self.transactions.push(transaction);
    }

    fn create(&mut self, name: &'static str, libraries: &[(&str, Address)], arguments: &[Value]) -> Result<Address> {
        let code = self.artifacts.creation(name, libraries, arguments)?;
        let created = created_address(self.owner, self.transactions.len() as u64)?;
        self.created.push((self.transactions.len(), name, created));
        let gas = CREATE_GAS.0 + CREATE_GAS.1 * code.0.len() as u64;
        self.push(json!({ "data": code }), gas);
        Ok(created)
    }

    fn invoke(&mut self, to: Address, data: &Bytes, value: U256) {
        self.push(json!({ "to": to, "data": data, "value": value.to_quantity() }), CALL_GAS);
    }

    /// The three libraries: proofs, message bus, gateway.
    fn libraries(&mut self) -> Result<[Address; 3]> {
        let merkle = self.create("MerklePatriciaProof", &[], &[])?;
        let bus = self.create("MessageBus", &[("MerklePatriciaProof", merkle)], &[])?;
        let gateway = self.create("GatewayLib", &[("MerklePatriciaProof", merkle)], &[])?;
        Ok([merkle, bus, gateway])
    }

    fn organization(&mut self, admin: Address) -> Result<Address> {
        let arguments = [address(self.owner), address(admin), no_addresses(), uint(0u64)];
        self.create("Organization", &[], &arguments)
    }

    async fn carry_out(self, node: &Node) -> Result<()> {
        let receipts = node.settle(self.transactions).await?;
        for (index, name, foreseen) in self.created {
            let created = receipts.get(index).and_then(|receipt| receipt.created);
            ensure!(created == Some(foreseen), "{name} is at {created:?}, not at {foreseen}");
        }
        Ok(())
    }
}

/// The address of the contract that `creator` creates with its transaction of this nonce.
fn created_address(creator: Address, nonce: u64) -> Result<Address> {
    // RLP of a list of the address and a nonce of one byte; zero is the empty string.
    let nonce = u8::try_from(nonce).ok().filter(|nonce| *nonce < 0x80).context("too many transactions in a plan")?;
    let mut list = vec![0xd6, 0x94];
    list.extend_from_slice(creator.as_bytes());
    list.push(if nonce == 0 { 0x80 } else { nonce });
    Ok(Address::from_word(&keccak256(list)))
}

/// What both chains' plans need to know of the other chain.
struct Remote {
    chain_id: u64,
    genesis_root: B256,
    gateway: Address,
}

/// Places of the later contracts in the plans, checked by [`Plan::carry_out`] through their own addresses.
const GATEWAY_NONCE: u64 = 10;
const COGATEWAY_NONCE: u64 = 8;

fn plan_origin(plan: &mut Plan, parties: Parties, remote: &Remote, options: &DeployOptions) -> Result<Origin> {
    let token = |symbol: &str, name: &str| [bytes(symbol), bytes(name), uint(18u64)];
    let value_token = plan.create("EIP20Token", &[], &token("OST", "Simple Token"))?;
    let base_token = plan.create("EIP20Token", &[], &token("BASE", "Bounty Token"))?;
    let [merkle_library, message_bus, gateway_library] = plan.libraries()?;
    let gateway_organization = plan.organization(Address::ZERO)?;
    let anchor_organization = plan.organization(parties.anchorer)?;
    let composer_organization = plan.organization(Address::ZERO)?;
    let composer = plan.create("OSTComposer", &[], &[address(composer_organization)])?;
    let anchor = plan.create("Anchor", &[], &anchor_arguments(remote, options, anchor_organization))?;
    let mut origin = Origin {
        value_token,
        base_token,
        merkle_library,
        message_bus,
        gateway_library,
        gateway_organization,
        anchor_organization,
        composer_organization,
        composer,
        anchor,
        gateway: Address::ZERO,
    };
    let linked = [("MessageBus", message_bus), ("GatewayLib", gateway_library)];
    origin.gateway =
        plan.create("EIP20Gateway", &linked, &gateway_arguments(&origin, value_token, parties, options))?;
    plan.invoke(origin.gateway, &call("activateGateway(address)", &[address(remote.gateway)]), U256::ZERO);
    Ok(origin)
}

fn gateway_arguments(origin: &Origin, value_token: Address, parties: Parties, options: &DeployOptions) -> [Value; 7] {
    [
        address(value_token),
        address(origin.base_token),
        address(origin.anchor),
        uint(options.gateway_bounty),
        address(origin.gateway_organization),
        address(parties.burner),
        uint(options.ring_items),
    ]
}

/// The code that creates one more gateway beside the deployed one.
///
/// # Errors
/// When the contracts are not installed.
pub fn another_gateway(origin: &Origin, parties: Parties, options: &DeployOptions) -> Result<Bytes> {
    let linked = [("MessageBus", origin.message_bus), ("GatewayLib", origin.gateway_library)];
    let arguments = gateway_arguments(origin, origin.value_token, parties, options);
    Artifacts::load()?.creation("EIP20Gateway", &linked, &arguments)
}

fn plan_auxiliary(
    plan: &mut Plan,
    parties: Parties,
    remote: &Remote,
    value_token: Address,
    options: &DeployOptions,
) -> Result<Auxiliary> {
    let anchor_organization = plan.organization(parties.anchorer)?;
    let cogateway_organization = plan.organization(Address::ZERO)?;
    let pool_organization = plan.organization(Address::ZERO)?;
    let anchor = plan.create("Anchor", &[], &anchor_arguments(remote, options, anchor_organization))?;
    let utility_token = plan.create("OSTPrime", &[], &[address(value_token), address(cogateway_organization)])?;
    let [merkle_library, message_bus, gateway_library] = plan.libraries()?;
    let mut auxiliary = Auxiliary {
        anchor_organization,
        cogateway_organization,
        pool_organization,
        merkle_library,
        message_bus,
        gateway_library,
        utility_token,
        anchor,
        cogateway: Address::ZERO,
        redeem_pool: Address::ZERO,
    };
    let tokens_of_pair = (value_token, utility_token);
    auxiliary.cogateway = plan_cogateway(plan, &auxiliary, tokens_of_pair, remote.gateway, parties, options)?;
    plan.invoke(utility_token, &call("initialize()", &[]), tokens(PRIME_SUPPLY));
    plan.invoke(utility_token, &set_cogateway(auxiliary.cogateway), U256::ZERO);
    auxiliary.redeem_pool = plan.create("RedeemPool", &[], &[address(pool_organization)])?;
    Ok(auxiliary)
}

fn set_cogateway(cogateway: Address) -> Bytes {
    call("setCoGateway(address)", &[address(cogateway)])
}

/// A cogateway of `gateway` between these tokens: value and utility.
fn plan_cogateway(
    plan: &mut Plan,
    auxiliary: &Auxiliary,
    (value_token, utility_token): (Address, Address),
    gateway: Address,
    parties: Parties,
    options: &DeployOptions,
) -> Result<Address> {
    let arguments = [
        address(value_token),
        address(utility_token),
        address(auxiliary.anchor),
        uint(options.cogateway_bounty),
        address(auxiliary.cogateway_organization),
        address(gateway),
        address(parties.burner),
        uint(options.ring_items),
    ];
    let linked = [("MessageBus", auxiliary.message_bus), ("GatewayLib", auxiliary.gateway_library)];
    plan.create("EIP20CoGateway", &linked, &arguments)
}

/// The second pair, on both chains: its gateway shares composer, bounty token, anchor and organization with the first.
fn plan_second(
    plans: (&mut Plan, &mut Plan),
    contracts: &Contracts,
    parties: Parties,
    options: &DeployOptions,
) -> Result<Pair> {
    let (on_origin, on_auxiliary) = plans;
    let (origin, auxiliary) = (&contracts.origin, &contracts.auxiliary);
    let value_token = on_origin.create("EIP20Token", &[], &[bytes("BRAND"), bytes("Brand Token"), uint(18u64)])?;
    let organization = address(auxiliary.cogateway_organization);
    let token = [address(value_token), bytes("UBT"), bytes("Utility Brand Token"), uint(18u64), organization];
    let utility_token = on_auxiliary.create("UtilityToken", &[], &token)?;
    let linked = [("MessageBus", origin.message_bus), ("GatewayLib", origin.gateway_library)];
    let arguments = gateway_arguments(origin, value_token, parties, options);
    let gateway = on_origin.create("EIP20Gateway", &linked, &arguments)?;
    let tokens_of_pair = (value_token, utility_token);
    let cogateway = plan_cogateway(on_auxiliary, auxiliary, tokens_of_pair, gateway, parties, options)?;
    on_origin.invoke(gateway, &call("activateGateway(address)", &[address(cogateway)]), U256::ZERO);
    on_auxiliary.invoke(utility_token, &set_cogateway(cogateway), U256::ZERO);
    Ok(Pair { gateway, cogateway, value_token, utility_token, mints: Mints::Token })
}

fn anchor_arguments(remote: &Remote, options: &DeployOptions, organization: Address) -> [Value; 5] {
    [uint(remote.chain_id), uint(0u64), word(remote.genesis_root), uint(options.ring_items), address(organization)]
}

/// That many whole tokens of 18 decimals.
#[must_use]
pub fn tokens(whole: u64) -> U256 {
    U256::exp10(18).saturating_mul(U256::from(whole))
}

/// Deploys everything on both chains and gives the owner the whole supply of the origin's tokens.
///
/// # Errors
/// When a transaction fails.
pub async fn deploy(origin: &Node, auxiliary: &Node, parties: Parties, options: &DeployOptions) -> Result<Contracts> {
    let artifacts = Artifacts::load()?;
    let (origin_genesis, auxiliary_genesis) = tokio::try_join!(origin.header("0x0"), auxiliary.header("0x0"))?;
    let mut origin_plan = Plan::new(&artifacts, parties.owner);
    let remote = Remote {
        chain_id: auxiliary.chain_id,
        genesis_root: auxiliary_genesis.state_root,
        gateway: created_address(parties.owner, COGATEWAY_NONCE)?,
    };
    let on_origin = plan_origin(&mut origin_plan, parties, &remote, options)?;
    ensure!(on_origin.gateway == created_address(parties.owner, GATEWAY_NONCE)?, "the gateway's place has moved");

    let mut auxiliary_plan = Plan::new(&artifacts, parties.owner);
    let back =
        Remote { chain_id: origin.chain_id, genesis_root: origin_genesis.state_root, gateway: on_origin.gateway };
    let value_token = on_origin.value_token;
    let on_auxiliary = plan_auxiliary(&mut auxiliary_plan, parties, &back, value_token, options)?;
    ensure!(on_auxiliary.cogateway == remote.gateway, "the cogateway's place has moved");

    let set_co_anchor = |co_anchor| call("setCoAnchorAddress(address)", &[address(co_anchor)]);
    origin_plan.invoke(on_origin.anchor, &set_co_anchor(on_auxiliary.anchor), U256::ZERO);
    auxiliary_plan.invoke(on_auxiliary.anchor, &set_co_anchor(on_origin.anchor), U256::ZERO);
    let mut contracts = Contracts { origin: on_origin, auxiliary: on_auxiliary, second: None };
    if options.second_pair {
        let plans = (&mut origin_plan, &mut auxiliary_plan);
        contracts.second = Some(plan_second(plans, &contracts, parties, options)?);
    }
    tokio::try_join!(origin_plan.carry_out(origin), auxiliary_plan.carry_out(auxiliary))?;
    let of_pairs = contracts.pairs().into_iter().map(|pair| pair.value_token);
    for token in of_pairs.chain([on_origin.base_token]) {
        give_supply(origin, token, parties.owner).await?;
    }
    Ok(contracts)
}

/// Writes the owner's balance into a token that can't mint. No state root of the block that is newest now can ever be
/// proven, since a node's storage is changed behind its header: this runs before anything is anchored, and a block is
/// made on top.
async fn give_supply(node: &Node, token: Address, owner: Address) -> Result<()> {
    for slot in 0..10u64 {
        let place = keccak256([owner.to_word().0, U256::from(slot).to_be_bytes()].concat());
        let before = node.call("eth_getStorageAt", json!([token, place, "latest"])).await?;
        node.call("anvil_setStorageAt", json!([token, place, tokens(TOKEN_SUPPLY).to_word()])).await?;
        let balance = node.view(token, call("balanceOf(address)", &[address(owner)])).await?;
        if read_uint(&balance)? == tokens(TOKEN_SUPPLY) {
            return node.mine(1).await;
        }
        node.call("anvil_setStorageAt", json!([token, place, before])).await?;
    }
    anyhow::bail!("found no balance slot in the token {token}")
}
