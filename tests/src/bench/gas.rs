//! Gas for each stake and redeem, few and many at once: the facilitator beside a straight script that proves the gateway
//! once for a height, and one that proves it for each message.
//!
//! Figures, of stakes of the largest number: `count`, `proofs` and `heights` of the facilitator, `once.heights`, `facilitator`, `once` and
//! `each`: gas for each.

use super::{
    Settings,
    chapter::{Chapter, told},
    plot::{Axis, Line, Plot},
    race::{self, Measured, Race, Racer},
    say,
};
use crate::{kind::Kind, straight::Manner};
use anyhow::{Context as _, Result};
use std::time::Duration;

const RACERS: [Racer; 3] =
    [Racer::Facilitator, Racer::Straight(Manner::OncePerHeight), Racer::Straight(Manner::ForEachMessage)];
/// Time between two blocks: gas does not depend on it, so a hurried one; but requests asked for together share blocks.
const BLOCK_TIME: Duration = Duration::from_millis(500);

/// The three runs of one direction and number.
struct Row {
    kind: Kind,
    count: usize,
    runs: Vec<Measured>,
}

impl Row {
    fn gas(&self, index: usize) -> Result<f64> {
        let run = self.runs.get(index).context("no run")?;
        run.numbers().get("gas").copied().context("no gas")
    }

    fn cells(&self) -> Result<Vec<String>> {
        let [own, once, each] = [self.gas(0)?, self.gas(1)?, self.gas(2)?];
        let of = |index: usize| self.runs.get(index).map_or("-".to_owned(), |run: &Measured| run.proofs.to_string());
        let own_run = self.runs.first().context("no run")?;
        Ok(vec![
            format!("{}{}", self.kind.pick("stake", "redeem"), if self.count == 1 { "" } else { "s" }),
            self.count.to_string(),
            told(own),
            told(once),
            told(each),
            told(own / once),
            told(own / each),
            format!("{} of {} heights", own_run.proofs, own_run.heights),
            of(1),
            of(2),
        ])
    }
}

const COLUMNS: [&str; 10] = [
    "",
    "at once",
    "facilitator, gas each",
    "script, a proof a height",
    "script, a proof a message",
    "to the former",
    "to the latter",
    "proofs, facilitator",
    "former",
    "latter",
];

/// Measures both directions with each number.
///
/// # Errors
/// When a world fails, or a request does not end as it must.
pub(super) async fn run(settings: &Settings) -> Result<Chapter> {
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        for count in settings.gas_sizes.iter().copied() {
            let mut runs = Vec::new();
            for racer in RACERS {
                say(&format!("{count} {}, {}", kind.pick("stakes", "redeems"), racer.name()));
                let race = Race { block_time: BLOCK_TIME, ..settings.race(kind, count) };
                runs.push(race::run(racer, &race).await?);
            }
            rows.push(Row { kind, count, runs });
        }
    }
    let last = rows.iter().rfind(|row| row.kind == Kind::Stake).context("no sizes")?;
    let (own, once) = (last.runs.first().context("no run")?, last.runs.get(1).context("no run")?);
    let chapter = Chapter::new("gas", "Gas of stakes and redeems")
        .text(format!(
            "Gas of all transactions of the worker keys on both chains, for each request; so many asked for at once, blocks \
             every {} ms. Of both scripts one proves the source gateway once for all messages of a height, the other one \
             before each confirmation.",
            BLOCK_TIME.as_millis()
        ))
        .table(&COLUMNS, rows.iter().map(Row::cells).collect::<Result<_>>()?)
        .figure("count", last.count as f64)
        .figure("proofs", own.proofs as f64)
        .figure("heights", own.heights as f64)
        .figure("once.heights", once.heights as f64)
        .figure("facilitator", last.gas(0)?)
        .figure("once", last.gas(1)?)
        .figure("each", last.gas(2)?);
    Kind::ALL.into_iter().try_fold(chapter, |chapter, kind| Ok(chapter.plot(plot(kind, &rows)?)))
}

fn plot(kind: Kind, rows: &[Row]) -> Result<Plot> {
    let names = ["facilitator", "script, a proof a height", "script, a proof a message"];
    let line = |(index, name): (usize, &str)| {
        let points = rows.iter().filter(|row| row.kind == kind).map(|row| Ok((row.count as f64, row.gas(index)?)));
        Ok(Line { name: name.to_owned(), points: points.collect::<Result<_>>()? })
    };
    let requests = kind.pick("stake", "redeem");
    Ok(Plot {
        name: format!("bench-gas-{requests}s"),
        title: format!("Gas for each {requests}"),
        x: Axis::log(&format!("{requests}s at once")),
        y: Axis::linear("gas"),
        lines: names.into_iter().enumerate().map(line).collect::<Result<_>>()?,
    })
}
