//! `facilitator ledger`: what was earned and spent, per gateway, period and asset, from the database alone.

use super::context;
use crate::cli::{self, LedgerArgs};
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_roles::clock::now_ms;
use facilitator_roles::views::ledger::{LedgerView, LineView, Period, SumView};
use facilitator_store::Access;
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

/// Does it.
pub(crate) async fn run(args: LedgerArgs) -> Result<Exit, Failure> {
    let now = now_ms();
    let since = args.since.as_deref().map(|text| begin(text, now)).transpose()?;
    let loaded = context::load_config(&context::selection(&args.pair), &context::home()?).await?;
    let store = context::open(&loaded, Access::Reader).await?;
    let (ledger, assets) = (store.ledger().await?, store.gateway_assets().await?);
    let view = LedgerView::of(&ledger, &assets, store.pair(), args.period.into(), since, now);
    if args.json {
        output::json(&view)?;
    } else if args.csv {
        output::line(&csv(&view));
    } else {
        print(&view);
    }
    Ok(Exit::Done)
}

/// The time that `--since` names: a date, a time, or how long ago.
fn begin(text: &str, now_ms: i64) -> Result<i64, Failure> {
    let wrong = || {
        let text = format!(
            "--since {text}: give a date (2026-01-31), a time in UTC (2026-01-31T12:00:00Z) or how long ago (36h, 7d)"
        );
        Failure::new(Exit::Usage, text)
    };
    let whole = if text.len() == "2026-01-31".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    if let Ok(at) = humantime::parse_rfc3339_weak(&whole) {
        let since = at.duration_since(UNIX_EPOCH).map_err(|_| wrong())?;
        return i64::try_from(since.as_millis()).map_err(|_| wrong());
    }
    let ago = humantime::parse_duration(text).map_err(|_| wrong())?;
    let ago = i64::try_from(ago.as_millis()).map_err(|_| wrong())?;
    Ok(now_ms.saturating_sub(ago).max(0))
}

impl From<cli::Period> for Period {
    fn from(period: cli::Period) -> Self {
        match period {
            cli::Period::Day => Self::Day,
            cli::Period::Month => Self::Month,
            cli::Period::All => Self::All,
        }
    }
}

/// The names of columns of amounts, behind `first`.
pub(crate) fn heading(first: &[&str]) -> Vec<String> {
    let own = ["BOUNTY OUT", "BOUNTY BACK", "REWARD", "GAS", "NET"];
    first.iter().copied().chain(own).map(str::to_owned).collect()
}

/// The cells of those columns, behind `first`.
pub(crate) fn row<const N: usize>(first: [String; N], sum: &SumView) -> Vec<String> {
    let own = [&sum.bounty_out, &sum.bounty_back, &sum.reward, &sum.gas, &sum.net];
    first.into_iter().chain(own.into_iter().cloned()).collect()
}

/// One line for each group and no totals, so that adding up a column counts nothing twice.
fn csv(view: &LedgerView) -> String {
    let head = "period,gateway_address,assigned,requests,transactions,asset_chain_id,asset_kind,asset_address,\
        asset_roles,bounty_out,bounty_back,reward,gas,net";
    let mut text = head.to_owned();
    for line in &view.lines {
        let (asset, sum) = (&line.asset, &line.sum);
        let cells = [
            line.period.clone(),
            line.gateway_address.clone().unwrap_or_default(),
            line.assigned.to_string(),
            line.requests.to_string(),
            line.transactions.to_string(),
            asset.chain_id.to_string(),
            asset.kind.to_owned(),
            asset.address.clone().unwrap_or_default(),
            asset.roles.join(" and "),
            sum.bounty_out.clone(),
            sum.bounty_back.clone(),
            sum.reward.clone(),
            sum.gas.clone(),
            sum.net.clone(),
        ];
        text.push('\n');
        text.push_str(&cells.join(","));
    }
    text
}

fn print(view: &LedgerView) {
    if view.lines.is_empty() {
        output::line("nothing was earned or spent");
        return;
    }
    // By gateway, and within it by period.
    let mut sections: BTreeMap<(bool, &Option<String>), Vec<&LineView>> = BTreeMap::new();
    for line in &view.lines {
        sections.entry((!line.assigned, &line.gateway_address)).or_default().push(line);
    }
    for ((unassigned, gateway), lines) in sections {
        let whose = match (unassigned, gateway) {
            (false, Some(gateway)) => format!("Gateway {gateway}"),
            (false, None) => "Requests of gateways that are not known any more".to_owned(),
            (true, Some(gateway)) => format!("Of no request, gateway {gateway} (approvals that nothing took from)"),
            (true, None) => "Of no request (approvals that nothing took from, closed gaps of nonces)".to_owned(),
        };
        output::line(&whose);
        let mut rows = vec![heading(&["  PERIOD", "REQUESTS", "ASSET"])];
        for line in lines {
            let first = [format!("  {}", line.period), line.requests.to_string(), line.asset.to_string()];
            rows.push(row(first, &line.sum));
        }
        output::line(&output::table(&rows));
        output::line("");
    }
    output::line("Total");
    let mut rows = vec![heading(&["  ASSET"])];
    rows.extend(view.totals.iter().map(|total| row([format!("  {}", total.asset)], &total.sum)));
    output::line(&output::table(&rows));
    if !view.unknown.is_empty() {
        let count = view.unknown.len();
        output::line(&format!(
            "\nNot counted: bounty or reward of {count} messages, since it is not known which token their gateway uses \
             or which bounty it took; --json names them"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    #[test]
    fn since_is_a_date_a_time_or_how_long_ago() {
        for (text, at) in [
            ("2026-01-31", 1_769_817_600_000),
            ("2026-01-31T12:00:00Z", 1_769_860_800_000),
            ("36h", NOW - 36 * 3_600_000),
            ("7d", NOW - 7 * 86_400_000),
            // Before there was anything.
            ("100years", 0),
        ] {
            assert_eq!(begin(text, NOW).unwrap(), at, "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "7", "-1d"] {
            let error = begin(text, NOW).unwrap_err();
            assert_eq!(error.exit, Exit::Usage, "{text}");
            assert!(error.to_string().contains("7d"), "{error}");
        }
    }
}
