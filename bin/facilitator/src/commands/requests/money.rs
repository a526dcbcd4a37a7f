//! The ledger of one request.

use super::super::ledger::{AssetView, SumView, sums};
use crate::failure::Failure;
use crate::output;
use facilitator_eth::B256;
use facilitator_protocol::ledger::{Assets, Ledger, Line, Reason};
use facilitator_protocol::model::RequestId;
use facilitator_store::Store;
use serde::Serialize;

/// What a request earned and cost.
#[derive(Serialize)]
pub(super) struct MoneyView {
    lines: Vec<LineView>,
    totals: Vec<TotalView>,
    /// What others earned with its message.
    taken: Vec<TakenView>,
    /// Whether an amount of it can't be told.
    incomplete: bool,
}

#[derive(Serialize)]
struct LineView {
    reason: &'static str,
    step: &'static str,
    asset: AssetView,
    amount: String,
    /// Among how many requests the cost of the transaction is shared; `amount` is this one's part.
    shared_by: usize,
    account: String,
    transaction_hash: String,
}

#[derive(Serialize)]
struct TotalView {
    asset: AssetView,
    #[serde(flatten)]
    sum: SumView,
}

#[derive(Serialize)]
struct TakenView {
    what: &'static str,
    transaction_hash: String,
}

/// Reads it.
pub(super) async fn read(store: &Store, request: RequestId) -> Result<MoneyView, Failure> {
    let Ledger { lines, taken, unknown } = store.ledger_of(request).await?;
    let assets = store.gateway_assets().await?;
    let total = |(asset, sum)| TotalView { asset: AssetView::new(asset, &assets), sum: SumView::new(&sum) };
    let by_other = |(reason, _, hash): &(Reason, B256, B256)| TakenView {
        what: reason.as_str(),
        transaction_hash: hash.to_string(),
    };
    Ok(MoneyView {
        totals: sums(&lines).into_iter().map(total).collect(),
        lines: lines.iter().map(|one| line(one, &assets)).collect(),
        taken: taken.iter().map(by_other).collect(),
        incomplete: !unknown.is_empty(),
    })
}

fn line(line: &Line, assets: &[Assets]) -> LineView {
    LineView {
        reason: line.reason.as_str(),
        step: line.step.as_str(),
        asset: AssetView::new(line.asset, assets),
        amount: line.amount.to_string(),
        shared_by: line.shared_by,
        account: line.account.to_string(),
        transaction_hash: line.tx_hash.to_string(),
    }
}

/// For people: a total for each asset, and what was not ours.
pub(super) fn print(money: &MoneyView) {
    if money.totals.is_empty() && money.taken.is_empty() {
        return;
    }
    output::line("");
    let mut rows = vec![SumView::heading(&["  MONEY"])];
    rows.extend(money.totals.iter().map(|total| total.sum.row([format!("  {}", total.asset)])));
    output::line(&output::table(&rows));
    for taken in &money.taken {
        let what = if taken.what == Reason::Reward.as_str() { "reward" } else { "bounty" };
        let hash = &taken.transaction_hash;
        output::line(&format!("  its {what} went to the sender of transaction {hash}, which is none of this journal"));
    }
    if money.incomplete {
        output::line("  an amount is missing: it is not known which bounty its gateway took, or which token it uses");
    }
}
