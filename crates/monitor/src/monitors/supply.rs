//! The supply of utility tokens: how fast it changes, and whether what was minted was staked.

use super::{Findings, Look, Monitor};
use crate::{Alert, SystemEvent, Task, Topic, chains::Chain, recall::Condition};
use facilitator_eth::{Address, U256};
use facilitator_protocol::{
    contracts::{gateway, token},
    gateway::GatewaySet,
    model::Side,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Samples of a supply that are kept, for nodes that have no old states.
const SAMPLES: u64 = 64;

/// Watches the utility tokens.
#[derive(Debug, Clone, Copy)]
pub struct SupplyMonitor {
    /// Blocks within which a change is measured.
    pub span: u64,
    /// The change that is too much, percent.
    pub percent: u32,
}

/// What is remembered of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    last_high_total_supply_change_block: Option<u64>,
    /// Supply by block.
    samples: BTreeMap<u64, U256>,
}

/// Since when a change is measured, and by how many tenths of a percent it is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Measure {
    since: u64,
    per_mille: u64,
}

impl SupplyMonitor {
    /// Since an alarm within the span, by half as much; else over the whole span.
    fn measure(&self, last: Option<u64>, now: u64) -> Measure {
        let since = now.saturating_sub(self.span);
        let per_mille = u64::from(self.percent) * 10;
        match last.filter(|last| (since..now).contains(last)) {
            Some(last) => Measure { since: last, per_mille: per_mille / 2 },
            None => Measure { since, per_mille },
        }
    }

    async fn change(&self, look: &Look<'_>, chain: &Chain, token: Address) -> Result<Vec<SystemEvent>, String> {
        let (now, name) = (chain.window.to, format!("supply/{token}"));
        let memory: Memory = look.memory(&name).await?.unwrap_or_default();
        let supply = chain.ask_one(token, token::total_supply()).await?;
        let measure = self.measure(memory.last_high_total_supply_change_block, now);
        let before = match chain.ask_past(token, token::total_supply(), measure.since).await {
            Ok(before) => before.map(|before| (measure.since, before)),
            // A node that keeps no old states: what was seen since.
            Err(_) => memory.samples.range(measure.since..now).next().map(|(block, supply)| (*block, *supply)),
        };
        let mut memory = memory.with(now, supply, self.span);
        let mut present = Vec::new();
        if let Some((since, before)) = before
            && is_much(before, supply, measure.per_mille)
        {
            let event = SystemEvent::new(Alert::HighSupplyChange, chain.chain_id, now);
            let event = event.with("token", token).with("from_block", since).with("before", before);
            present.push(Condition::new(now.to_string(), event.with("after", supply)));
            memory.last_high_total_supply_change_block = Some(now);
        }
        // First the alarm, then what keeps it from being raised again.
        let told = look.recall(&format!("{name}/alarms"), present, chain.window).await?;
        look.remember(&name, &memory).await?;
        Ok(told)
    }

    async fn unbacked(&self, look: &Look<'_>) -> Result<Vec<SystemEvent>, String> {
        let (origin, auxiliary) = (look.on(Side::Origin)?, look.on(Side::Auxiliary)?);
        let mut present = Vec::new();
        for set in origin.sets() {
            let mut books = Books::read(set, origin, auxiliary, (origin.window.to, auxiliary.window.to)).await?;
            if books.is_short() {
                // The chains are not read at the same moment: what is wrong is still wrong in newer blocks.
                let at = (origin.newest().await?, auxiliary.newest().await?);
                books = Books::read(set, origin, auxiliary, at).await?;
            }
            if books.is_short() {
                let (chain, block) = (auxiliary.chain_id, auxiliary.window.to);
                let event = SystemEvent::new(Alert::MintedMoreThanStaked, chain, block)
                    .with("gateway", set.gateway)
                    .with("token", books.token)
                    .with("minted", books.minted)
                    .with("staked", books.staked);
                present.push(Condition::new(set.gateway.to_string(), event));
            }
        }
        look.recall("supply/unbacked", present, auxiliary.window).await
    }
}

impl Memory {
    /// With one more sample, if it is time for one, and without those that are too old.
    fn with(mut self, now: u64, supply: U256, span: u64) -> Self {
        let kept = self.samples.split_off(&now.saturating_sub(span));
        self.samples = kept.into_iter().filter(|(block, _)| *block < now).collect();
        let last = self.samples.keys().next_back().copied();
        if last.is_none_or(|last| now - last >= (span / SAMPLES).max(1)) {
            self.samples.insert(now, supply);
        }
        self
    }
}

