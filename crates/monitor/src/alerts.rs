//! Every alert that there is: what it is called, how bad it is, and what causes it. Monitors raise these and no others,
//! and no title is spelled out elsewhere. `config/alerts.md`, where each has what to do about it, is compared with this.

use crate::EventType;

/// What a monitor watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Stake requests.
    Stake,
    /// Redeem requests, and redeems at the cogateway.
    Redeem,
    /// Messages between the gateways.
    Message,
    /// Gateways and anchors.
    Gateway,
    /// The supply of utility tokens.
    Supply,
    /// The operator's own facilitator.
    Facilitator,
}

impl Topic {
    /// All of them, in the order in which monitors run.
    pub const ALL: [Self; 6] =
        [Self::Stake, Self::Redeem, Self::Message, Self::Gateway, Self::Supply, Self::Facilitator];

    /// The monitor's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stake => "Stake",
            Self::Redeem => "Redeem",
            Self::Message => "Message",
            Self::Gateway => "Gateway",
            Self::Supply => "Supply",
            Self::Facilitator => "Facilitator",
        }
    }
}

macro_rules! alerts {
    ($($(#[doc = $cause:literal])+ $name:ident: $topic:ident $level:ident $title:literal;)*) => {
        /// A kind of system event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Alert {
            $($(#[doc = $cause])+ $name,)*
        }

        impl Alert {
            /// All of them, by topic.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What happened, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// How bad it is.
            #[must_use]
            pub const fn level(self) -> EventType {
                match self { $(Self::$name => EventType::$level,)* }
            }

            /// Which monitor raises it.
            #[must_use]
            pub const fn topic(self) -> Topic {
                match self { $(Self::$name => Topic::$topic,)* }
            }

            /// What raises it, as a sentence.
            #[must_use]
            pub const fn cause(self) -> &'static str {
                match self { $(Self::$name => concat!($($cause),+).trim_ascii(),)* }
            }
        }
    };
}

alerts! {
    /// A staker asked the composer for a stake.
    StakeRequested: Stake Informational "Stake requested";
    /// A staker took a request back before anybody accepted it.
    StakeRevoked: Stake Informational "Stake request revoked";
    /// A stake of more than `large_stake_threshold` was asked for.
    LargeStake: Stake Warning "Large stake requested";
    /// A worker of the composer's organization sent a request back.
    StakeRejected: Stake Warning "Stake request rejected";
    /// A stake request still stands in the composer after `unaccepted_blocks`.
    StakeNotAccepted: Stake Warning "Stake request not accepted";

    /// A redeemer asked the redeem pool for a redeem.
    RedeemRequested: Redeem Informational "Redeem requested";
    /// A redeemer took a request back before anybody accepted it.
    RedeemRevoked: Redeem Informational "Redeem request revoked";
    /// A redeem was accepted, or asked of the cogateway directly.
    RedeemDeclared: Redeem Informational "Redeem intent declared";
    /// The redeemed tokens were burnt: the leg on the auxiliary chain is done.
    RedeemProgressed: Redeem Informational "Redeem progressed";
    /// A redeem of more than `large_redeem_threshold` was declared.
    LargeRedeem: Redeem Warning "Large redeem";
    /// A worker of the pool's organization sent a request back.
    RedeemRejected: Redeem Warning "Redeem request rejected";
    /// A redeem request still stands in the pool after `unaccepted_blocks`.
    RedeemNotAccepted: Redeem Warning "Redeem request not accepted";
    /// A declared redeem has not got any further on the auxiliary chain in `stale_redeem_blocks`.
    StaleRedeem: Redeem Warning "Stale redeem";

    /// A stake was accepted, or asked of the gateway directly.
    StakeDeclared: Message Informational "Stake intent declared";
    /// A declared stake was proven on the auxiliary chain.
    StakeConfirmed: Message Informational "Stake intent confirmed";
    /// The staked tokens went to the vault: the leg on the origin chain is done.
    StakeProgressed: Message Informational "Stake progressed";
    /// The beneficiary of a stake was paid: the leg on the auxiliary chain is done.
    Minted: Message Informational "Minted";
    /// A declared redeem was proven on the origin chain.
    RedeemConfirmed: Message Informational "Redeem intent confirmed";
    /// The beneficiary of a redeem was paid: the leg on the origin chain is done.
    Unstaked: Message Informational "Unstaked";
    /// The sender of a declared stake began to take it back.
    StakeReverting: Message Warning "Stake reverting";
    /// That was proven on the auxiliary chain: the stake can't be minted any more.
    StakeRevertConfirmed: Message Warning "Stake revert confirmed";
    /// The sender has the staked tokens back, and the bounty was burnt.
    StakeReverted: Message Warning "Stake reverted";
    /// The sender of a declared redeem began to take it back.
    RedeemReverting: Message Warning "Redeem reverting";
    /// That was proven on the origin chain: the redeem can't be unstaked any more.
    RedeemRevertConfirmed: Message Warning "Redeem revert confirmed";
    /// The sender has the tokens back, and the bounty was burnt.
    RedeemReverted: Message Warning "Redeem reverted";
    /// A message is not finished on both chains `unfinished_blocks` after its declaration.
    MessageUnfinished: Message Warning "Message unfinished";
    /// Somebody else accepted a request that the facilitator of this database had begun to accept.
    AcceptedByAnother: Message Warning "Accepted by another worker";
    /// Somebody else finished a leg of a message of the facilitator of this database, and has its bounty or reward.
    ProgressedByAnother: Message Warning "Progressed by another worker";
    /// A message was confirmed that the other chain's gateway knows nothing of.
    NotDeclared: Message Critical "Confirmed without a matching declaration";
    /// A message was confirmed with another amount or beneficiary than the other chain's gateway holds.
    OtherIntent: Message Critical "Confirmed with another amount than declared";
    /// A message was confirmed before its declaration had the `confirmations` of its chain.
    ConfirmedTooEarly: Message Critical "Confirmed too early";

    /// A state root of the other chain was anchored.
    StateRootAvailable: Gateway Informational "State root available";
    /// The storage of a gateway was proven on the other chain.
    GatewayProven: Gateway Informational "Gateway proven";
    /// The organization of a gateway has proposed another bounty.
    BountyChangeInitiated: Gateway Warning "Bounty change initiated";
    /// Another bounty counts for what is accepted from now on.
    BountyChangeConfirmed: Gateway Warning "Bounty change confirmed";
    /// The other chain has grown by more than `stale_root_blocks` since its last anchored root.
    NoNewStateRoot: Gateway Warning "No new state root";
    /// A gateway takes no stakes any more.
    GatewayDeactivated: Gateway Critical "Gateway deactivated";
    /// The root that was anchored for a block is not that block's, or there is no such block.
    FalseStateRoot: Gateway Critical "Anchored state root differs";

    /// A supply changed by `supply_change_percent` or more within `supply_span_blocks`, or by half of it since the last such alert.
    HighSupplyChange: Supply Critical "High total supply change";
    /// There are more utility tokens than value tokens in vault and gateway stand for.
    MintedMoreThanStaked: Supply Critical "Minted more than staked";

    /// A facilitator that was not stopped gives no sign of life for `child_silence_ms`.
    FacilitatorSilent: Facilitator Warning "Facilitator silent";
    /// An instance that was active became inactive: it was found silent, or is not among the active ones any more. One that was stopped in order, or replaced by another with its keys, is left out.
    InstanceInactive: Facilitator Warning "Instance inactive";
    /// An instance is in maintenance and signs nothing.
    InstanceInMaintenance: Facilitator Warning "Instance in maintenance";
    /// An instance is gone for good.
    InstanceDeregistered: Facilitator Warning "Instance deregistered";
    /// A process died too often and is left alone for a while.
    ProcessQuarantined: Facilitator Warning "Process quarantined";
    /// A worker key has less base coin than `low_balance`.
    WorkerBalanceLow: Facilitator Warning "Worker balance low";
    /// A step of a request failed and is tried again later, or its state can't be told as the chains contradict each other.
    RequestFailed: Facilitator Warning "Request failed";
    /// A fork goes deeper than `fork_protection` blocks; all work rests.
    ForkProtectionHit: Facilitator Critical "Fork protection hit";
    /// The facilitator finds that an anchored root is not the block's, or fails again and again to bring the chains in step; all work rests.
    ChainsContradict: Facilitator Critical "Chains contradict each other";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn titles_differ_and_alerts_stand_by_topic() {
        let titles: BTreeSet<_> = Alert::ALL.iter().map(|alert| alert.title()).collect();
        assert_eq!(titles.len(), Alert::ALL.len());
        let order = |alert: &Alert| Topic::ALL.iter().position(|topic| *topic == alert.topic());
        assert!(Alert::ALL.iter().map(order).is_sorted());
        assert!(Alert::ALL.iter().all(|alert| alert.cause().ends_with('.')));
    }
}
