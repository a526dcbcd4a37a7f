//! What a deployment consists of.

use crate::devnet::Side;
use facilitator_eth::Address;
use serde::Serialize;

/// The contracts of the origin chain.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Origin {
    /// EIP-20 token that is staked.
    pub value_token: Address,
    /// EIP-20 token of bounties: another one, so that mixing them up shows.
    pub base_token: Address,
    /// Library.
    pub merkle_library: Address,
    /// Library.
    pub message_bus: Address,
    /// Library.
    pub gateway_library: Address,
    /// Organization of the gateway.
    pub gateway_organization: Address,
    /// Organization of the anchor.
    pub anchor_organization: Address,
    /// Organization whose workers may accept requests.
    pub composer_organization: Address,
    /// OSTComposer.
    pub composer: Address,
    /// Anchor of auxiliary state roots.
    pub anchor: Address,
    /// EIP20Gateway.
    pub gateway: Address,
}

/// The contracts of the auxiliary chain.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Auxiliary {
    /// Organization of the anchor.
    pub anchor_organization: Address,
    /// Organization of the cogateway.
    pub cogateway_organization: Address,
    /// Organization whose workers may accept requests.
    pub pool_organization: Address,
    /// Library.
    pub merkle_library: Address,
    /// Library.
    pub message_bus: Address,
    /// Library.
    pub gateway_library: Address,
    /// OSTPrime.
    pub utility_token: Address,
    /// Anchor of origin state roots.
    pub anchor: Address,
    /// EIP20CoGateway.
    pub cogateway: Address,
    /// RedeemPool.
    pub redeem_pool: Address,
}

/// What a utility token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Mints {
    /// OSTPrime: the base coin of the auxiliary chain.
    Coin,
    /// A plain EIP-20 token.
    Token,
}

/// A gateway, its cogateway, and their tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// EIP20Gateway.
    pub gateway: Address,
    /// EIP20CoGateway.
    pub cogateway: Address,
    /// Token that is staked.
    pub value_token: Address,
    /// Token that is minted.
    pub utility_token: Address,
    /// What that is.
    pub mints: Mints,
}

impl Pair {
    /// The contract with the message boxes on a side.
    #[must_use]
    pub const fn box_on(&self, side: Side) -> Address {
        match side {
            Side::Origin => self.gateway,
            Side::Auxiliary => self.cogateway,
        }
    }
}

/// Everything that was deployed.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Contracts {
    /// On the origin chain.
    pub origin: Origin,
    /// On the auxiliary chain.
    pub auxiliary: Auxiliary,
    /// The second pair of gateways, beside the one of `origin` and `auxiliary`.
    pub second: Option<Pair>,
}

impl Contracts {
    /// The pair of gateways of the mosaic config, with OSTPrime.
    #[must_use]
    pub const fn first(&self) -> Pair {
        Pair {
            gateway: self.origin.gateway,
            cogateway: self.auxiliary.cogateway,
            value_token: self.origin.value_token,
            utility_token: self.auxiliary.utility_token,
            mints: Mints::Coin,
        }
    }

    /// All pairs of gateways.
    #[must_use]
    pub fn pairs(&self) -> Vec<Pair> {
        [Some(self.first()), self.second].into_iter().flatten().collect()
    }
}
