//! Two nodes with the whole Mosaic set between them, and what their owner can do there.
//!
//! Invariant: once requests flow, money moves by real transfers only. A balance written into a node makes the newest
//! block unprovable for ever.

use crate::{
    anvil::{Anvil, AnvilOptions, Mining},
    calls::{address, call, uint},
    deploy::{self, Contracts, DeployOptions, Pair, Parties, tokens},
    node::{self, Node, Receipt},
};
use anyhow::{Context as _, Result};
use facilitator_eth::{Address, Bytes, U256};
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;

/// Height at which a whitelisted worker's time ends: never, for a test.
const FAR_HEIGHT: u64 = 1_000_000_000;
/// Payments that are sent at one time: a node that makes a block while it takes in hundreds of transactions of one
/// account may lose one.
const GROUP: usize = 200;
/// Gas for a plain transfer, and for the owner's calls.
const TRANSFER_GAS: u64 = 21_000;
const CALL_GAS: u64 = 120_000;
/// Gas to create a gateway.
const CREATE_GAS: u64 = 6_000_000;

/// What a devnet can be chosen to be.
#[derive(Debug, Clone)]
pub struct DevnetOptions {
    /// Chain id of the origin chain.
    pub origin_chain_id: u64,
    /// Chain id of the auxiliary chain.
    pub auxiliary_chain_id: u64,
    /// When both nodes make blocks.
    pub mining: Mining,
    /// Hard fork of both nodes; the newest when not given.
    pub hardfork: Option<String>,
    /// Gas of a block; anvil's default when not given.
    pub gas_limit: Option<u64>,
    /// Blocks of an epoch of both nodes; anvil's default when not given.
    pub slots_in_an_epoch: Option<u64>,
    /// Ports of both nodes; free ones when not given.
    pub ports: Option<[u16; 2]>,
    /// Bounties and buffers.
    pub deploy: DeployOptions,
}

impl Default for DevnetOptions {
    fn default() -> Self {
        Self {
            origin_chain_id: 3,
            auxiliary_chain_id: 1406,
            mining: Mining::Auto,
            hardfork: None,
            gas_limit: None,
            slots_in_an_epoch: None,
            ports: None,
            deploy: DeployOptions::default(),
        }
    }
}

/// Which of the two chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Where value tokens are staked.
    Origin,
    /// Where utility tokens are minted.
    Auxiliary,
}

/// What a worker gets to begin with.
#[derive(Debug, Clone, Copy)]
pub struct Funds {
    /// Base coin on each chain, in wei.
    pub coin: U256,
    /// Base token for bounties on the origin chain, in wei.
    pub bounty: U256,
}

impl Default for Funds {
    fn default() -> Self {
        Self { coin: tokens(1000), bounty: tokens(100_000) }
    }
}

/// One payment of the owner.
#[derive(Debug, Clone, Copy)]
pub enum Payment {
    /// Base coin, in wei.
    Coin(Address, U256),
    /// An EIP-20 token: the token, the receiver, wei.
    Token(Address, Address, U256),
}

/// The two nodes and their contracts. They end when it is dropped.
#[derive(Debug)]
pub struct Devnet {
    /// The origin node.
    pub origin: Node,
    /// The auxiliary node.
    pub auxiliary: Node,
    /// The contracts.
    pub contracts: Contracts,
    /// Who owns what.
    pub parties: Parties,
    /// As it was chosen.
    pub options: DevnetOptions,
    /// The nodes' processes: origin, auxiliary.
    processes: [Anvil; 2],
    /// One payer at a time on each chain, since all count on the owner's next nonce.
    purses: [Mutex<()>; 2],
}