/// Whether a supply has changed by at least so much. One that was zero changes by nothing that could be measured.
fn is_much(before: U256, after: U256, per_mille: u64) -> bool {
    let change = if after > before { after.saturating_sub(before) } else { before.saturating_sub(after) };
    !before.is_zero() && change.saturating_mul(U256::from(1_000_u64)) >= before.saturating_mul(U256::from(per_mille))
}

async fn utility_tokens(chain: &Chain) -> Result<Vec<Address>, String> {
    let views: Vec<_> = chain.sets().iter().map(|set| (set.cogateway, gateway::utility_token())).collect();
    chain.ask(&views).await
}

/// What was minted, and what stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Books {
    token: Address,
    /// Utility tokens but those that a redeem under way has given back to the cogateway.
    minted: U256,
    /// Value tokens in the vault, and in the gateway, where they wait for their progress.
    staked: U256,
}

impl Books {
    async fn read(set: &GatewaySet, origin: &Chain, auxiliary: &Chain, at: (u64, u64)) -> Result<Self, String> {
        let gateway_of = set.gateway;
        let addresses = [(gateway_of, gateway::token()), (gateway_of, gateway::stake_vault())];
        let [value, vault] = two(origin.ask(&addresses).await?)?;
        let token = auxiliary.ask_one(set.cogateway, gateway::utility_token()).await?;
        let balances = [(value, token::balance_of(vault)), (value, token::balance_of(gateway_of))];
        let [in_vault, in_gateway] = two(origin.ask_at(&balances, at.0).await?)?;
        let supply = [(token, token::total_supply()), (token, token::balance_of(set.cogateway))];
        let [supply, given_back] = two(auxiliary.ask_at(&supply, at.1).await?)?;
        Ok(Self { token, minted: supply.saturating_sub(given_back), staked: in_vault.saturating_add(in_gateway) })
    }

    fn is_short(&self) -> bool {
        self.minted > self.staked
    }
}

fn two<T>(answers: Vec<T>) -> Result<[T; 2], String> {
    answers.try_into().map_err(|_| "an answer is missing".to_owned())
}

impl Monitor for SupplyMonitor {
    fn name(&self) -> &'static str {
        Topic::Supply.name()
    }

    fn check<'a>(&'a self, look: &'a Look<'_>) -> Task<'a, Findings> {
        Box::pin(async move {
            let mut findings = Findings::default();
            let tokens = async {
                let chain = look.on(Side::Auxiliary)?;
                Ok::<_, String>((chain, utility_tokens(chain).await?))
            };
            match tokens.await {
                Ok((chain, tokens)) => {
                    for token in tokens {
                        findings.add(self.change(look, chain, token).await);
                    }
                }
                Err(error) => findings.add(Err(error)),
            }
            findings.add(self.unbacked(look).await);
            findings
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: SupplyMonitor = SupplyMonitor { span: 3_600, percent: 10 };

    #[test]
    fn a_change_is_measured_over_the_span_or_since_the_last_alarm_by_half() {
        assert_eq!(RULE.measure(None, 5_000), Measure { since: 1_400, per_mille: 100 });
        assert_eq!(RULE.measure(None, 100), Measure { since: 0, per_mille: 100 });
        assert_eq!(RULE.measure(Some(4_000), 5_000), Measure { since: 4_000, per_mille: 50 });
        assert_eq!(RULE.measure(Some(1_000), 5_000), Measure { since: 1_400, per_mille: 100 });
        // After a fork the chain may be shorter than it was at the alarm.
        assert_eq!(RULE.measure(Some(6_000), 5_000), Measure { since: 1_400, per_mille: 100 });
    }

    #[test]
    fn ten_percent_either_way_are_much_and_nothing_is_measured_from_zero() {
        let much = |before: u64, after: u64, per_mille| is_much(before.into(), after.into(), per_mille);
        assert!(much(100, 110, 100) && much(100, 90, 100) && much(100, 0, 100));
        assert!(!much(100, 109, 100) && !much(100, 91, 100) && !much(100, 100, 100));
        assert!(much(100, 105, 50) && !much(100, 104, 50));
        assert!(!much(0, 1_000, 100));
        assert!(is_much(U256::MAX, U256::ZERO, 100));
    }

    #[test]
    fn samples_are_few_and_none_is_older_than_the_span() {
        let mut memory = Memory::default();
        for now in 0..10_000 {
            memory = memory.with(now, U256::from(now), 640);
        }
        let blocks: Vec<u64> = memory.samples.keys().copied().collect();
        assert!(blocks.len() <= 65 && blocks[0] >= 9_999 - 640 && blocks[0] < 9_999 - 600, "{blocks:?}");
    }
}
