//! The contracts of one gateway pair, from the mosaic config alone or with a gateway config (protocol.md §8.2) for a
//! gateway beside OST's own.

use crate::{ConfigError, Home, Mosaic, chain_key, json, mosaic, node::Node};
use facilitator_eth::Address;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The contracts a facilitator works with, of one gateway and its cogateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayAddresses {
    /// The composer, which takes stake requests on the origin chain. Without it there is no stake & mint.
    pub composer: Option<Address>,
    /// `EIP20Gateway` on the origin chain.
    pub gateway: Address,
    /// Anchor on the origin chain, with the auxiliary chain's state roots.
    pub anchor: Address,
    /// Token of bounties on the origin chain.
    pub base_token: Address,
    /// Token that is staked on the origin chain; the gateway knows it too.
    pub value_token: Option<Address>,
    /// Organization of the gateway.
    pub gateway_organization: Option<Address>,
    /// `EIP20CoGateway` on the auxiliary chain.
    pub cogateway: Address,
    /// Anchor on the auxiliary chain, with the origin chain's state roots.
    pub co_anchor: Address,
    /// Token that is minted on the auxiliary chain.
    pub utility_token: Address,
    /// The redeem pool, which takes redeem requests on the auxiliary chain. Without it there is no redeem & unstake.
    pub redeem_pool: Option<Address>,
    /// Organization of the cogateway.
    pub cogateway_organization: Option<Address>,
}

impl Mosaic {
    /// The contracts of the gateway that the mosaic config itself gives for the auxiliary chain `chain_id`.
    ///
    /// # Errors
    /// The chain is not in the file.
    pub fn gateway(&self, chain_id: u64) -> Result<GatewayAddresses, ConfigError> {
        let chain = self.chain(chain_id)?;
        Ok(GatewayAddresses {
            composer: chain.origin.composer.or(self.origin.composer),
            gateway: chain.origin.gateway,
            anchor: chain.origin.anchor,
            base_token: chain.origin.base_token,
            value_token: self.origin.value_token,
            gateway_organization: chain.origin.gateway_organization,
            cogateway: chain.auxiliary.cogateway,
            co_anchor: chain.auxiliary.anchor,
            utility_token: chain.auxiliary.utility_token,
            redeem_pool: chain.auxiliary.redeem_pool,
            cogateway_organization: chain.auxiliary.cogateway_organization,
        })
    }
}

/// A checked gateway config: another gateway on a chain pair that a mosaic config describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// The file it was read from.
    pub file: PathBuf,
    /// The mosaic config it refers to. Relative paths are relative to the directory of the gateway config.
    pub mosaic_config: PathBuf,
    /// The auxiliary chain.
    pub auxiliary_chain_id: u64,
    composer: Option<Address>,
    gateway: Address,
    base_token: Address,
    value_token: Address,
    gateway_organization: Address,
    cogateway: Address,
    utility_token: Address,
    cogateway_organization: Address,
    redeem_pool: Option<Address>,
}

const MOSAIC_PATH: &str = "mosaicConfigFilePath";
const LIBRARIES: &[&str] = &["merklePatriciaLibAddress", "gatewayLibAddress", "messageBusAddress"];

impl GatewayConfig {
    /// Reads and checks `file`; `home` gives the meaning of `~`.
    ///
    /// # Errors
    /// Names the field that is wrong, missing, unknown or twice there.
    pub fn read(file: &Path, home: &Home) -> Result<Self, ConfigError> {
        Self::from_value(file, &json::read(file)?, home)
    }

    pub(crate) fn from_value(file: &Path, value: &Value, home: &Home) -> Result<Self, ConfigError> {
        let node = Node::root(file, value);
        let root = node.fields(&[&[MOSAIC_PATH, "auxChainId", "originContracts", "auxiliaryContracts"]])?;
        let origin = root.required(&["originContracts"])?.fields(&[
            &["baseTokenAddress", "valueTokenAddress", "gatewayOrganizationAddress", "eip20GatewayAddress"],
            LIBRARIES,
            mosaic::COMPOSER,
        ])?;
        let auxiliary = root.required(&["auxiliaryContracts"])?.fields(&[
            &["coGatewayOrganizationAddress", "eip20CoGatewayAddress", "utilityTokenAddress", "redeemPoolAddress"],
            LIBRARIES,
        ])?;
        mosaic::libraries(&origin)?;
        mosaic::libraries(&auxiliary)?;
        Ok(Self {
            file: file.to_owned(),
            mosaic_config: home.resolve(file, root.required(&[MOSAIC_PATH])?.text()?),
            auxiliary_chain_id: chain_key::number(&root.required(&["auxChainId"])?)?,
            composer: origin.optional_address(mosaic::COMPOSER)?,
            gateway: origin.address(&["eip20GatewayAddress"])?,
            base_token: origin.address(&["baseTokenAddress"])?,
            value_token: origin.address(&["valueTokenAddress"])?,
            gateway_organization: origin.address(&["gatewayOrganizationAddress"])?,
            cogateway: auxiliary.address(&["eip20CoGatewayAddress"])?,
            utility_token: auxiliary.address(&["utilityTokenAddress"])?,
            cogateway_organization: auxiliary.address(&["coGatewayOrganizationAddress"])?,
            redeem_pool: auxiliary.optional_address(&["redeemPoolAddress"])?,
        })
    }

    /// The contracts of this gateway: anchors from `mosaic`, pools from `mosaic` where this file has none.
    ///
    /// # Errors
    /// `mosaic` does not have the auxiliary chain.
    pub fn gateway(&self, mosaic: &Mosaic) -> Result<GatewayAddresses, ConfigError> {
        let base = mosaic.gateway(self.auxiliary_chain_id)?;
        Ok(GatewayAddresses {
            composer: self.composer.or(base.composer),
            gateway: self.gateway,
            anchor: base.anchor,
            base_token: self.base_token,
            value_token: Some(self.value_token),
            gateway_organization: Some(self.gateway_organization),
            cogateway: self.cogateway,
            co_anchor: base.co_anchor,
            utility_token: self.utility_token,
            redeem_pool: self.redeem_pool.or(base.redeem_pool),
            cogateway_organization: Some(self.cogateway_organization),
        })
    }
}