impl Devnet {
    /// Starts both nodes and deploys everything.
    ///
    /// # Errors
    /// When a node does not start or a transaction fails.
    pub async fn start(options: DevnetOptions) -> Result<Self> {
        let anvil = |chain_id, port| AnvilOptions {
            chain_id,
            mining: options.mining,
            hardfork: options.hardfork.clone(),
            gas_limit: options.gas_limit,
            slots_in_an_epoch: options.slots_in_an_epoch,
            port,
        };
        let [origin_port, auxiliary_port] = options.ports.map_or([None; 2], |ports| ports.map(Some));
        let (origin_options, auxiliary_options) =
            (anvil(options.origin_chain_id, origin_port), anvil(options.auxiliary_chain_id, auxiliary_port));
        let (first, second) = tokio::try_join!(Anvil::start(&origin_options), Anvil::start(&auxiliary_options))?;
        let origin = Node::new(&first.url, options.origin_chain_id)?;
        let auxiliary = Node::new(&second.url, options.auxiliary_chain_id)?;
        let parties = parties(&origin).await?;
        let contracts = deploy::deploy(&origin, &auxiliary, parties, &options.deploy).await?;
        Ok(Self {
            origin,
            auxiliary,
            contracts,
            parties,
            options,
            processes: [first, second],
            purses: Default::default(),
        })
    }

    /// The node of a side.
    #[must_use]
    pub fn node(&self, side: Side) -> &Node {
        match side {
            Side::Origin => &self.origin,
            Side::Auxiliary => &self.auxiliary,
        }
    }

    /// The process of a side's node.
    #[must_use]
    pub fn process(&self, side: Side) -> &Anvil {
        let [origin, auxiliary] = &self.processes;
        match side {
            Side::Origin => origin,
            Side::Auxiliary => auxiliary,
        }
    }

    /// Sends calls of the owner and waits for them, with a block at once.
    ///
    /// # Errors
    /// When one reverts.
    pub async fn owner_calls(&self, side: Side, calls: &[(Address, Bytes)]) -> Result<()> {
        self.owner_steps(side, calls, CALL_GAS).await.map(drop)
    }

    /// As [`Devnet::owner_calls`], with so much gas for each, and tells what they did.
    ///
    /// # Errors
    /// When one reverts.
    pub async fn owner_steps(&self, side: Side, calls: &[(Address, Bytes)], gas: u64) -> Result<Vec<Receipt>> {
        let owner = self.parties.owner;
        let transactions =
            calls.iter().map(|(to, data)| json!({ "from": owner, "to": to, "data": data, "gas": quantity(gas) }));
        self.settle(side, transactions.collect()).await
    }

    /// Pays from the owner's purse by real transfers, with a block at once.
    ///
    /// # Errors
    /// When a transfer fails.
    pub async fn pay(&self, side: Side, payments: &[Payment]) -> Result<()> {
        let from = self.parties.owner;
        let transactions = payments.iter().map(|payment| match *payment {
            Payment::Coin(to, wei) => {
                json!({ "from": from, "to": to, "value": wei.to_quantity(), "gas": quantity(TRANSFER_GAS) })
            }
            Payment::Token(token, to, wei) => {
                let data = call("transfer(address,uint256)", &[address(to), uint(wei)]);
                json!({ "from": from, "to": token, "data": data, "gas": quantity(CALL_GAS) })
            }
        });
        for some in transactions.collect::<Vec<Json>>().chunks(GROUP) {
            self.settle(side, some.to_vec()).await?;
        }
        Ok(())
    }

    async fn settle(&self, side: Side, mut transactions: Vec<Json>) -> Result<Vec<Receipt>> {
        let node = self.node(side);
        // The node takes the calls of a batch side by side, so it can't number them itself.
        let [origin, auxiliary] = &self.purses;
        let _turn = match side {
            Side::Origin => origin.lock().await,
            Side::Auxiliary => auxiliary.lock().await,
        };
        let first = node.call("eth_getTransactionCount", json!([self.parties.owner, "pending"])).await?;
        for (nonce, transaction) in (node::quantity(&first)?..).zip(&mut transactions) {
            transaction["nonce"] = json!(quantity(nonce));
        }
        node.settle(transactions).await
    }

