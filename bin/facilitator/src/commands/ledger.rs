//! `facilitator ledger`: what was earned and spent, per gateway, period and asset, from the database alone.

mod view;

pub(crate) use view::{AssetView, SumView, sums};

use super::context;
use super::status::time;
use crate::cli::{LedgerArgs, Period};
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_eth::{Address, B256};
use facilitator_protocol::ledger::{Asset, Assets, Line, Sum};
use facilitator_protocol::model::RequestId;
use facilitator_roles::clock::now_ms;
use facilitator_store::Access;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

/// The ledger as scripts see it.
#[derive(Serialize)]
struct View {
    chain_id: u64,
    origin_chain_id: u64,
    since: Option<String>,
    until: String,
    period: &'static str,
    lines: Vec<LineView>,
    totals: Vec<TotalView>,
    /// Messages of which an amount can't be told.
    unknown: Vec<String>,
}

#[derive(Serialize)]
struct LineView {
    /// A day or month in UTC; `all` for everything.
    period: String,
    gateway_address: Option<String>,
    /// Whether it belongs to requests; else approvals in vain, closed gaps of nonces and the like.
    assigned: bool,
    requests: usize,
    transactions: usize,
    asset: AssetView,
    #[serde(flatten)]
    sum: SumView,
}

#[derive(Serialize)]
struct TotalView {
    asset: AssetView,
    #[serde(flatten)]
    sum: SumView,
}

/// What lines are added up by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    period: String,
    /// Those of no request come last.
    unassigned: bool,
    gateway: Option<Address>,
    asset: Asset,
}

#[derive(Default)]
struct Group {
    sum: Sum,
    requests: BTreeSet<RequestId>,
    transactions: BTreeSet<B256>,
}

/// Does it.
pub(crate) async fn run(args: LedgerArgs) -> Result<Exit, Failure> {
    let now = now_ms();
    let since = args.since.as_deref().map(|text| begin(text, now)).transpose()?;
    let loaded = context::load_config(&context::selection(&args.pair), &context::home()?).await?;
    let store = context::open(&loaded, Access::Reader).await?;
    let mut ledger = store.ledger().await?;
    let assets = store.gateway_assets().await?;
    ledger.lines.retain(|line| since.is_none_or(|since| line.at_ms >= since));
    let pair = store.pair();
    let view = View {
        chain_id: pair.auxiliary_chain_id,
        origin_chain_id: pair.origin_chain_id,
        since: since.map(time),
        until: time(now),
        period: args.period.name(),
        lines: lines(&ledger.lines, args.period, &assets),
        totals: totals(&ledger.lines, &assets),
        unknown: ledger.unknown.iter().map(ToString::to_string).collect(),
    };
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

impl Period {
    const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::All => "all",
        }
    }

    /// The period that a time falls into, in UTC.
    fn of(self, at_ms: i64) -> String {
        let text = time(at_ms);
        match self {
            Self::Day => text.chars().take("2026-01-31".len()).collect(),
            Self::Month => text.chars().take("2026-01".len()).collect(),
            Self::All => self.name().to_owned(),
        }
    }
}

fn lines(lines: &[Line], period: Period, assets: &[Assets]) -> Vec<LineView> {
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    for line in lines {
        let unassigned = line.request.is_none();
        let key = Key { period: period.of(line.at_ms), unassigned, gateway: line.gateway, asset: line.asset };
        let group = groups.entry(key).or_default();
        group.sum.add(line);
        group.requests.extend(line.request);
        group.transactions.insert(line.tx_hash);
    }
    let view = |(key, group): (Key, Group)| LineView {
        period: key.period,
        gateway_address: key.gateway.map(|gateway| gateway.to_string()),
        assigned: !key.unassigned,
        requests: group.requests.len(),
        transactions: group.transactions.len(),
        asset: AssetView::new(key.asset, assets),
        sum: SumView::new(&group.sum),
    };
    groups.into_iter().map(view).collect()
}

fn totals(lines: &[Line], assets: &[Assets]) -> Vec<TotalView> {
    let view = |(asset, sum): (Asset, Sum)| TotalView { asset: AssetView::new(asset, assets), sum: SumView::new(&sum) };
    sums(lines).into_iter().map(view).collect()
}

/// One line for each group and no totals, so that adding up a column counts nothing twice.
fn csv(view: &View) -> String {
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

fn print(view: &View) {
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
        let mut rows = vec![SumView::heading(&["  PERIOD", "REQUESTS", "ASSET"])];
        for line in lines {
            let first = [format!("  {}", line.period), line.requests.to_string(), line.asset.to_string()];
            rows.push(line.sum.row(first));
        }
        output::line(&output::table(&rows));
        output::line("");
    }
    output::line("Total");
    let mut rows = vec![SumView::heading(&["  ASSET"])];
    rows.extend(view.totals.iter().map(|total| total.sum.row([format!("  {}", total.asset)])));
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

    #[test]
    fn periods_are_days_and_months_in_utc() {
        let midnight = 1_769_817_600_000;
        assert_eq!(Period::Day.of(midnight - 1), "2026-01-30");
        assert_eq!(Period::Day.of(midnight), "2026-01-31");
        assert_eq!(Period::Month.of(midnight), "2026-01");
        assert_eq!(Period::All.of(midnight), "all");
    }
}
