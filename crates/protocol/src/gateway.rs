//! The contracts of one gateway pair, as configured and as the contracts themselves say.

use crate::model::{Kind, Side};
use bincode::{Decode, Encode};
use facilitator_eth::Address;

/// Addresses and constants of one gateway pair on one chain pair: the only contracts that are acted upon (law 10).
///
/// The first seven addresses come from the configuration; the rest is read from the contracts at start and checked
/// against them (protocol.md §1.2).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct GatewaySet {
    /// Chain of the value token.
    pub origin_chain_id: u64,
    /// Chain of the utility token.
    pub auxiliary_chain_id: u64,
    /// OSTComposer on the origin chain.
    pub composer: Address,
    /// EIP20Gateway on the origin chain.
    pub gateway: Address,
    /// Anchor on the origin chain: holds state roots of the auxiliary chain.
    pub anchor: Address,
    /// EIP20CoGateway on the auxiliary chain.
    pub cogateway: Address,
    /// Anchor on the auxiliary chain: holds state roots of the origin chain.
    pub co_anchor: Address,
    /// RedeemPool on the auxiliary chain, where there is one.
    pub redeem_pool: Option<Address>,
    /// Organization of the composer, which whitelists origin workers.
    pub composer_organization: Address,
    /// Organization of the redeem pool, which whitelists auxiliary workers; none without a pool.
    pub pool_organization: Option<Address>,
    /// Contract on the origin chain that keeps the stakes, and pays unstakes.
    pub stake_vault: Address,
    /// Token that is staked.
    pub value_token: Address,
    /// Token of the bounty on the origin chain.
    pub base_token: Address,
    /// Token that is minted.
    pub utility_token: Address,
    /// Whether minting pays base coin (OSTPrime), which a contract may refuse (protocol.md R11 d).
    pub mints: Mints,
    /// Storage slot of the message box in both gateways (protocol.md §4.1).
    pub message_box_offset: u8,
}

/// What a mint pays with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Mints {
    /// The chain's base coin, by a transfer with 2,300 gas (OSTPrime).
    BaseCoin,
    /// An EIP-20 token.
    Token,
}

impl GatewaySet {
    /// Whether a request belongs to this pair, by the addresses of the configuration: what its event claims of a gateway
    /// proves nothing (law 10).
    #[must_use]
    pub fn serves(&self, kind: Kind, gateway: Address, pool: Address) -> bool {
        match kind {
            Kind::Stake => self.gateway == gateway && self.composer == pool,
            Kind::Redeem => self.cogateway == gateway && self.redeem_pool == Some(pool),
        }
    }

    /// Who whitelists the workers that accept requests of this kind; `None` if such requests are not served.
    #[must_use]
    pub const fn organization(&self, kind: Kind) -> Option<Address> {
        match kind {
            Kind::Stake => Some(self.composer_organization),
            Kind::Redeem => self.pool_organization,
        }
    }

    /// The token that composer or pool holds for its pending requests.
    #[must_use]
    pub const fn escrowed_token(&self, kind: Kind) -> Address {
        match kind {
            Kind::Stake => self.value_token,
            Kind::Redeem => self.utility_token,
        }
    }

    /// Whether both are the same contracts, by what comes from the configuration.
    #[must_use]
    pub fn has_addresses_of(&self, other: &Self) -> bool {
        let configured = |set: &Self| {
            let chains = (set.origin_chain_id, set.auxiliary_chain_id);
            (chains, set.composer, set.gateway, set.anchor, set.cogateway, set.co_anchor, set.redeem_pool)
        };
        configured(self) == configured(other)
    }

    /// The chain id of a side.
    #[must_use]
    pub const fn chain_id(&self, side: Side) -> u64 {
        match side {
            Side::Origin => self.origin_chain_id,
            Side::Auxiliary => self.auxiliary_chain_id,
        }
    }

    /// The contract with the message boxes on a side: gateway or cogateway.
    #[must_use]
    pub const fn box_on(&self, side: Side) -> Address {
        match side {
            Side::Origin => self.gateway,
            Side::Auxiliary => self.cogateway,
        }
    }

    /// The anchor on a side, which holds state roots of the other one.
    #[must_use]
    pub const fn anchor_on(&self, side: Side) -> Address {
        match side {
            Side::Origin => self.anchor,
            Side::Auxiliary => self.co_anchor,
        }
    }
}