    /// Whitelists and funds workers on both chains.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn enroll(&self, origin_workers: &[Address], auxiliary_workers: &[Address], funds: Funds) -> Result<()> {
        let (origin, auxiliary) = (&self.contracts.origin, &self.contracts.auxiliary);
        let base_token = origin.base_token;
        let coin = |workers: &[Address]| workers.iter().map(|w| Payment::Coin(*w, funds.coin)).collect::<Vec<_>>();
        let mut on_origin = coin(origin_workers);
        on_origin.extend(origin_workers.iter().map(|worker| Payment::Token(base_token, *worker, funds.bounty)));
        let on_auxiliary = coin(auxiliary_workers);
        tokio::try_join!(
            async {
                self.whitelist(Side::Origin, origin.composer_organization, origin_workers).await?;
                self.pay(Side::Origin, &on_origin).await
            },
            async {
                self.whitelist(Side::Auxiliary, auxiliary.pool_organization, auxiliary_workers).await?;
                self.pay(Side::Auxiliary, &on_auxiliary).await
            },
        )?;
        Ok(())
    }

    /// Makes `workers` members of an organization for a very long time.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn whitelist(&self, side: Side, organization: Address, workers: &[Address]) -> Result<()> {
        let set = |worker: &Address| call("setWorker(address,uint256)", &[address(*worker), uint(FAR_HEIGHT)]);
        let calls: Vec<_> = workers.iter().map(|worker| (organization, set(worker))).collect();
        self.owner_calls(side, &calls).await
    }

    /// Puts another gateway on the origin chain: a genuine one that no config names.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn another_gateway(&self) -> Result<Address> {
        let gateway = deploy::another_gateway(&self.contracts.origin, self.parties, &self.options.deploy)?;
        let transaction = json!({ "from": self.parties.owner, "data": gateway, "gas": quantity(CREATE_GAS) });
        let created = self.settle(Side::Origin, vec![transaction]).await?.first().and_then(|receipt| receipt.created);
        created.context("no gateway was created")
    }

    /// The pair of gateways that has this one on one of its sides.
    ///
    /// # Errors
    /// When none was deployed.
    pub fn pair_of(&self, gateway: Address) -> Result<Pair> {
        let has = |pair: &Pair| pair.gateway == gateway || pair.cogateway == gateway;
        self.contracts.pairs().into_iter().find(has).with_context(|| format!("{gateway} is of no pair"))
    }

    /// The mosaic config of this devnet, as published for the real networks.
    #[must_use]
    pub fn mosaic_config(&self) -> Json {
        let (origin, auxiliary) = (&self.contracts.origin, &self.contracts.auxiliary);
        let id = self.options.auxiliary_chain_id;
        json!({
            "originChain": {
                "chain": self.options.origin_chain_id.to_string(),
                "contractAddresses": {
                    "gatewayLibAddress": origin.gateway_library,
                    "merklePatriciaLibAddress": origin.merkle_library,
                    "messageBusAddress": origin.message_bus,
                    "valueTokenAddress": origin.value_token,
                    "stakePoolAddress": origin.composer,
                },
            },
            "auxiliaryChains": { id.to_string(): {
                "chainId": id,
                "bootNodes": [format!("enode://{}@127.0.0.1:30303", "0".repeat(128))],
                "genesis": {},
                "contractAddresses": {
                    "origin": {
                        "baseTokenAddress": origin.base_token,
                        "anchorOrganizationAddress": origin.anchor_organization,
                        "anchorAddress": origin.anchor,
                        "gatewayOrganizationAddress": origin.gateway_organization,
                        "eip20GatewayAddress": origin.gateway,
                    },
                    "auxiliary": {
                        "utilityTokenAddress": auxiliary.utility_token,
                        "anchorOrganizationAddress": auxiliary.anchor_organization,
                        "anchorAddress": auxiliary.anchor,
                        "merklePatriciaLibAddress": auxiliary.merkle_library,
                        "gatewayLibAddress": auxiliary.gateway_library,
                        "messageBusAddress": auxiliary.message_bus,
                        "coGatewayOrganizationAddress": auxiliary.cogateway_organization,
                        "eip20CoGatewayAddress": auxiliary.cogateway,
                        "redeemPoolAddress": auxiliary.redeem_pool,
                    },
                },
            }},
        })
    }

    /// The gateway config of the second pair; its mosaic config stands beside it.
    ///
    /// # Errors
    /// When there is no second pair.
    pub fn gateway_config(&self, mosaic_config: &str) -> Result<Json> {
        let pair = self.contracts.second.context("this devnet has no second pair of gateways")?;
        Ok(json!({
            "mosaicConfigFilePath": mosaic_config,
            "auxChainId": self.options.auxiliary_chain_id,
            "originContracts": {
                "baseTokenAddress": self.contracts.origin.base_token,
                "valueTokenAddress": pair.value_token,
                "gatewayOrganizationAddress": self.contracts.origin.gateway_organization,
                "eip20GatewayAddress": pair.gateway,
            },
            "auxiliaryContracts": {
                "coGatewayOrganizationAddress": self.contracts.auxiliary.cogateway_organization,
                "eip20CoGatewayAddress": pair.cogateway,
                "utilityTokenAddress": pair.utility_token,
            },
        }))
    }

    /// The mosaic config of this devnet in the older shape, which names the origin chain by its id.
    #[must_use]
    pub fn ticket_mosaic_config(&self) -> Json {
        let (origin, auxiliary) = (&self.contracts.origin, &self.contracts.auxiliary);
        let id = self.options.auxiliary_chain_id;
        json!({
            "originChain": {
                "chainId": self.options.origin_chain_id,
                "contractAddresses": {
                    "simpleTokenAddress": origin.value_token,
                    "merklePatriciaLibAddress": origin.merkle_library,
                    "GatewayLibAddress": origin.gateway_library,
                    "messageBusAddress": origin.message_bus,
                },
            },
            "auxiliaryChains": { id.to_string(): {
                "chainId": id,
                "bootNodes": [],
                "genesis": {},
                "contractAddresses": {
                    "origin": {
                        "anchorOrganizationAddress": origin.anchor_organization,
                        "anchorAddress": origin.anchor,
                        "ostGatewayOrganizationAddress": origin.gateway_organization,
                        "ostEIP20GatewayAddress": origin.gateway,
                        "ostComposerAddress": origin.composer,
                    },
                    "auxiliary": {
                        "ostPrimeAddress": auxiliary.utility_token,
                        "anchorOrganizationAddress": auxiliary.anchor_organization,
                        "anchorAddress": auxiliary.anchor,
                        "merklePatriciaLibAddress": auxiliary.merkle_library,
                        "GatewayLibAddress": auxiliary.gateway_library,
                        "messageBusAddress": auxiliary.message_bus,
                        "ostCoGatewayOrganizationAddress": auxiliary.cogateway_organization,
                        "ostEIP20CogatewayAddress": auxiliary.cogateway,
                    },
                },
            }},
        })
    }
}

fn quantity(value: u64) -> String {
    format!("{value:#x}")
}

/// The first accounts that the node signs for; the same on every anvil.
async fn parties(node: &Node) -> Result<Parties> {
    let accounts: Vec<Address> = serde_json::from_value(node.call("eth_accounts", json!([])).await?)?;
    let [owner, anchorer, burner, ..] = accounts.as_slice() else {
        return Err(anyhow::anyhow!("{accounts:?}")).context("too few accounts in the node");
    };
    Ok(Parties { owner: *owner, anchorer: *anchorer, burner: *burner })
}
