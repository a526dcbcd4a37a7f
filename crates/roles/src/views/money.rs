//! The ledger of one request.

use super::ledger::{AssetView, SumView, TotalView, sums};
use facilitator_eth::B256;
use facilitator_protocol::ledger::{Assets, Ledger, Line, Reason};
use facilitator_protocol::model::RequestId;
use facilitator_store::{Store, StoreError};
use serde::Serialize;

/// What a request earned and cost.
#[derive(Debug, Clone, Serialize)]
pub struct MoneyView {
    /// Each amount that moved.
    pub lines: Vec<LineView>,
    /// What is left in each asset.
    pub totals: Vec<TotalView>,
    /// What others earned with its message.
    pub taken: Vec<TakenView>,
    /// Whether an amount of it can't be told.
    pub incomplete: bool,
}

/// An amount that moved for one request.
#[derive(Debug, Clone, Serialize)]
pub struct LineView {
    /// Why it moved.
    pub reason: &'static str,
    /// What the transaction was for.
    pub step: &'static str,
    /// What it is of.
    pub asset: AssetView,
    /// How much, smallest units.
    pub amount: String,
    /// Among how many requests the cost of the transaction is shared; `amount` is this one's part.
    pub shared_by: usize,
    /// Who paid or was paid.
    pub account: String,
    /// The transaction.
    pub transaction_hash: String,
}

/// What somebody else earned.
#[derive(Debug, Clone, Serialize)]
pub struct TakenView {
    /// `bounty_back` or `reward`.
    pub what: &'static str,
    /// The transaction that took it.
    pub transaction_hash: String,
}

/// Reads it.
pub(super) async fn read(store: &Store, request: RequestId) -> Result<MoneyView, StoreError> {
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
