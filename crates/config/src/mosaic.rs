//! The mosaic config: which contracts a chain pair has. Both vintages are read into one model: the source ticket's and
//! the published one (protocol.md §8.1, §8.5), field by field, so that each address may go by either name.

use crate::{
    ChainRef, ConfigError, chain_key, json,
    node::{Fields, Node},
};
use facilitator_eth::Address;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Most auxiliary chains in one file.
const MAX_AUXILIARY: usize = 1000;

/// A checked mosaic config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mosaic {
    /// The file it was read from.
    pub file: PathBuf,
    /// The origin chain.
    pub origin: OriginChain,
    /// The auxiliary chains by chain id; at least one.
    pub auxiliary: BTreeMap<u64, AuxiliaryChain>,
}

/// The origin chain and the contracts that all its auxiliary chains share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginChain {
    /// Which chain it is.
    pub chain: ChainRef,
    /// Token that is staked (`valueTokenAddress`, `simpleTokenAddress`).
    pub value_token: Option<Address>,
    /// Composer (`stakePoolAddress`) unless an auxiliary chain has its own.
    pub composer: Option<Address>,
    /// Linked libraries.
    pub libraries: Libraries,
}

/// Linked libraries of a chain. The facilitator does not call them; they are read so that a typo is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Libraries {
    /// `gatewayLibAddress`.
    pub gateway_lib: Option<Address>,
    /// `merklePatriciaLibAddress`.
    pub merkle_patricia: Option<Address>,
    /// `messageBusAddress`.
    pub message_bus: Option<Address>,
}

/// The contracts of one auxiliary chain, on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuxiliaryChain {
    /// Its chain id.
    pub chain_id: u64,
    /// Its contracts on the origin chain.
    pub origin: OriginContracts,
    /// Its contracts on itself.
    pub auxiliary: AuxiliaryContracts,
}

/// Contracts on the origin chain that belong to one auxiliary chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginContracts {
    /// Token in which the bounty is paid; in the ticket's vintage the origin's value token.
    pub base_token: Address,
    /// Holds the state roots of the auxiliary chain.
    pub anchor: Address,
    /// Organization of the anchor.
    pub anchor_organization: Option<Address>,
    /// `EIP20Gateway`.
    pub gateway: Address,
    /// Organization of the gateway.
    pub gateway_organization: Option<Address>,
    /// Composer of this auxiliary chain alone (`ostComposerAddress`).
    pub composer: Option<Address>,
}

/// Contracts on the auxiliary chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuxiliaryContracts {
    /// Token that is minted (`utilityTokenAddress`, `ostPrimeAddress`).
    pub utility_token: Address,
    /// Holds the state roots of the origin chain.
    pub anchor: Address,
    /// Organization of the anchor.
    pub anchor_organization: Option<Address>,
    /// `EIP20CoGateway`.
    pub cogateway: Address,
    /// Organization of the cogateway.
    pub cogateway_organization: Option<Address>,
    /// `RedeemPool`.
    pub redeem_pool: Option<Address>,
    /// Linked libraries.
    pub libraries: Libraries,
}

pub(crate) const COMPOSER: &[&str] = &["stakePoolAddress", "ostComposerAddress"];
const VALUE_TOKEN: &[&str] = &["valueTokenAddress", "simpleTokenAddress"];
const GATEWAY_LIB: &[&str] = &["gatewayLibAddress", "GatewayLibAddress"];
const MERKLE: &[&str] = &["merklePatriciaLibAddress"];
const MESSAGE_BUS: &[&str] = &["messageBusAddress"];
const ANCHOR: &[&str] = &["anchorAddress"];
const ANCHOR_ORGANIZATION: &[&str] = &["anchorOrganizationAddress"];
const BASE_TOKEN: &[&str] = &["baseTokenAddress"];
const GATEWAY: &[&str] = &["eip20GatewayAddress", "ostEIP20GatewayAddress"];
const GATEWAY_ORGANIZATION: &[&str] = &["gatewayOrganizationAddress", "ostGatewayOrganizationAddress"];
const UTILITY_TOKEN: &[&str] = &["utilityTokenAddress", "ostPrimeAddress"];
const COGATEWAY: &[&str] = &["eip20CoGatewayAddress", "ostEIP20CogatewayAddress"];
const COGATEWAY_ORGANIZATION: &[&str] = &["coGatewayOrganizationAddress", "ostCoGatewayOrganizationAddress"];
const REDEEM_POOL: &[&str] = &["redeemPoolAddress"];

pub(crate) fn libraries(fields: &Fields<'_>) -> Result<Libraries, ConfigError> {
    Ok(Libraries {
        gateway_lib: fields.optional_address(GATEWAY_LIB)?,
        merkle_patricia: fields.optional_address(MERKLE)?,
        message_bus: fields.optional_address(MESSAGE_BUS)?,
    })
}

