//! What a ledger is made from: what the journal and the stored events say.

use super::Asset;
use crate::{
    events::Event,
    gateway::Mints,
    model::{RequestId, Side, Step},
};
use facilitator_eth::{Address, B256, U256};

/// A transaction of ours that was mined, also one that reverted: somebody had to pay for its gas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// Row number in the journal.
    pub id: i64,
    /// The chain.
    pub chain_id: u64,
    /// What it was for.
    pub step: Step,
    /// Who signed and paid.
    pub account: Address,
    /// Its nonce.
    pub nonce: u64,
    /// Who was called.
    pub to: Address,
    /// Base coin sent along, in wei.
    pub value: U256,
    /// Token and spender of the allowance that it gives (an approval) or takes from (an accept).
    pub allowance: Option<(Address, Address)>,
    /// The attempt that was mined.
    pub hash: B256,
    /// Gas used by the price paid, in wei.
    pub cost: U256,
    /// When it was journalled, Unix milliseconds: never changed later, whatever becomes of it.
    pub at_ms: i64,
    /// The requests that asked for it, by row number.
    pub parties: Vec<Party>,
}

/// A request among those that asked for a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    /// Its row.
    pub request: RequestId,
    /// The chain that it was made on: on the other one the same address may be another gateway.
    pub chain_id: u64,
    /// Gateway or cogateway that it names.
    pub gateway: Address,
}

/// Where an event stands, in the order of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The block.
    pub block_number: u64,
    /// The log within it.
    pub log_index: u64,
}

/// An event that moved a bounty or a reward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The chain.
    pub chain_id: u64,
    /// Gateway or cogateway whose event it is.
    pub box_address: Address,
    /// Its transaction.
    pub tx_hash: B256,
    /// The journal's row of that transaction; `None` for one of somebody else's.
    pub paid_by: Option<i64>,
    /// The message.
    pub message_hash: B256,
    /// The message's request, and the bounty that it was accepted for.
    pub request: Option<(Party, Option<U256>)>,
    /// Where the message was declared; `None` if that was never seen.
    pub declared: Option<Place>,
    /// What happened.
    pub happening: Happening,
}

/// What an [`Effect`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// The message was declared: whoever accepted the request has put up the bounty.
    Declared,
    /// The source leg is done: the bounty went to whoever did it.
    BountyPaid,
    /// The target leg is done: the reward went to whoever did it.
    RewardPaid(U256),
}

impl Happening {
    /// Of an event; `None` for one that moves neither bounty nor reward.
    #[must_use]
    pub const fn of(event: &Event) -> Option<Self> {
        match event {
            Event::StakeIntentDeclared(_) | Event::RedeemIntentDeclared(_) => Some(Self::Declared),
            Event::StakeProgressed(_) | Event::RedeemProgressed(_) => Some(Self::BountyPaid),
            Event::MintProgressed(event) => Some(Self::RewardPaid(event.reward_amount)),
            Event::UnstakeProgressed(event) => Some(Self::RewardPaid(event.reward_amount)),
            Event::StakeRequested(_)
            | Event::StakeRevoked(_)
            | Event::StakeRejected(_)
            | Event::RedeemRequested(_)
            | Event::RedeemRevoked(_)
            | Event::RedeemRejected(_)
            | Event::RevertStakeIntentDeclared(_)
            | Event::StakeReverted(_)
            | Event::RedeemIntentConfirmed(_)
            | Event::RevertRedeemIntentConfirmed(_)
            | Event::RevertRedeemComplete(_)
            | Event::StakeIntentConfirmed(_)
            | Event::RevertStakeIntentConfirmed(_)
            | Event::RevertStakeProgressed(_)
            | Event::RevertRedeemDeclared(_)
            | Event::RedeemReverted(_)
            | Event::GatewayProven(_)
            | Event::BountyChangeInitiated(_)
            | Event::BountyChangeConfirmed(_)
            | Event::StateRootAvailable(_)
            | Event::WorkerSet(_)
            | Event::WorkerUnset(_) => None,
        }
    }
}

/// A change of a gateway's bounty: an accept between two of them took what stood then, whatever it was meant to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BountyChange {
    /// The chain.
    pub chain_id: u64,
    /// Gateway or cogateway.
    pub box_address: Address,
    /// Where.
    pub at: Place,
    /// Bounty until then.
    pub before: U256,
    /// Bounty from then on.
    pub after: U256,
}

/// What a gateway pair moves, also one that is no longer configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assets {
    /// Chain of the value token.
    pub origin_chain_id: u64,
    /// Chain of the utility token.
    pub auxiliary_chain_id: u64,
    /// EIP20Gateway: the name of the pair.
    pub gateway: Address,
    /// EIP20CoGateway.
    pub cogateway: Address,
    /// Composer, whose accepts spend an allowance.
    pub composer: Address,
    /// Redeem pool, where there is one.
    pub redeem_pool: Option<Address>,
    /// Token that is staked.
    pub value_token: Address,
    /// Token of the bounty of stakes.
    pub base_token: Address,
    /// Token that is minted.
    pub utility_token: Address,
    /// What a mint pays with.
    pub mints: Mints,
}

impl Assets {
    /// The chain id of a side.
    #[must_use]
    pub const fn chain_id(&self, side: Side) -> u64 {
        match side {
            Side::Origin => self.origin_chain_id,
            Side::Auxiliary => self.auxiliary_chain_id,
        }
    }

    /// The side on which this contract is gateway or cogateway.
    #[must_use]
    pub fn side_of(&self, chain_id: u64, box_address: Address) -> Option<Side> {
        let boxes = [(Side::Origin, self.gateway), (Side::Auxiliary, self.cogateway)];
        boxes.into_iter().find(|(side, own)| self.chain_id(*side) == chain_id && *own == box_address).map(|(s, _)| s)
    }

    /// What the bounty of messages declared on a side is of.
    #[must_use]
    pub const fn bounty(&self, source: Side) -> Asset {
        match source {
            Side::Origin => Asset::Token { chain_id: self.origin_chain_id, address: self.base_token },
            Side::Auxiliary => Asset::Coin { chain_id: self.auxiliary_chain_id },
        }
    }

    /// What the reward of messages confirmed on a side is of.
    #[must_use]
    pub const fn reward(&self, target: Side) -> Asset {
        match (target, self.mints) {
            (Side::Origin, _) => Asset::Token { chain_id: self.origin_chain_id, address: self.value_token },
            (Side::Auxiliary, Mints::BaseCoin) => Asset::Coin { chain_id: self.auxiliary_chain_id },
            (Side::Auxiliary, Mints::Token) => {
                Asset::Token { chain_id: self.auxiliary_chain_id, address: self.utility_token }
            }
        }
    }

    /// All that this pair moves, the coins that gas is paid with included; some may stand twice.
    #[must_use]
    pub fn all(&self) -> Vec<Asset> {
        let of = |side: &Side| [Asset::Coin { chain_id: self.chain_id(*side) }, self.bounty(*side), self.reward(*side)];
        Side::ALL.iter().flat_map(of).collect()
    }

    /// Whether a contract belongs to this pair alone or among others.
    pub(super) fn has(&self, chain_id: u64, contract: Address) -> bool {
        let on_origin = [Some(self.gateway), Some(self.composer)];
        let on_auxiliary = [Some(self.cogateway), self.redeem_pool];
        (chain_id == self.origin_chain_id && on_origin.contains(&Some(contract)))
            || (chain_id == self.auxiliary_chain_id && on_auxiliary.contains(&Some(contract)))
    }
}
