//! What the chains say when all is over: what was lost, done twice or left behind.

use crate::{
    books::Books,
    devnet::{Devnet, Funds, Side},
    kind::Kind,
    operator::Operator,
    requesters::Request,
    verify::{self, Ledger},
};
use anyhow::{Result, anyhow};
use facilitator_eth::{Address, U256};
use serde_json::{Value as Json, json};

/// The judgement.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// Requests.
    pub requests: usize,
    /// Those that ended with their tokens paid out, every event exactly once.
    pub completed: usize,
    /// Requests that were never accepted, or that the facilitator does not know.
    pub lost: usize,
    /// Events that happened more than once for one message, and heights that were proven again.
    pub duplicated: usize,
    /// Messages that were declared and did not end.
    pub stranded: usize,
    /// Transactions of the workers: mined, reverted.
    pub transactions: [u64; 2],
    /// Everything else that is not as it must be.
    pub problems: Vec<String>,
}

pub(super) async fn audit(
    devnet: &Devnet,
    operator: &Operator,
    requests: &[Request],
    books: &Books,
    funds: Funds,
) -> Result<Audit> {
    let ledger = Ledger::read(devnet).await?;
    let rows = operator.requests().await?;
    let mut audit = Audit { requests: requests.len(), ..Audit::default() };
    for request in requests {
        let known = rows.iter().any(|row| row.request_hash == request.request_hash.to_string());
        match ledger.life(request) {
            None => audit.lost += 1,
            Some(_) if !known => audit.lost += 1,
            Some((_, life)) if life.finished() => audit.completed += 1,
            Some((_, life)) => {
                let kinds = life.steps();
                audit.duplicated += kinds.iter().map(|places| places.len().saturating_sub(1)).sum::<usize>();
                audit.stranded += usize::from(kinds.iter().any(|places| places.is_empty()));
            }
        }
    }
    audit.duplicated +=
        ledger.proven.values().map(|(new, vain)| (new.len() + vain.len()).saturating_sub(1)).sum::<usize>();
    if audit.completed == requests.len() {
        // Statuses in both boxes, what each beneficiary got, and where all the money is.
        note(&mut audit.problems, books.check(devnet, operator, requests).await.map(drop));
        note(&mut audit.problems, verify::one_proof_per_height(&ledger));
    }
    for row in rows.iter().filter(|row| row.state != "COMPLETE") {
        audit.problems.push(format!("row {} ends as {}: {:?}", row.request_hash, row.state, row.last_error));
    }
    if rows.len() != requests.len() {
        audit.problems.push(format!("{} rows for {} requests", rows.len(), requests.len()));
    }
    let bounties = verify::bounty_balances(devnet, &operator.origin_workers).await?;
    if bounties.iter().any(|balance| *balance != funds.bounty) {
        audit.problems.push(format!("bounties are out: the workers have {bounties:?}, not {} each", funds.bounty));
    }
    // Those of stakes are coin, those of redeems value tokens.
    let minted = requests.iter().filter(|request| request.kind == Kind::Stake).filter_map(|stake| ledger.life(stake));
    let rewards = minted.fold(U256::ZERO, |sum, (_, life)| sum.saturating_add(life.reward));
    accounts(devnet, Side::Origin, &operator.origin_workers, funds, U256::ZERO, &mut audit).await?;
    accounts(devnet, Side::Auxiliary, &operator.auxiliary_workers, funds, rewards, &mut audit).await?;
    Ok(audit)
}

fn note(problems: &mut Vec<String>, outcome: Result<()>) {
    problems.extend(outcome.err().map(|error| format!("{error:#}")));
}

/// Checks that no transaction of the workers still waits, and that all their coin is accounted for.
async fn accounts(
    devnet: &Devnet,
    side: Side,
    workers: &[Address],
    funds: Funds,
    income: U256,
    audit: &mut Audit,
) -> Result<()> {
    let node = devnet.node(side);
    let pool = node.call("txpool_content", json!([])).await?;
    for worker in workers {
        let waits = |kind: &str| {
            let accounts = pool[kind].as_object().into_iter().flatten();
            accounts.filter(|(owner, _)| owner.parse() == Ok(*worker)).map(|(_, list)| list.clone()).next()
        };
        for (kind, list) in ["pending", "queued"].iter().filter_map(|kind| Some((kind, waits(kind)?))) {
            let nonces: Vec<&String> = list.as_object().into_iter().flatten().map(|(nonce, _)| nonce).collect();
            audit.problems.push(format!("{side:?} {worker}: {kind} transactions are left with nonces {nonces:?}"));
        }
        let count = async |block: &str| node.call("eth_getTransactionCount", json!([worker, block])).await;
        let (mined, counted): (Json, Json) = (count("latest").await?, count("pending").await?);
        if mined != counted {
            audit.problems.push(format!("{side:?} {worker}: a nonce gap, {mined} mined and {counted} counted"));
        }
    }
    let spent = verify::spent(node, workers, 0).await?;
    audit.transactions[0] += spent.transactions;
    audit.transactions[1] += spent.reverted;
    let given = (0..workers.len()).fold(income, |sum, _| sum.saturating_add(funds.coin));
    let must = given.checked_sub(spent.fees).ok_or_else(|| anyhow!("fees above what was given"))?;
    let have = node.balances(workers).await?.into_iter().fold(U256::ZERO, U256::saturating_add);
    if have != must {
        audit.problems.push(format!("{side:?}: the workers have {have} wei, but {must} are accounted for"));
    }
    Ok(())
}
