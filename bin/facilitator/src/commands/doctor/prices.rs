//! Whether everything that rewards are paid in has a price, where prices are given at all; and where others' messages are
//! finished, what bounties are paid in.

use super::Findings;
use facilitator_config::Loaded;
use facilitator_eth::Address;
use facilitator_protocol::gateway::Mints;
use facilitator_protocol::model::Side;
use facilitator_roles::messages::Discovered;

/// Examines the token that requests towards this side are rewarded in, and that bounties on this side are paid in.
pub(super) fn check(loaded: &Loaded, side: Side, discovered: &Discovered, findings: &mut Findings) {
    let Some(prices) = &loaded.facilitator.prices else { return };
    let (tokens, chain) = match side {
        Side::Origin => (&prices.origin.tokens, loaded.facilitator.origin.chain_id),
        Side::Auxiliary => (&prices.auxiliary.tokens, loaded.facilitator.auxiliary.chain_id),
    };
    let name = format!("{side} prices");
    if let Some(token) = reward_token(discovered) {
        match tokens.get(&token) {
            Some(price) => findings.ok(&name, format!("a whole token {token}, which pays rewards, is worth {price}")),
            None => findings.warning(
                &name,
                format!("token {token}, which pays rewards, has no price: its requests wait"),
                &format!("add it to prices.{chain}.tokens, or remove `prices` to go by the par values"),
            ),
        }
    }
    let Some(token) = bounty_token(discovered).filter(|_| loaded.facilitator.hunter.enabled) else { return };
    match tokens.get(&token) {
        Some(price) => findings.ok(&name, format!("a whole token {token}, which pays bounties, is worth {price}")),
        None => findings.warning(
            &name,
            format!("token {token}, which pays bounties, has no price: the stakes that others left are left alone"),
            &format!("add it to prices.{chain}.tokens"),
        ),
    }
}

/// The bounties of redeems are coin.
const fn bounty_token(discovered: &Discovered) -> Option<Address> {
    match discovered {
        Discovered::Origin { base_token, .. } => Some(*base_token),
        Discovered::Auxiliary { .. } => None,
    }
}

const fn reward_token(discovered: &Discovered) -> Option<Address> {
    match discovered {
        Discovered::Origin { value_token, .. } => Some(*value_token),
        Discovered::Auxiliary { mints: Mints::BaseCoin, .. } => None,
        Discovered::Auxiliary { utility_token, mints: Mints::Token, .. } => Some(*utility_token),
    }
}
