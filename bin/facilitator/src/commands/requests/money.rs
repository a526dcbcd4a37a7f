//! The ledger of one request, for people.

use super::super::ledger::{heading, row};
use crate::output;
use facilitator_protocol::ledger::Reason;
use facilitator_roles::views::MoneyView;

/// A total for each asset, and what was not ours.
pub(super) fn print(money: &MoneyView) {
    if money.totals.is_empty() && money.taken.is_empty() {
        return;
    }
    output::line("");
    let mut rows = vec![heading(&["  MONEY"])];
    rows.extend(money.totals.iter().map(|total| row([format!("  {}", total.asset)], &total.sum)));
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
