//! The policies that are compared.
//!
//! The second place that links to the product: its own policy is played as it is, so that what is measured is what
//! operators pay.

use super::series::Block;
use crate::bench::chapter::told;
use facilitator_eth::{U256, tx::Fee};
use facilitator_sender::{
    Settings,
    policy::{
        fee::{self, Limits, Market},
        stuck::{self, InFlight},
    },
};

/// How a transaction is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// As the product does it, replacements included.
    Product,
    /// The base fee and the product's tip, to the wei, and no replacement.
    Exact,
    /// What the node suggests, as a legacy transaction.
    GasPrice,
    /// Twice that.
    TwiceGasPrice,
    /// Always the product's cap, as a legacy transaction.
    Cap,
}

/// A transaction that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) fee: Fee,
    /// Number of the newest block when this fee was sent.
    pub(super) sent_at: u64,
    pub(super) replacements: u32,
}

/// By what it is told what is meant.
pub(super) fn explained() -> String {
    let (settings, limits) = product();
    let gwei = |wei: U256| wei.to_u64().map_or("-".to_owned(), |wei| told(wei as f64 / 1e9));
    format!(
        "The product's policy is the one that ships, with its defaults: tip {} gwei, cap {} gwei, a replacement after {} blocks \
         with a raise of {} %. \"Exactly\" offers the same tip and is never replaced; `eth_gasPrice` is what the node answered \
         at that block. What was paid is of the included alone: a policy that never gets some of them in, which are those that \
         would have cost most, looks cheaper by that; the plot has gaps there.",
        gwei(limits.priority),
        gwei(limits.cap),
        settings.resend_after_blocks,
        settings.replace_bump_percent,
    )
}

fn product() -> (Settings, Limits) {
    let settings = Settings::new(3);
    let limits = Limits {
        cap: settings.max_fee_per_gas,
        priority: settings.max_priority_fee_per_gas,
        bump_percent: settings.replace_bump_percent,
    };
    (settings, limits)
}

fn market(newest: &Block) -> Market {
    Market::Dynamic { base_fee: U256::from(newest.base) }
}

impl Policy {
    pub(super) const ALL: [Self; 5] = [Self::Product, Self::Exact, Self::GasPrice, Self::TwiceGasPrice, Self::Cap];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Product => "facilitator",
            Self::Exact => "base fee and tip exactly",
            Self::GasPrice => "eth_gasPrice, legacy",
            Self::TwiceGasPrice => "twice eth_gasPrice, legacy",
            Self::Cap => "the product's cap as fixed price, legacy",
        }
    }

    /// Its name in figures.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Product => "facilitator",
            Self::Exact => "exact",
            Self::GasPrice => "gas_price",
            Self::TwiceGasPrice => "twice_gas_price",
            Self::Cap => "cap",
        }
    }

    /// The first offer at the newest block; none while the policy would not send.
    pub(super) fn first(self, newest: &Block) -> Option<Fee> {
        let (_, limits) = product();
        let legacy = |gas_price: U256| Some(Fee::Legacy { gas_price });
        match self {
            Self::Product => fee::first(market(newest), limits).ok(),
            Self::Exact => {
                let max_fee = U256::from(newest.base).saturating_add(limits.priority);
                Some(Fee::Dynamic { max_fee, max_priority: limits.priority })
            }
            Self::GasPrice => legacy(U256::from(newest.gas_price)),
            Self::TwiceGasPrice => legacy(U256::from(newest.gas_price).saturating_mul(U256::from(2u64))),
            Self::Cap => legacy(limits.cap),
        }
    }

    /// Another offer for a transaction that waits, at the newest block `head`; none while it is left as it is.
    pub(super) fn again(self, waiting: &Waiting, head: u64, newest: &Block) -> Option<Fee> {
        let (settings, limits) = product();
        match self {
            Self::Product => {
                let flight = InFlight { nonce: 0, sent_at: waiting.sent_at, fee: waiting.fee };
                let after = settings.resend_after_blocks;
                let is_stuck = !stuck::stuck(head, after, waiting.sent_at, market(newest), &[flight]).is_empty();
                let may = is_stuck && waiting.replacements < settings.max_replacements;
                may.then(|| fee::replacement(waiting.fee, market(newest), limits).ok()).flatten()
            }
            Self::Exact | Self::GasPrice | Self::TwiceGasPrice | Self::Cap => None,
        }
    }
}
