//! The part of the examination that asks the nodes.

use super::super::context;
use super::{Findings, prices};
use facilitator_chain::reader::{Answer, At, Query, Reader, ReaderOptions};
use facilitator_config::{Chain, Loaded};
use facilitator_eth::{Address, U256};
use facilitator_protocol::contracts::{self, View, gateway, organization, token};
use facilitator_protocol::model::{Kind, Side, Step};
use facilitator_protocol::transfer::{expected_gas, needed_to_accept};
use facilitator_roles::messages::{ConfiguredGateway, Discovered, Unfit};
use facilitator_roles::scanner::check::{self, CheckError};

/// Base coin below which a worker is said to run dry, in wei per gas, where the chain does not say what gas costs.
const ASSUMED_FEE: u64 = 1_000_000_000;

/// Examines both chains.
pub(super) async fn check(loaded: &Loaded, gateways: &[ConfiguredGateway], findings: &mut Findings) {
    for side in [Side::Origin, Side::Auxiliary] {
        let chain = match side {
            Side::Origin => &loaded.facilitator.origin,
            Side::Auxiliary => &loaded.facilitator.auxiliary,
        };
        let Some(reader) = endpoints(side, chain, findings).await else { continue };
        let exam = Exam { loaded, side, chain, gateways, reader };
        exam.contracts(findings).await;
        exam.funds(findings).await;
    }
}

/// A reader of the first endpoint that is well.
async fn endpoints(side: Side, chain: &Chain, findings: &mut Findings) -> Option<Reader> {
    let name = format!("{side} node");
    let mut usable = None;
    for endpoint in &chain.rpc {
        match context::client(endpoint).await {
            Ok((rpc, id)) if id == chain.chain_id => {
                findings.ok(&name, format!("{endpoint} serves chain {id}"));
                usable = usable.or_else(|| Some(Reader::start(rpc, ReaderOptions::default())));
            }
            Ok((_, id)) => {
                let text = format!("{endpoint} serves chain {id}, configured is chain {}", chain.chain_id);
                findings.error(&name, text, &format!("correct chains.{}.rpc", chain.chain_id));
            }
            Err(error) => findings.error(&name, error, "start the node, or correct its URL"),
        }
    }
    usable
}

struct Exam<'a> {
    loaded: &'a Loaded,
    side: Side,
    chain: &'a Chain,
    gateways: &'a [ConfiguredGateway],
    reader: Reader,
}