impl Mosaic {
    /// Reads and checks `file`.
    ///
    /// # Errors
    /// Names the field that is wrong, missing, unknown or twice there.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        Self::from_value(file, &json::read(file)?)
    }

    pub(crate) fn from_value(file: &Path, value: &Value) -> Result<Self, ConfigError> {
        let root = Node::root(file, value).fields(&[&["originChain", "auxiliaryChains"]])?;
        let origin = origin_chain(&root.required(&["originChain"])?)?;
        let chains = root.required(&["auxiliaryChains"])?;
        let mut auxiliary = BTreeMap::new();
        for (key, node) in chains.entries(MAX_AUXILIARY)? {
            let chain = auxiliary_chain(key, &node, &origin)?;
            auxiliary.insert(chain.chain_id, chain);
        }
        if auxiliary.is_empty() {
            return Err(chains.error("must have at least one auxiliary chain"));
        }
        Ok(Self { file: file.to_owned(), origin, auxiliary })
    }

    /// The auxiliary chain `chain_id`.
    ///
    /// # Errors
    /// Names the chains that are there when this one is not.
    pub fn chain(&self, chain_id: u64) -> Result<&AuxiliaryChain, ConfigError> {
        self.auxiliary.get(&chain_id).ok_or_else(|| {
            let known = self.auxiliary.keys().map(u64::to_string).collect::<Vec<_>>().join(", ");
            ConfigError::new(
                &self.file,
                format!("auxiliaryChains.{chain_id}"),
                format!("missing: this file has the auxiliary chains {known}"),
            )
        })
    }
}

fn origin_chain(node: &Node<'_>) -> Result<OriginChain, ConfigError> {
    let fields = node.fields(&[&["chain", "chainId", "contractAddresses"]])?;
    let place = fields.required(&["chain", "chainId"])?;
    let chain = match place.value {
        Value::Number(_) => ChainRef::Id(chain_key::number(&place)?),
        Value::String(text) => chain_key::id_or_name(&place, text)?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(place.error("must be a chain id or the name of a chain"));
        }
    };
    let contracts =
        fields.required(&["contractAddresses"])?.fields(&[GATEWAY_LIB, MERKLE, MESSAGE_BUS, VALUE_TOKEN, COMPOSER])?;
    Ok(OriginChain {
        chain,
        value_token: contracts.optional_address(VALUE_TOKEN)?,
        composer: contracts.optional_address(COMPOSER)?,
        libraries: libraries(&contracts)?,
    })
}

fn auxiliary_chain(key: &str, node: &Node<'_>, origin: &OriginChain) -> Result<AuxiliaryChain, ConfigError> {
    let chain_id = chain_key::digits(node, key)?;
    let fields = node.fields(&[&["chainId", "bootNodes", "genesis", "contractAddresses"]])?;
    let place = fields.required(&["chainId"])?;
    if chain_key::number(&place)? != chain_id {
        return Err(place.error(format!("must be {chain_id}, as the key of this chain")));
    }
    if origin.chain == ChainRef::Id(chain_id) {
        return Err(place.error("must not be the origin chain's id"));
    }
    check_free_form(&fields)?;
    let contracts = fields.required(&["contractAddresses"])?.fields(&[&["origin", "auxiliary"]])?;
    Ok(AuxiliaryChain {
        chain_id,
        origin: origin_contracts(&contracts.required(&["origin"])?, origin)?,
        auxiliary: auxiliary_contracts(&contracts.required(&["auxiliary"])?)?,
    })
}

/// Boot nodes and genesis are for whoever runs the chain; only their kind is checked.
fn check_free_form(fields: &Fields<'_>) -> Result<(), ConfigError> {
    if let Some(genesis) = fields.optional(&["genesis"])? {
        genesis.any_object()?;
    }
    if let Some(nodes) = fields.optional(&["bootNodes"])? {
        let texts = nodes.value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
        if !texts {
            return Err(nodes.error("must be a list of enode URLs"));
        }
    }
    Ok(())
}

fn origin_contracts(node: &Node<'_>, origin: &OriginChain) -> Result<OriginContracts, ConfigError> {
    let fields = node.fields(&[BASE_TOKEN, ANCHOR, ANCHOR_ORGANIZATION, GATEWAY, GATEWAY_ORGANIZATION, COMPOSER])?;
    let base_token = fields.optional_address(BASE_TOKEN)?.or(origin.value_token);
    Ok(OriginContracts {
        base_token: base_token.ok_or_else(|| node.error_at("baseTokenAddress", "missing"))?,
        anchor: fields.address(ANCHOR)?,
        anchor_organization: fields.optional_address(ANCHOR_ORGANIZATION)?,
        gateway: fields.address(GATEWAY)?,
        gateway_organization: fields.optional_address(GATEWAY_ORGANIZATION)?,
        composer: fields.optional_address(COMPOSER)?,
    })
}

fn auxiliary_contracts(node: &Node<'_>) -> Result<AuxiliaryContracts, ConfigError> {
    let fields = node.fields(&[
        UTILITY_TOKEN,
        ANCHOR,
        ANCHOR_ORGANIZATION,
        COGATEWAY,
        COGATEWAY_ORGANIZATION,
        REDEEM_POOL,
        GATEWAY_LIB,
        MERKLE,
        MESSAGE_BUS,
    ])?;
    Ok(AuxiliaryContracts {
        utility_token: fields.address(UTILITY_TOKEN)?,
        anchor: fields.address(ANCHOR)?,
        anchor_organization: fields.optional_address(ANCHOR_ORGANIZATION)?,
        cogateway: fields.address(COGATEWAY)?,
        cogateway_organization: fields.optional_address(COGATEWAY_ORGANIZATION)?,
        redeem_pool: fields.optional_address(REDEEM_POOL)?,
        libraries: libraries(&fields)?,
    })
}