impl Exam<'_> {
    fn name(&self, what: &str) -> String {
        format!("{} {what}", self.side)
    }

    async fn view<T: contracts::Answer>(&self, to: Address, view: &View<T>) -> Option<T> {
        let query = Query::Call { from: None, to, data: view.data.clone(), at: At::Latest };
        match self.reader.ask_one(query).await {
            Answer::Data(data) => view.decode(&data).ok(),
            Answer::Reverted(_) | Answer::Number(_) | Answer::Proof(_) | Answer::Root(_) | Answer::Failed(_) => None,
        }
    }

    async fn contracts(&self, findings: &mut Findings) {
        let name = self.name("contracts");
        for configured in self.gateways {
            let at = match self.side {
                Side::Origin => configured.gateway,
                Side::Auxiliary => configured.cogateway,
            };
            match check::contracts(self.side, std::slice::from_ref(configured), &self.reader).await {
                Ok(found) => {
                    let kind = match self.side {
                        Side::Origin => "gateway",
                        Side::Auxiliary => "cogateway",
                    };
                    findings.ok(&name, format!("{kind} {at}, its anchor and its tokens agree with the configuration"));
                    for discovered in found {
                        self.acceptance(configured, &discovered, findings).await;
                        prices::check(self.loaded, self.side, &discovered, findings);
                    }
                }
                Err(CheckError::Unreachable(text)) => findings.error(&name, text, "look after the node"),
                Err(CheckError::Unfit(Unfit::WrongChain(text) | Unfit::Contracts(text) | Unfit::Database(text))) => {
                    findings.error(&name, text, "correct the addresses in the mosaic config or gateway config");
                }
            }
        }
    }

    /// What the workers of this chain need to accept requests: of stakes on the origin, of redeems on the auxiliary chain.
    async fn acceptance(&self, configured: &ConfiguredGateway, found: &Discovered, findings: &mut Findings) {
        match *found {
            Discovered::Origin { gateway: at, base_token, composer_organization, .. } => {
                if self.view(at, &gateway::activated()).await == Some(false) {
                    findings.error(
                        &self.name("gateway"),
                        format!("gateway {at} is deactivated"),
                        "no new stakes can be accepted, for good; use another gateway",
                    );
                }
                let bounty = self.view(at, &gateway::bounty()).await.unwrap_or_default();
                for worker in &self.chain.workers {
                    self.whitelisting(composer_organization, *worker, findings).await;
                    self.bounty_tokens(base_token, *worker, bounty, findings).await;
                    self.allowance(base_token, configured.composer, *worker, bounty, findings).await;
                }
            }
            Discovered::Auxiliary { pool_organization: None, .. } => {
                findings.ok(&self.name("pool"), "no redeem pool is configured: redeem requests are not served");
            }
            Discovered::Auxiliary { cogateway: at, pool_organization: Some(organization), .. } => {
                let bounty = self.view(at, &gateway::bounty()).await.unwrap_or_default();
                for worker in &self.chain.workers {
                    self.whitelisting(organization, *worker, findings).await;
                    self.bounty_coin(*worker, bounty, findings).await;
                }
            }
        }
    }

    async fn bounty_tokens(&self, token_address: Address, worker: Address, bounty: U256, findings: &mut Findings) {
        let check = self.name("bounty");
        match self.view(token_address, &token::balance_of(worker)).await {
            Some(held) if held < bounty => findings.error(
                &check,
                format!("worker {worker} has {held} of the bounty token {token_address}, one bounty is {bounty}"),
                "send it bounty tokens: each request in flight locks one bounty",
            ),
            Some(held) => findings.ok(&check, format!("worker {worker} has {held}, one bounty is {bounty}")),
            None => findings.error(&check, format!("the balance of {worker} can't be read"), "look after the node"),
        }
    }

    /// The bounty of a redeem is base coin of the account that also pays the gas.
    async fn bounty_coin(&self, worker: Address, bounty: U256, findings: &mut Findings) {
        let check = self.name("bounty");
        match self.reader.ask_one(Query::Balance { address: worker, at: At::Latest }).await {
            Answer::Number(held) if held <= bounty => findings.error(
                &check,
                format!("worker {worker} has {held} wei, the bounty of one redeem is {bounty} wei beside its gas"),
                "send it base coin: each redeem in flight locks one bounty",
            ),
            Answer::Number(held) => {
                findings.ok(&check, format!("worker {worker} has {held} wei, one bounty is {bounty}"))
            }
            Answer::Failed(text) => findings.error(&check, text, "look after the node"),
            Answer::Data(_) | Answer::Reverted(_) | Answer::Proof(_) | Answer::Root(_) => {}
        }
    }

    async fn whitelisting(&self, organization: Address, worker: Address, findings: &mut Findings) {
        let check = self.name("whitelist");
        let mend = format!("have the organization {organization} call setWorker({worker}, height)");
        if self.view(organization, &organization::is_worker(worker)).await == Some(true) {
            let until = self.view(organization, &organization::expiration_height(worker)).await.unwrap_or_default();
            findings.ok(&check, format!("worker {worker} is whitelisted until block {until}"));
        } else {
            findings.error(&check, format!("worker {worker} is not whitelisted"), &mend);
        }
    }

    /// The facilitator keeps the allowance at what its accepts need: a larger one from elsewhere is a risk (R12).
    async fn allowance(
        &self,
        token_address: Address,
        composer: Address,
        worker: Address,
        bounty: U256,
        findings: &mut Findings,
    ) {
        let check = self.name("allowance");
        let Some(allowed) = self.view(token_address, &token::allowance(worker, composer)).await else { return };
        if allowed > bounty.saturating_mul(U256::from(10_000u64)) && !bounty.is_zero() {
            findings.warning(
                &check,
                format!("worker {worker} allows the composer {allowed} bounty tokens, far more than its accepts need"),
                "approve(composer, 0): the facilitator approves what it needs by itself",
            );
        } else {
            findings.ok(&check, format!("worker {worker} allows the composer {allowed}"));
        }
    }

    async fn funds(&self, findings: &mut Findings) {
        let check = self.name("funds");
        let min_balance = self.chain.settings.min_balance;
        let of_kinds = Kind::ALL.iter().map(|kind| needed(*kind, self.side, min_balance));
        let needed = of_kinds.max().unwrap_or(U256::ZERO);
        for worker in &self.chain.workers {
            match self.reader.ask_one(Query::Balance { address: *worker, at: At::Latest }).await {
                Answer::Number(held) if held.is_zero() => findings.error(
                    &check,
                    format!("worker {worker} has no base coin"),
                    "send it base coin: it pays for gas",
                ),
                Answer::Number(held) if held < needed => findings.warning(
                    &check,
                    format!("worker {worker} has {held} wei, one request may cost {needed} wei"),
                    "send it base coin",
                ),
                Answer::Number(held) => findings.ok(&check, format!("worker {worker} has {held} wei")),
                Answer::Failed(text) => findings.error(&check, text, "look after the node"),
                Answer::Data(_) | Answer::Reverted(_) | Answer::Proof(_) | Answer::Root(_) => {}
            }
        }
    }
}

/// Wei for gas that a worker of this side must have for one request.
fn needed(kind: Kind, side: Side, min_balance: U256) -> U256 {
    let (accept, rest): (&[Step], &[Step]) = if kind.source() == side {
        (&[Step::Approve, Step::Accept], &[Step::ProgressSource])
    } else {
        (&[], &[Step::ProveGateway, Step::Confirm, Step::ProgressTarget])
    };
    let cost = |steps: &[Step]| {
        let gas: u64 = steps.iter().map(|step| expected_gas(kind, *step)).sum();
        U256::from(gas).saturating_mul(U256::from(ASSUMED_FEE))
    };
    needed_to_accept(cost(accept), cost(rest), min_balance)
}
